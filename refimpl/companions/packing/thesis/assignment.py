"""The thesis: the class visualization of "good" is a packing. Ascend a relaxed assignment, decode
what comes out.

The seam is four functions; max_cut.py puts others in their place.
    relax    Z (T, n, k) -> shares A = softmax over the bins an item still fits in
    score    A -> sum over bins of log sigmoid(logit_b), and its gradient (scorer.py)
    ascend   a few steps of refimpl.optimize.ascend, the one loop of all visualizations
    decode   items largest first, with noise; before each, ascend from the blank (Z = noise) with
             all that is placed fixed; the item goes into a bin for good
T tries advance together. Decoding is always feasible: an item goes where it fits, or it is left
over. Every ascent starts anew from the blank, so that no item is committed before its turn.
refimpl.companions.packing.thesis.study tests whether the ascent helps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.scorer import Scorer, backward, forward, log_sigmoid, trained
from refimpl.optimize import ascend

STEPS, LR, NOISE, FIT, ORDER = (
    3,
    10.0,
    0.02,
    5.0,
    0.15,
)  # chosen on instances that no report uses, seeds below 1,000


def relax(z: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Softmax over the allowed bins of each item; a row without any is 0. z, allowed (T, n, k) ->
    (T, n, k).

    >>> relax(np.zeros((1, 2, 2)), np.array([[[True, True], [False, True]]])).tolist()
    [[[0.5, 0.5], [0.0, 1.0]]]
    """
    top = np.where(allowed, z.real, -np.inf).max(axis=2, keepdims=True)
    e = np.where(allowed, np.exp(np.where(allowed, z - np.where(np.isfinite(top), top, 0), 0)), 0)
    total = e.sum(axis=2, keepdims=True)
    return e / np.where(total == 0, 1, total)


def score(
    scorer: Scorer, g: np.ndarray, u: np.ndarray, a: np.ndarray, base: np.ndarray | float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """sum_b log sigmoid(logit_b) of shares a (T, n, k): (values (T,), da (T, n, k)). g, u, base:
    see scorer.forward.

    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> [
    ...     v.shape
    ...     for v in score(
    ...         trained(), partial.g, partial.u, relax(np.zeros((1, 2, 2)), partial.allowed)
    ...     )
    ... ]
    [(1,), (1, 2, 2)]
    """
    z, cache = forward(scorer, g, u, a, base)
    values, slope = log_sigmoid(z)
    return values.sum(axis=1), backward(scorer, slope, cache)[0]


def objective(
    scorer: Scorer, g: np.ndarray, u: np.ndarray, allowed: np.ndarray, base: np.ndarray | float = 0
) -> Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]:
    """The ascent's objective over Z (T, n, k): score(relax(Z)), one value a try (T,), and dZ = A
    (dA - sum_b A dA).

    g (T, k, n, 52), u (T, k, 6), allowed (T, n, k), base (T, k, 52): as a Partial has them.

    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> values, dz = objective(trained(), partial.g, partial.u, partial.allowed)(
    ...     np.zeros((1, 2, 2)), 0
    ... )
    >>> values.shape, bool(np.allclose(dz.sum(axis=2), 0))  # more in one bin is less in the others
    ((1,), True)
    """

    def of(z, step):
        a = relax(z, allowed)
        values, da = score(scorer, g, u, a, base)
        return values, a * (da - (a * da).sum(axis=2, keepdims=True))

    return of


def blank(partial: Partial, rng: np.random.Generator, noise: float) -> np.ndarray:
    """Z near 0 for the items to come, (T, n - at, k).

    >>> blank(Partial(np.ones((1, 4, 2), int), (2, 2), 3), np.random.default_rng(0), 0.02).shape
    (1, 4, 3)
    """
    return noise * rng.standard_normal(partial.allowed[:, partial.at :].shape, np.float32)


def visualize(partial: Partial, z: np.ndarray, *, steps: int = STEPS, lr: float = LR) -> np.ndarray:
    """The shares of the items to come after `steps` of ascent from z, (T, n - at, k); steps=0: the
    un-ascended ones.

    Raises ValueError if there is no scorer to ascend.

    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> partial.put(np.array([[1.0, 0.0]]), partial.options()[1])  # the first item into bin 0
    >>> visualize(partial, np.zeros((1, 1, 2))).round(2).tolist()  # the second belongs beside it
    [[[1.0, 0.0]]]
    """
    allowed = partial.allowed[:, partial.at :]
    if steps:
        if partial.scorer is None:
            raise ValueError(f"steps: expected 0 for a Partial without a scorer, got {steps!r}")
        of = objective(
            partial.scorer, partial.g[:, :, partial.at :], partial.u, allowed, partial.base
        )
        z, _ = ascend(of, z, steps=steps, lr=lr)
    return relax(z, allowed)


