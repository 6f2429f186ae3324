"""Scores against loops written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.metrics import accuracy, confusion_distance, confusion_matrix, precision_recall_f1


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 6))
def test_confusion_and_scores_by_loops(seed, n, k):
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, k, n), rng.integers(0, k, n)
    counts = [
        [sum(1 for a, b in zip(y, p) if (a, b) == (i, j)) for j in range(k)] for i in range(k)
    ]
    matrix = confusion_matrix(y, p, k)
    assert matrix.tolist() == counts
    assert accuracy(y, p) == pytest.approx(100 * sum(counts[i][i] for i in range(k)) / n)
    precision, recall, f1 = precision_recall_f1(matrix)
    for c in range(k):
        called, there, hit = sum(r[c] for r in counts), sum(counts[c]), counts[c][c]
        assert precision[c] == (hit / called if called else 0)
        assert recall[c] == (hit / there if there else 0)
        both = precision[c] + recall[c]
        assert f1[c] == pytest.approx(2 * precision[c] * recall[c] / both if both else 0)


def test_distance():
    a = np.array([[3, 1], [0, 4]])
    assert confusion_distance(a, a) == 0
    assert confusion_distance(a, [[2, 2], [0, 4]]) == pytest.approx(100 / 8)


def test_counts_of_small_integers_do_not_overflow():
    y = np.array([19, 0], np.uint8)  # 19 * 20 is no uint8
    assert np.argwhere(confusion_matrix(y, y[::-1], 20)).tolist() == [[0, 19], [19, 0]]


@pytest.mark.parametrize(
    "y, p, message",
    [
        ([0, 2], [0, 1], r"y: expected labels in \[0, 2\), found 0 to 2"),
        ([0, 1], [-1, 1], r"predicted: expected labels in \[0, 2\), found -1 to 1"),
        ([0.0, 1.0], [0, 1], "y: expected integer labels"),
        ([0, 1], [0], "predicted: expected 2 labels, as many as y, got 1"),
    ],
)
def test_labels_that_have_no_cell(y, p, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(y, p, 2)


@pytest.mark.parametrize("y, p", [([], []), ([1, 2], [1])])
def test_bad_arguments(y, p):
    with pytest.raises(ValueError, match="y, predicted: expected equal shapes, not empty"):
        accuracy(y, p)
