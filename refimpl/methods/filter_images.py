"""Images for regime b: a base, the units' visualizations from it, and the few more that fix biases (and scales).

With W1 of rank h, x = (z1 - b1) W1^+ has the pre-activations z1 (`prescribed`), any z1. The counts, and why they are
enough: `refimpl.methods.extraction`.
"""

import numpy as np

from refimpl.layers import ReLU, Sigmoid

ROOM = 0.25  # a ReLU visualization uses this much less than what would shut a gate
SATURATED = {Sigmoid: 8.0}  # sigmoid(-40) = 4e-18; tanh(-20) + 1 = 0


def prescribed(first, z1):
    """The images of least norm with pre-activations z1 (N, h): (N, D). Exact if W1 has rank h."""
    return np.linalg.lstsq(first.w.T, (z1 - first.b).T, rcond=None)[0].T


def independent_groups(rows, most):
    """Split the rows (h, K) into groups of at most `most` independent ones, each chosen far from the span of the group:
    a list of lists. A row of zeros is in none."""
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    left, groups = [int(j) for j in np.flatnonzero(rows.any(axis=1))], []
    while left:
        group, rest = [], rows[left].copy()
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


def even_groups(rows, k):
    """`independent_groups` of about equal size, as many as with K at most: smaller ones are better conditioned."""
    count = len(independent_groups(rows, k))
    for most in range(-(-len(rows) // max(count, 1)), k + 1):
        groups = independent_groups(rows, most)
        if len(groups) <= count:
            return groups
    return independent_groups(rows, k)


def visualizations(first, base, scales):
    return np.vstack([base, base + scales[:, None] * first.w.T])


def relu_images(network):
    """h + 1 images with all gates open, one with all shut, and one for each group of units but the last."""
    first, _, last = network.layers
    norm = np.linalg.norm(first.w, axis=0)
    cosines = (first.w / norm).T @ (first.w / norm)
    reach = (1 - ROOM) / max(-cosines.min(), ROOM)  # of |w_k|: how far a visualization may push gate k back
    t = 2 / ROOM * np.abs(first.b / norm).max() + np.median(1 / norm)
    base = prescribed(first, t * norm[None])[0]
    groups = even_groups(last.w, last.w.shape[1])
    signs = np.full((len(groups), len(norm)), -1.0)
    for row, group in zip(signs[1:], groups):  # row 0: all shut; the last group follows from all open
        row[group] = 1
    return np.vstack([visualizations(first, base, reach * t / norm), prescribed(first, signs * t * norm)])


def smooth_images(network):
    """h + 1 images that saturate all units, and two for each group of units with z = -1 / 2, 1."""
    first, activation, last = network.layers
    norm = np.linalg.norm(first.w, axis=0)
    cosines = (first.w / norm).T @ (first.w / norm) - 2 * np.eye(len(norm))
    most = max(cosines.max(), 0)
    full = SATURATED.get(type(activation), 4.0)
    depth = (1 + most) / (1 - most) * full / norm.min()  # base at z_k = -depth |w_k|
    base = prescribed(first, -depth * norm[None])[0]
    groups = even_groups(last.w, last.w.shape[1])
    z1 = np.repeat(np.full((len(groups), len(norm)), -depth) * norm, 2, axis=0)
    for i, group in enumerate(groups):
        z1[2 * i, group], z1[2 * i + 1, group] = -0.5, 1.0
    return np.vstack([visualizations(first, base, (depth + full / norm) / norm), prescribed(first, z1)])


def ray_images(network, rng):
    """For W1 of lower rank, ReLU: the blank, T w_j / |w_j|, then T u for `more` random u, then twice all of them.

    T is so large that on every ray each gate stands as f_j x says, or nearly: 1,000 |b_j| / |w_j|.
    """
    first, _, _ = network.layers
    norm = np.linalg.norm(first.w, axis=0)
    more = rng.normal(size=(len(norm) // 2 + 2, len(norm))) @ (first.w / norm).T
    more /= np.linalg.norm(more, axis=1, keepdims=True)
    far = 1e3 * np.abs(first.b / norm).max() + np.median(1 / norm)
    rays = far * np.vstack([(first.w / norm).T, more])
    near = rng.normal(size=(len(norm), len(norm))) @ (first.w / norm).T * (np.abs(first.b / norm).max() + np.median(1 / norm))
    return np.vstack([np.zeros(len(first.w)), rays, 2 * rays, near])


def mixtures(network, count, rng):
    """For sigmoid and tanh with W1 of lower rank: the blank, the w_j, and random combinations with z1 of a few units."""
    first, _, _ = network.layers
    norm = np.linalg.norm(first.w, axis=0)
    mixed = rng.normal(size=(count, len(norm))) @ (first.w / norm).T
    mixed *= 2 * rng.random((count, 1)) / np.abs(mixed @ first.w).max(axis=1, keepdims=True) * 2
    return np.vstack([np.zeros(len(first.w)), (first.w / norm**2).T, mixed])
