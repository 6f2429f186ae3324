"""Derivatives by differences, with an estimate of their error: Ridders (1982).

The odd part of t -> f(x + t u) is D(t) = (f(x + t u) - f(x - t u)) / 2t = f' + c t^2 + c' t^4 + ...
and the even part is K(t) = (f(x + t u) + f(x - t u) - 2 f(x)) / t = k + c t + c' t^3 + ...; k, the
jump between the one-sided derivatives, is 0 unless there is a kink at x. Both are extrapolated to
t = 0 from steps that shrink by 1.7 (Richardson; Ridders takes the entry of the table with the least
estimated error, as does dfridr of Numerical Recipes). Deviations: the estimate counts the round-off
of f and what the finest entries of the table scatter, and other first steps are tried where a first
step does not resolve f: after that x may be 1e8, a function as fast as sin(1000 x), or the edge of
its domain near.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from refimpl.gradcheck.probing import Probe

LEVELS = 6  # steps of one table
RATIO = 1.7  # each so much smaller: a whole number would see a wave at its own period as a line
ODD = tuple(RATIO ** (2 * k) for k in range(1, LEVELS))  # by which D's errors fall
EVEN = tuple(RATIO ** (2 * k - 1) for k in range(1, LEVELS))  # and K's
GOOD = 1e-10  # a relative error that ends the search
IDLE = 1e-9  # an output that moves f by less, were it all wrong, errs by joint's ENOUGH: no search
DOWN = 300.0  # the next first step is so much smaller
NEAR = 1e-6  # of the first step: there f must go on as its tables say, or they overlook a bump at x
CURVED = 1e-2  # of the slope: what f's curvature may do close to x, a thirtieth of a table's step
VISIBLE = 2.0**-10  # of f's value: float16's last digit, so that any value shows a larger movement

# Of a slope: steps that err by more do not see f's own course. Of 400 waves too fast for their
# steps none lies beyond its stated error at this share, one in five does at 1 (test_constants.py);
# and an error above HIDDEN certifies nothing of its own.
CHAOS = 1e-2


@dataclass(frozen=True)
class Slope:
    """The derivative along a direction, by differences: all arrays are shaped like f's output.

    value +- error: the derivative. jump +- jump_error: f'(x; u) + f'(x; -u), which is 0 where f is
    smooth. size: |f(x + t u) - f(x)| / t at the step t that was taken; step: that t. still: where f
    does not move at any step, but for round-off. total: the same of <dout, f>, one number each,
    from the same evaluations: what an output of no weight scatters does not matter in it. exact:
    the complex step along the same direction, where it is known already. beyond: in absolute value,
    how much of `value` the complex step leaves out for certain, where that was asked.
    """

    value: np.ndarray
    error: np.ndarray
    jump: np.ndarray
    jump_error: np.ndarray
    size: np.ndarray
    step: np.ndarray
    still: np.ndarray
    total: "Slope | None" = None
    exact: np.ndarray | None = None
    beyond: np.ndarray | None = None

    @property
    def summed(self) -> "Slope":
        """total, of a Slope that has one: those of f's outputs do."""
        if self.total is None:
            raise ValueError("total: expected the Slope of <dout, f>, got None")
        return self.total

    @property
    def kink(self) -> np.ndarray:
        """Where the one-sided derivatives differ for certain: a mask."""
        sure = np.abs(self.jump) > 10 * self.jump_error
        return sure & (np.abs(self.jump) > 1e-9 * self.size)

    @property
    def largest(self) -> np.ndarray:
        """The derivative or, where that is less, how much f moves beside x; 0 where it is still."""
        return np.where(self.still, 0.0, np.maximum(np.abs(self.value), self.size))

    @property
    def relative(self) -> np.ndarray:
        """The error relative to how much f moves: what tells a resolved table from chaos."""
        with np.errstate(all="ignore"):
            ratio = np.where(self.largest > 0, self.error / self.largest, 0.0)
        return np.where(np.isinf(self.error), np.inf, ratio)


OPTIONAL = ("total", "exact", "beyond")
ARRAYS = tuple(f.name for f in fields(Slope) if f.name not in OPTIONAL)


