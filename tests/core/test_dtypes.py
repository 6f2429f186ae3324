"""float32 stays float32, integers do not wrap, and what is not finite is called so."""

from functools import partial

import numpy as np
import pytest

from refimpl.class_visualization import class_visualizations
from refimpl.descent import descend
from refimpl.dtypes import as_pixels, not_finite, rows_as
from refimpl.layers import Sigmoid
from refimpl.losses import (
    OBJECTIVES,
    cross_entropy,
    distillation,
    log_softmax,
    softmax,
    squared_error,
)
from refimpl.metrics import confusion_matrix
from refimpl.network import one_hidden_net, softmax_net
from refimpl.optimize import adam, ascend, momentum, sgd
from refimpl.training import train

SCALARS = [0.1, np.float64(0.1), np.float32(0.1), np.array(0.1)]


@pytest.mark.parametrize("lr", SCALARS, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("update", [sgd, momentum, adam])
def test_a_learning_rate_decides_no_dtype(rng, lr, update):
    x, g = rng.normal(size=4).astype(np.float32), rng.normal(size=4)
    state = None
    for _ in range(3):
        x, state = update(x, g, state, lr=lr)
    assert x.dtype == np.float32
    net = softmax_net(4, 3, dtype=np.float32)
    images, y = rng.normal(size=(6, 4)), np.array([0, 1, 2, 0, 1, 2])
    for falling in (False, True):
        trained, _ = train(
            net, images, y, steps=3, lr=lr, batch=3, update=update, rng=rng, falling=falling
        )
        assert {p.dtype for p in trained.parameters} == {np.dtype(np.float32)}
    found, _ = ascend(
        lambda x, step: (-(x * x).sum(axis=1), -2.0 * x.astype(np.float64)),
        images.astype(np.float32),
        steps=2,
        lr=lr,
        update=update,
    )
    assert found.dtype == np.float32


@pytest.mark.parametrize("temperature", [2.0, np.float64(2), np.float32(2), 2])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.uint8])
def test_targets_and_temperatures_decide_no_dtype(rng, temperature, kind):
    z, hot = rng.normal(size=(6, 3)).astype(np.float32), np.eye(3, dtype=kind)[[0, 1, 2, 0, 1, 2]]
    exact = cross_entropy(z.astype(np.float64), hot.astype(np.float64), temperature=2.0)
    for value, dz in (
        cross_entropy(z, hot, temperature=temperature),
        cross_entropy(z, hot.argmax(axis=1), temperature=temperature),
    ):
        assert value.dtype == dz.dtype == np.float32
        assert value == pytest.approx(exact[0], rel=1e-6)
        assert np.allclose(dz, exact[1], atol=1e-7)
    assert distillation(z, hot, temperature=temperature)[1].dtype == np.float32
    assert squared_error(z, hot)[1].dtype == np.float32
    net, x = softmax_net(4, 3, dtype=np.float32), rng.normal(size=(6, 4)).astype(np.float32)
    for loss in (partial(cross_entropy, temperature=temperature), squared_error):
        done = train(net, x, hot, steps=2, lr=0.1, batch=3, loss=loss, rng=rng)[0]
        assert done.parameters[0].dtype == np.float32
        assert descend(net, x, hot, loss, lr=0.1, steps=3).network.parameters[0].dtype == np.float32


