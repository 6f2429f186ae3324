"""Does the gradient help? The thesis' claim, and how it is tested; declared before the final run.

Population: sets of the items of k = 5 full bins (repack.full_bins), from fresh instances with seeds
from FRESH on, which neither training (1,000 to 99,999) nor development (below 1,000) has seen.
Outcome: success a try, the share of 8 decodes of a set that leave nothing over, one number a set.
Test: Student's paired t over the sets, ascended against its un-ascended twin (same decoder, orders,
noise and number of decodes), two-sided, p < .001. Beside it, without a claim: a set solved by one
of its 8 tries, and the area left over; tuned noisy first fit; the ascent of an untrained network;
and k = 3 and 8 on a quarter as many sets.
"""

import numpy as np

from refimpl.companions.packing.thesis import repack
from refimpl.companions.packing.thesis.assignment import decode
from refimpl.companions.packing.thesis.figures import sharpening
from refimpl.companions.packing.thesis.scorer import new_scorer, trained
from refimpl.ledger.paired import paired_test

FRESH, K, OTHERS, TRIES = 1_000_000, 5, (3, 8), 8
OUTCOMES = {"success": "success a try", "any": "one of 8 tries", "overflow": "left over, bins"}
UNTRAINED = "ascended, untrained network"


def compare(sets, k, progress):
    """{way: {outcome: (sets,)}}, the ways of repack and, for k = 5, an untrained network's."""
    rows: dict[str, dict[str, np.ndarray]] = {}
    for way in repack.WAYS:
        progress(f"k = {k}: {len(sets)} fresh sets, {TRIES} decodes each, {way}")
        rows |= repack.compare(trained(), sets, k, tries=TRIES, ways=(way,))
    if k == K:
        progress(f"k = {k}: {len(sets)} fresh sets, {TRIES} decodes each, {UNTRAINED}")
        blank = new_scorer(np.random.default_rng(0))
        rows[UNTRAINED] = repack.compare(blank, sets, k, tries=TRIES, ways=("ascended",))[
            "ascended"
        ]
    return rows


def lines(rows, k):
    """The ways below each other, and the paired tests."""
    title = f"k = {k}: {len(rows['ascended']['success'])} fresh sets, {TRIES} decodes each"
    found = ["", f"{title:48}" + "".join(f"{v:>16}" for v in OUTCOMES.values())]
    found += [
        f"  {way:46}" + "".join(f"{row[key].mean():16.4f}" for key in OUTCOMES)
        for way, row in rows.items()
    ]
    for other in (way for way in rows if way != "ascended"):
        for key, name in OUTCOMES.items():
            test = paired_test(rows[other][key], rows["ascended"][key])
            found.append(
                f"  ascended - {other}, {name}: {test.mean:+.4f} ± {test.half:.4f}, t "
                f"{test.t:.1f}, p {test.p:.1g}"
            )
    return found


def example(path):
    """Draw the first fresh set that the ascended try packs whole and the un-ascended one does not:
    its title, or None.
    """
    for items, bin_size in repack.full_bins(50, K, FRESH):
        items = items[np.argsort(-items.prod(axis=1), kind="stable")]
        n = len(items)
        one, twin = (
            decode(
                trained(),
                items,
                bin_size,
                K,
                tries=1,
                rng=np.random.default_rng(0),
                order=0,
                **options,
            )
            for options in ({"keep": (0, n // 4, n // 2, n)}, {"steps": 0})
        )
        if one.overflow[0] == 0 < twin.overflow[0]:
            sharpening(path, items, bin_size, one, twin, (0, n // 4, n // 2, n))
            return f"{n} items of five full bins: the assignment sharpens; ascended and un-ascended packing"
    return None


def run(path, count, progress):
    """Compare on `count` sets of 5 full bins, a quarter as many of 3 and 8; draw one. -> (lines,
    figures, values).
    """
    said, values = ["Does the gradient help? The items of k full bins, repacked into k bins"], {}
    for k in (K, *OTHERS):
        progress(f"fresh sets of {k} full bins")
        values[k] = compare(
            repack.full_bins(count if k == K else max(2, count // 4), k, FRESH), k, progress
        )
        said += lines(values[k], k)
    title = example(path)
    figures = (
        [
            {
                "file": path.name,
                "title": title,
                "paper": "",
                "alt": "Shares of items in bins as heat maps at four moments, from even to one "
                "bin an item; below, the bins "
                "of the ascended packing, and of the un-ascended one with what it leaves over.",
            }
        ]
        if title
        else []
    )
    return (
        said,
        figures,
        {
            k: {way: {key: v.tolist() for key, v in row.items()} for way, row in rows.items()}
            for k, rows in values.items()
        },
    )
