"""The pictures that figures 3, 4, 7, 14 and 18 are drawn with: boxes and arrows, scores by class,
one neuron and its weights as an image.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refimpl.report.plots import BLUE, GREY, ORANGE, as_picture, save, show
from refimpl.report.sheets import add_colorbar, draw_tile

COLOURS = (GREY, BLUE, ORANGE, "#3f8f5f", "#8a4fa0")
MARKS = ("s-", "o--", "^:", "v-.", "d--")


def process(
    path: Path,
    boxes: Sequence[str],
    arrows: Sequence[str],
    images: np.ndarray,
    image_shape: tuple[int, int, int],
    at: int,
) -> None:
    """Boxes of text from left to right with an arrow between two, what it does written below; above
    box number `at`, the images (K, D).
    """
    figure = Figure(figsize=(2.4 * len(boxes), 2.9))
    axis = figure.subplots()
    axis.axis("off")
    axis.set(xlim=(-0.5, len(boxes) - 0.5), ylim=(-0.8, 1.3))
    drawn = [
        axis.text(
            i,
            0,
            text,
            ha="center",
            va="center",
            fontsize=10,
            color="white",
            bbox={
                "boxstyle": "round,pad=0.7",
                "facecolor": ORANGE if i == at else BLUE,
                "edgecolor": "none",
            },
        )
        for i, text in enumerate(boxes)
    ]
    figure.canvas.draw()  # places the boxes, so that the arrows can stop at them
    for i, text in enumerate(arrows):
        how = {"arrowstyle": "-|>", "color": GREY, "lw": 2}
        how |= {"patchA": drawn[i].get_bbox_patch(), "patchB": drawn[i + 1].get_bbox_patch()}
        axis.annotate("", (i + 1, 0), (i, 0), arrowprops=how)
        axis.text(i + 0.5, -0.62, text, ha="center", va="center", fontsize=8)
    _mosaic(
        axis.inset_axes((at - 0.5, 0.5, 1, 0.75), transform=axis.transData), images, image_shape
    )
    save(figure, path)


def _mosaic(axis: Axes, images: np.ndarray, image_shape: tuple[int, int, int]) -> None:
    """Images (K, D) in two lines on one scale."""
    largest = np.abs(images).max()
    pictures = [as_picture(image, image_shape, largest) for image in images]
    half = -(-len(pictures) // 2)
    pictures += [np.full_like(pictures[0], 0.5)] * (2 * half - len(pictures))
    show(axis, np.vstack([np.hstack(pictures[:half]), np.hstack(pictures[half:])]))


def by_class(
    path: Path, classes: Sequence[str], series: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """A line a model: its F1 score of every class, with the standard deviation over seeds.

    series: {label: (means (K,), sds (K,), 0 where there is none)}.
    """
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    axis = figure.subplots()
    at = np.arange(len(classes))
    for (label, (mean, sd)), colour, mark in zip(series.items(), COLOURS, MARKS):
        wide = 4 if colour == COLOURS[0] else 1.5  # seen below a line that lies on it
        how: dict[str, Any] = {"color": colour, "lw": wide, "ms": 5, "capsize": 2, "label": label}
        axis.errorbar(at, mean, yerr=sd, fmt=mark, **how)
    axis.set_xticks(at, classes, fontsize=8, rotation=0 if len(classes[0]) < 3 else 30)
    axis.set(xlabel="class", ylabel="F1 score")
    axis.legend(fontsize=8)
    save(figure, path)


def scores_of(rows: Sequence[Mapping], name: str, who: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(means, sds) of the F1 scores by class of one model in the ledger's rows, for `by_class`;
    None where they were not measured.

    >>> rows = [{"id": "f1/mnist/averages/0", "ours": {"mean": 0.9, "sd": None}}]
    >>> scores_of(rows, "mnist", "averages")
    (array([0.9]), array([0.]))
    """
    found = {row["id"]: row["ours"] for row in rows if row["id"].startswith(f"f1/{name}/{who}/")}
    if not found:
        return None
    cells = [found[f"f1/{name}/{who}/{c}"] for c in range(len(found))]
    return np.array([v["mean"] for v in cells]), np.array([v["sd"] or 0.0 for v in cells])


def neuron(path: Path, w: np.ndarray, image_shape: tuple[int, int, int], name: str) -> None:
    """Left: an output neuron with some of its weights w (D,), blue above and orange below 0; right:
    all of them as an image.
    """
    figure = Figure(figsize=(7, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.axis("off")
    some = np.linspace(0, len(w) - 1, 24).astype(int)
    heights = np.linspace(-1, 1, len(some))
    for height, weight in zip(heights, w[some] / np.abs(w).max()):
        colour = BLUE if weight > 0 else ORANGE
        left.plot((0, 1), (height, 0), color=colour, lw=0.3 + 4 * abs(weight))
    left.plot(np.zeros(len(some)), heights, "o", color=GREY, ms=4)
    left.plot(1, 0, "o", color="black", ms=22)
    left.text(1, -0.5, f"output neuron\nof {name}", ha="center", fontsize=8)
    left.text(0, -1.25, f"{len(some)} of {len(w)} input neurons", ha="center", fontsize=8)
    left.set(xlim=(-0.4, 1.4), ylim=(-1.35, 1.1))
    largest = np.abs(w).max()
    draw_tile(right, w.reshape(image_shape), -largest, largest)
    right.set_title(f"its {len(w)} weights as an image", fontsize=9)
    if image_shape[0] == 1:
        add_colorbar(figure, right, -largest, largest)
    save(figure, path)
