"""A packing as a picture: every bin, each item with its name and size where there is room."""

import warnings

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refimpl.companions.packing.sheets import COLOURS, drawable, number
from refimpl.report.plots import GREY, save

LABELLED = 120  # up to so many bins have names and a heading
DRAWN = 10_000  # more bins than this are not drawn


def bins_picture(path, packing, bin_size):
    """Draw the bins of a Packing in reading order, lower left corner below left; a line below says
    if some are left out.
    """
    shown = min(packing.count, DRAWN)
    labelled = shown <= LABELLED
    W, H = (float(side) for side in bin_size)
    wide, high = max(1, W / H) ** 0.5, max(1, H / W) ** 0.5  # of a bin's cell, in units of `inches`
    columns = min(6, shown) if labelled else int(np.ceil(np.sqrt(shown * high / wide)))
    rows, inches = -(-shown // columns), (2.8 if shown < 4 else 1.9) if labelled else 0.5
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
    drawn = np.flatnonzero(packing.bins < shown)
    at = packing.positions[drawn] + corner[packing.bins[drawn]]
    _boxes(axis, corner, [(W, H)] * shown, 1.2 if labelled else 0.3, GREY, "#f2f2f2")
    colours = [COLOURS[i % len(COLOURS)] for i in drawn]
    _boxes(axis, at, packing.sizes[drawn], 0.8 if labelled else 0.2, "white", colours)
    if labelled:
        _headings(axis, packing, corner, W, H)
        _labels(axis, packing, drawn, at, W, H)
    if shown < packing.count:
        said = f"the first {shown:,} of {packing.count:,} bins"
        figure.text(0.5, 0, said, ha="center", va="top", fontsize=12)
    with warnings.catch_warnings():  # a letter that the font lacks is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        save(figure, path)


def _boxes(axis, corners, sizes, line, edge, face):
    """Rectangles at lower left corners (n, 2), of sizes (n, 2)."""
    boxes = [Rectangle(tuple(xy), w, h) for xy, (w, h) in zip(corners, sizes)]
    axis.add_collection(PatchCollection(boxes, edgecolor=edge, lw=line, facecolor=face))


def _headings(axis, packing, corner, W, H):
    """Above every bin its number and how much of it is used."""
    filled = np.bincount(packing.bins, packing.sizes.prod(axis=1), len(corner)) / (W * H)
    for b, (x, y) in enumerate(corner):
        said = f"bin {b}: {100 * filled[b]:.0f} %"
        axis.text(x + W / 2, y + 1.03 * H, said, ha="center", va="bottom", fontsize=7)


def _labels(axis, packing, drawn, at, W, H):
    """In every item with room for it the name, and below it the size."""
    for i, (x, y), (w, h) in zip(drawn, at, packing.sizes[drawn]):
        if w <= W / 9 or h <= H / 11:
            continue
        lines = [drawable(packing.name(i))[: max(3, int(26 * w / W))]]
        size = f"{number(w)} x {number(h)}"
        if h > H / 6 and 26 * w / W >= len(size):
            lines.append(size)
        where = {"ha": "center", "va": "center", "fontsize": 6, "color": "white"}
        where["parse_math"] = False  # a $ in a name is a $
        axis.text(x + w / 2, y + h / 2, "\n".join(lines), **where)
