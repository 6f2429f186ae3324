"""Ten images of each kind, with each kind of labels, and what every student learns from them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.companions.distillation.baselines import class_means
from refimpl.companions.distillation.kernel_distillation import Distilled
from refimpl.companions.distillation.preparation import (
    SMALL,
    Preparation,
    real_images,
    start_targets,
)
from refimpl.companions.distillation.sets import (
    learned_targets,
    linear_kernel_set,
    matched_set,
    protocol_for,
    rescaled,
    unrolled_set,
)
from refimpl.companions.distillation.students import Recipe, scores, trained
from refimpl.data import Dataset
from refimpl.metrics import accuracy
from refimpl.network import Network

STARTS = 10  # of each finite student, on the sets that many starts are shown for


@dataclass(frozen=True, eq=False)
class TenImages:
    """One image a class, prepared at size 1, (K, D); targets (K, K) where they were learned with
    the images; the recipe of a finite student that belongs to the set.

    >>> TenImages(np.ones((1, 2))).targets is None
    True
    """

    images: np.ndarray
    targets: np.ndarray | None = None
    recipe: Recipe | None = None


def ten_images(
    data: Dataset,
    prepare: Preparation,
    seed: int,
    kernel: Distilled,
    teacher: Network,
    report: Callable[[str], Any] = lambda line: None,
) -> dict[str, TenImages]:
    """{kind: ten images}: random and averaged ones, class visualizations (the weights of `teacher`,
    linear, on prepared images), and those distilled for each student, by each way.

    Takes minutes on MNIST; `table` has an example of what is made of them.

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.companions.distillation.sets import PROTOCOL, prepared_teacher
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> start = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    >>> quick = {"steps": {10: 2}, "iterations": {30: 2, 1_000: 2, 0: 2}, "teacher": (0.02, 50)}
    >>> with patch.dict(PROTOCOL, {"digits": replace(PROTOCOL["digits"], **quick)}):
    ...     teacher = prepared_teacher(data, prepare, 0)
    ...     found = ten_images(data, prepare, 0, Distilled(*start, np.zeros(0)), teacher)
    >>> " | ".join(found)
    'random | class means | visualizations | matched | linear kernel | kernel | unrolled | wide'
    """
    classes = len(data.classes)
    rng = np.random.default_rng([seed, 7])
    pixels, labels = data.train_pixels, data.train_y
    real = prepare(pixels[real_images(pixels, labels, classes, classes, rng)])
    linear = linear_kernel_set(data, prepare, seed)

    def unrolled(hidden):
        found = unrolled_set(data, prepare, hidden, seed, report)
        images = found.images / np.float32(SMALL)
        return TenImages(images, found.targets, Recipe(found.lr, found.steps))

    return {
        "random": TenImages(real),
        "class means": TenImages(prepare(class_means(pixels, labels, classes))),
        "visualizations": TenImages(rescaled(teacher.parameters[0].T)),
        "matched": TenImages(matched_set(data, prepare, real, seed, report)),
        "linear kernel": TenImages(linear.images, linear.targets),
        "kernel": TenImages(kernel.images, kernel.targets),
        "unrolled": unrolled(30),
        "wide": unrolled(1_000),
    }


def table(
    data: Dataset,
    prepare: Preparation,
    seed: int,
    sets: dict[str, TenImages],
    teacher: Network,
    report: Callable[[str], Any] = lambda line: None,
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, dict[str, list[float]]]]:
    """({images: {labels: {student: test accuracy}}}; {images: {student: the test accuracies from
    STARTS starts}} of the finite students on class visualizations with a linear teacher's logits,
    and on what was distilled for them).

    labels: "hard" (centred one-hot), "teacher" (a linear teacher's logits on that image, centred)
    and "learned" (those learned together with the images; where none were, targets alone learned
    for the kernel). A set's recipe goes with its learned targets, to every finite student.

    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.companions.distillation.sets import prepared_teacher
    >>> from refimpl.companions.distillation.students import STUDENTS
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> sets = {"random": TenImages(prepare(data.train_x[:10]))}
    >>> with patch.dict(STUDENTS, {"kernel": 0}, clear=True):
    ...     found, _ = table(data, prepare, 0, sets, prepared_teacher(data, prepare, 0))
    >>> list(found["random"]), found["random"]["hard"]["kernel"]
    (['hard', 'teacher', 'learned'], 100.0)
    """
    depth, classes = protocol_for(data).depth, len(data.classes)
    rng = np.random.default_rng([seed, 11])
    hard = start_targets(np.arange(classes), classes)
    inputs = prepare(data.test_pixels)
    found: dict[str, dict] = {}
    starts: dict[str, dict] = {}
    for name, ten in sets.items():
        report(f"students of ten images: {name}")
        learned = ten.targets
        if learned is None:
            learned = learned_targets(data, prepare, ten.images, rng)
        z = teacher.logits(ten.images)
        logits = z - z.mean(axis=1, keepdims=True)
        targets = {"hard": hard, "teacher": logits, "learned": learned}
        found[name] = {
            what: scores(
                ten.images,
                target,
                inputs,
                data.test_y,
                depth=depth,
                seed=seed,
                recipe=ten.recipe if what == "learned" else None,
            )
            for what, target in targets.items()
        }
        shown = SHOWN.get(name, {})
        for student, hidden in shown.items():
            target = logits if name == "visualizations" else learned
            starts.setdefault(name, {})[student] = [
                accuracy(
                    data.test_y,
                    trained(ten.images, target, hidden, [seed, i], ten.recipe)(inputs).argmax(1),
                )
                for i in range(STARTS)
            ]
    return found, starts


SHOWN = {  # the students that STARTS starts are shown of, by images
    "visualizations": {"784-30-10": 30},
    "unrolled": {"784-30-10": 30},
    "wide": {"width 1,000": 1_000},
}


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
