"""Sizes in whole units: exact scaling, kerf and trim as grown items, every bad input by name."""

import os
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.companions.packing import pack, problem
from refimpl.companions.packing.checker import violations
from refimpl.companions.packing.problem import problem_of


@pytest.mark.parametrize(
    "items, words",
    [
        ([[1, 2], [0, 3]], "item 1: expected two numbers > 0, got [0, 3]"),
        ([[1, 1], [True, 2]], "item 1: expected two numbers > 0, got [True, 2]"),
        ([(2.5, np.True_)], "item 0: expected two numbers > 0, got [2.5"),
        ([np.array([3, 3]), np.array([True, True])], "item 1: expected two numbers > 0"),
        ([[1, 2], [3, -1]], "item 1"),
        ([[float("nan"), 2]], "item 0"),
        ([[1, 2], [1, -2.5]], "item 1"),
        ([[float("inf"), 1]], "item 0"),
        ([[10**30, 1]], "item 0"),
        ([[2**62, 2**62]], "item 0: expected at most 1,000,000 units"),
        ([[1, 2, 3]], "items: expected rows of two"),
        ([3, 4], "items: expected rows of two numbers (width, height), got [3, 4]"),
        ([["a", "b"]], "item 0: expected two numbers > 0"),
        ([[1], [1, 2]], "expected rows"),
        ([[11, 2]], "item 0: 11 x 2 (width x height) does not fit the bin 10 x 20"),
        ([[2, 21]], "does not fit"),
        ([[11, 11]], "does not fit"),
    ],
)
def test_bad_items(items, words):
    with pytest.raises(ValueError) as error:
        problem_of(items, (10, 20))
    assert words in str(error.value)


def test_rotation_lets_an_item_in():
    assert problem_of([[11, 2]], (10, 20), rotate=True).items.tolist() == [[11, 2]]
    with pytest.raises(ValueError, match="in either orientation"):
        problem_of([[11, 11]], (10, 20), rotate=True)


@pytest.mark.parametrize(
    "size",
    [
        (0, 5),
        (5,),
        (5, -1),
        (5, 5, 5),
        (10**9, 5),
        "ab",
        (float("nan"), 2),
        5,
        ((1, 2), 3),
    ],
)
def test_bad_bins(size):
    with pytest.raises(ValueError, match="^bin_size: expected"):
        problem_of([[1, 1]], size)
    with pytest.raises(ValueError, match=r"^bin_size: expected \(W, H\), got \(5, 5, 5\)$"):
        problem_of([[1, 1]], (5, 5, 5))


@pytest.mark.parametrize("name", ["kerf", "trim"])
def test_a_length_that_is_too_many_units_is_named(name):
    with pytest.raises(ValueError, match=f"^{name}: expected at most 1,000,000 units, got 2,0"):
        problem_of([[1, 1]], (10, 10), **{name: 2_000_000})


def test_whole_numbers_of_any_size_are_taken_like_floats():
    for big in (10**13, 1e13, 10**25):
        found = problem_of([[big, 2 * big]], (big, 2 * big))
        assert found.items.tolist() == [[1, 2]] and found.unit == int(big)


