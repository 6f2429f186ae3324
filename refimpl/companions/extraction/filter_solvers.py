"""The student's side of the regime filters: numbers of a network from filters, images and
logits, by linear systems in turn.

x (N, D) images, f (D, h) filters, the directions of W1; x[0] is the base and x[1 ... h] = x[0] +
f_j; logits (N, K) of the images. Which kind these are
(`refimpl.companions.extraction.filter_images`) the base shows: the blank or not. A solver returns
Numbers, (a (h,), b (h,), W2 (h, K), b2 (K,)) of the student z = act(a (x f) + b) W2 + b2; a = 1 for
ReLU, whose scale goes into W2.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from refimpl.layers import Affine, ReLU, Sigmoid
from refimpl.theory import augmented

Numbers = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
FLAT = 1e-3  # an image whose cosine with a filter is below this does not saturate the unit


def regress(x: np.ndarray, target: np.ndarray) -> Affine:
    """The Affine layer of least norm that fits target (N, K) on x (N, D).

    >>> layer = regress(np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]]))
    >>> layer.w.round(9).tolist(), layer.b.round(9).tolist()
    ([[2.0]], [1.0])
    """
    theta = np.linalg.lstsq(augmented(x), target, rcond=None)[0]
    return Affine(theta[:-1], theta[-1])


def inverse(a: np.ndarray, activation: Any) -> np.ndarray:
    """z with act(z) = a, sigmoid or tanh, of any shape. Raises ValueError where an a is no value of
    act.

    >>> from refimpl.layers import Sigmoid, Tanh
    >>> inverse(np.array([0.5]), Sigmoid()).tolist(), inverse(np.array([0.0]), Tanh()).tolist()
    ([0.0], [0.0])
    """
    low = 0.0 if isinstance(activation, Sigmoid) else -1.0
    if not ((a > low) & (a < 1)).all():
        raise ValueError(
            f"a: expected numbers between {low:g} and 1, got {a.min()!r} to {a.max()!r}"
        )
    return np.log(a / (1 - a)) if low == 0 else np.arctanh(a)


def slope_rows(g: np.ndarray) -> np.ndarray:
    """ReLU with gates open where g (N, h) > 0: the rows (gates g, gates, 1), (N, 2h + 1), in which
    z is linear: z = sum over open gates of g_j w2_j + (b_j w2_j) + b2, the products b_j w2_j taken
    for unknowns.

    >>> slope_rows(np.array([[2.0, -1.0]])).tolist()
    [[2.0, 0.0, 1.0, 0.0, 1.0]]
    """
    return np.hstack([np.maximum(g, 0), g > 0, np.ones((len(g), 1))])


def bias_rows(g: np.ndarray, w2: np.ndarray) -> np.ndarray:
    """The same with w2 (h, K) known, (N K, h + K): z - sum of g_j w2_j = sum over open gates of b_j
    w2_j + b2.

    >>> bias_rows(np.array([[2.0, -1.0]]), np.array([[3.0], [4.0]])).tolist()
    [[3.0, 0.0, 1.0]]
    """
    n, k = len(g), w2.shape[1]
    open_rows = (g > 0)[:, None, :] * w2.T  # (N, K, h)
    return np.concatenate([open_rows, np.broadcast_to(np.eye(k), (n, k, k))], axis=2).reshape(
        n * k, -1
    )


def relu_open(x: np.ndarray, f: np.ndarray, logits: np.ndarray) -> Numbers:
    """Base that opens all gates; a gate counts as open where x f_j > 0. `slope_rows` give W2,
    `bias_rows` b and b2.

    >>> x, f = np.array([[3.0], [4.0], [-3.0]]), np.ones((1, 1))  # of z = 2 relu(x + 1) + 1/2
    >>> [v.round(6).tolist() for v in relu_open(x, f, np.array([[8.5], [10.5], [0.5]]))]
    [[1.0], [1.0], [[2.0]], [0.5]]
    """
    g = x @ f
    w2 = np.linalg.lstsq(slope_rows(g), logits, rcond=None)[0][: g.shape[1]]
    left = (logits - np.maximum(g, 0) @ w2).ravel()
    rest = np.linalg.lstsq(bias_rows(g, w2), left, rcond=None)[0]
    return np.ones(g.shape[1]), rest[: g.shape[1]], w2, rest[g.shape[1] :]


def relu_lines(x: np.ndarray, f: np.ndarray, logits: np.ndarray) -> Numbers:
    """Blank base: four images on a normal of each boundary, where two lines in x f_j meet: b_j;
    then W2 and b2.

    Raises ValueError on fewer than 5 h + 1 images and where two next to each other have one x f_j.

    >>> x, f = np.array([[0.0], [1.0], [1.0], [1.5], [2.5], [3.0]]), np.ones((1, 1))
    >>> [v.round(6).tolist() for v in relu_lines(x, f, 2 * np.maximum(x - 2, 0) + 0.5)]
    [[1.0], [-2.0], [[2.0]], [0.5]]
    """
    g = x @ f
    h = g.shape[1]
    if len(x) < 5 * h + 1:
        raise ValueError(f"images: expected at least {5 * h + 1}, got {len(x)}")
    at = g[h + 1 : 5 * h + 1].reshape(h, 4, h)[np.arange(h), :, np.arange(h)]  # (h, 4)
    if not np.diff(at, axis=1).all():
        raise ValueError("images: expected four different ones on a normal of each boundary")
    z = logits[h + 1 : 5 * h + 1].reshape(h, 4, -1)
    left, right = ((z[:, i + 1] - z[:, i]) / (at[:, i + 1] - at[:, i])[:, None] for i in (0, 2))
    turn = right - left
    gap = (
        z[:, 2] - z[:, 1] - left * (at[:, 2] - at[:, 1])[:, None]
    )  # of z at the third image from the left line
    back = (gap * turn).sum(axis=1) / np.maximum((turn * turn).sum(axis=1), 1e-300)
    b = back - at[:, 2]
    last = regress(np.maximum(g + b, 0), logits)
    return np.ones(h), b, last.w, last.b


def saturation(
    x: np.ndarray, f: np.ndarray, activation: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(images that saturate all units (N,), units left unsaturated on the other ones (N, h),
    activations else (N, h)).

    Base not blank: it saturates all units low, visualization j turns unit j high, and on every
    other image a unit is as low as on the base or in between. Blank: the visualizations say
    nothing; every other image is so far out that it saturates all units but those it is orthogonal
    to.

    >>> from refimpl.layers import Sigmoid
    >>> x, f = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [90.0, 0.0], [0.0, 90.0]]), np.eye(2)
    >>> far, left, others = saturation(x, f, Sigmoid())
    >>> far.shape, left.shape, others.shape
    ((5,), (5, 2), (5, 2))
    """
    low, high = activation.forward(np.array([-1e3, 1e3]))[0]
    g, h = x @ f, f.shape[1]
    if x[0].any():
        known = np.full(g.shape, low)
        known[1 : h + 1][np.eye(h, dtype=bool)] = high
        between = (g - g[0]) / (np.diag(g[1:]) - g[0]) > 0.25  # base 0, its own visualization 1
        between[: h + 1] = False
        return ~between.any(axis=1), between, known
    known = np.where(g > 0, high, low)
    between = np.abs(g) < FLAT * np.linalg.norm(x, axis=1, keepdims=True) * np.linalg.norm(
        f, axis=0
    )
    plain = ~between.any(axis=1)
    plain[: h + 1], between[: h + 1] = False, False
    return plain, between, known


