"""What the README says: its commands are ones, its files exist, its tables are those that commands
print.
"""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from refimpl import __version__
from refimpl.app import cli
from refimpl.report.options import UsageError
from refimpl.report.tables import SUMMARY

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
WHOLE = re.findall(r"python -m refimpl ?([^`#|&\n]*)", README)
SHORT = re.findall(rf"`((?:{'|'.join(cli.COMMANDS)}|claims|protocol|reproduce) [^`]*)`", README)
COMMANDS = sorted(
    {text.strip().replace("NET", "conv").replace("REFIMPL_FULL=1", "") for text in WHOLE + SHORT}
)


class Parsed(Exception):
    """The arguments were taken."""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one(command, monkeypatch, tmp_path):
    parse_args = argparse.ArgumentParser.parse_args

    def stop(self, args=None, namespace=None):
        parse_args(self, args, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Parsed):
        cli.main(shlex.split(command))


def test_the_commands_were_found():
    assert len(COMMANDS) >= 25 and {
        "",
        "lesson 1",
        "pack --thesis",
        "dissect",
        "report DIR",
    } <= set(COMMANDS)


def test_every_room_is_named():
    assert not [
        room
        for room in cli.COMMANDS
        if not re.search(rf"`(?:[^`]*refimpl )?{room}\b", README)
        and f"refimpl {room}" not in README
    ]


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:refimpl|benchmarks|tests)/[\w/.]*|\w+\.py)`", README)))
)
def test_a_file_is_there(path):
    below = [path for path in (ROOT / "refimpl").rglob("*") if path.is_dir()]
    folders = (ROOT, ROOT / "refimpl", *below)
    assert any((folder / path).exists() for folder in folders)


def test_links_lead_somewhere():
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target[1:] in headings if target.startswith("#") else (ROOT / target).exists(), (
            target
        )


def test_the_version_to_cite():
    assert f"version = {{{__version__}}}" in README


def test_the_claims_at_a_glance_have_the_rows_that_are_printed():
    table = (
        README[README.index("| test accuracy, % (paper, verdict)") :].split("\n\n")[0].splitlines()
    )
    assert [line.split(" | ")[0].strip("| ") for line in table[2:]] == [
        label for label, _ in SUMMARY
    ]
    assert all(line.count("|") == table[0].count("|") for line in table)


def test_the_goals_missed_are_those_of_the_benchmarks_table():
    table = (ROOT / "benchmarks" / "README.md").read_text()
    met, of = map(int, re.search(r"(\d+) of (\d+) goals on ratios met", table).groups())
    assert f"Missed of {of} goals: {of - met}." in README


def test_a_wrong_command_would_be_noticed(tmp_path):
    with pytest.raises((SystemExit, UsageError)):
        cli.main(["pack", "--no-such-option"])
