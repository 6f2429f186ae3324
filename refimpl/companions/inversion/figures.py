"""Figures of inversions: every layer's reconstructions side by side, and errors by layer."""

import numpy as np
from matplotlib.figure import Figure

from refimpl.companions.inversion.perturbation_study import METHODS
from refimpl.report.plots import BLUE, GREY, ORANGE, save, show
from refimpl.report.sheets import font_size


def reconstructions(path, found, image_shape, count):
    """One line a layer: `count` images by regularization, then by its decoder; error and SSIM of
    all images beside them.

    Pixels outside [0, 1] are shown as the nearest of both; the numbers are of the pixels as they
    are.
    """
    rows, shown = found["layers"], min(count, len(found["x"]))
    lines = [("test images", {key: {"images": found["x"]} for key in METHODS})] + [
        (row["name"], row) for row in rows
    ]
    figure = Figure(figsize=(1.9 * shown + 4.2, 0.98 * len(lines) + 0.4), layout="constrained")
    size = font_size(figure)
    panels = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.15, 1))[0]
    for panel, (key, title) in zip(panels, METHODS.items()):
        axes = panel.subplots(len(lines), shown, squeeze=False)
        panel.suptitle(
            f"by {title}" if key == "decoded" else f"by {title} (total variation, alpha-norm)",
            fontsize=size + 1,
        )
        for line, (name, row) in zip(axes, lines):
            for axis, image in zip(line, row[key]["images"] if key in row else [None] * shown):
                axis.axis("off" if image is None else "on")
                if image is not None:
                    image = np.clip(image.reshape(image_shape), 0, 1)
                    show(axis, image[0] if len(image) == 1 else image.transpose(1, 2, 0))
            score = (
                f"{row[key]['error']:.3f}\n{row[key]['ssim']:.3f}"
                if "error" in row.get(key, ())
                else "error\nSSIM"
                if name == "test images"
                else "none fits"
            )
            line[-1].text(
                1.08, 0.5, score, transform=line[-1].transAxes, va="center", fontsize=size
            )
            if key == "regularized":
                line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=size)
    save(figure, path)


def errors(path, found, perturbed, retrained):
    """Error by layer: both methods with the spread over images, and the decoders under
    perturbation.

    retrained: what perturbation_study.retrained returns, drawn hollow.
    """
    rows = found["layers"]
    figure = Figure(figsize=(12, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for (key, title), colour, marker, shift in zip(
        METHODS.items(), (ORANGE, BLUE), "so", (-0.06, 0.06)
    ):
        at = [i for i, row in enumerate(rows) if key in row]
        values = np.array([rows[i][key]["errors"] for i in at])
        left.errorbar(
            np.array(at) + shift,
            values.mean(axis=1),
            values.std(axis=1, ddof=1),
            marker=marker,
            color=colour,
            capsize=2,
            elinewidth=1,
            label=f"{title} (sd over images)",
        )
    left.axhline(found["mean"]["error"], color=GREY, ls="--", lw=1, label="mean training image")
    at = [i for i, row in enumerate(perturbed) if row["error"]]
    places = {row["name"]: i for i, row in enumerate(rows)}
    for name, marker in zip(perturbed[0]["accuracy"], "osD^"):
        (line,) = right.plot(
            at, [perturbed[i]["error"][name] for i in at], marker=marker, label=name
        )
        again = [row for row in retrained if name in row]
        if again:
            right.plot(
                [places[row["name"]] for row in again],
                [row[name] for row in again],
                marker,
                ms=9,
                mfc="none",
                color=line.get_color(),
                label=f"{name}, its own decoder",
            )
    for axis, title in (
        (left, "what is kept, by layer"),
        (right, "decoders of perturbed representations"),
    ):
        axis.set_xticks(
            range(len(rows)), [row["name"] for row in rows], rotation=40, ha="right", fontsize=7
        )
        axis.set(title=title, ylim=(0, None))
    left.legend(fontsize=8)
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    left.set_ylabel("error / typical distance of two images")
    save(figure, path)
