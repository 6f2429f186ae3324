"""What may be said of a measured number: a claim, which answers the paper, or a mere measurement;
and the relations that claims in words are judged by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refimpl.ledger.paired import paired_test


@dataclass(frozen=True)
class Claim:
    """One row of the ledger: a number that the paper prints, or a relation that it claims in words.

    paper: the printed number, None where a relation stands instead; what the paper leaves open for
    it (unspecified) and how ours was measured (protocol). unit: the size of one point; better:
    which side of the printed number counts as exceeded. expects: the relation in words. heading:
    the part of the report that the row belongs to, "" for the common one. cell_of: the table whose
    cell it is; such rows are counted on one line of the report, not shown one by one. own: the
    relation is a prediction or a control of ours, which the paper does not claim: it comes out "as
    predicted", not "reproduced". contradicted: for a printed number or a relation, whether what was
    measured excludes it by a theorem or by the paper's own numbers. Raises
    ValueError with neither a printed number nor a relation: that is a Measurement.

    >>> Claim("accuracy", "5", "trained on the training set", 91.76).paper
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
    expects: str = ""
    relation: Callable[[dict], bool] | None = None  # values {id: [one a seed]} -> bool
    contradicted: Callable[[dict], bool] | None = (
        None  # values -> bool: the measurement excludes the printed number
    )
    heading: str = ""
    cell_of: str = ""
    own: bool = False

    def __post_init__(self) -> None:
        if self.paper is None and self.relation is None:
            raise ValueError(
                f"paper, relation: expected a printed number or a relation for {self.id!r}, "
                "got neither; what is only measured is a Measurement"
            )


@dataclass(frozen=True)
class Measurement:
    """A number of ours that answers nothing in the paper: it is kept beside the ledger, without a
    verdict. The fields are those of a Claim of the same names.

    >>> Measurement("bytes", "bytes of the PNG files").protocol
    ''
    """

    id: str
    what: str
    protocol: str = ""
    heading: str = ""
    cell_of: str = ""
    paper = relation = contradicted = None  # what would make it a claim


Entry = Claim | Measurement


def entry(
    id: str,
    section: str,
    what: str,
    paper: float | None = None,
    unspecified: str = "",
    protocol: str = "",
    *,
    relation: Callable[[dict], bool] | None = None,
    heading: str = "",
    cell_of: str = "",
    own: bool = False,
    **more: Any,
) -> Entry:
    """A Claim where the paper prints a number or claims a relation, else a Measurement: for tables
    of which the paper prints a part. The arguments are those of Claim.

    >>> type(entry("a", "5", "accuracy", 91.76)).__name__, type(entry("a", "5", "b")).__name__
    ('Claim', 'Measurement')
    """
    if paper is None and relation is None:
        return Measurement(id, what, protocol, heading, cell_of)
    return Claim(
        id,
        section,
        what,
        paper,
        unspecified,
        protocol,
        relation=relation,
        heading=heading,
        cell_of=cell_of,
        own=own,
        **more,
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
