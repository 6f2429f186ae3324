"""Networks trained together are the networks trained alone, step by step as train_step defines it."""

from functools import partial

import numpy as np
import pytest

from refimpl.companions.cnn.architectures import small_net
from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.losses import cross_entropy, squared_error
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.optimize import adam, momentum, sgd
from refimpl.training import is_dense, minibatches, train, train_step, train_together


def deep(rng, activation):
    """7-6-5-3."""
    first = one_hidden_net(7, 6, 5, rng=rng, activation=activation)
    return Network((*first.layers, activation, *softmax_net(5, 3, rng=rng, sigma=0.5).layers))


def shallow(rng, activation):
    return softmax_net(7, 3, rng=rng, sigma=0.5)


def small_images(rng, activation):
    return small_net((1, 8, 8), 3, rng=rng)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [shallow, hidden, deep, small_images])
def test_what_is_asked_beside_training_changes_no_bit(make, dtype):
    """A callback, another name for the loss or the update, train_step by hand: the same bits."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 7)), rng.integers(0, 3, 60)
    if make is small_images:
        x = rng.random((60, 64))
    net = make(rng, ReLU()).astype(dtype)
    how = {"steps": 12, "lr": 0.1, "batch": 20, "falling": True}
    expected, losses = train(net, x, y, rng=np.random.default_rng(9), **how)
    for other in (
        {"on_step": lambda step, net: None},
        {"loss": lambda z, y: cross_entropy(z, y)},
        {"loss": lambda z, y: cross_entropy(z, np.eye(3)[y])},
        {"update": lambda p, g, s, lr: sgd(p, g, s, lr=lr)},
        {"project": lambda net: net},
    ):
        found, same = train(net, x, y, rng=np.random.default_rng(9), **how, **other)
        assert np.array_equal(same, losses)
        for a, b in zip(found.parameters, expected.parameters, strict=True):
            assert np.array_equal(a, b) and a.dtype == dtype
    by_hand, _ = by_steps(net, x, y, rng=np.random.default_rng(9), update=sgd, **how)
    for a, b in zip(by_hand.parameters, expected.parameters, strict=True):
        assert np.array_equal(a, b)


def test_ten_together_are_bit_for_bit_what_one_stack_of_one_is_for_any_loss():
    """A loss of another kind goes through the same loop: soft targets, squared error."""
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(60, 7)), rng.dirichlet(np.ones(3), 60)
    nets = [hidden(np.random.default_rng(s), Tanh()) for s in range(3)]
    for loss in (partial(cross_entropy, temperature=2.0), squared_error):
        how = {"steps": 12, "lr": 0.1, "batch": 20, "loss": loss}
        together, losses = train_together(nets, x, t, rng=np.random.default_rng(9), **how)
        for i, net in enumerate(nets):
            alone, own = train(net, x, t, rng=np.random.default_rng(9), **how)
            assert np.allclose(losses[:, i], own, rtol=1e-12)
            for a, b in zip(alone.parameters, together[i].parameters, strict=True):
                assert np.allclose(a, b, rtol=0, atol=1e-13)


def test_weights_keep_to_their_bound_and_project_is_called_after_every_step():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 7)), rng.integers(0, 3, 60)
    net = softmax_net(7, 3, rng=rng, sigma=1.0)
    how = {"steps": 5, "lr": 0.1, "batch": 20, "rng": rng}
    w = train(Network((Affine(*net.parameters, max_norm=0.1),)), x, y, **how)[0].parameters[0]
    assert np.linalg.norm(w, axis=0).max() <= 0.1 * (1 + 1e-12)
    kept, seen = net.parameters[0] > 0, []

    def project(net):
        seen.append(len(seen))
        return net.with_parameters((net.parameters[0] * kept, net.parameters[1]))

    sparse = train(net, x, y, **how, project=project, on_step=lambda i, n: seen.append(n))[0]
    assert np.array_equal(sparse.parameters[0] != 0, kept) and len(seen) == 10
    assert all(not (n.parameters[0] * ~kept).any() for n in seen[1::2])


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
        (y[1:], {}, "y: expected 60 labels or targets, one an image, got 59"),
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
