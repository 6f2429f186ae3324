"""Does the gradient help? Repack the items of k full bins into k, several ways with the same number
of decodes.

- un-ascended: decode() with steps=0, the same decoder and noise without the network's ascent: a
  best fit;
- ascended: decode() as the thesis has it;
- noisy first fit: largest log area + noise first, into the first bin where it fits; no network at
  all. Two of them, of noises .02 to .3: the one with most successes a try, and the one with most
  sets solved by one of 8 tries. Sets: fresh instances (never the published 500) are packed by first
  fit in a noisy order, and the k fullest bins with at least three items each are taken: so k bins
  are enough. Success is a try that leaves nothing over.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from refimpl.companions.packing import placement
from refimpl.companions.packing.instances import CLASSES, fresh
from refimpl.companions.packing.thesis.assignment import (
    ORDER,
    STEPS,
    decode_sequences,
    noisy_orders,
)
from refimpl.companions.packing.thesis.scorer import Scorer

FIRST_FIT = {
    "noisy first fit": 0.05,
    "noisier first fit": 0.15,
}  # chosen on development sets, seeds below 1,000
WAYS = ("un-ascended", "ascended", *FIRST_FIT)
SETS = 0.5  # noise of the order in which the sets' bins were filled


def full_bins(count: int, k: int, first_seed: int) -> list[tuple[np.ndarray, tuple[int, int]]]:
    """`count` sets (items (n, 2), bin) that go into k bins, from fresh instances of 100 items,
    class after class.

    Raises ValueError where too few instances have k bins with three items.

    >>> ((items, bin_size),) = full_bins(1, 3, 5)
    >>> bool(items.prod(axis=1).sum() <= 3 * np.prod(bin_size))
    True
    """
    sets: list[tuple[np.ndarray, tuple[int, int]]] = []
    seed = first_seed
    while len(sets) < count:
        if seed - first_seed > 100 + 20 * count:
            raise ValueError(f"k: fresh instances hold too few full bins for k = {k}")
        seeds = range(seed, seed + 100)
        instances = [fresh(CLASSES[s % len(CLASSES)], 100, s) for s in seeds]
        items, seed = np.stack([v.items for v in instances]), seeds.stop
        area, rngs = items.prod(axis=2), [np.random.default_rng([s, k]) for s in seeds]
        order = np.concatenate([noisy_orders(a[None], SETS, rng) for a, rng in zip(area, rngs)])
        batch = placement.decode(
            np.take_along_axis(items, order[..., None], axis=1),
            [v.bin for v in instances],
            first=True,
        )
        for instance, own, rng, a, b in zip(instances, order, rngs, area, batch.bins):
            load, many = np.bincount(b, a[own]), np.bincount(b) >= 3
            chosen = np.argsort(-load * many, kind="stable")[:k]
            if many[chosen].sum() == k:
                sets.append(
                    (instance.items[rng.permutation(own[np.isin(b, chosen)])], instance.bin)
                )
    return sets[:count]


def chunks(
    sets: Sequence[tuple[np.ndarray, tuple[int, int]]], tries: int, together: int = 32
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Sets with about as many items each, together: (indices, items (T, n, 2) padded, bins (T, 2)),
    `tries` rows a set, about `together` rows.

    >>> sets = [(np.ones((n, 2), int), (5, 5)) for n in (3, 2)]
    >>> [(own.tolist(), items.shape) for own, items, _ in chunks(sets, 4)]
    [([1, 0], (8, 3, 2))]
    """
    order, some = (
        np.argsort([len(items) for items, _ in sets], kind="stable"),
        max(1, together // tries),
    )
    for own in (order[i : i + some] for i in range(0, len(order), some)):
        items = np.zeros((len(own), max(len(sets[i][0]) for i in own), 2), np.int64)
        for row, i in zip(items, own):
            row[: len(sets[i][0])] = sets[i][0]
        yield (
            own,
            np.repeat(items, tries, axis=0),
            np.repeat([sets[i][1] for i in own], tries, axis=0),
        )


def _overflows(
    way: str,
    scorer: Scorer,
    items: np.ndarray,
    bin_size: np.ndarray,
    k: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Area left over in bins (T,) of one decode each of sets (T, n, 2), bins (T, 2), in one of
    WAYS.
    """
    area = items.prod(axis=2)
    orders = noisy_orders(area, FIRST_FIT.get(way, ORDER), rng)
    items = np.take_along_axis(items, orders[..., None], axis=1)
    if way in FIRST_FIT:
        left = placement.decode(items, bin_size, first=True, limit=k).bins < 0
        return np.where(left, items.prod(axis=2), 0).sum(axis=1) / bin_size.prod(axis=1)
    return decode_sequences(
        scorer, items, bin_size, k, rng=rng, steps=0 if way == "un-ascended" else STEPS
    ).overflow


def compare(
    scorer: Scorer,
    sets: Sequence[tuple[np.ndarray, tuple[int, int]]],
    k: int,
    *,
    tries: int = 8,
    ways: Sequence[str] = WAYS,
) -> dict[str, dict[str, np.ndarray]]:
    """{way: {"success": share of tries, "any": one try of them all, "overflow": mean area left
    over}}, each (sets,).

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> rows = compare(trained(), full_bins(2, 3, 5), 3, tries=2, ways=("ascended", "un-ascended"))
    >>> sorted(rows), rows["ascended"]["success"].shape
    (['ascended', 'un-ascended'], (2,))
    """
    rows = {}
    for way in ways:
        over = np.empty((len(sets), tries))
        for own, items, bin_size in chunks(sets, tries):
            rng = np.random.default_rng([0, own[0]])
            over[own] = _overflows(way, scorer, items, bin_size, k, rng).reshape(len(own), tries)
        rows[way] = {
            "success": (over == 0).mean(axis=1),
            "any": (over == 0).any(axis=1) * 1.0,
            "overflow": over.mean(axis=1),
        }
    return rows
