"""How the slides' two networks (Reda and Xu 2019) and the small one are trained here, and what the
slides print of them.

Slides: CIFAR-10, Adam 1e-4, batch 128, 35,000 images of the training set to train on and 15,000 to
validate on. They do not say which; here the last 15,000 in the files' order validate. Pixels in [0,
1]. Keras' training loss and accuracy are means over an epoch's batches as they came, dropout at
work: compare those, not an evaluation after the epoch.

- conv: the slides' recipe as printed, 10 epochs.
- vonc: the slides print up to 250 epochs with early stopping. Ours is a tenth of that: Adam 1e-3
  falling along a cosine to 0 over 30 epochs, each image or its mirror image by chance, early
  stopping (patience 10), the best network kept.
- small: for teaching, under a minute; its lr (1e-3, 3e-3) and epochs (5, 10) were chosen by the
  digits' validation images.

Differences to Keras: an epoch's last incomplete batch is left out (56 of 35,000 images); weights
start from He's law. No choice here looked at test images: their accuracy is only reported.
"""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any

import numpy as np

from refimpl.companions.cnn.architectures import ARCHITECTURES
from refimpl.companions.cnn.epochs import Recipe, State, best_epoch, evaluate
from refimpl.data import Dataset, held_out
from refimpl.dtypes import rows_as
from refimpl.ledger.claim import Claim, Entry
from refimpl.network import Network
from refimpl.weights import digest

RECIPES = {
    "conv": Recipe(10, 1e-4),
    "vonc": Recipe(30, 1e-3, schedule="cosine", mirror=True, patience=10),
    "small": Recipe(10, 3e-3, batch=64, schedule="linear"),
}
VALIDATION = {"cifar10": 15_000}  # where the slides hold out another number
PUBLISHED = {
    "conv": {
        "loss": 1.213,
        "accuracy": 0.566,
        "validation_loss": 1.344,
        "validation_accuracy": 0.515,
    },
    "vonc": {
        "loss": 0.517,
        "accuracy": 0.818,
        "validation_loss": 0.707,
        "validation_accuracy": 0.758,
    },
}
REPORTED = {
    "conv": "last",
    "vonc": "best",
}  # the epoch that is judged: the slides' tenth; where early stopping stopped


def validation_images(data: Dataset) -> int:
    """How many of the last training images validate.

    >>> from refimpl.paper.tiny import tiny
    >>> validation_images(tiny())
    2000
    """
    return VALIDATION.get(data.name, held_out(data))


def split(data: Dataset) -> Dataset:
    """The Dataset without its last `validation_images` training images, which become its test set.

    >>> from refimpl.paper.tiny import tiny
    >>> held = split(tiny(2_100))
    >>> len(held.train_pixels), len(held.test_pixels)
    (100, 2000)
    """
    return data.validation(validation_images(data))


def untrained(net: str, data: Dataset, seed: int) -> Network:
    """A network of ARCHITECTURES for the images of a Dataset, float32. Raises ValueError where they
    do not fit it.

    >>> from refimpl.paper.tiny import tiny
    >>> sum(p.size for p in untrained("small", tiny(side=8), seed=0).parameters)
    6058
    """
    return ARCHITECTURES[net](data.image_shape, len(data.classes), rng=np.random.default_rng(seed))


def images_of(data: Dataset) -> str:
    """Twelve hexadecimal digits of the training images and labels.

    >>> from refimpl.paper.tiny import tiny
    >>> images_of(tiny(20)) == images_of(tiny(30))
    False
    """
    pixels = data.train_pixels
    parts = (pixels[i : i + 1_000] for i in range(0, len(pixels), 1_000))
    rows = (rows_as(part, np.float32) if part.dtype == np.uint8 else part for part in parts)
    return digest(data.name, chain(rows, [data.train_y]))[:12]


def settings(net: str, data: Dataset, recipe: Recipe, seed: int) -> dict[str, Any]:
    """What a run's result depends on, but for the code, in few words: a checkpoint belongs to a run
    of equal settings.

    >>> from refimpl.paper.tiny import tiny
    >>> ", ".join(settings("small", tiny(), RECIPES["small"], seed=0))
    'network, data, images, validation, seed, epochs, lr, batch, schedule, mirror, patience'
    """
    return {
        "network": net,
        "data": data.title,
        "images": images_of(data),
        "validation": validation_images(data),
        "seed": seed,
        **asdict(recipe),
    }


def measure(state: State, split: Dataset, data: Dataset) -> dict[str, dict]:
    """What is reported of a finished run, of its last epoch and of its best: {"last": {...},
    "best": {...}}.

    Each: the epoch's row of the history; evaluated_loss and evaluated_accuracy, on the training
    images without dropout; test_accuracy. Losses are cross-entropies, accuracies fractions. Raises
    ValueError before the end of the first epoch.

    >>> from refimpl.network import softmax_net
    >>> from refimpl.paper.tiny import tiny
    >>> data, net = tiny(), softmax_net(16, 10)
    >>> state = State(net, (), history=({"epoch": 1, "validation_accuracy": 0.1},), best=net)
    >>> {key: round(value, 4) for key, value in measure(state, data, data)["last"].items()}
    {'epoch': 1, 'validation_accuracy': 0.1, 'evaluated_loss': 2.3026, 'evaluated_accuracy': 0.1, 'test_accuracy': 0.1}
    """
    if state.best is None:
        raise ValueError("state: expected a run of at least one epoch, got one of none")
    scores: dict[str, dict] = {}
    for which, network, row in (
        ("best", state.best, best_epoch(state.history)),
        ("last", state.network, state.history[-1]),
    ):
        if which == "last" and network is state.best:
            scores["last"] = scores["best"]
            break
        loss, right = evaluate(network, split.train_pixels, split.train_y)
        scores[which] = row | {
            "evaluated_loss": loss,
            "evaluated_accuracy": right,
            "test_accuracy": evaluate(network, data.test_pixels, data.test_y)[1],
        }
    return scores


def claims(name: str) -> Iterator[Entry]:
    """What the slides print of the training of their networks, for one data set: CIFAR-10 has
    numbers, no other.

    >>> claim = next(claims("cifar10"))
    >>> claim.id, claim.paper
    ('slides/cifar10/conv/loss', 1.213)
    """
    words = {
        "loss": "training loss",
        "accuracy": "training accuracy",
        "validation_loss": "validation loss",
        "validation_accuracy": "validation accuracy",
    }
    for net in ("conv", "vonc") if name == "cifar10" else ():
        for key, printed in PUBLISHED[net].items():
            yield Claim(
                f"slides/{name}/{net}/{key}",
                "slides",
                f"{net.capitalize()}, {words[key]}",
                printed,
                "which images validate, weights' law",
                "command train, recipe in companions/cnn/recipes.py",
                unit=0.01,
                better="lower" if "loss" in key else "higher",
            )
