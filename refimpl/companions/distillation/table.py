"""The room's measured tables: what the seeds gave, summed up, as text and as Markdown."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refimpl.report.room_table import Run, markdown

LABELS = {"hard": "hard", "teacher": "linear teacher's logits", "learned": "learned"}
IMAGES = {
    "random": "random training images",
    "class means": "class means",
    "visualizations": "class visualizations",
    "kernel": "distilled for the kernel",
    "linear kernel": "distilled for the linear kernel",
    "unrolled": "distilled for 784-30-10",
}


def mean_sd(values: Sequence[float]) -> list[float]:
    """[mean, standard deviation (0 for one value)].

    >>> mean_sd([1.0, 3.0])
    [2.0, 1.4142135623730951]
    """
    return [float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0]


def summary(title: str, runs: Sequence[dict]) -> dict[str, Any]:
    """The runs of study.measure, one a seed, as means and standard deviations.

    {"data", "seeds", "points": [[kind, what, bytes, mean, sd, on the Pareto set]], "table":
    {images: {labels: {student: [mean, sd]}}}, "starts": {images: [mean, sd]}, "ranking": {images:
    {student: {score: mean}}}, "privacy", "seconds": {count: mean}}.

    >>> cell = {"hard": {"kernel": 40.0}}
    >>> run = {"points": [["model", "a", 9, 90.0]], "table": {"random": cell}, "whole": {}}
    >>> run |= {"starts": {}, "privacy": {}, "seconds": {"10": 3.0}}
    >>> found = summary("tiny", [run])
    >>> found["points"], found["table"]["random"]["hard"]["kernel"]
    ([['model', 'a', 9, 90.0, 0.0, True]], [40.0, 0.0])
    """
    from refimpl.companions.distillation.frontier import Point, pareto
    from refimpl.companions.distillation.study import ranking

    first = runs[0]
    points = []
    for i, (kind, what, _, _) in enumerate(first["points"]):
        size = round(float(np.mean([run["points"][i][2] for run in runs])))
        points.append([kind, what, size, *mean_sd([run["points"][i][3] for run in runs])])
    best = {p.what for p in pareto([Point(*row[:4]) for row in points])}

    cells: dict[str, dict] = {}
    for images, by_labels in first["table"].items():
        cells[images] = {}
        for labels, by_student in by_labels.items():
            seen = [run["table"][images][labels] for run in runs]
            cells[images][labels] = {s: mean_sd([row[s] for row in seen]) for s in by_student}
    means = {
        images: {labels: {s: v[0] for s, v in row.items()} for labels, row in rows.items()}
        for images, rows in cells.items()
    }
    whole = {s: float(np.mean([run["whole"][s] for run in runs])) for s in first["whole"]}
    shown = {
        what: {
            name: np.mean([run["privacy"][what][name] for run in runs], axis=0).tolist()
            for name in names
        }
        for what, names in first["privacy"].items()
    }
    return {
        "data": title,
        "seeds": len(runs),
        "points": [[*row, row[1] in best] for row in points],
        "table": cells,
        "starts": {
            name: mean_sd([v for run in runs for v in run["starts"][name]])
            for name in first["starts"]
        },
        "ranking": ranking(means, whole),
        "privacy": shown,
        "seconds": {
            n: float(np.mean([run["seconds"][n] for run in runs])) for n in first["seconds"]
        },
    }


def _cell(mean, sd, seeds):
    return f"{mean:.1f} ± {sd:.1f}" if seeds > 1 else f"{mean:.1f}"


def frontier_rows(found: dict) -> list[list[str]]:
    """Rows (what, bytes, accuracy, "yes" on the Pareto set), by bytes.

    >>> points = [["model", "a", 9_000, 90.0, 0.0, True]]
    >>> frontier_rows({"points": points, "seeds": 1})
    [['a', '9,000', '90.0', 'yes']]
    """
    rows = sorted(found["points"], key=lambda row: row[2])
    return [
        [what, f"{size:,}", _cell(mean, sd, found["seeds"]), "yes" * best]
        for _, what, size, mean, sd, best in rows
    ]


def student_rows(found: dict) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of ten images with each kind of labels, a column a student.

    >>> cells = {"random": {"hard": {"kernel": [40.0, 1.0]}}}
    >>> student_rows({"table": cells, "seeds": 2})
    (['images', 'labels', 'kernel'], [['random training images', 'hard', '40.0 ± 1.0']])
    """
    students = list(found["table"]["random"]["hard"])
    rows = []
    for images, by_labels in found["table"].items():
        for labels, cells in by_labels.items():
            numbers = [_cell(cells[s][0], cells[s][1], found["seeds"]) for s in students]
            rows.append([IMAGES[images], LABELS[labels], *numbers])
    return ["images", "labels", *students], rows


def ranking_rows(found: dict) -> list[list[str]]:
    """Rows (images, student, hard-label recovery, improvement over random) of both networks that
    were trained on everything, too.

    >>> found = {"ranking": {"kernel": {"linear": {"lost": 20.0, "gained": 30.0}}}}
    >>> ranking_rows(found)
    [['distilled for the kernel', 'linear', '20.0', '30.0']]
    """
    return [
        [IMAGES[images], student, f"{score['lost']:.1f}", f"{score['gained']:.1f}"]
        for images, by_student in found["ranking"].items()
        for student, score in by_student.items()
        if "lost" in score
    ]


def privacy_rows(found: dict) -> list[list[str]]:
    """Rows (images, nearest training image, nearest unseen one, AUC of membership).

    >>> shown = {"resemblance": {"random": [1.0, 0.5]}, "membership": {"random": [0.5, 0.01]}}
    >>> privacy_rows({"privacy": shown})
    [['random', '1.000', '0.500', '0.500 ± 0.010']]
    """
    near, areas = found["privacy"]["resemblance"], found["privacy"]["membership"]
    return [
        [name, *[f"{v:.3f}" for v in near[name]], "{:.3f} ± {:.3f}".format(*areas[name])]
        for name in near
    ]


def starts_line(found: dict) -> str:
    """What 784-30-10 learns from many starts, as a sentence.

    >>> starts_line({"starts": {"unrolled": [92.0, 0.3], "visualizations": [70.0, 2.0]}})
    '784-30-10 from ten starts: images distilled for it 92.0 ± 0.3, class visualizations 70.0 ± 2.0.'
    """
    made, shown = ("{:.1f} ± {:.1f}".format(*v) for v in found["starts"].values())
    return (
        f"784-30-10 from ten starts: images distilled for it {made}, class visualizations {shown}."
    )


FRONTIER = ["what is handed over", "bytes", "test accuracy, %", "Pareto"]
RANKING = ["images", "student", "lost (hard labels)", "gained over random images"]
PRIVACY = ["ten images", "nearest training image", "nearest unseen image", "membership, AUC"]


def table(runs: list[Run]) -> str:
    """All tables of the README, a data set after the other.

    >>> table([])
    ''
    """
    parts = []
    for run in runs:
        found = run.values
        seeds = f"{found['seeds']} seed{'s' * (found['seeds'] > 1)}"
        parts += [
            f"**{found['data']}**, {seeds}: what ten images teach, test accuracy (%).",
            markdown(*student_rows(found)),
            starts_line(found),
            "DD-Ranking's scores, each with the set's best labels for the second.",
            markdown(RANKING, ranking_rows(found)),
            "The frontier; images are for the kernel student where none is named.",
            markdown(FRONTIER, frontier_rows(found)),
            "What the images show of the training images: mean largest |cosine|, and membership.",
            markdown(PRIVACY, privacy_rows(found)),
        ]
    return "\n\n".join(parts)
