"""The kinks of a function that is piecewise linear in one variable, from as few evaluations as it
takes.

f: t (M,) -> values (M, K), with round-off. Rolnick and Kording 2020 and Carlini et al. 2020 search
the same kinks along a line through an input space, there with bisection; the test "the lines
through both ends meet on f" is theirs.
"""

from collections.abc import Callable

import numpy as np

from refimpl.theory import EPS

EDGE = 1 / 16  # slopes at the ends of an interval are taken over this part of it
NARROW = 1e-9  # relative: kinks closer together are not told apart


def reach(f: Callable) -> tuple[float, float]:
    """(low, high), -10^m and 10^n: the first of 100, 1e3, 1e4 and 1e5 on either side from which f
    is straight for two decades; 1e6 where it is after none of them.

    >>> reach(lambda t: np.abs(t - 3000.0)[:, None])
    (-100.0, 10000.0)
    """

    def end(side):
        for far in (1e2, 1e3, 1e4, 1e5):
            t = side * far * np.array([1.0, 2.0, 10.0, 100.0])
            z = f(t)
            chord = z[0] + ((t - t[0]) / (t[3] - t[0]))[:, None] * (z[3] - z[0])
            if np.abs(z - chord)[1:3].max() <= 64 * EPS * np.abs(z).max():
                return side * far
        return side * 1e6

    return end(-1.0), end(1.0)


def kinks(f: Callable, low: float, high: float) -> tuple[np.ndarray, int]:
    """Where f bends between low and high: (t (n,), roughly, and how many intervals were too narrow
    to go on).

    On an interval the lines through its two ends (slopes over EDGE of it) meet at one t. If f(t)
    lies on both, t is its only kink; else the interval is cut there or halved. A level is one or
    two batches; 100 intervals too narrow, or 5,000 in one level, end the search with no kink. With
    K = 1 two lines always meet, and f(t) may lie on both by chance: there f must also follow the
    lines close to t.

    >>> t, narrow = kinks(
    ...     lambda t: np.stack([np.abs(t - 3.0), np.abs(t + 1.0)], axis=1), -10.0, 10.0
    ... )
    >>> t.round(6).tolist(), narrow
    ([-1.0, 3.0], 0)
    """
    z = f(np.array([low, high]))
    work, close = [(low, high, z[0], z[1])], 0
    found: list[float] = []
    steep = np.abs(z).max() / (
        1 + max(-low, high)
    )  # |f(t)| <= steep (1 + |t|), as far as it is known
    while work and close < 100 and len(work) < 5000:
        a, b, fa, fb = (np.array(v) for v in zip(*work))
        inner = f(np.concatenate([a + EDGE * (b - a), b - EDGE * (b - a)]))
        left = (inner[: len(a)] - fa) / (EDGE * (b - a))[:, None]
        right = (fb - inner[len(a) :]) / (EDGE * (b - a))[:, None]
        steep = max(steep, (np.abs(fa).max(axis=1) / (1 + np.abs(a))).max())
        noise = 64 * EPS / EDGE * steep * (1 + np.maximum(np.abs(a), np.abs(b)))
        ends = (a, fa, left), (b, fb, right)

        def off(
            t, ft, rows, end, noise=noise
        ):  # is (t, ft) off the line through this end of the interval?
            p, fp, slope = (v[rows] for v in end)
            return np.abs(ft - fp - slope * (t - p)[:, None]).max(axis=1) > noise[rows]

        every = np.arange(len(a))
        rows = np.flatnonzero(off(b, fb, every, ends[0]) | off(a, fa, every, ends[1]))
        turn, length, middle = (left - right)[rows], (b - a)[rows], (a + b)[rows] / 2
        gap = (fb - fa)[rows] - right[rows] * length[:, None]
        meet = a[rows] + (gap * turn).sum(axis=1) / np.maximum((turn * turn).sum(axis=1), 1e-300)
        inside = np.abs(meet - middle) < (0.5 - 1.01 * EDGE) * length
        t = np.where(inside, meet, middle)
        ft = f(t).copy()
        alone = inside & ~off(t, ft, rows, ends[0]) & ~off(t, ft, rows, ends[1])
        if z.shape[1] == 1:
            for i in np.flatnonzero(alone):
                near, row = 8.0 ** -np.arange(1, 9), np.full(8, rows[i])
                p, q = t[i] - (t[i] - a[rows[i]]) * near, t[i] + (b[rows[i]] - t[i]) * near
                fp, fq = np.split(f(np.concatenate([p, q])), 2)
                alone[i] = not (off(p, fp, row, ends[0]) | off(q, fq, row, ends[1])).any()
                if not alone[i]:  # f(t) on both lines would hide what lies beside t
                    t[i], ft[i] = middle[i], f(middle[i : i + 1])[0]
        small = ~alone & (length < NARROW * np.maximum(1, np.abs(t)))
        found, close = [*found, *t[alone]], close + int(small.sum())
        cut = np.flatnonzero(~alone & ~small)
        work = [(a[r], u, fa[r], fu) for r, u, fu in zip(rows[cut], t[cut], ft[cut])]
        work += [(u, b[r], fu, fb[r]) for r, u, fu in zip(rows[cut], t[cut], ft[cut])]
    bends = np.sort([] if work else found)
    apart = np.diff(bends, prepend=-np.inf) > NARROW * (1 + np.abs(bends))
    return bends[apart], close + int((~apart).sum())


def measure(f: Callable, t: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """The kinks t (n,) again, n > 0, from two points on every piece: (t (m,), jumps of the slope
    (m, K)), without those where nothing jumps.

    >>> t, jumps = measure(lambda t: np.abs(t - 3.0)[:, None], np.array([3.0]), -10.0, 10.0)
    >>> t.round(9).tolist(), jumps.round(9).tolist()
    ([3.0], [[2.0]])
    """
    ends = np.concatenate([[min(low, t[0] - 1)], t, [max(high, t[-1] + 1)]])
    p, q = ends[:-1] + 0.05 * np.diff(ends), ends[1:] - 0.05 * np.diff(ends)
    fp, fq = np.split(f(np.concatenate([p, q])), 2)
    t, jump = cross(p, fp, q, fq)
    size = np.linalg.norm(jump, axis=1)
    return t[size > 1e-11 * size.max()], jump[size > 1e-11 * size.max()]


def cross(
    p: np.ndarray, fp: np.ndarray, q: np.ndarray, fq: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Piece i is the line through (p_i, fp_i) and (q_i, fq_i): (where pieces i and i + 1 meet, jump
    of the slope).

    p, q (M,), fp, fq (M, K) -> (M - 1,), (M - 1, K).

    >>> p, q = np.array([0.0, 2.0]), np.array([1.0, 3.0])
    >>> t, jump = cross(p, np.abs(p - 1.5)[:, None], q, np.abs(q - 1.5)[:, None])
    >>> t.tolist(), jump.tolist()
    ([1.5], [[2.0]])
    """
    slope = (fq - fp) / (q - p)[:, None]
    jump = np.diff(slope, axis=0)
    gap = fp[1:] - fq[:-1] - slope[1:] * (p[1:] - q[:-1])[:, None]  # of the two lines at q_i
    return q[:-1] - (gap * jump).sum(axis=1) / np.maximum((jump * jump).sum(axis=1), 1e-300), jump
