"""Interleaved repeats, medians, ratios, goals; every result is kept in RESULTS for --json and the
table.
"""

import time
import tracemalloc
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import numpy as np

RESULTS = []  # one dict a report, in the order they ran
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
clock = [
    CLOCKS["wall"]
]  # what compare() reads; `python -m benchmarks --clock cpu` for a busy machine


def compare(calls, *, repeats=7):
    """Time each of {name: function} `repeats` times in turn, after one call of each that is not
    counted.

    Returns {name: seconds (repeats,)}. The first name is the one the others are compared with.
    """
    for call in calls.values():
        call()
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = clock[0]()
            call()
            seconds[name].append(clock[0]() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def faster(name, other, times):
    """The goal that `name` is at least so many times faster than `other` (one that did not run is
    left out).
    """
    return name, other, times, "at least {0:g} times faster than"


def within(name, other, times):
    """The goal that `name` takes at most so many times what `other` takes."""
    return name, other, times, "at most {0:g} times"


def judge(seconds, goals):
    """[{goal, ratio, met}] of medians for the goals whose two names both ran."""
    median, rows = {name: float(np.median(values)) for name, values in seconds.items()}, []
    for name, other, times, words in goals:
        if name in median and other in median:
            ratio = median[name] / median[other]
            ratio, met = (
                (1 / ratio, 1 / ratio >= times)
                if words.startswith("at least")
                else (ratio, ratio <= times)
            )
            rows.append(
                {
                    "goal": f"{name}: {words.format(times)} {other}",
                    "ratio": round(ratio, 2),
                    "met": bool(met),
                }
            )
    return rows


@cache
def machine():
    """What one thread of this machine can do, measured once a run: {"float32", "float64":
    operations a second of a large matrix product; "bytes": bytes a second, read and written, of a
    large copy}. The best of some repeats: a peak.
    """
    found = {}
    for dtype in ("float32", "float64"):
        a = np.ones((1024, 1024), dtype)
        best = min(compare({"": lambda a=a: a @ a}, repeats=9)[""])
        found[dtype] = 2 * 1024**3 / best
    here = np.ones(50_000_000, np.float32)
    there = np.empty_like(here)
    found["bytes"] = 2 * here.nbytes / min(compare({"": lambda: np.copyto(there, here)})[""])
    return found


def least_seconds(operations, size, dtype="float32", threads=1):
    """The limit of some work: what `operations` (a multiplication and an addition are two) take at
    the peak rate, or what moving `size` bytes takes, whichever is more.
    """
    peaks = machine()
    return max(operations / (threads * peaks[dtype]), size / peaks["bytes"])


def report(title, seconds, goals=(), note="", least=None):
    """Print median, spread and the ratio of medians to the first, and the goals; keep it all in
    RESULTS. least: the seconds of least_seconds for this work, of which every row has its share;
    or {name: seconds} where rows do less than others, None for all others.
    """
    base = np.median(next(iter(seconds.values())))
    rows = []
    for name, v in seconds.items():
        median = float(np.median(v))
        row = {
            "name": name,
            "median_ms": 1e3 * median,
            "low_ms": 1e3 * float(v.min()),
            "high_ms": 1e3 * float(v.max()),
            "ratio": median / float(base),
        }
        limit = least.get(name, least.get(None)) if isinstance(least, dict) else least
        rows.append(row | ({} if limit is None else {"share": limit / median}))
    entry = {"title": title, "rows": rows, "goals": judge(seconds, goals), "note": note}
    RESULTS.append(entry)
    print(f"\n{title}")
    for row in rows:
        print(
            f"  {row['name']:48} {row['median_ms']:10.3f} ms  ({row['low_ms']:.3f} to "
            f"{row['high_ms']:.3f})"
            f"  {row['ratio']:8.2f} x  {share_of(row)}".rstrip()
        )
    for goal in entry["goals"]:
        print(f"  goal {'met' if goal['met'] else 'MISSED'}: {goal['goal']}: {goal['ratio']}")
    if note:
        print(f"  {note}")


def share_of(row):
    """ "43% of the limit", or nothing where a row has none."""
    return f"{row['share']:.0%} of the limit" if "share" in row else ""


def peer(name):
    """A peer's module on one thread, or None where it is not installed."""
    if find_spec(name) is None:
        return None
    module = import_module(name)
    if name == "torch":
        module.set_num_threads(1)
    if name == "jax":
        module.config.update("jax_platforms", "cpu")
    return module


def double_precision():
    """A context in which jax computes in float64 where it is given float64 (the others always do)."""
    jax = peer("jax")
    return jax.enable_x64(True) if jax else nullcontext()


def peak(call):
    """Peak bytes that Python and NumPy asked for during a call, on top of what was there before."""
    tracemalloc.start()
    call()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def slope(sizes, seconds):
    """The exponent p of seconds ~ size^p, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
