"""The measured table of the room's README: how the three rules agree, when features settle, and the
cure of aliasing.
"""

from refimpl.report.room_table import Run, markdown


def _layers(values: dict) -> str:
    rows = []
    for name, cosines in values["agreement"].items():
        dead, channels = values["dead"][name]
        rows.append([name, *(f"{c:.3f}" for c in cosines), f"{dead} of {channels}"])
    headings = ["mean cosine of pictures", "DeconvNet, guided", "DeconvNet, gradient"]
    return markdown([*headings, "guided, gradient", "dead channels"], rows)


def _settled(values: dict) -> str:
    rows = []
    for name, steps in values["settled"].items():
        cells = ["{:.0f} ({:.0f} to {:.0f})".format(*steps[key]) for key in ("strongest", "fixed")]
        rows.append([name, *cells])
    headings = ["training step from which on features keep, median (quartiles)"]
    return markdown([*headings, "strongest image of the moment", "image held fixed"], rows)


def _aliasing(values: dict) -> str:
    rows = [
        [name, f"{row['dead']:.3f}", f"{row['aliasing']:.3f}", f"{row['accuracy']:.2f}"]
        for name, row in values["cure"].items()
    ]
    return markdown(
        ["first convolution, retrained", "dead channels", "aliasing", "held-out accuracy, %"], rows
    )


def table(runs: list[Run]) -> str:
    """The README's tables of all recorded runs: mean cosines of the rules' pictures and dead
    channels; then, where the diagnosis ran, when features settle, and the first convolutions.

    >>> values = {"agreement": {"dense 1": [0.9, 0.539, 0.591]}, "dead": {"dense 1": [13, 64]}}
    >>> values |= {"settled": {}, "cure": {}}
    >>> print(table([Run("deconv", "2026-11-21", "0.1.0", values)]).splitlines()[2])
    | dense 1 | 0.900 | 0.539 | 0.591 | 13 of 64 |
    """
    parts = []
    for run in runs:
        parts.append(_layers(run.values))
        if run.values["settled"]:
            parts += [_settled(run.values), _aliasing(run.values)]
    return "\n\n".join(parts)
