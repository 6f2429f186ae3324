"""The gradient of one argument against the derivative of f, and what each comparison can tell.

Three numbers stand beside each other: the gradient under test, the complex step, which has no error
but round-off where f is analytic, and differences, whose error is estimated. Whether f is analytic
is decided for every output and every entry: the complex step counts where it lies within the
differences' own error, else the differences do. A gradient that agrees passes with a bound that
adds both; one that agrees with neither fails; in between there is no verdict.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.gradcheck.derivatives import likely_cause
from refimpl.gradcheck.differences import GOOD, VISIBLE, Slope
from refimpl.gradcheck.evidence import Argument, Finding
from refimpl.gradcheck.problem import UNKNOWN, Problem, scales

RELATIVE = 1e-12  # of the complex step
SUMMANDS = 1e-14  # of the summands of a sum over outputs or entries
HIDDEN = 1e-3  # a bound above this share of the largest gradient certifies nothing
CLOSE = 1e-6  # entries that are confirmed less closely get differences of their own
SUSPECTS = 16  # so many entries are looked at again when the complex step accuses them
DIGITS = 0.1  # of a gradient: one whose round-off is larger has no digit that could be wrong

# Of the largest gradient: differences are not asked for more than GOOD, so that what the complex
# step alone sees below that is neither confirmed nor denied, and the bound says so.
EXCUSED = GOOD

# Of the cotangent: a softmax whose logit leads by 50 leaves exp(-50) = 2e-22 to the others, which
# p - 1 has lost and which is not accused; gradients of 1e-18, of f as small, are judged.
TINY = 1e-20

# Differences accuse from so many times their error: on fresh functions the true error was less than
# a third of the stated one, so that this is nine times what was ever seen.
CLEAR = 3.0


class Entries:
    """The numeric side of input k, entry by entry; all arrays are (outputs, entries).

    exact: the complex step, None where f takes no complex numbers. differ +- error: differences,
    error alone where one direction confirmed all entries together. by_step: where the complex step
    counts. beyond: what it leaves out of an entry's gradient for certain, one number an entry.
    """

    def __init__(self, p: Problem, k: int) -> None:
        self.p, self.k = p, k
        self.unit = scales(p.x[k]).ravel()
        shape = p.out.size, p.x[k].size
        self.exact = self._columns()
        self.differ = np.zeros(shape)
        self.error = np.full(shape, np.inf)
        self.by_step = np.zeros(shape, bool)
        self.total = np.zeros(shape[1])  # the gradient by differences of <dout, f>, one an entry
        self.total_error = np.full(shape[1], np.inf)
        self.measured = np.zeros(shape[1], bool)  # entries with differences of their own
        self.beyond = np.zeros(shape[1])

    def confirm(self, along: Slope, u: np.ndarray) -> None:
        """Take the complex step everywhere if it agrees with `along`, the differences along u."""
        if self.exact is None or _left_out(along).any():
            return
        apart = np.abs(self.exact @ u - along.value.ravel())
        allowed = along.error.ravel() + 1e-13 * (np.abs(self.exact) @ np.abs(u))
        if (apart <= allowed).all():
            self.by_step[:] = True
            self.error[:] = along.error.reshape(-1, 1) / np.abs(u)
            self.total[:] = self.p.dout.ravel() @ self.exact
            self.total_error[:] = along.summed.error / np.abs(u)

    def measure(self, j: int, rng: np.random.Generator) -> Slope:
        """Entry j by differences of its own, output by output; returned in units of the entry."""
        u = {self.k: self.only(j)}
        found = self.p.slope(u, start=0.1 * rng.uniform(0.7, 1.3))
        self.measured[j] = True
        self.differ[:, j] = found.value.ravel() / self.unit[j]
        self.error[:, j] = found.error.ravel() / self.unit[j]
        if self.exact is not None:
            exact = self.exact[:, j]
            allowed = self.error[:, j] + 1e-13 * np.abs(exact)
            self.by_step[:, j] = np.abs(exact - self.differ[:, j]) <= allowed
            self.by_step[_left_out(found).ravel() > 0, j] = False
        weight = np.abs(self.p.dout.ravel())
        self.beyond[j] = weight @ _left_out(found).ravel() / self.unit[j]
        self.total[j] = found.summed.value[0] / self.unit[j]
        self.total_error[j] = found.summed.error[0] / self.unit[j]
        self._at_rest(j, found.still.ravel(), found.still.ravel() & (found.size.ravel() == 0))
        return found

    def _at_rest(self, j, still, unmoved):
        """Where f does not move but someone says that it should, differences know nothing.

        In (1e-12 x + 1e12) - 1e12 the steps are lost before they reach f's value. What would move f
        by more than VISIBLE of its value is not lost, unless f's value has no digits: the one who
        says so is wrong, such as the complex step of a sign or of a phase.
        """
        out = np.abs(self.p.out.ravel())
        unseen = 0.1 * self.unit[j]
        weight = np.abs(self.p.dout.ravel())
        if self.exact is None:
            claimed = abs(self.p.analytic[self.k].ravel()[j])
            hidden = unseen * claimed <= VISIBLE * (weight @ out) or not out.any()
            lost = still & (still.all() and claimed > self.total_error[j] and hidden)
        else:
            claims = np.abs(self.exact[:, j])
            hidden = (unseen * claims <= VISIBLE * out) | (out == 0)
            lost = still & (claims > self.error[:, j]) & hidden
            self.by_step[lost, j] = True
        self.error[lost, j] = np.inf
        if lost.any():
            self.total_error[j] = np.inf
        if (
            self.exact is not None and not still.all()
        ):  # another output moves: this one is free of j
            self.error[unmoved & (self.exact[:, j] == 0), j] = 0.0

    def sums(self) -> "Sums":
        """The gradient: the sum over outputs, weighted by the cotangent."""
        weight = self.p.dout.reshape(-1, 1)
        value = self.differ
        if self.exact is not None:
            value = np.where(self.by_step, self.exact, self.differ)
        terms = weight * value
        numeric, differ = terms.sum(axis=0), (weight * self.differ).sum(axis=0)
        apart = _weighted(np.abs(weight), self.error)
        doubt = _weighted(np.abs(weight), np.where(self.by_step, 0.0, self.error))
        together = self.total_error < apart  # differences of the sum say more than those of each
        differ = np.where(together, self.total, differ)
        apart = np.where(together, self.total_error + np.abs(numeric - self.total), apart)
        by_sum = self.total_error < doubt
        numeric = np.where(by_sum, self.total, numeric)
        doubt = np.where(by_sum, self.total_error, doubt)
        apart = np.where(by_sum, self.total_error, apart)
        round_off = self.p.rough[self.k].ravel() + SUMMANDS * np.abs(terms).sum(axis=0)
        round_off += RELATIVE * np.abs(numeric)
        round_off += 2 * self.p.ill_conditioned * np.abs(terms).sum(axis=0)
        return Sums(numeric, differ, round_off, doubt, apart, np.abs(terms).sum(axis=0))

    def _columns(self):
        columns = np.empty((self.p.out.size, self.p.x[self.k].size))
        for j, unit in enumerate(self.unit):
            column = self.p.probe.imaginary({self.k: self.only(j)})
            if column is None:
                return None
            columns[:, j] = column.ravel() / unit
        return columns

    def only(self, j: int) -> np.ndarray:
        """The direction that moves entry j alone, by its own unit, shaped like the input."""
        u = np.zeros(len(self.unit))
        u[j] = self.unit[j]
        return u.reshape(self.p.x[self.k].shape)


def _left_out(found):
    """What the complex step leaves out of a Slope for certain, like f's output."""
    return np.zeros(found.value.shape) if found.beyond is None else found.beyond


