"""The study as tasks: one regime of one teacher each (from scratch, one number of images), which
any process can do.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from refimpl.companions.extraction import study
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.report.options import file_name
from refimpl.report.work import dataset
from refimpl.threads import one_thread


@dataclass(frozen=True)
class Regime:
    """A regime and the teacher that it is measured on; its name says everything that the result
    depends on but the code and the images.

    regime: "teacher" is the teacher's own accuracy. images, whiten: of the regime scratch alone.

    >>> print(Regime("mnist", (30,), "relu", 0, "hints"))
    extract-mnist-30-relu-0-hints
    >>> print(Regime("mnist", (30,), "relu", 0, "scratch", 200, whiten=False))
    extract-mnist-30-relu-0-scratch-200-unwhitened
    """

    dataset: str
    hidden: tuple[int, ...]
    activation: str
    seed: int
    regime: str
    images: int = 0
    whiten: bool = True

    def __str__(self) -> str:
        units = "-".join(map(str, self.hidden))
        count = f"-{self.images}" if self.images else ""
        how = "" if self.whiten else "-unwhitened"
        name = f"{file_name(self.dataset)}-{units}-{self.activation}-{self.seed}-{self.regime}"
        return f"extract-{name}{count}{how}"


@lru_cache(maxsize=1)
def _trained(teacher: Regime, data_dir: Path | None) -> Network:
    data = dataset(teacher.dataset, data_dir)
    if len(teacher.hidden) == 1:
        return study.teacher(data, teacher.hidden[0], teacher.activation, teacher.seed)
    return study.deeper(data, teacher.hidden, teacher.seed)


def teacher_of(task: Regime, data_dir: Path | None) -> Network:
    """The teacher of a task, trained once a process.

    >>> from unittest.mock import patch
    >>> with patch.dict("refimpl.companions.extraction.study.RECIPES", digits=(1, 0.2)):
    ...     net = teacher_of(Regime("digits", (2,), "relu", 99, "hints"), None)
    >>> [p.shape for p in net.parameters]
    [(784, 2), (2,), (2, 10), (10,)]
    """
    return _trained(replace(task, regime="teacher", images=0, whiten=True), data_dir)


def measure(task: Regime, data_dir: Path | None) -> dict[str, Any]:
    """What a regime gives: {"accuracy"} of the teacher, else what the study says of its student.
    Hints and filters have their certificate beside it, and "curve", accuracies by number of images.

    >>> from unittest.mock import patch
    >>> with patch.dict("refimpl.companions.extraction.study.RECIPES", digits=(1, 0.2)):
    ...     found = measure(Regime("digits", (2,), "relu", 99, "hints"), None)
    >>> found["images"], found["certificate"], found["agreement"]
    (3, 'parameters', 100.0)
    """
    data = dataset(task.dataset, data_dir)
    with one_thread():
        network = teacher_of(task, data_dir)
        if task.regime == "teacher":
            return {"accuracy": accuracy(data.test_y, network.predict(data.test_pixels))}
        if task.regime == "black_box":
            return study.black_box(data, network, task.seed)
        if task.regime == "scratch":
            return study.scratch(data, network, task.images, task.seed, whiten=task.whiten)
        found, e = {"hints": study.hints, "filters": study.filters}[task.regime](data, network)
        return found | {
            "images": len(e.images),
            "certificate": e.certificate.exact,
            "why": e.certificate.reason,
            "curve": study.curve(data, network, task.regime, study.COUNTS[task.regime]),
        }
