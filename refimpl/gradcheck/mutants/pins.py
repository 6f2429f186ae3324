"""Examples that fix a convention, where a gradient alone would let another one pass: each returns
whether it holds.
"""

import numpy as np

from refimpl.layers import RULES


def relu_pin(layer):
    """The derivative of ReLU at 0 is 0; the three backward rules on four sign patterns."""
    dx, _ = layer.backward(
        np.array([[1.0, 1.0, 1.0]]), layer.forward(np.array([[-1.0, 0.0, 2.0]]))[1]
    )
    x, dout = np.array([1.0, 1.0, -1.0, -1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    rules = [layer.backward(dout, layer.forward(x)[1], rule=rule)[0].tolist() for rule in RULES]
    return dx.tolist() == [[0.0, 0.0, 1.0]] and rules == [[1, -1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]]


def network_pin(net):
    """Network.backward hands its rule to every ReLU: the same as backward layer by layer with that
    rule.
    """
    rng = np.random.default_rng(0)
    z, caches = net.forward(rng.normal(size=(3, net.inputs)))
    dout = rng.normal(size=z.shape)
    for rule in RULES:
        d = dout
        for layer, cache in zip(net.layers[::-1], caches[::-1]):
            options = {"rule": rule} if type(layer).__name__ == "ReLU" else {}
            d, _ = layer.backward(d, cache, **options)
        if not np.array_equal(net.backward(dout, caches, rule=rule)[0], d):
            return False
    return True


def conv_pin(layer):
    """Correlation, the filter not flipped; an even "same" kernel reads one zero after the image,
    none before.
    """
    w, x = np.array([[[[1.0, 10.0]]]]), np.array([[[[1.0, 2.0, 3.0]]]])
    out, _ = type(layer)(w, np.zeros(1), padding="same").forward(x)
    return out.tolist() == [[[[21.0, 32.0, 3.0]]]]


def pool_pin(layer):
    """The first of equal maxima, row by row, takes the whole gradient."""
    tied = type(layer)(2)
    dx, _ = tied.backward(
        np.array([[[[8.0]]]]), tied.forward(np.array([[[[0.0, 3.0], [3.0, 3.0]]]]))[1]
    )
    return dx.tolist() == [[[[0.0, 8.0], [0.0, 0.0]]]]


def upsample_pin(layer):
    """Nearest neighbour: blocks of equal pixels, not copies of the image side by side."""
    return type(layer)().forward(np.array([[[[1.0, 2.0]]]]))[0].tolist() == [
        [[[1, 1, 2, 2], [1, 1, 2, 2]]]
    ]


def unflatten_pin(layer):
    """Channel by channel, row by row."""
    c, h, w = layer.shape
    out, _ = layer.forward(np.arange(float(c * h * w))[None])
    return out.tolist() == np.arange(float(c * h * w)).reshape(1, c, h, w).tolist()


def flatten_pin(layer):
    """The same order back, in whatever order the images lie in memory."""
    x = np.arange(24.0).reshape(2, 2, 2, 3)
    expected = x.reshape(2, 12).tolist()
    return all(layer.forward(v)[0].tolist() == expected for v in (x, np.asfortranarray(x)))


def dropout_pin(layer):
    """A kept value is divided by the share that is kept; chance comes from the rng; not in training
    out = x.
    """
    half, x = type(layer)(0.5), np.ones((50, 20))
    out = [half.forward(x, train=True, rng=np.random.default_rng(seed))[0] for seed in (0, 0, 1)]
    return (
        np.unique(out).tolist() == [0, 2]
        and np.array_equal(out[0], out[1])
        and not np.array_equal(out[0], out[2])
        and np.array_equal(half.forward(x)[0], x)
    )


def batchnorm_pin(layer):
    """Two values 1 and 3: normalized to -1 and 1; running mean .9 0 + .1 2, running variance .9 1 +
    .1 2 (unbiased).
    """
    norm = type(layer)(np.ones(1), np.zeros(1), np.zeros(1), np.ones(1), eps=0.0)
    out, cache = norm.forward(np.array([[1.0], [3.0]]), train=True)
    new, (same, _) = norm.updated(cache), norm.forward(np.array([[1.0], [3.0]]))
    return (
        out.tolist() == [[-1], [1]]
        and same.tolist() == [[1], [3]]
        and abs(new.mean[0] - 0.2) < 1e-15
        and abs(new.var[0] - 1.1) < 1e-15
    )


PINS = {
    "ReLU": relu_pin,
    "Conv2D": conv_pin,
    "MaxPool2D": pool_pin,
    "Upsample": upsample_pin,
    "Unflatten": unflatten_pin,
    "Flatten": flatten_pin,
    "Dropout": dropout_pin,
    "BatchNorm": batchnorm_pin,
}
