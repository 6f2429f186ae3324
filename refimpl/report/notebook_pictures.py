"""What a notebook shows of a data set and of a gradient check: drawn here when it is asked for, by
the objects' _repr_html_, so that whoever makes them needs no matplotlib.
"""

import base64
import html
from typing import Any

import numpy as np

from refimpl.report.sheets import Sheet, show

MOST_CLASSES = 10  # shown, one image each
BLUE, ORANGE = "#1f5fa8", "#d1661d"
FLOOR = 1e-17  # what stands for zero on a logarithmic scale


def img(figure: Sheet, alt: str) -> str:
    """A figure as an <img> that holds its own bytes.

    >>> img(show(np.eye(4)), "four")[:32]
    '<img alt="four" src="data:image/'
    """
    data = base64.b64encode(figure._repr_png_()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def data_html(data: Any) -> str:
    """A Dataset: what its repr says, and the first training image of each class, ten at most.

    >>> from refimpl.paper.tiny import tiny
    >>> "<img " in data_html(tiny())
    True
    """
    said = repr(data).removeprefix("Dataset(").removesuffix(")")
    labels, first = np.unique(data.train_y, return_index=True)
    rows = data.train_x[np.sort(first[:MOST_CLASSES])]
    names = [data.classes[i] for i in data.train_y[np.sort(first[:MOST_CLASSES])]]
    if data.image_shape[0] not in (1, 3):
        return f"<p>{html.escape(said)}</p>"
    figure = show(rows, names, image_shape=data.image_shape, columns=len(rows))
    return f"<p>{html.escape(said)}</p>{img(figure, 'an image of each class')}"


def report_html(report: Any) -> str:
    """A gradient check's Report: its words, and for each argument the relative error beside the
    largest one that could have passed, both in units of the argument's largest gradient.

    >>> from refimpl.gradcheck import check_gradients
    >>> found = check_gradients(np.sin, lambda d, x: d * np.cos(x), np.ones(3))
    >>> report_html(found).startswith("<pre>pass (complex step")
    True
    """
    return f"<pre>{html.escape(str(report))}</pre>{errors_html(report)}"


def errors_html(report: Any) -> str:
    """The picture of report_html alone; "" for a report without arguments.

    >>> from refimpl.gradcheck.evidence import Report
    >>> errors_html(Report("pass", "complex step"))
    ''
    """
    if not report.arguments:
        return ""
    figure = Sheet(figsize=(6, 0.6 + 0.35 * len(report.arguments)), layout="constrained")
    axis = figure.subplots()
    for row, argument in enumerate(report.arguments):
        wrong = argument.verdict == "fail"
        axis.plot(max(argument.error, FLOOR), row, "o", color=ORANGE if wrong else BLUE)
        if argument.gradient > 0 and np.isfinite(argument.bound):
            bound = argument.bound / argument.gradient
            axis.plot(max(bound, FLOOR), row, "|", color="black", markersize=14)
    axis.set_yticks(range(len(report.arguments)), [a.name for a in report.arguments])
    axis.set(xscale="log", xlim=(FLOOR, 10), ylim=(len(report.arguments) - 0.5, -0.5))
    axis.set_xlabel("relative error (dot), the largest that could pass (line)", fontsize=8)
    return img(figure, "relative errors and their bounds")
