"""The thesis in pictures: the assignment sharpens as the packing grows, and what comes out, beside
its twin.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refimpl.companions.packing.sheets import COLOURS
from refimpl.report.plots import GREY, save


def sharpening(path, items, bin_size, decoded, twin, placed):
    """Top: shares of one packing, items x bins, after `placed` items each. Below: both packings.

    items (n, 2), the largest first; decoded, twin: Decoded of one try each, decoded with the shares
    of all moments.
    """
    k = decoded.shares[0].shape[2]
    figure = Figure(figsize=(1.7 * (k + 1), 7.6), layout="constrained")
    (top,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.15, 2))
    panels = top.subplots(1, len(placed), sharey=True)
    for axis, a, at in zip(panels, decoded.shares, placed):
        drawn = axis.imshow(
            a[0], cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest"
        )
        axis.axhline(at - 0.5, color="#d1661d", lw=1.2)
        axis.set(xticks=range(k), yticks=range(0, len(items), 5))
        axis.set_xlabel("bin", fontsize=8)
        axis.set_title(moment(at, len(items)), fontsize=8)
        axis.tick_params(labelsize=7, length=2)
    panels[0].set_ylabel("item, the largest first", fontsize=8)
    top.colorbar(drawn, ax=panels, shrink=0.9, pad=0.01).set_label("share", fontsize=8)
    for row, name, found in zip(
        below.subfigures(2, 1), ("ascended", "un-ascended"), (decoded, twin)
    ):
        bins, positions = found.bins[0], found.positions[0]
        over = items[bins < 0].prod(axis=1).sum() / np.prod(bin_size)
        said = (
            f"items left over: {(bins < 0).sum()}, {over:.2f} of a bin"
            if over
            else "nothing left over"
        )
        row.suptitle(f"{name}: {said}", fontsize=9)
        axes = row.subplots(1, k + 1)
        for b, axis in enumerate(axes[:k]):
            bin_picture(axis, items, bin_size, np.flatnonzero(bins == b), positions, f"bin {b}")
        beside(axes[-1], items, bin_size, np.flatnonzero(bins < 0))
    save(figure, path)


def moment(at, n):
    return (
        "ascended, nothing placed"
        if at == 0
        else "all decided"
        if at == n
        else f"ascended, {at} placed"
    )


def bin_picture(axis, items, bin_size, inside, positions, title):
    """One bin with items `inside`, their lower left corners at positions; an item has its colour
    everywhere.
    """
    W, H = bin_size
    axis.axis("off")
    axis.set(xlim=(-0.01 * W, 1.01 * W), ylim=(-0.01 * H, 1.01 * H), aspect="equal")
    axis.add_patch(Rectangle((0, 0), W, H, facecolor="#f2f2f2", edgecolor=GREY, lw=1.0))
    for i in inside:
        (x, y), (w, h) = positions[i].tolist(), items[i].tolist()
        axis.add_patch(
            Rectangle((x, y), w, h, facecolor=COLOURS[i % len(COLOURS)], edgecolor="white", lw=0.7)
        )
        if w > W / 8 and h > H / 10:
            axis.text(
                x + w / 2, y + h / 2, str(i), ha="center", va="center", fontsize=6, color="white"
            )
    axis.set_title(f"{title}: {100 * items[inside].prod(axis=1).sum() / (W * H):.0f} %", fontsize=8)


def beside(axis, items, bin_size, over):
    """What was left over, on the bin's scale, in a heap of shelves without a bin around it."""
    positions, x, y, shelf = np.zeros((len(items), 2), int), 0, 0, 0
    for i in over:
        w, h = items[i].tolist()
        if x + w > bin_size[0]:
            x, y, shelf = 0, y + shelf, 0
        positions[i], x, shelf = (x, y), x + w, max(shelf, h)
    bin_picture(axis, items, bin_size, over, positions, "")
    axis.patches[0].remove()
    axis.set_title("left over" if len(over) else "", fontsize=8)
