"""What the units of a stacked denoising autoencoder respond to most (Erhan et al. 2009): from
several random starts, UNITS units a layer.

Erhan et al. found that for the layers above the first, where nothing is proved, the ascents from
different starts ended at one pattern a unit. As a number: the mean cosine of two images of one
unit, beside that of images of different units. For the first layer T13's argument says what the
pattern is: the unit's weights.
"""

from collections.abc import Iterator

import numpy as np

from refimpl.companions.maximization.autoencoder import favourite_images, stacked_autoencoder
from refimpl.data import Dataset
from refimpl.ledger.claim import Claim, Entry, Measurement, always_below, every
from refimpl.network import Network

WIDTHS, STEPS = (100, 100, 100), 1_000
UNITS, STARTS = 10, 5
NOT_JUDGED = (  # of the review's section on activation maximization: (what, why)
    (
        "review/deep_belief_net",
        "units of a deep belief net, Erhan's first network: there are no Boltzmann machines here; "
        "his second, the stacked denoising autoencoder, is judged",
    ),
    (
        "review/two_objects",
        "an output that answers two objects in one picture (a hand and a telephone): no data set "
        "here has such pictures",
    ),
    (
        "review/caffenet",
        "faces, wheels and bottles in CaffeNet, AlexNet and ZFNet: their weights are not to be had "
        "here; the same code runs on small networks",
    ),
)


def favourites(data: Dataset, seed: int) -> tuple[Network, tuple[float, ...], np.ndarray]:
    """(the encoder, what its decoders left of their inputs, images (layers, UNITS, STARTS, D)) of
    one seed; the images have the mean norm of the training images.

    >>> from unittest.mock import patch
    >>> from refimpl.companions.maximization import autoencoder_study
    >>> from refimpl.paper.tiny import tiny
    >>> with patch.multiple(autoencoder_study, WIDTHS=(12, 12), STEPS=5, STARTS=2):
    ...     favourites(tiny(), 0)[2].shape
    (2, 10, 2, 16)
    """
    rng = np.random.default_rng([seed, 29])
    encoder, left = stacked_autoencoder(data.train_x, WIDTHS, steps=STEPS, rng=rng)
    radius = float(np.linalg.norm(data.train_x, axis=1).mean())
    images = [
        [
            favourite_images(encoder, layer, unit, radius=radius, starts=STARTS, rng=rng)
            for unit in range(UNITS)
        ]
        for layer in range(1, len(WIDTHS) + 1)
    ]
    return encoder, left, np.array(images)


def _cosines(images: np.ndarray) -> float:
    """The mean cosine of two different rows of images (N, D)."""
    unit = images / np.linalg.norm(images, axis=1, keepdims=True)
    cosine = unit @ unit.T
    return float((cosine.sum() - len(cosine)) / (len(cosine) * (len(cosine) - 1)))


def run(data: Dataset, teacher: Network, seed: int) -> dict[str, float]:
    """The numbers of one seed: {id of the ledger: number}; no teacher is needed, for no label is.

    >>> from unittest.mock import patch
    >>> from refimpl.companions.maximization import autoencoder_study
    >>> from refimpl.paper.tiny import tiny
    >>> with patch.multiple(autoencoder_study, WIDTHS=(12, 12, 12), STEPS=5, STARTS=2):
    ...     found = run(tiny(), None, 0)
    >>> round(found["autoencoder/digits/1/filter"], 6)
    1.0
    """
    encoder, left, images = favourites(data, seed)
    prefix = f"autoencoder/{data.name}"
    out = {}
    for layer, (rest, some) in enumerate(zip(left, images), 1):
        out[f"{prefix}/{layer}/left"] = rest
        out[f"{prefix}/{layer}/one_unit"] = float(np.mean([_cosines(own) for own in some]))
        out[f"{prefix}/{layer}/units"] = _cosines(some[:, 0])
    w = encoder.layers[0].w[:, :UNITS]
    first = images[0, :, 0]
    sizes = np.linalg.norm(w, axis=0) * np.linalg.norm(first, axis=1)
    out[f"{prefix}/1/filter"] = float(np.mean(np.einsum("dj,jd->j", w, first) / sizes))
    return out


def claims(name: str) -> Iterator[Entry]:
    """The rows of the ledger for one data set; the review prints no number for it.

    >>> [claim.id for claim in claims("digits") if hasattr(claim, "own")][0]
    'autoencoder/digits/1/filter'
    """
    prefix = f"autoencoder/{name}"
    how = (
        f"stacked denoising autoencoder {'-'.join(map(str, WIDTHS))}, {STEPS:,} steps a layer; "
        f"{UNITS} units a layer from {STARTS} random starts on a sphere"
    )
    yield Claim(
        f"{prefix}/1/filter",
        "review",
        "cosine of a first-layer unit's favourite image and its weights",
        protocol=how,
        expects="1 to round-off (T13's argument)",
        relation=every(f"{prefix}/1/filter", lambda v: v >= 1 - 1e-9),
        own=True,
    )
    for layer in range(1, len(WIDTHS) + 1):
        one, units = f"{prefix}/{layer}/one_unit", f"{prefix}/{layer}/units"
        yield Claim(
            one,
            "review",
            f"layer {layer}: cosine of one unit's favourite images from different starts",
            protocol=how,
            expects="one pattern a unit (Erhan et al. 2009): at least .9",
            relation=every(one, lambda v: v >= 0.9),
        )
        yield Claim(
            units,
            "review",
            f"layer {layer}: the same for different units",
            protocol=how,
            better="lower",
            expects="below that of one unit",
            relation=always_below(units, one),
            own=True,
        )
        yield Measurement(
            f"{prefix}/{layer}/left", f"layer {layer}: share of its input that is not decoded", how
        )
