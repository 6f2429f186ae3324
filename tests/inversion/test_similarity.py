"""SSIM against a loop over windows and in closed form; distances by hand."""

import numpy as np
import pytest

from refimpl.companions.inversion.similarity import (
    gaussian_rows,
    reconstruction_error,
    ssim,
    typical_distance,
)


def by_loops(x, y, shape, span=1.0):
    """Wang et al. 2004, equations 13 to 17, window by window."""
    offsets = np.arange(11) - 5
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    c1, c2, found = (0.01 * span) ** 2, (0.03 * span) ** 2, []
    for p, q in zip(x.reshape(shape), y.reshape(shape)):
        for i in range(shape[1] - 10):
            for j in range(shape[2] - 10):
                a, b = p[i : i + 11, j : j + 11], q[i : i + 11, j : j + 11]
                ma, mb = (kernel * a).sum(), (kernel * b).sum()
                va, vb = (kernel * (a - ma) ** 2).sum(), (kernel * (b - mb) ** 2).sum()
                cov = (kernel * (a - ma) * (b - mb)).sum()
                found.append(
                    (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
                )
    return np.mean(found)


@pytest.mark.parametrize("shape, span", [((1, 14, 12), 1.0), ((3, 12, 13), 255.0)])
def test_ssim_is_the_loop_over_windows(rng, shape, span):
    x, y = span * rng.random((2, 3, np.prod(shape)))
    wanted = [by_loops(a, b, shape, span) for a, b in zip(x, y)]
    assert np.allclose(ssim(x, y, shape, span=span), wanted, rtol=1e-10)
    assert np.allclose(ssim(y, x, shape, span=span), wanted, rtol=1e-10)


def test_ssim_of_equal_flat_and_negated_images(rng):
    x = rng.random((4, 144))
    assert np.allclose(ssim(x, x, (1, 12, 12)), 1, rtol=0, atol=1e-12)
    assert (ssim(x, 1 - x, (1, 12, 12)) < 0).all()
    a, b = 0.2, 0.7
    flat = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert np.allclose(
        ssim(np.full((1, 144), a), np.full((1, 144), b), (1, 12, 12)), flat, rtol=1e-9
    )


def test_ssim_falls_with_noise(rng):
    x, noise = rng.random((20, 400)), rng.normal(size=(20, 400))
    means = [ssim(x, x + size * noise, (1, 20, 20)).mean() for size in (0, 0.05, 0.2, 0.8)]
    assert means[0] == pytest.approx(1) and all(a > b for a, b in zip(means, means[1:]))


def test_window_weights():
    rows = gaussian_rows(13)
    assert (
        rows.shape == (3, 13)
        and np.allclose(rows.sum(axis=1), 1)
        and rows[1, 6] == rows[1].max() == rows[0].max()
    )


def test_distances(rng):
    x = rng.random((7, 5))
    pairs = [np.linalg.norm(x[i] - x[j]) for i in range(7) for j in range(i)]
    assert typical_distance(x) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert np.allclose(reconstruction_error(x, x + [3, 4, 0, 0, 0], 2.0), 2.5)


def test_bad_input_is_named(rng):
    x = rng.random((2, 144))
    for call, word in (
        (lambda: ssim(x, x[:1], (1, 12, 12)), "y: expected"),
        (lambda: ssim(x, x, (1, 16, 9)), "image_shape"),
        (lambda: ssim(x, x, (1, 12, 13)), "x: expected"),
        (lambda: typical_distance(x[:1]), "two images"),
        (lambda: reconstruction_error(x, x[:, :3], 1), "found"),
        (lambda: reconstruction_error(x, x, 0.0), "scale: expected a positive"),
    ):
        with pytest.raises(ValueError, match=word):
            call()
