"""The planted errors: (case, what is wrong, alter), with alter(real piece) -> the broken piece."""

import copy

import numpy as np

from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.losses import softmax
from refimpl.second_order import covariance_product


def backward(change):
    """Plant in a layer: its backward becomes change(dout, cache, dx, *gradients), from what the
    real one returns.
    """

    def alter(layer):
        real = type(layer)

        def wrong(self, dout, cache, **options):
            dx, gradients = real.backward(self, dout, cache, **options)
            return change(self, dout, cache, dx, *gradients)

        broken = copy.copy(layer)
        object.__setattr__(broken, "__class__", type(real.__name__, (real,), {"backward": wrong}))
        return broken

    return alter


def instead(**methods):
    """Plant in a layer: whole methods replaced."""

    def alter(layer):
        broken = copy.copy(layer)
        object.__setattr__(broken, "__class__", type(type(layer).__name__, (type(layer),), methods))
        return broken

    return alter


def dx_only(change):
    """Plant in dx alone: change(dx, dout, cache, layer)."""
    return backward(lambda layer, dout, cache, dx, *g: (change(dx, dout, cache, layer), g))


def network(change):
    """Plant in a Network: backward becomes change(network, dout, caches); parameters go on being
    replaceable.
    """

    def alter(net):
        real = type(net)

        class Broken(real):
            backward = change

            def with_parameters(self, parameters):
                return Broken(real.with_parameters(self, parameters).layers)

        return Broken(net.layers)

    return alter


def _double(back):
    dx, ((dw, db), *rest) = back
    return dx, ((dw, 2 * db), *rest)


def gradient(change):
    """Plant in a loss or objective: its gradient becomes change(dz, z, target)."""

    def alter(real):
        def wrong(z, target, **options):
            value, dz = real(z, target, **options)
            return value, change(dz, z, target)

        return wrong

    return alter


def result(change):
    """Plant in any function: change(what it returns, *its arguments)."""
    return lambda real: (
        lambda *arguments, **options: change(real(*arguments, **options), *arguments)
    )


