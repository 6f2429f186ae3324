"""How alike a reconstruction and its image are: distances in pixels, and SSIM."""

from collections.abc import Sequence

import numpy as np

from refimpl.companions.maximization.priors import planes

WINDOW, SIGMA = 11, 1.5  # pixels (Wang et al. 2004, section III.C)


def typical_distance(x: np.ndarray) -> float:
    """N: the mean Euclidean distance between two different images of x (N, D).

    Dosovitskiy and Brox 2016 divide their reconstruction errors by it: 1 is as far as a random
    other image. All pairs are taken. Raises ValueError on fewer than two images.

    >>> typical_distance(np.array([[0.0, 0.0], [3.0, 4.0]]))
    5.0
    """
    if len(x) < 2:
        raise ValueError(f"x: expected at least two images, got {len(x)}")
    x = np.asarray(x, np.float64)
    total = sum(np.linalg.norm(x[i + 1 :] - x[i], axis=1).sum() for i in range(len(x) - 1))
    return float(2 * total / (len(x) * (len(x) - 1)))


def reconstruction_error(x: np.ndarray, found: np.ndarray, scale: float) -> np.ndarray:
    """|found - x| / scale for each image, scale = typical_distance: (N, D), (N, D) -> (N,).

    Raises ValueError on two different shapes and unless scale > 0.

    >>> reconstruction_error(np.zeros((1, 2)), np.array([[3.0, 4.0]]), 10.0).tolist()
    [0.5]
    """
    if x.shape != found.shape:
        raise ValueError(f"found: expected the shape of x, {x.shape}, got {found.shape}")
    if not scale > 0:
        raise ValueError(f"scale: expected a positive number, got {scale!r}")
    return np.linalg.norm(found.astype(np.float64) - x, axis=1) / scale


def gaussian_rows(n: int) -> np.ndarray:
    """(n - 10, n): the Gaussian window, weights that sum to 1, at every place where it lies inside
    a row of n >= 11.

    >>> rows = gaussian_rows(13)
    >>> rows.shape, rows.sum(axis=1).round(6).tolist()
    ((3, 13), [1.0, 1.0, 1.0])
    """
    offsets = np.arange(WINDOW) - (WINDOW - 1) / 2
    kernel = np.exp(-(offsets**2) / (2 * SIGMA**2))
    rows = np.zeros((n - WINDOW + 1, n))
    for i, row in enumerate(rows):
        row[i : i + WINDOW] = kernel / kernel.sum()
    return rows


def ssim(
    x: np.ndarray, y: np.ndarray, image_shape: Sequence[int], *, span: float = 1.0
) -> np.ndarray:
    """The structural similarity of each image of x with the same of y (Wang, Bovik, Sheikh and
    Simoncelli 2004).

        SSIM = (2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sx^2 + sy^2 + C2)),  C = (.01
        span)^2, (.03 span)^2

    with mean, variance and covariance in an 11 x 11 Gaussian window of sigma 1.5 (equations 13 to
    17), averaged over all windows inside the image and over channels (the source has grey images
    only). 1 for equal images, at most 1. x, y (N, C H W), span: the range of the pixels. -> (N,)
    float64. Raises ValueError on images smaller than a window or of two shapes.

    >>> ssim(np.zeros((1, 121)), np.ones((1, 121)), (1, 11, 11)).round(6).tolist()
    [0.0001]
    """
    p, q = (
        planes(np.asarray(x, np.float64), image_shape),
        planes(np.asarray(y, np.float64), image_shape),
    )
    if p.shape != q.shape:
        raise ValueError(f"y: expected the shape of x, {np.shape(x)}, got {np.shape(y)}")
    if min(image_shape[1:]) < WINDOW:
        raise ValueError(
            f"image_shape: expected {WINDOW} pixels a side or more, got {tuple(image_shape)}"
        )
    down, across = gaussian_rows(image_shape[1]), gaussian_rows(image_shape[2]).T

    def mean(a):
        return down @ a @ across

    mp, mq = mean(p), mean(q)
    vp, vq, cov = mean(p * p) - mp * mp, mean(q * q) - mq * mq, mean(p * q) - mp * mq
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    found = (2 * mp * mq + c1) * (2 * cov + c2) / ((mp * mp + mq * mq + c1) * (vp + vq + c2))
    return found.mean(axis=(1, 2, 3))
