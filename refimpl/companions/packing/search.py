"""pack(): the best of many single passes, then ruin and recreate around the batched decoders, until
the bound is met.

With m bins found, a packing into m - 1 is looked for: an emptiest bin is dropped, its items are
over. A step frees a few bins and packs their items and those over into as many bins, a batch of
noisy orders at once; the candidate that leaves the least area over, the most unequally filled bins
among near equals, is taken if that is not much more than before (Schrimpf et al. 2000; the fixed
target as in ejection pools, Nagata and Braysy 2009). Nothing over: m - 1 bins. Every result is
checked from the definition before it is returned.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from refimpl.companions.packing.bounds import lower_bound
from refimpl.companions.packing.checker import check
from refimpl.companions.packing.gaps import WIDEST, fill_gaps
from refimpl.companions.packing.instances import check_items
from refimpl.companions.packing.placement import RULES, Batch, decode
from refimpl.companions.packing.shelf import shelves

ORDERS = {
    "area": lambda w, h: w * h,
    "perimeter": lambda w, h: w + h,
    "shorter side": lambda w, h: np.minimum(w, h),
    "longer side": lambda w, h: np.maximum(w, h),
    "height": lambda w, h: h,
    "width": lambda w, h: w,
}


@dataclass(frozen=True)
class Packing:
    """A packing in the order of the items: bins (n,), positions (n, 2) lower left, sizes (n, 2) as
    placed (w, h).

    >>> packing = pack([[6, 4], [6, 7]], (10, 10), iterations=5)
    >>> packing.bins.tolist(), packing.count, packing.optimal
    ([1, 0], 2, True)
    """

    bins: np.ndarray
    positions: np.ndarray
    sizes: np.ndarray
    lower_bound: int

    @property
    def count(self) -> int:
        """How many bins are in use."""
        return int(self.bins.max(initial=-1)) + 1

    @property
    def optimal(self) -> bool:
        """Is the lower bound met? If not, the packing may still be the best there is."""
        return self.count == self.lower_bound


def order(items: np.ndarray, name: str) -> np.ndarray:
    """Items (n, 2) by a key of ORDERS, largest first, ties by area and then by longer side: indices
    (n,).

    >>> items = np.array([[1, 9], [4, 4], [3, 3]])
    >>> order(items, "area").tolist(), order(items, "height").tolist()
    ([1, 0, 2], [0, 1, 2])
    """
    w, h = items.T
    return np.lexsort((-np.maximum(w, h), -w * h, -ORDERS[name](w, h)))


@dataclass
class State:
    """A packing in the making: bins (n,), -1 for the items that are over; positions (n, 2); turned
    (n,) bool.

    >>> State(np.array([0, -1]), np.zeros((2, 2), int), np.zeros(2, bool)).copy().bins.tolist()
    [0, -1]
    """

    bins: np.ndarray
    positions: np.ndarray
    turned: np.ndarray

    def copy(self) -> "State":
        """The same packing in arrays of its own."""
        return State(self.bins.copy(), self.positions.copy(), self.turned.copy())


def single_passes(
    items: np.ndarray,
    bin_size: tuple[int, int],
    *,
    rotate: bool = False,
    target: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> State:
    """The best State of shelves() and of the sort orders x rules x best and first fit; all orders
    in one batch.

    items (n, 2) int64, n > 0, each fitting the bin. More than 1,000: one order a batch. "bottom"
    goes with first fit only. It ends early at `target` bins, or as soon as stop() says so: a pass
    that is not done is lost.

    >>> single_passes(np.array([[6, 4], [6, 7], [4, 4]]), (10, 10)).bins.tolist()
    [1, 0, 0]
    """
    best = State(*shelves(items, bin_size, rotate=rotate))
    count = int(best.bins.max()) + 1
    orders = np.array([order(items, name) for name in ORDERS])
    batches = [orders] if len(items) <= 1000 else [orders[i : i + 1] for i in range(len(orders))]
    for first in (False, True):
        for rule in RULES if first else RULES[:3]:
            for rows in batches:
                if count <= target:
                    return best
                batch = decode(
                    items[rows], bin_size, rule=rule, first=first, rotate=rotate, stop=stop
                )
                if batch.dropped.any():
                    return best
                a = int(batch.used.argmin())
                if batch.used[a] < count:
                    count = int(batch.used[a])
                    back = np.argsort(rows[a])
                    best = State(
                        batch.bins[a, back], batch.positions[a, back], batch.turned[a, back]
                    )
    return best


class Search:
    """Ruin and recreate towards one bin less, from a complete State: several chains, one batch of
    candidates a step.

    >>> items = np.random.default_rng(0).integers(2, 8, (20, 2))
    >>> search = Search(items, (10, 10), single_passes(items, (10, 10)))
    >>> before = search.count
    >>> _ = [search.step() for _ in range(5)]
    >>> search.count <= before
    True
    """

    chains, candidates, freed = 8, 24, (2, 3, 4, 5)  # chains; candidates of each a step; bins freed
    noise = (0.05, 0.5)  # standard deviation of the noise on log keys, log-uniform
    lead = (0.0, 0.6)  # of a fitting width in fill_gaps(), uniform
    temperature, unequal = (
        0.01,
        0.1,
    )  # of a bin's area: mean of what may be over more; worth of sum(load^2)

    def __init__(
        self,
        items: np.ndarray,
        bin_size: tuple[int, int],
        state: State,
        *,
        rotate: bool = False,
        rng: np.random.Generator | None = None,
        proposals: Callable | None = None,
        share: float = 0.0,
        stop: Callable[[], bool] = lambda: False,
    ):
        self.items, self.bin, self.rotate, self.rng = (
            items,
            bin_size,
            rotate,
            rng or np.random.default_rng(0),
        )
        self.area, self.room = items.prod(axis=1), bin_size[0] * bin_size[1]
        self.keys = np.log(np.stack([self.area, items.sum(axis=1)]))  # (2, n)
        self.proposals, self.share, self.stop = proposals, share, stop
        self.aim(state)

    def aim(self, state: State) -> None:
        """Take a complete packing, start every chain on one bin less: without one of the emptiest,
        two chains each.
        """
        self.best = state
        self.count = int(state.bins.max()) + 1
        load = np.bincount(state.bins, self.area, self.count)
        emptiest = np.argsort(load, kind="stable")
        self.states = []
        for c in range(self.chains):
            chain, gone = state.copy(), emptiest[c // 2 % len(emptiest)]
            chain.bins[state.bins == self.count - 1] = gone
            chain.bins[state.bins == gone] = -1
            self.states.append(chain)

    def step(self) -> bool:
        """Free k bins of every chain, pack them anew in a batch, take what leaves hardly more over.
        True: a bin less.

        Of more than one bin. Candidates that stop() cuts short are not taken.
        """
        rng, C, target = self.rng, self.chains, self.count - 1
        k = min(target, int(rng.choice(self.freed)))
        free = [rng.choice(target, k, replace=False) for _ in range(C)]
        mine = [
            np.nonzero((s.bins < 0) | np.isin(s.bins, bins))[0]
            for s, bins in zip(self.states, free)
        ]
        index = np.full((C, max(map(len, mine))), -1)
        for c, items in enumerate(mine):
            index[c, : len(items)] = items
        over = np.array([self.area[s.bins < 0].sum() for s in self.states])
        allowed = over + self.temperature * self.room * rng.exponential(size=C)
        orders = self.noisy_orders(np.repeat(index, self.candidates, axis=0))  # (C * candidates, m)
        gaps = max(self.bin) <= WIDEST and bool(rng.integers(2))
        prefer = self.propose(mine, k, orders, gaps)
        sequences = np.where(orders[:, :, None] < 0, 0, self.items[orders])
        area = sequences.prod(axis=2)
        most = np.repeat(allowed, self.candidates)
        if gaps:
            batch = self.fill(sequences, k, most)
        else:
            batch = decode(
                sequences,
                self.bin,
                rule=RULES[rng.integers(3)],
                first=bool(rng.integers(2)),
                limit=k,
                rotate=self.rotate,
                prefer=prefer,
                most=most,
                stop=self.stop,
            )
        left, cost = self.judge(batch, area, k)
        for c, (chain, a) in enumerate(zip(self.states, cost.reshape(C, -1).argmin(axis=1))):
            a += c * self.candidates
            if left[a] <= allowed[c]:
                m = len(mine[c])
                at, bins = orders[a, :m], batch.bins[a, :m]
                chain.bins[at] = np.where(bins < 0, -1, free[c][bins])
                chain.positions[at], chain.turned[at] = batch.positions[a, :m], batch.turned[a, :m]
                if left[a] == 0:
                    self.aim(chain)
                    return True
        return False

    def fill(self, sequences: np.ndarray, k: int, most: np.ndarray) -> Batch:
        """fill_gaps() from below or from the left, and by more or less of the order, as chance will
        have it.

        sequences (B, n, 2), most (B,): as there; at most k bins.
        """
        lead = self.rng.uniform(*self.lead, size=len(sequences))
        below = bool(self.rng.integers(2))
        items, size = (sequences, self.bin) if below else (sequences[:, :, ::-1], self.bin[::-1])
        batch = fill_gaps(items, size, k, rotate=self.rotate, lead=lead, most=most, stop=self.stop)
        return batch if below else replace(batch, positions=batch.positions[:, :, ::-1])

    def judge(self, batch: Batch, area: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The area left over (B,), inf where dropped, and the cost to compare by; nothing over
        beats everything.
        """
        left = np.where(batch.dropped, np.inf, np.where(batch.bins < 0, area, 0).sum(axis=1))
        loads = (
            np.stack([np.where(batch.bins == j, area, 0).sum(axis=1) for j in range(k)]) / self.room
        )
        return left, np.where(
            left == 0, -np.inf, left - self.unequal * self.room * (loads**2).sum(axis=0)
        )

    def propose(
        self, mine: list[np.ndarray], k: int, orders: np.ndarray, gaps: bool
    ) -> np.ndarray | None:
        """Replace the share of each chain's orders by proposals; the bins (B, m) to try first, or
        None.

        proposals(items (m, 2), k, rng, count) returns float keys (count, m), the largest placed
        first, or integer bins (count, m) in [0, k), -1 for none: each item's own first choice, the
        items then placed by area. fill_gaps() fills bin after bin: there the items come by their
        bin, then by area. Raises ValueError on another shape.
        """
        count = round(self.share * self.candidates)
        if self.proposals is None or count == 0:
            return None
        prefer = np.full(orders.shape, -1)
        for c, items in enumerate(mine):
            proposed = np.asarray(self.proposals(self.items[items], k, self.rng, count))
            if proposed.shape != (count, len(items)):
                raise ValueError(
                    f"proposals: expected shape {(count, len(items))}, got {proposed.shape}"
                )
            rows = slice(c * self.candidates, c * self.candidates + count)
            keys = proposed
            if proposed.dtype.kind in "iu":
                late = np.where(proposed < 0, k, proposed) * gaps
                keys = np.broadcast_to(self.area[items] / self.room, proposed.shape) - 2 * late
            first = np.argsort(-keys, axis=1, kind="stable")
            orders[rows, : len(items)] = items[first]
            if proposed.dtype.kind in "iu":
                prefer[rows, : len(items)] = np.take_along_axis(proposed, first, axis=1)
        return prefer

    def noisy_orders(self, index: np.ndarray) -> np.ndarray:
        """Rows of items (B, m), -1 last, by log area or log perimeter plus noise, largest first."""
        rng, (B, m) = self.rng, index.shape
        low, high = np.log(self.noise)
        sigma = np.exp(rng.uniform(low, high, (B, 1)))
        key = self.keys[rng.integers(0, 2, (B, 1)), index] + sigma * rng.standard_normal((B, m))
        key[index < 0] = -np.inf
        return np.take_along_axis(index, np.argsort(-key, axis=1), axis=1)


