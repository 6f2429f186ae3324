"""Figures of convolutional networks: grids and rows of pictures, each on its own scale, feature maps, curves."""

import numpy as np
from matplotlib.figure import Figure

from refimpl.app.plots import lines, save, show


def picture(row, image_shape):
    """A row (D,) as (H, W) or (H, W, 3) in [0, 1], stretched from its smallest to its largest value."""
    low, high = float(row.min()), float(row.max())
    image = (row.reshape(image_shape) - low) / (high - low) if high > low else np.full(image_shape, 0.5)
    return image[0] if image_shape[0] == 1 else image.transpose(1, 2, 0)


def grid(path, images, image_shape, labels, *, columns=8):
    """Pictures (N, D) side by side, each stretched to its own range, a label above each."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(max(1.1 * columns, 2), 1.3 * rows), layout="constrained")
    for axis in (axes := figure.subplots(rows, columns, squeeze=False)).flat:
        axis.axis("off")
    for axis, row, label in zip(axes.flat, images, labels):
        axis.axis("on")
        show(axis, picture(row, image_shape))
        axis.set_title(label, fontsize=8)
    save(figure, path)


def gallery(path, rows, image_shape, columns):
    """rows (label, images (N, D)): a line of pictures each, every one stretched to its own range."""
    lines(path, [(label, [picture(image, image_shape) for image in images]) for label, images in rows], columns)


def maps(path, layers, count):
    """Feature maps [(name, (C, H, W))] of one image: a line a layer with maps, up to `count` channels of each."""
    rows = [(name, a) for name, a in layers if a.ndim == 3 and name != "Dropout"]
    count = min(count, max(len(a) for _, a in rows))
    figure = Figure(figsize=(0.95 * count + 1.4, 0.98 * len(rows)), layout="constrained")
    for line, (name, a) in zip(figure.subplots(len(rows), count, squeeze=False), rows):
        shown = np.linspace(0, len(a) - 1, min(count, len(a))).round().astype(int)
        for axis in line[len(shown) :]:
            axis.axis("off")
        for axis, channel in zip(line, shown):
            show(axis, picture(a[channel].ravel(), (1, *a.shape[1:])))
        label = {"Unflatten": "image", "Conv2D": "convolution", "MaxPool2D": "pooling"}.get(name, name)
        line[0].set_ylabel(f"{label}\n{len(a)} x {a.shape[1]} x {a.shape[2]}", rotation=0, ha="right", va="center",
                           fontsize=7)
    save(figure, path)


def settling(path, evolved):
    """Share of channels whose DeconvNet picture has settled, by step of training, one line a hidden layer."""
    figure = Figure(figsize=(8.5, 3), layout="constrained")
    for axis, key, title in zip(figure.subplots(1, 2, sharey=True), ("strongest", "fixed"),
                                ("the strongest image of the moment", "an image held fixed")):
        for i, row in enumerate(evolved["layers"], 1):
            share = [(row[key] <= t).mean() for t in evolved["times"]]
            axis.plot(evolved["times"], share, marker="osD^v"[i % 5], ms=4, lw=1.3, label=f"hidden layer {i}")
        axis.set(xlabel="training step", title=title, ylim=(-0.03, 1.03))
        axis.legend(fontsize=8)
    figure.axes[0].set_ylabel("share of channels settled")
    save(figure, path)
