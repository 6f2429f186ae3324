"""The strategies keep their promises, and what they shrink to can be read."""

import builtins
import importlib
import sys

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from refimpl.gradcheck import check_layer, strategies
from refimpl.layers import Affine, ReLU
from refimpl.layers.conv import MaxPool2D
from refimpl.network import Network


@given(strategies.kink_free())
def test_kink_free_is_off_every_kink(drawn):
    x = drawn.value
    assert (np.abs(x) >= 0.0999 * np.abs(x).max() / 2).all() and len(np.unique(x)) == x.size


@given(strategies.kinky())
def test_kinky_has_a_zero(drawn):
    assert (drawn.value == 0).any() and set(np.unique(drawn.value)) <= {-1, 0, 1}


@given(st.data())
def test_targets(data):
    n, k = data.draw(strategies.shapes())
    y, t = data.draw(strategies.labels(n, k)), data.draw(strategies.soft_targets(n, k)).value
    assert y.shape == (n,) and y.dtype.kind == "i" and ((0 <= y) & (y < k)).all()
    assert t.shape == (n, k) and np.allclose(t.sum(axis=1), 1) and (t >= 0).all()


@given(strategies.saturated_logits((3, 4)))
def test_saturated_logits_leave_one_class(drawn):
    z = np.sort(drawn.value, axis=1)
    assert (z[:, -1] - z[:, -2] > 25).all()


@given(strategies.networks(), st.integers(0, 9))
def test_networks_run_and_are_described(drawn, seed):
    net = drawn
    assert repr(net).startswith("network(kind=") and len(net.layers) in (1, 3)
    assert net.logits(np.zeros((2, net.inputs))).shape == (2, net.classes)


@given(strategies.networks(kinds=("relu",), dead=True), st.data())
def test_dead_units_are_dead(drawn, data):
    x = data.draw(strategies.batches(drawn.inputs, scales=(1.0,))).value
    assert not Network(drawn.layers[:2]).forward(x)[0][:, 0].any()


def test_degenerate_shapes_are_drawn():
    quiet = settings(database=None)
    assert find(
        strategies.networks(),
        lambda d: d.classes == 1 and d.inputs == 1,
        settings=quiet,
    )
    assert find(strategies.batches(), lambda d: d.value.shape == (1, 1), settings=quiet)
    assert find(strategies.kink_free(), lambda d: np.abs(d.value).max() > 1e7, settings=quiet)


def test_the_same_recipe_gives_the_same_values():
    a, b = strategies.kink_free_values(3, (2, 2)), strategies.kink_free_values(3, (2, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, strategies.kink_free_values(4, (2, 2)))


def test_a_counterexample_shrinks_to_one_readable_line():
    """A db that is averaged over the batch: right for one image, so two images, one pixel and one
    class remain.
    """

    class Averaged(Affine):
        def parameter_gradients(self, dout, cache):
            return cache.T @ dout, dout.mean(axis=0)

    def accused(pair):
        net, x = pair
        first = net.layers[0]
        return (
            check_layer(Averaged(first.w, first.b), x.value, rng=np.random.default_rng(0)).verdict
            == "fail"
        )

    pairs = strategies.networks(kinds=("softmax",)).flatmap(
        lambda net: st.tuples(st.just(net), strategies.batches(net.inputs))
    )
    net, x = find(pairs, accused, settings=settings(database=None, derandomize=True))
    assert repr(net) == "network(kind='softmax', seed=0, sizes=(1, 1))"
    assert repr(x) == "kink_free(seed=0, shape=(2, 1), scale=1)"


def test_off_kinks_sees_a_zero_before_a_relu():
    net = Network(
        (
            Affine(np.array([[1.0]]), np.array([-1.0])),
            ReLU(),
            Affine(np.array([[1.0]]), np.zeros(1)),
        )
    )
    assert strategies.off_kinks(net, np.array([[3.0]])) and not strategies.off_kinks(
        net, np.array([[1.0]])
    )


@given(strategies.convolutions(), strategies.poolings(), strategies.image_networks())
def test_layers_of_images_fit_what_they_are_drawn_with(convolution, pooling, network):
    for one, kind in zip(
        (convolution, pooling, network), ("convolution", "pooling", "image_network")
    ):
        layer, x = one.value
        assert (
            len(layer.forward(x)[0]) == len(x)
            and repr(one).startswith(f"{kind}(seed=")
            and "\n" not in repr(one)
        )


def test_what_a_convolution_shrinks_to():
    quiet = settings(database=None)
    layer, x = find(
        strategies.convolutions(), lambda d: d.value[0].padding == "same", settings=quiet
    ).value
    assert layer.w.shape == (1, 1, 1, 1) and x.shape == (1, 1, 1, 1)
    for odd in (
        lambda v, x: v.stride > v.w.shape[2],
        lambda v, x: v.stride == 2 and x.shape[2] % 2 == 0,
    ):
        assert find(strategies.convolutions(), lambda d, odd=odd: odd(*d.value), settings=quiet)


def test_off_kinks_sees_a_tie_in_a_window_unless_of_dead_units():
    net = Network((ReLU(), MaxPool2D()))
    tied, dead, apart = (
        np.array([[[[a, -1.0], [-1.0, b]]]]) for a, b in ((2.0, 2.0), (-1.0, -2.0), (1.0, 2.0))
    )
    assert [strategies.off_kinks(net, x) for x in (tied, dead, apart)] == [False, True, True]
    assert strategies.off_kinks(Network((MaxPool2D(1),)), tied)


def test_without_hypothesis_the_message_names_the_extra(monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if name.split(".")[0] == "hypothesis":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "refimpl.gradcheck.strategies")
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'refimpl\[hypothesis\]'"):
        importlib.import_module("refimpl.gradcheck.strategies")
