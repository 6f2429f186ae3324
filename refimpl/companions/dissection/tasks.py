"""The training conditions as tasks: one seed each, which any process can do."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from refimpl.companions.dissection import study
from refimpl.companions.dissection.concepts import ConceptImages
from refimpl.threads import one_thread


@dataclass(frozen=True)
class Conditions:
    """All conditions of one seed; its name says everything that the result depends on but the code.

    images, images_seed: of the images that are dissected, see study.draw.

    >>> print(Conditions("object", images=2000, images_seed=0, shuffles=99, seed=3))
    dissect-object-2000-0-99-3
    """

    task: str
    images: int
    images_seed: int
    shuffles: int
    seed: int

    def __str__(self) -> str:
        return f"dissect-{self.task}-{self.images}-{self.images_seed}-{self.shuffles}-{self.seed}"


@lru_cache(maxsize=1)
def drawn_images(images: int, seed: int) -> tuple[ConceptImages, ConceptImages]:
    """study.draw, once a process.

    >>> from unittest.mock import patch
    >>> with patch("refimpl.companions.dissection.study.TRAINING", 5):  # in place of 4,000
    ...     drawn_images(3, 99)[1].masks.shape
    (3, 38, 32, 32)
    """
    return study.draw(images, seed)


def measure(unit: Conditions) -> dict[str, dict[str, Any]]:
    """study.conditions of a task's seed. Training takes minutes; one step of it:

    >>> from unittest.mock import patch
    >>> unit = Conditions("object", images=4, images_seed=99, shuffles=2, seed=0)
    >>> with (
    ...     patch("refimpl.companions.dissection.study.TRAINING", 64),
    ...     patch("refimpl.companions.dissection.study.TIMES", (0, 1)),
    ... ):
    ...     list(measure(unit))
    ['steps_0', 'base', 'rotated', 'no_dropout', 'batch_norm']
    """
    drawn, held = drawn_images(unit.images, unit.images_seed)
    with one_thread():
        return study.conditions(
            unit.seed,
            drawn,
            held,
            task=unit.task,
            times=study.TIMES,
            shuffles=unit.shuffles,
        )