def pack(
    items: ArrayLike,
    bin_size: tuple[int, int],
    rotate: bool = False,
    time_limit: float = 5.0,
    iterations: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
    proposals: Callable | None = None,
    share: float = 0.0,
) -> Packing:
    """Pack items (n, 2) = (w, h) into few bins (W, H): single passes, then Search to the bound, or
    to the end.

    Sizes are whole numbers from 1 to 1,000,000. rotate: items may turn by 90 degrees. time_limit:
    in the seconds of clock(). iterations: a number of steps instead of a time; then the same seed
    gives the same Packing. on_progress(count, lower_bound): called at every step that saves a bin.
    proposals, share: see Search.propose. Raises ValueError on bad items or options, and Invalid if
    its own result failed the independent check.

    >>> packing = pack([[6, 4], [6, 4], [4, 8], [10, 2]], (10, 10), iterations=10)
    >>> packing.count, packing.lower_bound, packing.optimal
    (1, 1, True)
    """
    start = clock()
    if not time_limit >= 0:
        raise ValueError(f"time_limit: expected seconds >= 0, got {time_limit!r}")
    if iterations is not None and not (iterations >= 0 and iterations % 1 == 0):
        raise ValueError(f"iterations: expected a whole number >= 0, got {iterations!r}")
    if not 0 <= share <= 1:
        raise ValueError(f"share: expected a number from 0 to 1, got {share!r}")
    items, bin_size = check_items(items, bin_size, rotate=rotate)
    if len(items) == 0:
        empty = np.empty((0, 2), np.int64)
        return Packing(np.empty(0, np.int64), empty, empty, 0)
    bound = lower_bound(items, bin_size, rotate=rotate)

    def late():
        return iterations is None and clock() - start >= time_limit

    state = single_passes(items, bin_size, rotate=rotate, target=bound, stop=late)
    search = Search(
        items,
        bin_size,
        state,
        rotate=rotate,
        rng=np.random.default_rng(seed),
        proposals=proposals,
        share=share,
        stop=late,
    )
    step = 0
    while search.count > bound and not late() and step != iterations:
        if search.step() and on_progress:
            on_progress(search.count, bound)
        step += 1
    best = search.best
    sizes = np.where(best.turned[:, None], items[:, ::-1], items)
    check(items, bin_size, best.bins, best.positions, sizes, rotate=rotate)
    return Packing(best.bins, best.positions, sizes, bound)
