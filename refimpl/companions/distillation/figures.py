"""Accuracy against bytes, and ten distilled images beside ten class visualizations."""

import numpy as np
from matplotlib.figure import Figure

from refimpl.companions.distillation.frontier import REPORTED
from refimpl.report.plots import BLUE, GREY, ORANGE, gallery, save

STYLE = {
    "class visualizations": (BLUE, "o"),
    "averages": ("#6a9fd8", "v"),
    "biases": ("#6a9fd8", "P"),
    "extraction": ("#5b3f8c", "^"),
    "distilled": (ORANGE, "s"),
    "selected": (GREY, "x"),
    "model": ("#2e7d4f", "D"),
}


def frontier(path, name, found, bounds):
    """Every point of a summary with its error bar, the Pareto set joined; on the right margin what
    others report, on the left T19's bounds as short lines.

    bounds: [(bytes, accuracy)] of the linear model on fewer bits.
    """
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axis = figure.subplots()
    for kind, (colour, marker) in STYLE.items():
        rows = [row for row in found["points"] if row[0] == kind]
        size, mean, sd = ([row[i] for row in rows] for i in (2, 3, 4))
        axis.errorbar(
            size, mean, yerr=sd, fmt=marker, color=colour, ms=5, capsize=2, lw=1, label=kind
        )
    best = sorted(row[2:4] for row in found["points"] if row[5])
    axis.step(*np.array(best).T, where="post", color="black", lw=0.8, label="Pareto set")
    for i, (size, accuracy) in enumerate(bounds):
        label = "T19's bound of the linear model" if i == 0 else None
        axis.plot(size, accuracy, "_", color="#2e7d4f", ms=14, mew=2, label=label)
    for row in found["points"]:
        if row[5]:
            axis.annotate(
                row[1],
                row[2:4],
                xytext=(4, 5),
                textcoords="offset points",
                fontsize=7,
                rotation=35,
            )
    right = 1.5 * max(row[2] for row in found["points"])
    low = 10.0
    for text, accuracy in REPORTED.get(name, ()):
        axis.plot(right, accuracy, "*", color="black", ms=7)
        axis.annotate(
            f"{text}: as reported, not checked here",
            (right, accuracy),
            xytext=(-6, 3),
            textcoords="offset points",
            ha="right",
            fontsize=6,
        )
    axis.set(xscale="log", xlabel="bytes as stored", ylabel="test accuracy (%)", ylim=(low, 110))
    axis.set_yticks(range(int(low), 101, 10))  # above them is room for names
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="lower right", ncol=2)
    save(figure, path)


def beside(path, data, images, visualizations):
    """Ten distilled images under ten class visualizations."""
    rows = [("class\nvisualizations", visualizations), ("distilled", images)]
    gallery(path, rows, data.image_shape, data.classes)