def _weighted(weight, error):
    """The sum over outputs; an output of weight 0 counts for nothing, whatever its error."""
    return np.where(weight > 0, weight * error, 0.0).sum(axis=0)


@dataclass(frozen=True)
class Sums:
    """One number an entry: the numeric gradient and what it may err by.

    numeric: by the complex step where that counts. differ: by differences alone. round_off: of both
    sides. doubt: the differences' error where they count. apart: their error everywhere, which is
    what the complex step is confirmed to. terms: the summands of the gradient in absolute value.
    """

    numeric: np.ndarray
    differ: np.ndarray
    round_off: np.ndarray
    doubt: np.ndarray
    apart: np.ndarray
    terms: np.ndarray


def full(
    p: Problem, k: int, along: Slope, u: np.ndarray, rng: np.random.Generator
) -> tuple[Argument, list[Finding]]:
    """Every entry of input k. along: the derivative by differences along u, shaped like the input.

    Entries that `along` does not confirm closely, and those where the complex step accuses the
    gradient, get differences of their own.
    """
    mine = p.analytic[k].ravel()
    entries = Entries(p, k)
    entries.confirm(along, u.ravel())
    sums = entries.sums()
    gap = np.abs(mine - sums.numeric)
    again = set(range(mine.size))
    if entries.by_step.all():
        top = np.abs(sums.numeric).max(initial=0)
        suspects = np.flatnonzero(gap > sums.round_off)
        worst = suspects[np.argsort(-gap[suspects] / sums.round_off[suspects])][:SUSPECTS]
        again = {*np.flatnonzero(sums.apart > CLOSE * top), *worst}
    for j in sorted(map(int, again)):
        entries.measure(j, rng)
    if not entries.beyond.any():  # too little in each entry, but not in all of them together
        entries.beyond[:] = _share_of(p, along, u)
    return _judged(p, k, mine, entries)


