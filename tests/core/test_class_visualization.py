"""Class visualization: objectives, regularizers, starts, and the ascent on z1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.class_visualization import ascend_preactivations, class_visualizations
from refimpl.layers import ReLU, Sigmoid, Tanh
from refimpl.losses import OBJECTIVES
from refimpl.network import one_hidden_net, softmax_net
from refimpl.theory import network_of


def linear(rng, d=8, k=4):
    return network_of(rng.normal(size=(d + 1, k)))


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_one_class_at_a_time_is_the_same(rng, objective):
    net = one_hidden_net(8, 6, 4, rng=rng, activation=Tanh())
    start = rng.normal(size=(4, 8))
    together, history = class_visualizations(
        net, objective=objective, steps=15, start=start, weight_decay=0.01
    )
    for c in range(4):
        alone, values = class_visualizations(
            net,
            objective=objective,
            steps=15,
            start=start[c : c + 1],
            classes=[c],
            weight_decay=0.01,
        )
        assert np.allclose(alone[0], together[c], rtol=1e-13, atol=1e-15)
        assert np.allclose(values[:, 0], history[:, c], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_the_history_is_the_objective_and_rises(rng, objective):
    net = linear(rng)
    images, history = class_visualizations(
        net, objective=objective, steps=30, lr=0.01, weight_decay=0.1
    )
    values, _ = OBJECTIVES[objective](net.logits(images), np.arange(4))
    assert np.allclose(history[-1], values - 0.1 * (images**2).sum(axis=1), rtol=1e-12)
    assert (np.diff(history, axis=0) > 0).all()


def test_the_box_holds_and_the_start_is_kept(rng):
    start = rng.uniform(-0.5, 0.5, (4, 8))
    kept = start.copy()
    images, _ = class_visualizations(linear(rng), steps=50, lr=1, box=(-0.5, 0.75), start=start)
    assert images.min() == -0.5 and images.max() == 0.75 and np.array_equal(start, kept)


def test_t8_a_relu_network_at_the_blank_is_refused(rng):
    net = one_hidden_net(8, 6, 4, rng=rng)
    with pytest.raises(ValueError, match="start: the gradient is zero there for every class"):
        class_visualizations(net)
    assert class_visualizations(net, start=rng.normal(size=(4, 8)))[0].shape == (4, 8)
    assert class_visualizations(one_hidden_net(8, 6, 4, rng=rng, activation=Sigmoid()))[0].any()


@given(
    seed=st.integers(0, 10**6),
    activation=st.sampled_from([ReLU(), Sigmoid(), Tanh(), None]),
    objective=st.sampled_from(sorted(OBJECTIVES)),
)
def test_t9_ascent_on_z1_is_the_same_ascent(seed, activation, objective):
    """None: the linear network, whose first layer puts out the logits."""
    rng = np.random.default_rng(seed)
    if activation is None:
        net = softmax_net(9, 3, rng=rng, sigma=0.5)
    else:
        net = one_hidden_net(9, 5, 3, rng=rng, activation=activation)
    how = {
        "objective": objective,
        "steps": 20,
        "lr": 0.05,
        "start": rng.normal(size=(3, 9)),
        "classes": np.arange(3),
    }
    (direct, values), (indirect, same) = (
        class_visualizations(net, **how),
        ascend_preactivations(net, **how),
    )
    assert np.allclose(direct, indirect, rtol=0, atol=1e-12) and np.allclose(
        values, same, rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize(
    "how, message",
    [
        ({"objective": "loss"}, "objective: expected one of .*'logit'.*, got 'loss'"),
        ({"weight_decay": -1}, "weight_decay: expected a number >= 0, got -1"),
        ({"weight_decay": np.nan}, "weight_decay: expected a number >= 0, got nan"),
        ({"box": (1, 0)}, r"box: expected \(low, high\) with low < high, got \(1, 0\)"),
        ({"start": np.zeros((4, 7))}, r"start: expected shape \(4, 8\), got \(4, 7\)"),
        ({"classes": np.array([0, 4])}, r"classes: expected labels in \[0, 4\), found 0 to 4"),
        ({"steps": -2}, "steps"),
        ({"lr": 0}, "lr"),
    ],
)
def test_bad_arguments(rng, how, message):
    with pytest.raises(ValueError, match=message):
        class_visualizations(linear(rng), **how)


def test_an_unknown_objective_on_z1(rng):
    with pytest.raises(ValueError, match="objective: expected one of .*'logit'.*, got 'loss'"):
        ascend_preactivations(
            one_hidden_net(8, 6, 4, rng=rng),
            objective="loss",
            steps=1,
            lr=0.1,
            start=np.ones((4, 8)),
            classes=np.arange(4),
        )


def test_divergence_is_named(rng):
    net = one_hidden_net(8, 6, 4, rng=rng)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="smaller lr"):
        class_visualizations(net, steps=500, lr=10, weight_decay=10, start=rng.normal(size=(4, 8)))
