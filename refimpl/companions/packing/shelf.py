"""Finite first fit (Berkey and Wang 1987): the benchmark's oldest heuristic, and a first answer at
once for any size.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def shelves(
    items: np.ndarray,
    bin_size: tuple[int, int],
    *,
    rotate: ArrayLike = False,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pack items by falling height from left to right on shelves, the first shelf with room, else
    the first bin with room.

    items (n, 2) int64, each fitting the bin. rotate: every item lies on its longer side where the
    bin is wide enough. A shelf is as high as its first item; a new one lies on top of its bin's
    others. Returns (bins (n,), positions (n, 2), turned (n,) bool).

    >>> bins, positions, turned = shelves(np.array([[3, 2], [2, 1], [4, 2], [5, 3]]), (5, 5))
    >>> bins.tolist(), positions.tolist()
    ([1, 1, 0, 0], [[0, 0], [3, 0], [0, 3], [0, 0]])
    """
    W, H = bin_size
    w, h = items.T
    lying = (h > w) & (h <= W) & (w <= H) | (h > H) | (w > W)
    turned = lying & np.asarray(rotate, bool)
    w, h = np.where(turned, h, w), np.where(turned, w, h)
    bins, positions = np.empty(len(items), np.int64), np.empty((len(items), 2), np.int64)
    end, bottom, where = np.zeros(
        (3, len(items)), np.int64
    )  # of each shelf: used width, y, bin; all are high enough
    top = np.zeros(len(items), np.int64)  # of each bin's highest shelf
    count = used = 0
    for i in np.lexsort((-w, -h)):
        room = end[:count] <= W - w[i]
        s = int(room.argmax()) if room.any() else count
        if s == count:
            free = top[:used] <= H - h[i]
            b = int(free.argmax()) if free.any() else used
            used = max(used, b + 1)
            bottom[s], where[s] = top[b], b
            top[b] += h[i]
            count += 1
        bins[i], positions[i] = where[s], (end[s], bottom[s])
        end[s] += w[i]
    return bins, positions, turned
