"""Ruin and recreate: from a packing into m bins towards one into m - 1.

An emptiest bin is dropped, its items are over. A step frees a few bins and packs their items and
those over into as many bins, a batch of noisy orders at once; the candidate that leaves the least
area over, the most unequally filled bins among near equals, is taken if that is not much more than
before (Schrimpf et al. 2000; the fixed target as in ejection pools, Nagata and Braysy 2009).
Nothing over: m - 1 bins.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from refimpl.companions.packing.gaps import WIDEST, fill_gaps
from refimpl.companions.packing.passes import State
from refimpl.companions.packing.placement import RULES, Batch, decode

ENTRIES = 400_000  # of a step's orders: of many items there are fewer candidates


class Search:
    """Ruin and recreate towards one bin less, from a complete State: several chains, one batch of
    candidates a step.

    >>> from refimpl.companions.packing.passes import single_passes
    >>> items = np.random.default_rng(0).integers(2, 8, (20, 2))
    >>> search = Search(items, (10, 10), single_passes(items, (10, 10)))
    >>> before = search.count
    >>> _ = [search.step() for _ in range(5)]
    >>> search.count <= before
    True
    """

    chains = 8
    candidates = 24  # of each chain, a step
    freed = (2, 3, 4, 5)  # bins a step
    noise = (0.05, 0.5)  # standard deviation of the noise on log keys, log-uniform
    early = (0.0, 0.6)  # by how much an item as wide as its gap comes earlier, uniform
    upright = 0.125  # of the steps turn no item that need not, where items may turn
    temperature = 0.01  # of a bin's area: how much more may be left over, on average
    unequal = 0.1  # of a bin's area: what sum(load^2) is worth

    def __init__(
        self,
        items: np.ndarray,
        bin_size: tuple[int, int],
        state: State,
        *,
        rotate: ArrayLike = False,
        rng: np.random.Generator | None = None,
        proposals: Callable | None = None,
        share: float = 0.0,
        stop: Callable[[], bool] = lambda: False,
    ):
        self.items = items
        self.bin = bin_size
        self.turnable = np.broadcast_to(np.asarray(rotate, bool), (len(items),))
        self.must_turn = np.any(items > np.asarray(bin_size), axis=1)
        self.may_turn = bool((self.turnable & ~self.must_turn).any())
        self.rng = rng or np.random.default_rng(0)
        self.area = items.prod(axis=1)
        self.room = bin_size[0] * bin_size[1]
        self.keys = np.log(np.stack([self.area, items.sum(axis=1)]))  # (2, n)
        self.proposals = proposals
        self.share = share
        self.stop = stop
        self.aim(state)

    def aim(self, state: State) -> None:
        """Take a complete packing, start every chain on one bin less: without one of the emptiest,
        two chains each.
        """
        self.best = state
        self.count = state.count
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
        many = max(1, min(self.candidates, ENTRIES // index.size))
        left_over = np.array([self.area[s.bins < 0].sum() for s in self.states])
        allowed = left_over + self.temperature * self.room * rng.exponential(size=C)
        orders = self.noisy_orders(np.repeat(index, many, axis=0))  # (C * many, m)
        gaps = max(self.bin) <= WIDEST and bool(rng.integers(2))
        prefer = self.propose(mine, k, orders, gaps) if many == self.candidates else None
        batch = self.rebuild(orders, k, np.repeat(allowed, many), prefer, gaps)
        area = np.where(orders < 0, 0, self.area[orders])
        left, cost = self.judge(batch, area, k)
        for c, (chain, a) in enumerate(zip(self.states, cost.reshape(C, -1).argmin(axis=1))):
            a += c * many
            if left[a] <= allowed[c]:
                m = len(mine[c])
                at, bins = orders[a, :m], batch.bins[a, :m]
                chain.bins[at] = np.where(bins < 0, -1, free[c][bins])
                chain.positions[at], chain.turned[at] = batch.positions[a, :m], batch.turned[a, :m]
                if left[a] == 0:
                    self.aim(chain)
                    return True
        return False

    def rebuild(
        self,
        orders: np.ndarray,
        k: int,
        largest_left_out: np.ndarray,
        prefer: np.ndarray | None,
        gaps: bool,
    ) -> Batch:
        """The items of orders (B, m), -1 pads, packed into at most k bins: gaps filled, or item
        after item by a rule; which way exactly, chance decides. largest_left_out (B,), prefer
        (B, m): as in decode().
        """
        rng = self.rng
        sequences = np.where(orders[:, :, None] < 0, 0, self.items[orders])
        turnable = self.turnable[orders]
        if self.may_turn and rng.random() < self.upright:  # what needs no turning is not lost
            turnable = self.must_turn[orders]
        if gaps:
            early = rng.uniform(*self.early, size=len(sequences))
            below = bool(rng.integers(2))
            items, size = (
                (sequences, self.bin) if below else (sequences[:, :, ::-1], self.bin[::-1])
            )
            batch = fill_gaps(
                items,
                size,
                k,
                rotate=turnable,
                lead=early,
                largest_left_out=largest_left_out,
                stop=self.stop,
            )
            return batch if below else replace(batch, positions=batch.positions[:, :, ::-1])
        return decode(
            sequences,
            self.bin,
            rule=RULES[rng.integers(3)],
            first=bool(rng.integers(2)),
            limit=k,
            rotate=turnable,
            prefer=prefer,
            largest_left_out=largest_left_out,
            stop=self.stop,
        )

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
