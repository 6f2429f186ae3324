"""The benchmarks run and check that what they compare agrees. They time nothing here."""

import os
import subprocess
import sys
from pathlib import Path


def test_a_quick_run():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--quick"], cwd=Path(__file__).parent.parent,
                          capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "."})
    assert done.returncode == 0, done.stderr
    for text in ("ours, float64", "naive: class by class", "closed form in t", "gunzip alone", " x\n"):
        assert text in done.stdout
