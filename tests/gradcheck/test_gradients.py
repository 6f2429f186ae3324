"""Every layer, loss and objective, found by itself: checked against its derivative and against the
definition in loops.

A layer or loss without a case in refimpl/gradcheck/mutants/cases.py, or without a definition in
tests/oracles.py, fails here.
"""

import importlib
import inspect
import pkgutil
import re
from dataclasses import replace

import numpy as np
import oracles
import oracles_conv
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refimpl import losses, second_order
from refimpl.gradcheck import assert_layer, check_gradients, check_layer, layer_functions
from refimpl.gradcheck.mutants import cases
from refimpl.gradcheck.mutants.cases import (
    MeanPool,
    kink_free,
    loss_case,
    make_layer,
    objective_case,
)
from refimpl.gradcheck.strategies import (
    batches,
    kink_free_values,
    networks,
    off_kinks,
    saturated_logits,
    seeds,
)
from refimpl.layers import LAYERS, Affine, ReLU, buffer_names, parameter_names
from refimpl.losses import OBJECTIVES
from refimpl.network import Network
from refimpl.second_order import OBJECTIVE_HVPS, input_hvp

LOSSES = {
    name: f
    for name, f in inspect.getmembers(losses, inspect.isfunction)
    if f.__module__ == losses.__name__
    and list(inspect.signature(f).parameters)[:1] == ["z"]
    and len(inspect.signature(f).parameters) > 1
    and name not in OBJECTIVES
}
SCALES = (1e-8, 1e-3, 1.0, 1e3, 1e8)


def case_names():
    return sorted(cases(np.random.default_rng(0)))


def test_every_public_layer_is_listed():
    """LAYERS is what the other tests walk: a layer left out of it would go unchecked."""
    from refimpl import layers

    files = [f"refimpl.layers.{file.name}" for file in pkgutil.iter_modules(layers.__path__)]
    own = {
        n
        for module in (layers, *map(importlib.import_module, files))
        for n, c in inspect.getmembers(module, inspect.isclass)
        if c.__module__ == module.__name__ and hasattr(c, "backward")
    }
    assert own == set(LAYERS)


def test_every_layer_loss_objective_and_second_order_has_a_case():
    names = case_names()
    for name in (*LAYERS, *LOSSES, *OBJECTIVES, *(f"{o}_hvp" for o in OBJECTIVES)):
        assert name in names, f"{name} has no gradient case in refimpl/gradcheck/mutants/cases.py"
    assert set(OBJECTIVE_HVPS) == set(OBJECTIVES)
    assert {"cross_entropy", "distillation", "squared_error"} <= set(
        LOSSES
    )  # the search itself works


def test_a_layer_without_a_case_fails(monkeypatch):
    monkeypatch.setitem(LAYERS, "Novel", ReLU)
    with pytest.raises(KeyError, match="layer Novel: no gradient case"):
        case_names()


def test_every_loss_has_a_definition_in_loops():
    for name in LOSSES:
        assert hasattr(oracles, name), f"{name} has no naive twin in tests/oracles.py"


NEARLY_EQUAL = {("distillation", 1e-8), ("probability_hvp", 1e-8)}  # differences of their logits


def round_off_alone(name, scale, words):
    """Whether no verdict is right: logits equal to 1e-8, or a saturated unit's gradient."""
    found = re.match(r"no verdict: bound \S+ for a gradient of (\S+) ", words)
    saturated = found and scale >= 1e3 and float(found[1]) < 1e-12
    return bool(found) and ((name, scale) in NEARLY_EQUAL or bool(saturated))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", case_names())
def test_gradient(name, scale):
    rng = np.random.default_rng(3)
    for shape in ((4, 3, 3), (1, 1, 1), (3, 4, 2), (2, 5, 1)):
        case = cases(rng, scale=scale, **dict(zip("ndk", shape)))[name]
        accepted, words = case.check(rng)
        told = f"{name} at {shape}, scale {scale:g}: {words}"
        assert accepted or round_off_alone(name, scale, words), told


@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_its_definition(name, rng):
    layer, x = make_layer(name, rng)
    definition = getattr(oracles if hasattr(oracles, name.lower()) else oracles_conv, name.lower())
    arrays = [getattr(layer, p) for p in parameter_names(layer) + buffer_names(layer)]
    expected = definition(x, *arrays, *([layer.shape] if name == "Unflatten" else []))
    assert np.allclose(layer.forward(x)[0], expected, rtol=1e-14, atol=1e-14)


