"""The derivative of a gradient by the complex step, and what matched images teach."""

import numpy as np
import pytest

from refimpl.companions.distillation import gradient_matching
from refimpl.companions.distillation.gradient_matching import (
    along_weights,
    cosine_distance,
    match_gradients,
    mismatch,
    weight_gradients,
)
from refimpl.companions.distillation.preparation import Preparation, preparation_of
from refimpl.gradcheck import assert_gradients, check_gradients
from refimpl.layers import Affine, Tanh
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.paper.tiny import tiny


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def networks(rng):
    start = softmax_net(5, 3, rng=rng, sigma=1.0)
    return {"linear": start, "hidden": one_hidden_net(5, 4, 3, rng=rng)}


def functions(network, labels, aims):
    def f(images):
        return mismatch(network.astype(images.real.dtype), images, labels, aims)[0]

    def vjp(dvalue, images):
        return (dvalue * mismatch(network.astype(images.dtype), images, labels, aims)[1],)

    return f, vjp


def case(rng, kind):
    """A network, five images with labels, and the aims of ten training images a class.

    Of one image alone every column is a multiple of it, whose cosine does not see the factor.
    """
    network, labels = networks(rng)[kind], np.array([0, 0, 1, 1, 2])
    aims = [
        weight_gradients(network, rng.normal(size=(10, 5)) + c, np.full(10, c)) for c in range(3)
    ]
    return network, rng.normal(size=(5, 5)), labels, aims


@pytest.mark.parametrize("kind", ["linear", "hidden"])
def test_the_gradient_through_a_gradient(kind, rng):
    network, images, labels, aims = case(rng, kind)
    f, vjp = functions(network, labels, aims)
    assert_gradients(f, vjp, (images,), rng=rng, names=("images",), dtypes=("float64",))


@pytest.mark.parametrize("planted", ["curvature", "weights", "cosine"])
def test_planted_errors_are_caught(planted, rng, monkeypatch):
    network, images, labels, aims = case(rng, "hidden")
    f, vjp = functions(network, labels, aims)
    if planted == "curvature":  # the loss taken for linear in the logits
        monkeypatch.setattr(gradient_matching, "cross_entropy_hvp", lambda z, y, v: 0 * z)
    if planted == "weights":  # the direction forgotten on the first layer
        whole = along_weights
        monkeypatch.setattr(
            gradient_matching,
            "along_weights",
            lambda net, x, y, d: whole(net, x, y, [0 * d[0], *d[1:]]),
        )
    if planted == "cosine":  # the length of g taken for a constant

        def wrong(g, a):
            size = np.sqrt((g * g).sum(axis=0)) * np.sqrt((a * a).sum(axis=0))
            return cosine_distance(g, a)[0], -a / np.where(size.real > 0, size, 1)

        monkeypatch.setattr(gradient_matching, "cosine_distance", wrong)
    report = check_gradients(f, vjp, (images,), rng=rng, names=("images",), dtypes=())
    assert report.verdict == "fail"


def test_columns_that_are_zero_count_as_stated():
    g, a = np.array([[1.0, 0.0, 0.0]]), np.array([[1.0, 1.0, 0.0]])
    value, dg = cosine_distance(g, a)
    assert value == 1 and dg.tolist() == [[0.0, -1.0, 0.0]]


def test_matching_brings_the_distance_down(rng):
    data = tiny(400, 6)
    prepare = preparation_of(data.train_x)
    start = rng.normal(size=(10, 36)).astype(np.float32)
    labels = np.arange(10)
    options = {"prepare": prepare, "hidden": 20, "batch": 20, "lr": 0.1}
    found = match_gradients(
        data.train_x, data.train_y, start, labels, rng=rng, iterations=60, **options
    )
    network = one_hidden_net(36, 20, 10, rng=rng).astype(np.float32)
    rows = [data.train_y == c for c in range(10)]
    aims = [
        weight_gradients(network, prepare(data.train_x[own]), data.train_y[own]) for own in rows
    ]
    before, after = (mismatch(network, images, labels, aims)[0] for images in (start, found))
    assert after < 0.7 * before
    assert found.dtype == np.float32


def test_bad_input(rng):
    x, y = np.ones((4, 3), np.float32), np.array([0, 2, 0, 2])
    options = {"prepare": Preparation(np.zeros(3, np.float32)), "rng": rng}
    with pytest.raises(ValueError, match=r"y: expected images of all 3 classes, \[1\] have none"):
        match_gradients(x, y, x[:2], y[:2], **options)
    with pytest.raises(ValueError, match="iterations"):
        match_gradients(x, y, x[:2], y[:2], iterations=0, **options)
    with pytest.raises(ValueError, match="^labels: expected labels in .0, 2., found 0 to 2"):
        match_gradients(x, y - y // 2, x[:2], y[:2], **options)
    y = y // 2
    with pytest.raises(ValueError, match="^y: expected labels in .0, 2., found -1 to 1"):
        match_gradients(x, np.where([0, 1, 1, 1], y, -1), x[:2], y[:2], **options)
    with pytest.raises(ValueError, match="^y: expected one label an image, 4, got 3"):
        match_gradients(x, y[:3], x[:2], y[:2], **options)
    with pytest.raises(ValueError, match="expected Affine and ReLU, got Tanh"):
        network = Network((Affine(np.eye(2), np.zeros(2)), Tanh()))
        along_weights(network, np.eye(2), np.array([0, 1]), [np.eye(2)])
