"""The plots that the figures of every room share: arrays in, PNG files out. Each function draws one
picture; which are drawn, under which title, is said by the rooms' *_figures.py.
"""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from refimpl.files.whole import written_whole
from refimpl.report import sheets

BLUE, ORANGE, GREY = "#1f5fa8", "#d1661d", "#8a8f98"


def save(figure, path):
    """Write a figure as PNG, all or nothing."""
    with written_whole(path) as part:
        figure.savefig(part, format="png", dpi=110, bbox_inches="tight", facecolor="white")


def as_picture(row, image_shape, largest):
    """A row (D,) as (H, W) or (H, W, 3) in [0, 1]: 0 is mid-grey, one scale for all images of a
    figure. largest: the largest magnitude among them, 0 where all are zero.
    """
    picture = 0.5 + row.reshape(image_shape) / (2 * (largest or 1.0))
    return picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)


def show(axis, picture):
    """(H, W) or (H, W, 3) in [0, 1], without frame and ticks."""
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def sheet(path, images, labels, image_shape, *, columns=5):
    """Images (N, D) in a grid with a label each, on one scale: `sheets.show` says which; a bar
    tells it where grey images have numbers below 0.
    """
    bar = image_shape[0] == 1 and bool(np.min(images) < 0)
    how = {"image_shape": image_shape, "columns": columns, "colorbar": bar}
    save(sheets.show(images, labels, **how), path)


def compared(path, data, sets, *, framed=None):
    """sets {label: images (K, D)}: a line each, a column a class, all on one scale.

    framed: the number of a column with a frame on every line.
    """
    figure = sheets.show(sets, data.classes, image_shape=data.image_shape)
    if framed is not None:
        for axis in figure.axes[framed :: len(data.classes)]:
            axis.spines[:].set(visible=True, color=ORANGE, linewidth=2)
    save(figure, path)


def film(path, frames, image_shape):
    """Frames (F, K, D) pixel for pixel, a row a frame and a column an image, one scale for all: 0
    is mid-grey.
    """
    largest = np.abs(frames).max()
    rows = [np.hstack([as_picture(image, image_shape, largest) for image in row]) for row in frames]
    pixels = np.rint(255 * np.vstack(rows)).astype(np.uint8)
    with written_whole(path) as part:
        Image.fromarray(pixels).save(part, format="png", optimize=True)


def bars(path, title, rows):
    """Rows (label, paper or None, mean, sd or None) as bars side by side."""
    figure = Figure(figsize=(7.5, 3.6))
    axis = figure.subplots()
    shift = 0.2 if any(paper for _, paper, _, _ in rows) else 0
    for i, (_, paper, mean, sd) in enumerate(rows):
        axis.bar(
            i - shift, paper or 0, 0.38, color=GREY, label="paper" if i == 0 and paper else None
        )
        axis.bar(
            i + shift, mean, 0.38, color=BLUE, yerr=sd, capsize=3, label="ours" if i == 0 else None
        )
        for x, value in ((i - shift, paper), (i + shift, mean)):
            if value:
                axis.text(x, value + 1, f"{value:.2f}", ha="center", fontsize=8)
    axis.set_xticks(range(len(rows)), [label for label, *_ in rows], fontsize=8)
    axis.set(ylabel="test accuracy (%)", ylim=(0, 100), yticks=range(0, 101, 20))
    axis.set_title(title, pad=18)  # above the numbers of bars that nearly reach 100
    if shift:
        axis.legend(fontsize=8, loc="upper center", ncol=2, bbox_to_anchor=(0.5, -0.16))
    save(figure, path)


def confusions(path, matrices, classes):
    """Confusion matrices side by side, counts in the cells, the diagonal not coloured; NaN: a cell
    that is not known.
    """
    figure = Figure(figsize=(5.6 * len(matrices), 4.9), layout="constrained")
    for axis, (title, matrix) in zip(figure.subplots(1, len(matrices), squeeze=False)[0], matrices):
        errors = np.where(np.eye(len(matrix)) > 0, 0, np.nan_to_num(matrix))
        drawn = axis.imshow(errors, cmap="Blues", vmin=0, vmax=max(1, 1.6 * errors.max()))
        figure.colorbar(drawn, ax=axis, shrink=0.8, label="images, errors only")
        for (i, j), count in np.ndenumerate(matrix):
            axis.text(
                j,
                i,
                "" if np.isnan(count) else f"{count:.0f}",
                ha="center",
                va="center",
                fontsize=8,
            )
        axis.set_xticks(
            range(len(classes)), classes, fontsize=7, rotation=0 if len(classes[0]) < 3 else 60
        )
        axis.set_yticks(range(len(classes)), classes, fontsize=7)
        axis.set(title=title, xlabel="predicted", ylabel="actual")
    save(figure, path)


def grid(path, images, image_shape, labels, *, columns=8):
    """Pictures (N, D) side by side on one scale, a label above each."""
    sheet(path, images, labels, image_shape, columns=min(columns, len(images)))


def gallery(path, rows, image_shape, columns, *, texts=()):
    """rows (label, images (N, D)): a line of pictures each, one scale a line, told by a bar beside
    it where neither colours nor texts stand in its way; a name a column.

    texts: one on the right of each line.
    """
    bars = image_shape[0] == 1 and not texts
    figure = sheets.show(list(rows), columns, image_shape=image_shape, scale="row", colorbar=bars)
    for axis, text in zip(figure.axes[len(columns) - 1 :: len(columns)], texts):
        axis.text(
            1.08,
            0.5,
            text,
            transform=axis.transAxes,
            va="center",
            fontsize=sheets.font_size(figure),
        )
    save(figure, path)
