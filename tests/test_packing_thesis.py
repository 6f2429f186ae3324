"""The thesis' network and decoder: gradients by the complex step, packings that are packings, the seam."""

import numpy as np
import pytest
from numeric import assert_gradient

from refimpl.packing.assignment import decode, objective, relax, score
from refimpl.packing.checker import check
from refimpl.packing.free_space import best_place, empty, fill, place
from refimpl.packing.instances import fresh
from refimpl.packing.repack import compare, first_fit, full_bins
from refimpl.packing.scorer import Scorer, backward, features, forward, log_sigmoid, loss, new_scorer, packable, train_scorer


@pytest.fixture
def scorer(rng):
    blank = new_scorer(rng)
    return blank.with_parameters([p + rng.normal(0, 0.1, p.shape) for p in blank.parameters])


def test_the_gradient_with_respect_to_the_shares_and_every_parameter(scorer, rng):
    f, a, dz = rng.random((2, 5, 7)), rng.random((2, 5, 3)), rng.normal(size=(2, 3))
    _, cache = forward(scorer, f, a)
    da, gradients = backward(scorer, dz, cache)
    assert_gradient(lambda v: (forward(scorer, f, v)[0] * dz).sum(), a, da, scale=100)
    for i, (p, g) in enumerate(zip(scorer.parameters, gradients)):
        def value(v, i=i):
            changed = [v if j == i else q for j, q in enumerate(scorer.parameters)]
            return (forward(scorer.with_parameters(changed), f, a)[0] * dz).sum()
        assert_gradient(value, p, g, scale=100)
    with pytest.raises(AssertionError):
        assert_gradient(lambda v: (forward(scorer, f, v)[0] * dz).sum(), a, da * (1 + 1e-6), scale=100)


def test_the_gradient_with_respect_to_z(scorer, rng):
    f, z, allowed = rng.random((2, 5, 7)), rng.normal(size=(2, 5, 3)), rng.random((2, 5, 3)) < 0.7
    of = objective(scorer, f, 0.6, allowed)
    values, dz = of(z, 0)
    assert values.shape == (2,) and not dz[~allowed.any(axis=2)].any()
    assert_gradient(lambda v: of(v, 0)[0].sum(), z, dz, scale=100)
    shares = relax(z, 0.6, allowed)
    assert np.allclose(shares.sum(axis=2), allowed.any(axis=2)) and not shares[~allowed].any()
    assert np.allclose(score(scorer, f, shares)[0], values)


def test_the_loss_by_its_definition(scorer, rng):
    f, mask, labels = rng.random((6, 4, 7)), np.ones((6, 4, 1)), rng.random(6) < 0.5
    z = forward(scorer, f, mask)[0][:, 0]
    p = 1 / (1 + np.exp(-z))
    assert loss(scorer, f, mask, labels)[0] == pytest.approx(-np.mean(np.log(np.where(labels, p, 1 - p))))
    assert [v.tolist() for v in log_sigmoid(np.array([1e4, -1e4]))] == [[0, -1e4], [0, 1]]
    assert isinstance(scorer, Scorer) and features([[50, 100]], (100, 100)).tolist() == [[0.5, 1, 0.5, 0, 1, 0, 1]]


def test_free_space_by_pixels(rng):
    """A place is found if and only if some position holds only empty pixels."""
    for _ in range(30):
        free, grid = empty((9, 7)), np.zeros((9, 7), bool)
        for w, h in rng.integers(1, 5, (12, 2)).tolist():
            spots = [(x, y) for x in range(10 - w) for y in range(8 - h) if not grid[x:x + w, y:y + h].any()]
            found = best_place(free, w, h)
            assert (found is None) == (not spots)
            if found:
                _, x, y = found
                assert (x, y) in spots
                grid[x:x + w, y:y + h] = True
                free = place(free, x, y, w, h)
    assert fill([[5, 5], [5, 5], [5, 5], [5, 5]], (10, 10)) and fill([[6, 6], [5, 5]], (10, 10)) is None


@pytest.mark.parametrize("steps", [0, 2])
def test_what_is_decoded_is_a_packing(scorer, steps):
    instance = fresh(7, 20, 3)
    done = decode(scorer, instance.items, instance.bin, 6, tries=4, rng=np.random.default_rng(0), steps=steps, keep=(0, 9))
    area = instance.items.prod(axis=1) / (instance.bin[0] * instance.bin[1])
    for bins, positions, over in zip(done.bins, done.positions, done.overflow):
        placed = bins >= 0
        _, numbers = np.unique(bins[placed], return_inverse=True)
        check(instance.items[placed], instance.bin, numbers, positions[placed], instance.items[placed])
        assert over == pytest.approx(area[~placed].sum())
    assert len(done.shares) == 2


def test_full_bins_go_into_k_and_the_comparison_is_of_equal_decodes(scorer):
    sets = full_bins(3, 3, 10)
    for items, bin_size in sets:
        assert items.prod(axis=1).sum() <= 3 * bin_size[0] * bin_size[1]
    rows = compare(scorer, sets, 3, tries=2)
    assert all(row["success"].shape == (3,) and (row["overflow"] >= 0).all() for row in rows.values())
    again = compare(scorer, sets, 3, tries=2)
    assert all(np.array_equal(rows[way]["overflow"], again[way]["overflow"]) for way in rows)
    bins, over = first_fit(sets[0][0], sets[0][1], range(len(sets[0][0])))
    assert over == 0 and bins.min() == 0


def test_training_learns_what_area_alone_does_not_say(rng):
    _, losses = train_scorer(np.random.default_rng(1), bins=400, steps=200)
    assert losses[-30:].mean() < 0.75 * losses[:30].mean()
    assert packable([[50, 100], [50, 100]], (100, 100), rng) and not packable([[60, 60], [60, 60]], (100, 100), rng)
