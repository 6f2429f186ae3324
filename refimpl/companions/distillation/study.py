"""Beyond the paper: distilled images beside class visualizations, and the frontier of compression.

The paper calls ten class visualizations a compressed data set and an anonymous way to hand it over,
and compares them with nothing. A seed of a data set is measured in parts, each a task of its own,
so that a run can be stopped and goes on; the command `compress` prints what they give.

- kernel: images distilled for the kernel student, and images selected for it; with ten, what they
  show of the training images (privacy.py).
- students: ten images of each kind (sets.py) with hard labels, a linear teacher's logits and
  learned targets, and what each student learns from them (teaching.py).
- frontier: class visualizations, averages, biases, extraction sets and compressed models, test
  accuracy against bytes (frontier.py).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from refimpl.companions.distillation import frontier
from refimpl.companions.distillation.preparation import preparation_of, real_images
from refimpl.companions.distillation.privacy import privacy
from refimpl.companions.distillation.sets import (
    kernel_set,
    prepared_teacher,
    protocol_for,
    rescaled,
)
from refimpl.companions.distillation.teaching import table, ten_images
from refimpl.companions.extraction import study as extraction
from refimpl.data import Dataset
from refimpl.ledger.claim import Claim, Entry, Measurement
from refimpl.metrics import accuracy
from refimpl.paper.protocol import protocol_of, train_teacher


def check_counts(data: Dataset, counts: Sequence[int]) -> None:
    """Raises ValueError where a number of images is no multiple of the classes, a class is absent
    or has too few: before anything is made.

    >>> from refimpl.paper.tiny import tiny
    >>> check_counts(tiny(), (15,))
    Traceback (most recent call last):
        ...
    ValueError: count: expected a positive multiple of the 10 classes, got 15
    """
    for count in counts:
        rng = np.random.default_rng(0)
        real_images(data.train_pixels, data.train_y, count, len(data.classes), rng)


def measure(
    data: Dataset, task: str, report: Callable[[str], Any] = lambda line: None
) -> dict[str, Any]:
    """What a task of `tasks_of` gives, as JSON takes it.

    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> from refimpl.paper.tiny import tiny
    >>> from refimpl.companions.distillation.sets import PROTOCOL
    >>> short = {"digits": replace(PROTOCOL["digits"], steps={10: 2})}
    >>> with patch.dict(PROTOCOL, short):
    ...     found = measure(tiny(), "kernel-20-0")
    >>> sorted(found), found["points"][0][1]
    (['points', 'seconds'], '20 distilled, kernel student')
    """
    part, *middle, seed = task.split("-")
    if part == "kernel":
        return _kernel(data, int(middle[0]), int(seed), report)
    return {"students": _students, "frontier": _frontier}[part](data, int(seed), report)


def _kernel(data, count, seed, report):
    """{"points": [(kind, what, bytes, accuracy)], "seconds": CPU time of distilling}; of one image
    a class also "privacy" and "images".
    """
    prepare, depth = preparation_of(data.train_pixels), protocol_for(data).depth
    began = time.process_time()
    found = kernel_set(data, count, prepare, seed, report)
    seconds = time.process_time() - began
    teacher = prepared_teacher(data, prepare, seed)
    rng = np.random.default_rng([seed, count, 1])
    points = [
        *frontier.distilled_points(data, found, depth, prepare),
        *frontier.selected_points(data, count, depth, prepare, teacher, rng),
    ]
    out = {"points": _plain(points), "seconds": {str(count): seconds}}
    if count == len(data.classes):
        out["privacy"] = privacy(data, prepare, found, depth, seed)
        out["images"] = found.images.astype(float).round(3).tolist()
    return out


def _students(data, seed, report):
    """{"table", "starts"} of `teaching.table`."""
    prepare = preparation_of(data.train_pixels)
    teacher = prepared_teacher(data, prepare, seed)
    kernel = kernel_set(data, len(data.classes), prepare, seed, report)
    sets = ten_images(data, prepare, seed, kernel, teacher, report)
    students, starts = table(data, prepare, seed, sets, teacher, report)
    return {"table": students, "starts": starts}


def _frontier(data, seed, report):
    """{"points", "whole": {student: accuracy after training on everything}, "visualizations"}."""
    report("teachers")
    linear = train_teacher(data, seed, protocol_of(data.name).best)
    hidden = extraction.teacher(data, 30, "relu", seed)
    report("class visualizations, extraction")
    points = [*frontier.linear_points(data, linear), *frontier.hidden_points(data, hidden)]
    report("compressed models")
    points += frontier.models(data, linear, hidden, seed)
    return {
        "points": _plain(points),
        "whole": {
            "linear": accuracy(data.test_y, linear.predict(data.test_pixels)),
            "784-30-10": accuracy(data.test_y, hidden.predict(data.test_pixels)),
        },
        "visualizations": rescaled(linear.parameters[0].T).round(3).tolist(),
    }


def _plain(points):
    return [[p.kind, p.what, p.bytes, p.accuracy] for p in points]


def together(found: dict[str, dict]) -> list[dict[str, Any]]:
    """{task: what it gave} -> one dict a seed, in their order: points in one list, the rest as it
    is.

    >>> together({"kernel-10-0": {"points": [1]}, "frontier-0": {"points": [2], "whole": {}}})
    [{'points': [1, 2], 'seconds': {}, 'whole': {}}]
    """
    runs: dict[int, dict[str, Any]] = {}
    for task, result in found.items():
        run = runs.setdefault(int(task.split("-")[-1]), {"points": [], "seconds": {}})
        run["points"] = run["points"] + result.get("points", [])
        run["seconds"] = run["seconds"] | result.get("seconds", {})
        run |= {key: v for key, v in result.items() if key not in ("points", "seconds")}
    return [runs[seed] for seed in sorted(runs)]


def values_of(name: str, runs: Sequence[dict], classes: int = 10) -> dict[str, list[float]]:
    """{id of the ledger: [one a seed]} of runs as `together` gives them; what a part measures that
    was not asked for is missing.

    >>> values_of("mnist", [{"points": [], "seconds": {}}])
    {}
    """
    p = f"compress/{name}"
    known = set.intersection(*[set(run) for run in runs])
    values: dict[str, list] = {}
    accuracies = [{what: right for _, what, _, right in run["points"]} for run in runs]
    if "whole" in known and "privacy" in known:  # both parts that make points
        values[f"{p}/kernel"] = [
            found[f"{classes} distilled, kernel student"] for found in accuracies
        ]
        values[f"{p}/visualizations"] = [found[TEN_SHOWN] for found in accuracies]
    if "starts" in known:
        for images, student in (
            ("unrolled", "784-30-10"),
            ("visualizations", "784-30-10"),
            ("wide", "width 1,000"),
        ):
            seen = [run["starts"][images][student] for run in runs]
            values[f"{p}/{images}/{student}"] = [float(np.mean(starts)) for starts in seen]
    if "privacy" in known:
        shown = [run["privacy"] for run in runs]
        values[f"{p}/membership"] = [v["membership"]["distilled"][0] for v in shown]
        near = [v["resemblance"]["distilled"] for v in shown]
        values[f"{p}/resemblance"] = [seen - unseen for seen, unseen in near]
    return values


TEN_SHOWN = "ten visualizations, linear student"


def claims(name: str) -> Iterator[Entry]:
    """The rows of section 11's two claims, compression of the data set and anonymous distribution,
    and what is measured beside them.

    >>> [entry.id for entry in claims("mnist")][0]
    'compress/mnist/kernel'
    """
    p = f"compress/{name}"
    ten = "ten images, command compress"
    compression = "compression of the data set: ten "
    anonymous = "anonymous distribution: "

    def exceeds(id: str, other: str) -> Callable[[dict], bool]:
        return lambda values: float(np.mean(values[id])) > float(np.mean(values[other]))

    yield Claim(
        f"{p}/kernel",
        "11",
        compression + "distilled images, kernel student, test accuracy",
        protocol=ten,
        expects="above ten class visualizations with their linear student",
        relation=exceeds(f"{p}/kernel", f"{p}/visualizations"),
    )
    yield Claim(
        f"{p}/unrolled/784-30-10",
        "11",
        compression + "images distilled for 784-30-10, test accuracy",
        protocol=ten
        + ", ten fresh starts; a recipe of its own, visualizations have the common one",
        expects="above ten class visualizations with the same student",
        relation=exceeds(f"{p}/unrolled/784-30-10", f"{p}/visualizations/784-30-10"),
    )
    yield Claim(
        f"{p}/resemblance",
        "11",
        anonymous + "how much nearer ten distilled images are to a training image than to an "
        "unseen one",
        protocol="mean largest |cosine|, difference",
        better="lower",
        unit=0.01,
        expects="at most .02",
        relation=lambda values: all(v <= 0.02 for v in values[f"{p}/resemblance"]),
    )
    for key, student in (("visualizations", "linear student"), ("visualizations/784-30-10", "")):
        what = f"class visualizations, {student or '784-30-10'}, test accuracy"
        yield Measurement(f"{p}/{key}", compression + what, ten)
    yield Measurement(
        f"{p}/wide/width 1,000",
        compression + "images distilled for a network of 1,000 hidden units, test accuracy",
        ten + ", ten fresh starts",
    )
    yield Measurement(
        f"{p}/membership",
        anonymous + "AUC of telling training images from unseen ones, kernel student of ten "
        "distilled images",
        "threshold on the loss; .5 is chance",
    )
