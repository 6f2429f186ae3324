"""How the constructive part grows with the number of items: one pass (by area, best long side fit),
timed and drawn.

A step looks at every free rectangle of every bin in use, and both the steps and the bins grow with
n: the expected slope in log-log is 2 once that outweighs the fixed cost of a step's NumPy calls
(slope 1).
"""

import resource
import sys
import time

import numpy as np
from matplotlib.figure import Figure

from refimpl.companions.packing.checker import check
from refimpl.companions.packing.instances import fresh
from refimpl.companions.packing.placement import decode
from refimpl.companions.packing.search import order
from refimpl.report.plots import BLUE, GREY, ORANGE, save

KINDS, LARGEST = (7, 10), (100, 300, 1000, 3000, 10_000)


def one_pass(kind, n):
    """A fresh instance packed by one pass, verified: a record with the bins, the continuous bound
    and CPU seconds.
    """
    instance = fresh(kind, n, 0)
    start = time.process_time()
    items = instance.items[order(instance.items, "area")]
    batch = decode(items[None], instance.bin, rule="long")
    seconds = time.process_time() - start
    check(items, instance.bin, batch.bins[0], batch.positions[0], items)
    area = int(-(-items.prod(axis=1).sum() // np.prod(instance.bin)))
    return {"class": kind, "n": n, "bins": int(batch.used[0]), "bound": area, "seconds": seconds}


def peak():
    """Bytes that this process has held at most so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def slope(rows):
    """The slope of log seconds over log n from each row to the next; nothing before the first."""
    n, seconds = (np.log([row[key] for row in rows]) for key in ("n", "seconds"))
    return [None, *(np.diff(seconds) / np.diff(n)).tolist()]


def lines(rows):
    """Class by class: items, bins, continuous bound, CPU seconds, their growth."""
    found = [
        f"{'class':>6}{'items':>8}{'bins':>7}{'area bound':>12}{'CPU s':>9}{'us an item':>12}{'slope':>7}"
    ]
    for kind in KINDS:
        own = [row for row in rows if row["class"] == kind]
        for row, growth in zip(own, slope(own)):
            found.append(
                f"{kind:6}{row['n']:8}{row['bins']:7}{row['bound']:12}{row['seconds']:9.3f}"
                f"{1e6 * row['seconds'] / row['n']:12.0f}{'' if growth is None else format(growth, '.2f'):>7}"
            )
    return found


def picture(path, rows):
    """Seconds over items, log-log, beside slopes 1 and 2 through the first point."""
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axis = figure.subplots()
    for kind, colour in zip(KINDS, (BLUE, ORANGE)):
        own = [row for row in rows if row["class"] == kind]
        axis.plot(
            [r["n"] for r in own],
            [r["seconds"] for r in own],
            "o-",
            color=colour,
            label=f"class {kind}",
        )
    n = np.array(sorted({row["n"] for row in rows}), float)
    base = min(row["seconds"] for row in rows if row["n"] == n[0])
    for power, style in ((1, ":"), (2, "--")):
        axis.plot(n, base * (n / n[0]) ** power, style, color=GREY, label=f"slope {power}")
    axis.set(
        xscale="log", yscale="log", xlabel="items in one instance", ylabel="CPU seconds of one pass"
    )
    axis.legend(frameon=False, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    save(figure, path)
