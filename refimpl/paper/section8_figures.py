"""The figures of section 8, from the first seed's networks: figures 12 and 13, tables 10 and 11,
the choices of the swap, the missing digit.
"""

import numpy as np
from matplotlib.figure import Figure

from refimpl.paper import section8
from refimpl.paper.printed import PAPER
from refimpl.paper.section5 import score, visualize
from refimpl.paper.section5_figures import by_number, scores_figure
from refimpl.paper.section8 import FOUR, MODELS, NORMS, READING, STEPS, TARGETS, THREE
from refimpl.report import plots
from refimpl.report.plots import BLUE, GREY, ORANGE, save
from refimpl.report.results import drawing
from refimpl.retraining import retrain

TITLES = {
    "three_vs_four": "3 vs 4",
    "three_vs_all": "3 vs all",
    "three_vs_all_balanced": "3 vs all, balanced",
}
SCORED = {  # the lines of figure 13
    "trained on the training set": "train_set",
    "on ten class visualizations": "class_visualizations",
    "with the three of 3 vs 4": "swap_three_vs_four",
    "with the three of 3 vs all": "swap_three_vs_all",
}
SETS = {
    "linear": "no threes,\nlinear",
    "hidden": "no threes,\n30 units",
    "hard_labels": "no threes,\nhard labels",
    "nine_visualizations": "nine\nvisualizations",
    "nine_and_blank": "nine and\nthe blank",
}


def make(data, teacher, rows, out):
    """Draw every figure whose numbers are in `rows` (of the ledger). Returns [{file, title, paper,
    alt}].
    """
    means = {row["id"]: (row["ours"]["mean"], row["ours"]["sd"]) for row in rows}
    made, add = drawing(out)
    if f"section8/{data.name}/swap_three_vs_four" in means:
        swap_figures(add, data, teacher, rows)
        add(
            "section8_choices.png",
            "The swap's open choices (not in the paper)",
            "",
            "Accuracy after the swap for every norm and target of the new three, and over the "
            "network's steps.",
            choices,
            data.name,
            means,
        )
    if f"missing_digit/{data.name}/hidden/bias" in means:
        missing_digit_figure(add, data, means)
    return made


def swap_figures(add, data, teacher, rows):
    """Figures 12 and 13, tables 10 and 11: the two-class networks' images, and what they do to a
    student of the ten-class teacher's.
    """
    networks = {
        m: section8.two_class(data, m, 0)[STEPS[data.name][m]]
        for m in ("three_vs_four", "three_vs_all")
    }
    numbered = by_number(add, data)
    threes_figure(numbered, data, teacher, networks)
    scores_figure(
        numbered,
        13,
        "F1 scores by class: with another three those of most classes fall, less with that of "
        "3 vs all.",
        data,
        rows,
        SCORED,
    )
    sets = {
        swap: section8.swapped(teacher, networks[reading[0]], *reading)
        for swap, reading in READING.items()
    }
    add(
        "section8_sets.png",
        "The ten visualizations with another three (not in the paper)",
        "",
        "Three rows of ten noisy images that differ in the fourth column alone.",
        plots.compared,
        data,
        {
            "ten classes": visualize(teacher)[0],
            **{TITLES[swap]: images for swap, (images, _) in sets.items()},
        },
        framed=THREE,
    )
    for number, (swap, (images, targets)) in zip((10, 11), sets.items()):
        swap_table(add, data, number, swap, retrain(images, targets).network)


def threes_figure(numbered, data, teacher, networks):
    """Figure 12: the three of the ten-class network beside those of the two-class networks, with
    their cosines; below them what each holds against it.
    """
    names = data.classes
    ten = visualize(teacher)[0]
    pairs = {model: visualize(two)[0] for model, two in networks.items()}
    threes = [ten[THREE], *(pair[0] for pair in pairs.values())]
    others = [ten[FOUR], *(pair[1] for pair in pairs.values())]
    images = np.array([image / np.linalg.norm(image) for image in (*threes, *others)])
    near = {model: section8.cosine(pair[0], ten[THREE]) for model, pair in pairs.items()}
    labels = [f"{names[THREE]} of ten classes"]
    labels += [f"{names[THREE]} of {TITLES[m]}, cosine {near[m]:.2f}" for m in near]
    labels += [f"{names[FOUR]} of ten classes", f"{names[FOUR]} of 3 vs 4", "not 3, of 3 vs all"]
    numbered(
        12,
        "The three of 3 vs 4 looks unlike the ten-class three, that of 3 vs all more like it.",
        f"Six noisy images: {'; '.join(labels)}.",
        plots.sheet,
        images,
        labels,
        data.image_shape,
        columns=3,
    )


