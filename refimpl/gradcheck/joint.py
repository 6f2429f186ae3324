"""Differences along one direction of all arguments together, where that tells as much as one each.

A table of differences is most of what a check costs. Where f takes complex numbers one table along
all arguments, less the complex steps of the others, is what differences leave to an argument.
"""

from dataclasses import replace

import numpy as np

from refimpl.gradcheck.differences import IDLE, Slope
from refimpl.gradcheck.problem import Problem
from refimpl.gradcheck.remainder import unseen

ENOUGH = IDLE  # of how much an argument moves f: what one table along all arguments may err by


def slopes_of(p: Problem, moves: list[np.ndarray]) -> tuple[Problem, list[np.ndarray], list[Slope]]:
    """(p, moves, the derivative by differences of each argument k along moves[k], shaped like
    x[k]). Where f has a part that complex numbers do not see, p is `partly` and the moves go
    outward, as penalties grow.

    The joint table stands for an argument where its error is at most 1e-9 of how much that argument
    moves f, a thousandth of what entries must be confirmed to; elsewhere the argument gets its own.
    Where the joint table shows a kink, it is returned alone.
    """
    own = range(len(moves))
    exact = [p.probe.imaginary({k: u}) for k, u in enumerate(moves)]
    if any(e is None or not np.isfinite(e).all() for e in exact):
        return p, moves, [p.slope({k: moves[k]}) for k in own]
    together = dict(enumerate(moves))
    joint = p.slope(together)
    if joint.kink.any():
        return p, moves, [joint]
    parts = np.stack([e for e in exact if e is not None])
    sizes = np.abs(parts).sum(axis=0)
    outward = [a if a.any() else u for a, u in zip(p.x, moves)]
    way = dict(enumerate(outward))
    if unseen(p.probe, way, p.noise, sizes, joint.step, p.ill_conditioned):
        p = replace(p, partly=True)
        return p, outward, [p.slope({k: outward[k]}) for k in own]
    if len(moves) == 1:
        return p, moves, [replace(joint, exact=exact[0])]
    total = parts.sum(axis=0)
    error = joint.error + 1e-13 * sizes
    slopes = []
    for k in own:
        left = joint.value - (total - exact[k])
        slopes.append(_share(p, joint, exact[k], left, error) or p.slope({k: moves[k]}))
    return p, moves, slopes


def _share(p, joint, exact, left, error):
    """The Slope of one argument from the joint one, None where that says too little about it."""
    weight = np.abs(p.dout)
    moved = float((weight * np.abs(exact)).sum())
    known = float((weight * np.maximum(error, joint.jump_error)).sum())
    if not known <= ENOUGH * moved or (np.abs(exact - left) > error).any():
        return None
    share = _smooth(left, error, joint.jump_error)
    return replace(share, total=_total(p, joint, left, error), exact=exact)


def _smooth(value, error, jump_error):
    """A Slope that has no kink."""
    nothing = np.zeros(value.shape)
    still = nothing.astype(bool)
    return Slope(value, error, nothing, jump_error, np.abs(value), nothing, still)


def _total(p, joint, left, error):
    """<dout, .> of one argument's share: known no closer than the sum of all."""
    others = float((p.dout * (joint.value - left)).sum())
    value = joint.total.value - others
    lost = 1e-13 * float((np.abs(p.dout) * (np.abs(joint.value - left) + np.abs(left))).sum())
    each = float((np.abs(p.dout) * error).sum())
    known = np.minimum(joint.total.error + lost, each)
    return _smooth(value, known, joint.total.jump_error)
