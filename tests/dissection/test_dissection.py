"""Dissection: naive loops, planted detectors, permutations, the null's level, and all that can be
wrong with input.
"""

import math

import numpy as np
import pytest
from test_activation_masks import naive_upsample, planted, smooth_noise

from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.dissection.activation_masks import activation_masks
from refimpl.companions.dissection.concept_masks import Labels
from refimpl.companions.dissection.concepts import CONCEPTS, concept_images
from refimpl.companions.dissection.dissection import (
    Overlaps,
    chance,
    detector_curve,
    detectors_by_kind,
    dissect,
    order_quantile,
    quantile_curve,
    score,
)


@pytest.fixture(scope="module")
def drawn():
    return concept_images(400)


def random_masks(rng, n, concepts, side, share=0.2):
    return rng.random((n, concepts, side, side)) < share * (rng.random((n, concepts, 1, 1)) < 0.6)


# By the definitions, in loops.


def naive_dissection(maps, masks, kinds, quantile):
    n, units, concepts = len(maps), maps.shape[1], masks.shape[1]
    iou, thresholds = np.zeros((units, concepts)), np.zeros(units)
    for k in range(units):
        values = sorted((float(v) for v in maps[:, k].ravel()), reverse=True)
        thresholds[k] = values[math.floor(quantile * len(values) + 1e-9)]
        for c in range(concepts):
            both = either = 0
            for x in range(n):
                if not any(masks[x, d].any() for d in range(concepts) if kinds[d] == kinds[c]):
                    continue
                m = naive_upsample(maps[x, k], *masks.shape[2:]) > thresholds[k]
                both += int((m & masks[x, c]).sum())
                either += int((m | masks[x, c]).sum())
            iou[k, c] = both / either
    return thresholds, iou


@pytest.mark.parametrize("side, size", [(3, 6), (4, 4), (3, 8), (5, 7)])
def test_against_loops(rng, side, size):
    maps, masks = rng.normal(size=(9, 4, side, side)), random_masks(rng, 9, 11, size)
    kinds = ("scene",) * 2 + ("part",) * 3 + ("colour",) * 6
    masks[:4, 2:5] = False  # images without a label of a kind do not count for its concepts
    masks[5, 2] = masks[6, 5] = True
    found = dissect(*planted(maps), masks, kinds=kinds, quantile=0.1, block=4)
    thresholds, iou = naive_dissection(maps, masks, kinds, 0.1)
    assert np.array_equal(found.thresholds, thresholds)
    assert np.allclose(found.iou, iou, rtol=1e-15, atol=0, equal_nan=True) and (iou > 0).any()
    assert np.array_equal(found.concept, iou.argmax(axis=1)) and np.array_equal(
        found.detector, iou.max(axis=1) > 0.04
    )
    for k in range(4):
        for x in range(9):
            assert np.array_equal(
                found.active.mask(k, x), naive_upsample(maps[x, k], size, size) > thresholds[k]
            )
        peaks = maps[:, k].max(axis=(1, 2))
        assert found.best_images[k].tolist() == sorted(
            range(9), key=lambda x, peaks=peaks: -peaks[x]
        )
    assert (found.iou <= found.ceiling + 1e-15).all()


def test_every_image_goes_through_the_network_once(rng, drawn):
    net, seen = small_net((3, 32, 32), 12, rng=rng), []

    def activations_of(x):
        seen.append(len(x))
        return net.forward(x, upto=4)[0]

    found = dissect(activations_of, drawn.images, drawn.masks, names=drawn.names, kinds=drawn.kinds)
    assert seen == [128, 128, 128, 16] and found.iou.shape == (8, 38)
    maps = net.forward(drawn.images, upto=4)[0]
    again = dissect(*planted(maps), drawn.masks, names=drawn.names, kinds=drawn.kinds)
    assert np.allclose(again.thresholds, found.thresholds, rtol=1e-5)
    assert [found.concept[k] for k in range(8)] == [again.concept[k] for k in range(8)]


# What is planted must be found; what is not there must not.


