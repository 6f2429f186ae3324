"""Training by epochs against loops written out: order, chance, schedule, running means, the best
network, stopping.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from refimpl.companions.cnn.epochs import (
    CHANCE,
    ORDER,
    SCHEDULES,
    Recipe,
    State,
    best_epoch,
    evaluate,
    finished,
    fit,
    mirrored,
    start,
)
from refimpl.layers import Affine, Flatten, ReLU, Unflatten
from refimpl.layers.conv import Conv2D, MaxPool2D
from refimpl.layers.regularization import BatchNorm, Dropout
from refimpl.losses import cross_entropy
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.optimize import adam


def problem(rng, n=50, d=36, k=4):
    return rng.random((n, d), dtype=np.float32), rng.integers(0, k, n)


def images_net(rng):
    """Everything that moves in training: dropout, running statistics, a max-norm that bites."""
    w, k = (
        rng.normal(size=(3, 1, 3, 3)).astype(np.float32),
        rng.normal(size=(27, 4)).astype(np.float32),
    )
    norm = BatchNorm(
        np.ones(3, np.float32),
        np.zeros(3, np.float32),
        np.zeros(3, np.float32),
        np.ones(3, np.float32),
    )
    return Network(
        (
            Unflatten((1, 6, 6)),
            Conv2D(w, np.zeros(3, np.float32), padding="same"),
            norm,
            ReLU(),
            MaxPool2D(),
            Flatten(),
            Dropout(0.25),
            Affine(k, np.zeros(4, np.float32), 2.0),
        )
    )


def without_norm(net):
    return Network(tuple(layer for layer in net.layers if not isinstance(layer, BatchNorm)))


def last(states):
    *_, state = states
    return state


def same(a, b):
    return all(
        np.array_equal(v, w)
        for x, y in zip(a.layers, b.layers)
        for v, w in zip(vars(x).values(), vars(y).values())
    )


@pytest.mark.parametrize(
    "schedule, mirror", [("constant", False), ("linear", True), ("cosine", True)]
)
def test_a_run_written_out(rng, schedule, mirror):
    x, y = problem(rng)
    net, recipe = images_net(rng), Recipe(2, 0.02, batch=16, schedule=schedule, mirror=mirror)
    state = last(fit(start(net), x[:40], y[:40], x[40:], y[40:], recipe, seed=7))
    by_hand, moments, step, history = net, [None] * 6, 0, []
    for epoch in range(2):
        order, losses, right = np.random.default_rng([7, ORDER, epoch]).permutation(40), [], []
        for rows in (order[:16], order[16:32]):  # 40 = 2 * 16 + 8: the last eight are left out
            chance, done = np.random.default_rng([7, CHANCE, step]), step / 4
            images = x[rows]
            if mirror:
                flip = chance.random(16) < 0.5
                images = np.stack(
                    [v.reshape(6, 6)[:, ::-1].reshape(-1) if f else v for v, f in zip(images, flip)]
                )
            lr = (
                0.02
                * {"constant": 1, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[
                    schedule
                ]
            )
            z, caches = by_hand.forward(images, train=True, rng=chance)
            value, dz = cross_entropy(z, y[rows])
            gradients = [g for layer in by_hand.backward(dz, caches)[1] for g in layer]
            moved = [
                adam(p, g, m, lr=lr) for p, g, m in zip(by_hand.parameters, gradients, moments)
            ]
            moments, parameters = [m for _, m in moved], [p for p, _ in moved]
            norms = np.sqrt((parameters[4] ** 2).sum(axis=0))
            parameters[4] = parameters[4] * np.minimum(1, 2 / norms).astype(np.float32)
            norm = by_hand.layers[2].updated(caches[2])
            by_hand = by_hand.with_parameters(parameters)
            norm = replace(norm, gamma=parameters[2], beta=parameters[3])
            by_hand = Network((*by_hand.layers[:2], norm, *by_hand.layers[3:]))
            losses.append(value)
            right += list(z.argmax(axis=1) == y[rows])
            step += 1
        z = by_hand.forward(x[40:])[0]
        history.append(
            (
                np.mean(losses),
                np.mean(right),
                cross_entropy(z, y[40:])[0],
                np.mean(z.argmax(axis=1) == y[40:]),
            )
        )
    for a, b in zip(state.network.parameters, by_hand.parameters):
        assert a.dtype == np.float32 and np.allclose(a, b, rtol=1e-4, atol=1e-6)
    assert np.abs(state.network.parameters[0] - net.parameters[0]).max() > 1e-3
    assert np.sqrt((net.layers[-1].w ** 2).sum(axis=0)).min() > 2  # so that the max-norm bites
    for name in ("mean", "var"):
        assert np.allclose(
            getattr(state.network.layers[2], name), getattr(by_hand.layers[2], name), rtol=1e-4
        )
    keys = ("loss", "accuracy", "validation_loss", "validation_accuracy")
    assert np.allclose([[row[k] for k in keys] for row in state.history], history, rtol=1e-5)
    assert (
        [row["epoch"] for row in state.history] == [1, 2]
        and state.step == 4
        and state.between_epochs
    )


@pytest.mark.parametrize("stop, threads", [(1, 1), (2, 1), (3, 1), (7, 1), (8, 1), (2, 2), (7, 2)])
def test_a_run_that_stops_anywhere_goes_on_to_the_same_bits(rng, stop, threads):
    x, y = problem(rng)
    net, recipe = images_net(rng), Recipe(3, 0.02, batch=10, schedule="cosine", mirror=True)
    net = net if threads == 1 else without_norm(net)
    data = x[:30], y[:30], x[30:], y[30:]
    states = list(fit(start(net), *data, recipe, seed=1, threads=threads))
    assert [s.step for s in states] == list(range(1, 10))
    rest = list(fit(states[stop - 1], *data, recipe, seed=1, threads=threads))
    assert len(rest) == 9 - stop
    assert same(rest[-1].network, states[-1].network) and same(rest[-1].best, states[-1].best)
    assert rest[-1].history == states[-1].history
    assert not list(fit(states[-1], *data, recipe, seed=1))


def test_threads_train_what_one_does(rng):
    x, y = problem(rng)
    net, data = without_norm(images_net(rng)), (x[:30], y[:30], x[30:], y[30:])
    net = Network(tuple(layer for layer in net.layers if not isinstance(layer, Dropout))).astype(
        np.float64
    )
    one, two = (last(fit(start(net), *data, Recipe(2, 0.02, batch=10), threads=n)) for n in (1, 2))
    assert all(
        np.allclose(a, b, rtol=1e-9, atol=1e-11)
        for a, b in zip(one.network.parameters, two.network.parameters)
    )
    assert not same(one.network, two.network)


def test_the_seed_decides_and_nothing_is_changed(rng):
    x, y = problem(rng)
    net, recipe = images_net(rng), Recipe(1, 0.02, batch=10, mirror=True)
    kept = [p.copy() for p in net.parameters]
    runs = [
        last(fit(start(net), x[:30], y[:30], x[30:], y[30:], recipe, seed=seed)).network
        for seed in (1, 1, 2)
    ]
    assert same(runs[0], runs[1]) and not same(runs[0], runs[2])
    assert all(np.array_equal(p, k) for p, k in zip(net.parameters, kept))


def test_the_validation_images_do_not_train(rng):
    x, y = problem(rng)
    net, recipe = images_net(rng), Recipe(2, 0.02, batch=10)
    runs = [
        last(fit(start(net), x[:30], y[:30], held, labels, recipe)).network
        for held, labels in ((x[30:], y[30:]), (x[:20], y[::-1][:20]))
    ]
    assert same(*runs)


def test_every_epoch_has_an_order_and_every_step_a_chance_of_its_own():
    orders = [
        tuple(np.random.default_rng([seed, ORDER, epoch]).permutation(20))
        for seed in range(3)
        for epoch in range(3)
    ]
    draws = [
        np.random.default_rng([seed, stream, i]).random()
        for seed in range(3)
        for stream in (ORDER, CHANCE)
        for i in range(50)
    ]
    assert len(set(orders)) == 9 and len({*draws, np.random.default_rng(0).random()}) == 301


def rows(*accuracies):
    return tuple({"epoch": i + 1, "validation_accuracy": a} for i, a in enumerate(accuracies))


@pytest.mark.parametrize(
    "accuracies, patience, done",
    [
        ((), 1, False),
        ((0.5,), 1, False),
        ((0.5, 0.5), 1, True),
        ((0.5, 0.6), 1, False),
        ((0.6, 0.5, 0.6), 2, True),
        ((0.6, 0.5), 2, False),
        ((0.6, 0.5, 0.7, 0.5), 2, False),
        ((0.6,) * 4, None, False),
        ((0.6,) * 5, None, True),
    ],
)
def test_patience(accuracies, patience, done):
    state = State(None, (), history=rows(*accuracies))
    assert finished(state, Recipe(5, 0.1, patience=patience)) is done


def test_the_best_network_is_kept_the_first_of_equals(rng):
    """Labels of the training images are noise: validation accuracy goes up and down."""
    x, y = problem(rng, 60, 8)
    recipe = Recipe(12, 0.1, batch=10)
    state = last(
        fit(start(one_hidden_net(8, 6, 4, rng=rng)), x[:40], y[:40], x[40:], y[40:], recipe)
    )
    accuracies = [row["validation_accuracy"] for row in state.history]
    best = best_epoch(state.history)
    assert best["epoch"] == 1 + accuracies.index(max(accuracies)) and accuracies[-1] < max(
        accuracies
    )
    assert evaluate(state.best, x[40:], y[40:]) == (
        best["validation_loss"],
        best["validation_accuracy"],
    )
    still = last(
        fit(start(softmax_net(8, 4)), x[:40], y[:40], x[40:], y[40:], Recipe(3, 1e-9, batch=10))
    )
    assert len({row["validation_accuracy"] for row in still.history}) == 1
    losses = [row["validation_loss"] for row in still.history]
    assert evaluate(still.best, x[40:], y[40:])[0] == losses[0] != losses[-1]
    stopped = last(
        fit(
            start(one_hidden_net(8, 6, 4, rng=np.random.default_rng(1))),
            x[:40],
            y[:40],
            x[40:],
            y[40:],
            replace(recipe, epochs=50, patience=3),
        )
    )
    assert len(stopped.history) == best_epoch(stopped.history)["epoch"] + 3 < 50


def test_mirrored(rng):
    x = rng.normal(size=(400, 2 * 3 * 5))
    kept, out = x.copy(), mirrored(x, (2, 3, 5), np.random.default_rng(0))
    flipped = x.reshape(400, 2, 3, 5)[..., ::-1].reshape(400, -1)
    is_flipped, is_same = (out == flipped).all(axis=1), (out == x).all(axis=1)
    assert (
        np.array_equal(is_flipped, ~is_same)
        and 160 < is_flipped.sum() < 240
        and np.array_equal(x, kept)
    )


def test_schedules():
    assert [SCHEDULES["linear"](d) for d in (0, 0.25, 1)] == [1, 0.75, 0]
    assert [round(SCHEDULES["cosine"](d), 12) for d in (0, 1 / 3, 0.5, 1)] == [1, 0.75, 0.5, 0]
    assert {type(f(0.3)) for f in SCHEDULES.values()} == {
        float
    }  # numpy's float64 would turn float32 into float64


def test_evaluate_by_hand(rng):
    x, y = problem(rng, 300)
    net = images_net(rng)
    z = net.forward(x)[0]
    loss, accuracy = evaluate(net, x, y)
    assert loss == pytest.approx(cross_entropy(z, y)[0], rel=1e-5) and accuracy == np.mean(
        z.argmax(axis=1) == y
    )


@pytest.mark.parametrize(
    "how, message",
    [
        ({"epochs": 0}, "epochs: expected a whole number >= 1, got 0"),
        ({"batch": 0}, "batch"),
        ({"epochs": 1.5}, "epochs"),
        ({"patience": 0}, "patience: expected a whole number >= 1, got 0"),
        ({"lr": 0}, "lr: expected a positive number, got 0"),
        ({"lr": float("nan")}, "lr"),
        ({"schedule": "step"}, "schedule: expected one of constant, linear, cosine, got 'step'"),
    ],
)
def test_a_bad_recipe(how, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**{"epochs": 1, "lr": 0.1} | how)


def test_bad_data_and_divergence(rng):
    x, y = problem(rng)
    net, recipe = softmax_net(36, 4), Recipe(1, 0.1, batch=16)
    for data, how, message in (
        ((x, y + 4, x, y), {}, r"y: expected labels in \[0, 4\), found 4 to 7"),
        ((x, y, x, y + 4), {}, r"held_y: expected labels in \[0, 4\), found 4 to 7"),
        ((x, y[1:], x, y), {}, "^y: expected 50 labels, one an image, got 49"),
        ((x, y, x[1:], y), {}, "held_y: expected 49 labels, one an image, got 50"),
        ((x[:9], y[:9], x, y), {}, r"batch: expected 1 to 9 \(the number of images\), got 16"),
        ((x, y, x, y), {"mirror": True}, "mirror: expected a network that begins with Unflatten"),
    ):
        with pytest.raises(ValueError, match=message):
            next(fit(start(net), *data, replace(recipe, **how)))
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"not finite at step 1: .* lr than 1e\+300"),
    ):
        list(fit(start(net), 1e9 * x, y, x, y, replace(recipe, lr=1e300)))
