"""Networks trained together are the networks trained alone, step by step as train_step defines it."""

from functools import partial

import numpy as np
import pytest

from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.losses import cross_entropy
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.optimize import adam, momentum, sgd
from refimpl.training import is_dense, minibatches, train, train_step, train_together


def deep(rng, activation):
    """7-6-5-3."""
    first = one_hidden_net(7, 6, 5, rng=rng, activation=activation)
    return Network((*first.layers, activation, *softmax_net(5, 3, rng=rng, sigma=0.5).layers))


def shallow(rng, activation):
    return softmax_net(7, 3, rng=rng, sigma=0.5)


def hidden(rng, activation):
    return one_hidden_net(7, 5, 3, rng=rng, activation=activation)


def by_steps(network, x, y, *, steps, lr, batch, rng, update, falling):
    """The definition: train_step, one batch after the other."""
    states, losses = [None] * len(network.parameters), []
    for step, rows in enumerate(minibatches(len(x), batch, steps, rng)):
        rate = lr * (1 - step / steps) if falling else lr
        network, states, value, _ = train_step(
            network, states, x[rows], y[rows], lr=rate, rng=rng, update=update
        )
        losses.append(value)
    return network, losses


@pytest.mark.parametrize("make", [shallow, hidden, deep])
@pytest.mark.parametrize("activation", [ReLU(), Sigmoid(), Tanh()])
@pytest.mark.parametrize(
    "update, falling", [(sgd, False), (partial(momentum, beta=0.5), False), (adam, True)]
)
@pytest.mark.parametrize("label", [np.int64, np.uint8])
def test_each_is_what_it_would_be_alone(make, activation, update, falling, label):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(400, 9))[:, 1:8], rng.integers(0, 3, 400).astype(label)
    starts = [make(np.random.default_rng(s), activation) for s in range(4)]
    kept = [[p.copy() for p in net.parameters] for net in starts]
    how = {
        "steps": 30,
        "lr": 0.1,
        "batch": 150,
        "update": update,
        "falling": falling,
    }  # 2 * 150 is no uint8
    together, losses = train_together(starts, x, y, rng=np.random.default_rng(9), **how)
    for i, (start, net) in enumerate(zip(starts, together)):
        alone, own = by_steps(start, x, y, rng=np.random.default_rng(9), **how)
        assert np.allclose(losses[:, i], own, rtol=1e-12)
        for a, b, was, before in zip(
            alone.parameters, net.parameters, start.parameters, kept[i], strict=True
        ):
            assert (
                np.allclose(a, b, rtol=0, atol=1e-13)
                and np.array_equal(was, before)
                and b.flags.c_contiguous
            )
    assert not np.allclose(together[0].parameters[0], together[1].parameters[0])
    one, losses = train(starts[0], x, y, rng=np.random.default_rng(9), **how)
    assert losses.shape == (30,)
    assert all(
        np.allclose(a, b, rtol=0, atol=1e-13)
        for a, b in zip(one.parameters, together[0].parameters)
    )


def test_train_goes_step_by_step_where_it_must(monkeypatch):
    """Other losses, unknown updates, on_step and max_norm: what train_together cannot do it is not
    asked to.
    """
    rng = np.random.default_rng(1)
    x, y, net = (
        rng.normal(size=(60, 7)),
        rng.integers(0, 3, 60),
        softmax_net(7, 3, rng=rng, sigma=1.0),
    )
    bounded = Network((Affine(*net.parameters, max_norm=0.1),))
    how = {"steps": 5, "lr": 0.1, "batch": 20}
    expected = train(net, x, y, rng=np.random.default_rng(9), **how)[0]
    monkeypatch.setattr(
        "refimpl.training.train_together", lambda *a, **k: pytest.fail("not step by step")
    )
    for other in (
        {"on_step": lambda step, net: None},
        {"loss": lambda z, y: cross_entropy(z, y)},
        {"update": lambda p, g, s, lr: sgd(p, g, s, lr=lr)},
    ):
        found = train(net, x, y, rng=np.random.default_rng(9), **how, **other)[0]
        assert np.allclose(found.parameters[0], expected.parameters[0], rtol=0, atol=1e-14)
    w = train(bounded, x, y, rng=np.random.default_rng(9), **how)[0].parameters[0]
    assert np.linalg.norm(w, axis=0).max() <= 0.1 * (1 + 1e-12)


def test_precision_is_kept_and_bad_input_named():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 7)), rng.integers(0, 3, 60)
    nets = [one_hidden_net(7, 5, 3, rng=rng, dtype=np.float32) for _ in range(2)]
    done, _ = train_together(nets, x, y, steps=2, lr=0.1, batch=10, rng=rng)
    assert {p.dtype for net in done for p in net.parameters} == {np.dtype(np.float32)}
    w, b = softmax_net(7, 3).parameters
    for bad in (
        [],
        [Network((ReLU(), Affine(w, b)))],
        [Network((Affine(w, b, max_norm=1.0),))],
        [Network((Affine(w, b), ReLU()))],
        [nets[0], one_hidden_net(7, 4, 3, rng=rng)],
        [nets[0], one_hidden_net(7, 5, 3, rng=rng, activation=Tanh(), dtype=np.float32)],
        [nets[0], nets[1].astype(np.float64)],
    ):
        with pytest.raises(ValueError, match="networks: expected at least one, all dense"):
            train_together(bad, x, y, steps=1, lr=0.1, batch=10, rng=rng)
    assert not is_dense(softmax_net(7, 3).astype(complex)) and is_dense(nets[0])
    for labels, how, message in (
        (y, {"batch": 61}, "batch"),
        (y, {"lr": 0}, "lr: expected a positive number, got 0"),
        (y[1:], {}, "y: expected 60 labels, one an image, got 59"),
    ):
        with pytest.raises(ValueError, match=message):
            train_together(nets, x, labels, rng=rng, **{"steps": 1, "lr": 0.1, "batch": 10} | how)
    for options in (
        {},
        {"on_step": lambda step, net: None},
    ):  # the same step in both ways of training
        with (
            pytest.raises(
                FloatingPointError, match="not finite at step 1: a smaller lr than 1e[+]30"
            ),
            np.errstate(all="ignore"),
        ):
            train(
                nets[0], x, y, steps=50, lr=1e30, batch=10, rng=np.random.default_rng(0), **options
            )


def test_images_far_out_do_not_overflow():
    """The softmax is shifted: logits of 1e4 are as good as any."""
    x, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1])
    net = Network((Affine(1e4 * np.eye(2), np.zeros(2)),))
    _, losses = train(net, x, y, steps=2, lr=0.1, batch=2, rng=np.random.default_rng(0))
    assert losses.tolist() == [0.0, 0.0]
