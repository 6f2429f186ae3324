"""Whole answers for many items: a pattern repeated while demand lasts, or items packed in groups.

Few types and many copies: one bin is filled from many noisy orders at once, and the best filling is
used as often as the copies that are left allow (the pattern of Gilmore and Gomory 1961, found by a
heuristic; the sequential filling goes back to Haessler 1971). Many types: every G-th item by size
is a group, all groups are packed side by side in one batch, and what the emptiest bin of each group
holds is packed again together.
"""

from collections.abc import Callable

import numpy as np

from refimpl.companions.packing.gaps import WIDEST, fill_gaps
from refimpl.companions.packing.passes import State, order
from refimpl.companions.packing.placement import RULES, Batch, decode
from refimpl.companions.packing.shelf import shelves

ORDERS = 64  # noisy orders of a bin
COPIES = 160  # at most so many items in an order
NOISE = (0.02, 0.8)  # standard deviation on log areas, log-uniform
POWER = 1.1  # of its area, which an item counts at first: large ones a little more
PULL = 0.7  # how far a value goes, at most, to what its last bin makes of it
GROUP = 250  # items of a group, at least
BINS = 12  # bins of a group, at least
BLOCK = 32  # groups in a batch


class Types:
    """Items by size: sizes (T, 2), turnable (T,), the items (indices) of each, rising.

    >>> types = Types(np.array([[2, 1], [3, 3], [2, 1]]), np.zeros(3, bool))
    >>> types.sizes.tolist(), [own.tolist() for own in types.members]
    ([[2, 1], [3, 3]], [[0, 2], [1]])
    """

    def __init__(self, items: np.ndarray, turnable: np.ndarray):
        base = int(items.max()) + 1
        keys = (items[:, 0] * base + items[:, 1]) * 2 + turnable
        found, which, counts = np.unique(keys, return_inverse=True, return_counts=True)
        self.sizes = np.column_stack(np.divmod(found // 2, base))
        self.turnable = found % 2 == 1
        own = np.argsort(which.ravel(), kind="stable")
        self.members = np.split(own, np.cumsum(counts)[:-1])
        self.counts = counts

    def __len__(self) -> int:
        return len(self.sizes)


def first_values(items: np.ndarray, bin_size: tuple[int, int], turnable: np.ndarray) -> np.ndarray:
    """What an item of each type counts before any round: its share of the bin to the POWER, (T,).

    >>> first_values(np.array([[5, 10], [5, 10]]), (10, 10), np.zeros(2, bool)).round(3).tolist()
    [0.467]
    """
    return (Types(items, turnable).sizes.prod(axis=1) / np.prod(bin_size)) ** POWER


def by_patterns(
    items: np.ndarray,
    bin_size: tuple[int, int],
    turnable: np.ndarray,
    values: np.ndarray,
    rng: np.random.Generator,
    stop: Callable[[], bool] = lambda: False,
) -> State:
    """A State of items (n, 2), each fitting the bin: bin after bin by the best of ORDERS fillings,
    each used while demand lasts. turnable (n,). Once stop() says so, the rest goes on shelves.

    values (T,): what an item of each type counts, changed in place: more for a type that ended in
    poorly filled bins, so that the next round places it early (sequential value correction,
    Mukhacheva et al. 2000; Belov and Scheithauer 2007).

    >>> items, turnable = np.array([[5, 10], [5, 5], [5, 5]] * 3), np.zeros(9, bool)
    >>> values = first_values(items, (10, 10), turnable)
    >>> by_patterns(items, (10, 10), turnable, values, np.random.default_rng(0)).count
    3
    """
    types = Types(items, turnable)
    room = bin_size[0] * bin_size[1]
    area = types.sizes.prod(axis=1) / room
    n = len(items)
    state = State(np.full(n, -1), np.zeros((n, 2), np.int64), np.zeros(n, bool))
    left = types.counts.copy()
    count = 0
    while left.any():
        filled = _fill(types, left, bin_size, rng, values, stop)
        if filled is None:
            return _with_shelves(state, items, bin_size, turnable)
        kinds, at, how = filled
        used = np.bincount(kinds, minlength=len(types))
        times = int((left[used > 0] // used[used > 0]).min())
        for kind in np.flatnonzero(used):
            mine = np.flatnonzero(kinds == kind)
            first = types.counts[kind] - left[kind]
            own = types.members[kind][first : first + times * len(mine)]
            state.bins[own] = count + np.repeat(np.arange(times), len(mine))
            state.positions[own] = np.tile(at[mine], (times, 1))
            state.turned[own] = np.tile(how[mine], times)
        full = (used * area).sum()
        taken = used > 0
        weight = PULL * rng.random() * np.minimum(1, times * used[taken] / types.counts[taken])
        values[taken] += weight * (area[taken] ** POWER / full - values[taken])
        left -= times * used
        count += times
    return state


def _fill(
    types: Types,
    left: np.ndarray,
    bin_size: tuple[int, int],
    rng: np.random.Generator,
    values: np.ndarray,
    stop: Callable[[], bool],
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The best filling found of one bin with what is left (T,) of the types: the type (m,), place
    (m, 2) and turn (m,) of each item in it. None: stopped.
    """
    W, H = bin_size
    area = types.sizes.prod(axis=1)
    copies = np.minimum(left, W * H // area)
    while copies.sum() > COPIES and copies.max() > 1:
        copies = np.minimum(copies, max(1, int(copies.max()) * 3 // 4))
    pool = np.repeat(np.arange(len(types)), copies)
    if len(pool) > COPIES:  # many types: the largest, and some of the others
        pool = pool[np.argsort(-area[pool], kind="stable")]
        large = COPIES // 2
        pool = np.concatenate([pool[:large], rng.choice(pool[large:], COPIES - large, False)])
    low, high = np.log(NOISE)
    noise = np.exp(rng.uniform(low, high, (ORDERS, 1)))
    of_type = rng.standard_normal((ORDERS, len(types)))[:, pool]  # copies stay together, mostly
    of_item = rng.standard_normal((ORDERS, len(pool)))
    key = np.log(values[pool]) + noise * (of_type + 0.3 * of_item)
    kinds = pool[np.argsort(-key, axis=1, kind="stable")]
    sequences, turnable = types.sizes[kinds], types.turnable[kinds]
    batch = _one_bin(sequences, bin_size, turnable, rng, stop)
    if batch.dropped.any():
        return None
    inside = batch.bins == 0
    best = int(np.where(inside, values[kinds], 0).sum(axis=1).argmax())
    mine = np.flatnonzero(inside[best])
    return kinds[best, mine], batch.positions[best, mine], batch.turned[best, mine]


def _one_bin(
    sequences: np.ndarray,
    bin_size: tuple[int, int],
    turnable: np.ndarray,
    rng: np.random.Generator,
    stop: Callable[[], bool],
) -> Batch:
    """Sequences (B, m, 2) into one bin each, by one of the two decoders."""
    if max(bin_size) <= WIDEST and rng.random() < 0.7:
        early = rng.uniform(0, 0.6, len(sequences))
        return fill_gaps(sequences, bin_size, 1, rotate=turnable, lead=early, stop=stop)
    rule = RULES[int(rng.integers(3))]
    return decode(sequences, bin_size, rule=rule, limit=1, rotate=turnable, stop=stop)


def in_groups(
    items: np.ndarray,
    bin_size: tuple[int, int],
    turnable: np.ndarray,
    stop: Callable[[], bool] = lambda: False,
) -> State:
    """A State of items (n, 2), each fitting the bin, packed in groups by best fit, largest
    first; the emptiest bins' items once more, together. turnable (n,). Once stop() says so,
    the rest goes on shelves.

    >>> items = np.random.default_rng(0).integers(1, 50, (900, 2))
    >>> in_groups(items, (100, 100), np.zeros(900, bool)).count < 75
    True
    """
    n = len(items)
    state = State(np.full(n, -1), np.zeros((n, 2), np.int64), np.zeros(n, bool))
    todo = order(items, "area")
    while len(todo):
        count = state.count
        a_bin = bin_size[0] * bin_size[1] / items[todo].prod(axis=1).mean()  # items of one
        groups = max(1, int(len(todo) / max(GROUP, BINS * a_bin)))
        index = np.full((groups, -(-len(todo) // groups)), -1)
        index.T.flat[: len(todo)] = todo
        again: list[np.ndarray] = []
        for rows in (index[i : i + BLOCK] for i in range(0, groups, BLOCK)):
            sequences = np.where(rows[..., None] < 0, 0, items[rows])
            batch = decode(sequences, bin_size, rotate=turnable[rows], stop=stop)
            if batch.dropped.any():
                return _with_shelves(state, items, bin_size, turnable)
            for own, b, at, how in zip(rows, batch.bins, batch.positions, batch.turned):
                own, b, at, how = own[own >= 0], b[own >= 0], at[own >= 0], how[own >= 0]
                load = np.bincount(b, items[own].prod(axis=1))
                gone = int(load.argmin()) if groups > 1 else -1
                again.append(own[b == gone])
                kept = b != gone
                b = b - (b > gone if gone >= 0 else 0)
                state.bins[own[kept]] = count + b[kept]
                state.positions[own[kept]], state.turned[own[kept]] = at[kept], how[kept]
                count += len(load) - (gone >= 0)
        todo = np.concatenate(again)
        todo = todo[order(items[todo], "area")]
    return state


def _with_shelves(
    state: State, items: np.ndarray, bin_size: tuple[int, int], turnable: np.ndarray
) -> State:
    """The State with the items that are over in further bins, on shelves, at once."""
    over = np.flatnonzero(state.bins < 0)
    bins, positions, turned = shelves(
        items[over], bin_size, rotate=turnable[over], stop=lambda: True
    )
    state.bins[over] = state.count + bins
    state.positions[over], state.turned[over] = positions, turned
    return state
