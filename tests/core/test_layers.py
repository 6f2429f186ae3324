"""Layers of rows: naive loops, the input gradient and every parameter's by complex step and central
differences.

The layers of images: tests/core/test_conv.py, tests/core/test_regularization.py. Every layer:
tests/gradcheck/test_gradients.py.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numeric import assert_gradient, central

from refimpl.gradcheck import assert_layer
from refimpl.layers import (
    LAYERS,
    RULES,
    Affine,
    Flatten,
    ReLU,
    Sigmoid,
    Tanh,
    Unflatten,
    buffer_names,
    parameter_names,
)
from refimpl.layers.regularization import BatchNorm
from refimpl.network import Network, one_hidden_net

ACTIVATIONS = (ReLU(), Sigmoid(), Tanh())
ROWS = ("Affine", "ReLU", "Sigmoid", "Tanh")


def make(name, rng, d, k):
    return (
        Affine(rng.normal(size=(d, k)), rng.normal(size=k)) if name == "Affine" else LAYERS[name]()
    )


def away_from_zero(rng, shape, scale=1.0):
    """Inputs no closer to a kink than any step taken here."""
    return scale * rng.choice([-1, 1], shape) * rng.uniform(0.1, 2, shape)


@given(
    name=st.sampled_from(ROWS),
    seed=st.integers(0, 10**6),
    n=st.integers(1, 4),
    d=st.integers(1, 5),
    k=st.integers(1, 4),
    scale=st.sampled_from([1e-6, 1.0, 1e3]),
)
def test_input_and_every_parameter(name, seed, n, d, k, scale):
    rng = np.random.default_rng(seed)
    layer, x = make(name, rng, d, k), away_from_zero(rng, (n, d), scale)
    out, cache = layer.forward(x)
    dout = rng.normal(size=out.shape)
    kept = [a.copy() for a in (x, dout, *(getattr(layer, p) for p in parameter_names(layer)))]
    dx, gradients = layer.backward(dout, cache)

    def value(x, layer=layer):
        return (layer.forward(x)[0] * dout).sum()

    summands = np.abs(dout).max() * max(
        np.abs(p).max() for p in (x, *(getattr(layer, p) for p in parameter_names(layer)))
    )
    assert_gradient(value, x, dx, scale=n * k * summands)
    if scale == 1.0:
        assert_gradient(value, x, dx, step=central, rtol=1e-6, atol=1e-7)
    assert len(gradients) == len(parameter_names(layer))
    for p, gradient in zip(parameter_names(layer), gradients):
        assert_gradient(
            lambda v, p=p: value(x, replace(layer, **{p: v})),
            getattr(layer, p),
            gradient,
            scale=n * summands,
        )
    again = layer.backward(dout, layer.forward(x)[1])
    assert np.array_equal(again[0], dx)
    for a, b in zip(kept, (x, dout, *(getattr(layer, p) for p in parameter_names(layer)))):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_dtype_is_kept_and_a_batch_is_a_stack(rng, name, dtype):
    layer, x = make(name, rng, 4, 3), rng.normal(size=(5, 4)).astype(dtype)
    if name == "Affine":
        layer = Affine(layer.w.astype(dtype), layer.b.astype(dtype))
    out, cache = layer.forward(x)
    dout = rng.normal(size=out.shape).astype(dtype)
    dx, gradients = layer.backward(dout, cache)
    assert {a.dtype for a in (out, dx, *gradients)} == {np.dtype(dtype)}
    singles = [layer.forward(row[None])[0][0] for row in x]
    assert np.allclose(out, singles, rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_activations_by_hand():
    x = np.array([[-1.0, 0.0, 2.0]])
    assert ReLU().forward(x)[0].tolist() == [[0, 0, 2]]
    assert np.allclose(
        Sigmoid().forward(x)[0], [[1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-2))]], rtol=1e-15
    )
    assert np.allclose(Tanh().forward(x)[0], np.tanh(x), rtol=1e-15)
    assert ReLU().backward(np.ones((1, 3)), x)[0].tolist() == [
        [0, 0, 1]
    ]  # at 0 the derivative is taken to be 0


def test_the_three_rules_of_relu_by_hand():
    x, dout = np.array([1.0, 1.0, -1.0, -1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    out = {
        rule: ReLU().backward(dout, ReLU().forward(x)[1], rule=rule)[0].tolist() for rule in RULES
    }
    assert out == {"gradient": [1, -1, 0, 0], "deconvnet": [1, 0, 1, 0], "guided": [1, 0, 0, 0]}
    assert ReLU().backward(dout, x)[0].tolist() == out["gradient"]
    with pytest.raises(
        ValueError, match=r"rule: expected one of \('gradient', 'deconvnet', 'guided'\), got 'relu'"
    ):
        ReLU().backward(dout, x, rule="relu")


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_compare_real_parts_and_keep_dtype(rule):
    x, dout = np.array([1 + 1j, -1 + 5j, 2 - 1j]), np.array([-1 + 9j, 1 - 1j, 3 + 1j])
    expected = {
        "gradient": [-1 + 9j, 0, 3 + 1j],
        "deconvnet": [0, 1 - 1j, 3 + 1j],
        "guided": [0, 0, 3 + 1j],
    }[rule]
    assert ReLU().backward(dout, x, rule=rule)[0].tolist() == expected
    assert ReLU().backward(np.float32([1]), np.float32([1]), rule=rule)[0].dtype == np.float32


def test_relu_shows_a_nan():
    """A diverged network must not look alive."""
    assert np.isnan(ReLU().forward(np.array([np.nan]))[0]).all()


def test_rows_and_images_there_and_back(rng):
    """Channel by channel, row by row, whatever the memory order of the images."""
    x = np.arange(24.0).reshape(2, 12)
    images, _ = Unflatten((3, 2, 2)).forward(x)
    assert images[1, 2, 0].tolist() == [20, 21]
    for order in (np.ascontiguousarray, np.asfortranarray):
        rows, cache = Flatten().forward(order(images))
        assert np.array_equal(rows, x) and np.array_equal(Flatten().backward(x, cache)[0], images)
        assert np.array_equal(Unflatten((3, 2, 2)).backward(order(images), None)[0], x)
    assert_layer(Unflatten((3, 2, 2)), x, rng=rng)
    assert_layer(Flatten(), images, rng=rng)


def test_bad_shapes_are_named():
    with pytest.raises(
        ValueError, match=r"shape: expected three whole numbers \(C, H, W\), got \(2, 2\)"
    ):
        Unflatten((2, 2))
    with pytest.raises(
        ValueError, match=r"shape: expected three whole numbers \(C, H, W\), got \(1, 0, 2\)"
    ):
        Unflatten((1, 0, 2))
    for x in (np.zeros((2, 11)), np.zeros(12), np.zeros((2, 3, 2, 2))):
        with pytest.raises(
            ValueError, match=r"x: expected shape \(N, 12\) for images \(3, 2, 2\), got"
        ):
            Unflatten((3, 2, 2)).forward(x)
    for bad in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="max_norm: expected a positive number or None, got"):
            Affine(np.zeros((3, 2)), np.zeros(2), bad)


def test_parameters_and_buffers_are_told_apart():
    norm = BatchNorm(*np.ones((4, 2)))
    assert parameter_names(norm) == ("gamma", "beta") and buffer_names(norm) == ("mean", "var")
    assert (
        parameter_names(Affine(np.zeros((3, 2)), np.zeros(2), 3.0)) == ("w", "b")
        and buffer_names(ReLU()) == ()
    )
    assert list(LAYERS) == [layer.__name__ for layer in LAYERS.values()]


def test_sigmoid_never_overflows():
    x = np.array([[-1e4, -750.0, 750.0, 1e4]])
    assert Sigmoid().forward(x)[0].tolist() == [[0, 0, 1, 1]]
    assert np.isfinite(Sigmoid().forward(x + 1e-20j)[0]).all()


@given(activation=st.sampled_from(ACTIVATIONS), seed=st.integers(0, 10**6), n=st.integers(1, 3))
def test_a_whole_network(activation, seed, n):
    """Input and every parameter of a 5-4-3 network, against the complex step (no kink is that near
    for a random x).
    """
    rng = np.random.default_rng(seed)
    net, x, dout = (
        one_hidden_net(5, 4, 3, rng=rng, activation=activation),
        rng.normal(size=(n, 5)),
        rng.normal(size=(n, 3)),
    )
    net = net.with_parameters([p + rng.normal(0, 0.1, p.shape) for p in net.parameters])
    dx, gradients = net.backward(dout, net.forward(x)[1])
    assert_gradient(lambda v: (net.forward(v)[0] * dout).sum(), x, dx, scale=10)
    flat = [g for layer in gradients for g in layer]
    for i, (p, g) in enumerate(zip(net.parameters, flat)):

        def value(v, i=i):
            changed = [v if j == i else q for j, q in enumerate(net.parameters)]
            return (net.with_parameters(changed).forward(x)[0] * dout).sum()

        assert_gradient(value, p, g, scale=10)


def test_planted_errors_are_seen(rng):
    """The negative control of this file's own check."""
    net, x, dout = (
        one_hidden_net(5, 4, 3, rng=rng, activation=Tanh()),
        rng.normal(size=(2, 5)),
        rng.normal(size=(2, 3)),
    )
    dx = net.input_gradient(x, dout)
    for wrong in (dx * (1 + 1e-6), -dx, dx + 1e-9, np.roll(dx, 1, axis=1)):
        with pytest.raises(AssertionError):
            assert_gradient(lambda v: (net.forward(v)[0] * dout).sum(), x, wrong, scale=10)
    assert isinstance(net, Network)