@dataclass(frozen=True, eq=False)
class Decoded:
    """T packings: bins (T, n), -1 left over; positions (T, n, 2); overflow (T,): the area left
    over, in areas of a bin; shares: A (T, n, k) at each moment of `keep`.

    >>> found = decode_sequences(
    ...     trained(), np.array([[[6, 10], [5, 10]]]), (10, 10), 1, rng=np.random.default_rng(0)
    ... )
    >>> found.bins.tolist(), found.overflow.tolist()
    ([[0, -1]], [0.5])
    """

    bins: np.ndarray
    positions: np.ndarray
    overflow: np.ndarray
    shares: tuple[np.ndarray, ...] = ()


def decode_sequences(
    scorer: Scorer,
    items: np.ndarray,
    bin_size: ArrayLike,
    k: int,
    *,
    rng: np.random.Generator,
    steps: int = STEPS,
    lr: float = LR,
    noise: float = NOISE,
    fit: float = FIT,
    keep: Sequence[int] = (),
    wish: Callable[[Partial], np.ndarray] | None = None,
) -> Decoded:
    """Pack T sequences of items (T, n, 2), (0, 0) pads, into k bins each, one item of each at a
    time.

    The bin of an item is the one with the largest log A - fit * waste, waste the shorter side left
    beside it over the bin's: the visualization's wish and a best fit's. keep: after how many items
    the shares are kept (a figure). wish: a function of the Partial that says (T, k) in place of log
    A (wishes.py).

    >>> items = np.array([[[6, 10], [5, 10], [5, 10], [4, 10]]])
    >>> found = decode_sequences(trained(), items, (10, 10), 2, rng=np.random.default_rng(0))
    >>> found.bins.shape, found.positions.shape
    ((1, 4), (1, 4, 2))
    """
    partial, shares = Partial(items, bin_size, k, scorer if steps else None), []
    for i in range(items.shape[1]):
        if wish is None:
            a = visualize(partial, blank(partial, rng, noise), steps=steps, lr=lr)
            wanted = np.log(a[:, 0] + 1e-12)
            if i in keep:
                shares.append(np.concatenate([partial.allowed[:, :i], a], axis=1))
        else:
            wanted = wish(partial)
        waste, slots = partial.options()
        partial.put(wanted - fit * waste, slots)
    if items.shape[1] in keep:
        shares.append(partial.allowed.astype(np.float32))
    area = items.prod(axis=2) / partial.space.size.prod(axis=1)[:, None]
    return Decoded(
        partial.bins,
        partial.positions,
        np.where(partial.bins < 0, area, 0).sum(axis=1),
        tuple(shares),
    )


def noisy_orders(
    area: np.ndarray, noise: float | np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Indices (T, n) by log area + noise N(0, 1), the largest first; areas (T, n), 0 last.

    >>> noisy_orders(np.array([[4, 9, 0, 6]]), 0.0, np.random.default_rng(0)).tolist()
    [[1, 3, 0, 2]]
    """
    key = np.log(np.maximum(area, 0.5)) + noise * rng.normal(size=area.shape)
    return np.argsort(np.where(area > 0, -key, np.inf), axis=1, kind="stable")


def decode(
    scorer: Scorer,
    items: np.ndarray,
    bin_size: tuple[int, int],
    k: int,
    *,
    tries: int,
    rng: np.random.Generator,
    order: float = ORDER,
    **options: Any,
) -> Decoded:
    """Pack items (n, 2) into k bins, T = `tries` times from different noise in Z and in the order.

    Options as in decode_sequences; steps=0: the un-ascended twin. Returns a Decoded, items in their
    given order.

    >>> items, rng = np.array([[6, 10], [4, 10], [5, 10], [5, 10]]), np.random.default_rng(0)
    >>> found = decode(trained(), items, (10, 10), 2, tries=4, rng=rng)
    >>> found.bins.shape, float(found.overflow.min())
    ((4, 4), 0.0)
    """
    rows = noisy_orders(np.repeat(np.prod(items, axis=1)[None], tries, axis=0), order, rng)
    found = decode_sequences(scorer, np.asarray(items)[rows], bin_size, k, rng=rng, **options)
    back, t = np.argsort(rows, axis=1), np.arange(tries)[:, None]
    return Decoded(
        found.bins[t, back],
        found.positions[t, back],
        found.overflow,
        tuple(a[t, back] for a in found.shares),
    )


def proposer(bin_size: tuple[int, int], **options: Any) -> Callable[..., np.ndarray]:
    """The engine's proposals(items (m, 2), k, rng, count) -> bins (count, m), -1 left over:
    visualized packings.

    Options as in decode; steps=0: those of the un-ascended twin; wish=wishes.closed_form: the
    ascent's three steps in one. Items are oriented.

    >>> items = np.array([[6, 10], [4, 10], [5, 10], [5, 10]])
    >>> proposer((10, 10))(items, 2, np.random.default_rng(0), 3).shape
    (3, 4)
    """

    def proposals(items, k, rng, count):
        return decode(trained(), items, bin_size, k, tries=count, rng=rng, **options).bins

    return proposals
