"""The skyline decoder against one candidate at a time, column by column, from the definition; what
it drops.
"""

import numpy as np
import pytest

from refimpl.companions.packing import pack, search
from refimpl.companions.packing.checker import check, violations
from refimpl.companions.packing.gaps import WIDEST, fill_gaps
from refimpl.companions.packing.instances import fresh


def naive(sequence, W, H, limit, rotate, lead):
    """One sequence: [(bin, x, y, turned)] by its items, None where one is left out."""
    n, answer = len(sequence), [None] * len(sequence)
    for b in range(limit):
        sky = [0] * W
        while min(sky) < H and None in answer:
            y = min(sky)
            left = sky.index(y)
            right = next((c for c in range(left, W) if sky[c] != y), W)
            before = (sky[left - 1] if left else H) - y
            behind = (sky[right] if right < W else H) - y
            options = []
            for turned in (False, True) if rotate else (False,):
                for i, (w, h) in enumerate(sequence):
                    w, h = (h, w) if turned else (w, h)
                    if answer[i] is None and w <= right - left and y + h <= H:
                        key = (n - i) + lead * n * (
                            (w == right - left) + 0.5 * (h in (before, behind))
                        )
                        options.append((-np.float32(key), turned, i, w, h))
            if not options:
                sky[left:right] = [y + min(before, behind)] * (right - left)
                continue
            _, turned, i, w, h = min(options)
            x = left if before == h or (behind != h and before >= behind) else right - w
            answer[i] = (b, x, y, turned)
            sky[x : x + w] = [y + h] * w
    return answer


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("lead", [0, 0.25, 2])
def test_against_the_definition(lead, rotate, rng):
    left_out = 0
    for W, H, limit in ((9, 7, 2), (6, 12, 1), (11, 11, 6)):
        sequences = np.stack([rng.integers(1, 7, (6, 16)), rng.integers(1, 7, (6, 16))], axis=2)
        sequences[0, 12:] = 0  # padding
        batch = fill_gaps(sequences, (W, H), limit, rotate=rotate, lead=lead)
        for row, sequence in enumerate(sequences.tolist()):
            answer = naive(
                [item for item in sequence if item != [0, 0]] if row else sequence[:12],
                W,
                H,
                limit,
                rotate,
                lead * 16 / 12 if row == 0 else lead,
            )
            for i, place in enumerate(answer):
                if place is None:
                    left_out += 1
                    assert batch.bins[row, i] == -1
                else:
                    assert (
                        batch.bins[row, i],
                        *batch.positions[row, i],
                        batch.turned[row, i],
                    ) == place
        assert (batch.bins[0, 12:] == -1).all() and not batch.dropped.any()
    assert left_out > 0


@pytest.mark.parametrize("rotate", [False, True])
def test_packings_are_packings(rotate):
    for kind in (1, 4, 6, 7, 10):
        instance = fresh(kind, 50, 3)
        orders = np.array([np.random.default_rng(i).permutation(50) for i in range(4)])
        batch = fill_gaps(
            instance.items[orders], instance.bin, 50, rotate=rotate, lead=np.array([0, 0.1, 0.5, 2])
        )
        for row, at in enumerate(orders):
            items = instance.items[at]
            sizes = np.where(batch.turned[row][:, None], items[:, ::-1], items)
            check(items, instance.bin, batch.bins[row], batch.positions[row], sizes, rotate=rotate)
            assert batch.used[row] == batch.bins[row].max() + 1


def test_each_candidate_has_its_own_lead(rng):
    sequences = np.repeat(rng.integers(1, 30, (1, 40, 2)), 3, axis=0)
    sequences[0, 5:] = 0  # done long before the others
    together = fill_gaps(sequences, (50, 50), 9, lead=np.array([0, 0.3, 2]))
    for row, lead in enumerate((0, 0.3, 2)):
        alone = fill_gaps(sequences[row : row + 1], (50, 50), 9, lead=lead)
        assert np.array_equal(alone.positions[0], together.positions[row])
    assert not np.array_equal(together.positions[1], together.positions[2])


def test_only_what_leaves_out_too_much_is_dropped(rng):
    sequences = rng.integers(5, 40, (60, 24, 2))
    area = sequences.prod(axis=2)
    free = fill_gaps(sequences, (100, 100), 1)
    over = np.where(free.bins < 0, area, 0).sum(axis=1)
    most = np.full(60, np.quantile(over, 0.3))
    batch = fill_gaps(sequences, (100, 100), 1, largest_left_out=most)
    assert (over[batch.dropped] > most[batch.dropped]).all() and batch.dropped.sum() > 20
    assert np.array_equal(batch.bins[~batch.dropped], free.bins[~batch.dropped])


def test_a_stop_drops_what_is_not_done(rng):
    sequences = rng.integers(5, 40, (4, 24, 2))
    sequences[0, 3:] = 0  # done after three items
    free, asked = fill_gaps(sequences, (100, 100), 1), iter([False] * 10 + [True])
    batch = fill_gaps(sequences, (100, 100), 1, stop=lambda: next(asked))
    assert batch.dropped.tolist() == [False, True, True, True]
    assert (
        np.array_equal(batch.bins[0], free.bins[0])
        and (batch.bins[1:] >= 0).sum() < (free.bins[1:] >= 0).sum()
    )
    assert not free.dropped.any()


def test_the_search_uses_it_from_both_sides_and_not_in_wide_bins(monkeypatch):
    seen = []
    monkeypatch.setattr(
        search, "fill_gaps", lambda *args, **kw: seen.append(args[1]) or fill_gaps(*args, **kw)
    )
    items = fresh(7, 20, 102).items  # 6 bins, the bound is 5
    result = pack(items * [2, 1], (200, 100), iterations=20)
    assert set(seen) == {(200, 100), (100, 200)} and result.count > result.lower_bound
    assert violations(items * [2, 1], (200, 100), result.bins, result.positions, result.sizes) == []
    seen.clear()
    wide = pack(items * [20, 1], (2000, 100), iterations=20)
    assert not seen and wide.count > wide.lower_bound and WIDEST < 2000
