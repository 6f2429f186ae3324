"""What of the thesis does the work? The claim, its controls, and how they are tested.

Population: sets of the items of k = 5 full bins (repack.full_bins), from fresh instances with seeds
from FRESH on, which neither training (1,000 to 99,999) nor development (below 1,000) has seen.
Outcome: success a try, the share of 8 decodes of a set that leave nothing over, one number a set.
Test: Student's paired t over the sets, two-sided, p < .001. Beside it: a set solved by one of its 8
tries, and the area left over.

The controls, each with the same number of decodes: the un-ascended twin (same decoder, no network);
plain first fit and best fit at their best noises; the ascent's three steps in one closed form; the
network read forward, without any gradient; a linear rule on the nine look-ahead features; the
ascent of ten untrained networks. And k = 3 and 8 on a quarter as many sets. What decodes cost, and
what else was tried, is attempts.py: at equal tries and at equal CPU time, 20 to 200 ms a set, with
ruin and recreate beside them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from refimpl.companions.packing.thesis import attempts, repack
from refimpl.companions.packing.thesis.assignment import decode
from refimpl.companions.packing.thesis.figures import sharpening
from refimpl.companions.packing.thesis.scorer import new_scorer, trained
from refimpl.companions.packing.thesis.training import SEEDS, examples
from refimpl.companions.packing.thesis.wishes import fit_linear_rule, linear_rule
from refimpl.ledger.paired import paired_test

FRESH, K, OTHERS, TRIES = 1_000_000, 5, (3, 8), 8
OUTCOMES = {"success": "success a try", "any": "one of 8 tries", "overflow": "left over, bins"}
UNTRAINED, NETWORKS = "ascended, untrained", 10
LINEAR = "linear rule"
FIT_ON = 400  # training sets for the linear rule
TIMED = 60  # sets at equal time

Rows = dict[str, dict[str, np.ndarray]]


def fitted_rule() -> np.ndarray:
    """The linear rule's weights (9,), from training sets of k = K.

    >>> fit_linear_rule(examples(repack.full_bins(8, 3, SEEDS.start), 3, np.random.default_rng(0)))[
    ...     :1
    ... ].shape
    (1,)
    """
    rng = np.random.default_rng(0)
    return fit_linear_rule(examples(repack.full_bins(FIT_ON, K, SEEDS.start), K, rng))


def compare(sets: Sequence[tuple], k: int, progress: Callable[[str], object]) -> Rows:
    """{way: {outcome: (sets,)}}: the ways of repack; for k = K the linear rule, and the mean of ten
    untrained networks, each of which is also a row of its own.

    >>> rows = compare(repack.full_bins(2, 3, 5), 3, lambda text: None)
    >>> sorted(rows) == sorted(repack.WAYS)
    True
    """
    rows: Rows = {}

    def add(way, scorer, name=None):
        progress(f"k = {k}: {len(sets)} fresh sets, {TRIES} decodes each, {name or way}")
        found = repack.compare(scorer, sets, k, tries=TRIES, ways=(way,))
        rows[name or way] = next(iter(found.values()))

    for way in repack.WAYS:
        add(way, trained())
    if k == K:
        add(linear_rule(fitted_rule()), trained(), LINEAR)
        for seed in range(NETWORKS):
            network = new_scorer(np.random.default_rng(seed))
            add("closed form", network, f"{UNTRAINED}, network {seed}")
    return rows


def lines(rows: Rows, k: int) -> list[str]:
    """The ways below each other, and the paired tests against the ascent.

    >>> one = {key: np.array([0.0, 1.0]) for key in OUTCOMES}
    >>> print(lines({"ascended": one, "forward": one}, 5)[-1].strip())
    ascended - forward, left over, bins: +0.0000 ± 0.0000, t 0.0, p 1
    """
    title = f"k = {k}: {len(rows['ascended']['success'])} fresh sets, {TRIES} decodes each"
    found = ["", f"{title:48}" + "".join(f"{v:>16}" for v in OUTCOMES.values())]
    found += [
        f"  {way:46}" + "".join(f"{row[key].mean():16.4f}" for key in OUTCOMES)
        for way, row in rows.items()
    ]
    for other in (way for way in rows if way != "ascended" and UNTRAINED not in way):
        for key, name in OUTCOMES.items():
            test = paired_test(rows[other][key], rows["ascended"][key])
            found.append(
                f"  ascended - {other}, {name}: {test.mean:+.4f} ± {test.half:.4f}, t "
                f"{test.t:.1f}, p {test.p:.1g}"
            )
    return found


def example(path: Path) -> str | None:
    """Draw the first fresh set that the ascended try packs whole and the un-ascended one does not:
    its title, or None.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     title = example(Path(folder) / "thesis.png")
    >>> title is None or "items of five full bins" in title
    True
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
            return (
                f"{n} items of five full bins: the assignment sharpens; ascended and un-ascended "
                f"packing"
            )
    return None


