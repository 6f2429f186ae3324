"""The experiments on dissection: where filters look, planted units, rotations, permutations,
conditions, verdicts.
"""

from dataclasses import replace

import numpy as np
import pytest

from refimpl.companions.dissection import study
from refimpl.companions.dissection.concepts import CONCEPTS, concept_images
from refimpl.companions.dissection.dissection import dissect
from refimpl.layers import Affine, ReLU
from refimpl.layers.regularization import BatchNorm, Dropout
from refimpl.network import Network


@pytest.fixture(scope="module")
def held():
    return concept_images(120)


@pytest.fixture(scope="module")
def network():
    return study.concept_net(6, rng=np.random.default_rng(3))


def test_first_filters_are_centred_where_dissection_puts_their_values(network, rng):
    """Value j of 16 is the middle of pixels 2 j and 2 j + 1: its field is the pixels 2 j - 2 to 2 j
    + 3.
    """
    x = rng.random((1, 3, 32, 32)).astype(np.float32)
    before = network.forward(x.reshape(1, -1), upto=2)[0][0]
    for pixel in range(32):
        moved = x.copy()
        moved[:, :, pixel] += 1
        changed = (network.forward(moved.reshape(1, -1), upto=2)[0][0] != before).any(axis=(0, 2))
        assert np.flatnonzero(changed).tolist() == [
            j for j in range(16) if 2 * j - 2 <= pixel <= 2 * j + 3
        ]


def test_conditions_change_nothing_else():
    base, plain, norm = (
        study.concept_net(6, rng=np.random.default_rng(0), **how)
        for how in ({}, {"dropout": 0}, {"batch_norm": True})
    )
    kinds = [[type(v) for v in one.layers] for one in (base, plain, norm)]
    assert [k for k in kinds[0] if k is not Dropout] == kinds[1] and Dropout in kinds[0]
    assert [k for k in kinds[2] if k is not BatchNorm] == kinds[0] and kinds[2].count(
        BatchNorm
    ) == 4
    weights = [[p for p in one.parameters if p.ndim > 1] for one in (base, plain, norm)]
    assert all(np.array_equal(a, b) and np.array_equal(a, c) for a, b, c in zip(*weights))
    for one in (base, plain, norm):
        assert [type(one.layers[layers - 1]) for _, layers in study.places(one)] == [ReLU] * 3
        sides = [
            one.forward(np.zeros((1, 3072), np.float32), upto=layers)[0].shape[1:]
            for _, layers in study.places(one)
        ]
        assert sides == [(16, 16, 16), (24, 16, 16), (32, 8, 8)]


def test_images_to_dissect_are_not_those_to_train_on(monkeypatch):
    monkeypatch.setattr(study, "TRAINING", 30)
    drawn, held = study.draw(20, 4)
    assert len(drawn.images) == 30 and len(held.images) == 20
    assert not {row.tobytes() for row in drawn.images} & {row.tobytes() for row in held.images}


def test_rotation(network, held, rng):
    q = study.random_rotation(16, rng)
    assert np.allclose(q @ q.T, np.eye(16), atol=1e-5)
    x = held.images[:3]
    a = network.forward(x, upto=3)[0]
    turned = study.maps(network, 3, q)(x)
    assert np.allclose(turned[1, :, 4, 5], q @ a[1, :, 4, 5], atol=1e-5)
    assert np.array_equal(study.maps(network, 3, np.eye(16, dtype=np.float32))(x), a)


def test_random_rotations_have_no_preferred_sign():
    first = [study.random_rotation(2, np.random.default_rng(seed))[0, 0] for seed in range(400)]
    assert abs(np.mean(first)) < 4 * np.sqrt(0.5 / 400)