def test_affine_backward_is_its_definition(rng):
    layer, x = make_layer("Affine", rng)
    dout = rng.normal(size=(4, 3))
    dx, (dw, db) = layer.backward(dout, x)
    for a, b in zip((dx, dw, db), oracles.affine_backward(dout, x, layer.w)):
        assert np.allclose(a, b, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_losses_are_their_definitions(rng, temperature):
    z, t, y = kink_free(rng, 5, 4), kink_free(rng, 5, 4), rng.integers(0, 4, 5)
    soft = 1.5 * oracles.softmax(t)
    for mine, theirs in [
        (
            losses.cross_entropy(z, y, temperature=temperature),
            oracles.cross_entropy(z, y, temperature),
        ),
        (
            losses.cross_entropy(z, soft, temperature=temperature),
            oracles.cross_entropy(z, soft, temperature),
        ),
        (
            losses.distillation(z, t, temperature=temperature),
            oracles.distillation(z, t, temperature),
        ),
        (losses.distillation(z, t), oracles.distillation(z, t)),
        (losses.cross_entropy(z, soft), oracles.cross_entropy(z, soft)),
        (losses.squared_error(z, t), oracles.squared_error(z, t)),
    ]:
        assert np.allclose(mine[0], theirs[0], rtol=1e-13) and np.allclose(
            mine[1], theirs[1], rtol=1e-12, atol=1e-15
        )
    assert np.allclose(losses.softmax(z), oracles.softmax(z), rtol=1e-13)
    assert np.allclose(losses.log_softmax(z), oracles.log_softmax(z), rtol=1e-13)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.distillation])
@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_temperature_is_positive(loss, temperature):
    with pytest.raises(ValueError, match="temperature: expected a positive number"):
        loss(np.zeros((1, 2)), np.ones((1, 2)), temperature=temperature)


def test_losses_name_bad_targets():
    z = np.zeros((3, 2))
    for target, words in (
        (np.array([0, 1]), "expected 3 labels"),
        (np.array([0, 1, 2]), r"labels in \[0, 2\)"),
        (np.array([0, -1, 1]), r"labels in \[0, 2\)"),
        (np.zeros((2, 2)), "or probabilities"),
        (np.array([0.0, 1.0, 1.0]), "expected integer labels"),
    ):
        with pytest.raises(ValueError, match=f"target: .*{words}"):
            losses.cross_entropy(z, target)
    with pytest.raises(ValueError, match="target: expected logits of shape"):
        losses.squared_error(z, np.zeros(2))
    with pytest.raises(ValueError, match="classes: expected integer labels"):
        losses.logit(z, np.zeros((3, 1), int))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_their_definitions(name, rng):
    z, y = kink_free(rng, 5, 4), rng.integers(0, 4, 5)
    for mine, theirs in zip(OBJECTIVES[name](z, y), oracles.objective(name, z, y)):
        assert np.allclose(mine, theirs, rtol=1e-12, atol=1e-15)


def test_input_hvp_names_a_layer_it_does_not_know(rng):
    layer, x = MeanPool(), rng.normal(size=(2, 4))
    with pytest.raises(ValueError, match="layer: expected ReLU, Sigmoid or Tanh, got MeanPool"):
        input_hvp(Network((layer,)), x, x, gradient=np.ones_like, hvp=lambda z, v: v)


def in_saturation(report, x):
    """Whether all that got no verdict is a gradient through saturated units: nothing beside x."""
    unknown = [a for a in report.arguments if a.verdict != "pass"]
    reach = 1e-12 * np.abs(x).max()
    return {a.name for a in unknown} <= {"x", "0.w", "0.b"} and all(
        a.gradient <= reach for a in unknown
    )


@given(st.data())
def test_any_network(data):
    """No verdict is for sigmoids and tanhs that are saturated; a doubled gradient never passes."""
    net = data.draw(networks())
    x = data.draw(batches(net.inputs)).value
    assume(off_kinks(net, x))
    report = check_layer(net, x, rng=0)
    saturates = len(net.layers) > 1 and type(net.layers[1]).__name__ in ("Sigmoid", "Tanh")
    if not report.ok:
        assert report.verdict.startswith("no verdict: bound") and saturates, report
        assert np.abs(x).max() > 10 and in_saturation(report, x), report
    f, vjp, inputs, names = layer_functions(net, x, rng=np.random.default_rng(0))
    k = data.draw(st.integers(0, len(names) - 1))

    def doubled(dout, *inputs):
        return tuple(2 * g if i == k else g for i, g in enumerate(vjp(dout, *inputs)))

    wrong = check_gradients(f, doubled, inputs, names=names, rng=0)
    row = wrong.arguments[k]
    zero = not vjp(np.ones(f(*inputs).shape), *inputs)[k].any()
    assert row.verdict == "fail" or zero or row.verdict == "no verdict" and not report.ok, wrong


