"""Does the gradient help? Repack the items of k full bins into k, three ways with the same number of decodes.

- un-ascended: decode() with steps=0, the same decoder and noise without the network's ascent;
- ascended: decode() as the thesis has it;
- noisy first fit: largest log area + noise first, into the first bin where it fits; no network at all.
Sets: fresh instances (never the published 500) are packed by first fit in a noisy order, and the k fullest bins with at
least three items each are taken: so k bins are enough. Success is a try that leaves nothing over.
"""

import numpy as np

from refimpl.packing.assignment import decode
from refimpl.packing.free_space import best_place, empty, place
from refimpl.packing.instances import CLASSES, fresh

WAYS = ("un-ascended", "ascended", "noisy first fit")
NOISE = {"noisy first fit": 0.05, "order of the sets": 0.5}


def first_fit(items, bin_size, order, bins=None):
    """Items in the order given, each into the first of `bins` bins (None: as many as it takes) in which it fits.

    Returns (bin of each item, -1 where none; area left over, in bins).
    """
    free, found, over = [empty(bin_size) for _ in range(bins or 0)], np.full(len(items), -1), 0
    for i in order:
        w, h = items[i].tolist()
        spots = ((b, best_place(own, w, h)) for b, own in enumerate(free))
        b, spot = next(((b, spot) for b, spot in spots if spot), (None, None))
        if spot is None and bins is None:
            free.append(empty(bin_size))
            b, spot = len(free) - 1, best_place(free[-1], w, h)
        if spot is None:
            over += w * h
            continue
        found[i], free[b] = b, place(free[b], spot[1], spot[2], w, h)
    return found, over / (bin_size[0] * bin_size[1])


def noisy_order(items, noise, rng):
    return np.argsort(-(np.log(items.prod(axis=1)) + noise * rng.normal(size=len(items))), kind="stable")


def full_bins(count, k, first_seed):
    """`count` sets (items (n, 2), bin) that go into k bins, from fresh instances of 100 items, class after class."""
    sets, seed = [], first_seed
    while len(sets) < count:
        instance, rng = fresh(CLASSES[seed % len(CLASSES)], 100, seed), np.random.default_rng([seed, k])
        seed += 1
        bins, _ = first_fit(instance.items, instance.bin, noisy_order(instance.items, NOISE["order of the sets"], rng))
        area = instance.items.prod(axis=1)
        loads = [area[bins == b].sum() if (bins == b).sum() >= 3 else 0 for b in range(bins.max() + 1)]
        chosen = np.argsort(loads)[::-1][:k]
        if len(chosen) == k and loads[chosen[-1]]:
            sets.append((instance.items[rng.permutation(np.flatnonzero(np.isin(bins, chosen)))], instance.bin))
        elif seed - first_seed > 100 + 20 * count:
            raise ValueError(f"k: fresh instances hold too few full bins for k = {k}")
    return sets


def compare(scorer, sets, k, *, tries=8, seed=0):
    """{way: {"success": share of tries (sets,), "overflow": mean area left over (sets,)}} with equal decodes."""
    rows = {way: {"success": [], "overflow": []} for way in WAYS}
    for i, (items, bin_size) in enumerate(sets):
        over = {}
        for way, steps in (("un-ascended", 0), ("ascended", 3)):
            over[way] = decode(scorer, items, bin_size, k, tries=tries, steps=steps,
                               rng=np.random.default_rng([seed, i])).overflow
        rng = np.random.default_rng([seed, i])
        over["noisy first fit"] = np.array([
            first_fit(items, bin_size, noisy_order(items, NOISE["noisy first fit"], rng), k)[1] for _ in range(tries)])
        for way, values in over.items():
            rows[way]["success"].append((values == 0).mean())
            rows[way]["overflow"].append(values.mean())
    return {way: {key: np.array(v) for key, v in row.items()} for way, row in rows.items()}