def test_permuted_filters_give_the_same_dissection(network, held, rng):
    """Another order of the last filters, and of the dense layer's inputs: the same network, the
    same detectors.
    """
    order = rng.permutation(32)
    layers = list(network.layers)
    conv = max(i for i, v in enumerate(layers) if type(v).__name__ == "Conv2D")
    first = next(i for i, v in enumerate(layers) if isinstance(v, Affine))
    layers[conv] = replace(layers[conv], w=layers[conv].w[order], b=layers[conv].b[order])
    layers[first] = replace(
        layers[first], w=layers[first].w.reshape(32, 16, -1)[order].reshape(512, -1)
    )
    other = Network(tuple(layers))
    assert np.allclose(network.logits(held.images), other.logits(held.images), atol=1e-4)
    a, b = (
        dissect(
            study.maps(one, study.places(one)[-1][1]), held.images, held.masks, kinds=held.kinds
        )
        for one in (network, other)
    )
    np.testing.assert_array_equal(a.iou[order], b.iou)
    assert study.counts(a, 0.01)["all"] == study.counts(b, 0.01)["all"]
    measured = [
        study.measure(one, held, np.random.default_rng(0), shuffles=19) for one in (network, other)
    ]
    assert measured[0] == measured[1]


def test_counts_by_hand(network, held):
    found = dissect(
        study.maps(network, 3), held.images, held.masks, names=held.names, kinds=held.kinds
    )
    table = study.counts(found, 0.015)
    units = [k for k in range(16) if found.score[k] > 0.015]
    for kind in CONCEPTS:
        mine = [found.concept[k] for k in units if held.kinds[found.concept[k]] == kind]
        assert table[kind] == (len(mine), len(set(mine)))
    assert table["all"] == (len(units), len({found.concept[k] for k in units})) and units


def test_planted_units_are_found_and_drown_in_noise(held):
    quiet, loud, deaf = (study.plant(held, noise, images=120) for noise in (0.1, 3.0, 100.0))
    right = [(found.concept == np.arange(38)).sum() for found in (quiet, loud, deaf)]
    assert right[0] == 38 and right[1] < 38 and right[2] < 10 and not deaf.detector.any()
    silent = [
        held.names[c] for c in np.flatnonzero(~quiet.detector)
    ]  # of so few images one scene covers an eighth
    assert (
        len(silent) <= 1
        and [p.split("'")[1] for p in quiet.problems if "at or below" in p] == silent
    )


def test_planted_noise_is_the_same_in_every_run_and_new_in_every_block(held):
    a, b = (study.plant(held, 1.0, images=120, seed=seed) for seed in (1, 1))
    assert np.array_equal(a.iou, b.iou) and not np.array_equal(
        a.iou, study.plant(held, 1.0, images=120, seed=2).iou
    )


def test_combinations_share_one_pass(network, held, monkeypatch):
    active = study.widest(network, 3, held)
    found = study.combinations(active, held)
    monkeypatch.setattr(study, "COMBINED", (0.005,))
    fresh = study.combinations(study.widest(network, 3, held, quantile=0.005), held)
    assert set(found) == {0.005, 0.02}
    np.testing.assert_array_equal(found[0.005].single_iou, fresh[0.005].single_iou)
    np.testing.assert_allclose(found[0.005].combined_iou, fresh[0.005].combined_iou)


def test_measure_looks_at_the_last_convolution_and_at_all(network, held):
    seen = study.measure(network, held, np.random.default_rng(0), shuffles=19)
    rng, ever, beyond = np.random.default_rng(0), set(), set()
    for _, layers in study.places(network):
        found = dissect(
            study.maps(network, layers),
            held.images,
            held.masks,
            names=held.names,
            kinds=held.kinds,
            shuffles=19,
            rng=rng,
        )
        level = found.chance.layer_levels[0.95]
        ever |= {found.names[c] for c in found.concept[found.score > 0.04]}
        beyond |= {found.names[c] for c in found.concept[found.score > level]}
    assert seen["network_unique"] == len(ever) and seen["network_above_chance"] == len(beyond) > 0
    assert seen["detectors"] == (found.score > 0.04).sum() and seen["chance_level"] == level
    assert seen["detectors"] == sum(seen[kind] for kind in CONCEPTS)
    assert seen["accuracy"] == 100 * np.mean(network.predict(held.images) == held.objects)
    same = study.measure(
        network,
        held,
        np.random.default_rng(0),
        shuffles=19,
        rotation=lambda units: np.eye(units, dtype=np.float32),
    )
    assert same == seen


