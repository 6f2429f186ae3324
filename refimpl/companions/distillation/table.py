"""The room's measured tables: what the seeds gave, summed up, as text and as Markdown."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from refimpl.report.options import DATASETS
from refimpl.report.room_table import Run, markdown

if TYPE_CHECKING:
    from refimpl.data import Dataset

LABELS = {"hard": "hard", "teacher": "linear teacher's logits", "learned": "learned"}
IMAGES = {
    "random": "random training images",
    "class means": "class means",
    "visualizations": "class visualizations",
    "matched": "by gradient matching",
    "linear kernel": "distilled for the linear kernel",
    "kernel": "distilled for the kernel",
    "unrolled": "distilled for 784-30-10",
    "wide": "distilled for width 1,000",
}
TEN = r"\b[Tt]en(?= (?:class )?(?:images|visualizations|and a black|biases|distilled))"
MADE = ("linear kernel", "kernel", "unrolled", "wide")


def mean_sd(values: Sequence[float]) -> list[float]:
    """[mean, standard deviation (0 for one value)].

    >>> mean_sd([1.0, 3.0])
    [2.0, 1.4142135623730951]
    """
    return [float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0]


def summary(
    title: str, runs: Sequence[dict], *, pixels: int = 784, classes: int = 10
) -> dict[str, Any]:
    """The runs of study.together, one a seed, as means and standard deviations.

    pixels: numbers an image; classes: numbers a row of targets. Returns
    - "data", "seeds": title, and the number of runs;
    - "points": [[kind, what, bytes, mean, sd, on the Pareto set]];
    - "seconds": {count of images: mean};
    - "bytes": of one image a class the pixels in 8 bits and in float32, the hard labels, and the
      targets in float32;
    - of the parts that were measured "table": {images: {labels: {student: [mean, sd]}}}, "starts":
      {images: {student: [mean, sd]}}, "ranking": {images: {student: {score: mean}}}, "privacy".

    >>> run = {"points": [["model", "a", 9, 90.0]], "seconds": {"10": 3.0}}
    >>> found = summary("tiny", [run])
    >>> found["points"], found["seconds"]
    ([['model', 'a', 9, 90.0, 0.0, True]], {'10': 3.0})
    """
    from refimpl.companions.distillation.frontier import Point, pareto

    seen: dict[tuple[str, str], list] = {}
    for run in runs:
        for kind, what, size, right in run["points"]:
            seen.setdefault((kind, what), []).append((size, right))
    points: list[list] = []
    for (kind, what), pairs in seen.items():
        sizes, rights = zip(*pairs)
        points.append([kind, what, round(float(np.mean(sizes))), *mean_sd(rights)])
    best = {p.what for p in pareto([Point(*row[:4]) for row in points])}
    found = {
        "data": title,
        "seeds": len(runs),
        "points": [[*row, row[1] in best] for row in points],
        "seconds": _means([run["seconds"] for run in runs]),
        "bytes": [n * classes for n in (pixels, 4 * pixels, 1, 4 * classes)],
    }
    if all("table" in run for run in runs):
        found |= _students(runs)
    if all("privacy" in run for run in runs):

        def mean(what, name):
            return np.mean([run["privacy"][what][name] for run in runs], axis=0).tolist()

        found["privacy"] = {
            what: {name: mean(what, name) for name in names}
            for what, names in runs[0]["privacy"].items()
        }
    return found


def _means(found):
    """{key: mean} of one dict a seed."""
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]}


def _students(runs):
    """The "table", "starts" and "ranking" of a summary."""
    from refimpl.companions.distillation.teaching import ranking

    cells: dict[str, dict] = {}
    means: dict[str, dict] = {}
    for images, by_labels in runs[0]["table"].items():
        cells[images], means[images] = {}, {}
        for labels, by_student in by_labels.items():
            rows = [run["table"][images][labels] for run in runs]
            row = {s: mean_sd([row[s] for row in rows]) for s in by_student}
            cells[images][labels] = row
            means[images][labels] = {s: mean for s, (mean, *_) in row.items()}
    whole = _means([run["whole"] for run in runs]) if all("whole" in r for r in runs) else {}

    def over_starts(images, student):
        return mean_sd([v for run in runs for v in run["starts"][images][student]])

    starts = {
        images: {s: over_starts(images, s) for s in students}
        for images, students in runs[0]["starts"].items()
    }
    return {"table": cells, "starts": starts, "ranking": ranking(means, whole)}


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


def starts_rows(found: dict) -> list[list[str]]:
    """Rows (images, student, mean and sd over many starts).

    >>> starts_rows({"starts": {"unrolled": {"784-30-10": [92.0, 0.3]}}})
    [['distilled for 784-30-10', '784-30-10', '92.0 ± 0.3']]
    """
    return [
        [IMAGES[images], student, "{:.1f} ± {:.1f}".format(*v)]
        for images, by_student in found["starts"].items()
        for student, v in by_student.items()
    ]


def kernel_rows(found: dict) -> list[list[str]]:
    """Rows (images, test accuracy of the kernel student, seconds of one core to distil them).

    >>> points = [["distilled", "10 distilled, kernel student", 9, 93.0, 0.2, True]]
    >>> kernel_rows({"points": points, "seconds": {"10": 8.0}, "seeds": 10})
    [['10', '93.0 ± 0.2', '8']]
    """
    return [
        [
            what.split()[0],
            _cell(mean, sd, found["seeds"]),
            f"{found['seconds'][what.split()[0]]:.0f}",
        ]
        for kind, what, _, mean, sd, _ in found["points"]
        if kind == "distilled" and what.endswith("kernel student")
    ]


def transfer_rows(found: dict) -> tuple[list[str], list[list[str]]]:
    """(headings, rows): ten images distilled for one student, with their learned targets, teaching
    every student.

    >>> cells = {"kernel": {"learned": {"kernel": [93.0, 0.2], "linear": [80.0, 1.0]}}}
    >>> transfer_rows({"table": cells, "seeds": 1})
    (['distilled for', 'kernel', 'linear'], [['kernel', '93.0', '80.0']])
    """
    made = {name: found["table"][name]["learned"] for name in MADE if name in found["table"]}
    students = list(next(iter(made.values())))
    rows = [
        [IMAGES[name].removeprefix("distilled for ").removeprefix("the ")]
        + [_cell(cells[s][0], cells[s][1], found["seeds"]) for s in students]
        for name, cells in made.items()
    ]
    return ["distilled for", *students], rows


FRONTIER = ["what is handed over", "bytes", "test accuracy, %", "Pareto"]
RANKING = ["images", "student", "lost (hard labels)", "gained over random images"]
PRIVACY = ["ten images", "nearest training image", "nearest unseen image", "membership, AUC"]
STARTS = ["ten images", "student", "test accuracy, %, ten starts a seed"]
KERNEL = ["images", "kernel student, test accuracy, %", "seconds of one core"]


def sections(found: dict) -> list[tuple[str, list[str], list[list[str]]]]:
    """(what it is, headings, rows) of each table that the measured parts allow, in their order.

    >>> [words for words, _, _ in sections({"points": [], "seconds": {}, "seeds": 1})]
    []
    """
    if "tried" in found:
        return [(words, headings, rows) for words, headings, rows in found["tried"]]
    parts: list[tuple[str, list[str], list[list[str]]]] = []
    if found["seconds"]:
        words = "What distilled images teach the kernel that they were distilled for."
        parts.append((words, KERNEL, kernel_rows(found)))
    if "table" in found:
        words = "What ten images teach from scratch, test accuracy (%); finite students start anew "
        words += "with every seed. Ten images are {:,} bytes of pixels in 8 bits, {:,} in float32; "
        words += "their labels {:,} where hard, {:,} in float32 where not."
        words = words.format(*found["bytes"])
        parts.append((words, *student_rows(found)))
        words = "Transfer: rows distil, columns learn, each with the learned targets."
        parts.append((words, *transfer_rows(found)))
        words = "Many starts of the finite students."
        parts.append((words, STARTS, starts_rows(found)))
        if ranking_rows(found):
            words = "DD-Ranking's scores, each with the set's best labels for the second."
            parts.append((words, RANKING, ranking_rows(found)))
    if any(row[0] == "model" for row in found["points"]):
        words = "The frontier; images are for the kernel student where none is named."
        parts.append((words, FRONTIER, frontier_rows(found)))
    elif found["points"]:
        words = "Images chosen and distilled, the kernel student."
        rows = [row[:-1] for row in frontier_rows(found)]
        parts.append((words, FRONTIER[:-1], rows))
    if "privacy" in found:
        words = "What the images show of the training images: mean largest |cosine|, membership."
        parts.append((words, PRIVACY, privacy_rows(found)))
    return parts


def in_words_of(data: "Dataset", value: Any) -> Any:
    """Text, or lists and dicts of it, about a data set of the user's own: "ten images" and
    "784-30-10" are said with its own numbers. Of the known data sets everything stays.

    >>> from refimpl.data import dataset_from
    >>> own = dataset_from(np.ones((2, 6)), [0, 1], np.ones((2, 6)), [0, 1])
    >>> in_words_of(own, {"784-30-10": ["ten images", 3]})
    {'6-30-2': ['2 images', 3]}
    """
    if data.name in DATASETS:
        return value
    if isinstance(value, dict):
        return {in_words_of(data, k): in_words_of(data, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [in_words_of(data, v) for v in value]
    if not isinstance(value, str):
        return value
    value = value.replace("784-30-10", f"{data.train_pixels.shape[1]}-30-{len(data.classes)}")
    return re.sub(TEN, str(len(data.classes)), value)


def seeds_of(found: dict) -> str:
    """The data set and the number of seeds, or that these are validation images.

    >>> seeds_of({"data": "MNIST", "seeds": 2})
    'MNIST, 2 seeds'
    """
    if "tried" in found:
        return f"{found['data']}, what was tried on validation images"
    return f"{found['data']}, {found['seeds']} seed{'s' * (found['seeds'] > 1)}"


def tried(title: str, kernel: Sequence[tuple], finite: Sequence[tuple]) -> dict[str, Any]:
    """What choices.py found, as `sections` takes it.

    >>> tried("MNIST", [("depth 1", 94.0)], [])["tried"][0][2]
    [['depth 1', '94.0']]
    """

    def cells(part):
        return [[row[0], *(f"{v:.1f}" for v in row[1:])] for row in part]

    return {
        "data": title,
        "tried": [
            [
                "Ten images for the kernel in a thousand steps, one thing changed at a time (%).",
                ["changed", "kernel student"],
                cells(kernel),
            ],
            [
                "Ten images for students of finite width (%).",
                ["ten images", "784-30-10", "width 1,000"],
                cells(finite),
            ],
        ],
    }


def table(runs: list[Run]) -> str:
    """All tables of the README, a data set after the other.

    >>> table([])
    ''
    """
    parts = []
    for run in runs:
        parts.append(f"### {seeds_of(run.values)}")
        parts += [
            f"{words}\n\n{markdown(headings, rows)}"
            for words, headings, rows in sections(run.values)
        ]
    return "\n\n".join(parts)
