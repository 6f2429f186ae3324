"""The batched decoder against the definition of its free rectangles and rules, one candidate at a
time.
"""

import numpy as np
import pytest

from refimpl.companions.packing.checker import check, violations
from refimpl.companions.packing.instances import fresh
from refimpl.companions.packing.placement import FreeSpace, decode
from refimpl.companions.packing.shelf import shelves

RULES = ("short", "long", "area", "bottom")


def naive_key(free, w, h, rule):
    """The rule's preference among free rectangles (x, y, w, h), as a tuple: the least is taken."""
    x, y, fw, fh = free
    dw, dh = fw - w, fh - h
    return {
        "short": (min(dw, dh), max(dw, dh)),
        "long": (max(dw, dh), min(dw, dh)),
        "area": (fw * fh,),
        "bottom": (y + h, x),
    }[rule]


def maximal_free(placed, W, H):
    """All maximal empty rectangles of a bin, from the definition: every pair of edges, none inside
    another.
    """
    xs = sorted({0, W, *(x for x, _, w, _ in placed), *(x + w for x, _, w, _ in placed)})
    ys = sorted({0, H, *(y for _, y, _, h in placed), *(y + h for _, y, _, h in placed)})
    empty = [
        (a, b, c - a, d - b)
        for a in xs
        for c in xs
        if c > a
        for b in ys
        for d in ys
        if d > b
        if not any(a < x + w and x < c and b < y + h and y < d for x, y, w, h in placed)
    ]
    return {
        r
        for r in empty
        if not any(
            r != s
            and s[0] <= r[0]
            and s[1] <= r[1]
            and s[0] + s[2] >= r[0] + r[2]
            and s[1] + s[3] >= r[1] + r[3]
            for s in empty
        )
    }


def unpack(items, order, batch, row):
    """A candidate's bins, positions and sizes in its sequence's order, without padding."""
    n = len(order)
    turned = batch.turned[row, :n, None]
    return (
        batch.bins[row, :n],
        batch.positions[row, :n],
        np.where(turned, items[order][:, ::-1], items[order]),
    )


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_packings_are_packings(rule, first, rotate, rng):
    """Instances of several classes and sizes in one batch, each with its own bin: all pass the
    independent check.
    """
    instances = [
        fresh(kind, n, 1) for kind, n in ((1, 20), (2, 40), (6, 30), (7, 25), (9, 10), (10, 40))
    ]
    orders = [rng.permutation(len(i.items)) for i in instances]
    sequences = np.zeros((6, 40, 2), int)
    for row, (instance, order) in enumerate(zip(instances, orders)):
        sequences[row, : len(order)] = instance.items[order]
    batch = decode(
        sequences, np.array([i.bin for i in instances]), rule=rule, first=first, rotate=rotate
    )
    for row, (instance, order) in enumerate(zip(instances, orders)):
        bins, positions, sizes = unpack(instance.items, order, batch, row)
        check(instance.items[order], instance.bin, bins, positions, sizes, rotate=rotate)
        assert bins.max() + 1 == batch.used[row] and (batch.bins[row, len(order) :] == -1).all()