@pytest.mark.parametrize("noise", [0.1, 0.5, 0.9])
def test_planted_detectors_of_every_concept(rng, drawn, noise):
    maps = drawn.masks + noise * rng.random(drawn.masks.shape)
    found = dissect(
        *planted(maps), drawn.masks, names=drawn.names, kinds=drawn.kinds, shuffles=19, rng=rng
    )
    assert found.concept.tolist() == list(range(38)) and found.detector.all()
    assert np.allclose(
        found.score, found.ceiling[range(38), range(38)]
    )  # as good as the sizes allow
    assert detectors_by_kind(found) == {
        kind: (len(names), len(names)) for kind, names in CONCEPTS.items()
    }
    assert (found.chance.p == 1 / 20).all() and (
        found.score > found.chance.layer_levels[0.95]
    ).all()
    assert found.chance.layer_levels[0.99] == np.inf  # 19 shuffles cannot tell


def test_planted_detectors_on_coarse_maps(rng, drawn):
    """16 x 16 maps of colours and objects, stronger in some images than in others, among noise
    units, in any place.
    """
    wanted = [c for c in range(38) if drawn.kinds[c] in ("colour", "object", "material", "texture")]
    coarse = drawn.masks[:, wanted].reshape(400, -1, 16, 2, 16, 2).mean(axis=(3, 5))
    coarse = coarse * (1 + rng.random((400, len(wanted), 1, 1))) + 0.1 * rng.random(coarse.shape)
    maps = np.concatenate([coarse, smooth_noise(rng, 400, 10, 16)], axis=1)
    order = rng.permutation(maps.shape[1])
    found = dissect(*planted(maps[:, order]), drawn.masks, names=drawn.names, kinds=drawn.kinds)
    truth = np.array([*wanted, *[-1] * 10])[order]
    assert np.array_equal(found.detector, truth >= 0)
    assert np.array_equal(found.concept[truth >= 0], truth[truth >= 0])


def test_permuting_units_permutes_the_result_exactly(rng, drawn):
    maps = smooth_noise(rng, 400, 12, 12).astype(np.float32)
    maps[:, 3], maps[5, 4, 1, 1] = 2, np.nan
    order = rng.permutation(12)
    how = {"kinds": drawn.kinds, "shuffles": 20}
    a = dissect(*planted(maps), drawn.masks, **how, rng=np.random.default_rng(1))
    b = dissect(*planted(maps[:, order]), drawn.masks, **how, rng=np.random.default_rng(1))
    for name in ("iou", "concept", "score", "detector", "thresholds", "ceiling", "best_images"):
        np.testing.assert_array_equal(getattr(a, name)[order], getattr(b, name))  # NaN equals NaN
    assert a.chance.layer_levels == b.chance.layer_levels
    assert np.array_equal(a.chance.p[order], b.chance.p, equal_nan=True)
    assert np.array_equal(a.chance.mean[order], b.chance.mean, equal_nan=True)


# The null distribution.


def test_a_shuffle_is_the_dissection_of_shuffled_masks(rng):
    maps, masks = rng.normal(size=(12, 3, 4, 4)), random_masks(rng, 12, 9, 8)
    kinds = ("a", "b", "c") * 3
    active = activation_masks(*planted(maps), (8, 8), quantile=0.1)
    overlaps = Overlaps.of(active, Labels.of(masks, kinds, block=5))
    for _ in range(5):
        order = rng.permutation(12)
        assert np.array_equal(overlaps.iou(order)[0], score(active, masks[order], kinds=kinds).iou)


def test_p_and_levels_by_hand():
    values = np.arange(1.0, 20.0)  # 19 shuffles
    assert [order_quantile(values, level) for level in (0.9, 0.95, 0.99)] == [18, 19, np.inf]
    assert order_quantile(np.arange(99.0), 0.95) == 94

    class Fixed:
        labels = type("Labels", (), {"images": 2})
        draws = iter([[[0.1, 0.5]], [[0.3, 0.2]], [[0.2, 0.4]]])

        def iou(self, order):
            return np.array(next(self.draws)), None

    found = chance(Fixed(), np.array([[0.4, 0.1]]), 3, np.random.default_rng(0))
    assert found.p.tolist() == [3 / 4]  # .5 and .4 reach .4, and the true one counts
    assert np.allclose(found.mean, [[0.2, 1.1 / 3]]) and found.largest.tolist() == [[0.3, 0.5]]


