"""Full-batch descent for students, in the weights (primal) or in the images (dual)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arguments import finite_rows, function, not_negative, positive, rows_for, takes, whole
from refimpl.layers import Affine
from refimpl.losses import squared_error
from refimpl.network import Network
from refimpl.optimize import sgd
from refimpl.theory import augmented, count_nonzero
from refimpl.threads import one_thread_for

BLOCK = 256  # steps that descend_dual looks at together
EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class Descent:
    """What full-batch descent returns: the network, the loss before each step, and whether the
    stopping rule was met.

    losses (steps taken,), and the last one where converged.

    >>> from refimpl.losses import squared_error
    >>> from refimpl.network import softmax_net
    >>> found = descend(
    ...     softmax_net(2, 1),
    ...     np.eye(2),
    ...     np.array([[1.0], [2.0]]),
    ...     squared_error,
    ...     lr=0.5,
    ...     steps=1000,
    ... )
    >>> found.converged, found.network.logits(np.eye(2)).round(6).tolist()
    (True, [[1.0], [2.0]])
    """

    network: Network
    losses: np.ndarray
    converged: bool

    def __repr__(self) -> str:
        how = "converged" if self.converged else "not converged"
        last = f", loss {self.losses[-1]:.2g}" if len(self.losses) else ""
        return f"Descent({how}, {len(self.losses):,} steps{last}, {self.network!r})"


def _check_finite(losses, lr):
    if not np.isfinite(losses[-1]):
        raise FloatingPointError(
            f"the loss is not finite at step {len(losses) - 1}: a smaller lr than {lr!r} is needed"
        )


class _Distance:
    """How far a linear student is from where descent ends, in parameters: |X~^+ dz|, X~ = (x, 1).

    For squared error that is the distance to the limit, over N. The gradient X~' dz would not do: a
    direction with a small singular value sigma hardly shows in it (sigma^2 of its distance), so it
    can fall to nothing while the student is nothing like its limit. Singular values count as zero
    by the one rule, `theory.count_nonzero`.
    """

    def __init__(self, x, network, tol):
        rows = augmented(np.asarray(x, np.float64))
        u, sigma, _ = np.linalg.svd(rows, full_matrices=False)
        rank = count_nonzero(sigma, rows.shape)
        self.matrix = u[:, :rank].T / sigma[:rank, None]  # (rank, N)
        size = np.sqrt(sum(float(np.vdot(p, p).real) for p in network.parameters))
        self.noise = EPS * float(sigma[0] / sigma[rank - 1])  # of dz, in the parameters, relative
        self.tol, self.least = tol, size / len(x)  # the student's own size, over N as |X~^+ dz| is

    def square(self, dz):
        across = self.matrix @ dz
        return np.vdot(across, across).real

    def enough(self, first, slack=1):
        """The square at which descent is done, from the first one: tol or, above it, round-off."""
        floor = 64 * self.noise * (np.sqrt(first) + self.least)
        return slack**2 * max(self.tol * np.sqrt(first), floor) ** 2


def minimize(
    gradient: Callable, start: Sequence, *, steps: int, lr: Any, update: Callable, stop: Any = None
) -> tuple[list[np.ndarray], np.ndarray, bool]:
    """Descent on a function of several arrays: THE loop wherever no minibatches are drawn.

    gradient(arrays, step) -> (value, one gradient an array), or (value, gradients, measure): then
    it is done where measure <= stop(its first value). start: the arrays to begin with, which are
    not changed. lr: a number, or a function of the step. update as in `optimize`. Returns (arrays,
    the value before each step, whether it was done before the last step). Raises FloatingPointError
    at the first step where the value is not finite.

    >>> arrays, values, done = minimize(
    ...     lambda arrays, step: (arrays[0] @ arrays[0] / 2, arrays),
    ...     [np.array([3.0, 4.0])],
    ...     steps=2,
    ...     lr=lambda step: 0.5,
    ...     update=sgd,
    ... )
    >>> arrays[0].tolist(), values.tolist(), done
    ([0.75, 1.0], [12.5, 3.125], False)
    """
    steps, lr = whole("steps", steps), lr if callable(lr) else positive("lr", lr)
    arrays, states, values, first = list(start), [None] * len(start), [], None
    for step in range(steps):
        value, gradients, *measure = gradient(arrays, step)
        values.append(value)
        rate = lr(step) if callable(lr) else lr
        _check_finite(values, rate)
        first = first or measure
        if stop and measure[0] <= stop(first[0]):
            return arrays, np.array(values), True
        moved = [update(p, g, s, lr=rate) for p, g, s in zip(arrays, gradients, states)]
        arrays, states = [p for p, _ in moved], [s for _, s in moved]
    return arrays, np.array(values), False


@takes(target=finite_rows, loss=function, update=function, tol=not_negative)
def descend(
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
    """Full-batch descent on loss(network(x), target), any network, in the dtype of x and its
    parameters.

    x (N, D), target as the loss wants it. Stops, `converged`, where the norm of the gradient of all
    parameters has fallen to tol times its first value, or, for a linear network, where its distance
    |X~^+ dz| in parameters has (or to round-off, where that is larger); else after `steps` steps.
    Raises FloatingPointError at the first step where the loss is not finite, and ValueError as the
    loss.

    >>> from refimpl.losses import cross_entropy
    >>> from refimpl.network import one_hidden_net
    >>> net, x, target = (
    ...     one_hidden_net(2, 3, 2, rng=np.random.default_rng(0)),
    ...     np.eye(2),
    ...     np.array([1, 0]),
    ... )
    >>> found = descend(net, x, target, cross_entropy, lr=0.5, steps=20)
    >>> found.converged, len(found.losses), found.network.predict(x).tolist()
    (False, 20, [1, 0])
    """
    x = rows_for(network, "x", x)
    linear = [type(layer) for layer in network.layers] == [Affine]
    distance = _Distance(x, network, tol) if linear else None

    def gradient(parameters, step):
        here = network.with_parameters(parameters)
        z, caches = here.forward(x)
        value, dz = loss(z, target)
        flat = [g for layer in here.parameter_gradients(dz, caches) for g in layer]
        square = distance.square(dz) if distance else sum(np.vdot(g, g).real for g in flat)
        return value, flat, square

    enough = distance.enough if distance else lambda first: tol**2 * first
    with one_thread_for(network.parameters, len(x)):
        parameters, losses, converged = minimize(
            gradient, network.parameters, steps=steps, lr=lr, update=update, stop=enough
        )
    return Descent(network.with_parameters(parameters), losses, converged)


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
    """The same descent for a linear network, written in the images' coefficients (theorem T9).

    theta = theta_0 + X~' C with C (N, K), C <- C - lr dz(Z_0 + G C), so a step costs N^2 K instead
    of 2 N D K. Equal to `descend` to round-off for sgd and momentum; not for updates that act on
    single weights (Adam, boxes). It stops by the same distance; `converged` only if the student
    that comes out, asked again in the weights, is there too. Squared error by sgd has a loop of its
    own, to round-off the same. x (N, D), target as loss takes it. Raises ValueError unless the
    network is one Affine layer, and as the loss; FloatingPointError as `descend`.

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
    distance = _Distance(x, network, tol)

    def gradient(parameters, step):
        value, dz = loss(z0 + g @ parameters[0], target)
        return value, [dz], distance.square(dz)

    begin = loss(z0, target)[1]
    if loss is squared_error and update is sgd:
        c, losses, converged = _descend_linear(begin, g, distance, lr, steps)
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


