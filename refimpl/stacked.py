"""Several dense networks of one architecture as one Network, whose output is (S, N, K).

The first layers are one matrix (D, S H), so that the images are gathered once and multiplied once;
later layers are products of stacks. `train_together` trains such a network by the one loop of
`train`: what it does to each is what it would do to it alone, to round-off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network


def is_dense(network: Network) -> bool:
    """Whether a network of real numbers is Affine layers, without max_norm, and activations in
    turn.

    >>> from refimpl.network import softmax_net
    >>> is_dense(softmax_net(784, 10)), is_dense(softmax_net(784, 10).astype(complex))
    (True, False)
    """
    affine, activations = network.layers[::2], network.layers[1::2]
    return (
        len(affine) == len(activations) + 1
        and all(type(v) in (ReLU, Sigmoid, Tanh) for v in activations)
        and all(type(v) is Affine and v.max_norm is None and v.w.dtype.kind == "f" for v in affine)
    )


@dataclass(frozen=True, eq=False)
class _First:
    """The first Affine layers of S networks as one: x (N, D) is multiplied once, by (D, S H)."""

    w: np.ndarray  # (D, S, H)
    b: np.ndarray  # (S, 1, H)

    def forward(self, x, *, train=False, rng=None):
        d, s, h = self.w.shape
        z = x @ self.w.reshape(d, s * h)  # (N, S H)
        return z.reshape(len(x), s, h).transpose(1, 0, 2) + self.b, x

    def backward(self, dout, cache):
        d, s, h = self.w.shape
        side_by_side = dout.transpose(1, 0, 2).reshape(len(cache), s * h)  # (N, S H)
        dw = (cache.T @ side_by_side).reshape(d, s, h)
        return None, (dw, dout.sum(axis=1, keepdims=True))  # nobody asks for dx


@dataclass(frozen=True, eq=False)
class _Next:
    """Later Affine layers of S networks, each with an input of its own: (S, N, H) -> (S, N, K)."""

    w: np.ndarray  # (S, H, K)
    b: np.ndarray  # (S, 1, K)

    def forward(self, x, *, train=False, rng=None):
        return x @ self.w + self.b, x

    def backward(self, dout, cache):
        dw = cache.transpose(0, 2, 1) @ dout
        return dout @ self.w.transpose(0, 2, 1), (dw, dout.sum(axis=1, keepdims=True))


def stack(networks: Sequence[Network]) -> Network:
    """S dense networks of one architecture as one, of stacked layers and the activations between
    them: x (N, D) -> logits (S, N, K).

    >>> from refimpl.network import softmax_net
    >>> stack([softmax_net(4, 3)] * 2).forward(np.ones((5, 4)))[0].shape
    (2, 5, 3)
    """
    layers: list[Any] = []
    for i, layer in enumerate(networks[0].layers):
        if i % 2:
            layers.append(layer)
            continue
        b = np.stack([net.layers[i].b[None] for net in networks])  # (S, 1, K)
        kind, axis = (_Next, 0) if i else (_First, 1)
        layers.append(kind(np.stack([net.layers[i].w for net in networks], axis=axis), b))
    return Network(tuple(layers))


def unstack(stacked: Network, network: Network, i: int) -> Network:
    """Network i of a stack, in the architecture of `network`.

    >>> from refimpl.network import softmax_net
    >>> net = softmax_net(4, 3)
    >>> [p.shape for p in unstack(stack([net, net]), net, 1).parameters]
    [(4, 3), (3,)]
    """
    parameters: list[np.ndarray] = []
    for place, layer in enumerate(stacked.layers[::2]):
        w = layer.w[i] if place else layer.w[:, i]
        parameters += [w.copy(), layer.b[i, 0].copy()]
    return network.with_parameters(parameters)
