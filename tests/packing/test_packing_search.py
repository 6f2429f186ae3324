"""pack(): valid, repeatable, at the bound where that is known, honest about time; proposals take
their share.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.companions.packing import Packing, engine, pack
from refimpl.companions.packing.checker import Invalid, check, violations
from refimpl.companions.packing.instances import fresh
from refimpl.companions.packing.passes import ORDERS, State, order, single_passes
from refimpl.companions.packing.placement import Batch
from refimpl.companions.packing.search import Search
from refimpl.companions.packing.shelf import shelves


def cut_bins(rng, W, H, bins, cuts):
    """Items of `bins` full bins cut at random: the optimum is known."""
    parts = []
    for _ in range(bins):
        own = [(W, H)]
        for _ in range(cuts):
            w, h = own.pop(int(np.argmax([a * b for a, b in own])))
            if w >= h and w > 1:
                c = int(rng.integers(1, w))
                own += [(c, h), (w - c, h)]
            else:
                c = int(rng.integers(1, h))
                own += [(w, c), (w, h - c)]
        parts += own
    return rng.permutation(np.array(parts))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.booleans())
def test_every_result_is_a_packing_between_the_bounds(seed, rotate):
    rng = np.random.default_rng(seed)
    W, H, n = int(rng.integers(3, 40)), int(rng.integers(3, 40)), int(rng.integers(1, 25))
    items = np.stack([rng.integers(1, W + 1, n), rng.integers(1, H + 1, n)], axis=1)
    before = items.copy()
    result = pack(items, (W, H), rotate, iterations=5, seed=seed)
    assert isinstance(result, Packing) and np.array_equal(items, before)
    assert (
        violations(items, (W, H), result.bins, result.positions, result.sizes, rotate=rotate) == []
    )
    assert result.lower_bound <= result.count <= n and result.optimal == (
        result.count == result.lower_bound
    )
    again = pack(items, (W, H), rotate, iterations=5, seed=seed)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            (result.bins, result.positions, result.sizes),
            (again.bins, again.positions, again.sizes),
        )
    )


def test_a_seed_decides_and_nothing_else_does():
    items = cut_bins(np.random.default_rng(3), 60, 60, 8, 5)
    one, same, other = (pack(items, (60, 60), iterations=6, seed=seed) for seed in (1, 1, 2))
    assert (
        not one.optimal
        and np.array_equal(one.positions, same.positions)
        and np.array_equal(one.bins, same.bins)
    )
    assert not (
        np.array_equal(one.positions, other.positions) and np.array_equal(one.bins, other.bins)
    )


def test_the_order_of_the_items_is_kept():
    items = [[1, 3], [6, 3], [7, 4]]
    result = pack(items, (7, 7), iterations=3)
    assert (
        result.count == 1 and result.sizes.tolist() == items and result.bins.tolist() == [0, 0, 0]
    )
    turned = pack([[2, 5], [5, 2]], (5, 4), rotate=True, iterations=3)
    assert turned.count == 1 and sorted(turned.sizes[0].tolist()) == [2, 5]


def test_no_items_no_bins():
    empty = pack([], (5, 5))
    assert (
        empty.count == 0 and empty.optimal and empty.positions.shape == empty.sizes.shape == (0, 2)
    )


def test_the_search_improves_on_single_passes_and_says_so(monkeypatch):
    """Cut bins, which single passes do not put together again: the search gets nearer, reports each
    bin, then stops.
    """
    rng = np.random.default_rng(5)
    items = cut_bins(rng, 60, 60, 8, 4)
    start = int(single_passes(items, (60, 60)).bins.max()) + 1
    seen = []
    result = pack(
        items, (60, 60), iterations=60, on_progress=lambda count, bound: seen.append((count, bound))
    )
    assert start > 8 == result.lower_bound and result.count < start
    assert seen == [(count, 8) for count in range(start - 1, result.count - 1, -1)]
    calls = []
    monkeypatch.setattr(Search, "step", lambda self: calls.append(1))
    assert pack([[5, 5]] * 8, (10, 10), iterations=50).optimal and not calls


def test_time_is_asked_of_the_clock_and_iterations_are_not_timed():
    items = cut_bins(np.random.default_rng(1), 50, 50, 6, 5)
    ticks = iter(range(10**6))
    assert pack(items, (50, 50), time_limit=20, clock=lambda: next(ticks)).count >= 6
    assert 20 <= next(ticks) <= 23
    assert pack(items, (50, 50), time_limit=0).count >= 6
    frozen = pack(items, (50, 50), time_limit=0, iterations=3, clock=lambda: 0)
    assert frozen.count <= pack(items, (50, 50), iterations=0).count


def test_a_pass_or_a_step_that_has_begun_ends_when_time_is_up():
    items = fresh(10, 60, 1).items
    ticks = iter(range(10**6))
    cut = pack(items, (100, 100), time_limit=30, clock=lambda: next(ticks))
    first = shelves(items, (100, 100))
    assert (
        30 <= next(ticks) <= 33
        and np.array_equal(cut.bins, first[0])
        and np.array_equal(cut.positions, first[1])
    )
    assert pack(items, (100, 100), iterations=0).count < cut.count
    state = single_passes(items, (100, 100))
    for seed in range(4):  # both decoders
        asked = iter([False] * 9 + [True] * 9)
        one = Search(
            items,
            (100, 100),
            state,
            rng=np.random.default_rng(seed),
            stop=lambda asked=asked: next(asked),
        )
        before = [s.copy() for s in one.states]
        assert not one.step()
        assert all(
            np.array_equal(a.bins, b.bins) and np.array_equal(a.positions, b.positions)
            for a, b in zip(before, one.states)
        )


def test_chains_hold_packings_at_every_step():
    """Whatever a step does: what is not over lies in bins 0 to count - 2 without overlap. Cold,
    what is over never grows.
    """
    instance = fresh(7, 40, 0)
    for rotate in (False, True):
        state = single_passes(instance.items, instance.bin, rotate=rotate)
        one = Search(
            instance.items, instance.bin, state, rotate=rotate, rng=np.random.default_rng(0)
        )
        one.temperature = 0
        area, count = instance.items.prod(axis=1), one.count
        before = [area[s.bins < 0].sum() for s in one.states]
        for _ in range(8):
            better = one.step()
            for s in one.states:
                inside = s.bins >= 0
                sizes = np.where(s.turned[:, None], instance.items[:, ::-1], instance.items)
                found = violations(
                    instance.items[inside],
                    instance.bin,
                    s.bins[inside],
                    s.positions[inside],
                    sizes[inside],
                    rotate=rotate,
                )
                assert found == [] and s.bins.max() <= one.count - 2
            after = [area[s.bins < 0].sum() for s in one.states]
            assert better or all(b <= a for a, b in zip(before, after))
            before = after
        assert one.count <= count


@pytest.mark.parametrize("kind", ["keys", "bins"])
def test_proposals_take_their_share(kind):
    instance, asked = fresh(10, 20, 2), []

    def proposals(items, k, rng, count):
        asked.append((len(items), k, count))
        return (
            rng.random((count, len(items)))
            if kind == "keys"
            else rng.integers(0, k, (count, len(items)))
        )

    state = single_passes(instance.items, instance.bin)
    one = Search(
        instance.items,
        instance.bin,
        state,
        rng=np.random.default_rng(0),
        proposals=proposals,
        share=0.25,
    )
    for _ in range(3):
        one.step()
    assert len(asked) == 3 * one.chains and {count for *_, count in asked} == {
        round(one.candidates / 4)
    }
    best = one.best
    check(instance.items, instance.bin, best.bins, best.positions, instance.items)


def test_what_leaves_nothing_over_beats_all_and_the_unequal_beats_the_equal():
    items = np.array([[6, 6], [5, 5], [2, 2]])
    one = Search(
        items, (10, 10), State(np.arange(3), np.zeros((3, 2), np.int64), np.zeros(3, bool))
    )
    bins = np.array([[0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, -1], [-1, 0, 0]])
    batch = Batch(bins, None, None, None, np.array([False] * 4 + [True]))
    left, cost = one.judge(batch, np.broadcast_to(items.prod(axis=1), (5, 3)), 2)
    assert left.tolist() == [0, 0, 0, 4, np.inf] and cost[:3].tolist() == [-np.inf] * 3
    assert cost[3] == pytest.approx(4 - one.unequal * 100 * 0.61**2) and cost[4] == np.inf


def test_a_proposal_decides():
    """Among bad heuristics the one good proposal, an assignment, closes a bin."""
    items = np.array([[5, 10], [5, 10], [10, 5], [10, 5]])
    state = State(np.array([0, 1, 0, 2]), np.zeros((4, 2), np.int64), np.zeros(4, bool))
    for seed in range(6):  # both decoders
        one = Search(
            items,
            (10, 10),
            state,
            rng=np.random.default_rng(seed),
            share=1.0,
            proposals=lambda items, k, rng, count: np.array([[0, 0, 1, 1]]),
        )
        one.chains, one.candidates, one.freed = 1, 1, (2,)
        one.aim(state)
        assert (
            one.step() and one.count == 2 and one.best.bins.tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
        )


def test_what_a_proposal_turns_into():
    """Bins are tried first, items by area; for the gap decoder they are the order, bin after bin.
    Keys are the order.
    """
    items = np.array([[2, 2], [9, 9], [3, 3], [5, 5]])
    bins, keys = np.array([[1, 1, 0, -1]]), np.array([[0.1, 0.4, -2, 0.3]])
    for proposed, gaps, expected in (
        (bins, False, [1, 3, 2, 0]),
        (bins, True, [2, 1, 0, 3]),
        (keys, True, [1, 3, 0, 2]),
    ):
        one = Search(
            items,
            (9, 9),
            State(np.array([0, 1, 2, 3]), np.zeros((4, 2), np.int64), np.zeros(4, bool)),
            proposals=lambda items, k, rng, count, proposed=proposed: proposed,
            share=0.5,
        )
        one.candidates = 2
        orders = np.array([[0, 1, 2, 3]] * 2)
        prefer = one.propose([np.arange(4)], 2, orders, gaps)
        assert orders.tolist() == [expected, [0, 1, 2, 3]]
        assert prefer.tolist() == [
            bins[0, expected].tolist() if proposed is bins else [-1] * 4,
            [-1] * 4,
        ]


def test_proposals_of_a_wrong_shape():
    with pytest.raises(ValueError, match="proposals: expected shape"):
        pack(
            cut_bins(np.random.default_rng(1), 50, 50, 6, 5),
            (50, 50),
            iterations=1,
            proposals=lambda items, k, rng, count: np.zeros((count, 1)),
            share=0.5,
        )


def test_a_result_that_fails_its_check_is_not_returned(monkeypatch):
    real = engine.single_passes

    def shifted(*args, **kwargs):
        state = real(*args, **kwargs)
        state.positions[-1] += 1
        return state

    monkeypatch.setattr(engine, "single_passes", shifted)
    with pytest.raises(Invalid):
        pack([[3, 3], [3, 3]], (3, 3), iterations=0)


@pytest.mark.parametrize(
    "items, words",
    [([[0, 1]], "item 0"), ([[1, 1], [6, 1]], "item 1: 6 x 1"), ([[1, float("nan")]], "item 0")],
)
def test_bad_items(items, words):
    with pytest.raises(ValueError, match=words):
        pack(items, (5, 5))


@pytest.mark.parametrize(
    "option, words",
    [
        ({"iterations": -1}, "iterations: expected a whole number >= 0, got -1"),
        ({"iterations": 2.5}, "iterations: .* got 2.5"),
        ({"iterations": float("nan")}, "iterations: .* got nan"),
        ({"iterations": float("inf")}, "iterations: .* got inf"),
        ({"time_limit": float("nan")}, "time_limit: expected seconds >= 0, got nan"),
        ({"time_limit": -1}, "time_limit"),
        ({"share": 1.5}, "share: expected a number from 0 to 1, got 1.5"),
        ({"share": float("nan")}, "share"),
    ],
)
def test_bad_options(option, words):
    with pytest.raises(ValueError, match=words):
        pack([[3, 4]], (5, 5), **option)


def test_orders_are_the_sorts_that_they_say():
    items = np.array([[3, 9], [5, 5], [8, 2], [5, 6], [1, 1]])
    for name, key in ORDERS.items():
        values = key(*items[order(items, name)].T)
        assert (np.diff(values) <= 0).all()
    assert order(items, "area").tolist() == [3, 0, 1, 2, 4]
