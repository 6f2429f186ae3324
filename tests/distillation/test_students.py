"""Students: the curvature at the start against a Jacobian by differences; what they learn; what the
images show.
"""

import numpy as np
import pytest

from refimpl.companions.distillation.kernel_distillation import Distilled
from refimpl.companions.distillation.preparation import (
    SMALL,
    Preparation,
    preparation_of,
    start_targets,
)
from refimpl.companions.distillation.privacy import privacy
from refimpl.companions.distillation.students import (
    Recipe,
    finite_student,
    scores,
    top_curvature,
    trained,
)
from refimpl.companions.distillation.unrolled import he_start
from refimpl.network import one_hidden_net
from refimpl.paper.tiny import tiny


def test_the_curvature_is_that_of_the_jacobian():
    rng = np.random.default_rng(0)
    start, x = one_hidden_net(4, 6, 3, rng=rng), rng.normal(size=(5, 4))
    rows = []
    for i, p in enumerate(start.parameters):
        for at in np.ndindex(p.shape):
            moved = [q.astype(complex) for q in start.parameters]
            moved[i][at] += 1e-20j
            z = start.astype(complex).with_parameters(moved).forward(x.astype(complex))[0]
            rows.append(z.imag.ravel() / 1e-20)
    jacobian = np.array(rows)  # (parameters, N K)
    wanted = np.linalg.eigvalsh(jacobian.T @ jacobian)[-1] / len(x)
    assert top_curvature(x, start) == pytest.approx(wanted, rel=1e-12)


def test_a_finite_student_fits_its_set_and_a_rate_that_diverges_is_named():
    rng = np.random.default_rng(1)
    x, targets = rng.normal(size=(5, 12)), 20 * rng.normal(size=(5, 3))
    student = finite_student(x, targets, 40, np.random.default_rng(0))
    assert np.abs(student.logits(x) - targets).max() < 0.05 * np.abs(targets).max()
    with pytest.raises(FloatingPointError, match="40 units diverges at every rate"):
        finite_student(x, 1e30 * targets, 40, np.random.default_rng(0))


def test_a_recipe_is_followed_by_finite_students_alone():
    x, targets = np.eye(6)[:2].astype(np.float32), np.eye(2, dtype=np.float32)
    logits = trained(
        x, targets, 30, 0, Recipe(1e-9, 1)
    )  # hardly a step: the start, on small images
    start = he_start(6, 30, 2, np.random.default_rng([0, 30]))
    assert np.allclose(logits(x), start.logits(np.float32(SMALL) * x), atol=1e-6)
    data = tiny()
    prepare = preparation_of(data.train_x)
    images, hard = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    inputs = prepare(data.test_x)
    plain, own = (
        scores(images, hard, inputs, data.test_y, recipe=recipe, depth=1, seed=0)
        for recipe in (None, Recipe(1e-9, 1))
    )
    for name in ("784-30-10", "width 1,000"):
        assert plain[name] > 90 > own[name]
    assert all(plain[name] == own[name] for name in ("kernel", "linear"))


def test_a_copy_of_a_training_image_is_seen_as_one():
    data = tiny()
    prepare = preparation_of(data.train_x)
    start = start_targets(data.train_y[:10], 10)
    noise = np.random.default_rng(0).normal(size=(10, 16)).astype(np.float32)
    copied, drawn = (
        privacy(data, prepare, Distilled(images, start, np.zeros(0)), 1, 0)["resemblance"]
        for images in (prepare(data.train_x[:10]), noise)
    )
    assert copied["distilled"][0] > 0.999 > drawn["distilled"][0]


def test_preparation_does_not_depend_on_brightness_or_units():
    x = np.random.default_rng(0).random((5, 9)).astype(np.float32)
    prepare = preparation_of(x)
    assert np.allclose(preparation_of(255 * x)(255 * x), prepare(x), atol=1e-4)
    assert np.allclose(np.linalg.norm(prepare(x), axis=1), 3, atol=1e-5)
    assert np.allclose(Preparation(prepare.mean, SMALL)(x), SMALL * prepare(x), atol=1e-6)
