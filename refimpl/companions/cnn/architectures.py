"""The networks of the slides (Reda and Xu 2019) as functions, and a small one for 28 x 28 digits.

Weights start from N(0, 2 / fan-in), He et al. (2015), equation 10, derived for layers that a ReLU
follows, as in every hidden layer here; biases from zero. The slides used Keras' default, Glorot's
uniform law of variance 2 / (fan-in + fan-out), which is derived for linear units: below a ReLU it
halves the signal once more in every layer.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from refimpl.layers import Affine, Flatten, ReLU, Unflatten
from refimpl.layers.conv import Conv2D, MaxPool2D
from refimpl.layers.regularization import BatchNorm, Dropout
from refimpl.network import Network


def _he(shape, fan_in, rng, dtype):
    return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(dtype)


def convolution(
    channels: int,
    filters: int,
    size: int = 3,
    *,
    rng: np.random.Generator,
    padding: str = "same",
    dtype: DTypeLike = np.float32,
) -> tuple[Conv2D, ReLU]:
    """A Conv2D of `filters` size x size filters with He's weights, followed by its ReLU: a tuple of
    two layers.

    >>> [type(v).__name__ for v in convolution(3, 8, rng=np.random.default_rng(0))]
    ['Conv2D', 'ReLU']
    """
    w = _he((filters, channels, size, size), channels * size * size, rng, dtype)
    return Conv2D(w, np.zeros(filters, dtype), padding=padding), ReLU()


def dense(
    inputs: int,
    outputs: int,
    *,
    rng: np.random.Generator,
    max_norm: float | None = None,
    dtype: DTypeLike = np.float32,
) -> Affine:
    """An Affine layer with He's weights.

    >>> dense(6, 4, rng=np.random.default_rng(0)).w.shape
    (6, 4)
    """
    return Affine(_he((inputs, outputs), inputs, rng, dtype), np.zeros(outputs, dtype), max_norm)


def conv_net(
    shape: tuple[int, ...] = (3, 32, 32),
    classes: int = 10,
    *,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Build "Conv", after F. Plotka: six 3 x 3 same convolutions in three pairs, with dropout .2
    inside each pair.

    Slides, "Conv": 32, 32, pool, 64, 64, pool, 128, 128, pool, dense 1024 (max-norm 3), softmax;
    dropout before the dense layers too. shape (C, H, W), H and W multiples of 8. The slides' code
    has 1,000 outputs, the data 10 classes.

    >>> sum(p.size for p in conv_net(rng=np.random.default_rng(0)).parameters)
    2395434
    """
    layers: list[Any] = [Unflatten(tuple(shape))]
    channels = shape[0]
    for filters in (32, 64, 128):
        layers += [
            *convolution(channels, filters, rng=rng, dtype=dtype),
            Dropout(0.2),
            *convolution(filters, filters, rng=rng, dtype=dtype),
            MaxPool2D(),
        ]
        channels = filters
    return Network(
        (*layers, *_head(shape, layers, 0.2, classes, rng, dtype, before=True, max_norm=3.0))
    )


def vonc_net(
    shape: tuple[int, ...] = (3, 32, 32),
    classes: int = 10,
    *,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Build "Vonc", after G. Bonaccorso: four 3 x 3 valid convolutions, 32, 64, pool, 128, pool,
    128, pool, dense 1024.

    Slides, "Vonc": dropout .25 after the first and the third pool and before the softmax layer.
    shape (C, H, W), H and W multiples of 8 from 24 up. The slides' code has 1,000 outputs here too.

    >>> sum(p.size for p in vonc_net(rng=np.random.default_rng(0)).parameters)
    776394
    """
    layers: list[Any] = [Unflatten(tuple(shape))]
    channels, pool, pool_and_drop = shape[0], (MaxPool2D(),), (MaxPool2D(), Dropout(0.25))
    for filters, behind in ((32, ()), (64, pool_and_drop), (128, pool), (128, pool_and_drop)):
        layers += [*convolution(channels, filters, rng=rng, padding="valid", dtype=dtype), *behind]
        channels = filters
    return Network((*layers, *_head(shape, layers, 0.25, classes, rng, dtype)))


def small_net(
    shape: tuple[int, ...] = (1, 28, 28),
    classes: int = 10,
    *,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
) -> Network:
    """A small network for `digits` and MNIST: 3 x 3 same convolutions 8, pool, 16, pool; dense 64;
    logits.

    shape (C, H, W), H and W multiples of 4. Raises ValueError on others, which the second pooling
    does not fit.

    >>> sum(p.size for p in small_net(rng=np.random.default_rng(0)).parameters)
    52138
    """
    if any(side < 4 or side % 4 for side in shape[1:]):
        raise ValueError(
            f"shape: expected images of 4 x 4 pixels or more, both sides multiples of 4, got "
            f"{tuple(shape)}"
        )
    layers = [
        Unflatten(tuple(shape)),
        *convolution(shape[0], 8, rng=rng, dtype=dtype),
        MaxPool2D(),
        *convolution(8, 16, rng=rng, dtype=dtype),
        MaxPool2D(),
    ]
    flat = 16 * (shape[1] // 4) * (shape[2] // 4)
    return Network(
        (
            *layers,
            Flatten(),
            dense(flat, 64, rng=rng, dtype=dtype),
            ReLU(),
            dense(64, classes, rng=rng, dtype=dtype),
        )
    )


def _head(shape, layers, rate, classes, rng, dtype, *, before=False, max_norm=None):
    """Flatten, dense 1024 and the logits, with dropout. The flat length is read off a blank
    image.
    """
    blank = np.zeros((1, int(np.prod(shape))), dtype)
    flat = Network(tuple(layers)).forward(blank)[0].size
    return (
        Flatten(),
        *[Dropout(rate)] * before,
        dense(flat, 1024, rng=rng, max_norm=max_norm, dtype=dtype),
        ReLU(),
        Dropout(rate),
        dense(1024, classes, rng=rng, dtype=dtype),
    )


ARCHITECTURES = {"conv": conv_net, "vonc": vonc_net, "small": small_net}


def normalization(channels: int, dtype: DTypeLike) -> BatchNorm:
    """A BatchNorm of so many channels or dense units that has seen no batch: with mean 0 and
    variance 1 it changes nothing but for its eps.

    >>> float(
    ...     abs(normalization(2, np.float32).forward(np.ones((3, 2), np.float32))[0] - 1)
    ...     .max()
    ...     .round(4)
    ... )
    0.0
    """
    gamma, beta, mean, var = (
        make(channels, dtype) for make in (np.ones, np.zeros, np.zeros, np.ones)
    )
    return BatchNorm(gamma, beta, mean, var)