def smooth(x: np.ndarray, f: np.ndarray, logits: np.ndarray, activation: Any) -> Numbers:
    """Saturated images give W2 and b2; the other ones act of up to K units each; two such values a
    scale and a bias.

    Raises ValueError on a filter that is zero, where no image saturates all units, and on a unit
    that is unsaturated on fewer than two.

    >>> x, f = np.array([[-50.0], [50.0], [-0.5], [1.0]]), np.ones((1, 1))
    >>> [v.round(6).tolist() for v in smooth(x, f, 2 / (1 + np.exp(-x - 0.5)) + 1, Sigmoid())]
    [[1.0], [0.5], [[2.0]], [1.0]]
    """
    if not f.any(axis=0).all():
        raise ValueError("images: expected every visualization to differ from the base")
    plain, between, known = saturation(x, f, activation)
    g, h = x @ f, f.shape[1]
    if not plain.any():
        raise ValueError("images: expected some that saturate all units")
    last = regress(known[plain], logits[plain])
    values = np.zeros(g.shape)
    for n in np.flatnonzero(between.any(axis=1)):
        s = between[n]
        left = logits[n] - last.b - known[n, ~s] @ last.w[~s]
        values[n, s] = np.linalg.lstsq(last.w[s].T, left, rcond=None)[0]
    a, b = np.zeros(h), np.zeros(h)
    for j in range(h):
        rows = between[:, j]
        if rows.sum() < 2:
            raise ValueError(
                f"images: unit {j} is unsaturated on {rows.sum()} images, expected at least 2"
            )
        line = regress(g[rows, j : j + 1], inverse(values[rows, j : j + 1], activation))
        a[j], b[j] = line.w[0, 0], line.b[0]
    return a, b, last.w, last.b


