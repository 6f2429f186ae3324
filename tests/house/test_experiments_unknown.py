"""The ledger and the report know no experiment: neither by import nor by any string."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from refimpl.app.ledger import ENTRIES

REFIMPL = Path(__file__).parents[2] / "refimpl"
FILES = sorted([*(REFIMPL / "report").glob("*"), *(REFIMPL / "ledger").glob("*")])
TEXTS = [path for path in FILES if path.suffix in (".py", ".css", ".js", ".json")]
PLACES = sorted({entry.id.split("/")[0] for entry in ENTRIES})  # table5, section8, priors, ...
KNOWN = re.compile(
    rf"\b({'|'.join(PLACES)})/|\bsections? ?\d|\btables? ?\d|\bfigures? ?\d|\bT\d+\b"
    r"|ten class visualizations|(three|3)[_ -]vs|784",
    re.IGNORECASE,
)


def strings(path):
    """The string constants of a Python file, docstrings too; the whole text of another file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [text]
    nodes = ast.walk(ast.parse(text))
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def example_free(text):
    """A docstring without its examples, which may show any id."""
    return "\n".join(line for line in text.splitlines() if ">>>" not in line)


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_no_string_names_an_experiment(path):
    assert [text for text in strings(path) if KNOWN.search(example_free(text))] == []


def test_the_pattern_finds_what_it_looks_for():
    found = (
        "section8/digits/teacher",
        "Table 5: accuracy",
        "T2",
        "three_vs_all",
        "priors/x",
        "Figure 6",
    )
    assert all(map(KNOWN.search, found)) and not KNOWN.search("the rows of a table, 5 of them")


def loaded_by(*names):
    code = f"import sys, {', '.join(names)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_them_loads_no_experiment_and_no_picture_library():
    """Whoever only writes text needs neither Pillow nor matplotlib; three files of report draw."""
    text = [f"refimpl.{p.parent.name}.{p.stem}" for p in FILES if p.suffix == ".py"]
    text = [name.removesuffix(".__init__") for name in text]
    above = ("refimpl.paper", "refimpl.companions", "refimpl.lessons", "refimpl.app")
    assert not [name for name in loaded_by(*text) if name.startswith(above)]
    draw = [f"refimpl.report.{name}" for name in ("plots", "sheets", "notebook_pictures")]
    text = [name for name in text if name not in draw]
    assert not {"PIL", "matplotlib"} & {name.split(".")[0] for name in loaded_by(*text)}
