"""Every companion is a whole room: its README says what it is, and its table is what was recorded.

tests/recorded/ROOM.json holds the values that the room's commands measured, each with the command,
the day and the version; the commands write them, and the table, with --write. A slow test runs
the digits' commands again, with REFIMPL_FULL=1; the packings depend on the machine's speed, and
conv and vonc take hours.
"""

import json
import os
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from refimpl.app import cli
from refimpl.files.rooms import ROOMS
from refimpl.paper.summary import at_a_glance
from refimpl.report.room_table import read_runs, read_table, record_of, shown
from refimpl.report.tables import numbers_of

ROOT = Path(__file__).parents[2]
TABLES = sorted(
    path
    for path in (ROOT / "refimpl").rglob("README.md")
    if f"<!-- measured: {path.parent.name} -->" in path.read_text(encoding="utf-8")
)
COMPANIONS = [room for room in ROOMS if room.name.startswith("companions/")]


def module_of(readme):
    return ".".join((*readme.parent.relative_to(ROOT).parts, "table"))


@pytest.mark.parametrize("room", COMPANIONS, ids=lambda room: room.name)
def test_a_companion_has_a_page_of_its_own(room):
    text = (ROOT / "refimpl" / room.folder / "README.md").read_text(encoding="utf-8")
    before, _, after = text.partition(f"<!-- measured: {room.name.split('/')[1]} -->")
    assert before.startswith("# ") and "\n## Measured\n" in before and after
    assert "python -m refimpl " in before, "how to run it"
    assert "\n## What falls short\n" in after
    assert len((before + after.partition("<!-- end -->")[2]).splitlines()) < 80, "a page"


@pytest.mark.parametrize("readme", TABLES, ids=lambda path: path.parent.name)
def test_the_table_is_what_was_recorded(readme):
    runs = read_runs(record_of(readme))
    assert runs and all(run.command.startswith("python -m refimpl ") for run in runs)
    table = import_module(module_of(readme)).table
    assert read_table(readme.read_text(encoding="utf-8"), readme.parent.name) == shown(runs, table)


def test_every_record_belongs_to_a_table():
    names = {path.parent.name for path in TABLES}
    assert {path.name for path in (ROOT / "tests" / "recorded").glob("*.json")} == {
        f"{name}.json" for name in names
    }


def test_the_front_page_has_six_rows_of_the_papers_table():
    here, there = (
        read_table((ROOT / folder / "README.md").read_text(encoding="utf-8"), "paper")
        for folder in (".", "refimpl/paper")
    )
    assert here == at_a_glance(there) and len(here.splitlines()) == 2 + 6


def numbers(values):
    """All numbers below values, in their order."""
    if isinstance(values, dict):
        return [n for key in values for n in numbers(values[key])]
    if isinstance(values, list):
        return [n for part in values for n in numbers(part)]
    return [values] if isinstance(values, int | float) and not isinstance(values, bool) else []


@pytest.mark.slow
@pytest.mark.skipif(
    "REFIMPL_FULL" not in os.environ, reason="minutes, and the last bits of one NumPy and processor"
)
@pytest.mark.parametrize("room", ["deconv", "inversion", "dissection", "maximization"])
def test_run_again(room, checkout_of, tmp_path):
    command = import_module(f"refimpl.companions.{room}.command")
    readme = checkout_of(command)
    before = read_runs(record_of(readme))
    argv = shlex.split(before[0].command.removeprefix("python -m refimpl "))
    assert cli.main([*argv, "--write", "--quiet", "--out", str(tmp_path / "out")]) == 0
    after = read_runs(record_of(readme))
    assert [run.command for run in after] == [run.command for run in before]
    now, then = (np.array(numbers(runs[0].values), float) for runs in (after, before))
    assert now.shape == then.shape and np.allclose(now, then, rtol=0.02, atol=0.03)


@pytest.mark.slow
def test_the_digits_column_again(tmp_path):
    """Means over ten seeds come back within a standard deviation, with any NumPy and processor."""
    out = str(tmp_path / "out")
    assert cli.main(["--only", "5,7,9", "--seeds", "10", "--quiet", "--out", out]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    now = {id: row["ours"] for id, row in numbers_of(results).items()}
    record = read_runs(ROOT / "tests" / "recorded" / "paper.json")[-1].values["rows"]
    pairs = [(now[id], record[id]["ours"]) for id in record if id in now]
    assert len(pairs) > 5
    for ours, then in pairs:
        assert abs(ours["mean"] - then["mean"]) <= max(ours["sd"], then["sd"], 0.02)
