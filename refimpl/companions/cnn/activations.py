"""What the first layers of a network make of images: for every method that looks at one layer."""

from collections.abc import Iterator

import numpy as np

from refimpl.dtypes import rows_as
from refimpl.network import Network

BLOCK = 256  # images that go through the network together
NAMES = {"Conv2D": "convolution", "Affine": "dense", "MaxPool2D": "pooling"}
IDENTITIES = ("Unflatten", "Flatten", "Dropout")  # layers that keep all there is


def check_layers(network: Network, layers: int) -> None:
    """Raise ValueError unless `layers`, how many of the network's layers are run, is 1 to all of
    them.

    >>> from refimpl.network import softmax_net
    >>> check_layers(softmax_net(2, 2), 0)
    Traceback (most recent call last):
        ...
    ValueError: layers: expected 1 to 1, got 0
    """
    if not 1 <= layers <= len(network.layers):
        raise ValueError(f"layers: expected 1 to {len(network.layers)}, got {layers!r}")


def activation_shape(network: Network, layers: int) -> tuple[int, ...]:
    """The shape of one image's activation after the first `layers` layers: (C, h, w) or (F,).
    Raises as check_layers.

    >>> from refimpl.network import one_hidden_net
    >>> activation_shape(one_hidden_net(4, 3, 2, rng=np.random.default_rng(0)), 2)
    (3,)
    """
    check_layers(network, layers)
    return network.forward(np.zeros((1, network.inputs), network.parameters[0].dtype), upto=layers)[
        0
    ].shape[1:]


def activations(network: Network, layers: int, x: np.ndarray) -> Iterator[np.ndarray]:
    """The activations of x (N, D) after the first `layers` layers, block by block: (n, C, h, w) or
    (n, F).

    In the network's dtype, whatever that of x is. Raises as check_layers, and ValueError where x is
    empty.

    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(4, 3, 2, rng=np.random.default_rng(0))
    >>> [a.shape for a in activations(net, 2, np.ones((300, 4)))]
    [(256, 3), (44, 3)]
    """
    check_layers(network, layers)
    if len(x) == 0:
        raise ValueError("x: expected at least one image, got none")
    dtype = network.parameters[0].dtype
    blocks = (rows_as(x[i : i + BLOCK], dtype) for i in range(0, len(x), BLOCK))
    return (network.forward(block, upto=layers)[0] for block in blocks)


def places(network: Network) -> list[tuple[str, int, tuple]]:
    """[(name, layers to run, shape of the representation)] of every layer that may lose something.

    Convolutions, poolings and dense layers are numbered by kind, ReLUs with the layer before them.

    >>> from refimpl.network import one_hidden_net
    >>> places(one_hidden_net(784, 30, 10, rng=np.random.default_rng(0)))
    [('dense 1', 1, (30,)), ('dense 1, ReLU', 2, (30,)), ('outputs', 3, (10,))]
    """
    found, before = [], ""
    counts: dict[str, int] = {}
    x = np.zeros((1, network.inputs), network.parameters[0].dtype)
    for i, layer in enumerate(network.layers):
        x, kind = layer.forward(x)[0], type(layer).__name__
        if kind in IDENTITIES:
            continue
        if kind in NAMES:
            counts[kind] = counts.get(kind, 0) + 1
            before = "outputs" if i + 1 == len(network.layers) else f"{NAMES[kind]} {counts[kind]}"
            found.append((before, i + 1, x.shape[1:]))
        else:
            found.append((f"{before}, {kind}", i + 1, x.shape[1:]))
    return found
