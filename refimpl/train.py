"""Training: minibatches for teachers, full batch for students, in weights (primal) or in images (dual)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.ensemble import check_data, is_dense, minibatches, train_together
from refimpl.layers import Affine
from refimpl.losses import cross_entropy, squared_error
from refimpl.network import Network
from refimpl.optimize import adam, momentum, sgd

BLOCK = 256  # steps that descend_dual looks at together


def train_step(network: Any, states: Sequence, x: np.ndarray, y: np.ndarray, *, lr: float,
               rng: np.random.Generator | None, loss: Callable = cross_entropy, update: Callable = sgd,
               at: int = 0) -> tuple[Any, tuple, float, np.ndarray]:
    """One step of minibatch descent, pure.

    network: a Network or a Sharded one. x (N, D), y as the loss wants it. states: one optimizer state a parameter, None at
    first. The running statistics of the network move too, and its weights keep to their max-norm. rng feeds train-time
    chance (Dropout). at: the step's number, for the error.
    Returns (network, states, value, z): value the loss and z (N, K) the output for this batch before the step, chance at
    work. Raises FloatingPointError where the loss is not finite.

    >>> from refimpl.network import softmax_net
    >>> net, x = softmax_net(1, 2), np.array([[1.0], [-1.0]])
    >>> new, states, value, z = train_step(net, (None, None), x, np.array([0, 1]), lr=1.0, rng=np.random.default_rng(0))
    >>> round(float(value), 4), new.parameters[0].tolist()
    (0.6931, [[0.5, -0.5]])
    """
    z, caches = network.forward(x.astype(network.parameters[0].dtype, copy=False), train=True, rng=rng)
    value, dz = loss(z, y)
    if not np.isfinite(value):
        raise FloatingPointError(f"the loss is not finite at step {at}: a smaller lr than {lr!r} is needed")
    flat = [g for layer in network.parameter_gradients(dz, caches) for g in layer]
    moved = [update(p, g, s, lr=lr) for p, g, s in zip(network.parameters, flat, states)]
    network = network.updated(caches).with_parameters([p for p, _ in moved]).projected()
    return network, tuple(s for _, s in moved), value, z


def train(network: Network, x: np.ndarray, y: np.ndarray, *, steps: int, lr: float, batch: int = 100,
          rng: np.random.Generator, falling: bool = False, loss: Callable = cross_entropy, update: Callable = sgd,
          on_step: Callable[[int, Network], object] | None = None) -> tuple[Network, np.ndarray]:
    """Minibatch descent on loss(network(x), y).

    x (N, D) in any float dtype (each batch is cast to the network's), y (N,) integer labels. falling=True lets the
    learning rate fall linearly, lr (1 - step / steps). rng orders the minibatches and feeds train-time chance.
    on_step(step, network) is called after every step, e.g. to watch a validation set.
    Returns (network, losses (steps,)); the network passed in is not changed.
    Dense networks take the faster way of refimpl.ensemble where it does the same, to round-off.
    Raises ValueError on bad labels, lr or batch, FloatingPointError at the first step where the loss is not finite.

    >>> from refimpl.network import softmax_net
    >>> x, y = np.array([[1.0], [-1.0]]), np.array([0, 1])
    >>> net, losses = train(softmax_net(1, 2), x, y, steps=50, lr=0.5, batch=2, rng=np.random.default_rng(0))
    >>> net.predict(x).tolist(), round(float(losses[0]), 4)
    ([0, 1], 0.6931)
    """
    check_data(x, y, network.classes, lr=lr)
    known = getattr(update, "func", update) in (sgd, momentum, adam)  # these act on single weights, however they lie
    if known and loss is cross_entropy and on_step is None and is_dense(network):
        (network,), losses = train_together([network], x, y, steps=steps, lr=lr, batch=batch, rng=rng, falling=falling,
                                            update=update)
        return network, losses[:, 0]
    states: Sequence = [None] * len(network.parameters)
    losses = np.empty(steps)
    for step, rows in enumerate(minibatches(len(x), batch, steps, rng)):
        rate = lr * (1 - step / steps) if falling else lr
        network, states, losses[step], _ = train_step(network, states, x[rows], y[rows], lr=rate, rng=rng, loss=loss,
                                                      update=update, at=step)
        if on_step:
            on_step(step, network)
    return network, losses


@dataclass(frozen=True, eq=False)
class Descent:
    """What full-batch descent returns: the network, the loss before each step, and whether the stopping rule was met.

    losses (steps taken,), and the last one where converged.

    >>> from refimpl.losses import squared_error
    >>> from refimpl.network import softmax_net
    >>> found = descend(softmax_net(2, 1), np.eye(2), np.array([[1.0], [2.0]]), squared_error, lr=0.5, steps=1000)
    >>> found.converged, found.network.logits(np.eye(2)).round(6).tolist()
    (True, [[1.0], [2.0]])
    """

    network: Network
    losses: np.ndarray
    converged: bool


def _check_finite(losses, lr):
    if not np.isfinite(losses[-1]):
        raise FloatingPointError(f"the loss is not finite at step {len(losses) - 1}: a smaller lr than {lr!r} is needed")


def _descend(parameters, gradient, update, lr, steps, tol):
    """The loop of both forms. gradient(parameters) -> (loss, gradients, squared norm of the primal gradient)."""
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


def descend(network: Network, x: np.ndarray, target: np.ndarray, loss: Callable, *, lr: float, steps: int,
            tol: float = 1e-13, update: Callable = sgd) -> Descent:
    """Full-batch descent on loss(network(x), target), any network, in the dtype of x and its parameters.

    x (N, D), target as the loss wants it. Stops where the norm of the gradient of all parameters has fallen to tol times
    its first value, or after `steps` steps. Raises FloatingPointError at the first step where the loss is not finite,
    and ValueError as the loss.

    >>> from refimpl.network import one_hidden_net
    >>> net, x, target = one_hidden_net(2, 3, 2, rng=np.random.default_rng(0)), np.eye(2), np.array([1, 0])
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

    parameters, losses, converged = _descend(list(network.parameters), gradient, update, lr, steps, tol)
    return Descent(network.with_parameters(parameters), losses, converged)


def gram(x: np.ndarray) -> np.ndarray:
    """G = X X' + 11', the Gram matrix of the augmented images (x_n, 1): (N, D) -> (N, N).

    >>> gram(np.array([[1.0, 2.0], [0.0, 1.0]])).tolist()
    [[6.0, 3.0], [3.0, 2.0]]
    """
    return x @ x.T + 1


def descend_dual(network: Network, x: np.ndarray, target: np.ndarray, loss: Callable, *, lr: float, steps: int,
                 tol: float = 1e-13, update: Callable = sgd) -> Descent:
    """The same descent for a linear network, written in the images' coefficients (theorem T9).

    theta = theta_0 + X~' C with C (N, K), C <- C - lr dz(Z_0 + G C), so a step costs N^2 K instead of 2 N D K. Equal to
    `descend` to round-off for sgd and momentum; not for updates that act on single weights (Adam, boxes). Squared error
    by sgd has a loop of its own, to round-off the same.
    x (N, D), target as loss takes it. Raises ValueError unless the network is one Affine layer, and as the loss;
    FloatingPointError as `descend`.

    >>> from refimpl.network import softmax_net
    >>> net, x, target = softmax_net(5, 2), np.random.default_rng(0).normal(size=(3, 5)), np.eye(3)[:, :2]
    >>> primal, dual = (form(net, x, target, squared_error, lr=0.1, steps=50) for form in (descend, descend_dual))
    >>> float(np.abs(primal.network.parameters[0] - dual.network.parameters[0]).max()) < 1e-14
    True
    """
    kinds = [type(layer).__name__ for layer in network.layers]
    if len(kinds) != 1 or not isinstance(network.layers[0], Affine):
        raise ValueError(f"network: the dual form needs one Affine layer, got {kinds}")
    g, z0 = gram(x), network.forward(x)[0]
    values, u = np.linalg.eigh(g)
    keep = values > len(x) * np.finfo(float).eps * values[-1]
    root = np.sqrt(values[keep])[:, None] * u[:, keep].T  # |root dz| = |X~' dz|; dz' G dz itself would lose half the digits

    def gradient(parameters):
        value, dz = loss(z0 + g @ parameters[0], target)
        across = root @ dz
        return value, [dz], np.vdot(across, across).real

    if loss is squared_error and update is sgd:
        c, losses, converged = _descend_linear(squared_error(z0, target)[1], g, root, lr, steps, tol)
    else:
        (c,), losses, converged = _descend([np.zeros_like(z0)], gradient, update, lr, steps, tol)
    w, b = network.parameters
    return Descent(network.with_parameters((w + x.T @ c, b + c.sum(axis=0))), losses, converged)


def _descend_linear(dz, g, root, lr, steps, tol):
    """The dual loop of squared error under plain descent, where a step is one small matrix product and nothing else:

        dz <- (I - lr/N G) dz,    loss |N dz|^2 / 2N,    |gradient|^2 = |root dz|^2,    C = - lr sum of the dz so far.

    Losses and the stopping rule are looked at for a block of steps at once. Returns (C, losses, converged).
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