def slope(
    probe: Probe,
    u: Mapping[int, np.ndarray],
    out: np.ndarray,
    noise: np.ndarray,
    start: float,
    dout: np.ndarray | None = None,
) -> Slope:
    """The derivative of probe.f along u, {position of an input: direction}.

    out: f(x). noise: the round-off in it, like out. start: the first step, in units of u. dout: the
    weights of the outputs in `total`, like out; 1 where nothing is said.

    >>> x = np.array([1.0, 2.0])
    >>> probe = Probe(np.exp, (x,), (2,))
    >>> found = slope(probe, {0: np.ones(2)}, np.exp(x), 2e-16 * np.exp(x), 0.1)
    >>> bool((abs(found.value - np.exp(x)) <= found.error).all()), bool((found.error < 1e-11).all())
    (True, True)
    >>> bool(abs(found.total.value - np.exp(x).sum()) <= found.total.error)
    True
    >>> probe = Probe(np.abs, (np.zeros(1),), (1,))
    >>> found = slope(probe, {0: np.ones(1)}, np.zeros(1), np.zeros(1), 0.1)
    >>> found.kink.tolist(), found.jump.tolist()
    ([True], [2.0])
    """
    weight = np.ones(out.size) if dout is None else dout.ravel()
    along = _Line(probe, u, weight, _with_total(out, weight), _with_total(noise, np.abs(weight)))
    best = _search(along, start)
    parts = {name: getattr(best, name)[:-1].reshape(out.shape) for name in ARRAYS}
    total = {name: getattr(best, name)[-1:] for name in ARRAYS}
    return Slope(**parts, total=Slope(**total))


@dataclass(frozen=True)
class _Line:
    """f along u. out, noise: f(x) and its round-off, flat, with <weight, f> as the last one."""

    probe: Probe
    u: Mapping[int, np.ndarray]
    weight: np.ndarray
    out: np.ndarray
    noise: np.ndarray

    def at(self, t: float) -> np.ndarray | None:
        """f(x + t u), flat, with its weighted sum; None where a value is missing."""
        value = self.probe.real(self.u, t)
        return None if value is None else _with_total(value, self.weight)


def _with_total(value, weight):
    flat = value.ravel()
    return np.append(flat, weight @ flat)


def _search(line, start):
    """The Slope of a line with the least error, from tables with other and other first steps.

    Longer steps help an output that drowns in round-off at the longest steps so far. They do not
    where those already saw too much of f; and where f's own round-off at x is the limit, shorter
    ones do not either.
    """
    best, tried_longer = _unknown(line.out), False
    first, smaller, larger = start, start / DOWN, start * DOWN
    reach = max(np.abs(d).max(initial=0) for d in line.u.values())  # inputs of 1e-8 may move by 1
    at_longest = no_shorter = np.ones(line.out.shape, bool)
    close = _close_by(line, start * NEAR)
    for attempt in range(6):
        table = _table(line, first)
        drowned = np.zeros(line.out.shape, bool)
        if table is not None:
            best = _better(best, table.slope, close, longer=tried_longer, visible=table.visible)
            drowned = table.drowned
        if attempt == 0 or tried_longer:
            at_longest = drowned
        if not tried_longer:
            no_shorter = drowned & (table is not None and table.at_x)
        overlooks = close.denies(best)
        unresolved = (best.relative > GOOD) | overlooks
        unresolved[:-1] &= ~_idle(best, line.weight)
        if not unresolved.any():
            break
        by_noise = not (unresolved & (~drowned | overlooks)).any()
        within = larger <= 1e3 * max(start, 0.1) or larger * reach <= 1
        if by_noise and within and (unresolved & at_longest).any():
            first, larger, tried_longer = larger, larger * DOWN, True
        elif (by_noise and attempt) or not (unresolved & ~no_shorter).any():
            break
        else:
            first, smaller, tried_longer = smaller, smaller / DOWN, False
    return replace(best, error=np.where(close.denies(best), np.inf, best.error))


