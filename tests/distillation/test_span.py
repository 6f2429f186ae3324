"""Distilling in coordinates: the same regression as in pixels, and what a small span gives up."""

import numpy as np
import pytest

from refimpl.companions.distillation.kernel_distillation import distill, regression
from refimpl.companions.distillation.preparation import (
    Preparation,
    preparation_of,
    real_images,
    start_targets,
)
from refimpl.companions.distillation.span import Span, all_coordinates, leading_span
from refimpl.paper.tiny import tiny


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_the_regression_in_coordinates_is_that_in_pixels(depth, rng):
    x, targets = rng.normal(size=(6, 9)), rng.normal(size=(3, 2))
    span = Span(np.linalg.qr(rng.normal(size=(9, 4)))[0])
    t = np.column_stack([rng.normal(size=(3, 4)), np.zeros(3)])
    f, _ = regression(x, span.images(t), targets, depth=depth)
    inside, _ = regression(span.coordinates(x), t, targets, depth=depth)
    assert np.abs(inside - f).max() < 1e-12 * np.abs(f).max()
    forgotten = span.coordinates(x)[:, :-1]  # the norm of what lies outside
    if depth:
        assert np.abs(regression(forgotten, t[:, :-1], targets, depth=depth)[0] - f).max() > 0.01


def test_a_span_that_is_everything_changes_nothing(rng):
    x, y = rng.random((30, 5)), np.arange(30) % 2
    prepare = preparation_of(x)
    start = prepare(x[:2]), start_targets(y[:2], 2).astype(float)
    options = {"prepare": prepare, "steps": 20, "batch": 10}
    pixels = distill(x, y, *start, rng=np.random.default_rng(0), **options)
    span = Span(np.eye(5))
    inside = distill(x, y, *start, rng=np.random.default_rng(0), span=span, **options)
    assert np.abs(pixels.images - inside.images).max() < 1e-9
    assert np.abs(pixels.losses - inside.losses).max() < 1e-9


def test_learned_images_stay_in_the_span_and_teach(rng):
    data = tiny(400, 6)
    prepare = preparation_of(data.train_pixels)
    span = leading_span(data.train_pixels, prepare, 12, rng)
    rows = real_images(data.train_x, data.train_y, 10, 10, rng)
    start = prepare(data.train_x[rows]), start_targets(data.train_y[rows], 10)
    options = {"prepare": prepare, "rng": rng, "batch": 100, "span": span}
    found = distill(data.train_pixels, data.train_y, *start, steps=60, **options)
    v = span.basis
    assert np.abs(found.images - found.images @ v @ v.T).max() < 1e-4
    assert found.losses[-10:].mean() < 0.5 * found.losses[:10].mean()


def test_the_leading_components(rng):
    """Subspace iteration against the exact eigenvectors, on images of three large components."""
    prepare = Preparation(np.zeros(12))
    x = rng.normal(size=(400, 12)) * np.where(np.arange(12) < 3, 1.0, 0.1)
    ready = prepare(x)
    exact = np.linalg.eigh(ready.T @ ready)[1][:, -3:]
    found = leading_span(x, prepare, 3, rng).basis
    cosines = np.linalg.svd(exact.T @ found, compute_uv=False)
    assert cosines.min() > 1 - 1e-4
    assert np.array_equal(leading_span(x, prepare, 40, rng).basis, np.eye(12, dtype=np.float32))
    with pytest.raises(ValueError, match="rank: expected at least 1"):
        leading_span(x, prepare, 0, rng)


def test_pixels_of_8_bits_are_the_same_images(rng):
    pixels = rng.integers(0, 256, (20, 7)).astype(np.uint8)
    floats = pixels.astype(np.float32) / np.float32(255)
    prepare = preparation_of(pixels)
    assert np.abs(prepare.mean - preparation_of(floats).mean).max() < 1e-7
    assert np.array_equal(prepare(pixels), prepare(floats))
    span = Span(np.eye(7, dtype=np.float32)[:, :3])
    assert np.array_equal(all_coordinates(pixels, prepare, span), span.coordinates(prepare(floats)))