def values_for_table(values: dict) -> dict:
    """What --write records of run()'s values: means a way, the untrained networks as one with their
    least and most, and the tests of success a try against the ascent.

    >>> one = {key: [0.0, 1.0] for key in OUTCOMES}
    >>> made = values_for_table({5: {"ascended": one, "forward": one}, "attempts": {}})
    >>> made["sets"][0]["ways"]["forward"], round(made["sets"][0]["tests"][0]["p"], 6)
    ([0.5, 0.5, 0.5], 1.0)
    """
    found = []
    for k in (k for k in values if k != "attempts"):
        rows = values[k]
        ways: dict[str, list] = {
            way: [float(np.mean(row[key])) for key in OUTCOMES] for way, row in rows.items()
        }
        blind = [ways.pop(way) for way in list(ways) if UNTRAINED in way]
        if blind:
            name = f"{UNTRAINED}, mean of {len(blind)} networks"
            ways[name] = np.mean(blind, axis=0).tolist()
            ends = min(row[0] for row in blind), max(row[0] for row in blind)
            ways[f"{UNTRAINED}, least of them"] = [ends[0], None, None]
            ways[f"{UNTRAINED}, most of them"] = [ends[1], None, None]
        tests = []
        for other in (way for way in rows if way != "ascended" and UNTRAINED not in way):
            test = paired_test(rows[other]["success"], rows["ascended"]["success"])
            own = {"between": f"ascended - {other}", "measure": OUTCOMES["success"]}
            tests.append(own | {"mean": test.mean, "half": test.half, "p": test.p})
        sets = len(rows["ascended"]["success"])
        found.append({"bins": k, "sets": sets, "ways": ways, "tests": tests})
    tried = {"limits": list(attempts.LIMITS), "timed": TIMED, "ways": values["attempts"]}
    return {"kind": "thesis", "sets": found, "attempts": tried}


def run(path: Path, count: int, progress: Callable[[str], object]) -> tuple[list, list, dict]:
    """Compare on `count` sets of K full bins, a quarter as many of OTHERS; try; draw one.

    Returns (lines, figures, {k: {way: {outcome: [one a set]}}, "attempts": attempts.compare()}).
    The command's test runs it; it takes minutes.

    >>> run(Path("thesis.png"), 1, lambda text: None)
    Traceback (most recent call last):
        ...
    ValueError: count: expected at least 2 sets, got 1
    """
    if count < 2:
        raise ValueError(f"count: expected at least 2 sets, got {count!r}")
    said = ["What of the thesis does the work? The items of k full bins, repacked into k bins"]
    values: dict = {}
    for k in (K, *OTHERS):
        progress(f"fresh sets of {k} full bins")
        sets = repack.full_bins(count if k == K else max(2, count // 4), k, FRESH)
        rows = compare(sets, k, progress)
        said += lines(rows, k)
        values[k] = {way: {o: v.tolist() for o, v in row.items()} for way, row in rows.items()}
        if k == K:
            timed = min(TIMED, len(sets))
            values["attempts"] = attempts.compare(attempts.ways(), sets, timed, k, progress)
            said += attempts.lines(values["attempts"], len(sets), timed)
    title = example(path)
    figure = {
        "file": path.name,
        "title": title,
        "paper": "",
        "alt": "Shares of items in bins as heat maps at four moments, from even to one bin an "
        "item; below, the bins of the ascended packing, and of the un-ascended one with what it "
        "leaves over.",
    }
    return said, [figure] if title else [], values
