"""What dissect prints, as lines, each with the numbers that are in it: detectors by kind, planted
ones, by threshold and quantile, Net2Vec, the conditions of training.
"""

import numpy as np

QUANTILES = (0.001, 0.002, 0.005, 0.01, 0.02)
THRESHOLDS = tuple(i / 200 for i in range(31))  # of the IoU, 0 to .15
NOISES = (0.25, 1.0, 3.0)  # sd of the noise around a planted detector of height 1
SHORT = {
    "base": "dropout .5",
    "no_dropout": "no dropout",
    "batch_norm": "batch norm",
    "rotated": "rotated",
}


def mean(values):
    """The mean of what is defined; NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan


def detector_lines(found):
    """(lines, {layer: {criterion: {kind: (units, unique)}}}): at .04 and at the level of chance."""
    from refimpl.companions.dissection.study import counts

    kinds = (*dict.fromkeys(next(iter(found.values())).kinds), "all")
    lines, tables = (
        [f"{'units (unique concepts)':34}" + "".join(f"{kind:>10}" for kind in kinds)],
        {},
    )
    for layer, one in found.items():
        level = one.chance.layer_levels[0.95]
        tables[layer] = {".04": counts(one, one.iou_threshold), "chance": counts(one, level)}
        for words, table in zip(
            ("above .04", f"above chance, {level:.4f}"), tables[layer].values()
        ):
            cells = (f"{units} ({unique})" for units, unique in (table[kind] for kind in kinds))
            lines.append(f"{layer + ', ' + words:34}" + "".join(f"{cell:>10}" for cell in cells))
    lines.append("")
    for layer, one in found.items():
        chance = one.chance
        lines.append(
            f"{layer}: {len(one.score)} units, {int((chance.p <= 0.05).sum())} with p <= .05 "
            f"(each on its own); "
            f"mean IoU by chance {mean(chance.mean):.4f}, largest of {chance.shuffles} shuffles "
            f"{np.nanmax(chance.largest, initial=0):.4f}; .04 is "
            f"{0.04 / chance.layer_levels[0.95]:.1f} times "
            "the layer's 95 % level"
        )
    return lines, tables


def planted_lines(held, seed):
    """(lines, {noise: values}): one planted unit a concept; how many were given their own concept,
    how many detect it.
    """
    from refimpl.companions.dissection.study import plant

    lines, values = [], {}
    for noise in NOISES:
        found = plant(held, noise, seed=seed)
        right = found.concept == np.arange(len(held.names))
        missed = [name for name, hit in zip(held.names, right) if not hit]
        values[noise] = {
            "found": int(right.sum()),
            "detectors": int((right & found.detector).sum()),
            "missed": missed,
        }
        lines.append(
            f"planted detectors, noise {noise:g} of their height: {right.sum()} of {len(right)} "
            f"have the largest "
            f"IoU with their own concept{' (not: ' + ', '.join(missed) + ')' if missed else ''}, "
            f"{values[noise]['detectors']} above .04"
        )
    return lines, values


def curve_lines(found, active, held):
    """(lines, {layer: (T, 2)}, {layer: {q: (units, unique)}}): what the threshold and the quantile
    change.
    """
    from refimpl.companions.dissection.dissection import detector_curve, quantile_curve

    by_threshold = {layer: detector_curve(one, THRESHOLDS) for layer, one in found.items()}
    by_quantile = {
        layer: {
            q: tuple(map(int, detector_curve(one, (0.04,))[0]))
            for q, one in quantile_curve(
                masks, held.masks, QUANTILES, names=held.names, kinds=held.kinds
            ).items()
        }
        for layer, masks in active.items()
    }
    shown = [i for i, t in enumerate(THRESHOLDS) if t in (0.01, 0.02, 0.03, 0.04, 0.06, 0.1)]
    lines = [f"{'threshold on the IoU':34}" + "".join(f"{THRESHOLDS[i]:10g}" for i in shown)]
    lines += [
        f"{layer:34}" + "".join(f"{f'{curve[i][0]} ({curve[i][1]})':>10}" for i in shown)
        for layer, curve in by_threshold.items()
    ]
    lines += [
        "",
        f"{'quantile of the masks (IoU > .04)':34}" + "".join(f"{q:10g}" for q in QUANTILES),
    ]
    lines += [
        f"{layer:34}" + "".join(f"{f'{units} ({unique})':>10}" for units, unique in curve.values())
        for layer, curve in by_quantile.items()
    ]
    return lines, by_threshold, by_quantile


def beaten(one):
    """(for how many concepts the combination of units has a larger IoU than the best unit, of how
    many that could be combined).
    """
    both = ~np.isnan(one.combined_iou)
    return int((one.combined_iou > one.single_iou)[both].sum()), int(both.sum())


def net2vec_lines(combined, kinds):
    """Lines: mean IoU over the concepts of a kind on held-out images, single unit and combination,
    at each quantile.
    """
    kinds, all_kinds = np.array(kinds), tuple(dict.fromkeys(kinds))
    lines = [
        f"{'Net2Vec, mean IoU, held out':34}"
        + "".join(f"{kind:>10}" for kind in (*all_kinds, "all"))
    ]
    for layer, by_q in combined.items():
        for q, one in by_q.items():
            for words, iou in (("one unit", one.single_iou), ("combined", one.combined_iou)):
                means = [mean(iou[kinds == kind]) for kind in all_kinds] + [mean(iou)]
                lines.append(
                    f"{f'{layer}, q = {q:g}, {words}':34}"
                    + "".join(f"{value:10.3f}" for value in means)
                )
    for layer, by_q in combined.items():
        one = by_q[0.005]
        better, of = beaten(one)
        lines.append(
            f"{layer}, q = 0.005: the combination is better for {better} of {of} "
            f"concepts, above .04 for "
            f"{int((one.combined_iou > 0.04).sum())} (one unit: "
            f"{int((one.single_iou > 0.04).sum())})"
        )
    return lines


def title(condition):
    """A condition's name for people."""
    return SHORT.get(condition, condition.removeprefix("steps_") + " steps")


def condition_lines(runs, values):
    """Lines: the means over seeds under each condition, and the verdicts of the claims where there
    are values for them.
    """
    from refimpl.companions.dissection.study import SEEDS, claims
    from refimpl.companions.dissection.table import CONDITIONS

    heads = (  # of CONDITIONS, in their order
        "units",
        "unique",
        "> chance",
        "unique*",
        "> chance*",
        "obj+part",
        "texture",
        "accuracy",
    )
    lines = [f"{'last convolution, *: any; mean':34}" + "".join(f"{head:>10}" for head in heads)]
    for name in runs[0]:
        lines.append(
            f"{title(name):34}"
            + "".join(f"{np.mean([run[name][key] for run in runs]):10.1f}" for key in CONDITIONS)
        )
    if not values:
        return [*lines, f"no verdicts: they take {SEEDS} seeds and the task object"]
    lines += [
        "",
        *(
            f"{'reproduced' if claim.relation(values) else 'not reproduced':16}{claim.what}: "
            f"{claim.expects}"
            for claim in claims()
            if claim.relation
        ),
    ]
    return lines
