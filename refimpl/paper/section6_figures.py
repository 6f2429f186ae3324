"""The figures of section 6, from the first seed's teacher: figures 7 and 8, table 6, the ten images
that go into the deeper network beside those that come out of it again, width and extra images.
"""

import numpy as np
from matplotlib.figure import Figure

from refimpl.class_visualization import class_visualizations
from refimpl.paper import diagram_figures, section6
from refimpl.paper.section5 import score, visualize
from refimpl.paper.section5_figures import by_number, scores_figure
from refimpl.paper.section8_figures import matrices
from refimpl.report import plots
from refimpl.report.plots import BLUE, GREY, ORANGE, save
from refimpl.report.results import drawing

SCORED = {  # the lines of figure 8
    "shallow network, trained on the training set": "train_set",
    "784-30-10, trained on ten class visualizations": "class_visualizations_deeper",
}


def make(data, teacher, rows, out):
    """Draw every figure whose numbers are in `rows` (of the ledger). Returns [{file, title, paper,
    alt}].
    """
    ours = {row["id"]: row for row in rows}
    deeper, prefix = f"table5/{data.name}/class_visualizations_deeper", f"section6/{data.name}"
    if deeper not in ours:
        return []
    made, add = drawing(out)
    recipe = section6.DECAYED[data.name]
    images = recipe.scale * visualize(teacher)[0]
    student = section6.student(teacher, images, recipe, 0)
    numbered = by_number(add, data)
    means = [ours[f"table5/{data.name}/train_set"], ours[deeper]]
    before, after = (row["ours"]["mean"] for row in means)
    numbered(
        7,
        "The shallow network's class visualizations go into a network with a hidden layer.",
        f"Shallow network {before:.2f} percent, ten images, 784-30-10 {after:.2f} percent.",
        diagram_figures.process,
        (
            f"shallow network\n{before:.2f} %",
            "ten class\nvisualizations",
            f"{teacher.inputs}-{section6.HIDDEN}-{teacher.classes}\n{after:.2f} %",
        ),
        ("gradient ascent\non the input", "gradient descent\non ten images, logits"),
        images,
        data.image_shape,
        1,
    )
    scores_figure(
        numbered,
        8,
        "F1 scores by class: the two lines almost overlap.",
        data,
        rows,
        SCORED,
    )
    beside_figures(add, data, ours, student, images)
    add(
        "section6_curves.png",
        "Section 6: width and synthetic images (not in the paper)",
        "",
        "Points lost by the student over hidden units and over synthetic images beside the ten: "
        "with decay under one, "
        "without several.",
        curves,
        prefix,
        ours,
    )
    add(
        "confusion_06.png",
        "Table 6: confusion matrix, 784-30-10 trained on the shallow network's images",
        "The counts that can be read." if data.name == "mnist" else "",
        "Confusion matrix of the deeper student.",
        matrices,
        data,
        score(data, student)[1],
        6,
    )
    return made


def beside_figures(add, data, ours, student, images):
    """The student's own images, and its accuracy with weight decay and without."""
    prefix = f"table5/{data.name}"
    means = [ours[f"{prefix}/train_set"], ours[f"{prefix}/class_visualizations_deeper"]]
    add(
        "section6_images.png",
        "The shallow network's images, and the deeper student's own (not in the paper)",
        "",
        "Two rows of ten noisy images, those that trained the 784-30-10 network and those "
        "ascended in it: alike.",
        plots.compared,
        data,
        {"train the student": images, "ascended in it": ascend_again(student, images)},
    )
    bars = [
        ("teacher", *cells(means[0])),
        ("784-30-10\nweight decay", *cells(means[1])),
        ("784-30-10\nno decay", *cells(ours[f"section6/{data.name}/plain"])),
    ]
    add(
        "section6_accuracy.png",
        "Section 6: the deeper student, with weight decay and without",
        "",
        "; ".join(f"{label} {mean:.2f} percent" for label, _, mean, _ in bars).replace("\n", " "),
        plots.bars,
        data.title,
        bars,
    )


def cells(row):
    """(paper, mean, sd) of a row of the ledger, as plots.bars takes them."""
    return row["paper"], row["ours"]["mean"], row["ours"]["sd"]


def ascend_again(student, images):
    """Class visualizations of the student: logit ascent from a hundredth of the images (a ReLU's
    blank may be dead).
    """
    found = class_visualizations(student, steps=100, lr=0.1, start=0.01 * images)[0]
    return (
        found
        / np.linalg.norm(found, axis=1, keepdims=True)
        * np.linalg.norm(images, axis=1, keepdims=True)
    )


def curves(path, prefix, ours):
    """Points lost over the hidden units, and over synthetic images by kind, with weight decay and
    without.
    """
    figure = Figure(figsize=(9, 3.4))
    left, right = figure.subplots(1, 2)
    lost = {
        **{h: ours[f"{prefix}/width/{h}/loss"] for h in section6.WIDTHS},
        section6.HIDDEN: ours[f"{prefix}/loss"],
    }
    widths = sorted(lost)
    left.errorbar(
        widths,
        [lost[h]["ours"]["mean"] for h in widths],
        [lost[h]["ours"]["sd"] or 0 for h in widths],
        fmt="o-",
        color=BLUE,
        capsize=3,
    )
    left.set(xscale="log", xlabel="hidden units", ylabel="points lost, ten images")
    left.set_xticks(widths, [str(h) for h in widths])
    left.minorticks_off()
    left.axhline(0, color=GREY, lw=0.8)
    teacher = (
        ours[f"{prefix}/plain"]["id"].replace("section6", "table5").replace("plain", "train_set")
    )
    plain = ours[teacher]["ours"]["mean"] - ours[f"{prefix}/plain"]["ours"]["mean"]
    for way, color, none in (
        ("", BLUE, lost[section6.HIDDEN]["ours"]["mean"]),
        ("plain/", ORANGE, plain),
    ):
        for kind, style in (("negated", "s:"), ("combinations", "o-"), ("noise", "^--")):
            points = [(0, none)] + [
                (n, ours[f"{prefix}/{way}{k}/{n}/loss"]["ours"]["mean"])
                for k, n in section6.EXTRA
                if k == kind
            ]
            right.plot(
                *zip(*points),
                style,
                color=color,
                ms=4,
                label=f"{kind}, {'no decay' if way else 'decay'}",
            )
    right.set(xlabel="synthetic images beside the ten", ylabel="points lost")
    right.axhline(0, color=GREY, lw=0.8)
    right.legend(fontsize=7)
    figure.tight_layout()
    save(figure, path)
