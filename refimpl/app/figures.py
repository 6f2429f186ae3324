"""Which figures a run makes, from the first seed's teacher, and what the report says of each."""

import numpy as np

from refimpl.app import map_figures, plots, priors_figures, section6_figures, section8_figures, section10_figures
from refimpl.app.results import drawing
from refimpl.losses import squared_error
from refimpl.methods.class_visualization import class_visualizations
from refimpl.metrics import accuracy, confusion_distance
from refimpl.network import softmax_net
from refimpl.paper.claim import PAPER
from refimpl.paper.protocol import class_averages
from refimpl.paper.section5 import STEPS, visualize
from refimpl.theory import best_lr, best_scale, descent_after, network_of
from refimpl.train import descend

OTHERS = {"6": section6_figures, "8": section8_figures, "10": section10_figures, "priors": priors_figures,
          "map": map_figures}
DRAWN = "drawn from our numbers; the paper's picture is described, not compared"
SHORT = {"train_set": "training set", "class_visualizations": "class\nvisualizations",
         "class_visualizations_deeper": "the same,\n784-30-10",
         "class_averages": "class\naverages", "output_weights": "output\nweights"}


def make(data, teacher, claims, confusions, out, sections=()):
    """Draw every figure whose numbers are there. Returns [{file, title, paper, alt, verdict}] in the paper's order."""
    made = own(data, teacher, claims, confusions, out)
    for section, module in OTHERS.items():
        if section in sections:
            made += module.make(data, teacher, claims, out)
    return [entry | {"verdict": DRAWN if entry["paper"] else ""}
            for entry in sorted(made, key=lambda f: f["file"].startswith("confusion"))]


def own(data, teacher, claims, confusions, out):
    """The figures of sections 5, 7 and 9."""
    ours = {row["id"].split("/")[-1]: row for row in claims if row["id"].startswith(f"table5/{data.name}/")}
    k = plots.ORDER[data.name]
    images, _ = visualize(teacher)
    made, add = drawing(out)
    random = np.random.default_rng(0).choice(len(data.train_x), 50, replace=False)
    random = random[np.argsort(data.train_y[random], kind="stable")]
    add("samples.png", f"Fifty training images of {data.title}", "", f"Fifty small training images of {data.title}.",
        plots.sheet, data.train_x[random], [data.classes[y] for y in data.train_y[random]], data.image_shape,
        columns=10, signed=False)
    if "class_visualizations" in ours:
        numbers = [ours[c]["ours"]["mean"] for c in ("train_set", "class_visualizations")]
        add("figure_01.png", "Figure 1: train, visualize, retrain", "The method.",
            f"Teacher {numbers[0]:.2f} percent, ten images, student {numbers[1]:.2f} percent.",
            plots.pipeline, data.title, numbers)
        scale, marks = np.sqrt(np.prod(best_scale(teacher.parameters[0]))), (1, 5, 20, 50, STEPS)
        how = {"objective": "log_probability", "lr": scale / STEPS}
        _, history = class_visualizations(teacher, steps=STEPS, **how)
        shots = [class_visualizations(teacher, steps=n, **how)[0][3] for n in marks]
        add("figure_02.png", "Figure 2: gradient ascent on the input",
            "How an image is changed by ascent until the network is sure of a class.",
            f"Curves of log probability rising to 0, and the image of {data.classes[3]} after {marks} steps.",
            plots.ascent, history, shots, marks, data.image_shape, data.classes)
        steps, film = ascent_film(teacher, how)
        add("ascent.png", "Gradient ascent, step by step", "", "the image that the ascent has reached.", plots.film, film,
            data.image_shape)
        made[-1]["frames"] = {"steps": steps, "names": list(data.classes), "what": "probability",
                              "values": np.exp(history[steps]).round(4).tolist()}
        add(f"figure_{3 + k:02}.png", f"Figure {3 + k}: class visualizations of {data.title}",
            "The ten class visualizations: noisy, hardly to be recognized by a person.",
            "Ten noisy grey images, one a class.", plots.sheet, images, data.classes, data.image_shape)
    if len(ours) > 1:
        rows = [(label, ours[c]["paper"], ours[c]["ours"]["mean"], ours[c]["ours"]["sd"]) for c, label in SHORT.items()
                if c in ours]
        add("figure_06.png", f"Figure 6: test accuracy, {data.title}",
            "Bars: retraining on class visualizations is close to the training set.",
            "; ".join(f"{label} {mean:.2f} percent" for label, _, mean, _ in rows).replace("\n", " "),
            plots.bars, data.title, rows)
    if "class_averages" in ours:
        add(f"figure_{9 + k:02}.png", f"Figure {9 + k}: class averages of {data.title}",
            "The mean training image of each class: a person knows them at once, a network learns less from them.",
            "Ten blurred mean images, one a class.", plots.sheet, class_averages(data), data.classes, data.image_shape,
            signed=False)
    if "output_weights" in ours:
        add(f"figure_{14 + k}.png", f"Figure {14 + k}: output weights of {data.title} as images",
            "The columns of the weight matrix as images: they look like the class visualizations (T1 says why).",
            "Ten noisy grey images, one a class.", plots.sheet, teacher.parameters[0].T, data.classes, data.image_shape)
    if "class_visualizations" in ours:
        add("retraining.png", "Retraining on ten images, step by step (not in the paper)", "",
            "The residual falls on a straight line in log scale, as predicted; the agreement reaches 100 percent.",
            plots.retraining, *retraining_curve(data, teacher, images))
    for number, table in confusions.items():
        matrices = [("ours, mean over seeds", np.array(table["ours"]))]
        if table["paper"]:
            matrices.append((f"paper, table {number}", np.array(table["paper"])))
        add(f"confusion_{int(number):02}.png", f"Table {number}: confusion matrix, {table['what']}",
            "The counts printed." if table["paper"] else "", f"Confusion matrix, {table['what']}.",
            plots.confusions, matrices, data.classes)
    return made


