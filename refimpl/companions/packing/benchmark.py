"""The packing benchmark as units of work: one small JSON file an instance, skipped when it is
there; then a table.

The engine never sees the best known values; only the table reads them (best_known.csv,
fontanf/packingsolver 2025-03).
"""

import csv
import hashlib
import json
import time
from concurrent.futures import as_completed
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from refimpl.companions.packing import pack
from refimpl.companions.packing.bounds import lower_bound
from refimpl.companions.packing.checker import check
from refimpl.companions.packing.instances import CLASSES, SIZES, fresh
from refimpl.report.jobs import workers, write

# the files that a result depends on
ENGINE = (
    "bounds",
    "engine",
    "gaps",
    "one_bin",
    "one_bin_orders",
    "passes",
    "patterns",
    "placement",
    "problem",
    "search",
    "shelf",
)


def best_known(rotate=False):
    """{instance name: best listed number of bins}, oriented or with 90-degree rotation; 500
    instances.
    """
    text = (files("refimpl.companions.packing") / "best_known.csv").read_text(encoding="utf-8")
    column = "rotated" if rotate else "oriented"
    rows = csv.DictReader(text.splitlines())
    return {f"{row['class']}-{row['n']}-{row['instance']}": int(row[column]) for row in rows}


def unit(folder, instance, rotate, time_limit, seed):
    """Where an instance's result lies: the name holds all that it depends on, the engine's source
    included.
    """
    return Path(folder) / f"{instance.name}-{turned(rotate)}-{time_limit:g}s-{seed}-{engine()}.json"


def turned(rotate):
    return "rotated" if rotate else "oriented"


def stored(folder, instance, rotate, time_limit, seed):
    """The record of an instance, verified, or None: of this time limit, or of another that met the
    bound within this.
    """
    own = unit(folder, instance, rotate, time_limit, seed)
    others = sorted(
        Path(folder).glob(f"{instance.name}-{turned(rotate)}-*s-{seed}-{engine()}.json")
    )
    for path in [own] if own.exists() else others:
        record = json.loads(path.read_text(encoding="utf-8"))
        if path == own or record["bins"] == record["bound"] and record["seconds"] <= time_limit:
            verify(instance, record, rotate)
            return record
    return None


@lru_cache(maxsize=1)
def engine():
    """Eight hexadecimal digits of the source that a result depends on."""
    digest = hashlib.sha256(np.__version__.encode())
    for name in ENGINE:
        digest.update((files("refimpl.companions.packing") / f"{name}.py").read_bytes())
    return digest.hexdigest()[:8]


def solve(instance, rotate, time_limit, seed):
    """Pack one instance in CPU seconds of this process: a record for JSON with the whole packing,
    checked once more.
    """
    start, improved = time.process_time(), [0.0]
    packing = pack(
        instance.items,
        instance.bin,
        rotate,
        time_limit,
        seed=seed,
        clock=time.process_time,
        on_progress=lambda count, bound: improved.append(time.process_time() - start),
    )
    record = {
        "name": instance.name,
        "bins": packing.count,
        "bound": packing.lower_bound,
        "seconds": round(time.process_time() - start, 3),
        "improved": round(improved[-1], 3),
        "packing": np.column_stack([packing.bins, packing.positions, packing.sizes]).tolist(),
    }
    verify(instance, record, rotate)
    return record


def verify(instance, record, rotate):
    """Raise Invalid or ValueError unless a record is a packing of this instance with the bins and
    the bound it says.
    """
    rows = np.array(record["packing"], np.int64).reshape(-1, 5)
    check(instance.items, instance.bin, rows[:, 0], rows[:, 1:3], rows[:, 3:], rotate=rotate)
    if record["bins"] != len(set(rows[:, 0].tolist())):
        raise ValueError(
            f"{instance.name}: the record says {record['bins']} bins, its packing has others"
        )
    if record["bound"] != lower_bound(instance.items, instance.bin, rotate=rotate):
        raise ValueError(
            f"{instance.name}: the record says {record['bound']} for the lower bound, which is "
            f"another"
        )


def run_benchmark(instances, folder, rotate=False, time_limit=5.0, jobs=1, seed=0, on_result=None):
    """Every instance's record, in order; those already in the folder are read (and checked), not
    made again.

    With a longer time only those instances are packed again that did not meet their bound. jobs:
    processes. on_result(number done, number of all, record): called after each, in any order. A run
    that is killed loses what was being packed and nothing else.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    records, waiting = {}, []

    def done(instance, record):
        records[instance.name] = record
        if on_result:
            on_result(len(records), len(instances), record)

    for instance in instances:
        record = stored(folder, instance, rotate, time_limit, seed)
        if record:
            done(instance, record)
        else:
            waiting.append(instance)
    if jobs == 1 or len(waiting) < 2:
        for instance in waiting:
            record = solve(instance, rotate, time_limit, seed)
            write(unit(folder, instance, rotate, time_limit, seed), json.dumps(record))
            done(instance, record)
    else:
        with workers(jobs) as pool:
            futures = {
                pool.submit(solve, instance, rotate, time_limit, seed): instance
                for instance in waiting
            }
            for future in as_completed(futures):
                write(
                    unit(folder, futures[future], rotate, time_limit, seed),
                    json.dumps(future.result()),
                )
                done(futures[future], future.result())
    return [records[instance.name] for instance in instances]


def by_class(records):
    """[(name, records)] of every class, and of all; records of instances "class-n-number" or
    "fresh-class-...".
    """
    groups: dict[int, list] = {}
    for record in records:
        groups.setdefault(int(record["name"].removeprefix("fresh-").split("-")[0]), []).append(
            record
        )
    return [*sorted(groups.items()), ("all", records)]


def gap(records):
    """Bins above the lower bound, in percent of it."""
    bound = sum(record["bound"] for record in records)
    return 100 * (sum(record["bins"] for record in records) / max(1, bound) - 1)


def table(records, known=None, published=None):
    """Lines of text, class by class and in all: instances, ours, best known, bound, gap to it,
    optimal, CPU seconds.

    known: {name: bins}; without it the column holds the published instances' gap, if their records
    are given, else -.
    """
    others = {name: f"{gap(group):.2f}" for name, group in by_class(published)} if published else {}
    head = "published gap %" if known is None else "best known"
    lines = [f" class instances   ours {head}  bound  gap % optimal  s each"]
    for name, group in by_class(records):
        best = sum(known[r["name"]] for r in group) if known else others.get(name, "-")
        proven = sum(r["bins"] == r["bound"] for r in group)
        seconds = sum(r["seconds"] for r in group) / max(1, len(group))
        lines.append(
            f"{name:>6} {len(group):9} {sum(r['bins'] for r in group):6} {best:>{len(head)}} "
            f"{sum(r['bound'] for r in group):6} {gap(group):6.2f} {proven:7} {seconds:7.2f}"
        )
    return lines


def fresh_instances(count, first=0):
    """`count` fresh instances, spread evenly over the benchmark's classes and sizes, seeds from
    `first` on.
    """
    cells = [(kind, n) for kind in CLASSES for n in SIZES]
    return [fresh(*cells[i % len(cells)], first + i // len(cells)) for i in range(count)]
