"""Training by epochs with Adam: a state that moves one step at a time, so that a run can stop after
any and go on later.

Chance has no memory: the order of an epoch's images is a function of (seed, epoch), the chance in a
step (mirrored images, dropout) of (seed, step). So there is no generator to keep, and an
interrupted run gives the same bits as any other.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from refimpl.companions.cnn.shards import Sharded
from refimpl.dtypes import check_finite
from refimpl.layers import Unflatten
from refimpl.losses import check_labels, cross_entropy
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.training import train_step

SCHEDULES = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
}  # share of the steps done -> share of lr
ORDER, CHANCE = 1, 2  # streams of a seed beside its own, which is the network's initialization


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: epochs at most, lr at its schedule, batch; mirror: each image or
    its mirror image, by chance; patience: stop when the validation accuracy has not risen for so
    many epochs (None: never). Raises ValueError on numbers that are not positive, and on another
    schedule.

    >>> Recipe(epochs=3, lr=0.1).batch
    128
    """

    epochs: int
    lr: float
    batch: int = 128
    schedule: str = "constant"
    mirror: bool = False
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1 or name == "patience" and value is None):
                raise ValueError(f"{name}: expected a whole number >= 1, got {value!r}")
        if not self.lr > 0:
            raise ValueError(f"lr: expected a positive number, got {self.lr!r}")
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"schedule: expected one of {', '.join(SCHEDULES)}, got {self.schedule!r}"
            )


@dataclass(frozen=True, eq=False)
class State:
    """Where a run is. history: a dict an epoch, with epoch (from 1), loss and accuracy (means over
    the epoch's batches as they came, with dropout at work, as Keras counts), validation_loss and
    validation_accuracy (after it). Accuracies are fractions, as the slides print them.

    >>> from refimpl.network import softmax_net
    >>> state = start(softmax_net(4, 2))
    >>> state.step, state.between_epochs
    (0, True)
    """

    network: Network
    moments: tuple  # Adam's states, one a parameter
    step: int = 0
    running: tuple = (
        0.0,
        0,
    )  # of this epoch: sum of the losses, number of images classified correctly
    history: tuple = ()
    best: Network | None = (
        None  # of the epoch with the highest validation accuracy, the first of equals
    )

    @property
    def between_epochs(self) -> bool:
        """Whether the last epoch is done, its validation too, and no other begun."""
        return self.running == (0.0, 0)


def start(network: Network) -> State:
    """The state before the first epoch: no optimizer has been called yet.

    >>> from refimpl.network import softmax_net
    >>> start(softmax_net(4, 2)).step
    0
    """
    return State(network, (None,) * len(network.parameters))


def best_epoch(history: Sequence[dict]) -> dict:
    """The row of the highest validation accuracy, the first of equals.

    >>> best_epoch(
    ...     [{"epoch": 1, "validation_accuracy": 0.5}, {"epoch": 2, "validation_accuracy": 0.5}]
    ... )["epoch"]
    1
    """
    return max(history, key=lambda row: row["validation_accuracy"])


def finished(state: State, recipe: Recipe) -> bool:
    """Whether the epochs are done or the patience is at its end.

    >>> from refimpl.network import softmax_net
    >>> finished(start(softmax_net(4, 2)), Recipe(epochs=1, lr=0.1))
    False
    """
    done = len(state.history)
    return done >= recipe.epochs or bool(
        recipe.patience and done and done - best_epoch(state.history)["epoch"] >= recipe.patience
    )


