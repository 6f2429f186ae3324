"""Where f bends: a kink at x has one-sided derivatives, and subgradients between them."""

from collections.abc import Callable, Mapping

import numpy as np

from refimpl.gradcheck.comparisons import HIDDEN, Entries
from refimpl.gradcheck.derivatives import likely_cause
from refimpl.gradcheck.differences import Slope
from refimpl.gradcheck.evidence import Argument, Finding
from refimpl.gradcheck.probing import Probe
from refimpl.gradcheck.problem import Problem, along_entries


def bends(probe: Probe, u: Mapping[int, np.ndarray], out: np.ndarray) -> bool:
    """Whether f can have a kink at x along u: a few evaluations spare a table of differences.

    At a kink (f(x + t u) + f(x - t u) - 2 f(x)) / t is the jump, whatever t. Where it is below
    1e-9 of how much f moves there is none (that is the least jump that counts as a kink); above,
    f bends or is curved, and differences must tell.

    >>> out = np.zeros(1)
    >>> [bends(Probe(f, (out,), (1,)), {0: np.ones(1)}, out) for f in (np.abs, np.negative)]
    [True, False]
    """
    suspect = np.ones(out.shape, bool)
    for t in (1e-3, 1e-5):
        there, back = (probe.real(u, side * t) for side in (1, -1))
        if there is None or back is None:
            return True
        size = np.maximum(np.abs(there - out), np.abs(back - out))
        suspect &= np.abs(there + back - 2 * out) > 1e-9 * size
        if not suspect.any():
            return False
    return True


def jumps_by_complex_step(p: Problem, rng: np.random.Generator) -> bool:
    """Whether the complex step jumps at x: at x itself it differs from both sides.

    relu(x) - relu(-x) has a kink at 0 that its values do not show: it is x. A jump between
    x - d u, x and x + d u that stays when d shrinks a thousandfold is a kink; a curve's shrinks.
    """
    u = {k: along_entries(a, rng) for k, a in enumerate(p.x)}
    spreads, top = [], 0.0
    for d in (1e-8, 1e-11):
        at = [p.probe.imaginary(u, side * d) for side in (-1, 0, 1)]
        if any(v is None or not np.isfinite(v).all() for v in at):
            return False
        there = np.array(at)  # (3, outputs)
        spreads.append(np.abs(there - there[0]).max(axis=0))
        top = max(top, float(np.abs(there).max(initial=0)))
    wide, narrow = spreads
    return bool(((narrow > 0.3 * wide) & (narrow > 1e-12 * max(top, _size(p.out)))).any())


def _size(a):
    return float(np.abs(a).max(initial=0))


def subgradients(
    p: Problem, pull: Callable, rng: np.random.Generator
) -> tuple[list[Argument], list[Finding]]:
    """A single layer at a kink, one output and one coordinate at a time: the gradient must lie
    between the one-sided derivatives.

    pull(dout) -> the gradients by hand. Where every output bends one way (convex, or concave), all
    coordinates of all inputs together must lie between, too: equal maxima share one unit of
    gradient, they do not get one each, not even where they are two arguments.
    """
    one_hot = np.eye(p.out.size).reshape(p.out.size, *p.out.shape)
    pulled = [pull(dout) for dout in one_hot]
    arguments: list[Argument] = []
    found: list[Finding] = []
    bends = []
    for k, a in enumerate(p.x):
        mine = np.array([g[k].ravel() for g in pulled]).reshape(p.out.size, a.size)
        row, wrong, bent = _between(p, k, mine, rng)
        arguments.append(row)
        found += wrong
        bends.append(bent)
    bend = np.concatenate([b.ravel() for b in bends])
    if not found and bend.any() and ((bend >= 0).all() or (bend <= 0).all()):
        found = _all_at_once(p, pulled, np.sign(bend.sum()), rng)
    return arguments, found


