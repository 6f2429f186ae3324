"""Images for the regime filters: a base, the units' visualizations from it, and the few more
that fix biases (and scales).

With W1 of rank h, x = (z1 - b1) W1^+ has the pre-activations z1 (`prescribed`), any z1:
`relu_images`, `smooth_images`. For W1 of lower rank (h > D, opposite units) the base is the blank:
`line_images`, `far_images`. Which is which the student sees by the base. Images are (N, D), the
base first. How many, and why that is enough: `refimpl.companions.extraction.extraction`.
"""

from typing import Any

import numpy as np

from refimpl.companions.extraction.filter_solvers import FLAT
from refimpl.companions.extraction.ranks import additions
from refimpl.companions.extraction.units import survey
from refimpl.layers import Affine, ReLU, Sigmoid
from refimpl.network import Network
from refimpl.theory import augmented

ROOM = 0.25  # a ReLU visualization uses this much less than what would shut a gate


def _full(activation: Any) -> float:
    """z from which on the activation is saturated to the last bit: sigmoid(-40) = 4e-18,
    tanh(20) = 1.
    """
    return 40.0 if isinstance(activation, Sigmoid) else 20.0


def typical_norm(first: Affine) -> float:
    """The norm at which weights and biases of a typical unit count alike: the median of (1 + |b_j|)
    / |w_j|.

    >>> from refimpl.layers import Affine
    >>> typical_norm(Affine(np.array([[3.0, 0.0], [4.0, 2.0]]), np.array([1.0, 0.0])))
    0.45
    """
    return float(np.median((1 + np.abs(first.b)) / np.linalg.norm(first.w, axis=0)))


def prescribed(first: Affine, z1: np.ndarray) -> np.ndarray:
    """The images of least norm with pre-activations z1 (N, h): (N, D). Exact if W1 has rank h.

    >>> from refimpl.layers import Affine
    >>> prescribed(Affine(np.array([[2.0], [0.0]]), np.array([1.0])), np.array([[5.0]])).tolist()
    [[2.0, 0.0]]
    """
    return np.linalg.lstsq(first.w.T, (z1 - first.b).T, rcond=None)[0].T


def hidden_visualizations(
    w: np.ndarray, scales: np.ndarray, start: np.ndarray | float = 0.0
) -> np.ndarray:
    """start + s_j w_j: the end of ascending z1_j from `start` in steps of lr that sum to s_j. (D,
    h), (h,) -> (h, D).

    >>> from refimpl.optimize import ascend
    >>> w = np.array([[1.0, -2.0], [3.0, 0.5]])
    >>> x, _ = ascend(lambda x, step: (np.diag(x @ w), w.T), np.zeros((2, 2)), steps=10, lr=0.05)
    >>> bool(np.allclose(x, hidden_visualizations(w, np.array([0.5, 0.5])), rtol=1e-14))
    True
    """
    return start + scales[:, None] * w.T


