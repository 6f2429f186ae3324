"""What the review says about inversion (Qin, Yu, Liu and Chen 2018), and the paper's outlook,
measured.

- reconstructions: every layer of a network inverted by regularization (Mahendran and Vedaldi 2015)
  and by a trained decoder (Dosovitskiy and Brox 2016). Only the weight of the regularizers is
  chosen, on training images.
- generated: activation maximization through a generator beside plain ascent, judged by another
  network.
- run and claims: the outlook's class images by an autoencoder, without a classifier, and the
  students they teach.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from refimpl.companions.cnn.activations import places
from refimpl.companions.inversion.decoder import decode, decoder_for, encode, train_decoder
from refimpl.companions.inversion.generator import (
    autoencoder,
    class_codes,
    generate,
    halves,
    template,
)
from refimpl.companions.inversion.inversion import invert, natural, noise
from refimpl.companions.inversion.similarity import reconstruction_error, ssim, typical_distance
from refimpl.companions.maximization.activation_maximization import (
    class_objective,
    maximize,
    noise_starts,
)
from refimpl.companions.maximization.priors import total_variation
from refimpl.data import Dataset
from refimpl.ledger.claim import Entry, Measurement
from refimpl.losses import softmax
from refimpl.network import Network
from refimpl.optimize import penalty
from refimpl.paper.protocol import class_averages
from refimpl.paper.section5 import compare, score
from refimpl.retraining import retrain

WEIGHTS = (0.0, 0.01, 0.1, 1.0)  # of both regularizers, chosen layer by layer
INVERSION_STEPS, STARTS = 150, 2
DECODER_STEPS, DECODER_LR, BATCH = 300, 5e-3, 32
AUTOENCODER_STEPS = 600


def some(y: np.ndarray, count: int) -> np.ndarray:
    """Indices (count,) into labels y (N,), the classes in turn: the first of every class, then the
    second, ...

    >>> some(np.array([1, 0, 1, 0, 0]), 3).tolist()
    [1, 0, 3]
    """
    turns = np.empty(len(y), int)
    for c in np.unique(y):
        turns[y == c] = np.arange((y == c).sum())
    return np.lexsort((y, turns))[:count]


def _by_regularization(
    network: Network,
    layers: int,
    x: np.ndarray,
    shape: tuple[int, ...],
    seed: int,
    *,
    weight: float,
    steps: int,
    starts: int = STARTS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (N, D) inverted at a layer from several starts: what
    refimpl.companions.inversion.inversion.invert returns.
    """
    rng = np.random.default_rng([seed, layers])
    return invert(
        network,
        layers,
        network.forward(x, upto=layers)[0],
        noise((starts, *x.shape), rng),
        steps=steps,
        rng=rng,
        priors=natural(shape, variation=weight, bound=weight),
    )


def _choose_weight(
    network: Network, layers: int, x: np.ndarray, shape: tuple[int, ...], seed: int, *, steps: int
) -> float:
    """The weight of WEIGHTS whose inversions of x, training images, lie nearest to them."""
    found = (
        _by_regularization(network, layers, x, shape, seed, weight=w, starts=1, steps=steps)
        for w in WEIGHTS
    )
    errors = [np.linalg.norm(images[0] - x, axis=1).mean() for images, _, _ in found]
    return WEIGHTS[int(np.argmin(errors))]


def trained_decoder(
    data: Dataset,
    network: Network,
    layers: int,
    code_shape: tuple[int, ...],
    seed: int,
    *,
    steps: int,
    change: Callable[..., np.ndarray] = lambda codes, rng: codes,
) -> Network:
    """A decoder from a layer, trained on all training images; change(codes, rng): what it is to
    decode instead.

    Raises ValueError where no decoder fits.

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0), dtype=np.float32)
    >>> decoder = trained_decoder(tiny(), network, 2, (3,), seed=0, steps=1)
    >>> decode(decoder, np.zeros((2, 3), np.float32)).shape  # from the 3 hidden values to 16 pixels
    (2, 16)
    """
    rng = np.random.default_rng([seed, layers])
    start, chance = (
        decoder_for(code_shape, data.image_shape, rng=rng),
        np.random.default_rng([seed, layers, 1]),
    )
    return train_decoder(
        start,
        data.train_x,
        steps=steps,
        lr=DECODER_LR,
        batch=BATCH,
        rng=rng,
        code=lambda x: change(encode(network, layers, x), chance),
    )[0]


def quality(
    x: np.ndarray, found: np.ndarray, scale: float, shape: tuple[int, ...]
) -> dict[str, Any]:
    """Mean reconstruction error, mean SSIM, and the error of every image (N,).

    x, found (N, D); scale: what the error is divided by, as in reconstruction_error; shape (C, H,
    W).

    >>> x = np.random.default_rng(0).random((2, 144))
    >>> {key: np.round(value, 9).tolist() for key, value in quality(x, x, 1.0, (1, 12, 12)).items()}
    {'error': 0.0, 'ssim': 1.0, 'errors': [0.0, 0.0]}
    """
    errors = reconstruction_error(x, found, scale)
    return {
        "error": float(errors.mean()),
        "ssim": float(ssim(x, found, shape).mean()),
        "errors": errors,
    }


