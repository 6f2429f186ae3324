"""Section 10: extreme compression. A 784-30-10 teacher, one image a class; a student of the ten
images; ten biases.

The printed numbers are 95.42 (teacher), 86.38 (same architecture from scratch on the ten images)
and 86.38 (ten biases trained on the frozen images as weights). PAPER is the cell of
`section10_grid` that lies nearest to all three on validation images, BEST the best cells for the
student and for the biases. They were chosen on MNIST: `grid` with seed 1000, then `repeat` of the
best 32 cells with seeds 1000 to 1002, then `choose`; every data set takes them over.

Which network did the paper use? The grid's answer (1,512 cells; 117 within 1, 2 and 2 points of the
three numbers):
- not ReLU, 0 of 432 cells in the band: its images lack what the units do that are shut along them;
- tanh (71 of 432) or sigmoid (46 of 648), with a (log-)probability objective (111 of 117) and
  images of norm 1 to 2. Over three seeds the nearest tanh cell is .60 points away, the nearest
  sigmoid cell .99, seeds differ by more: the two 86.38 do not tell the two apart, and no recipe is
  singled out;
- 95.42 is, to the digit, the published rate of the best known sigmoid 784-30-10 network (see
  section10_grid), which speaks for sigmoid. Its own recipe, quadratic cost and N(0, 1) init, cannot
  be the paper's: nearest cell 23 points away, for the images are full of the init's noise; with an
  ordinary init the quadratic cost is 14 points away.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from refimpl.data import Dataset
from refimpl.ledger.claim import Entry, Measurement, entry, every
from refimpl.metrics import accuracy, confusion_matrix
from refimpl.network import Network
from refimpl.paper.printed import PAPER as RESULTS
from refimpl.paper.section10_grid import (
    STUDENTS,
    TEACHERS,
    Ascent,
    frozen,
    train_student,
    train_teacher,
    visualize,
)

# cell: (teacher, ascent, student)
PAPER = ("tanh decay 0.001", Ascent("log_probability", 0.01, 0.01), "plain")
BEST = {
    "student": ("tanh decay 0.001", Ascent("probability", 1.0, start="noise"), "decayed"),
    "biases": ("tanh decay 0.001", Ascent("log_probability", 1.0, start="noise"), "plain"),
}
TEACHER, BIASES = (
    "hidden teacher, float32",
    "ten images as weights and ten biases, float32",
)  # of accounting's rows
PUBLISHED = (
    ("Deep Compression, LeNet-300-100", 1_070_000, 27_000, 98.42),
    ("Deep Compression, LeNet-5", 1_720_000, 44_000, 99.26),
)  # Han, Mao, Dally 2016, table 1: bytes, percent


def eight_bits(array: np.ndarray) -> np.ndarray:
    """Round an array of any shape to 255 levels, one scale an array: what is left of weights that
    are shipped as bytes.

    >>> eight_bits(np.array([1.27, -0.004, 0.006])).round(9).tolist()
    [1.27, -0.0, 0.01]
    """
    step = np.abs(array).max() / 127
    return np.rint(array / step) * step if step else array


def _measure(
    data: Dataset, teacher: Network, cell: tuple, seed: int
) -> tuple[dict[str, float], dict[str, np.ndarray], tuple]:
    """Of one cell {"teacher", "student", "biases": accuracy} on the test images, what each calls
    them {the same: labels}, and (teacher, images, b) for more.
    """
    _, ascent, how = cell
    images = visualize(teacher, ascent, seed)
    b = frozen(data, images)
    student = train_student(teacher, images, STUDENTS[how], seed)
    called = {
        "teacher": teacher.predict(data.test_pixels),
        "student": student.predict(data.test_pixels),
        "biases": (data.test_x @ images.T + b).argmax(axis=1),
    }
    scores = {key: accuracy(data.test_y, predicted) for key, predicted in called.items()}
    return scores, called, (teacher, images, b)


def _eight_bit_scores(
    data: Dataset, shallow: Network, teacher: Network, images: np.ndarray, b: np.ndarray
) -> dict[str, float]:
    """Test accuracies with weights of 8 bits each: the linear model, the hidden teacher, the frozen
    images.
    """

    def rounded(network):
        return network.with_parameters([eight_bits(p) for p in network.parameters])

    predictions = {
        "linear": rounded(shallow).predict(data.test_pixels),
        "teacher": rounded(teacher).predict(data.test_pixels),
        "biases": (data.test_x @ eight_bits(images).T + b).argmax(axis=1),
    }
    return {key: accuracy(data.test_y, p) for key, p in predictions.items()}


def run(data: Dataset, teacher: Network, seed: int) -> dict[str, Any]:
    """Section 10 for one seed: {id of the ledger: percent, factor or confusion matrix (K, K)}.

    teacher: the shallow one, shipped beside the images as the linear model of the same size.

    >>> from unittest.mock import patch
    >>> from refimpl.paper.section10_grid import Student
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> with patch.dict(
    ...     STUDENTS, {key: Student(0.0, steps=9) for key in STUDENTS}
    ... ):  # in place of 2,000 steps
    ...     found = run(tiny(), tiny_teacher(), 0)
    >>> (
    ...     len(found),
    ...     found["section10/digits/linear"],
    ...     found["section10/digits/factor/trained"],
    ... )  # 820 parameters to 10
    (15, 100.0, 82.0)
    """
    prefix = f"section10/{data.name}"
    names = {cell[0] for cell in (PAPER, *BEST.values())}
    teachers = {name: train_teacher(data, TEACHERS[name], seed) for name in names}
    ours, called, (hidden, _, _) = _measure(data, teachers[PAPER[0]], PAPER, seed)
    out: dict[str, Any] = {f"{prefix}/{key}": value for key, value in ours.items()}
    for who in ("student", "biases"):  # figure 17 compares their F1 scores
        out[f"figure17_{who}/{data.name}"] = confusion_matrix(
            data.test_y, called[who], len(data.classes)
        )
    student, _, _ = _measure(data, teachers[BEST["student"][0]], BEST["student"], seed)
    biases, _, kept = _measure(data, teachers[BEST["biases"][0]], BEST["biases"], seed)
    out |= {
        f"{prefix}/best_student/teacher": student["teacher"],
        f"{prefix}/best_student": student["student"],
        f"{prefix}/best_biases/teacher": biases["teacher"],
        f"{prefix}/best_biases": biases["biases"],
    }
    out |= {
        f"{prefix}/eight_bit/{key}": v for key, v in _eight_bit_scores(data, teacher, *kept).items()
    }
    out[f"{prefix}/linear"] = accuracy(data.test_y, teacher.predict(data.test_pixels))
    sizes = {row["what"]: row for row in accounting(*hidden_shape(hidden))}
    return out | {
        f"{prefix}/factor/stored": sizes[TEACHER]["bytes"] / sizes[BIASES]["bytes"],
        f"{prefix}/factor/trained": sizes[TEACHER]["trained"] / sizes[BIASES]["trained"],
    }


def hidden_shape(network: Network) -> tuple[int, int, int]:
    """(D, H, K) of a network with one hidden layer.

    >>> from refimpl.network import one_hidden_net
    >>> hidden_shape(one_hidden_net(784, 30, 10, rng=np.random.default_rng(0)))
    (784, 30, 10)
    """
    return network.inputs, len(network.parameters[1]), network.classes


def accounting(
    inputs: int, hidden: int, classes: int, scores: Mapping[str, float] | None = None
) -> list[dict]:
    """What each way of shipping a classifier costs: rows of what, bytes, parameters stored and
    trained, accuracy.

    Bytes count the parameters and nothing else: 4 each as float32, 1 each at 8 bits and 4 for each
    array's scale; the ten biases stay float32. "trained": what the receiver would still have to
    train. scores: {id: mean accuracy} of `run`, without the prefix section10/<data set>/. Published
    rows (MNIST) as their authors count them.

    >>> [(row["bytes"], row["stored"], row["trained"]) for row in accounting(784, 30, 10)[:2]]
    [(95440, 23860, 23860), (31400, 7850, 10)]
    """
    scores = scores or {}
    deep, flat = (inputs + 1) * hidden + (hidden + 1) * classes, (inputs + 1) * classes
    rows = (
        (TEACHER, 4 * deep, deep, deep, "best_biases/teacher"),
        (BIASES, 4 * flat, flat, classes, "best_biases"),
        ("the linear model itself, float32", 4 * flat, flat, flat, "linear"),
        ("hidden teacher, 8 bits", deep + 4 * 4, deep, deep, "eight_bit/teacher"),
        (
            "ten images as weights, 8 bits",
            flat - classes + 4 + 4 * classes,
            flat,
            classes,
            "eight_bit/biases",
        ),
        ("the linear model itself, 8 bits", flat + 2 * 4, flat, flat, "eight_bit/linear"),
    )
    return [
        {
            "what": what,
            "bytes": size,
            "stored": stored,
            "trained": trained,
            "accuracy": scores.get(id),
        }
        for what, size, stored, trained, id in rows
    ] + [
        {
            "what": f"{what} (published; {before / after:.0f} times smaller than its own float32)",
            "bytes": after,
            "stored": None,
            "trained": None,
            "accuracy": score,
        }
        for what, before, after, score in PUBLISHED
    ]


def claims(name: str) -> Iterator[Entry]:
    """The rows of section 10 for one data set; the paper has MNIST only.

    >>> [claim.paper for claim in claims("mnist")][:3]
    [95.42, 86.38, 86.38]
    """
    prefix = f"section10/{name}"
    printed = RESULTS["section_10"] if name == "mnist" else {}
    gaps = (
        "activation, objective, lambda, norm of the images, start, loss, init, steps, weight decay"
    )
    chosen = (
        "nearest cell of the grid to the three printed numbers on validation images: "
        + _describe(PAPER)
    )
    for key, id, what in (
        ("teacher_784_30_10", "teacher", "784-30-10 teacher"),
        (
            "retrained_on_one_visualization_per_class",
            "student",
            "same architecture from ten images",
        ),
        ("ten_biases_only", "biases", "ten biases on the frozen images"),
    ):
        yield entry(f"{prefix}/{id}", "10", what, printed.get(key), gaps, chosen)
    student, biases = _describe(BEST["student"]), _describe(BEST["biases"])
    for id, what, how, goal in (
        ("best_student/teacher", "best student's teacher", student, 95.0),
        ("best_student", "best student of ten images", student, 86.38),
        ("best_biases/teacher", "best biases' teacher", biases, 95.0),
        ("best_biases", "best ten biases on frozen images", biases, 88.0),
    ):
        relation = (
            every(f"{prefix}/{id}", lambda v, goal=goal: v >= goal) if name == "mnist" else None
        )
        yield entry(
            f"{prefix}/{id}",
            "10",
            what,
            protocol="best on validation images: " + how,
            expects=f"at least {goal:g}" if relation else "",
            relation=relation,
            own=True,
        )
    yield Measurement(
        f"{prefix}/linear",
        "the linear model, as large as ten images and biases",
        protocol="section 5's teacher",
    )
    for key, what in (
        ("linear", "linear model"),
        ("teacher", "hidden teacher"),
        ("biases", "frozen images"),
    ):
        yield Measurement(
            f"{prefix}/eight_bit/{key}",
            f"the {what} with weights of 8 bits",
            protocol="255 levels, one scale an array",
        )
    yield Measurement(
        f"{prefix}/factor/stored",
        "bytes, hidden teacher over ten images and biases",
        protocol="float32 both",
    )
    yield Measurement(
        f"{prefix}/factor/trained",
        "parameters trained, the same",
        protocol="23,860 against 10 on MNIST",
    )


def _describe(cell: tuple) -> str:
    """A cell of the grid in words, for the ledger's column of protocols."""
    name, ascent, how = cell
    student = {
        "plain": "no weight decay",
        "decayed": "weight decay falling to 0",
        "labels": "labels as targets",
    }[how]
    return (
        f"teacher {name}; {ascent.objective} ascent, {ascent.steps} steps, lr {ascent.lr:g}, "
        f"lambda "
        f"{ascent.weight_decay:g}, from {'the blank' if ascent.start == 'blank' else 'noise'}; "
        f"student: {student}"
    )
