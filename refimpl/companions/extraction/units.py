"""Hidden units that no images can tell apart, and how many functions the others span.

The functions 1 and act(w_j x + b_j), j = 1 ... h, of x in all of R^D are linearly independent
unless units repeat:
- tanh, sigmoid: independent if no (w_j, b_j) is another's or another's negative and no w_j is zero
  (Sussmann 1992 for tanh; sigmoid(z) = (1 + tanh(z / 2)) / 2), so they span 1 + g dimensions, g the
  number of pairs +-(w_j, b_j);
- ReLU: relu(z) = (z + |z|) / 2. The |z| of different hyperplanes are independent of each other and
  of affine functions (each alone has a kink on its own hyperplane); a hyperplane with units on both
  sides gives z as well. So g + rank of {1} and the z of two-sided hyperplanes, g the number of
  hyperplanes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network

SAME = 1e-13  # relative: closer units count as one
RANGE = 1e60  # the largest parameter of a network that can be surveyed


@dataclass(frozen=True)
class Units:
    """What is special about the hidden units of a layer; a partition of the units into families,
    and remarks.

    families: tuples of units with one boundary w x + b = 0 (smooth units: +-(w, b) equal), the
    sides in `sides`. sides: +1 or -1 for each unit, whether it is oriented as the first of its
    family; 0 where w_j = 0. constant: w_j = 0. dead: of these, relu(b_j) = 0. mute: the outgoing
    row is zero. parallel: families whose w point along one line, though b differs. shut, open:
    gates that never turn for x in [0, 1]^D (ReLU). dimension: of the span of 1 and the units'
    functions.

    >>> twins = survey(np.array([[1.0, 2.0]]), np.array([0.5, 1.0]), np.ones((2, 1)), ReLU())
    >>> twins.families, twins.remarks()[0]
    (((0, 1),), 'units 0, 1 share one boundary: only sums of their outgoing weights are determined')
    """

    families: tuple[tuple[int, ...], ...]
    sides: tuple[int, ...]
    constant: tuple[int, ...]
    dead: tuple[int, ...]
    mute: tuple[int, ...]
    parallel: tuple[tuple[int, ...], ...]
    shut: tuple[int, ...]
    open: tuple[int, ...]
    dimension: int

    def remarks(self) -> tuple[str, ...]:
        """What cannot be recovered, in words, one line each."""

        def names(units):
            return ", ".join(map(str, units))

        out = [
            f"units {names(f)} share one boundary: only sums of their outgoing weights are "
            f"determined"
            for f in self.families
            if len(f) > 1
        ]
        if self.constant:
            out.append(
                f"units {names(self.constant)} have zero incoming weights: constant, part of the "
                f"next bias"
            )
        if self.dead:
            out.append(
                f"of these {names(self.dead)} are dead: their outgoing weights do not matter"
            )
        if self.mute:
            out.append(
                f"units {names(self.mute)} have zero outgoing weights: the logits show nothing of "
                f"them"
            )
        if self.shut or self.open:
            out.append(
                f"in [0, 1]^D {len(self.shut)} gates are always shut and {len(self.open)} always "
                f"open: only "
                "images outside tell them from nothing and from affine functions"
            )
        return tuple(out)


def _directions(w, b, activation):
    """(w_j, b_j) as rows, for ReLU over |w_j|: (h, D + 1); rows of zeros where w_j = 0."""
    rows, norm = np.hstack([w.T, b[:, None]]), np.linalg.norm(w, axis=0)
    scale = norm if isinstance(activation, ReLU) else np.ones_like(norm)
    return np.where(norm[:, None] > 0, rows / np.where(norm > 0, scale, 1)[:, None], 0)


def _alike(rows):
    """Families of rows equal up to sign: (list of lists, signs (h,)); rows of zeros are in none
    (sign 0).
    """
    size = np.linalg.norm(rows, axis=1)
    families: list[list[int]] = []
    signs = np.zeros(len(rows), int)
    for j in np.flatnonzero(size):
        for family in families:
            i = family[0]
            near = [
                s
                for s in (1, -1)
                if np.linalg.norm(rows[j] - s * rows[i]) <= SAME * max(size[i], size[j])
            ]
            if near:
                family.append(int(j))
                signs[j] = near[0]
                break
        else:
            families.append([int(j)])
            signs[j] = 1
    return families, signs


def survey(w: np.ndarray, b: np.ndarray, outgoing: np.ndarray, activation: Any) -> Units:
    """The Units of one hidden layer: w (D, h), b (h,), outgoing (h, K) the next layer's weights.

    >>> found = survey(
    ...     np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.5, -1.0]), np.ones((2, 1)), ReLU()
    ... )
    >>> found.constant, found.dead, found.dimension
    ((1,), (1,), 2)
    """
    rows = _directions(w, b, activation)
    families, signs = _alike(rows)
    norm = np.linalg.norm(w, axis=0)
    lines, _ = _alike(w.T / np.where(norm > 0, norm, 1)[:, None])
    family_of = {j: n for n, f in enumerate(families) for j in f}
    relu = isinstance(activation, ReLU)
    if relu:
        two_sided = [rows[f[0]] for f in families if len(set(signs[f])) == 2]
        constant_one = np.eye(1, rows.shape[1], rows.shape[1] - 1)
        dimension = len(families) + np.linalg.matrix_rank(np.vstack([constant_one, *two_sided]))
    else:
        dimension = 1 + len(families)
    where = {
        "constant": norm == 0,
        "dead": (norm == 0) & (b <= 0) & relu,
        "mute": ~np.any(outgoing, axis=1),
        "shut": (b + np.maximum(w, 0).sum(axis=0) <= 0) & relu,
        "open": (b + np.minimum(w, 0).sum(axis=0) >= 0) & relu,
    }
    return Units(
        families=tuple(map(tuple, families)),
        sides=tuple(signs.tolist()),
        dimension=int(dimension),
        parallel=tuple(tuple(f) for f in lines if len({family_of[j] for j in f}) > 1),
        **{name: tuple(np.flatnonzero(v).tolist()) for name, v in where.items()},
    )


def merged(network: Network) -> tuple[Network, list[int]]:
    """The same function with fewer units: (network, kept), kept the indices of the units that
    remain.

    One-hidden-layer networks. Units of one boundary and side become one, mute ones go, constant
    ones become bias; with tanh and sigmoid opposite ones merge, too: tanh(-z) = -tanh(z),
    sigmoid(-z) = 1 - sigmoid(z).

    >>> first = Affine(np.array([[1.0, 2.0, 0.0]]), np.array([1.0, 2.0, 5.0]))
    >>> last = Affine(np.array([[1.0], [1.0], [1.0]]), np.array([0.0]))
    >>> small, kept = merged(Network((first, ReLU(), last)))
    >>> kept, small.parameters[2].tolist(), small.parameters[3].tolist()
    ([0], [[3.0]], [5.0])
    """
    first, activation, last = network.layers
    w2, b2 = last.w.copy(), last.b.copy()
    units = survey(first.w, first.b, last.w, activation)
    at_rest = activation.forward(first.b[None])[0][0]
    for j in units.constant:
        b2 = b2 + at_rest[j] * w2[j]
    norm = np.linalg.norm(first.w, axis=0)
    sides, kept = np.array(units.sides), []
    for family in units.families:
        for side in (1, -1) if isinstance(activation, ReLU) else (1,):
            same = [j for j in family if sides[j] == side]
            if not same:
                continue
            i = same[0]
            if isinstance(activation, ReLU):
                w2[i] = sum(norm[j] / norm[i] * last.w[j] for j in same)
            else:
                opposite = [j for j in family if sides[j] == -1]
                w2[i] = last.w[same].sum(axis=0) - last.w[opposite].sum(axis=0)
                b2 = b2 + isinstance(activation, Sigmoid) * last.w[opposite].sum(axis=0)
            if w2[i].any():
                kept.append(i)
    kept.sort()
    return Network(
        (Affine(first.w[:, kept], first.b[kept]), activation, Affine(w2[kept], b2))
    ), kept


def check(network: Network, hidden_layers: int | None = None) -> None:
    """Raise ValueError unless the layers are Affine, activation, Affine, ..., with so many hidden
    layers if given, and the parameters are finite and of a size that can be surveyed.

    >>> from refimpl.network import softmax_net
    >>> check(softmax_net(3, 2), 1)
    Traceback (most recent call last):
        ...
    ValueError: network: expected Affine, ReLU (Sigmoid, Tanh), Affine with 1 hidden layer, got Affine
    """
    layers = network.layers
    good = (
        len(layers) >= 3
        and len(layers) % 2
        and all(isinstance(v, Affine) for v in layers[::2])
        and all(isinstance(v, ReLU | Sigmoid | Tanh) for v in layers[1::2])
    )
    if not good or hidden_layers not in (None, len(layers) // 2):
        wanted = (
            "at least one hidden layer"
            if hidden_layers is None
            else f"{hidden_layers} hidden layer"
        )
        raise ValueError(
            f"network: expected Affine, ReLU (Sigmoid, Tanh), Affine with {wanted}, got "
            + ", ".join(type(v).__name__ for v in layers)
        )
    if not all(np.isfinite(p).all() for p in network.parameters):
        raise ValueError("network: expected finite parameters, found NaN or infinity")
    largest = max(float(np.abs(p).max(initial=0)) for p in network.parameters)
    incoming = np.concatenate([np.abs(layer.w).max(axis=0, initial=0) for layer in layers[:-1:2]])
    least = float(incoming[incoming > 0].min(initial=1))
    if largest > RANGE or least < 1 / RANGE:
        raise ValueError(
            f"network: expected parameters up to {RANGE:g} and, of a unit that has any, incoming "
            f"weights from {1 / RANGE:g}: beyond, their products leave the floats; got "
            f"{largest:.1e} "
            f"and {least:.1e}"
        )
