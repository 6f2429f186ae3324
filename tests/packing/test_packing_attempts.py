"""What was tried: gradients of the contents network by complex step, labels by the definition, item
and bin by one backward pass, states met on the way.
"""

import numpy as np
import pytest
from numeric import assert_gradient

from refimpl.companions.packing.checker import violations
from refimpl.companions.packing.instances import fresh
from refimpl.companions.packing.thesis import (
    assignment,
    attempts,
    contents,
    contents_training,
    repack,
    scorer,
    together,
    training,
)
from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.wishes import closed_form


@pytest.fixture
def net(rng):
    """float64, with biases away from 0."""
    made = contents.new_network(rng).astype(np.float64)
    return made.with_parameters([p + 0.1 * rng.normal(size=p.shape) for p in made.parameters])


@pytest.fixture
def batch(rng):
    """Three contents with shares, the last two items of the last one pads."""
    items = fresh(10, 15, 3).items.reshape(3, 5, 2)
    items[2, 3:] = 0
    f = contents.features(items, (100, 100)).astype(np.float64)
    return f, rng.uniform(0.2, 1, (3, 5)), np.array([True, False, True])


def test_gradient_of_the_logistic_loss(rng, net, batch):
    value, gradients = contents.loss(net, *batch)
    assert len(gradients) == len(net.parameters)
    for i, gradient in enumerate(gradients):
        direction = rng.normal(size=gradient.shape)
        other = [p + 1e-20j * direction if i == m else p for m, p in enumerate(net.parameters)]
        numeric = contents.loss(net.with_parameters(other), *batch)[0].imag / 1e-20
        assert abs((gradient * direction).sum() - numeric) <= 1e-12 * max(1e-2, abs(numeric)), i
    z = [
        scorer.forward(
            net, scorer.embed(net, f[None, None])[0], np.zeros((1, 1, 0)), a[None, :, None]
        )
        for f, a, _ in zip(*batch)
    ]
    terms = [np.log1p(np.exp(-o[0][0, 0] if y else o[0][0, 0])) for o, y in zip(z, batch[2])]
    assert np.isclose(value, np.mean(terms), rtol=1e-12)


def test_bins_that_see_an_item_alike_share_its_row(rng, net, batch):
    g, _ = scorer.embed(net, batch[0][:, None])  # (3, 1, 5, 52)
    a, u, dz = rng.uniform(size=(3, 5, 4)), np.zeros((3, 4, 0)), rng.normal(size=(3, 4))
    one, cache = scorer.forward(net, g, u, a)
    every, wide = scorer.forward(net, np.repeat(g, 4, axis=1), u, a)
    assert np.allclose(one, every, rtol=1e-12)
    da, dg, head = scorer.backward(net, dz, cache)
    da_wide, dg_wide, head_wide = scorer.backward(net, dz, wide)
    assert np.allclose(da, da_wide, rtol=1e-12)
    assert np.allclose(dg()[:, 0], dg_wide().sum(axis=1), rtol=1e-12)
    assert all(np.allclose(p, q, rtol=1e-12) for p, q in zip(head, head_wide))
    assert_gradient(lambda a: (dz * scorer.forward(net, g, u, a)[0]).sum(), a, da, scale=1e3)


def test_labels_are_packings_and_the_area_decides_nothing_alone():
    rng = np.random.default_rng(0)
    rows = contents_training.drawn(20, rng)
    found = contents_training.labelled(rows, rng)
    labels = np.array([label for _, _, label in found])
    assert 0.2 < labels.mean() < 0.8
    for (items, size), good in list(zip(rows, labels))[:60]:
        area = items.prod(axis=1).sum() / np.prod(size)
        half = items > np.asarray(size) / 2
        assert not good or (area <= 1 and half.all(axis=1).sum() <= 1)
    areas = np.array([items.prod(axis=1).sum() / np.prod(size) for items, size in rows])
    assert (areas[~labels] <= 1).any()


