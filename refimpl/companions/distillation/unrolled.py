"""Distillation through the student's whole training: heavy-ball descent, differentiated by hand.

The student has one hidden ReLU layer and is trained on N images S and targets L from a random start
by T full-batch steps of squared error E = (Z - L) / N (Wang et al. 2018; here the targets and the
learning rate are learned too, as in Bohdal et al. 2020, and the start is drawn anew every time):

    u <- beta u + gradient(theta)        theta <- theta - lr u

Its first layer never leaves W1_0 + S'C (theorem T9 for a hidden layer), so the descent runs on
coefficients C (N, H) and sees the images through two small matrices alone,

    G = S S' + 11'  (N, N)        P = S W1_0  (N, H),

and a step costs N^2 H instead of 2 N D H. Reverse mode goes back through the steps: with a bar the
derivative of the outer loss, u's adjoint is pushed through the gradient,

    theta_bar <- theta_bar + H u_bar,    S_bar, L_bar <- ... + (d gradient / d S, L)' u_bar,

a Hessian-vector product and a mixed derivative, written out in `_step_back`. ReLU's second
derivative is 0 wherever it exists.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from refimpl.companions.distillation.preparation import Preparation, check_training
from refimpl.layers import Affine, ReLU
from refimpl.losses import cross_entropy
from refimpl.network import Network
from refimpl.optimize import adam

BETA = 0.9
CLIP = 5.0  # the largest norm of the outer gradient
RATES = {"images": 0.004, "targets": 0.1, "log_lr": 0.01}  # Adam's, falling linearly to 0
FIRST_TARGETS = 12.0  # times centred one-hot: the targets to start from


class State(NamedTuple):
    """What a step changes: coefficients c (N, H), second layer w (H, K) and b (K,); their
    velocities.

    >>> State(*[np.zeros(1)] * 6).b.tolist()
    [0.0]
    """

    c: np.ndarray
    w: np.ndarray
    b: np.ndarray
    c_velocity: np.ndarray
    w_velocity: np.ndarray
    b_velocity: np.ndarray


def _step(state, g, p, targets, lr):
    """One step: (state after it, what the way back needs)."""
    c, w, b, *velocities = state
    z1 = p + g @ c  # (N, H)
    gate = z1.real > 0
    h = z1 * gate
    e = (h @ w + b - targets) / len(targets)  # (N, K)
    gradients = (e @ w.T) * gate, h.T @ e, e.sum(axis=0)
    velocities = [BETA * u + d for u, d in zip(velocities, gradients)]
    moved = [v - lr * u for v, u in zip((c, w, b), velocities)]
    return State(*moved, *velocities), (c, w, gate, h, e, velocities)


def _step_back(bar, tape, g, lr):
    """The adjoint of `_step`: bar (a State of derivatives after the step) -> (before it, (dg, dp,
    dtargets, dlr)).
    """
    c, w, gate, h, e, velocities = tape
    moved, across = bar[:3], bar[3:]
    dlr = -sum((v * u).sum() for v, u in zip(moved, velocities))
    across = [u - lr * v for v, u in zip(moved, across)]  # of the velocities after the step
    du, dv, db = across  # of the gradients of c, w, b, too
    q = du * gate
    de = q @ w + h @ dv + db  # (N, K)
    dz = de / len(e)
    dh = e @ dv.T + dz @ w.T  # (N, H)
    dz1 = dh * gate
    before = (
        moved[0] + g.T @ dz1,
        moved[1] + q.T @ e + h.T @ dz,
        moved[2] + dz.sum(axis=0),
    )
    return State(*before, *[BETA * u for u in across]), (dz1 @ c.T, dz1, -dz, dlr)


def descend_on(
    images: np.ndarray,
    targets: np.ndarray,
    log_lr: np.ndarray,
    start: Network,
    steps: int,
) -> tuple[tuple[np.ndarray, ...], tuple]:
    """`steps` heavy-ball steps on (images, targets) from `start`: (parameters, cache).

    images (N, D), targets (N, K), log_lr () the logarithm of the learning rate; start a Network of
    Affine (D, H), ReLU, Affine (H, K). parameters: w1 (D, H), b1 (H,), w2 (H, K), b2 (K,). The same
    as `descend` with `momentum`, to round-off; a loop of its own, since the way back needs what
    every step has seen.

    >>> from refimpl.network import one_hidden_net
    >>> start = one_hidden_net(3, 4, 2, rng=np.random.default_rng(0))
    >>> parameters, _ = descend_on(np.eye(3)[:2], np.eye(2), np.array(-1.0), start, 60)
    >>> z = start.with_parameters(parameters).logits(np.eye(3)[:2])
    >>> bool(np.abs(z - np.eye(2)).max() < 0.05)
    True
    """
    w1, b1, w2, b2 = start.parameters
    g = images @ images.T + 1  # (N, N)
    p = images @ w1 + b1  # (N, H)
    zero = np.zeros_like(p)
    state = State(
        zero, w2 + 0 * zero[0, 0], b2 + 0 * zero[0, 0], *map(np.zeros_like, (zero, w2, b2))
    )
    lr = np.exp(log_lr)
    tapes = []
    for _ in range(steps):
        state, tape = _step(state, g, p, targets, lr)
        tapes.append(tape)
    parameters = w1 + images.T @ state.c, b1 + state.c.sum(axis=0), state.w, state.b
    return parameters, (images, w1, g, lr, state.c, tapes)


def descend_on_backward(
    dparameters: tuple[np.ndarray, ...], cache: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dimages (N, D), dtargets (N, K), dlog_lr ()) of `descend_on`.

    >>> from refimpl.network import one_hidden_net
    >>> start = one_hidden_net(3, 4, 2, rng=np.random.default_rng(0))
    >>> parameters, cache = descend_on(np.eye(3)[:2], np.eye(2), np.array(-1.0), start, 5)
    >>> [d.shape for d in descend_on_backward(parameters, cache)]
    [(2, 3), (2, 2), ()]
    """
    images, w1, g, lr, c, tapes = cache
    dw1, db1, dw2, db2 = dparameters
    bar = State(images @ dw1 + db1, dw2, db2, *map(np.zeros_like, (c, dw2, db2)))
    totals: list[Any] = [0, 0, 0, 0]
    for tape in reversed(tapes):
        bar, parts = _step_back(bar, tape, g, lr)
        totals = [total + part for total, part in zip(totals, parts)]
    dg, dp, dtargets, dlr = totals
    dimages = c @ dw1.T + dp @ w1.T + (dg + dg.T) @ images
    return dimages, dtargets, np.asarray(dlr * lr)


