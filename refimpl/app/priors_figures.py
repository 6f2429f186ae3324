"""Figures of the priors: the pictures row by row, what smoothness costs the student, distillation at a temperature."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl.app.plots import BLUE, GREY, ORANGE, as_picture, save
from refimpl.paper import priors_study

SHOWN = {"plain": "plain", "l2_1": "L2", "alpha_norm_3": "alpha-norm (6)", "total_variation_1": "total variation",
         "total_variation_beta1_1": "total variation,\nbeta 1", "patch_1": "patches of\ntraining images",
         "jitter_2": "jitter, 2 pixels", "blur_0.5": "blur, sigma .5", "together": "L2, TV, jitter\nand blur",
         "training_images": "training images", "deepdream": "DeepDream\nof these"}
FAMILIES = {"L2": ("l2", priors_study.STRENGTHS), "alpha-norm": ("alpha_norm", priors_study.STRENGTHS),
            "total variation": ("total_variation", priors_study.STRENGTHS),
            "total variation, beta 1": ("total_variation_beta1", priors_study.STRENGTHS),
            "patches": ("patch", priors_study.STRENGTHS), "jitter": ("jitter", priors_study.JITTERS),
            "blur": ("blur", priors_study.BLURS)}
MARKERS = "osD^vPX"


def gallery(path, rows, image_shape, classes):
    """rows (label, text, images (K, D)): one line of pictures each, on a scale of its own, 0 mid-grey."""
    figure = Figure(figsize=(0.85 * len(classes) + 2.6, 0.88 * len(rows) + 0.3), layout="constrained")
    axes = figure.subplots(len(rows), len(classes), squeeze=False)
    for line, (label, text, images) in zip(axes, rows):
        for axis, image in zip(line, images):
            axis.imshow(as_picture(image, image_shape, np.abs(images).max()), cmap="gray", vmin=0, vmax=1,
                        interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            for side in axis.spines.values():
                side.set_visible(False)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
        line[-1].text(1.08, 0.5, text, transform=line[-1].transAxes, va="center", fontsize=9)
    for axis, name in zip(axes[0], classes):
        axis.set_title(name, fontsize=8)
    save(figure, path)


def tradeoff(path, families, baseline):
    """families {label: (roughness, agreement, accuracy)}, weak to strong: what a smoother picture teaches."""
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    names = "agreement with the teacher (%)", "test accuracy (%)"
    for axis, index, what in zip(figure.subplots(1, 2), (1, 2), names):
        for i, (label, measured) in enumerate(families.items()):
            axis.plot(measured[0], measured[index], marker=MARKERS[i], ms=5, lw=1.2, color=f"C{i}", label=label)
        axis.axhline(100 if index == 1 else baseline, color=GREY, lw=0.8, ls="--")
        axis.set(xscale="log", xlabel="roughness of the pictures, plain = 1", ylabel=what)
    figure.axes[0].legend(fontsize=8)
    save(figure, path)


def distillation(path, temperatures, agreement, gap, iterations):
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogx(temperatures, agreement, "o-", color=BLUE)
    left.set(xlabel="temperature T", ylabel=f"agreement after {iterations:,} steps (%)", ylim=(0, 103))
    right.loglog(temperatures, gap, "o-", color=BLUE, label="measured")
    right.loglog(temperatures, gap[-1] * temperatures[-1] / np.array(temperatures), "--", color=ORANGE, label="1 / T")
    right.set(xlabel="temperature T", ylabel="gradient's distance from its limit")
    right.legend(fontsize=8)
    save(figure, path)


def make(data, teacher, rows, out):
    """Draw the three figures from the first seed's teacher and the judged rows. [{file, title, paper, alt}]."""
    prefix = f"priors/{data.name}/"
    means = {row["id"].removeprefix(prefix): row["ours"]["mean"] for row in rows if row["id"].startswith(prefix)}
    if not means:
        return []
    images = priors_study.pictures(data, teacher, 0)
    gallery(Path(out) / "priors.png", [(label, f"{means[f'{name}/agreement']:.1f} %", images[name])
                                       for name, label in SHOWN.items()], data.image_shape, data.classes)
    families = {label: np.array([[means[f"{name}_{s:g}/{key}"] for s in strengths]
                                 for key in ("roughness", "agreement", "accuracy")])
                for label, (name, strengths) in FAMILIES.items()}
    tradeoff(Path(out) / "priors_tradeoff.png", families, means["plain/accuracy"])
    temperatures = priors_study.TEMPERATURES
    agreement, gap = ([means[f"temperature_{t:g}/{key}"] for t in temperatures] for key in ("agreement", "gap"))
    distillation(Path(out) / "distillation.png", temperatures, agreement, gap, priors_study.ITERATIONS)
    smooth = means["total_variation_1/agreement"]
    return [
        {"file": "priors.png", "title": f"Priors and pictures, {data.title} (right: agreement of the student)",
         "paper": "Section 2 describes visualization with regularization.",
         "alt": f"Rows of ten pictures, one prior a row; plain and L2 teach all, total variation {smooth:.1f} %."},
        {"file": "priors_tradeoff.png", "title": "What the picture teaches: smoother pictures teach less", "paper": "",
         "alt": "Agreement and accuracy of the student against the roughness of the pictures, one line a prior."},
        {"file": "distillation.png", "title": "Distillation at a temperature, and its limit",
         "paper": "Equation 2, softmax at a temperature.",
         "alt": f"Agreement rises with T from {agreement[0]:.1f} to {agreement[-1]:.1f} percent; "
                "the gradient approaches squared error's as 1 / T."}]
