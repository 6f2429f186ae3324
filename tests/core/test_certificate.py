"""The certificate against an oracle that computes with fractions: never "parameters" for a student
that is not the teacher to the printed bound, never "no" for one that is.
"""

import os

import exact
import numpy as np
import pytest

from refimpl.exact_recovery import TOLERANCE, certificate
from refimpl.network import softmax_net
from refimpl.retraining import retrain
from refimpl.theory import augmented, network_of, theta_of

CASES = 20_000 if os.environ.get("REFIMPL_FULL") else 1_000
SCALES = tuple(10.0**n for n in range(-9, 10))


def whole(rng, *shape):
    """Small whole numbers: their sums and products are exact in floats."""
    return rng.integers(-3, 4, shape).astype(float)


def draw(rng):
    """One case: (images, targets, teacher, start or None), with what real use brings: scales,
    duplicates, lost precision, starts, centred and shifted targets, other targets altogether.
    """
    n, d, k = rng.integers(1, 7), rng.integers(1, 6), rng.integers(1, 5)
    theta = whole(rng, d + 1, k) if rng.random() < 0.5 else rng.normal(size=(d + 1, k))
    if rng.random() < 0.4:  # zero-sum, exactly where theta is whole
        theta = k * theta - theta.sum(axis=1, keepdims=True)
    if rng.random() < 0.05:
        theta = np.zeros_like(theta)
    images = whole(rng, n, d) if rng.random() < 0.6 else rng.normal(size=(n, d))
    if rng.random() < 0.2 and k > 1:
        images = rng.integers(1, 4, (k, 1)) * theta[:-1].T
    if rng.random() < 0.3:
        images = images[rng.integers(0, len(images), len(images) + 1)]
    if rng.random() < 0.3:
        images = images * rng.choice(SCALES)
    if rng.random() < 0.1:  # nearly equal images
        images = images[:1] + rng.choice([1e-3, 1e-6]) * whole(rng, *images.shape)
    targets = augmented(images) @ theta
    start = None
    if rng.random() < 0.3:
        start = rng.choice([1.0, 30.0, 1e3, 1e6]) * whole(rng, *theta.shape)
        if rng.random() < 0.3:  # in the span of the images, beside the teacher
            start = theta + augmented(images).T @ whole(rng, len(images), k)
    images, targets = _targets(rng, images, targets)
    return images, targets, network_of(theta), None if start is None else network_of(start)


def _targets(rng, images, targets):
    kind = rng.integers(0, 8)
    if kind == 0:
        targets = targets.astype(np.float32)
    elif kind == 1:
        targets = targets - targets.mean(axis=1, keepdims=True)
    elif kind == 2:
        targets = targets + whole(rng, len(targets), 1)  # a shift an image
    elif kind == 3:
        targets = targets * (1 + rng.choice([1e-12, 1e-9, 1e-3]) * rng.normal(size=targets.shape))
    elif kind == 4:  # a part that nothing can fit, over equal images
        away = 2.0 ** rng.integers(-3, 4) * whole(rng, *targets.shape)
        images, targets = np.vstack([images, images]), np.vstack([targets + away, targets - away])
    return images, targets


def off_by(images, targets, teacher, start):
    """By the oracle: (|student - theta|, the same without the columns' mean, condition)."""
    theta = theta_of(teacher)
    begin = np.zeros_like(theta) if start is None else theta_of(start)
    student, condition = exact.limit(images, targets, begin)
    off = exact.minus(student, exact.exact(theta))
    uneven = [[v - sum(row) / len(row) for v in row] for row in off]
    return exact.norm(off), exact.norm(uneven), condition


def test_sound_and_complete_against_fractions():
    """Outside the tolerance 1e3 eps condition no verdict is wrong, and few cases lie inside."""
    rng = np.random.default_rng(18)
    inside, kinds = 0, {"parameters": 0, "probabilities": 0, "no": 0}
    for case in range(CASES):
        images, targets, teacher, start = draw(rng)
        found = certificate(images, targets, teacher, start=start)
        off, uneven, condition = off_by(images, targets, teacher, start)
        norms = [np.linalg.norm(theta_of(net)) for net in (teacher, start) if net is not None]
        scale, size = norms[0] or norms[-1] or 1.0, max(norms)
        tolerance = TOLERANCE * condition * size / scale
        kinds[found.exact] += 1
        if tolerance >= 1:
            inside += 1
            continue
        if found.exact == "parameters":
            assert off / scale <= found.bound < 1, case
        elif found.exact == "probabilities":
            assert uneven / scale <= found.bound < 1, case
            assert off / scale > TOLERANCE / 10, case  # else it would be "parameters"
        elif min(off, uneven) / scale <= tolerance:
            inside += 1
            assert min(off, uneven) / scale > tolerance / 100, (case, found.reason)
    assert inside <= 0.02 * CASES, inside
    assert min(kinds.values()) > 0.1 * CASES, kinds


