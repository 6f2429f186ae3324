"""Descent, differentiated: equal to the descent that the project has, its gradients by the complex
step.
"""

from functools import partial

import numpy as np
import pytest

from refimpl.companions.distillation import unrolled
from refimpl.companions.distillation.preparation import (
    Preparation,
    preparation_of,
    real_images,
    start_targets,
)
from refimpl.companions.distillation.unrolled import (
    descend_on,
    descend_on_backward,
    distill_unrolled,
)
from refimpl.descent import descend
from refimpl.gradcheck import assert_gradients, check_gradients
from refimpl.losses import squared_error
from refimpl.metrics import accuracy
from refimpl.network import one_hidden_net
from refimpl.optimize import momentum
from refimpl.paper.tiny import tiny

STEPS = 6


def case(seed=0):
    rng = np.random.default_rng(seed)
    start = one_hidden_net(5, 4, 3, rng=rng)
    return rng.normal(size=(4, 5)), rng.normal(size=(4, 3)), np.array(-2.5), start, rng


def functions(start):
    """The trained parameters as one vector, of images, targets and log lr; and the gradient."""

    def network_in(dtype):
        return start.astype(dtype)

    def f(images, targets, log_lr):
        parameters, _ = descend_on(images, targets, log_lr, network_in(images.real.dtype), STEPS)
        return np.concatenate([p.ravel() for p in parameters])

    def vjp(dout, images, targets, log_lr):
        _, cache = descend_on(images, targets, log_lr, network_in(images.dtype), STEPS)
        ends = np.cumsum([p.size for p in start.parameters])[:-1]
        parts = np.split(dout, ends)
        shaped = tuple(d.reshape(p.shape) for d, p in zip(parts, start.parameters))
        return descend_on_backward(shaped, cache)

    return f, vjp


def test_it_is_the_descent_of_the_project():
    images, targets, log_lr, start, _ = case()
    known = descend(
        start,
        images,
        targets,
        squared_error,
        lr=float(np.exp(log_lr)),
        steps=30,
        tol=0,
        update=partial(momentum, beta=unrolled.BETA),
    )
    parameters, _ = descend_on(images, targets, log_lr, start, 30)
    for ours, theirs in zip(parameters, known.network.parameters):
        assert np.abs(ours - theirs).max() < 1e-13


def test_the_gradients():
    images, targets, log_lr, start, rng = case()
    f, vjp = functions(start)
    names = ("images", "targets", "log_lr")
    assert_gradients(f, vjp, (images, targets, log_lr), rng=rng, names=names, dtypes=("float64",))


@pytest.mark.parametrize("planted", ["curvature", "velocity", "gate", "start", "rate"])
def test_planted_errors_are_caught(planted, monkeypatch):
    images, targets, log_lr, start, rng = case()
    f, vjp = functions(start)
    step_back = unrolled._step_back

    def wrong(bar, tape, g, lr):
        c, w, gate, h, e, velocities = tape
        if planted == "gate":
            tape = c, w, np.ones_like(gate), h, e, velocities
        before, (dg, dp, dtargets, dlr) = step_back(bar, tape, g, lr)
        if planted == "curvature":  # the Hessian-vector product is left out: a first-order method
            before = before._replace(c=bar.c, w=bar.w, b=bar.b)
        if planted == "velocity":
            before = before._replace(c_velocity=0 * before.c_velocity)
        if planted == "start":  # how the first pre-activation depends on the images
            dp = 0 * dp
        if planted == "rate":
            dlr = 0 * dlr
        return before, (dg, dp, dtargets, dlr)

    monkeypatch.setattr(unrolled, "_step_back", wrong)
    report = check_gradients(
        f,
        vjp,
        (images, targets, log_lr),
        rng=rng,
        names=("images", "targets", "log_lr"),
        dtypes=(),
    )
    assert report.verdict == "fail"


def test_distilled_images_teach_fresh_starts():
    data = tiny(400, 6)
    rng = np.random.default_rng(0)
    x = (data.train_x + rng.normal(0, 0.4, data.train_x.shape)).astype(np.float32)
    prepare = preparation_of(x)
    rows = real_images(x, data.train_y, 10, 10, rng)
    images, targets = prepare(x[rows]), 3 * start_targets(data.train_y[rows], 10)
    options = {"steps": 20, "hidden": 20, "lr": 0.05}
    found = distill_unrolled(
        x,
        data.train_y,
        images,
        targets,
        prepare=prepare,
        rng=rng,
        iterations=150,
        batch=200,
        **options,
    )

    def score(images, targets, lr):
        start = unrolled.he_start(36, 20, 10, np.random.default_rng(5))
        parameters, _ = descend_on(images, targets, np.float32(np.log(lr)), start, 20)
        return accuracy(data.train_y, start.with_parameters(parameters).predict(prepare(x)))

    assert score(found.images, found.targets, found.lr) > score(images, targets, 0.05) + 10
    assert found.images.dtype == np.float32


def test_bad_input():
    x, y = np.ones((4, 3), np.float32), np.array([0, 1, 0, 1])
    start = np.ones((2, 3), np.float32), np.eye(2, dtype=np.float32)
    options = {"prepare": Preparation(np.zeros(3, np.float32)), "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match="iterations"):
        distill_unrolled(x, y, *start, iterations=0, **options)
    with pytest.raises(ValueError, match="labels in .0, 2."):
        distill_unrolled(x, y + 1, *start, iterations=1, **options)
    with pytest.raises(ValueError, match="^y: expected one label an image, 4, got 5"):
        distill_unrolled(x, np.append(y, 0), *start, iterations=1, **options)
    with pytest.raises(FloatingPointError, match="not finite at iteration 9"):
        distill_unrolled(x, y, *start, iterations=20, lr=1e30, **options)
