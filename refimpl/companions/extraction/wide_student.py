"""Fewer hidden units: a wide student is fitted with weight decay and loses its spare units one by
one.

Decay of all weights of a ReLU network is, at its minimum, the path norm sum_j |w_j| |v_j|
(Neyshabur, Tomioka and Srebro 2015, In search of the real inductive bias): it prefers few
directions, each maybe held by several units. Which unit to drop is the optimal brain surgeon's
question (Hassibi and Stork 1993, equation 5) asked of the last layer alone, where its answer is
exact.
"""

from collections.abc import Callable, Sequence

import numpy as np

from refimpl.descent import minimize
from refimpl.layers import Affine
from refimpl.losses import squared_error
from refimpl.network import Network
from refimpl.optimize import adam


def decayed_error(
    network: Network, u: np.ndarray, t: np.ndarray, decay: float
) -> tuple[float, list[np.ndarray]]:
    """|z - t|^2 / 2N + decay |weights|^2 / 2 and its gradient; biases (1-D) do not decay.

    u (N, R), t (N, K). Returns (value, gradients in the order of network.parameters). Raises
    ValueError on another t.

    >>> from refimpl.theory import network_of
    >>> value, gradients = decayed_error(
    ...     network_of(np.array([[2.0], [0.0]])), np.ones((1, 1)), np.ones((1, 1)), 0.5
    ... )
    >>> float(value), [g.tolist() for g in gradients]
    (1.5, [[[2.0]], [1.0]])
    """
    z, caches = network.forward(u)
    value, dz = squared_error(z, t)
    flat, parameters = (
        [g for layer in network.parameter_gradients(dz, caches) for g in layer],
        network.parameters,
    )
    value += decay / 2 * sum(np.vdot(p, p) for p in parameters if p.ndim == 2)
    return value, [g + decay * p if p.ndim == 2 else g for p, g in zip(parameters, flat)]


def fit(
    network: Network,
    u: np.ndarray,
    t: np.ndarray,
    *,
    steps: int,
    lr: float,
    decay: tuple[float, float],
    until: float = 1.0,
) -> tuple[Network, np.ndarray]:
    """Full-batch Adam on decayed_error: u (N, R), t (N, K).

    decay: (first, last), falling linearly from the one to the other over the first `until` of the
    steps. lr falls along half a cosine to lr / 20. Adam runs on one flat vector, which is faster
    than on every parameter. Returns (network, values (steps,)): the value before each step. Raises
    FloatingPointError at the first step where the value is not finite.

    >>> from refimpl.network import one_hidden_net
    >>> net, u = (
    ...     one_hidden_net(3, 4, 2, rng=np.random.default_rng(0)),
    ...     np.random.default_rng(1).normal(size=(20, 3)),
    ... )
    >>> _, values = fit(net, u, np.tanh(u[:, :2]), steps=200, lr=0.01, decay=(1e-3, 0.0))
    >>> len(values), bool(values[-1] < 0.1 * values[0])
    (200, True)
    """
    shapes = [p.shape for p in network.parameters]

    def gradient(flat, step):
        rate = decay[1] + (decay[0] - decay[1]) * max(0.0, 1 - step / (until * steps))
        here = network.with_parameters(unpack(flat[0], shapes))
        value, gradients = decayed_error(here, u, t, rate)
        return value, [np.concatenate([g.ravel() for g in gradients])]

    (x,), values, _ = minimize(
        gradient,
        [flatten(network)],
        steps=steps,
        lr=lambda step: lr * (0.525 + 0.475 * np.cos(np.pi * step / steps)),
        update=adam,
    )
    return network.with_parameters(unpack(x, shapes)), values


def flatten(network: Network) -> np.ndarray:
    """All parameters in order as one vector (n,), n their number.

    >>> from refimpl.network import softmax_net
    >>> flatten(softmax_net(2, 2)).shape
    (6,)
    """
    return np.concatenate([p.ravel() for p in network.parameters])


