"""Lower bounds on the number of bins by dual feasible functions.

f with f(0) = 0 is dual feasible for capacity W if sum x <= W implies sum f(x) <= f(W). If f is so
in width and g in height, every bin holds items with sum f(w) g(h) <= f(W) g(H) (Fekete and Schepers
2001, theorem 3), so

    bins >= ceil( sum_i f(w_i) g(h_i) / (f(W) g(H)) ).

The identity gives the continuous bound. Families, each over all thresholds that matter for the
items at hand: f_0 and u^(k) of Fekete and Schepers (2001), f_1 and f_2 of Carlier, Clautiaux and
Moukrim (2007, section 4). Before, a size x is raised to W - (the largest sum of other sizes that
fits beside it), and W lowered to the largest sum of sizes that fits (Carlier et al. 2007, section
3): whatever set fitted on a line before still fits.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

THRESHOLDS = 150  # of each kind, evenly spread where an instance has more
ENTRIES = 1_000_000  # of a table of functions x sizes: with more sizes fewer functions are tried


def lower_bound(
    items: np.ndarray,
    bin_size: tuple[int, int],
    *,
    rotate: ArrayLike = False,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """A number of bins that no packing goes below.

    items (n, 2) int64, each fitting the bin; rotate: who may turn, one truth value or (n,). Where
    all may, in a square bin, the sum runs over both orientations and is halved: mirrored at the
    diagonal a packing stays one (Clautiaux, Jouglet and El Hayek 2007). Else each item counts with
    the lesser of its possible orientations. Equal items are counted, not repeated. Once stop() says
    so, the best found by then is returned.

    >>> lower_bound(np.array([[6, 6], [6, 6], [4, 4]]), (10, 10))
    2
    """
    if len(items) == 0:
        return 0
    W, H = bin_size
    turnable = np.asarray(rotate, bool) & (items[:, 0] != items[:, 1])
    base = int(items.max()) + 1
    keys, counts = np.unique((items[:, 0] * base + items[:, 1]) * 2 + turnable, return_counts=True)
    if stop():
        return max(1, -(-int(items.prod(axis=1).sum()) // (W * H)))
    (w, h), may = np.divmod(keys // 2, base), keys % 2 == 1
    if not may.any():
        return bound_of(axis(w, W, counts), axis(h, H, counts), counts=counts)
    if W == H and (may | (w == h)).all():
        f, n = axis(np.concatenate([w, h]), W, np.tile(counts, 2)), len(w)
        both = np.hstack([f[:, n:], f[:, :n]])
        return bound_of(f, both, share=0.5, counts=np.tile(counts, 2))
    return _bound_turned(w, h, (W, H), may, counts, stop)


def bound_of(
    widths: np.ndarray,
    heights: np.ndarray,
    share: float = 1.0,
    counts: np.ndarray | None = None,
) -> int:
    """The largest of all pairs' bounds. widths (F, n) and heights (G, n): f(w_i) / f(W) and g(h_i)
    / g(H) in [0, 1]; counts (n,): how many items each stands for, None: one.

    >>> bound_of(np.array([[0.5, 0.5, 0.5], [1.0, 1.0, 0.4]]), np.ones((1, 3)))
    3
    """
    n = widths.shape[1]
    if counts is not None:
        n = n + int(counts.sum())  # one more rounding, of counts f g
        heights = heights * counts
    return _round_up((widths @ heights.T).max() * share, n)


def _round_up(total: float, n: int) -> int:
    """ceil of a sum of n products of non-negative numbers, less the rounding errors that it can
    hold at most.
    """
    return max(1, int(np.ceil(total * (1 - (n + 8) * 2.0**-52))))


def axis(x: np.ndarray, W: int, counts: np.ndarray | None = None) -> np.ndarray:
    """All dual feasible functions of one axis at the sizes x (n,), as shares of f(W): (functions,
    n).

    x may hold sizes that never meet, as both orientations of an item: that only weakens raised()
    and f_1. counts (n,): how often each is there, None: once. Of many sizes fewer functions.

    >>> axis(np.array([6, 6]), 10).tolist()  # each takes all of a line of 10
    [[1.0, 1.0]]
    """
    y, capacity = raised(x, W, counts)
    most = max(8, ENTRIES // len(x))
    rows: list[np.ndarray | None] = [y / capacity]
    for k in thresholds(y, capacity, min(THRESHOLDS, most // 4)):
        rows += [f_0(y, capacity, k), f_2(y, capacity, k), f_1(y, capacity, k, counts)]
    rows += [u(y, capacity, k) for k in range(2, min(31, 2 + most // 4))]
    found = np.array([row for row in rows if row is not None])
    return found if most < 3 * THRESHOLDS else np.unique(found, axis=0)


def thresholds(x: np.ndarray, W: int, most: int = THRESHOLDS) -> np.ndarray:
    """The sizes x (n,), and what they leave of W, up to W / 2: between two of them no function
    changes. Whole numbers (m,), rising, m <= most.

    >>> thresholds(np.array([2, 3, 5, 8]), 10).tolist()
    [1, 2, 3, 5]
    """
    k = np.unique(np.concatenate([x, W - x, W // (np.arange(1, min(W, 60)) + 1)]))
    k = k[(k >= 1) & (2 * k <= W)]
    return k if len(k) <= most else k[np.linspace(0, len(k) - 1, most).astype(int)]


def f_0(x: np.ndarray, W: int, k: int) -> np.ndarray:
    """1 above W - k, 0 below k, x / W between. x (n,) whole numbers -> (n,); k <= W / 2.

    >>> f_0(np.array([2, 3, 5, 8]), 10, 3).tolist()
    [0.0, 0.3, 0.5, 1.0]
    """
    return np.where(x > W - k, 1.0, np.where(x < k, 0.0, x / W))


def u(x: np.ndarray, W: int, k: int) -> np.ndarray:
    """u^(k): x / W where (k + 1) x / W is whole, else floor((k + 1) x / W) / k. x (n,) -> (n,).

    >>> u(np.array([2, 4, 5, 8]), 10, 2).tolist()
    [0.0, 0.5, 0.5, 1.0]
    """
    whole, rest = np.divmod((k + 1) * x, W)
    return np.where(rest == 0, x / W, whole / k)


def f_2(x: np.ndarray, W: int, k: int) -> np.ndarray:
    """Rounding to multiples of k <= W / 2, symmetric at W / 2.

    2 floor(x / k) below W / 2, floor(W / k) at it, 2 (floor(W / k) - floor((W - x) / k)) above;
    over 2 floor(W / k). x (n,) whole numbers -> (n,).

    >>> f_2(np.array([2, 3, 5, 8]), 10, 3).round(2).tolist()
    [0.0, 0.33, 0.5, 1.0]
    """
    top = W // k
    return np.where(2 * x > W, top - (W - x) // k, np.where(2 * x == W, top / 2, x // k)) / top


def f_1(x: np.ndarray, W: int, k: int, counts: np.ndarray | None = None) -> np.ndarray | None:
    """Counting: the sizes S in [k, W / 2] count 1, a larger x as many of S as it displaces, M(W) -
    M(W - x).

    x (n,) whole numbers -> (n,), or None. M(c): how many of S, the smallest first, fit into c. Dual
    feasible for sets of these very items, counts (n,) of each size (None: one). None where no size
    is in S.

    >>> f_1(np.array([2, 3, 5, 8]), 10, 3).tolist()
    [0.0, 0.5, 0.5, 1.0]
    """
    own = (x >= k) & (2 * x <= W)
    if not own.any():
        return None
    small = np.sort(x[own] if counts is None else np.repeat(x[own], counts[own]))
    fits = np.cumsum(small)

    def most(c):
        return np.searchsorted(fits, c, side="right")

    return np.where(2 * x > W, most(W) - most(W - x), x >= k) / most(W)


def raised(x: np.ndarray, W: int, counts: np.ndarray | None = None) -> tuple[np.ndarray, int]:
    """Sizes x (n,) raised, capacity lowered: (y (n,), capacity). A line that held a set of x holds
    its y, in capacity.

    counts (n,): how often each size is there, None: once. Sums of the other sizes are kept as the
    bits of a Python integer; for large W, or many sizes, nothing is raised.

    >>> y, capacity = raised(np.array([4, 7]), 10)
    >>> y.tolist(), capacity
    ([7, 7], 7)
    """
    if W > 5000 or len(x) > 2000:
        return x, W
    many: dict[int, int] = {}
    for size, count in zip(x.tolist(), [1] * len(x) if counts is None else counts.tolist()):
        many[size] = many.get(size, 0) + count
    capacity = _largest_sum(many, W)
    y = {size: size for size in many}
    for size in sorted(y, reverse=True):
        if 2 * size > capacity or many[size] == 1:
            rest: dict[int, int] = {}
            for other, count in many.items():
                rest[y[other]] = rest.get(y[other], 0) + count - (other == size)
            y[size] = capacity - _largest_sum(rest, capacity - size)
    return np.array([y[size] for size in x.tolist()]), capacity


def _largest_sum(counts: dict[int, int], W: int) -> int:
    """The largest sum of a multiset {size: count} that is at most W."""
    sums, mask = 1, (1 << (W + 1)) - 1  # bit c: c is a sum
    for size, count in counts.items():
        for _ in range(min(count, W // size)):
            more = (sums | sums << size) & mask
            if more == sums:
                break
            sums = more
    return sums.bit_length() - 1


def _bound_turned(
    w: np.ndarray,
    h: np.ndarray,
    bin_size: tuple[int, int],
    turnable: np.ndarray,
    counts: np.ndarray,
    stop: Callable[[], bool],
) -> int:
    """The bound where some may turn, or the bin is not square: each item counts with its lesser
    possible orientation; all (n,).

    Sizes above the bin's belong to impossible orientations: what stands for them (the bin's size)
    is never summed.
    """
    (W, H), n = bin_size, len(w)
    both = np.tile(counts, 2)
    wide = axis(np.minimum(np.concatenate([w, h]), W), W, both)
    high = axis(np.minimum(np.concatenate([h, w]), H), H, both)
    upright, turned = (w <= W) & (h <= H), turnable & (h <= W) & (w <= H)
    best = 0.0
    for f in wide:
        straight = np.where(upright, f[:n] * high[:, :n], np.inf)
        across = np.where(turned, f[n:] * high[:, n:], np.inf)
        best = max(best, (np.minimum(straight, across) @ counts).max())
        if stop():
            break
    return _round_up(best, 2 * n + int(counts.sum()))
