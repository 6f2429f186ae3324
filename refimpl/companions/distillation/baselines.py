"""What distilled images have to beat: images that are chosen or averaged, not learned.

`herding` and `k_means` work on prepared images (preparation.py), `class_means` on pixels too;
random images are `real_images` of preparation.py.
"""

import numpy as np

from refimpl.companions.distillation.preparation import check_count
from refimpl.dtypes import WHITE


def class_means(x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """The mean of each class: x (M, D), y (M,) -> (K, D) in x's dtype, of 8-bit pixels in float32.

    >>> class_means(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1]), 2).tolist()
    [[2.0], [5.0]]
    """
    means = np.stack([x[y == c].mean(axis=0, dtype=np.float64) for c in range(classes)])
    return (means / WHITE).astype(np.float32) if x.dtype == np.uint8 else means.astype(x.dtype)


def herding(x: np.ndarray, y: np.ndarray, count: int, classes: int) -> np.ndarray:
    """Rows of images whose running mean stays nearest their class's (Welling 2009), class by class.

    In each class, with mean mu and the sum s of the images chosen so far, the next one is that x
    which makes |mu - (s + x) / (n + 1)| smallest; an image is chosen once. x (M, D), y (M,) ->
    (count,). Raises ValueError unless count is a positive multiple of the classes, and where a
    class has too few images.

    >>> herding(np.array([[0.0], [4.0], [6.0]]), np.array([0, 0, 0]), 2, 1).tolist()
    [1, 0]
    """
    each = check_count(count, classes)
    chosen = []
    for c in range(classes):
        rows = np.flatnonzero(y == c)
        if len(rows) < each:
            raise ValueError(f"count: expected {each} images of class {c}, found {len(rows)}")
        own = x[rows]
        square = np.einsum("nd,nd->n", own, own)
        mu, total = own.mean(axis=0), np.zeros_like(own[0])
        free = np.ones(len(rows), bool)
        for n in range(each):
            aim = (n + 1) * mu - total  # the image that would do it exactly
            away = square - 2 * own @ aim
            best = int(np.flatnonzero(free)[away[free].argmin()])
            free[best] = False
            total = total + own[best]
            chosen.append(rows[best])
    return np.array(chosen)


def k_means(x: np.ndarray, count: int, rng: np.random.Generator, *, rounds: int = 20) -> np.ndarray:
    """Centroids of Lloyd's k-means from `count` images drawn by rng: x (M, D) -> (count, D).

    A centroid that no image is nearest to stays where it was. Raises ValueError on more centroids
    than images.

    >>> x = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> sorted(k_means(x, 2, np.random.default_rng(0)).ravel().tolist())
    [0.5, 10.5]
    """
    if not 1 <= count <= len(x):
        raise ValueError(f"count: expected 1 to {len(x)} centroids, got {count}")
    centres = x[rng.choice(len(x), count, replace=False)]
    for _ in range(rounds):
        away = (centres * centres).sum(axis=1) - 2 * x @ centres.T  # (M, count), up to |x|^2
        nearest = away.argmin(axis=1)
        for i in np.unique(nearest):
            centres[i] = x[nearest == i].mean(axis=0)
    return centres