def test_the_level_on_noise_units(rng, drawn):
    """Units that know nothing of the labels: p <= .05 for 5 % of them, p <= .2 for 20 %, and no
    detector.
    """
    maps = smooth_noise(rng, 400, 300, 8)
    found = dissect(
        *planted(maps), drawn.masks, names=drawn.names, kinds=drawn.kinds, shuffles=99, rng=rng
    )
    for level in (
        0.05,
        0.2,
        0.5,
    ):  # all units share the shuffles and the labels: their p are not quite independent
        assert abs(np.mean(found.chance.p <= level) - level) < 5 * np.sqrt(
            level * (1 - level) / 300
        )
    assert not found.detector.any()


def test_the_layers_threshold_holds_its_family_wise_level(rng):
    """200 layers of 10 noise units: the 95 % level is passed by some unit in about 10 of them."""
    passed = 0
    for _ in range(200):
        masks = random_masks(rng, 40, 6, 4)
        active = activation_masks(*planted(rng.normal(size=(40, 10, 4, 4))), (4, 4), quantile=0.05)
        found = score(active, masks, shuffles=39, rng=rng)
        passed += (found.score > found.chance.layer_levels[0.95]).any()
    assert 1 <= passed <= 10 + 4 * np.sqrt(200 * 0.05 * 0.95)


# Thresholds and quantiles.


def test_curves(rng, drawn):
    maps = (
        drawn.masks[:, 12:30]
        + rng.normal(0, 0.6, (400, 18, 1, 1))
        + 0.4 * rng.random((400, 18, 32, 32))
    )
    active = activation_masks(*planted(maps), (32, 32), quantile=0.02)
    curve = quantile_curve(
        active, drawn.masks, (0.001, 0.005, 0.02), names=drawn.names, kinds=drawn.kinds
    )
    for q, found in curve.items():
        fresh = dissect(
            *planted(maps), drawn.masks, names=drawn.names, kinds=drawn.kinds, quantile=q
        )
        assert np.array_equal(found.iou, fresh.iou) and np.array_equal(
            found.thresholds, fresh.thresholds
        )
        counts = detector_curve(found, np.linspace(0, 1, 21))
        assert (
            (np.diff(counts, axis=0) <= 0).all()
            and counts[0, 0] == 18
            and counts[-1].tolist() == [0, 0]
        )
        assert (counts[:, 1] <= counts[:, 0]).all()
        assert counts[:, 0].tolist() == [sum(found.score > t) for t in np.linspace(0, 1, 21)]
        assert detector_curve(found, [found.score.max()]).tolist() == [[0, 0]]  # above, not at
    with pytest.raises(ValueError, match="quantile: expected at most 0.02"):
        active.at(0.05)


def test_several_units_of_one_concept_are_one_unique_detector(rng, drawn):
    maps = np.repeat(drawn.masks[:, 12:14], 3, axis=1) + 0.1 * rng.random((400, 6, 32, 32))
    found = dissect(*planted(maps), drawn.masks, names=drawn.names, kinds=drawn.kinds)
    assert detectors_by_kind(found)["object"] == (6, 2) and detectors_by_kind(found)["scene"] == (
        0,
        0,
    )


# What cannot be judged is NaN and named.


def test_dead_nan_infinite_and_saturated_units_are_named(rng, drawn):
    maps = smooth_noise(rng, 400, 6, 8)
    maps[:, 0] = 0
    maps[7, 1, 2, 3] = np.nan
    maps[9, 2, 0, 0] = -np.inf
    maps[:, 3] = maps[:, 3] > 1  # far more than .5 % are 1
    maps[:, 4] = -7.5
    found = dissect(
        *planted(maps), drawn.masks, names=drawn.names, kinds=drawn.kinds, shuffles=19, rng=rng
    )
    assert np.isnan(found.iou[:5]).all() and not np.isnan(found.iou[5]).any()
    assert found.concept[:5].tolist() == [-1] * 5 and not found.detector.any()
    for values in (found.score, found.chance.p, found.chance.levels[0.95]):
        assert np.isnan(values[:5]).all() and not np.isnan(values[5])
    words = dict(p.split(": ", 1) for p in found.problems if p.startswith("unit"))
    assert sorted(words) == [f"unit {k}" for k in range(5)]
    for k, text in enumerate(
        (
            "dead unit: its map is 0 everywhere",
            "not finite (1 of 400",
            "not finite",
            "no pixel above T = 1",
            "its map is -7.5 everywhere",
        )
    ):
        assert text in words[f"unit {k}"]
    alone = dissect(*planted(maps[:, 5:]), drawn.masks, kinds=drawn.kinds)
    assert np.array_equal(alone.iou[0], found.iou[5])  # the neighbours' troubles are not its own


