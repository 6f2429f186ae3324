"""Figures of the priors: the pictures row by row, what smoothness costs the student, distillation
at a temperature.
"""

import numpy as np
from matplotlib.figure import Figure

from refimpl.companions.maximization import study as priors_study
from refimpl.report.plots import BLUE, GREY, ORANGE, gallery, save
from refimpl.report.results import drawing

SHOWN = {
    "plain": "plain",
    "l2_1": "L2",
    "alpha_norm_3": "alpha-norm (6)",
    "total_variation_1": "total variation",
    "total_variation_beta1_1": "total variation,\nbeta 1",
    "patch_1": "patches of\ntraining images",
    "jitter_2": "jitter, 2 pixels",
    "blur_0.5": "blur, sigma .5",
    "together": "L2, TV, jitter\nand blur",
    "training_images": "training images",
    "deepdream": "DeepDream\nof these",
}
FAMILIES = {
    "L2": ("l2", priors_study.STRENGTHS),
    "alpha-norm": ("alpha_norm", priors_study.STRENGTHS),
    "total variation": ("total_variation", priors_study.STRENGTHS),
    "total variation, beta 1": ("total_variation_beta1", priors_study.STRENGTHS),
    "patches": ("patch", priors_study.STRENGTHS),
    "jitter": ("jitter", priors_study.JITTERS),
    "blur": ("blur", priors_study.BLURS),
}
MARKERS = "osD^vPX"


def tradeoff(path, families, baseline):
    """families {label: (roughness, agreement, accuracy)}, weak to strong: what a smoother picture
    teaches.
    """
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    names = "agreement with the teacher (%)", "test accuracy (%)"
    for axis, index, what in zip(figure.subplots(1, 2), (1, 2), names):
        for i, (label, measured) in enumerate(families.items()):
            axis.plot(
                measured[0],
                measured[index],
                marker=MARKERS[i],
                ms=5,
                lw=1.2,
                color=f"C{i}",
                label=label,
            )
        axis.axhline(100 if index == 1 else baseline, color=GREY, lw=0.8, ls="--")
        axis.set(xscale="log", xlabel="roughness of the pictures, plain = 1", ylabel=what)
    figure.axes[0].legend(fontsize=8)
    save(figure, path)


def distillation(path, temperatures, agreement, gap, iterations):
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogx(temperatures, agreement, "o-", color=BLUE, clip_on=False)
    left.set(
        xlabel="temperature T", ylabel=f"agreement after {iterations:,} steps (%)", ylim=(0, 100)
    )
    right.loglog(temperatures, gap, "o-", color=BLUE, label="measured")
    right.loglog(
        temperatures,
        gap[-1] * temperatures[-1] / np.array(temperatures),
        "--",
        color=ORANGE,
        label="1 / T",
    )
    right.set(xlabel="temperature T", ylabel="gradient's distance from its limit")
    right.legend(fontsize=8)
    save(figure, path)


def draw_pictures(add, data, images, means):
    """The pictures under each prior, with the agreement of their students."""
    smooth = means["total_variation_1/agreement"]
    add(
        "priors.png",
        f"Priors and pictures, {data.title} (right: agreement of the student)",
        "Section 2 describes visualization with regularization.",
        f"Rows of ten pictures, one prior a row; plain and L2 teach all, total variation "
        f"{smooth:.1f} %.",
        gallery,
        [(label, images[name]) for name, label in SHOWN.items()],
        data.image_shape,
        data.classes,
        texts=[f"{means[f'{name}/agreement']:.1f} %" for name in SHOWN],
    )


def draw_tradeoff(add, means):
    """What smoother pictures teach."""
    families = {}
    for label, (name, strengths) in FAMILIES.items():
        keys = ("roughness", "agreement", "accuracy")
        families[label] = np.array(
            [[means[f"{name}_{s:g}/{key}"] for s in strengths] for key in keys]
        )
    add(
        "priors_tradeoff.png",
        "What the picture teaches: smoother pictures teach less",
        "",
        "Agreement and accuracy of the student against the roughness of the pictures, one line a "
        "prior.",
        tradeoff,
        families,
        means["plain/accuracy"],
    )


def draw_distillation(add, means):
    """Distillation at a temperature beside its limit."""
    temperatures = priors_study.TEMPERATURES
    agreement, gap = (
        [means[f"temperature_{t:g}/{key}"] for t in temperatures] for key in ("agreement", "gap")
    )
    add(
        "distillation.png",
        "Distillation at a temperature, and its limit",
        "Equation 2, softmax at a temperature.",
        f"Agreement rises with T from {agreement[0]:.1f} to {agreement[-1]:.1f} percent; "
        "the gradient approaches squared error's as 1 / T.",
        distillation,
        temperatures,
        agreement,
        gap,
        priors_study.ITERATIONS,
    )


def make(data, teacher, rows, out):
    """Draw the three figures from the first seed's teacher and the judged rows. [{file, title,
    paper, alt}].
    """
    prefix = f"priors/{data.name}/"
    means = {
        row["id"].removeprefix(prefix): row["ours"]["mean"]
        for row in rows
        if row["id"].startswith(prefix)
    }
    if not means:
        return []
    made, add = drawing(out)
    draw_pictures(add, data, priors_study.pictures(data, teacher, 0), means)
    draw_tradeoff(add, means)
    draw_distillation(add, means)
    return made
