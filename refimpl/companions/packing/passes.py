"""Single passes: the items sorted, then placed one after another; the best of many sort orders and
rules.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from refimpl.companions.packing.placement import RULES, decode
from refimpl.companions.packing.shelf import shelves

ORDERS = {
    "area": lambda w, h: w * h,
    "perimeter": lambda w, h: w + h,
    "shorter side": lambda w, h: np.minimum(w, h),
    "longer side": lambda w, h: np.maximum(w, h),
    "height": lambda w, h: h,
    "width": lambda w, h: w,
}
TOGETHER = 1000  # items: with more, each order is a batch of its own


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

    @property
    def count(self) -> int:
        """How many bins are in use."""
        return int(self.bins.max(initial=-1)) + 1


def single_passes(
    items: np.ndarray,
    bin_size: tuple[int, int],
    *,
    rotate: ArrayLike = False,
    target: int = 0,
    stop: Callable[[], bool] = lambda: False,
    best: State | None = None,
) -> State:
    """The best State of `best`, or else of shelves(), and of the sort orders x rules x best and
    first fit; all orders in one batch.

    items (n, 2) int64, n > 0, each fitting the bin; rotate: who may turn, one truth value or (n,).
    More than TOGETHER items: one order a batch. "bottom" goes with first fit only. It ends early at
    `target` bins, or as soon as stop() says so: a pass that is not done is lost.

    >>> single_passes(np.array([[6, 4], [6, 7], [4, 4]]), (10, 10)).bins.tolist()
    [1, 0, 0]
    """
    best = best or State(*shelves(items, bin_size, rotate=rotate, stop=stop))
    turnable = np.broadcast_to(np.asarray(rotate, bool), (len(items),))
    batches = [tuple(ORDERS)] if len(items) <= TOGETHER else [(name,) for name in ORDERS]
    for first in (False, True):
        for rule in RULES if first else RULES[:3]:
            for names in batches:
                if best.count <= target or stop():
                    return best
                rows = np.array([order(items, name) for name in names])
                batch = decode(
                    items[rows],
                    bin_size,
                    rule=rule,
                    first=first,
                    rotate=turnable[rows],
                    stop=stop,
                )
                if batch.dropped.any():
                    return best
                a = int(batch.used.argmin())
                if batch.used[a] < best.count:
                    back = np.argsort(rows[a])
                    best = State(
                        batch.bins[a, back], batch.positions[a, back], batch.turned[a, back]
                    )
    return best
