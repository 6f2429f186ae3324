"""The slides (Reda and Xu 2019): retrain a network on one class and look again; and what the paper
did not try with them.

- look_again: a network that has never seen class c draws what c's output responds to; it is
  retrained on n images of c; it draws again. Do the pictures come to look like c? (table 3; scores
  of descriptors.py, a paired test and a chance baseline over runs). The slides' recipe: 200
  steps of the maximized probability from grey noise, n images tiled to batches of 32 (as their
  figure 5 says), Adam 1e-3, 10 epochs. VGG-16 and ImageNet's Siamese cats are not to be had: "not
  judged". For an output that has never been called, the probability has next to no gradient
  (p (1 - p) with p near 0), so the slides' picture before retraining is little more than its start;
  ascent of the logit is run beside it.
- ten_images: the paper's pipeline on a convolutional network: one image a class, its logits as
  targets, a linear and a convolutional student, and the ten as 8-bit PNG.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from refimpl.companions.cnn.recipes import untrained
from refimpl.companions.descriptors.descriptors import SCORES, compare_sets
from refimpl.companions.descriptors.printed import TABLE3
from refimpl.companions.maximization.activation_maximization import (
    class_objective,
    maximize,
    noise_starts,
)
from refimpl.data import Dataset
from refimpl.ledger.claim import Entry, Measurement, entry
from refimpl.losses import squared_error
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.optimize import adam, without_gradient
from refimpl.paper.png_dataset import to_pixels
from refimpl.retraining import retrain
from refimpl.training import train

BATCH, EPOCHS, LR = 32, 10, 1e-3  # of the retraining on one class, as the slides' figure 5
IMAGES, REFERENCE = 4, 6  # pictures a run, real images that they are compared with
OBJECTIVES = ("probability", "logit")
NOT_JUDGED = (
    (
        "slides/vgg16",
        "VGG-16's images before and after retraining: its weights are not to be had here",
    ),
    (
        "slides/siamese_cats",
        "VGG-16's Siamese cats (class 284 of ImageNet): the photographs are not to be had here",
    ),
)
SAY = {
    "bag_of_words": "bag of words",
    "sift_contribution": "SIFT contribution",
    "harris_repeatability": "Harris repeatability",
}


def held_out(data: Dataset, c: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(train_x (N, D), train_y (N,) without class c, its images (M, D)): what a network may see
    first, what it may not.

    >>> from refimpl.paper.tiny import tiny
    >>> [a.shape for a in held_out(tiny(100), 3)]
    [(90, 16), (90,), (10, 16)]
    """
    own = data.train_y == c
    return data.train_x[~own], data.train_y[~own], data.train_x[own]


