"""How a row of the ledger came about: the command that measures it, its run time, the machine; and
what all rows come to, in one line.
"""

import os
import platform
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

NOT_RECORDED = {  # options: words after
    "--write": 0,
    "--quiet": 0,
    "--out": 1,
    "--data-dir": 1,
    "--jobs": 1,
}
GOOD, BAD = ("reproduced", "exceeded"), ("not reproduced", "contradicted")


def recorded_command(name: str, argv: Sequence[str]) -> str:
    """The command line that a record names: without what changes no value.

    >>> recorded_command("look", ["--net", "conv", "--out", "here", "--write"])
    'python -m refimpl look --net conv'
    >>> recorded_command("pack", ["cut list.csv"])
    "python -m refimpl pack 'cut list.csv'"
    """
    words = ["python -m refimpl", name]
    rest = iter(argv)
    for word in rest:
        if word in NOT_RECORDED:
            for _ in range(NOT_RECORDED[word]):
                next(rest, None)
        elif word.partition("=")[0] not in NOT_RECORDED:
            words.append(shlex.quote(word))
    return " ".join(words)


def machine() -> str:
    """The machine it runs on, in a few words.

    >>> "cores" in machine()
    True
    """
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def stamped(rows: Iterable[Mapping], command: str, seconds: float, what: str) -> list[dict]:
    """The rows with a field "by": the command, its run time in seconds and of what ("a seed", "the
    run"), and this machine.

    >>> stamped([{"id": "a"}], "python -m refimpl --only 5", 3.14159, "a seed")[0]["by"]["seconds"]
    3.1
    """
    by = {"command": command, "seconds": round(seconds, 1), "of": what, "machine": machine()}
    return [{**row, "by": by} for row in rows]


def way(row: Mapping) -> str:
    """The field "by" in words, "" where a row has none (results of older versions).

    >>> way({"by": {"command": "look", "seconds": 3.1, "of": "the run", "machine": "Linux"}})
    'look; the run took 3.1 s on Linux'
    >>> way({"id": "a"})
    ''
    """
    by = row.get("by")
    if not by:
        return ""
    return f"{by['command']}; {by['of']} took {by['seconds']:g} s on {by['machine']}"


def numbered_ways(rows: Iterable[Mapping]) -> list[str]:
    """The different ways of some rows, in their order: a row's number is its place here.

    >>> numbered_ways([{"id": "a"}])
    []
    """
    return list(dict.fromkeys(text for text in map(way, rows) if text))


def _counted(rows: Sequence[Mapping]) -> str:
    count = Counter(row["verdict"] for row in rows)
    return ", ".join(f"{number} {verdict}" for verdict, number in count.most_common())


def overall(rows: Sequence[Mapping], title: str) -> str:
    """One line: what the verdicts on the paper's numbers and statements come to, those on our own
    predictions apart; "" without any.

    "Reproduced" where no verdict is against the paper, "not reproduced" where none is for it, "in
    part" elsewhere; a number that ours exceed is for it, "undecided" and "too few seeds" are
    neither. Cells of tables are counted apart and do not weigh.

    >>> verdicts = ((91.76, "exceeded"), (86.02, "not reproduced"), (None, "as predicted"))
    >>> rows = [{"paper": paper, "verdict": verdict} for paper, verdict in verdicts]
    >>> line = overall(rows, "MNIST")
    >>> print(line.replace(". ", ".\\n").replace("; ", ";\\n"))
    MNIST, overall: reproduced in part.
    Printed numbers: 1 exceeded, 1 not reproduced;
    our own predictions: 1 as predicted.
    """
    own = [row for row in rows if "predicted" in row["verdict"]]
    cells = [row for row in rows if row.get("cell_of")]
    left = [row for row in rows if row not in own and row not in cells]
    parts = [
        ("printed numbers", [row for row in left if row["paper"] is not None]),
        ("statements in words", [row for row in left if row["paper"] is None]),
        ("cells of tables", cells),
        ("our own predictions", own),
    ]
    said = [f"{what}: {_counted(some)}" for what, some in parts if some]
    if not said:
        return ""
    for_it = any(row["verdict"] in GOOD for row in left)
    against = any(row["verdict"] in BAD for row in left)
    words = {(True, True): "reproduced in part", (True, False): "reproduced"}
    words |= {(False, True): "not reproduced", (False, False): "nothing decided"}
    text = "; ".join(said)
    return f"{title}, overall: {words[for_it, against]}. {text[0].upper()}{text[1:]}."
