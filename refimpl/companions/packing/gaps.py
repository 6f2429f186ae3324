"""The second batched decoder: fill the lowest gap of a skyline with the item that fits it best, bin
after bin.

Burke, Kendall and Whitwell (2004): not the next item looks for a place, the lowest place looks for
an item. Which item: of those that fit, the order of the sequence decides, but an item as wide as
the gap, or as high as a wall beside it, may come before others (Leung, Zhang and Sim 2011). With
many items a bin this leaves less over than MaxRects.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from refimpl.companions.packing.placement import Batch

WIDEST = 1000  # the skyline is kept column by column


def fill_gaps(
    sequences: np.ndarray,
    bin_size: tuple[int, int],
    limit: int,
    *,
    rotate: ArrayLike = False,
    lead: float | np.ndarray = 1.0,
    largest_left_out: np.ndarray | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Batch:
    """Pack B sequences of items into at most `limit` bins (W, H) each; meant for W up to WIDEST.

    sequences (B, n, 2) = (w, h); (0, 0) pads. rotate: who may turn, one truth value or (B, n).
    lead, number or (B,): by how much of the sequence an item of the gap's width comes before the
    rest (half as much for one as high as a wall): 0 keeps the order, 2 puts it first.
    largest_left_out (B,): a candidate is dropped as soon as so much area is wasted that more than
    this must be left out.
    stop() is asked before each item: once it says so, all that are not done are dropped. Returns a
    Batch as decode() does.

    >>> fill_gaps(np.array([[[3, 2], [2, 4], [3, 2]]]), (5, 4), 1).bins.tolist()
    [[0, 0, 0]]
    """
    sequences = np.asarray(sequences)
    (B, n), (W, H) = sequences.shape[:2], bin_size
    bins = np.full((B, n), -1)
    positions = np.zeros((B, n, 2), np.int64)
    turned = np.zeros((B, n), bool)
    dropped, live = np.zeros(B, bool), np.arange(B)
    w, h = np.moveaxis(sequences, 2, 0).astype(np.int32)
    slack = (
        np.full(B, np.inf)
        if largest_left_out is None
        else limit * W * H - sequences.prod(axis=2).sum(axis=1) + largest_left_out
    )
    todo = w > 0
    turnable = np.broadcast_to(np.asarray(rotate, bool), (B, n))
    twice = bool(turnable.any())
    if twice:
        w, h, todo = np.hstack([w, h]), np.hstack([h, w]), np.hstack([todo, todo & turnable])
    columns = np.arange(W + 2)
    early = np.tile(np.arange(n, 0, -1, dtype=np.float32), 1 + twice)
    lead = np.broadcast_to(np.float32(lead) * np.float32(n), (B,))
    sky = np.zeros((B, W + 2), np.int32)
    sky[:, [0, -1]] = H  # the walls
    here = np.zeros(B, np.int64)  # the bin that is being filled
    while len(live):
        if stop():
            dropped[live] = True
            break
        rows = np.arange(len(live))
        y = sky.min(axis=1)
        low = sky == y[:, None]
        left = low.argmax(axis=1)
        right = (~low & (columns > left[:, None])).argmax(axis=1)
        gap = right - left
        a, b = sky[rows, left - 1] - y, sky[rows, right] - y  # the walls beside it
        fits = todo & (w <= gap[:, None]) & (h <= (H - y)[:, None])
        wall = (h == a[:, None]) | (h == b[:, None])
        key = early + lead[live, None] * ((w == gap[:, None]) + np.float32(0.5) * wall)
        np.putmask(key, ~fits, 0)
        pick = key.argmax(axis=1)
        found = key[rows, pick] > 0
        one, i = live[found], pick[found] % n
        width, height = w[found, pick[found]], h[found, pick[found]]
        at_left = (a[found] == height) | (b[found] != height) & (a[found] >= b[found])
        x = np.where(at_left, left[found], right[found] - width)
        bins[one, i], turned[one, i] = here[found], pick[found] >= n
        positions[one, i] = np.stack([x - 1, y[found]], axis=1)
        todo[found, i] = todo[found, i - n] = False
        top = y + np.minimum(a, b)  # a gap that nothing fits is raised to the lower wall
        slack[live[~found]] -= (gap * np.minimum(a, b))[~found]
        top[found] = y[found] + height
        left[found], right[found] = x, x + width
        sky = np.where((columns >= left[:, None]) & (columns < right[:, None]), top[:, None], sky)
        full = sky[:, 1:-1].min(axis=1) == H
        here += full
        sky[full, 1:-1] = 0
        dropped[live] = slack[live] < 0
        keep = (here < limit) & todo.any(axis=1) & (slack[live] >= 0)
        if not keep.all():
            live, sky, here, w, h, todo = (array[keep] for array in (live, sky, here, w, h, todo))
    return Batch(bins, positions, turned, bins.max(axis=1, initial=-1) + 1, dropped)
