"""The optimizers against their recurrences, and the one ascent loop."""

import numpy as np
import pytest

from refimpl.optimize import ascend, momentum, sgd


def quadratic(x, step):
    return -(x * x).sum(axis=1), -2 * x


def test_sgd_and_momentum_by_hand(rng):
    x, gradients = rng.normal(size=3), rng.normal(size=(4, 3))
    by_hand, v, state, moved = x.copy(), np.zeros(3), None, x
    for g in gradients:
        v = 0.8 * v + g
        by_hand = by_hand - 0.1 * v
        moved, state = momentum(moved, g, state, lr=0.1, beta=0.8)
    assert np.allclose(moved, by_hand, rtol=0, atol=1e-15)
    default, pinned = (
        momentum(x, gradients[1], gradients[0], lr=0.1, **beta)[0] for beta in ({}, {"beta": 0.9})
    )
    assert np.array_equal(default, pinned)
    assert np.array_equal(sgd(x, gradients[0], None, lr=0.5)[0], x - 0.5 * gradients[0])


def test_history_has_the_start_and_every_step(rng):
    x0 = rng.normal(size=(5, 3))
    kept = x0.copy()
    x, values = ascend(quadratic, x0, steps=7, lr=0.1)
    assert values.shape == (8, 5) and np.array_equal(x0, kept)
    assert np.allclose(x, 0.8**7 * x0, rtol=1e-14)
    assert np.allclose(values, -np.outer(0.64 ** np.arange(8), (x0 * x0).sum(axis=1)), rtol=1e-13)


def test_images_do_not_mix(rng):
    x0 = rng.normal(size=(5, 3))
    together, _ = ascend(quadratic, x0, steps=5, lr=0.3)
    alone = np.vstack([ascend(quadratic, row[None], steps=5, lr=0.3)[0] for row in x0])
    assert np.array_equal(together, alone)


def test_zero_steps_and_projection(rng):
    x0 = rng.normal(size=(2, 3))
    x, values = ascend(quadratic, x0, steps=0, lr=0.1)
    assert np.array_equal(x, x0) and x is not x0 and values.shape == (1, 2)
    x, _ = ascend(
        lambda x, step: (x.sum(axis=1), np.ones_like(x)),
        x0,
        steps=50,
        lr=1,
        project=lambda x: np.minimum(x, 2),
    )
    assert np.array_equal(x, np.full((2, 3), 2.0))


def test_the_step_number_reaches_the_objective():
    seen = []
    ascend(
        lambda x, step: (seen.append(step), quadratic(x, step))[1], np.ones((1, 1)), steps=3, lr=0.1
    )
    assert seen == [0, 1, 2, 3]


def test_divergence_is_named():
    with (
        np.errstate(over="ignore"),
        pytest.raises(FloatingPointError, match="not finite at step .* lr than 1000000000"),
    ):
        ascend(lambda x, step: ((x**2).sum(axis=1), 2 * x), np.ones((1, 1)), steps=100, lr=1e9)


@pytest.mark.parametrize(
    "how, message",
    [
        ({"steps": -1, "lr": 1}, "steps: expected a whole number >= 0, got -1"),
        ({"steps": 1.5, "lr": 1}, "steps"),
        ({"steps": 1, "lr": 0}, "lr: expected a positive number, got 0"),
        ({"steps": 1, "lr": float("nan")}, "lr"),
    ],
)
def test_bad_arguments(how, message):
    with pytest.raises(ValueError, match=message):
        ascend(quadratic, np.ones((1, 1)), **how)
