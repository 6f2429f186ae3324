"""What the paper's text says of numbers that its tables hold: error rates, the 6.11 points of
section 7, how far the F1 scores of two models overlap, and what swapping digit three does to the
threes in section 8. Computed from what the sections
measured, seed by seed; nothing is trained here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from refimpl.ledger.claim import Claim, Entry, Measurement, always_below, entry, every
from refimpl.metrics import precision_recall_f1
from refimpl.paper.printed import PAPER

OVERLAP = (
    0.01  # F1 scores nearer than this lie on top of each other in a figure of bars from 0 to 1
)
COLUMNS = {  # of table 5: the confusion matrix that goes with it, the section, in words
    "train_set": (1, "5", "the network trained on the training set"),
    "class_visualizations": (3, "5", "the student of ten class visualizations"),
    "class_visualizations_deeper": (6, "6", "the 784-30-10 student of the ten"),
    "class_averages": (8, "7", "the student of ten class averages"),
    "output_weights": (12, "9", "the student of the output weights"),
}
OTHERS = {  # further confusion matrices, of figures 13 and 17
    "swap_three_vs_four": "table10",
    "swap_three_vs_all": "table11",
    "section10_student": "figure17_student",
    "section10_biases": "figure17_biases",
}
THREE = 3  # the class of section 8
SWAPS = ("swap_three_vs_four", "swap_three_vs_all")
FIGURES = {
    "class_visualizations": "figures 4 and 6",
    "class_visualizations_deeper": "figures 6 and 8",
    "class_averages": "figures 6 and 10",
    "output_weights": "figures 6 and 10",
}


def f1_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """|F1 - F1| of every class, (K,), for two confusion matrices (K, K).

    >>> f1_difference(np.array([[4, 0], [0, 4]]), np.array([[4, 0], [4, 0]])).round(3).tolist()
    [0.333, 1.0]
    """
    return np.abs(precision_recall_f1(one)[2] - precision_recall_f1(other)[2])


def derive(measured: Mapping[str, Any], name: str) -> dict[str, float]:
    """{id: value} of one seed's {id: number or confusion matrix}, for a data set; what was not
    measured has nothing derived from it.

    >>> seed = {"table5/mnist/class_visualizations": 91.6, "table5/mnist/class_averages": 86.0}
    >>> {id: round(v, 2) for id, v in derive(seed, "mnist").items()}["section7/mnist/below"]
    5.6
    """
    table5 = {
        c: measured[f"table5/{name}/{c}"] for c in COLUMNS if f"table5/{name}/{c}" in measured
    }
    out = {f"errors/{name}/{column}": 100 - value for column, value in table5.items()}
    if {"class_visualizations", "class_averages"} <= set(table5):
        below = table5["class_visualizations"] - table5["class_averages"]
        out[f"section7/{name}/below"] = below
    if {"train_set", "class_visualizations_deeper"} <= set(table5):
        beyond = table5["class_visualizations_deeper"] - table5["train_set"]
        out[f"section6/{name}/beyond"] = beyond
    whole = measured.get(f"table1/{name}")
    for column, (number, _, _) in COLUMNS.items():
        other = measured.get(f"table{number}/{name}")
        if column != "train_set" and whole is not None and other is not None:
            difference = f1_difference(whole, other)
            out[f"overlap/{name}/{column}"] = float(difference.mean())
            out[f"overlap_least/{name}/{column}"] = float(difference.min())
    matrices = {column: f"table{number}" for column, (number, _, _) in COLUMNS.items()} | OTHERS
    for who, table in matrices.items():
        if measured.get(f"{table}/{name}") is not None:
            scores = precision_recall_f1(measured[f"{table}/{name}"])[2]
            out |= {f"f1/{name}/{who}/{c}": float(v) for c, v in enumerate(scores)}
    original = measured.get(f"table3/{name}")
    for who, table in {"class_visualizations": "table3", **OTHERS}.items():
        if who in ("class_visualizations", *SWAPS) and original is not None:
            if (matrix := measured.get(f"{table}/{name}")) is not None:
                out |= _threes(matrix, original, f"threes/{name}/{who}")
    student, biases = (measured.get(f"figure17_{who}/{name}") for who in ("student", "biases"))
    if student is not None and biases is not None:
        out[f"overlap/{name}/section10"] = float(f1_difference(student, biases).mean())
    return out


def _threes(matrix: np.ndarray, original: np.ndarray, prefix: str) -> dict[str, float]:
    """Other digits called three, threes called another digit, and the points of accuracy that this
    student is below the original one, of matrices (K, K) of the same images.
    """
    right = int(matrix[THREE, THREE])
    return {
        f"{prefix}/false_positives": int(matrix[:, THREE].sum()) - right,
        f"{prefix}/false_negatives": int(matrix[THREE].sum()) - right,
        f"{prefix}/lost": 100 * float((np.trace(original) - np.trace(matrix)) / original.sum()),
    }


def printed_overlap(column: str) -> float | None:
    """The mean over the classes of |F1 - F1| in the paper's own tables (MNIST): of the table with
    that column's scores against table 2.

    >>> [round(printed_overlap(column), 4) for column in FIGURES]
    [0.0035, 0.0041, 0.0573, 0.0028]
    """
    scores = PAPER["per_class_metrics"]
    first = np.array(scores["table_2"]["f1"])
    return float(np.abs(first - scores[f"table_{COLUMNS[column][0] + 1}"]["f1"]).mean())


def claims(name: str) -> Iterator[Entry]:
    """The rows of the ledger for one data set; error rates are printed for MNIST, the 6.11 points
    for Fashion-MNIST.

    >>> [(claim.id, claim.paper) for claim in claims("mnist")][0]
    ('errors/mnist/train_set', 8.24)
    """
    errors = PAPER["errors"] if name == "mnist" else {}
    for column, (_, section, what) in COLUMNS.items():
        yield entry(
            f"errors/{name}/{column}",
            section,
            f"error rate of {what}, %",
            errors.get(column),
            protocol="100 - accuracy",
            better="lower",
        )
    yield entry(
        f"section7/{name}/below",
        "7",
        "points by which class averages stay below class visualizations",
        PAPER["class_averages_below"] if name == "fashion-mnist" else None,
        "the teachers of both, loss, iterations",
        "the difference of two columns of table 5",
        better="lower",
    )
    beyond = f"section6/{name}/beyond"
    yield entry(
        beyond,
        "6",
        "points by which the 784-30-10 student is above the network that the images are of",
        protocol="the difference of two columns of table 5",
        expects='at most 0: "the best accuracy is limited to" that network\'s',
        relation=every(beyond, lambda v: v <= 0),
    )
    for who in (*COLUMNS, *OTHERS):
        for c in range(len(PAPER["support_mnist_test"])):
            yield Measurement(
                f"f1/{name}/{who}/{c}", f"F1 of {c}", cell_of=f"F1 scores, {who.replace('_', ' ')}"
            )
    for column, figures in FIGURES.items():
        yield from _overlap(name, column, figures)
    yield from _swaps(name)
    yield entry(
        f"overlap/{name}/section10",
        "10",
        "mean |F1 - F1| of the ten-image student and the ten biases (figure 17)",
        protocol="mean over the classes",
        expects=f"overlap: at most {OVERLAP}" if name == "mnist" else "",
        relation=every(f"overlap/{name}/section10", lambda v: v <= OVERLAP)
        if name == "mnist"
        else None,
    )


def _swaps(name: str) -> Iterator[Entry]:
    """Section 8 in words, which has MNIST only: with the three of 3 vs 4 "an increase in false
    positives"; with that of 3 vs all "the number of false negatives increased and the number of
    false positives for class three decreased", at an accuracy "closer to the original".
    """
    p = f"threes/{name}"
    original, four, all_ = (f"{p}/{who}" for who in ("class_visualizations", *SWAPS))
    says: dict[str, tuple[str, tuple[str, str]]] = {  # expects, and which is below which
        f"{four}/false_positives": ("more than without the swap", (original, four)),
        f"{all_}/false_positives": ("fewer than with the three of 3 vs 4", (all_, four)),
        f"{all_}/false_negatives": ("more than with the three of 3 vs 4", (four, all_)),
        f"{all_}/lost": ("fewer than with the three of 3 vs 4", (all_, four)),
    }
    students = ("no swap", "the three of 3 vs 4 swapped in", "the three of 3 vs all swapped in")
    numbers = {
        "false_positives": "other digits called three",
        "false_negatives": "threes called another digit",
        "lost": "points below the student of the original ten",
    }
    for who, student in zip((original, four, all_), students):
        for key, what in numbers.items():
            expects, pair = says.get(f"{who}/{key}", ("", ()))
            said = name == "mnist" and bool(pair)
            yield entry(
                f"{who}/{key}",
                "8",
                f"{what}, {student}",
                protocol="of the confusion matrices (tables 3, 10 and 11)",
                better="lower",
                expects=expects if said else "",
                relation=always_below(*(f"{id}/{key}" for id in pair)) if said else None,
            )


def _overlap(name: str, column: str, figures: str) -> Iterator[Entry]:
    """How far the F1 scores of a student lie from those of the network trained on the training set:
    printed for MNIST (its tables 2, 4, 7, 9 and 13 have them), claimed in words elsewhere.
    """
    id, least = f"overlap/{name}/{column}", f"overlap_least/{name}/{column}"
    _, section, what = COLUMNS[column]
    mnist, apart = name == "mnist", column == "class_averages"
    yield (
        Measurement(id, f"mean |F1 - F1| of {what}", "mean over the classes")
        if apart and not mnist
        else Claim(
            id,
            section,
            f"mean |F1 - F1| of {what} and the network trained on the training set ({figures})",
            printed_overlap(column) if mnist else None,
            protocol="mean over the classes; the paper's from its own tables of F1 scores",
            unit=0.01,
            better="lower",
            expects="" if mnist else f"overlap: at most {OVERLAP}",
            relation=None if mnist else every(id, lambda v: v <= OVERLAP),
        )
    )
    says = apart and name != "cifar10"  # of CIFAR-10's averages it says something else
    yield entry(
        least,
        section,
        f"least |F1 - F1| over the classes, {what}",
        protocol="least over the classes",
        expects=f"no overlap: above {OVERLAP}" if says else "",
        relation=every(least, lambda v: v > OVERLAP) if says else None,
    )