def test_features_of_what_fits_add_up_to_no_more_than_their_limits():
    items, size = repack.full_bins(1, 5, 40)[0]
    bins = repack.placement.decode(items[None], size, first=True).bins[0]
    f = contents.features(items, size)
    for b in range(bins.max() + 1):
        total = f[bins == b].sum(axis=0)
        assert (total[[2, 6, 7, 8, 14, 15, 16]] <= 1 + 1e-6).all()
        assert total[9] <= 4 and (total[[10, 11, 12, 13]] <= 2 + 1e-6).all()


def test_the_network_knows_what_area_does_not_say(monkeypatch):
    monkeypatch.setattr(contents_training, "SEEDS", range(500, 1000))  # not trained on
    rng = np.random.default_rng(0)
    rows = contents_training.labelled(contents_training.drawn(20, rng), rng)
    made, labels = attempts.stored("contents"), np.array([label for _, _, label in rows])
    logits, areas = [], np.array([f[:, 2].sum() for f, _, _ in rows])
    for f, shares, _ in rows:
        g, _ = scorer.embed(made, f[None, None])
        z, _ = scorer.forward(made, g, np.zeros((1, 1, 0), np.float32), shares[None, :, None])
        logits.append(z[0, 0])
    by_area = max(((areas <= a) == labels).mean() for a in areas)
    assert ((np.array(logits) > 0) == labels).mean() > by_area + 0.05


def test_training_lowers_the_loss():
    rng = np.random.default_rng(0)
    rows = contents_training.labelled(contents_training.drawn(10, rng), rng)
    first, early = contents_training.train(contents.new_network(rng), rows, rng, epochs=1, size=32)
    assert contents_training.train(first, rows, rng, epochs=8, size=32)[1] < early - 0.05


def test_the_ascent_climbs_and_its_own_inputs_come_with_the_label_of_their_rounding():
    items, size = repack.full_bins(1, 3, 5)[0]
    rng = np.random.default_rng(0)
    made = attempts.stored("contents")
    problem = contents.Problem.of(made, items, size, 3)
    z0 = contents.blank(problem, 4, rng)
    of = assignment.objective(made, problem.g, np.zeros((4, 3, 0), np.float32), z0 > -np.inf)
    assert (of(contents.climb(problem, z0), 0)[0] > of(z0, 0)[0]).all()
    rows = contents_training.own_inputs(made, [(items, size)], 3, rng)
    whole = [row for row in rows if set(row[1].tolist()) == {1.0}]
    assert len(rows) > len(whole) > 10 and {type(row[2]) for row in rows} == {bool}
    for f, _, good in whole:
        assert not good or f[:, 2].sum() <= 1 + 1e-6


def test_a_solution_is_solved_if_every_bin_is():
    items, size = np.array([[6, 10], [4, 10], [5, 10], [5, 10]]), (10, 10)
    problem = contents.Problem.of(attempts.stored("contents"), items, size, 2)
    bins = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0]])
    assert contents.solved(problem, bins, np.random.default_rng(0)).tolist() == [True, False, True]
    assert contents.contents(problem, bins).prod(axis=2).sum(axis=1).tolist() == [100] * 2 + [
        110,
        90,
        100,
        100,
    ]


def test_what_looking_ahead_placed_is_what_placing_does(rng):
    items = np.stack([fresh(10, 12, 5).items, fresh(8, 12, 6).items])
    ours, plain = Partial(items, (100, 100), 3, scorer.trained()), Partial(items, (100, 100), 3)
    for _ in range(12):
        waste, slots = ours.options()
        assert np.array_equal(waste, plain.options()[0])
        value = rng.normal(size=(2, 3)) - waste
        plain.put(value, plain.options()[1])
        ours.put(value, slots)
        assert np.array_equal(ours.positions, plain.positions)
        assert np.array_equal(ours.bins, plain.bins) and np.array_equal(ours.u, plain.u)


