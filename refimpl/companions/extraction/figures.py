"""The extraction curve: accuracy against the number of images, regime by regime."""

import numpy as np
from matplotlib.figure import Figure

from refimpl.report.plots import BLUE, GREY, ORANGE, save

STYLE = {
    "hints": (BLUE, "o", "hints"),
    "filters": (ORANGE, "s", "filters"),
    "scratch": ("C2", "D", "scratch"),
}


def curves(path, runs):
    """One line a regime: mean over the teachers, the range of the seeds as bars; dashed: the
    teachers' own accuracy.
    """
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axis = figure.subplots()
    most = 0
    for regime, (colour, marker, label) in STYLE.items():
        found: dict[int, list[float]] = {}
        for run in runs:
            rows = (
                [(n, [r["accuracy"]]) for n, r in run["scratch"].items()]
                if regime == "scratch"
                else run.get(f"{regime}_curve", [])
            )
            for n, accuracies in rows:
                found.setdefault(n, []).extend(accuracies)
        if found:
            n = sorted(found)
            most = max(most, n[-1])
            mean = np.array([np.mean(found[i]) for i in n])
            reach = np.array([(m - min(found[i]), max(found[i]) - m) for i, m in zip(n, mean)]).T
            axis.errorbar(
                n,
                mean,
                yerr=reach,
                color=colour,
                marker=marker,
                ms=4,
                lw=1.3,
                capsize=2,
                label=label,
            )
    axis.axhline(
        np.mean([run["teacher"] for run in runs]), color=GREY, ls="--", lw=1, label="teacher"
    )
    axis.set(xscale="log", xlabel="images", ylabel="test accuracy (%)", ylim=(0, 103))
    ticks = [n for n in (5, 10, 20, 31, 50, 100, 200, 400) if n <= most]
    axis.set_xticks(ticks, list(map(str, ticks)))
    axis.minorticks_off()
    axis.legend(fontsize=8, loc="lower right")
    save(figure, path)
