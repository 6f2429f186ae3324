"""The measured table of the room's README: what each layer keeps, what perturbed representations
and weights cost, what ten images teach.
"""

from typing import Any

from refimpl.report.room_table import Run, markdown


def _number(value: float | None, decimals: int = 3) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _layers(values: dict[str, Any]) -> str:
    rows = [
        [
            row["name"],
            _number(row["regularized"]),
            _number(row["sd"]),
            _number(row["ssim"]),
            _number(row["decoded"]),
            _number(row["decoded_sd"]),
            _number(row["decoded_ssim"]),
        ]
        for row in values["layers"]
    ]
    headings = ["layer", "by regularization: error", "sd over images", "SSIM"]
    return markdown([*headings, "by a decoder: error", "sd over images", "SSIM"], rows)


def _perturbed(values: dict[str, Any]) -> str:
    names = list(values["perturbed"][0]["error"])
    rows = [
        [row["name"], *(_number(row["error"].get(name)) for name in names)]
        for row in values["perturbed"]
    ]
    return markdown(["error of the decoded image", *names], rows)


def _weights(values: dict[str, Any]) -> str:
    rows = [[name, f"{a:.2f}", f"{b:.2f}"] for name, (a, b) in values["weights"].items()]
    return markdown(["weights pruned and quantized", "accuracy, %", "agreement, %"], rows)


def _relations(values: dict[str, Any]) -> str:
    rows = [
        [
            row["what"],
            row["expects"],
            _number(row["mean"], 2),
            _number(row["sd"], 2),
            row["verdict"],
        ]
        for row in values["relations"]
    ]
    return markdown(["relation", "expected", "mean", "sd", "verdict"], rows)


def _taught(values: dict[str, Any]) -> str:
    rows = [
        [name, *(f"{row[key]:.2f}" for key in ("accuracy", "agreement", "onehot"))]
        for name, row in values["taught"].items()
    ]
    return markdown(["ten images", "accuracy, %", "agreement, %", "one-hot targets, %"], rows)


def table(runs: list[Run]) -> str:
    """The README's tables of all recorded runs.

    >>> values = {"layers": [], "perturbed": [{"name": "outputs", "error": {"none": 0.505}}]}
    >>> values |= {"weights": {"8 bits": [96.5, 99.7]}, "relations": [], "taught": {}}
    >>> "| 8 bits | 96.50 | 99.70 |" in table([Run("invert", "2026-11-21", "0.1.0", values)])
    True
    """
    parts = (_layers, _perturbed, _weights, _relations, _taught)
    return "\n\n".join(part(run.values) for run in runs for part in parts)
