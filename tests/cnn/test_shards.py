from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from refimpl.companions.cnn.architectures import convolution, small_net, vonc_net
from refimpl.companions.cnn.shards import Sharded
from refimpl.layers import Affine, Flatten, Unflatten
from refimpl.layers.regularization import BatchNorm
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.training import train_step

rng = np.random.default_rng(5)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(3) as executor:
        yield executor


@pytest.mark.parametrize("images, count", [(7, 2), (9, 3), (2, 3)])
def test_logits_and_gradients_are_the_networks(pool, images, count):
    network = small_net((2, 8, 8), 3, rng=rng, dtype=np.float64)
    x, dout = rng.normal(size=(images, 128)), rng.normal(size=(images, 3))
    z, caches = network.forward(x)
    parts, part_caches = Sharded(network, pool, count).forward(x)
    assert np.allclose(parts, z, rtol=1e-13, atol=0) and len(part_caches) == min(images, count)
    ours = Sharded(network, pool, count).parameter_gradients(dout, part_caches)
    theirs = network.parameter_gradients(dout, caches)
    assert [len(layer) for layer in ours] == [len(layer) for layer in theirs]
    for a, b in zip(ours, theirs):
        for g, h in zip(a, b):
            assert g.shape == h.shape and np.allclose(g, h, rtol=1e-12, atol=1e-13)


def test_a_training_step_is_the_networks(pool):
    network = small_net((1, 8, 8), 4, rng=rng, dtype=np.float64)
    x, y, states = rng.normal(size=(6, 64)), rng.integers(0, 4, 6), [None] * len(network.parameters)
    options = {"lr": 1e-3, "rng": np.random.default_rng(0), "update": adam}
    alone, in_two = network, Sharded(network, pool, 2)
    states_in_two = states
    for _ in range(3):
        alone, states, value, z = train_step(alone, states, x, y, **options)
        in_two, states_in_two, value_in_two, z_in_two = train_step(
            in_two, states_in_two, x, y, **options
        )
        assert abs(value - value_in_two) < 1e-12 and np.allclose(z, z_in_two, atol=1e-11)
    for a, b in zip(alone.parameters, in_two.network.parameters):
        assert np.allclose(a, b, atol=1e-11)


def test_chance_follows_the_seed_and_differs_between_parts(pool):
    network = vonc_net((1, 24, 24), 3, rng=rng)
    x = np.repeat(rng.random((1, 576), dtype=np.float32), 4, axis=0)
    a, b = (
        Sharded(network, pool, 2).forward(x, train=True, rng=np.random.default_rng(1))[0]
        for _ in range(2)
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a[:2], a[2:])


def test_weights_keep_to_their_max_norm(pool):
    network = Network((Affine(np.full((4, 2), 3.0), np.zeros(2), 1.0),))
    assert np.allclose(
        np.linalg.norm(Sharded(network, pool, 2).projected().parameters[0], axis=0), 1
    )


def test_batch_normalization_is_refused(pool):
    norm = BatchNorm(np.ones(2), np.zeros(2), np.zeros(2), np.ones(2))
    network = Network(
        (
            Unflatten((1, 4, 4)),
            *convolution(1, 2, rng=rng),
            norm,
            Flatten(),
            Affine(np.zeros((32, 2)), np.zeros(2)),
        )
    )
    with pytest.raises(ValueError, match="network: expected layers that treat each image alone"):
        Sharded(network, pool, 2)
