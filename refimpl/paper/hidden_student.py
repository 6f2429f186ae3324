"""Retraining a student with one hidden layer on few images, in the coordinates of their span.

The gradient of the first layer's weights is X' dz1: its columns lie in the span of the images. With
Q (r, D) an orthonormal basis of that span, w1 = Q' A + a R, where A moves as Q w1 does and R = (I -
Q'Q) w1_0, what the images cannot see, is only multiplied by a number that weight decay lowers. So
descent of 784 x 30 weights on ten images is descent of 10 x 30 numbers, exactly (T9 with a hidden
layer), for every update that commutes with rotations: sgd, momentum, decay; not Adam.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from refimpl.descent import Descent, descend
from refimpl.layers import Affine
from refimpl.losses import squared_error
from refimpl.network import Network
from refimpl.theory import row_space


def annealed(
    p: np.ndarray,
    g: np.ndarray,
    state: Any,
    *,
    lr: float,
    decay: float,
    beta: float = 0.0,
    until: float | None = None,
) -> tuple[np.ndarray, Any]:
    """Heavy ball on loss + lambda_t |w|^2 / 2 over all weights: v <- beta v + g + lambda_t w, w <-
    w - lr v.

    lambda_t = decay, or with `until`: decay max(0, 1 - t / until), falling linearly to 0 at step
    `until`. Biases (1-D) do not decay. state: (v, t), None at first. Returns (p, state): an update
    for train and descend.

    >>> annealed(np.ones((1, 1)), np.zeros((1, 1)), None, lr=0.5, decay=0.2)[0].tolist()
    [[0.9]]
    """
    v, t = (0.0, 0) if state is None else state
    rate = decay if until is None else decay * max(0.0, 1 - t / until)
    v = beta * v + g + rate * p if p.ndim == 2 and rate else beta * v + g
    return p - lr * v, (v, t + 1)


def retrain_hidden(
    images: np.ndarray,
    targets: np.ndarray,
    student: Network,
    *,
    lr: float,
    steps: int,
    decay: float = 0.0,
    free: float = 0.3,
    loss: Callable = squared_error,
    tol: float = 1e-9,
) -> Descent:
    """Full-batch heavy ball (beta .9) of a student with a hidden layer on (images, targets), weight
    decay falling to 0.

    images (N, D); targets as the loss wants them, logits (N, K) for squared error. student: the
    Network to start from. decay: lambda at the first step; it falls linearly and is 0 for the last
    fraction `free` of the steps, so the end is descent on the loss alone. Float64. Without decay it
    stops where the gradient has fallen to tol times its first value. Returns a Descent. Raises
    ValueError on images that do not fit the student or are not finite and on a bad decay or free,
    FloatingPointError where the loss is not finite.

    >>> from refimpl.network import one_hidden_net
    >>> student = one_hidden_net(4, 8, 2, rng=np.random.default_rng(0))
    >>> found = retrain_hidden(
    ...     np.eye(2, 4), np.array([[1.0, -1.0], [-1.0, 1.0]]), student, lr=0.05, steps=400
    ... )
    >>> bool(np.abs(found.network.logits(np.eye(2, 4)) - [[1, -1], [-1, 1]]).max() < 1e-3)
    True
    """
    images = np.asarray(images, np.float64)
    if images.ndim != 2 or len(images) == 0 or images.shape[1] != student.inputs:
        raise ValueError(
            f"images: expected shape (N, {student.inputs}) with N > 0, got {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError("images: expected finite numbers, found NaN or infinity")
    if not (decay >= 0 and 0 <= free < 1):
        raise ValueError(
            f"decay, free: expected decay >= 0 and 0 <= free < 1, got {decay!r} and {free!r}"
        )
    first, *rest = student.astype(np.float64).layers
    basis, _ = row_space(images)
    inside = basis @ first.w  # (r, H)
    unseen = first.w - basis.T @ inside
    silent = np.ones(
        (1, first.w.shape[1])
    )  # weights of one more input, 0 in every image: they go as the number a does
    small = Network((Affine(np.vstack([inside, silent]), first.b), *rest))
    update = partial(annealed, beta=0.9, decay=decay, until=(1 - free) * steps)
    done = descend(
        small,
        np.hstack([images @ basis.T, np.zeros((len(images), 1))]),
        targets,
        loss,
        lr=lr,
        steps=steps,
        tol=0 if decay else tol,
        update=update,
    )
    moved, *rest = done.network.layers
    w = basis.T @ moved.w[:-1] + moved.w[-1] * unseen
    return Descent(Network((Affine(w, moved.b), *rest)), done.losses, done.converged)
