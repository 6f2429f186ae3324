"""Activation maximization: the input that a unit, a channel, a layer or a class responds to most
(Erhan et al. 2009).

An objective here is what `ascend` takes, objective(x, step) -> (values (N,), dx), of a network and
a place in it:

    unit      a[n, c, i, j], or a[n, c] after a dense layer
    channel   mean over i, j of a[n, c, i, j]
    layer     |a[n]|^2 / 2, DeepDream's (deepdream.half_square)
    class     an objective of refimpl.losses

with a the output of the first `layers` layers: end before a ReLU for a pre-activation (below 0 a
ReLU has no gradient). Theorem T13: of all images of norm r a unit of the first convolution away
from the border prefers r f / |f| placed in its receptive field (f its filter; at the border f
cropped), for its pre-activation is <f, patch> + b (Cauchy, Schwarz); and the gradient of its
channel's mean is, away from the border, constant in each colour: the sum of f over its window
divided by the number of positions.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from refimpl.companions.cnn.activations import activation_shape
from refimpl.dtypes import not_finite
from refimpl.losses import OBJECTIVES
from refimpl.network import Network
from refimpl.optimize import ascend, with_priors, without_gradient


def place_objective(
    network: Network, layers: int, channel: int, *, position: tuple[int, ...] | None = None
) -> Callable:
    """The objective of one unit (position (i, j) of a channel, or a dense unit) or of a channel's
    mean (position None).

    layers: how many layers the network runs, 1 to all. Raises ValueError on a place that is not
    there.

    >>> from refimpl.theory import network_of
    >>> net = network_of(np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]]))
    >>> values, dx = place_objective(net, 1, 0)(np.ones((1, 2)), 0)
    >>> values.tolist(), dx.tolist()
    ([3.5], [[1.0, 2.0]])
    """
    shape = activation_shape(network, layers)
    if not 0 <= channel < shape[0]:
        raise ValueError(
            f"channel: expected 0 to {shape[0] - 1} after {layers} layers, got {channel!r}"
        )
    weights = np.zeros(shape)
    if position is None:
        weights[channel] = 1 / math.prod(shape[1:])
    elif len(position) == len(shape) - 1 and all(0 <= i < n for i, n in zip(position, shape[1:])):
        weights[(channel, *position)] = 1
    else:
        raise ValueError(
            f"position: expected a place in {shape[1:]} after {layers} layers, got {position!r}"
        )

    def objective(x, step):
        a, caches = network.forward(x, upto=layers)
        dout = np.zeros_like(a)
        dout[:] = weights
        return (a * dout).reshape(len(a), -1).sum(axis=1), network.backward(
            dout, caches, parameters=False
        )[0]

    return objective


def class_objective(network: Network, classes: np.ndarray, score: str = "logit") -> Callable:
    """The objective of outputs classes (N,), integers, one an image; score: a name of
    refimpl.losses.OBJECTIVES.

    Raises ValueError on another score.

    >>> from refimpl.theory import network_of
    >>> net = network_of(np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]]))
    >>> values, dx = class_objective(net, np.array([1]))(np.ones((1, 2)), 0)
    >>> values.tolist(), dx.tolist()
    ([-3.5], [[-1.0, -2.0]])
    """
    if score not in OBJECTIVES:
        raise ValueError(f"score: expected one of {sorted(OBJECTIVES)}, got {score!r}")

    def objective(x, step):
        z, caches = network.forward(x)
        values, dz = OBJECTIVES[score](z, classes)
        return values, network.backward(dz, caches, parameters=False)[0]

    return objective


def rms_step(x: np.ndarray, g: np.ndarray, state: Any, *, lr: float) -> tuple[np.ndarray, Any]:
    """x <- x - lr g / (rms(g) + 1e-5), each image by its own rms: an update for `ascend` (Chollet
    2016; the slides).

    >>> rms_step(np.zeros((1, 2)), np.array([[3.0, -3.0]]), None, lr=0.5)[0].round(4).tolist()
    [[-0.5, 0.5]]
    """
    rms = np.sqrt((g * g).reshape(len(g), -1).mean(axis=1)).reshape(-1, *[1] * (g.ndim - 1))
    return x - lr * g / (rms + 1e-5), state


def noise_starts(network: Network, count: int, rng: np.random.Generator) -> np.ndarray:
    """The slides' starts: (128 + 20 u) / 255, u uniform in [0, 1), a grey image with a little
    noise. -> (count, D).

    >>> from refimpl.network import softmax_net
    >>> x = noise_starts(softmax_net(6, 2), 3, np.random.default_rng(0))
    >>> x.shape, bool((128 / 255 <= x).all() and (x < 148 / 255).all())
    ((3, 6), True)
    """
    x = (128 + 20 * rng.random((count, network.inputs))) / 255
    return x.astype(network.parameters[0].dtype)


def maximize(
    network: Network,
    objective: Callable,
    starts: np.ndarray,
    *,
    steps: int = 200,
    lr: float = 1 / 255,
    update: Callable = rms_step,
    priors: Iterable[Callable] = (),
    project: Callable | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ascend an objective of this file from starts (N, D). The defaults are the slides' (Reda and
    Xu 2019).

    Slides: 200 steps of one grey level of 255 in rms, gradient / (rms + 1e-5), from noise_starts,
    on the class probability after the softmax (class_objective(..., "probability")). priors: of
    refimpl.companions.maximization.priors. Several starts for one place: as many rows; `best` picks
    one. Returns (images (N, D), history (steps + 1, N)). Raises ValueError on starts of another
    shape or not finite, and where no start has a gradient for a row, whose number it names (a dead
    unit: every image is as good as another).

    >>> from refimpl.theory import network_of
    >>> net = network_of(np.array([[3.0, 0.0], [4.0, 0.0], [0.0, 0.0]]))
    >>> images, history = maximize(
    ...     net, class_objective(net, np.array([0])), np.zeros((1, 2)), steps=10, lr=1.0
    ... )
    >>> images.round(3).tolist(), history[[0, -1], 0].round(2).tolist()
    ([[8.485, 11.314]], [0.0, 70.71])
    """
    starts = np.asarray(starts, network.dtype)
    if starts.ndim != 2 or starts.shape[1] != network.inputs:
        raise ValueError(f"starts: expected shape (N, {network.inputs}), got {starts.shape}")
    if found := not_finite(starts):
        raise ValueError(f"starts: expected finite numbers, found {found}")
    _check_alive(without_gradient(objective, starts))
    objective, project = with_priors(priors, objective, project)
    return ascend(objective, starts, steps=steps, lr=lr, update=update, project=project)