def visualizations(first: Affine, base: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The base (D,) and the hidden visualizations base + s_j w_j, scales (h,): (h + 1, D).

    >>> from refimpl.layers import Affine
    >>> visualizations(Affine(np.eye(2), np.zeros(2)), np.zeros(2), np.array([1.0, 3.0])).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]]
    """
    return np.vstack([base, hidden_visualizations(first.w, scales, base)])


def independent_groups(rows: np.ndarray, most: int) -> list[list[int]]:
    """Split the rows (h, K) into groups of at most `most` independent ones, each chosen far from
    the span of the others of its group: a list of lists. Rows of zeros are in none.

    >>> independent_groups(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]), 2)
    [[0, 2], [1]]
    """
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    left, groups = np.flatnonzero(rows.any(axis=1)).tolist(), []
    while left:
        group: list[int] = []
        rest = rows[left]
        while len(group) < min(most, len(left)):
            size = np.linalg.norm(rest, axis=1)
            i = int(size.argmax())
            if size[i] < 1e-3:
                break
            group.append(left[i])
            q = rest[i] / size[i]
            rest = rest - np.outer(rest @ q, q)
            rest[i] = 0
        groups.append(sorted(group))
        left = [j for j in left if j not in group]
    return groups


def even_groups(rows: np.ndarray) -> list[list[int]]:
    """As few `independent_groups` of rows (h, K) as with K at most, of about equal size: smaller
    ones are better conditioned.

    >>> even_groups(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]))
    [[0, 1], [2, 3]]
    """
    h, k = rows.shape
    fewest = independent_groups(rows, k)
    for most in range(-(-h // max(len(fewest), 1)), k):
        groups = independent_groups(rows, most)
        if len(groups) == len(fewest):
            return groups
    return fewest


def all_open(first: Affine) -> tuple[np.ndarray, float]:
    """(base and visualizations with all gates open (h + 1, D), t): z1_k = t |w_k| on the base. W1
    of rank h.

    >>> from refimpl.layers import Affine
    >>> first = Affine(np.array([[3.0, 0.0], [4.0, 2.0]]), np.array([1.0, 0.0]))
    >>> images, t = all_open(first)
    >>> images.shape, bool((images @ first.w + first.b > 0).all())
    ((3, 2), True)
    """
    norm = np.linalg.norm(first.w, axis=0)
    cosines = (first.w / norm).T @ (first.w / norm)
    reach = (1 - ROOM) / max(
        -cosines.min(), ROOM
    )  # of t |w_k|: how far a visualization may push gate k back
    t = 2 / ROOM * np.abs(first.b / norm).max() + np.median(1 / norm)
    return visualizations(first, prescribed(first, t * norm[None])[0], reach * t / norm), t


def relu_images(network: Network) -> np.ndarray:
    """`all_open`, one image with all gates shut, and one for each group of units but the last: h +
    1 + ceil(h / K).

    >>> from refimpl.network import one_hidden_net
    >>> relu_images(one_hidden_net(20, 6, 3, rng=np.random.default_rng(0))).shape
    (9, 20)
    """
    first, _, last = network.layers
    norm = np.linalg.norm(first.w, axis=0)
    x, t = all_open(first)
    groups = even_groups(last.w)
    signs = np.full((len(groups), len(norm)), -1.0)
    for row, group in zip(
        signs[1:], groups
    ):  # row 0: all shut; the last group follows from all open
        row[group] = 1
    return np.vstack([x, prescribed(first, signs * t * norm)])


def smooth_images(network: Network) -> np.ndarray:
    """h + 1 images that saturate all units, and two for each group of units with z = -1 / 2, 1: h +
    1 + 2 ceil(h / K).

    Base at z_k = -depth |w_k|; visualization j ends at z_j = `_full`, and unit k at most at
    -`_full`.

    >>> from refimpl.network import one_hidden_net
    >>> smooth_images(
    ...     one_hidden_net(20, 6, 3, rng=np.random.default_rng(0), activation=Sigmoid())
    ... ).shape
    (11, 20)
    """
    first, activation, last = network.layers
    norm = np.linalg.norm(first.w, axis=0)
    cosines = (first.w / norm).T @ (first.w / norm) - 2 * np.eye(len(norm))
    most = max(cosines.max(), 0)
    depth = (1 + most) / (1 - most) * _full(activation) / norm.min()
    groups = even_groups(last.w)
    z1 = np.repeat(np.full((len(groups), len(norm)), -depth) * norm, 2, axis=0)
    for i, group in enumerate(groups):
        z1[2 * i, group], z1[2 * i + 1, group] = -0.5, 1.0
    base = prescribed(first, -depth * norm[None])[0]
    return np.vstack(
        [
            visualizations(first, base, (depth + _full(activation) / norm) / norm),
            prescribed(first, z1),
        ]
    )


def line_images(network: Network, rng: np.random.Generator) -> np.ndarray:
    """ReLU, any W1: for every unit four images on a normal of its boundary, two on each side, no
    other gate in between; then some more until the activations have the rank of all functions of
    the units. 5 h + 1 and more.

    >>> from refimpl.network import one_hidden_net
    >>> len(
    ...     line_images(
    ...         one_hidden_net(2, 3, 2, rng=np.random.default_rng(0)), np.random.default_rng(1)
    ...     )
    ... ) >= 5 * 3 + 1
    True
    """
    first, activation, last = network.layers
    norm, size = np.linalg.norm(first.w, axis=0), typical_norm(first)
    normal = first.w / norm
    units = survey(first.w, first.b, last.w, activation)
    images = [visualizations(first, np.zeros(len(first.w)), size / norm)]
    for j in range(len(norm)):
        family = next(f for f in units.families if j in f)
        p = np.vstack([np.zeros(len(first.w)), size * rng.normal(size=(50, len(norm))) @ normal.T])
        p -= np.outer((p @ first.w[:, j] + first.b[j]) / norm[j], normal[:, j])  # onto the boundary
        z, speed = (
            np.delete(p @ first.w + first.b, family, axis=1),
            np.delete(first.w, family, axis=1).T @ normal[:, j],
        )
        free = np.abs(z / np.where(speed == 0, 1e-9, speed)).min(axis=1, initial=4 * size)
        best = np.argmax(free / (size + np.linalg.norm(p, axis=1)))
        images.append(
            p[best] + free[best] * np.array([[-0.5], [-0.25], [0.25], [0.5]]) * normal[:, j]
        )
    x = np.vstack(images)
    pool = rng.normal(size=(8 * len(norm), len(norm))) @ normal.T
    pool *= (
        size
        * 2.0 ** rng.uniform(-4, 3, (len(pool), 1))
        / np.linalg.norm(pool, axis=1, keepdims=True)
    )
    return np.vstack([x, pool[additions(network, x, pool, [units.dimension])]])


def far_images(network: Network, rng: np.random.Generator) -> np.ndarray:
    """sigmoid, tanh, W1 of any rank without parallel w_j: h + 1 images so far out that every unit
    is saturated, and for every unit two that are as far out along its boundary, with z_j = -1 / 2
    and 1: 4 h + 2.

    If no direction keeps clear of all boundaries but its own, the certificate says so.

    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(2, 3, 2, rng=np.random.default_rng(0), activation=Sigmoid())
    >>> far_images(net, np.random.default_rng(1)).shape
    (14, 2)
    """
    first, activation, _ = network.layers
    h, norm, size = first.w.shape[1], np.linalg.norm(first.w, axis=0), typical_norm(first)
    normal = first.w / norm

    def clear(v, but=()):
        """Directions of length 1 and the least |cosine| of each with a normal, those of `but`
        apart.
        """
        v = v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300)
        return v, np.abs(np.delete(v @ normal, but, axis=1)).min(axis=1, initial=1.0)

    u, cosine = clear(rng.normal(size=(400 * h, h)) @ normal.T)
    u, cosine = np.vstack([u, -u]), np.append(cosine, cosine)
    order = np.argsort(-cosine)
    _, clearest = np.unique(
        u[order] @ normal > 0, axis=0, return_index=True
    )  # of each pattern of signs
    order = order[clearest]
    order = order[np.argsort(-cosine[order])]
    u, cosine = u[order], cosine[order]
    chosen = _greedy(augmented(np.where(u @ normal > 0, 1.0, -1.0)), h + 1)
    least, along = [cosine[i] for i in chosen], []
    for j in range(h):
        v = rng.normal(size=(400, h)) @ normal.T
        v, cosine = clear(v - np.outer(v @ normal[:, j], normal[:, j]), [j])
        along.append(v[cosine.argmax()])
        least.append(cosine.max())
    far = max((_full(activation) + np.abs(first.b)) / norm) / max(
        min(least), 4 * FLAT
    ) + 2 / FLAT * max((1 + np.abs(first.b)) / norm)
    near = [
        (z - first.b[j]) / norm[j] * normal[:, j] + far * along[j]
        for j in range(h)
        for z in (-0.5, 1.0)
    ]
    return np.vstack(
        [visualizations(first, np.zeros(len(first.w)), size / norm), far * u[chosen], near]
    )


def _greedy(rows: np.ndarray, count: int) -> list[int]:
    """Up to `count` independent rows, the first possible ones: a list of indices."""
    chosen: list[int] = []
    basis = np.zeros((0, rows.shape[1]))
    for i, row in enumerate(rows):
        rest = row - basis.T @ (basis @ row)
        rest -= basis.T @ (basis @ rest)
        if np.linalg.norm(rest) > 1e-6 * np.linalg.norm(row):
            chosen.append(i)
            basis = np.vstack([basis, rest / np.linalg.norm(rest)])
        if len(chosen) == count:
            break
    return chosen


def filter_images(network: Network, rng: np.random.Generator) -> np.ndarray:
    """The images of the regime filters for a network without units that cannot be told apart
    (`units.merged`).

    >>> from refimpl.network import one_hidden_net
    >>> filter_images(
    ...     one_hidden_net(20, 6, 3, rng=np.random.default_rng(0)), np.random.default_rng(1)
    ... ).shape
    (9, 20)
    """
    first, activation, _ = network.layers
    h, relu = first.w.shape[1], isinstance(activation, ReLU)
    if not h:
        return np.zeros((2, len(first.w)))
    if np.linalg.matrix_rank(first.w / np.linalg.norm(first.w, axis=0), tol=1e-6) == h:
        return relu_images(network) if relu else smooth_images(network)
    return line_images(network, rng) if relu else far_images(network, rng)
