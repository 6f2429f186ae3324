"""T13, measured: what a unit of the first convolution prefers, and DeconvNet beside the gradient.

Records as in `refimpl.paper.theorems`.
"""

import numpy as np

from refimpl.companions.deconv.deconvnet import project_unit
from refimpl.data import Dataset
from refimpl.layers import Unflatten
from refimpl.layers.conv import Conv2D
from refimpl.network import Network
from refimpl.optimize import ascend
from refimpl.paper.theorem import Theorem, compare

SIZE, FILTERS, NORM = 3, 4, 2.0


def preferred(
    w: np.ndarray, shape: tuple[int, int, int], at: tuple[int, int], norm: float
) -> np.ndarray:
    """T13: the image of this norm that a unit of a "same" convolution of stride 1 prefers.

    r f / |f| in its receptive field, f cropped where the field leaves the image. w (C, kh, kw), odd
    sizes; shape (C, H, W); at: the unit's row and column. Returns (C, H, W).

    >>> image = preferred(np.ones((1, 3, 3)), (1, 4, 4), (0, 0), 2.0)
    >>> image[0, :2, :2].tolist(), float(image.sum())
    ([[1.0, 1.0], [1.0, 1.0]], 4.0)
    """
    (c, height, width), (kh, kw) = shape, w.shape[1:]
    canvas = np.zeros((c, height + kh - 1, width + kw - 1))
    canvas[:, at[0] : at[0] + kh, at[1] : at[1] + kw] = w
    image = canvas[:, kh // 2 : kh // 2 + height, kw // 2 : kw // 2 + width]
    return norm * image / np.linalg.norm(image)


def _sum_of(network, kept):
    """The objective of an ascent: the pre-activations weighted by kept (1, F, H, W) and summed."""

    def objective(x, step):
        z, caches = network.forward(x)
        return (z * kept).sum(axis=(1, 2, 3)), network.backward(kept, caches)[0]

    return objective


def _strongest(network, shape, at, rng):
    """The image (D,) of norm NORM, found by ascent, that the unit of channel 1 at (row, column)
    responds to most.
    """

    def to_norm(x):
        return NORM * x / np.linalg.norm(x)

    kept = np.zeros((1, FILTERS, *shape[1:]))
    kept[0, 1, at[0], at[1]] = 1
    start = to_norm(rng.normal(size=(1, int(np.prod(shape)))))
    objective = _sum_of(network, kept)
    return ascend(objective, start, steps=60, lr=10.0, project=to_norm)[0][0]


def t13(shape: tuple[int, int, int], rng: np.random.Generator) -> list[Theorem]:
    """T13, measured on a random first convolution for images of this shape (C, H, W).

    >>> [(t.id, t.holds) for t in t13((1, 6, 6), np.random.default_rng(0))]
    [('T13', True), ('T13/channel', True), ('T13/deconvnet', True)]
    """
    w = rng.normal(size=(FILTERS, shape[0], SIZE, SIZE))
    layer = Conv2D(w, rng.normal(size=FILTERS), 1, "same")
    network = Network((Unflatten(shape), layer))
    flat = int(np.prod(shape))
    places = ((shape[1] // 2, shape[2] // 2), (0, 0))  # inside, and at a corner
    predicted = [preferred(w[1], shape, at, NORM).ravel() for at in places]
    found = [_strongest(network, shape, at, rng) for at in places]

    channel = np.zeros((1, FILTERS, *shape[1:]))
    channel[0, 1] = 1 / (shape[1] * shape[2])
    image = _sum_of(network, channel)(np.zeros((1, flat)), 0)[1].reshape(shape)
    inner = image[:, 1:-1, 1:-1] * shape[1] * shape[2]
    sums = np.broadcast_to(w[1].sum(axis=(1, 2))[:, None, None], inner.shape)

    x = rng.normal(size=(3, flat))
    ways = {"layers": 2, "channel": 1}
    zeiler = project_unit(network, x, rule="deconvnet", start="activation", **ways)
    gradient = project_unit(network, x, rule="gradient", start="one", **ways)
    return [
        compare(
            "T13",
            "ascent of one pre-activation of the first convolution among images of norm r ends at "
            "r f "
            "/ |f| in its field, f cropped at the border",
            np.array(predicted),
            np.array(found),
            1e-9,
        ),
        compare(
            "T13/channel",
            "stride 1: the gradient of a channel's sum is the sum of f in each input channel, "
            "constant "
            "away from the border",
            sums,
            inner,
            1e-12,
        ),
        compare(
            "T13/deconvnet",
            "without ReLU, DeconvNet from the unit's activation is that activation times the "
            "gradient",
            gradient.values[:, None] * gradient.images,
            zeiler.images,
            1e-12,
        ),
    ]


def run(data: Dataset, teacher: Network, seed: int) -> list[Theorem]:
    """T13 on a random convolution for the data set's images; no teacher is asked.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> [t.id for t in run(tiny(), tiny_teacher(), 0) if not t.holds]
    []
    """
    return t13(data.image_shape, np.random.default_rng([seed, 13]))
