"""Extraction: units that cannot be told apart, the images' closed forms, and what the certificate
can say.
"""

import numpy as np
import pytest
from degenerate import KINDS, few, inputs_like, network, networks
from hypothesis import given
from hypothesis import strategies as st

from refimpl.companions.extraction import certificates
from refimpl.companions.extraction.extraction import extract
from refimpl.companions.extraction.filter_images import (
    even_groups,
    hidden_visualizations,
    independent_groups,
    prescribed,
)
from refimpl.companions.extraction.ranks import additions, layer_inputs, rank_and_condition
from refimpl.companions.extraction.recovery import from_hints
from refimpl.companions.extraction.units import merged, survey
from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.optimize import ascend

seeds = st.integers(0, 10**6)
activations = st.sampled_from([ReLU(), Sigmoid(), Tanh()])


@given(seed=seeds, activation=activations, steps=st.integers(1, 40), blank=st.booleans())
def test_a_unit_visualization_is_where_its_ascent_ends(seed, activation, steps, blank):
    """From any start, and the gradient is the network's own: dz1_j/dx = w_j."""
    rng = np.random.default_rng(seed)
    net = one_hidden_net(7, 4, 3, rng=rng, activation=activation)
    start = np.zeros(7) if blank else rng.normal(size=7)

    def preactivation(x, step):
        z1, caches = net.forward(x, upto=1)
        return np.diag(z1), net.backward(np.eye(4), caches)[0]

    ended, _ = ascend(preactivation, np.repeat(start[None], 4, axis=0), steps=steps, lr=0.05)
    assert (
        np.abs(
            ended - hidden_visualizations(net.parameters[0], np.full(4, 0.05 * steps), start)
        ).max()
        < 1e-13
    )


@few(40)
@given(teacher=networks())
def test_the_first_images_are_visualizations(teacher):
    """hints: blank and positive multiples of the w_j, each opening its own unit; filters:
    differences from the base.
    """
    w, b, live = *teacher.parameters[:2], teacher.parameters[0].any(axis=0)
    x = extract(teacher, regime="hints").images
    assert not x[0].any()
    if live.any():
        own = x[1 : live.sum() + 1]
        scale = (own * w[:, live].T).sum(axis=1) / (w[:, live] ** 2).sum(axis=0)
        assert (scale > 0).all() and np.abs(
            own - scale[:, None] * w[:, live].T
        ).max() < 1e-12 * np.abs(own).max()
        assert ((own * w[:, live].T).sum(axis=1) + b[live] > 0).all()
    e, (small, kept) = extract(teacher, regime="filters"), merged(teacher)
    assert e.filters == len(kept) and e.hidden is None
    f = e.images[1 : e.filters + 1] - e.images[0]
    cosines = (f * small.parameters[0].T).sum(axis=1) / np.linalg.norm(f, axis=1)
    assert np.allclose(cosines, np.linalg.norm(small.parameters[0], axis=0), rtol=1e-9)


@few(40)
@given(teacher=networks(), regime=st.sampled_from(["hints", "filters"]))
def test_targets_belong_to_the_images(teacher, regime):
    e = extract(teacher, regime=regime)
    assert np.array_equal(e.logits, teacher.logits(e.images))
    if regime == "hints":
        assert np.array_equal(e.hidden, teacher.forward(e.images, upto=1)[0])
    again = extract(teacher, regime=regime)
    assert np.array_equal(again.images, e.images)


