"""Do all items go into one bin? An exact search over skylines, many nodes at once.

The items placed so far end above in a skyline. At the left end of its lowest gap either lies one of
the items to come, or nothing ever rests on that gap's floor, and it is raised to its lower wall: in
a packing whose items are all pushed down and to the left there is no third case. So the tree is
searched depth first, a few hundred nodes a step in arrays. A node is given up once more area must
be wasted than the bin has to spare, by what widths and heights of items to come can add up to:
above every piece of the skyline at least the height that no sum of theirs fills, beside every item
the width. An empty tree is a proof that one bin is not enough.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from refimpl.companions.packing.passes import State

TOGETHER = 256  # nodes a step
WIDEST = 2000  # sums of sizes are kept bit by bit up to here; in larger bins nothing is bounded


@dataclass
class Nodes:
    """N partial packings of n items.

    x, y (N, n + 2): the pieces of the skyline from left to right and the wall behind them. there
    (N, n) bool: the items placed; at (N, n, 2): where; how (N, n) bool: turned. waste (N,).

    >>> one = root(np.array([[2, 1]]), (3, 3))
    >>> one.x.tolist(), one.y.tolist(), len(one)
    ([[0, 3, 3]], [[0, 3, 3]], 1)
    """

    x: np.ndarray
    y: np.ndarray
    there: np.ndarray
    at: np.ndarray
    how: np.ndarray
    waste: np.ndarray

    def __len__(self) -> int:
        return len(self.waste)

    def take(self, rows: np.ndarray | slice) -> "Nodes":
        """The nodes of some rows, in arrays of their own unless rows is a slice."""
        return Nodes(*(getattr(self, field.name)[rows] for field in fields(self)))


def root(items: np.ndarray, bin_size: tuple[int, int]) -> Nodes:
    """The empty bin: one node.

    >>> root(np.array([[2, 1], [1, 1]]), (3, 3)).there.tolist()
    [[False, False]]
    """
    (W, H), n = bin_size, len(items)
    x = np.full((1, n + 2), W, np.int32)
    y = np.full((1, n + 2), H, np.int32)
    x[0, 0] = y[0, 0] = 0
    return Nodes(
        x,
        y,
        np.zeros((1, n), bool),
        np.zeros((1, n, 2), np.int32),
        np.zeros((1, n), bool),
        np.zeros(1, np.int64),
    )


def search(
    items: np.ndarray, bin_size: tuple[int, int], turnable: np.ndarray, rng: np.random.Generator
) -> Iterator[State | None]:
    """One step of the search after another: None while it goes on, a State when it has found a
    packing; it ends when there is none.

    items (n, 2) int64; turnable (n,) bool.

    >>> def whole(items, rng=np.random.default_rng(0)):
    ...     steps = search(np.array(items), (3, 3), np.zeros(len(items), bool), rng)
    ...     return next((found.bins.tolist() for found in steps if found), None)
    >>> whole([[2, 1], [1, 2], [2, 1], [1, 2], [1, 1]])
    [0, 0, 0, 0, 0]
    >>> whole([[2, 2], [2, 2]]) is None
    True
    """
    tree = Tree(items, bin_size, turnable, rng)
    while tree.stack:
        found = tree.step()
        if found is not None:
            yield found
            return
        yield None


class Tree:
    """The search's open nodes, and what is known of the items.

    >>> tree = Tree(np.array([[2, 2]]), (2, 2), np.zeros(1, bool), np.random.default_rng(0))
    >>> tree.step().positions.tolist()
    [[0, 0]]
    """

    def __init__(
        self,
        items: np.ndarray,
        bin_size: tuple[int, int],
        turnable: np.ndarray,
        rng: np.random.Generator,
    ):
        self.n = len(items)
        self.bin = bin_size
        self.rng = rng
        turns = np.flatnonzero(turnable & (items[:, 0] != items[:, 1]))
        self.item = np.concatenate([np.arange(self.n), turns])  # of each way to place one
        self.turned = np.arange(len(self.item)) >= self.n
        self.w, self.h = np.concatenate([items, items[turns, ::-1]]).T.astype(np.int32)
        self.before = self._twins(items, turnable)
        self.spare = bin_size[0] * bin_size[1] - int(items.prod(axis=1).sum())
        self.items = items
        self.stack = [root(items, bin_size)] if self.spare >= 0 else []

    def _twins(self, items: np.ndarray, turnable: np.ndarray) -> np.ndarray:
        """Of each item the one before it that is just like it, or itself: twins go in order."""
        before = np.arange(self.n)
        seen: dict[tuple, int] = {}
        for i, (w, h) in enumerate(items.tolist()):
            size = (min(w, h), max(w, h), True) if turnable[i] else (w, h, False)
            before[i] = seen.get(size, i)
            seen[size] = i
        return before

    def step(self) -> State | None:
        """Take up to TOGETHER of the most promising nodes, put their children in their place: the
        packing, if it is among these.
        """
        nodes = self.stack.pop()
        if len(nodes) > TOGETHER:
            self.stack.append(nodes.take(slice(0, len(nodes) - TOGETHER)))
            nodes = nodes.take(slice(len(nodes) - TOGETHER, None))
        free = ~nodes.there
        across, up = self.sums(free, 0), self.sums(free, 1)
        if up is not None:
            above = self.bin[1] - nodes.y
            ends = np.concatenate([nodes.x[:, 1:], nodes.x[:, -1:]], axis=1)
            missing = above - np.take_along_axis(up, above, axis=1)
            must = nodes.waste + (missing * (ends - nodes.x)).sum(axis=1)
            alive = must <= self.spare
            nodes, up = nodes.take(alive), up[alive]
            across = None if across is None else across[alive]
        if not len(nodes):
            return None
        children = self.children(nodes, across, up)
        done = children.there.all(axis=1)
        if done.any():
            i = int(done.argmax())
            at, how = children.at[i].astype(np.int64), children.how[i]
            return State(np.zeros(self.n, np.int64), at, how)
        if len(children):
            self.stack.append(children)
        return None

    def sums(self, free: np.ndarray, axis: int) -> np.ndarray | None:
        """The largest sum of sizes of free items (N, n) that is at most c, for c = 0 to the bin's
        side: (N, side + 1). None in a bin that is too large for that.
        """
        side = self.bin[axis]
        if max(self.bin) > WIDEST:
            return None
        reach = np.zeros((len(free), side + 1), bool)
        reach[:, 0] = True
        sizes: list[set[int]] = [set() for _ in range(self.n)]
        for way, i in enumerate(self.item.tolist()):
            sizes[i].add(int((self.w if axis == 0 else self.h)[way]))
        for i, own in enumerate(sizes):
            more = np.zeros_like(reach)
            for size in own:
                if size <= side:
                    more[:, size:] |= reach[:, : side + 1 - size]
            reach |= more & free[:, i, None]
        return np.maximum.accumulate(
            np.where(reach, np.arange(side + 1, dtype=np.int32), 0), axis=1
        )

    def children(self, nodes: Nodes, across: np.ndarray | None, up: np.ndarray | None) -> Nodes:
        """The nodes' children that may still waste little enough, the most promising last."""
        N, S = nodes.x.shape
        rows = np.arange(N)
        y = nodes.y.min(axis=1)
        low = nodes.y == y[:, None]
        left = low.argmax(axis=1)
        right = (~low & (np.arange(S) > left[:, None])).argmax(axis=1)
        x = nodes.x[rows, left]
        gap = nodes.x[rows, right] - x
        H = self.bin[1]
        wall_a = np.where(left > 0, nodes.y[rows, left - 1], H) - y
        wall_b = nodes.y[rows, right] - y
        free = ~nodes.there[:, self.item]  # (N, ways)
        twin = nodes.there[:, self.before] | (self.before == np.arange(self.n))
        fits = free & twin[:, self.item] & (self.w <= gap[:, None]) & (self.h <= (H - y)[:, None])
        rest = np.where(fits, gap[:, None] - self.w, 0)
        must = np.broadcast_to(nodes.waste[:, None], rest.shape)
        if across is not None and up is not None:
            beside = rest - np.take_along_axis(across, rest, axis=1)
            lowest = np.where(free, self.h, H).min(axis=1)  # of the items to come
            high = np.minimum(np.minimum(self.h, wall_b[:, None]), lowest[:, None])
            above = np.where(fits, H - y[:, None] - self.h, 0)
            missing = (above - np.take_along_axis(up, above, axis=1)) * self.w
            must = must + np.maximum(beside * high, missing)
            fits = fits & (must <= self.spare)
        p, way = np.nonzero(fits)
        raised = np.minimum(wall_a, wall_b)
        lost = nodes.waste + gap * raised
        q = np.flatnonzero((lost <= self.spare) & (y + raised <= H) & (gap > 0))
        flush = (
            (rest == 0).astype(float) + (self.h == wall_a[:, None]) + (self.h == wall_b[:, None])
        )
        promise = (
            flush + 2 * self.w * self.h / (self.bin[0] * H) + 0.3 * self.rng.random(fits.shape)
        )
        order = np.argsort(np.concatenate([np.full(len(q), -1.0), promise[p, way]]), kind="stable")
        parent = np.concatenate([q, p])[order]
        way = np.concatenate([np.full(len(q), -1), way])[order]
        w = np.where(way < 0, gap[parent], self.w[way])
        h = np.where(way < 0, raised[parent], self.h[way])
        made = nodes.take(parent)
        self._lay(made, left[parent], right[parent], w, h)
        r = np.flatnonzero(way >= 0)
        i = self.item[way[r]]
        made.there[r, i] = True
        made.at[r, i, 0], made.at[r, i, 1] = x[parent[r]], y[parent[r]]
        made.how[r, i] = self.turned[way[r]]
        made.waste = np.where(way < 0, lost[parent], made.waste)
        return made

    def _lay(
        self, nodes: Nodes, left: np.ndarray, right: np.ndarray, w: np.ndarray, h: np.ndarray
    ) -> None:
        """Lay a box (w, h) on the floor between the pieces left and right of each skyline, at its
        left end.
        """
        rows = np.arange(len(nodes))
        x, y = nodes.x[rows, left], nodes.y[rows, left]
        some = (x + w < nodes.x[rows, right]).astype(int)  # floor remains beside it
        column = np.arange(nodes.x.shape[1])
        source = column + (right - left - 1 - some)[:, None]
        source = np.where(column < left[:, None], column, source).clip(0, len(column) - 1)
        nodes.x = np.take_along_axis(nodes.x, source, axis=1)
        nodes.y = np.take_along_axis(nodes.y, source, axis=1)
        nodes.x[rows, left], nodes.y[rows, left] = x, y + h
        beside = rows[some > 0]
        nodes.x[beside, left[beside] + 1] = (x + w)[beside]
        nodes.y[beside, left[beside] + 1] = y[beside]
