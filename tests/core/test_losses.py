"""Every loss and objective: naive loops, gradients by complex step, identities, saturation, and
what is refused.
"""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numeric import assert_gradient, central

from refimpl.losses import (
    OBJECTIVES,
    cross_entropy,
    distillation,
    log_softmax,
    softmax,
    squared_error,
)

cases = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(1, 4),
    "k": st.integers(1, 5),
    "scale": st.sampled_from([1e-3, 1.0, 30.0]),
}


def problem(seed, n, k, scale):
    rng = np.random.default_rng(seed)
    return rng, scale * rng.normal(size=(n, k)), rng.integers(0, k, n), rng.dirichlet(np.ones(k), n)


@given(**cases, temperature=st.sampled_from([0.5, 1.0, 4.0]))
def test_cross_entropy(seed, n, k, scale, temperature):
    rng, z, y, t = problem(seed, n, k, scale)
    for target in (
        y,
        t,
        3 * t,
    ):  # labels; probabilities; rows that do not sum to one are still differentiated exactly
        value, dz = cross_entropy(z, target, temperature=temperature)
        assert value == pytest.approx(
            oracles.cross_entropy(z, target, temperature)[0], rel=1e-12, abs=1e-14
        )
        assert_gradient(lambda v, t=target: cross_entropy(v, t, temperature=temperature)[0], z, dz)
        assert_gradient(
            lambda v, t=target: cross_entropy(v, t, temperature=temperature)[0],
            z,
            dz,
            step=central,
            rtol=1e-6,
            atol=1e-8,
        )


@given(**cases, networks=st.integers(1, 3), temperature=st.sampled_from([1.0, 2.0]))
def test_cross_entropy_of_several_networks_is_each_alone(seed, n, k, scale, networks, temperature):
    rng, _, y, t = problem(seed, n, k, scale)
    z = scale * rng.normal(size=(networks, n, k))
    for target in (y, t):
        values, dz = cross_entropy(z, target, temperature=temperature)
        assert values.shape == (networks,) and dz.shape == z.shape
        for i in range(networks):
            value, own = cross_entropy(z[i], target, temperature=temperature)
            assert value == values[i] and np.array_equal(own, dz[i])


@given(**cases)
def test_squared_error(seed, n, k, scale):
    rng, z, _, _ = problem(seed, n, k, scale)
    t = rng.normal(size=(n, k))
    value, dz = squared_error(z, t)
    assert value == pytest.approx(oracles.squared_error(z, t)[0], rel=1e-13)
    assert_gradient(lambda v: squared_error(v, t)[0], z, dz)


@given(**cases, temperature=st.sampled_from([0.5, 1.0, 20.0]))
def test_distillation(seed, n, k, scale, temperature):
    rng, z, _, _ = problem(seed, n, k, scale)
    t = scale * rng.normal(size=(n, k))
    value, dz = distillation(z, t, temperature=temperature)
    same = cross_entropy(z, softmax(t / temperature), temperature=temperature)
    assert value == same[0] and np.array_equal(dz, same[1])
    assert_gradient(lambda v: distillation(v, t, temperature=temperature)[0], z, dz)
    assert np.abs(distillation(t, t, temperature=temperature)[1]).max() < 1e-15


@given(**cases, name=st.sampled_from(sorted(OBJECTIVES)))
def test_objectives(seed, n, k, scale, name):
    rng, z, y, _ = problem(seed, n, k, scale)
    values, dz = OBJECTIVES[name](z, y)
    weights = rng.normal(
        size=n
    )  # a random cotangent: each image's own gradient, not their sum alone
    assert values.shape == (n,)
    assert_gradient(lambda v: (OBJECTIVES[name](v, y)[0] * weights).sum(), z, weights[:, None] * dz)


@given(**cases)
def test_identities(seed, n, k, scale):
    _, z, y, t = problem(seed, n, k, scale)
    assert np.allclose(softmax(z).sum(axis=1), 1, atol=1e-15)
    assert np.allclose(np.exp(log_softmax(z)), softmax(z), rtol=1e-13, atol=1e-300)
    assert np.allclose(softmax(z + 1e3), softmax(z), rtol=1e-10, atol=1e-14)
    assert np.abs(cross_entropy(z, t)[1].sum(axis=1)).max() < 1e-15
    hard, soft = cross_entropy(z, y), cross_entropy(z, np.eye(k)[y])
    assert hard[0] == pytest.approx(soft[0], rel=1e-14, abs=1e-300) and np.allclose(
        hard[1], soft[1], atol=1e-16
    )


def test_saturated_logits_stay_finite():
    z = np.array([[1e5, -1e5, 0.0], [-1e5, -1e5, -1e5]])
    for value, dz in (
        cross_entropy(z, np.array([1, 0])),
        cross_entropy(z, np.eye(3)[[1, 0]]),
        distillation(z, -z),
    ):
        assert np.isfinite(value) and np.isfinite(dz).all()
    for objective in OBJECTIVES.values():
        values, dz = objective(z, np.array([1, 2]))
        assert np.isfinite(values).all() and np.isfinite(dz).all()


def test_float32_stays_float32(rng):
    z, y = rng.normal(size=(3, 4)).astype(np.float32), rng.integers(0, 4, 3)
    assert (
        cross_entropy(z, y, temperature=2.0)[1].dtype == cross_entropy(z, y)[1].dtype == np.float32
    )
    assert squared_error(z, z + 1)[1].dtype == np.float32
    assert {objective(z, y)[1].dtype for objective in OBJECTIVES.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: cross_entropy(np.zeros((2, 3)), np.array([0, 3])),
            r"target: expected labels in \[0, 3\), found 0 to 3",
        ),
        (
            lambda: cross_entropy(np.zeros((2, 3)), np.array([-1, 0])),
            r"target: expected labels in \[0, 3\), found -1 to 0",
        ),
        (
            lambda: cross_entropy(np.zeros((2, 3)), np.array([0.0, 1.0])),
            "target: expected integer labels of shape",
        ),
        (
            lambda: cross_entropy(np.zeros((2, 3)), np.array([0])),
            "target: expected 2 labels or prob",
        ),
        (
            lambda: cross_entropy(np.zeros((2, 3)), np.zeros((3, 2))),
            r"target: expected 2 labels or probabilities \(2, 3\), got shape \(3, 2\)",
        ),
        (
            lambda: cross_entropy(np.zeros((2, 3)), np.array([0, 1]), temperature=0),
            "temperature: expected a positive number",
        ),
        (
            lambda: distillation(np.zeros((2, 3)), np.zeros((2, 3)), temperature=-1),
            "temperature: expected a positive",
        ),
        (
            lambda: squared_error(np.zeros((2, 3)), np.zeros(3)),
            r"target: expected logits of shape \(2, 3\), got shape \(3,\)",
        ),
        (
            lambda: OBJECTIVES["logit"](np.zeros((2, 3)), np.array([0, 5])),
            "classes: expected labels",
        ),
        (
            lambda: OBJECTIVES["probability"](np.zeros((1, 3)), np.array([0, 1])),
            "classes: expected 1 labels, one an image",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
def test_a_stack_of_logits_has_a_value_for_each(rng, loss):
    z, t = rng.normal(size=(4, 3, 2)), rng.dirichlet(np.ones(2), 3)
    values, dz = loss(z, t)
    for own, value, gradient in zip(z, values, dz, strict=True):
        alone = loss(own, t)
        assert abs(value - alone[0]) < 1e-14 and np.abs(gradient - alone[1]).max() < 1e-14
