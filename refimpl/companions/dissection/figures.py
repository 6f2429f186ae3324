"""Figures of a dissection: detectors by kind and layer, IoU of every unit, curves, best images with
masks, Net2Vec.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from refimpl.companions.dissection.concepts import CONCEPTS
from refimpl.report.plots import BLUE, GREY, ORANGE, save, show

COLOURS = dict(zip(CONCEPTS, ("#4e79a7", "#e15759", "#f2a03d", "#76b7b2", "#59a14f", "#b07aa1")))
MARKS, OUTSIDE = "osD^v", 0.45  # OUTSIDE: how bright an image stays outside the mask


def stacked(axis, columns):
    """columns [(label, {kind: number})] as bars, the kinds on top of each other; the sum above each
    bar.
    """
    for i, (_, by_kind) in enumerate(columns):
        height = 0
        for kind, colour in COLOURS.items():
            axis.bar(
                i, by_kind[kind], 0.7, bottom=height, color=colour, label=kind if i == 0 else None
            )
            height += by_kind[kind]
        axis.text(i, height, f"{height:.3g}", ha="center", va="bottom", fontsize=8)
    axis.set_xticks(range(len(columns)), [label for label, _ in columns], fontsize=8)
    axis.margins(y=0.12)


def detectors(path, by_layer):
    """by_layer {layer: {criterion: {kind: (units, unique)}}}: a panel of units and one of unique
    detectors.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axis, which, title in zip(
        figure.subplots(1, 2), (0, 1), ("units", "concepts with a unit (unique detectors)")
    ):
        stacked(
            axis,
            [
                (
                    f"{layer}\n{criterion}".replace(" ", "\n"),
                    {kind: numbers[kind][which] for kind in COLOURS},
                )
                for layer, criteria in by_layer.items()
                for criterion, numbers in criteria.items()
            ],
        )
        axis.set_title(title, fontsize=9)
        axis.tick_params(axis="x", labelsize=7)
    figure.axes[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def ious(path, found):
    """found {layer: Dissection}: every unit's IoU with its concept, largest first, beside the two
    thresholds.
    """
    figure = Figure(figsize=(10, 2.1 * len(found)), layout="constrained")
    highest = max(np.nanmax(one.score, initial=0.04) for one in found.values())  # one scale
    for axis, (layer, one) in zip(
        figure.subplots(len(found), 1, squeeze=False, sharey=True)[:, 0], found.items()
    ):
        defined = np.flatnonzero(~np.isnan(one.score))
        order = defined[np.argsort(-one.score[defined], kind="stable")]
        axis.bar(
            range(len(order)),
            one.score[order],
            color=[COLOURS[one.kinds[one.concept[k]]] for k in order],
        )
        for k, unit in enumerate(order):
            axis.text(
                k,
                one.score[unit],
                f" {one.names[one.concept[unit]]}",
                rotation=90,
                ha="center",
                va="bottom",
                fontsize=6.5,
            )
        axis.axhline(one.iou_threshold, color=GREY, lw=1, ls="--", label=f"{one.iou_threshold:g}")
        axis.axhline(
            one.chance.layer_levels[0.95],
            color="black",
            lw=1,
            ls=":",
            label="95 % level of chance, whole layer",
        )
        axis.set_xticks(range(len(order)), order, fontsize=6)
        axis.set(
            ylabel="IoU",
            ylim=(0, 1.45 * highest),
            xlim=(-0.7, max(len(order), 1) - 0.3),
        )
        axis.set_title(f"{layer}: units by the IoU with their concept", fontsize=9)
        axis.legend(fontsize=7, loc="upper right")
    kinds_legend(figure)
    save(figure, path)


def kinds_legend(figure):
    figure.legend(
        handles=[Patch(color=colour, label=kind) for kind, colour in COLOURS.items()],
        fontsize=7,
        loc="outside lower center",
        ncol=len(COLOURS),
    )


def curves(path, thresholds, by_threshold, by_quantile, levels):
    """by_threshold {layer: (T, 2)}, by_quantile {layer: {q: (units, unique)}}, levels {layer: IoU
    by chance}.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (layer, counted) in enumerate(by_threshold.items()):
        colour = (BLUE, ORANGE, "#3a8f4d")[i % 3]
        left.plot(thresholds, counted[:, 0], color=colour, lw=1.4, label=f"{layer}, units")
        left.plot(
            thresholds, counted[:, 1], color=colour, lw=1.2, ls="--", label=f"{layer}, unique"
        )
        left.plot(levels[layer], 0, "^", color=colour, ms=7, clip_on=False)
        line = by_quantile[layer]
        right.semilogx(
            list(line),
            [units for units, _ in line.values()],
            MARKS[i % 5] + "-",
            color=colour,
            ms=4,
            lw=1.4,
        )
        right.semilogx(
            list(line),
            [unique for _, unique in line.values()],
            MARKS[i % 5] + "--",
            color=colour,
            ms=4,
            lw=1.2,
        )
    left.axvline(0.04, color=GREY, lw=1)
    right.axvline(0.005, color=GREY, lw=1)
    left.set(
        xlabel="threshold on the IoU (grey: .04; triangles: the 95 % level of chance)",
        ylabel="detectors",
    )
    right.set(xlabel="quantile of the units' masks (grey: .005)", ylabel="detectors above .04")
    left.legend(fontsize=7)
    save(figure, path)


UNITS, COLUMNS = 8, 8  # shown of a layer, and best images of each


def best_images(
    path,
    found,
    images,
    image_shape,
):
    """The units of largest IoU, a line each: their best images, dark where the unit is not active,
    the mask outlined.
    """
    order = [
        k
        for k in np.argsort(-np.nan_to_num(found.score, nan=-1), kind="stable")[:UNITS]
        if found.concept[k] >= 0
    ]
    columns = min(COLUMNS, found.best_images.shape[1])
    figure = Figure(figsize=(0.95 * columns + 1.7, 0.98 * len(order)), layout="constrained")
    for line, unit in zip(figure.subplots(len(order), columns, squeeze=False), order):
        for axis, row in zip(line, found.best_images[unit]):
            mask = found.active.mask(unit, row)
            image = images[row].reshape(image_shape).transpose(1, 2, 0)
            show(axis, image * np.where(mask, 1, OUTSIDE)[:, :, None])
            if mask.any() and not mask.all():
                axis.contour(mask, levels=[0.5], colors="yellow", linewidths=0.8)
        concept = found.concept[unit]
        line[0].set_ylabel(
            f"unit {unit}\n{found.names[concept]} ({found.kinds[concept]})\nIoU "
            f"{found.score[unit]:.3f}",
            rotation=0,
            ha="right",
            va="center",
            fontsize=7,
        )
    save(figure, path)


def combinations(path, found, names, kinds):
    """found {layer: Net2Vec}: a line a concept, from the IoU of the best single unit to that of the
    combination.
    """
    figure = Figure(figsize=(3.2 * len(found) + 1.2, 6.8), layout="constrained")
    axes = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    for axis, (layer, one) in zip(axes, found.items()):
        y = np.arange(len(names))[::-1]
        axis.hlines(y, one.single_iou, one.combined_iou, color=GREY, lw=1)
        axis.scatter(
            one.single_iou,
            y,
            s=14,
            facecolors="white",
            edgecolors=GREY,
            zorder=3,
            label="best single unit",
        )
        axis.scatter(
            one.combined_iou,
            y,
            s=14,
            c=[COLOURS[kind] for kind in kinds],
            zorder=4,
            label="combination",
        )
        axis.axvline(0.04, color=GREY, lw=0.8, ls=":")
        axis.set(xlabel="IoU on held-out images", ylim=(-0.7, len(names) - 0.3))
        axis.set_title(layer, fontsize=9)
    axes[0].set_yticks(y, names, fontsize=7)
    axes[-1].legend(fontsize=7, loc="lower right")
    kinds_legend(figure)
    save(figure, path)


def conditions(path, runs, words):
    """Left: detectors by kind under each condition, mean over the seeds; right: every seed's unique
    detectors.
    """
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    labels = {key: words[key] for key in runs[0]}

    def mean(key, kind):
        return np.mean([run[key][kind] for run in runs])

    means = {key: {kind: mean(key, kind) for kind in COLOURS} for key in labels}
    stacked(left, [(label, means[key]) for key, label in labels.items()])
    left.set_title(f"detectors above .04, last convolution, mean of {len(runs)} seeds", fontsize=9)
    left.legend(fontsize=7)
    for shift, what, colour in (
        (-0.15, "network_unique", BLUE),
        (0.15, "network_above_chance", ORANGE),
    ):
        values = np.array(
            [[run[key][what] for key in labels] for run in runs], float
        )  # seeds, conditions
        x = np.arange(len(labels)) + shift
        for row in values:
            right.plot(x, row, "o", color=colour, ms=3, alpha=0.5)
        right.plot(
            x,
            values.mean(axis=0),
            "_",
            color=colour,
            ms=16,
            mew=2,
            label={"network_unique": "above .04", "network_above_chance": "above chance"}[what],
        )
    right.set_xticks(range(len(labels)), labels.values(), fontsize=8)
    right.set(ylim=(0, None))
    right.set_title("concepts with a unit in any convolution: seeds (dots), mean (bar)", fontsize=9)
    right.legend(fontsize=7)
    for axis in (left, right):
        axis.tick_params(axis="x", labelrotation=30, labelsize=8)
    save(figure, path)
