"""The figures of sections 5, 7 and 9: the process, the ascent, what students score, and confusion
matrices.
"""

import numpy as np
from matplotlib.figure import Figure

from refimpl.class_visualization import class_visualizations
from refimpl.descent import descend
from refimpl.losses import squared_error
from refimpl.metrics import accuracy, confusion_distance
from refimpl.network import softmax_net
from refimpl.paper.printed import PAPER
from refimpl.paper.protocol import class_averages
from refimpl.paper.section5 import STEPS, visualize
from refimpl.report import plots
from refimpl.report.plots import BLUE, GREY, ORANGE, as_picture, save, show
from refimpl.report.results import drawing
from refimpl.theory import best_lr, best_scale, descent_after, network_of

ORDER = {
    "digits": 0,
    "mnist": 0,
    "fashion-mnist": 1,
    "cifar10": 2,
}  # which of its three data sets; digits stand in


def pipeline(path, title, numbers):
    """Figure 1: train, visualize, retrain, with our accuracies in the boxes."""
    figure = Figure(figsize=(9, 2.2))
    axis = figure.subplots()
    axis.axis("off")
    boxes = (
        f"training set\n{title}",
        f"teacher\n{numbers[0]:.2f} %",
        "ten class\nvisualizations",
        f"student\n{numbers[1]:.2f} %",
    )
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
                "facecolor": ORANGE if i == 2 else BLUE,
                "edgecolor": "none",
            },
        )
        for i, text in enumerate(boxes)
    ]
    figure.canvas.draw()  # places the boxes, so that the arrows can stop at them
    for i, text in enumerate(
        (
            "gradient descent\non the weights",
            "gradient ascent\non the input",
            "gradient descent\non logits",
        )
    ):
        axis.annotate(
            "",
            (i + 1, 0),
            (i, 0),
            arrowprops={
                "arrowstyle": "-|>",
                "color": GREY,
                "lw": 2,
                "patchA": drawn[i].get_bbox_patch(),
                "patchB": drawn[i + 1].get_bbox_patch(),
            },
        )
        axis.text(i + 0.5, -0.55, text, ha="center", va="center", fontsize=8)
    axis.set(xlim=(-0.5, 3.5), ylim=(-0.8, 0.6))
    save(figure, path)


def ascent(path, history, snapshots, steps, image_shape, classes):
    """Figure 2: the objective of all classes over the ascent, and one class after a few numbers of
    steps.
    """
    figure = Figure(figsize=(8.5, 4.6))
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
        show(axis, as_picture(row, image_shape, largest))
        axis.set_title(f"after {step}", fontsize=8)
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
    k = ORDER[data.name]
    images, _ = visualize(teacher)
    made, add = drawing(out)
    samples_figure(add, data)
    if "class_visualizations" in ours:
        numbers = [ours[c]["ours"]["mean"] for c in ("train_set", "class_visualizations")]
        add(
            "figure_01.png",
            "Figure 1: train, visualize, retrain",
            "The method.",
            f"Teacher {numbers[0]:.2f} percent, ten images, student {numbers[1]:.2f} percent.",
            pipeline,
            data.title,
            numbers,
        )
        frames = ascent_figures(add, data, teacher)
        made[-1]["frames"] = frames
        add(
            f"figure_{3 + k:02}.png",
            f"Figure {3 + k}: class visualizations of {data.title}",
            "The ten class visualizations: noisy, hardly to be recognized by a person.",
            "Ten noisy grey images, one a class.",
            plots.sheet,
            images,
            data.classes,
            data.image_shape,
        )
    if len(ours) > 1:
        accuracy_figure(add, data, ours)
    other_images(add, data, teacher, ours)
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


def samples_figure(add, data):
    """Fifty training images, sorted by class."""
    random = np.random.default_rng(0).choice(len(data.train_pixels), 50, replace=False)
    random = random[np.argsort(data.train_y[random], kind="stable")]
    add(
        "samples.png",
        f"Fifty training images of {data.title}",
        "",
        f"Fifty small training images of {data.title}.",
        plots.sheet,
        data.train_x[random],
        [data.classes[y] for y in data.train_y[random]],
        data.image_shape,
        columns=10,
    )


def other_images(add, data, teacher, ours):
    """Figures 9 to 11 and 14 to 16: class averages, and the output weights as images."""
    k = ORDER[data.name]
    if "class_averages" in ours:
        add(
            f"figure_{9 + k:02}.png",
            f"Figure {9 + k}: class averages of {data.title}",
            "The mean training image of each class: a person knows them at once, a network learns "
            "less from them.",
            "Ten blurred mean images, one a class.",
            plots.sheet,
            class_averages(data),
            data.classes,
            data.image_shape,
        )
    if "output_weights" in ours:
        add(
            f"figure_{14 + k}.png",
            f"Figure {14 + k}: output weights of {data.title} as images",
            "The columns of the weight matrix as images: they look like the class visualizations "
            "(T1 says why).",
            "Ten noisy grey images, one a class.",
            plots.sheet,
            teacher.parameters[0].T,
            data.classes,
            data.image_shape,
        )


def ascent_figures(add, data, teacher):
    """Figure 2 and the film of the ascent; returns what the film's frames show, as the page wants
    it.
    """
    scale = np.sqrt(np.prod(best_scale(teacher.parameters[0])))
    marks = (1, 5, 20, 50, STEPS)
    how = {"objective": "log_probability", "lr": scale / STEPS}
    _, history = class_visualizations(teacher, steps=STEPS, **how)
    shots = [class_visualizations(teacher, steps=n, **how)[0][3] for n in marks]
    add(
        "figure_02.png",
        "Figure 2: gradient ascent on the input",
        "How an image is changed by ascent until the network is sure of a class.",
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
    """Figure 6: the columns of table 5 that were measured, as bars."""
    rows = [
        (label, ours[c]["paper"], ours[c]["ours"]["mean"], ours[c]["ours"]["sd"])
        for c, label in SHORT.items()
        if c in ours
    ]
    add(
        "figure_06.png",
        f"Figure 6: test accuracy, {data.title}",
        "Bars: retraining on class visualizations is close to the training set.",
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