def _between(p, k, mine, rng):
    """(evidence, findings, the sign of every bend) of input k; mine: its Jacobian by hand."""
    entries = Entries(p, k)
    left, right, jump_error = (np.zeros(mine.shape) for _ in range(3))
    bent = np.zeros(mine.shape, bool)
    for j in range(mine.shape[1]):
        s = entries.measure(j, rng)
        bent[:, j] = s.kink.ravel()
        left[:, j] = (s.value - s.jump / 2).ravel() / entries.unit[j]
        right[:, j] = (s.value + s.jump / 2).ravel() / entries.unit[j]
        jump_error[:, j] = (s.error + s.jump_error).ravel() / entries.unit[j]
    smooth = entries.differ
    if entries.exact is not None:
        smooth = np.where(entries.by_step, entries.exact, smooth)
    low, high = np.minimum(left, right), np.maximum(left, right)
    largest = np.maximum(np.abs(low), np.abs(high))
    expected = np.where(bent, np.clip(mine, low, high), smooth)
    plain = 1e-12 * np.abs(smooth) + np.where(
        entries.by_step, 1e-14 * _size(smooth), 2 * entries.error
    )
    bound = np.where(bent, 2 * jump_error + 1e-9 * largest, plain)
    gap = np.abs(mine - expected)
    wrong = gap > bound
    top = _size(expected)
    largest_bound = float(bound.max(initial=0))
    zero = top == 0 and not mine.any() and np.isfinite(largest_bound)
    verdict = "pass"
    if wrong.any():
        verdict = "fail"
    elif not (zero or largest_bound <= HIDDEN * max(top, _size(largest)) < np.inf):
        verdict = "no verdict"
    row = Argument(
        p.names[k],
        verdict,
        f"{mine.shape[1]} entries, {int(bent.any(axis=0).sum())} at a kink",
        "one-sided derivatives",
        top,
        float(gap.max(initial=0) / top) if top else 0.0,
        largest_bound,
    )
    sign = np.where(bent, np.sign(right - left), 0.0)
    if not wrong.any():
        return row, [], sign
    o, j = map(
        int, np.unravel_index(np.argmax(np.where(wrong, gap / (bound + 1e-300), 0)), gap.shape)
    )
    at = tuple(map(int, np.unravel_index(j, p.x[k].shape)))
    numbers = float(mine[o, j]), float(expected[o, j]), float(bound[o, j])
    if bent[o, j]:
        return row, [Finding("subgradient", p.names[k], at, *numbers, "a kink's convention")], sign
    cause = likely_cause(mine[~bent], expected[~bent], {n for a in p.x for n in a.shape})
    return row, [Finding("gradient", p.names[k], at, *numbers, cause)], sign


def _all_at_once(p, pulled, sign, rng):
    """The subgradient inequality along all coordinates of all inputs together, for layers that are
    convex or concave.
    """
    unit = max(_size(a) for a in p.x) or 1.0
    for spread in (0.0, 0.5):
        u = {k: unit * rng.uniform(1 - spread, 1 + spread, a.shape) for k, a in enumerate(p.x)}
        s: Slope = p.slope(u)
        if not (s.jump * sign >= -10 * s.jump_error).all():
            continue
        along = np.array([sum((g[k] * u[k]).sum() for k in u) for g in pulled]).reshape(p.out.shape)
        low, high = s.value - np.abs(s.jump) / 2, s.value + np.abs(s.jump) / 2
        bound = 2 * (s.error + s.jump_error) + 1e-9 * np.maximum(np.abs(low), np.abs(high))
        expected = np.clip(along, low, high)
        gap = np.abs(along - expected)
        if (gap > bound).any():
            i = np.unravel_index(np.argmax(gap / (bound + 1e-300)), gap.shape)
            name = f"{', '.join(p.names)} along all entries"
            numbers = float(along[i]), float(expected[i]), float(bound[i])
            cause = "equal maxima that get one unit of gradient each"
            return [Finding("subgradient", name, (), *numbers, cause)]
    return []