def _descend_linear(dz, g, distance, lr, steps):
    """The dual loop of squared error under plain descent, where a step is one small matrix product
    and nothing else:

        dz <- (I - lr/N G) dz,    loss |N dz|^2 / 2N,    C = - lr sum of the dz so far.

    Losses and the stopping rule are looked at for a block of steps at once. Returns (C, losses,
    converged).
    """
    n, c, losses, first = len(dz), np.zeros_like(dz), np.empty(0), None
    a = np.eye(n) - lr / n * g
    while len(losses) < steps:
        block = np.empty((min(BLOCK, steps - len(losses)) + 1, *dz.shape), np.result_type(a, dz))
        block[0] = dz
        with np.errstate(over="ignore", invalid="ignore"):  # said below, with the step's number
            for here, there in zip(block, block[1:]):
                a.dot(here, out=there)
            dz, block = block[-1], block[:-1]
            values = ((n * block) ** 2).sum(axis=(1, 2)) / (2 * n)
            squares = ((distance.matrix @ block) ** 2).sum(axis=(1, 2))
        first = squares[0] if first is None else first
        ends = np.flatnonzero(~np.isfinite(values) | (squares <= distance.enough(first)))
        done = ends[0] if len(ends) else len(block)  # steps taken
        losses = np.append(losses, values[: done + 1])
        _check_finite(losses, lr)
        c -= lr * block[:done].sum(axis=0)
        if len(ends):
            return c, losses, True
    return c, losses, False