def reconstructions(
    data: Dataset,
    network: Network,
    seed: int,
    *,
    images: int = 20,
    steps: int = INVERSION_STEPS,
    decoder_steps: int = DECODER_STEPS,
    progress: Callable[[str], Any] = lambda text: None,
) -> dict[str, Any]:
    """Test images inverted at every layer, both ways, beside the mean training image, which knows
    nothing of them.

    Returns {"x": (images, D), "scale", "mean": quality, "layers": rows}; a row has name, layers,
    shape, "decoder" (None where none fits, with "why"), "weight", "representation" (relative error,
    the smallest of the starts, mean over images), "starts" (standard deviation of the error over
    starts, mean over images), and for "regularized" (the start of the smallest loss) and "decoded"
    their quality and images.

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(144, 5, 10, rng=np.random.default_rng(0), dtype=np.float32)
    >>> found = reconstructions(tiny(side=12), network, seed=0, images=2, steps=1, decoder_steps=1)
    >>> [row["name"] for row in found["layers"]], found["layers"][0]["decoded"]["errors"].shape
    (['dense 1', 'dense 1, ReLU', 'outputs'], (2,))
    """
    x = data.test_x[some(data.test_y, images)]
    shape, scale = data.image_shape, typical_distance(data.test_x[:500])
    held = data.train_x[some(data.train_y, 10)]
    rows = []
    for name, layers, code_shape in places(network):
        progress(f"{name}: inversion by regularization")
        weight = _choose_weight(network, layers, held, shape, seed, steps=steps)
        found, errors, best = _by_regularization(
            network, layers, x, shape, seed, weight=weight, steps=steps
        )
        over_starts = np.std(
            [reconstruction_error(x, images, scale) for images in found], axis=0, ddof=1
        )
        found = found[best, np.arange(len(x))]
        row: dict[str, Any] = {
            "name": name,
            "layers": layers,
            "shape": code_shape,
            "weight": weight,
            "starts": float(over_starts.mean()),
            "representation": float(errors.min(axis=0).mean()),
            "regularized": quality(x, found, scale, shape) | {"images": found},
            "decoder": None,
            "why": "",
        }
        progress(f"{name}: training a decoder")
        try:
            row["decoder"] = trained_decoder(
                data, network, layers, code_shape, seed, steps=decoder_steps
            )
            decoded = decode(row["decoder"], encode(network, layers, x))
            row["decoded"] = quality(x, decoded, scale, shape) | {"images": decoded}
        except ValueError as error:
            row["why"] = str(error)
        rows.append(row)
    mean = np.broadcast_to(data.train_x.mean(axis=0), x.shape)
    return {"x": x, "scale": scale, "mean": quality(x, mean, scale, shape), "layers": rows}


def nearest(images: np.ndarray, x: np.ndarray, scale: float) -> np.ndarray:
    """The distance of each image to the nearest of x, over scale: (n, D), (N, D) -> (n,).

    >>> nearest(np.array([[3.0, 4.0]]), np.array([[0.0, 0.0], [3.0, 0.0]]), 2.0).tolist()
    [2.0]
    """
    images, x = images.astype(np.float64), x.astype(np.float64)
    squares = (images**2).sum(axis=1)[:, None] - 2 * images @ x.T + (x**2).sum(axis=1)
    return np.sqrt(np.maximum(squares.min(axis=1), 0)) / scale


def generated(
    data: Dataset,
    network: Network,
    judge: Network,
    row: Mapping[str, Any],
    scale: float,
    seed: int,
    *,
    steps: int = 200,
) -> list[dict[str, Any]]:
    """Every class maximized through the decoder of a row (after a ReLU), and from noise by pixels,
    without and with priors.

    judge: another network of the same task. [{"name", "images", "own", "judge" (probabilities
    (K,)), "nearest" (distance to the nearest training image)}], first of all the mean code's image.

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0), dtype=np.float32)
    >>> row = {"layers": 2, "decoder": trained_decoder(tiny(), network, 2, (3,), 0, steps=1)}
    >>> [
    ...     (r["name"], r["own"].shape)
    ...     for r in generated(tiny(), network, network, row, 1.0, 0, steps=1)
    ... ][1:3]
    [('through the generator', (10,)), ('by pixels', (10,))]
    """
    classes, shape = np.arange(network.classes), data.image_shape
    codes = encode(network, row["layers"], data.train_x[:5_000])
    mean = np.repeat(
        decode(row["decoder"], codes.mean(axis=0, keepdims=True)), len(classes), axis=0
    )
    starts = noise_starts(network, len(classes), np.random.default_rng(seed))
    smooth = (penalty(lambda x: total_variation(x, shape), 0.1),)
    found = {
        "mean code (the start)": mean,
        "through the generator": generate(network, row["decoder"], codes, classes, steps=steps)[0],
        "by pixels": maximize(network, class_objective(network, classes), starts, steps=steps)[0],
        "by pixels, total variation": maximize(
            network, class_objective(network, classes), starts, steps=steps, priors=smooth
        )[0],
    }
    return [
        {
            "name": name,
            "images": images,
            "own": softmax(network.logits(images))[classes, classes],
            "judge": softmax(judge.logits(images))[classes, classes],
            "nearest": nearest(images, data.train_x[:5_000], scale),
        }
        for name, images in found.items()
    ]