def retrain_on_class(
    network: Network, images: np.ndarray, c: int, *, rng: np.random.Generator
) -> Network:
    """EPOCHS epochs of Adam on images (n, D) of class c, tiled to whole batches (the slides'
    recipe).

    >>> from refimpl.network import softmax_net
    >>> retrain_on_class(softmax_net(4, 3), np.eye(4), 1, rng=np.random.default_rng(0)).predict(
    ...     np.eye(4)
    ... ).tolist()
    [1, 1, 1, 1]
    """
    batches = -(-len(images) // BATCH)
    x = images[np.arange(batches * BATCH) % len(images)]
    y = np.full(len(x), c)
    steps = EPOCHS * batches
    return train(network, x, y, steps=steps, lr=LR, batch=BATCH, rng=rng, update=adam)[0]


def medians(scores: Sequence[float]) -> list[float]:
    """The median of every ten tries, as the slides' table 3 has one; tries beyond whole tens are
    left out.

    >>> medians([0.1] * 6 + [0.3] * 4 + [0.5] * 9)
    [0.1]
    """
    tens = len(scores) // TABLE3["runs"]
    return (
        [float(np.median(ten)) for ten in np.array_split(scores[: tens * TABLE3["runs"]], tens)]
        if tens
        else []
    )


def look_again(
    network: Network,
    own: np.ndarray,
    others: np.ndarray,
    image_shape: tuple[int, ...],
    c: int,
    *,
    n: int,
    seed: int,
    objective: str = "probability",
    standardize: str = "both",
    steps: int = 200,
) -> dict[str, dict]:
    """One run: {"before", "after", "chance": {score: value}, "moved": {when: rms of the pictures'
    change from their start}, "pictures": {when: (IMAGES, D)}}.

    network: one that has not been trained on class c. own: images of class c (at least n +
    REFERENCE), others: images of other classes. The n retraining images and the REFERENCE ones are
    drawn from own, apart from each other. Raises ValueError on too few images, ImportError without
    scikit-image, which finds the descriptors:

    >>> from refimpl.network import softmax_net
    >>> look_again(
    ...     softmax_net(784, 10),
    ...     np.zeros((5, 784)),
    ...     np.zeros((9, 784)),
    ...     (1, 28, 28),
    ...     3,
    ...     n=4,
    ...     seed=0,
    ... )
    Traceback (most recent call last):
        ...
    ValueError: own: expected at least 10 images (n + 6), got 5
    """
    if len(own) < n + REFERENCE:
        raise ValueError(
            f"own: expected at least {n + REFERENCE} images (n + {REFERENCE}), got {len(own)}"
        )
    if len(others) < IMAGES:
        raise ValueError(f"others: expected at least {IMAGES} images, got {len(others)}")
    rng = np.random.default_rng([seed, c, n])
    drawn = rng.choice(len(own), n + REFERENCE, replace=False)
    starts = noise_starts(network, IMAGES, rng)
    pictures = {}
    for when, net in (
        ("before", network),
        ("after", retrain_on_class(network, own[drawn[:n]], c, rng=rng)),
    ):
        target = class_objective(net, np.full(IMAGES, c), objective)
        dead = without_gradient(target, starts).any()  # then the pictures stay their starts
        pictures[when] = starts if dead else maximize(net, target, starts, steps=steps)[0]
    real = others[rng.choice(len(others), IMAGES, replace=False)]

    def shaped(x):
        return np.asarray(x, np.float64).reshape(-1, *image_shape)

    scores = compare_sets(
        shaped(pictures["before"]),
        shaped(pictures["after"]),
        shaped(own[drawn[n:]]),
        rng=rng,
        chance=shaped(real),
        standardize=standardize,
    )
    values = {
        when: {name: score.value for name, score in found.items()} for when, found in scores.items()
    }
    moved = {
        when: float(np.sqrt(np.mean((images - starts) ** 2))) for when, images in pictures.items()
    }
    return values | {"moved": moved, "pictures": pictures}


def ten_images(
    network: Network,
    data: Dataset,
    net: str,
    seed: int,
    *,
    steps: int = 200,
    student_steps: int = 300,
) -> tuple[dict[str, float], np.ndarray]:
    """The paper's pipeline on a convolutional network: test accuracies of it and of students of its
    ten images.

    Images: log-probability ascent from grey noise, steps of one grey level. Students: linear, from
    zero, on the logits; the same architecture from a fresh init, Adam 1e-3 on squared error, full
    batch. PNG: the images as 8-bit pixels and a black one, the network's logits for these pixels as
    targets. net: the architecture's name in ARCHITECTURES. Returns {"network", "linear", "same",
    "png": percent, "agreement": the linear student's with the network} and the images (K, D).

    >>> from refimpl.network import softmax_net
    >>> from refimpl.paper.tiny import tiny
    >>> network = softmax_net(64, 10, rng=np.random.default_rng(0), sigma=0.3)
    >>> scores, images = ten_images(
    ...     network, tiny(side=8), "small", seed=0, steps=20, student_steps=1
    ... )
    >>> list(scores), images.shape
    (['network', 'linear', 'same', 'png', 'agreement'], (10, 64))
    """
    rng, classes = np.random.default_rng([seed, 7]), np.arange(network.classes)
    images, _ = maximize(
        network,
        class_objective(network, classes, "log_probability"),
        noise_starts(network, network.classes, rng),
        steps=steps,
    )
    called = network.predict(data.test_pixels)
    linear = retrain(images, network.logits(images)).network.predict(data.test_pixels)
    pixels = to_pixels(images) / 255
    png = retrain(pixels, network.logits(pixels)).network.predict(data.test_pixels)
    student, targets = untrained(net, data, seed + 1000), network.logits(images)
    student, _ = train(
        student,
        images,
        targets,
        steps=student_steps,
        lr=1e-3,
        batch=len(images),
        rng=rng,
        loss=squared_error,
        update=adam,
    )
    return {
        "network": accuracy(data.test_y, called),
        "linear": accuracy(data.test_y, linear),
        "same": accuracy(data.test_y, student.predict(data.test_pixels)),
        "png": accuracy(data.test_y, png),
        "agreement": accuracy(called, linear),
    }, images


def claims(name: str) -> Iterator[Entry]:
    """The rows of the slides' pictures for one data set; they print numbers for CIFAR-10 only.

    >>> next(claims("digits")).id
    'slides/digits/small/ten/network'
    """
    for net in ("conv", "vonc") if name == "cifar10" else ("small",):
        for key, what in (
            ("network", "test accuracy of the network whose ten images are taken"),
            ("linear", "linear student of ten images of a CNN"),
            ("same", "student of the CNN's own architecture from ten images"),
            ("png", "linear student of the ten as 8-bit PNG and a black one"),
            ("agreement", "the linear student agrees with the CNN on"),
        ):
            yield Measurement(
                f"slides/{name}/{net}/ten/{key}",
                what,
                protocol="log-probability ascent from grey noise, 200 steps of a grey level; "
                "command look",
            )
        for objective in OBJECTIVES:
            for when in ("before", "after", "chance"):
                for score in SCORES:
                    printed = (
                        name == "cifar10"
                        and objective == "probability"
                        and (net, score) == (TABLE3["network"], TABLE3["score"])
                    )
                    paper = (
                        {"before": TABLE3["before"], "after": TABLE3["after"]}.get(when)
                        if printed
                        else None
                    )
                    yield entry(
                        f"slides/{name}/{net}/{objective}/{when}/{score}",
                        "slides",
                        f"{SAY[score]} with real images of an unseen class, {when}"
                        + (
                            " retraining on it" if when != "chance" else ": images of other classes"
                        ),
                        paper,
                        "number of pictures, size, reference images, lookup",
                        f"{objective} ascent; command look",
                        unit=0.01,
                    )
        yield from _medians(name, net)


def _medians(name: str, net: str) -> Iterator[Entry]:
    """Table 3's medians, each of ten tries: a verdict needs five times ten runs."""
    for when, printed in zip(("before", "after"), TABLE3["median"]):
        theirs = name == "cifar10" and net == TABLE3["network"]
        yield entry(
            f"slides/{name}/{net}/probability/{when}/{TABLE3['score']}/median",
            "slides",
            f"bag of words with real images of an unseen class, {when} retraining on it, median of "
            f"{TABLE3['runs']} tries",
            printed if theirs else None,
            "number of pictures, size, reference images, lookup",
            "probability ascent; command look --runs 50",
            unit=0.01,
        )
