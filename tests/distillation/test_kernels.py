"""The kernels against their definition by sampling and by closed forms, their gradients by the
checker.
"""

import numpy as np
import pytest

from refimpl.companions.distillation import kernels
from refimpl.companions.distillation.kernels import (
    gram,
    gram_backward,
    kernel,
    kernel_backward,
    profile,
)
from refimpl.gradcheck import assert_gradients, check_gradients


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def sampled(x, s, depth, width, rng):
    """The tangent kernel of one random finite network in NTK parametrization: all its weight
    gradients at x and at s, multiplied. x, s (D,).
    """
    d = len(x)
    inputs, backs = [], []
    weights = [
        rng.normal(size=(d if i == 0 else width, 1 if i == depth else width))
        for i in range(depth + 1)
    ]
    for v in (x, s):
        h, before, gates = v / np.sqrt(d), [], []
        for w in weights[:-1]:
            before.append(h)
            z = h @ w
            gates.append(z > 0)
            h = np.maximum(z, 0) * np.sqrt(2 / width)
        before.append(h)
        g, back = np.ones(1), []
        for i in range(depth, -1, -1):
            back.append(g)
            if i:
                g = (weights[i] @ g) * gates[i - 1] * np.sqrt(2 / width)
        inputs.append(before)
        backs.append(back[::-1])
    return sum((a @ b) * (c @ e) for a, b, c, e in zip(inputs[0], inputs[1], backs[0], backs[1]))


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_kernel_is_the_limit_of_wide_networks(depth, rng):
    x, s = rng.normal(size=(2, 6))
    found = np.mean([sampled(x, s, depth, 800, rng) for _ in range(40)])
    assert found == pytest.approx(kernel(x[None], s[None], depth=depth)[0][0, 0], rel=0.03)


@pytest.mark.parametrize("depth", kernels.DEPTHS)
def test_the_diagonal_is_the_limit_of_small_angles(depth, rng):
    s = rng.normal(size=(1, 9))
    near = s + 1e-4 * rng.normal(size=s.shape)
    assert gram(s, depth=depth)[0][0, 0] == pytest.approx((depth + 1) * (s * s).sum() / 9)
    assert kernel(near, s, depth=depth)[0][0, 0] == pytest.approx(
        gram(s, depth=depth)[0][0, 0], rel=1e-3
    )


def test_depth_zero_is_the_scalar_product(rng):
    x, s = rng.normal(size=(3, 5)), rng.normal(size=(2, 5))
    assert np.allclose(kernel(x, s, depth=0)[0], x @ s.T / 5, rtol=1e-14)


@pytest.mark.parametrize("depth", kernels.DEPTHS)
def test_the_gradients(depth, rng):
    x, s = rng.normal(size=(3, 7)), rng.normal(size=(4, 7))
    assert_gradients(
        lambda s: kernel(x.astype(s.real.dtype), s, depth=depth)[0],
        lambda dk, s: kernel_backward(dk, kernel(x.astype(s.dtype), s, depth=depth)[1]),
        s,
        rng=rng,
    )
    assert_gradients(
        lambda s: gram(s, depth=depth)[0],
        lambda dk, s: gram_backward(dk, gram(s, depth=depth)[1]),
        s,
        rng=rng,
    )
    c = rng.uniform(-0.9, 0.9, 20)
    assert_gradients(
        lambda c: profile(c, depth)[0], lambda d, c: d * profile(c, depth)[1], c, rng=rng
    )


def one_side(dk, cache):
    """Planted: s_i stands on one side only."""
    depth, parts = cache
    off = dk - np.diag(np.diagonal(dk))
    own = np.diagonal(dk)[:, None] * (2 * (depth + 1) / parts[1].shape[1])
    return kernel_backward(off, parts) + own * parts[1]


def angle_alone(dk, cache):
    """Planted: the norm of s is forgotten."""
    x, s, size_x, size_s, c, f, df = cache
    along_s = ((dk * -(c * df)).T @ size_x) / size_s
    return ((dk * df).T @ x + along_s * s) / x.shape[1]


def test_planted_errors_are_caught(rng):
    x, s = rng.normal(size=(3, 7)), rng.normal(size=(4, 7))
    for function, wrong in ((gram, one_side), (lambda s: kernel(x, s), angle_alone)):
        report = check_gradients(
            lambda s, f=function: f(s)[0],
            lambda dk, s, f=function, w=wrong: w(dk, f(s)[1]),
            s,
            rng=rng,
            dtypes=(),
        )
        assert report.verdict == "fail"


def test_equal_images_stay_finite():
    s = np.ones((2, 4))
    k, cache = gram(s, depth=3)
    assert np.isfinite(k).all() and np.isfinite(gram_backward(np.ones((2, 2)), cache)).all()


@pytest.mark.parametrize(
    "x, s, depth, message",
    [
        (np.ones((1, 2)), np.ones((1, 3)), 1, "expected .M, D."),
        (np.ones((1, 2)), np.zeros((1, 2)), 1, "s: expected images that are not all zero"),
        (np.full((1, 2), np.nan), np.ones((1, 2)), 1, "x: expected images that are not all zero"),
        (np.ones((1, 2)), np.ones((1, 2)), 4, "depth: expected one of"),
    ],
)
def test_bad_input(x, s, depth, message):
    with pytest.raises(ValueError, match=message):
        kernel(x, s, depth=depth)


def test_gram_names_its_own_argument():
    with pytest.raises(ValueError, match="^s: expected images that are not all zero"):
        gram(np.zeros((2, 3)))
