"""The thesis read faithfully: a network scores a whole relaxed solution, and all of it is ascended
at once.

The scorer of scorer.py looks at a packing in progress and decides one item. Here nothing is placed
before the end. Per bin

    s_b = sum_i A[i, b] phi(item_i)      logit_b = head(s_b) = "these contents go into one bin"

phi: twenty features of an item in an empty bin, which are the same for every bin and do not change,
and 32 learned ones of these. The network is a classifier, trained by logistic loss on the contents
of good bins and of bad ones; the label is whether the placement heuristic packs them in a few
orders. All rows of Z (T, n, k) are ascended together by the one ascend loop; then every item goes
to the bin of its largest share, without a second look, and the try succeeds if every bin's contents
can be placed. Networks, gradients and the relaxation are those of scorer.py and assignment.py.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.companions.packing import placement
from refimpl.companions.packing.thesis.assignment import ORDER, noisy_orders, objective
from refimpl.companions.packing.thesis.scorer import (
    EMBEDDED,
    HIDDEN,
    PAIR,
    Scorer,
    backward,
    embed,
    embed_backward,
    forward,
    log_sigmoid,
)
from refimpl.layers import Affine, ReLU
from refimpl.network import Network
from refimpl.optimize import adam, ascend

STEPS, LR, NOISE = 60, 0.5, 3.0  # of the ascent, by Adam, from Z = noise; development sets
LABELS = 8  # orders by which the placement heuristic tries contents
PLACED = 2  # orders by which a solution's bins are tried


def new_network(rng: np.random.Generator) -> Scorer:
    """A contents network, weights after He et al. (2015), float32: embed 20 -> 32, head 52 -> 64
    -> 1.

    >>> sum(p.size for p in new_network(np.random.default_rng(0)).parameters)
    4129
    """

    def affine(d, k):
        return Affine(rng.normal(0, np.sqrt(2 / d), (d, k)), np.zeros(k))

    return Scorer(
        Network((affine(PAIR, EMBEDDED), ReLU())),
        Network((affine(PAIR + EMBEDDED, HIDDEN), ReLU(), affine(HIDDEN, 1))),
    ).astype(np.float32)


def features(items: np.ndarray, bin_size: np.ndarray | tuple[int, int]) -> np.ndarray:
    """phi's twenty fixed numbers of items (..., n, 2) in a bin (W, H): (..., n, 20) float32.

    Sums over a bin's contents that cannot exceed 1 or 2 if these fit: areas, counts of large items,
    and sides rounded by dual feasible functions (bounds.py). (0, 0) pads are 0.

    >>> features(np.array([[[5, 10], [0, 0]]]), (10, 10))[0, :, :4].tolist()
    [[0.5, 1.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    w, h = np.moveaxis(items / np.asarray(bin_size, float)[..., None, :], -1, 0)
    half_w, half_h, third_w, third_h = w > 0.5, h > 0.5, w > 1 / 3, h > 1 / 3

    def rounded(side, least):  # 1 beyond 1 - least, 0 below least
        return np.where(side > 1 - least, 1, np.where(side < least, 0, side))

    columns = [w, h, w * h, w > 0, half_w, half_h, half_w & half_h, half_w * h, half_h * w]
    columns += [third_w & third_h, third_w * h, third_h * w, third_w & half_h, half_w & third_h]
    columns += [rounded(w, 1 / 3) * h, rounded(h, 1 / 3) * w]
    columns += [rounded(w, 1 / 4) * rounded(h, 1 / 4), np.minimum(w, h), w * w, h * h]
    return np.stack(columns, axis=-1).astype(np.float32)


def placeable(
    items: np.ndarray, bin_sizes: np.ndarray, orders: int, rng: np.random.Generator
) -> np.ndarray:
    """Which contents (N, m, 2), (0, 0) pads, the placement heuristic gets into one bin each, bins
    (N, 2), in one of some `orders`: (N,) bool.

    By falling area, height and width first, then by area with noise. Contents of more area than the
    bin's are not tried.

    >>> contents = np.array([[[6, 10], [4, 10]], [[6, 10], [5, 10]], [[6, 6], [6, 6]]])
    >>> placeable(contents, np.full((3, 2), 10), 2, np.random.default_rng(0)).tolist()
    [True, False, False]
    """
    area = items.prod(axis=2)
    good = np.zeros(len(items), bool)
    todo = np.flatnonzero(area.sum(axis=1) <= bin_sizes.prod(axis=1))
    for turn in range(orders):
        if not len(todo):
            break
        own = items[todo]
        key = np.log(np.maximum(area[todo], 0.5))
        if turn in (1, 2):
            key = own[:, :, 2 - turn] + 1e-6 * area[todo]
        elif turn:
            key = key + 0.3 * rng.normal(size=key.shape)
        order = np.argsort(np.where(area[todo] > 0, -key, np.inf), axis=1)
        most = int((area[todo] > 0).sum(axis=1).max())
        sequences = np.take_along_axis(own, order[..., None], axis=1)[:, :most]
        bins = placement.decode(sequences, bin_sizes[todo], limit=1).bins
        done = ((bins == 0) | (sequences[:, :, 0] == 0)).all(axis=1)
        good[todo[done]] = True
        todo = todo[~done]
    return good


@dataclass(frozen=True, eq=False)
class Problem:
    """A set of items (n, 2) for k bins (W, H) as the network sees it: g (1, 1, n, 52).

    >>> net = new_network(np.random.default_rng(0))
    >>> Problem.of(net, np.array([[6, 10], [4, 10]]), (10, 10), 2).g.shape
    (1, 1, 2, 52)
    """

    net: Scorer
    items: np.ndarray
    bin: tuple[int, int]
    k: int
    g: np.ndarray

    @classmethod
    def of(cls, net: Scorer, items: np.ndarray, bin_size: tuple[int, int], k: int) -> "Problem":
        """The Problem of a set."""
        return cls(net, items, bin_size, k, embed(net, features(items, bin_size)[None, None])[0])


def blank(problem: Problem, tries: int, rng: np.random.Generator) -> np.ndarray:
    """Where the ascent begins: Z (T, n, k) = NOISE N(0, 1), float32.

    >>> net = new_network(np.random.default_rng(0))
    >>> problem = Problem.of(net, np.array([[6, 10], [4, 10]]), (10, 10), 2)
    >>> blank(problem, 3, np.random.default_rng(0)).shape
    (3, 2, 2)
    """
    return NOISE * rng.standard_normal((tries, len(problem.items), problem.k), np.float32)


def climb(problem: Problem, z: np.ndarray, *, steps: int = STEPS, lr: float = LR) -> np.ndarray:
    """Z (T, n, k) after `steps` of the one ascend on sum_b log sigmoid(logit_b), all rows at once,
    by Adam; steps = 0: as it came.

    >>> net = new_network(np.random.default_rng(0))
    >>> problem = Problem.of(net, np.array([[6, 10], [4, 10]]), (10, 10), 2)
    >>> climb(problem, np.zeros((3, 2, 2), np.float32)).shape
    (3, 2, 2)
    """
    if not steps:
        return z
    u = np.zeros((len(z), problem.k, 0), np.float32)
    of = objective(problem.net, problem.g, u, np.ones(z.shape, bool))
    return ascend(of, z, steps=steps, lr=lr, update=adam)[0]


def contents(problem: Problem, bins: np.ndarray) -> np.ndarray:
    """Assignments bins (T, n) as contents of bins (T * k, n, 2), (0, 0) where an item is elsewhere.

    >>> net = new_network(np.random.default_rng(0))
    >>> problem = Problem.of(net, np.array([[6, 10], [4, 10]]), (10, 10), 2)
    >>> contents(problem, np.array([[1, 0]])).tolist()
    [[[0, 0], [4, 10]], [[6, 10], [0, 0]]]
    """
    inside = bins[:, None] == np.arange(problem.k)[:, None]  # (T, k, n)
    return (inside[..., None] * problem.items).reshape(-1, *problem.items.shape)


def solved(problem: Problem, bins: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which assignments bins (T, n) are packings: every bin's contents placed. (T,) bool.

    >>> net = new_network(np.random.default_rng(0))
    >>> problem = Problem.of(net, np.array([[6, 10], [4, 10]]), (10, 10), 2)
    >>> solved(problem, np.array([[1, 0], [0, 0]]), np.random.default_rng(0)).tolist()
    [True, True]
    """
    inside = bins[:, None] == np.arange(problem.k)[:, None]
    area = problem.items.prod(axis=1)
    room = problem.bin[0] * problem.bin[1]
    good = ((inside * area).sum(axis=2) <= room).all(axis=1)  # most that fail, fail by area
    rows = np.flatnonzero(good)
    if len(rows):
        own = contents(problem, bins[rows])
        size = np.broadcast_to(np.asarray(problem.bin), (len(own), 2))
        good[rows] = placeable(own, size, PLACED, rng).reshape(len(rows), -1).all(axis=1)
    return good


def repaired(problem: Problem, bins: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same with a second look: assignments bins (T, n) are only where an item is tried first,
    else best fit finds it a place, in a noisy order. (T,) bool.

    >>> net = new_network(np.random.default_rng(0))
    >>> problem = Problem.of(net, np.array([[6, 10], [4, 10]]), (10, 10), 2)
    >>> repaired(problem, np.array([[1, 0], [0, 0]]), np.random.default_rng(0)).tolist()
    [True, True]
    """
    items = np.repeat(problem.items[None], len(bins), axis=0)
    order = noisy_orders(items.prod(axis=2), ORDER, rng)
    found = placement.decode(
        np.take_along_axis(items, order[..., None], axis=1),
        problem.bin,
        limit=problem.k,
        prefer=np.take_along_axis(bins, order, axis=1),
    )
    return np.asarray((found.bins >= 0).all(axis=1))


def loss(
    net: Scorer, f: np.ndarray, shares: np.ndarray, labels: np.ndarray
) -> tuple[float, tuple[np.ndarray, ...]]:
    """Mean logistic loss of N contents, and its gradients: f (N, m, 20), shares (N, m), labels (N,)
    bool.

        -log sigmoid(+-logit)      d / dlogit = -+sigmoid(-+logit)

    >>> net = new_network(np.random.default_rng(0))
    >>> f = features(np.array([[[6, 10], [4, 10]]]), (10, 10))
    >>> value, gradients = loss(net, f, np.ones((1, 2), np.float32), np.array([True]))
    >>> float(value) > 0, len(gradients)
    (True, 6)
    """
    g, embedded = embed(net, f[:, None])  # (N, 1, m, 52)
    u = np.zeros((len(f), 1, 0), f.dtype)
    z, cache = forward(net, g, u, shares[..., None])
    sign = np.where(labels, 1, -1)[:, None].astype(f.dtype)
    values, slope = log_sigmoid(sign * z)
    _, dg, head = backward(net, -sign * slope / len(f), cache)
    return -values.mean(), (*embed_backward(net, dg(), embedded), *head)
