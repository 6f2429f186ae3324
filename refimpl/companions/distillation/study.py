"""Beyond the paper: distilled images beside class visualizations, and the frontier of compression.

The paper calls ten class visualizations a compressed data set and an anonymous way to hand it over,
and compares them with nothing. `measure` makes, for one seed of one data set, everything that the
comparison needs; the command `compress` prints it.

- table: ten images (random, class means, class visualizations, distilled for the kernel, distilled
  for 784-30-10) with hard labels, a linear teacher's logits and learned targets, and what each
  student learns from them. Distilled images have their learned targets beside the other two.
- frontier: test accuracy against bytes.
- privacy: nearest training images, and membership.

PROTOCOL was chosen on validation images (the last 5,000 training images, VALIDATION): the depth of
the kernel among 0 to 3, steps, learning rates, the start, the size at which networks of finite
width take their images. Test images judge what is fixed here; nothing was chosen on them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.companions.distillation import frontier
from refimpl.companions.distillation.baselines import class_means
from refimpl.companions.distillation.kernel_distillation import (
    Distilled,
    KernelStudent,
    distill,
)
from refimpl.companions.distillation.preparation import (
    SMALL,
    Preparation,
    preparation_of,
    real_images,
    start_targets,
)
from refimpl.companions.distillation.students import scores, trained
from refimpl.companions.distillation.unrolled import FIRST_TARGETS, Unrolled, distill_unrolled
from refimpl.companions.extraction import exposure
from refimpl.companions.extraction import study as extraction
from refimpl.data import Dataset
from refimpl.ledger.claim import Claim, Entry, Measurement
from refimpl.losses import log_softmax
from refimpl.metrics import accuracy
from refimpl.network import Network, softmax_net
from refimpl.paper.protocol import PROTOCOLS, train_teacher
from refimpl.training import train

COUNTS = (10, 20, 50, 100)
SEEDS = 10
TARGETS_ONLY = 300  # steps where only targets are learned
STARTS = 10  # of 784-30-10, on each of two sets
MEMBERS = 2_000  # images on either side of the membership test


@dataclass(frozen=True)
class Protocol:
    """What was chosen on validation images: depth of the kernel; steps of its distillation;
    iterations of the unrolled one; lr and steps of the linear teacher on prepared images.

    >>> PROTOCOL["mnist"].depth
    1
    """

    depth: int
    steps: int
    iterations: int
    teacher: tuple[float, int]


PROTOCOL = {
    "digits": Protocol(1, 300, 400, (0.02, 2_000)),
    "mnist": Protocol(1, 1_000, 2_000, (0.02, 6_000)),
    "fashion-mnist": Protocol(3, 1_000, 2_000, (0.01, 6_000)),
    "cifar10": Protocol(1, 1_000, 1_000, (0.001, 6_000)),
}


def prepared_teacher(data: Dataset, prepare: Preparation, seed: int) -> Network:
    """A linear teacher on prepared images, zero init, float32: its logits label images, its weights
    are class visualizations (T1).

    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> network = prepared_teacher(data, prepare, 0)
    >>> accuracy(data.test_y, network.predict(prepare(data.test_x)))
    100.0
    """
    lr, steps = PROTOCOL[data.name].teacher
    start = softmax_net(data.train_x.shape[1], len(data.classes), dtype=np.float32)
    options: dict[str, Any] = {
        "steps": steps,
        "lr": lr,
        "rng": np.random.default_rng([seed, 5]),
        "falling": True,
    }
    return train(start, prepare(data.train_x), data.train_y, **options)[0]


def unrolled_set(
    data: Dataset, prepare: Preparation, seed: int, report: Callable[[str], Any]
) -> Unrolled:
    """Ten images distilled for 784-30-10 through its whole training, from the class means.

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> short = {"digits": replace(PROTOCOL["digits"], iterations=2)}
    >>> with patch.dict(PROTOCOL, short):
    ...     found = unrolled_set(data, preparation_of(data.train_x), 0, lambda line: None)
    >>> found.images.shape
    (10, 16)
    """
    small = Preparation(prepare.mean, SMALL)
    classes = len(data.classes)
    images = small(class_means(data.train_x, data.train_y, classes))
    targets = np.float32(FIRST_TARGETS) * start_targets(np.arange(classes), classes)
    rng = np.random.default_rng([seed, 6])
    iterations = PROTOCOL[data.name].iterations
    options: dict[str, Any] = {
        "prepare": small,
        "rng": rng,
        "iterations": iterations,
        "report": report,
    }
    return distill_unrolled(data.train_x, data.train_y, images, targets, **options)


def table(
    data: Dataset,
    prepare: Preparation,
    seed: int,
    kernel_set: Distilled,
    report: Callable[[str], Any] = lambda line: None,
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, list[float]]]:
    """({images: {labels: {student: test accuracy}}} of ten images, one a class; {images: the test
    accuracies of 784-30-10 from STARTS starts}, of the set made for it and of class visualizations
    with a linear teacher's logits).

    labels: "hard" (centred one-hot), "teacher" (a linear teacher's logits on that image, centred)
    and "learned" (targets alone learned for the kernel; with distilled images, those learned
    together).

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation.students import STUDENTS
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> start = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    >>> short = {"digits": replace(PROTOCOL["digits"], iterations=2)}
    >>> with patch.dict(PROTOCOL, short), patch.dict(STUDENTS, {"kernel": 0}, clear=True):
    ...     found, _ = table(data, prepare, 0, Distilled(*start, np.zeros(0)))
    >>> list(found), found["random"]["hard"]["kernel"]
    (['random', 'class means', 'visualizations', 'kernel', 'unrolled', 'linear kernel'], 100.0)
    """
    classes, depth = len(data.classes), PROTOCOL[data.name].depth
    rng = np.random.default_rng([seed, 7])
    teacher = prepared_teacher(data, prepare, seed)
    labels = np.arange(classes)
    hard = start_targets(labels, classes)
    rows = real_images(data.train_x, data.train_y, classes, classes, rng)
    weights = teacher.parameters[0].T
    unrolled = unrolled_set(data, prepare, seed, report)
    linear = distill_for(data, prepare, prepare(data.train_x[rows]), hard, rng, 0)
    sets = {
        "random": (prepare(data.train_x[rows]), None, None),
        "class means": (prepare(class_means(data.train_x, data.train_y, classes)), None, None),
        "visualizations": (rescaled(weights), None, None),
        "kernel": (kernel_set.images, kernel_set.targets, None),
        "unrolled": (unrolled.images / np.float32(SMALL), unrolled.targets, unrolled),
        "linear kernel": (linear.images, linear.targets, None),
    }
    found: dict[str, dict] = {}
    for name, (images, learned, own) in sets.items():
        report(f"students of ten images: {name}")
        if learned is None:
            learned = distill_for(data, prepare, images, hard, rng, depth, frozen=True).targets
        z = teacher.logits(images)
        targets = {"hard": hard, "teacher": z - z.mean(axis=1, keepdims=True), "learned": learned}
        options: dict[str, Any] = {"prepare": prepare, "depth": depth, "seed": seed}
        found[name] = {}
        for what, target in targets.items():
            recipe = (own.lr, own.steps) if own and what == "learned" else None
            found[name][what] = scores(
                images, target, data.test_x, data.test_y, recipe=recipe, **options
            )
    inputs = prepare(data.test_x)
    starts = {}
    for name, target in (("unrolled", unrolled.targets), ("visualizations", None)):
        images, _, own = sets[name]
        if target is None:
            z = teacher.logits(images)
            target = z - z.mean(axis=1, keepdims=True)
        recipe = (own.lr, own.steps) if own else None
        starts[name] = [
            accuracy(
                data.test_y, trained(images, target, 30, 100 * seed + i, recipe)(inputs).argmax(1)
            )
            for i in range(STARTS)
        ]
    return found, starts


def rescaled(images: np.ndarray) -> np.ndarray:
    """Images at the norm of prepared ones, sqrt(D): (N, D) -> (N, D).

    >>> rescaled(np.array([[3.0, 0.0, 0.0, 4.0]])).round(6).tolist()
    [[1.2, 0.0, 0.0, 1.6]]
    """
    norm = np.linalg.norm(images, axis=1, keepdims=True)
    return (images * (np.sqrt(images.shape[1]) / norm)).astype(images.dtype)


def distill_for(
    data: Dataset,
    prepare: Preparation,
    images: np.ndarray,
    targets: np.ndarray,
    rng: np.random.Generator,
    depth: int,
    *,
    frozen: bool = False,
) -> Distilled:
    """distill() with the data set's protocol; frozen: the targets alone, in TARGETS_ONLY steps.

    >>> from refimpl.paper.tiny import tiny
    >>> data, rng = tiny(), np.random.default_rng(0)
    >>> prepare = preparation_of(data.train_x)
    >>> start = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    >>> found = distill_for(data, prepare, *start, rng, 1, frozen=True)
    >>> bool((found.images == start[0]).all()), bool((found.targets == start[1]).all())
    (True, False)
    """
    steps = TARGETS_ONLY if frozen else PROTOCOL[data.name].steps
    options: dict[str, Any] = {
        "prepare": prepare,
        "rng": rng,
        "depth": depth,
        "steps": steps,
        "frozen": frozen,
    }
    return distill(data.train_x, data.train_y, images, targets, lr=0.03, **options)


def ranking(
    found: dict[str, dict[str, dict[str, float]]], whole: dict[str, float]
) -> dict[str, dict[str, dict[str, float]]]:
    """DD-Ranking's two scores (Li et al. 2024) of each set and student: {images: {student: {"lost",
    "gained"}}}.

    lost: hard-label recovery, accuracy after training on the whole data set minus accuracy on these
    images, both with hard labels; smaller is better. gained: accuracy with the set's best labels
    minus that of random images with the same kind of labels. whole: {student: test accuracy of a
    student trained on everything}; a student that is not in it has no "lost".

    >>> found = {"random": {"hard": {"a": 40.0}}, "mine": {"hard": {"a": 70.0}}}
    >>> ranking(found, {"a": 95.0})["mine"]["a"]
    {'lost': 25.0, 'gained': 30.0}
    """
    out: dict[str, dict] = {}
    for name, by_labels in found.items():
        out[name] = {}
        for student, hard in by_labels["hard"].items():
            best = max(by_labels, key=lambda labels: by_labels[labels][student])
            gained = by_labels[best][student] - found["random"][best][student]
            lost = {"lost": whole[student] - hard} if student in whole else {}
            out[name][student] = lost | {"gained": gained}
    return out


def privacy(
    data: Dataset, prepare: Preparation, kernel_set: Distilled, depth: int, seed: int
) -> dict[str, dict[str, Any]]:
    """What ten distilled images show of the images they were made from, beside real ones and means.

    {"resemblance": {images: (mean largest |cosine| with a training image, with an unseen one)},
    "membership": {student of: (AUC of telling training images from unseen ones, standard error)}};
    MEMBERS images on either side. "random" are ten of the members themselves.

    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> start = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    >>> shown = privacy(data, prepare, Distilled(*start, np.zeros(0)), 1, 0)
    >>> shown["resemblance"]["random"][0] > 0.99
    True
    """
    rng = np.random.default_rng([seed, 8])
    classes = len(data.classes)
    rows = [
        rng.choice(len(x), min(MEMBERS, len(x)), replace=False) for x in (data.train_x, data.test_x)
    ]
    members, others = prepare(data.train_x[rows[0]]), prepare(data.test_x[rows[1]])
    labels = data.train_y[rows[0]], data.test_y[rows[1]]
    own = real_images(members, labels[0], classes, classes, rng)
    hard = start_targets(np.arange(classes), classes)
    means = prepare(class_means(data.train_x, data.train_y, classes))
    sets = {
        "distilled": (kernel_set.images, kernel_set.targets),
        "class means": (means, hard),
        "random": (members[own], hard),
    }

    def log_likelihood(images, targets, x, y):
        student = KernelStudent(images, targets, depth, lambda x: x)
        return log_softmax(student.logits(x).astype(np.float64))[np.arange(len(y)), y]

    shown: dict[str, dict] = {"resemblance": {}, "membership": {}}
    for name, (images, targets) in sets.items():
        shown["resemblance"][name] = [
            float(exposure.resemblance(images, x).mean()) for x in (members, others)
        ]
        sides = [log_likelihood(images, targets, x, y) for x, y in zip((members, others), labels)]
        shown["membership"][name] = list(exposure.auc(*sides))
    return shown


def measure(
    data: Dataset,
    seed: int,
    counts: Sequence[int],
    report: Callable[[str], Any] = lambda line: None,
) -> dict[str, Any]:
    """Everything of one seed, as JSON takes it.

    {"points": [(kind, what, bytes, accuracy)], "table", "starts", "whole": {student: accuracy after
    training on everything}, "privacy", "images": ten distilled ones, "visualizations", "seconds":
    of distilling ten}. Takes minutes on MNIST, so there is no example that runs it whole.

    >>> from refimpl.paper.tiny import tiny
    >>> measure(tiny(), 0, (15,))
    Traceback (most recent call last):
        ...
    ValueError: count: expected a positive multiple of the 10 classes, got 15
    """
    for count in counts:
        real_images(data.train_x, data.train_y, count, len(data.classes), np.random.default_rng(0))
    prepare = preparation_of(data.train_x)
    protocol = PROTOCOL[data.name]
    report("teachers")
    linear = train_teacher(data, seed, PROTOCOLS[data.name].best)
    hidden = extraction.teacher(data, 30, "relu", seed)
    prepared = prepared_teacher(data, prepare, seed)
    report("class visualizations, extraction")
    points = [*frontier.linear_points(data, linear), *frontier.hidden_points(data, hidden)]
    report("compressed models")
    points += frontier.models(data, linear, hidden, seed)
    sets, seconds = {}, {}
    depth = protocol.depth
    for count in counts:
        began = time.perf_counter()
        sets[count] = frontier.distill_count(
            data,
            count,
            depth=depth,
            steps=protocol.steps,
            prepare=prepare,
            seed=seed,
            report=report,
        )
        seconds[str(count)] = time.perf_counter() - began
        points += frontier.distilled_points(data, sets[count], depth, prepare)
        rng = np.random.default_rng([seed, count, 1])
        points += frontier.selected_points(data, count, depth, prepare, prepared, rng)
    ten = sets[min(counts)]
    students, starts = table(data, prepare, seed, ten, report)
    whole = {
        "linear": accuracy(data.test_y, linear.predict(data.test_x)),
        "784-30-10": accuracy(data.test_y, hidden.predict(data.test_x)),
    }
    return {
        "points": [[p.kind, p.what, p.bytes, p.accuracy] for p in points],
        "table": students,
        "starts": starts,
        "whole": whole,
        "privacy": privacy(data, prepare, ten, depth, seed),
        "images": ten.images.astype(float).round(3).tolist(),
        "visualizations": rescaled(linear.parameters[0].T).round(3).tolist(),
        "seconds": seconds,
    }


def values_of(name: str, runs: Sequence[dict]) -> dict[str, list[float]]:
    """{id of the ledger: [one a seed]} of runs of `measure`.

    >>> sorted(values_of("mnist", [])) == sorted(claim.id for claim in claims("mnist"))
    True
    """
    p = f"compress/{name}"
    learned = [run["table"] for run in runs]
    return {
        f"{p}/kernel": [t["kernel"]["learned"]["kernel"] for t in learned],
        f"{p}/visualizations": [t["visualizations"]["teacher"]["linear"] for t in learned],
        f"{p}/unrolled/784-30-10": [np.mean(run["starts"]["unrolled"]) for run in runs],
        f"{p}/visualizations/784-30-10": [np.mean(run["starts"]["visualizations"]) for run in runs],
        f"{p}/membership": [run["privacy"]["membership"]["distilled"][0] for run in runs],
        f"{p}/resemblance": [
            run["privacy"]["resemblance"]["distilled"][0]
            - run["privacy"]["resemblance"]["distilled"][1]
            for run in runs
        ],
    }


def claims(name: str) -> Iterator[Entry]:
    """The rows of section 11's two claims, compression of the data set and anonymous distribution,
    and what is measured beside them.

    >>> [entry.id for entry in claims("mnist")][0]
    'compress/mnist/kernel'
    """
    p = f"compress/{name}"
    ten = "ten images, command compress"
    compression = "compression of the data set: ten "
    anonymous = "anonymous distribution: "

    def exceeds(id: str, other: str) -> Callable[[dict], bool]:
        return lambda values: float(np.mean(values[id])) > float(np.mean(values[other]))

    yield Claim(
        f"{p}/kernel",
        "11",
        compression + "distilled images, kernel student, test accuracy",
        protocol=ten,
        expects="above ten class visualizations with their linear student",
        relation=exceeds(f"{p}/kernel", f"{p}/visualizations"),
    )
    yield Claim(
        f"{p}/unrolled/784-30-10",
        "11",
        compression + "images distilled for 784-30-10, test accuracy",
        protocol=ten
        + ", ten fresh starts; a recipe of its own, visualizations have the common one",
        expects="above ten class visualizations with the same student",
        relation=exceeds(f"{p}/unrolled/784-30-10", f"{p}/visualizations/784-30-10"),
    )
    yield Claim(
        f"{p}/resemblance",
        "11",
        anonymous + "how much nearer ten distilled images are to a training image than to an "
        "unseen one",
        protocol="mean largest |cosine|, difference",
        better="lower",
        unit=0.01,
        expects="at most .02",
        relation=lambda values: all(v <= 0.02 for v in values[f"{p}/resemblance"]),
    )
    for key, student in (("visualizations", "linear student"), ("visualizations/784-30-10", "")):
        what = f"class visualizations, {student or '784-30-10'}, test accuracy"
        yield Measurement(f"{p}/{key}", compression + what, ten)
    yield Measurement(
        f"{p}/membership",
        anonymous + "AUC of telling training images from unseen ones, kernel student of ten "
        "distilled images",
        "threshold on the loss; .5 is chance",
    )
