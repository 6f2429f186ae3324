"""The slides' networks and the small one: published counts, shapes, initial scale, gradients of the
whole.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings

from refimpl.class_visualization import class_visualizations
from refimpl.companions.cnn.architectures import ARCHITECTURES, conv_net, small_net, vonc_net
from refimpl.gradcheck import assert_layer
from refimpl.gradcheck.strategies import image_networks, off_kinks
from refimpl.layers import RULES, Affine, Flatten, ReLU, Unflatten
from refimpl.losses import cross_entropy
from refimpl.network import Network
from refimpl.optimize import momentum
from refimpl.training import train

TINY = {"conv": (2, 8, 8), "vonc": (1, 24, 24), "small": (1, 8, 8)}


def layers(net):
    """Each layer's kind and its outputs or rate, in one line."""
    size = {
        "Conv2D": lambda v: len(v.w),
        "Affine": lambda v: v.w.shape[1],
        "Dropout": lambda v: v.rate,
    }
    return " ".join(
        f"{kind}{size.get(kind, lambda v: '')(v)}"
        for v in net.layers
        for kind in [type(v).__name__]
    )


@pytest.mark.parametrize(
    "net, outputs, count",
    [
        (conv_net, 10, 2_395_434),
        (vonc_net, 10, 776_394),
        (conv_net, 1000, 3_410_184),
        (vonc_net, 1000, 1_791_144),
    ],
)
def test_parameter_counts_as_published(net, outputs, count):
    """With ten outputs, and with the 1,000 of the slides' public code (design, section 7)."""
    assert (
        sum(p.size for p in net(classes=outputs, rng=np.random.default_rng(0)).parameters) == count
    )


def test_layers_as_in_the_slides(rng):
    assert layers(conv_net(rng=rng)) == (
        "Unflatten Conv2D32 ReLU Dropout0.2 Conv2D32 ReLU MaxPool2D Conv2D64 ReLU Dropout0.2 "
        "Conv2D64 ReLU MaxPool2D "
        "Conv2D128 ReLU Dropout0.2 Conv2D128 ReLU MaxPool2D Flatten Dropout0.2 Affine1024 ReLU "
        "Dropout0.2 Affine10"
    )
    assert layers(vonc_net(rng=rng)) == (
        "Unflatten Conv2D32 ReLU Conv2D64 ReLU MaxPool2D Dropout0.25 Conv2D128 ReLU MaxPool2D "
        "Conv2D128 ReLU MaxPool2D "
        "Dropout0.25 Flatten Affine1024 ReLU Dropout0.25 Affine10"
    )
    assert [v.max_norm for v in conv_net(rng=rng).layers if isinstance(v, Affine)] == [3.0, None]
    assert {v.padding for v in conv_net(rng=rng).layers if hasattr(v, "padding")} == {"same"}
    assert {v.padding for v in vonc_net(rng=rng).layers if hasattr(v, "padding")} == {"valid"}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shapes_dtype_and_seed(name, rng):
    net = ARCHITECTURES[name](TINY[name], 7, rng=np.random.default_rng(3))
    x = rng.random((5, net.inputs))
    assert net.inputs == np.prod(TINY[name]) and net.classes == 7
    assert {p.dtype for p in net.parameters} == {np.dtype(np.float32)}
    z = net.logits(x)
    assert z.shape == (5, 7) and z.dtype == np.float32 and net.predict(x).shape == (5,)
    assert np.allclose(net.logits(x, block=2), z, rtol=1e-5, atol=1e-6)
    again, other = (
        ARCHITECTURES[name](TINY[name], 7, rng=np.random.default_rng(s)) for s in (3, 4)
    )
    assert all(np.array_equal(a, b) for a, b in zip(net.parameters, again.parameters))
    assert not np.array_equal(net.parameters[0], other.parameters[0])
    with pytest.raises(ValueError, match=rf"x: expected shape \(N, {net.inputs}\), got"):
        net.logits(x[:, 1:])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_are_he_normal_and_biases_zero(name, rng):
    """Standard deviation sqrt(2 / fan-in), within five of its own standard errors."""
    for layer in ARCHITECTURES[name](TINY[name], rng=rng).layers:
        if hasattr(layer, "w"):
            fan_in = layer.w[0].size if layer.w.ndim == 4 else len(layer.w)
            scaled = layer.w.astype(float).ravel() * np.sqrt(fan_in / 2)
            assert abs(scaled.std() - 1) < 5 / np.sqrt(2 * scaled.size) and not layer.b.any()
            assert abs(scaled.mean()) < 5 / np.sqrt(scaled.size)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_of_the_whole(name, train):
    rng = np.random.default_rng(1)
    net = ARCHITECTURES[name](TINY[name], 3, rng=rng, dtype=np.float64)
    assert_layer(net, rng.normal(size=(2, net.inputs)), rng=rng, train=train, batch=not train)


