"""Dropout, batch normalization, max-norm: loops, gradients in both modes, chance, running
statistics, bad input.
"""

from dataclasses import replace

import numpy as np
import oracles_conv as oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.gradcheck import assert_layer
from refimpl.gradcheck.strategies import kink_free_values, seeds, shapes
from refimpl.layers import Affine, ReLU, buffer_names
from refimpl.layers.regularization import BatchNorm, Dropout, max_norm
from refimpl.network import Network

IMAGES = st.one_of(shapes(2, most=4), shapes(4, most=3))  # rows (N, C) and images (N, C, H, W)


def norm_layer(seed, channels, **options):
    gamma, beta, mean = kink_free_values((seed, 9), (3, channels))
    return BatchNorm(gamma, beta, mean, np.abs(kink_free_values((seed, 8), (channels,))), **options)


# Dropout


@given(IMAGES, st.floats(0, 0.95), seeds)
def test_dropout_is_its_definition(shape, rate, seed):
    x = kink_free_values(seed, shape)
    out, (keep, _) = Dropout(rate).forward(x, train=True, rng=np.random.default_rng(seed))
    assert np.allclose(
        out, oracles.dropout_training(x, keep, round(rate * 2**16) / 2**16), rtol=1e-14, atol=0
    )
    assert np.array_equal(Dropout(rate).forward(x)[0], x)


@given(IMAGES, seeds)
def test_dropout_gradient(shape, seed):
    x = kink_free_values(seed, shape)
    assert_layer(Dropout(0.4), x, rng=np.random.default_rng(seed), train=True, batch=False)
    assert_layer(Dropout(0.4), x, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.25, 0.5])
def test_dropout_keeps_the_mean_and_its_rate(rate):
    """400,000 values: the share kept within 5 standard deviations of 1 - rate, each kept value 1 /
    (1 - rate).
    """
    out, _ = Dropout(rate).forward(
        np.ones((500, 8, 10, 10)), train=True, rng=np.random.default_rng(0)
    )
    values = np.unique(out)
    assert abs(values[-1] * (1 - rate) - 1) < 2e-5 and set(values[:-1]) <= {0.0}
    assert abs((out > 0).mean() - (1 - rate)) <= 5 * np.sqrt(rate * (1 - rate) / out.size)
    if rate:  # no two images, channels or pixels share their chance
        dropped = (out == 0).reshape(500, -1)
        for along in (dropped, dropped.T):
            assert abs(np.corrcoef(along[:50].astype(float)) - np.eye(50)).max() < 6 / np.sqrt(
                along.shape[1]
            )


def test_dropout_draws_from_the_rng_alone():
    x = np.ones((4, 3, 2, 2))
    out = [
        Dropout(0.5).forward(x, train=True, rng=np.random.default_rng(seed))[0]
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(out[0], out[1]) and not np.array_equal(out[0], out[2])
    same = Dropout(0.5).forward(np.asfortranarray(x), train=True, rng=np.random.default_rng(0))[0]
    assert np.array_equal(same, out[0])  # not from the memory order
    single = Dropout(0.5).forward(x.astype(np.float32), train=True, rng=np.random.default_rng(0))[0]
    assert single.dtype == np.float32 and np.array_equal(single, out[0])


def test_dropout_in_a_network_outside_training(rng):
    net = Network((Affine(rng.normal(size=(3, 4)), np.zeros(4)), ReLU(), Dropout(0.5)))
    x = rng.normal(size=(5, 3))
    assert np.array_equal(net.forward(x)[0], np.maximum(x @ net.parameters[0], 0))
    with pytest.raises(
        ValueError, match="rng: dropout in training needs a numpy.random.Generator, got None"
    ):
        net.forward(x, train=True)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1, float("nan")])
def test_dropout_names_a_bad_rate(rate):
    with pytest.raises(ValueError, match=r"rate: expected a number in \[0, 1\), got"):
        Dropout(rate)


# Batch normalization


@given(IMAGES, seeds, st.sampled_from([1e-5, 0.1]))
def test_batchnorm_outside_training(shape, seed, eps):
    x, layer = kink_free_values(seed, shape), norm_layer(seed, shape[1], eps=eps)
    out, _ = layer.forward(x)
    expected = oracles.batchnorm(x, layer.gamma, layer.beta, layer.mean, layer.var, eps)
    assert np.allclose(out, expected, rtol=1e-13, atol=1e-13)
    assert_layer(layer, x, rng=np.random.default_rng(seed))


@given(IMAGES, seeds, st.sampled_from([1e-5, 0.1]))
def test_batchnorm_in_training(shape, seed, eps):
    shape = (shape[0] + 1, *shape[1:])  # two values a channel at least
    x, layer = kink_free_values(seed, shape), norm_layer(seed, shape[1], eps=eps)
    out, cache = layer.forward(x, train=True)
    mean, var = oracles.batch_statistics(x)
    assert np.allclose(
        out, oracles.batchnorm(x, layer.gamma, layer.beta, mean, var, eps), rtol=1e-11, atol=1e-11
    )
    dout = np.random.default_rng(seed).normal(size=shape)
    dx, gradients = layer.backward(dout, cache)
    expected = oracles.batchnorm_backward(dout, x, layer.gamma, eps)
    size = np.abs(layer.gamma).max() / np.sqrt(var.min() + eps)
    for a, b in zip((dx, *gradients), expected):
        assert np.abs(a - b).max() <= 1e-10 * max(1, np.abs(b).max(), size)
    assert all(
        np.array_equal(a, b) for a, b in zip(gradients, layer.parameter_gradients(dout, cache))
    )
    assert_layer(layer, x, rng=np.random.default_rng(seed), train=True, batch=False)


