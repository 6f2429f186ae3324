"""Before and after on the same run: Student's t test (1908) on the differences. Runs are
independent.

A run gives one score before and one after, or one by chance (images of other classes,
descriptors.compare_sets).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from refimpl.ledger.verdict import student_t_quantile

NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)  # on [-1, 1]


@dataclass(frozen=True)
class Paired:
    """mean and sd (n - 1) of after - before, t = mean / (sd / sqrt(n)), two-sided p, half: half the
    95 % interval.

    n: pairs used; undefined: pairs left out because one of the two has no value (NaN).

    >>> test = paired_test([1.0, 2.0, 3.0], [2.0, 2.0, float("nan")])
    >>> test.n, test.undefined, test.mean
    (2, 1, 0.5)
    """

    mean: float
    sd: float
    t: float
    p: float
    half: float
    n: int
    undefined: int


def two_sided_p(t: float, df: float) -> float:
    """P(|T| >= |t|) of Student's t with df degrees of freedom.

    With T = sqrt(df) cot(angle) the tail is c sqrt(df) times the integral of sin(angle)^(df - 1)
    from 0 to atan(sqrt(df) / |t|): no difference of near numbers, so that small p are right as
    well. Gauss-Legendre, 200 nodes, which miss the integrand for a larger df. NaN where t is.
    Raises ValueError unless 1 <= df <= 1e6.

    >>> round(two_sided_p(2.262157, 9), 6), round(two_sided_p(0.0, 3), 6)
    (0.05, 1.0)
    """
    if not 1 <= df <= 1e6:
        raise ValueError(f"df: expected a number from 1 to 1e6, got {df!r}")
    end = math.atan2(math.sqrt(df), abs(t))
    area = end / 2 * float(WEIGHTS @ np.sin(end / 2 * (1 + NODES)) ** (df - 1))
    constant = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)
    return min(2 * constant * area, 1.0)  # in this order NaN stays


def paired_test(before: ArrayLike, after: ArrayLike) -> Paired:
    """Student's t test that after - before has mean 0, two-sided: a Paired record.

    before, after: one number a run, NaN for none. Differences without spread: t is 0 (p = 1) where
    they are 0, else infinite (p = 0); with an infinite one among them t and p are NaN. Raises
    ValueError on unequal numbers of runs, and below two with both values.

    >>> test = paired_test([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 3.0, 6.0])
    >>> test.n, test.mean, round(test.sd, 4), round(test.t, 4), round(test.p, 4)
    (4, 1.25, 0.9574, 2.6112, 0.0796)
    """
    before, after = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(
            f"after: expected one number a run, as before {before.shape}, got {after.shape}"
        )
    d = after - before
    d = d[~np.isnan(d)]
    if len(d) < 2:
        raise ValueError(
            f"before, after: expected at least 2 runs in which both have a value, got {len(d)}"
        )
    n, mean, sd = len(d), float(d.mean()), float(d.std(ddof=1))
    if sd == 0:
        t = math.copysign(math.inf, mean) if mean else 0.0
    else:
        t = mean / (sd / math.sqrt(n))
    half = student_t_quantile(0.975, n - 1) * sd / math.sqrt(n)
    return Paired(mean, sd, t, two_sided_p(t, n - 1), half, n, len(before) - n)
