"""Adam against its algorithm written out in scalars, closed forms, and numbers that torch printed."""

import inspect
import math

import numpy as np
import pytest

from refimpl.optimize import adam


def by_hand(x, gradients, lr, beta1, beta2, eps):
    """Algorithm 1 of Kingma and Ba (2015), one number at a time, line by line."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        x = x - lr * m_hat / (math.sqrt(v_hat) + eps)
    return x


def run(x, gradients, **options):
    state = None
    for g in gradients:
        x, state = adam(x, g, state, **options)
    return x, state


@pytest.mark.parametrize(
    "options",
    [{"lr": 0.1}, {"lr": 1e-3, "beta1": 0.5, "beta2": 0.7, "eps": 1e-2}, {"lr": 3.0, "beta1": 0.0}],
)
def test_algorithm_1_by_hand(rng, options):
    x, gradients = (
        rng.normal(size=(3, 4)),
        rng.normal(size=(25, 3, 4)) * rng.choice([1e-6, 1.0, 1e6], (3, 4)),
    )
    kept = x.copy(), gradients.copy()
    moved, (t, m, v) = run(x, gradients, **options)
    full = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8} | options
    for i in np.ndindex(3, 4):
        assert moved[i] == pytest.approx(
            by_hand(x[i], gradients[(slice(None), *i)], **full), rel=1e-13, abs=1e-14
        )
    assert t == 25 and m.shape == v.shape == x.shape
    assert np.array_equal(x, kept[0]) and np.array_equal(gradients, kept[1])


def test_torch_2_says_the_same():
    """torch.optim.Adam in float64, lr .1; eps counts in the last coordinate."""
    gradients = np.array([[0.3, -4.0, 1e-9], [-0.1, 2.0, 5e-9], [0.7, 0.0, -3e-8]])
    printed = [
        [0.9000000033333332, -1.90000000025, 0.4909090909090909],
        [0.8599781479280808, -1.8733662963681956, 0.4680869859420027],
        [0.7890257503390989, -1.852778366089437, 0.5011237719947238],
    ]
    x, state = np.array([1.0, -2.0, 0.5]), None
    for g, expected in zip(gradients, printed):
        x, state = adam(x, g, state, lr=0.1)
        assert np.allclose(x, expected, rtol=1e-14, atol=0)


def test_a_constant_gradient_moves_by_lr_at_every_step(rng):
    """m_hat = g and v_hat = g^2 whatever t is: x_t = x_0 - t lr g / (|g| + eps)."""
    x, g = rng.normal(size=20), rng.normal(size=20) * 10.0 ** rng.integers(-9, 3, 20)
    for t in (1, 2, 50):
        moved, _ = run(x, [g] * t, lr=0.01)
        assert np.allclose(moved, x - t * 0.01 * g / (np.abs(g) + 1e-8), rtol=0, atol=1e-13)


def test_the_scale_of_the_loss_does_not_matter(rng):
    x, gradients = rng.normal(size=6), rng.normal(size=(10, 6))
    a, b = (run(x, scale * gradients, lr=0.1, eps=0.0)[0] for scale in (1.0, 1024.0))
    assert np.array_equal(a, b)


def test_a_state_is_not_changed_and_can_be_used_again(rng):
    x, gradients = rng.normal(size=5), rng.normal(size=(4, 5))
    x, state = run(x, gradients[:2], lr=0.1)
    kept = [np.copy(s) for s in state]
    once, twice = run_from(x, state, gradients[2:]), run_from(x, state, gradients[2:])
    assert np.array_equal(once, twice) and all(np.array_equal(s, k) for s, k in zip(state, kept))


def run_from(x, state, gradients):
    for g in gradients:
        x, state = adam(x, g, state, lr=0.1)
    return x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_in_dtype_out(rng, dtype):
    x, (t, m, v) = run(
        rng.normal(size=5).astype(dtype), rng.normal(size=(3, 5)).astype(dtype), lr=1e-3
    )
    assert x.dtype == m.dtype == v.dtype == dtype and type(t) is int


def test_the_published_defaults():
    defaults = {
        k: p.default
        for k, p in inspect.signature(adam).parameters.items()
        if p.default is not p.empty
    }
    assert defaults == {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
