"""What the lessons draw with, besides plots.sheet."""

import numpy as np
from matplotlib.figure import Figure

from refimpl.report.plots import BLUE, GREY, ORANGE, save

STYLES = (
    (BLUE, "-"),
    (ORANGE, "--"),
    (GREY, ":"),
    ("#2e7d4f", "-."),
)  # told apart without colours, too


def curves(path, x, lines, *, xlabel, ylabel, log=""):
    """lines {label: (N,) values} over x (N,), at most four; log: "", "x", "y" or "xy", the
    logarithmic axes.
    """
    if len(lines) > len(STYLES):
        raise ValueError(f"lines: expected at most {len(STYLES)}, got {len(lines)}")
    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    axis = figure.subplots()
    for (label, values), (colour, style) in zip(lines.items(), STYLES):
        axis.plot(x, np.asarray(values), style, color=colour, label=label, lw=1.8)
    axis.set(
        xlabel=xlabel,
        ylabel=ylabel,
        xscale="log" if "x" in log else "linear",
        yscale="log" if "y" in log else "linear",
    )
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    save(figure, path)


def plane(path, side, logit, z1, track):
    """A logit over the plane, the lines where the gates of a hidden layer switch, and the track of
    an ascent.

    side (S,): both axes. logit (S S,), z1 (S S, H): at the points (x, y), x running fastest. track
    (n, 2).
    """
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    axis, size = figure.subplots(), len(side)
    picture = axis.contourf(side, side, logit.reshape(size, size), levels=20, cmap="Greys_r")
    figure.colorbar(picture, label="logit")
    for unit in z1.T:
        if unit.min() < 0 < unit.max():
            axis.contour(side, side, unit.reshape(size, size), levels=[0], colors=[BLUE])
    axis.plot([], [], color=BLUE, label="a gate switches")
    axis.plot(*track.T, color=ORANGE, lw=3, label="ascent")
    axis.plot(*track[0], "o", color=ORANGE)
    axis.set(xlabel="x_1", ylabel="x_2", aspect="equal")
    axis.legend(fontsize=9, loc="lower left")
    save(figure, path)


def pictures(path, named, *, size=1.6, largest=None):
    """named {label: (H, W)} in a row, `size` inches each: 0 is mid-grey, or black where a picture
    has nothing below 0.

    largest: what is white; by default the largest entry, picture by picture.
    """
    figure = Figure(figsize=(size * len(named), 1.1 * size), layout="constrained")
    for axis, (label, picture) in zip(
        figure.subplots(1, len(named), squeeze=False).flat, named.items()
    ):
        top = largest or np.abs(picture).max() or 1
        axis.imshow(
            picture,
            cmap="gray",
            vmin=-top if np.min(picture) < 0 else 0,
            vmax=top,
            interpolation="nearest",
        )
        axis.set_title(label, fontsize=9)
        axis.axis("off")
    save(figure, path)
