"""Extreme model compression: frozen images as the weights, only the K biases trained. An exact
convex solver.

Abreu-Pederzini et al. 2021, section 10: the ten class visualizations are the weights of a network
without hidden layer and "ten biases" are trained. With z_nc = s_nc + b_c and s = x V' fixed,
cross-entropy is convex in b (T10):

    L(b) = 1/N sum_n log sum_k exp(s_nk + b_k) - sum_c f_c b_c + const
    gradient_c = mean_n p_nc - f_c
    hessian = mean_n (diag(p_n) - p_n p_n')

with f_c the share of label c and p_n = softmax(s_n + b); the null space of the hessian are the
constant vectors.

A minimum exists iff every class occurs (else b_c runs to -infinity, for mean p_c > 0 = f_c keeps
its slope positive), and it is unique up to a shift of all biases: the hessian of a softmax is
positive on the vectors of sum zero.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.losses import check_labels, log_softmax
from refimpl.theory import EPS

DAMPING = (1e-12, 1e-6, 1e-4, 1e-2, 0.1, 0.5)


@dataclass(frozen=True, eq=False)
class Biases:
    """b (K,) of sum zero at the minimum; the loss there; the gradient (K,); the number of Newton
    steps.

    >>> found = train_biases(np.zeros((2, 2)), np.array([0, 1]))
    >>> found.b.tolist(), round(found.loss, 4), found.gradient.tolist(), found.steps
    ([0.0, 0.0], 0.6931, [0.0, 0.0], 0)
    """

    b: np.ndarray
    loss: float
    gradient: np.ndarray
    steps: int


def bias_loss(
    scores: np.ndarray, y: np.ndarray, b: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Cross-entropy at biases b, its gradient and hessian: scores (N, K), y (N,) labels -> float,
    (K,), (K, K).

    >>> value, slope, hessian = bias_loss(np.zeros((4, 2)), np.array([0, 0, 0, 1]), np.zeros(2))
    >>> round(float(value), 4), slope.tolist(), hessian.tolist()
    (0.6931, [-0.25, 0.25], [[0.25, -0.25], [-0.25, 0.25]])
    """
    logp = log_softmax(scores + b)
    p, n = np.exp(logp), len(y)
    share = np.bincount(y, minlength=len(b)) / n
    mean = p.mean(axis=0)
    return -logp[np.arange(n), y].mean(), mean - share, np.diag(mean) - p.T @ p / n


def train_biases(
    scores: np.ndarray,
    y: np.ndarray,
    *,
    start: np.ndarray | None = None,
    tol: float = 1e-12,
    steps: int = 100,
) -> Biases:
    """The biases of sum zero that minimize the cross-entropy of softmax(scores + b): damped Newton
    by hand.

    The step solves (hessian + 11' + mu) d = -gradient: 11' fills the one null direction and leaves
    the rest as it is; mu is the first of DAMPING with which the loss falls by a tenth of what the
    slope promises. The last always does: no hessian of a softmax exceeds 1/2 (Boehning 1992). Stops
    where |gradient| <= tol (its largest entry) or after `steps` steps. scores (N, K) float64, y
    (N,) integer labels; start (K,), zeros by default. Returns Biases. Raises ValueError on bad
    scores, labels or start, and where a class does not occur: there is no minimum.

    >>> found = train_biases(np.zeros((4, 2)), np.array([0, 0, 0, 1]))
    >>> bool(abs(found.b[0] - found.b[1] - np.log(3)) < 1e-12)
    True
    """
    scores, y = np.asarray(scores, np.float64), np.asarray(y)
    if scores.ndim != 2 or len(scores) != len(y) or not np.isfinite(scores).all():
        raise ValueError(
            f"scores: expected finite numbers of shape ({len(y)}, K), one row a label, got "
            f"{scores.shape}"
        )
    check_labels(y, scores.shape[1])
    absent = np.flatnonzero(np.bincount(y, minlength=scores.shape[1]) == 0)
    if len(absent):
        raise ValueError(
            f"y: expected every class 0 to {scores.shape[1] - 1} to occur (T10: else no minimum "
            f"exists), "
            f"found none of {absent.tolist()}"
        )
    b = (
        np.zeros(scores.shape[1])
        if start is None
        else np.asarray(start, np.float64) - np.mean(start)
    )
    if b.shape != scores.shape[1:] or not np.isfinite(b).all():
        raise ValueError(f"start: expected {scores.shape[1]} finite numbers, got {start!r}")
    shift, identity = np.ones((len(b), len(b))), np.eye(len(b))
    loss, gradient, hessian = bias_loss(scores, y, b)
    for step in range(steps):
        if np.abs(gradient).max() <= tol:
            return Biases(b, float(loss), gradient, step)
        for mu in DAMPING:
            d = -np.linalg.solve(hessian + shift + mu * identity, gradient)
            d -= d.mean()
            at = bias_loss(scores, y, b + d)
            if at[0] <= loss + 0.1 * (gradient @ d) + 4 * EPS * abs(loss):
                break
        b, (loss, gradient, hessian) = b + d, at
    return Biases(b, float(loss), gradient, steps)
