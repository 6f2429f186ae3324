"""The figures of sections 5, 7 and 9: those that the paper has, under its numbers and captions; the
ascent, the retraining, table 5 and confusion matrices beside them.
"""

import numpy as np
from matplotlib.figure import Figure

from refimpl.class_visualization import class_visualizations
from refimpl.descent import descend
from refimpl.losses import squared_error
from refimpl.metrics import accuracy, confusion_distance
from refimpl.network import softmax_net
from refimpl.paper import diagram_figures
from refimpl.paper.captions import file_of, heading, number_for
from refimpl.paper.printed import PAPER
from refimpl.paper.protocol import class_averages
from refimpl.paper.section5 import STEPS, visualize
from refimpl.report import plots
from refimpl.report.plots import BLUE, ORANGE, save
from refimpl.report.results import drawing
from refimpl.report.sheets import add_colorbar, draw_tile
from refimpl.theory import best_lr, best_scale, descent_after, network_of


def ascent(path, history, snapshots, steps, image_shape, classes):
    """The objective of all classes over the ascent, and one class after a few numbers of
    steps.
    """
    figure = Figure(figsize=(8.5, 4.6), layout="constrained")
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.5, 1))[:, 0]
    axis = top.subplots()
    for values, name in zip(history.T, classes):
        axis.plot(values, label=name, lw=1.3)
    axis.set(xlabel="step", ylabel="log probability")
    axis.legend(fontsize=7, ncol=5)
    axes, largest = (
        bottom.subplots(1, len(snapshots), squeeze=False)[0],
        np.abs(snapshots[-1]).max(),
    )
    for axis, row, step in zip(axes, snapshots, steps):
        draw_tile(axis, row.reshape(image_shape), -largest, largest)
        axis.set_title(f"after {step} step{'s' * (step > 1)}", fontsize=8)
    if image_shape[0] == 1:
        add_colorbar(bottom, list(axes), -largest, largest)
    save(figure, path)


def retraining(path, residuals, factor, agreement):
    """Retraining on ten images: the residual step by step beside T3's rate, and the agreement with
    the teacher.
    """
    figure = Figure(figsize=(7.5, 3.2))
    left, right = figure.subplots(1, 2)
    steps = np.arange(len(residuals))
    left.semilogy(steps, residuals / residuals[0], color=BLUE, label="measured")
    left.semilogy(steps, factor**steps, "--", color=ORANGE, label=f"predicted, {factor:.3f} a step")
    left.set(xlabel="step", ylabel="residual on the logits, relative", ylim=(1e-16, 2))
    left.legend(fontsize=8)
    right.plot(*zip(*agreement), "o-", color=BLUE, ms=3)
    right.set(xlabel="step", ylabel="agreement with the teacher (%)", ylim=(0, 103))
    figure.tight_layout()
    save(figure, path)


SHORT = {
    "train_set": "training set",
    "class_visualizations": "class\nvisualizations",
    "class_visualizations_deeper": "the same,\n784-30-10",
    "class_averages": "class\naverages",
    "output_weights": "output\nweights",
}


def make(data, teacher, rows, confusions, out):
    """Draw every figure of sections 5, 7 and 9 whose numbers are in `rows`. Returns [{file, title,
    paper, alt}], the film with its frames.
    """
    prefix = f"table5/{data.name}/"
    ours = {row["id"].removeprefix(prefix): row for row in rows if row["id"].startswith(prefix)}
    images, _ = visualize(teacher)
    made, add = drawing(out)
    numbered = by_number(add, data)
    samples_figure(numbered, data)
    if "class_visualizations" in ours:
        numbers = [ours[c]["ours"]["mean"] for c in ("train_set", "class_visualizations")]
        process_figure(numbered, data, images, numbers)
        frames = ascent_figures(add, data, teacher)
        made[-1]["frames"] = frames
        numbered(
            number_for(data.name, 2, 5),
            "Ten class visualizations: noisy, the digits' shapes hardly to be seen.",
            "Ten noisy grey images, one a class.",
            plots.sheet,
            images,
            data.classes,
            data.image_shape,
        )
    scores_figures(numbered, data, rows)
    if len(ours) > 1:
        accuracy_figure(add, data, ours)
    other_images(numbered, data, teacher, ours)
    if "class_visualizations" in ours:
        add(
            "retraining.png",
            "Retraining on ten images, step by step (not in the paper)",
            "",
            "The residual falls on a straight line in log scale, as predicted; the agreement "
            "reaches 100 percent.",
            retraining,
            *retraining_curve(data, teacher, images),
        )
    confusion_figures(add, data, confusions)
    return made