def test_to_bring_an_item_forward_is_to_have_had_it_there(rng):
    items = np.stack([fresh(10, 9, 5).items, fresh(10, 9, 6).items])
    partial = Partial(items.copy(), (100, 100), 3, scorer.trained())
    waste, slots = partial.options()
    partial.put(-waste, slots)
    j = np.array([5, 3])
    together.bring(partial, j)
    order = np.tile(np.arange(9), (2, 1))
    order[[0, 1], 1], order[[0, 1], j] = j, 1
    other = Partial(
        np.take_along_axis(items, order[..., None], axis=1), (100, 100), 3, scorer.trained()
    )
    waste, slots = other.options()
    other.put(-waste, slots)
    for name in ("items", "allowed", "f", "u", "g", "base"):
        assert np.allclose(getattr(partial, name), getattr(other, name), atol=1e-5), name
    rows = together.gains(partial)[:, 0]
    fits = np.isfinite(rows)
    expected = closed_form(partial) - assignment.FIT * partial.options()[0]
    assert np.allclose(rows[fits], expected[fits], atol=1e-4)


def test_item_and_bin_together_leave_over_what_they_say(rng, monkeypatch):
    items, size = repack.full_bins(1, 3, 5)[0]
    made = []
    monkeypatch.setattr(together, "Partial", lambda *args: made.append(Partial(*args)) or made[-1])
    rows = np.repeat(items[None], 3, axis=0)
    over = together.pack_together(scorer.trained(), rows, size, 3, rng=rng)
    (partial,) = made
    for t in range(3):
        inside = partial.bins[t] >= 0
        _, numbered = np.unique(partial.bins[t, inside], return_inverse=True)
        placed = partial.items[t, inside]
        assert violations(placed, size, numbered, partial.positions[t, inside], placed) == []
        assert sorted(map(tuple, partial.items[t].tolist())) == sorted(map(tuple, items.tolist()))
        left = partial.items[t, ~inside].prod(axis=1).sum() / np.prod(size)
        assert np.isclose(over[t], left)


def test_states_met_on_the_way_are_those_of_its_own_decodes():
    sets, rng = repack.full_bins(6, 5, 300), np.random.default_rng(0)
    rows = training.examples(sets, 5, rng, walks=2, scorer=scorer.trained())
    others = training.examples(sets, 5, np.random.default_rng(0), walks=2)
    assert rows and others and len(rows[0]) == len(others[0])
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(rows, others))


def test_at_equal_tries_and_time(monkeypatch):
    monkeypatch.setattr(attempts, "LIMITS", (0.01, 0.02))
    tried = {name: attempts.ways()[name] for name in (attempts.PLAIN, attempts.MANY)}
    tried["never"] = lambda items, size, k, tries, rng: np.zeros(tries, bool)
    found = attempts.compare(tried, repack.full_bins(3, 3, 5), 2, 3)
    assert list(found) == [*tried, attempts.FIRST, attempts.RUIN]
    for way, row in found.items():
        tries, within = row["tries"], row["time"]
        assert (tries is None) == (way in (attempts.FIRST, attempts.RUIN)), way
        assert tries is None or 0 <= tries[0] <= tries[1] <= 1
        assert within is None or within[:-1] == sorted(within[:-1])
    assert found["never"]["tries"][:2] == [0, 0] and found["never"]["time"][:-1] == [0, 0]
    assert len(attempts.lines(found, 3, 2)) == 3 + len(found)


@pytest.mark.parametrize("name", attempts.ways())
def test_every_way_says_of_each_try_whether_it_packed_the_set(name):
    items = np.array([[6, 10], [4, 10], [5, 10], [5, 10]])
    solved = attempts.ways()[name](items, (10, 10), 2, 64, np.random.default_rng(0))
    assert solved.shape == (64,) and solved.dtype == bool and solved.any()
    assert not attempts.ways()[name](items, (9, 10), 2, 8, np.random.default_rng(0)).any()