def ascent_film(teacher, how):
    """Steps, denser at the start, and the ten images there (F, K, D): the first frame is the blank."""
    steps = np.unique(np.geomspace(1, STEPS, 18).round().astype(int)).tolist()
    film = [class_visualizations(teacher, steps=n, **how)[0] for n in steps]
    return [0, *steps], np.stack([np.zeros_like(film[0]), *film])


def retraining_curve(data, teacher, images):
    """Residuals of descent (steps,), T3's factor, and the agreement [(step, percent)] from the closed form in t (T9)."""
    z = teacher.logits(images)
    lr, factor = best_lr(images)
    losses = descend(softmax_net(*teacher.parameters[0].shape), images, z, squared_error, lr=lr, steps=150).losses
    theirs, x = teacher.predict(data.test_x[:2_000]), data.test_x[:2_000]
    agreement = [(t, accuracy(theirs, network_of(descent_after(images, z, lr=lr, steps=t)).predict(x)))
                 for t in (0, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60)]
    return np.sqrt(losses), factor, agreement


def tables(name, seeds):
    """Our mean confusion matrices beside the printed ones, with distances in percent of the images, over seeds."""
    what = {"1": "trained on the training set", "3": "retrained on class visualizations",
            "8": "retrained on class averages", "12": "retrained on output weights"}
    out = {}
    for number, text in what.items():
        ours = [measured[f"table{number}/{name}"] for measured in seeds if f"table{number}/{name}" in measured]
        if ours:
            printed = PAPER["confusion_matrices"][f"table_{number}"]["rows_actual_columns_predicted"]
            pairs = [confusion_distance(a, b) for i, a in enumerate(ours) for b in ours[:i]]
            out[number] = {
                "what": text, "ours": np.mean(ours, axis=0).tolist(), "paper": printed if name == "mnist" else None,
                "distance_to_paper": [confusion_distance(m, printed) for m in ours] if name == "mnist" else None,
                "distance_between_seeds": float(np.mean(pairs)) if pairs else None}
    return out