def _check_alive(dead):
    """Raises ValueError with the rows whose images would come back as they went in."""
    if dead.any():
        which = "every start" if dead.all() else f"every start for rows {np.flatnonzero(dead)}"
        raise ValueError(
            f"starts: the gradient is zero at {which}: a unit that nothing there wakes (dead, or "
            f"behind a closed ReLU); leave it out, end before the ReLU or start elsewhere"
        )


def best(images: np.ndarray, history: np.ndarray) -> tuple[np.ndarray, float]:
    """Of what maximize returns the image (D,) whose objective ended highest, and that value.

    images (N, D), history (steps + 1, N).

    >>> best(np.eye(2), np.array([[0.0, 0.0], [1.0, 3.0]]))[0].tolist()
    [0.0, 1.0]
    """
    i = int(np.argmax(history[-1]))
    return images[i], float(history[-1, i])


def colour_share(filters: np.ndarray) -> np.ndarray:
    """How much of each filter is colour: 1 - |mean over channels|^2 C / |f|^2, in [0, 1]; 0 is
    black and white.

    filters (F, C, kh, kw) -> (F,). The review's two groups of first filters (Qin et al. 2018,
    section 3) are those near 0 and those near 1. NaN for a filter of zeros.

    >>> colour_share(np.array([[[[1.0]], [[1.0]]], [[[1.0]], [[-1.0]]]])).tolist()
    [0.0, 1.0]
    """
    grey = filters.mean(axis=1, keepdims=True)
    energy = (filters * filters).reshape(len(filters), -1).sum(axis=1)
    colour = ((filters - grey) ** 2).reshape(len(filters), -1).sum(axis=1)
    return np.divide(colour, energy, out=np.full(len(filters), np.nan), where=energy > 0)