@given(st.data())
def test_networks_need_no_wrapper(data):
    """What the strategies draw by default goes to assert_layer as it is."""
    net = data.draw(networks())
    x = data.draw(batches(net.inputs, scales=(1.0, 1e-3)))
    assume(off_kinks(net, x.value))
    assert_layer(net, x.value)


@given(st.data())
def test_a_dead_unit_gets_no_gradient(data):
    net = data.draw(networks(kinds=("relu",), dead=True))
    x = data.draw(batches(net.inputs, scales=(1.0,)))
    assume(off_kinks(net, x.value))
    assert_layer(net, x.value, rng=np.random.default_rng(0))
    z, caches = net.forward(x.value)
    _, ((dw, db), _, _) = net.backward(np.ones_like(z), caches)
    assert not dw[:, 0].any() and db[0] == 0


@given(saturated_logits(), seeds, st.sampled_from(["cross_entropy", *OBJECTIVES]))
def test_saturated_logits(z, seed, name):
    """No verdict is for gradients of no more than 1e-11; a doubled one never passes."""
    rng = np.random.default_rng(seed)
    n, k = z.value.shape
    y = rng.integers(0, k, n)
    case = (
        loss_case(losses.cross_entropy, z.value, y, temperature=0.5)
        if name == "cross_entropy"
        else objective_case(OBJECTIVES[name], z.value, y)
    )
    gradient = np.abs(case.vjp(np.ones_like(case.f(z.value)), z.value)).max()
    accepted, words = case.check(rng)
    assert accepted or words.startswith("no verdict: bound") and gradient < 1e-11, words

    def doubled(dout, z):
        return 2 * case.vjp(dout, z)

    accepted, words = replace(case, vjp=doubled).check(rng)
    assert not accepted or gradient == 0, words
    assert words.startswith("fail") or gradient < 1e-11, words


@pytest.mark.parametrize("name", ["ReLU", "Sigmoid", "Tanh"])
def test_at_the_kink_or_none(name, rng):
    report = check_layer(LAYERS[name](), np.array([[0.0, 1.0, 0.0, -1.0]]), rng=rng)
    assert report.ok, report
    assert bool(report.kink) == (name == "ReLU")


def test_relu_at_zero_is_pinned():
    out, cache = ReLU().forward(np.array([1e-20j, 2 + 1e-20j]))  # real parts are compared
    assert out.tolist() == [0, 2 + 1e-20j] and ReLU().backward(np.ones(2), cache)[0].tolist() == [
        0,
        1,
    ]
    dx, _ = ReLU().backward(np.array([1.0, 1.0, 1.0]), np.array([-1.0, 0.0, 2.0]))
    assert dx.tolist() == [0.0, 0.0, 1.0]


def test_affine_with_one_of_everything(rng):
    assert_layer(
        Affine(kink_free_values(0, (1, 1)), kink_free_values(1, (1,))),
        kink_free_values(2, (1, 1)),
        rng=rng,
    )


def test_second_order_refuses_what_it_would_broadcast():
    z, y = np.array([[0.5, -0.5], [1.0, 2.0]]), np.array([0, 1])
    for name, product in second_order.OBJECTIVE_HVPS.items():
        for classes, message in (
            (np.array([-1, 0]), r"classes: expected labels in \[0, 2\)"),
            (np.array([0, 2]), r"classes: expected labels in \[0, 2\)"),
            (np.array([0]), "classes: expected 2 labels, one an image, got 1"),
        ):
            with pytest.raises(ValueError, match=message):
                product(z, classes, z)
        with pytest.raises(ValueError, match=r"v: expected shape \(2, 2\), got \(1, 2\)"):
            product(z, y, z[:1])
        assert product(z, y, z).shape == (2, 2), name
    for target, temperature, message in (
        (np.array([0, 9]), 1.0, r"target: expected labels in \[0, 2\)"),
        (np.array([0]), 1.0, "target: expected 2 labels"),
        (np.array([[1.0, 0.0]]), 1.0, r"target: expected labels or shape \(2, 2\)"),
        (y, 0.0, "temperature: expected a positive number"),
    ):
        with pytest.raises(ValueError, match=message):
            second_order.cross_entropy_hvp(z, target, z, temperature=temperature)
    for target, v, message in ((z[:1], z, "target: expected shape"), (z, z[:1], "v: expected")):
        with pytest.raises(ValueError, match=message):
            second_order.squared_error_hvp(z, target, v)
    with pytest.raises(ValueError, match="v: expected shape"):
        second_order.covariance_product(z, z[:, :1])
