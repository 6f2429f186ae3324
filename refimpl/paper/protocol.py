"""What the paper leaves open about its teachers, chosen on validation images and fixed here as
constants.

The paper states lr .5 and batch 100 for the shallow network and no number of steps. `python -m
refimpl protocol --dataset NAME` runs the grid below on the training images without the last 5,000
(never on test images), prints every cell and chooses:

- lr: the largest of LRS, .5 first, that is stable: over the last ten checks (every 1/20 of the run)
  no seed's validation accuracy spreads by more than 3 points;
- steps: of the checks at STEPS, the best mean validation accuracy at that lr;
- best protocol: the lr falls linearly to 0 over the most steps; the lr of the best mean validation
  accuracy;
- averages: of all these teachers (constant at the chosen lr, falling at any), the one on whose
  logits a student of the ten class averages (section 7) has the best mean validation accuracy, and
  the student's number of plain descent steps (ITERATIONS, None: to the end). Not always the best
  teacher.

A test repeats the choice on `digits`. Seeds of the choice are 1000 and up; the ledger's are 0, 1,
2, ...
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.data import VALIDATION, Dataset
from refimpl.metrics import accuracy
from refimpl.network import Network, softmax_net
from refimpl.theory import best_lr, descent_after, descent_limit, network_of, theta_of
from refimpl.training import train

BATCH = 100
LRS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
STEPS = {
    "digits": (500, 1_000, 2_000),
    "mnist": (1_200, 3_000, 6_000, 12_000),
    "fashion-mnist": (1_200, 3_000, 6_000, 12_000),
    "cifar10": (1_000, 2_500, 5_000, 10_000),
}
STABLE_SPREAD = 3.0  # points
CHECKS = 20  # a run
ITERATIONS = (300, 1_000, 3_000, 10_000, None)


@dataclass(frozen=True)
class Schedule:
    """How a teacher is trained: the learning rate, constant or falling linearly to 0, and the
    number of steps.

    >>> PROTOCOLS["mnist"].paper
    Schedule(lr=0.5, steps=6000, falling=False)
    """

    lr: float
    steps: int
    falling: bool = False


@dataclass(frozen=True)
class Protocol:
    """The three teachers of a data set, as the paper (constant lr), the best, and the class
    averages'; and how many steps the class averages' student takes (None: to the end).

    >>> PROTOCOLS["cifar10"].best, PROTOCOLS["cifar10"].iterations
    (Schedule(lr=0.1, steps=10000, falling=True), None)
    """

    paper: Schedule
    best: Schedule
    averages: Schedule
    iterations: int | None = None


PROTOCOLS = {
    "digits": Protocol(
        Schedule(0.5, 2_000), Schedule(0.5, 2_000, True), Schedule(0.1, 2_000, True), 1_000
    ),
    "mnist": Protocol(
        Schedule(0.5, 6_000), Schedule(0.5, 12_000, True), Schedule(0.02, 12_000, True), 300
    ),
    "fashion-mnist": Protocol(
        Schedule(0.1, 12_000), Schedule(0.5, 12_000, True), Schedule(0.1, 12_000, True), 3_000
    ),
    "cifar10": Protocol(
        Schedule(0.01, 10_000), Schedule(0.1, 10_000, True), Schedule(0.005, 10_000, True)
    ),
}


OWN = Protocol(Schedule(0.1, 2_000), Schedule(0.1, 2_000, True), Schedule(0.1, 2_000, True))


def protocol_of(name: str) -> Protocol:
    """The protocol of a data set: the one chosen for it, or for a data set of the user's own OWN,
    chosen on nothing.

    >>> protocol_of("my-letters").paper.lr
    0.1
    """
    return PROTOCOLS.get(name, OWN)


def train_teacher(
    data: Dataset,
    seed: int,
    schedule: Schedule,
    *,
    sigma: float = 0.0,
    on_step: Callable[[int, Network], Any] | None = None,
) -> Network:
    """The shallow teacher, float64: zero init (or N(0, sigma^2)); the seed sets init and minibatch
    order, nothing else.

    Raises ValueError on fewer than BATCH training images. on_step(step, network) is called after
    every step.

    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> accuracy(
    ...     data.test_y,
    ...     train_teacher(data, 0, Schedule(lr=0.5, steps=200)).predict(data.test_pixels),
    ... )
    100.0
    """
    rng = np.random.default_rng(seed)
    start = softmax_net(data.train_pixels.shape[1], len(data.classes), rng=rng, sigma=sigma)
    return train(
        start,
        data.train_pixels,
        data.train_y,
        steps=schedule.steps,
        lr=schedule.lr,
        batch=BATCH,
        rng=rng,
        falling=schedule.falling,
        on_step=on_step,
    )[0]


def class_averages(data: Dataset, classes: Iterable[int] | None = None) -> np.ndarray:
    """The mean training image of each class, or of some, (K, D) float64.

    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny(20)
    >>> np.allclose(class_averages(data)[3], (data.train_x[3] + data.train_x[13]) / 2)
    True
    """
    return np.stack(
        [
            data.train_x[data.train_y == c].mean(axis=0, dtype=np.float64)
            for c in (range(len(data.classes)) if classes is None else classes)
        ]
    )


def _validate(
    data: Dataset, schedule: Schedule, seeds: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Validation accuracy at every twentieth of a run, mean over seeds of the teacher (20,) and of
    its class-average students (20, len(ITERATIONS)); and the largest spread of a seed's teacher
    over the last ten checks.
    """
    every, images, seen = schedule.steps // CHECKS, class_averages(data), []
    lr, _ = best_lr(images)

    def check(step, network):
        if (step + 1) % every == 0:
            z = network.logits(images)
            students = [
                network_of(
                    descent_limit(images, theta_of(network))
                    if t is None
                    else descent_after(images, z, lr=lr, steps=t)
                )
                for t in ITERATIONS
            ]
            seen.append(
                [accuracy(data.test_y, n.predict(data.test_pixels)) for n in (network, *students)]
            )

    for seed in seeds:
        train_teacher(data, seed, schedule, on_step=check)
    scores = np.reshape(seen, (len(seeds), CHECKS, -1))
    means = scores.mean(axis=0)
    return means[:, 0], means[:, 1:], np.ptp(scores[:, -10:, 0], axis=1).max()


