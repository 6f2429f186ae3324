"""Full-batch descent in the weights, for students above all; dual.py is the same in the images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arguments import finite_rows, function, not_negative, positive, rows_for, takes, whole
from refimpl.layers import Affine
from refimpl.network import Network
from refimpl.optimize import sgd
from refimpl.theory import augmented, count_nonzero
from refimpl.threads import one_thread_for

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


def check_losses(losses: Sequence | np.ndarray, lr: float) -> None:
    """Raises FloatingPointError with the step's number where the last loss is not finite.

    >>> check_losses([3.0, np.inf], 0.5)
    Traceback (most recent call last):
        ...
    FloatingPointError: the loss is not finite at step 1: a smaller lr than 0.5 is needed
    """
    if not np.isfinite(losses[-1]):
        raise FloatingPointError(
            f"the loss is not finite at step {len(losses) - 1}: a smaller lr than {lr!r} is needed"
        )


class Distance:
    """How far a linear student is from where descent ends, in parameters: |X~^+ dz|, X~ = (x, 1).

    For squared error that is the distance to the limit, over N. The gradient X~' dz would not do: a
    direction with a small singular value sigma hardly shows in it (sigma^2 of its distance), so it
    can fall to nothing while the student is nothing like its limit. Singular values count as zero
    by the one rule, `theory.count_nonzero`. x (N, D) images, network the student at its start, tol
    as in `descend`.

    >>> from refimpl.theory import network_of
    >>> there = Distance(np.array([[1.0], [-1.0]]), network_of(np.zeros((2, 1))), tol=1e-6)
    >>> round(float(there.square(np.array([[3.0], [1.0]]))), 9), float(there.enough(4.0)) ** 0.5
    (5.0, 2e-06)
    """

    def __init__(self, x: np.ndarray, network: Network, tol: float) -> None:
        rows = augmented(np.asarray(x, np.float64))
        u, sigma, _ = np.linalg.svd(rows, full_matrices=False)
        rank = count_nonzero(sigma, rows.shape)
        self.matrix = u[:, :rank].T / sigma[:rank, None]  # (rank, N)
        size = np.sqrt(sum(float(np.vdot(p, p).real) for p in network.parameters))
        self.noise = EPS * float(sigma[0] / sigma[rank - 1])  # of dz, in the parameters, relative
        self.tol, self.least = tol, size / len(x)  # the student's own size, over N as |X~^+ dz| is

    def square(self, dz: np.ndarray) -> float:
        """|X~^+ dz|^2 of the loss' gradient dz (N, K)."""
        across = self.matrix @ dz
        return np.vdot(across, across).real

    def enough(self, first: float, slack: float = 1) -> float:
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
        check_losses(values, rate)
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
    distance = Distance(x, network, tol) if linear else None

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
