"""Inversion by a trained decoder: a network from a representation back to the image (Dosovitskiy
and Brox 2016).

    minimize over theta  mean over images of |decoder(phi(x); theta) - x|^2

At its best the decoder gives E[x | phi(x)], the mean of all images that look the same to phi. It
works upwards, as theirs: upsampling and convolutions, dense layers first where phi has lost the
plane; Adam. Deviations: nearest-neighbour upsampling instead of theirs with zeros, ReLU instead of
leaky ReLU .2, sizes for pictures of 28 to 32 pixels. The best affine decoder is the least squares
regression of x on phi(x) (tests/inversion/test_decoder.py).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from refimpl.companions.cnn.activations import activations
from refimpl.companions.cnn.architectures import convolution, dense, normalization
from refimpl.layers import Flatten, ReLU, Unflatten
from refimpl.layers.conv import Conv2D, Upsample
from refimpl.losses import squared_error
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.training import train

DENSE_LIMIT = 2**23  # weights of a first dense layer; more are too slow here
LAST = 0.01  # standard deviation of the last layer's weights: it begins near a blank image


def encode(network: Network, layers: int, x: np.ndarray) -> np.ndarray:
    """The representations of x (N, D) as rows (N, F): the output of the first `layers` layers,
    flattened.

    Raises ValueError where layers is not 1 to the number of layers and where x is empty.

    >>> from refimpl.network import one_hidden_net
    >>> encode(one_hidden_net(4, 3, 2, rng=np.random.default_rng(0)), 2, np.ones((5, 4))).shape
    (5, 3)
    """
    return np.concatenate([a.reshape(len(a), -1) for a in activations(network, layers, x)])


def _planned_width(side: int, height: int) -> int:
    """Channels at a resolution: 8 at the image's, twice as many at each half of it, at most 64."""
    return min(64, 8 * round(height / side))


def doublings(side: int, height: int) -> int | None:
    """How often `side` doubles to be `height`, None where it never is.

    >>> doublings(7, 28), doublings(28, 28), doublings(13, 28)
    (2, 0, None)
    """
    times = 0
    while side < height:
        side, times = 2 * side, times + 1
    return times if side == height else None


def decoder_for(
    shape: Sequence[int],
    image_shape: Sequence[int],
    *,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
) -> Network:
    """An untrained decoder from representations of `shape`, (C, h, w) or (F,), to images (C, H, W),
    rows to rows.

    (C, h, w): a 3 x 3 convolution and ReLU at h x w; upsampling, convolution, ReLU until the
    image's size is reached; a last convolution to its channels, with no ReLU. (F,), and planes that
    do not double to the image's size: a dense layer and ReLU first, to a quarter of the image's
    sides. Before every ReLU batch normalization. Raises ValueError where that dense layer has more
    than DENSE_LIMIT weights or a quarter is no whole number.

    >>> decoder_for((64,), (1, 28, 28), rng=np.random.default_rng(0)).inputs
    64
    """
    channels, height, width = image_shape
    layers: list[Any]
    times = doublings(shape[1], height) if len(shape) == 3 else None
    if times is not None and shape[1] * width == shape[2] * height:
        maps, side, layers = shape[0], shape[1], [Unflatten(tuple(shape))]
    else:
        inputs, side, times = math.prod(shape), height // 4, 2
        if height % 4 or width % 4:
            raise ValueError(
                f"image_shape: expected sides that are multiples of 4, got {tuple(image_shape)}"
            )
        maps = _planned_width(side, height)
        outputs = maps * side * (width // 4)
        if inputs * outputs > DENSE_LIMIT:
            raise ValueError(
                f"shape: {tuple(shape)} does not double to {height} x {width}, and a dense layer "
                f"from it "
                f"would have {inputs * outputs:,} weights, expected at most {DENSE_LIMIT:,}"
            )
        layers = [
            dense(inputs, outputs, rng=rng, dtype=dtype),
            normalization(outputs, dtype),
            ReLU(),
            Unflatten((maps, side, width // 4)),
        ]
    wide = _planned_width(side, height)
    layers += _normalized(convolution(maps, wide, rng=rng, dtype=dtype))
    for _ in range(times - 1):
        layers += [Upsample(), *_normalized(convolution(wide, wide // 2, rng=rng, dtype=dtype))]
        wide //= 2
    last = Conv2D(
        rng.normal(0, LAST, (channels, wide, 3, 3)).astype(dtype),
        np.zeros(channels, dtype),
        padding="same",
    )
    return Network((*layers, *[Upsample()] * (times > 0), last, Flatten()))


def _normalized(layers: tuple) -> tuple:
    """(convolution, ReLU) -> (convolution, batch normalization, ReLU)."""
    first, relu = layers
    return first, normalization(len(first.b), first.b.dtype), relu


def train_decoder(
    decoder: Network,
    x: np.ndarray,
    *,
    steps: int,
    lr: float = 2e-3,
    batch: int = 32,
    rng: np.random.Generator,
    code: Callable | None = None,
    update: Callable = adam,
) -> tuple[Network, np.ndarray]:
    """Minibatch descent of squared error between decoder(code(x)) and x; the learning rate falls
    linearly to 0.

    x (N, D) images, floats or 8-bit pixels; code: x (n, D) -> (n, F), by default the identity: then
    `decoder` is a whole autoencoder. rng orders the minibatches. Returns (decoder, losses
    (steps,)): |decoder(code(x)) - x|^2 / 2, mean over a batch. Raises ValueError on a bad batch,
    FloatingPointError where the loss is not finite.

    >>> x = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    >>> net = decoder_for((64,), (1, 8, 8), rng=np.random.default_rng(0))
    >>> _, losses = train_decoder(net, x, steps=20, rng=np.random.default_rng(1), code=lambda x: x)
    >>> len(losses), bool(losses[-1] < 0.9 * losses[0])
    (20, True)
    """
    begin: tuple = () if code is None else (_Code(code),)
    network, losses = train(
        Network((*begin, *decoder.layers)),
        x,
        x,
        steps=steps,
        lr=lr,
        batch=batch,
        rng=rng,
        falling=True,
        loss=squared_error,
        update=update,
    )
    return Network(network.layers[len(begin) :]), losses


class _Code:
    """The encoder as a first layer without parameters: training never asks it for a gradient."""

    def __init__(self, code):
        self.code = code

    def forward(self, x, *, train=False, rng=None):
        return self.code(x), None

    def backward(self, dout, cache):
        raise ValueError("code: it is not differentiated; ask the decoder alone for gradients")


def decode(decoder: Network, codes: np.ndarray) -> np.ndarray:
    """The images of codes: (N, F) -> (N, D). Raises ValueError where codes is empty.

    >>> net = decoder_for((64,), (1, 8, 8), rng=np.random.default_rng(0))
    >>> decode(net, np.zeros((3, 64), np.float32)).shape
    (3, 64)
    """
    if len(codes) == 0:
        raise ValueError("codes: expected at least one code, got none")
    return encode(decoder, len(decoder.layers), codes)
