"""Distillation through kernel ridge regression: images and targets that teach a kernel.

The student is the kernel of an infinitely wide network, trained to the end on the N images S and
targets L (Nguyen, Chen and Lee 2021, KIP; Zhou, Nezhadarya and Ba 2022, FRePo):

    f(x) = k(x, S) (k(S, S) + ridge tr k(S, S) / N  I)^-1 L

so the loss of f on training images is a closed form in S and L, and both are learned by descent.
Deviations: the loss is the cross-entropy of SCALE f on minibatches (KIP: squared error; FRePo: the
features of a network that is trained beside the images), the kernel has no biases, and there is no
augmentation. Gradients with respect to S and L by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.companions.distillation.kernels import (
    check_depth,
    gram,
    gram_backward,
    kernel,
    kernel_backward,
)
from refimpl.companions.distillation.preparation import Preparation, check_training
from refimpl.companions.distillation.span import Span, all_coordinates
from refimpl.descent import minimize
from refimpl.losses import cross_entropy
from refimpl.optimize import adam

RIDGE = 1e-6  # of the mean diagonal of k(S, S)
SCALE = 10.0  # logits are SCALE f(x): targets of order 1 give cross-entropy its confidence


def ridge_solve(k: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(k + RIDGE tr k / N  I)^-1 b by elimination, in double precision, returned in b's dtype.

    Elimination, and no Cholesky factor: it holds no conjugate, so the complex step runs through it.
    k (N, N), b (N, K). Raises ValueError where the matrix is singular or not finite.

    >>> ridge_solve(np.eye(1), np.array([[1.0]])).round(6).tolist()
    [[0.999999]]
    """
    n = len(k)
    k = k.astype(np.result_type(k, np.float64))
    try:
        solution = np.linalg.solve(k + RIDGE * np.trace(k) / n * np.eye(n), b)
    except np.linalg.LinAlgError:
        solution = np.full(b.shape, np.nan)
    if not np.isfinite(solution).all():
        raise ValueError("images: their kernel matrix is singular or not finite")
    return solution.astype(b.dtype)


def regression(
    x: np.ndarray, images: np.ndarray, targets: np.ndarray, *, depth: int = 1
) -> tuple[np.ndarray, tuple]:
    """f(x) of the module's formula: x (M, D), images (N, D), targets (N, K) -> (f (M, K), cache).

    Raises ValueError as `kernel` and `ridge_solve` do, and on another number of targets.

    >>> x, targets = np.eye(2), np.array([[1.0], [-1.0]])
    >>> regression(2 * x, x, targets)[0].round(2).tolist()  # homogeneous: twice the image, twice f
    [[2.0], [-2.0]]
    """
    if targets.ndim != 2 or len(targets) != len(images):
        raise ValueError(f"targets: expected shape ({len(images)}, K), got {targets.shape}")
    across, across_cache = kernel(x, images, depth=depth)  # (M, N)
    own, own_cache = gram(images, depth=depth)  # (N, N)
    weights = ridge_solve(own, targets)  # (N, K)
    return across @ weights, (across, across_cache, own, own_cache, weights)


def regression_backward(df: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray]:
    """(dimages (N, D), dtargets (N, K)) of `regression`, from df (M, K).

    With A = (k + r I)^-1 L: dL = (k + r I)^-T dA and dk = -dL A', to which the ridge, a multiple of
    the trace, adds RIDGE tr(dk) / N on the diagonal.

    >>> x, targets = np.eye(2), np.array([[1.0], [-1.0]])
    >>> _, cache = regression(x, x, targets)
    >>> regression_backward(np.ones((2, 1)), cache)[1].round(2).tolist()
    [[1.0], [1.0]]
    """
    across, across_cache, own, own_cache, weights = cache
    dtargets = ridge_solve(own.T, across.T @ df)  # (N, K)
    down = -dtargets @ weights.T  # (N, N)
    n = len(down)
    down = down + (RIDGE / n * np.trace(down) * np.eye(n)).astype(down.dtype)
    dimages = kernel_backward(df @ weights.T, across_cache) + gram_backward(down, own_cache)
    return dimages, dtargets