def _share_of(p, along, u):
    """What the complex step leaves out along u, were it one number for all entries."""
    return np.abs(p.dout.ravel()) @ _left_out(along).ravel() / (np.abs(u).sum() or 1.0)


def _judged(p, k, mine, entries):
    s = entries.sums()
    top = float(np.abs(s.numeric).max(initial=0))
    gap = np.abs(mine - s.numeric)
    agrees = gap <= s.round_off + s.doubt
    smooth = 0.0 if p.probe.takes_complex else 2 * UNKNOWN * s.terms
    accused = ~agrees & (gap > s.round_off + CLEAR * s.doubt + smooth)
    apart = np.abs(mine - s.differ) - s.round_off - CLEAR * s.apart
    large = max(top, float(np.abs(mine).max(initial=0))) > TINY * np.abs(p.dout).max(initial=0)
    clear = accused & (apart > smooth) & entries.measured & large
    wrong = clear & _seen(p, mine, s.numeric, entries.unit)
    wrong &= p.rough[k].ravel() <= DIGITS * np.maximum(np.abs(mine), np.abs(s.numeric))
    excused = ~agrees & (apart <= 0) & (gap <= EXCUSED * top) & (entries.beyond == 0)
    unknown = ~agrees & ~wrong & ~excused & (gap > SUMMANDS * top) | clear & ~wrong
    unknown |= agrees & _unnoticed(entries.beyond, s.round_off + s.doubt)
    sure = s.round_off + s.apart + np.where(agrees, 0.0, gap)
    bound = float(sure.max(initial=0))
    zero = top == 0 and not mine.any() and np.isfinite(bound)
    verdict = "pass"
    if wrong.any():
        verdict = "fail"
    elif unknown.any() or not (zero or bound <= HIDDEN * top < np.inf):
        verdict = "no verdict"
    row = Argument(
        p.names[k],
        verdict,
        f"{mine.size} {'entry' if mine.size == 1 else 'entries'}",
        _method(entries.by_step),
        top,
        float(gap.max(initial=0) / top) if top else 0.0,
        float(sure[unknown].max()) if unknown.any() else bound,
        float(entries.beyond.max(initial=0)),
    )
    if verdict != "fail":
        return row, []
    j = int(np.argmax(np.where(wrong, gap / (s.round_off + s.doubt), 0)))
    shape = p.x[k].shape
    lengths = {n for a in p.x for n in a.shape}
    cause = likely_cause(mine.reshape(shape), s.numeric.reshape(shape), lengths)
    at = tuple(map(int, np.unravel_index(j, shape)))
    numbers = float(mine[j]), float(s.numeric[j]), float((s.round_off + s.doubt)[j])
    return row, [Finding("gradient", p.names[k], at, *numbers, cause)]


