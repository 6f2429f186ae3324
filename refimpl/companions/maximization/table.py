"""The measured table of the room's README: the class probability of the images that maximize it."""

import statistics

from refimpl.report.room_table import Run, markdown


def table(runs: list[Run]) -> str:
    """The README's table of all recorded runs: a row a recipe, with the mean over classes and the
    smallest.

    >>> values = {"network": "small CNN on digits", "probabilities": {"slides": [0.5, 1.0]}}
    >>> print(table([Run("maximize", "2026-11-21", "0.1.0", values)]).splitlines()[-1])
    | small CNN on digits | slides | 0.750 | 0.500 |
    """
    rows = [
        [run.values["network"], recipe, f"{statistics.mean(found):.3f}", f"{min(found):.3f}"]
        for run in runs
        for recipe, found in run.values["probabilities"].items()
    ]
    return markdown(["network", "recipe", "class probability, mean", "of the worst class"], rows)
