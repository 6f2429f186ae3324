"""Recovery: a student gets a hidden-layer network back from images and targets. It never sees the teacher.

The images are those of `refimpl.methods.extraction`; the proofs are in its docstring. Regime a: least squares layer by
layer on hidden pre-activations (`from_preactivations`) or activations (`from_activations`). Regime b: logits only, the
first images are filters (`from_filters`): linear systems in turn, then Levenberg-Marquardt where they do not fit.
Permutation of the hidden units is fixed by the order of hints and filters; the scale of a ReLU unit, in regime b, is
that of its filter.
"""

import numpy as np

from refimpl.layers import Affine, ReLU, Sigmoid
from refimpl.methods.least_squares import levenberg_marquardt
from refimpl.network import Network
from refimpl.theory import augmented

FITS = 1e-12  # relative residual from which no descent is needed


def regress(x, target):
    """The Affine layer of least norm that fits target (N, K) on x (N, D)."""
    theta = np.linalg.lstsq(augmented(x), target, rcond=None)[0]
    return Affine(theta[:-1], theta[-1])


def checked(images, *targets):
    """All as float64 matrices of equal length."""
    arrays = [np.asarray(v, np.float64) for v in (images, *targets)]
    for name, v in zip(["images", *["targets"] * len(targets)], arrays):
        if v.ndim != 2 or len(v) != len(arrays[0]) or len(v) == 0 or not np.isfinite(v).all():
            raise ValueError(f"{name}: expected finite numbers of shape (N, ...), N = {len(arrays[0])}, got {v.shape}")
    return arrays


def from_preactivations(images, logits, hidden, *, activation):
    """Regime a: W_l, b_l by least squares from the activations below to the pre-activations z_l above, layer by layer.

    images (N, D), logits (N, K), hidden: z_1 (N, H) or a tuple (z_1, z_2, ...). activation: the student's, a layer.
    Returns a Network. Raises ValueError on shapes that do not fit and on numbers that are not finite.

    >>> x, z1 = np.array([[0.0], [2.0], [-1.0]]), np.array([[1.0, -1.0], [3.0, 3.0], [0.0, -3.0]])
    >>> net = from_preactivations(x, np.array([[1.5], [-5.5], [0.5]]), z1, activation=ReLU())
    >>> [p.round(9).tolist() for p in net.parameters]
    [[[1.0, 2.0]], [1.0, -1.0], [[1.0], [-3.0]], [0.5]]
    """
    below, *above = checked(images, *(hidden if isinstance(hidden, tuple) else (hidden,)), logits)
    layers = []
    for z in above:
        layers += [regress(below, z), activation]
        below = activation.forward(z)[0]
    return Network(tuple(layers[:-1]))


def from_activations(images, logits, hidden, *, activation):
    """Regime a with activations (N, H) as hints: sigmoid and tanh are inverted; of a ReLU unit only the images where it
    is open count, for a shut one says no more than z <= 0.

    Raises ValueError where an activation is out of the range of act, or saturated, so that it has no inverse.
    """
    x, a, z = checked(images, hidden, logits)
    if not isinstance(activation, ReLU):
        return from_preactivations(x, z, inverse(a, activation), activation=activation)
    w, b = np.zeros((x.shape[1], a.shape[1])), np.zeros(a.shape[1])
    for pattern in np.unique(a > 0, axis=1).T:
        units = np.flatnonzero(((a > 0) == pattern[:, None]).all(axis=0))
        if pattern.any():
            layer = regress(x[pattern], a[pattern][:, units])
            w[:, units], b[units] = layer.w, layer.b
    return Network((Affine(w, b), activation, regress(a, z)))


def inverse(a, activation):
    """z with act(z) = a, sigmoid or tanh."""
    low = 0.0 if isinstance(activation, Sigmoid) else -1.0
    if not ((a > low) & (a < 1)).all():
        raise ValueError(f"hidden: expected numbers between {low:g} and 1, got {a.min()!r} to {a.max()!r}")
    return np.log(a / (1 - a)) if low == 0 else np.arctanh(a)


def slope_rows(g):
    """ReLU with gates open where g (N, h) > 0: the rows (gates g, gates, 1), (N, 2h + 1), in which z is linear:
    z = sum over open gates of g_j w2_j + (b_j w2_j) + b2, the products b_j w2_j taken for unknowns of their own."""
    return np.hstack([np.maximum(g, 0), g > 0, np.ones((len(g), 1))])


def bias_rows(g, w2):
    """The same with w2 (h, K) known, (N K, h + K): z - sum of g_j w2_j = sum over open gates of b_j w2_j + b2."""
    n, k = len(g), w2.shape[1]
    open_rows = (g > 0)[:, None, :] * w2.T  # (N, K, h)
    return np.concatenate([open_rows, np.broadcast_to(np.eye(k), (n, k, k))], axis=2).reshape(n * k, -1)


def relu_start(g, logits):
    """(b, W2, b2) by the two linear systems, gates taken to be open where g > 0."""
    h = g.shape[1]
    w2 = np.linalg.lstsq(slope_rows(g), logits, rcond=None)[0][:h]
    left = (logits - np.maximum(g, 0) @ w2).ravel()
    rest = np.linalg.lstsq(bias_rows(g, w2), left, rcond=None)[0]
    return rest[:h], w2, rest[h:]


