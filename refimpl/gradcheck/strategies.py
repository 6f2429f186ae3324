"""Hypothesis strategies for networks, layers, batches and targets (extra: python -m pip
install 'refimpl[hypothesis]').

Hypothesis draws what is discrete: shapes, kinds, options, a seed. Numbers come from the seed by a
law that keeps off kinks; floats drawn one by one end at 0 and at ties, where no gradient exists,
and shrink towards them. Everything shrinks to one image, one pixel, one class, scale 1 and seed 0,
and prints itself in one line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "refimpl.gradcheck.strategies needs Hypothesis: python -m pip install 'refimpl[hypothesis]'"
    ) from error

from refimpl.layers import Affine, Conv2D, Flatten, MaxPool2D, ReLU, Sigmoid, Tanh, Unflatten
from refimpl.losses import softmax
from refimpl.network import Network

SCALES = (1.0, 1e-3, 1e3, 1e-8, 1e8)
KINDS = ("softmax", "relu", "sigmoid", "tanh")
ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}
seeds = st.integers(0, 2**16)


@dataclass(frozen=True)
class Drawn:
    """What a strategy drew: `recipe` is its whole description, `value` the array or network made
    from it.

    >>> Drawn("kink_free(seed=0, shape=(2, 3))", None)
    kink_free(seed=0, shape=(2, 3))
    """

    recipe: str
    value: Any

    def __repr__(self) -> str:
        return self.recipe

    def _repr_pretty_(self, printer, cycle):  # what Hypothesis prints of a counterexample
        printer.text(self.recipe)


class DrawnNetwork(Network):
    """A Network that a strategy drew: it prints the recipe that makes it again.

    >>> DrawnNetwork((Affine(np.eye(2), np.zeros(2)),), "network(...)")
    network(...)
    """

    def __init__(self, layers: tuple, recipe: str) -> None:
        super().__init__(layers)
        object.__setattr__(self, "recipe", recipe)

    def __repr__(self) -> str:
        return vars(self)["recipe"]

    def _repr_pretty_(self, printer, cycle):
        printer.text(repr(self))


def kink_free_values(
    seed: int | tuple[int, ...], shape: tuple[int, ...], scale: float = 1.0
) -> np.ndarray:
    """Random signs times U(.1, 2), times scale, of this shape: no entry within .1 scale of 0, no
    two equal.

    >>> bool((abs(kink_free_values(0, (100,))) >= 0.1).all())
    True
    """
    rng = np.random.default_rng(seed)
    return scale * rng.choice((-1.0, 1.0), shape) * rng.uniform(0.1, 2.0, shape)


def shapes(dimensions: int = 2, *, most: int = 6) -> st.SearchStrategy:
    """Shapes of so many axes, each from 1 to `most`: one image, one pixel, one class are drawn
    often.

    >>> from hypothesis import find
    >>> find(shapes(), lambda drawn: True)  # the simplest
    (1, 1)
    """
    return st.tuples(*[st.integers(1, most)] * dimensions)


@st.composite
def kink_free(
    draw: Callable, shape: tuple[int, ...] | None = None, *, scales: Sequence[float] = SCALES
) -> Drawn:
    """Arrays off every kink, at any of the scales.

    >>> from hypothesis import find
    >>> find(kink_free(), lambda drawn: True)  # the simplest
    kink_free(seed=0, shape=(1, 1), scale=1)
    """
    shape, scale, seed = (
        draw(shapes()) if shape is None else shape,
        draw(st.sampled_from(scales)),
        draw(seeds),
    )
    return Drawn(
        f"kink_free(seed={seed}, shape={shape}, scale={scale:g})",
        kink_free_values(seed, shape, scale),
    )


@st.composite
def kinky(draw: Callable, shape: tuple[int, ...] | None = None) -> Drawn:
    """Small whole numbers from -1 to 1: zeros, where a ReLU bends, and equal entries, where a
    maximum ties.

    >>> from hypothesis import find
    >>> find(kinky((2, 3)), lambda drawn: True)  # the simplest
    kinky(seed=0, shape=(2, 3))
    """
    shape, seed = draw(shapes()) if shape is None else shape, draw(seeds)
    values = np.random.default_rng(seed).integers(-1, 2, shape).astype(float)
    values.flat[0] = 0.0
    return Drawn(f"kinky(seed={seed}, shape={shape})", values)


@st.composite
def batches(
    draw: Callable, inputs: int | None = None, *, scales: Sequence[float] = SCALES
) -> Drawn:
    """Images (N, D) off every kink, D = inputs.

    >>> from hypothesis import find
    >>> find(batches(4), lambda drawn: True)  # the simplest
    kink_free(seed=0, shape=(1, 4), scale=1)
    """
    n, d = draw(st.integers(1, 6)), draw(st.integers(1, 6)) if inputs is None else inputs
    return draw(kink_free((n, d), scales=scales))


@st.composite
def labels(draw: Callable, n: int, classes: int) -> np.ndarray:
    """Integer labels (n,) in [0, classes).

    >>> from hypothesis import find
    >>> find(labels(3, 10), lambda drawn: True)  # the simplest
    array([0, 0, 0])
    """
    return np.array(draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)), dtype=int)


@st.composite
def soft_targets(draw: Callable, n: int, classes: int) -> Drawn:
    """Probabilities (n, classes), from nearly one-hot to nearly uniform.

    >>> from hypothesis import find
    >>> find(soft_targets(2, 3), lambda drawn: True)  # the simplest
    soft_targets(seed=0, shape=(2, 3), sharpness=1)
    """
    sharpness, seed = draw(st.sampled_from((1.0, 0.01, 30.0))), draw(seeds)
    return Drawn(
        f"soft_targets(seed={seed}, shape={(n, classes)}, sharpness={sharpness:g})",
        softmax(sharpness * kink_free_values(seed, (n, classes))),
    )


@st.composite
def saturated_logits(draw: Callable, shape: tuple[int, int] | None = None) -> Drawn:
    """Logits (N, K) in which one class leaves no probability to the others: gaps of 30 to 1e6.

    >>> from hypothesis import find
    >>> find(saturated_logits(), lambda drawn: True)  # the simplest
    saturated_logits(seed=0, shape=(1, 1), gap=30)
    """
    n, k = draw(shapes()) if shape is None else shape
    gap, seed = draw(st.sampled_from((30.0, 800.0, 1e6))), draw(seeds)
    z = kink_free_values(seed, (n, k))
    z[np.arange(n), np.random.default_rng(seed).integers(0, k, n)] += gap
    return Drawn(f"saturated_logits(seed={seed}, shape={(n, k)}, gap={gap:g})", z)


@st.composite
def networks(
    draw: Callable,
    kinds: Sequence[str] = KINDS,
    *,
    inputs: int | None = None,
    dead: bool = False,
    scales: Sequence[float] = (1.0,),
) -> Network:
    """Networks of the kinds "softmax" (one Affine), "relu", "sigmoid", "tanh" (one hidden layer).

    dead=True: the first hidden unit's bias is -1e3, so a ReLU never opens it. scales: of the
    weights.

    >>> from hypothesis import find
    >>> find(networks(("relu",)), lambda drawn: True)  # the simplest
    network(kind='relu', seed=0, sizes=(1, 1, 1))
    """
    kind, seed, scale = draw(st.sampled_from(kinds)), draw(seeds), draw(st.sampled_from(scales))
    d, (h, k) = draw(st.integers(1, 6)) if inputs is None else inputs, draw(shapes())
    sizes = (d, k) if kind == "softmax" else (d, h, k)
    layers: list[Any] = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers += [
            Affine(
                kink_free_values((seed, i, 0), (a, b), scale),
                kink_free_values((seed, i, 1), (b,), scale),
            )
        ]
    if kind != "softmax":
        layers.insert(1, ACTIVATIONS[kind]())
        if dead:
            layers[0].b[0] = -1e3
    recipe = f"network(kind={kind!r}, seed={seed}, sizes={sizes}" + (
        f", scale={scale:g}" if scale != 1 else ""
    )
    recipe += ", dead=True)" if dead and kind != "softmax" else ")"
    return DrawnNetwork(tuple(layers), recipe)


@st.composite
def convolutions(draw: Callable) -> Drawn:
    """A Conv2D whose stride fits, and images (N, C, H, W) for it off every kink: the value is the
    pair (layer, x).

    >>> from hypothesis import find
    >>> find(convolutions(), lambda drawn: True)  # the simplest
    convolution(seed=0, w=(1, 1, 1, 1), stride=1, padding='valid', x=(1, 1, 1, 1))
    """
    (n, c, f), (p, q), stride = (
        draw(shapes(3, most=3)),
        draw(shapes(2, most=4)),
        draw(st.integers(1, 3)),
    )
    kernel, padding, seed = (
        draw(shapes(2, most=3)),
        draw(st.sampled_from(("valid", "same"))),
        draw(seeds),
    )
    size = [
        (m - 1) * stride
        + (k if padding == "valid" else 1 + draw(st.integers(0, min(k, stride) - 1)))
        for m, k in zip((p, q), kernel)
    ]
    layer = Conv2D(
        kink_free_values((seed, 0), (f, c, *kernel)),
        kink_free_values((seed, 1), (f,)),
        stride,
        padding,
    )
    return Drawn(
        f"convolution(seed={seed}, w={(f, c, *kernel)}, stride={stride}, padding={padding!r}, "
        f"x={(n, c, *size)})",
        (layer, kink_free_values((seed, 2), (n, c, *size))),
    )


@st.composite
def poolings(draw: Callable) -> Drawn:
    """A MaxPool2D whose stride fits, and images for it without ties: the value is the pair (layer,
    x).

    >>> from hypothesis import find
    >>> find(poolings(), lambda drawn: True)  # the simplest
    pooling(seed=0, size=1, stride=1, x=(1, 1, 1, 1))
    """
    n, c, p, q = draw(shapes(4, most=3))
    size, stride, seed = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(seeds)
    shape = (n, c, (p - 1) * stride + size, (q - 1) * stride + size)
    return Drawn(
        f"pooling(seed={seed}, size={size}, stride={stride}, x={shape})",
        (MaxPool2D(size, stride), kink_free_values(seed, shape)),
    )


@st.composite
def image_networks(draw: Callable) -> Drawn:
    """Convolution (3 x 3, same), ReLU, max-pooling 2, Affine, on images of a few pixels, and rows
    (N, C H W) for it.

    >>> from hypothesis import find
    >>> find(image_networks(), lambda drawn: True)  # the simplest
    image_network(seed=0, filters=1, classes=1, x=(1, 1, 2, 2))
    """
    (n, c, f, k), (p, q), seed = draw(shapes(4, most=3)), draw(shapes(2, most=2)), draw(seeds)
    w1, b1, w2, b2, x = (
        kink_free_values((seed, i), shape)
        for i, shape in enumerate(((f, c, 3, 3), (f,), (f * p * q, k), (k,), (n, c * 4 * p * q)))
    )
    net = Network(
        (
            Unflatten((c, 2 * p, 2 * q)),
            Conv2D(w1, b1, padding="same"),
            ReLU(),
            MaxPool2D(),
            Flatten(),
            Affine(w2, b2),
        )
    )
    return Drawn(
        f"image_network(seed={seed}, filters={f}, classes={k}, x={(n, c, 2 * p, 2 * q)})", (net, x)
    )


def off_kinks(network: Network, x: np.ndarray) -> bool:
    """Whether every ReLU and every pooling window of the network keeps off its kink on x (N, D):
    for hypothesis.assume.

    A ReLU: at least 1e-6 (relative) away from 0. A window: its two largest so far apart, or zeros
    of dead units.

    >>> net = Network((Affine(np.eye(2), np.zeros(2)), ReLU()))
    >>> off_kinks(net, np.array([[1.0, -1.0]])), off_kinks(net, np.array([[1.0, 0.0]]))
    (True, False)
    """
    for layer in network.layers:
        near = 1e-6 * max(1.0, np.abs(x).max(initial=0))
        if isinstance(layer, ReLU) and (np.abs(x) <= near).any():
            return False
        if isinstance(layer, MaxPool2D) and layer.size > 1:
            second, first = np.sort(layer._views(x), axis=0)[-2:]
            if ((first - second <= near) & (first != 0)).any():
                return False
        x, _ = layer.forward(x)
    return True
