"""Planted errors in what differs between training and use (dropout, batch normalization), in the
rules of ReLU, and in whole networks: as in planted.py, (case, what is wrong, alter).
"""

from dataclasses import replace

import numpy as np

from refimpl.gradcheck.mutants.planted import backward, dx_only, instead, network
from refimpl.gradcheck.mutants.planted_conv import plain
from refimpl.layers import ReLU


def unscaled(self, x, **options):
    """Dropout without its 1 / (1 - rate), in both directions."""
    out, cache = plain(self).forward(self, x, **options)
    return (out, cache) if cache is None else (out / cache[1], (cache[0], 1.0))


def means(forget):
    """BatchNorm's training backward with one of its two means forgotten."""

    def change(layer, dout, cache, dx, dgamma, dbeta):
        normal, inverse, _ = cache
        term = {
            "mean": dbeta[:, None, None] + 0 * normal,
            "product": normal * dgamma[:, None, None],
        }[forget]
        return dx + term / (dout.size // dout.shape[1]) * (layer.gamma * inverse)[:, None, None], (
            dgamma,
            dbeta,
        )

    return backward(change)


def ruled(change):
    """ReLU's backward under a rule: change(dout, x, rule) for the two that are no gradient."""

    def wrong(self, dout, cache, *, rule="gradient"):
        if rule == "gradient":
            return ReLU.backward(self, dout, cache)
        return change(dout, cache, rule), ()

    return instead(backward=wrong)


def unruled(net, dout, caches, *, rule="gradient"):
    return type(net).__mro__[1].backward(net, dout, caches)


def ruled_once(net, dout, caches, *, rule="gradient"):
    """The rule reaches the logits' side only: no ReLU before the last Affine."""
    real = type(net).__mro__[1]
    rule = rule if type(net.layers[-1]).__name__ == "ReLU" else "gradient"
    return real.backward(net, dout, caches, rule=rule)


def without(layer, which):
    """The network's parameter gradients with one parameter's left at zero."""

    def alter(real):
        def wrong(net, dout, caches):
            found = [list(g) for g in real(net, dout, caches)]
            found[layer][which] = 0 * found[layer][which]
            return tuple(map(tuple, found))

        return wrong

    return alter


PLANTED_NETWORKS = [
    (
        "Dropout",
        "scaled outside training",
        dx_only(lambda dx, dout, cache, layer: dx * dx.dtype.type(1 - layer.rate)),
    ),
    (
        "Dropout.training",
        "backward without the scale",
        dx_only(lambda dx, dout, cache, layer: dout * cache[0]),
    ),
    (
        "Dropout.training",
        "backward with the scale inverted",
        dx_only(lambda dx, dout, cache, layer: dx / cache[1] ** 2),
    ),
    (
        "Dropout.training",
        "backward without the mask",
        dx_only(lambda dx, dout, cache, layer: dout * cache[1]),
    ),
    (
        "Dropout.training",
        "a new mask in backward",
        dx_only(
            lambda dx, dout, cache, layer: (
                dout * cache[1] * (np.random.default_rng(5).random(dout.shape) >= layer.rate)
            )
        ),
    ),
    (
        "Dropout.training",
        "one mask for all images",
        dx_only(lambda dx, dout, cache, layer: dout * cache[0][:1] * cache[1]),
    ),
    (
        "Dropout.training",
        "not inverted: kept values as they are, both ways",
        instead(forward=unscaled),
    ),
    (
        "BatchNorm",
        "the batch's statistics in backward alone",
        backward(
            lambda layer, dout, cache, dx, dgamma, dbeta: (
                dx - dx.mean(axis=(0, 2, 3), keepdims=True),
                (dgamma, dbeta),
            )
        ),
    ),
    (
        "BatchNorm",
        "gamma forgotten",
        dx_only(lambda dx, dout, cache, layer: dout * cache[1][:, None, None]),
    ),
    ("BatchNorm.training", "without the mean term", means("mean")),
    ("BatchNorm.training", "without the variance term", means("product")),
    (
        "BatchNorm.training",
        "gamma forgotten",
        dx_only(lambda dx, dout, cache, layer: dx / layer.gamma[:, None, None]),
    ),
    (
        "BatchNorm.training",
        "the variance for its root",
        dx_only(lambda dx, dout, cache, layer: dx * cache[1][:, None, None]),
    ),
    (
        "BatchNorm.training",
        "dgamma of the image, not normalized",
        backward(
            lambda layer, dout, cache, dx, dgamma, dbeta: (
                dx,
                ((dout * cache[0]).sum(axis=(0, 2, 3)) / cache[1], dbeta),
            )
        ),
    ),
    (
        "BatchNorm.training",
        "dbeta a mean",
        backward(
            lambda layer, dout, cache, dx, dgamma, dbeta: (
                dx,
                (dgamma, dbeta / (dout.size // dout.shape[1])),
            )
        ),
    ),
    (
        "BatchNorm.training",
        "the running statistics hardly move: momentum the wrong way",
        instead(
            updated=lambda self, cache: plain(self).updated(
                replace(self, momentum=1 - self.momentum), cache
            )
        ),
    ),
    (
        "BatchNorm.training",
        "the running variance biased",
        instead(
            updated=lambda self, cache: plain(self).updated(
                self,
                (
                    None,
                    None,
                    (cache[2][0], cache[2][1] * (cache[2][2] - 1) / cache[2][2], cache[2][2]),
                ),
            )
        ),
    ),
    (
        "ReLU",
        "deconvnet: the forward mask too",
        ruled(lambda dout, x, rule: dout * (dout > 0) * (x > 0)),
    ),
    (
        "ReLU",
        "guided: without the forward mask",
        ruled(lambda dout, x, rule: dout * (dout > 0)),
    ),
    ("ReLU", "rules ignored: the gradient", ruled(lambda dout, x, rule: dout * (x > 0))),
    (
        "ReLU",
        "rules keep the negative part",
        ruled(lambda dout, x, rule: dout * (dout < 0) * ((x > 0) | (rule == "deconvnet"))),
    ),
    ("Network.rule", "the rule not handed on", network(unruled)),
    ("Network.rule", "the rule handed to a last ReLU alone", network(ruled_once)),
    (
        "Network.conv",
        "the first layer left out",
        network(
            lambda net, dout, caches: (lambda back: (0 * back[0], back[1]))(
                type(net).__mro__[1].backward(net, dout, caches)
            )
        ),
    ),
    ("parameter_gradients", "of the first layer left at zero", without(1, 0)),
    ("parameter_gradients", "its bias forgotten", without(1, 1)),
    (
        "parameter_gradients",
        "doubled",
        lambda real: lambda net, dout, caches: real(net, 2 * dout, caches),
    ),
]