def _unnoticed(beyond, allowed):
    """Where the complex step leaves out a part that a gradient could leave out, too, and agree."""
    return (beyond > 0) & (beyond <= allowed)


def _seen(p, mine, numeric, unit):
    """Entries above 1e-20 of the cotangent, in their own units or in those of their input: below,
    p - 1 of a saturated softmax has lost all its digits in f and in the gradient.
    """
    size = np.maximum(np.abs(mine), np.abs(numeric)) * np.maximum(unit, 1.0)
    return size > TINY * np.abs(p.dout).max(initial=0)


def _method(by_step):
    share = by_step.mean() if by_step.size else 1.0
    if share == 1:
        return "complex step"
    return "central differences" if share == 0 else f"complex step ({share:.0%}) and differences"


@dataclass(frozen=True)
class Along:
    """The derivative along one direction u of input k: sums over outputs, by both methods."""

    u: np.ndarray
    mine: float
    numeric: float
    round_off: float
    doubt: float  # the differences' error, where they count
    apart: float  # the differences' error everywhere, infinite where they were not asked
    differ: float
    by_step: float  # the share of outputs where the complex step counts
    beyond: float  # what the complex step leaves out for certain
    smooth: float  # what f's own way of computing may change unseen


def directions(
    p: Problem, k: int, along: Slope, u: np.ndarray, rng: np.random.Generator
) -> tuple[Argument, list[Finding]]:
    """Three random directions of input k instead of its entries. along: differences along u.

    <dout, J v> = <J' dout, v>, the adjoint identity. The other two directions are N(0, 1) in one
    unit, so that no entry is weighed by its own size. Where one fails, the worst entry is looked
    for.
    """
    typical = float(np.median(scales(p.x[k]))) if p.x[k].size else 1.0
    rows = [_along(p, k, u, along)]
    for _ in range(2):
        v = typical * rng.normal(size=p.x[k].shape)
        trusted = rows[0].by_step == 1
        row = _along(p, k, v, None if trusted else p.slope({k: v}, 0.03))
        if trusted and abs(row.mine - row.numeric) > row.round_off:
            row = _along(p, k, v, p.slope({k: v}, 0.03))
        rows.append(row)
    top = max(abs(r.numeric) / _length(r.u) for r in rows)
    gaps = [abs(r.mine - r.numeric) for r in rows]
    sure = (
        max((r.round_off + r.apart) / _length(r.u) for r in rows if np.isfinite(r.apart))
        if any(np.isfinite(r.apart) for r in rows)
        else np.inf
    )
    return _judged_along(p, k, rows, gaps, top, sure, rng)


def _length(u):
    return float(np.linalg.norm(u.ravel())) or 1.0


def _along(p, k, u, along):
    """One direction; along: its differences, or None where the complex step alone is asked."""
    weight = p.dout.ravel()
    exact = p.probe.imaginary({k: u}) if along is None or along.exact is None else along.exact
    by_step = np.zeros(p.out.size, bool)
    value, differ = np.zeros(p.out.size), 0.0
    error, beyond = np.full(p.out.size, np.inf), np.zeros(p.out.size)
    if along is not None:
        value, error = along.value.ravel(), along.error.ravel()
        differ = float(weight @ value)
        beyond = _left_out(along).ravel()
    if exact is not None:
        exact = exact.ravel()
        by_step = (np.abs(exact - value) <= error + 1e-13 * np.abs(exact)) & (beyond == 0)
        value = np.where(by_step, exact, value)
    terms = p.analytic[k].ravel() * u.ravel()
    rough = p.rough[k].ravel() * u.ravel()
    numeric = float(weight @ value)
    round_off = RELATIVE * abs(numeric) + 3 * float(np.linalg.norm(rough))
    size = float(np.abs(terms).sum() + np.abs(weight * value).sum())
    round_off += (SUMMANDS + 2 * p.ill_conditioned) * size
    doubt = _weighted(np.abs(weight), np.where(by_step, 0.0, error))
    apart = _weighted(np.abs(weight), error)
    share = float(by_step.mean()) if by_step.size else 1.0
    smooth = 0.0 if p.probe.takes_complex else 2 * UNKNOWN * size
    more = float(np.abs(weight) @ beyond), smooth
    numbers = float(round_off), float(doubt), float(apart), differ, share, *more
    return Along(u, float(terms.sum()), numeric, *numbers)