@pytest.mark.parametrize("activation", [ReLU(), Sigmoid(), Tanh()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_merged_is_the_same_function(kind, activation):
    for seed in range(5):
        teacher = network(seed, 4 + seed, 9 - seed, 1 + seed, kind, activation)
        small, kept = merged(teacher)
        x = inputs_like(teacher)
        size = np.abs(teacher.logits(x)).max() + 20 * np.abs(teacher.parameters[2]).max()
        assert np.abs(small.logits(x) - teacher.logits(x)).max() <= 1e-12 * size
        assert len(kept) == len(small.parameters[1]) and merged(small)[0].parameters[1].size == len(
            kept
        )


@few(50)
@given(teacher=networks())
def test_the_dimension_of_the_units_functions(teacher):
    """On many inputs close to and far from all boundaries, the rows (act(z1), 1) have the rank that
    was predicted.
    """
    (w, b, w2, _), activation = teacher.parameters, teacher.layers[1]
    if 0 < np.linalg.norm(w[:, 0] - w[:, 1]) < 1e-4 * np.linalg.norm(w[:, 0]):
        return  # nearly equal units: different functions, but not in float64
    rng, square = np.random.default_rng(1), (w * w).sum(axis=0)
    x = rng.normal(size=(1000, len(w))) * 10 ** rng.uniform(-2, 2, (1000, 1))
    j = rng.choice(np.flatnonzero(square), 1000) if square.any() else np.zeros(1000, int)
    z = (x * w.T[j]).sum(axis=1) + b[j]
    x -= ((z - rng.normal(size=1000)) / np.where(square > 0, square, 1)[j])[:, None] * w.T[
        j
    ]  # now z1_j is N(0, 1)
    rows = np.hstack([activation.forward(x @ w + b)[0], np.ones((1000, 1))])
    sigma = np.linalg.svd(rows / np.maximum(np.abs(rows).max(axis=0), 1e-300), compute_uv=False)
    assert (sigma > 1e-9 * sigma[0]).sum() == survey(w, b, w2, activation).dimension


def test_what_is_said_of_special_units():
    w = np.array([[1.0, 2.0, -1.0, 0.0, 0.0, 1.0], [1.0, 2.0, -1.0, 0.0, 0.0, 1.0]])
    b = np.array([1.0, 2.0, -1.0, 3.0, -3.0, -5.0])
    units = survey(w, b, np.eye(6)[:, :5], ReLU())
    assert units.families == ((0, 1, 2), (5,)) and units.sides == (1, 1, -1, 0, 0, 1)
    assert units.constant == (3, 4) and units.dead == (4,) and units.mute == (5,)
    assert units.parallel == ((0, 1, 2, 5),) and units.open == (0, 1, 3) and units.shut == (2, 4, 5)
    assert units.dimension == 4  # two hyperplanes, 1, and the z of the one with units on both sides
    assert len(units.remarks()) == 5 and "units 0, 1, 2 share one boundary" in units.remarks()[0]
    assert "3 gates are always shut and 3 always open" in units.remarks()[-1]
    assert survey(w, b, np.eye(6), Tanh()).families == ((0, 2), (1,), (5,))


def test_the_certificate_says_what_is_lost(rng):
    teacher = network(3, 8, 5, 3, "scaled duplicate", ReLU())
    c = extract(teacher, regime="hints").certificate
    assert (
        c.exact == "function"
        and c.wanted == (6 - 1, 5)
        and "units 0, 1 share one boundary" in c.remarks[0]
    )
    teacher = network(3, 8, 5, 3, "zero column", ReLU())
    c = extract(teacher, regime="filters").certificate
    assert c.exact == "function" and any("zero incoming weights" in line for line in c.remarks)
    sound = one_hidden_net(9, 5, 3, rng=rng)
    assert extract(sound, regime="hints").certificate.exact == "parameters"
    fewer = extract(sound, regime="hints", images=4).certificate
    assert (
        fewer.exact == "no"
        and fewer.bound == np.inf
        and "do not span the first layer" in fewer.reason
    )
    one_gate_shut = hidden_visualizations(sound.parameters[0], np.full(5, 1e-9))
    shut = Network((Affine(sound.parameters[0], sound.parameters[1] - 1), *sound.layers[1:]))
    x = np.vstack(
        [np.zeros(9), one_gate_shut]
    )  # s |w|^2 + b < 0: the theorem's condition is not met
    c = certificates.hints(shut, x)
    assert c.exact == "no"
    assert (
        c.reason
        == "rows of rank 1 where the units span 6 functions; units [0, 1, 2, 3, 4] are shut on "
        "all images"
    )


def test_no_images_determine_nothing():
    assert rank_and_condition(np.zeros((0, 3))) == (0, 1)
    c = certificates.hints(one_hidden_net(8, 3, 2, rng=np.random.default_rng(0)), np.zeros((0, 8)))
    assert c.exact == "no" and c.ranks == (0, 0)


@pytest.mark.parametrize("bias", [1e8, 1e10, 1e12])
def test_classes_without_a_gradient_at_the_blank_are_blank(bias, rng):
    """All gates shut there: the direction is zero, whatever the size of the other images."""
    net = Network(
        (
            Affine(rng.normal(size=(3, 1)), np.array([-bias])),
            ReLU(),
            Affine(rng.normal(size=(1, 2)), np.zeros(2)),
        )
    )
    e = extract(net)
    assert np.isfinite(e.images).all() and e.certificate.exact == "parameters"
    muted = net.with_parameters([*net.parameters[:2], np.zeros((1, 2)), np.ones(2)])
    assert extract(muted).recover().logits(np.ones((1, 3))) == pytest.approx(np.ones((1, 2)))


@pytest.mark.parametrize("activation", [Sigmoid(), Tanh()])
def test_filters_lost_in_the_last_digit_of_the_base_are_a_no(activation, rng):
    """A unit of weights 1e29 is turned over by less than the base's round-off."""
    net = Network(
        (
            Affine(1e29 * rng.normal(size=(6, 1)), np.array([3e28])),
            activation,
            Affine(rng.normal(size=(1, 3)), rng.normal(size=3)),
        )
    )
    e = extract(net, regime="filters")
    assert e.certificate.exact == "no"
    assert "visualizations [0] are no larger than" in e.certificate.reason
    assert np.isfinite(e.recover().logits(np.ones((1, 6)))).all()


@few(30)
@given(seed=seeds, kind=st.sampled_from(KINDS))
def test_images_are_added_where_the_visualizations_fall_short(seed, kind):
    """Units that shut each other: more than h + 1 images, no more than it takes, and the rank is
    reached.
    """
    teacher = network(seed, 2, 7, 3, kind, ReLU())
    e = extract(teacher, regime="hints")
    live = teacher.parameters[0].any(axis=0).sum()
    assert e.certificate.exact != "no" and len(e.images) <= live + 1 + 2 * (live + 2)


@given(seed=seeds, h=st.integers(1, 12), k=st.integers(1, 6), rank=st.integers(1, 6))
def test_groups_of_independent_rows(seed, h, k, rank):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(h, min(rank, k))) @ rng.normal(size=(min(rank, k), k))
    rows[rng.random(h) < 0.1] = 0
    for groups in (independent_groups(rows, k), even_groups(rows)):
        assert sorted(j for g in groups for j in g) == np.flatnonzero(rows.any(axis=1)).tolist()
        assert all(np.linalg.matrix_rank(rows[g]) == len(g) <= k for g in groups)
    assert len(even_groups(rows)) == len(independent_groups(rows, k))


def test_prescribed_preactivations(rng):
    first = Affine(rng.normal(size=(9, 4)), rng.normal(size=4))
    z1 = rng.normal(size=(6, 4))
    assert np.abs(first.forward(prescribed(first, z1))[0] - z1).max() < 1e-13


def test_ranks_and_additions(rng):
    assert rank_and_condition(np.zeros((2, 3))) == (0, 1.0)
    net = one_hidden_net(5, 4, 2, rng=rng)
    x, pool = rng.normal(size=(2, 5)), rng.normal(size=(50, 5))
    chosen = additions(net, x, pool, [5])
    assert len(set(chosen)) == len(chosen) >= 3
    assert rank_and_condition(layer_inputs(net, np.vstack([x, pool[chosen]]))[1])[0] == 5
    assert additions(net, pool, pool, [5]) == []


@given(teacher=networks())
def test_magnitude_is_a_bound(teacher):
    x = inputs_like(teacher)
    assert (np.abs(teacher.logits(x)).max(axis=1) <= certificates.magnitude(teacher, x)).all()


def test_float32_networks_are_taken_as_they_are(rng):
    teacher = one_hidden_net(9, 5, 3, rng=rng, dtype=np.float32)
    e = extract(teacher, regime="hints")
    student = from_hints(e.images, e.logits, e.hidden, activation=ReLU())
    assert e.images.dtype == np.float64
    assert np.abs(student.parameters[0] - teacher.parameters[0]).max() < 1e-12


@pytest.mark.parametrize(
    "make, how, message",
    [
        (
            lambda rng: one_hidden_net(4, 3, 2, rng=rng),
            {"regime": "logits"},
            "regime: expected one of hints, filters, scratch, black_box, got 'logits'",
        ),
        (
            lambda rng: softmax_net(4, 2),
            {"regime": "filters"},
            "network: expected Affine, ReLU .* with 1 hidden layer, got Affine",
        ),
        (
            lambda rng: Network(
                (*one_hidden_net(4, 3, 3, rng=rng).layers, ReLU(), Affine(np.eye(3), np.zeros(3)))
            ),
            {"regime": "filters"},
            "with 1 hidden layer, got Affine, ReLU, Affine, ReLU, Affine",
        ),
        (
            lambda rng: one_hidden_net(4, 3, 2, rng=rng),
            {"regime": "filters", "images": 3},
            "images: expected 4 to 6, got 3",
        ),
        (
            lambda rng: one_hidden_net(4, 3, 2, rng=rng).with_parameters(
                [np.full((4, 3), np.nan), np.zeros(3), np.zeros((3, 2)), np.zeros(2)]
            ),
            {"regime": "filters"},
            "network: expected finite parameters, found NaN or infinity",
        ),
    ],
)
def test_bad_arguments(rng, make, how, message):
    with pytest.raises(ValueError, match=message):
        extract(make(rng), **how)