def by_number(add, data):
    """numbered(number, paper, alt, draw, ...): add a figure of the paper's number under the paper's
    caption. paper: what its picture shows, in our words.
    """

    def numbered(number, paper, alt, draw, *args, **options):
        title = heading(number, data.name, data.title)
        shown = "" if "not in the paper" in title else paper
        add(file_of(number), title, shown, alt, draw, *args, **options)

    return numbered


def process_figure(numbered, data, images, numbers):
    """Figure 3: train, visualize, retrain, with our accuracies in the boxes."""
    numbered(
        3,
        "Three parts: a shallow network trained on the training set; one class visualization a "
        "class; the same architecture trained on them.",
        f"Teacher {numbers[0]:.2f} percent, ten images, student {numbers[1]:.2f} percent.",
        diagram_figures.process,
        (
            f"training set\n{data.title}",
            f"shallow network\n{numbers[0]:.2f} %",
            "ten class\nvisualizations",
            f"same architecture\n{numbers[1]:.2f} %",
        ),
        (
            "a: gradient descent\non the weights",
            "b: gradient ascent\non the input",
            "c: gradient descent\non ten images, logits",
        ),
        images,
        data.image_shape,
        2,
    )


def samples_figure(numbered, data):
    """Figure 1: fifty training images, sorted by class."""
    random = np.random.default_rng(0).choice(len(data.train_pixels), 50, replace=False)
    random = random[np.argsort(data.train_y[random], kind="stable")]
    numbered(
        1,
        "Some training images of the three data sets.",
        f"Fifty small training images of {data.title}.",
        plots.sheet,
        data.train_x[random],
        [data.classes[y] for y in data.train_y[random]],
        data.image_shape,
        columns=10,
    )


LABELS = {
    "train_set": "trained on the training set",
    "class_visualizations": "on ten class visualizations",
    "class_visualizations_deeper": "784-30-10 on the same ten",
    "class_averages": "on ten class averages",
    "output_weights": "on the output weights as images",
}


def scores_figures(numbered, data, rows):
    """Figures 4 and 10, or 6: F1 scores by class of the models that were measured."""
    if number_for(data.name, 4, 6) == 6:
        wanted = {6: ("the same comparisons, of all models", tuple(LABELS)[1:])}
    else:
        wanted = {
            4: ("the two lines almost overlap", ("class_visualizations",)),
            10: (
                "output weights almost overlap with the training set, class averages do not",
                ("class_averages", "output_weights"),
            ),
        }
    for number, (shown, others) in wanted.items():
        found = ("train_set", *(w for w in others if diagram_figures.scores_of(rows, data.name, w)))
        if len(found) > 1:
            labels = {LABELS[who]: who for who in found}
            scores_figure(numbered, number, f"F1 scores by class: {shown}.", data, rows, labels)


def scores_figure(numbered, number, shown, data, rows, labels):
    """A figure of F1 scores by class, labels {a line's label: whose scores}; none where some of
    them were not measured. shown: what the paper's picture shows.
    """
    scores = {
        label: diagram_figures.scores_of(rows, data.name, who) for label, who in labels.items()
    }
    known = {label: of for label, of in scores.items() if of is not None}
    if len(known) == len(scores):
        numbered(
            number,
            shown,
            "; ".join(f"{label}: mean F1 {mean.mean():.3f}" for label, (mean, _) in known.items()),
            diagram_figures.by_class,
            data.classes,
            known,
        )


def other_images(numbered, data, teacher, ours):
    """Figures 9 or 11, 14, and 15 or 16: class averages, and output weights as images."""
    if "class_averages" in ours:
        numbered(
            number_for(data.name, 9, 11),
            "The mean training image of each class: a person knows them at once, a network learns "
            "less from them."
            if data.name != "cifar10"
            else "The mean image of one class: a blur.",
            "Ten blurred mean images, one a class.",
            plots.sheet,
            class_averages(data),
            data.classes,
            data.image_shape,
        )
    if "output_weights" in ours:
        weights = teacher.parameters[0].T
        numbered(
            14,
            "The weights of one output neuron, drawn as an image.",
            f"The output neuron of {data.classes[3]} with its weights, and these as one image.",
            diagram_figures.neuron,
            weights[3],
            data.image_shape,
            data.classes[3],
        )
        numbered(
            number_for(data.name, 15, 16),
            "The columns of the weight matrix as images: they look like the class visualizations "
            "(T1 says why).",
            "Ten noisy grey images, one a class.",
            plots.sheet,
            weights,
            data.classes,
            data.image_shape,
        )