def test_a_layer_of_nothing_but_dead_units(rng, drawn):
    found = dissect(*planted(np.zeros((400, 3, 4, 4))), drawn.masks, shuffles=5, rng=rng)
    assert (
        len(found.problems) == 3
        and np.isnan(found.chance.p).all()
        and np.isnan(found.chance.layer_levels[0.95])
    )


def test_concepts_without_a_pixel_or_out_of_reach_are_named(rng, drawn):
    masks = drawn.masks[:, :3].copy()
    masks[:, 0], masks[:, 1] = False, True
    found = dissect(
        *planted(smooth_noise(rng, 400, 4, 32)), masks, names=("ghost", "all", "street")
    )
    assert np.isnan(found.iou[:, 0]).all() and not np.isnan(found.iou[:, 1:]).any()
    assert "concept 'ghost': no pixel in any mask" in found.problems
    assert any(
        p.startswith("concept 'all': covers 100.0 %") and "at or below 0.005" in p
        for p in found.problems
    )


@pytest.mark.parametrize(
    "change, words",
    [
        ({"masks": np.zeros((4, 2, 8, 8), np.uint8)}, "masks: expected bool"),
        ({"masks": np.zeros((4, 8, 8), bool)}, "masks: expected bool"),
        ({"masks": np.zeros((3, 2, 8, 8), bool)}, "masks: expected one stack an image, 4, got 3"),
        (
            {"images": np.zeros((4, 3, 16, 16))},
            "masks: expected 16 x 16 pixels, as the images, got 8 x 8",
        ),
        ({"images": np.zeros((4, 3 * 16 * 16))}, "masks: expected H x W pixels"),
        ({"quantile": 0}, "quantile: expected a share"),
        ({"quantile": 0.001}, "more images are needed"),
        ({"names": ("a",)}, "names: expected 2"),
        ({"kinds": ("a",) * 3}, "kinds: expected 2"),
        ({"shuffles": 3}, "rng: expected a Generator"),
        ({"shuffles": -1, "rng": np.random.default_rng(0)}, "shuffles: expected a whole number"),
        ({"block": 0}, "block >= 1"),
        (
            {"activations_of": lambda x: np.zeros((len(x), 5))},
            r"expected floats of shape \(4, units, h, w\)",
        ),
        (
            {"activations_of": lambda x: np.zeros((len(x), 2, 4, 4), int)},
            "activations_of: expected floats",
        ),
        ({"activations_of": lambda x: [1]}, "got list"),
    ],
)
def test_bad_input(rng, change, words):
    maps = rng.normal(size=(4, 2, 4, 4))
    how = {
        "activations_of": lambda x: maps[: len(x)],
        "images": np.zeros((4, 3, 8, 8)),
        "masks": np.ones((4, 2, 8, 8), bool),
        "quantile": 0.1,
    } | change
    with pytest.raises(ValueError, match=words):
        dissect(**how)


def test_blocks_of_different_shape_and_masks_of_another_pass(rng):
    with pytest.raises(ValueError, match="the first block gave maps"):
        dissect(
            lambda rows: np.ones((len(rows), 1, 2 + rows[0], 2)),
            np.arange(4),
            np.ones((4, 1, 4, 4), bool),
            block=2,
            quantile=0.1,
        )
    active = activation_masks(*planted(rng.normal(size=(4, 2, 4, 4))), (8, 8), quantile=0.1)
    for masks, words in (
        (np.ones((4, 2, 4, 4), bool), "expected 8 x 8 pixels, as the images, got 4 x 4"),
        (np.full((4, 2, 8, 8), 255, np.uint8), "expected bool"),
    ):
        with pytest.raises(ValueError, match=f"masks: {words}"):
            score(active, masks)