def test_running_statistics_by_hand():
    """A batch of 1 and 3: mean 2, unbiased variance 2; the layer itself stays as it was."""
    layer = BatchNorm(np.ones(1), np.zeros(1), np.array([10.0]), np.array([4.0]), momentum=0.75)
    _, cache = layer.forward(np.array([[1.0], [3.0]]), train=True)
    new = layer.updated(cache)
    assert new.mean.tolist() == [0.75 * 10 + 0.25 * 2] and new.var.tolist() == [0.75 * 4 + 0.25 * 2]
    assert layer.mean.tolist() == [10] and new.gamma is layer.gamma
    assert (
        layer.updated(layer.forward(np.array([[1.0]]))[1]) is layer
    )  # nothing was learned outside training


def test_running_statistics_converge_to_those_of_the_data(rng):
    """Then training and its absence agree: on 4,000 images of mean 3, deviation 2."""
    net = Network((BatchNorm(*np.ones((4, 2))),))
    for _ in range(200):
        net = net.updated(net.forward(rng.normal(3, 2, (100, 2)), train=True)[1])
    assert np.allclose(net.layers[0].mean, 3, atol=0.3) and np.allclose(
        net.layers[0].var, 4, rtol=0.2
    )
    out, _ = net.forward(rng.normal(3, 2, (4000, 2)))
    assert np.allclose(out.mean(axis=0), 1, atol=0.2) and np.allclose(out.std(axis=0), 1, atol=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("train", [False, True])
def test_batchnorm_keeps_dtype_whatever_that_of_its_buffers(dtype, train, rng):
    layer = norm_layer(0, 3)
    layer = replace(layer, gamma=layer.gamma.astype(dtype), beta=layer.beta.astype(dtype))
    out, cache = layer.forward(rng.normal(size=(4, 3)).astype(dtype), train=train)
    dx, gradients = layer.backward(out, cache)
    assert {a.dtype for a in (out, dx, *gradients)} == {np.dtype(dtype)}
    if dtype != np.complex128:
        assert layer.updated(cache).var.dtype == np.float64
        assert {getattr(layer, n).dtype for n in buffer_names(layer)} == {np.dtype(np.float64)}


def test_buffers_follow_the_network_but_are_no_parameters():
    net = Network((norm_layer(0, 3), Affine(np.ones((3, 2)), np.zeros(2))))
    assert len(net.parameters) == 4
    changed = net.with_parameters([2 * p for p in net.parameters])
    assert np.array_equal(changed.layers[0].mean, net.layers[0].mean)
    assert net.astype(np.float32).layers[0].var.dtype == np.float32
    z, caches = net.forward(np.arange(6.0).reshape(2, 3), train=True)
    for full, partial in zip(net.backward(z, caches)[1], net.parameter_gradients(z, caches)):
        assert all(np.array_equal(a, b) for a, b in zip(full, partial))


def test_batchnorm_names_bad_input():
    with pytest.raises(
        ValueError, match=r"gamma, beta, mean, var: expected four times shape \(C,\), got"
    ):
        BatchNorm(np.ones(2), np.ones(2), np.ones(2), np.ones(3))
    with pytest.raises(
        ValueError, match=r"gamma, beta, mean, var: expected four times shape \(C,\), got"
    ):
        BatchNorm(*np.ones((4, 2, 2)))
    layer = norm_layer(0, 3)
    for shape in ((2, 4), (3,), (2, 3, 4), (2, 4, 3, 3)):
        with pytest.raises(ValueError, match=r"x: expected shape \(N, 3\) or \(N, 3, H, W\), got"):
            layer.forward(np.zeros(shape))
    with pytest.raises(
        ValueError, match="x: batch normalization in training needs two values a channel, got one"
    ):
        layer.forward(np.zeros((1, 3)), train=True)
    layer.forward(np.zeros((1, 3, 1, 2)), train=True)


# Max-norm


@given(st.one_of(shapes(2, most=5), shapes(4, most=3)), seeds, st.floats(0.1, 5))
def test_max_norm_is_the_projection_of_each_unit(shape, seed, limit):
    w = 2 * kink_free_values(seed, shape)
    out = max_norm(w, limit)
    units, projected = (
        (w.T, out.T) if w.ndim == 2 else (w.reshape(len(w), -1), out.reshape(len(w), -1))
    )
    for before, after in zip(units, projected):
        norm = np.sqrt((before**2).sum())
        assert np.allclose(after, before * min(1, limit / norm), rtol=1e-14)
    assert np.allclose(max_norm(out, limit), out, rtol=1e-15) and max_norm(w, 1e3) is w
    assert max_norm(w.astype(np.float32), limit).dtype == np.float32


def test_max_norm_of_zero_and_a_bad_limit():
    w = np.array([[0.0, 30.0], [0.0, 40.0]])
    assert max_norm(w, 5.0).tolist() == [[0, 3], [0, 4]]
    for limit in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="limit: expected a positive number, got"):
            max_norm(w, limit)


def test_a_network_is_projected_where_a_layer_asks_for_it(rng):
    w = 10 * rng.normal(size=(4, 4))
    net = Network((Affine(w, np.zeros(4), 3.0), ReLU(), Affine(w, np.zeros(4))))
    first, _, last = net.projected().layers
    assert np.allclose(np.linalg.norm(first.w, axis=0), 3) and first.max_norm == 3.0
    assert last.w is w and net.layers[0].w is w
