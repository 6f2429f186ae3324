"""Packing: the batched decoder beside a loop over candidates in plain Python (and rectpack)."""

import time
from functools import partial

import numpy as np

from benchmarks.timing import compare, peer, report
from refimpl.companions.packing import pack
from refimpl.companions.packing.instances import SIZES, benchmark, fresh
from refimpl.companions.packing.passes import order
from refimpl.companions.packing.placement import decode
from refimpl.companions.packing.thesis import repack
from refimpl.companions.packing.thesis.scorer import trained


def noisy(items, count, rng):
    """`count` sequences by log area plus noise, largest first."""
    key = np.log(items.prod(axis=1)) + 0.1 * rng.standard_normal((count, len(items)))
    return items[np.argsort(-key, axis=1)]


def inside(a, b):
    return b[0] <= a[0] and b[1] <= a[1] and b[2] >= a[2] and b[3] >= a[3]


def naive(sequence, W, H):
    """One sequence by the same rule (best short side fit) over Python lists of free rectangles x1,
    y1, x2, y2.
    """
    bins, chosen = [], []
    for w, h in sequence:
        best = None
        for k, free in enumerate(bins):
            for x1, y1, x2, y2 in free:
                dw, dh = x2 - x1 - w, y2 - y1 - h
                if (
                    dw >= 0
                    and dh >= 0
                    and (best is None or (min(dw, dh), max(dw, dh), k) < best[:3])
                ):
                    best = (min(dw, dh), max(dw, dh), k, x1, y1)
        if best is None:
            bins.append([(0, 0, W, H)])
            best = (0, 0, len(bins) - 1, 0, 0)
        *_, k, a1, b1 = best
        a2, b2 = a1 + w, b1 + h
        kept, new = [], []
        for x1, y1, x2, y2 in bins[k]:
            if x1 < a2 and a1 < x2 and y1 < b2 and b1 < y2:
                new += [(x1, y1, a1, y2)] * (x1 < a1) + [(a2, y1, x2, y2)] * (a2 < x2)
                new += [(x1, y1, x2, b1)] * (y1 < b1) + [(x1, b2, x2, y2)] * (b2 < y2)
            else:
                kept.append((x1, y1, x2, y2))
        new = sorted(set(new))
        bins[k] = kept + [r for r in new if not any(r != s and inside(r, s) for s in new + kept)]
        chosen.append(k)
    return len(bins)


def rectpack_bins(rectpack, sequence, W, H):
    packer = rectpack.newPacker(
        bin_algo=rectpack.PackingBin.BBF,
        pack_algo=rectpack.MaxRectsBssf,
        sort_algo=rectpack.SORT_NONE,
        rotation=False,
    )
    for w, h in sequence:
        packer.add_rect(w, h)
    packer.add_bin(W, H, count=float("inf"))
    packer.pack()
    return len(packer)


def candidates(quick):
    """Many orders of one instance of 100 items."""
    instance, count = benchmark([7])[-1], 4 if quick else 128
    sequences = noisy(instance.items, count, np.random.default_rng(0))
    lists = sequences.tolist()
    used = decode(sequences, instance.bin).used
    theirs = [naive(sequence, *instance.bin) for sequence in lists]
    assert abs(used.mean() - np.mean(theirs)) < 0.5, (
        "ties between free rectangles aside, the same packings"
    )
    calls = {
        "ours, one batch": lambda: decode(sequences, instance.bin),
        "ours, one at a time": lambda: [
            decode(sequences[i : i + 1], instance.bin) for i in range(count)
        ],
        "naive: Python lists": lambda: [naive(sequence, *instance.bin) for sequence in lists],
    }
    if rectpack := peer("rectpack"):
        calls["rectpack"] = lambda: [
            rectpack_bins(rectpack, sequence, *instance.bin) for sequence in lists
        ]
    report(f"packing 100 items in {count} orders", compare(calls, repeats=2 if quick else 5))


def tries(quick):
    """The thesis' tries: items of five full bins into five again, by first fit, without and with
    the ascent.
    """
    sets, scorer = repack.full_bins(4 if quick else 32, 5, 0), trained()
    ways = ("noisy first fit", "un-ascended", "ascended")
    calls = {way: partial(repack.compare, scorer, sets, 5, ways=(way,)) for way in ways}
    report(
        f"repacking {len(sets)} sets of five full bins, 8 tries each",
        compare(calls, repeats=2 if quick else 5),
    )


def passes(quick):
    """One pass over the benchmark: the instances of one size in a batch."""
    instances = benchmark([7] if quick else range(1, 11))
    for name, rule, first in (
        ("area", "long", False),
        ("perimeter", "short", False),
        ("area", "area", False),
    ):
        total, start = 0, time.process_time()
        for n in SIZES:
            group = [i for i in instances if len(i.items) == n]
            sequences = np.array([i.items[order(i.items, name)] for i in group])
            total += int(
                decode(
                    sequences, np.array([i.bin for i in group]), rule=rule, first=first
                ).used.sum()
            )
        each = 1e3 * (time.process_time() - start) / len(instances)
        print(
            f"  {len(instances)} instances, by {name}, best {rule} fit: {total} bins, {each:.2f} "
            f"ms each (CPU)"
        )
    print("  goal over all 500: at most 7382 bins under 2 ms each")


def many_copies(n, types, seed, side=1000):
    """A seeded instance of about n items of few types: (items (n, 2), bin (W, H)).

    Sides from a twelfth to six tenths of the bin's width; shares of the types by a Dirichlet law.
    """
    rng = np.random.default_rng([20251, n, types, seed])
    sizes = rng.integers(side // 12, int(0.6 * side), (types, 2))
    counts = np.maximum(1, np.round(rng.dirichlet(np.full(types, 2.0)) * n)).astype(int)
    return np.repeat(sizes, counts, axis=0), (side, int(side * rng.uniform(0.6, 1)))


def copies(quick):
    """pack() on 700 to 8,000 items of few types, 5 CPU seconds each: bins and bound."""
    for n, types in ((700, 10), (1064, 15), (3000, 25), (8000, 30))[: 1 if quick else None]:
        for seed in range(1 if quick else 3):
            items, size = many_copies(n, types, seed)
            limit = 0.5 if quick else 5
            found = pack(items, size, time_limit=limit, seed=seed, clock=time.process_time)
            print(
                f"  {len(items):5} items of {types} types, seed {seed}: {found.count} bins, "
                f"{found.count - found.lower_bound} above the bound"
            )


def growth(quick):
    """CPU seconds of one pass by area, best long side fit, as the items grow: the expected power is
    1 at first and 2 in the end, since each of n steps looks at every bin in use.
    """
    seconds, sizes = [], (100, 300) if quick else (100, 300, 1000, 3000, 10_000)
    for n in sizes:
        instance = fresh(7, n, 0)
        start = time.process_time()
        sequence = instance.items[order(instance.items, "area")]
        used = decode(sequence[None], instance.bin, rule="long").used[0]
        seconds.append(time.process_time() - start)
        power = np.diff(np.log(seconds[-2:])) / np.diff(np.log([n / 3, n]))
        said = f", time ~ n^{power[0]:.2f}" if len(power) else ""
        print(f"  {n:6} items: {used} bins, {seconds[-1]:.3f} s{said}")


def main(quick=False):
    candidates(quick)
    tries(quick)
    print("\nsingle passes over the benchmark")
    passes(quick)
    print("\nfew types, many copies")
    copies(quick)
    print("\ngrowth with the number of items")
    growth(quick)
