"""DeepDream: an image is changed so that what a layer sees in it grows, whatever that is
(Mordvintsev et al. 2015).
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from refimpl.companions.cnn.activations import check_layers
from refimpl.dtypes import not_finite
from refimpl.network import Network
from refimpl.optimize import ascend, with_priors


def half_square(network: Network, layers: int) -> Callable:
    """The objective  1/2 |a(x)|^2,  a (N, ...) the output of the first `layers` layers; upstream
    gradient a itself.

    Returns objective(x (N, D), step) -> (values (N,), dx (N, D)), as `ascend` takes it.
    Raises ValueError where layers is not 1 to the number of layers.

    >>> from refimpl.theory import network_of
    >>> objective = half_square(network_of(np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])), 1)
    >>> [v.tolist() for v in objective(np.array([[1.0, 1.0]]), 0)]
    [[2.5], [[4.0, 1.0]]]
    """
    check_layers(network, layers)

    def objective(x, step):
        a, caches = network.forward(x, upto=layers)
        dx, _ = network.backward(a, caches, parameters=False)
        return (a * a).reshape(len(a), -1).sum(axis=1) / 2, dx

    return objective


def mean_step(x: np.ndarray, g: np.ndarray, state: Any, *, lr: float) -> tuple[np.ndarray, Any]:
    """x <- x - lr g / mean |g|, each image by its own mean: an update for `ascend`. An image
    without gradient stays.

    x, g (N, ...); state is handed through. Returns (x, state).

    >>> mean_step(np.zeros((2, 2)), np.array([[1.0, -3.0], [0.0, 0.0]]), None, lr=0.5)[0].tolist()
    [[-0.25, 0.75], [0.0, 0.0]]
    """
    mean = np.abs(g).reshape(len(g), -1).mean(axis=1).reshape(-1, *[1] * (g.ndim - 1))
    return x - lr * g / np.where(mean > 0, mean, 1), state


def deepdream(
    network: Network,
    images: np.ndarray,
    *,
    layers: int,
    steps: int = 20,
    lr: float = 0.05,
    priors: Iterable[Callable] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Dream on images (N, D): ascend 1/2 |a|^2 of the first `layers` layers with steps of lr in
    mean absolute pixel.

    priors: of refimpl.companions.maximization.priors; the source uses jitter. Deviations from the
    source: no octaves (our pictures have 28 or 32 pixels), no clipping to the pixels' range, each
    image its own mean |g|. Returns (images (N, D), history (steps + 1, N)). Raises ValueError where
    images are no rows of the network's inputs or not finite, where the layers see nothing in an
    image, and where layers is not 1 to the number of layers.

    >>> from refimpl.theory import network_of
    >>> net = network_of(np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    >>> deepdream(net, np.array([[1.0, 1.0]]), layers=1, steps=1, lr=0.5)[0].round(6).tolist()
    [[1.8, 1.2]]
    """
    images = np.asarray(images, network.dtype)
    if images.ndim != 2 or images.shape[1] != network.inputs:
        raise ValueError(f"images: expected shape (N, {network.inputs}), got {images.shape}")
    if found := not_finite(images):
        raise ValueError(f"images: expected finite numbers, found {found}")
    seen = half_square(network, layers)
    shut = ~seen(images, 0)[1].any(axis=1)
    if shut.any():
        raise ValueError(
            f"images: the first {layers} layers see nothing in images {np.flatnonzero(shut)}, "
            f"their "
            f"gradient is zero (a closed ReLU); there is nothing to dream on"
        )
    objective, project = with_priors(priors, seen)
    return ascend(objective, images, steps=steps, lr=lr, update=mean_step, project=project)
