"""Inversion by regularization: exact where it can be, the rank argument, gradients by the complex
step.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numeric import assert_gradient

from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.inversion import inversion
from refimpl.companions.inversion.inversion import (
    curvature,
    invert,
    natural,
    noise,
    representation_error,
    staircase,
)
from refimpl.companions.maximization.priors import alpha_norm, total_variation
from refimpl.layers import Affine, ReLU
from refimpl.network import Network
from refimpl.optimize import momentum, with_priors


def conditioned(rng, d, k, low=0.7):
    """A (d, k) matrix with singular values between low and 1."""
    u, _, v = np.linalg.svd(rng.normal(size=(d, k)), full_matrices=False)
    return u * rng.uniform(low, 1, min(d, k)) @ v


def linear(rng, *sizes):
    return Network(
        tuple(Affine(conditioned(rng, d, k), rng.normal(size=k)) for d, k in zip(sizes, sizes[1:]))
    )


def linear_limit(w, target, start):
    """Where the descent of the error of phi(x) = x w ends; from a start of zero the solution of
    smallest norm.
    """
    return start + (target - start @ w) @ np.linalg.pinv(w)


@pytest.mark.parametrize("layers", [2, 3, 4, 6, 7, 9, 11])
def test_gradient_at_every_kind_of_layer(rng, layers):
    network = small_net((1, 8, 8), 4, rng=rng, dtype=np.float64)
    target = network.forward(rng.random((2, 64)), upto=layers)[0]
    objective, _ = with_priors(
        natural((1, 8, 8), variation=0.3, bound=0.2), representation_error(network, layers, target)
    )
    x = rng.random((2, 64))
    for n in range(2):
        assert_gradient(
            lambda v, n=n: objective(v, 0)[0][n],
            x,
            objective(x, 0)[1] * (np.arange(2) == n)[:, None],
            scale=10,
        )


def test_the_error_is_normalized(rng):
    network = linear(rng, 5, 4)
    x, x0 = rng.random((2, 3, 5))
    target, a = network.forward(x0)[0], network.forward(x)[0]
    wanted = -((a - target) ** 2).sum(axis=1) / (target**2).sum(axis=1)
    assert np.allclose(representation_error(network, 1, target)(x, 0)[0], wanted, rtol=1e-13)
    zero = representation_error(network, 1, target)(np.zeros_like(x), 0)[0]
    assert np.allclose(
        zero, -((network.layers[0].b - target) ** 2).sum(axis=1) / (target**2).sum(axis=1)
    )


def test_priors_are_per_pixel(rng):
    """Both weights in closed form: over the number of pixels and a typical size, 1 / 6.5 and 1."""
    x = rng.random((2, 24))
    objective, _ = with_priors(
        natural((1, 4, 6), variation=2.0, bound=3.0), lambda x, step: (0 * x[:, 0], 0 * x)
    )
    wanted = -2 * 6.5**2 / 24 * total_variation(x, (1, 4, 6))[0] - 3 / 24 * alpha_norm(x)[0]
    assert np.allclose(objective(x, 0)[0], wanted, rtol=1e-13)


def test_an_invertible_linear_layer_is_inverted_exactly(rng):
    network, x0 = linear(rng, 12, 12), rng.random((4, 12))
    found, errors, _ = invert(
        network,
        1,
        network.forward(x0)[0],
        rng.normal(size=(3, 4, 12)),
        steps=400,
        stages=1,
        beta=0.5,
        rng=rng,
    )
    assert (
        np.abs(found - x0).max() <= 1e-13 * 12 and errors.shape == (3, 4) and errors.max() <= 1e-26
    )


def test_a_linear_layer_ends_at_its_limit(rng):
    """From any start: what the layer does not see stays; from zero the solution of smallest norm."""
    network, x0, start = linear(rng, 10, 4), rng.random((3, 10)), rng.normal(size=(3, 10))
    w, b = network.parameters
    found = invert(
        network, 1, network.forward(x0)[0], start[None], steps=300, stages=1, beta=0.5, rng=rng
    )[0][0]
    assert np.abs(found - linear_limit(w, network.forward(x0)[0] - b, start)).max() <= 1e-12


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_for_linear_layers_the_smallest_solution_cannot_improve_with_depth(seed, sizes):
    rng = np.random.default_rng(seed)
    x0, w, before = rng.normal(size=(3, 8)), np.eye(8), 0.0
    for k in sizes:
        w = w @ rng.normal(size=(w.shape[1], k))
        error = np.linalg.norm(linear_limit(w, x0 @ w, np.zeros_like(x0)) - x0, axis=1)
        assert (error >= before - 1e-6).all()
        before = error


def test_that_holds_of_the_descent_itself(rng):
    network, x0 = linear(rng, 9, 7, 5, 5, 2), rng.random((2, 9))
    errors = [
        np.linalg.norm(
            invert(
                network,
                k,
                network.forward(x0, upto=k)[0],
                np.zeros((1, 2, 9)),
                steps=400,
                stages=1,
                beta=0.5,
                rng=rng,
            )[0][0]
            - x0,
            axis=1,
        )
        for k in range(1, 5)
    ]
    assert (
        all((b >= a - 1e-9).all() for a, b in zip(errors, errors[1:]))
        and (errors[3] > errors[0] + 0.01).all()
    )
    assert np.allclose(errors[1], errors[2], atol=1e-6)  # an invertible layer loses nothing


def test_staircase_is_momentum_with_a_falling_rate(rng):
    a = b = rng.normal(size=(2, 3))
    s = t = None
    for g in rng.normal(size=(6, 2, 3)):
        (a, s), (b, t) = (
            staircase(a, g, s, lr=0.3, beta=0.8, every=99),
            momentum(b, g, t, lr=0.3, beta=0.8),
        )
        assert np.allclose(a, b, rtol=1e-13)
    x, s, rates = np.zeros(1), None, []
    for _ in range(6):
        moved, s = staircase(x, np.ones(1), s, lr=1.0, beta=0.0, every=2)
        rates.append(float(x[0] - moved[0]))
        x = moved
    assert np.allclose(rates, [1, 1, 0.1, 0.1, 0.01, 0.01])


def test_curvature_of_a_linear_layer(rng, monkeypatch):
    monkeypatch.setattr(inversion, "POWER_STEPS", 200)
    network, x0 = linear(rng, 6, 6), rng.random((2, 6))
    target = network.forward(x0)[0]
    wanted = 2 * np.linalg.norm(network.layers[0].w, 2) ** 2 / (target**2).sum(axis=1)
    found = curvature(representation_error(network, 1, target), rng.random((2, 6)), rng)
    assert np.allclose(found, wanted, rtol=1e-6)


def test_the_best_start_is_named(rng):
    """Of a start at the solution and one behind a closed gate the first is the best, wherever it
    stands.
    """
    network = Network((Affine(np.eye(4), np.zeros(4)), ReLU(), Affine(np.eye(4), np.zeros(4))))
    x0 = rng.uniform(1, 2, (2, 4))
    starts = np.array([[x0[0], -x0[1]], [-x0[0], x0[1]]])
    found, errors, best = invert(network, 3, x0, starts, steps=5, lr=0.1)
    assert (
        best.tolist() == [0, 1]
        and np.allclose(found, starts)
        and np.allclose(errors, [[0, 1], [1, 0]])
    )


def test_noise_is_small_and_seeded():
    a, b = (noise((2, 3, 4), np.random.default_rng(0)) for _ in range(2))
    assert np.array_equal(a, b) and a.dtype == np.float32 and np.abs(a).max() < 0.5


def test_a_target_of_integers_is_one_of_floats(rng):
    network, x = linear(rng, 5, 3), rng.random((1, 5))
    whole = np.array([[3, -1, 2]])
    found, wanted = (
        representation_error(network, 1, t)(x, 0) for t in (whole, whole.astype(float))
    )
    assert found[0] == wanted[0] < 0 and np.array_equal(found[1], wanted[1])


def test_bad_input_is_named(rng):
    network, start = linear(rng, 5, 3), np.zeros((1, 2, 5))
    target = network.forward(rng.random((2, 5)))[0]
    dead = target * np.array([[1], [0]])
    bad = target.copy()
    bad[1, 2] = np.nan
    closed = Network((Affine(np.eye(3), np.full(3, -9.0)), ReLU(), Affine(np.eye(3), np.ones(3))))
    for call, word in (
        (lambda: representation_error(network, 2, target), "layers: expected 1 to 1"),
        (lambda: representation_error(network, 1, target[:, :2]), "target: expected shape"),
        (lambda: representation_error(network, 1, dead), "image 1 is zero"),
        (lambda: representation_error(network, 1, bad), "found others in image 1"),
        (lambda: invert(network, 1, target, start[0], lr=1), "starts"),
        (lambda: invert(network, 1, target, start[:, :1], lr=1), "starts"),
        (lambda: invert(network, 1, target, start, stages=0, lr=1), "stages"),
        (
            lambda: invert(closed, 2, np.ones((1, 3)), np.zeros((1, 1, 3)), rng=rng),
            "flat around every start",
        ),
        (lambda: invert(network, 1, target, start), "rng"),
    ):
        with pytest.raises(ValueError, match=word):
            call()
