"""How images are handed to the students of this room: centred on the training mean, of one norm.

    x -> size sqrt(D) (x - m) / |x - m|        m (D,) the mean training image

The kernels see images through their norms and angles. With one norm for all images the angle alone
is left, and the mean no longer dominates it. Distilled images live in these coordinates; their own
norms are free. A kernel takes size 1. What is distilled for a network of finite width takes SMALL:
a He start then begins with logits near zero, so that what it learns is not drowned by where it
starts (chosen on MNIST's validation images).
"""

from dataclasses import dataclass

import numpy as np

from refimpl.dtypes import WHITE, rows_as
from refimpl.losses import check_labels

SMALL = 0.07  # the size of a pixel, on average, where a finite network is distilled for


@dataclass(frozen=True, eq=False)
class Preparation:
    """x -> size sqrt(D) (x - mean) / |x - mean|, row by row; a row that is the mean becomes 0.

    x (M, D): floats, or uint8, 8-bit pixels of which k stands for k / 255.

    >>> prepare = Preparation(np.array([1.0, 1.0]))
    >>> prepare(np.array([[1.0, 3.0], [1.0, 1.0]])).round(4).tolist()
    [[0.0, 1.4142], [0.0, 0.0]]
    """

    mean: np.ndarray
    size: float = 1.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = (rows_as(x, np.float32) if x.dtype == np.uint8 else x) - self.mean
        norm = np.sqrt(np.einsum("nd,nd->n", x, x))
        norm[norm == 0] = 1
        x *= (self.size * np.sqrt(x.shape[1]) / norm)[:, None].astype(x.dtype)
        return x


def preparation_of(x: np.ndarray) -> Preparation:
    """The Preparation of a set of training images x (N, D), floats or 8-bit pixels; float32.

    >>> preparation_of(np.array([[0.0, 2.0], [4.0, 0.0]], np.float32)).mean.tolist()
    [2.0, 1.0]
    """
    mean = x.mean(axis=0, dtype=np.float64) / (WHITE if x.dtype == np.uint8 else 1)
    return Preparation(mean.astype(np.float32))


def start_targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """Centred one-hot rows, 1 - 1/K at the label and -1/K elsewhere: labels (N,) -> (N, K) float32.

    >>> start_targets(np.array([1]), 2).tolist()
    [[-0.5, 0.5]]
    """
    return (np.eye(classes)[labels] - 1 / classes).astype(np.float32)


def real_images(
    x: np.ndarray, y: np.ndarray, count: int, classes: int, rng: np.random.Generator
) -> np.ndarray:
    """The rows of `count` training images, as many of each class as of any other, class by class.

    Raises ValueError unless count is a positive multiple of the number of classes, where a class
    is absent, and where it has fewer images than it should give.

    >>> y = np.array([0, 1, 0, 1])
    >>> y[real_images(np.zeros((4, 2)), y, 4, 2, np.random.default_rng(0))].tolist()
    [0, 0, 1, 1]
    """
    check_training(x, y, classes)
    each = check_count(count, classes)
    rows = []
    for c in range(classes):
        own = np.flatnonzero(y == c)
        if len(own) < each:
            raise ValueError(
                f"count: expected {each} images of class {c} among the training images, "
                f"found {len(own)}"
            )
        rows.append(rng.choice(own, each, replace=False))
    return np.concatenate(rows)


def check_training(x: np.ndarray, y: np.ndarray, classes: int) -> None:
    """Raises ValueError unless y (M,) holds a label below `classes` for each image of x (M, D).

    >>> check_training(np.zeros((3, 2)), np.array([0, 1]), 2)
    Traceback (most recent call last):
        ...
    ValueError: y: expected one label an image, 3, got 2
    """
    check_labels(y, classes)
    if len(y) != len(x):
        raise ValueError(f"y: expected one label an image, {len(x)}, got {len(y)}")


def check_count(count: int, classes: int) -> int:
    """Images a class. Raises ValueError unless count is a positive multiple of the classes.

    >>> check_count(20, 10)
    2
    """
    if count < 1 or count % classes:
        raise ValueError(
            f"count: expected a positive multiple of the {classes} classes, got {count}"
        )
    return count // classes
