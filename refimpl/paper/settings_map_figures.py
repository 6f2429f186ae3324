"""The map, drawn: points lost in every cell, a frame round those that lose what the paper lost; and
two cuts.
"""

from itertools import product

import numpy as np
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refimpl.paper import settings_map as the_map
from refimpl.paper.settings_map import INITS, ITERATIONS, NORMS, TEMPERATURES
from refimpl.report.plots import BLUE, save
from refimpl.report.results import drawing

COLOURS = ("#1f5fa8", "#a11d33", "#d1661d", "#3a8a4d")  # squared error, then by temperature


def loss_name(temperature):
    return "squared error" if temperature is None else f"cross-entropy, T = {temperature:g}"


def panels(path, lost, printed):
    """lost (temperatures, inits, iterations, norms): one small table for each loss and init."""
    figure = Figure(figsize=(11, 9), layout="constrained")
    axes = figure.subplots(len(INITS), len(TEMPERATURES), sharex=True, sharey=True)
    for (i, j), axis in np.ndenumerate(axes):
        table = lost[j, i]
        scale = SymLogNorm(0.1, vmin=0, vmax=100)  # one for all panels
        drawn = axis.imshow(table, cmap="YlOrRd", norm=scale, aspect="auto")
        for (row, column), value in np.ndenumerate(table):
            axis.text(
                column,
                row,
                f"{value + 0.0:.2f}".replace("-0.00", "0.00"),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if value > 12 else "black",
            )
            if printed is not None and abs(value - printed) <= the_map.TOLERANCE + 1e-9:
                axis.add_patch(
                    Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, ec=BLUE, lw=2.5)
                )
        axis.set_xticks(range(len(NORMS)), [f"{norm:g}" for norm in NORMS], fontsize=8)
        axis.set_yticks(range(len(ITERATIONS)), [f"{t:,}" for t in ITERATIONS], fontsize=8)
        if i == 0:
            axis.set_title(loss_name(TEMPERATURES[j]), fontsize=10)
        if j == 0:
            axis.set_ylabel(f"init {INITS[i]:g}\niterations", fontsize=9)
        if i == len(INITS) - 1:
            axis.set_xlabel("norm of the images", fontsize=9)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.6, ticks=(0, 0.1, 1, 10, 100))
    bar.ax.set_yticklabels(("0", "0.1", "1", "10", "100"))
    bar.set_label("points of test accuracy lost by the student")
    save(figure, path)


def cuts(path, lost, printed):
    """Where a loss comes from: stopping early (left, norm 3, no init) and the init (right, squared
    error, the end).
    """
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    middle = NORMS.index(3.0)
    for j, temperature in enumerate(TEMPERATURES):
        left.plot(
            ITERATIONS, lost[j, 0, :, middle], "o-", color=COLOURS[j], label=loss_name(temperature)
        )
    right.plot(range(len(INITS)), lost[0, :, -1, middle], "o-", color=COLOURS[0])
    left.set(
        xscale="log",
        xlabel="iterations, zero init, images of norm 3",
        ylabel="points lost by the student",
    )
    right.set_xticks(range(len(INITS)), [f"{init:g}" for init in INITS])
    right.set_xlabel(f"sigma of the student's init, {ITERATIONS[-1]:,} iterations of squared error")
    left.set_yscale("symlog", linthresh=0.1)
    left.set_yticks((0, 0.1, 1, 10, 100), ("0", ".1", "1", "10", "100"))
    left.set_ylim(min(-0.05, lost[:, 0, :, middle].min() - 0.05), 150)
    for axis in (left, right):
        if printed is not None:
            axis.axhline(printed, color="black", lw=1, ls="--", label=f"the paper: {printed:g}")
    figure.legend(*left.get_legend_handles_labels(), fontsize=8, ncol=5, loc="outside lower center")
    save(figure, path)


def make(data, teacher, rows, out):
    """Draw the map of each objective and the cuts from the rows (the teacher is not needed)."""
    means = {
        row["id"]: row["ours"]["mean"] for row in rows if row["id"].startswith(f"map/{data.name}/")
    }
    if not means:
        return []
    printed, (made, add) = the_map.printed_loss(data.name), drawing(out)
    like = (
        ""
        if printed is None
        else f"; framed: within {the_map.TOLERANCE} of the paper's {printed:g}"
    )
    lost = {objective: table_of(means, data.name, objective) for objective in the_map.OBJECTIVES}
    for objective, table in lost.items():
        add(
            f"map_{objective}.png",
            f"The map, {objective.replace('_', ' ')} images of {data.title}: points lost by the "
            f"student{like}",
            ""
            if printed is None
            else f"{printed:g} points lost; none of the five choices is stated.",
            f"Tables of points lost by norm, loss, iterations and init; from {table.min():.2f} to "
            f"{table.max():.2f}.",
            panels,
            table,
            printed,
        )
    add(
        "map_cuts.png",
        "Where a loss comes from: stopping early, or the init (logit images)",
        "",
        "Points lost fall with the iterations and rise with the init.",
        cuts,
        lost["logit"],
        printed,
    )
    return made


def table_of(means, name, objective):
    """Points lost by one objective's images: (temperatures, inits, iterations, norms)."""
    cells = product(TEMPERATURES, INITS, ITERATIONS, NORMS)
    lost = [
        means[the_map.cell_id(name, objective, norm, temperature, iterations, init)]
        for temperature, init, iterations, norm in cells
    ]
    return np.reshape(lost, (len(TEMPERATURES), len(INITS), len(ITERATIONS), len(NORMS)))
