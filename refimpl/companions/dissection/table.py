"""The measured table of the room's README: detectors beside chance, Net2Vec, and the conditions
of training.
"""

from typing import Any

from refimpl.report.room_table import Run, markdown

CONDITIONS = {  # what is averaged over seeds under each condition, and its heading
    "detectors": "units above .04",
    "unique": "unique",
    "unique_above_chance": "unique above chance",
    "network_unique": "unique in any convolution",
    "network_above_chance": "the same above chance",
    "object_and_part": "objects and parts",
    "texture": "textures",
    "accuracy": "accuracy, %",
}


def _pair(pair: list[int]) -> str:
    units, unique = pair
    return f"{units} ({unique})"


def _layers(values: dict[str, Any]) -> str:
    rows = [
        [
            name,
            _pair(row["fixed"]),
            _pair(row["chance"]),
            f"{row['level']:.4f}",
            f"{row['better']} of {row['of']}",
        ]
        for name, row in values["layers"].items()
    ]
    headings = ["layer", "units (unique concepts) above .04", "above chance", "level of chance"]
    return markdown([*headings, "concepts for which a combination beats the best unit"], rows)


def _conditions(values: dict[str, Any]) -> str:
    rows = [
        [name, *(f"{row[key]:.1f}" for key in CONDITIONS)]
        for name, row in values["conditions"].items()
    ]
    return markdown(["last convolution, means", *CONDITIONS.values()], rows)


def _relations(values: dict[str, Any]) -> str:
    """A row a comparison of conditions; a relation is "measure: comparison"."""
    found: dict[str, list[bool]] = {}
    for relation, held in values["relations"]:
        found.setdefault(relation.partition(": ")[2], []).append(held)
    rows = [[what, f"{sum(held)} of {len(held)}"] for what, held in found.items()]
    every = [held for _, held in values["relations"]]
    rows.append(["all relations", f"{sum(every)} of {len(every)}"])
    return markdown(["relation of Bau et al., over measures of detectors", "reproduced"], rows)


def table(runs: list[Run]) -> str:
    """The README's tables of all recorded runs; conditions and relations where they were measured.

    >>> values = {"layers": {}, "conditions": {}, "relations": [["units: fewer", True]]}
    >>> print(table([Run("dissect", "2026-11-21", "0.1.0", values)]).splitlines()[-1])
    | all relations | 1 of 1 |
    """
    parts = []
    for run in runs:
        parts.append(_layers(run.values))
        if run.values["conditions"]:
            parts.append(_conditions(run.values))
        if run.values["relations"]:
            parts.append(_relations(run.values))
    return "\n\n".join(parts)
