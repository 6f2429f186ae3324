"""Who learns from few images: the kernel, a linear softmax network, and networks of finite width.

All see prepared images, networks of finite width at size SMALL (preparation.py), and all are
trained from scratch on images (N, D) and targets (N, K) by squared error, full batch: the kernel in
closed form, the linear network by descent from zero to its limit, the others by heavy-ball descent
from a He start, with a learning rate that the start itself gives.
"""

import numpy as np

from refimpl.companions.distillation.kernel_distillation import KernelStudent
from refimpl.companions.distillation.preparation import SMALL, Preparation
from refimpl.companions.distillation.unrolled import descend_on, he_start
from refimpl.losses import squared_error
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.retraining import retrain

STEPS = 1_000  # of a finite student whose number of steps is not part of the data set
STUDENTS = {"kernel": 0, "linear": 0, "784-30-10": 30, "width 1,000": 1_000}  # hidden units


def top_curvature(images: np.ndarray, start: Network) -> float:
    """The largest eigenvalue of J J' / N, J the Jacobian of all N K logits at the start.

    Near the start, squared error's curvature is that of J'J / N: heavy ball with beta = .9 is stable
    below 3.8 over it. With one hidden ReLU layer, gates g and weights w of the second layer:

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

    lr: by default 1 over the start's `top_curvature`, halved until the loss ends finite and below
    where it began. Raises FloatingPointError where it never does.

    >>> x, targets = np.eye(3)[:2], np.eye(2)
    >>> student = finite_student(x, targets, 20, np.random.default_rng(0))
    >>> bool(np.abs(student.logits(x) - targets).max() < 1e-3)
    True
    """
    start = he_start(images.shape[1], hidden, targets.shape[1], rng)
    rate = 1 / top_curvature(images, start) if lr is None else lr
    before, _ = squared_error(start.logits(images), targets)
    images, targets = images.astype(np.float32), targets.astype(np.float32)
    for _ in range(8):
        with np.errstate(over="ignore", invalid="ignore"):
            parameters, _ = descend_on(
                images, targets, np.array(np.log(rate), np.float32), start, steps
            )
            student = start.with_parameters(parameters)
            after, _ = squared_error(student.logits(images), targets)
        if after < before:
            return student
        rate /= 2
    raise FloatingPointError(f"a student of {hidden} units diverges at every rate to {rate!r}")


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

    images (N, D), prepared at size 1, targets (N, K); test_x (M, D) in pixels. The seed is the finite
    students' start; the other two have none. recipe: (lr, steps) that belong to the set, for
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
            small = np.float32(SMALL)
            lr, steps = recipe if recipe and hidden == 30 else (None, STEPS)
            rng = np.random.default_rng([seed, hidden])
            student = finite_student(small * images, targets, hidden, rng, lr=lr, steps=steps)
            found[name] = accuracy(test_y, student.predict(small * inputs))
    return found
