"""A room's measured table: in the room's README, between two markers, from a record of its values.

A run of the room's command with `--write` puts its values into the record, the file
tests/recorded/ROOM.json of the checkout, and the table of all recorded runs into the README. One
command line is one run: run again, it replaces its own values and leaves the others. The numbers
of the table are therefore what a command measured, and a test compares table and record.
"""

import argparse
import datetime
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from refimpl.files.whole import write_whole
from refimpl.report.options import UsageError

END = "<!-- end -->"


@dataclass(frozen=True)
class Run:
    """What one command line measured: the command, the day and the version of refimpl that ran it,
    and its values as JSON holds them.
    """

    command: str
    date: str
    version: str
    values: dict


def tables_of(values: dict, table: Callable[[list[Run]], str]) -> str:
    """A room's tables of one run's values, for the page of the run.

    >>> tables_of({"a": 1}, lambda runs: f"{len(runs)} run of {runs[0].values['a']}")
    '1 run of 1'
    """
    return table([Run("", "", "", values)])


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown.

    >>> print(markdown(["layer", "error"], [["convolution 1", "0.004"], ["outputs", "0.895"]]))
    | layer | error |
    |---|---|
    | convolution 1 | 0.004 |
    | outputs | 0.895 |
    """
    lines = [list(headings), *map(list, rows)]
    text = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([text[0], "|---" * len(headings) + "|", *text[1:]])


def _ends(text: str, name: str) -> tuple[int, int]:
    """Where the text between the markers of the table `name` begins and ends."""
    begin = f"<!-- measured: {name} -->"
    if text.count(begin) != 1 or END not in text[text.index(begin) :]:
        raise ValueError(f"text: expected the markers {begin} and {END}, once, found others")
    start = text.index(begin) + len(begin)
    return start, text.index(END, start)


def read_table(text: str, name: str) -> str:
    """What stands between the markers of the table `name` in a README.

    Raises ValueError where the markers are missing or there twice.

    >>> read_table("before <!-- measured: deconv -->\\n| a |\\n<!-- end --> after", "deconv")
    '| a |'
    """
    start, stop = _ends(text, name)
    return text[start:stop].strip("\n")


def with_table(text: str, name: str, table: str) -> str:
    """The README's text with another table between the markers of `name`.

    Raises ValueError where the markers are missing or there twice.

    >>> with_table("before <!-- measured: deconv --> old <!-- end --> after", "deconv", "| new |")
    'before <!-- measured: deconv -->\\n\\n| new |\\n\\n<!-- end --> after'
    """
    start, stop = _ends(text, name)
    return f"{text[:start]}\n\n{table}\n\n{text[stop:]}"


def record_of(readme: Path) -> Path:
    """The record beside which a room's README stands: tests/recorded/ROOM.json of the checkout.

    >>> record_of(Path("work/refimpl/companions/deconv/README.md")).as_posix()
    'work/tests/recorded/deconv.json'
    """
    package = next(folder for folder in readme.parents if folder.name == "refimpl")
    return package.parent / "tests" / "recorded" / f"{readme.parent.name}.json"


def read_runs(record: Path) -> list[Run]:
    """The recorded runs, in their order; none where there is no record yet.

    >>> read_runs(Path("none.json"))
    []
    """
    if not record.exists():
        return []
    return [Run(**run) for run in json.loads(record.read_text(encoding="utf-8"))["runs"]]


def check_checkout(readme: Path) -> None:
    """Raises UsageError where --write has nowhere to write: refimpl is installed without the
    records of a checkout. A command asks this before it computes anything.

    >>> import refimpl.report.room_table as here
    >>> check_checkout(Path(here.__file__).parents[1] / "companions" / "deconv" / "README.md")
    """
    if not readme.is_file() or not record_of(readme).parent.is_dir():
        raise UsageError(
            f"--write: expected a checkout of refimpl with tests/recorded, "
            f"got an installed package in {readme.parent}; clone the repository and run it there"
        )


def _short(value):
    """A value for the record: six digits of every float say all that a table shows."""
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def shown(runs: list[Run], table: Callable[[list[Run]], str]) -> str:
    """What stands between the markers: the table of the runs, and below it which commands measured
    it, when, and with which version.

    >>> print(shown([Run("deconv", "2026-11-21", "0.1.0", {})], lambda runs: "| a |"))
    | a |
    <BLANKLINE>
    Measured by `deconv` (2026-11-21, version 0.1.0).
    """
    by = [f"`{run.command}` ({run.date}, version {run.version})" for run in runs]
    return table(runs) + "\n\nMeasured by " + ",\n".join(by) + "."


def write_run(
    readme: Path,
    command: str,
    values: dict,
    table: Callable[[list[Run]], str],
) -> None:
    """Put the values that `command` measured into the room's record, and the table of all recorded
    runs into the room's README.

    readme: the room's README.md. table: from all runs to Markdown. Raises UsageError outside of a
    checkout, ValueError where the README has no markers.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> readme = folder / "refimpl" / "deconv" / "README.md"
    >>> readme.parent.mkdir(parents=True)
    >>> (folder / "tests" / "recorded").mkdir(parents=True)
    >>> _ = readme.write_text("<!-- measured: deconv --><!-- end -->")
    >>> write_run(readme, "deconv", {"dead": 3}, lambda runs: f"dead: {runs[0].values['dead']}")
    >>> read_table(readme.read_text(), "deconv").splitlines()[0]
    'dead: 3'
    """
    from refimpl import __version__
    from refimpl.report.results import plain

    check_checkout(readme)
    today = datetime.date.today().isoformat()
    new = Run(command, today, __version__, _short(plain(values)))
    runs = read_runs(record_of(readme))
    same = [i for i, run in enumerate(runs) if run.command == command]
    if same:
        runs[same[0]] = new
    else:
        runs.append(new)
    text = readme.read_text(encoding="utf-8")
    text = with_table(
        text, readme.parent.name, shown(runs, table)
    )  # fails before anything is written
    write_whole(record_of(readme), json.dumps({"runs": list(map(asdict, runs))}, indent=1) + "\n")
    write_whole(readme, text)


def add_write(parser) -> None:
    """The option --write of a room's command.

    >>> import argparse
    >>> parser = argparse.ArgumentParser()
    >>> add_write(parser)
    >>> parser.parse_args(["--write"]).write
    True
    """
    parser.add_argument(
        "--write",
        action="store_true",
        help=argparse.SUPPRESS,  # for who works on a checkout; its READMEs say how
    )
