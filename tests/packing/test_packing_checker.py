"""Packings are accepted, every planted violation is not, the last rectangle's included."""

import numpy as np
import pytest

from refimpl.companions.packing.checker import Invalid, _any_meet, _pairs, check, violations

ITEMS = [[4, 3], [2, 5], [6, 2], [4, 3]]
GOOD = {"bins": [0, 0, 0, 1], "positions": [[0, 0], [4, 0], [0, 5], [2, 3]], "sizes": ITEMS}
BIN = (6, 7)


def with_(field, i, value):
    """GOOD with one entry changed."""
    changed = {
        name: [list(v) if isinstance(v, list) else v for v in values]
        for name, values in GOOD.items()
    }
    changed[field][i] = value
    return changed


def test_a_packing():
    assert violations(ITEMS, BIN, **GOOD) == []
    check(np.array(ITEMS), BIN, *map(np.array, GOOD.values()))
    assert violations([], BIN, [], np.empty((0, 2)), np.empty((0, 2))) == []


@pytest.mark.parametrize(
    "changed, words",
    [
        (
            with_("positions", 0, [1, 0]),
            ["items 0 and 1 overlap in bin 0: (1, 0) 4 x 3 and (4, 0) 2 x 5"],
        ),
        (with_("positions", 3, [3, 3]), ["item 3 at (3, 3), 4 x 3, leaves bin 1 of 6 x 7"]),
        (with_("positions", 3, [2, 5]), ["item 3 at (2, 5), 4 x 3, leaves bin 1 of 6 x 7"]),
        (with_("positions", 0, [-1, 0]), ["item 0 at (-1, 0), 4 x 3, leaves bin 0 of 6 x 7"]),
        (with_("positions", 0, [0, -1]), ["item 0 at (0, -1), 4 x 3, leaves bin 0 of 6 x 7"]),
        (with_("positions", 1, [4, 1]), ["items 1 and 2 overlap"]),
        (with_("bins", 3, 0), ["items 1 and 3 overlap", "items 2 and 3 overlap"]),
        (with_("bins", 3, 2), ["bins: expected the numbers 0 to 1 without a gap, got [0, 2]"]),
        (with_("bins", 3, -1), ["bins: expected the numbers 0 to 1 without a gap, got [-1, 0]"]),
        (with_("sizes", 3, [3, 4]), ["item 3: placed as 3 x 4, given as 4 x 3"]),
        (with_("sizes", 3, [1, 1]), ["item 3: placed as 1 x 1, given as 4 x 3"]),
        (with_("sizes", 1, [2, 6]), ["item 1: placed as 2 x 6", "items 1 and 2 overlap"]),
        (
            {name: values[:3] for name, values in GOOD.items()},
            ["bins: expected shape (4,), got (3,)"],
        ),
        (GOOD | {"bins": [0.0, 0, 0, 1]}, ["bins: expected integers, got float64"]),
        (GOOD | {"positions": np.array(GOOD["positions"]) + 0.5}, ["leaves bin 0"]),
        (
            GOOD | {"positions": np.array(GOOD["positions"]) * np.nan},
            ["positions: expected finite"],
        ),
    ],
)
def test_planted_violations(changed, words):
    found = violations(ITEMS, BIN, **changed)
    assert len(found) >= len(words) and all(any(w in line for line in found) for w in words), found
    with pytest.raises(Invalid):
        check(ITEMS, BIN, **changed)


def test_turned_items_only_with_rotation():
    turned = with_("sizes", 3, [3, 4])
    assert violations(ITEMS, BIN, **turned, rotate=True) == []
    assert violations(ITEMS, BIN, **with_("sizes", 3, [3, 3]), rotate=True)


