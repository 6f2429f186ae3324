"""What a packing in progress knows: every feature against rasters and packings made one item
further.
"""

import numpy as np

from refimpl.companions.packing.thesis import scorer
from refimpl.companions.packing.thesis.partial import Partial


def corners(grid, w, h):
    """Lower left corners of a boolean raster (H, W) where w x h cells are empty."""
    return [
        (x, y)
        for y in range(grid.shape[0] - h + 1)
        for x in range(grid.shape[1] - w + 1)
        if not grid[y : y + h, x : x + w].any()
    ]


def maximal(grid):
    """Sides (w, h) of the empty rectangles of a raster that cannot grow to any side."""
    walls, (H, W) = np.pad(grid, 1, constant_values=True), grid.shape
    return np.array(
        [
            (w, h)
            for y in range(1, H + 1)
            for x in range(1, W + 1)
            for h in range(1, H - y + 2)
            for w in range(1, W - x + 2)
            if not walls[y : y + h, x : x + w].any()
            and walls[y - 1, x : x + w].any()
            and walls[y + h, x : x + w].any()
            and walls[y : y + h, x - 1].any()
            and walls[y : y + h, x + w].any()
        ]
    )


def test_what_a_packing_in_progress_knows_is_what_a_raster_says(rng):
    items = rng.integers(1, 6, (3, 9, 2))
    items[2, 7:] = 0
    partial, k = Partial(items, (8, 7), 2), 2
    grids = np.zeros((3, k, 7, 8), bool)
    (w, h), known = items.transpose(2, 0, 1), partial.f[..., :7].copy()
    for b in range(k):
        expected = [w / 8, h / 7, w * h / 56, w > 4, h > 3.5, (w > 4) & (h > 3.5), w > 0]
        assert np.allclose(known[:, b], np.stack(expected, axis=2))
    for at in range(9):
        waste, slots = partial.options()
        for t in range(3):
            for i in range(at, 9):
                w, h = items[t, i].tolist()
                fits = [w > 0 and bool(corners(grids[t, b], w, h)) for b in range(k)]
                assert partial.allowed[t, i].tolist() == fits
                key = partial.space.keys(*np.full((2, 3), [[w], [h]]), "short")[t].min(axis=1)
                left = np.stack(
                    [*np.divmod(key, partial.space.side), 7 * (key < partial.space.side)], axis=1
                )  # side 9
                assert np.allclose(
                    partial.f[t, :, i, 8:11] * 7, np.where(np.array(fits)[:, None], left, 0)
                )
            assert np.array_equal(np.isfinite(waste[t]), partial.allowed[t, at])
            assert np.allclose(
                waste[t][partial.allowed[t, at]], partial.f[t, partial.allowed[t, at], at, 8]
            )
        partial.put(rng.normal(size=(3, k)) - waste, slots)
        for t, b in enumerate(partial.bins[:, at]):
            if b >= 0:
                (w, h), (x, y) = items[t, at].tolist(), partial.positions[t, at].tolist()
                assert (x, y) in corners(grids[t, b], w, h)
                grids[t, b, y : y + h, x : x + w] = True
        for t in range(3):
            for b in range(k):
                free = maximal(grids[t, b]).reshape(-1, 2)
                widest, highest = free.max(axis=0, initial=0)
                expected = [
                    widest / 8,
                    highest / 7,
                    free.prod(axis=1).max(initial=0) / 56,
                    len(free) / 5,
                ]
                assert np.allclose(partial.u[t, b, :4], expected)
                assert partial.u[t, b, 4] * 8 in free[free[:, 1] == highest, 0] or not len(free)
                assert np.isclose(
                    free[free[:, 0] == widest, 1], partial.u[t, b, 5] * 7
                ).any() or not len(free)
    assert np.array_equal(partial.f[..., :7], known) and np.array_equal(
        partial.f[..., 7], known[..., 6]
    )
    decided = np.where(partial.allowed.any(axis=2), partial.allowed.argmax(axis=2), -1)
    assert np.array_equal(decided, partial.bins) and (partial.bins[2, 7:] == -1).all()


def test_one_placement_ahead_is_what_comes_of_it(rng):
    seen, net = 0, scorer.new_scorer(rng)
    for _ in range(10):
        partial, room = Partial(rng.integers(1, 6, (1, 9, 2)), (8, 7), 3, net), 56
        for at in range(8):
            _, slots = partial.options()
            number = partial.allowed[0, at + 1 :].sum(axis=1)
            for b in np.flatnonzero(partial.allowed[0, at]):
                after = Partial(partial.items, (8, 7), 3)
                for c in (*partial.bins[0, :at], b):
                    after.put(np.where(np.arange(3) == c, 0, -np.inf)[None], after.options()[1])
                (w, h), rest = partial.items[0, at], partial.items[0, at + 1 :]
                wide, high = partial.space.rect[0, b, 2:, slots[0, b]]
                expected = []
                for strip in ((wide - w, high), (wide, high - h)):
                    best = max(
                        (x * y for x, y in rest.tolist() if x <= strip[0] and y <= strip[1]),
                        default=0,
                    )
                    whole = strip[0] * strip[1]
                    expected += [best / whole if whole else 1, (whole - best) / room]
                still = after.allowed[0, at + 1 :, b]
                gone, part = (
                    partial.allowed[0, at + 1 :, b] & ~still,
                    rest.prod(axis=1) / np.maximum(number, 1) / room,
                )
                expected += [
                    rest[gone].prod(axis=1).sum() / room,
                    part[gone].sum(),
                    (number[gone] == 1).sum(),
                    part[still].sum(),
                    (after.space.rect[0, b, 2] * after.space.rect[0, b, 3]).max() / room,
                ]
                assert np.allclose(partial.f[0, b, at, 11:], expected, rtol=1e-6)
                assert np.array_equal(partial.g[0, b, at, : scorer.PAIR], partial.f[0, b, at])
                seen += gone.any()
            partial.put(np.where(partial.allowed[0, at], rng.normal(size=3), -np.inf)[None], slots)
            assert not partial.f[0, :, at, 8:].any() and not partial.f[0, :, at + 2 :, 11:].any()
    assert seen > 20
