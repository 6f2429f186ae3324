"""What the README says: its commands are ones, its files exist, its tables are those that commands
print.
"""

import argparse
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from refimpl import __version__
from refimpl.app import cli
from refimpl.paper.printed import PAPER
from refimpl.report.options import UsageError

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted((ROOT / "refimpl").rglob("README.md"))
EVERY = "\n".join([README, *(page.read_text(encoding="utf-8") for page in PAGES)])
WHOLE = re.findall(r"(?:python -m refimpl|`refimpl(?=[ `])) ?([^`#|&\n]*)", EVERY)
SHORT = re.findall(rf"`((?:{'|'.join(cli.COMMANDS)}|claims|protocol|reproduce) [^`]*)`", EVERY)
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
        "pack items.csv --bin 100x100",
        "dissect",
        "report DIR",
    } <= set(COMMANDS)


def test_ci_finds_the_two_commands_that_it_runs():
    """.ci/run runs what README says, as it is printed there."""
    found = re.search(r"mapfile -t commands < <\((.*)\)\n", (ROOT / ".ci" / "run").read_text())[1]
    done = subprocess.run(["bash", "-c", found], cwd=ROOT, capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("python3 -m venv .venv && ") and first.endswith("-m refimpl --jobs 2")
    assert second.startswith(".venv/bin/pip install") and "-m pytest -q" in second


def test_every_room_is_named():
    assert not [
        room
        for room in cli.COMMANDS
        if not re.search(rf"`(?:[^`]*refimpl )?{room}\b", EVERY) and f"refimpl {room}" not in EVERY
    ]


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:refimpl|benchmarks|tests)/[\w/.]*|\w+\.py)`", EVERY)))
)
def test_a_file_is_there(path):
    if {"NAME", "ROOM"} & set(re.split(r"[/_.]", path)):  # to be filled in
        return
    below = [path for path in (ROOT / "refimpl").rglob("*") if path.is_dir()]
    folders = (ROOT, ROOT / "refimpl", *below)
    assert any((folder / path).exists() for folder in folders)


def headings(text):
    """The anchors of a page's headings."""
    lines = [line for line in text.splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=str)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), target
        assert not anchor or anchor in headings(there.read_text(encoding="utf-8")), target


def test_numbers_that_are_computed():
    columns = (PAPER["table_5"][name] for name in ("mnist", "fashion_mnist", "cifar10"))
    lost = (f"{trained - student:.2f}"[1:] for trained, student, *_ in columns)
    assert "loses {}, {} and {} points".format(*lost) in EVERY
    images, network = 10 * 784 + 100, 785 * 10
    assert f"100 logits are {images:,} numbers; the teacher has {network:,}" in README


def test_the_version_to_cite():
    assert f"version = {{{__version__}}}" in README


def test_the_goals_missed_are_those_of_the_benchmarks_table():
    table = (ROOT / "benchmarks" / "README.md").read_text()
    met, of = map(int, re.search(r"(\d+) of (\d+) goals on ratios met", table).groups())
    assert f"Missed of {of} goals: {of - met}." in README


def test_a_wrong_command_would_be_noticed(tmp_path):
    with pytest.raises((SystemExit, UsageError)):
        cli.main(["pack", "--no-such-option"])


def test_a_message_installs_by_the_python_that_runs():
    # README's environment is never activated: a bare `pip` is another Python's
    places = [*(ROOT / "refimpl").rglob("*.py"), *(ROOT / "refimpl").rglob("README.md")]
    for path in places:
        bare = re.search(r"(?<!-m )(?<!-m\n)\bpip\s+install", path.read_text())
        assert bare is None, f"{path}: {bare}"
