"""Full-batch descent for students, in the weights (primal) or in the images (dual)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refimpl.layers import Affine
from refimpl.losses import squared_error
from refimpl.network import Network
from refimpl.optimize import sgd

BLOCK = 256  # steps that descend_dual looks at together


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


def _check_finite(losses, lr):
    if not np.isfinite(losses[-1]):
        raise FloatingPointError(
            f"the loss is not finite at step {len(losses) - 1}: a smaller lr than {lr!r} is needed"
        )


def _descend(parameters, gradient, update, lr, steps, tol):
    """The loop of both forms. gradient(parameters) -> (loss, gradients, squared norm of the primal
    gradient).
    """
    states, losses, first = [None] * len(parameters), [], None
    for _ in range(steps):
        value, gradients, square = gradient(parameters)
        losses.append(value)
        _check_finite(losses, lr)
        first = square if first is None else first
        if square <= tol**2 * first:
            return parameters, np.array(losses), True
        moved = [update(p, g, s, lr=lr) for p, g, s in zip(parameters, gradients, states)]
        parameters, states = [p for p, _ in moved], [s for _, s in moved]
    return parameters, np.array(losses), False


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

    x (N, D), target as the loss wants it. Stops where the norm of the gradient of all parameters
    has fallen to tol times its first value, or after `steps` steps. Raises FloatingPointError at
    the first step where the loss is not finite, and ValueError as the loss.

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

    def gradient(parameters):
        here = network.with_parameters(parameters)
        z, caches = here.forward(x)
        value, dz = loss(z, target)
        flat = [g for layer in here.parameter_gradients(dz, caches) for g in layer]
        return value, flat, sum(np.vdot(g, g).real for g in flat)

    parameters, losses, converged = _descend(
        list(network.parameters), gradient, update, lr, steps, tol
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
    single weights (Adam, boxes). Squared error by sgd has a loop of its own, to round-off the same.
    x (N, D), target as loss takes it. Raises ValueError unless the network is one Affine layer, and
    as the loss; FloatingPointError as `descend`.

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
    values, u = np.linalg.eigh(g)
    keep = values > len(x) * np.finfo(float).eps * values[-1]
    root = (
        np.sqrt(values[keep])[:, None] * u[:, keep].T
    )  # |root dz| = |X~' dz|; dz' G dz itself would lose half the digits

    def gradient(parameters):
        value, dz = loss(z0 + g @ parameters[0], target)
        across = root @ dz
        return value, [dz], np.vdot(across, across).real

    if loss is squared_error and update is sgd:
        c, losses, converged = _descend_linear(
            squared_error(z0, target)[1], g, root, lr, steps, tol
        )
    else:
        (c,), losses, converged = _descend([np.zeros_like(z0)], gradient, update, lr, steps, tol)
    w, b = network.parameters
    return Descent(network.with_parameters((w + x.T @ c, b + c.sum(axis=0))), losses, converged)


def _descend_linear(dz, g, root, lr, steps, tol):
    """The dual loop of squared error under plain descent, where a step is one small matrix product
    and nothing else:

        dz <- (I - lr/N G) dz,    loss |N dz|^2 / 2N,    |gradient|^2 = |root dz|^2,    C = - lr sum of the dz so far.

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
            squares = ((root @ block) ** 2).sum(axis=(1, 2))
        first = squares[0] if first is None else first
        ends = np.flatnonzero(~np.isfinite(values) | (squares <= tol**2 * first))
        done = ends[0] if len(ends) else len(block)  # steps taken
        losses = np.append(losses, values[: done + 1])
        _check_finite(losses, lr)
        c -= lr * block[:done].sum(axis=0)
        if len(ends):
            return c, losses, True
    return c, losses, False
