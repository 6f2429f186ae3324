"""The packing benchmark as units of work: one small JSON file an instance, skipped when it is
there; then a table.

The engine never sees the best known values; only the table reads them (best_known.csv,
fontanf/packingsolver 2025-03).
"""

import csv
import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.companions.packing import pack
from refimpl.companions.packing.bounds import lower_bound
from refimpl.companions.packing.checker import check
from refimpl.companions.packing.instances import CLASSES, SIZES, fresh
from refimpl.report.jobs import Store, executor, run

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


@dataclass(frozen=True, eq=False)
class Task:
    """One instance to pack: its name is all that the result depends on but the engine's source."""

    instance: Any
    rotate: bool
    time_limit: float
    seed: int

    def __str__(self):
        return f"{self.instance.name}-{turned(self.rotate)}-{self.time_limit:g}s-{self.seed}"


def store_of(folder):
    """The store of packings; one that does not fit its instance counts as absent."""
    return Store(Path(folder), engine(), check=lambda task, record: verify(task, record))


def turned(rotate):
    return "rotated" if rotate else "oriented"


def stored(folder, instance, rotate, time_limit, seed):
    """The record of an instance, verified, or None: of this time limit, or of another that met the
    bound within this.
    """
    task, store = Task(instance, rotate, time_limit, seed), store_of(folder)
    if store.path(task).exists():
        return store.read(task)
    others = f"{instance.name}-{turned(rotate)}-*s-{seed}-{engine()}.json"
    for path in sorted(Path(folder).glob(others)):
        record = store.read_file(path, task)
        if record and record["bins"] == record["bound"] and record["seconds"] <= time_limit:
            return record
    return None


@lru_cache(maxsize=1)
def engine():
    """Eight hexadecimal digits of the source that a result depends on."""
    digest = hashlib.sha256(np.__version__.encode())
    for name in ENGINE:
        digest.update((files("refimpl.companions.packing") / f"{name}.py").read_bytes())
    return digest.hexdigest()[:8]


def solve(task):
    """Pack one instance in CPU seconds of this process: a record for JSON with the whole packing,
    checked once more.
    """
    instance = task.instance
    start, improved = time.process_time(), [0.0]
    packing = pack(
        instance.items,
        instance.bin,
        task.rotate,
        task.time_limit,
        seed=task.seed,
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
    verify(task, record)
    return record


def verify(task, record):
    """Raise Invalid or ValueError unless a record is a packing of the task's instance with the bins
    and the bound it says.
    """
    instance, rotate = task.instance, task.rotate
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
    that is killed or interrupted loses what was being packed and nothing else.
    """
    records = {}

    def done(name, record):
        records[name] = record
        if on_result:
            on_result(len(records), len(instances), record)

    waiting = []
    for instance in instances:
        record = stored(folder, instance, rotate, time_limit, seed)
        if record:
            done(instance.name, record)
        else:
            waiting.append(Task(instance, rotate, time_limit, seed))
    with executor(min(jobs, max(1, len(waiting)))) as pool:
        run(
            waiting,
            solve,
            store_of(folder),
            pool,
            on_result=lambda task, record: done(task.instance.name, record),
        )
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


def values_for_table(records, source, rotate, limit):
    """What --write records. source: "published" or "fresh"."""
    known = None if source == "fresh" else best_known(rotate)
    return {
        "kind": "benchmark",
        "instances": source,
        "orientation": turned(rotate),
        "limit": limit,
        "count": len(records),
        "bins": sum(record["bins"] for record in records),
        "best_known": known and sum(known[record["name"]] for record in records),
        "bound": sum(record["bound"] for record in records),
        "gap": gap(records),
        "optimal": sum(record["bins"] == record["bound"] for record in records),
        "seconds": sum(record["seconds"] for record in records) / len(records),
    }
