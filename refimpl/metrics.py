"""Scores of predictions. Accuracies are percent, per-class scores fractions, as the paper prints
them.
"""

import numpy as np
from numpy.typing import ArrayLike

from refimpl.arguments import real_array
from refimpl.losses import check_labels


def accuracy(y: ArrayLike, predicted: ArrayLike) -> float:
    """Percent of equal entries; also the agreement of two networks' predictions. y, predicted (N,).

    Raises ValueError where the shapes differ, on what are no numbers, and where there is nothing to
    compare.

    >>> float(accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1])))
    75.0
    """
    y, predicted = real_array("y", y), real_array("predicted", predicted)
    if np.shape(y) != np.shape(predicted) or np.size(y) == 0:
        raise ValueError(
            f"y, predicted: expected equal shapes, not empty, got {np.shape(y)} and "
            f"{np.shape(predicted)}"
        )
    return 100 * float(np.mean(y == predicted))


def confusion_matrix(y: ArrayLike, predicted: ArrayLike, classes: int) -> np.ndarray:
    """Counts (classes, classes): rows actual, columns predicted, as the paper's tables.

    y, predicted: integer labels (N,). Raises ValueError on a label outside [0, classes) and where
    the lengths differ.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    y, predicted = np.asarray(y), np.asarray(predicted)
    check_labels(y, classes)
    check_labels(predicted, classes, name="predicted")
    if len(y) != len(predicted):
        raise ValueError(f"predicted: expected {len(y)} labels, as many as y, got {len(predicted)}")
    cells = y.astype(np.intp) * classes + predicted.astype(np.intp)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def precision_recall_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per class from a confusion matrix (K, K): three arrays (K,); 0 where nothing was predicted or
    nothing is there.

    >>> [v.round(3).tolist() for v in precision_recall_f1(np.array([[1, 1], [0, 1]]))]
    [[1.0, 0.5], [0.5, 1.0], [0.667, 0.667]]
    """
    hits = np.diag(confusion).astype(float)
    precision = hits / np.maximum(confusion.sum(axis=0), 1)
    recall = hits / np.maximum(confusion.sum(axis=1), 1)
    return (
        precision,
        recall,
        2 * hits / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1),
    )


def confusion_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Percent of images that sit in another cell: half the sum of |a - b| over the number of
    images.

    >>> float(confusion_distance(np.array([[9, 1], [0, 10]]), np.array([[8, 2], [0, 10]])))
    5.0
    """
    return 50 * float(np.abs(np.subtract(a, b)).sum()) / np.sum(a)
