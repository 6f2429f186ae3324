"""Packings in progress, many at once, as the thesis' scorer sees them: who fits where, and what it
would leave over.
"""

import copy

import numpy as np
from numpy.typing import ArrayLike

from refimpl.companions.packing.placement import FreeSpace
from refimpl.companions.packing.thesis.scorer import BIN, EMBEDDED, PAIR, Scorer, embed


class Partial:
    """T packings of n items each into k bins, decided in the order given; the first `at` items of
    each are.

    items (T, n, 2), (0, 0) pads; bin_size (W, H) or (T, 2). The packing: bins (T, n), -1 left over;
    positions (T, n, 2); allowed (T, n, k), the bins an item still fits in, or its bin.

    f (T, k, n, 20), what the scorer sees of an item in a bin; areas in bins, sides over the bin's:
        0-6    w, h, area, wider than half, higher than half, both, 1 (a count)
        7      decided
        8-10   what it leaves beside it in the free rectangle where the shorter such side is
               shortest, which is where it would go: shorter side, longer side (over the bin's
               shorter one), shorter is 0
      and of the next item alone, one placement ahead:
        11-14  of the strip beside it and of the strip above it in that rectangle: the share that
               the best single item to come fills, and the area that it leaves
        15-17  items to come that no longer fit in the bin: their area, the sum of area / number of
               bins they fit in now, and how many of them fit nowhere else
        18     the sum of area / number of bins over those that still fit
        19     the largest free rectangle
    u (T, k, 6), of a bin: width of the widest, height of the highest and area of the largest free
    rectangle, how many there are / 5, width of the highest, height of the widest. With a scorer
    also what it makes of them: g (T, k, n, 52), its embedding of the items to come; base
    (T, k, 52), the sum of those that are decided.

    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2)
    >>> partial.bins.tolist(), partial.allowed.shape
    ([[-1, -1]], (1, 2, 2))
    """

    def __init__(
        self, items: np.ndarray, bin_size: ArrayLike, k: int, scorer: Scorer | None = None
    ):
        T, n = items.shape[:2]
        self.items, self.k, self.at, self.scorer = items, k, 0, None
        self.known: tuple | None = None  # what options() said, until the next put()
        self.next: tuple = ()  # of ahead(): (T, k) rows of what follows, free rectangles, corners
        self.space = FreeSpace(T, k, bin_size)
        self.side = self.space.size.min(axis=1).astype(np.float32)
        self.bins, self.positions = np.full((T, n), -1), np.zeros((T, n, 2), np.int64)
        self.allowed, self.f = np.zeros((T, n, k), bool), np.zeros((T, k, n, PAIR), np.float32)
        self.u = np.zeros((T, k, BIN), np.float32)
        w, h = sizes = np.moveaxis(items / self.space.size[:, None], 2, 0)
        wide, high = sizes > 0.5
        self.f[..., :7] = np.stack([w, h, w * h, wide, high, wide & high, w > 0], axis=2)[:, None]
        for b in range(k):
            self.look(np.arange(T), np.full(T, b))
        if scorer:
            self.scorer, self.g = scorer, embed(scorer, self.f)[0]
            self.base = np.zeros((T, k, PAIR + EMBEDDED), np.float32)
            self.ahead(np.arange(T))

    def look(self, rows: np.ndarray, b: np.ndarray) -> None:
        """Bring up to date what is known of bin b[i] of packing rows[i], rows and b (B,), and of
        the items to come.
        """
        rect, size, rest = (
            self.space.rect[rows, b],
            self.space.size[rows],
            self.items[rows, self.at :],
        )
        beside, above = (
            rect[:, None, 2 + axis] - rest[:, :, axis, None] for axis in (0, 1)
        )  # (N, n - at, R)
        big, side = np.iinfo(rect.dtype).max, self.space.side
        key = np.minimum(beside, above) * side + np.maximum(beside, above)
        np.putmask(key, (beside | above) < 0, big)
        key = key.min(axis=2)
        fits = (key < big) & (rest[:, :, 0] > 0)
        left = np.where(fits, np.stack(np.divmod(key, side)), 0)
        self.allowed[rows, self.at :, b] = fits
        self.f[rows, b, self.at :, 8] = left[0] / self.side[rows, None]
        self.f[rows, b, self.at :, 9] = left[1] / self.side[rows, None]
        self.f[rows, b, self.at :, 10] = fits & (left[0] == 0)
        w, h = rect[:, 2] / size[:, :1], rect[:, 3] / size[:, 1:]
        i = np.arange(len(rows))
        self.u[rows, b] = np.stack(
            [
                w.max(axis=1),
                h.max(axis=1),
                (w * h).max(axis=1),
                (w > 0).sum(axis=1) / 5,
                w[i, h.argmax(axis=1)],
                h[i, w.argmax(axis=1)],
            ],
            axis=1,
        )

    def options(self) -> tuple[np.ndarray, np.ndarray]:
        """The next items' best places: waste (T, k), the shorter side left over / the bin's, inf
        where it does not fit; slots (T, k) of the free rectangles.
        """
        if self.known is None:
            w, h = self.items[:, self.at].T.astype(self.space.rect.dtype)
            key = self.space.keys(w, h, "short")
            slots = key.argmin(axis=2)
            waste = key.min(axis=2) // self.space.side / self.side[:, None]
            self.known = np.where(self.allowed[:, self.at], waste, np.inf), slots
        return self.known

    def ahead(self, rows: np.ndarray) -> None:
        """Look one placement ahead: put the next item of packings `rows` (B,) into a copy of every
        bin it fits in.
        """
        at = self.at
        if at == self.items.shape[1]:
            return
        i, b = np.nonzero(self.allowed[rows, at])
        i = rows[i]
        if not len(i):
            return
        slots = self.options()[1][i, b]
        free, (w, h) = (
            self.space.rect[i, b, 2:, slots].T,
            self.items[i, at].T.astype(self.space.rect.dtype),
        )
        after, rest = copy.copy(self.space), self.items[i, at + 1 :]
        room, area = after.size[i].prod(axis=1), rest.prod(axis=2)
        after.size, after.rect, after.opened = (
            after.size[i],
            after.rect[i, b][:, None],
            np.zeros(len(i), np.int64),
        )
        corners = after.place(np.arange(len(i)), np.zeros(len(i), np.int64), slots, w, h)
        if self.scorer:
            pair = np.zeros(self.allowed[:, at].shape, np.int64)  # (T, k), the row of each
            pair[i, b] = np.arange(len(i))
            self.next = pair, after.rect[:, 0], corners
        wide, high = after.rect[:, 0, 2:].transpose(1, 0, 2)  # (N, R)
        known = []
        for strip in ((free[0] - w, free[1]), (free[0], free[1] - h)):
            fits = (rest <= np.stack(strip, axis=1)[:, None]).all(axis=2)
            best, whole = np.where(fits, area, 0).max(axis=1, initial=0), strip[0] * strip[1]
            known += [np.where(whole > 0, best / np.maximum(whole, 1), 1), (whole - best) / room]
        before = self.allowed[i, at + 1 :, b]
        still = before & (
            (wide[:, None] >= rest[:, :, :1]) & (high[:, None] >= rest[:, :, 1:])
        ).any(axis=2)
        number, gone = self.allowed[i, at + 1 :].sum(axis=2), before & ~still
        part = area / np.maximum(number, 1)
        known += [
            (area * gone).sum(axis=1) / room,
            (part * gone).sum(axis=1) / room,
            (gone & (number == 1)).sum(axis=1),
            (part * still).sum(axis=1) / room,
            (wide * high).max(axis=1) / room,
        ]
        self.f[i, b, at, 11:] = np.stack(known, axis=1)
        if self.scorer:
            self.g[:, :, at] = embed(self.scorer, self.f[:, :, at])[0]

    def put(self, value: np.ndarray, slots: np.ndarray) -> None:
        """Every packing's next item goes into the bin with the largest value (T, k), nowhere if all
        are -inf.
        """
        t, b = self.at, value.argmax(axis=1)
        rows = np.nonzero(value.max(axis=1) > -np.inf)[0]
        b = b[rows]
        self.at += 1
        self.known = None
        self.allowed[:, t] = False
        self.f[:, :, t, 7:] = 0
        self.f[:, :, t, 7] = self.f[:, :, t, 6]
        if len(rows):
            self.place(rows, b, slots)
        if self.scorer:
            self.ahead(np.arange(len(self.items)))

    def place(self, rows: np.ndarray, b: np.ndarray, slots: np.ndarray) -> None:
        """Put the item decided last into bins b (B,) of packings `rows` (B,). slots (T, k): from
        options().
        """
        t = self.at - 1
        if self.scorer:  # ahead() has put it there
            pair, rect, corners = self.next
            own = pair[rows, b]
            self.space.reserve(slots=rect.shape[2])
            self.space.rect[rows, b] = 0
            self.space.rect[rows, b, :, : rect.shape[2]] = rect[own]
            self.positions[rows, t] = corners[own]
        else:
            w, h = self.items[rows, t].T.astype(self.space.rect.dtype)
            self.positions[rows, t] = self.space.place(rows, b, slots[rows, b], w, h)
        self.bins[rows, t], self.allowed[rows, t, b] = b, True
        self.look(rows, b)
        if self.scorer:
            self.g[rows, b, t:] = embed(self.scorer, self.f[rows, b, t:])[0]
            self.base[rows, b] += self.g[rows, b, t]
