"""Item and bin chosen together: one backward pass scores every item to come in every bin.

The decoder of assignment.py takes the items in an order that it was given and asks for a bin. But
one gradient with respect to the shares has a row for every item to come:

    gain_ib = a_ib (dA_ib - sum_c a_ic dA_ic)     the first step of the ascent, as in closed_form()

so the same backward pass can say which item comes next as well. That is where a gradient costs one
pass and reading the network forward as many as there are items and bins. Item and bin are those of
the largest

    PULL (STEPS LR gain_ib - FIT waste_ib) + log area_i + noise_i

so that large items still come early, and an item that has one good place left comes earlier.
"""

import numpy as np
from numpy.typing import ArrayLike

from refimpl.companions.packing.thesis.assignment import FIT, LR, ORDER, STEPS, score
from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.scorer import Scorer, embed
from refimpl.companions.packing.thesis.wishes import closed_form, equal_shares, scorer_of

PULL = 0.03  # chosen on development sets, seeds below 1,000


def bring(partial: Partial, j: np.ndarray) -> None:
    """Exchange the next item of every packing with item j (T,) of its sequence, j >= partial.at.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> bring(partial, np.array([1]))
    >>> partial.items.tolist()
    [[[4, 10], [6, 10]]]
    """
    at, T = partial.at, len(partial.items)
    rows = np.arange(T)
    partial.f[:, :, at, 11:] = 0  # what looking ahead told is the next item's alone
    partial.g[:, :, at] = embed(scorer_of(partial), partial.f[:, :, at])[0]
    for array in (partial.items, partial.allowed):
        array[rows, at], array[rows, j] = array[rows, j], array[rows, at]
    for array in (partial.f, partial.g):
        array[rows, :, at], array[rows, :, j] = array[rows, :, j], array[rows, :, at]
    partial.known = None
    partial.ahead(rows)


def gains(partial: Partial) -> np.ndarray:
    """What every item to come has to gain in every bin, STEPS LR gain - FIT waste, from one
    backward pass: (T, n - at, k), -inf where it does not fit.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> gains(partial).shape
    (1, 2, 2)
    """
    at, a = partial.at, equal_shares(partial)
    g = partial.g[:, :, at:]
    _, da = score(scorer_of(partial), g, partial.u, a, partial.base)
    gain = a * (da - (a * da).sum(axis=2, keepdims=True))
    waste = partial.f[:, :, at:, 8].transpose(0, 2, 1)
    return np.where(partial.allowed[:, at:], STEPS * LR * gain - FIT * waste, -np.inf)


def pack_together(
    scorer: Scorer,
    items: np.ndarray,
    bin_size: ArrayLike,
    k: int,
    *,
    rng: np.random.Generator,
    order: float = ORDER,
    again: bool = False,
) -> np.ndarray:
    """The area left over, in bins (T,), of one packing each of items (T, n, 2), (0, 0) pads.

    again: the bin is asked for once more, after a look at what the chosen item would leave.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> items, rng = np.array([[[6, 10], [4, 10], [5, 10], [5, 10]]]), np.random.default_rng(0)
    >>> pack_together(trained(), items, (10, 10), 2, rng=rng).tolist()
    [0.0]
    """
    T, n = items.shape[:2]
    partial = Partial(items.copy(), bin_size, k, scorer)
    rows = np.arange(T)
    key = np.log(np.maximum(items.prod(axis=2), 0.5)) + order * rng.normal(size=(T, n))
    key = np.where(items[:, :, 0] > 0, key, -1e9)  # pads last
    for at in range(n):
        value = gains(partial)
        first = np.where(np.isfinite(value), PULL * value + key[:, at:, None], -1e12)
        j = first.max(axis=2).argmax(axis=1)
        wish = value[rows, j]
        bring(partial, j + at)
        key[rows, at], key[rows, j + at] = key[rows, j + at], key[rows, at]
        waste, slots = partial.options()
        partial.put(closed_form(partial) - FIT * waste if again else wish, slots)
    area = partial.items.prod(axis=2) / partial.space.size.prod(axis=1)[:, None]
    return np.where(partial.bins < 0, area, 0).sum(axis=1)