def one(a, factor):
    """One entry, in the middle, times factor."""
    a = a.copy()
    a[tuple(n // 2 for n in a.shape)] *= factor
    return a


def leak(a):
    """Through float32 and back."""
    return a.astype(np.float32).astype(a.dtype)


def stored(layer):
    """A layer that keeps its input on itself and reads it in backward."""
    broken, real = copy.copy(layer), type(layer)

    def forward(self, x, **options):
        out, cache = real.forward(self, x, **options)
        object.__setattr__(self, "_kept", cache)
        return out, None

    object.__setattr__(
        broken,
        "__class__",
        type(
            real.__name__,
            (real,),
            {
                "forward": forward,
                "backward": lambda self, dout, cache: real.backward(self, dout, self._kept),
            },
        ),
    )
    return broken


def add_in_place(a, b):
    a += b
    return a


def scale_in_place(a, b):
    a *= b
    return a


def alone(layer):
    """The example of a layer without parameters that takes rows (n, d)."""
    return lambda draw, n, d, k, scale: (layer(), draw(n, d, scale=scale))


EXAMPLES = {  # of each layer that takes rows: draw(*shape, scale=), sizes -> (layer, batch)
    "Affine": lambda draw, n, d, k, scale: (
        Affine(draw(d, k), draw(k)),
        draw(n, d, scale=scale),
    ),
    "ReLU": alone(ReLU),
    "Sigmoid": alone(Sigmoid),
    "Tanh": alone(Tanh),
}
EVERY = {  # planted in dx of each layer
    "dx times 1 + 1e-4": lambda dx, dout, cache, layer: dx * (1 + 1e-4),
    "dx times 1 + 1e-6": lambda dx, dout, cache, layer: dx * (1 + 1e-6),
    "dx with the wrong sign": lambda dx, dout, cache, layer: -dx,
    "dx through float32": lambda dx, dout, cache, layer: leak(dx),
    "dx always float64": lambda dx, dout, cache, layer: dx.astype(np.float64),
    "dout changed in place": lambda dx, dout, cache, layer: (
        dx + 0 * scale_in_place(dout, 2).ravel()[0]
    ),
}
LAYER_NAMES = ("Affine", "ReLU", "Sigmoid", "Tanh", "yours.MaxPool", "yours.MeanPool")

PLANTED = (
    [(name, what, dx_only(change)) for name in LAYER_NAMES for what, change in EVERY.items()]
    + [
        (name, "cache on self: stale after a second forward", stored)
        for name in ("Affine", "ReLU", "Sigmoid", "Tanh")
    ]
    + [
        ("Affine", "transposed weight", dx_only(lambda dx, dout, cache, layer: dout @ layer.w)),
        ("Affine", "dx forgets w", dx_only(lambda dx, dout, cache, layer: dout.copy())),
        (
            "Affine",
            "dw transposed",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (dw.T.copy(), db))),
        ),
        (
            "Affine",
            "dw averaged over the batch",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (dw / len(x), db))),
        ),
        (
            "Affine",
            "db averaged over the batch",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (dw, db / len(x)))),
        ),
        (
            "Affine",
            "db of the first image only",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (dw, dout[0]))),
        ),
        (
            "Affine",
            "db not summed over the batch",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (dw, dout))),
        ),
        (
            "Affine",
            "db summed over the wrong axis",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (dw, dout.sum(axis=1)[:3]))),
        ),
        (
            "Affine",
            "dw and db exchange sign",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (-dw, -db))),
        ),
        (
            "Affine",
            "last image left out of dw",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (x[:-1].T @ dout[:-1], db))),
        ),
        (
            "Affine",
            "one entry of dw times 1 + 1e-6",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (one(dw, 1 + 1e-6), db))),
        ),
        (
            "Affine",
            "weight decay slipped into dw",
            backward(lambda layer, dout, x, dx, dw, db: (dx, (dw + 1e-4 * layer.w, db))),
        ),
        ("Affine", "db forgotten", backward(lambda layer, dout, x, dx, dw, db: (dx, (dw,)))),
        (
            "Affine",
            "batch mean removed from dx",
            dx_only(lambda dx, dout, cache, layer: dx - dx.mean(axis=0)),
        ),
        (
            "Affine",
            "forward adds b in place of x",
            instead(
                forward=lambda self, x, train=False, rng=None: (
                    add_in_place(x, 0.5) @ self.w + self.b,
                    x,
                )
            ),
        ),
        (
            "ReLU",
            ">= for > at zero",
            dx_only(lambda dx, dout, x, layer: np.where(x >= 0, dout, 0 * dout)),
        ),
        ("ReLU", "DeconvNet's rule", dx_only(lambda dx, dout, x, layer: np.maximum(dout, 0))),
        ("ReLU", "guided rule", dx_only(lambda dx, dout, x, layer: np.maximum(dx, 0))),
        (
            "ReLU",
            "the gate on dout",
            dx_only(lambda dx, dout, x, layer: np.where(dout > 0, dout, 0 * dout)),
        ),
        (
            "ReLU",
            "leak of 1e-5 below zero",
            dx_only(lambda dx, dout, x, layer: np.where(x > 0, dout, 1e-5 * dout).astype(dx.dtype)),
        ),
        (
            "ReLU",
            "threshold at 1",
            dx_only(lambda dx, dout, x, layer: np.where(x > 1, dout, 0 * dout)),
        ),
        ("Sigmoid", "1 - s forgotten", dx_only(lambda dx, dout, s, layer: dout * s)),
        ("Sigmoid", "s for s (1 - s), squared", dx_only(lambda dx, dout, s, layer: dout * s * s)),
        (
            "Sigmoid",
            "the sigmoid of the cache",
            dx_only(lambda dx, dout, s, layer: dout * (1 / (1 + np.exp(-s))) * (1 - s)),
        ),
        (
            "Sigmoid",
            "epsilon 1e-7 in 1 - s",
            dx_only(lambda dx, dout, s, layer: dout * s * (1 - s + s.dtype.type(1e-7))),
        ),
        ("Tanh", "1 - t for 1 - t^2", dx_only(lambda dx, dout, t, layer: dout * (1 - t))),
        ("Tanh", "1 + t^2", dx_only(lambda dx, dout, t, layer: dout * (1 + t * t))),
        ("Tanh", "dout forgotten", dx_only(lambda dx, dout, t, layer: 1 - t * t)),
        (
            "yours.MaxPool",
            "both neighbours get the gradient",
            dx_only(lambda dx, dout, c, layer: np.repeat(dout, 2, axis=1)),
        ),
        (
            "yours.MaxPool",
            "off-by-one window",
            dx_only(lambda dx, dout, c, layer: np.roll(dx, 1, axis=1)),
        ),
        (
            "yours.MaxPool",
            "the smaller neighbour",
            dx_only(lambda dx, dout, c, layer: np.repeat(dout, 2, axis=1) - dx),
        ),
        ("yours.MeanPool", "average not divided", dx_only(lambda dx, dout, c, layer: 2 * dx)),
        (
            "yours.MeanPool",
            "off-by-one window",
            dx_only(lambda dx, dout, c, layer: np.roll(dx, 1, axis=1)),
        ),
        (
            "Network",
            "the ReLU skipped on the way back",
            network(
                lambda net, dout, caches: (
                    type(net)
                    .__mro__[1]
                    .backward(net, dout, [caches[0], np.ones_like(caches[1]), caches[2]])
                )
            ),
        ),
        (
            "Network",
            "first layer's db doubled",
            network(
                lambda net, dout, caches: _double(type(net).__mro__[1].backward(net, dout, caches))
            ),
        ),
        (
            "Network",
            "caches in the wrong order",
            network(
                lambda net, dout, caches: (
                    type(net)
                    .__mro__[1]
                    .backward(net, dout, [caches[1][:, : net.inputs] + 1, caches[1], caches[2]])
                )
            ),
        ),
        (
            "input_gradient",
            "the gates left open",
            lambda real: lambda net, x, dout: dout @ net.layers[2].w.T @ net.layers[0].w.T,
        ),
        (
            "input_gradient",
            "at another point",
            lambda real: lambda net, x, dout: real(net, x - 1.5, dout),
        ),
        (
            "hidden_gradient",
            "W1 without the gate",
            lambda real: lambda net, x, c: net.layers[2].w.T[c] @ net.layers[0].w.T,
        ),
        (
            "hidden_gradient",
            "of the next class",
            lambda real: lambda net, x, c: real(net, x, (c + 1) % net.classes),
        ),
        *[
            (loss, what, gradient(change))
            for loss in ("cross_entropy", "cross_entropy.soft", "distillation", "squared_error")
            for what, change in {
                "missing 1/N": lambda dz, z, t: dz * len(z),
                "1/N twice": lambda dz, z, t: dz / len(z),
                "divided by K, not N": lambda dz, z, t: dz * len(z) / z.shape[1],
                "times 1 + 1e-6": lambda dz, z, t: dz * (1 + 1e-6),
                "wrong sign": lambda dz, z, t: -dz,
                "one entry through float32": lambda dz, z, t: np.where(
                    np.arange(z.shape[1]) == 0, leak(dz), dz
                ),
                "logits changed in place": lambda dz, z, t: dz + 0 * add_in_place(z, 1),
            }.items()
        ],
        *[
            ("cross_entropy.soft", what, alter)
            for what, alter in {
                "temperature forgotten": gradient(lambda dz, z, t: dz * 2),
                "temperature squared": gradient(lambda dz, z, t: dz / 2),
                "temperature missing inside the softmax": lambda real: (
                    lambda z, t, temperature: (
                        real(z, t, temperature=temperature)[0],
                        real(z, t)[1] / temperature,
                    )
                ),
                "sum of the targets taken for 1": gradient(
                    lambda dz, z, t: dz - 0.5 * softmax(z / 2) / (2 * len(z))
                ),
            }.items()
        ],
        (
            "distillation",
            "teacher's temperature forgotten",
            lambda real: (
                lambda z, t, temperature: (
                    real(z, t, temperature=temperature)[0],
                    real(z, temperature * t, temperature=temperature)[1],
                )
            ),
        ),
        (
            "cross_entropy",
            "softmax without the cross term",
            gradient(lambda dz, z, y: np.where(np.arange(z.shape[1]) == y[:, None], dz, 0 * dz)),
        ),
        (
            "cross_entropy",
            "softmax over the wrong axis",
            gradient(lambda dz, z, y: dz + (softmax(z.T).T - softmax(z)) / len(z)),
        ),
        (
            "cross_entropy",
            "the label's 1 forgotten",
            gradient(lambda dz, z, y: softmax(z) / len(z)),
        ),
        *[
            (name, what, gradient(change))
            for name in ("logit", "centred_logit", "probability", "log_probability")
            for what, change in {
                "averaged over images": lambda dz, z, c: dz / len(z),
                "wrong sign": lambda dz, z, c: -dz,
                "times 1 + 1e-6": lambda dz, z, c: dz * (1 + 1e-6),
                "of the next class": lambda dz, z, c: np.roll(dz, 1, axis=1),
            }.items()
        ],
        (
            "probability",
            "p (1 - p) without the cross term",
            gradient(lambda dz, z, c: np.where(np.arange(z.shape[1]) == c[:, None], dz, 0 * dz)),
        ),
        (
            "probability",
            "p_c forgotten",
            gradient(lambda dz, z, c: dz / softmax(z)[np.arange(len(z)), c][:, None]),
        ),
        ("log_probability", "softmax forgotten", gradient(lambda dz, z, c: dz + softmax(z))),
        (
            "centred_logit",
            "the mean forgotten",
            gradient(lambda dz, z, c: dz + z.real.dtype.type(1 / z.shape[1])),
        ),
        (
            "class_visualizations",
            "weight decay without its 2",
            lambda real: (
                lambda net, weight_decay, **o: real(net, weight_decay=weight_decay / 2, **o)
            ),
        ),
        (
            "class_visualizations",
            "descent for ascent",
            lambda real: lambda net, start, **o: (2 * start - real(net, start=start, **o)[0], None),
        ),
        (
            "class_visualizations",
            "images mixed: the mean gradient",
            lambda real: (
                lambda net, start, **o: (
                    start + (real(net, start=start, **o)[0] - start).mean(axis=0),
                    None,
                )
            ),
        ),
        ("cross_entropy_hvp", "temperature once", result(lambda r, *a: r * 2)),
        (
            "cross_entropy_hvp",
            "diag p only",
            lambda real: (
                lambda z, t, v, temperature: (
                    t.sum(axis=1, keepdims=True)
                    * softmax(z / temperature)
                    * v
                    / (len(z) * temperature**2)
                )
            ),
        ),
        ("squared_error_hvp", "missing 1/N", result(lambda r, z, t, v: r * len(z))),
        (
            "probability_hvp",
            "the outer product forgotten",
            lambda real: (
                lambda z, c, v: (
                    -softmax(z)[np.arange(len(z)), c][:, None] * covariance_product(softmax(z), v)
                )
            ),
        ),
        ("log_probability_hvp", "wrong sign", result(lambda r, *a: -r)),
        ("logit_hvp", "not zero", result(lambda r, z, c, v: r + 1e-6 * v)),
        (
            "input_hvp",
            "the bend of the activation forgotten",
            lambda real: (
                lambda net, x, v, gradient, hvp: real(net, x, v, gradient=lambda z: 0 * z, hvp=hvp)
            ),
        ),
        (
            "input_hvp.sigmoid",
            "of half the direction",
            lambda real: lambda net, x, v, **o: real(net, x, v / 2, **o),
        ),
        (
            "train",
            "twice the step",
            lambda real: lambda p, g, state, lr: real(p, 2 * g, state, lr=lr),
        ),
        ("train", "uphill", lambda real: lambda p, g, state, lr: real(p, -g, state, lr=lr)),
        (
            "descend",
            "velocity damped at the first step",
            lambda real: lambda p, g, state, lr: real(p, (1 - 0.9) * g, state, lr=lr),
        ),
        (
            "descend_dual",
            "biases left out",
            lambda real: (
                lambda net, x, y, **o: net.with_parameters(
                    (real(net, x, y, **o).parameters[0], net.parameters[1])
                )
            ),
        ),
    ]
)
