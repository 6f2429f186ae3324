"""The sets of few images of one data set and seed, each made as its protocol says.

PROTOCOL was chosen on validation images, the last 5,000 training images; `choices.py` makes the
tables of what was tried (`compress --tried`). Test images judge what is fixed here; nothing was
chosen on them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.companions.distillation.baselines import class_means
from refimpl.companions.distillation.gradient_matching import match_gradients
from refimpl.companions.distillation.kernel_distillation import Distilled, distill, learn_targets
from refimpl.companions.distillation.preparation import (
    SMALL,
    Preparation,
    real_images,
    start_targets,
)
from refimpl.companions.distillation.span import leading_span
from refimpl.companions.distillation.unrolled import FIRST_TARGETS, Unrolled, distill_unrolled
from refimpl.data import Dataset
from refimpl.network import Network, softmax_net
from refimpl.training import train

UNROLLED: dict[int, dict[str, Any]] = {  # by hidden units: steps and rate of the student, minibatch
    30: {"steps": 40, "lr": 0.05, "batch": 1_000},
    1_000: {"steps": 30, "lr": 0.02, "batch": 500},
}


@dataclass(frozen=True)
class Protocol:
    """What was chosen on validation images.

    depth, steps, lr, rank: of the kernel and of the distillation for it (steps: by the number of
    images; rank: coordinates that the images have, span.py). iterations: of unrolled descent, by
    hidden units, and of gradient matching (under 0). teacher: lr and steps of the linear teacher on
    prepared images.

    >>> PROTOCOL["mnist"].iterations[30]
    1000
    """

    depth: int
    steps: dict[int, int]
    lr: float
    rank: int
    iterations: dict[int, int]
    teacher: tuple[float, int]


BATCH = 1_000  # training images a step of distilling for a kernel
STEPS = {10: 3_000, 20: 2_500, 50: 1_500, 100: 1_000}
MORE = {count: 3 * steps for count, steps in STEPS.items()}  # as choices.py finds for MNIST
LONG = {30: 1_000, 1_000: 150, 0: 150}
PROTOCOL = {
    "digits": Protocol(1, {10: 400}, 0.2, 200, {30: 400, 1_000: 60, 0: 60}, (0.02, 2_000)),
    "mnist": Protocol(1, MORE, 0.1, 200, LONG, (0.02, 6_000)),
    "fashion-mnist": Protocol(3, STEPS, 0.2, 400, LONG, (0.01, 6_000)),
    "cifar10": Protocol(2, STEPS, 0.2, 300, LONG, (0.001, 6_000)),
}

OWN = Protocol(1, {10: 1_000}, 0.1, 200, {30: 400, 1_000: 60, 0: 60}, (0.01, 4_000))


def protocol_for(data: Dataset) -> Protocol:
    """The Protocol of a data set: what was chosen for it, or for a data set of the user's own OWN,
    chosen on nothing.

    >>> from refimpl.paper.tiny import tiny
    >>> protocol_for(tiny()) is PROTOCOL["digits"]
    True
    """
    return PROTOCOL.get(data.name, OWN)


def steps_of(protocol: Protocol, count: int) -> int:
    """Steps of distilling `count` images for the kernel: those of the largest number of images in
    the protocol that is not above it.

    >>> steps_of(PROTOCOL["mnist"], 40)
    7500
    """
    known = [n for n in protocol.steps if n <= count]
    return protocol.steps[max(known, default=min(protocol.steps))]


def prepared_teacher(data: Dataset, prepare: Preparation, seed: int) -> Network:
    """A linear teacher on prepared images, zero init, float32: its logits label images, its weights
    are class visualizations (T1).

    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.metrics import accuracy
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> network = prepared_teacher(data, prepare, 0)
    >>> accuracy(data.test_y, network.predict(prepare(data.test_x)))
    100.0
    """
    lr, steps = protocol_for(data).teacher
    start = softmax_net(data.train_pixels.shape[1], len(data.classes), dtype=np.float32)
    options: dict[str, Any] = {
        "steps": steps,
        "lr": lr,
        "rng": np.random.default_rng([seed, 5]),
        "falling": True,
    }
    return train(start, prepare(data.train_pixels), data.train_y, **options)[0]


def kernel_set(
    data: Dataset,
    count: int,
    prepare: Preparation,
    seed: int,
    report: Callable[[str], Any] = lambda line: None,
) -> Distilled:
    """`count` images distilled for the kernel from real ones; the seed sets the start, the span and
    the minibatches.

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> short = {"digits": replace(PROTOCOL["digits"], steps={10: 2})}
    >>> with patch.dict(PROTOCOL, short):
    ...     kernel_set(data, 20, preparation_of(data.train_x), 0).images.shape
    (20, 16)
    """
    rng = np.random.default_rng([seed, count])
    return _from_real_images(data, count, prepare, protocol_for(data).depth, rng, report)


def linear_kernel_set(data: Dataset, prepare: Preparation, seed: int) -> Distilled:
    """One image a class, distilled for the linear kernel as for the other one.

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> short = {"digits": replace(PROTOCOL["digits"], steps={10: 2})}
    >>> with patch.dict(PROTOCOL, short):
    ...     linear_kernel_set(data, preparation_of(data.train_x), 0).images.shape
    (10, 16)
    """
    rng = np.random.default_rng([seed, 9])
    return _from_real_images(data, len(data.classes), prepare, 0, rng, lambda line: None)


def _from_real_images(data, count, prepare, depth, rng, report):
    """`count` images distilled for the kernel of `depth` hidden layers, a Distilled."""
    classes, protocol = len(data.classes), protocol_for(data)
    pixels, labels = data.train_pixels, data.train_y
    rows = real_images(pixels, labels, count, classes, rng)
    start = prepare(pixels[rows]), start_targets(labels[rows], classes)
    options: dict[str, Any] = {
        "prepare": prepare,
        "rng": rng,
        "depth": depth,
        "steps": steps_of(protocol, count),
        "lr": protocol.lr,
        "batch": BATCH,
        "span": leading_span(pixels, prepare, protocol.rank, rng),
        "report": report,
    }
    return distill(pixels, labels, *start, **options)


def learned_targets(
    data: Dataset, prepare: Preparation, images: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Targets (K, K) of one image a class, prepared, that alone are learned, for the kernel.

    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny
    >>> data, rng = tiny(), np.random.default_rng(0)
    >>> prepare = preparation_of(data.train_x)
    >>> learned_targets(data, prepare, prepare(data.train_x[:10]), rng).argmax(axis=1).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    classes = len(data.classes)
    hard = start_targets(np.arange(classes), classes)
    depth = protocol_for(data).depth
    options: dict[str, Any] = {"prepare": prepare, "rng": rng, "depth": depth}
    return learn_targets(data.train_pixels, data.train_y, images, hard, **options)


def unrolled_set(
    data: Dataset,
    prepare: Preparation,
    hidden: int,
    seed: int,
    report: Callable[[str], Any] = lambda line: None,
    *,
    iterations: int | None = None,
) -> Unrolled:
    """One image a class, distilled for a network of `hidden` units through its whole training, from
    the class means, in so many iterations (by default the protocol's).

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> short = {"digits": replace(PROTOCOL["digits"], iterations={30: 2})}
    >>> with patch.dict(PROTOCOL, short):
    ...     found = unrolled_set(data, preparation_of(data.train_x), 30, 0)
    >>> found.images.shape
    (10, 16)
    """
    small = Preparation(prepare.mean, SMALL)
    classes, pixels = len(data.classes), data.train_pixels
    images = small(class_means(data.train_x, data.train_y, classes))
    targets = np.float32(FIRST_TARGETS) * start_targets(np.arange(classes), classes)
    options: dict[str, Any] = {
        "prepare": small,
        "rng": np.random.default_rng([seed, 6, hidden]),
        "hidden": hidden,
        "iterations": iterations or protocol_for(data).iterations[hidden],
        "report": report,
    }
    return distill_unrolled(pixels, data.train_y, images, targets, **options, **UNROLLED[hidden])


def matched_set(
    data: Dataset,
    prepare: Preparation,
    images: np.ndarray,
    seed: int,
    report: Callable[[str], Any] = lambda line: None,
) -> np.ndarray:
    """One image a class, prepared, by gradient matching for 784-30-10 from `images`: (K, D).

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> short = {"digits": replace(PROTOCOL["digits"], iterations={0: 2})}
    >>> with patch.dict(PROTOCOL, short):
    ...     matched_set(data, prepare, prepare(data.train_x[:10]), 0).shape
    (10, 16)
    """
    options: dict[str, Any] = {
        "prepare": prepare,
        "rng": np.random.default_rng([seed, 10]),
        "iterations": protocol_for(data).iterations[0],
        "report": report,
    }
    labels = np.arange(len(data.classes))
    return match_gradients(data.train_pixels, data.train_y, images, labels, **options)


def rescaled(images: np.ndarray) -> np.ndarray:
    """Images at the norm of prepared ones, sqrt(D): (N, D) -> (N, D).

    >>> rescaled(np.array([[3.0, 0.0, 0.0, 4.0]])).round(6).tolist()
    [[1.2, 0.0, 0.0, 1.6]]
    """
    norm = np.linalg.norm(images, axis=1, keepdims=True)
    return (images * (np.sqrt(images.shape[1]) / norm)).astype(images.dtype)
