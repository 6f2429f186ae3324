"""What refimpl.gradcheck holds against what, and how tightly: entries, directions, kinks, Taylor's remainder.

x: the tuple of inputs; analytic: one gradient an input, for the cotangent dout; derivative(x, u): the numeric side.
"""

from dataclasses import dataclass, replace

import numpy as np

from refimpl.derivatives import direction, jacobian, jump, likely_cause, one_sided, only, unit

BOUNDS = {"complex step": (1e-12, 1e-14), "central differences": (1e-6, 1e-8)}  # rtol on |numeric|, atol on S


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. argument, index: where it is worst. cause: what the numbers suggest, or "".

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

    @property
    def error(self):
        """|analytic - numeric| / |numeric|."""
        gap = abs(self.analytic - self.numeric)
        return gap / abs(self.numeric) if self.numeric else (np.inf if gap else 0.0)

    def __str__(self):
        where = f"{self.argument}[{', '.join(map(str, self.index))}]" if self.index else self.argument
        numbers = "" if np.isnan(self.bound) else (
            f": analytic {self.analytic:.10g}, numeric {self.numeric:.10g}, relative error {self.error:.1e}, "
            f"allowed {self.bound:.1e}")
        return f"{self.check}: {where}{numbers}" + (f"; likely {self.cause}" if self.cause else "")


def summand_size(x, dout, size):
    """S of each input: known, or the largest product that a multilinear function could sum.

    >>> [float(s) for s in summand_size((np.array([2.0]), np.array([5.0])), np.array([3.0]), None)]
    [15.0, 6.0]
    """
    top = [max(1.0, np.abs(a).max(initial=0)) for a in (*x, dout)]
    if size is not None:
        return [top[-1] * s for s in np.broadcast_to(size, len(x))]
    return [np.prod(top) / t for t in top[:-1]]