def unpack(x: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """A flat vector (n,) cut into arrays of these shapes, views of it.

    >>> [v.tolist() for v in unpack(np.arange(5.0), [(2, 2), (1,)])]
    [[[0.0, 1.0], [2.0, 3.0]], [4.0]]
    """
    ends = np.cumsum([np.prod(s) for s in shapes])
    return [part.reshape(s) for part, s in zip(np.split(x, ends[:-1]), shapes)]


def drop_unit(network: Network, u: np.ndarray, *, ridge: float = 1e-4) -> Network:
    """Remove the hidden unit that the others replace best, and let their output weights take over
    its part.

    With G = A'A / N + ridge I, A = (h, 1) the hidden activations and a one, removing unit j costs
    |v_j|^2 / 2 (G^-1)_jj and moves the last layer by -(G^-1)_.j v_j / (G^-1)_jj: zero for a dead
    unit; for a unit parallel to another (ReLU: a positive multiple) their outputs add up, which is
    merging. u (N, R). Returns a Network with one unit fewer.

    >>> from refimpl.layers import ReLU
    >>> twins = (
    ...     Affine(np.array([[1.0, 1.0]]), np.zeros(2)),
    ...     ReLU(),
    ...     Affine(np.array([[2.0], [3.0]]), np.zeros(1)),
    ... )
    >>> drop_unit(Network(twins), np.linspace(-1, 1, 9)[:, None], ridge=1e-12).layers[2].w.round(
    ...     6
    ... ).tolist()
    [[5.0]]
    """
    first, activation, last = network.layers
    h, _ = network.forward(u, upto=2)
    a = np.hstack([h, np.ones((len(h), 1))])
    inverse = np.linalg.inv(a.T @ a / len(a) + ridge * np.eye(a.shape[1]))
    pivots = np.diag(inverse)[:-1]
    j = ((last.w**2).sum(axis=1) / pivots).argmin()
    theta = np.vstack([last.w, last.b]) - np.outer(inverse[:, j] / pivots[j], last.w[j])
    kept = np.delete(theta, j, axis=0)
    left = Affine(np.delete(first.w, j, axis=1), np.delete(first.b, j))
    return Network((left, activation, Affine(kept[:-1], kept[-1])))


def merge(
    network: Network,
    u: np.ndarray,
    t: np.ndarray,
    hidden: int,
    *,
    steps: int,
    lr: float,
    decay: float,
) -> Network:
    """drop_unit until `hidden` units are left, each followed by `steps` steps of `fit` at constant
    decay.

    u (N, R), t (N, K): as in decayed_error. Raises FloatingPointError as fit.

    >>> from refimpl.network import one_hidden_net
    >>> net, u = (
    ...     one_hidden_net(3, 4, 2, rng=np.random.default_rng(0)),
    ...     np.random.default_rng(1).normal(size=(20, 3)),
    ... )
    >>> merge(net, u, np.tanh(u[:, :2]), 3, steps=20, lr=0.01, decay=1e-4).layers[0].w.shape
    (3, 3)
    """
    while len(network.layers[0].b) > hidden:
        network, _ = fit(drop_unit(network, u), u, t, steps=steps, lr=lr, decay=(decay, decay))
    return network


def residuals_and_jacobian(network: Network, u: np.ndarray, t: np.ndarray) -> Callable:
    """x -> (z - t (N K,), dz/dx (N K, n)), x (n,) the flat parameters of a one-hidden-layer
    network: what levenberg_marquardt takes. u (N, R), t (N, K).

    dz_nk/dw_rj = u_nr act'_nj v_jk, dz_nk/db_j = act'_nj v_jk, dz_nk/dv_jl = h_nj [k = l],
    dz_nk/dc_l = [k = l].

    >>> from refimpl.network import one_hidden_net
    >>> net, u = one_hidden_net(3, 4, 2, rng=np.random.default_rng(0)), np.ones((5, 3))
    >>> residuals, jacobian = residuals_and_jacobian(net, u, net.logits(u))(flatten(net))
    >>> float(np.abs(residuals).max()), jacobian.shape
    (0.0, (10, 26))
    """
    shapes = [p.shape for p in network.parameters]
    (n, inputs), (hidden, classes) = u.shape, shapes[2]
    eye = np.eye(classes)

    def f(x):
        first, activation, last = network.with_parameters(unpack(x, shapes)).layers
        h, cache = activation.forward(first.forward(u)[0])
        slope, _ = activation.backward(np.ones_like(h), cache)
        db = slope[:, None, :] * last.w.T  # (N, K, H)
        j = np.empty((n, classes, len(x)))
        blocks = unpack(np.arange(len(x)), shapes)
        j[:, :, blocks[0].ravel()] = (u[:, None, :, None] * db[:, :, None, :]).reshape(
            n, classes, inputs * hidden
        )
        j[:, :, blocks[1]] = db
        j[:, :, blocks[2].ravel()] = (h[:, None, :, None] * eye[:, None, :]).reshape(
            n, classes, hidden * classes
        )
        j[:, :, blocks[3]] = eye
        return (last.forward(h)[0] - t).ravel(), j.reshape(n * classes, len(x))

    return f