def ascent_figures(add, data, teacher):
    """The ascent's curves and its film; returns what the film's frames show, as the page wants
    it.
    """
    scale = np.sqrt(np.prod(best_scale(teacher.parameters[0])))
    marks = (1, 5, 20, 50, STEPS)
    how = {"objective": "log_probability", "lr": scale / STEPS}
    _, history = class_visualizations(teacher, steps=STEPS, **how)
    shots = [class_visualizations(teacher, steps=n, **how)[0][3] for n in marks]
    add(
        "ascent_curves.png",
        "Gradient ascent on the input (not in the paper)",
        "",
        f"Curves of log probability rising to 0, and the image of {data.classes[3]} after "
        f"{marks} steps.",
        ascent,
        history,
        shots,
        marks,
        data.image_shape,
        data.classes,
    )
    steps, film = ascent_film(teacher, how)
    add(
        "ascent.png",
        "Gradient ascent, step by step",
        "",
        "the image that the ascent has reached.",
        plots.film,
        film,
        data.image_shape,
    )
    return {
        "steps": steps,
        "names": list(data.classes),
        "what": "probability",
        "values": np.exp(history[steps]).round(4).tolist(),
    }


def accuracy_figure(add, data, ours):
    """The columns of table 5 that were measured, as bars."""
    rows = [
        (label, ours[c]["paper"], ours[c]["ours"]["mean"], ours[c]["ours"]["sd"])
        for c, label in SHORT.items()
        if c in ours
    ]
    add(
        "table_05.png",
        f"Table 5 as bars: test accuracy, {data.title}",
        "",
        "; ".join(f"{label} {mean:.2f} percent" for label, _, mean, _ in rows).replace("\n", " "),
        plots.bars,
        data.title,
        rows,
    )


def confusion_figures(add, data, confusions):
    """Each confusion matrix, beside the printed one where there is one."""
    for number, table in confusions.items():
        matrices = [("ours, mean over seeds", np.array(table["ours"]))]
        if table["paper"]:
            matrices.append((f"paper, table {number}", np.array(table["paper"])))
        add(
            f"confusion_{int(number):02}.png",
            f"Table {number}: confusion matrix, {table['what']}",
            "The counts printed." if table["paper"] else "",
            f"Confusion matrix, {table['what']}.",
            plots.confusions,
            matrices,
            data.classes,
        )


def ascent_film(teacher, how):
    """Steps, denser at the start, and the ten images there (F, K, D); the first is the blank."""
    steps = np.unique(np.geomspace(1, STEPS, 18).round().astype(int)).tolist()
    film = [class_visualizations(teacher, steps=n, **how)[0] for n in steps]
    return [0, *steps], np.stack([np.zeros_like(film[0]), *film])


def retraining_curve(data, teacher, images):
    """Residuals of descent (steps,), T3's factor, and the agreement [(step, percent)] from the
    closed form in t (T9).
    """
    z = teacher.logits(images)
    lr, factor = best_lr(images)
    losses = descend(
        softmax_net(*teacher.parameters[0].shape), images, z, squared_error, lr=lr, steps=150
    ).losses
    theirs, x = teacher.predict(data.test_x[:2_000]), data.test_x[:2_000]
    agreement = [
        (t, accuracy(theirs, network_of(descent_after(images, z, lr=lr, steps=t)).predict(x)))
        for t in (0, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60)
    ]
    return np.sqrt(losses), factor, agreement


def tables(name, seeds):
    """Our mean confusion matrices beside the printed ones, with distances in percent of the images,
    over seeds.
    """
    what = {
        "1": "trained on the training set",
        "3": "retrained on class visualizations",
        "8": "retrained on class averages",
        "12": "retrained on output weights",
    }
    out = {}
    for number, text in what.items():
        ours = [
            measured[f"table{number}/{name}"]
            for measured in seeds
            if f"table{number}/{name}" in measured
        ]
        if ours:
            printed = PAPER["confusion_matrices"][f"table_{number}"][
                "rows_actual_columns_predicted"
            ]
            pairs = [confusion_distance(a, b) for i, a in enumerate(ours) for b in ours[:i]]
            out[number] = {
                "what": text,
                "ours": np.mean(ours, axis=0).tolist(),
                "paper": printed if name == "mnist" else None,
                "distance_to_paper": [confusion_distance(m, printed) for m in ours]
                if name == "mnist"
                else None,
                "distance_between_seeds": float(np.mean(pairs)) if pairs else None,
            }
    return out
