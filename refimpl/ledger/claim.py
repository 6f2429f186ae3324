"""One row of the ledger, and the relations that claims in words are judged by."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from refimpl.ledger.paired import paired_test

PAPER = json.loads((files("refimpl.ledger") / "printed.json").read_text())


@dataclass(frozen=True)
class Claim:
    """One printed number, or one relation claimed in words. unit: one point; better: which side
    counts as exceeded.

    >>> Claim("table5/mnist/train_set", "5", "trained on the training set", 91.76).paper
    91.76
    """

    id: str
    section: str
    what: str
    paper: float | None = None
    unspecified: str = ""
    protocol: str = ""
    unit: float = 1.0
    better: str = "higher"
    expects: str = ""  # the relation in words
    relation: Callable[[dict], bool] | None = None  # values {id: [one a seed]} -> bool
    contradicted: Callable[[dict], bool] | None = (
        None  # values -> bool: the measurement excludes the printed number
    )


def every(id: str, test: Callable[..., bool]) -> Callable[[dict], bool]:
    """The relation that all seeds' values of one id pass a test.

    >>> every("agreement", lambda v: v == 100)({"agreement": [100.0, 99.9]})
    False
    """
    return lambda values: all(test(v) for v in values[id])


def equal(id: str, other: str) -> Callable[[dict], bool]:
    """The relation that two ids have the same value on every seed.

    >>> equal("student", "teacher")({"student": [91.7, 91.8], "teacher": [91.7, 91.8]})
    True
    """
    return lambda values: values[id] == values[other]


def always_below(id: str, other: str) -> Callable[[dict], bool]:
    """The relation that id's value is smaller than the other's on every seed.

    >>> always_below("averages", "teacher")({"averages": [86.0, 91.8], "teacher": [91.7, 91.8]})
    False
    """
    return lambda values: all(a < b for a, b in zip(values[id], values[other]))


def never_above(id: str, other: str) -> Callable[[dict], bool]:
    """The relation that id's value is at most the other's on every seed.

    >>> never_above("swapped", "teacher")({"swapped": [0, 7], "teacher": [5, 7]})
    True
    """
    return lambda values: all(a <= b for a, b in zip(values[id], values[other]))


def above(id: str, other: str) -> Callable[[dict], bool]:
    """The relation that id's mean is larger than the other's: the paired 95 % interval over seeds
    lies above 0.

    >>> (
    ...     above("a", "b")({"a": [2.0, 3.0, 2.5], "b": [1.0, 1.9, 1.6]}),
    ...     above("a", "b")({"a": [2.0, 0.0], "b": [1.0, 0.5]}),
    ... )
    (True, False)
    """

    def relation(values: dict) -> bool:
        test = paired_test(values[other], values[id])
        return test.mean - test.half > 0

    return relation