def swap_table(add, data, number, swap, student):
    """Table 10 or 11: the confusion matrix of a student of the set with another three."""
    matrix = score(data, student)[1]
    wrong, names = matrix[FOUR, THREE], data.classes
    add(
        f"confusion_{number}.png",
        f"Table {number}: the student of the set with the three of {TITLES[swap]}",
        "The counts that can be read; no four is called three." if data.name == "mnist" else "",
        f"Confusion matrix; {wrong} images of {names[FOUR]} are called {names[THREE]}.",
        matrices,
        data,
        matrix,
        number,
    )


def missing_digit_figure(add, data, means):
    """How many of the digit that the student never saw it finds, before and after its bias is
    corrected.
    """
    names = data.classes
    before, after = (
        means[f"missing_digit/{data.name}/hidden/threes_{when}"][0] for when in ("before", "after")
    )
    add(
        "missing_digit.png",
        "The missing digit (Hinton et al. 2015; not in the paper)",
        "",
        f"A student that never saw {names[THREE]} finds {before:.1f} percent of them, "
        f"{after:.1f} after one bias is raised.",
        missing,
        data.name,
        means,
    )


def matrices(path, data, ours, number):
    """Our confusion matrix beside the printed one (MNIST), whose unreadable rows stay empty."""
    shown = [("ours, first seed", ours)]
    if data.name == "mnist":
        printed = PAPER["confusion_matrices"][f"table_{number}"]["rows_actual_columns_predicted"]
        shown.append(
            (
                f"paper, table {number} (rows that can be read)",
                np.array([row or [np.nan] * len(printed) for row in printed]),
            )
        )
    plots.confusions(path, shown, data.classes)


def choices(path, name, means):
    """Left: every norm and target, one colour a two-class network. Right: the swap over the
    network's steps.
    """
    figure, colours = (
        Figure(figsize=(10, 4.2), layout="constrained"),
        dict(zip(MODELS, (BLUE, ORANGE, GREY))),
    )
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    cells = [(norm, target) for norm in NORMS for target in TARGETS]
    for i, (model, colour) in enumerate(colours.items()):
        values = [means[f"section8/{name}/swap/{model}/{'/'.join(cell)}"] for cell in cells]
        left.errorbar(
            [mean for mean, _ in values],
            np.arange(len(cells)) + 0.2 * (i - 1),
            fmt="o",
            color=colour,
            ms=4,
            xerr=[sd or 0 for _, sd in values],
            label=TITLES[model],
        )
        curve = [
            (steps, *means[f"section8/{name}/swap_after/{model}/{steps}"])
            for steps in section8.GRID[name]
        ]
        right.errorbar(
            [c[0] for c in curve],
            [c[1] for c in curve],
            yerr=[c[2] or 0 for c in curve],
            fmt="o-",
            color=colour,
            ms=4,
            capsize=3,
        )
    if name == "mnist":
        for swap in READING:
            for axis, line in ((left, "axvline"), (right, "axhline")):
                getattr(axis, line)(
                    PAPER["section_8"][f"swap_{swap}"], ls="--", lw=1, color=colours[swap]
                )
    left.set_yticks(
        range(len(cells)), [f"norm {norm}, target {target}" for norm, target in cells], fontsize=8
    )
    left.invert_yaxis()
    left.set(xlabel="test accuracy after the swap (%)")
    left.legend(fontsize=8, title="dashed: the paper" if name == "mnist" else None)
    right.set(xlabel="steps of the two-class network", ylabel="test accuracy after the swap (%)")
    save(figure, path)


def missing(path, name, means):
    """Percent of the test threes found by students that saw none, before and after the bias
    correction.
    """
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    axis = figure.subplots()
    for offset, when, colour, label in (
        (-0.2, "before", GREY, "as taught"),
        (0.2, "after", BLUE, "bias corrected"),
    ):
        for i, kind in enumerate(SETS):
            mean, sd = means[f"missing_digit/{name}/{kind}/threes_{when}"]
            axis.bar(
                i + offset,
                mean,
                0.38,
                color=colour,
                yerr=sd,
                capsize=3,
                label=label if i == 0 else None,
            )
            axis.text(i + offset, mean + (sd or 0) + 2, f"{mean:.1f}", ha="center", fontsize=8)
    axis.set_xticks(range(len(SETS)), SETS.values(), fontsize=8)
    axis.set(ylabel="test threes found (%)", ylim=(0, 125), yticks=range(0, 101, 20))
    axis.legend(fontsize=8, ncol=2, loc="upper center")
    save(figure, path)
