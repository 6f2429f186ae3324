"""Finite first fit (Berkey and Wang 1987): the benchmark's oldest heuristic, and a first answer at
once for any size.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

ASKED = 64  # items between two questions whether to stop


def shelves(
    items: np.ndarray,
    bin_size: tuple[int, int],
    *,
    rotate: ArrayLike = False,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pack items by falling height from left to right on shelves, the first shelf with room, else
    the first bin with room.

    items (n, 2) int64, each fitting the bin. rotate, one truth value or (n,): an item that may turn
    lies on its longer side where the bin is wide enough. A shelf is as high as its first item; a
    new one lies on top of its bin's others. Once stop() says so, only the last shelf and the last
    bin are tried (next fit), which takes no time to speak of. Returns (bins (n,), positions (n, 2),
    turned (n,) bool).

    >>> bins, positions, turned = shelves(np.array([[3, 2], [2, 1], [4, 2], [5, 3]]), (5, 5))
    >>> bins.tolist(), positions.tolist()
    ([1, 1, 0, 0], [[0, 0], [3, 0], [0, 3], [0, 0]])
    """
    W, H = bin_size
    w, h = items.T
    lying = (h > w) & (h <= W) & (w <= H) | (h > H) | (w > W)
    turned = lying & np.asarray(rotate, bool)
    w, h = np.where(turned, h, w), np.where(turned, w, h)
    order = np.lexsort((-w, -h))
    wide, high = w[order].tolist(), h[order].tolist()
    bins = np.zeros(len(items), np.int64)
    positions = np.zeros((len(items), 2), np.int64)
    end, bottom, where = np.zeros((3, len(items)), np.int64)  # of each shelf: used width, y, bin
    top = np.zeros(len(items), np.int64)  # of each bin's highest shelf
    count = used = 0
    for t, i in enumerate(order.tolist()):
        if t % ASKED == 0 and stop():
            rest = _next_fit(wide[t:], high[t:], (W, H))
            bins[order[t:]], positions[order[t:]] = rest[:, 0] + used, rest[:, 1:]
            break
        room = end[:count] <= W - wide[t]
        s = int(room.argmax()) if room.any() else count
        if s == count:
            free = top[:used] <= H - high[t]
            b = int(free.argmax()) if free.any() else used
            used = max(used, b + 1)
            bottom[s], where[s] = top[b], b
            top[b] += high[t]
            count += 1
        bins[i], positions[i] = where[s], (end[s], bottom[s])
        end[s] += wide[t]
    return bins, positions, turned


def _next_fit(wide: list[int], high: list[int], bin_size: tuple[int, int]) -> np.ndarray:
    """Items by falling height on the last shelf, else a new one on it, else in a new bin: (n, 3)
    bins, x, y.
    """
    W, H = bin_size
    rows = []
    b = x = y = 0
    shelf = high[0] if high else 0
    for w, h in zip(wide, high):
        if x + w > W:
            x, y, shelf = 0, y + shelf, h
        if y + h > H:
            b, x, y, shelf = b + 1, 0, 0, h
        rows.append((b, x, y))
        x += w
    return np.array(rows, np.int64).reshape(-1, 3)
