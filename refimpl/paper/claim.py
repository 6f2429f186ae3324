"""One row of the ledger, and the relations that claims in words are judged by."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from refimpl.paper.paired import paired_test

PAPER = json.loads((files("refimpl.paper") / "results.json").read_text())


@dataclass(frozen=True)
class Claim:
    """One printed number, or one relation claimed in words. unit: one point; better: which side counts as exceeded."""

    id: str
    section: str
    what: str
    paper: float | None = None
    unspecified: str = ""
    protocol: str = ""
    unit: float = 1.0
    better: str = "higher"
    expects: str = ""  # the relation in words
    relation: Callable | None = None  # values {id: [one a seed]} -> bool
    contradicted: Callable | None = None  # values -> bool: the measurement excludes the printed number


def every(id, test):
    """The relation that all seeds' values of one id pass a test."""
    return lambda values: all(test(v) for v in values[id])


def equal(id, other):
    """The relation that two ids have the same value on every seed."""
    return lambda values: values[id] == values[other]


def above(id, other):
    """The relation that id's mean is larger than the other's: the paired 95 % interval over seeds lies above 0."""
    def relation(values):
        test = paired_test(values[other], values[id])
        return test.mean - test.half > 0
    return relation
