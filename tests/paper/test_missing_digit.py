"""The missing digit: the exact bias against brute force, the transfer set, the theorem of nine
images and the blank.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refimpl.exact_recovery import certificate
from refimpl.network import softmax_net
from refimpl.paper import missing_digit, section8_figures
from refimpl.paper.missing_digit import best_bias
from refimpl.paper.section8 import THREE
from refimpl.retraining import retrain
from refimpl.theory import network_of, theta_of

seeds = st.integers(0, 10**6)


@pytest.fixture(scope="module")
def measured(digits, teacher):
    return missing_digit.run(digits, teacher, 0)


def hits(z, y, c, bias):
    """The definition: add the bias to column c and count."""
    return sum(
        int(np.argmax(row + bias * (np.arange(len(row)) == c))) == label for row, label in zip(z, y)
    )


@given(
    seed=seeds,
    n=st.integers(1, 25),
    k=st.integers(2, 4),
    shift=st.sampled_from([-4.0, 0.0, 4.0]),
    ties=st.booleans(),
)
def test_the_best_bias_is_the_best_of_all(seed, n, k, shift, ties):
    rng = np.random.default_rng(seed)
    z, y, c = 2 * rng.normal(size=(n, k)), rng.integers(0, k, n), int(rng.integers(k))
    if ties:
        z = np.rint(z)
    z[:, c] += shift
    found = hits(z, y, c, best_bias(z, y, c))
    scan = np.linspace(-15, 15, 101) + 1e-3  # off the integers, where ties go to the first class
    assert found >= max(hits(z, y, c, b) for b in scan)
    assert found >= hits(z, y, c, 0.0) or ties


def test_no_correction_where_none_helps(rng):
    z = rng.normal(size=(50, 4))
    assert best_bias(z, z.argmax(axis=1), 2) == 0.0


@given(seed=seeds, d=st.integers(4, 12), k=st.integers(3, 6))
def test_images_without_one_class_lack_the_bias_direction_alone(seed, d, k):
    """Any zero-sum teacher: K - 1 images miss it by a rank-one error; with the blank they return
    it.
    """
    assume(d >= k)
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(d + 1, k))
    teacher = network_of(theta - theta.mean(axis=1, keepdims=True))
    images = np.delete(2 * teacher.parameters[0].T, 1, axis=0)
    assume(np.linalg.cond(images) < 30)
    error = theta_of(certificate(images, teacher.logits(images), teacher).student) - theta_of(
        teacher
    )
    assert np.linalg.matrix_rank(error, tol=1e-9 * np.linalg.norm(error)) == 1
    with_blank = np.vstack([images, np.zeros(d)])
    assert certificate(with_blank, teacher.logits(with_blank), teacher).exact == "parameters"
    student = retrain(with_blank, teacher.logits(with_blank)).network
    assert np.abs(theta_of(student) - theta_of(teacher)).max() < 1e-8


def test_a_teacher_that_is_not_zero_sum_is_lost(rng):
    teacher = network_of(rng.normal(size=(9, 4)))
    images = np.vstack([2 * teacher.parameters[0].T[1:], np.zeros(8)])
    assert certificate(images, teacher.logits(images), teacher).exact == "no"


def test_the_transfer_set_has_no_three(digits, teacher, monkeypatch):
    seen = []
    monkeypatch.setattr(
        missing_digit, "distil", lambda student, x, z, **_: seen.append(x) or student
    )
    split = digits.validation(2_000)
    missing_digit.taught("linear", teacher, split, 0, 4.0)
    wanted = [x for x, y in zip(split.train_x, split.train_y) if y != 3]
    assert np.array_equal(seen[0], wanted) and len(wanted) < len(split.train_x) == 8_000
    images, targets = missing_digit.without_three(teacher)["nine_visualizations"]
    assert len(images) == 9 and THREE not in targets.argmax(axis=1)


def test_distil_learns_the_teacher(rng):
    """Realizable: at any temperature the student's logits approach the teacher's, up to a shift."""
    x, teacher = rng.normal(size=(400, 5)), network_of(rng.normal(size=(6, 3)))
    z = teacher.logits(x)
    for temperature in (1.0, 8.0):
        student = missing_digit.distil(
            softmax_net(5, 3), x, z, temperature=temperature, lr=0.3, steps=4_000, rng=rng
        )
        d = student.logits(x) - z
        assert np.abs(d - d.mean(axis=1, keepdims=True)).max() < 0.1
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="a smaller lr than"):
        missing_digit.distil(
            softmax_net(5, 3), 1e200 * x, z, temperature=1.0, lr=1e200, steps=50, rng=rng
        )


def test_the_bias_is_chosen_without_test_images(digits, teacher):
    split = digits.validation(2_000)
    student = missing_digit.retrain(
        *missing_digit.without_three(teacher)["nine_visualizations"]
    ).network
    found = missing_digit.corrected(student, split, digits)
    assert found["bias"] == best_bias(student.logits(split.test_x), split.test_y) != 0
    z = student.logits(digits.test_x)
    before, z[:, 3] = z.argmax(axis=1) == digits.test_y, z[:, 3] + found["bias"]
    after, threes = z.argmax(axis=1) == digits.test_y, digits.test_y == 3
    assert found["accuracy_before"] == pytest.approx(100 * before.mean())
    assert found["threes_before"] == pytest.approx(100 * before[threes].mean())
    assert found["accuracy_after"] == pytest.approx(100 * after.mean())
    assert found["threes_after"] == pytest.approx(100 * after[threes].mean())


def test_run_on_digits(measured):
    v = {id.removeprefix("missing_digit/digits/"): value for id, value in measured.items()}
    assert (
        v["hard_labels/threes_before"] == 0 and v["hidden/threes_before"] > 50
    )  # never seen, and yet
    assert v["hidden/threes_after"] > v["hidden/threes_before"] + 2 and v["hidden/bias"] > 0
    assert v["nine_and_blank/accuracy_before"] == v["linear/teacher"]
    assert (
        v["nine_and_blank/threes_before"]
        == v["linear/teacher_threes"]
        > v["nine_visualizations/threes_before"]
    )


def test_claims_are_what_is_measured(measured):
    claims = list(missing_digit.claims("digits"))
    assert {c.id for c in claims} == set(measured) and len(claims) == len(measured)
    for claim in claims:
        assert not claim.relation or claim.relation({id: [v] for id, v in measured.items()}), (
            claim.id
        )


def test_figure(digits, teacher, measured, tmp_path):
    rows = [{"id": id, "ours": {"mean": v, "sd": 1.0}} for id, v in measured.items()]
    made = section8_figures.make(digits, teacher, rows, tmp_path)
    assert [f["file"] for f in made] == ["missing_digit.png"]
    assert (tmp_path / "missing_digit.png").stat().st_size > 5_000
