"""Net2Vec: the loss pixel by pixel, its derivatives by complex step, the optimum, and concepts
planted in two units.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numeric import assert_gradient, complex_step

from refimpl.companions.dissection import net2vec
from refimpl.companions.dissection.activation_masks import activation_masks
from refimpl.companions.dissection.concept_masks import Labels
from refimpl.companions.dissection.concepts import concept_images
from refimpl.companions.dissection.dissection import score
from refimpl.companions.dissection.net2vec import (
    best_cutoff,
    combine,
    iou,
    logistic,
    newton,
    patterns,
)

KINDS = ("a", "a", "b")


def small(seed, n=8, units=5, side=4, quantile=0.15):
    """Activation masks of noise, and labels that some images do not have."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(n, units, side, side))
    masks = rng.random((n, 3, side, side)) < 0.3
    masks[n // 2 :, 2] = masks[0, :2] = False
    masks[0, 2, 0, 0] = masks[1, 0, 0, 0] = True
    return activation_masks(
        lambda rows: maps[rows], np.arange(n), (side, side), quantile=quantile
    ), masks


def dense(active, masks, c, start, stop):
    """Features (pixels, units) and labels (pixels,) of the images with a label of the kind, all
    pixels one by one.
    """
    rows = [
        x
        for x in range(start, stop)
        if any(masks[x, d].any() for d in range(3) if KINDS[d] == KINDS[c])
    ]
    features = [[active.mask(k, x).ravel() for k in range(active.units)] for x in rows]
    return np.concatenate(features, axis=1).T.astype(float), np.concatenate(
        [masks[x, c].ravel() for x in rows]
    )


@given(seed=st.integers(0, 10**6), c=st.integers(0, 2), start=st.integers(0, 2))
def test_loss_and_iou_pixel_by_pixel(seed, c, start):
    active, masks = small(seed)
    seen = patterns(active, Labels.of(masks, KINDS), start, 7)
    x, label = dense(active, masks, c, start, 7)
    if not 0 < label.sum() < len(label):
        return
    w = np.random.default_rng(seed + 1).normal(size=active.units)
    alpha, total, weight = 1 - label.mean(), 0.0, 0.0
    for row, inside in zip(x, label):
        m = 1 / (1 + math.exp(-float(row @ w)))
        total -= alpha * math.log(m) if inside else (1 - alpha) * math.log(1 - m)
        weight += alpha if inside else 1 - alpha
    expected = total / weight + 0.3 / 2 * float(w @ w)
    assert logistic(seen, c, w, 0.3)[0] == pytest.approx(expected, rel=1e-12)
    chosen = x @ w > 0.1
    expected = (chosen & label).sum() / (chosen | label).sum()
    assert iou(seen, c, seen.x @ w > 0.1) == pytest.approx(expected, rel=1e-14)


@given(seed=st.integers(0, 10**6), c=st.integers(0, 2))
def test_gradient_and_hessian(seed, c):
    active, masks = small(seed)
    seen, rng = patterns(active, Labels.of(masks, KINDS), 0, 8), np.random.default_rng(seed)
    w = 2 * rng.normal(size=active.units)
    _, gradient, d = logistic(seen, c, w, 0.01)
    assert_gradient(lambda v: logistic(seen, c, v, 0.01)[0], w, gradient)
    direction = rng.normal(size=active.units)
    numeric = complex_step(lambda v: logistic(seen, c, v, 0.01)[1], w, direction)
    assert np.allclose(
        (seen.x.T * d) @ (seen.x @ direction) + 0.01 * direction, numeric, rtol=1e-11, atol=1e-13
    )


def test_far_out_nothing_overflows():
    active, masks = small(0)
    seen = patterns(active, Labels.of(masks, KINDS), 0, 8)
    value, gradient, _ = logistic(seen, 0, np.full(active.units, 1e4), 1e-4)
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("c", range(3))
def test_newton_ends_at_the_minimum_that_plain_descent_finds(c, monkeypatch):
    active, masks = small(3)
    seen = patterns(active, Labels.of(masks, KINDS), 0, 8)
    w = newton(seen, c, 0.05)
    v = np.zeros(active.units)
    for _ in range(3000):
        v -= 1.0 * logistic(seen, c, v, 0.05)[1]
    assert np.allclose(w, v, atol=1e-8)
    assert np.linalg.norm(logistic(seen, c, w, 0.05)[1]) < 1e-10
    monkeypatch.setattr(net2vec, "STEPS", 1)
    with pytest.raises(
        FloatingPointError, match=f"concept {c}: the gradient is .* after 1 Newton steps"
    ):
        newton(seen, c, 0.05)


@given(seed=st.integers(0, 10**6), c=st.integers(0, 2))
def test_the_best_cutoff_is_the_best_of_all(seed, c):
    active, masks = small(seed)
    seen, rng = patterns(active, Labels.of(masks, KINDS), 0, 8), np.random.default_rng(seed)
    z = np.round(rng.normal(size=len(seen.x)), 1)  # with ties
    tried = [iou(seen, c, z > t) for t in (0, *z[z > 0])]
    cutoff = best_cutoff(seen, c, z)
    assert cutoff >= 0 and iou(seen, c, z > cutoff) == pytest.approx(max(tried))


def test_patterns_of_more_units_than_a_word_has_bits(rng):
    maps = rng.normal(size=(6, 150, 5, 5))
    active = activation_masks(lambda rows: maps[rows], np.arange(6), (5, 5), quantile=0.02)
    masks = rng.random((6, 3, 5, 5)) < 0.3
    seen = patterns(active, Labels.of(masks, KINDS), 1, 6)
    x, label = dense(active, masks, 2, 1, 6)
    rows, count = np.unique(x, axis=0, return_counts=True)
    busy = rows.any(axis=1)
    order = np.lexsort(seen.x.T[::-1])
    assert np.array_equal(seen.x[order], rows[busy]) and np.array_equal(
        seen.total[order, 1], count[busy]
    )
    assert seen.sizes[2] == label.sum()


# Planted: the truth is known.


@pytest.fixture(scope="module")
def drawn():
    return concept_images(400)


def plant(drawn, columns, rng, quantile, noise_units=8):
    """Planted maps (400, h, w) each, hidden among noise units; returns (active masks, their
    places).
    """
    noise = rng.normal(size=(400, noise_units, 32, 32))
    noise += np.roll(noise, 1, 2) + np.roll(noise, 1, 3)
    maps = np.concatenate(
        [np.stack(columns, axis=1) + 0.1 * rng.random((400, len(columns), 32, 32)), noise], axis=1
    )
    order = rng.permutation(maps.shape[1])
    active = activation_masks(
        lambda rows: maps[rows][:, order], np.arange(400), (32, 32), quantile=quantile
    )
    return active, [int(np.flatnonzero(order == k)[0]) for k in range(len(columns))]


def test_a_concept_split_over_two_units(rng, drawn):
    """One unit sees the left half of the triangles, one the right: neither is enough, the sum is."""
    c = drawn.names.index("triangle")
    left = np.arange(32) < 16
    active, places = plant(drawn, [drawn.masks[:, c] & left, drawn.masks[:, c] & ~left], rng, 0.008)
    found = combine(active, drawn.masks[:, c : c + 1], train=250)
    # Without an intercept the others are where the concept is not, once these two have explained
    # it: below zero.
    assert (
        np.flatnonzero(found.weights[0] > 0).tolist() == sorted(places) and found.unit[0] in places
    )
    assert found.combined_iou[0] > 1.5 * found.single_iou[0] > 0


def test_a_concept_that_one_unit_confuses_and_another_disentangles(rng, drawn):
    """One unit sees discs and rings, one sees rings alone: discs are the first less the second."""
    disc, ring = (drawn.masks[:, drawn.names.index(name)] for name in ("disc", "ring"))
    some = disc | (ring & (np.arange(400) % 2 == 0)[:, None, None])
    active, (both, other) = plant(drawn, [some, ring], rng, 0.03)
    found = combine(active, disc[:, None], train=250)
    w = found.weights[0]
    assert np.argmax(w) == both and np.argmin(w) == other and found.unit[0] == both
    assert found.combined_iou[0] > 1.1 * found.single_iou[0]


def test_a_concept_of_one_unit_needs_no_other(rng, drawn):
    c = drawn.names.index("blue")
    active, (place,) = plant(drawn, [drawn.masks[:, c]], rng, 0.03)
    found = combine(active, drawn.masks[:, c : c + 1], train=250)
    assert found.unit[0] == place and np.flatnonzero(found.weights[0] > 0).tolist() == [place]
    assert found.combined_iou[0] == pytest.approx(found.single_iou[0], rel=0.02)
    assert found.single_iou[0] == pytest.approx(
        score(active, drawn.masks[:, c : c + 1]).score[place], rel=0.2
    )


def test_units_in_another_order(rng):
    maps = rng.normal(size=(30, 6, 4, 4))
    masks = rng.random((30, 3, 4, 4)) < 0.3
    order = rng.permutation(6)
    a, b = (
        combine(
            activation_masks(lambda rows, m=m: m[rows], np.arange(30), (4, 4), quantile=0.1),
            masks,
            train=20,
        )
        for m in (maps, maps[:, order])
    )
    assert np.allclose(a.weights[:, order], b.weights, atol=1e-9)
    assert np.array_equal(a.single_iou, b.single_iou) and np.array_equal(order[b.unit], a.unit)
    assert np.allclose(a.combined_iou, b.combined_iou, rtol=1e-12)


def test_held_out_images_do_not_change_the_weights(rng):
    """Nor the cutoff, nor the choice of the unit. (Thresholds take no labels; they are given here.)"""
    active, masks = small(5)
    masks = masks[:, :2]
    other = masks.copy()
    other[5:] = rng.random(other[5:].shape) < 0.5
    a, b = combine(active, masks, train=5), combine(active, other, train=5)
    assert np.array_equal(a.weights, b.weights) and np.array_equal(a.cutoff, b.cutoff)
    assert np.array_equal(a.unit, b.unit) and not np.array_equal(a.single_iou, b.single_iou)


def test_what_cannot_be_learned_is_named(rng):
    active, masks = small(6)
    masks[:5, 0] = False
    masks[5:, 1] = False
    masks[:5, 2] = True
    found = combine(active, masks, train=5, names=("late", "early", "everywhere"))
    for values in (
        found.single_iou,
        found.combined_iou,
        found.balanced_iou,
        found.weights[:, 0],
        found.cutoff,
    ):
        assert np.isnan(values).all()
    assert found.unit.tolist() == [-1] * 3
    assert [p.split(":")[0] for p in found.problems] == [
        "concept 'late'",
        "concept 'early'",
        "concept 'everywhere'",
    ]


def test_dead_units_get_no_weight(rng):
    maps = rng.normal(size=(20, 3, 4, 4))
    maps[:, 1] = 0
    active = activation_masks(lambda rows: maps[rows], np.arange(20), (4, 4), quantile=0.1)
    found = combine(active, rng.random((20, 2, 4, 4)) < 0.3, train=12)
    assert (found.weights[:, 1] == 0).all() and found.problems[0].startswith("unit 1: a dead unit")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"train": 0}, "train: expected 1 to 7"),
        ({"train": 8}, "train"),
        ({"ridge": 0}, "ridge: expected a positive number"),
        ({"names": ("a",)}, "names: expected 3, one a concept, got 1"),
        ({"kinds": ("a",) * 4}, "kinds: expected 3, one a concept, got 4"),
    ],
)
def test_bad_arguments(change, words):
    active, masks = small(0)
    with pytest.raises(ValueError, match=words):
        combine(active, masks, **({"train": 5} | change))
    for other, words in (
        (masks[:, :, :3], "expected 4 x 4 pixels"),
        (masks[:7], "expected one stack an image, 8, got 7"),
        (masks.astype(np.uint8), "expected bool"),
        (None, "expected bool .* got NoneType"),
    ):
        with pytest.raises(ValueError, match=f"masks: {words}"):
            combine(active, other, train=5)
