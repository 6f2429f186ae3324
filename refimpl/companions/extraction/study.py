"""Beyond the paper: what it takes to get a whole hidden-layer network back from images, what that
costs, what it leaks.

Regimes: hints, hidden pre-activations with the images (extraction, recovery); filters, logits only,
hidden visualizations as fixed filters; scratch, logits only, unordered, a random start (unordered);
black_box, answers to queries only.
- curve: test accuracy against the number of images. Below a regime's own count its student is what
  least squares or descent make of too few numbers.
- sizes: bytes of images and targets against bytes of weights, as float32 and as 8-bit PNG, beside
  weights of 8 bits.
- privacy: the paper calls such images anonymized. A student that equals its teacher leaks what the
  teacher leaks.

Teachers: 784-h-10 (3072 on CIFAR-10), batch 100, lr falling linearly to 0, steps and lr in RECIPES;
nothing was chosen on test images.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.companions.extraction import exposure
from refimpl.companions.extraction.black_box import recover
from refimpl.companions.extraction.extraction import STUDENTS, Extraction, extract
from refimpl.companions.extraction.recovery import from_filters, from_hints
from refimpl.companions.extraction.unordered import retrain_unordered, unordered_images
from refimpl.data import Dataset
from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.ledger.claim import Claim, Entry, Measurement, entry, every
from refimpl.metrics import accuracy
from refimpl.network import Network, one_hidden_net
from refimpl.paper.png_dataset import read_dataset, to_pixels, write_dataset
from refimpl.paper.protocol import class_averages
from refimpl.paper.section10 import eight_bits
from refimpl.training import train

ACTIVATIONS = {"relu": ReLU(), "sigmoid": Sigmoid(), "tanh": Tanh()}
RECIPES = {
    "digits": (3_000, 0.2),
    "mnist": (12_000, 0.2),
    "fashion-mnist": (12_000, 0.1),
    "cifar10": (10_000, 0.02),
}
OWN = (3_000, 0.1)  # a data set of the user's own
COUNTS = {
    "hints": (5, 10, 15, 20, 25, 28, 30, 31),
    "filters": (32, 33, 34),
    "scratch": (100, 130, 150, 170, 200),
}


def teacher(data: Dataset, hidden: int, activation: str, seed: int) -> Network:
    """A float64 teacher with one hidden layer after the data set's recipe (steps, lr; five times lr
    for sigmoid).

    >>> from refimpl.paper.tiny import tiny
    >>> [p.shape for p in teacher(tiny(side=2), 3, "relu", seed=0).parameters]
    [(4, 3), (3,), (3, 10), (10,)]
    """
    steps, lr = RECIPES.get(data.name, OWN)
    start = one_hidden_net(
        data.train_pixels.shape[1],
        hidden,
        len(data.classes),
        rng=np.random.default_rng([seed, hidden]),
        activation=ACTIVATIONS[activation],
        dtype=np.float32,
    )
    network, _ = train(
        start,
        data.train_pixels,
        data.train_y,
        steps=steps,
        lr=lr * (5 if activation == "sigmoid" else 1),
        rng=np.random.default_rng([seed, 1]),
        falling=True,
    )
    return network.astype(np.float64)


def deeper(data: Dataset, widths: Sequence[int], seed: int) -> Network:
    """A float64 ReLU teacher with several hidden layers, the same recipe at half the learning rate.

    >>> from refimpl.paper.tiny import tiny
    >>> [layer.w.shape for layer in deeper(tiny(side=2), (3, 5), seed=0).layers[::2]]
    [(4, 3), (3, 5), (5, 10)]
    """
    steps, lr = RECIPES.get(data.name, OWN)
    rng, sizes = (
        np.random.default_rng([seed, *widths]),
        (data.train_pixels.shape[1], *widths, len(data.classes)),
    )
    layers = []
    for d, k in zip(sizes, sizes[1:]):
        layers += [
            Affine(
                rng.normal(0, np.sqrt(2 / d), (d, k)).astype(np.float32), np.zeros(k, np.float32)
            ),
            ReLU(),
        ]
    network, _ = train(
        Network(tuple(layers[:-1])),
        data.train_pixels,
        data.train_y,
        steps=steps,
        lr=lr / 2,
        rng=np.random.default_rng([seed, 1]),
        falling=True,
    )
    return network.astype(np.float64)


def compared(data: Dataset, network: Network, student: Network) -> dict[str, float]:
    """{"accuracy", "agreement": percent of the test images, "error": largest difference of logits
    over the largest}.

    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> found = compared(tiny(), network, network)
    >>> list(found), found["agreement"], found["error"]
    (['accuracy', 'agreement', 'error'], 100.0, 0.0)
    """
    z, own = (
        network.logits(data.test_x.astype(np.float64)),
        student.logits(data.test_x.astype(np.float64)),
    )
    called = own.argmax(axis=1)
    return {
        "accuracy": accuracy(data.test_y, called),
        "agreement": accuracy(z.argmax(axis=1), called),
        "error": float(np.abs(z - own).max() / np.abs(z).max()),
    }


def hints(
    data: Dataset, network: Network, images: int | None = None
) -> tuple[dict[str, float], Extraction]:
    """Regime hints with at most `images` images: (compared, Extraction).

    Raises ValueError as `extract` does.

    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> scores, e = hints(tiny(), network)
    >>> len(e.images), scores["error"] < 1e-10
    (4, True)
    """
    e = extract(network, regime="hints", images=images)
    return compared(
        data,
        network,
        from_hints(e.images, e.logits, e.hidden, activation=network.layers[1]),
    ), e


def filters(
    data: Dataset, network: Network, images: int | None = None
) -> tuple[dict[str, float], Extraction]:
    """Regime filters: (compared, Extraction). Raises ValueError as `extract` does.

    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> scores, e = filters(tiny(), network)
    >>> len(e.images), scores["error"] < 1e-10
    (5, True)
    """
    e = extract(network, regime="filters", images=images)
    student, _ = from_filters(e.images, e.logits, e.filters, activation=network.layers[1])
    return compared(data, network, student), e


def scratch(
    data: Dataset, network: Network, images: int, seed: int, *, whiten: bool = True
) -> dict[str, float]:
    """Regime scratch: compared, with the residual on the set and the number of students trained,
    at most STUDENTS.

    Raises ValueError on fewer than 2 images. A student trains for seconds, so here only that:

    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> scratch(tiny(), network, 1, seed=0)
    Traceback (most recent call last):
        ...
    ValueError: count: expected a whole number >= 2, got 1
    """
    rng = np.random.default_rng([seed, images])
    x = unordered_images(network, images, rng)
    student = retrain_unordered(
        x,
        network.logits(x),
        hidden=len(network.parameters[1]),
        activation=network.layers[1],
        rng=np.random.default_rng([seed, images, 1]),
        students=STUDENTS,
        whiten=whiten,
    )
    return compared(data, network, student.network) | {
        "residual": student.residual,
        "students": student.students,
    }


def black_box(data: Dataset, network: Network, seed: int) -> dict[str, Any]:
    """Regime black_box: compared, with queries, gates found, whether the check was passed, and why
    (not).

    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> found = black_box(tiny(), network, seed=0)
    >>> found["gates"], found["exact"], found["error"] < 1e-8
    (3, True, True)
    """
    found = recover(network.logits, network.inputs, rng=np.random.default_rng([seed, 3]))
    return compared(data, network, found.network) | {
        "queries": found.queries,
        "gates": found.gates,
        "exact": found.exact,
        "reason": found.reason,
    }


def curve(
    data: Dataset,
    network: Network,
    regime: str,
    counts: Sequence[int],
) -> list[tuple[int, list[float]]]:
    """[(images, [accuracy])] of "hints" or "filters", which hold no chance; without the counts that
    they cannot do with.

    Raises ValueError on another regime.

    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> [n for n, _ in curve(tiny(), network, "filters", counts=(1, 4, 5))]
    [4, 5]
    """
    if regime not in ("hints", "filters"):
        raise ValueError(f"regime: expected 'hints' or 'filters', got {regime!r}")
    rows, run = [], hints if regime == "hints" else filters
    for n in counts:
        try:
            rows.append((n, [run(data, network, n)[0]["accuracy"]]))
        except ValueError:  # fewer than the regime can do with, or more than it makes
            continue
    return rows


def sizes(data: Dataset, network: Network) -> list[tuple[str, int, float]]:
    """Rows (what, bytes, test accuracy): weights and images with hints, as float32, at 8 bits, and
    as PNG.

    As PNG the images lie in [0, 1] round mid-grey (png_dataset.to_pixels); a black and a grey image
    give the bias and the shift back; the pre-activations and logits of the rounded pixels are
    shipped beside them as float32.

    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> [(what, size) for what, size, _ in sizes(tiny(), network)][:2]
    [('weights, float32', 364), ('images, logits and hints, float32', 464)]
    """
    found, e = hints(data, network)
    x = e.images[np.abs(e.images).max(axis=1) > 0]  # the blank is the grey image below
    pixels = np.vstack([to_pixels(x), np.full((1, x.shape[1]), 128, np.uint8)])
    hidden_logits = network.forward(pixels / 255, upto=1)[0], network.logits(pixels / 255)
    with tempfile.TemporaryDirectory() as folder:
        targets = np.hstack(hidden_logits)
        write_dataset(Path(folder) / "png", pixels, targets, data.image_shape)
        stored = (
            sum(f.stat().st_size for f in (Path(folder) / "png").glob("*.png")) + 4 * targets.size
        )
        read, targets = read_dataset(Path(folder) / "png")
    h = len(network.parameters[1])
    student = from_hints(read, targets[:, h:], targets[:, :h], activation=network.layers[1])
    small = network.with_parameters([eight_bits(p) for p in network.parameters])
    count = sum(p.size for p in network.parameters)

    def score(net):
        return compared(data, network, net)["accuracy"]

    return [
        ("weights, float32", 4 * count, score(network.astype(np.float32))),
        (
            "images, logits and hints, float32",
            4 * (e.images.size + e.logits.size + e.hidden.size),
            found["accuracy"],
        ),
        ("weights, 8 bits, a scale an array", count + 4 * len(network.parameters), score(small)),
        ("images as 8-bit PNG, logits and hints float32", int(stored), score(student)),
    ]


def privacy(data: Dataset, network: Network, seed: int, *, images: int = 2_000) -> dict[str, dict]:
    """What the images show of the training data.

    network must have been trained on data (a Dataset whose test part is the held-out tail of the
    training file, as Dataset.validation gives): members are training images, others its test
    images, `images` of each. Returns {"resemblance": {images: (mean largest |cosine| with a member,
    with another)}, "energy": {span of images: (share of the class averages' energy in it, of the
    members')}, "membership": {network: (AUC, its standard error)}}.

    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> shown = privacy(tiny(), network, seed=0, images=20)
    >>> list(shown["membership"]), round(shown["energy"]["averages"][0], 6)
    (['teacher', 'student of its images', 'untrained'], 1.0)
    """
    rng = np.random.default_rng([seed, 9])
    rows = (
        rng.choice(len(data.train_pixels), images, replace=False),
        rng.choice(len(data.test_pixels), images, replace=False),
    )
    members, others = data.train_x[rows[0]], data.test_x[rows[1]]
    labels = data.train_y[rows[0]], data.test_y[rows[1]]
    _, e = hints(data, network)
    x = e.images[np.abs(e.images).max(axis=1) > 0]
    averages = class_averages(data, np.unique(data.train_y))
    start = one_hidden_net(
        network.inputs,
        len(network.parameters[1]),
        network.classes,
        rng=np.random.default_rng([seed, 8]),
        activation=network.layers[1],
    )
    untrained = start.layers[0].w.T
    student = from_hints(e.images, e.logits, e.hidden, activation=network.layers[1])

    def seen(of):
        return float(exposure.resemblance(of, members).mean()), float(
            exposure.resemblance(of, others).mean()
        )

    def energy(of, images):
        return float(exposure.energy_in_span(of, images).mean())

    return {
        "resemblance": {
            "extracted": seen(x),
            "untrained": seen(untrained),
            "averages": seen(averages),
        },
        "energy": {
            name: (energy(averages, span), energy(members, span))
            for name, span in (
                ("extracted", x),
                ("untrained", untrained),
                ("training images", members[: len(x)]),
                ("averages", averages),
            )
        },
        "membership": {
            name: exposure.auc(
                exposure.membership_scores(net, members, labels[0]),
                exposure.membership_scores(net, others, labels[1]),
            )
            for name, net in (
                ("teacher", network),
                ("student of its images", student),
                ("untrained", start),
            )
        },
    }


def claims(name: str) -> Iterator[Entry]:
    """The rows of the study for one data set: h = 30, ReLU.

    >>> claim = next(claims("mnist"))
    >>> claim.id, claim.expects
    ('extraction/mnist/hints/error', 'at most 1e-10')
    """
    p = f"extraction/{name}"
    within = {
        "hints": ("hidden pre-activations as hints, h + 1 images", 1e-10),
        "filters": ("logits only, hidden visualizations as filters, h + 1 + h/K images", 1e-8),
        "black_box": ("queries of the logits alone", 1e-8),
    }
    for key, (what, bound) in within.items():
        yield Claim(
            f"{p}/{key}/error",
            "extraction",
            f"largest relative error of the student's test logits, {what}",
            protocol="784-30-10, ReLU; command extract",
            better="lower",
            expects=f"at most {bound:g}",
            relation=every(f"{p}/{key}/error", lambda v, bound=bound: v <= bound),
            own=True,
        )
    yield Measurement(
        f"{p}/black_box/queries",
        "queries of the black box",
        protocol="float64 logits of all classes; published work sees one output",
    )
    for images in COUNTS["scratch"]:
        goal = 0.2 if images == 200 else None
        yield entry(
            f"{p}/scratch/{images}/lost",
            "extraction",
            f"points lost by a student from scratch, {images} images",
            protocol="unordered set, logits only, random init, best of two students by their own "
            "residual; command "
            "extract",
            better="lower",
            expects="at most .2" if goal else "",
            relation=every(f"{p}/scratch/{images}/lost", lambda v: v <= 0.2) if goal else None,
            own=True,
        )
    for key, what in (("teacher", "teacher"), ("student", "student of its images")):
        yield Measurement(
            f"{p}/membership/{key}",
            f"AUC of telling training images from unseen ones, {what}",
            protocol="threshold on the loss; .5 is chance",
        )