def smooth_start(g, logits, activation):
    """(scales a, b, W2, b2) for act(a_j g_j + b_j): the base saturates all units low, visualization j turns unit j high,
    and on every other image a unit is as low as on the base or somewhere in between.

    The former give W2 and b2; the latter give act of up to K units each; two such values give a unit's scale and bias.
    Raises ValueError where that is not so.
    """
    low, high = activation.forward(np.array([-1e3, 1e3]))[0]
    h = g.shape[1]
    last = regress(np.vstack([np.zeros(h), np.eye(h)]) * (high - low) + low, logits[: h + 1])
    between = (g - g[0]) / (np.diag(g[1:]) - g[0]) > 0.25  # base 0, its own visualization 1
    between[: h + 1] = False
    values = np.zeros(g.shape)
    for n in np.flatnonzero(between.any(axis=1)):
        s = between[n]
        left = logits[n] - last.b - low * last.w[~s].sum(axis=0)
        values[n, s] = np.linalg.lstsq(last.w[s].T, left, rcond=None)[0]
    a, b = np.zeros(h), np.zeros(h)
    for j in range(h):
        rows = between[:, j]
        if rows.sum() < 2:
            raise ValueError(f"images: unit {j} is unsaturated on {rows.sum()} images, expected at least 2")
        line = regress(g[rows, j : j + 1], inverse(values[rows, j : j + 1], activation))
        a[j], b[j] = line.w[0, 0], line.b[0]
    return a, b, last.w, last.b


def unpack(theta, h, k, scaled):
    """theta -> (a (h,), b (h,), W2 (h, K), b2 (K,)); a = 1 unless scaled."""
    a, theta = (theta[:h], theta[h:]) if scaled else (np.ones(h), theta)
    return a, theta[:h], theta[h : h + h * k].reshape(h, k), theta[h + h * k :]


def problem(g, logits, activation):
    """theta -> (residuals (N K,), Jacobian (N K, n)) of z = act(a g + b) W2 + b2, a free for sigmoid and tanh."""
    (n, h), k, scaled = g.shape, logits.shape[1], not isinstance(activation, ReLU)

    def residuals_and_jacobian(theta):
        a, b, w2, b2 = unpack(theta, h, k, scaled)
        out, cache = activation.forward(a * g + b)
        slope = activation.backward(np.ones_like(out), cache)[0]
        db = slope[:, None, :] * w2.T  # (N, K, h)
        dw2 = out[:, None, :, None] * np.eye(k)[:, None, :]  # (N, K, h, K)
        parts = [db * g[:, None, :]] * scaled + [db, dw2.reshape(n, k, h * k), np.broadcast_to(np.eye(k), (n, k, k))]
        return (out @ w2 + b2 - logits).ravel(), np.concatenate(parts, axis=2).reshape(n * k, -1)

    return residuals_and_jacobian


def rough_start(g, logits, activation):
    """Scales that spread a g over about [-1, 1], no biases, W2 and b2 by least squares."""
    a = 1 / np.maximum(g.std(axis=0), 1e-300)
    last = regress(activation.forward(a * g)[0], logits)
    return (a, np.zeros(len(a)), last.w, last.b) if not isinstance(activation, ReLU) else (
        np.zeros(len(a)), *(v for v in (regress(np.maximum(g, 0), logits).w, last.b)))


def from_filters(images, logits, filters, *, activation, steps=300):
    """Regime b: images 1 ... `filters` minus image 0 are the filters f_j, the directions of the student's W1.

    images (N, D), logits (N, K). The linear systems of `relu_start` or `smooth_start` give the other numbers if the
    images are made for that; where they do not fit, Levenberg-Marquardt, `steps` at most, from there and from a rough
    start. Returns (Network, relative residual): a residual far above 1e-12 says that the student is not the teacher.
    Raises ValueError on shapes that do not fit and on numbers that are not finite.
    """
    x, z = checked(images, logits)
    if not 1 <= filters < len(x):
        raise ValueError(f"filters: expected 1 to {len(x) - 1}, got {filters!r}")
    w = (x[1 : filters + 1] - x[0]).T  # (D, h)
    g = x @ w
    fit = problem(g, z, activation)
    starts = [relu_start] if isinstance(activation, ReLU) else [lambda g, z: smooth_start(g, z, activation)]
    best, size = None, max(np.linalg.norm(z), 1e-300)
    for start in (*starts, lambda g, z: rough_start(g, z, activation)):
        try:
            theta = np.concatenate([np.ravel(p) for p in start(g, z)])
        except ValueError:
            continue
        residual = np.linalg.norm(fit(theta)[0]) / size
        if residual > FITS:
            theta, history, _ = levenberg_marquardt(fit, theta, steps=steps, tol=0.1 * FITS / residual)
            residual = np.sqrt(2 * history[-1]) / size
        if best is None or residual < best[0]:
            best = residual, theta
        if residual <= FITS:
            break
    residual, theta = best
    a, b, w2, b2 = unpack(theta, filters, z.shape[1], not isinstance(activation, ReLU))
    return Network((Affine(w * a, b), activation, Affine(w2, b2))), float(residual)
