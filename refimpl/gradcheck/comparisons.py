"""What refimpl.gradcheck holds against what, and how tightly: entries, directions, kinks, Taylor's
remainder.

x: the inputs; analytic: one gradient an input, for the cotangent dout; derivative(x, u), by
`method`: the numeric side. Each input may have any shape, its gradient has the same; out and dout
have that of f's output.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refimpl.gradcheck.derivatives import (
    direction,
    jacobian,
    jump,
    likely_cause,
    one_sided,
    only,
    unit,
)

BOUNDS = {
    "complex step": (1e-12, 1e-14),
    "central differences": (1e-6, 1e-8),
    "kink": (0, 1e-6),
    "batch": (1e-10, 1e-12),
}  # how: (rtol on |numeric|, atol on S)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. argument, index: where it is worst. cause: what the numbers suggest,
    or "".

    >>> print(Finding("gradient", "w", (0, 1), 2.0, 1.0, 1e-12, "a constant factor 2"))
    gradient: w[0, 1]: analytic 2, numeric 1, relative error 1.0e+00, allowed 1.0e-12; likely a constant factor 2
    """

    check: str  # gradient, subgradient, Taylor, twice, batch or dtype
    argument: str
    index: tuple = ()
    analytic: float = np.nan
    numeric: float = np.nan
    bound: float = np.nan
    cause: str = ""

    def __str__(self) -> str:
        where = (
            f"{self.argument}[{', '.join(map(str, self.index))}]" if self.index else self.argument
        )
        error = abs(self.analytic - self.numeric) / abs(self.numeric) if self.numeric else np.inf
        numbers = (
            ""
            if np.isnan(self.bound)
            else (
                f": analytic {self.analytic:.10g}, numeric {self.numeric:.10g}, relative error "
                f"{error:.1e}, "
                f"allowed {self.bound:.1e}"
            )
        )
        return f"{self.check}: {where}{numbers}" + (f"; likely {self.cause}" if self.cause else "")


def summand_size(x: Sequence, dout: np.ndarray, size: float | Sequence | None) -> list[float]:
    """S of each input: known, or the largest product that a multilinear function could sum.

    >>> [float(s) for s in summand_size((np.array([2.0]), np.array([5.0])), np.array([3.0]), None)]
    [15.0, 6.0]
    """
    top = [max(1.0, np.abs(a).max(initial=0)) for a in (*x, dout)]
    if size is not None:
        return [top[-1] * s for s in np.broadcast_to(size, len(x))]
    return [np.prod(top) / t for t in top[:-1]]


def compare(
    analytic: np.ndarray,
    numeric: np.ndarray,
    size: float | np.ndarray,
    name: str,
    method: str,
    x: Sequence,
) -> list[Finding]:
    """Entry by entry, of one shape: |analytic - numeric| <= rtol |numeric| + atol size. The worst
    entry: [Finding].

    >>> found = compare(
    ...     np.array([1.0, 5.0]), np.array([1.0, 2.0]), 1.0, "w", "complex step", (np.ones(2),)
    ... )
    >>> found[0].index, compare(np.ones(2), np.ones(2), 1.0, "w", "complex step", (np.ones(2),))
    ((1,), [])
    """
    rtol, atol = BOUNDS[method]
    bound = rtol * np.abs(numeric) + atol * size
    excess = np.abs(analytic - numeric) / bound
    if not excess.size or excess.max() <= 1:
        return []
    i = np.unravel_index(np.argmax(excess), excess.shape)
    cause = likely_cause(analytic, numeric, {n for a in x for n in a.shape})
    at = tuple(map(int, i)), float(analytic[i]), float(numeric[i]), float(bound[i])
    return [Finding("gradient", name, *at, cause)]


