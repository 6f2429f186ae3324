"""Histograms of oriented gradients (Dalal and Triggs 2005) as a small network, so that they can be
inverted as any layer can: the first representation that Mahendran and Vedaldi (2015) invert.

    gradient    d_k = cos(a_k) dx + sin(a_k) dy, central differences along `orientations` angles a_k
    vote        max(d_k, 0): how far the pixel's gradient points that way
    cell        the mean vote of each orientation over squares of `cell` pixels
    contrast    each cell divided by its own size, h / sqrt(|h|^2 + epsilon^2)

As they note, all of that are layers of a convolutional network; the last is the only one that is
new here. Deviations: a gradient votes for every orientation within a right angle, by its
projection, in place of one or two bins; a cell is divided by its own norm, in place of overlapping
blocks of four with clipping; signs are kept. Colours are averaged first.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.layers import ReLU, Unflatten
from refimpl.layers.conv import Conv2D
from refimpl.network import Network

EPSILON = 0.03  # beside a cell's norm, for pixels in [0, 1]: flat cells stay near zero


@dataclass(frozen=True)
class CellNorm:
    """A layer that divides the channels of every place by their norm: x (N, C, P, Q) -> x / s,
    s = sqrt(sum_c x_c^2 + epsilon^2).

    >>> CellNorm().forward(np.array([[[[3.0]], [[4.0]]]]))[0].round(3).ravel().tolist()
    [0.6, 0.8]
    """

    epsilon: float = EPSILON

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        size = np.sqrt((x * x).sum(axis=1, keepdims=True) + self.epsilon**2)  # (N, 1, P, Q)
        out = x / size
        return out, (out, size)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[np.ndarray, tuple]:
        """d(x / s) = dx / s - x <x, dx> / s^3: its transpose is itself."""
        out, size = cache
        return (dout - out * (out * dout).sum(axis=1, keepdims=True)) / size, ()


def hog_network(
    image_shape: tuple[int, int, int],
    *,
    cell: int = 4,
    orientations: int = 8,
    epsilon: float = EPSILON,
) -> Network:
    """The layers of the descriptor for images (C, H, W) in [0, 1]: rows (N, C H W) -> (N,
    orientations, H // cell, W // cell).

    Around the image it is dark. epsilon: as of CellNorm. Raises ValueError unless cells of this
    size fill the image, and on fewer than two orientations.

    >>> x = np.zeros((1, 1, 12, 12))
    >>> x[..., 6:] = 1  # brighter on the right: the gradient points there, orientation 0
    >>> int(hog_network((1, 12, 12)).forward(x.reshape(1, -1))[0][0, :, 1, 1].argmax())
    0
    """
    channels, height, width = image_shape
    if cell < 1 or height % cell or width % cell:
        raise ValueError(f"cell: expected a divisor of {height} and {width}, got {cell!r}")
    if orientations < 2:
        raise ValueError(f"orientations: expected at least 2, got {orientations!r}")
    angle = 2 * np.pi * np.arange(orientations) / orientations
    w = np.zeros((orientations, channels, 3, 3))
    for axis, weight in ((1, np.cos(angle)), (0, np.sin(angle))):
        for side in (-1, 1):
            place = [1, 1]
            place[axis] += side
            w[:, :, place[0], place[1]] = side * weight[:, None] / (2 * channels)
    mean = np.zeros((orientations, orientations, cell, cell))
    mean[np.arange(orientations), np.arange(orientations)] = 1 / cell**2
    zero = np.zeros(orientations)
    return Network(
        (
            Unflatten(image_shape),
            Conv2D(w, zero, padding="same"),
            ReLU(),
            Conv2D(mean, zero, stride=cell),
            CellNorm(epsilon),
        )
    )
