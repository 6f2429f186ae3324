"""The measured table of the room's README: the last and the best epoch of each training,
beside what the slides print.
"""

from refimpl.report.room_table import Run, markdown

MEASURED = {
    "loss": "training loss, running mean",
    "accuracy": "training accuracy, running mean",
    "evaluated_loss": "training loss, evaluated",
    "evaluated_accuracy": "training accuracy, evaluated",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy (no choice)",
}


def columns_of(scores: dict, published: dict) -> list[tuple[str, dict]]:
    """[(heading, {measure: value})]: the slides' numbers where there are any, then ours.

    >>> [name for name, _ in columns_of({"last": {"epoch": 10}, "best": {"epoch": 9}}, {})]
    ['last epoch (10)', 'best epoch (9)']
    """
    columns = [("slides", published)] if published else []
    return columns + [
        (f"{which} epoch ({scores[which]['epoch']})", scores[which]) for which in ("last", "best")
    ]


def table(runs: list[Run]) -> str:
    """The README's table of all recorded runs: a row a training and column of its numbers.

    >>> row = {"epoch": 1, "loss": 0.5}
    >>> values = {"network": "small on digits", "scores": {"last": row, "best": row}}
    >>> values |= {"published": {}}
    >>> print(table([Run("train", "2026-11-21", "0.1.0", values)]).splitlines()[-1])
    | small on digits | best epoch (1) | 0.500 |  |  |  |  |  |  |
    """
    rows = []
    for run in runs:
        v = run.values
        for name, column in columns_of(v["scores"], v["published"]):
            cells = [f"{column[key]:.3f}" if key in column else "" for key in MEASURED]
            rows.append([v["network"], name, *cells])
    return markdown(["network", "", *MEASURED.values()], rows)
