"""Interleaved repeats, medians, ratios."""

import time

import numpy as np


def compare(calls, *, repeats=7):
    """Time each of {name: function} `repeats` times in turn, after one call of each that is not counted.

    Returns {name: seconds (repeats,)}. The first name is the one the others are compared with.
    """
    for call in calls.values():
        call()
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def report(title, seconds):
    """Print median, spread and the ratio of medians to the first."""
    print(f"\n{title}")
    base = np.median(next(iter(seconds.values())))
    for name, values in seconds.items():
        print(f"  {name:44} {1e3 * np.median(values):10.3f} ms  ({1e3 * values.min():.3f} to {1e3 * values.max():.3f})"
              f"  {np.median(values) / base:8.2f} x")


def torch_or_none():
    """torch on one thread, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch
