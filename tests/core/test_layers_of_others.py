"""A network knows no layer by name: whatever has the pair of methods trains, predicts and is saved."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from refimpl.gradcheck import check_layer
from refimpl.layers import Affine, ReLU, Tanh
from refimpl.losses import cross_entropy
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.training import train
from refimpl.weights import load, save


class Plain:
    """x * scale, then x @ w; a hyper-parameter, an integer array that is no parameter."""

    def __init__(self, w, power):
        self.w = w
        self.power = power
        self.order = np.arange(len(w))[::-1].copy()

    def forward(self, x, *, train=False, rng=None):
        return x[:, self.order] ** self.power @ self.w, x

    def backward(self, dout, cache):
        dx = np.empty_like(cache)
        power = self.power
        dx[:, self.order] = dout @ self.w.T * power * cache[:, self.order] ** (power - 1)
        return dx, ((cache[:, self.order] ** power).T @ dout,)


class Halves:
    """Without parameters, half as wide: what follows it takes other rows than the network."""

    def forward(self, x, *, train=False, rng=None):
        return x[:, ::2] + x[:, 1::2], None

    def backward(self, dout, cache):
        return np.repeat(dout, 2, axis=1)  # dx alone


class Bias:
    """One gradient, without a tuple around it."""

    def __init__(self, b):
        self.b = b

    def forward(self, x, *, train=False, rng=None):
        return x + self.b, None

    def backward(self, dout, cache):
        return dout, dout.sum(axis=0)


@dataclass(frozen=True, slots=True)
class Slotted:
    """A dataclass with slots."""

    gain: np.ndarray

    def forward(self, x, *, train=False, rng=None):
        return x * self.gain, x

    def backward(self, dout, cache):
        return dout * self.gain, ((dout * cache).sum(axis=0),)


def network(rng):
    return Network(
        (
            Halves(),
            Plain(rng.normal(size=(4, 5)), 2),
            Bias(rng.normal(size=5)),
            Tanh(),
            Slotted(rng.normal(size=5)),
            Affine(rng.normal(size=(5, 3)), np.zeros(3)),
        )
    )


def test_each_passes_the_checker_and_so_does_the_network(rng):
    net = network(rng)
    assert [p.shape for p in net.parameters] == [(4, 5), (5,), (5,), (5, 3), (3,)]
    x = rng.normal(size=(6, 8))
    for layer in net.layers[:3]:
        assert check_layer(layer, x, rng=rng).verdict == "pass", layer
        x = layer.forward(x)[0]
    assert check_layer(net, rng.normal(size=(6, 8)), rng=rng).verdict == "pass"


def test_logits_predict_parameters_and_dtypes(rng):
    net, x = network(rng), rng.normal(size=(7, 8))
    z = x
    for layer in net.layers:
        z = layer.forward(z)[0]
    assert np.array_equal(net.logits(x), z) and np.array_equal(net.predict(x), z.argmax(axis=1))
    assert net.classes == 3 and net.dtype == np.float64
    with pytest.raises(ValueError, match="inputs: expected a first layer with .* got Halves"):
        net.inputs  # noqa: B018 - the property raises
    small = net.astype(np.float32)
    assert {p.dtype for p in small.parameters} == {np.dtype(np.float32)}
    assert small.logits(x).dtype == np.float32
    other = net.with_parameters([p + 1 for p in net.parameters])
    for a, b in zip(net.parameters, other.parameters, strict=True):
        assert np.array_equal(a + 1, b)
    assert other.layers[1].power == 2 and type(other.layers[4]) is Slotted
    with pytest.raises(ValueError, match=r"parameters: expected shapes \[\(4, 5\), "):
        net.with_parameters(net.parameters[1:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_trains_as_written_out(rng, dtype):
    net, x = network(rng).astype(dtype), rng.normal(size=(20, 8)).astype(dtype)
    y = rng.integers(0, 3, 20)
    before = [p.copy() for p in net.parameters]
    trained, losses = train(net, x, y, steps=1, lr=0.1, batch=20, rng=np.random.default_rng(0))
    z, caches = net.forward(x)  # a batch of all keeps their order
    value, dz = cross_entropy(z, y)
    gradients = [g for layer in net.backward(dz, caches)[1] for g in layer]
    assert losses[0] == value
    for p, g, was, new in zip(net.parameters, gradients, before, trained.parameters, strict=True):
        assert np.array_equal(p, was) and new.dtype == dtype
        assert np.array_equal(new, p - 0.1 * g)


def test_it_is_saved_and_loaded_without_running_its_code(tmp_path, rng):
    net, x = network(rng), rng.normal(size=(7, 8))
    save(net, tmp_path / "x.npz")
    own = {kind.__name__: kind for kind in (Plain, Halves, Bias, Slotted)}
    again = load(tmp_path / "x.npz", layers=own)
    assert np.array_equal(again.logits(x), net.logits(x))
    assert np.array_equal(again.layers[1].order, net.layers[1].order)
    with pytest.raises(ValueError, match="found 'Halves'; hand its class in with load"):
        load(tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert [e["layer"] for e in json.loads(str(file["architecture"]))][1] == "Plain"


def test_what_a_file_cannot_hold_is_refused(tmp_path, rng):
    class ReLU:  # noqa: F811 - the name of one of ours
        forward, backward = Halves.forward, Halves.backward

    odd = Plain(np.eye(2), 1)
    odd.power = np.int64(2)
    for layer, message in (
        (ReLU(), "expected another name than that of a layer of refimpl, got .*ReLU"),
        (odd, "expected plain settings .* Plain.power is of type int64"),
    ):
        with pytest.raises(ValueError, match=message):
            save(Network((layer,)), tmp_path / "x.npz")
    assert not list(tmp_path.iterdir())


class NoBackward:
    def forward(self, x, *, train=False, rng=None):
        return x, None


class InADict(NoBackward):
    def __init__(self):
        self.weights = {"w": np.ones((2, 2))}

    def backward(self, dout, cache):
        return dout, ()


@pytest.mark.parametrize(
    "layer, message",
    [
        (NoBackward(), "layer 1: expected forward and backward, NoBackward has no backward"),
        (np.zeros(3), "layer 1: expected forward and backward, ndarray has no forward"),
        (ReLU, "layer 1: expected a layer, got the class ReLU; call it"),
        (InADict(), "InADict.weights is a dict of arrays"),
        (softmax_net(2, 2), "layer 1: expected a layer, got Network, a network"),
    ],
)
def test_what_is_missing_is_said_at_construction(layer, message):
    with pytest.raises(ValueError, match=f"layers: {message}|{message}"):
        Network((Affine(np.eye(2), np.zeros(2)), layer))


def test_a_subclass_with_a_backward_of_its_own_goes_by_it(rng):
    class Doubled(Affine):
        def backward(self, dout, cache):
            dx, gradients = super().backward(dout, cache)
            return 2 * dx, tuple(3 * g for g in gradients)

    first, relu, last = one_hidden_net(4, 3, 2, rng=rng).layers
    plain = Network((first, relu, last))
    other = Network((Doubled(first.w, first.b), relu, last))
    x, dout = rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    assert np.array_equal(other.input_gradient(x, dout), 2 * plain.input_gradient(x, dout))
    caches = plain.forward(x)[1]
    theirs = plain.parameter_gradients(dout, caches)[0]
    ours = other.parameter_gradients(dout, caches)[0]
    assert all(np.array_equal(a, 3 * b) for a, b in zip(ours, theirs, strict=True))