def test_a_loss_that_answers_in_float64_does_not_spread_it(rng):
    def loss(z, target):
        value, dz = squared_error(z, target)
        return value, dz.astype(np.float64)

    net = one_hidden_net(4, 5, 3, rng=rng, dtype=np.float32)
    x, t = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    seen = []

    def update(p, g, state, *, lr):
        seen.append(g.dtype)
        return p - lr * g, state

    done = train(net, x, t, steps=2, lr=0.1, batch=3, loss=loss, update=update, rng=rng)[0]
    assert {*seen, *(p.dtype for p in done.parameters)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", [np.uint8, np.uint64, np.int32, bool])
def test_integers_do_not_wrap(kind):
    z = np.array([[0, 1, 1], [1, 0, 1]], kind)
    exact, t = z.astype(np.float64), z[:, ::-1]
    for f in (softmax, log_softmax, lambda z: Sigmoid().forward(z)[0]):
        assert np.array_equal(f(z), f(exact))
    for ours, right in (
        (squared_error(z, t), squared_error(exact, t.astype(np.float64))),
        (cross_entropy(z, np.array([2, 0])), cross_entropy(exact, np.array([2, 0]))),
        *((f(z, np.array([2, 0])), f(exact, np.array([2, 0]))) for f in OBJECTIVES.values()),
    ):
        assert np.array_equal(ours[0], right[0]) and np.array_equal(ours[1], right[1])
    assert squared_error(np.array([[1]], np.uint8), np.array([[3]], np.uint8))[0] == 2.0


def test_a_class_without_probability_may_have_the_logit_minus_infinity():
    z = np.array([[0.0, 1.0, -np.inf]])
    by_label = cross_entropy(z, np.array([0]))
    by_probability = cross_entropy(z, np.array([[1.0, 0.0, 0.0]]))
    assert by_label[0] == by_probability[0] == pytest.approx(np.log1p(np.e), rel=1e-15)
    assert np.array_equal(by_label[1], by_probability[1])
    value, dz = distillation(z, z)
    p = np.e / (1 + np.e)
    assert value == pytest.approx(-p * np.log(p) - (1 - p) * np.log(1 - p), rel=1e-14)
    assert np.abs(dz).max() < 1e-16


@pytest.mark.parametrize("kind", [np.uint8, np.uint32, np.uint64, np.int8])
def test_labels_of_any_integer_kind_are_counted(kind):
    y, predicted = np.array([1, 1, 0], kind), np.array([1, 0, 0], np.uint64)
    assert confusion_matrix(y, predicted, 2).tolist() == [[1, 0], [1, 1]]


def test_adam_in_half_precision_is_adam_in_single_rounded():
    x, g = np.ones(3, np.float16), np.array([1e-4, -3e-5, 0.5], np.float16)
    ours, (t, m, v) = adam(x, g, None, lr=0.1)
    single, _ = adam(x.astype(np.float32), g.astype(np.float32), None, lr=0.1)
    assert ours.dtype == np.float16 and np.array_equal(ours, single.astype(np.float16))
    assert t == 1 and m.dtype == v.dtype == np.float32


def test_pixels_are_the_floats_they_stand_for_and_no_others(rng):
    pixels = np.arange(256, dtype=np.uint8).reshape(4, 64)
    grey = pixels / np.float32(255)
    for dtype in (np.float32, np.float64):
        assert np.array_equal(rows_as(pixels, dtype), grey.astype(dtype))
    assert np.array_equal(as_pixels(grey), pixels) and as_pixels(grey).dtype == np.uint8
    for other in (grey + np.float32(1e-7), grey * 2, np.full((2, 2), np.nan, np.float32)):
        assert as_pixels(other) is other
    net, y = one_hidden_net(64, 5, 3, rng=rng, dtype=np.float32), np.array([0, 1, 2, 0])
    runs = [
        train(net, x, y, steps=9, lr=0.1, batch=2, rng=np.random.default_rng(1))
        for x in (pixels, grey)
    ]
    assert np.array_equal(runs[0][1], runs[1][1])
    for a, b in zip(runs[0][0].parameters, runs[1][0].parameters, strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(net.logits(pixels), net.logits(grey))
    assert np.array_equal(net.predict(pixels), net.predict(grey))


NAN_AT_2 = np.where(np.arange(24).reshape(6, 4) == 9, np.nan, 1.0)
WRONG = [
    (NAN_AT_2, [0, 1, 2, 0, 1, 2], {}, "x: expected finite numbers, found NaN in row 2"),
    (np.full((6, 4), np.inf), [0, 1, 2] * 2, {}, "x: expected finite .* infinity in row 0"),
    (np.ones((6, 784)), [0, 1, 2] * 2, {}, r"x: expected shape \(N, 4\), got \(6, 784\)"),
    (np.ones((6, 1, 2, 2)), [0, 1, 2] * 2, {}, r"x: expected shape \(N, 4\), got \(6, 1, 2, 2\)"),
    (np.ones((4, 6)), [0, 1, 2, 0], {}, r"x: expected shape \(N, 4\), got \(4, 6\)"),
    (
        np.ones((6, 4)),
        np.full((6, 3), np.nan),
        {},
        "y: expected finite numbers, found NaN in row 0",
    ),
    (np.ones((6, 4)), [0.0] * 6, {}, "integer labels"),
    (np.ones((6, 4)), [[0, 1, 0]] * 5, {}, "y: expected 6 labels or targets, one an image, got 5"),
    (np.ones((6, 4)), [0, 1, 2] * 2, {"steps": 1.5}, "steps: expected a whole number >= 0"),
    (np.ones((6, 4)), [0, 1, 2] * 2, {"steps": -1}, "steps: expected a whole number >= 0"),
]


@pytest.mark.parametrize("x, y, how, message", WRONG)
@pytest.mark.parametrize("on_step", [None, lambda step, net: None], ids=["quiet", "watched"])
def test_train_names_what_is_wrong(x, y, how, message, on_step):
    how = {"steps": 3, "lr": 1e-9, "batch": 3} | how
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        train(softmax_net(4, 3), x, y, rng=np.random.default_rng(0), on_step=on_step, **how)


def test_a_parameter_that_is_not_finite_is_no_matter_of_the_learning_rate(rng):
    net = softmax_net(4, 3)
    net.parameters[1][0] = np.nan
    with pytest.raises(ValueError, match="network, parameter 1: expected finite .* NaN in row 0"):
        train(net, np.ones((6, 4)), np.array([0, 1, 2] * 2), steps=1, lr=0.1, batch=3, rng=rng)


def test_a_start_with_nan_is_called_so(rng):
    net = one_hidden_net(6, 4, 3, rng=rng)
    with pytest.raises(ValueError, match="x0: expected finite numbers, found NaN in row 1"):
        ascend(lambda x, step: (x.sum(axis=1), np.ones_like(x)), [[1.0], [np.nan]], steps=1, lr=1)
    for start in (np.full((3, 6), np.nan), np.where(np.arange(18).reshape(3, 6) == 4, np.nan, 0.3)):
        with pytest.raises(ValueError, match="start: expected finite numbers, found NaN in row 0"):
            class_visualizations(net, start=start, steps=3)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_dead_class_among_living_ones_is_named(rng, objective):
    net = one_hidden_net(6, 4, 3, rng=rng)
    w1, _, w2, b2 = (p.copy() for p in net.parameters)
    w1[:, 3] = 0  # a unit that sees nothing, and the only one that class 1 hears
    w2[:3, 1] = 0
    net = net.with_parameters((w1, np.ones(4), w2, b2))
    if objective != "logit":  # the other classes move it
        assert class_visualizations(net, objective=objective, steps=2)[0].any(axis=1).all()
        return
    with pytest.raises(ValueError, match=r"start: the gradient is zero there for classes \[1\]"):
        class_visualizations(net, objective=objective, steps=2)
    images, _ = class_visualizations(net, objective=objective, steps=2, classes=[0, 2])
    assert images.any(axis=1).all()


def test_rows_that_are_not_finite_are_found():
    assert not_finite(np.ones((2, 2))) == "" == not_finite(np.array([1, 2]))
    assert not_finite(np.array([1.0, np.inf])) == "infinity in row 1"
    assert not_finite(np.array(np.nan)) == "NaN in row 0"