def rough(x: np.ndarray, f: np.ndarray, logits: np.ndarray, activation: Any) -> Numbers:
    """For any images: scales that give a (x f) the standard deviation 1 (ReLU: 1), b = 0, W2 and b2
    by least squares.

    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(20, 6, 3, rng=np.random.default_rng(0))
    >>> x = np.random.default_rng(1).random((9, 20))
    >>> [np.shape(v) for v in rough(x, net.layers[0].w, net.logits(x), ReLU())]
    [(6,), (6,), (6, 3), (3,)]
    """
    g = x @ f
    a = (
        np.ones(g.shape[1])
        if isinstance(activation, ReLU)
        else 1 / np.maximum(g.std(axis=0), 1e-300)
    )
    last = regress(activation.forward(a * g)[0], logits)
    return a, np.zeros(len(a)), last.w, last.b


def solved(x: np.ndarray, f: np.ndarray, logits: np.ndarray, activation: Any) -> Numbers:
    """The solver for these images: `relu_open`, `relu_lines` or `smooth`. ValueError if they are
    not made for it.

    >>> from refimpl.companions.extraction.filter_images import filter_images
    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(20, 6, 3, rng=np.random.default_rng(0))
    >>> x = filter_images(net, np.random.default_rng(1))
    >>> a, b, w2, b2 = solved(x, net.layers[0].w, net.logits(x), ReLU())
    >>> float(np.abs(w2 - net.layers[2].w).max().round(9))
    0.0
    """
    if isinstance(activation, ReLU):
        return (relu_open if x[0].any() else relu_lines)(x, f, logits)
    return smooth(x, f, logits, activation)


def unpack(theta: np.ndarray, h: int, k: int, scaled: bool) -> Numbers:
    """Numbers of a flat vector theta (n,): a (h,), b (h,), W2 (h, k), b2 (k,); a = 1, and not in
    theta, unless scaled.

    >>> [v.tolist() for v in unpack(np.arange(5.0), 2, 1, False)]
    [[1.0, 1.0], [0.0, 1.0], [[2.0], [3.0]], [4.0]]
    """
    a, theta = (theta[:h], theta[h:]) if scaled else (np.ones(h), theta)
    return a, theta[:h], theta[h : h + h * k].reshape(h, k), theta[h + h * k :]


def problem(g: np.ndarray, logits: np.ndarray, activation: Any) -> Callable:
    """theta -> (residuals (N K,), Jacobian (N K, n)) of z = act(a g + b) W2 + b2, a free for
    sigmoid and tanh.

    g (N, h) is x f, logits (N, K) what z should be; theta as in unpack. What levenberg_marquardt
    takes.

    >>> f = problem(np.array([[1.0, -1.0]]), np.array([[3.0]]), ReLU())
    >>> residuals, jacobian = f(np.array([0.0, 0.0, 2.0, 5.0, 0.5]))
    >>> residuals.tolist(), jacobian.tolist()
    ([-0.5], [[2.0, 0.0, 1.0, 0.0, 1.0]])
    """
    (n, h), k, scaled = g.shape, logits.shape[1], not isinstance(activation, ReLU)

    def residuals_and_jacobian(theta):
        a, b, w2, b2 = unpack(theta, h, k, scaled)
        out, cache = activation.forward(a * g + b)
        slope = activation.backward(np.ones_like(out), cache)[0]
        db = slope[:, None, :] * w2.T  # (N, K, h)
        dw2 = out[:, None, :, None] * np.eye(k)[:, None, :]  # (N, K, h, K)
        parts = [db * g[:, None, :]] * scaled + [
            db,
            dw2.reshape(n, k, h * k),
            np.broadcast_to(np.eye(k), (n, k, k)),
        ]
        return (out @ w2 + b2 - logits).ravel(), np.concatenate(parts, axis=2).reshape(n * k, -1)

    return residuals_and_jacobian
