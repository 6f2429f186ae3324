"""Retraining: descent against its oracle, least squares; forms, losses, starts, and what is
refused.
"""

import inspect

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refimpl.network import one_hidden_net
from refimpl.retraining import retrain
from refimpl.theory import augmented, network_of, theta_of


def test_retrain_never_sees_the_teacher():
    assert "teacher" not in inspect.signature(retrain).parameters


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 7),
    d=st.integers(1, 9),
    k=st.integers(1, 4),
    form=st.sampled_from(["primal", "dual"]),
)
def test_descent_ends_at_least_squares(seed, n, d, k, form):
    """From zero it ends at the minimum-norm solution, whether the targets can be fitted or not."""
    rng = np.random.default_rng(seed)
    images, targets = rng.normal(size=(n, d)), rng.normal(size=(n, k))
    rows = augmented(images)
    sigma = np.linalg.svd(rows, compute_uv=False)
    assume(sigma[-1] > 0.05 * sigma[0])
    done = retrain(images, targets, form=form)
    oracle = np.linalg.lstsq(rows, targets, rcond=None)[0]
    assert done.converged and np.abs(theta_of(done.network) - oracle).max() < 1e-8


def test_the_forms_agree_to_round_off(rng):
    images, targets = rng.normal(size=(6, 10)), rng.normal(size=(6, 3))
    for temperature in (None, 4.0):
        a, b = (
            theta_of(
                retrain(images, targets, form=form, temperature=temperature, steps=300).network
            )
            for form in ("primal", "dual")
        )
        assert np.abs(a - b).max() < 1e-12


def test_cross_entropy_reaches_the_teachers_probabilities(rng):
    teacher = network_of(rng.normal(size=(7, 3)))
    images = rng.normal(size=(10, 6))  # more than D + 1: everything is determined
    done = retrain(images, teacher.logits(images), temperature=3.0)
    off = theta_of(done.network) - theta_of(teacher)
    assert done.converged and np.ptp(off, axis=1).max() < 1e-9


def test_a_start_and_a_hidden_layer(rng):
    images, targets = rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
    student = one_hidden_net(6, 8, 3, rng=rng)
    kept = [p.copy() for p in student.parameters]
    done = retrain(images, targets, student=student, lr=0.05, form="primal", steps=3000, tol=1e-6)
    assert done.losses[-1] < 1e-6 * done.losses[0]
    assert all(np.array_equal(a, b) for a, b in zip(student.parameters, kept))
    with pytest.raises(ValueError, match="lr: a student with hidden layers needs one"):
        retrain(images, targets, student=student, form="primal")


def test_steps_bound_and_stopping(rng):
    images, targets = rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
    assert (
        len(retrain(images, targets, steps=3).losses) == 3
        and not retrain(images, targets, steps=3).converged
    )
    assert len(retrain(images, targets, tol=1e-3).losses) < len(
        retrain(images, targets, tol=1e-9).losses
    )


@pytest.mark.parametrize(
    "images, targets, how, message",
    [
        (
            np.zeros(3),
            np.zeros((3, 2)),
            {},
            r"images: expected shape \(N, D\) with N > 0, got \(3,\)",
        ),
        (np.zeros((0, 3)), np.zeros((0, 2)), {}, "images: expected shape"),
        (np.zeros((2, 3)), np.zeros((3, 2)), {}, r"targets: expected shape \(2, K\), got \(3, 2\)"),
        (
            np.full((2, 3), np.nan),
            np.zeros((2, 2)),
            {},
            "(images|targets): expected finite numbers",
        ),
        (
            np.zeros((2, 3)),
            np.zeros((2, 2)),
            {"form": "both"},
            "form: expected 'primal' or 'dual', got 'both'",
        ),
        (
            np.zeros((2, 3)),
            np.zeros((2, 2)),
            {"temperature": -1.0},
            "temperature: expected a positive number, got -1.0",
        ),
        (
            np.zeros((2, 3)),
            np.ones((2, 2)),
            {"temperature": 0},
            "temperature: expected a positive number, got 0",
        ),
        (
            np.zeros((2, 3)),
            np.zeros((2, 2)),
            {"lr": 0.0},
            "lr: expected a positive number, got 0.0",
        ),
        (
            np.zeros((2, 3)),
            np.zeros((2, 2)),
            {"student": network_of(np.zeros((5, 2)))},
            "student: expected a network from 3 inputs to 2 classes, got 4 to 2",
        ),
    ],
)
def test_bad_arguments(images, targets, how, message):
    with pytest.raises(ValueError, match=message):
        retrain(images, targets, **how)


def test_a_too_large_lr_is_named(rng):
    images, targets = rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="smaller lr than 100"):
        retrain(images, targets, lr=100.0)
