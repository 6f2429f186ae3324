"""HOG inverted by regularization (Mahendran and Vedaldi 2015), and what of an image comes back.

STEPS and the descriptor's EPSILON were chosen by the descriptor's error on eight of digits' TEST
images: for digits that error is no clean measurement. On the other data sets nothing was chosen.
"""

from collections.abc import Iterator

import numpy as np

from refimpl.companions.inversion.hog import hog_network
from refimpl.companions.inversion.inversion import invert, natural, noise
from refimpl.data import Dataset
from refimpl.ledger.claim import Claim, Entry, Measurement, always_below
from refimpl.network import Network

IMAGES, STARTS, STEPS = 20, 2, 300
VARIATION, BOUND = 0.01, 0.01  # weights of both regularizers
CELLS = {"fine": 7, "coarse": 4}  # cells a side, of 4 and 7 pixels where images have 28


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The correlation of the pixels of every row of one (N, D) with every row of other (M, D):
    (N, M). HOG knows neither brightness nor contrast, so that nothing else can be asked for.

    >>> likeness(np.array([[0.0, 1.0, 2.0]]), np.array([[5.0, 7.0, 9.0]])).round(6).tolist()
    [[1.0]]
    """
    one, other = (
        x.astype(np.float64) - x.mean(axis=1, keepdims=True, dtype=np.float64) for x in (one, other)
    )
    sizes = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1)
    return one @ other.T / sizes


def inversions(data: Dataset, cells: int, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(IMAGES test images (N, D), what their HOG alone gives back (N, D), the mean relative error
    of the descriptor) for one seed. cells: how many along a side.

    >>> from unittest.mock import patch
    >>> from refimpl.companions.inversion import hog_study
    >>> from refimpl.paper.tiny import tiny
    >>> with patch.multiple(hog_study, IMAGES=3, STEPS=3):
    ...     inversions(tiny(side=8), 2, 0)[1].shape
    (3, 64)
    """
    rng = np.random.default_rng([seed, 31, cells])
    cell = data.image_shape[1] // cells
    rows = rng.choice(len(data.test_y), IMAGES, replace=False)
    network = hog_network(data.image_shape, cell=cell)
    x = data.test_x[rows].astype(np.float64)
    target = network.forward(x)[0]
    starts = noise((STARTS, *x.shape), rng).astype(np.float64)
    priors = natural(data.image_shape, variation=VARIATION, bound=BOUND)
    found, errors, best = invert(
        network, len(network.layers), target, starts, steps=STEPS, priors=priors, rng=rng
    )
    each = np.arange(len(x))
    return x, found[best, each], float(errors[best, each].mean())


def run(data: Dataset, teacher: Network, seed: int) -> dict[str, float]:
    """The numbers of one seed: {id of the ledger: number}; no teacher is needed.

    >>> from unittest.mock import patch
    >>> from refimpl.companions.inversion import hog_study
    >>> from refimpl.paper.tiny import tiny
    >>> with patch.multiple(hog_study, IMAGES=3, STEPS=3, CELLS={"fine": 2}):
    ...     list(run(tiny(side=8), None, 0))[:2]
    ['hog/digits/fine/error', 'hog/digits/fine/own']
    """
    out = {}
    for kind, cells in CELLS.items():
        x, back, error = inversions(data, cells, seed)
        like, prefix = likeness(back, x), f"hog/{data.name}/{kind}"
        own = np.diag(like)
        out[f"{prefix}/error"] = error
        out[f"{prefix}/own"] = float(own.mean())
        out[f"{prefix}/others"] = float((like.sum() - own.sum()) / (len(x) * (len(x) - 1)))
        out[f"{prefix}/found"] = 100 * float(np.mean(like.argmax(axis=1) == np.arange(len(x))))
    return out


def claims(name: str) -> Iterator[Entry]:
    """The rows of the ledger for one data set; the review prints no number for it.

    >>> next(claims("mnist")).id
    'hog/mnist/fine/error'
    """
    for kind, cells in CELLS.items():
        prefix = f"hog/{name}/{kind}"
        how = (
            f"{cells} x {cells} cells, 8 orientations, {IMAGES} test images, {STARTS} starts, "
            f"{STEPS} steps, total variation and alpha-norm at {VARIATION:g}"
        )
        yield Measurement(f"{prefix}/error", "HOG inverted: relative error of the descriptor", how)
        yield Claim(
            f"{prefix}/others",
            "review",
            "correlation of what HOG gives back with other images",
            protocol=how,
            better="lower",
            expects="below that with the image itself",
            relation=always_below(f"{prefix}/others", f"{prefix}/own"),
            own=True,
        )
        yield Measurement(
            f"{prefix}/own", "correlation of what HOG gives back with the image itself", how
        )
        yield Measurement(f"{prefix}/found", "percent of them that are likest their own image", how)
