"""The measured table of the room's README: scores of the pictures before and after retraining, and
what ten class visualizations teach.
"""

from refimpl.report.room_table import Run, markdown

FORMER_BATCH = 128  # of the retraining in records that do not say it


def probability(p: float | None) -> str:
    """A p value for a table.

    >>> probability(0.0003), probability(0.0061), probability(0.353), probability(None)
    ('< .001', '.006', '.35', '')
    """
    if p is None:
        return ""
    if p < 0.001:
        return "< .001"
    return f"{p:.3f}"[1:] if p < 0.01 else f"{p:.2f}".removeprefix("0")


def _scores(runs: list[Run]) -> str:
    rows = []
    for run in runs:
        for row in run.values["scores"]:
            before, after, chance = (
                f"{mean:.3f} ± {sd:.3f}" if mean is not None else "-"
                for mean, sd in (row["before"], row["after"], row["chance"])
            )
            batch = str(run.values.get("batch", FORMER_BATCH))
            rows.append([run.values["network"], batch, row["ascent"], row["score"], before, after])
            rows[-1] += [probability(row["p_before"]), chance, probability(row["p_chance"])]
    headings = ["network", "batch", "ascent of", "score", "before", "after", "p, after - before"]
    return markdown([*headings, "images of other classes", "p, after - those"], rows)


def _ten(runs: list[Run]) -> str:
    rows = [
        [run.values["network"], *(f"{run.values['ten'][key]:.2f}" for key in TEN)] for run in runs
    ]
    return markdown(["ten class visualizations of", *TEN.values()], rows)


TEN = {
    "network": "the network's accuracy, %",
    "linear": "linear student",
    "agreement": "it agrees on",
    "same": "student of the same architecture",
    "png": "of 8-bit PNG",
}


def _slip(runs: list[Run]) -> str:
    rows = [
        [run.values["network"], *(f"{run.values['slip'][key]:.3f}" for key in SLIP)] for run in runs
    ]
    return markdown(["with the slides' lookup slip, bag of words", *SLIP], rows)


SLIP = ("before", "after", "chance")


def table(runs: list[Run]) -> str:
    """The README's tables of all recorded runs.

    >>> values = {"network": "conv on CIFAR-10", "scores": [], "slip": dict.fromkeys(SLIP, 0.5)}
    >>> values |= {"ten": dict.fromkeys(TEN, 20.0)}
    >>> print(table([Run("look", "2026-11-21", "0.1.0", values)]).splitlines()[-1])
    | conv on CIFAR-10 | 20.00 | 20.00 | 20.00 | 20.00 | 20.00 |
    """
    return "\n\n".join([_scores(runs), _slip(runs), _ten(runs)])
