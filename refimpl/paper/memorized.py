"""A teacher that memorized random labels: do ten images give back what nothing could be learned of?

Behrens and Zdeborova (2025) train a student on a teacher's soft labels of some of the images that
the teacher has memorized, and find that it recalls labels of the others. Here IMAGES training
images get labels drawn at random, so that nothing but memory helps; a linear teacher learns them
all; half of the images are held out from the students. Three students are asked for the held-out
labels: of the other half with the teacher's logits (their test), of the other half with the labels
themselves (no teacher, so no way to know), and of ten class visualizations, made without any of
the images. T2 says of the last that it is the teacher, what it memorized included.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from refimpl.data import Dataset
from refimpl.dual import descend_dual, gram
from refimpl.ledger.claim import Claim, Entry, Measurement, always_below, equal
from refimpl.losses import cross_entropy
from refimpl.metrics import accuracy
from refimpl.network import Network, softmax_net
from refimpl.optimize import momentum
from refimpl.paper.section5 import visualize
from refimpl.retraining import retrain

IMAGES, STEPS, BETA = 200, 1_500, 0.9
SHOWN = (20, 50, 100, 150)  # how many of the memorized images a student sees; 100 is the half


def memorize(x: np.ndarray, y: np.ndarray, classes: int) -> Network:
    """A linear network from zero, STEPS full-batch steps of cross-entropy on x (N, D), y (N,), with
    momentum: zero-sum, as T0 says.

    >>> memorize(np.eye(4), np.array([2, 0, 1, 1]), 3).predict(np.eye(4)).tolist()
    [2, 0, 1, 1]
    """
    lr = len(x) / float(np.linalg.eigvalsh(gram(x))[-1])
    start = softmax_net(x.shape[1], classes)
    update = partial(momentum, beta=BETA)
    return descend_dual(
        start, x, y, cross_entropy, lr=lr, steps=STEPS, tol=0, update=update
    ).network


def run(data: Dataset, teacher: Network, seed: int) -> dict[str, float]:
    """The test for one seed: {id of the ledger: percent}. teacher: of which only the shape counts.

    >>> from unittest.mock import patch
    >>> from refimpl.paper import memorized
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> with patch.multiple(memorized, IMAGES=40, SHOWN=(20,)):  # in place of 200
    ...     found = run(tiny(100, side=20), tiny_teacher(side=20), 0)
    >>> found["memorized/digits/teacher"] == found["memorized/digits/ten_images"] > 50
    True
    """
    rng = np.random.default_rng([seed, 23])
    count = min(IMAGES, len(data.train_y))
    rows = np.sort(rng.choice(len(data.train_y), count, replace=False))
    x, y = data.train_x[rows].astype(np.float64), rng.integers(0, teacher.classes, count)
    half = count // 2
    network = memorize(x, y, teacher.classes)

    def recall(student):
        return accuracy(y[half:], student.predict(x[half:]))

    images, _ = visualize(network)
    prefix = f"memorized/{data.name}"
    out = {
        f"{prefix}/teacher": recall(network),
        f"{prefix}/test": accuracy(data.test_y, network.predict(data.test_pixels)),
        f"{prefix}/ten_images": recall(retrain(images, network.logits(images)).network),
    }
    for n in SHOWN:  # the last half is asked of those that see no more than the first
        some, held = x[:n], slice(max(n, half), None)
        soft = retrain(some, network.logits(some), steps=5_000).network
        hard = memorize(some, y[:n], teacher.classes)
        for way, student in (("soft", soft), ("hard", hard)):
            out[f"{prefix}/{n}/{way}"] = accuracy(y[held], student.predict(x[held]))
    return out


def claims(name: str) -> Iterator[Entry]:
    """The rows of the ledger for one data set.

    >>> [claim.id for claim in claims("mnist")][:2]
    ['memorized/mnist/teacher', 'memorized/mnist/test']
    """
    prefix, half = f"memorized/{name}", IMAGES // 2
    how = f"{IMAGES} training images, labels drawn at random, {half} held out from the students"
    yield Measurement(
        f"{prefix}/teacher", "random labels that a linear teacher recalls, held-out half, %", how
    )
    yield Measurement(f"{prefix}/test", "its test accuracy: nothing was learned", how)
    yield Claim(
        f"{prefix}/ten_images",
        "controls",
        "random labels that the student of its ten class visualizations recalls, held-out half, %",
        protocol=how + "; the ten are made without any image",
        expects="all that the teacher recalls (T2)",
        relation=equal(f"{prefix}/ten_images", f"{prefix}/teacher"),
        own=True,
    )
    for n in SHOWN:
        hard = f"{prefix}/{n}/hard"
        what = f"the same by a student of {n} memorized images"
        yield Measurement(hard, f"{what} and their labels: by chance", how)
        soft = f"{prefix}/{n}/soft"
        if n == half:
            yield Claim(
                soft,
                "controls",
                f"{what} and the teacher's logits (Behrens and Zdeborova)",
                protocol=how,
                expects="more than with the labels alone",
                relation=always_below(hard, soft),
                own=True,
            )
        else:
            yield Measurement(soft, f"{what} and the teacher's logits", how)
