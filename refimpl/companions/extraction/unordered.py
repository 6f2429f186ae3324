"""Regime scratch of extraction: a network from an unordered set of (image, logits), from scratch.

The student knows the architecture (inputs - hidden - classes, the activation), the set, and nothing
else: which image belongs to which unit is not said, and its init is random. T12 found plain
training stuck in local minima at 200 images of 784-30-10. Two things help, one on each side.

The images (unordered_images; whoever extracts has the weights and no data). Along the rows of the
pseudo-inverse of W1 every pattern of hidden pre-activations can be had. In each image some units
are far out, half of them open and half shut, and all others stand just below the activation's bend:
sparse, independent patterns, of which the units are the sparse directions. This is what makes
independent component analysis identifiable (Comon 1994). For ReLU a Gaussian pattern does at 200
images too, where every unit is seen enough; with fewer it fails first.

The student (retrain_unordered) centres and whitens the images, in which coordinates the units of
such a set are nearly orthogonal; has twice the hidden units and weight decay falling to almost
nothing, which prefers few directions (refimpl.companions.extraction.wide_student); drops its spare
units; polishes by Levenberg-Marquardt. Its init is drawn in the whitened coordinates: random, but
in pixels it has the images' second moments. whiten=False is the strict reading, a random init
projected on the images' span and no more: ReLU students come back so too, sigmoid students do not.
Images rounded to 8 bits have a full span of noise, which whitening would blow up: they need another
student.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refimpl.companions.extraction.least_squares import levenberg_marquardt
from refimpl.companions.extraction.units import check
from refimpl.companions.extraction.wide_student import (
    fit,
    flatten,
    merge,
    residuals_and_jacobian,
    unpack,
)
from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network, one_hidden_net

# activation: (reach s, offset o): far units stand at -o + s u or -o - s u, u uniform in [.5, 1.5],
# all others at -o
PATTERNS = {ReLU: (3.0, 0.06), Sigmoid: (6.0, 2.0), Tanh: (3.0, 1.0)}
# the share of units that are far out in an image, where there are as many images as
# counting_heuristic says;
FAR = 0.2
# it rises with the square of their number up to MOST, from where the images see every unit's
# weights
MOST = 0.4
SWEEPS = 4  # over the signs, to balance them
ENOUGH = 1e-6  # a residual after which no other student is trained
LR = 0.01  # of the wide student
DECAY = 1e-2, 1e-5  # the first, to which it falls


def counting_heuristic(
    inputs_rank: int, hidden: int, classes: int, activation: Any = None
) -> float:
    """T12: free parameters over numbers an image: at least so many images must be needed, if their
    pixels tell nothing.

    ((inputs_rank + 1) hidden + (hidden + 1) classes) / classes; ReLU (the default) has `hidden`
    fewer, for each unit's scale can move between its layers. inputs_rank: of the images. A
    heuristic, not a bound: pixels may tell much.

    >>> counting_heuristic(30, 30, 10), counting_heuristic(30, 30, 10, Tanh())
    (121.0, 124.0)
    """
    scales = hidden if isinstance(activation or ReLU(), ReLU) else 0
    return ((inputs_rank + 1) * hidden + (hidden + 1) * classes - scales) / classes


def sparse_signs(count: int, hidden: int, far: int, rng: np.random.Generator) -> np.ndarray:
    """(count, hidden) entries 0, 1, -1, `far` not 0 in each row, each unit equally often (to one),
    signs balanced.

    The signs are flipped one by one, SWEEPS times over all, wherever that lowers the sum of squares
    of the columns' sums and scalar products: the nearer the columns are to orthogonal, the nearer
    whitening makes the units so.

    >>> signs = sparse_signs(4, 6, 3, np.random.default_rng(0))
    >>> np.abs(signs).sum(axis=1).tolist(), np.abs(signs).sum(axis=0).tolist()
    ([3.0, 3.0, 3.0, 3.0], [2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    """
    signs, used = np.zeros((count, hidden)), np.zeros(hidden)
    for row in signs:
        units = np.lexsort((rng.random(hidden), used))[:far]  # the least used, ties at random
        row[units] = rng.choice((-1.0, 1.0), far)
        used[units] += 1
    for n, j in list(zip(*np.nonzero(signs))) * SWEEPS:
        others = np.delete(np.hstack([signs, np.ones((count, 1))]), j, axis=1)
        products, change = signs[:, j] @ others, -2 * signs[n, j] * others[n]
        if change @ (2 * products + change) < 0:
            signs[n, j] *= -1
    return signs


def unordered_images(network: Network, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` images (count, D), made from a one-hidden-layer network's first layer alone, without
    data.

    x_n = (p_n - b1) W1^+, p (count, H) the pre-activations wanted: combinations of the hidden
    units' visualizations W1[:, j]. p = -o + s (sparse sign) (uniform in [.5, 1.5]), see PATTERNS:
    some units (FAR, two at least) are far out, the rest at -o, off the bend. A ReLU unit's H + 1
    numbers show only in the images that open it, a share far / 2H: many images may be so dense that
    all show, few must be sparse to be untangled, and decay then fills in the rest. p is met exactly
    where W1 has full column rank, else in least squares. Raises ValueError on another network or a
    bad count.

    >>> from refimpl.network import one_hidden_net
    >>> unordered_images(
    ...     one_hidden_net(20, 6, 3, rng=np.random.default_rng(0)), 40, np.random.default_rng(1)
    ... ).shape
    (40, 20)
    """
    check(network, 1)
    w, b = (p.astype(np.float64) for p in network.parameters[:2])
    if not (int(count) == count and count >= 2):
        raise ValueError(f"count: expected a whole number >= 2, got {count!r}")
    reach, offset = PATTERNS[type(network.layers[1])]
    ratio = count / counting_heuristic(len(b), len(b), network.classes, network.layers[1])
    far = min(len(b), max(2, round(min(MOST, FAR * ratio**2) * len(b))))
    signs = sparse_signs(int(count), len(b), far, rng)
    return (reach * signs * rng.uniform(0.5, 1.5, signs.shape) - offset - b) @ np.linalg.pinv(w)


@dataclass(frozen=True, eq=False)
class Student:
    """What retrain_unordered returns: the network; its residual |z - t| / |t| on the set; the
    residuals of the wide student, after merging, and at the end; the values of the wide student's
    descent (steps,); how many students were trained.

    >>> net, rng = one_hidden_net(4, 2, 3, rng=np.random.default_rng(0)), np.random.default_rng(1)
    >>> images = unordered_images(net, 20, rng)
    >>> found = retrain_unordered(images, net.logits(images), hidden=2, rng=rng, steps=20, short=2)
    >>> len(found.stages), found.residual == found.stages[-1], len(found.history), found.students
    (3, True, 20, 1)
    """

    network: Network
    residual: float
    stages: tuple[float, ...]
    history: np.ndarray
    students: int


def coordinates(
    images: np.ndarray, whiten: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """u (N, R), mean (D,), back (D, R) with u = (images - mean) back, R the rank of the centred
    images (N, D).

    whiten: u'u = N I; else back is an orthonormal basis of their span, divided by one number so
    that |u|^2 = N R.

    >>> u, mean, back = coordinates(np.array([[0.0, 1.0], [4.0, 1.0]]))
    >>> np.abs(u).round(6).tolist(), mean.tolist(), np.abs(back).round(6).tolist()
    ([[1.0], [1.0]], [2.0, 1.0], [[0.5], [0.0]])
    """
    mean = images.mean(axis=0)
    u, sigma, v = np.linalg.svd(images - mean, full_matrices=False)
    rank = int((sigma > max(images.shape) * np.finfo(float).eps * sigma[0]).sum())
    u, sigma, v = u[:, :rank], sigma[:rank], v[:rank]
    scale = sigma if whiten else np.sqrt((sigma**2).mean()) * np.ones(rank)
    root = np.sqrt(len(images))
    return u * (root * sigma / scale), mean, v.T * (root / scale)


def _relative_residual(network: Network, u: np.ndarray, t: np.ndarray) -> float:
    """|z(u) - t| / |t| of the logits on inputs u (N, D) and targets t (N, K)."""
    return float(np.linalg.norm(network.logits(u) - t) / np.linalg.norm(t))


def retrain_unordered(
    images: np.ndarray,
    logits: np.ndarray,
    *,
    hidden: int,
    rng: np.random.Generator,
    activation: Any = None,
    steps: int = 6_000,
    short: int = 150,
    polish: int = 10,
    students: int = 1,
    whiten: bool = True,
) -> Student:
    """A network with `hidden` units from an unordered set of images (N, D) and their logits (N, K),
    from scratch.

    The set is sorted first, so its order can tell nothing. In `coordinates` of the images, whitened
    or not, on logits divided by their root mean square: `steps` steps of Adam for 2 hidden units
    from the random init of one_hidden_net, decay falling over the first .8 of them; then one unit
    dropped and `short` steps, until `hidden` are left; 10 `short` steps with the decay falling to
    0; at most `polish` Levenberg-Marquardt steps. A tanh student is trained as the sigmoid network
    that it is: tanh z = 2 sigmoid(2z) - 1. students: up to so many are trained, until one has a
    residual of at most ENOUGH; the smallest residual wins. The student can see it: no test and no
    teacher is asked. Returns a Student (float64). Raises ValueError on bad images, logits,
    activation, hidden or students, FloatingPointError where a student diverges.

    >>> from refimpl.network import one_hidden_net
    >>> net, rng = one_hidden_net(10, 3, 4, rng=np.random.default_rng(0)), np.random.default_rng(1)
    >>> images = unordered_images(net, 60, rng)
    >>> found = retrain_unordered(images, net.logits(images), hidden=3, rng=rng, steps=600)
    >>> found.network.layers[0].w.shape, bool(found.residual < 1e-9)
    ((10, 3), True)
    """
    activation = ReLU() if activation is None else activation
    images, logits = _checked(images, logits)
    if type(activation) not in PATTERNS:
        raise ValueError(
            f"activation: expected {' or '.join(a.__name__ for a in PATTERNS)}, got {activation!r}"
        )
    if hidden < 1:
        raise ValueError(f"hidden: expected at least one, got {hidden!r}")
    if students < 1:
        raise ValueError(f"students: expected at least one, got {students!r}")
    order = np.lexsort(np.hstack([logits, images]).T)
    images, logits = images[order], logits[order]
    u, mean, back = coordinates(images, whiten)
    scale = np.sqrt((logits**2).mean())
    t = logits / scale
    like = Sigmoid() if isinstance(activation, Tanh) else activation
    tried: list[Student] = []
    while len(tried) < students and not any(s.residual <= ENOUGH for s in tried):
        tried.append(_one_student(u, t, hidden, like, rng, steps, short, polish))
    best = min(tried, key=lambda s: s.residual)
    first, _, last = best.network.layers
    w = back @ first.w
    layers = Affine(w, first.b - mean @ w), activation, Affine(scale * last.w, scale * last.b)
    network = tanh_of(Network(layers)) if isinstance(activation, Tanh) else Network(layers)
    return replace(best, network=network, students=len(tried))


def _checked(images, logits):
    images, logits = np.asarray(images, np.float64), np.asarray(logits, np.float64)
    if images.ndim != 2 or len(images) < 2:
        raise ValueError(f"images: expected shape (N, D) with N >= 2, got {images.shape}")
    if logits.ndim != 2 or len(logits) != len(images):
        raise ValueError(
            f"logits: expected shape ({len(images)}, K), one row an image, got {logits.shape}"
        )
    if not (np.isfinite(images).all() and np.isfinite(logits).all()):
        raise ValueError("images, logits: expected finite numbers, found NaN or infinity")
    if (images == images[0]).all() or not logits.any():
        raise ValueError(
            "images, logits: expected images that differ and logits that are not all zero"
        )
    return images, logits


def _one_student(u, t, hidden, activation, rng, steps, short, polish):
    start = one_hidden_net(u.shape[1], 2 * hidden, t.shape[1], rng=rng, activation=activation)
    wide, history = fit(start, u, t, steps=steps, lr=LR, decay=DECAY, until=0.8)
    merged = merge(wide, u, t, hidden, steps=short, lr=LR / 4, decay=DECAY[1])
    merged, _ = fit(merged, u, t, steps=10 * short, lr=LR / 2, decay=(DECAY[1], 0.0), until=0.5)
    x, _, _ = levenberg_marquardt(
        residuals_and_jacobian(merged, u, t), flatten(merged), steps=polish
    )
    end = merged.with_parameters(unpack(x, [p.shape for p in merged.parameters]))
    stages = tuple(_relative_residual(n, u, t) for n in (wide, merged, end))
    return Student(end, stages[-1], stages, history, 1)


def tanh_of(network: Network) -> Network:
    """The tanh network equal to Affine (w, b), sigmoid, Affine (v, c): (w/2, b/2), (v/2, c + sum_j
    v_j / 2).

    >>> net, x = (
    ...     one_hidden_net(2, 3, 2, rng=np.random.default_rng(0), activation=Sigmoid()),
    ...     np.ones((1, 2)),
    ... )
    >>> bool(np.allclose(tanh_of(net).logits(x), net.logits(x), rtol=0, atol=1e-12))
    True
    """
    first, _, last = network.layers
    return Network(
        (
            Affine(first.w / 2, first.b / 2),
            Tanh(),
            Affine(last.w / 2, last.b + last.w.sum(axis=0) / 2),
        )
    )
