"""Training: minibatches, and full-batch descent in two forms against a loop written out."""

import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.descent import descend
from refimpl.dual import descend_dual
from refimpl.layers import ReLU
from refimpl.losses import cross_entropy, squared_error
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.optimize import momentum, sgd
from refimpl.training import minibatches, train


def test_an_epoch_is_a_permutation(rng):
    batches = list(minibatches(10, 3, 6, rng))
    assert all(len(b) == 3 for b in batches)
    first, second = np.concatenate(batches[:3]), np.concatenate(batches[3:])
    assert len(set(first)) == 9 and len(set(second)) == 9 and not np.array_equal(first, second)


@pytest.mark.parametrize("batch", [0, 11])
def test_a_batch_that_does_not_fit(rng, batch):
    with pytest.raises(ValueError, match=f"batch: expected 1 to 10 .* got {batch}"):
        next(minibatches(10, batch, 1, rng))


def problem(rng):
    return rng.random((40, 6)).astype(np.float32), rng.integers(0, 3, 40)


@pytest.mark.parametrize("falling", [False, True])
def test_train_is_sgd_written_out(rng, falling):
    x, y = problem(rng)
    net = one_hidden_net(6, 4, 3, rng=rng)
    kept = [p.copy() for p in net.parameters]
    trained, losses = train(
        net, x, y, steps=30, lr=0.3, batch=8, rng=np.random.default_rng(1), falling=falling
    )
    w1, b1, w2, b2 = kept
    for step, rows in enumerate(minibatches(40, 8, 30, np.random.default_rng(1))):
        xb = x[rows].astype(float)
        h = np.maximum(xb @ w1 + b1, 0)
        value, dz = cross_entropy(h @ w2 + b2, y[rows])
        assert losses[step] == pytest.approx(value, rel=1e-12)
        dh = (dz @ w2.T) * (h > 0)
        lr = 0.3 * (1 - step / 30) if falling else 0.3
        w1, b1, w2, b2 = (
            w1 - lr * xb.T @ dh,
            b1 - lr * dh.sum(0),
            w2 - lr * h.T @ dz,
            b2 - lr * dz.sum(0),
        )
    for ours, by_hand in zip(trained.parameters, (w1, b1, w2, b2)):
        assert np.allclose(ours, by_hand, rtol=1e-10, atol=1e-13)
    assert all(np.array_equal(a, b) for a, b in zip(net.parameters, kept))


def test_the_seed_decides_everything_and_steps_are_seen(rng):
    x, y = problem(rng)
    seen = []
    runs = [
        train(
            softmax_net(6, 3),
            x,
            y,
            steps=9,
            lr=0.3,
            batch=8,
            rng=np.random.default_rng(seed),
            on_step=lambda step, net: seen.append(step),
        )[0].parameters[0]
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])
    assert seen == [*range(9)] * 3


@pytest.mark.parametrize("how", [{}, {"on_step": lambda step, net: None}], ids=["fast", "by steps"])
@pytest.mark.parametrize("lr", [0, -0.1, float("nan")])
def test_a_label_too_many_and_a_bad_lr(rng, how, lr):
    x, y = problem(rng)
    for labels, words in (
        (y[1:], "y: expected 40 labels or targets, one an image, got 39"),
        ([*y, 0], "expected 40 .* got 41"),
    ):
        with pytest.raises(ValueError, match=words):
            train(softmax_net(6, 3), x, np.array(labels), steps=1, lr=0.1, batch=8, rng=rng, **how)
    with pytest.raises(ValueError, match=f"lr: expected a positive number, got {lr!r}"):
        train(softmax_net(6, 3), x, y, steps=1, lr=lr, batch=8, rng=rng, **how)


def test_bad_labels_and_divergence(rng):
    x, y = problem(rng)
    with pytest.raises(ValueError, match=r"y: expected labels in \[0, 3\), found 0 to 7"):
        train(softmax_net(6, 3), x, np.where(y == 1, 7, y), steps=1, lr=0.1, batch=8, rng=rng)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="not finite at step"):
        train(softmax_net(6, 3), 1e200 * x.astype(float), y, steps=50, lr=1e9, batch=8, rng=rng)


def test_descend_stops_by_its_rule(rng):
    x, t = rng.normal(size=(5, 8)), rng.normal(size=(5, 3))
    done = descend(softmax_net(8, 3), x, t, squared_error, lr=0.2, steps=5000, tol=1e-6)
    z = done.network.logits(x)
    _, dz = squared_error(z, t)
    _, dz0 = squared_error(0 * z, t)
    size = [np.sqrt(((x.T @ d) ** 2).sum() + (d.sum(axis=0) ** 2).sum()) for d in (dz, dz0)]
    assert done.converged and size[0] <= 1e-6 * size[1] and np.all(np.diff(done.losses) <= 0)
    assert not descend(softmax_net(8, 3), x, t, squared_error, lr=0.2, steps=3).converged
    assert len(descend(softmax_net(8, 3), x, t, squared_error, lr=0.2, steps=3).losses) == 3


