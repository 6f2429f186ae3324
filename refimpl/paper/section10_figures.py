"""The figures of section 10, from the first seed's networks: figures 17 and 18, and the accounting
of compression.

The captions are not at hand: figure 17 shows the ten images of the hidden-layer teacher, figure 18
the accuracies.
"""

import numpy as np
from matplotlib.figure import Figure

from refimpl.paper import section10
from refimpl.paper.section10_grid import TEACHERS, train_teacher, visualize
from refimpl.report import plots
from refimpl.report.plots import BLUE, GREY, ORANGE, save
from refimpl.report.results import drawing

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
    add(
        "figure_17.png",
        "Figure 17: class visualizations of the hidden-layer teacher",
        "One image a class of the 784-30-10 network.",
        "Ten noisy grey images, one a class.",
        plots.sheet,
        visualize(hidden, ascent, 0),
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
        "figure_18.png",
        "Figure 18: accuracy after extreme compression",
        "Teacher 95.42, student 86.38, ten biases 86.38 (MNIST).",
        "; ".join(f"{label} {mean:.2f} percent" for label, _, mean, _ in bars).replace("\n", " "),
        plots.bars,
        data.title,
        bars,
    )
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