@given(image_networks())
@settings(max_examples=30)
def test_gradients_of_any_small_image_network(drawn):
    net, x = drawn.value
    assume(off_kinks(net, x))
    assert_layer(net, x, rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameter_gradients_are_those_of_backward(name, rng):
    net = ARCHITECTURES[name](TINY[name], 3, rng=rng)
    z, caches = net.forward(rng.random((4, net.inputs), dtype=np.float32), train=True, rng=rng)
    dx, gradients = net.backward(z, caches)
    assert dx.shape == (4, net.inputs) and len(gradients) == len(net.layers)
    for full, partial in zip(gradients, net.parameter_gradients(z, caches)):
        assert len(full) == len(partial) and all(
            np.array_equal(a, b) for a, b in zip(full, partial)
        )


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_reaches_every_relu_and_nothing_else(rule, rng):
    net, x = small_net((1, 8, 8), 3, rng=rng, dtype=np.float64), rng.random((2, 64))
    z, caches = net.forward(x)
    d = dout = rng.normal(size=z.shape)
    for layer, cache in zip(net.layers[::-1], caches[::-1]):
        if isinstance(layer, ReLU):
            d = {
                "gradient": d * (cache > 0),
                "deconvnet": np.maximum(d, 0),
                "guided": np.maximum(d, 0) * (cache > 0),
            }[rule]
        else:
            d = layer.backward(d, cache)[0]
    assert np.array_equal(net.backward(dout, caches, rule=rule)[0], d)
    assert (rule == "gradient") == np.array_equal(d, net.input_gradient(x, dout))


def test_deconvnet_without_relu_is_the_gradient(rng):
    net = small_net((1, 8, 8), 3, rng=rng, dtype=np.float64)
    linear = Network(tuple(v for v in net.layers if not isinstance(v, ReLU)))
    z, caches = linear.forward(rng.random((2, 64)))
    assert np.array_equal(
        *[linear.backward(z, caches, rule=rule)[0] for rule in ("gradient", "deconvnet")]
    )


def bars(rng, n):
    """8 x 8 images of noise with a bright row (class 0), column (1) or diagonal (2)."""
    y, x = rng.integers(0, 3, n), 0.1 * rng.random((n, 8, 8))
    for image, c in zip(x, y):
        at = rng.integers(0, 7)
        {0: image[at], 1: image[:, at], 2: np.einsum("ii->i", image)}[c][...] += 0.8
    return x.reshape(n, 64), y


def test_small_net_learns_and_is_visualized():
    """60 steps of training, then one image a class that the network takes for that class."""
    rng = np.random.default_rng(0)
    x, y = bars(rng, 600)
    net, losses = train(
        small_net((1, 8, 8), 3, rng=rng),
        x,
        y,
        steps=60,
        lr=0.02,
        batch=50,
        rng=rng,
        update=momentum,
    )
    assert losses[-1] < 0.3 * losses[0] and (net.predict(x) == y).mean() > 0.95
    images, history = class_visualizations(
        net, objective="log_probability", steps=40, lr=0.5, start=0.1 * rng.random((3, 64))
    )
    assert images.shape == (3, 64) and images.dtype == np.float32
    assert (history[-1] > history[0]).all() and net.predict(images).tolist() == [0, 1, 2]


def test_network_parts_that_are_images(rng):
    """A network cut at any layer goes forward and back; rows of another length are refused by the
    first layer.
    """
    net = small_net((1, 8, 8), 3, rng=rng, dtype=np.float64)
    assert (
        isinstance(net.layers[0], Unflatten)
        and sum(isinstance(v, Flatten) for v in net.layers) == 1
    )
    for upto in range(1, len(net.layers) + 1):
        a, caches = net.forward(rng.random((2, 64)), upto=upto)
        assert net.backward(np.ones_like(a), caches)[0].shape == (2, 64)
    with pytest.raises(
        ValueError, match=r"x: expected shape \(N, 64\) for images \(1, 8, 8\), got \(2, 63\)"
    ):
        net.forward(rng.random((2, 63)))


def test_a_size_that_does_not_fit_is_named(rng):
    with pytest.raises(
        ValueError, match="x: expected a size that stride 2 fits, got 5 pixels a side"
    ):
        conv_net((3, 10, 10), rng=rng)
    with pytest.raises(ValueError, match="x: expected images of at least 3 pixels a side"):
        vonc_net((3, 8, 8), rng=rng)
    with pytest.raises(ValueError, match=r"shape: expected three whole numbers \(C, H, W\)"):
        small_net((28, 28), rng=rng)
    for shape in ((1, 30, 28), (1, 28, 30), (1, 3, 8)):
        with pytest.raises(ValueError, match="shape: expected .* both sides multiples of 4, got"):
            small_net(shape, rng=rng)


def test_cross_entropy_gradient_keeps_float32(rng):
    net = small_net((1, 8, 8), 3, rng=rng)
    z, caches = net.forward(rng.random((2, 64), dtype=np.float32))
    gradients = net.parameter_gradients(cross_entropy(z, np.array([0, 1]))[1], caches)
    assert {g.dtype for layer in gradients for g in layer} == {np.dtype(np.float32)}