@dataclass(frozen=True, eq=False)
class KernelStudent:
    """The kernel trained on images (N, D), prepared, and targets (N, K); x is given in pixels.

    >>> student = KernelStudent(
    ...     np.eye(2), np.array([[1.0, 0.0], [0.0, 1.0]]), 1, Preparation(np.zeros(2))
    ... )
    >>> student.predict(np.array([[0.1, 0.9]])).tolist()
    [1]
    """

    images: np.ndarray
    targets: np.ndarray
    depth: int
    prepare: Callable[[np.ndarray], np.ndarray]

    def logits(self, x: np.ndarray, *, block: int = 5_000) -> np.ndarray:
        """SCALE f(prepare(x)), `block` images at a time: x (M, D) -> (M, K)."""
        weights = ridge_solve(gram(self.images, depth=self.depth)[0], self.targets)
        parts = [
            kernel(self.prepare(x[i : i + block]), self.images, depth=self.depth)[0] @ weights
            for i in range(0, len(x), block)
        ]
        return SCALE * np.concatenate(parts)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class of the largest logit: x (M, D) -> labels (M,)."""
        return self.logits(x).argmax(axis=1)


@dataclass(frozen=True, eq=False)
class Distilled:
    """images (N, D), prepared, and targets (N, K), as learned; losses (steps,) on the way.

    >>> Distilled(np.ones((1, 2)), np.ones((1, 3)), np.zeros(0)).images.shape
    (1, 2)
    """

    images: np.ndarray
    targets: np.ndarray
    losses: np.ndarray


def distill(
    x: np.ndarray,
    y: np.ndarray,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    prepare: Preparation,
    rng: np.random.Generator,
    depth: int = 1,
    steps: int = 3_000,
    lr: float = 0.02,
    batch: int = 2_000,
    scale: float = SCALE,
    span: Span | None = None,
    report: Callable[[str], Any] = lambda line: None,
) -> Distilled:
    """Learn images and targets by Adam on the cross-entropy of scale f, lr falling linearly to 0.

    x (M, D) training images in pixels, floats or uint8; y (M,) labels. images (N, D), prepared, and
    targets (N, K) are where it starts (real images, noise, class visualizations); they are not
    changed. scale: 1 over the temperature. span: the images are projected on it and stay in it,
    Adam moves their coordinates, and a step costs its rank instead of D. Every step draws `batch`
    training images from rng, with replacement. Works in the dtype of images. Raises ValueError on
    bad labels, on a class that never occurs, on images without norm, on a singular kernel, on
    steps < 1 or lr <= 0; FloatingPointError at the first step where the loss is not finite.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(40, 6)), np.arange(40) % 2
    >>> start = x[:2], np.array([[0.5, -0.5], [-0.5, 0.5]])
    >>> found = distill(x, y, *start, prepare=Preparation(np.zeros(6)), rng=rng, steps=50, batch=40)
    >>> found.images.shape, bool(found.losses[-1] < found.losses[0] / 2)
    ((2, 6), True)
    """
    _check(x, y, targets, depth, steps, lr)
    draw, images = _drawn_from(x, images, prepare, span, batch)
    scale = images.dtype.type(scale)

    def gradient(learned, step):
        rows = rng.integers(0, len(x), batch)
        f, cache = regression(draw(rows), *learned, depth=depth)
        value, dz = cross_entropy(scale * f, y[rows])
        dimages, dtargets = regression_backward(scale * dz, cache)
        if span is not None:
            dimages[:, -1] = 0  # nothing outside the span
        if step % 100 == 0:
            report(f"{len(images)} images, step {step} of {steps}, loss {value:.3f}")
        return value, [dimages, dtargets]

    (found, targets), losses, _ = minimize(
        gradient, [images, targets], steps=steps, lr=_falling(lr, steps), update=adam
    )
    found = found if span is None else span.images(found)
    return Distilled(found, targets, losses.astype(np.float64))


def _falling(lr, steps):
    """The learning rate of a step: linearly to 0."""
    return lambda step: lr * (1 - step / steps)


def _drawn_from(x, images, prepare, span, batch):
    """(rows -> those training images, prepared; the learned images): pixels, or a span's
    coordinates. What is drawn stands in one array, made once: its pages cost more than its copy.
    """
    kept = x if span is None else all_coordinates(x, prepare, span).astype(images.dtype, copy=False)
    drawn = np.empty((batch, kept.shape[1]), kept.dtype)

    def draw(rows):
        np.take(kept, rows, axis=0, out=drawn, mode="clip")  # "raise" would copy once more
        return drawn if span else prepare(drawn).astype(images.dtype, copy=False)

    if span is not None:
        images = span.coordinates(images).astype(images.dtype, copy=False)
        images[:, -1] = 0
    return draw, images


def learn_targets(
    x: np.ndarray,
    y: np.ndarray,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    prepare: Preparation,
    rng: np.random.Generator,
    depth: int = 1,
    steps: int = 300,
    lr: float = 0.03,
    batch: int = 2_000,
    block: int = 5_000,
) -> np.ndarray:
    """The targets alone, learned as `distill` learns them while the images stay: (N, K).

    The kernel of all training images with the learned ones is computed once, `block` at a time.
    Arguments and errors as of `distill`.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(40, 6)), np.arange(40) % 2
    >>> prepare = Preparation(np.zeros(6))
    >>> learn_targets(x, y, prepare(x[:2]), np.zeros((2, 2)), prepare=prepare, rng=rng).shape
    (2, 2)
    """
    _check(x, y, targets, depth, steps, lr)
    parts = [
        kernel(prepare(x[i : i + block]).astype(images.dtype, copy=False), images, depth=depth)[0]
        for i in range(0, len(x), block)
    ]
    across = np.concatenate(parts)  # (M, N)
    own = gram(images, depth=depth)[0]
    scale = images.dtype.type(SCALE)

    def gradient(learned, step):
        rows = rng.integers(0, len(x), batch)
        here = across[rows]
        value, dz = cross_entropy(scale * (here @ ridge_solve(own, learned[0])), y[rows])
        return value, [ridge_solve(own.T, here.T @ (scale * dz))]

    how: dict[str, Any] = {"steps": steps, "lr": _falling(lr, steps), "update": adam}
    return minimize(gradient, [targets], **how)[0][0]


def _check(x, y, targets, depth, steps, lr):
    """The arguments of distill that nothing else looks at."""
    check_depth(depth)
    classes = targets.shape[1]
    check_training(x, y, classes)
    absent = np.setdiff1d(np.arange(classes), y)
    if len(absent):
        raise ValueError(
            f"y: expected images of all {classes} classes, {absent.tolist()} have none"
        )
    if steps < 1 or not lr > 0:
        raise ValueError(f"steps, lr: expected at least 1 and above 0, got {steps} and {lr!r}")