@dataclass(frozen=True, eq=False)
class Unrolled:
    """images (N, D), prepared, targets (N, K) and the learning rate, as learned for `steps` steps;
    losses (iterations,) on the way, infinite where an iteration was passed over.

    >>> Unrolled(np.ones((1, 2)), np.ones((1, 3)), 0.1, 40, np.zeros(0)).steps
    40
    """

    images: np.ndarray
    targets: np.ndarray
    lr: float
    steps: int
    losses: np.ndarray


def he_start(inputs: int, hidden: int, classes: int, rng: np.random.Generator) -> Network:
    """A float32 784-30-10 and the like after He et al. (2015), drawn in float32, zero biases.

    >>> [p.shape for p in he_start(3, 4, 2, np.random.default_rng(0)).parameters]
    [(3, 4), (4,), (4, 2), (2,)]
    """

    def affine(d, k):
        w = rng.standard_normal((d, k), dtype=np.float32) * np.float32(np.sqrt(2 / d))
        return Affine(w, np.zeros(k, np.float32))

    return Network((affine(inputs, hidden), ReLU(), affine(hidden, classes)))


def distill_unrolled(
    x: np.ndarray,
    y: np.ndarray,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    prepare: Preparation,
    rng: np.random.Generator,
    hidden: int = 30,
    steps: int = 40,
    lr: float = 0.05,
    iterations: int = 2_000,
    batch: int = 1_000,
    report: Callable[[str], Any] = lambda line: None,
) -> Unrolled:
    """Learn images, targets and the student's learning rate by Adam on the trained student's loss.

    Every iteration draws a He start and `batch` training images from rng; the outer loss is the
    cross-entropy of the student after `steps` steps; the norm of the outer gradient is cut at CLIP.
    x (M, D) in pixels, y (M,); images (N, D), prepared as `prepare` does it (at size SMALL), and
    targets (N, K), where it starts, float32. An iteration whose loss is not finite is passed over,
    and each of the three has a learning rate of its own: hence a loop beside descent.minimize.
    Raises ValueError on bad labels and numbers, FloatingPointError after ten such iterations in a
    row.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(40, 6)).astype(np.float32), np.arange(40) % 2
    >>> start = x[:2], np.eye(2, dtype=np.float32)
    >>> found = distill_unrolled(
    ...     x, y, *start, prepare=Preparation(np.zeros(6, np.float32)), rng=rng, iterations=3
    ... )
    >>> found.images.shape, found.losses.shape
    ((2, 6), (3,))
    """
    check_training(x, y, targets.shape[1])
    if min(hidden, steps, iterations, batch) < 1 or not lr > 0:
        raise ValueError(
            "hidden, steps, iterations, batch, lr: expected at least 1 each and lr above 0, got "
            f"{hidden}, {steps}, {iterations}, {batch}, {lr!r}"
        )
    learned = [images, targets, np.array(np.log(lr), np.float32)]
    states: list[Any] = [None] * 3
    losses, failed = np.empty(iterations), 0
    for i in range(iterations):
        start = he_start(images.shape[1], hidden, targets.shape[1], rng)
        rows = rng.integers(0, len(x), batch)
        losses[i], gradients = _outer(prepare(x[rows]), y[rows], learned, start, steps)
        failed = 0 if np.isfinite(losses[i]) else failed + 1
        if failed == 10:
            raise FloatingPointError(f"ten losses in a row are not finite at iteration {i}")
        if failed:
            continue
        rates = [rate * (1 - i / iterations) for rate in RATES.values()]
        moved = [adam(v, d, s, lr=r) for v, d, s, r in zip(learned, gradients, states, rates)]
        learned, states = [v for v, _ in moved], [s for _, s in moved]
        if i % 50 == 0:
            report(f"unrolled, iteration {i} of {iterations}, loss {losses[i]:.3f}")
    return Unrolled(learned[0], learned[1], float(np.exp(learned[2])), steps, losses)


def _outer(x, y, learned, start, steps):
    """(loss of the trained student on x, y; its gradients by images, targets and log lr, cut)."""
    with np.errstate(over="ignore", invalid="ignore"):  # a descent that diverges is passed over
        images, targets, log_lr = learned
        parameters, cache = descend_on(images, targets, log_lr, start, steps)
        network = start.with_parameters(parameters)
        z, caches = network.forward(x)
        value, dz = cross_entropy(z, y)
        if not np.isfinite(value):
            return np.inf, None
        flat = [d for layer in network.parameter_gradients(dz, caches) for d in layer]
        gradients = descend_on_backward(tuple(flat), cache)
    norm = np.sqrt(sum(np.square(d, dtype=np.float64).sum() for d in gradients))
    if not np.isfinite(norm):
        return np.inf, None
    cut = min(1.0, CLIP / float(norm))
    return value, [d * learned[0].dtype.type(cut) for d in gradients]
