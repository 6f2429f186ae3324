"""Who learns from few images: the kernel, a linear softmax network, and networks of finite width.

All see prepared images, and all are trained from scratch on images (N, D) and targets (N, K) by
squared error, full batch: the kernel in closed form, the linear network by descent from zero to its
limit, the others by heavy-ball descent from a He start. Ten images leave most of such a start as it
is, and what stays is noise: a weight decay that falls to 0 takes it away. Targets are scaled to a
largest entry of LARGEST for them. A set distilled for a finite student brings its own recipe:
images at size SMALL, rate and steps.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from refimpl.companions.distillation.kernel_distillation import KernelStudent
from refimpl.companions.distillation.preparation import SMALL
from refimpl.companions.distillation.unrolled import BETA, descend_on, he_start
from refimpl.losses import squared_error
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.paper.hidden_student import retrain_hidden
from refimpl.retraining import retrain

STEPS = 500  # of a finite student without a recipe
FREE = 0.3  # of them without decay, at the end
FORGOTTEN = 6.0  # what weight decay leaves of the start: exp(-6)
FITTED = 1e-4  # of the squared error of zero logits: the set is learned
HALVINGS = 6  # of the learning rate
LARGEST = 20.0  # entry of the targets of finite students
STUDENTS = {"kernel": 0, "linear": 0, "784-30-10": 30, "width 1,000": 1_000}  # hidden units


class Recipe(NamedTuple):
    """How a finite student is trained on a set, part of it: learning rate and steps of heavy ball;
    images at size SMALL.

    >>> Recipe(0.02, 40).steps
    40
    """

    lr: float
    steps: int


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
    forgotten: float = FORGOTTEN,
) -> Network:
    """A D-hidden-K ReLU network from a He start, after STEPS heavy-ball steps on the set.

    Weight decay, which falls linearly to 0 at 1 - FREE of the steps, lets the start go by a factor
    exp(-forgotten): what ten images cannot see of it would stay for ever (hidden_student.py). The
    learning rate is 1 over the start's `top_curvature`, halved until the loss ends below FITTED of
    squared error of zero, at most HALVINGS times; then the best of them. Raises FloatingPointError
    where no loss ends finite.

    >>> x, targets = np.eye(3)[:2], np.eye(2)
    >>> student = finite_student(x, targets, 20, np.random.default_rng(0))
    >>> bool(np.abs(student.logits(x) - targets).max() < 0.02)
    True
    """
    start = he_start(images.shape[1], hidden, targets.shape[1], rng)
    rate = 1 / top_curvature(images, start)
    zero, _ = squared_error(np.zeros_like(targets), targets)
    best, student = np.inf, start
    for _ in range(HALVINGS + 1):
        decay = forgotten * (1 - BETA) / (rate * STEPS * (1 - FREE) / 2)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                tried = retrain_hidden(
                    images, targets, start, lr=rate, steps=STEPS, decay=decay, free=FREE
                ).network
                after, _ = squared_error(tried.logits(images), targets)
        except FloatingPointError:
            after = np.inf
        if after < best:
            best, student = after, tried
        if best < FITTED * zero:
            break
        rate /= 2
    if not np.isfinite(best):
        raise FloatingPointError(
            f"a student of {hidden} units diverges at every rate to {2 * rate!r}"
        )
    return student.astype(np.float32)


def by_recipe(
    images: np.ndarray,
    targets: np.ndarray,
    hidden: int,
    rng: np.random.Generator,
    recipe: Recipe,
) -> Network:
    """The same network, trained as the recipe of the set says: heavy ball, no decay.

    >>> x, targets = np.eye(3, dtype=np.float32)[:2], np.eye(2, dtype=np.float32)
    >>> student = by_recipe(x, targets, 20, np.random.default_rng(0), Recipe(0.05, 100))
    >>> bool(np.abs(student.logits(x) - targets).max() < 0.02)
    True
    """
    start = he_start(images.shape[1], hidden, targets.shape[1], rng)
    log_rate = np.array(np.log(recipe.lr), np.float32)
    parameters, _ = descend_on(images, targets, log_rate, start, recipe.steps)
    return start.with_parameters(parameters)


def trained(
    images: np.ndarray,
    targets: np.ndarray,
    hidden: int,
    seed: int | Sequence[int],
    recipe: Recipe | None = None,
    forgotten: float = FORGOTTEN,
) -> Callable[[np.ndarray], np.ndarray]:
    """The logits of a finite student as a function of images prepared at size 1.

    recipe: that of the set, which then takes images at size SMALL; without one the targets are
    scaled to LARGEST, and `finite_student` forgets its start. The seed is the start.

    >>> x, targets = np.eye(3)[:2], np.eye(2)
    >>> logits = trained(x, targets, 20, seed=0)
    >>> logits(x).argmax(axis=1).tolist()
    [0, 1]
    """
    rng = np.random.default_rng([*np.atleast_1d(seed), hidden])
    if recipe is None:
        scaled = targets * (LARGEST / np.abs(targets).max())
        return finite_student(images, scaled, hidden, rng, forgotten=forgotten).logits
    size = np.float32(SMALL)
    student = by_recipe(size * images, targets, hidden, rng, recipe)
    return lambda x: student.logits(size * x)


def scores(
    images: np.ndarray,
    targets: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    *,
    depth: int,
    seed: int,
    recipe: Recipe | None = None,
) -> dict[str, float]:
    """{student: test accuracy, percent} of each student trained from scratch on the set.

    images (N, D), targets (N, K), test_x (M, D), both prepared at size 1; depth: the kernel's. The
    seed is the finite students' start; the other two have none. recipe: of the set, for the finite
    students.

    >>> from unittest.mock import patch
    >>> from refimpl.paper.tiny import tiny
    >>> from refimpl.companions.distillation.preparation import preparation_of, start_targets
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> images, targets = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    >>> with patch.dict(STUDENTS, {"kernel": 0, "linear": 0}, clear=True):
    ...     scores(images, targets, prepare(data.test_x), data.test_y, depth=1, seed=0)
    {'kernel': 100.0, 'linear': 100.0}
    """
    found = {}
    for name, hidden in STUDENTS.items():
        if name == "kernel":
            guess = KernelStudent(images, targets, depth, lambda x: x).predict(test_x)
        elif name == "linear":
            student = retrain(images, targets, steps=20_000, tol=1e-8).network.astype(np.float32)
            guess = student.predict(test_x)
        else:
            guess = trained(images, targets, hidden, seed, recipe)(test_x).argmax(axis=1)
        found[name] = accuracy(test_y, guess)
    return found
