"""Does the gradient help? Repack the items of k full bins into k, several ways with the same number
of decodes.

- un-ascended: decode() with steps=0, the same decoder and noise without the network's ascent: a
  best fit;
- ascended: decode() as the thesis has it; closed form: one gradient in place of its three steps;
- forward: the network read with and without the item, no gradient (wishes.py);
- noisy first fit, best fit: largest log area + noise first, into the first bin where it fits, or
  where the shorter side left is shortest; no network at all. First fit of two noises: the one with
  most successes a try, and the one with most sets solved by one of 8 tries.

Sets: fresh instances (never the published 500) are packed by first fit in a noisy order, and the k
fullest bins with at least three items each are taken: so k bins are enough. Success is a try that
leaves nothing over.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from refimpl.companions.packing import placement
from refimpl.companions.packing.instances import CLASSES, fresh
from refimpl.companions.packing.passes import single_passes
from refimpl.companions.packing.search import Search
from refimpl.companions.packing.thesis.assignment import (
    ORDER,
    STEPS,
    decode_sequences,
    noisy_orders,
)
from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.scorer import Scorer
from refimpl.companions.packing.thesis.wishes import closed_form, read_forward

PLAIN = {  # noise of the order, first fit or not; chosen on development sets, seeds below 1,000
    "noisy first fit": (0.05, True),
    "noisier first fit": (0.15, True),
    "best fit": (0.02, False),
}
WAYS = ("un-ascended", "ascended", "closed form", "forward", *PLAIN)
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


def overflows(
    way: str | Callable[[Partial], np.ndarray],
    scorer: Scorer,
    items: np.ndarray,
    bin_size: np.ndarray,
    k: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The area left over (T,), in areas of a bin, of one decode each of sets (T, n, 2), bins
    (T, 2), in one of WAYS or by a wish of wishes.py.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> items, size = np.array([[[6, 10], [4, 10], [5, 10], [5, 10]]]), np.array([[10, 10]])
    >>> overflows("best fit", trained(), items, size, 2, np.random.default_rng(0)).tolist()
    [0.0]
    """
    area = items.prod(axis=2)
    noise, first = PLAIN.get(str(way), (ORDER, False))
    orders = noisy_orders(area, noise, rng)
    items = np.take_along_axis(items, orders[..., None], axis=1)
    if way in PLAIN:
        left = placement.decode(items, bin_size, first=first, limit=k).bins < 0
        return np.where(left, items.prod(axis=2), 0).sum(axis=1) / bin_size.prod(axis=1)
    own = {"closed form": closed_form, "forward": read_forward}
    wish = own.get(way) if isinstance(way, str) else way
    steps = 0 if way == "un-ascended" else STEPS
    return decode_sequences(scorer, items, bin_size, k, rng=rng, steps=steps, wish=wish).overflow


def compare(
    scorer: Scorer,
    sets: Sequence[tuple[np.ndarray, tuple[int, int]]],
    k: int,
    *,
    tries: int = 8,
    ways: Sequence[str | Callable[[Partial], np.ndarray]] = WAYS,
) -> dict[str, dict[str, np.ndarray]]:
    """{way: {"success": share of tries, "any": 1.0 where a try packed all, "overflow": mean area
    left over}}, each (sets,). A wish among the ways is called "linear rule".

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> rows = compare(trained(), full_bins(2, 3, 5), 3, tries=2, ways=("ascended", "un-ascended"))
    >>> sorted(rows), rows["ascended"]["success"].shape
    (['ascended', 'un-ascended'], (2,))
    """
    rows = {}
    for way in ways:
        name = way if isinstance(way, str) else "linear rule"
        over = np.empty((len(sets), tries))
        for own, items, bin_size in chunks(sets, tries):
            rng = np.random.default_rng([0, own[0]])
            over[own] = overflows(way, scorer, items, bin_size, k, rng).reshape(len(own), tries)
        rows[name] = {
            "success": (over == 0).mean(axis=1),
            "any": (over == 0).any(axis=1) * 1.0,
            "overflow": over.mean(axis=1),
        }
    return rows


def seconds_to_solve(
    way: str | Callable[[Partial], np.ndarray],
    scorer: Scorer,
    sets: Sequence[tuple[np.ndarray, tuple[int, int]]],
    k: int,
    *,
    limit: float,
) -> np.ndarray:
    """CPU seconds until a set is packed into its k bins, inf where `limit` was not enough: (sets,).

    way: as in overflows(), 8 tries in a batch until one leaves nothing over; or "ruin and
    recreate", the engine's single passes and search.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> sets = full_bins(2, 3, 5)
    >>> times = seconds_to_solve("ruin and recreate", trained(), sets, 3, limit=2.0)
    >>> bool((times < 3).all())
    True
    """
    found = np.full(len(sets), np.inf)
    for i, (items, bin_size) in enumerate(sets):
        rng = np.random.default_rng([1, i])
        start = time.process_time()
        solved = False
        if way == "ruin and recreate":
            search = Search(items, bin_size, single_passes(items, bin_size, target=k), rng=rng)
            while search.count > k and time.process_time() - start < limit:
                search.step()
            solved = search.count <= k
        rows, sizes = np.repeat(items[None], 8, axis=0), np.repeat([bin_size], 8, axis=0)
        while way != "ruin and recreate" and not solved:
            if time.process_time() - start >= limit:
                break
            solved = bool((overflows(way, scorer, rows, sizes, k, rng) == 0).any())
        spent = time.process_time() - start
        if solved and spent <= limit:
            found[i] = spent
    return found