def compare(analytic, numeric, size, name, method, x):
    """Entry by entry: |analytic - numeric| <= rtol |numeric| + atol S. The worst entry, as a list of one Finding.

    >>> found = compare(np.array([1.0, 5.0]), np.array([1.0, 2.0]), 1.0, "w", "complex step", (np.ones(2),))
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
    numbers = (float(v[i]) for v in (analytic, numeric, bound))
    return [Finding("gradient", name, tuple(map(int, i)), *numbers, cause)]


def directions(derivative, analytic, x, dout, sizes, names, method, rng):
    """<dout, J u> = <J' dout, u>, the adjoint identity, for two random u an input; failures are traced.

    >>> x, dout, rng = (np.array([1.0, 2.0]),), np.ones(2), np.random.default_rng(0)
    >>> def found(gradient):                           # of f(x) = 3 x
    ...     return directions(lambda x, u: 3 * u[0], (gradient,), x, dout, [1.0], ("x",), "complex step", rng)
    >>> found(3 * dout), found(np.array([3.0, 4.0]))[0].index
    ([], (1,))
    """
    rtol, atol = BOUNDS[method]
    found = []
    for k, (a, name) in enumerate(zip(x, names)):
        for _ in range(2):
            u = rng.normal(size=a.shape)
            along, mine = dout * derivative(x, only(x, k, u)), analytic[k] * u
            numeric, claimed = float(along.sum()), float(mine.sum())
            bound = rtol * abs(numeric) + atol * max(sizes[k], np.abs(along).sum(), np.abs(mine).sum())
            if abs(claimed - numeric) > bound:
                whole = Finding("gradient", f"{name} along a random direction", (), claimed, numeric, float(bound))
                found += trace(derivative, analytic, x, k, dout, sizes[k], name, method, rng) or [whole]
                break
    return found


def trace(derivative, analytic, x, k, dout, size, name, method, rng, most=512):
    """The worst entry of input k: among all, or among those a bisection ends in and as many random ones."""
    def gap(half):
        u = np.zeros(x[k].size)
        u[half] = rng.normal(size=len(half))
        numeric = (dout * derivative(x, only(x, k, u.reshape(x[k].shape)))).sum()
        return abs(analytic[k].ravel() @ u - numeric)

    entries = np.arange(x[k].size)
    if len(entries) > most:
        part = entries
        while len(part) > most // 2:  # follow the half that is more wrong
            part = max(np.array_split(part, 2), key=gap)
        entries = np.union1d(part, rng.choice(x[k].size, most // 2, replace=False))
    numeric = np.array([(dout * derivative(x, unit(x, k, j))).sum() for j in entries])
    if len(entries) == x[k].size:
        return compare(analytic[k], numeric.reshape(x[k].shape), size, name, method, x)
    found = compare(analytic[k].ravel()[entries], numeric, size, name, method, x)
    return [replace(v, index=tuple(map(int, np.unravel_index(entries[v.index[0]], x[k].shape)))) for v in found]


def subgradients(pull, derivative, x, out, sizes, names, method, rng):
    """A single layer at a kink, one output and one coordinate at a time: between the one-sided derivatives.

    pull(dout) -> the gradients by hand. Where every output bends one way (convex, or concave), all coordinates of an
    input together must lie between, too: equal maxima share one unit of gradient, they do not get one each.

    >>> x, rng = (np.array([0.0, 2.0]),), np.random.default_rng(0)
    >>> def found(at_zero):                            # of f(x) = max(x, 0), whose subgradients at 0 are [0, 1]
    ...     return subgradients(lambda dout: (dout * [at_zero, 1],), lambda x, u: (x[0] > 0) * u[0], x, np.maximum(*x, 0),
    ...                         [1.0], ("x",), "complex step", rng)
    >>> found(0.5), found(2.0)[0].check
    ([], 'subgradient')
    """
    (rtol, atol), top, found = BOUNDS[method], np.abs(out).max(initial=0), []
    analytic = [pull(dout) for dout in np.eye(out.size).reshape(out.size, *out.shape)]
    for k, (a, name) in enumerate(zip(x, names)):
        mine = np.array([g[k].ravel() for g in analytic])  # (outputs, entries), as all arrays here
        units = [unit(x, k, j) for j in range(a.size)]
        sides = np.array([one_sided(derivative, x, u, method) for u in units]).reshape(a.size, 2, -1)
        left, right = sides[:, 0].T, sides[:, 1].T
        bent = np.array([jump(method, derivative, x, u, top).ravel() for u in units]).T
        low, high = np.minimum(left, right), np.maximum(left, right)
        numeric = np.where(bent, np.clip(mine, low, high), jacobian(derivative, x, k, out.size))
        slack = np.where(bent, 1e-6 * np.maximum(np.abs(low), np.abs(high)) + 1e-9,
                         rtol * np.abs(numeric) + atol * sizes[k])
        wrong = np.argwhere(np.abs(mine - numeric) > slack)
        if len(wrong):
            i, j = map(int, wrong[0])
            where = tuple(map(int, np.unravel_index(j, a.shape)))
            check, cause = ("subgradient", "a kink's convention") if bent[i, j] else ("gradient", "")
            numbers = (float(v[i, j]) for v in (mine, numeric, slack))
            found.append(Finding(check, name, where, *numbers, cause))
        elif bent.any() and ((right >= left - 1e-6).all() or (right <= left + 1e-6).all()):
            found += all_at_once(mine, derivative, x, k, name, method, rng)
    return found


def all_at_once(mine, derivative, x, k, name, method, rng):
    """The subgradient inequality along all coordinates of input k together, for layers that are convex or concave."""
    for u in (np.ones(x[k].shape), rng.uniform(0.5, 1.5, x[k].shape)):
        low, high = np.sort([v.ravel() for v in one_sided(derivative, x, only(x, k, u), method)], axis=0)
        along, slack = mine @ u.ravel(), 1e-6 * (np.abs(mine) @ u.ravel() + 1)
        gap = np.maximum(low - along, along - high) - slack
        if gap.max() > 0:
            i = int(gap.argmax())
            numbers = (float(v[i]) for v in (along, high, slack))
            return [Finding("subgradient", f"{name} along all entries", (), *numbers,
                            "equal maxima that get one unit of gradient each")]
    return []


def taylor(f, x, out, dout, analytic, names, rng):
    """R(e) = |phi(x + e u) - phi(x) - e <g, u>|, phi = <dout, f>: R falls as e^2, or ends in round-off.

    >>> x, dout, rng = (np.array([1.0, 2.0]),), np.ones(2), np.random.default_rng(0)
    >>> [len(taylor(np.exp, x, np.exp(*x), dout, (s * np.exp(*x),), ("x",), rng)) for s in (1, 1.01)]
    [0, 1]
    """
    u = direction(x, rng)
    slope = sum((g * d).sum() for g, d in zip(analytic, u))
    size = np.prod([max(1.0, np.abs(a).max(initial=0)) for a in x]) + np.abs(dout * out).sum()
    clear = []  # (e, R(e)) above the noise
    for e in 10.0 ** np.arange(-2, -9, -1):
        with np.errstate(all="ignore"):
            there = np.asarray(f(*[a + e * d for a, d in zip(x, u)]))
        remainder = abs((dout * (there - out)).sum() - e * slope)
        if remainder > 1e-13 * (size + np.abs(dout * there).sum() + e * abs(slope)):
            clear.append((e, remainder))
    if len(clear) < 2 or clear[-1][0] > 2e-8:
        return []
    (e0, r0), (e1, r1) = clear[-2:]
    order = np.log(r0 / r1) / np.log(e0 / e1)
    words = f"a wrong gradient: the remainder falls with order {order:.2f}, not 2"
    return [] if order > 1.5 else [Finding("Taylor", ", ".join(names), cause=words)]
