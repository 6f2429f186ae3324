"""Distillation by gradient matching: images whose gradients point where the training images' do.

At a random start theta, and class by class, the cross-entropy of the learned images should pull the
weights the way that the training images of the class pull them (Zhao, Mopuri and Bilen 2021):

    D(S) = sum over classes, and over every output unit of every layer, of
           1 - cos(g, a)        g = dL(S) / dw,  a = dL(X) / dw, one column of a weight matrix each

As there, biases are not matched and, for one image a class, the network is never trained on the
way: every iteration draws a new start. Deviations: Adam on the images, and no augmentation.

dD/dS takes the derivative of a gradient. With d = dD/dg, the gradient of <dL(S)/dtheta, d> by S is
the derivative of dL/dS along d (mixed derivatives commute), which is Pearlmutter's R-operator with
a direction in the weights: `along_weights`. With one image a class every column of g is a multiple
of that image (or of its hidden units), whose cosine does not see the factor: all that matching then
finds is the images' own direction.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refimpl.companions.distillation.preparation import Preparation, check_training
from refimpl.companions.distillation.unrolled import he_start
from refimpl.descent import minimize
from refimpl.layers import Affine, ReLU
from refimpl.losses import check_labels, cross_entropy
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.second_order import cross_entropy_hvp


def weight_gradients(network: Network, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """dL / dw of every weight matrix, L the cross-entropy: x (N, D), y (N,) -> [(D, H), ...].

    >>> from refimpl.network import softmax_net
    >>> weight_gradients(softmax_net(1, 2), np.ones((1, 1)), np.array([0]))[0].tolist()
    [[-0.5, 0.5]]
    """
    z, caches = network.forward(x)
    _, dz = cross_entropy(z, y)
    return [layer[0] for layer in network.parameter_gradients(dz, caches) if layer]


def along_weights(
    network: Network, x: np.ndarray, y: np.ndarray, direction: Sequence[np.ndarray]
) -> np.ndarray:
    """d/dx of <dL/dw, direction>, summed over the weight matrices: x (N, D) -> (N, D).

        forward  z = h w,  z' = h v + h' w,  h' = gate z'       at the logits g = dL,  q = H_L z'
        backward  q <- q w' + g v',  g <- g w',  both gated

    network: Affine and ReLU layers in turn, Affine at both ends; direction: one matrix v like each
    weight matrix. ReLU's second derivative is 0 wherever it exists.

    >>> net = Network((Affine(np.ones((1, 2)), np.zeros(2)),))
    >>> along_weights(net, np.zeros((1, 1)), np.array([0]), [np.array([[1.0, 0.0]])]).tolist()
    [[-0.5]]
    """
    h, along = x, np.zeros_like(x)
    tape: list[tuple[np.ndarray, np.ndarray | None]] = []
    rest = iter(direction)
    for layer in network.layers:
        if isinstance(layer, Affine):
            v = next(rest)
            tape.append((layer.w, v))
            h, along = h @ layer.w + layer.b, h @ v + along @ layer.w
        elif isinstance(layer, ReLU):
            gate = h.real > 0
            tape.append((gate, None))
            h, along = h * gate, along * gate
        else:
            raise ValueError(f"network: expected Affine and ReLU, got {type(layer).__name__}")
    g, q = cross_entropy(h, y)[1], cross_entropy_hvp(h, y, along)
    for w, v in reversed(tape):
        if v is None:
            g, q = g * w, q * w
        else:
            g, q = g @ w.T, q @ w.T + g @ v.T
    return q


def cosine_distance(g: np.ndarray, a: np.ndarray) -> tuple[float, np.ndarray]:
    """(sum over columns of 1 - cos(g_k, a_k), its derivative by g). g, a (D, H); a column of a that
    is zero counts nothing, one of g that is zero counts 1.

    >>> value, dg = cosine_distance(np.array([[1.0], [0.0]]), np.array([[0.0], [2.0]]))
    >>> float(value), dg.tolist()
    (1.0, [[0.0], [-1.0]])
    """
    size_g = np.sqrt((g * g).sum(axis=0))
    size_a = np.sqrt((a * a).sum(axis=0))
    counts = size_a.real > 0
    to_g = a / np.where(counts, size_a, 1)  # unit columns, or zero
    safe = np.where(size_g.real > 0, size_g, 1)
    cosine = (g * to_g).sum(axis=0) / safe
    return (counts - cosine).sum(), (cosine * g / safe - to_g) / safe


def mismatch(
    network: Network, images: np.ndarray, labels: np.ndarray, aims: Sequence[Sequence[np.ndarray]]
) -> tuple[float, np.ndarray]:
    """(D of the module's formula, dD/dimages): images (N, D) with labels (N,); aims: for each class
    the weight gradients of its training images.

    >>> from refimpl.network import softmax_net
    >>> images, labels = np.eye(2), np.array([0, 1])
    >>> net = softmax_net(2, 2)
    >>> aims = [weight_gradients(net, 3 * images[[c]], labels[[c]]) for c in (0, 1)]
    >>> float(mismatch(net, images, labels, aims)[0])
    0.0
    """
    total: Any = 0
    dimages = np.zeros_like(images)
    for c, aim in enumerate(aims):
        own = labels == c
        if not own.any():
            continue
        x, y = images[own], labels[own]
        pairs = [cosine_distance(g, a) for g, a in zip(weight_gradients(network, x, y), aim)]
        total += sum(value for value, _ in pairs)
        dimages[own] = along_weights(network, x, y, [dg for _, dg in pairs])
    return total, dimages


def match_gradients(
    x: np.ndarray,
    y: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    prepare: Preparation,
    rng: np.random.Generator,
    hidden: int = 30,
    iterations: int = 1_000,
    batch: int = 128,
    lr: float = 0.02,
    report: Callable[[str], Any] = lambda line: None,
) -> np.ndarray:
    """Learn images (N, D) for hard labels (N,) by Adam on D, lr falling linearly to 0: (N, D).

    Every iteration draws a He start of D-hidden-K and `batch` training images of each class from
    rng, with replacement. x (M, D) training images in pixels, y (M,) their labels 0 to K - 1;
    images, prepared, is where it starts and is not changed. Raises ValueError on bad labels, on a
    class that never occurs and on numbers that are not positive, FloatingPointError at the first
    iteration where D is not finite.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(40, 6)).astype(np.float32), np.arange(40) % 2
    >>> options = {"prepare": Preparation(np.zeros(6, np.float32)), "rng": rng, "iterations": 2}
    >>> match_gradients(x, y, x[:2], y[:2], **options).shape
    (2, 6)
    """
    if min(hidden, iterations, batch) < 1 or not lr > 0:
        raise ValueError(
            "hidden, iterations, batch, lr: expected at least 1 each and lr above 0, got "
            f"{hidden}, {iterations}, {batch}, {lr!r}"
        )
    classes = int(y.max()) + 1
    check_training(x, y, classes)
    check_labels(labels, classes, name="labels")
    rows = [np.flatnonzero(y == c) for c in range(classes)]
    absent = [c for c, own in enumerate(rows) if not len(own)]
    if absent:
        raise ValueError(f"y: expected images of all {classes} classes, {absent} have none")

    def gradient(learned, i):
        network = he_start(images.shape[1], hidden, classes, rng)
        aims = []
        for own in rows:
            drawn = rng.choice(own, batch)
            aims.append(weight_gradients(network, prepare(x[drawn]), y[drawn]))
        value, dimages = mismatch(network, learned[0], labels, aims)
        if i % 50 == 0:
            report(f"gradient matching, iteration {i} of {iterations}, distance {value:.2f}")
        return value, [dimages]

    def falling(i):
        return lr * (1 - i / iterations)

    return minimize(gradient, [images], steps=iterations, lr=falling, update=adam)[0][0]