def evaluate(network: Network, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """(cross-entropy, accuracy as a fraction) of images x (N, D) with labels y (N,), without
    chance, in blocks of images.

    Raises ValueError on images of another length and on labels that are not (N,) integers in [0,
    K).

    >>> from refimpl.network import softmax_net
    >>> loss, correct = evaluate(softmax_net(3, 2), np.ones((4, 3)), np.array([0, 0, 0, 1]))
    >>> round(float(loss), 4), float(correct)
    (0.6931, 0.75)
    """
    z = network.logits(x)
    return float(cross_entropy(z, y)[0]), float((z.argmax(axis=1) == y).mean())


def mirrored(x: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Rows (N, C H W) of images of shape (C, H, W), each flipped left to right with probability
    1/2.

    >>> mirrored(np.array([[1, 2], [1, 2], [1, 2]]), (1, 1, 2), np.random.default_rng(0)).tolist()
    [[1, 2], [2, 1], [2, 1]]
    """
    images, chosen = x.reshape(-1, *shape).copy(), rng.random(len(x)) < 0.5
    images[chosen] = images[chosen, ..., ::-1]
    return images.reshape(x.shape)


def fit(
    state: State,
    x: np.ndarray,
    y: np.ndarray,
    held_x: np.ndarray,
    held_y: np.ndarray,
    recipe: Recipe,
    *,
    seed: int = 0,
    threads: int = 1,
) -> Iterator[State]:
    """Yield the State after every step until the recipe is finished; after an epoch's last step
    with its validation. A loop of its own, since it goes on from any State: `train` cannot.

    x (N, D), y (N,) to train on, held_x, held_y to validate on. Every epoch takes the images in a
    new order; the last incomplete batch is left out. seed sets order and chance. threads: a batch
    is cut into so many parts (shards.py; other round-off and chance than in one). The state handed
    in is not changed. Raises ValueError on bad labels, a batch larger than N, mirror where the
    network takes no images; FloatingPointError where the loss is not finite.

    >>> from refimpl.network import softmax_net
    >>> x, y = np.eye(4), np.array([0, 1, 0, 1])
    >>> *_, last = fit(start(softmax_net(4, 2)), x, y, x, y, Recipe(epochs=50, lr=0.1, batch=4))
    >>> last.step, last.history[-1]["validation_accuracy"]
    (50, 1.0)
    """
    _check_data(x, y, state.network.classes)
    check_finite(x=x)
    _check_data(held_x, held_y, state.network.classes, name="held_y")
    if recipe.batch > len(x):
        raise ValueError(
            f"batch: expected 1 to {len(x)} (the number of images), got {recipe.batch}"
        )
    if recipe.mirror and not isinstance(first := state.network.layers[0], Unflatten):
        raise ValueError(
            f"mirror: expected a network that begins with Unflatten, got {type(first).__name__}"
        )
    with ThreadPoolExecutor(threads) as pool:
        yield from _steps(state, x, y, held_x, held_y, recipe, seed, threads, pool)


def _check_data(x, y, classes, *, name="y"):
    """Raises ValueError unless y has (N,) one label in [0, classes) for each of x (N, D)."""
    check_labels(y, classes, name=name)
    if len(x) != len(y):
        raise ValueError(f"{name}: expected {len(x)} labels, one an image, got {len(y)}")


def _steps(state, x, y, held_x, held_y, recipe, seed, threads, pool):
    """The loop of fit, beside that of train: it hands out a whole State after every step, begins at
    any of them, and draws the order of an epoch and the chance of a step by their numbers.
    """
    first, batch, per_epoch = state.network.layers[0], recipe.batch, len(x) // recipe.batch
    while not finished(state, recipe):
        epoch = len(state.history)
        order = np.random.default_rng([seed, ORDER, epoch]).permutation(len(x))
        for i in range(state.step - epoch * per_epoch, per_epoch):
            rows, rng = (
                order[i * batch : (i + 1) * batch],
                np.random.default_rng([seed, CHANCE, state.step]),
            )
            images = mirrored(x[rows], first.shape, rng) if recipe.mirror else x[rows]
            lr = recipe.lr * SCHEDULES[recipe.schedule](state.step / (recipe.epochs * per_epoch))
            network = Sharded(state.network, pool, threads) if threads > 1 else state.network
            network, moments, value, z = train_step(
                network, state.moments, images, y[rows], lr=lr, rng=rng, update=adam, at=state.step
            )
            network = network.network if threads > 1 else network
            total, right = (
                state.running[0] + float(value),
                state.running[1] + int((z.argmax(axis=1) == y[rows]).sum()),
            )
            state = replace(
                state, network=network, moments=moments, step=state.step + 1, running=(total, right)
            )
            if i + 1 == per_epoch:
                loss, accuracy = evaluate(network, held_x, held_y)
                row = {
                    "epoch": epoch + 1,
                    "loss": total / per_epoch,
                    "accuracy": right / (per_epoch * batch),
                    "validation_loss": loss,
                    "validation_accuracy": accuracy,
                }
                history = (*state.history, row)
                best = network if best_epoch(history) is row else state.best
                state = replace(state, running=(0.0, 0), history=history, best=best)
            yield state
