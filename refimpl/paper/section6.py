"""Section 6: the shallow teacher's ten images train a deeper network, 784-30-10. Table 5 column 3,
tables 6 and 7.

The student starts as such networks do, He weights and zero biases, ReLU. Ten images say nothing of
the 774 other directions, so what the init holds there stays, and costs 7 points on MNIST (`plain`).
Weight decay that falls to zero removes it: the same ten images then leave the student .3 points
behind its teacher (DECAYED, judged against the paper). With the ten negatives -x_c beside them,
made without data too, it is .01 points behind.

Protocols were chosen by `choose` on validation images (seeds 1000 and up) out of the grid of
constants below.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.data import VALIDATION, Dataset
from refimpl.layers import Affine
from refimpl.ledger.claim import Claim, Entry, Measurement, entry, every
from refimpl.metrics import accuracy
from refimpl.network import Network, one_hidden_net
from refimpl.paper.cells import printed_cells
from refimpl.paper.hidden_student import retrain_hidden
from refimpl.paper.printed import PAPER, TABLE5
from refimpl.paper.protocol import PROTOCOLS, train_teacher
from refimpl.paper.section5 import score, visualize

HIDDEN, STEPS, FREE = 30, 6_000, 0.3
SCALES, LRS, DECAYS = (
    (0.5, 1.0, 1.5, 2.0),
    (0.003, 0.001),
    (0.0, 0.1, 0.3),
)  # scale: times the images of section 5
WIDTHS = (10, 100, 300)
EXTRA = (
    ("negated", 10),
    ("combinations", 10),
    ("combinations", 30),
    ("combinations", 90),
    ("noise", 90),
)
OPEN_BIAS, OPEN_LR, OPEN_STEPS = 10.0, 0.001, 40_000


@dataclass(frozen=True)
class Recipe:
    """How the student is trained: scale of the images, lr of the heavy ball, weight decay at its
    start.

    >>> PLAIN["mnist"], DECAYED["mnist"].decay
    (Recipe(scale=1.0, lr=0.003, decay=0.0), 0.3)
    """

    scale: float
    lr: float
    decay: float


PLAIN = {
    "digits": Recipe(1.0, 0.003, 0.0),
    "mnist": Recipe(1.0, 0.003, 0.0),
    "fashion-mnist": Recipe(1.5, 0.003, 0.0),
    "cifar10": Recipe(2.0, 0.003, 0.0),
}
DECAYED = {
    "digits": Recipe(1.5, 0.003, 0.1),
    "mnist": Recipe(2.0, 0.003, 0.3),
    "fashion-mnist": Recipe(1.5, 0.003, 0.3),
    "cifar10": Recipe(1.0, 0.003, 0.1),
}


def _ordinary(inputs: int, hidden: int, classes: int, seed: int) -> Network:
    """An ordinary init, float64; the seed's stream is its own, so that the teacher's seed stays the
    teacher's.
    """
    return one_hidden_net(inputs, hidden, classes, rng=np.random.default_rng([seed, 60, hidden]))


def student(
    teacher: Network, images: np.ndarray, recipe: Recipe, seed: int, *, hidden: int = HIDDEN
) -> Network:
    """The student, float64, of (images (N, D), the teacher's logits on them) from an ordinary init.

    >>> from refimpl.network import softmax_net
    >>> teacher, x = softmax_net(4, 2, rng=np.random.default_rng(0), sigma=0.1), 7 * np.eye(4)
    >>> bool(np.allclose(student(teacher, x, PLAIN["mnist"], seed=0).logits(x), teacher.logits(x)))
    True
    """
    start = _ordinary(teacher.inputs, hidden, teacher.classes, seed)
    return retrain_hidden(
        images,
        teacher.logits(images),
        start,
        lr=recipe.lr,
        steps=STEPS,
        decay=recipe.decay,
        free=FREE,
    ).network


def open_gate_student(teacher: Network, images: np.ndarray, seed: int) -> Network:
    """T7: descent from W1 = 0, b1 = +10, a random second layer. Every gate is open on images (N, D)
    and stays so: the student is linear there, W1 stays in their span, and the only such affine
    function that fits is the teacher.

    >>> from refimpl.network import softmax_net
    >>> teacher, x = (
    ...     softmax_net(4, 2, rng=np.random.default_rng(0), sigma=0.1),
    ...     np.vstack([10 * np.eye(4), np.zeros(4)]),
    ... )
    >>> bool(
    ...     np.allclose(
    ...         open_gate_student(teacher, x, seed=0).logits(0.3 * x), teacher.logits(0.3 * x)
    ...     )
    ... )
    True
    """
    first, activation, last = _ordinary(teacher.inputs, HIDDEN, teacher.classes, seed).layers
    first = Affine(np.zeros_like(first.w), np.full_like(first.b, OPEN_BIAS))
    return retrain_hidden(
        images,
        teacher.logits(images),
        Network((first, activation, last)),
        lr=OPEN_LR,
        steps=OPEN_STEPS,
        tol=1e-16,
    ).network


def extra_images(kind: str, images: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Synthetic images that need no data, as long as the given ones (N, D): (count, D).

    negated: -x_c; combinations: Gaussian combinations of all x_c; noise: Gaussian pixels. Raises
    ValueError on another kind.

    >>> x = extra_images("combinations", np.diag([2.0, 2.0, 2.0]), 5, seed=0)
    >>> x.shape, np.linalg.norm(x, axis=1).round(9).tolist()
    ((5, 3), [2.0, 2.0, 2.0, 2.0, 2.0])
    """
    rng, length = np.random.default_rng([seed, 61]), np.linalg.norm(images, axis=1).mean()
    if kind == "negated":
        return -images[:count]
    if kind == "combinations":
        x = rng.normal(size=(count, len(images))) @ images
    elif kind == "noise":
        x = rng.normal(size=(count, images.shape[1]))
    else:
        raise ValueError(f"kind: expected 'negated', 'combinations' or 'noise', got {kind!r}")
    return length * x / np.linalg.norm(x, axis=1, keepdims=True)


def run(data: Dataset, teacher: Network, seed: int) -> dict:
    """Section 6 for one seed's teacher: {id of the ledger: percent, count or confusion matrix (K,
    K)}.

    >>> from unittest.mock import patch
    >>> from refimpl.paper import section6
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> with patch.multiple(section6, STEPS=9, OPEN_STEPS=9):  # in place of thousands
    ...     found = run(tiny(), tiny_teacher(), 0)
    >>> len(found), found["table6/digits"].shape, found["section6/digits/loss"] > 0
    (30, (10, 10), True)
    """
    name, prefix = data.name, f"section6/{data.name}"
    images, theirs = visualize(teacher)[0], teacher.predict(data.test_pixels)
    recipe, plain = DECAYED[name], PLAIN[name]
    found = student(teacher, recipe.scale * images, recipe, seed)
    hits, confusion = score(data, found)
    out = {
        f"table5/{name}/class_visualizations_deeper": hits,
        f"table6/{name}": confusion,
        f"{prefix}/loss": accuracy(data.test_y, theirs) - hits,
        f"{prefix}/agreement": accuracy(theirs, found.predict(data.test_pixels)),
        f"{prefix}/plain": score(data, student(teacher, plain.scale * images, plain, seed))[0],
        f"{prefix}/untrained": score(
            data, _ordinary(teacher.inputs, HIDDEN, teacher.classes, seed)
        )[0],
        f"{prefix}/open_gates/agreement": accuracy(
            theirs, open_gate_student(teacher, images, seed).predict(data.test_pixels)
        ),
    }
    for hidden in WIDTHS:
        wide = student(teacher, recipe.scale * images, recipe, seed, hidden=hidden)
        out[f"{prefix}/width/{hidden}/loss"] = accuracy(data.test_y, theirs) - score(data, wide)[0]
    for kind, count in EXTRA:
        for how, r in (("", recipe), ("plain/", plain)):
            more = np.vstack([r.scale * images, extra_images(kind, r.scale * images, count, seed)])
            ours = student(teacher, more, r, seed).predict(data.test_pixels)
            out[f"{prefix}/{how}{kind}/{count}/loss"] = accuracy(data.test_y, theirs) - accuracy(
                data.test_y, ours
            )
            out[f"{prefix}/{how}{kind}/{count}/agreement"] = accuracy(theirs, ours)
    return out


def claims(name: str) -> Iterator[Entry]:
    """The rows of section 6 for one data set.

    >>> claim = next(claims("mnist"))
    >>> claim.id, claim.paper
    ('table5/mnist/class_visualizations_deeper', 91.63)
    """
    prefix, printed = (
        f"section6/{name}",
        PAPER["table_5"].get(name.replace("-", "_"), [None] * 5)[2],
    )
    how = (
        f"784-30-10, ReLU, He weights, zero biases; ten logit images; squared error on logits, "
        f"{STEPS:,} full-batch "
        "heavy ball steps; weight decay falling to 0; scale, lr, decay chosen on validation images"
    )
    plain = how.replace("weight decay falling to 0", "no weight decay").replace(
        "scale, lr, decay", "scale, lr"
    )
    gaps = "init, activation, norm of the images, loss, iterations, weight decay"
    yield Claim(
        f"table5/{name}/class_visualizations_deeper",
        "6",
        "784-30-10 student of the ten shallow images, with weight decay",
        printed,
        gaps,
        how,
        expects="" if printed else "within 3 points of the teacher",
        relation=None if printed else every(f"{prefix}/loss", lambda v: v <= 3),
        heading=TABLE5,
    )
    yield entry(
        f"{prefix}/loss",
        "6",
        "points lost by the 784-30-10 student",
        None
        if printed is None
        else round(PAPER["table_5"][name.replace("-", "_")][0] - printed, 2),
        gaps,
        how,
        better="lower",
    )
    yield Measurement(f"{prefix}/agreement", "784-30-10 student agrees with teacher", protocol=how)
    yield entry(
        f"{prefix}/plain",
        "6",
        "784-30-10 student of the ten shallow images, no weight decay",
        printed,
        gaps + " (the paper mentions none)",
        plain,
    )
    yield Claim(
        f"{prefix}/untrained",
        "6",
        "the 784-30-10 network before training",
        PAPER["untrained"],
        "init",
        "He weights and zero biases, the student's start",
    )
    yield Claim(
        f"{prefix}/open_gates/agreement",
        "6",
        "open gates (W1 = 0, b1 = +10) agree with the teacher",
        protocol="random second layer; heavy ball from there to a gradient of 1e-16 (T7)",
        expects="100 %",
        relation=every(f"{prefix}/open_gates/agreement", lambda v: v == 100),
        own=True,
    )
    for hidden in WIDTHS:
        yield Measurement(
            f"{prefix}/width/{hidden}/loss", f"points lost with {hidden} hidden units", protocol=how
        )
    for kind, count in EXTRA:
        near = (name, kind, count) == ("mnist", "negated", 10)
        for way, protocol in (("", how), ("plain/", plain)):
            id, goal = f"{prefix}/{way}{kind}/{count}/loss", near and not way
            yield entry(
                id,
                "6",
                f"points lost, {count} synthetic images ({kind}) beside the ten"
                + (", no weight decay" if way else ""),
                protocol=protocol,
                better="lower",
                expects="at most .3 from at most 100 images" if goal else "",
                relation=every(id, lambda v: abs(v) <= 0.3) if goal else None,
                own=True,
            )
            yield Measurement(
                id.replace("loss", "agreement"),
                f"agreement, {count} synthetic images ({kind}) beside the ten"
                + (", no weight decay" if way else ""),
                protocol=protocol,
            )
    if name == "mnist":
        yield from printed_cells(6, "6")


def choose(
    data: Dataset,
    *,
    seeds: Sequence[int] = (1000, 1001),
    report: Callable[[str], Any] = lambda line: None,
) -> tuple[Recipe, Recipe]:
    """(PLAIN, DECAYED) of a data set: the best mean validation accuracy without and with decay;
    report every cell.

    >>> from unittest.mock import patch
    >>> from refimpl.paper import section6
    >>> from refimpl.paper.tiny import tiny
    >>> with patch.multiple(section6, STEPS=1, SCALES=(1.0, 2.0), LRS=(0.003,), DECAYS=(0.0, 0.1)):
    ...     plain, decayed = choose(tiny(2_100), seeds=(1000,))
    >>> plain.decay, decayed.decay
    (0.0, 0.1)
    """
    split = data.validation(VALIDATION[data.name])
    means: dict[Recipe, float] = {}
    teachers = {seed: train_teacher(split, seed, PROTOCOLS[data.name].paper) for seed in seeds}
    pictures = {seed: visualize(t)[0] for seed, t in teachers.items()}
    for recipe in (Recipe(s, lr, d) for d in DECAYS for s in SCALES for lr in LRS):
        scores = [
            score(split, student(teachers[s], recipe.scale * pictures[s], recipe, s))[0]
            for s in seeds
        ]
        means[recipe] = float(np.mean(scores))
        report(f"{recipe}: {means[recipe]:.2f} ({', '.join(f'{v:.2f}' for v in scores)})")
    return (
        max((r for r in means if not r.decay), key=means.__getitem__),
        max((r for r in means if r.decay), key=means.__getitem__),
    )