@pytest.mark.parametrize("rule", RULES)
def test_the_free_rectangles_are_the_maximal_ones(rule, rng):
    """After every step the list of each bin is the set of maximal empty rectangles of the
    definition, each once.
    """
    for W, H in ((12, 9), (30, 30)):
        space = FreeSpace(6, 1, (W, H), slots=2)
        placed = [[] for _ in range(6)]
        for _ in range(9):
            w, h = rng.integers(1, W // 2, 6), rng.integers(1, H // 2, 6)
            k, r, key = space.choose(w, h, rule, False)
            rows = np.nonzero(key < np.iinfo(key.dtype).max)[0]
            corners = space.place(rows, k[rows], r[rows], w[rows], h[rows])
            for row, (x, y) in zip(rows, corners.tolist()):
                placed[row].append((x, y, int(w[row]), int(h[row])))
            for row in range(6):
                rects = [tuple(r) for r in space.rect[row, 0].T.tolist() if r[2]]
                assert len(rects) == len(set(rects)) and set(rects) == maximal_free(
                    placed[row], W, H
                )


@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_the_choice_is_the_rules(rule, first, limit, rng):
    """Every item goes to a bin and a rectangle whose key is the least of all by the definition."""
    W, H, n = 11, 8, 14
    sequences = np.stack([rng.integers(1, 9, (8, n)), rng.integers(1, 7, (8, n))], axis=2)
    batch = decode(sequences, (W, H), rule=rule, first=first, limit=limit)
    left_out = 0
    for sequence, bins, positions in zip(
        sequences.tolist(), batch.bins.tolist(), batch.positions.tolist()
    ):
        contents = []
        for (w, h), b, (x, y) in zip(sequence, bins, positions):
            options = {}
            for c, placed in enumerate(contents):
                for free in maximal_free(placed, W, H):
                    if free[2] >= w and free[3] >= h:
                        options.setdefault(
                            (c if first else 0, naive_key(free, w, h, rule)), set()
                        ).add((c, *free[:2]))
            if options:
                assert (b, x, y) in options[min(options)]
            elif limit is None or len(contents) < limit:
                assert (b, x, y) == (len(contents), 0, 0)
                contents.append([])
            else:
                assert b == -1
                left_out += 1
                continue
            contents[b].append((x, y, w, h))
    assert (left_out > 0) == (limit is not None)


@pytest.mark.parametrize("rule", RULES)
def test_rotation_takes_the_better_orientation(rule, rng):
    sequences = rng.integers(1, 8, (5, 10, 2))
    batch = decode(sequences, (9, 8), rule=rule, rotate=True)
    for sequence, bins, positions, turned in zip(
        sequences.tolist(), batch.bins, batch.positions, batch.turned
    ):
        contents = []
        for (w, h), b, (x, y), turn in zip(sequence, bins.tolist(), positions.tolist(), turned):
            keys = {}
            for t, (a, c) in enumerate([(w, h), (h, w)]):
                found = [
                    naive_key(free, a, c, rule)
                    for placed in contents
                    for free in maximal_free(placed, 9, 8)
                    if free[2] >= a and free[3] >= c
                ]
                keys[t] = min(found, default=None)
            if keys[int(turn)] is None:
                assert keys[1 - int(turn)] is None and b == len(contents)
                contents.append([])
            elif keys[1 - int(turn)] is not None:
                assert keys[int(turn)] <= keys[1 - int(turn)]
            contents[b].append((x, y, h, w) if turn else (x, y, w, h))


def test_a_batch_is_a_stack_of_singles(rng):
    """Each candidate gets what it gets alone, whatever the others do; nothing that came in is
    changed.
    """
    sequences = rng.integers(1, 60, (7, 25, 2))
    before = sequences.copy()
    for rotate in (False, True):
        batch = decode(sequences, (100, 80), rotate=rotate)
        for row in range(7):
            alone = decode(sequences[row : row + 1], (100, 80), rotate=rotate)
            assert np.array_equal(alone.bins[0], batch.bins[row])
            assert np.array_equal(alone.positions[0], batch.positions[row])
    assert np.array_equal(sequences, before)


def test_an_item_that_does_not_fit_is_left_out_and_the_next_follows():
    batch = decode(np.array([[[4, 4], [3, 3], [1, 4]]]), (5, 4), limit=1)
    assert batch.bins.tolist() == [[0, -1, 0]] and batch.positions[0, 2].tolist() == [4, 0]


def test_a_preferred_bin_comes_first_and_others_after_it():
    items = np.array([[[2, 2], [2, 2], [2, 2], [2, 2], [2, 2]]])
    batch = decode(items, (4, 2), limit=3, prefer=np.array([[2, 2, 2, 0, 1]]))
    assert (
        batch.bins[0, :2].tolist() == [2, 2]
        and batch.bins[0, 2] in (0, 1)
        and batch.bins[0, 4] in (0, 1)
    )
    assert violations(items[0], (4, 2), batch.bins[0], batch.positions[0], items[0]) == []
    assert decode(items, (4, 2), limit=3, first=True, prefer=np.full((1, 5), 1)).bins.tolist() == [
        [1, 1, 0, 0, 2]
    ]


def test_a_dropped_candidate_had_too_much_over_and_the_rest_are_as_without(rng):
    sequences = rng.integers(10, 50, (40, 20, 2))
    area = sequences.prod(axis=2)
    free = decode(sequences, (100, 100), limit=2)
    over = np.where(free.bins < 0, area, 0).sum(axis=1)
    most = np.full(40, np.median(over))
    batch = decode(sequences, (100, 100), limit=2, largest_left_out=most)
    assert np.array_equal(batch.dropped, over > most) and 0 < batch.dropped.sum() < 40
    assert np.array_equal(batch.bins[~batch.dropped], free.bins[~batch.dropped])


def test_large_numbers_do_not_overflow():
    side = 10**6
    batch = decode(
        np.array([[[side - 1, side], [1, side], [side, side], [side // 2, 1]]]), (side, side)
    )
    assert batch.bins.tolist() == [[0, 0, 1, 2]] and batch.positions[0, 1].tolist() == [side - 1, 0]


def test_many_bins_and_many_rectangles_do_not_overflow():
    """First fit over more bins than 32 bits count, with more free rectangles a bin than there was
    room for.
    """
    side = 10_000
    items = np.concatenate(
        [np.full((40, 2), 6000), [[900 + i, 950 - i] for i in range(40)]]
    )  # the latter beside and above
    batch = decode(items[None], (side, side), first=True)
    assert batch.bins[0].tolist() == [*range(40), *[0] * 40]
    assert violations(items, (side, side), batch.bins[0], batch.positions[0], items) == []


def test_a_stop_drops_what_is_not_done(rng):
    sequences, calls = rng.integers(5, 50, (6, 20, 2)), []
    whole, none = (
        decode(sequences, (100, 100), stop=lambda: calls.append(1)),
        decode(sequences, (100, 100)),
    )
    assert (
        len(calls) == 20
        and np.array_equal(whole.positions, none.positions)
        and not whole.dropped.any()
    )
    asked = iter([False] * 7 + [True])
    batch = decode(sequences, (100, 100), stop=lambda: next(asked))
    assert (
        batch.dropped.all()
        and np.array_equal(batch.bins[:, :7], whole.bins[:, :7])
        and (batch.bins[:, 7:] == -1).all()
    )


def test_an_unknown_rule():
    with pytest.raises(ValueError, match="rule: expected one of short, long, area, bottom"):
        decode(np.array([[[1, 1]]]), (2, 2), rule="best")


@pytest.mark.parametrize("rotate", [False, True])
def test_shelves(rotate, rng):
    """A packing in which every bin falls into shelves as high as their first and highest item,
    stacked without a gap.
    """
    for _ in range(20):
        W, H, n = int(rng.integers(3, 30)), int(rng.integers(3, 30)), int(rng.integers(1, 60))
        items = np.stack([rng.integers(1, W + 1, n), rng.integers(1, H + 1, n)], axis=1)
        items = items[:, ::-1] if rotate and rng.integers(2) else items  # some fit turned only
        bins, positions, turned = shelves(items, (W, H), rotate=rotate)
        sizes = np.where(turned[:, None], items[:, ::-1], items)
        check(items, (W, H), bins, positions, sizes, rotate=rotate)
        for b in range(bins.max() + 1):
            bottoms = np.unique(positions[bins == b, 1])
            for low, above in zip(bottoms, [*bottoms[1:], None]):
                here = (bins == b) & (positions[:, 1] == low)
                first = np.nonzero(here & (positions[:, 0] == 0))[0][0]
                assert sizes[here, 1].max() == sizes[first, 1] and (
                    above is None or low + sizes[first, 1] == above
                )


def test_shelves_take_the_first_with_room():
    bins, positions, _ = shelves(
        np.array([[6, 5], [6, 4], [4, 4], [9, 3], [4, 3], [4, 2]]), (10, 9)
    )
    assert bins.tolist() == [0, 0, 0, 1, 0, 1]
    assert positions.tolist() == [[0, 0], [0, 5], [6, 0], [0, 0], [6, 5], [0, 3]]
