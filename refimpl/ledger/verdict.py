"""When is a printed number reproduced? One rule for the whole ledger.

The paper prints one run; we run n seeds. If its number is one more draw from our distribution, it
lies in the prediction interval  mean +- t(.975, n - 1) sd sqrt(1 + 1/n)  with probability .95.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

LARGEST = 1e4  # a quantile that is looked for


@lru_cache
def student_t_quantile(p: float, df: float) -> float:
    """The p-quantile of Student's t with df degrees of freedom, p > .5, by bisection on the
    integrated density, which errs by 1e-7 at most.

    Raises ValueError on another p, unless df >= 1, and where the quantile lies beyond 10,000.

    >>> round(student_t_quantile(0.975, 4), 3), round(student_t_quantile(0.975, 9), 3)
    (2.776, 2.262)
    """
    if not (0.5 < p < 1 and df >= 1):
        raise ValueError(f"p, df: expected .5 < p < 1 and df >= 1, got {p!r} and {df!r}")
    constant = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    low, high = 0.0, LARGEST
    for _ in range(60):
        middle = (low + high) / 2
        angle = np.linspace(0, math.atan(middle / math.sqrt(df)), 2001)  # t = sqrt(df) tan(angle)
        density = np.cos(angle) ** (df - 1)
        area = (density.sum() - (density[0] + density[-1]) / 2) * angle[1]  # trapezoids
        low, high = (middle, high) if 0.5 + constant * math.sqrt(df) * area < p else (low, middle)
    if high == LARGEST:
        raise ValueError(
            f"p, df: expected a quantile of at most {LARGEST:,.0f}, got p = {p!r} and df = {df!r}"
        )
    return (low + high) / 2


def band(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """(mean, half width of the 95 % prediction interval, NaN below two) of values (n,), in their
    unit.

    >>> [round(v, 4) for v in band([91.7, 91.8, 91.9, 91.8, 91.7])]
    [91.78, 0.2545]
    """
    n = len(values)
    if n < 2:
        return float(np.mean(values)), math.nan
    half = student_t_quantile(0.975, n - 1) * np.std(values, ddof=1) * math.sqrt(1 + 1 / n)
    return float(np.mean(values)), float(half)


def verdict(
    paper: float,
    values: Sequence[float] | np.ndarray,
    *,
    better: str = "higher",
    unit: float = 1.0,
    contradicted: bool = False,
) -> str:
    """The verdict on a printed number, given our values over seeds.

    "reproduced": it lies in the prediction interval of ours; "undecided": it does, but the interval
    is wider than 2 points, so that almost anything would. Outside, however wide, "exceeded" where
    ours is the better number and "not reproduced" where the paper's is. "too few seeds" below 5;
    "undecided" also with a NaN among them. "contradicted": a theorem or the paper's own numbers
    exclude the printed one, as measured by whoever calls; never by a constant. better: "higher" or
    "lower". unit: the size of one point (1 for percent, .01 for fractions). Raises ValueError on
    another `better`.

    >>> (
    ...     verdict(91.76, [91.7, 91.8, 91.9, 91.8, 91.7]),
    ...     verdict(86.02, [83.6, 83.5, 83.7, 83.6, 83.6]),
    ... )
    ('reproduced', 'not reproduced')
    >>> verdict(91.76, [91.7, 91.8]), verdict(10.0, [34.9] * 5, contradicted=True)
    ('too few seeds', 'contradicted')
    >>> verdict(91.5, [80, 85, 90, 95, 100]), verdict(20.0, [80, 85, 90, 95, 100])
    ('undecided', 'exceeded')
    """
    if better not in ("higher", "lower"):
        raise ValueError(f"better: expected 'higher' or 'lower', got {better!r}")
    if contradicted:
        return "contradicted"
    mean, half = band(values)
    if len(values) < 5:
        return "too few seeds"
    if math.isnan(half):
        return "undecided"
    if abs(paper - mean) <= half + 1e-9 * unit:
        return "reproduced" if half <= unit else "undecided"
    return "exceeded" if (mean > paper) == (better == "higher") else "not reproduced"
