"""DeepDream: an image is changed so that what a layer sees in it grows, whatever that is (Mordvintsev et al. 2015)."""

import numpy as np

from refimpl.methods.priors import with_priors
from refimpl.optimize import ascend


def half_square(network, layers):
    """The objective  1/2 |a(x)|^2,  a (N, ...) the output of the first `layers` layers; upstream gradient a itself.

    Raises ValueError where layers is not 1 to the number of layers.
    """
    if not 1 <= layers <= len(network.layers):
        raise ValueError(f"layers: expected 1 to {len(network.layers)}, got {layers!r}")

    def objective(x, step):
        a, caches = network.forward(x, upto=layers)
        dx, _ = network.backward(a, caches, parameters=False)
        return (a * a).reshape(len(a), -1).sum(axis=1) / 2, dx
    return objective


def mean_step(x, g, state, *, lr):
    """x <- x - lr g / mean |g|, each image by its own mean: an update for `ascend`. An image without gradient stays."""
    mean = np.abs(g).reshape(len(g), -1).mean(axis=1).reshape(-1, *[1] * (g.ndim - 1))
    return x - lr * g / np.where(mean > 0, mean, 1), state


def deepdream(network, images, *, layers, steps=20, lr=0.05, priors=(), project=None):
    """Dream on images (N, D): ascend 1/2 |a|^2 of the first `layers` layers with steps of lr in mean absolute pixel.

    priors: of refimpl.methods.priors; the source uses jitter. Deviations from the source: no octaves (our pictures have
    28 or 32 pixels), no clipping to the pixels' range unless project does it, each image its own mean |g|.
    Returns (images (N, D), history (steps + 1, N)). Raises ValueError where images are no rows of the network's inputs.

    >>> from refimpl.theory import network_of
    >>> net = network_of(np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    >>> deepdream(net, np.array([[1.0, 1.0]]), layers=1, steps=1, lr=0.5)[0].round(6).tolist()
    [[1.8, 1.2]]
    """
    images = np.asarray(images, network.parameters[0].dtype)
    if images.ndim != 2 or images.shape[1] != network.inputs:
        raise ValueError(f"images: expected shape (N, {network.inputs}), got {images.shape}")
    objective, project = with_priors(priors, half_square(network, layers), project)
    return ascend(objective, images, steps=steps, lr=lr, update=mean_step, project=project)
