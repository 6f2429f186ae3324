"""Whole answers for many items, and the search for one bin: packings, exact where that is claimed,
in the time that was asked for.
"""

import time

import numpy as np
import pytest

from refimpl.companions.packing import engine, pack
from refimpl.companions.packing.bounds import lower_bound
from refimpl.companions.packing.checker import violations
from refimpl.companions.packing.instances import fresh
from refimpl.companions.packing.one_bin import search
from refimpl.companions.packing.one_bin_orders import Orders
from refimpl.companions.packing.passes import State
from refimpl.companions.packing.patterns import by_patterns, first_values, in_groups
from refimpl.companions.packing.search import Search
from refimpl.companions.packing.shelf import shelves


def pinwheels(seed, count, side=200):
    """Rectangles that tile a square: large ones are replaced by five around a middle one."""
    rng, found = np.random.default_rng(seed), [(side, side)]
    while len(found) < count:
        found.sort(key=min)
        w, h = found.pop(int(rng.integers(max(0, len(found) - 3), len(found))))
        a, c = sorted(rng.choice(np.arange(w // 5, w - w // 5), 2, replace=False).tolist())
        b, d = sorted(rng.choice(np.arange(h // 5, h - h // 5), 2, replace=False).tolist())
        found += [(c, b), (w - c, d), (w - a, h - d), (a, h - b), (c - a, d - b)]
    return np.array(found)


def fits_by_brute_force(items, W, H, turnable):
    """Every item at every place, largest first, on a grid of cells."""
    order = sorted(range(len(items)), key=lambda i: -int(np.prod(items[i])))
    grid = np.zeros((W, H), bool)

    def rest(k):
        if k == len(order):
            return True
        w, h = items[order[k]].tolist()
        for a, b in {(w, h), (h, w)} if turnable[order[k]] else {(w, h)}:
            for x, y in np.ndindex(max(0, W - a + 1), max(0, H - b + 1)):
                cells = grid[x : x + a, y : y + b]
                if not cells.any():
                    cells[:] = True
                    if rest(k + 1):
                        return True
                    cells[:] = False
        return False

    return rest(0)


def found_by(steps):
    return next((state for state in steps if state), None)


def is_packing(state, items, size, turnable):
    sizes = np.where(state.turned[:, None], items[:, ::-1], items)
    made = state.bins, state.positions, sizes
    return violations(items, size, *made, rotate=turnable) == []


def test_the_tree_says_what_brute_force_says():
    rng, verdicts = np.random.default_rng(1), []
    while len(verdicts) < 60:
        W, H, n = (int(v) for v in (*rng.integers(3, 6, 2), rng.integers(2, 6)))
        items = np.stack([rng.integers(1, W + 1, n), rng.integers(1, H + 1, n)], axis=1)
        turnable = rng.random(n) < 0.5
        if not 0.6 * W * H < items.prod(axis=1).sum() <= W * H:
            continue
        found = found_by(search(items, (W, H), turnable, rng))
        verdicts.append(found is not None)
        assert verdicts[-1] == fits_by_brute_force(items, W, H, turnable), (items, W, H, turnable)
        assert found is None or is_packing(found, items, (W, H), turnable)
    assert 5 < sum(verdicts) < 55


@pytest.mark.parametrize("seed", range(3))
def test_a_square_in_seventeen_pieces_comes_back_turned_or_not(seed):
    """The single passes leave two bins; leave to turn must not make it worse."""
    items = pinwheels(seed, 17)
    for rotate in (False, True):
        found = pack(items, (200, 200), rotate, iterations=400)
        assert found.count == 1 and found.optimal


def test_no_way_into_one_bin_is_a_proof():
    """Where no bound says that one bin is not enough, but the tree ends: two are optimal."""
    rng, seen = np.random.default_rng(0), 0
    while seen < 3:
        items = rng.integers(1, 5, (5, 2))
        if items.prod(axis=1).sum() > 36 or lower_bound(items, (6, 6)) > 1:
            continue
        if not fits_by_brute_force(items, 6, 6, [False] * 5):
            found = pack(items, (6, 6), iterations=100)
            assert found.count == found.lower_bound == 2
            seen += 1


def test_orders_pack_what_is_beyond_the_tree():
    items = np.random.default_rng(2).integers(3, 12, (60, 2))
    tries = Orders(items, (60, 66), np.zeros(60, bool), np.random.default_rng(0))
    found = found_by(tries.step() for _ in range(40))
    assert found and is_packing(found, items, (60, 66), False)


@pytest.mark.parametrize("share", [0, 0.5])
def test_whole_answers_are_packings(rng, share):
    """Groups and patterns, a stop in between, kinds that may turn and kinds that may not."""
    kinds = rng.integers(20, 500, (9, 2))
    items = kinds[rng.integers(0, 9, 800)]
    turnable = (items[:, 0] % 2 == 0) & (rng.random(800) < share)
    size = (1000, 700)
    asked = iter(range(10**6))
    for stop in (lambda: False, lambda: next(asked) > 400):
        values = first_values(items, size, turnable)
        many = by_patterns(items, size, turnable, values, np.random.default_rng(0), stop)
        for state in (many, in_groups(items, size, turnable, stop)):
            assert is_packing(state, items, size, turnable)
    at_once = shelves(items, size, rotate=turnable, stop=lambda: True)
    assert at_once[0].max() < 2 * shelves(items, size, rotate=turnable)[0].max()


def test_counting_copies_gives_the_bound_of_the_items_repeated(rng):
    kinds = rng.integers(1, 60, (6, 2))
    items = kinds[rng.integers(0, 6, 200)]
    apart = np.column_stack([items[:, 0], items[:, 1]])
    for rotate in (False, True, rng.random(200) < 0.5):
        bound = lower_bound(items, (60, 80), rotate=rotate)
        assert bound >= -(-int(apart.prod(axis=1).sum()) // 4800)
        assert bound <= pack(items, (60, 80), rotate, iterations=2).count
    late = lower_bound(items, (60, 80), rotate=True, stop=lambda: True)
    assert late <= lower_bound(items, (60, 80), rotate=True)


@pytest.mark.parametrize("n, side", [(20_000, 100_000), (20_000, 700), (50_000, 2000)])
def test_the_limit_is_kept_at_any_size(n, side):
    items = np.random.default_rng(0).integers(1, 300, (n, 2))
    start = time.process_time()
    found = pack(items, (side, side), time_limit=1, clock=time.process_time)
    assert time.process_time() - start < 1.3 + 0.5 and found.count >= found.lower_bound


def test_where_items_may_turn_a_share_of_the_steps_turns_none(monkeypatch):
    steps, real = [], Search.step
    monkeypatch.setattr(
        Search, "step", lambda self: steps.append(bool(self.turnable.any())) or real(self)
    )
    monkeypatch.setattr(engine, "lower_bound", lambda *args, **options: 2)  # never met
    items = fresh(5, 20, 0).items
    pack(items, (100, 100), rotate=True, iterations=16)
    assert steps.count(False) == 16 // engine.UPRIGHT and len(steps) == 16
    steps.clear()
    pack(items, (100, 100), iterations=4)
    assert steps == [False] * 4


def test_what_is_found_without_turning_is_the_answer_and_gone_on_from(monkeypatch):
    """The search that turns is made blind; what the other finds, it is aimed at as well."""
    real, seen = Search.step, []

    def step(self):
        seen.append(self)
        return real(self) if not self.turnable.any() else False

    monkeypatch.setattr(Search, "step", step)
    monkeypatch.setattr(engine, "UPRIGHT", 2)
    monkeypatch.setattr(engine, "lower_bound", lambda *args, **options: 2)
    monkeypatch.setattr(engine, "single_passes", lambda items, size, **options: one_each(items))
    found = pack(fresh(5, 20, 0).items, (100, 100), rotate=True, iterations=24)
    assert found.count < 16
    assert {search.count for search in seen} == {found.count} and len(set(map(id, seen))) == 2


def one_each(items):
    n = len(items)
    return State(np.arange(n), np.zeros((n, 2), np.int64), np.zeros(n, bool))
