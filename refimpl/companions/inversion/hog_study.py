"""HOG inverted by regularization (Mahendran and Vedaldi 2015), and what of an image comes back.

STEPS and the descriptor's EPSILON are what `choose` finds on training images of digits; on the
other data sets nothing was chosen.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from refimpl.companions.inversion.hog import EPSILON, hog_network
from refimpl.companions.inversion.inversion import invert, natural, noise
from refimpl.data import Dataset
from refimpl.ledger.claim import Claim, Entry, Measurement, always_below
from refimpl.network import Network

IMAGES, STARTS, STEPS = 20, 2, 600
VARIATION, BOUND = 0.01, 0.01  # weights of both regularizers
CELLS = {"fine": 7, "coarse": 4}  # cells a side, of 4 and 7 pixels where images have 28
EPSILONS, BUDGETS = (0.01, 0.03, 0.1, 0.3), (150, 300, 600, 1200)  # what `choose` tries
CHOSEN_ON, NEAR = 8, 0.02  # its training images; correlations so close to the best are as good


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
    rows = rng.choice(len(data.test_y), IMAGES, replace=False)
    x = data.test_x[rows].astype(np.float64)
    return x, *invert_images(x, data.image_shape, cells, rng)


def invert_images(
    x: np.ndarray,
    image_shape: tuple[int, int, int],
    cells: int,
    rng: np.random.Generator,
    *,
    epsilon: float = EPSILON,
    steps: int | None = None,
) -> tuple[np.ndarray, float]:
    """(what the HOG of images x (N, D) alone gives back (N, D), the mean relative error of the
    descriptor): of STARTS starts an image the one with the smallest loss. steps: STEPS by default.

    >>> x = np.random.default_rng(0).random((2, 64))
    >>> invert_images(x, (1, 8, 8), 2, np.random.default_rng(0), steps=3)[0].shape
    (2, 64)
    """
    network = hog_network(image_shape, cell=image_shape[1] // cells, epsilon=epsilon)
    starts = noise((STARTS, *x.shape), rng).astype(np.float64)
    found, errors, best = invert(
        network,
        len(network.layers),
        network.forward(x)[0],
        starts,
        steps=STEPS if steps is None else steps,
        priors=natural(image_shape, variation=VARIATION, bound=BOUND),
        rng=rng,
    )
    each = np.arange(len(x))
    return found[best, each], float(errors[best, each].mean())


def choose(
    data: Dataset,
    *,
    epsilons: Sequence[float] = EPSILONS,
    budgets: Sequence[int] = BUDGETS,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[float, int]:
    """(epsilon, steps) by the correlation of what comes back with the image itself, on CHOSEN_ON
    training images, mean over both sizes of cells: the fewest steps, and with them the best
    epsilon, within NEAR of the best of all. The descriptor's own error would not do, since another
    epsilon is another descriptor. Never reads a test image. report(line) for every pair.

    >>> from refimpl.paper.tiny import tiny
    >>> choose(tiny(side=8), epsilons=(0.1,), budgets=(2, 3))[0]
    0.1
    """
    rows = np.random.default_rng(31).choice(len(data.train_y), CHOSEN_ON, replace=False)
    x, found = data.train_x[rows].astype(np.float64), {}
    for steps in budgets:
        for epsilon in epsilons:
            own = []
            for cells in CELLS.values():
                rng = np.random.default_rng([31, cells])
                back, _ = invert_images(
                    x, data.image_shape, cells, rng, epsilon=epsilon, steps=steps
                )
                own.append(np.diag(likeness(back, x)).mean())
            found[epsilon, steps] = float(np.mean(own))
            report(f"epsilon {epsilon:g}, {steps} steps: correlation {found[epsilon, steps]:.3f}")
    enough = [pair for pair in found if found[pair] >= max(found.values()) - NEAR]
    fewest = min(steps for _, steps in enough)
    return max((pair for pair in enough if pair[1] == fewest), key=found.__getitem__)


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
