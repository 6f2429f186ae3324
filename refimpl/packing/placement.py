"""The batched decoder: many packings built at once, one item of each a step, on lists of maximal free rectangles.

A bin's free space is the list of its maximal empty rectangles (MaxRects, Jylanki 2010, section 3). An item goes to the
lower left corner of one of them; every free rectangle that it hits is cut into at most four, and those inside another are
dropped. FreeSpace holds these lists for B candidates x K bins x R rectangles in one array, so that a step costs the same
few dozen NumPy calls for one candidate as for hundreds; decode() runs a whole batch of item sequences.
"""

from dataclasses import dataclass

import numpy as np

RULES = ("short", "long", "area", "bottom", "contact")  # BSSF, BLSF, BAF, BL, CP


class FreeSpace:
    """Maximal free rectangles of B candidates with K bins each: rect (4, B, K, R) = x, y, w, h, w = 0 where unused.

    bin_size: (W, H), or an array (B, 2) of the candidates' own. opened (B,): bins in use, always the first ones.
    """

    def __init__(self, count, bins, bin_size, slots=8):
        self.size = np.broadcast_to(np.asarray(bin_size, np.int64), (count, 2))
        self.side = int(self.size.max(initial=0)) + 1
        self.rect = np.zeros((4, count, bins, slots), self.dtype_for(bins))
        self.rect[2:, :, :, 0] = self.size.T[:, :, None]
        self.opened = np.zeros(count, np.int64)

    def dtype_for(self, bins):
        return np.int32 if (bins + 2) * self.side**2 < 2**31 else np.int64

    def fits(self, w, h):
        """Does an item (w, h), arrays (B,), fit into each bin as it stands? (B, K) bool."""
        return ((self.rect[2] >= w[:, None, None]) & (self.rect[3] >= h[:, None, None])).any(axis=2)

    def keys(self, w, h, rule):
        """The rule's key of every free rectangle for items (w, h), (B, K, R): the lower the better, in [0, side^2).

        The largest number of the dtype where the item does not fit. Rules: "short" and "long", the shorter and the longer
        side that is left over; "area", what is left over; "bottom", the lowest top, leftmost among equals.
        """
        x, y, dw, dh = self.rect
        dw, dh = dw - w[:, None, None], dh - h[:, None, None]
        if rule == "short":
            key = np.minimum(dw, dh) * self.side + np.maximum(dw, dh)
        elif rule == "long":
            key = np.maximum(dw, dh) * self.side + np.minimum(dw, dh)
        elif rule == "area":
            key = self.rect[2] * self.rect[3]
        elif rule == "bottom":
            key = (y + h[:, None, None]) * self.side + x
        else:
            raise ValueError(f"rule: expected one of {', '.join(RULES[:4])}, got {rule!r}")
        np.putmask(key, (dw | dh) < 0, np.iinfo(key.dtype).max)
        return key

    def choose(self, w, h, rule, first, prefer=None):
        """Bin, slot and key (B,) of the best place for items (w, h); the dtype's largest number as key: there is none.

        first: the lowest bin with room (first fit); else the best key over all opened bins, and a bin that is not opened
        only where no other has room (best fit). prefer (B,): a bin that comes before all others, if there is room.
        """
        B, K, R = self.rect.shape[1:]
        key = self.keys(w, h, rule)
        rank = np.arange(K) + np.zeros((B, 1), int) if first else (np.arange(K) >= self.opened[:, None]).astype(int)
        if prefer is not None:
            rank = np.where(np.arange(K) == prefer[:, None], 0, rank + 1)
        fits = key < np.iinfo(key.dtype).max
        np.add(key, (rank * self.side**2).astype(key.dtype)[:, :, None], out=key, where=fits)
        key = key.reshape(B, K * R)
        best = key.argmin(axis=1)
        return best // R, best % R, key[np.arange(B), best]

    def keep(self, rows):
        """Go on with the candidates `rows` alone."""
        self.rect, self.size, self.opened = self.rect[:, rows], self.size[rows], self.opened[rows]

    def place(self, rows, k, r, w, h):
        """Put items (w, h) at the corner of free rectangle r of bin k of the candidates `rows` (all (N,)).

        Returns the corners (N, 2). What does not fit there is an error of the caller.
        """
        n, R = len(rows), self.rect.shape[3]
        self.opened[rows] = np.maximum(self.opened[rows], k + 1)
        rect = self.rect[:, rows, k]  # (4, N, R)
        px, py = rect[:2, np.arange(n), r]
        at = np.stack([px, py, px + w, py + h]).astype(rect.dtype)
        x1, y1 = rect[0], rect[1]
        x2, y2 = x1 + rect[2], y1 + rect[3]
        hit = (x1 < at[2][:, None]) & (at[0][:, None] < x2) & (y1 < at[3][:, None]) & (at[1][:, None] < y2)
        hb, hr = np.nonzero(hit)
        cut, owner = pieces(np.stack([x1[hb, hr], y1[hb, hr], x2[hb, hr], y2[hb, hr]]), at[:, hb], hb)
        rect[:, hit] = 0
        self.rect[:, rows, k] = 0
        counts = np.bincount(owner, minlength=n)
        position = R + np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        grown = np.zeros((4, n, R + int(counts.max(initial=0))), rect.dtype)
        grown[:, :, :R] = rect
        grown[:, owner, position] = cut
        inside = contained(grown, cut, owner, position)
        grown[:, owner[inside], position[inside]] = 0
        alive = grown[2] > 0
        slot = np.cumsum(alive, axis=1)
        self.reserve(slots=int(slot[:, -1].max(initial=0)))
        b, s = np.nonzero(alive)
        self.rect[:, rows[b], k[b], slot[b, s] - 1] = grown[:, b, s]
        return np.stack([px, py], axis=1)

    def reserve(self, bins=0, slots=0):
        """Make room for more bins or more rectangles a bin."""
        _, B, K, R = self.rect.shape
        if bins <= K and slots <= R:
            return
        rect = np.zeros((4, B, max(K, bins), max(R, slots)), self.dtype_for(max(K, bins)))
        rect[:, :, :K, :R] = self.rect
        rect[2:, :, K:, 0] = self.size.T[:, :, None]
        self.rect = rect