def gradients(
    derivative: Callable,
    analytic: Sequence,
    x: Sequence,
    dout: np.ndarray,
    sizes: Sequence[float],
    names: Sequence[str],
    method: str,
    rng: np.random.Generator,
    *,
    full: bool,
) -> list[Finding]:
    """Every gradient against the numeric side: entry by entry (full), or along two random
    directions u an input.

    <dout, J u> = <J' dout, u>, the adjoint identity; where it fails the worst entry is looked for.

    >>> x, dout, rng = (np.array([1.0, 2.0]),), np.ones(2), np.random.default_rng(0)
    >>> def found(gradient, full):  # of f(x) = 3 x
    ...     return gradients(
    ...         lambda x, u: 3 * u[0],
    ...         (gradient,),
    ...         x,
    ...         dout,
    ...         [1.0],
    ...         ("x",),
    ...         "complex step",
    ...         rng,
    ...         full=full,
    ...     )
    >>> [
    ...     (found(3 * dout, full), found(np.array([3.0, 4.0]), full)[0].index)
    ...     for full in (True, False)
    ... ]
    [([], (1,)), ([], (1,))]
    """
    found = []
    for k, (a, name) in enumerate(zip(x, names)):
        if full:
            found += _entries(derivative, analytic, x, k, dout, sizes[k], name, method)
            continue
        for _ in range(2):
            u = rng.normal(size=a.shape)
            along, mine = dout * derivative(x, only(x, k, u)), analytic[k] * u
            size = max(sizes[k], np.abs(along).sum(), np.abs(mine).sum())
            whole = compare(
                mine.sum(), along.sum(), size, f"{name} along a random direction", method, x
            )
            if whole:
                some = _suspects(derivative, analytic, x, k, dout, rng) if a.size > 512 else None
                found += (
                    _entries(derivative, analytic, x, k, dout, sizes[k], name, method, some)
                    or whole
                )
                break
    return found


def _entries(derivative, analytic, x, k, dout, size, name, method, some=None):
    """compare() on all entries of input k, or on some, by their flat indices."""
    j = jacobian(derivative, x, k, dout.size, some)
    mine = analytic[k] if some is None else analytic[k].ravel()[some]
    numeric, summands = (
        (v.ravel() @ a).reshape(mine.shape) for v, a in ((dout, j), (np.abs(dout), np.abs(j)))
    )
    found = compare(mine, numeric, np.maximum(size, summands), name, method, x)
    if some is None:
        return found
    return [
        replace(v, index=tuple(map(int, np.unravel_index(some[v.index[0]], x[k].shape))))
        for v in found
    ]


def _suspects(derivative, analytic, x, k, dout, rng):
    """The entries of input k that a bisection ends in, and 256 random ones."""

    def gap(half):
        u = np.zeros(x[k].size)
        u[half] = rng.normal(size=len(half))
        numeric = (dout * derivative(x, only(x, k, u.reshape(x[k].shape)))).sum()
        return abs(analytic[k].ravel() @ u - numeric)

    part = np.arange(x[k].size)
    while len(part) > 256:  # follow the half that is more wrong
        part = max(np.array_split(part, 2), key=gap)
    return np.union1d(part, rng.choice(x[k].size, 256, replace=False))