def choose(
    data: Dataset,
    *,
    seeds: Sequence[int] = (1000, 1001, 1002),
    lrs: Sequence[float] = LRS,
    report: Callable[[str], Any] = lambda line: None,
) -> Protocol:
    """Run the grid on the validation split of `data` and return the Protocol it chooses;
    report(line) for every cell.

    Raises ValueError where no lr is stable.

    >>> from refimpl.paper.tiny import tiny
    >>> choose(tiny(2_100), lrs=())
    Traceback (most recent call last):
        ...
    ValueError: lrs: none of () is stable on tiny
    """
    split, grid, most = (
        data.validation(VALIDATION[data.name]),
        STEPS[data.name],
        STEPS[data.name][-1],
    )
    constant: dict[Schedule, float] = {}
    falling: dict[Schedule, float] = {}
    averages: dict[tuple, float] = {}
    for lr in lrs:
        full = Schedule(lr, most)
        teachers, students, spread = _validate(split, full, seeds)
        at = {Schedule(lr, steps): steps * CHECKS // most - 1 for steps in grid}
        stable = spread <= STABLE_SPREAD
        if stable and not constant:
            constant = {schedule: teachers[i] for schedule, i in at.items()}
            averages |= {
                (schedule, t): students[i, j]
                for schedule, i in at.items()
                for j, t in enumerate(ITERATIONS)
            }
        report(
            f"constant lr {lr:<5g} {'stable' if stable else 'unstable':8} (spread {spread:.2f}); "
            f"teacher, averages after "
            + "; ".join(
                f"{s.steps}: {teachers[i]:.2f}, {students[i].max():.2f}" for s, i in at.items()
            )
        )
        full = Schedule(lr, most, True)
        teachers, students, _ = _validate(split, full, seeds)
        falling[full] = teachers[-1]
        averages |= {(full, t): students[-1, j] for j, t in enumerate(ITERATIONS)}
        report(
            f"falling  lr {lr:<5g} teacher, averages after {most}: {teachers[-1]:.2f}, "
            f"{students[-1].max():.2f}"
        )
    if not constant:
        raise ValueError(f"lrs: none of {lrs} is stable on {data.title}")
    return Protocol(
        max(constant, key=constant.__getitem__),
        max(falling, key=falling.__getitem__),
        *max(averages, key=averages.__getitem__),
    )
