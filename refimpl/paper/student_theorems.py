"""T14 to T19, measured: how few images suffice, what averages can hold, how fast a student gets
there, and what a random start costs. `refimpl.sufficiency` predicts.

Checks and records as in `refimpl.paper.theorems`. T18 is a count, with nothing to measure.
"""

from functools import partial

import numpy as np

from refimpl import sufficiency
from refimpl.data import Dataset
from refimpl.descent import descend
from refimpl.dual import descend_dual, gram
from refimpl.losses import cross_entropy, softmax, squared_error
from refimpl.network import Network, softmax_net
from refimpl.paper.protocol import class_averages
from refimpl.paper.section5 import visualize
from refimpl.paper.theorem import Theorem, compare
from refimpl.retraining import retrain
from refimpl.theory import augmented, descent_limit, network_of, row_space, theta_of

STARTS, SIGMA = 20, 0.1  # T19: random students, and their standard deviation


def t14(teacher: Network) -> list[Theorem]:
    """T14, measured. The fewest images, one step.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t14(tiny_teacher())]
    [('T14', True), ('T14/fewer', True)]
    """
    theta = theta_of(teacher)
    images, lr = sufficiency.fewest_images(theta)
    zero = softmax_net(teacher.inputs, teacher.classes)
    z = teacher.logits(images)
    student = descend(zero, images, z, squared_error, lr=lr, steps=1, tol=0).network
    _, sigma, v = np.linalg.svd(theta.T, full_matrices=False)
    lost = float(np.linalg.norm(descent_limit(images[1:], theta) - theta))
    least = float(sigma[len(images) - 1])  # what every matrix of lower rank is off by, at least
    return [
        compare(
            "T14",
            f"{len(images)} images, the rank of theta, and one step of squared error with lr |v|^2 "
            "return a teacher whose b is not 0",
            theta,
            theta_of(student),
            1e-11 / lr,
        ),
        Theorem(
            "T14/fewer",
            "one image less misses theta by at least its smallest non-zero singular value",
            least,
            lost,
            max(0.0, least - lost) / least,
            1e-9,
        ),
    ]


def t15(data: Dataset, teacher: Network) -> list[Theorem]:
    """T15, measured. What is learned from averages stays in their span, whatever the targets.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> [(t.id, t.holds) for t in t15(tiny(), tiny_teacher())]
    [('T15', True)]
    """
    averages = class_averages(data).astype(np.float64)
    zero = softmax_net(teacher.inputs, teacher.classes)
    lr = len(averages) / float(np.linalg.eigvalsh(gram(averages))[-1])
    labels = np.arange(teacher.classes)
    student = descend(zero, averages, labels, cross_entropy, lr=lr, steps=200).network
    basis, _ = row_space(augmented(averages))
    theta = theta_of(student)
    return [
        compare(
            "T15",
            "every student that descends from zero on the averages, whatever the targets, stays in "
            "the span of (mu_c, 1)",
            theta,
            basis.T @ (basis @ theta),
            1e-12,
        )
    ]


def t16(data: Dataset) -> list[Theorem]:
    """T16, measured. When a visualization is an average: after the first step.

    >>> from refimpl.paper.tiny import tiny
    >>> [(t.id, t.holds) for t in t16(tiny())]
    [('T16', True), ('T16/averages', True)]
    """
    x, y = data.train_x.astype(np.float64), data.train_y
    classes = len(data.classes)
    zero = softmax_net(x.shape[1], classes)
    after = descend(zero, x, y, cross_entropy, lr=0.5, steps=1, tol=0).network
    averages = class_averages(data).astype(np.float64)
    again = retrain(averages, after.logits(averages)).network
    return [
        compare(
            "T16",
            "one full-batch step of cross-entropy at T = 1 from zero: w_c = lr (pi_c mu_c - mean "
            "x / "
            "K), b_c = lr (pi_c - 1 / K)",
            sufficiency.first_step(x, y, classes, lr=0.5),
            theta_of(after),
            1e-12,
        ),
        compare(
            "T16/averages",
            "and the averages of all classes, with its logits, return that teacher",
            theta_of(after),
            theta_of(again),
            1e-8,
        ),
    ]


def t17(teacher: Network) -> list[Theorem]:
    """T17, measured. The rate of cross-entropy at its end: a student that is off along the slowest
    direction, 50 steps.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t17(tiny_teacher())]
    [('T17', True)]
    """
    temperature, steps = 3.0, 50
    images = visualize(teacher)[0]
    z = teacher.logits(images)
    n, k = z.shape
    lr = n * temperature**2 / float(np.linalg.eigvalsh(gram(images))[-1])
    p = softmax(z / temperature)
    s = np.zeros((n, k, n, k))
    s[np.arange(n), :, np.arange(n)] = p[:, :, None] * np.eye(k) - p[:, :, None] * p[:, None, :]
    step = np.kron(gram(images), np.eye(k)) @ s.reshape(n * k, n * k) / (n * temperature**2)
    values, vectors = np.linalg.eig(step)
    slow = np.argsort(-values.real)[(len(row_space(augmented(images))[0])) * (k - 1) - 1]
    away = vectors[:, slow].real.reshape(n, k)
    c = np.linalg.lstsq(augmented(images), away, rcond=None)[0]
    start = network_of(theta_of(teacher) + 1e-6 * c / np.linalg.norm(away) * np.linalg.norm(z))
    loss = partial(cross_entropy, temperature=temperature)
    after = descend_dual(start, images, p, loss, lr=lr, steps=steps, tol=1e-300).network

    def gap(network):
        off = network.logits(images) - z
        return np.linalg.norm(off - off.mean(axis=1, keepdims=True))

    return [
        compare(
            "T17",
            "cross-entropy at T = 3 on softmax(z / T) of ten logit images, lr N T^2 / l_1, near "
            "its "
            "end: the slowest part shrinks by 1 - lr mu a step",
            sufficiency.cross_entropy_factor(images, z, lr=lr, temperature=temperature),
            (gap(after) / gap(start)) ** (1 / steps),
            1e-6,
        )
    ]


def t19(teacher: Network, rng: np.random.Generator, x: np.ndarray) -> list[Theorem]:
    """T19, measured. Agreement of STARTS students from N(0, SIGMA^2), on x (N, D), and of rounded
    weights.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> [(t.id, t.holds) for t in t19(tiny_teacher(), np.random.default_rng(0), tiny().test_x)]
    [('T19', True), ('T19/dither', True)]
    """
    theta, images = theta_of(teacher), visualize(teacher)[0]
    x = np.asarray(x[:2_000], np.float64)
    z = teacher.logits(x)
    called = z.argmax(axis=1)
    spread = SIGMA * sufficiency.outside(images, x)
    law = sufficiency.margin_law(z, spread)
    agreement = []
    for _ in range(STARTS):
        start = SIGMA * rng.normal(size=theta.shape)
        student = network_of(descent_limit(images, theta, start))
        agreement.append(np.mean(student.predict(x) == called))
    deviation = float(np.std(agreement, ddof=1)) / np.sqrt(STARTS)
    w, b = teacher.parameters
    step = float(np.ptp(w)) / 2**5
    dithered = []
    for _ in range(STARTS):
        u = rng.uniform(-step / 2, step / 2, w.shape)
        rounded = teacher.with_parameters((step * np.round((w + u) / step) - u, b))
        dithered.append(np.mean(rounded.predict(x) == called))
    bound, mean = sufficiency.dither_bound(z, x, step), float(np.mean(dithered))
    return [
        Theorem(
            "T19",
            f"students from N(0, {SIGMA}^2), squared error on ten logit images: the mean agreement "
            "is the margin law's, within four standard errors",
            law,
            float(np.mean(agreement)),
            abs(float(np.mean(agreement)) - law),
            4 * deviation + 1 / len(x),
        ),
        Theorem(
            "T19/dither",
            "W rounded to 5 bits with subtractive dither: the mean agreement is at least 1 - mean "
            "sum "
            "exp(-3 m^2 / (step^2 |x|^2))",
            bound,
            mean,
            max(0.0, bound - mean),
            0.0,
        ),
    ]


def run(data: Dataset, teacher: Network, seed: int) -> list[Theorem]:
    """T14 to T19 on one trained zero-sum teacher.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> [t.id for t in run(tiny(), tiny_teacher(), 0) if not t.holds]
    []
    """
    rng = np.random.default_rng([seed, 19])
    return [
        *t14(teacher),
        *t15(data, teacher),
        *t16(data),
        *t17(teacher),
        *t19(teacher, rng, data.test_x),
    ]