def subgradients(
    pull: Callable,
    derivative: Callable,
    x: Sequence,
    out: np.ndarray,
    sizes: Sequence[float],
    names: Sequence[str],
    method: str,
    rng: np.random.Generator,
) -> list[Finding]:
    """A single layer at a kink, one output and one coordinate at a time: between the one-sided
    derivatives.

    pull(dout) -> the gradients by hand. Where every output bends one way (convex, or concave), all
    coordinates of an input together must lie between, too: equal maxima share one unit of gradient,
    they do not get one each.

    >>> x, rng = (np.array([0.0, 2.0]),), np.random.default_rng(0)
    >>> def found(at_zero):  # of f(x) = max(x, 0), whose subgradients at 0 are [0, 1]
    ...     pull, derivative = lambda dout: (dout * [at_zero, 1],), lambda x, u: (x[0] > 0) * u[0]
    ...     return subgradients(
    ...         pull, derivative, x, np.maximum(*x, 0), [1.0], ("x",), "complex step", rng
    ...     )
    >>> found(0.5), found(2.0)[0].check
    ([], 'subgradient')
    """
    top, found = np.abs(out).max(initial=0), []
    analytic = [pull(dout) for dout in np.eye(out.size).reshape(out.size, *out.shape)]
    for k, (a, name) in enumerate(zip(x, names)):
        mine = np.array([g[k].ravel() for g in analytic])  # (outputs, entries), as all arrays here
        units = [unit(x, k, j) for j in range(a.size)]
        sides = np.array([one_sided(derivative, x, u, method) for u in units]).reshape(
            a.size, 2, -1
        )
        left, right = sides[:, 0].T, sides[:, 1].T
        bent = np.array([jump(method, derivative, x, u, top).ravel() for u in units]).T
        low, high = np.minimum(left, right), np.maximum(left, right)
        smooth = np.where(bent, mine, jacobian(derivative, x, k, out.size))
        between, size = (
            np.where(bent, np.clip(mine, low, high), mine),
            np.maximum(np.abs(low), np.abs(high)) + 1e-3,
        )
        wrong = [
            replace(v, check="subgradient", cause="a kink's convention")
            for v in compare(mine, between, size, name, "kink", x)
        ]
        wrong = wrong or compare(mine, smooth, sizes[k], name, method, x)
        found += [
            replace(v, index=tuple(map(int, np.unravel_index(v.index[1], a.shape)))) for v in wrong
        ]
        if (
            not wrong
            and bent.any()
            and ((right >= left - 1e-6).all() or (right <= left + 1e-6).all())
        ):
            found += _all_at_once(mine, derivative, x, k, name, method, rng)
    return found


def _all_at_once(mine, derivative, x, k, name, method, rng):
    """The subgradient inequality along all coordinates of input k together, for layers that are
    convex or concave.
    """
    for u in (np.ones(x[k].shape), rng.uniform(0.5, 1.5, x[k].shape)):
        low, high = np.sort(
            [v.ravel() for v in one_sided(derivative, x, only(x, k, u), method)], axis=0
        )
        along, size = mine @ u.ravel(), np.abs(mine) @ u.ravel() + 1
        found = compare(
            along, np.clip(along, low, high), size, f"{name} along all entries", "kink", x
        )
        if found:
            cause = "equal maxima that get one unit of gradient each"
            return [replace(found[0], check="subgradient", index=(), cause=cause)]
    return []


def taylor(
    f: Callable,
    x: Sequence,
    out: np.ndarray,
    dout: np.ndarray,
    analytic: Sequence,
    names: Sequence[str],
    rng: np.random.Generator,
) -> list[Finding]:
    """R(e) = |phi(x + e u) - phi(x) - e <g, u>|, phi = <dout, f>: from 1e-7 to 1e-8 it falls as
    e^2, or is round-off.

    >>> x, dout, rng = (np.array([1.0, 2.0]),), np.ones(2), np.random.default_rng(0)
    >>> [
    ...     len(taylor(np.exp, x, np.exp(*x), dout, (s * np.exp(*x),), ("x",), rng))
    ...     for s in (1, 1.01)
    ... ]
    [0, 1]
    """
    u = direction(x, rng)
    slope = sum((g * d).sum() for g, d in zip(analytic, u))
    size = np.prod([max(1.0, np.abs(a).max(initial=0)) for a in x]) + np.abs(dout * out).sum()
    remainders = []
    for e in (1e-7, 1e-8):
        with np.errstate(all="ignore"):
            there = np.asarray(f(*[a + e * d for a, d in zip(x, u)]))
        remainders.append(abs((dout * (there - out)).sum() - e * slope))
        if remainders[-1] <= 1e-13 * (size + np.abs(dout * there).sum() + e * abs(slope)):
            return []
    order = np.log10(remainders[0] / remainders[1])
    words = f"a wrong gradient: the remainder falls with order {order:.2f}, not 2"
    return [] if order > 1.5 else [Finding("Taylor", ", ".join(names), cause=words)]