@pytest.mark.parametrize(
    "place, kerf, trim, words",
    [
        ([4.5, 0.5], 0.5, 0.5, []),
        ([4.4, 0.5], 0.5, 0.5, ["items 0 and 1 are less than the kerf 0.5 apart in bin 0"]),
        ([3.4, 0.5], 0.5, 0.5, ["items 0 and 1 overlap in bin 0"]),
        ([0.5, 3], 0.5, 0.5, []),
        ([0.5, 2.9], 0.5, 0.5, ["kerf"]),
        ([4.4, 2.9], 0.5, 0.5, ["kerf"]),  # corner to corner
        ([4.5, 0.4], 0.5, 0.5, ["item 1 at (4.5, 0.4), 2 x 1, leaves bin 0 of 7 x 5 within"]),
        ([4.6, 0.5], 0.5, 0.5, ["within its trim of 0.5"]),
        ([4.5, 3.6], 0.5, 0.5, ["within its trim of 0.5"]),
        ([4.4, 0.5], 0, 0, []),
    ],
)
def test_planted_violations_of_kerf_and_trim(place, kerf, trim, words):
    """The second piece, 2 x 1, beside the first, 3.5 x 2 at (.5, .5), in 7 x 5."""
    items = [[3.5, 2], [2, 1]]
    made = [0, 0], [[0.5, 0.5], place], items
    found = violations(items, (7, 5), *made, kerf=kerf, trim=trim)
    assert len(found) == len(words) and all(w in line for w, line in zip(words, found)), found


def test_leave_to_turn_is_checked_item_by_item():
    items, made = [[2, 1], [2, 1]], ([0, 0], [[0, 0], [1, 0]], [[1, 2], [1, 2]])
    assert violations(items, (4, 4), *made, rotate=[True, True]) == []
    assert violations(items, (4, 4), *made, rotate=[True, False]) == [
        "item 1: placed as 1 x 2, given as 2 x 1"
    ]
    assert violations(items, (4, 4), *made, rotate=[True])[0].startswith("rotate: expected")


def test_the_sweep_finds_what_all_pairs_find(rng):
    """Random bins of 2 to 12 pieces, with a kerf or without, nearly full and not."""
    both = set()
    for _ in range(400):
        n, kerf = int(rng.integers(2, 12)), int(rng.integers(0, 2))
        x, y = rng.integers(0, 30, (2, n)).tolist()
        w, h = rng.integers(1, 8, (2, n)).tolist()
        pieces = list(zip(range(n), x, y, w, h))
        meet = _any_meet(pieces, kerf)
        assert meet == bool(_pairs(pieces, kerf, 0, 20))
        both.add(meet)
    assert both == {True, False}


def test_every_pair_and_no_overflow(rng):
    """Any two of n equal items laid on each other are found, at coordinates near 2^62 too."""
    n, far = 7, 2**61
    for i in range(n):
        for j in range(i):
            x = far + 2 * np.arange(n)
            x[i] = x[j] + rng.integers(-1, 2)
            found = violations(
                [[2, 2]] * n, (2**62, 5), [0] * n, np.stack([x, 0 * x], 1), [[2, 2]] * n
            )
            assert any(f"items {j} and {i} overlap" in line for line in found)


def test_random_packings_against_a_grid(rng):
    """Cells counted on a grid say the same as pairs compared."""
    verdicts = set()
    for _ in range(300):
        n = int(rng.integers(1, 5))
        sizes, positions = rng.integers(1, 4, (n, 2)), rng.integers(0, 6, (n, 2))
        bins = np.unique(rng.integers(0, 2, n), return_inverse=True)[1]
        grid = np.zeros((2, 12, 12), int)
        for b, (x, y), (w, h) in zip(bins, positions, sizes):
            grid[b, x : x + w, y : y + h] += 1
        fine = grid.max() <= 1 and grid[:, 7:].sum() == 0 and grid[:, :, 6:].sum() == 0
        assert (violations(sizes, (7, 6), bins, positions, sizes) == []) == fine
        verdicts.add(bool(fine))
    assert verdicts == {True, False}