def pieces(free, at, owner):
    """Free rectangles (4, M) = x1, y1, x2, y2 around the item that hits each (4, M): left, right, below, above of it.

    Returns what is not empty as (4, N) = x, y, w, h with its owner (N,), owners ascending.
    """
    x1, y1, x2, y2 = free
    a1, b1, a2, b2 = at
    left = np.stack([x1, y1, a1 - x1, y2 - y1])
    right = np.stack([a2, y1, x2 - a2, y2 - y1])
    below = np.stack([x1, y1, x2 - x1, b1 - y1])
    above = np.stack([x1, b2, x2 - x1, y2 - b2])
    cut = np.stack([left, right, below, above], axis=2).reshape(4, -1)  # (4, M * 4)
    keep = np.nonzero((cut[2] > 0) & (cut[3] > 0))[0]
    return cut[:, keep], owner[keep // 4]


def contained(grown, cut, owner, position):
    """Which of the new rectangles lie in another of their bin: (N,) bool. Of equal ones the first stays."""
    x, y, w, h = (part[owner] for part in grown)  # (N, R)
    cx, cy, cw, ch = (part[:, None] for part in cut)
    inside = (x <= cx) & (y <= cy) & (x + w >= cx + cw) & (y + h >= cy + ch)
    other = np.arange(grown.shape[2])
    larger = (w > cw) | (h > ch) | (other < position[:, None])
    return (inside & larger).any(axis=1)


@dataclass(frozen=True)
class Batch:
    """What decode() returns, in the order of each sequence: bins (B, n), -1 where an item did not fit (or is padding);
    positions (B, n, 2); turned (B, n) bool; used (B,) bins in use; dropped (B,) bool, given up before the end."""

    bins: np.ndarray
    positions: np.ndarray
    turned: np.ndarray
    used: np.ndarray
    dropped: np.ndarray


def decode(sequences, bin_size, *, rule="short", first=False, rotate=False, limit=None, prefer=None, weights=None, most=None):
    """Pack B sequences of items at once, each item in its turn where the rule says.

    sequences (B, n, 2) = (w, h); (0, 0) pads. bin_size (W, H), or (B, 2). first: first fit, else best fit. rotate: the
    better of both orientations. limit: that many bins a candidate; an item that fits in none of them is left out (-1)
    and the next one follows. prefer (B, n): the bin that each item tries first. weights (B, n), most (B,): a candidate
    whose left-out items weigh more than `most` is dropped, which spares the rest of its steps.

    >>> batch = decode(np.array([[[3, 2], [3, 2], [2, 4]]]), (5, 4))
    >>> batch.bins.tolist(), batch.positions.tolist()
    ([[0, 0, 0]], [[[0, 0], [0, 2], [3, 0]]])
    """
    sequences = np.asarray(sequences)
    B, n = sequences.shape[:2]
    space = FreeSpace(B, limit or 1, bin_size)
    bins, positions, turned = np.full((B, n), -1), np.zeros((B, n, 2), np.int64), np.zeros((B, n), bool)
    used, dropped, left, live = np.zeros(B, np.int64), np.zeros(B, bool), np.zeros(B), np.arange(B)
    for t in range(n):
        w, h = sequences[live, t].T.astype(space.rect.dtype)
        if limit is None:
            space.reserve(bins=int(space.opened.max(initial=0)) + 1)
        favourite = None if prefer is None else prefer[live, t]
        k, r, key = space.choose(w, h, rule, first, favourite)
        if rotate:
            k2, r2, key2 = space.choose(h, w, rule, first, favourite)
            turn = key2 < key
            k, r, key = np.where(turn, k2, k), np.where(turn, r2, r), np.minimum(key, key2)
            w, h = np.where(turn, h, w), np.where(turn, w, h)
            turned[live, t] = turn
        found = key < np.iinfo(key.dtype).max
        rows = np.nonzero(found & (w > 0))[0]
        if len(rows):
            positions[live[rows], t] = space.place(rows, k[rows], r[rows], w[rows], h[rows])
            bins[live[rows], t] = k[rows]
            used[live] = space.opened
        if most is not None and not found.all():
            left[live] += np.where(found, 0, weights[live, t])
            over = left[live] > most[live]
            if over.any():
                dropped[live[over]] = True
                space.keep(~over)
                live = live[~over]
                if not len(live):
                    break
    return Batch(bins, positions, turned, used, dropped)
