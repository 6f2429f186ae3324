"""Before and after on the same run: paired tests, and the same against chance.

A run gives one score before, one after, and one by chance (images of other classes, descriptors.compare_sets); runs are
independent. Student's t (1908) on the differences, and the sign-flip permutation test (Fisher 1935, section 21), which
needs no normal distribution.
"""

import math
from dataclasses import dataclass

import numpy as np

from refimpl.paper.verdict import student_t_quantile

EXACT = 14  # runs up to which all 2^n signs are tried
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)  # on [-1, 1]


@dataclass(frozen=True)
class Paired:
    """mean and sd (n - 1) of after - before, t = mean / (sd / sqrt(n)), two-sided p, half: half the 95 % interval.

    n: pairs used; undefined: pairs left out because one of the two has no value (NaN).
    """

    mean: float
    sd: float
    t: float
    p: float
    half: float
    n: int
    undefined: int


def two_sided_p(t, df):
    """P(|T| >= |t|) of Student's t with df degrees of freedom.

    With T = sqrt(df) cot(angle) the tail is c sqrt(df) times the integral of sin(angle)^(df - 1) from 0 to
    atan(sqrt(df) / |t|): no difference of near numbers, so that small p are right as well. Gauss-Legendre, 200 nodes.

    >>> round(two_sided_p(2.262157, 9), 6), round(two_sided_p(0.0, 3), 6)
    (0.05, 1.0)
    """
    if not df > 0:
        raise ValueError(f"df: expected a number > 0, got {df!r}")
    end = math.atan2(math.sqrt(df), abs(t))
    area = end / 2 * float(WEIGHTS @ np.sin(end / 2 * (1 + NODES)) ** (df - 1))
    constant = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)
    return min(1.0, 2 * constant * area)


def differences(before, after):
    """after - before where both have a value, and how many have not. Raises ValueError on unequal numbers of runs."""
    before, after = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(f"after: expected one number a run, as before {before.shape}, got {after.shape}")
    d = after - before
    d = d[~np.isnan(d)]
    if len(d) < 2:
        raise ValueError(f"before, after: expected at least 2 runs in which both have a value, got {len(d)}")
    return d, len(before) - len(d)


def paired_test(before, after):
    """Student's t test that after - before has mean 0, two-sided: a Paired record.

    Differences without spread: t is 0 (p = 1) where they are 0, else infinite (p = 0).

    >>> test = paired_test([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 3.0, 6.0])
    >>> test.n, test.mean, round(test.sd, 4), round(test.t, 4), round(test.p, 4)
    (4, 1.25, 0.9574, 2.6112, 0.0796)
    """
    d, undefined = differences(before, after)
    n, mean, sd = len(d), float(d.mean()), float(d.std(ddof=1))
    if sd == 0:
        t = math.copysign(math.inf, mean) if mean else 0.0
    else:
        t = mean / (sd / math.sqrt(n))
    half = student_t_quantile(0.975, n - 1) * sd / math.sqrt(n)
    return Paired(mean, sd, t, two_sided_p(t, n - 1), half, n, undefined)


def sign_flip_p(before, after, *, rng, draws=9_999):
    """Two-sided p of the permutation test: how many signs of the differences give a mean as large as theirs, or larger.

    All 2^n signs up to n = 14, exactly; beyond, (1 + hits) / (1 + draws) with random signs. No p below 2 / 2^n is to be
    had: .0039 with 9 runs.

    >>> sign_flip_p([0.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], rng=np.random.default_rng(0))
    0.0625
    """
    d, _ = differences(before, after)
    n = len(d)
    if n <= EXACT:
        signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    else:
        signs = rng.choice([-1, 1], size=(draws, n))
    reached = np.abs(signs @ d) >= abs(d.sum()) - 1e-12 * np.abs(d).sum()  # ties of exact arithmetic, at round-off
    return float(reached.mean()) if n <= EXACT else float((1 + reached.sum()) / (1 + draws))


def against_chance(before, after, chance, *, rng):
    """The three questions of the experiment: {name: (Paired, permutation p)}.

    "after - before": did retraining change the score; "before - chance" and "after - chance": is it above the level of
    images of other classes. One number a run in each.
    """
    asked = {"after - before": (before, after), "before - chance": (chance, before), "after - chance": (chance, after)}
    return {name: (paired_test(*pair), sign_flip_p(*pair, rng=rng)) for name, pair in asked.items()}
