"""The batched decoder: many packings built at once, one item of each a step, on lists of maximal
free rectangles.

A bin's free space is the list of its maximal empty rectangles (MaxRects, Jylanki 2010, section 3).
An item goes to the lower left corner of one of them; every free rectangle that it hits is cut into
at most four, and those inside another are dropped. FreeSpace holds these lists for B candidates x K
bins x R rectangles in one array, so that a step costs the same few dozen NumPy calls for one
candidate as for hundreds; decode() runs a whole batch of item sequences.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RULES = ("short", "long", "area", "bottom")  # in Jylanki's names BSSF, BLSF, BAF, BL


class FreeSpace:
    """Maximal free rectangles of B candidates with K bins each: rect (B, K, 4, R) = x, y, w, h, all
    0 where unused.

    bin_size: (W, H), or an array (B, 2) of the candidates' own. opened (B,): bins in use, always
    the first ones.

    >>> space = FreeSpace(1, 1, (5, 4))
    >>> space.place(
    ...     np.array([0]), np.array([0]), np.array([0]), np.array([3]), np.array([2])
    ... ).tolist()
    [[0, 0]]
    >>> sorted(free for free in space.rect[0, 0].T.tolist() if any(free))
    [[0, 2, 5, 2], [3, 0, 2, 4]]
    """

    def __init__(self, count: int, bins: int, bin_size: ArrayLike, slots: int = 8):
        self.size = np.broadcast_to(np.asarray(bin_size, np.int64), (count, 2))
        self.side = int(self.size.max(initial=0)) + 1
        self.rect = np.zeros((count, bins, 4, slots), self.dtype_for(bins))
        self.rect[:, :, 2:, 0] = self.size[:, None]
        self.opened = np.zeros(count, np.int64)

    def dtype_for(self, bins: int) -> np.dtype:
        """The smaller integer type that holds choose()'s keys of so many bins."""
        return np.dtype(np.int32 if (bins + 2) * self.side**2 < 2**31 else np.int64)

    def keys(self, w: np.ndarray, h: np.ndarray, rule: str) -> np.ndarray:
        """The rule's key of every free rectangle for items (w, h), (B, K, R): the lower the better,
        in [0, side^2).

        The largest number of the dtype where the item does not fit. Rules: "short" and "long", the
        shorter and the longer side that is left over; "area", the free rectangle's; "bottom", the
        lowest top, leftmost among equals. Raises ValueError on another rule.
        """
        dw = self.rect[:, :, 2] - w[:, None, None]
        dh = self.rect[:, :, 3] - h[:, None, None]
        if rule == "short":
            key = np.minimum(dw, dh) * self.side + np.maximum(dw, dh)
        elif rule == "long":
            key = np.maximum(dw, dh) * self.side + np.minimum(dw, dh)
        elif rule == "area":
            key = self.rect[:, :, 2] * self.rect[:, :, 3]
        elif rule == "bottom":
            key = (self.rect[:, :, 1] + h[:, None, None]) * self.side + self.rect[:, :, 0]
        else:
            raise ValueError(f"rule: expected one of {', '.join(RULES)}, got {rule!r}")
        np.putmask(key, (dw | dh) < 0, np.iinfo(key.dtype).max)
        return key

    def choose(
        self, w: np.ndarray, h: np.ndarray, rule: str, first: bool, prefer: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bin, slot and key (B,) of the best place for items (w, h); the dtype's largest number as
        key: there is none.

        first: the lowest bin with room (first fit); else the best key over all opened bins, and a
        bin that is not opened only where no other has room (best fit). prefer (B,): a bin that
        comes before all others, if it has room.
        """
        B, K, _, R = self.rect.shape
        key = self.keys(w, h, rule)
        rank = (
            np.arange(K) + np.zeros((B, 1), int)
            if first
            else (np.arange(K) >= self.opened[:, None]).astype(int)
        )
        if prefer is not None:
            rank = np.where(np.arange(K) == prefer[:, None], 0, rank + 1)
        fits = key < np.iinfo(key.dtype).max
        np.add(key, (rank * self.side**2).astype(key.dtype)[:, :, None], out=key, where=fits)
        key = key.reshape(B, K * R)
        best = key.argmin(axis=1)
        return best // R, best % R, key[np.arange(B), best]

    def keep(self, rows: np.ndarray) -> None:
        """Go on with the candidates `rows` alone: indices, repeated at will, or (B,) bool."""
        self.rect, self.size, self.opened = self.rect[rows], self.size[rows], self.opened[rows]

    def place(
        self, rows: np.ndarray, k: np.ndarray, r: np.ndarray, w: np.ndarray, h: np.ndarray
    ) -> np.ndarray:
        """Put items (w, h) at the corner of free rectangle r of bin k of the candidates `rows`, all
        (N,), a row once.

        Returns the corners (N, 2). What does not fit there is an error of the caller.
        """
        n = np.arange(len(rows))
        self.opened[rows] = np.maximum(self.opened[rows], k + 1)
        free = self.rect[rows, k]  # (N, 4, R), a copy
        px, py = corners = free[n, :2, r].T
        px2, py2 = px + w, py + h
        x, y, fw, fh = free.transpose(1, 0, 2)
        hit = (
            (x < px2[:, None])
            & (px[:, None] < x + fw)
            & (y < py2[:, None])
            & (py[:, None] < y + fh)
        )
        b, s = np.nonzero(hit)
        cut, source = _pieces(free[b, :, s].T, px[b], py[b], px2[b], py2[b])
        owner = b[source]
        free[b, :, s] = 0
        if len(owner):
            free = self.insert(free, cut, owner)
        self.rect[rows, k] = free
        return corners.T

    def insert(self, free: np.ndarray, cut: np.ndarray, owner: np.ndarray) -> np.ndarray:
        """Write new rectangles cut (M, 4) into unused slots of their owners' lists (N, 4, R),
        unless inside another.
        """
        counts = np.bincount(owner, minlength=len(free))
        unused = free[:, 2] == 0
        spare = np.count_nonzero(unused, axis=1)
        missing = int((counts - spare).max())
        if missing > 0:
            self.reserve(slots=free.shape[2] + missing)
            free = np.pad(free, ((0, 0), (0, 0), (0, self.rect.shape[3] - free.shape[2])))
            unused = free[:, 2] == 0
            spare = np.count_nonzero(unused, axis=1)
        position = (
            np.arange(len(owner))
            + ((np.cumsum(spare) - spare) - (np.cumsum(counts) - counts))[owner]
        )
        slot = np.nonzero(unused)[1][position]  # the owner's next unused slot
        free[owner, :, slot] = cut
        inside = _contained(free[owner], cut, slot)
        free[owner[inside], :, slot[inside]] = 0
        return free

    def reserve(self, bins: int = 0, slots: int = 0) -> None:
        """Make room for at least so many bins, and so many rectangles a bin."""
        B, K, _, R = self.rect.shape
        if bins <= K and slots <= R:
            return
        bins = max(K, bins + bins // 4)
        rect = np.zeros((B, bins, 4, max(R, slots)), self.dtype_for(bins))
        rect[:, :K, :, :R] = self.rect
        rect[:, K:, 2:, 0] = self.size[:, None]
        self.rect = rect


def _pieces(
    free: np.ndarray, a1: np.ndarray, b1: np.ndarray, a2: np.ndarray, b2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What is left of free rectangles (4, M) = x, y, w, h around the item a1..a2 x b1..b2 that hits
    each (all (M,)).

    The parts left of, right of, below and above it, as wide and high as they can be. Returns those
    that are not empty (N, 4), and which rectangle each comes from (N,), ascending.
    """
    x, y, w, h = free
    cut = np.empty((len(x), 4, 4), free.dtype)
    cut[:] = free.T[:, None]
    cut[:, 0, 2] = a1 - x
    cut[:, 1, 0], cut[:, 1, 2] = a2, x + w - a2
    cut[:, 2, 3] = b1 - y
    cut[:, 3, 1], cut[:, 3, 3] = b2, y + h - b2
    source, part = np.nonzero((cut[:, :, 2:] > 0).all(axis=2))
    return cut[source, part], source


def _contained(lists: np.ndarray, cut: np.ndarray, slot: np.ndarray) -> np.ndarray:
    """Which of the rectangles cut (N, 4), at slot (N,) of their lists (N, 4, R), lie in another of
    the list: (N,) bool.

    Of equals the first stays.
    """
    x, y, w, h = lists.transpose(1, 0, 2)
    cx, cy, cw, ch = cut.T[:, :, None]
    inside = (x <= cx) & (y <= cy) & (x + w >= cx + cw) & (y + h >= cy + ch)
    inside &= (w > cw) | (h > ch) | (np.arange(lists.shape[2]) < slot[:, None])
    return inside.any(axis=1)


@dataclass(frozen=True)
class Batch:
    """What decode() returns, in the order of each sequence: bins (B, n), -1 where an item did not
    fit (or is padding); positions (B, n, 2); turned (B, n) bool; used (B,) bins in use; dropped
    (B,) bool, given up before the end.

    >>> decode(np.array([[[2, 2], [2, 1]]]), (2, 2)).used.tolist()
    [2]
    """

    bins: np.ndarray
    positions: np.ndarray
    turned: np.ndarray
    used: np.ndarray
    dropped: np.ndarray


def decode(
    sequences: np.ndarray,
    bin_size: ArrayLike,
    *,
    rule: str = "short",
    first: bool = False,
    rotate: ArrayLike = False,
    limit: int | None = None,
    prefer: np.ndarray | None = None,
    largest_left_out: np.ndarray | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Batch:
    """Pack B sequences of items at once, each item in its turn where the rule says.

    sequences (B, n, 2) = (w, h); (0, 0) pads. bin_size (W, H), or (B, 2). first: first fit, else
    best fit. rotate, one truth value or (B, n): the better of both orientations. limit: that many
    bins a candidate; an item that fits in none of them is left out (-1) and the next one follows.
    prefer (B, n): the bin that each item tries first. largest_left_out (B,): a candidate that
    leaves out more area is dropped, which spares the rest of its steps. stop() is asked before each
    item: once it says so, every candidate is dropped. Raises ValueError on a rule that is not in
    RULES.

    >>> batch = decode(np.array([[[3, 2], [3, 2], [2, 4]]]), (5, 4))
    >>> batch.bins.tolist(), batch.positions.tolist()
    ([[0, 0, 0]], [[[0, 0], [0, 2], [3, 0]]])
    """
    sequences = np.asarray(sequences)
    B, n = sequences.shape[:2]
    space = FreeSpace(B, limit or 1, bin_size)
    bins = np.full((B, n), -1)
    positions = np.zeros((B, n, 2), np.int64)
    turned = np.zeros((B, n), bool)
    used = np.zeros(B, np.int64)
    dropped = np.zeros(B, bool)
    left = np.zeros(B, np.int64)
    live = np.arange(B)
    turnable = np.broadcast_to(np.asarray(rotate, bool), (B, n))
    for t in range(n):
        if stop():
            dropped[live] = True
            break
        w, h = sequences[live, t].T.astype(space.rect.dtype)
        if limit is None:
            space.reserve(bins=int(space.opened.max(initial=0)) + 1)
        favourite = None if prefer is None else prefer[live, t]
        k, r, key = space.choose(w, h, rule, first, favourite)
        if turnable[live, t].any():
            k2, r2, key2 = space.choose(h, w, rule, first, favourite)
            turn = turnable[live, t] & (key2 < key)
            key2 = np.where(turn, key2, key)
            k, r, key = np.where(turn, k2, k), np.where(turn, r2, r), np.minimum(key, key2)
            w, h = np.where(turn, h, w), np.where(turn, w, h)
            turned[live, t] = turn
        found = key < np.iinfo(key.dtype).max
        rows = np.nonzero(found & (w > 0))[0]
        if len(rows):
            positions[live[rows], t] = space.place(rows, k[rows], r[rows], w[rows], h[rows])
            bins[live[rows], t] = k[rows]
            used[live] = space.opened
        if largest_left_out is not None and not found.all():
            left[live] += np.where(found, 0, sequences[live, t].prod(axis=1))
            over = left[live] > largest_left_out[live]
            if over.any():
                dropped[live[over]] = True
                space.keep(~over)
                live = live[~over]
                if not len(live):
                    break
    return Batch(bins, positions, turned, used, dropped)
