"""A packing as a picture: every bin, each item with its number where there is room."""

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refimpl.report.plots import GREY, save

COLOURS = ("#1f5fa8", "#d1661d", "#3a7d44", "#7b4fa3", "#a88420", "#2f8f9d", "#b0413e", "#5b6770")
LABELLED, DRAWN = (
    120,
    10_000,
)  # up to so many bins have numbers and a heading; more than so many are not drawn


def bins_picture(path, packing, bin_size):
    """Draw the bins of a Packing in reading order, lower left corner below left; a line below says
    if some are left out.
    """
    shown = min(packing.count, DRAWN)
    labelled = shown <= LABELLED
    W, H = (int(side) for side in bin_size)
    wide, high = max(1, W / H) ** 0.5, max(1, H / W) ** 0.5  # of a bin's cell, in units of `inches`
    columns = min(6, shown) if labelled else int(np.ceil(np.sqrt(shown * high / wide)))
    rows, inches = -(-shown // columns), 1.9 if labelled else 0.5
    step = W * 1.12, H * (1.25 if labelled else 1.12)
    row, column = np.divmod(np.arange(shown), columns)
    corner = np.column_stack([column * step[0], -row * step[1]])
    figure = Figure(figsize=(inches * columns * wide, inches * rows * high))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.axis("off")
    axis.set(
        xlim=(-0.12 * W, columns * step[0]),
        ylim=((1 - rows) * step[1] - 0.12 * H, step[1]),
        aspect="equal",
    )
    drawn = packing.bins < shown
    at, sizes = packing.positions[drawn] + corner[packing.bins[drawn]], packing.sizes[drawn]
    line = 0.8 if labelled else 0.2
    axis.add_collection(
        PatchCollection(
            [Rectangle(xy, W, H) for xy in corner],
            edgecolor=GREY,
            lw=1.5 * line,
            facecolor="#f2f2f2",
        )
    )
    axis.add_collection(
        PatchCollection(
            [Rectangle(xy, w, h) for xy, (w, h) in zip(at, sizes)],
            edgecolor="white",
            lw=line,
            facecolor=[COLOURS[i % len(COLOURS)] for i in drawn.nonzero()[0]],
        )
    )
    if labelled:
        filled = np.bincount(packing.bins, packing.sizes.prod(axis=1), shown) / (W * H)
        for b, (x, y) in enumerate(corner):
            axis.text(
                x + W / 2,
                y + 1.03 * H,
                f"bin {b}: {100 * filled[b]:.0f} %",
                ha="center",
                va="bottom",
                fontsize=7,
            )
        for i, (x, y), (w, h) in zip(drawn.nonzero()[0], at, sizes):
            if w > W / 9 and h > H / 11:
                axis.text(
                    x + w / 2,
                    y + h / 2,
                    str(i),
                    ha="center",
                    va="center",
                    fontsize=6,
                    color="white",
                )
    if shown < packing.count:
        figure.text(
            0.5,
            0,
            f"the first {shown:,} of {packing.count:,} bins",
            ha="center",
            va="top",
            fontsize=12,
        )
    save(figure, path)
