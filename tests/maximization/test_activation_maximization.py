"""Objectives by the complex step, T13 in closed form, the slides' step by hand."""

from dataclasses import replace

import numpy as np
import pytest
from numeric import assert_gradient

from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.maximization.activation_maximization import (
    best,
    class_objective,
    colour_share,
    maximize,
    noise_starts,
    place_objective,
    rms_step,
)
from refimpl.companions.maximization.deepdream import half_square
from refimpl.layers import Affine, Flatten, ReLU, Unflatten
from refimpl.layers.conv import Conv2D
from refimpl.losses import OBJECTIVES
from refimpl.network import Network
from refimpl.optimize import sgd


@pytest.fixture
def network(rng):
    return small_net((1, 12, 12), 4, rng=rng, dtype=np.float64)


def first(rng, *, padding="valid", channels=2):
    """Unflatten and one convolution of three 3 x 3 filters on 6 x 7 images."""
    return Network(
        (
            Unflatten((channels, 6, 7)),
            Conv2D(rng.normal(size=(3, channels, 3, 3)), rng.normal(size=3), padding=padding),
        )
    )


@pytest.mark.parametrize("place", [(2, 1, (3, 4)), (2, 0, None), (4, 2, None), (3, 1, (0, 0))])
def test_the_gradient_of_a_place(network, rng, place):
    layers, channel, position = place
    objective, x = (
        place_objective(network, layers, channel, position=position),
        rng.random((2, 144)),
    )
    for n in range(2):
        assert_gradient(
            lambda v, n=n: objective(v, 0)[0][n],
            x,
            objective(x, 0)[1] * (np.arange(2) == n)[:, None],
            scale=10,
        )
    a = network.forward(x, upto=layers)[0][:, channel]
    wanted = a.mean(axis=(1, 2)) if position is None else a[(slice(None), *position)]
    assert np.allclose(objective(x, 0)[0], wanted, rtol=1e-13)


@pytest.mark.parametrize("score", sorted(OBJECTIVES))
def test_the_gradient_of_a_class(network, rng, score):
    objective, x = class_objective(network, np.array([2, 0]), score), rng.random((2, 144))
    assert_gradient(lambda v: objective(v, 0)[0].sum(), x, objective(x, 0)[1], scale=10)


def test_one_unit_prefers_its_filter(rng):
    """T13, by ascent on the sphere from noise, and no random image of that norm does better."""
    network, r = first(rng), 2.5
    conv = network.layers[1]
    patch = np.zeros((2, 6, 7))
    patch[:, 2:5, 3:6] = r * conv.w[1] / np.linalg.norm(conv.w[1])
    objective = place_objective(network, 2, 1, position=(2, 3))
    found, history = maximize(
        network,
        objective,
        rng.normal(size=(3, 84)),
        steps=400,
        lr=0.5,
        update=sgd,
        project=lambda x: r * x / np.linalg.norm(x, axis=1, keepdims=True),
    )
    assert np.allclose(found, patch.ravel(), rtol=0, atol=1e-10)
    assert np.allclose(history[-1], r * np.linalg.norm(conv.w[1]) + conv.b[1], rtol=1e-12)
    others = rng.normal(size=(1000, 84))
    assert (
        objective(r * others / np.linalg.norm(others, axis=1, keepdims=True), 0)[0].max()
        < history[-1, 0]
    )


def test_at_the_border_the_filter_is_cropped(rng):
    network = first(rng, padding="same")
    g = place_objective(network, 2, 0, position=(0, 6))(np.zeros((1, 84)), 0)[1].reshape(2, 6, 7)
    wanted = np.zeros_like(g)
    wanted[:, :2, 5:] = network.layers[1].w[0, :, 1:, :2]
    assert np.allclose(g, wanted, rtol=0, atol=1e-15)


def test_the_mean_of_a_channel_wants_one_colour(rng):
    network = first(rng, padding="same")
    g = place_objective(network, 2, 2)(rng.normal(size=(1, 84)), 0)[1].reshape(2, 6, 7)
    assert np.allclose(
        g[:, 1:-1, 1:-1], network.layers[1].w[2].sum(axis=(1, 2))[:, None, None] / 42, rtol=1e-12
    )
    assert not np.allclose(g[:, 0, 0], g[:, 1, 1])


def test_the_layer_objective_is_deepdreams(network, rng):
    x = rng.random((2, 144))
    objective = half_square(network, 4)
    assert_gradient(lambda v: objective(v, 0)[0].sum(), x, objective(x, 0)[1], scale=10)


def test_the_slides_step_by_hand(network, rng):
    starts = noise_starts(network, 3, rng)
    assert starts.shape == (3, 144) and starts.min() >= 128 / 255 and starts.max() < 148 / 255
    objective = class_objective(network, np.array([0, 1, 2]), "probability")
    images, history = maximize(network, objective, starts, steps=1)
    g = objective(starts, 0)[1]
    for n in range(3):
        wanted = starts[n] + g[n] / (np.sqrt(np.mean(g[n] ** 2)) + 1e-5) / 255
        assert np.allclose(images[n], wanted, rtol=0, atol=1e-15)
    assert history.shape == (2, 3)
    assert np.allclose(rms_step(images, 0 * images, None, lr=1)[0], images)
    longer, history = maximize(network, objective, starts)
    assert (history[-1] > history[0]).all() and len(history) == 201
    image, value = best(longer, history)
    assert value == history[-1].max() and np.array_equal(image, longer[history[-1].argmax()])


def test_a_dead_unit_and_bad_places_are_named(rng):
    network = Network(
        (*first(rng).layers, ReLU(), Flatten(), Affine(rng.normal(size=(60, 2)), np.zeros(2)))
    )
    dead = replace(network.layers[1], b=np.array([-1e3, 0, 0]))
    network = Network((network.layers[0], dead, *network.layers[2:]))
    with pytest.raises(ValueError, match="dead"):
        maximize(network, place_objective(network, 3, 0), rng.random((2, 84)))
    for arguments, word in (
        ((0, 0), "layers"),
        ((6, 0), "layers"),
        ((2, 3), "channel"),
        ((5, -1), "channel"),
    ):
        with pytest.raises(ValueError, match=word):
            place_objective(network, *arguments)
    for position in ((4, 0), (0,), (0, 0, 0)):
        with pytest.raises(ValueError, match="position"):
            place_objective(network, 2, 0, position=position)
    with pytest.raises(ValueError, match="starts"):
        maximize(network, place_objective(network, 2, 0), rng.random((2, 83)))
    with pytest.raises(ValueError, match="score"):
        class_objective(network, np.array([0]), "loss")


def test_colour_share(rng):
    grey, colour = (
        np.repeat(rng.normal(size=(1, 1, 3, 3)), 3, axis=1),
        rng.normal(size=(1, 3, 3, 3)),
    )
    colour -= colour.mean(axis=1, keepdims=True)
    shares = colour_share(np.concatenate([grey, colour, grey + colour, 0 * grey]))
    assert shares[:2] == pytest.approx([0, 1], abs=1e-14) and np.isnan(shares[3])
    assert shares[2] == pytest.approx((colour**2).sum() / ((colour**2).sum() + (grey**2).sum()))