def _judged_along(p, k, rows, gaps, top, sure, rng):
    accused, wrong = [], []
    for r, gap in zip(rows, gaps):
        if gap > r.round_off + r.doubt:
            accused.append(r)
            clear = abs(r.mine - r.differ) > r.round_off + CLEAR * r.apart + r.smooth
            if clear and gap > r.round_off + CLEAR * r.doubt + r.smooth:
                wrong.append(r)
        elif _unnoticed(r.beyond, r.round_off + r.doubt):
            accused.append(r)
    zero = top == 0 and not p.analytic[k].any() and np.isfinite(sure)
    verdict = "pass"
    if wrong:
        verdict = "fail"
    elif accused or not (zero or sure <= HIDDEN * top < np.inf):
        verdict = "no verdict"
    share = min(r.by_step for r in rows)
    row = Argument(
        p.names[k],
        verdict,
        f"{len(rows)} random directions",
        _method(np.array([share])),
        top,
        max(g / _length(r.u) for g, r in zip(gaps, rows)) / top if top else 0.0,
        sure,
        max(r.beyond / _length(r.u) for r in rows),
    )
    if not wrong:
        return row, []
    found = _worst_entry(p, k, rng) if share == 1 or p.x[k].size <= 4096 else []
    r = wrong[0]
    name = f"{p.names[k]} along a random direction"
    return row, found or [Finding("gradient", name, (), r.mine, r.numeric, r.round_off + r.doubt)]


def _worst_entry(p, k, rng):
    """The entry of input k that is most wrong, of those that a bisection ends in and 256 others."""
    size, mine = p.x[k].size, p.analytic[k].ravel()
    some = np.arange(size) if size <= 512 else _suspects(p, k, rng)
    unit = scales(p.x[k]).ravel()
    numeric = np.empty(len(some))
    for i, j in enumerate(some):
        only = np.zeros(size)
        only[j] = unit[j]
        numeric[i] = _derivative(p, k, only) / unit[j]
    gap = np.abs(mine[some] - numeric)
    bound = RELATIVE * np.abs(numeric) + p.rough[k].ravel()[some] + SUMMANDS * np.abs(numeric)
    bound += np.finfo(float).tiny
    i = int(np.argmax(gap / bound))
    if gap[i] <= bound[i]:
        return []
    shape, lengths = p.x[k].shape, {n for a in p.x for n in a.shape}
    whole = len(some) == size
    cause = likely_cause(
        mine.reshape(shape) if whole else mine[some],
        numeric.reshape(shape) if whole else numeric,
        lengths,
    )
    at = tuple(map(int, np.unravel_index(some[i], shape)))
    numbers = float(mine[some[i]]), float(numeric[i]), float(bound[i])
    return [Finding("gradient", p.names[k], at, *numbers, cause)]


def _derivative(p, k, u):
    """<dout, J u> of input k by the complex step, or by differences where f takes none."""
    u = {k: u.reshape(p.x[k].shape)}
    column = p.probe.imaginary(u)
    if column is None:
        column = p.slope(u).value
    return float((p.dout * column).sum())


def _suspects(p, k, rng):
    """Flat indices: the 256 entries that a bisection ends in, and 256 random ones."""
    size, mine = p.x[k].size, p.analytic[k].ravel()

    def gap(part):
        u = np.zeros(size)
        u[part] = rng.normal(size=len(part))
        return abs(mine @ u - _derivative(p, k, u))

    part = np.arange(size)
    while len(part) > 256:  # follow the half that is more wrong
        part = max(np.array_split(part, 2), key=gap)
    return np.union1d(part, rng.choice(size, 256, replace=False))