def test_conditions_reduced(held):
    drawn = concept_images(70, 9)
    run = study.conditions(2, drawn, held, times=(0, 1, 2), shuffles=19)
    assert list(run) == ["steps_0", "steps_1", "base", "rotated", "no_dropout", "batch_norm"]
    start = study.concept_net(6, rng=np.random.default_rng([2, 0]))
    for name, steps in (("steps_0", 0), ("steps_1", 1), ("base", 2)):
        network = study.fit(start, drawn, "object", steps=steps, rng=np.random.default_rng([2, 1]))
        assert run[name] == study.measure(network, held, np.random.default_rng([2, 2]), shuffles=19)
    assert run["rotated"]["accuracy"] == run["base"]["accuracy"]
    assert run["no_dropout"] != run["base"] != run["batch_norm"]
    with pytest.raises(ValueError, match="shuffles: expected at least 1, got 0"):
        study.conditions(2, drawn, held, times=(1,), shuffles=0)


def fake(seeds=5, **changes):
    """Runs in which all that Bau et al. saw holds, with a spread over the seeds; changes
    {condition: {key: value}}.
    """
    levels = {
        "steps_0": 2,
        "steps_150": 4,
        "steps_300": 6,
        "steps_600": 8,
        "base": 20,
        "rotated": 5,
        "no_dropout": 15,
        "batch_norm": 9,
    }
    keys = (*study.MEASURES, *CONCEPTS, "object_and_part", "accuracy")
    runs = []
    for seed in range(seeds):
        run = {
            name: dict.fromkeys(keys, level + 0.1 * (seed % 3)) for name, level in levels.items()
        }
        run["no_dropout"]["texture"] = 25 + 0.1 * seed
        for name, values in changes.items():
            run[name] |= values
        runs.append(run)
    return runs


def verdicts(runs):
    values = study.values_of(runs)
    return {
        claim.id.removeprefix("review/concepts/"): claim.relation(values)
        for claim in study.claims()
        if claim.relation
    }


def test_the_claims_ids_are_unique_and_all_measured():
    ids = [claim.id for claim in study.claims()]
    assert len(ids) == len(set(ids)) and all(id.startswith("review/concepts/") for id in ids)
    values = study.values_of(fake())
    assert set(values) == set(ids) and {len(v) for v in values.values()} == {5}
    assert values["review/concepts/initializations/unique"] == values["review/concepts/base/unique"]
    assert study.values_of(fake(seeds=4)) == {}


def test_every_verdict_can_fail():
    good = verdicts(fake())
    assert all(good.values()) and len(good) == 4 * len(study.MEASURES) + 2 + 1 + 3
    for condition, key in (
        ("batch_norm", "unique"),
        ("rotated", "network_unique"),
        ("no_dropout", "object"),
    ):
        bad = verdicts(fake(**{condition: {key: 50}}))
        assert [id for id, held in bad.items() if not held] == [f"{condition}/{key}"]
    assert not verdicts(fake(no_dropout={"texture": 3}))["no_dropout/texture"]
    assert not verdicts(fake(base={"object_and_part": 2}))["base/object_and_part"]
    assert not verdicts(fake(steps_0={"detectors": 30}))["base/detectors"]
    assert not verdicts(fake(steps_300={"unique": 4}))["steps_300/unique"]
    runs = fake()
    runs[0]["base"]["unique"] = 40
    assert not verdicts(runs)["initializations/unique"]


def test_a_difference_within_the_spread_is_no_verdict():
    runs = fake(batch_norm={"unique": 19.5})
    for run, shift in zip(runs, (3, -3, 2, -2, 1)):
        run["base"]["unique"] += shift
    assert np.mean([run["base"]["unique"] for run in runs]) > 19.5
    assert not verdicts(runs)["batch_norm/unique"]
