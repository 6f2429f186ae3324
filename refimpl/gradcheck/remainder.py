"""The part of f that complex numbers do not see: an L1 penalty of 1e-7 beside a loss of 1e6.

Where f is analytic, its change on the way from x to x + t u is the integral of its complex steps on
that way, which a Gauss rule of few nodes knows to round-off. What f moves beyond that, its
remainder, is |x| of a complex x, a norm, a Cholesky factor: the complex step leaves it out. The
steps may be long, since nothing but round-off stands against the remainder: where plain differences
tell 1e-12 of a derivative, the remainder tells 1e-15 of f's value.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from refimpl.gradcheck.differences import Slope
from refimpl.gradcheck.probing import Probe

# The nodes miss (t / 2)^16 of an f that ends one unit away: 2e-21 for the longest step. There is an
# even number: one at x itself would take a narrow bump there for a wide one.
GAUSS = np.polynomial.legendre.leggauss(8)
LONGEST = 0.1  # in units of the entries
SHORTEST = LONGEST / 16  # of a table of differences that starts with the longest: 1.7^5 is 14.2
SAME = 0.1  # a part that complex numbers do not see has one slope at all steps, to this share
CERTAIN = 4.0  # times the round-off: below, a remainder is none
WAY = 1e-15  # of a change of f: four roundings, what the sum of its complex steps may err by


def mean_on_the_way(
    probe: Probe, u: Mapping[int, np.ndarray], start: float, end: float
) -> np.ndarray | None:
    """The mean of the complex steps along u between x + start u and x + end u, None where one is
    missing.

    >>> probe = Probe(np.exp, (np.zeros(1),), (1,))
    >>> mean = mean_on_the_way(probe, {0: np.ones(1)}, 0.0, 0.1)
    >>> bool(abs(mean[0] - np.expm1(0.1) / 0.1) < 1e-15)
    True
    """
    mean = np.zeros(probe.shape)
    for node, weight in zip(*GAUSS):
        found = probe.imaginary(u, start + (end - start) * (node + 1) / 2)
        if found is None or not np.isfinite(found).all():
            return None
        mean = mean + weight / 2 * found
    return mean


def remainder(probe: Probe, u: Mapping[int, np.ndarray], t: float) -> np.ndarray | None:
    """What f moves beyond its complex steps between x - t u and x + t u, a unit of t; or None.

    >>> x = np.ones(1)
    >>> probe = Probe(lambda x: np.sin(x) + 1e-7 * np.abs(x), (x,), (1,))
    >>> bool(abs(remainder(probe, {0: x}, 0.1)[0] - 1e-7) < 1e-14)
    True
    """
    step = {k: _exactly(probe.x[k], t * d) for k, d in u.items()}
    there, back = probe.real(step, 1.0), probe.real(step, -1.0)
    if there is None or back is None:
        return None
    mean = mean_on_the_way(probe, step, -1.0, 1.0)
    return None if mean is None else ((there - back) / 2 - mean) / t


def _exactly(x, d):
    """d, changed so little that neither x + d nor x - d has round-off."""
    away = np.where(x < 0, -1.0, 1.0)  # x + d has no more digits where it is the larger one
    return np.sign(d) * away * ((x + away * np.abs(d)) - x)


def _round_off(noise, size, t, other_way):
    """Of a remainder: of f's two values, of the sum of complex steps, and of f's own computing."""
    return noise / t + (WAY + 2 * other_way) * size


def unseen(
    probe: Probe,
    u: Mapping[int, np.ndarray],
    noise: np.ndarray,
    size: np.ndarray,
    step: np.ndarray,
    other_way: float = 0.0,
) -> bool:
    """Whether f has a part along u that complex numbers do not see. noise: the round-off of f;
    size: how much f's arguments move it, all in absolute value; step: at which differences found
    its derivative. All are like f's output. other_way: by how much complex numbers change f's way
    of computing, relative to it (Problem.ill_conditioned).

    The slope of such a part is the same at three steps; what the nodes miss of a fast function is
    not, and where differences needed short steps f is too fast, or has kinks near x.

    >>> x = np.array([0.3])
    >>> [
    ...     unseen(Probe(f, (x,), (1,)), {0: x}, 1e-16 * x, x, 0.1 * x)
    ...     for f in (np.sin, lambda x: np.sin(x) + 1e-12 * np.abs(x), lambda x: np.sin(1e3 * x))
    ... ]
    [False, True, False]
    """
    suspect, before = step >= SHORTEST, None
    for t in (LONGEST, LONGEST / 2, LONGEST / 4):
        found = remainder(probe, u, t) if suspect.any() else None
        if found is None:
            return False
        known = _round_off(noise, size, t, other_way)
        suspect &= np.abs(found) > CERTAIN * known
        if before is not None:
            suspect &= np.abs(found - before) <= SAME * np.abs(found) + known
        before = found
    return bool(suspect.any())


def with_remainder(
    probe: Probe,
    u: Mapping[int, np.ndarray],
    noise: np.ndarray,
    dout: np.ndarray,
    plain: Slope,
    other_way: float = 0.0,
) -> Slope:
    """plain, f's Slope along u, made closer where the complex step leaves out a part for certain.

    From one step to half of it the slope of that part changes by c t^2, three quarters of which are
    seen; the rest and the round-off at both are its error.
    """
    exact = probe.imaginary(u)
    long, short = remainder(probe, u, LONGEST), remainder(probe, u, LONGEST / 2)
    if exact is None or long is None or short is None:
        return plain
    size = np.abs(exact)
    known = _round_off(noise, size, LONGEST, other_way)
    each = _closer(plain, exact, long, short, known)
    weight = dout.ravel()
    value, far, near = (np.array([weight @ a.ravel()]) for a in (exact, long, short))
    known = np.array([np.abs(weight) @ known.ravel()])
    return replace(each, total=_closer(plain.summed, value, far, near, known))


def _closer(plain, exact, long, short, known):
    error = 2 * np.abs(long - short) + 2 * known
    same = np.abs(long - short) <= SAME * np.abs(long) + 3 * known
    certain = same & (np.abs(long) > CERTAIN * known) & (np.abs(long) > 1.5 * error)
    take = certain & (error < plain.error)
    return replace(
        plain,
        value=np.where(take, exact + long, plain.value),
        error=np.where(take, error, plain.error),
        beyond=np.where(certain, np.abs(long), 0.0),
    )
