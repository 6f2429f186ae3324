"""Descent of a linear student, written in the coefficients of its images (theorem T9).

theta = theta_0 + X~' C with C (N, K), C <- C - lr dz(Z_0 + G C), so a step costs N^2 K instead of
2 N D K: with ten images it is a few calls on 10 x 10 numbers. Plain descent on either reading of
soft targets has a step of its own, and is looked at a block of steps at a time.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from refimpl.descent import Descent, Distance, check_losses, minimize
from refimpl.layers import Affine
from refimpl.losses import cross_entropy, squared_error
from refimpl.network import Network
from refimpl.optimize import sgd

BLOCK = 256  # steps that are looked at together


def gram(x: np.ndarray) -> np.ndarray:
    """G = X X' + 11', the Gram matrix of the augmented images (x_n, 1): (N, D) -> (N, N).

    >>> gram(np.array([[1.0, 2.0], [0.0, 1.0]])).tolist()
    [[6.0, 3.0], [3.0, 2.0]]
    """
    return x @ x.T + 1


def descend_dual(
    network: Network,
    x: np.ndarray,
    target: np.ndarray,
    loss: Callable,
    *,
    lr: float,
    steps: int,
    tol: float = 1e-13,
    update: Callable = sgd,
) -> Descent:
    """`descent.descend` of a linear network, in the images' coefficients.

    Equal to it to round-off for sgd and momentum; not for updates that act on single weights (Adam,
    boxes). It stops by the same distance; `converged` only if the student that comes out, asked
    again in the weights, is there too. Squared error by sgd, and cross-entropy with probabilities
    by sgd, take the shorter loop, to round-off the same. x (N, D), target as loss takes it. Raises
    ValueError unless the network is one Affine layer, and as the loss; FloatingPointError as
    `descend`.

    >>> from refimpl.descent import descend
    >>> from refimpl.network import softmax_net
    >>> net, x, target = (
    ...     softmax_net(5, 2),
    ...     np.random.default_rng(0).normal(size=(3, 5)),
    ...     np.eye(3)[:, :2],
    ... )
    >>> primal, dual = (
    ...     form(net, x, target, squared_error, lr=0.1, steps=50)
    ...     for form in (descend, descend_dual)
    ... )
    >>> float(np.abs(primal.network.parameters[0] - dual.network.parameters[0]).max()) < 1e-14
    True
    """
    kinds = [type(layer).__name__ for layer in network.layers]
    if len(kinds) != 1 or not isinstance(network.layers[0], Affine):
        raise ValueError(f"network: the dual form needs one Affine layer, got {kinds}")
    g, z0 = gram(x), network.forward(x)[0]
    distance = Distance(x, network, tol)

    def gradient(parameters, step):
        value, dz = loss(z0 + g @ parameters[0], target)
        return value, [dz], distance.square(dz)

    begin = loss(z0, target)[1]
    short = _short_step(loss, z0, target, lr / len(x) * g) if update is sgd else None
    if short:
        moved, step, loss_of = short
        c, losses, converged = _in_blocks(moved, step, loss_of, distance, lr, steps)
    else:
        (c,), losses, converged = minimize(
            gradient, [np.zeros_like(z0)], steps=steps, lr=lr, update=update, stop=distance.enough
        )
    w, b = network.parameters
    found = network.with_parameters((w + x.T @ c, b + c.sum(axis=0)))
    if converged:  # G holds the squares of the singular values: look at the student itself again
        left = distance.square(loss(found.forward(x)[0], target)[1])
        converged = bool(left <= distance.enough(distance.square(begin), slack=16))
    return Descent(found, losses, converged)


def _short_step(loss, z, target, a):
    """What `_in_blocks` needs of one of the two readings, None for another loss; a = lr/N G.

    Returns (what a step moves (N, K), step(here, out), loss_of(block (B, N, K)) -> values, dz).
    """
    if loss is squared_error:  # z - t <- (I - a) (z - t)
        shrink = np.eye(len(z), dtype=z.dtype) - a
        return z - target, shrink.dot, partial(squared_error, target=np.zeros_like(z))
    own, how = (loss.func, loss.keywords) if isinstance(loss, partial) else (loss, {})
    if own is not cross_entropy or np.ndim(target) != 2:
        return None
    t, mass = float(how.get("temperature", 1.0)), np.sum(target, axis=1, keepdims=True)
    a = a / t

    def step(here, out):  # z <- z - a (softmax(z / T) sum_c t_c - t)
        p = np.exp((here - np.maximum.reduce(here, axis=1, keepdims=True)) / t)
        p *= mass / np.add.reduce(p, axis=1, keepdims=True)
        np.subtract(here, a.dot(p - target), out=out)

    return z, step, partial(loss, target=target)


def _in_blocks(z, step, loss_of, distance, lr, steps):
    """Plain descent from z (N, K), whose losses and stopping rule are looked at for a block of
    steps at once: C = - lr sum of the dz so far. Returns (C, losses, converged).
    """
    c, losses, first = np.zeros_like(z), np.empty(0), None
    while len(losses) < steps:
        block = np.empty((min(BLOCK, steps - len(losses)) + 1, *z.shape), z.dtype)
        block[0] = z
        with np.errstate(over="ignore", invalid="ignore"):  # said below, with the step's number
            for here, there in zip(block, block[1:]):
                step(here, out=there)
            z, block = block[-1], block[:-1]
            values, dz = loss_of(block)
            squares = ((distance.matrix @ dz) ** 2).sum(axis=(1, 2))
        first = squares[0] if first is None else first
        ends = np.flatnonzero(~np.isfinite(values) | (squares <= distance.enough(first)))
        done = ends[0] if len(ends) else len(block)  # steps taken
        losses = np.append(losses, values[: done + 1])
        check_losses(losses, lr)
        c -= lr * dz[:done].sum(axis=0)
        if len(ends):
            return c, losses, True
    return c, losses, False
