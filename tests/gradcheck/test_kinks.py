"""Kinks and ties: one layer is judged by its one-sided derivatives, a composition gets no verdict."""

import numpy as np
import pytest

from refimpl.gradcheck import assert_gradients, check_gradients, check_layer
from refimpl.gradcheck.mutants.cases import MaxPool
from refimpl.layers import Affine, ReLU
from refimpl.network import Network


def relu(x):
    return np.where(x.real > 0, x, 0 * x)


def step(x):
    return (x > 0).astype(x.dtype)


def test_at_the_kink_of_one_layer_the_subgradient_lies_between(rng):
    x = np.array([[0.0, 1.0, -1.0, 0.0]])
    for value, accepted in ((0.0, True), (1.0, True), (0.5, True), (1.5, False), (-0.1, False)):

        class Rule(ReLU):
            def backward(self, dout, cache, value=value):
                at_zero = (cache == 0) * dout * dout.dtype.type(value)
                return np.where(cache > 0, dout, at_zero), ()

        report = check_layer(Rule(), x, rng=rng)
        assert report.ok == accepted and report.kink, (value, report)
    assert report.findings[0].check == "subgradient"


def test_beside_the_kink_the_other_entries_are_still_checked(rng):
    class Wrong(ReLU):
        def backward(self, dout, cache):
            return np.where(cache > 0, dout * dout.dtype.type(1.001), 0 * dout), ()

    report = check_layer(Wrong(), np.array([[0.0, 1.0]]), rng=rng)
    assert report.verdict == "fail" and report.findings[0].index == (0, 1)


def test_ties_of_a_maximum(rng):
    x = np.array([[1.0, 1.0, 0.0, 2.0]])

    class Both(MaxPool):
        def backward(self, dout, first):
            tie = np.repeat(dout, 2, axis=1)
            return np.where(np.array([[True, True, False, True]][: len(dout)]), tie, 0 * tie), ()

    class Half(MaxPool):
        def backward(self, dout, first):
            return np.repeat(dout, 2, axis=1) * np.array([0.5, 0.5, 0, 1], dout.dtype), ()

    assert check_layer(MaxPool(), x, rng=rng).ok
    assert check_layer(Half(), x, rng=rng).ok
    report = check_layer(Both(), x, rng=rng)
    assert report.verdict == "fail" and "one unit of gradient each" in report.findings[0].cause
    dx, _ = MaxPool().backward(np.ones((1, 2)), MaxPool().forward(x)[1])
    assert dx.tolist() == [[1.0, 0.0, 0.0, 1.0]]  # the first of equal maxima


def test_relu_of_x_minus_relu_of_minus_x(rng):
    """The function is x, with derivative 1 at 0, where backpropagation gives 0: no verdict, and
    elsewhere a pass.
    """

    def f(x):
        return relu(x) - relu(-x)

    def vjp(dout, x):
        return dout * step(x) + dout * step(-x)

    report = check_gradients(f, vjp, np.array([0.0, 1.0]), rng=rng)
    assert report.verdict == "kink: no verdict" and "kink" in report.kink and not report.findings
    assert check_gradients(f, vjp, np.array([0.5, 1.0]), rng=rng).ok
    with pytest.raises(AssertionError, match="no verdict"):
        assert_gradients(f, vjp, np.array([0.0, 1.0]), rng=rng)
    sides = np.array([[1.0, -1.0]])
    net = Network((Affine(sides, np.zeros(2)), ReLU(), Affine(sides.T, np.zeros(1))))
    report = check_layer(net, np.array([[0.0], [1.0]]), rng=rng)
    assert report.verdict == "kink: no verdict"
    assert report.kink.startswith("kink between layers 0 (Affine) and 1 (ReLU)")
    assert check_layer(net, np.array([[0.5], [1.0]]), rng=rng).ok


def test_relu_x1_minus_twice_relu_x2(rng):
    """Convex in one coordinate, concave in the other: directions would accuse 0, coordinates do
    not.
    """

    def f(x):
        return relu(x[:1]) - 2 * relu(x[1:])

    def vjp(dout, x):
        return np.concatenate([dout, -2 * dout]) * step(x)

    assert check_gradients(f, vjp, np.zeros(2), rng=rng).verdict == "kink: no verdict"
    assert check_gradients(f, vjp, np.zeros(2), rng=rng, layer=True).ok
    wrong = check_gradients(
        f, lambda d, x: vjp(d, x) + np.concatenate([0 * d, d]), np.zeros(2), rng=rng, layer=True
    )
    assert wrong.verdict == "fail" and wrong.findings[0].index == (1,)


def test_beside_a_kink_what_differences_do_not_resolve_gets_no_verdict(rng):
    """The second entry is lost in the last digits of f: any gradient of it would do."""

    def f(x):
        if np.iscomplexobj(x):
            raise TypeError("real numbers alone")
        return np.array([abs(x[0]), -abs(x[0]), (1e-3 * x[1] + 1e13) - 1e13])

    def vjp(dout, x):
        return np.array([0.0, 77.0 * dout[2]])

    report = check_gradients(f, vjp, np.array([0.0, 0.7]), rng=rng, layer=True, dtypes=())
    assert report.kink == "kink: subgradient checked"
    assert report.verdict.startswith("no verdict: bound inf") and not report.ok


def test_a_kink_that_the_caller_knows_of(rng):
    report = check_gradients(
        np.sin, lambda d, x: d * np.cos(x), np.ones(2), rng=rng, kink="kink between us"
    )
    assert report.verdict == "kink: no verdict" and report.kink.startswith("kink between us")


def test_purity_is_judged_at_a_kink_too(rng):
    calls = []

    def vjp(dout, x):
        calls.append(1)
        return dout * step(x) + 1e-9 * len(calls)

    report = check_gradients(lambda x: relu(x) - relu(-x), vjp, np.zeros(2), rng=rng)
    assert report.verdict == "fail" and report.findings[0].check == "twice"


@pytest.mark.parametrize("x", [np.array([[0.0, 2.0]]), np.array([[1.0, 2.0]])])
def test_dtypes_and_mixed_images_are_seen_at_a_kink_too(x):
    """What is no matter of the gradient's value is looked at whatever the verdict on that is."""

    class Always64(ReLU):
        def backward(self, dout, cache):
            return np.where(cache > 0, dout, 0 * dout).astype(np.float64), ()

    report = check_layer(Always64(), x)
    assert report.ok and bool(report.kink) == (x == 0).any()
    assert [(n.check, n.argument) for n in report.notes] == [("dtype", "x")]
    assert not check_layer(ReLU(), x).notes

    class Mixing(ReLU):
        def backward(self, dout, cache):
            return np.where(cache > 0, dout, 0 * dout) * dout.dtype.type(len(dout)), ()

    report = check_layer(Mixing(), np.concatenate([x, x + 3]))
    assert report.verdict == "fail" and "batch" in {f.check for f in report.findings}
