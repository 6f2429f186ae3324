"""Activations of a layer: blocks beside one pass; every method that looks at a layer names one that
is not there.
"""

import numpy as np
import pytest

from refimpl.companions.cnn import activations as module
from refimpl.companions.cnn.activations import activation_shape, activations
from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.deconv.deconvnet import project_unit, strongest
from refimpl.companions.deconv.diagnosis import dead_channels
from refimpl.companions.inversion.decoder import decode, encode
from refimpl.companions.inversion.inversion import representation_error
from refimpl.companions.maximization.activation_maximization import place_objective
from refimpl.companions.maximization.deepdream import deepdream


@pytest.fixture
def network(rng):
    return small_net((1, 12, 12), 4, rng=rng)


@pytest.mark.parametrize("layers", [1, 3, 10, 11])
def test_blocks_are_one_pass(network, rng, monkeypatch, layers):
    x = rng.random((20, 144))
    whole = network.forward(x.astype(np.float32), upto=layers)[0]
    monkeypatch.setattr(module, "BLOCK", 7)
    found = list(activations(network, layers, x))
    assert [len(a) for a in found] == [7, 7, 6] and all(a.dtype == np.float32 for a in found)
    assert np.allclose(np.concatenate(found), whole, rtol=1e-5, atol=1e-6)
    assert activation_shape(network, layers) == whole.shape[1:]
    assert np.array_equal(
        encode(network, layers, x), np.concatenate([a.reshape(len(a), -1) for a in found])
    )
    assert np.array_equal(
        dead_channels(network, x, layers=layers), ~(whole > 0).any(axis=(0, *range(2, whole.ndim)))
    )
    values = strongest(network, x, layers=layers, count=1)[1][:, 0]
    assert np.allclose(values, whole.max(axis=(0, *range(2, whole.ndim))), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda net, x, layers: activation_shape(net, layers),
        lambda net, x, layers: encode(net, layers, x),
        lambda net, x, layers: activations(net, layers, x),
        lambda net, x, layers: strongest(net, x, layers=layers, count=1),
        lambda net, x, layers: dead_channels(net, x, layers=layers),
        lambda net, x, layers: project_unit(net, x, layers=layers, channel=0),
        lambda net, x, layers: place_objective(net, layers, 0),
        lambda net, x, layers: deepdream(net, x, layers=layers),
        lambda net, x, layers: representation_error(net, layers, x),
    ],
)
def test_a_layer_that_is_not_there_is_named(network, rng, call):
    for layers in (0, 12, -1):
        with pytest.raises(ValueError, match=f"layers: expected 1 to 11, got {layers}"):
            call(network, rng.random((2, 144)), layers)


def test_no_images_are_named(network):
    for call, name in (
        (lambda x: encode(network, 2, x), "x"),
        (lambda x: dead_channels(network, x, layers=2), "x"),
        (lambda x: activations(network, 2, x), "x"),
        (lambda x: decode(network, x), "codes"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected at least one .*, got none"):
            call(np.zeros((0, 144)))
