"""Levenberg-Marquardt against closed forms, least squares by SVD, units, rank, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.companions.extraction.least_squares import levenberg_marquardt

seeds = st.integers(0, 10**6)


def affine(a, b):
    return lambda x: (a @ x - b, a)


def rosenbrock(x):
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]), np.array(
        [[-20 * x[0], 10.0], [-1.0, 0.0]]
    )


def curve(t, y):
    """y = x0 exp(x1 t) + x2."""

    def residuals_and_jacobian(x):
        e = np.exp(x[1] * t)
        return x[0] * e + x[2] - y, np.stack([e, x[0] * t * e, np.ones_like(t)], axis=1)

    return residuals_and_jacobian


@given(seed=seeds, m=st.integers(1, 12), n=st.integers(1, 12), rank=st.integers(1, 12))
def test_linear_residuals_end_at_least_squares(seed, m, n, rank):
    """M above and below n, full rank or not: the fit is the oracle's, and the null space is not
    moved.
    """
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(m, rank)) @ rng.normal(size=(rank, n))
    b, x0 = rng.normal(size=m), rng.normal(size=n)
    x, history, _ = levenberg_marquardt(affine(a, b), x0, steps=100, tol=1e-13)
    oracle = np.linalg.lstsq(a, b, rcond=1e-10)[0]
    assert np.abs(a @ (x - oracle)).max() < 1e-7 * (1 + np.abs(b).max())
    assert (np.diff(history) <= 1e-14 * history[0]).all()
    assert np.isclose(history[0], np.sum((a @ x0 - b) ** 2) / 2, rtol=1e-12)


def test_rosenbrock_to_the_last_bit():
    x, history, converged = levenberg_marquardt(rosenbrock, np.array([-1.2, 1.0]), steps=100)
    assert converged and np.abs(x - 1).max() < 1e-14 and len(history) < 40


@given(seed=seeds)
def test_an_exact_fit_is_found_to_round_off(seed):
    rng = np.random.default_rng(seed)
    true, t = (
        np.array([rng.uniform(1, 3), rng.uniform(-2, -0.5), rng.normal()]),
        np.linspace(0, 2, 9),
    )
    y = true[0] * np.exp(true[1] * t) + true[2]
    x, history, _ = levenberg_marquardt(curve(t, y), true + rng.uniform(-0.3, 0.3, 3), steps=200)
    assert np.abs(x - true).max() < 1e-10 and history[-1] < 1e-25


def test_a_fit_that_leaves_residuals_stops_where_they_are_orthogonal(rng):
    t = np.linspace(0, 2, 30)
    problem = curve(t, 2 * np.exp(-t) + 0.1 * rng.normal(size=30))
    x, history, converged = levenberg_marquardt(
        problem, np.array([1.0, -0.3, 0.0]), steps=300, tol=1e-8
    )
    r, j = problem(x)
    assert converged and history[-1] > 0.01
    assert np.abs(j.T @ r).max() <= 1e-8 * np.linalg.norm(j, axis=0).max() * np.linalg.norm(r)


@given(seed=seeds, power=st.integers(-6, 6))
def test_the_units_of_the_unknowns_do_not_matter(seed, power):
    rng = np.random.default_rng(seed)
    t, x0, units = np.linspace(0, 2, 9), rng.uniform(0.5, 1.5, 3), np.array([2.0**power, 1.0, 4.0])
    problem = curve(t, rng.normal(size=9))

    def in_other_units(u):
        r, j = problem(u / units)
        return r, j / units

    a = levenberg_marquardt(problem, x0, steps=5)
    b = levenberg_marquardt(in_other_units, x0 * units, steps=5)
    assert np.allclose(a[1], b[1], rtol=1e-9, atol=1e-12) and np.allclose(
        a[0] * units, b[0], rtol=1e-7
    )


def test_an_overflow_on_trial_is_refused():
    t = np.linspace(0, 50, 9)
    x, history, _ = levenberg_marquardt(
        curve(t, np.exp(0.3 * t)), np.array([1.0, 0.01, 0.0]), steps=300
    )
    assert np.isfinite(history).all() and (np.diff(history) <= 0).all()
    assert np.abs(x - [1, 0.3, 0]).max() < 1e-6


def test_steps_are_counted_and_a_solution_stays(rng):
    x0 = np.array([-1.2, 1.0])
    for steps in (0, 1, 5):
        _, history, converged = levenberg_marquardt(rosenbrock, x0, steps=steps)
        assert len(history) == steps + 1 and not converged
    x, history, converged = levenberg_marquardt(rosenbrock, np.ones(2), steps=5)
    assert converged and len(history) == 1 and np.array_equal(x, np.ones(2))
    assert np.array_equal(x0, [-1.2, 1.0])


@pytest.mark.parametrize(
    "x0, how, message",
    [
        (
            np.zeros((2, 2)),
            {"steps": 3},
            r"x0: expected a vector of finite numbers, got shape \(2, 2\)",
        ),
        (np.array([np.nan, 0]), {"steps": 3}, "x0: expected a vector of finite numbers"),
        (np.zeros(2), {"steps": -1}, "steps, tol: expected numbers >= 0, got -1"),
        (
            np.array([1e200, 0]),
            {"steps": 3},
            "x0: the residuals or the Jacobian are not finite there",
        ),
    ],
)
def test_bad_arguments(x0, how, message):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        levenberg_marquardt(rosenbrock, x0, **how)
