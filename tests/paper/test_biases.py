"""T10: biases alone are a convex problem; its gradient, its minimum, when there is one, and that
there is one only.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.losses import cross_entropy, softmax
from refimpl.paper.biases import bias_loss, train_biases
from refimpl.paper.theorems import t10

seeds = st.integers(0, 10**6)


def problem(seed, k, scale=2.0):
    """Scores (N, K) and labels in which every class occurs."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, scale, (40, k)), np.concatenate([np.arange(k), rng.integers(0, k, 40 - k)])


@given(seed=seeds, k=st.integers(2, 6))
def test_gradient_and_hessian_by_the_complex_step(seed, k):
    scores, y = problem(seed, k)
    b = np.random.default_rng(seed + 1).normal(size=k)
    loss, gradient, hessian = bias_loss(scores, y, b)
    for c, direction in enumerate(np.eye(k)):
        moved = bias_loss(scores, y, b + 1e-20j * direction)
        assert abs(moved[0].imag / 1e-20 - gradient[c]) < 1e-13
        assert np.abs(moved[1].imag / 1e-20 - hessian[c]).max() < 1e-13
    value, dz = cross_entropy(scores + b, y)
    assert abs(loss - value) < 1e-13 and np.abs(dz.sum(axis=0) - gradient).max() < 1e-14


@given(seed=seeds, k=st.integers(2, 6), scale=st.sampled_from([0.1, 2.0, 30.0]))
def test_the_minimum_has_mean_probabilities_equal_to_the_shares_and_is_unique(seed, k, scale):
    scores, y = problem(seed, k, scale)
    share = np.bincount(y, minlength=k) / len(y)
    found = train_biases(scores, y)
    assert np.abs(softmax(scores + found.b).mean(axis=0) - share).max() < 1e-9
    other = train_biases(scores, y, start=np.random.default_rng(seed).normal(0, 5, k))
    assert abs(found.b.sum()) < 1e-9 and np.abs(found.b - other.b).max() < 1e-5 * (1 + scale)
    assert (
        np.linalg.eigvalsh(bias_loss(scores, y, found.b)[2])[1] > 0
    )  # one null direction, the shift, and no other
    assert abs(bias_loss(scores, y, found.b + 3)[0] - found.loss) < 1e-12 * (1 + scale)
    for direction in np.random.default_rng(seed).normal(size=(5, k)):
        assert bias_loss(scores, y, found.b + 0.1 * direction)[0] >= found.loss - 1e-12 * (
            1 + scale
        )


def test_without_scores_the_biases_are_the_log_shares():
    y = np.repeat([0, 1, 2], [5, 3, 2])
    found = train_biases(np.zeros((10, 3)), y)
    expected = np.log([0.5, 0.3, 0.2])
    assert np.allclose(found.b, expected - expected.mean(), rtol=0, atol=1e-12)
    assert found.steps <= 8


def test_a_class_that_does_not_occur_has_no_minimum():
    scores, y = problem(1, 4)
    kept = y != 2
    with pytest.raises(ValueError, match=r"every class 0 to 3 to occur .* found none of \[2\]"):
        train_biases(scores[kept], y[kept])
    below = [bias_loss(scores[kept], y[kept], np.array([0, 0, -t, 0.0])) for t in (0, 5, 10, 20)]
    assert all(np.diff([v[0] for v in below]) < 0) and all(v[1][2] > 0 for v in below)


def test_far_starts_are_damped():
    scores, y = problem(3, 3, 1.0)
    expected = train_biases(scores, y).b
    assert np.allclose(
        train_biases(scores, y, start=np.array([40.0, -40.0, 0.0])).b, expected, atol=1e-8
    )


@pytest.mark.parametrize(
    "scores, y, match",
    [
        (np.zeros(4), np.array([0, 1, 0, 1]), "scores: expected finite"),
        (np.zeros((3, 2)), np.array([0, 1]), "scores"),
        (np.full((2, 2), np.nan), np.array([0, 1]), "scores"),
        (np.zeros((2, 2)), np.array([0, 2]), "y: expected labels"),
        (np.zeros((2, 2)), np.array([0.0, 1.0]), "y: expected integer"),
    ],
)
def test_bad_arguments(scores, y, match):
    with pytest.raises(ValueError, match=match):
        train_biases(scores, y)


@pytest.mark.parametrize("start", [np.zeros(3), np.array([0, np.nan]), 1.0])
def test_a_bad_start(start):
    with pytest.raises(ValueError, match="start: expected 2 finite numbers, got"):
        train_biases(np.zeros((2, 2)), np.array([0, 1]), start=start)


def test_theorem_10_on_a_trained_teacher(teacher, digits, rng):
    checks = t10(teacher, rng, digits.test_x, digits.test_y)
    assert len(checks) == 3 and all(check.holds for check in checks), checks
