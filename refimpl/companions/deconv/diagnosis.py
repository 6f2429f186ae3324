"""What the review reads off pictures of first layers (Qin et al. 2018, section 4; Zeiler and Fergus
2014, section 4.1), as numbers: dead units, aliasing by a large stride, and whether early layers
settle first in training.
"""

import numpy as np

from refimpl.companions.cnn.activations import activations
from refimpl.dtypes import as_floats
from refimpl.layers.conv import Conv2D
from refimpl.network import Network


def dead_channels(network: Network, x: np.ndarray, *, layers: int) -> np.ndarray:
    """Which channels (or dense units) after the first `layers` layers are never above 0 on x (N,
    D): (channels,) bool.

    End after a ReLU. Dead on these images: another image may wake them. Raises ValueError on no
    images and where layers is not 1 to the number of layers.

    >>> from refimpl.layers import Affine, ReLU
    >>> from refimpl.network import Network
    >>> net = Network(
    ...     (Affine(np.eye(2), np.array([0.0, -9.0])), ReLU(), Affine(np.eye(2), np.zeros(2)))
    ... )
    >>> dead_channels(net, np.ones((3, 2)), layers=2).tolist()
    [False, True]
    """
    alive = [
        (a.reshape(*a.shape[:2], -1) > 0).any(axis=(0, 2)) for a in activations(network, layers, x)
    ]
    return ~np.any(alive, axis=0)


def aliasing(filters: np.ndarray, stride: int, images: np.ndarray) -> float:
    """The share of a convolution's response that its stride folds onto wrong frequencies. -> a
    number in [0, 1].

    The response at stride 1 has a spectrum; taking every stride-th pixel keeps frequencies up to 1
    / (2 stride) cycles a pixel and adds all others to them (Nyquist, Shannon). Share: power at
    higher frequencies, in either axis, over all power but the mean's, each map minus its mean, over
    filters and images. Hann-windowed, for the border of an image is no edge in it. filters (F, C,
    kh, kw), images (N, C, H, W). 0 at stride 1. NaN where there is no response. Raises ValueError
    as Conv2D, and on a stride that is no whole number >= 1.

    >>> images, filters = np.random.default_rng(0).random((2, 1, 16, 16)), np.ones((1, 1, 3, 3))
    >>> [round(aliasing(filters, stride, images), 2) for stride in (1, 2, 4)]
    [0.0, 0.22, 0.82]
    """
    if stride < 1 or int(stride) != stride:
        raise ValueError(f"stride: expected a whole number >= 1, got {stride!r}")
    filters = as_floats(filters)
    dense = Conv2D(filters, np.zeros(len(filters), filters.dtype))
    high = total = 0.0
    for image in images:
        maps = dense.forward(image[None].astype(filters.dtype))[0][0].astype(
            np.float64
        )  # (F, P, Q)
        p, q = maps.shape[1:]
        window = np.hanning(p + 2)[1:-1, None] * np.hanning(q + 2)[1:-1]
        maps = (maps - (maps * window).sum(axis=(1, 2), keepdims=True) / window.sum()) * window
        power = np.abs(np.fft.fft2(maps)) ** 2
        fy, fx = np.abs(np.fft.fftfreq(p)), np.abs(np.fft.fftfreq(q))
        above = (fy[:, None] > 0.5 / stride) | (fx > 0.5 / stride)
        high, total = high + power[:, above].sum(), total + power.sum()
    return float(high / total) if total else float("nan")


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine of each row of a with the same row of b: (N, D), (N, D) -> (N,); NaN where one is
    zero.

    >>> cosine(np.array([[1.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 2.0], [3.0, 4.0]])).tolist()
    [0.0, 1.0]
    """
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(axis=1), norms, out=np.full(len(a), np.nan), where=norms > 0)


def settled(snapshots: np.ndarray) -> np.ndarray:
    """When each image reached its final form: the first snapshot from which on its cosine with the
    last is >= .9.

    snapshots (T, N, D): the same N images at T times of training. -> (N,) indices, T - 1 at the
    latest.

    >>> settled(np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[0.1, 1.0]], [[0.0, 1.0]]])).tolist()
    [1]
    """
    below = np.array(
        [~(cosine(now, snapshots[-1]) >= 0.9) for now in snapshots]
    )  # (T, N); NaN counts as below
    below[-1] = False
    return np.where(below.any(axis=0), len(below) - below[::-1].argmax(axis=0), 0)