@dataclass(frozen=True)
class _Close:
    """The derivative from two points at a short step: value +- error, by round-off. still: f does
    not move there.
    """

    step: float
    value: np.ndarray
    error: np.ndarray
    still: np.ndarray

    def denies(self, found: Slope) -> np.ndarray:
        """Where longer steps found a slope that f does not have close to x, a mask; a kink that
        they see is one.
        """
        with np.errstate(invalid="ignore"):
            allowed = 10 * self.error + found.error + CURVED * found.largest
            other = np.abs(self.value - found.value) > allowed
        known = (found.step > 30 * self.step) & np.isfinite(found.error) & ~found.kink
        return other & known & ~self.still


def _close_by(line, t):
    """f close to x, as _Close; where it has no value there, nothing is denied."""
    alone = _lone_entry(line.probe, line.u)
    t = _exact_step(t, *alone) if alone else t
    there, back = line.at(t), line.at(-t)
    if there is None or back is None:
        nothing = np.zeros(line.out.shape)
        return _Close(t, nothing, nothing, np.ones(line.out.shape, bool))
    lost = 0.0 if alone else _lost_of_x(line.probe, line.u)
    moves = np.maximum(np.abs(there - line.out), np.abs(back - line.out))
    error = 4 * (line.noise + lost * moves / t) / t
    return _Close(t, (there - back) / (2 * t), error, moves <= 4 * line.noise)


def _idle(best, weight):
    """Outputs that do not move <weight, f>: their own round-off may be all that is seen of them."""
    moves = np.abs(weight) * best.size[:-1]
    return (moves <= IDLE * moves.sum()) & (best.relative[-1] <= GOOD)


def _unknown(out):
    nothing = np.zeros(out.shape)
    never = np.full(out.shape, np.inf)
    return Slope(nothing, never, nothing, never, nothing, nothing, np.zeros(out.shape, bool))


def _better(a, b, close, longer, visible):
    """Output by output the slope whose error is the smaller, relative to how much f moves.

    Where b rests and a does not, either b's steps are too short for f's digits to show them, and a
    is taken; or what a sees should show at b's steps, too (a slope above `visible`, like out): then
    f has steps like a stair, or has lost its digits, and nothing is known. Longer steps than a's
    must find what a has found: beyond a bump f may be at rest again. By how much they differ counts
    as an error, since beyond a pole f goes on as if there were none.
    """
    with np.errstate(invalid="ignore"):
        rests = b.still & ~a.still
        stair = rests & (np.abs(a.value) > 10 * visible) & np.isfinite(a.error) & (not longer)
        take = np.isinf(a.error) | ((b.relative < a.relative) & ~rests)
        take |= close.denies(a) & ~close.denies(b) & np.isfinite(b.error) & ~rests
        if longer:
            take &= np.abs(a.value - b.value) <= a.error + b.error
            take &= np.isfinite(a.error)
            b = replace(b, error=b.error + 2 * np.abs(a.value - b.value))
            take &= b.error < a.error
    best = Slope(*[np.where(take, getattr(b, name), getattr(a, name)) for name in ARRAYS])
    return replace(best, error=np.where(stair, np.inf, best.error))


@dataclass(frozen=True)
class _Table:
    """What one table of steps that shrink tells; all are like f's output.

    drowned: where the error is round-off. at_x: where it would be, were f's values beside x no
    larger than at x: shorter steps make such an error larger. visible: the least slope that the
    shortest step shows.
    """

    slope: Slope
    drowned: np.ndarray
    at_x: np.ndarray
    visible: np.ndarray


def _table(line, first):
    """The _Table of steps that shrink from `first`; None where fewer than three steps could be
    evaluated.
    """
    steps: list = []
    plus: list = []
    minus: list = []
    t, alone = first, _lone_entry(line.probe, line.u)
    for _ in range(LEVELS + 4):
        step = _exact_step(t, *alone) if alone else t
        there = line.at(step)
        back = None if there is None else line.at(-step)
        if back is None:
            steps, plus, minus = [], [], []  # the edge of a domain: start again, nearer to x
            t /= 10
            continue
        steps.append(step)
        plus.append(there)
        minus.append(back)
        if len(steps) == LEVELS:
            break
        t /= RATIO
    if len(steps) < 3:
        return None
    lost = 0.0 if alone else _lost_of_x(line.probe, line.u)
    points = np.array(steps), np.array(plus), np.array(minus)
    return _extrapolate(*points, line.out, line.noise, line.probe.digit, lost)


