"""Second order by hand: Hessian-vector products of the losses and objectives, over the logits and
over the input.

Over the logits each is a formula. Over the input it is forward-over-reverse (Pearlmutter 1994, the
R-operator): push the direction v through the network beside x, and pull the gradient's own
derivative back beside the gradient. No graph, no H. A Hessian is symmetric: the product is its own
vector-Jacobian product, and refimpl.gradcheck checks it as such.
"""

from collections.abc import Callable

import numpy as np

from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.losses import check_labels, softmax
from refimpl.network import Network


def _check(z, v, labels=None, name="classes"):
    """Raise ValueError unless v is of z's shape, and the labels, if any, are N integers in [0, K):
    what is broadcast, or counted from the end, is another function's product.
    """
    if np.shape(v) != np.shape(z):
        raise ValueError(f"v: expected shape {np.shape(z)}, got {np.shape(v)}")
    if labels is not None:
        check_labels(labels := np.asarray(labels), z.shape[-1], name=name)
        if len(labels) != z.shape[-2]:
            found = len(labels)
            raise ValueError(f"{name}: expected {z.shape[-2]} labels, one an image, got {found}")


def covariance_product(p: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(diag p_n - p_n p_n') v_n for each row: the Jacobian of softmax, applied. (N, K), (N, K) ->
    (N, K).

    >>> covariance_product(np.array([[0.5, 0.5, 0.0]]), np.array([[1.0, -1.0, 7.0]])).tolist()
    [[0.5, -0.5, 0.0]]
    """
    _check(p, v)
    return p * (v - (p * v).sum(axis=1, keepdims=True))


def cross_entropy_hvp(
    z: np.ndarray, target: np.ndarray, v: np.ndarray, *, temperature: float = 1.0
) -> np.ndarray:
    """H v of losses.cross_entropy over z: (sum_c t_nc) (diag p_n - p_n p_n') v_n / (N T^2), p_n =
    softmax(z_n / T).

    z, v (N, K); target: labels (N,) or probabilities (N, K), of which only the sums matter. Returns
    (N, K).

    >>> cross_entropy_hvp(np.zeros((1, 2)), np.array([1]), np.array([[1.0, 0.0]])).tolist()
    [[0.25, -0.25]]
    """
    _check(z, v, *((target, "target") if np.ndim(target) == 1 else ()))
    if np.ndim(target) != 1 and np.shape(target) != z.shape:
        raise ValueError(f"target: expected labels or shape {z.shape}, got {np.shape(target)}")
    if not temperature > 0:
        raise ValueError(f"temperature: expected a positive number, got {temperature!r}")
    mass = 1 if np.ndim(target) == 1 else np.sum(target, axis=1, keepdims=True)
    return mass * covariance_product(softmax(z / temperature), v) / (len(z) * temperature**2)


def squared_error_hvp(z: np.ndarray, target: np.ndarray, v: np.ndarray) -> np.ndarray:
    """H v of losses.squared_error over z: v / N. z, target, v (N, K) -> (N, K).

    >>> squared_error_hvp(np.zeros((2, 1)), np.zeros((2, 1)), np.array([[1.0], [3.0]])).tolist()
    [[0.5], [1.5]]
    """
    _check(z, v)
    if np.shape(target) != z.shape:
        raise ValueError(f"target: expected shape {z.shape}, got {np.shape(target)}")
    return v / len(z)


def logit_hvp(z: np.ndarray, classes: np.ndarray, v: np.ndarray) -> np.ndarray:
    """H v of the logit, and of the centred logit: zero, both are linear in z. z, v (N, K), classes
    (N,) -> (N, K).

    >>> logit_hvp(np.ones((1, 2)), np.array([0]), np.array([[1.0, 0.0]])).tolist()
    [[0.0, 0.0]]
    """
    _check(z, v, classes)
    return np.zeros_like(v)


def log_probability_hvp(z: np.ndarray, classes: np.ndarray, v: np.ndarray) -> np.ndarray:
    """H v of log softmax(z)_c: -(diag p - p p') v, whatever the class. z, v (N, K), classes (N,) ->
    (N, K).

    >>> log_probability_hvp(np.zeros((1, 2)), np.array([0]), np.array([[1.0, 0.0]])).tolist()
    [[-0.25, 0.25]]
    """
    _check(z, v, classes)
    return -covariance_product(softmax(z), v)


def probability_hvp(z: np.ndarray, classes: np.ndarray, v: np.ndarray) -> np.ndarray:
    """H v of p_c = softmax(z)_c: p_c (e (e'v) - (diag p - p p') v) with e = onehot_c - p.

    z, v (N, K), classes (N,) -> (N, K).

    >>> probability_hvp(np.log([[1.0, 3.0]]), np.array([0]), np.array([[1.0, 0.0]])).round(
    ...     3
    ... ).tolist()
    [[0.094, -0.094]]
    """
    _check(z, v, classes)
    p, rows = softmax(z), np.arange(len(z))
    e = -p
    e[rows, classes] += 1
    return p[rows, classes][:, None] * (
        e * (e * v).sum(axis=1, keepdims=True) - covariance_product(p, v)
    )


OBJECTIVE_HVPS = {
    "logit": logit_hvp,
    "centred_logit": logit_hvp,
    "probability": probability_hvp,
    "log_probability": log_probability_hvp,
}


def _bend(layer, out):
    """act''(x), from act(x): ReLU 0, Sigmoid s (1 - s) (1 - 2 s), Tanh -2 t (1 - t^2)."""
    if isinstance(layer, ReLU):
        return np.zeros_like(out)
    if isinstance(layer, Sigmoid):
        return out * (1 - out) * (1 - 2 * out)
    if isinstance(layer, Tanh):
        return -2 * out * (1 - out * out)
    raise ValueError(f"layer: expected ReLU, Sigmoid or Tanh, got {type(layer).__name__}")


def input_hvp(
    network: Network, x: np.ndarray, v: np.ndarray, *, gradient: Callable, hvp: Callable
) -> np.ndarray:
    """H v over the input of phi(x) = L(network(x)): the derivative of the input gradient along v.

        forward  x_{l+1} = layer(x_l),  v_{l+1} = J_l v_l        backward  g_l = J_l' g_{l+1},
                 q_l = J_l' q_{l+1} + act''(x_l) v_l g_{l+1}     at the logits g = dL(z), q = H_L v

    gradient(z) -> dz and hvp(z, v) -> H_L v, both (N, K). x, v (N, D). Layers: Affine, ReLU,
    Sigmoid, Tanh; the second derivative of ReLU is 0 wherever it exists. Raises ValueError on
    another layer. Returns (N, D).

    >>> net, x = Network((Affine(np.eye(1), np.zeros(1)), Tanh())), np.ones((1, 1))
    >>> input_hvp(net, x, x, gradient=np.ones_like, hvp=lambda z, v: 0 * v).round(
    ...     4
    ... ).tolist()  # tanh'' = -2 t (1 - t^2)
    [[-0.6397]]
    """
    _check(x, v)
    tape = []
    for layer in network.layers:
        out, cache = layer.forward(x)
        if isinstance(layer, Affine):
            bend, v_out = None, v @ layer.w
        else:  # element by element: J is diagonal, J v = J' v
            bend, v_out = v * _bend(layer, out), layer.backward(v, cache)[0]
        tape.append((layer, cache, bend))
        x, v = out, v_out
    g, q = gradient(x), hvp(x, v)
    for layer, cache, bend in reversed(tape):
        q_in = layer.backward(q, cache)[0]
        q = q_in if bend is None else q_in + bend * g
        g = layer.backward(g, cache)[0]
    return q
