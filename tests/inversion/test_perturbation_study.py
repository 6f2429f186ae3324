"""What perturbations and smaller weights cost: against the network itself; every verdict can fall
either way.
"""

from dataclasses import replace

import numpy as np
import pytest

from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.inversion import perturbation_study as study
from refimpl.companions.inversion.decoder import decoder_for
from refimpl.companions.inversion.perturbation import binarize, drop
from refimpl.companions.inversion.study import places, trained_decoder
from refimpl.optimize import adam
from refimpl.training import train


@pytest.fixture(scope="module")
def digits(digits):
    return replace(digits, test_x=digits.test_x[:400], test_y=digits.test_y[:400])


@pytest.fixture(scope="module")
def network(digits):
    """Half trained, so that there is something to lose."""
    start = small_net(rng=np.random.default_rng(0))
    return train(
        start,
        digits.train_x,
        digits.train_y,
        steps=60,
        lr=3e-3,
        batch=32,
        update=adam,
        rng=np.random.default_rng(1),
    )[0]


def rows_of(network, decoder=None):
    return [
        {"name": n, "layers": layers, "shape": shape, "decoder": decoder}
        for n, layers, shape in places(network)
    ]


def test_perturbations_of_nothing_change_nothing(digits, network):
    """Without perturbation the rest of the network is the network, behind every layer."""
    found = study.perturbations(digits, network, rows_of(network), 1.0, 0, images=100)
    own = 100 * (network.predict(digits.test_x[:100]) == digits.test_y[:100]).mean()
    assert all(row["accuracy"]["none"] == pytest.approx(own) and not row["error"] for row in found)
    relu = [row for row in found if "ReLU" in row["name"]]
    assert all(row["zeros"] > 0.1 for row in relu)
    outputs = found[-1]["accuracy"]
    assert outputs["without the least half"] <= own and outputs["random half"] < own


def test_weights_really_change(digits, network, monkeypatch):
    monkeypatch.setattr(study, "RETRAINING", study.RETRAINING | {"steps": 20})
    found = study.compressed(digits, network, 0)
    assert found["all weights, 32 bits"][1] == 100 and found["8 bits"][1] > 95
    assert found["1 bit"][1] < found["4 bits"][1] <= 100
    assert found["half of them, a random one"][1] < found["half of them, the largest"][1]
    assert found["half of them, the largest, retrained"][0] > found["half of them, the largest"][0]
    lost, whole = study.lost(digits, network, 0), found["all weights, 32 bits"][0]
    assert lost["bits_1"] == whole - found["1 bit"][0] and set(lost) == set(study.LOSSES)
    worst = [
        row["accuracy"] for row in study.perturbations(digits, network, rows_of(network), 1.0, 0)
    ]
    assert (
        lost["random_half"]
        == max(row["none"] - row["random half"] for row in worst)
        > lost["least_half"]
    )


def test_decoders_of_their_own(digits, network, monkeypatch):
    """For the last layer of planes and the last hidden dense one that have a decoder, on what they
    are to decode.
    """
    asked, rows = [], rows_of(network)

    def untrained(data, network, layers, shape, seed, *, steps, change):
        asked.append((layers, change))
        return decoder_for(shape, data.image_shape, rng=np.random.default_rng(0))

    monkeypatch.setattr(study, "trained_decoder", untrained)
    for row in rows[4:8]:  # convolution 2, ReLU to dense 1, ReLU
        row["decoder"] = "some"
    found = study.retrained(digits, network, rows, 1.0, 0, steps=2, images=20)
    assert [row["name"] for row in found] == ["pooling 2", "dense 1, ReLU"]
    assert [set(row) for row in found] == [{"name", *study.RETRAINED}] * 2
    assert asked == [
        (layers, study.PERTURBATIONS[name]) for layers in (7, 10) for name in study.RETRAINED
    ]
    rows[7]["decoder"] = rows[6]["decoder"] = None
    assert [
        row["name"] for row in study.retrained(digits, network, rows, 1.0, 0, steps=1, images=20)
    ] == ["pooling 2"]