def _lone_entry(probe, u):
    """(the entry of x that u moves, by how much), None where it moves several."""
    if len(u) == 1:
        ((k, d),) = u.items()
        if np.count_nonzero(d) == 1:
            j = np.flatnonzero(d)[0]
            return float(probe.x[k].flat[j]), float(d.flat[j])
    return None


def _exact_step(t, x, d):
    """t, changed so little that x + t d has no round-off: sin at 1e8 needs it."""
    return ((x + t * d) - x) / d or t


def _lost_of_x(probe, u):
    """What x + t u loses by rounding, in units of u."""
    sizes = [
        np.linalg.norm(probe.x[k].ravel()) / (np.linalg.norm(d.ravel()) or 1.0)
        for k, d in u.items()
    ]
    return 2.3e-16 * float(max(sizes))


def _extrapolate(steps, plus, minus, out, noise, digit, lost):
    t = steps.reshape(-1, *[1] * out.ndim)
    moves = np.maximum(np.abs(plus - out), np.abs(minus - out))
    rounding = noise + digit * np.maximum(np.abs(plus), np.abs(minus))
    rounding = rounding + lost * moves / t
    value, error, known, level = _richardson((plus - minus) / (2 * t), ODD, rounding / t, t)
    jump, jump_error, _, _ = _richardson((plus + minus - 2 * out) / t, EVEN, 4 * rounding / t, t)
    still = (moves <= 4 * rounding).all(axis=0)  # f does not move but for round-off
    blind = (moves > 0).any(axis=0) & (rounding.max(axis=0) > VISIBLE * np.abs(out))
    nothing = np.zeros(out.shape)
    at_rest = (8 * rounding / t)[0]
    size = np.take_along_axis(moves / t, level[None], axis=0)[0]
    result = Slope(
        np.where(still, nothing, value),
        np.where(still, np.where(blind, np.inf, at_rest), error),
        np.where(still, nothing, jump),
        np.where(still, at_rest, jump_error),
        size,
        steps[level],
        still,
    )
    chaos = (result.relative > CHAOS) | ((result.jump_error > 10 * CHAOS * result.largest) & ~still)
    by_noise = known >= 0.1 * error  # then the error is known, however large, and steps too short
    at_x = 4 * (noise + lost * size) / steps[level] >= 0.1 * error
    result = replace(result, error=np.where(chaos & ~by_noise, np.inf, result.error))
    return _Table(result, by_noise, at_x, 8 * noise / steps[-1])


def _richardson(rows, factors, rounding, t):
    """(value, error, the part of it that f's own last digits explain, level of its step), each like
    one row, from rows (levels, ...).

    The error of an entry is what it differs from its two parents, twice; plus the round-off of f at
    its step, plus what the last two levels scatter, were it round-off.
    """
    columns = [rows]
    for factor in factors[: len(rows) - 1]:
        last = columns[-1]
        columns.append(last[1:] + (last[1:] - last[:-1]) / (factor - 1))
    last = np.abs(columns[-1][-1] - columns[-2][-2])
    before = np.abs(columns[-2][-2] - columns[-3][-3])
    finest = np.maximum(last * t[-1], before * t[-2])
    values, tables, known_errors = [], [], []
    levels: list[int] = []
    for k in range(1, len(columns)):
        now, parent = columns[k], columns[k - 1]
        apart = np.maximum(np.abs(now - parent[1:]), np.abs(now - parent[:-1]))
        known = 4 * rounding[k:]
        values.append(now)
        tables.append(2 * apart + known + 2 * finest / t[k:])
        known_errors.append(known)
        levels += range(k, len(rows))
    errors = np.concatenate(tables)
    best = np.argmin(errors, axis=0)
    picked = [np.concatenate(values), errors, np.concatenate(known_errors)]
    three = [np.take_along_axis(v, best[None], axis=0)[0] for v in picked]
    return *three, np.array(levels)[best]
