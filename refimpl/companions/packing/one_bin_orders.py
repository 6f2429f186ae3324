"""Local search for one bin: orders of its items, changed a little, filled from below or the left.

What the exact search of one_bin.py does not reach: a few chains keep the order that leaves least
over; a step swaps or moves a few items in many copies of it, fills the bin by each (gaps.py or
placement.py), and takes the best if it leaves hardly more over than before.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from refimpl.companions.packing.gaps import WIDEST, fill_gaps
from refimpl.companions.packing.passes import State
from refimpl.companions.packing.placement import RULES, decode

CHAINS, CANDIDATES = 6, 32
TEMPERATURE = 0.005  # of the bin's area: how much more may be left over, on average


class Orders:
    """Chains of orders of items (n, 2) for one bin (W, H); turnable (n,).

    >>> items = np.array([[2, 1], [1, 2], [2, 1], [1, 2], [1, 1]])
    >>> tries = Orders(items, (3, 3), np.zeros(5, bool), np.random.default_rng(0))
    >>> next(found for found in iter(tries.step, 0) if found).bins.tolist()
    [0, 0, 0, 0, 0]
    """

    def __init__(
        self,
        items: np.ndarray,
        bin_size: tuple[int, int],
        turnable: np.ndarray,
        rng: np.random.Generator,
        stop: Callable[[], bool] = lambda: False,
    ):
        self.items = items
        self.bin = bin_size
        self.turnable = turnable
        self.rng = rng
        self.stop = stop
        self.area = items.prod(axis=1)
        noise = 0.3 * rng.standard_normal((CHAINS, len(items)))
        self.orders = np.argsort(-np.log(self.area) + noise, axis=1)
        self.left = np.full(CHAINS, np.inf)

    def step(self) -> State | None:
        """One round of all chains: a State if everything went in."""
        rng, (C, n) = self.rng, self.orders.shape
        orders = np.repeat(self.orders, CANDIDATES, axis=0)
        rows = np.arange(len(orders))
        for t in range(3):
            i, j = rng.integers(0, n, (2, len(orders)))
            j = np.where((t > 0) & (rng.random(len(orders)) < 0.5), i, j)  # one to three swaps
            orders[rows, i], orders[rows, j] = orders[rows, j], orders[rows, i]
        batch = self._filled(orders)
        left = np.where(batch.bins < 0, self.area[orders], 0).sum(axis=1)
        left = np.where(batch.dropped, np.inf, left)
        best = left.reshape(C, -1).argmin(axis=1) + CANDIDATES * np.arange(C)
        allowed = self.left + TEMPERATURE * np.prod(self.bin) * rng.exponential(size=C)
        for c, a in enumerate(best):
            if left[a] == 0:
                back = np.argsort(orders[a])
                bins = np.zeros(n, np.int64)
                return State(bins, batch.positions[a, back], batch.turned[a, back])
            if left[a] <= allowed[c]:
                self.orders[c], self.left[c] = orders[a], left[a]
        return None

    def _filled(self, orders: np.ndarray):
        """A Batch of orders (B, n) in one bin, by a way that chance chooses."""
        rng = self.rng
        items, turnable = self.items[orders], self.turnable[orders]
        if max(self.bin) <= WIDEST and rng.random() < 0.8:
            early = rng.uniform(0, 1.5, len(orders))
            below = bool(rng.integers(2))
            size = self.bin if below else self.bin[::-1]
            items = items if below else items[..., ::-1]
            batch = fill_gaps(items, size, 1, rotate=turnable, lead=early, stop=self.stop)
            return batch if below else replace(batch, positions=batch.positions[..., ::-1])
        rule = RULES[int(rng.integers(3))]
        return decode(items, self.bin, rule=rule, limit=1, rotate=turnable, stop=self.stop)