def test_a_no_too_is_no_farther_off_than_its_bound():
    """What round-off makes of a student that is far away grows with the distance."""
    rng = np.random.default_rng(7)
    for case in range(100):
        images = rng.normal(size=(4, 3))
        images[3] = images[0] + 10.0 ** -rng.uniform(6, 13) * rng.normal(size=3)
        teacher, targets = network_of(rng.normal(size=(4, 2))), 1e3 * rng.normal(size=(4, 2))
        found = certificate(images, targets, teacher)
        off, _, _ = off_by(images, targets, teacher, None)
        assert off <= found.bound * np.linalg.norm(theta_of(teacher)), case


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-170, 1e160, 1e300])
def test_a_teacher_whose_squares_leave_the_floats(size):
    """Its norm is neither zero nor infinite."""
    theta = size * np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]])
    images = np.array([[1.0, 2.0], [-1.0, -2.0]])
    targets = augmented(images) @ theta
    found = certificate(images, targets, network_of(theta))
    assert found.exact == "parameters" and 0 < found.bound < 1e-11
    found = certificate(images, np.zeros_like(targets), network_of(theta))
    assert found.exact == "no" and found.bound == pytest.approx(1)
    found = certificate(images[:1], targets[:1], network_of(theta))
    assert found.exact == "no" and 0.1 < found.missing < 1


@pytest.mark.parametrize("common", [1.0, 1e3, 1e9, 1e15])
def test_a_large_common_target_does_not_hide_a_small_teacher(common):
    """One number for all classes teaches nothing about their differences, and spoils none."""
    theta = np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]])
    images = np.array([[1.0, 2.0], [-1.0, -2.0]])
    shared = np.full((2, 2), common)
    for size in (1e-3, 1e-20, 1e-115):
        assert certificate(images, shared, network_of(size * theta)).exact == "no"
    three = np.hstack([shared, shared[:, :1]])  # 1 / 3 is no float: their mean has round-off
    for columns, targets in ((np.ones(2), shared), (np.ones(3), three)):
        alike = 1e-9 * np.outer([1.0, 2.0, 0.5], columns)
        assert certificate(images, targets, network_of(alike)).exact == "probabilities"
    assert certificate(images, three, network_of(np.zeros((3, 3)))).exact == "probabilities"


def test_logits_beyond_the_largest_float_are_refused():
    teacher = network_of(np.full((3, 2), 1e200))
    with pytest.raises(ValueError, match="images, the teacher's logits of them: expected finite"):
        certificate(np.full((1, 2), 1e200), np.zeros((1, 2)), teacher)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 0.1, 1.0, 100.0, 1e6, 1e8])
def test_converged_means_what_the_certificate_predicts(scale, rng):
    """A gradient of 1e-12 is soon reached along the large singular values alone."""
    w = rng.normal(size=(20, 6))
    w, b = w - w.mean(axis=1, keepdims=True), rng.normal(size=6)
    teacher = network_of(np.vstack([w, b - b.mean()]))
    images = scale * w.T
    targets = teacher.logits(images)
    for form in ("dual", "primal"):
        done = retrain(images, targets, steps=3000, form=form)
        predicted = theta_of(certificate(images, targets, teacher).student)
        off = np.linalg.norm(theta_of(done.network) - predicted) / np.linalg.norm(predicted)
        assert off < 1e-10 if done.converged else scale not in (0.1, 1.0)


def test_converged_under_cross_entropy_means_that_the_logits_are_there(rng):
    """At T = 1 on saturated targets the gradient vanishes while the student is far away."""
    w = rng.normal(size=(8, 4))
    teacher = network_of(np.vstack([w - w.mean(axis=1, keepdims=True), np.zeros(4)]))
    images = 30 * teacher.parameters[0].T
    targets = teacher.logits(images)
    done = retrain(images, targets, temperature=1.0, steps=5000)
    assert not done.converged and not np.allclose(theta_of(done.network), theta_of(teacher))
    assert retrain(images / 30, targets / 30, temperature=3.0).converged


def test_the_oracle_computes_pseudo_inverses(rng):
    """The oracle itself, against the four equations of Penrose, at full and at lower rank."""
    for n, d, rank in ((3, 5, 3), (5, 3, 3), (4, 4, 2), (3, 4, 1)):
        a = exact.product(
            exact.exact(rng.integers(-3, 4, (n, rank))), exact.exact(rng.integers(-3, 4, (rank, d)))
        )
        b = exact.pseudo_inverse(a)
        ab, ba = exact.product(a, b), exact.product(b, a)
        assert exact.product(ab, a) == a and exact.product(ba, b) == b
        assert exact.transpose(ab) == ab and exact.transpose(ba) == ba


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_at_once(bad):
    good, spoiled = np.ones((2, 3)), np.ones((2, 3))
    spoiled[1, 1] = bad
    teacher, z = network_of(np.ones((4, 2))), np.ones((2, 2))
    for name, arguments in {
        "images": (spoiled, z, teacher),
        "targets": (good, np.full((2, 2), bad), teacher),
        "teacher": (good, z, network_of(np.full((4, 2), bad))),
    }.items():
        with pytest.raises(ValueError, match=f"{name}: expected finite numbers"):
            certificate(*arguments)
    with pytest.raises(ValueError, match="start: expected finite numbers"):
        certificate(good, z, teacher, start=network_of(np.full((4, 2), bad)))
    with pytest.raises(ValueError, match="start: expected parameters"):
        certificate(good, z, teacher, start=softmax_net(7, 2))
