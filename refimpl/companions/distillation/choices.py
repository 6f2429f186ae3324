"""What was tried on validation images before PROTOCOL was fixed: `compress --tried`.

The validation images are the last 5,000 training images; nothing here sees a test image. Each row
of the kernel's table changes one thing of ten images distilled for the kernel in TRIED_STEPS steps;
each row of the other one is a way to teach both networks of finite width, from STARTS starts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.companions.distillation.kernel_distillation import (
    SCALE,
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
from refimpl.companions.distillation.sets import (
    BATCH,
    kernel_set,
    prepared_teacher,
    protocol_for,
    rescaled,
    unrolled_set,
)
from refimpl.companions.distillation.span import leading_span
from refimpl.companions.distillation.students import Recipe, trained
from refimpl.data import Dataset
from refimpl.metrics import accuracy

TRIED_STEPS = 1_000
STARTS = 3
RIDGE = 0.1  # of the mean variance, added to each before whitening


@dataclass(frozen=True, eq=False, kw_only=True)
class Whitened(Preparation):
    """Prepared images times C^-power, C their second moments with a ridge, at the same norm.

    power 1/2 is whitening, 0 changes nothing. c (D, D): C^-power.

    >>> whitened = Whitened(np.zeros(2), c=np.diag([1.0, 2.0]))
    >>> whitened(np.array([[1.0, 1.0]])).round(4).tolist()
    [[0.6325, 1.2649]]
    """

    c: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.size * rescaled(super().__call__(x) @ self.c)


def whitened(pixels: np.ndarray, power: float, rng: np.random.Generator) -> Whitened:
    """A Whitened of training images (M, D), its C from 10,000 of them drawn by rng.

    >>> rng = np.random.default_rng(0)
    >>> whitened(rng.random((40, 3)), 0.5, rng).c.shape
    (3, 3)
    """
    prepare = preparation_of(pixels)
    x = prepare(pixels[rng.integers(0, len(pixels), 10_000)])
    c = (x.T @ x).astype(np.float64) / len(x)
    values, vectors = np.linalg.eigh(c)
    c = (vectors * (values + RIDGE * values.mean()) ** -power) @ vectors.T
    return Whitened(prepare.mean, c=c.astype(np.float32))


def kernel_rows(
    data: Dataset, report: Callable[[str], Any] = lambda line: None
) -> list[tuple[str, float]]:
    """[(what was changed, validation accuracy)] of ten images for the kernel: steps, depth,
    temperature, rank of the span, whitening, where it starts.

    data: with validation images for test images (Dataset.validation).

    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation import choices
    >>> from refimpl.paper.tiny import tiny
    >>> with patch.object(choices, "TRIED_STEPS", 2):
    ...     [what for what, _ in kernel_rows(tiny())][:3]
    ['as chosen', '3 times the steps', '9 times the steps']
    """
    protocol, classes = protocol_for(data), len(data.classes)
    pixels, labels = data.train_pixels, data.train_y
    plain = preparation_of(pixels)
    chosen = {"depth": protocol.depth, "scale": SCALE, "rank": protocol.rank, "power": 0.0}
    chosen |= {"steps": TRIED_STEPS}
    tried: dict[str, dict[str, Any]] = {"as chosen": {}}
    tried |= {f"{n} times the steps": {"steps": n * TRIED_STEPS} for n in (3, 9)}
    tried |= {f"depth {n}": {"depth": n} for n in range(4) if n != protocol.depth}
    tried |= {f"temperature {1 / v:.2g}": {"scale": v} for v in (3.0, 30.0)}
    ranks = (protocol.rank // 2, 2 * protocol.rank)
    tried |= {f"span of {rank} components": {"rank": rank} for rank in ranks}
    tried |= {f"images times C^-{v:g}": {"power": v} for v in (0.25, 0.5)}
    tried |= {"from noise": {"start": "noise"}, "from visualizations": {"start": "shown"}}
    found = []
    for what, changed in tried.items():
        report(f"tried on validation images: {what}")
        how = chosen | changed
        rng = np.random.default_rng([0, 10])
        prepare = whitened(pixels, how["power"], rng) if how["power"] else plain
        images = prepare(pixels[real_images(pixels, labels, classes, classes, rng)])
        if how.get("start") == "noise":
            images = rescaled(rng.standard_normal(images.shape).astype(np.float32))
        if how.get("start") == "shown":
            images = rescaled(prepared_teacher(data, plain, 0).parameters[0].T)
        options: dict[str, Any] = {
            "prepare": prepare,
            "rng": rng,
            "depth": how["depth"],
            "scale": how["scale"],
            "steps": how["steps"],
            "lr": protocol.lr,
            "batch": BATCH,
            "span": leading_span(pixels, prepare, how["rank"], rng),
        }
        ten = distill(pixels, labels, images, start_targets(np.arange(classes), classes), **options)
        found.append((what, _right(data, ten, how["depth"], prepare)))
    return found


def _right(data, ten: Distilled, depth, prepare):
    student = KernelStudent(ten.images, ten.targets, depth, prepare)
    return accuracy(data.test_y, student.predict(data.test_pixels))


def finite_rows(
    data: Dataset, report: Callable[[str], Any] = lambda line: None
) -> list[tuple[str, float, float]]:
    """[(ten images and how they are learned, validation accuracy of 784-30-10, of width 1,000)].

    data: with validation images for test images (Dataset.validation).

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation import choices, students
    >>> from refimpl.paper.tiny import tiny
    >>> from refimpl.companions.distillation.sets import PROTOCOL
    >>> quick = {"iterations": {30: 2, 1_000: 2}, "steps": {10: 2}, "teacher": (0.02, 50)}
    >>> with patch.dict(PROTOCOL, {"digits": replace(PROTOCOL["digits"], **quick)}):
    ...     with patch.object(students, "STEPS", 10), patch.object(choices, "STARTS", 1):
    ...         len(finite_rows(tiny()))
    7
    """
    prepare = preparation_of(data.train_pixels)
    inputs = prepare(data.test_pixels)
    found = []

    def learn(what, images, targets, **how):
        report(f"tried on validation images: {what}")
        means = []
        for hidden in (30, 1_000):
            guesses = [
                trained(images, targets, hidden, [seed, 12], **how)(inputs).argmax(axis=1)
                for seed in range(STARTS)
            ]
            means.append(float(np.mean([accuracy(data.test_y, guess) for guess in guesses])))
        found.append((what, *means))

    teacher = prepared_teacher(data, prepare, 0)
    shown = rescaled(teacher.parameters[0].T)
    logits = teacher.logits(shown)
    kernel = kernel_set(data, len(data.classes), prepare, 0, report)
    sets = {
        "class visualizations, teacher's logits": (shown, logits),
        "distilled for the kernel": (kernel.images, kernel.targets),
    }
    for what, (images, targets) in sets.items():
        learn(what, images, targets)
        learn(f"{what}; the start is kept", images, targets, forgotten=0.0)
    for hidden, parts in ((30, 1), (1_000, 3), (1_000, 1)):
        few = protocol_for(data).iterations[hidden] // parts
        made = unrolled_set(data, prepare, hidden, 0, report, iterations=few)
        images = made.images / np.float32(SMALL)
        what = f"distilled for {hidden:,} units, {few:,} iterations; its recipe"
        learn(what, images, made.targets, recipe=Recipe(made.lr, made.steps))
    return found