def test_decimals_are_scaled_exactly():
    """A tenth is no binary number: as floats 3 x .1 is not .3, as units it is."""
    problem = problem_of([[0.1, 0.3], [0.2, 1]], (0.3, 1))
    assert problem.unit == Fraction(1, 10) and problem.items.tolist() == [[1, 3], [2, 10]]
    assert pack([[0.1, 1]] * 3, (0.3, 1)).count == 1
    assert problem_of([[0.125, 0.5]], (3, 2)).unit == Fraction(1, 8)  # not a thousandth
    assert problem_of([[20, 30]], (100, 50)).items.tolist() == [[2, 3]]  # whole numbers too
    mixed = pack([[Decimal("2.5"), 1], [2, 3]], (10, Decimal("3.5")), iterations=2)
    assert mixed.sizes.tolist() == [[2.5, 1.0], [2.0, 3.0]] and mixed.unit == 0.5


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_what_comes_back_is_a_packing_in_the_measure_it_came_in(seed):
    """Kerf, trim and leave to turn for each item, decimals: judged by the checker as they came."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 15))
    items = rng.integers(1, 80, (n, 2)) / 10
    turnable = rng.random(n) < 0.5
    kerf, trim = float(rng.integers(0, 8)) / 10, float(rng.integers(0, 8)) / 4
    names = [f"piece {i}" for i in range(n)]
    extra = {"kerf": kerf, "trim": trim}
    found = pack(items, (12, 11.5), turnable, iterations=3, names=names, **extra)
    made = found.bins, found.positions, found.sizes
    assert violations(items, (12, 11.5), *made, rotate=turnable, **extra) == []
    assert found.names == tuple(names) and (found.turned <= turnable).all()
    if n > 1 and kerf and found.count == 1:
        assert violations(items, (12, 11.5), *made, rotate=turnable, kerf=20, trim=trim)


def test_kerf_and_trim_take_their_room():
    assert pack([[5, 10], [5, 10]], (10, 10)).count == 1
    assert pack([[5, 10], [5, 10]], (10, 10), kerf=0.1, iterations=5).count == 2
    one = pack([[4, 8], [3, 8]], (10, 10), kerf=1, trim=1)
    assert one.count == 1 and sorted(one.positions.tolist()) in ([[1, 1], [5, 1]], [[1, 1], [6, 1]])
    with pytest.raises(ValueError, match="does not fit the bin 10 x 10, 8 x 8 within its trim"):
        pack([[9, 2]], (10, 10), trim=1)
    for option in ("kerf", "trim"):
        for value in (-1, float("nan"), "wide", None):
            with pytest.raises(ValueError, match=f"{option}: expected numbers >= 0"):
                pack([[1, 1]], (10, 10), **{option: value})


def test_leave_to_turn_is_each_items_own():
    items, size = [[2, 5], [2, 5]], (5, 4)
    with pytest.raises(ValueError, match="item 1"):
        pack(items, size, rotate=[True, False])
    long = [[5, 2], [2, 4]]
    assert pack(long, (5, 4), rotate=[True, False]).sizes.tolist()[1] == [2, 4]
    for wrong in ([True], "yes", [1, 0], None):
        with pytest.raises(ValueError, match="rotate: expected True, False or one of them for"):
            pack(long, (5, 4), rotate=wrong)
    for wrong in ("ab", ["one"], ["a", "b", "c"]):
        with pytest.raises(ValueError, match="names: expected one for each of 2 items"):
            pack(long, (5, 4), names=wrong)
    assert pack([], (5, 4), names=[]).names == ()
    with pytest.raises(ValueError, match="names: expected one for each of 0 items, got 5"):
        pack([], (5, 4), names=5)


def test_a_packing_says_itself():
    found = pack([[6, 4], [3, 3]], (10, 10), names=["<lid>", "side"])
    assert "\n" not in repr(found) and "2 items in 1 bin of 10 x 10: optimal" in repr(found)
    assert (found.used, found.waste, found.share) == (33, 67, 0.33)
    drawn = found._repr_html_()
    assert "&lt;lid&gt;" in drawn and "<lid>" not in drawn and drawn.count('class="piece"') == 2


def test_decimals_read_at_once_are_those_read_one_by_one(monkeypatch):
    rng = np.random.default_rng(0)
    for _ in range(60):
        digits, n = int(rng.integers(0, 8)), int(rng.integers(1, 6))
        rows = (np.round(rng.uniform(0.001, 100, (n, 2)), digits) + 10.0**-digits).tolist()
        kerf = (0, 0.5, 0.125, "0.3")[rng.integers(4)]
        found = []
        for at_once in (problem.decimal_parts, lambda rows: None):
            monkeypatch.setattr(problem, "decimal_parts", at_once)
            try:
                one = problem.problem_of(rows, (200, 210.5), kerf=kerf)
                found.append((one.items.tolist(), one.bin, one.kerf, one.unit))
            except ValueError as error:
                found.append(str(error))
        monkeypatch.undo()
        assert found[0] == found[1]


@pytest.mark.parametrize("scale", [1, 0.1])
def test_a_hundred_thousand_items_keep_the_limit(scale):
    """The limit, 1.3 times it and half a second, in seconds of the processor."""
    if not os.environ.get("REFIMPL_FULL"):
        pytest.skip("three seconds: with REFIMPL_FULL")
    items = np.round(scale * np.random.default_rng(0).integers(1, 500, (100_000, 2)), 1)
    start = time.process_time()
    pack(items, (2000 * scale, 2000 * scale), time_limit=1.0, clock=time.process_time)
    assert time.process_time() - start < 1.8


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_any_width_are_taken_as_they_are_written(dtype):
    """A tenth in float32 is one tenth, not 0.10000000149: so is a bin's side, and a fraction."""
    items = np.array([["0.1", "2.5"], ["12.75", "3"]]).astype(np.float64).astype(dtype)
    found = problem_of(items, (np.float32(20.3), 20))
    assert found.unit == Fraction(1, 20) and found.items.tolist() == [[2, 50], [255, 60]]
    thirds = problem_of([[Fraction(1, 3), 1], [Fraction(47, 2), 2]], (24, 24))
    assert thirds.unit == Fraction(1, 6) and thirds.items.tolist() == [[2, 6], [141, 12]]
