"""The figures of section 10, from the first seed's networks: figures 17 and 18, the ten images,
accuracies, and the accounting of compression.
"""

import numpy as np
from matplotlib.figure import Figure

from refimpl.paper import diagram_figures, section10
from refimpl.paper.section5_figures import by_number, scores_figure
from refimpl.paper.section10_grid import TEACHERS, train_teacher, visualize
from refimpl.report import plots
from refimpl.report.plots import BLUE, GREY, ORANGE, save
from refimpl.report.results import drawing

SCORED = {  # the lines of figure 17
    "784-30-10, trained on ten class visualizations": "section10_student",
    "784-10, class visualizations as its weights": "section10_biases",
}
LABELS = {"teacher": "teacher", "student": "student of\nten images", "biases": "ten biases"}


def make(data, teacher, rows, out):
    """Draw every figure whose numbers are in `rows` (of the ledger). Returns [{file, title, paper,
    alt}].
    """
    ours, prefix = {row["id"]: row for row in rows}, f"section10/{data.name}"
    if f"{prefix}/teacher" not in ours:
        return []
    made, add = drawing(out)
    name, ascent, _ = section10.PAPER
    hidden = train_teacher(data, TEACHERS[name], 0)
    images = visualize(hidden, ascent, 0)
    numbered = by_number(add, data)
    scores_figure(
        numbered,
        17,
        "F1 scores by class: the two lines almost overlap.",
        data,
        rows,
        SCORED,
    )
    first, last = (ours[f"{prefix}/{key}"]["ours"]["mean"] for key in ("teacher", "biases"))
    inputs, units, classes = section10.hidden_shape(hidden)
    numbered(
        18,
        "The deeper network's class visualizations become the output neurons of a compact one; "
        "only its biases are trained.",
        f"Teacher {first:.2f} percent, ten images, compact network {last:.2f} percent.",
        diagram_figures.process,
        (
            f"{inputs}-{units}-{classes}\n{first:.2f} %",
            "ten class\nvisualizations",
            f"{inputs}-{classes}\n{last:.2f} %",
        ),
        (
            "gradient ascent\non the input",
            "each image the weights of\nan output, biases trained",
        ),
        images,
        data.image_shape,
        1,
    )
    beside_figures(add, data, ours, images)
    means = {
        id.removeprefix(prefix + "/"): row["ours"]["mean"]
        for id, row in ours.items()
        if id.startswith(prefix)
    }
    table = section10.accounting(*section10.hidden_shape(hidden), means)
    if data.name != "mnist":
        table = [row for row in table if row["stored"]]
    add(
        "section10_bytes.png",
        "What compression costs (not in the paper)",
        "",
        "; ".join(
            f"{row['what']}: {row['bytes']:,} bytes, {row['accuracy']:.2f} percent" for row in table
        ),
        accounting,
        table,
    )
    return made


def beside_figures(add, data, ours, images):
    """What the paper does not draw: the ten images, and all accuracies as bars."""
    prefix = f"section10/{data.name}"
    add(
        "section10_images.png",
        "Class visualizations of the hidden-layer teacher (not in the paper)",
        "",
        "Ten noisy grey images, one a class.",
        plots.sheet,
        images,
        data.classes,
        data.image_shape,
    )
    bars = []
    for key, label in LABELS.items():
        row = ours[f"{prefix}/{key}"]
        bars.append((label, row["paper"], row["ours"]["mean"], row["ours"]["sd"]))
    for key in ("student", "biases"):
        row = ours[f"{prefix}/best_{key}"]
        bars.append((f"best\n{key}", None, row["ours"]["mean"], row["ours"]["sd"]))
    add(
        "section10_accuracy.png",
        "Section 10: accuracy after compression",
        "",
        "; ".join(f"{label} {mean:.2f} percent" for label, _, mean, _ in bars).replace("\n", " "),
        plots.bars,
        data.title,
        bars,
    )


def accounting(path, table):
    """Accuracy over bytes, one point a way of shipping a classifier; its label above it where there
    is one close below.
    """
    figure = Figure(figsize=(8.5, 4.2))
    axis = figure.subplots()
    reach = np.ptp([row["accuracy"] for row in table]) / 8
    for row in table:
        crowded = any(
            0 < row["accuracy"] - other["accuracy"] < reach
            and 1 / 3 < other["bytes"] / row["bytes"] < 3
            for other in table
        )
        color = GREY if row["stored"] is None else ORANGE if "images" in row["what"] else BLUE
        axis.plot(row["bytes"], row["accuracy"], "o", color=color)
        trained = "" if row["trained"] is None else f", {row['trained']:,} trained"
        axis.annotate(
            f"{row['what'].split(' (')[0]}\n{row['bytes']:,} bytes{trained}",
            (row["bytes"], row["accuracy"]),
            xytext=(6, 3 if crowded else -3),
            textcoords="offset points",
            fontsize=7,
            va="bottom" if crowded else "top",
        )
    axis.set(xscale="log", xlabel="bytes of the parameters", ylabel="test accuracy (%)")
    axis.set_xlim(min(r["bytes"] for r in table) / 1.6, 5 * max(r["bytes"] for r in table))
    axis.margins(y=0.15)
    save(figure, path)
