"""What the paper prints, as data: its tables, accuracies and confusion matrices (printed.json)."""

import json
from importlib.resources import files

PAPER = json.loads((files("refimpl.paper") / "printed.json").read_text(encoding="utf-8"))
TABLE5 = "Table 5: test accuracy (%)"  # the heading of its rows in the report
