"""What a user's type checker says of refimpl: his own file, under mypy's strict rules."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import refimpl

ROOT = Path(refimpl.__file__).parents[1]
USERS_FILE = Path(__file__).with_name("users_file.py")


def test_a_users_file_uses_every_flat_name_and_runs(tmp_path):
    text = USERS_FILE.read_text(encoding="utf-8")
    assert [name for name in refimpl.__all__ if f"ri.{name}" not in text] == []
    ran = subprocess.run(
        [sys.executable, USERS_FILE], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert "['pass', 'pass', 'pass']" in ran.stdout


def test_mypy_accepts_it_under_strict_rules(tmp_path):
    """As a user runs it: from a folder that has no settings of ours."""
    pytest.importorskip("mypy", reason="mypy is not installed: pip install 'refimpl[lint]'")
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", USERS_FILE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},  # mypy does not follow pip's editable hooks
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout
