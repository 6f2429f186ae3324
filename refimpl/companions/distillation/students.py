"""Who learns from few images: the kernel, a linear softmax network, and networks of finite width.

All see prepared images, and all are trained from scratch on images (N, D) and targets (N, K) by
squared error, full batch: the kernel in closed form, the linear network by descent from zero to its
limit, the others by heavy-ball descent from a He start, with a learning rate that the start itself
gives. These start with logits of order 1, which ten images cannot all correct, so every set's
targets are scaled to a largest entry of LARGEST for them (chosen on validation images of the
digits). A set distilled for 784-30-10 brings its own recipe: images at size SMALL, rate and steps.
"""

from collections.abc import Callable

import numpy as np

from refimpl.companions.distillation.kernel_distillation import KernelStudent
from refimpl.companions.distillation.preparation import SMALL, Preparation
from refimpl.companions.distillation.unrolled import descend_on, he_start
from refimpl.losses import squared_error
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.retraining import retrain

STEPS = 1_000  # of a finite student whose number of steps is not part of the data set
FITTED = 1e-6  # of the squared error at the start: the set is learned
HALVINGS = 8  # of the learning rate
LARGEST = 20.0  # entry of the targets of finite students
STUDENTS = {"kernel": 0, "linear": 0, "784-30-10": 30, "width 1,000": 1_000}  # hidden units


def top_curvature(images: np.ndarray, start: Network) -> float:
    """The largest eigenvalue of J J' / N, J the Jacobian of all N K logits at the start.

    Near the start, squared error's curvature is that of J'J / N: heavy ball with beta = .9 is
    stable below 3.8 over it. With one hidden ReLU layer, gates g and weights w of the second layer:

        (J J')_nk,ml = (x_n.x_m + 1) sum_h g_nh g_mh w_hk w_hl + [k = l] (h_n.h_m + 1)

    images (N, D); start: Affine, ReLU, Affine.

    >>> start = he_start(2, 1, 1, np.random.default_rng(0))
    >>> top_curvature(np.zeros((1, 2)), start)  # a blank image, gates shut: the last bias alone
    1.0
    """
    w1, b1, w2, _ = (p.astype(np.float64) for p in start.parameters)
    z1 = images @ w1 + b1  # (N, H)
    gate, h = z1 > 0, np.maximum(z1, 0)
    n, k = len(images), w2.shape[1]
    through = (gate[:, None, :] * w2.T).reshape(n * k, -1)  # (N K, H): row n k is g_n w_k
    first = np.repeat(np.repeat(images @ images.T + 1, k, axis=0), k, axis=1)
    curvature = first * (through @ through.T) + np.kron(h @ h.T + 1, np.eye(k))
    return float(np.linalg.eigvalsh(curvature)[-1] / n)


def finite_student(
    images: np.ndarray,
    targets: np.ndarray,
    hidden: int,
    rng: np.random.Generator,
    *,
    lr: float | None = None,
    steps: int = STEPS,
) -> Network:
    """A D-hidden-K ReLU network from a He start, after `steps` heavy-ball steps on the set.

    lr: by default 1 over the start's `top_curvature`, halved until the loss ends below FITTED of
    where it began (the curvature grows while a student learns), at most HALVINGS times; then the
    best of them. Raises FloatingPointError where no loss ends finite.

    >>> x, targets = np.eye(3)[:2], np.eye(2)
    >>> student = finite_student(x, targets, 20, np.random.default_rng(0))
    >>> bool(np.abs(student.logits(x) - targets).max() < 1e-3)
    True
    """
    start = he_start(images.shape[1], hidden, targets.shape[1], rng)
    rate = 1 / top_curvature(images, start) if lr is None else lr
    before, _ = squared_error(start.logits(images), targets)
    images, targets = images.astype(np.float32), targets.astype(np.float32)
    best, student = np.inf, start
    for _ in range(HALVINGS + 1 if lr is None else 1):
        with np.errstate(over="ignore", invalid="ignore"):
            log_rate = np.array(np.log(rate), np.float32)
            parameters, _ = descend_on(images, targets, log_rate, start, steps)
            tried = start.with_parameters(parameters)
            after, _ = squared_error(tried.logits(images), targets)
        if after < best:
            best, student = after, tried
        if best < FITTED * before:
            break
        rate /= 2
    if not np.isfinite(best):
        raise FloatingPointError(f"a student of {hidden} units diverges at every rate to {rate!r}")
    return student


def trained(
    images: np.ndarray,
    targets: np.ndarray,
    hidden: int,
    seed: int,
    recipe: tuple[float, int] | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """The logits of a finite student as a function of images prepared at size 1.

    recipe: (lr, steps) that belong to the set, which then takes images at size SMALL; without one
    the targets are scaled to LARGEST. The seed is the start.

    >>> x, targets = np.eye(3)[:2], np.eye(2)
    >>> logits = trained(x, targets, 20, seed=0)
    >>> logits(x).argmax(axis=1).tolist()
    [0, 1]
    """
    rng = np.random.default_rng([seed, hidden])
    if recipe is None:
        scaled = targets * (LARGEST / np.abs(targets).max())
        return finite_student(images, scaled, hidden, rng).logits
    lr, steps = recipe
    size = np.float32(SMALL)
    student = finite_student(size * images, targets, hidden, rng, lr=lr, steps=steps)
    return lambda x: student.logits(size * x)


def scores(
    images: np.ndarray,
    targets: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    *,
    prepare: Preparation,
    depth: int,
    seed: int,
    recipe: tuple[float, int] | None = None,
) -> dict[str, float]:
    """{student: test accuracy, percent} of each student trained from scratch on the set.

    images (N, D), prepared at size 1, targets (N, K); test_x (M, D) in pixels. The seed is the
    finite students' start; the other two have none. recipe: (lr, steps) that belong to the set, for
    784-30-10 alone.

    >>> from unittest.mock import patch
    >>> from refimpl.paper.tiny import tiny
    >>> from refimpl.companions.distillation.preparation import preparation_of, start_targets
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> images, targets = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    >>> options = {"prepare": prepare, "depth": 1, "seed": 0}
    >>> with patch.dict(STUDENTS, {"kernel": 0, "linear": 0}, clear=True):
    ...     scores(images, targets, data.test_x, data.test_y, **options)
    {'kernel': 100.0, 'linear': 100.0}
    """
    found = {}
    inputs = prepare(test_x)
    for name, hidden in STUDENTS.items():
        if name == "kernel":
            kernel = KernelStudent(images, targets, depth, prepare)
            found[name] = accuracy(test_y, kernel.predict(test_x))
        elif name == "linear":
            student = retrain(images, targets, steps=20_000, tol=1e-8).network.astype(np.float32)
            found[name] = accuracy(test_y, student.predict(inputs))
        else:
            own = recipe if hidden == 30 else None
            logits = trained(images, targets, hidden, seed, own)
            found[name] = accuracy(test_y, logits(inputs).argmax(axis=1))
    return found
