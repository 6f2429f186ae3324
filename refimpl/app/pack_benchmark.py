"""The benchmark of 500 instances: one file an instance, so that a run can be stopped at any moment and go on.

A file belongs to the code, the time and the options that made it. Every packing is verified from the definition before it
is counted (pack does; the files keep bins and positions, so that anybody can again). Best known values: app/best_known.csv,
read by the report alone.
"""

import csv
import hashlib
import json
import os
import time
from concurrent.futures import as_completed
from importlib.resources import files
from pathlib import Path

import numpy as np

from refimpl.app import jobs
from refimpl.packing import pack
from refimpl.packing.instances import CLASSES, SIZES, benchmark, fresh

FRESH = 20  # instances a class that the published 500 do not hold


def fingerprint():
    """Ten hex digits of the packing source and of NumPy's version."""
    digest = hashlib.sha256(np.__version__.encode())
    for path in sorted((Path(__file__).parent.parent / "packing").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def instances(classes=CLASSES, *, new=False, part=None):
    """The published instances of some classes, or FRESH new ones a class; part: every part-th only."""
    found = ([fresh(kind, SIZES[i % len(SIZES)], 10_000 + i) for kind in classes for i in range(FRESH)] if new
             else benchmark(tuple(classes)))
    return found[:: part or 1]


def best_known(rotate=False):
    """{name: best known number of bins} of the published instances."""
    with (files("refimpl.app") / "best_known.csv").open() as file:
        return {f"{row['class']}-{row['n']}-{row['instance']}": int(row["rotated" if rotate else "oriented"])
                for row in csv.DictReader(file)}


def solve(instance, rotate, seconds):
    """One row: name, bins, bound, optimal, seconds of one core, and the packing itself."""
    start = time.process_time()
    with jobs.one_thread():
        packing = pack(instance.items, instance.bin, rotate=rotate, time_limit=seconds, clock=time.process_time)
    return {"name": instance.name, "bins": packing.count, "bound": packing.lower_bound, "optimal": packing.optimal,
            "seconds": round(time.process_time() - start, 3), "packing": {
                "bins": packing.bins.tolist(), "positions": packing.positions.tolist(), "sizes": packing.sizes.tolist()}}


def run(todo, folder, pool, *, rotate, seconds, progress=lambda text: None):
    """Rows of all instances, in order: those in `folder` are read, the others solved in `pool` and written as they come."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tail = f"{'rotated' if rotate else 'oriented'}-{seconds:g}s-{fingerprint()}.json"
    paths = {i.name: folder / f"{i.name}-{tail}" for i in todo}
    rows = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    futures = {pool.submit(solve, i, rotate, seconds): i.name for i in todo if i.name not in rows}
    try:
        for future in as_completed(futures):
            row = future.result()
            rows[row["name"]] = row
            jobs.write(paths[row["name"]], json.dumps(row))
            progress(f"{len(rows)} of {len(todo)} instances, {sum(r['bins'] for r in rows.values()):,} bins, "
                     f"{sum(r['optimal'] for r in rows.values())} proven optimal")
    finally:
        for future in futures:
            future.cancel()
    return [rows[i.name] for i in todo]


def table(rows, known=None):
    """The lines: class by class ours, best known, bound, gap to the bound, proven optimal, mean time."""
    lines = [f"{'class':>7}{'instances':>11}{'ours':>8}{'best known':>12}{'bound':>8}{'gap, %':>8}{'optimal':>9}"
             f"{'s of a core':>13}"]
    kinds = [row["name"].removeprefix("fresh-").split("-")[0] for row in rows]
    for kind in [*dict.fromkeys(kinds), "all"]:
        some = [row for row, own in zip(rows, kinds) if kind in (own, "all")]
        ours, bound = (sum(row[key] for row in some) for key in ("bins", "bound"))
        best = f"{sum(known[row['name']] for row in some):,}" if known else "-"
        lines.append(f"{kind:>7}{len(some):11}{ours:8,}{best:>12}{bound:8,}{100 * (ours - bound) / bound:8.2f}"
                     f"{sum(row['optimal'] for row in some):9}{np.mean([row['seconds'] for row in some]):13.2f}")
    return lines


def cores():
    return os.cpu_count() or 1
