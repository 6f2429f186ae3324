"""A room's measured table: markers, the record, and what --write refuses."""

import json

import pytest

from refimpl.report.options import UsageError
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import (
    Run,
    markdown,
    read_runs,
    read_table,
    record_of,
    shown,
    with_table,
    write_run,
)

TEXT = "# A room\n\n<!-- measured: room -->\nold\n<!-- end -->\n\nafter\n"


@pytest.fixture
def readme(tmp_path):
    """The README of a room in a checkout."""
    file = tmp_path / "refimpl" / "companions" / "room" / "README.md"
    file.parent.mkdir(parents=True)
    (tmp_path / "tests" / "recorded").mkdir(parents=True)
    file.write_text(TEXT)
    return file


def table(runs):
    return markdown(["error"], [[f"{run.values['error']:.0e}"] for run in runs])


def test_what_is_written_is_read_again(readme):
    write_run(readme, "first", {"error": 1e-14}, table)
    write_run(readme, "second", {"error": 2e-14}, table)
    write_run(readme, "first", {"error": 1 / 3}, table)
    runs = read_runs(record_of(readme))
    assert [(run.command, run.values["error"]) for run in runs] == [
        ("first", 0.333333),  # six digits
        ("second", 2e-14),
    ]
    text = readme.read_text()
    assert read_table(text, "room") == shown(runs, table)
    assert text.startswith("# A room\n\n<!--") and text.endswith("<!-- end -->\n\nafter\n")


def test_another_table_and_it_is_seen(readme):
    write_run(readme, "first", {"error": 1e-14}, table)
    changed = readme.read_text().replace("1e-14", "1e-15")
    assert read_table(changed, "room") != shown(read_runs(record_of(readme)), table)


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        "<!-- measured: room --> without an end",
        "<!-- measured: other --><!-- end -->",
        2 * TEXT,
    ],
)
def test_markers_that_are_missing_or_twice(readme, text):
    readme.write_text(text)
    for call in (lambda: read_table(text, "room"), lambda: with_table(text, "room", "new")):
        with pytest.raises(ValueError, match="expected the markers <!-- measured: room -->"):
            call()
    with pytest.raises(ValueError, match="markers"):
        write_run(readme, "first", {"error": 1.0}, table)
    assert not record_of(readme).exists() and readme.read_text() == text


def test_an_installed_package_has_nothing_to_write_to(readme):
    record_of(readme).parent.rmdir()
    with pytest.raises(UsageError, match="^--write: expected a checkout of refimpl"):
        write_run(readme, "first", {"error": 1.0}, table)
    assert readme.read_text() == TEXT


def test_nan_and_infinity_are_null(readme):
    write_run(readme, "first", {"error": float("nan")}, lambda runs: "none")
    assert json.loads(record_of(readme).read_text())["runs"][0]["values"] == {"error": None}


def test_the_command_of_a_record():
    argv = ["--dataset", "mnist", "--out=x", "--quiet", "--data-dir", "d", "--write", "--seeds=2"]
    assert (
        recorded_command("extract", argv) == "python -m refimpl extract --dataset mnist --seeds=2"
    )
    assert Run("c", "d", "v", {}).values == {}
