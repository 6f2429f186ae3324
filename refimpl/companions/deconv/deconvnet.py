"""DeconvNet: which pixels of an image made a unit respond (Zeiler and Fergus 2014, section 2), and
its two relatives.

Its four steps from the layer back to the pixels, and where each is done, written once, in the
layers' own backward:
    keep one unit, all others zero                     dout here
    unpool: each value back to its maximum's place     MaxPool2D.backward, by its switches
    rectify: max(dout, 0), whatever the input was      ReLU.backward, rule "deconvnet"
    filter with the transposed filters                 Conv2D.backward
With rule "gradient" the same path is Simonyan et al.'s saliency (2014), with "guided" Springenberg
et al.'s guided backpropagation (2015): gates of both kinds. Theorem T13: without ReLU, DeconvNet
from dout is the gradient times dout; from the unit's own activation, as Zeiler and Fergus start it,
that activation times the gradient.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.companions.cnn.activations import activations, check_layers
from refimpl.dtypes import rows_as
from refimpl.layers import RULES
from refimpl.network import Network


@dataclass(frozen=True, eq=False)
class Projection:
    """images (N, D): the unit mapped back. positions (N, 2): the kept place (0 columns after a
    dense layer). values (N,): the unit's there.

    >>> from refimpl.theory import network_of
    >>> found = project_unit(
    ...     network_of(np.array([[1.0], [2.0], [0.0]])), np.array([[3.0, 4.0]]), layers=1, channel=0
    ... )
    >>> found.images.tolist(), found.positions.shape, found.values.tolist()
    ([[11.0, 22.0]], (1, 0), [11.0])
    """

    images: np.ndarray
    positions: np.ndarray
    values: np.ndarray


def project_unit(
    network: Network,
    x: np.ndarray,
    *,
    layers: int,
    channel: int,
    rule: str = "deconvnet",
    start: str = "activation",
) -> Projection:
    """Map the strongest place of one channel after the first `layers` layers back to the pixels,
    image by image.

    x (N, D), floats or 8-bit pixels. start: "activation" (Zeiler and Fergus) keeps the unit's
    value, "one" puts 1 there (a gradient's start). Returns a Projection; a unit whose strongest
    value is not above 0 is mapped back all the same, though a ReLU behind it lets nothing of it
    through: look at `values`. Raises ValueError on a bad rule, start, layers or channel.

    >>> from refimpl.theory import network_of
    >>> net = network_of(np.array([[1.0], [2.0], [0.0]]))
    >>> found = project_unit(
    ...     net, np.array([[3.0, 4.0]]), layers=1, channel=0, rule="gradient", start="one"
    ... )
    >>> found.images.tolist(), found.values.tolist()
    ([[1.0, 2.0]], [11.0])
    """
    if rule not in RULES:
        raise ValueError(f"rule: expected one of {RULES}, got {rule!r}")
    if start not in ("activation", "one"):
        raise ValueError(f"start: expected 'activation' or 'one', got {start!r}")
    check_layers(network, layers)
    a, caches = network.forward(rows_as(np.asarray(x), network.dtype), upto=layers)
    if not 0 <= channel < a.shape[1]:
        raise ValueError(
            f"channel: expected 0 to {a.shape[1] - 1} after {layers} layers, got {channel!r}"
        )
    strongest_at = a[:, channel].reshape(len(a), -1).argmax(axis=1)
    positions = np.unravel_index(strongest_at, a.shape[2:]) if a.ndim == 4 else ()
    kept = (np.arange(len(a)), channel, *positions)
    values, dout = a[kept], np.zeros_like(a)
    dout[kept] = values if start == "activation" else 1
    images, _ = network.backward(dout, caches, rule=rule, parameters=False)
    return Projection(images, np.array(positions, int).reshape(a.ndim - 2, len(a)).T, values)


def strongest(
    network: Network, x: np.ndarray, *, layers: int, count: int = 9
) -> tuple[np.ndarray, np.ndarray]:
    """The `count` images of x (N, D) on which each channel's largest value is largest, in one pass,
    best first.

    Returns (rows (channels, count), values (channels, count)). Raises ValueError where x has fewer
    images and where layers is not 1 to the number of layers.

    >>> from refimpl.theory import network_of
    >>> net, x = network_of(np.array([[1.0], [0.0]])), np.array([[2.0], [5.0], [3.0]])
    >>> rows, values = strongest(net, x, layers=1, count=2)
    >>> rows.tolist(), values.tolist()
    ([[1, 2]], [[5.0, 3.0]])
    """
    if not 1 <= count <= len(x):
        raise ValueError(f"count: expected 1 to {len(x)} (the number of images), got {count!r}")
    peaks = np.concatenate(
        [a.reshape(*a.shape[:2], -1).max(axis=2) for a in activations(network, layers, x)]
    )
    rows = np.argsort(-peaks, axis=0, kind="stable")[:count]
    return rows.T, np.take_along_axis(peaks, rows, axis=0).T


def feature_maps(network: Network, image: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """What every layer makes of one image (D,), floats or 8-bit pixels: [(name of the layer,
    activation without the batch axis)], in order.

    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(4, 3, 2, rng=np.random.default_rng(0))
    >>> [(name, a.shape) for name, a in feature_maps(net, np.ones(4))]
    [('Affine', (3,)), ('ReLU', (3,)), ('Affine', (2,))]
    """
    x, maps = rows_as(np.asarray(image), network.dtype)[None], []
    for layer in network.layers:
        x, _ = layer.forward(x)
        maps.append((type(layer).__name__, x[0]))
    return maps