def class_images(
    data: Dataset, seed: int, *, steps: int = AUTOENCODER_STEPS
) -> tuple[dict[str, np.ndarray], float]:
    """The outlook: {"mean_code": (K, D), "ascended": (K, D)} of an autoencoder, and its mean error
    on test images.

    mean_code: the decoded mean code of each class. ascended: the code climbed, from there, for the
    likeness of its image to the class average minus the average of all. No classifier takes part.

    >>> from refimpl.paper.tiny import tiny
    >>> images, _ = class_images(tiny(), seed=0, steps=1)
    >>> {name: x.shape for name, x in images.items()}
    {'mean_code': (10, 16), 'ascended': (10, 16)}
    """
    rng = np.random.default_rng([seed, 5])
    network, layers = autoencoder(data.image_shape, rng=rng)
    network, _ = train_decoder(
        network, data.train_x, steps=steps, lr=DECODER_LR, batch=BATCH, rng=rng
    )
    encoder, decoder = halves(network, layers)
    codes = encode(encoder, layers, data.train_x)
    means = class_codes(codes, data.train_y, len(data.classes))
    climbed = generate(
        template(class_averages(data)), decoder, codes, np.arange(len(means)), decay=0, start=means
    )[0]
    x = data.test_x[:500]
    error = reconstruction_error(
        x, decode(decoder, encode(encoder, layers, x)), typical_distance(x)
    ).mean()
    return {"mean_code": decode(decoder, means), "ascended": climbed}, float(error)


def taught(data: Dataset, teacher: Network, images: np.ndarray) -> dict[str, float]:
    """Linear students from zero on images (K, D): accuracy with the teacher's logits, agreement
    with it, accuracy with one-hot targets, where nothing of any classifier is left; all in percent.

    >>> from refimpl.network import softmax_net
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> teacher = softmax_net(16, 10, rng=np.random.default_rng(0), sigma=0.1)
    >>> taught(data, teacher, data.train_x[:10])["onehot"]  # an image of each class
    100.0
    """
    student = retrain(images, teacher.logits(images)).network
    return {
        "accuracy": score(data, student)[0],
        "agreement": compare(data, teacher, student)["agreement"],
        "onehot": score(data, retrain(images, np.eye(len(images))).network)[0],
    }


def run(
    data: Dataset, teacher: Network, seed: int, *, steps: int = AUTOENCODER_STEPS
) -> dict[str, float]:
    """The ledger's values: what the outlook's images teach a student from zero.

    >>> from functools import partial
    >>> from unittest.mock import patch
    >>> from refimpl.companions.inversion import study as inversion_study
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> with patch.object(
    ...     inversion_study, "retrain", partial(retrain, steps=9)
    ... ):  # in place of all that they take
    ...     found = run(tiny(), tiny_teacher(), 0, steps=1)
    >>> list(found)[:3]
    ['outlook/digits/error', 'outlook/digits/mean_code', 'outlook/digits/mean_code/agreement']
    """
    images, error = class_images(data, seed, steps=steps)
    out = {f"outlook/{data.name}/error": error}
    for name, ten in images.items():
        found = taught(data, teacher, ten)
        out |= {
            f"outlook/{data.name}/{name}": found["accuracy"],
            f"outlook/{data.name}/{name}/agreement": found["agreement"],
            f"outlook/{data.name}/{name}/onehot": found["onehot"],
        }
    return out


def claims(name: str) -> Iterator[Entry]:
    """Rows of the outlook; beside them stand section7/NAME/same_teacher (averages) and
    table5/NAME/class_visualizations.

    >>> [claim.id for claim in claims("digits")][-1]
    'outlook/digits/error'
    """
    protocol = (
        f"autoencoder of 64 units, {AUTOENCODER_STEPS} steps of Adam {DECODER_LR:g} on batches of "
        f"{BATCH}; student "
        "from zero, full batch, squared error on the teacher's logits, to a gradient of 1e-12"
    )
    for key, what in (
        ("mean_code", "decoded mean codes of an autoencoder"),
        ("ascended", "decoded codes of an autoencoder, climbed for likeness to the class average"),
    ):
        yield Measurement(
            f"outlook/{name}/{key}", f"retrained on ten {what}: accuracy", protocol=protocol
        )
        yield Measurement(
            f"outlook/{name}/{key}/agreement",
            f"retrained on ten {what}: agreement",
            protocol=protocol,
        )
        yield Measurement(
            f"outlook/{name}/{key}/onehot",
            f"retrained on ten {what}, one-hot targets: accuracy",
            protocol=protocol.replace("the teacher's logits", "one-hot targets, no teacher"),
        )
    yield Measurement(
        f"outlook/{name}/error",
        "the autoencoder's error on test images over their typical distance",
        protocol=protocol,
    )
