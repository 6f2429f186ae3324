"""Distilling in few coordinates: the images stay in the span of leading principal components.

A kernel of this room sees a training image x, prepared, through its norm and its products with the
learned images alone. Where these stay in the span of r orthonormal columns V, s = V t, then

    x.s = c.t,  c = V'x        |x|^2 = |c|^2 + |x - V c|^2

so r coordinates and one more, the length of what lies outside the span, stand for x, exactly, with
(t, 0) for s; every step then costs r instead of D. What is given up is what the learned images
could show outside the span.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.companions.distillation.preparation import Preparation

SAMPLE = 10_000  # images that the components are taken from
ROUNDS = 3  # of subspace iteration
BLOCK = 2_500  # images prepared at a time


@dataclass(frozen=True, eq=False)
class Span:
    """Orthonormal columns: basis (D, r).

    >>> span = Span(np.eye(3)[:, :2])
    >>> span.coordinates(np.array([[3.0, 4.0, 12.0]])).tolist()
    [[3.0, 4.0, 12.0]]
    >>> span.images(np.array([[1.0, 2.0, 0.0]])).tolist()
    [[1.0, 2.0, 0.0]]
    """

    basis: np.ndarray

    def coordinates(self, x: np.ndarray) -> np.ndarray:
        """(V'x, |x - V V'x|) of each image: x (M, D) -> (M, r + 1)."""
        c = x @ self.basis
        outside = np.einsum("nd,nd->n", x, x) - np.einsum("nr,nr->n", c, c)
        return np.column_stack([c, np.sqrt(np.maximum(outside, 0))])

    def images(self, t: np.ndarray) -> np.ndarray:
        """V t, without the last coordinate: t (N, r + 1) -> (N, D)."""
        return t[:, :-1] @ self.basis.T


def leading_span(x: np.ndarray, prepare: Preparation, rank: int, rng: np.random.Generator) -> Span:
    """The span of about the first `rank` principal components of prepared images, float32.

    Subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4) from rng on at most SAMPLE
    images: x (M, D), pixels. Where rank reaches D, the span is everything. Raises ValueError on
    rank < 1.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(50, 1)) * np.array([[1.0, 2.0, 2.0]])
    >>> v = leading_span(x, Preparation(np.zeros(3)), 1, rng).basis
    >>> np.abs(v[:, 0]).astype(float).round(4).tolist()
    [0.3333, 0.6667, 0.6667]
    """
    if rank < 1:
        raise ValueError(f"rank: expected at least 1, got {rank}")
    d = x.shape[1]
    if rank >= d:
        return Span(np.eye(d, dtype=np.float32))
    rows = rng.choice(len(x), min(SAMPLE, len(x)), replace=False)
    seen = [prepare(x[rows[i : i + BLOCK]]) for i in range(0, len(rows), BLOCK)]
    basis = rng.standard_normal((d, rank)).astype(np.float32)
    for _ in range(ROUNDS):
        moved = sum(part.T @ (part @ basis) for part in seen)
        basis = np.linalg.qr(moved)[0].astype(np.float32)
    return Span(basis)


def all_coordinates(x: np.ndarray, prepare: Preparation, span: Span) -> np.ndarray:
    """Coordinates of all images of x (M, D), pixels, prepared BLOCK at a time: (M, r + 1) in
    the basis' dtype.

    >>> span = Span(np.eye(2)[:, :1])
    >>> all_coordinates(np.array([[3.0, 4.0]]), Preparation(np.zeros(2)), span).round(4).tolist()
    [[0.8485, 1.1314]]
    """
    found = np.empty((len(x), span.basis.shape[1] + 1), span.basis.dtype)
    for i in range(0, len(x), BLOCK):
        found[i : i + BLOCK] = span.coordinates(prepare(x[i : i + BLOCK]))
    return found
