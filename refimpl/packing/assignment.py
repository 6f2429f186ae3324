"""The thesis: the class visualization of "good" is a packing. Ascend a relaxed assignment, decode what comes out.

The seam is four functions; refimpl.packing.knapsack puts others in their place.
    relax    Z (T, n, k) -> shares A = softmax over the bins an item still fits in, at temperature tau
    score    A -> sum over bins of log sigmoid(logit_b), "every bin's items go into one bin", and its gradient (scorer.py)
    ascend   a few steps of refimpl.optimize.ascend, the one loop of all visualizations
    decode   items largest first; before each, ascend; the item goes to a bin for good, the rest is ascended again
T tries advance together. Decoding is always feasible: an item goes where it fits, or it is left over. The defaults of
decode were chosen on instances that no report uses (seeds below 1,000). A term 4 load_b^2 beside the score, which favours
full bins, was tried and dropped: with it success fell to that of the un-ascended twin.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.optimize import ascend
from refimpl.packing.free_space import best_place, empty, place
from refimpl.packing.scorer import backward, features, forward, log_sigmoid


def relax(z, tau, allowed):
    """Softmax over the allowed bins of each item; a row without any is 0. z, allowed (T, n, k) -> (T, n, k).

    >>> relax(np.zeros((1, 2, 2)), 1.0, np.array([[[True, True], [False, True]]])).tolist()
    [[[0.5, 0.5], [0.0, 1.0]]]
    """
    top = np.where(allowed, z.real, -np.inf).max(axis=2, keepdims=True)
    e = np.where(allowed, np.exp((z - np.where(np.isfinite(top), top, 0)) / tau), 0)
    total = e.sum(axis=2, keepdims=True)
    return e / np.where(total == 0, 1, total)


def score(scorer, f, a):
    """sum_b log sigmoid(logit_b) of features f (T, n, 7) and shares a (T, n, k): (values (T,), da (T, n, k))."""
    z, cache = forward(scorer, f, a)
    values, slope = log_sigmoid(z)
    return values.sum(axis=1), backward(scorer, slope, cache)[0]


def objective(scorer, f, tau, allowed):
    """The ascent's objective over Z: score(relax(Z)), one value a try, and dZ."""
    def of(z, step):
        a = relax(z, tau, allowed)
        values, da = score(scorer, f, a)
        return values, a * (da - (a * da).sum(axis=2, keepdims=True)) / tau
    return of


@dataclass(frozen=True, eq=False)
class Decoded:
    """T tries: bins (T, n), -1 left over; positions (T, n, 2); overflow (T,): area left over, in bins; shares: kept A."""

    bins: np.ndarray
    positions: np.ndarray
    overflow: np.ndarray
    shares: tuple


def decode(scorer, items, bin_size, k, *, tries, rng, steps=3, lr=0.2, noise=0.02, taus=(1.0, 0.3), fit=1.0, keep=()):
    """Pack items (n, 2) into k bins, T = `tries` times from different noise in Z. steps=0: the un-ascended twin.

    The bin of an item is the one with the largest log A - fit * waste, waste the shorter side left beside it over the
    bin's: the relaxed assignment's wish and a best fit's. keep: after how many placements shares are kept (a figure).
    Returns a Decoded, items in their given order.
    """
    items = np.asarray(items)
    n, order = len(items), np.argsort(-items.prod(axis=1), kind="stable")
    mine = items[order]
    f = np.repeat(features(mine, bin_size)[None], tries, axis=0)
    z = noise * rng.normal(size=(tries, n, k))
    allowed = np.ones((tries, n, k), bool)
    free = [[empty(bin_size) for _ in range(k)] for _ in range(tries)]
    bins, positions, shares = np.full((tries, n), -1), np.zeros((tries, n, 2), int), []
    for i, (w, h) in enumerate(mine.tolist()):
        tau = taus[0] + (taus[1] - taus[0]) * i / max(1, n - 1)
        if steps:
            z, _ = ascend(objective(scorer, f, tau, allowed), z, steps=steps, lr=lr)
        wish = relax(z[:, i : i + 1], tau, allowed[:, i : i + 1])[:, 0]  # (T, k)
        if i in keep:
            shares.append(relax(z, tau, allowed))
        for t in range(tries):
            best = None
            for b in np.flatnonzero(allowed[t, i]):
                left, x, y = best_place(free[t][b], w, h)
                value = np.log(wish[t, b] + 1e-12) - fit * left / min(bin_size)
                if best is None or value > best[0]:
                    best = value, b, x, y
            if best is None:
                continue
            _, b, x, y = best
            bins[t, i], positions[t, i] = b, (x, y)
            free[t][b] = place(free[t][b], x, y, w, h)
            allowed[t, i] = np.arange(k) == b
            r = np.array(free[t][b]).reshape(-1, 4)
            rest = mine[i + 1 :]
            allowed[t, i + 1 :, b] = ((r[:, 2] - r[:, 0] >= rest[:, :1]) & (r[:, 3] - r[:, 1] >= rest[:, 1:])).any(axis=1)
    back = np.empty_like(order)
    back[order] = np.arange(n)
    overflow = np.where(bins < 0, f[..., 2], 0).sum(axis=1)
    return Decoded(bins[:, back], positions[:, back], overflow, tuple(a[:, back] for a in shares))
