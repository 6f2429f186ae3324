"""Many runs at once: two processes against one (--jobs 2), a local Dask cluster (--cluster), and a
model of w workers.

The units are those of `python -m refimpl`: (digits, section9, seed), a teacher trained and its
student of ten images each.
"""

import logging
import os
import tempfile
import time
from unittest import mock

import numpy as np

from benchmarks.timing import faster, peer, report
from refimpl.app import units
from refimpl.data import load
from refimpl.files.paths import default_data_dir
from refimpl.report import jobs

# What the C library may keep of freed memory, and from which size on an array has pages of its own.
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}


def seconds_of(pool, work):
    """A run of units in an Executor, into an empty folder: (seconds, results)."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        results = units.run(work, folder, pool, default_data_dir())
        return time.perf_counter() - start, results


def in_processes(work, count):
    """With the start of the processes, as --jobs has it."""
    start = time.perf_counter()
    with jobs.executor(count) as pool:
        results = seconds_of(pool, work)[1]
    return time.perf_counter() - start, results


def on_dask(distributed, work, workers, *, keeps_memory=True):
    """On a cluster that is up and has done a unit on each worker: what --cluster adds is the
    scheduler's time alone.

    keeps_memory: the C library may keep what an array leaves. Dask tells it to give memory back at
    64 KB, and to say so at all ends its own adaptation of the other limit: then each step of
    training asks for its arrays' pages anew. The environment of whoever starts the workers
    overrules Dask, if it names both.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with mock.patch.dict(os.environ, KEPT if keeps_memory else {}):
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
        )
    with (
        cluster,
        distributed.Client(cluster) as client,
        jobs.executor(1, cluster.scheduler_address) as pool,
    ):
        client.run(units.measure, work[0], default_data_dir())
        return seconds_of(pool, work)


def model(start, unit, units, workers):
    """Seconds of a run: what is not divided, and the units in rounds of w (Amdahl 1967, with whole
    units).
    """
    return start + unit * -(-units // workers)


def main(quick=False):
    load("digits", default_data_dir())
    work, cores = (
        [
            units.Unit("digits", "refimpl.paper.section9", seed)
            for seed in range(2 if quick else 40)
        ],
        os.cpu_count(),
    )
    ways = {
        "one process": lambda: seconds_of(jobs.InThisProcess(), work),
        "--jobs 2": lambda: in_processes(work, 2),
    }
    if not quick and (distributed := peer("distributed")):
        ways |= {
            "--cluster, 1 local worker": lambda: on_dask(distributed, work, 1),
            "--cluster, 2 local workers": lambda: on_dask(distributed, work, 2),
            "--cluster, 1 local worker with Dask's own memory setting": lambda: on_dask(
                distributed, work, 1, keeps_memory=False
            ),
        }
    units.measure(work[0], default_data_dir())
    found = {name: [] for name in ways}
    expected = None
    for _ in range(1 if quick else 2):
        for name, run in ways.items():
            took, results = run()
            table = {unit: values["table12/digits"].tolist() for unit, values in results.items()}
            assert expected in (None, table), f"{name}: other numbers than one process"
            expected = table
            found[name].append(took)
    found = {name: np.array(values) for name, values in found.items()}
    median = {name: float(np.median(values)) for name, values in found.items()}
    unit = median["one process"] / len(work)
    start = max(median["--jobs 2"] - unit * -(-len(work) // 2), 0)
    many = (2, 4, 8, 16, 32, 64, 100)
    rows = "; ".join(
        f"w = {w}: {model(0, unit, 100, 1) / model(start, unit, 100, w):.1f}" for w in many
    )
    notes = [
        f"{cores} cores; a unit takes {unit:.2f} s; two processes are ready after about "
        f"{start:.1f} s (imports, data "
        f"set). Model: seconds = start + unit * ceil(units / w), one BLAS thread a worker. "
        f"Predicted speed-up of 100 "
        f"units on w cores: {rows}"
    ]
    if "--cluster, 2 local workers" in median:
        extra = (median["--cluster, 1 local worker"] - median["one process"]) / len(work)
        two = median["--cluster, 1 local worker"] / median["--cluster, 2 local workers"]
        notes.append(
            f"Dask: {1e3 * extra:.0f} ms a unit more than in one process (goal: at most 60); two "
            f"workers are {two:.2f} times as fast as one (model: 2)"
        )
    goals = [
        faster("--jobs 2", "one process", 1.6),
        faster("--cluster, 2 local workers", "--cluster, 1 local worker", 1.7),
    ]
    report(
        f"{len(work)} units, wall clock", found, () if quick else goals, note=". ".join(notes) + "."
    )