def test_a_decoder_of_its_own_pays(digits, network):
    own = trained_decoder(
        digits, network, 10, (64,), 0, steps=60, change=study.PERTURBATIONS["signs alone"]
    )
    other = trained_decoder(digits, network, 10, (64,), 0, steps=60)
    signs = [
        study.perturbations(
            digits,
            network,
            [{"name": "", "layers": 10, "shape": (64,), "decoder": d}],
            1.0,
            0,
            images=100,
        )[0]["error"]["signs alone"]
        for d in (own, other)
    ]
    assert signs[0] < 0.9 * signs[1]


def test_perturbations_are_the_methods(rng):
    codes = rng.normal(size=(3, 8))
    assert np.array_equal(study.PERTURBATIONS["signs alone"](codes, rng), binarize(codes))
    assert np.array_equal(study.PERTURBATIONS["without the least half"](codes, rng), drop(codes))
    half = study.PERTURBATIONS["random half"](codes, np.random.default_rng(1))
    assert (
        np.array_equal(half, drop(codes, rng=np.random.default_rng(1)))
        and ((half == 0).sum(axis=1) == 4).all()
    )


def fake(errors):
    """Rows whose images' errors are given, (layers, images), by both methods."""
    return [
        {"name": str(i), **{key: {"errors": np.array(e)} for key in study.METHODS}}
        for i, e in enumerate(errors)
    ]


GOOD = {
    "signs": 60,
    "random_half": 30,
    "least_half": 4,
    "pruned": 0.5,
    "pruned_retrained": 0.2,
    "pruned_random": 70,
    "bits_8": 0.1,
    "bits_4": 1,
    "bits_1": 40,
    "pruned_bits_8": 0.2,
}


RISING = np.array([[1, 2, 3, 4], [2, 3.1, 4, 5.2], [3.1, 4, 5.1, 6]])  # by about 1 a layer


def verdicts(errors=RISING, **changes):
    losses = [{key: v + 0.05 * seed for key, v in (GOOD | changes).items()} for seed in range(5)]
    values = study.values_of("digits", fake(errors), losses)
    return {
        claim.id.removeprefix("inversion/digits/"): claim.relation(values)
        for claim in study.claims("digits")
        if claim.relation
    }


def test_every_verdict_can_fail():
    assert all(verdicts().values()) and len(verdicts()) == 8
    for key, change in (
        ("pruned", 3),
        ("pruned_retrained", 0.85),
        ("bits_8", 1.2),
        ("pruned_bits_8", 4),
        ("random_half", 4),
        ("pruned_random", 0.5),
    ):
        assert [id for id, holds in verdicts(**{key: change}).items() if not holds] == [
            f"lost/{key}"
        ]
    for last in (-1.0, np.array([2.0, -1.5, 1.0, -0.5])):  # falls; within the spread
        bad = verdicts(np.vstack([RISING, RISING[-1] + last]))
        assert (
            not bad["regularized/rises"]
            and not bad["decoded/rises"]
            and all(v for k, v in bad.items() if "lost" in k)
        )


def test_all_claims_are_measured():
    values = study.values_of("digits", fake([[1, 2], [2, 1], [3, 3]]), [GOOD] * 5)
    assert {claim.id for claim in study.claims("digits")} <= set(values)
    assert (
        values["inversion/digits/regularized/rises"] == [2, 1]
        and values["inversion/digits/lost/bits_1"] == [40] * 5
    )
    assert not [id for id in study.values_of("digits", [], [GOOD] * 4)]


def test_deeper_is_paired():
    ((name, test),) = study.deeper(fake([[1, 2, 9], [2, 3, 10.5]]), "decoded")
    assert name == "1" and test.mean == pytest.approx(3.5 / 3) and test.n == 3
