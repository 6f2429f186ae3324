"""The record of a theorem: what it predicts, and what was measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Theorem:
    """predicted and measured: one number each; residual: the error of the whole array, relative;
    holds: within bound.

    >>> Theorem(
    ...     "T0", "sum_c w_c = 0", predicted=0.0, measured=3e-15, residual=3e-15, bound=1e-13
    ... ).holds
    True
    """

    id: str
    statement: str
    predicted: float
    measured: float
    residual: float
    bound: float

    @property
    def holds(self) -> bool:
        return bool(self.residual <= self.bound)


def compare(
    id: str, statement: str, predicted: ArrayLike, measured: ArrayLike, bound: float
) -> Theorem:
    """A record for two arrays: their norms, and |measured - predicted| / |predicted|.

    >>> compare(
    ...     "T4", "one step is enough", predicted=[3.0, 4.0], measured=[3.0, 4.5], bound=1e-12
    ... ).residual
    0.1
    """
    size = float(np.linalg.norm(predicted))
    return Theorem(
        id,
        statement,
        size,
        float(np.linalg.norm(measured)),
        float(np.linalg.norm(np.subtract(measured, predicted))) / max(size, 1e-300),
        bound,
    )
