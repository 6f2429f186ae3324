"""Figures of convolutional networks: grids and rows of pictures, each on its own scale, feature
maps, curves.
"""

import numpy as np
from matplotlib.figure import Figure

from refimpl.report.plots import save
from refimpl.report.sheets import add_colorbar, draw_tile, limits


def maps(path, layers, count):
    """Feature maps [(name, (C, H, W))] of one image: a line a layer with maps, up to `count`
    channels of each.
    """
    rows = [(name, a) for name, a in layers if a.ndim == 3 and name != "Dropout"]
    count = min(count, max(len(a) for _, a in rows))
    figure = Figure(figsize=(0.95 * count + 2, 1.1 * len(rows)), layout="constrained")
    for line, (name, a) in zip(figure.subplots(len(rows), count, squeeze=False), rows):
        shown = np.linspace(0, len(a) - 1, min(count, len(a))).round().astype(int)
        for axis in line[len(shown) :]:
            axis.axis("off")
        for axis, channel in zip(line, shown):
            draw_tile(axis, a[channel][None], *limits(a))
            axis.set_title(f"channel {channel}", fontsize=7)
        add_colorbar(figure, list(line), *limits(a))
        label = {"Unflatten": "image", "Conv2D": "convolution", "MaxPool2D": "pooling"}.get(
            name, name
        )
        line[0].set_ylabel(
            f"{label}\n{len(a)} x {a.shape[1]} x {a.shape[2]}",
            rotation=0,
            ha="right",
            va="center",
            fontsize=7,
        )
    save(figure, path)


def answered(path, tiles, image_shape):
    """tiles [(name, image (1, D))] side by side, each with its own scale and the bar that tells
    it.
    """
    figure = Figure(figsize=(2.5 * len(tiles), 2.2), layout="constrained")
    for axis, (name, image) in zip(figure.subplots(1, len(tiles)), tiles):
        low, high = limits(image)
        draw_tile(axis, image.reshape(image_shape), low, high)
        axis.set_title(name, fontsize=9)
        if image_shape[0] == 1:
            add_colorbar(figure, axis, low, high)
    save(figure, path)


def settling(path, evolved):
    """Share of channels whose DeconvNet picture has settled, by step of training, one line a hidden
    layer.
    """
    figure = Figure(figsize=(8.5, 3), layout="constrained")
    for axis, key, title in zip(
        figure.subplots(1, 2, sharey=True),
        ("strongest", "fixed"),
        ("the strongest image of the moment", "an image held fixed"),
    ):
        for i, row in enumerate(evolved["layers"], 1):
            share = [(row[key] <= t).mean() for t in evolved["times"]]
            axis.plot(
                evolved["times"],
                share,
                marker="osD^v"[i % 5],
                ms=4,
                lw=1.3,
                label=f"hidden layer {i}",
            )
        axis.set(xlabel="training step", title=title, ylim=(-0.03, 1.03))
        axis.legend(fontsize=8)
    figure.axes[0].set_ylabel("share of channels settled")
    save(figure, path)
