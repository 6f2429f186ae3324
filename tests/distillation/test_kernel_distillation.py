"""Kernel ridge regression and its gradients by the checker; what distillation reaches; bad input."""

import numpy as np
import pytest

from refimpl.companions.distillation import kernel_distillation
from refimpl.companions.distillation.kernel_distillation import (
    RIDGE,
    KernelStudent,
    distill,
    learn_targets,
    regression,
    regression_backward,
    ridge_solve,
)
from refimpl.companions.distillation.kernels import gram, kernel
from refimpl.companions.distillation.preparation import (
    Preparation,
    preparation_of,
    real_images,
    start_targets,
)
from refimpl.gradcheck import assert_gradients, check_gradients
from refimpl.losses import cross_entropy, squared_error
from refimpl.metrics import accuracy
from refimpl.paper.tiny import tiny


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def case(rng, images=4, width=6):
    return (
        rng.normal(size=(5, width)),
        rng.normal(size=(images, width)),
        rng.normal(size=(images, 3)),
    )


def functions(x, depth):
    """f and vjp of regression, as functions of images and targets."""
    return (
        lambda images, targets: regression(
            x.astype(images.real.dtype), images, targets.astype(images.dtype), depth=depth
        )[0],
        lambda df, images, targets: regression_backward(
            df, regression(x.astype(images.dtype), images, targets, depth=depth)[1]
        ),
    )


def test_the_regression_is_its_formula(rng):
    x, images, targets = case(rng)
    k = gram(images)[0]
    inverse = np.linalg.inv(k + RIDGE * np.trace(k) / 4 * np.eye(4))
    assert np.allclose(regression(x, images, targets)[0], kernel(x, images)[0] @ inverse @ targets)
    fitted = KernelStudent(images, targets, 1, Preparation(np.zeros(6)))
    scaled = images / np.linalg.norm(images, axis=1, keepdims=True) * np.sqrt(6)
    assert np.allclose(
        fitted.logits(images), 10 * regression(scaled, images, targets)[0], rtol=1e-12
    )


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_the_gradients_of_images_and_targets(depth, rng):
    x, *inputs = case(rng)
    f, vjp = functions(x, depth)
    assert_gradients(f, vjp, tuple(inputs), rng=rng, names=("images", "targets"))


@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_the_gradients_through_the_loss(loss, rng):
    x, *inputs = case(rng)
    target = np.array([0, 1, 2, 0, 1]) if loss is cross_entropy else rng.normal(size=(5, 3))
    f, vjp = functions(x, 1)

    def through(dvalue, *inputs):
        return tuple(dvalue * g for g in vjp(loss(f(*inputs), target)[1], *inputs))

    assert_gradients(
        lambda *inputs: loss(f(*inputs), target)[0],
        through,
        tuple(inputs),
        rng=rng,
        names=("images", "targets"),
        dtypes=("float64",),
    )


def test_planted_errors_are_caught(rng, monkeypatch):
    x, *inputs = case(rng)
    f, vjp = functions(x, 1)

    def verdict(wrong):
        return check_gradients(
            f, wrong, tuple(inputs), rng=rng, names=("images", "targets"), dtypes=()
        ).verdict

    def without_the_solve(df, images, targets):
        across, across_cache, *_, weights = regression(x, images, targets)[1]
        found = kernel_distillation.kernel_backward(df @ weights.T, across_cache)
        return found, vjp(df, images, targets)[1]

    def targets_unsolved(df, images, targets):
        across = regression(x, images, targets)[1][0]
        return vjp(df, images, targets)[0], across.T @ df

    assert verdict(vjp) == "pass"
    assert verdict(without_the_solve) == verdict(targets_unsolved) == "fail"

    def no_trace(df, images, targets):  # the ridge taken for a constant: one part in a million
        monkeypatch.setattr(kernel_distillation, "RIDGE", RIDGE)
        across, across_cache, own, own_cache, weights = regression(x, images, targets)[1]
        dtargets = ridge_solve(own.T, across.T @ df)
        back = kernel_distillation.gram_backward(-dtargets @ weights.T, own_cache)
        return kernel_distillation.kernel_backward(df @ weights.T, across_cache) + back, dtargets

    assert verdict(no_trace) == "fail"


def test_ten_distilled_images_teach_more_than_ten_real_ones():
    data = tiny(400, 6)
    rng = np.random.default_rng(0)
    noisy = (data.train_x + rng.normal(0, 0.4, data.train_x.shape)).astype(np.float32)
    x, y, test, test_y = noisy[:200], data.train_y[:200], noisy[200:], data.train_y[200:]
    prepare = preparation_of(x)
    rows = real_images(x, y, 10, 10, rng)
    start = prepare(x[rows]), start_targets(y[rows], 10)
    before = accuracy(test_y, KernelStudent(*start, 1, prepare).predict(test))
    found = distill(x, y, *start, prepare=prepare, rng=rng, steps=150, batch=100)
    after = accuracy(test_y, KernelStudent(found.images, found.targets, 1, prepare).predict(test))
    assert after > before + 15 and found.images.dtype == np.float32
    assert np.array_equal(start[0], prepare(x[rows]))  # what came is not changed


def test_targets_alone_move_as_they_do_beside_the_images(rng):
    x, y = rng.normal(size=(20, 4)), np.arange(20) % 2
    start = rng.normal(size=(2, 4)), rng.normal(size=(2, 2))
    options = {"prepare": Preparation(np.zeros(4)), "steps": 1, "batch": 5, "lr": 0.1}
    both = distill(x, y, *start, rng=np.random.default_rng(0), **options)
    alone = learn_targets(x, y, *start, rng=np.random.default_rng(0), block=7, **options)
    assert np.abs(alone - both.targets).max() < 1e-12
    assert np.abs(alone - start[1]).max() > 0.05


def test_bad_input(rng):
    x, y = rng.normal(size=(20, 4)), np.arange(20) % 2
    start = rng.normal(size=(2, 4)), np.eye(2)
    options = {"prepare": Preparation(np.zeros(4)), "rng": rng, "steps": 2, "batch": 5}
    for wrong, message in (
        ((x, np.zeros(20, int), *start), r"y: expected images of all 2 classes, \[1\] have none"),
        ((x, y[:5], *start), "y: expected one label an image, 20, got 5"),
        ((x, y, np.zeros((2, 4)), np.eye(2)), "not all zero"),
        ((x, y, start[0], np.eye(3)[:, :2]), "targets: expected shape"),
    ):
        with pytest.raises(ValueError, match=message):
            distill(*wrong, **options)
    for more, message in (
        ({"steps": 0}, "steps, lr"),
        ({"lr": 0.0}, "lr"),
        ({"depth": 5}, "depth"),
    ):
        with pytest.raises(ValueError, match=message):
            distill(x, y, *start, **(options | more))
    with pytest.raises(ValueError, match="singular or not finite"):
        ridge_solve(np.array([[0.0, 0.0], [0.0, 0.0]]), np.ones((2, 1)))
    with pytest.raises(ValueError, match="positive multiple of the 2 classes, got 3"):
        real_images(x, y, 3, 2, rng)
    with pytest.raises(ValueError, match="expected 11 images of class 0"):
        real_images(x, y, 22, 2, rng)
