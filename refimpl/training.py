"""Training: minibatches for teachers, full batch for students, in weights (primal) or in images
(dual).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refimpl.ensemble import check_data, is_dense, minibatches, train_together
from refimpl.losses import cross_entropy
from refimpl.network import Network
from refimpl.optimize import adam, momentum, sgd


def train_step(
    network: Any,
    states: Sequence,
    x: np.ndarray,
    y: np.ndarray,
    *,
    lr: float,
    rng: np.random.Generator | None,
    loss: Callable = cross_entropy,
    update: Callable = sgd,
    at: int = 0,
) -> tuple[Any, tuple, float, np.ndarray]:
    """One step of minibatch descent, pure.

    network: a Network or a Sharded one. x (N, D), y as the loss wants it. states: one optimizer
    state a parameter, None at first. The running statistics of the network move too, and its
    weights keep to their max-norm. rng feeds train-time chance (Dropout). at: the step's number,
    for the error. Returns (network, states, value, z): value the loss and z (N, K) the output for
    this batch before the step, chance at work. Raises FloatingPointError where the loss is not
    finite.

    >>> from refimpl.network import softmax_net
    >>> net, x = softmax_net(1, 2), np.array([[1.0], [-1.0]])
    >>> new, states, value, z = train_step(
    ...     net, (None, None), x, np.array([0, 1]), lr=1.0, rng=np.random.default_rng(0)
    ... )
    >>> round(float(value), 4), new.parameters[0].tolist()
    (0.6931, [[0.5, -0.5]])
    """
    z, caches = network.forward(
        x.astype(network.parameters[0].dtype, copy=False), train=True, rng=rng
    )
    value, dz = loss(z, y)
    if not np.isfinite(value):
        raise FloatingPointError(
            f"the loss is not finite at step {at}: a smaller lr than {lr!r} is needed"
        )
    flat = [g for layer in network.parameter_gradients(dz, caches) for g in layer]
    moved = [update(p, g, s, lr=lr) for p, g, s in zip(network.parameters, flat, states)]
    network = network.updated(caches).with_parameters([p for p, _ in moved]).projected()
    return network, tuple(s for _, s in moved), value, z


def train(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    *,
    steps: int,
    lr: float,
    batch: int = 100,
    rng: np.random.Generator,
    falling: bool = False,
    loss: Callable = cross_entropy,
    update: Callable = sgd,
    on_step: Callable[[int, Network], object] | None = None,
) -> tuple[Network, np.ndarray]:
    """Minibatch descent on loss(network(x), y).

    x (N, D) in any float dtype (each batch is cast to the network's), y (N,) integer labels.
    falling=True lets the learning rate fall linearly, lr (1 - step / steps). rng orders the
    minibatches and feeds train-time chance. on_step(step, network) is called after every step, e.g.
    to watch a validation set. Returns (network, losses (steps,)); the network passed in is not
    changed. Dense networks take the faster way of refimpl.ensemble where it does the same, to
    round-off. Raises ValueError on bad labels, lr or batch, FloatingPointError at the first step
    where the loss is not finite.

    >>> from refimpl.network import softmax_net
    >>> x, y = np.array([[1.0], [-1.0]]), np.array([0, 1])
    >>> net, losses = train(
    ...     softmax_net(1, 2), x, y, steps=50, lr=0.5, batch=2, rng=np.random.default_rng(0)
    ... )
    >>> net.predict(x).tolist(), round(float(losses[0]), 4)
    ([0, 1], 0.6931)
    """
    check_data(x, y, network.classes, lr=lr)
    known = getattr(update, "func", update) in (
        sgd,
        momentum,
        adam,
    )  # these act on single weights, however they lie
    if known and loss is cross_entropy and on_step is None and is_dense(network):
        (network,), losses = train_together(
            [network],
            x,
            y,
            steps=steps,
            lr=lr,
            batch=batch,
            rng=rng,
            falling=falling,
            update=update,
        )
        return network, losses[:, 0]
    states: Sequence = [None] * len(network.parameters)
    losses = np.empty(steps)
    for step, rows in enumerate(minibatches(len(x), batch, steps, rng)):
        rate = lr * (1 - step / steps) if falling else lr
        network, states, losses[step], _ = train_step(
            network, states, x[rows], y[rows], lr=rate, rng=rng, loss=loss, update=update, at=step
        )
        if on_step:
            on_step(step, network)
    return network, losses