@given(
    st.integers(0, 10**6),
    st.integers(1, 7),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from([sgd, momentum]),
    st.sampled_from([squared_error, cross_entropy]),
)
def test_primal_and_dual_are_one_descent(seed, n, d, k, update, loss):
    """T9, for sgd and momentum, for squared error and (soft-target) cross-entropy, from any start."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(n, d)), rng.dirichlet(np.ones(k), n)
    start = softmax_net(d, k, rng=rng, sigma=0.5)
    lr = 0.5 * n / np.linalg.eigvalsh(x @ x.T + 1)[-1]
    runs = [
        form(start, x, t, loss, lr=lr, steps=25, tol=0, update=update)
        for form in (descend, descend_dual)
    ]
    for a, b in zip(runs[0].network.parameters, runs[1].network.parameters):
        assert np.allclose(a, b, rtol=0, atol=1e-12 * (1 + np.abs(a).max()))
    assert np.allclose(runs[0].losses, runs[1].losses, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    "lr, steps, tol, converged",
    [(0.1, 600, 0, False), (0.3, 2000, 1e-6, True), (0.1, 256, 0, False), (0.1, 0, 0, False)],
)
@pytest.mark.parametrize("temperature", [None, 1.0, 2.0])
def test_the_short_loop_is_the_long_one(rng, temperature, lr, steps, tol, converged):
    """Over several blocks, stopping within one: the same losses, number of steps, parameters and
    verdict. Probabilities may add up to anything.
    """
    x, t, own = rng.normal(size=(6, 9)), rng.normal(size=(6, 3)), squared_error
    if temperature:
        own = partial(cross_entropy, temperature=temperature)
        t, lr = rng.dirichlet(np.ones(3), 6) * rng.uniform(0.5, 2, (6, 1)), 2 * lr * temperature**2
    start = softmax_net(9, 3, rng=rng, sigma=0.5)
    short, long = (
        descend_dual(start, x, t, loss, lr=lr, steps=steps, tol=tol)
        for loss in (own, lambda z, t: own(z, t))
    )
    assert short.converged == long.converged == converged and len(short.losses) == len(long.losses)
    assert not converged or 256 < len(short.losses) < steps
    assert np.allclose(short.losses, long.losses, rtol=1e-9, atol=1e-28)
    for a, b in zip(short.network.parameters, long.network.parameters):
        assert np.allclose(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("lr, block", [(0.8, 1), (10.0, 0)])
def test_both_loops_name_the_step_of_divergence(lr, block):
    rng, said = np.random.default_rng(0), []
    x, t = rng.normal(size=(6, 9)), rng.normal(size=(6, 3))
    for loss in squared_error, lambda z, t: squared_error(z, t):
        with (
            np.errstate(all="ignore"),
            pytest.raises(FloatingPointError, match="not finite at step") as error,
        ):
            descend_dual(softmax_net(9, 3), x, t, loss, lr=lr, steps=3000)
        said.append(str(error.value))
    assert said[0] == said[1] and int(re.search(r"step (\d+)", said[0])[1]) // 256 == block


@pytest.mark.parametrize("kinds", [["Affine", "ReLU", "Affine"], ["ReLU"]])
def test_dual_refuses_what_is_not_one_affine_layer(rng, kinds):
    net = Network(one_hidden_net(6, 4, 3, rng=rng).layers if len(kinds) == 3 else (ReLU(),))
    with pytest.raises(
        ValueError, match=re.escape(f"network: the dual form needs one Affine layer, got {kinds}")
    ):
        descend_dual(net, np.zeros((2, 6)), np.zeros((2, 3)), squared_error, lr=1, steps=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_are_trained_on_as_the_grey_levels_that_they_are(rng, dtype):
    pixels, y = rng.integers(0, 256, (40, 6), dtype=np.uint8), rng.integers(0, 3, 40)
    grey = pixels.astype(np.float32) / np.float32(255)
    net = one_hidden_net(6, 4, 3, rng=rng, dtype=dtype)
    (a, _), (b, _) = (
        train(net, x, y, steps=20, lr=0.3, batch=8, rng=1)
        for x in (pixels, grey[:, ::-1].copy()[:, ::-1])  # the second lies in no order of its own
    )
    assert all(np.array_equal(p, q) for p, q in zip(a.parameters, b.parameters))


def test_what_a_step_saw_stays_what_it_was(rng):
    """The arrays of a minibatch are used again; no network that was handed out has one of them."""
    x, y = problem(rng)
    seen = []
    net = softmax_net(6, 3)
    train(net, x, y, steps=5, lr=0.3, batch=8, rng=1, on_step=lambda step, n: seen.append(n))
    for steps, kept in enumerate(seen, 1):
        alone, _ = train(net, x, y, steps=steps, lr=0.3, batch=8, rng=1)
        assert all(np.array_equal(p, q) for p, q in zip(kept.parameters, alone.parameters))
