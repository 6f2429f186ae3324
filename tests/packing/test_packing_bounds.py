"""Lower bounds: never above the optimum, which brute force finds on tiny instances; sharp where it
is known.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.companions.packing.bounds import (
    axis,
    bound_of,
    f_0,
    f_1,
    f_2,
    lower_bound,
    raised,
    thresholds,
    u,
)
from refimpl.companions.packing.instances import SIZES, benchmark
from refimpl.companions.packing.placement import decode


def one_bin(items, W, H, rotate):
    """Can all items share one bin? Every position of every item on the grid."""
    grid = np.zeros((W, H), bool)

    def place(i):
        if i == len(items):
            return True
        w, h = items[i]
        for a, b in {(w, h), (h, w)} if rotate else {(w, h)}:
            for x, y in product(range(W - a + 1), range(H - b + 1)):
                if not grid[x : x + a, y : y + b].any():
                    grid[x : x + a, y : y + b] = True
                    if place(i + 1):
                        return True
                    grid[x : x + a, y : y + b] = False
        return False

    return sum(w * h for w, h in items) <= W * H and place(0)


def optimum(items, W, H, rotate):
    """The fewest bins, by all partitions; items go to bins in order."""
    known = {}

    def fits(group):
        if group not in known:
            known[group] = one_bin([items[i] for i in group], W, H, rotate)
        return known[group]

    def least(i, groups, best):
        if len(groups) >= best:
            return best
        if i == len(items):
            return len(groups)
        for g, group in enumerate(groups):
            if fits((*group, i)):
                best = least(i + 1, (*groups[:g], (*group, i), *groups[g + 1 :]), best)
        return least(i + 1, (*groups, (i,)), best)

    return least(0, (), len(items) + 1)


@st.composite
def tiny(draw):
    W, H = draw(st.integers(2, 7)), draw(st.integers(2, 7))
    items = draw(st.lists(st.tuples(st.integers(1, W), st.integers(1, H)), min_size=1, max_size=6))
    return np.array(items), W, H


@settings(max_examples=150)
@given(tiny(), st.booleans())
def test_never_above_the_optimum(instance, rotate):
    items, W, H = instance
    assert lower_bound(items, (W, H), rotate=rotate) <= optimum(items.tolist(), W, H, rotate)


@settings(max_examples=100)
@given(
    st.integers(2, 7),
    st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=6),
)
def test_square_bins_with_rotation(side, sizes):
    items = np.minimum(np.array(sizes), side)
    assert lower_bound(items, (side, side), rotate=True) <= optimum(
        items.tolist(), side, side, True
    )


@pytest.mark.parametrize("rotate", [False, True])
def test_never_above_a_guillotine_cut_of_full_bins(rng, rotate):
    """Bins cut into pieces at random: the optimum is their number, and the continuous bound meets
    it.
    """
    for _ in range(40):
        W, H, bins = int(rng.integers(5, 101)), int(rng.integers(5, 101)), int(rng.integers(1, 9))
        pieces = []
        for _ in range(bins):
            parts = [(W, H)]
            for _ in range(int(rng.integers(0, 12))):
                w, h = parts.pop(int(rng.integers(len(parts))))
                along = int(rng.integers(2))
                side = (w, h)[along]
                cut = int(rng.integers(1, side)) if side > 1 else 0
                first, second = ((cut, h), (w - cut, h)) if along == 0 else ((w, cut), (w, h - cut))
                parts += [part for part in (first, second) if min(part) > 0]
            pieces += [
                part[::-1] if rotate and W == H and rng.integers(2) else part for part in parts
            ]
        assert lower_bound(np.array(pieces), (W, H), rotate=rotate) == bins


@settings(max_examples=200)
@given(st.integers(2, 60), st.data())
def test_the_functions_are_dual_feasible(W, data):
    """Sizes that fit on a line together: no function makes more than 1 of them. f_1 for the very
    items it knows.
    """
    x = np.array(data.draw(st.lists(st.integers(1, W), min_size=1, max_size=12)))
    y, capacity = raised(x, W)
    assert (y >= x).all() and capacity <= W and (y <= capacity).all()
    subset = np.array(data.draw(st.lists(st.booleans(), min_size=len(x), max_size=len(x))))
    if x[subset].sum() <= W:
        assert y[subset].sum() <= capacity
        assert (axis(x, W)[:, subset].sum(axis=1) <= 1 + 1e-12).all()
        for k in thresholds(x, W):
            for f in (f_0, f_2, f_1):
                values = f(x, W, k)
                assert values is None or values[subset].sum() <= 1 + 1e-12
        assert all(u(x, W, k)[subset].sum() <= 1 + 1e-12 for k in range(1, 20))


def test_closed_forms():
    assert lower_bound(np.empty((0, 2), int), (5, 5)) == 0
    assert (
        lower_bound(np.array([[6, 6]] * 7), (10, 10)) == 7
    )  # no two share a bin; their area would need 3
    assert lower_bound(np.array([[5, 5]] * 9), (10, 10)) == 3
    assert (
        lower_bound(np.array([[4, 4]] * 9), (10, 10)) == 3
    )  # u^(2): four a bin, their area would need 2
    assert lower_bound(np.array([[6, 6]] * 7), (10, 10), rotate=True) == 7
    assert lower_bound(np.array([[7, 2]] * 6), (8, 6), rotate=True) == 2
    assert (
        lower_bound(np.array([[10, 3]] * 3), (3, 10), rotate=True) == 3
    )  # fits in one orientation only


def test_no_rounding_error_makes_a_bin():
    """Sums that are whole numbers in exact arithmetic are not rounded up."""
    for n in (3, 7, 49, 1000):
        row = np.full((1, n), 1 / 3)
        assert bound_of(row, np.full((1, n), 3 / 7)) == -(-n // 7)


def test_large_instances():
    rng = np.random.default_rng(0)
    assert lower_bound(rng.integers(1, 10**6, (3000, 2)), (10**6, 10**6)) >= 700
    assert lower_bound(rng.integers(1, 101, (10000, 2)), (100, 100)) >= 2500


def test_the_500():
    """The oriented sum is 7,169 (7,134 without raised sizes was known); no bound is above a
    packing.
    """
    instances, total = benchmark(), 0
    for n in SIZES:
        group = [instance for instance in instances if len(instance.items) == n]
        sequences = [instance.items[np.argsort(-instance.items.prod(axis=1))] for instance in group]
        used = decode(np.array(sequences), np.array([instance.bin for instance in group])).used
        bounds = np.array([lower_bound(instance.items, instance.bin) for instance in group])
        area = [
            -(-instance.items.prod(axis=1).sum() // np.prod(instance.bin)) for instance in group
        ]
        assert (area <= bounds).all() and (bounds <= used).all()
        total += bounds.sum()
    assert total == 7169


def test_rotation_never_raises_the_bound():
    for instance in benchmark()[::17]:
        turned = lower_bound(instance.items, instance.bin, rotate=True)
        assert turned <= lower_bound(instance.items, instance.bin)
        assert turned == lower_bound(instance.items[:, ::-1], instance.bin, rotate=True)
