"""Do visualized proposals help the engine? Ruin and recreate with three sources of proposals, at
equal decodes and steps; and the ascended ones beside the plain heuristic at equal CPU time.

In every step a share of each chain's candidates comes from the source, the rest are the engine's
own noisy orders:
- un-ascended: assignments by the thesis' decoder without its ascent (steps = 0);
- ascended: the same decoder, the same noise, with the ascent;
- plain heuristic: the engine's own noisy orders, as in pack().

An instance's level is what its search has come to: the number of bins that it aims at, plus the
area that its best chain still leaves over, in bins; once the bound is met, the number of bins.
Lower is better.
"""

import time

import numpy as np

from refimpl.companions.packing.benchmark import fresh_instances
from refimpl.companions.packing.bounds import lower_bound
from refimpl.companions.packing.checker import check
from refimpl.companions.packing.passes import single_passes
from refimpl.companions.packing.search import Search
from refimpl.companions.packing.thesis.assignment import proposer
from refimpl.companions.packing.thesis.wishes import closed_form
from refimpl.ledger.paired import paired_test
from refimpl.report.jobs import executor

COLUMNS = ("un-ascended", "ascended", "plain heuristic")
SHARE, STEPS = 0.25, 40
TIMED, SECONDS = ("ascended", "plain heuristic"), 2.0  # CPU seconds of search, at equal time
# first seed: neither training nor development of the scorer or of the engine saw one from here on
FRESH = 1_000_000


def source(column, bin_size):
    """proposals(items, k, rng, count) -> bins (count, m) as Search takes them; None: its own
    orders.
    """
    return {
        "un-ascended": proposer(bin_size, steps=0),
        "ascended": proposer(bin_size, wish=closed_form),  # its three steps in one
        "plain heuristic": None,
    }[column]


def equal_time(column):
    """What a column is called where the time is equal, not the steps."""
    return f"{column}, {SECONDS:g} s"


def solve(instance, column, steps, seed=0):
    """`steps` of Search on one instance, or SECONDS of it where steps is None: its bins and level,
    verified, and the CPU seconds.
    """
    start = time.process_time()
    items, bound = instance.items, lower_bound(instance.items, instance.bin)
    search = Search(
        items,
        instance.bin,
        single_passes(items, instance.bin),
        rng=np.random.default_rng(seed),
        proposals=source(column, instance.bin),
        share=SHARE,
    )
    done = 0
    while search.count > bound and done != steps:
        if steps is None and time.process_time() - start >= SECONDS:
            break
        search.step()
        done += 1
    check(items, instance.bin, search.best.bins, search.best.positions, items)
    over = min(search.area[state.bins < 0].sum() for state in search.states) / search.room
    return {
        "name": instance.name,
        "column": column if steps is not None else equal_time(column),
        "bound": bound,
        "bins": search.count,
        "level": float(search.count if search.count == bound else search.count - 1 + over),
        "seconds": time.process_time() - start,
    }


def open_instances(count, first=FRESH):
    """`count` fresh oriented instances, class after class and size after size, that single passes
    leave above the bound.
    """
    found: list = []
    seed = first
    while len(found) < count:
        for instance in fresh_instances(50, seed):
            bound = lower_bound(instance.items, instance.bin)
            if single_passes(instance.items, instance.bin, target=bound).count > bound:
                found.append(instance)
            if len(found) == count:
                break
        seed += 1
    return found


def compare(instances, steps=STEPS, jobs=1, on_result=None):
    """{column: [record an instance]} in the order of the instances, of COLUMNS at equal steps and
    of TIMED at equal time; every column has the same seed and start.
    """
    ways = [(column, steps) for column in COLUMNS] + [(column, None) for column in TIMED]
    tasks = [(instance, *way) for instance in instances for way in ways]
    if jobs == 1:
        records = [solve(*task) for task in progress_of(tasks, on_result)]
    else:
        with executor(jobs) as pool:
            futures = [pool.submit(solve, *task) for task in tasks]
            records = [future.result() for future in progress_of(futures, on_result)]
    return {records[i]["column"]: records[i :: len(ways)] for i in range(len(ways))}


def progress_of(tasks, on_result):
    for i, task in enumerate(tasks):
        if on_result:
            on_result(i, len(tasks))
        yield task


def lines(rows):
    """Three columns side by side, instance by instance on the same seed, and the paired tests of
    the levels.
    """
    head = (
        f"{'proposals':22}{'bins':>8}{'mean level - bound':>20}{'bound met':>11}{'CPU s each':>12}"
    )
    found = [head]
    for column, records in rows.items():
        level = np.mean([r["level"] - r["bound"] for r in records])
        found.append(
            f"{column:22}{sum(r['bins'] for r in records):8}{level:20.4f}"
            f"{sum(r['bins'] == r['bound'] for r in records):11}"
            f"{np.mean([r['seconds'] for r in records]):12.2f}"
        )
    for ours, other, test in tests_of(rows):
        found.append(
            f"{ours} - {other}: level {test.mean:+.4f} ± {test.half:.4f}, t {test.t:.2f}, p "
            f"{test.p:.2g}"
        )
    return found


def tests_of(rows):
    """[(column, other column, paired test of their levels)]: the ascended against the others, at
    equal steps and at equal time.
    """
    levels = {column: [r["level"] for r in records] for column, records in rows.items()}
    pairs = [("ascended", "un-ascended"), ("ascended", "plain heuristic"), map(equal_time, TIMED)]
    return [(a, b, paired_test(levels[b], levels[a])) for a, b in pairs]


def values_for_table(rows):
    """What --write records."""
    levels = {c: [r["level"] - r["bound"] for r in records] for c, records in rows.items()}
    ways = {
        column: {
            "bins": sum(r["bins"] for r in records),
            "level": float(np.mean(levels[column])),
            "met": sum(r["bins"] == r["bound"] for r in records),
            "seconds": float(np.mean([r["seconds"] for r in records])),
        }
        for column, records in rows.items()
    }
    tests = [
        {"between": f"{ours} - {other}", "mean": test.mean, "half": test.half, "p": test.p}
        for ours, other, test in tests_of(rows)
    ]
    return {"kind": "proposals", "ways": ways, "tests": tests}
