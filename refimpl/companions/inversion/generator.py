"""Activation maximization through a generator: the code of a decoder is climbed instead of the
pixels (DGN-AM).

    maximize over h   z_c(G(h)) - decay |h|^2      with h in a box      (Nguyen et al. 2016)

G is a trained decoder, so that G(h) looks like its training images, z the network that is looked
into. The decoder ends in rows and networks begin with rows: G and the network are one Network, and
the rest is `maximize`. Deviations: their G is trained with an adversarial and a feature loss too,
ours on pixels alone, hence smoother; their starts are random.

With an autoencoder there is no classifier at all (the paper's outlook): `class_codes` gives the
mean code of every class, and `template` a network that scores an image by its likeness to a class
average, to climb in place of a classifier.
"""

import numpy as np

from refimpl.companions.cnn.activations import activation_shape
from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.inversion.decoder import decode, decoder_for
from refimpl.companions.maximization.activation_maximization import class_objective, maximize
from refimpl.layers import Affine
from refimpl.losses import check_labels
from refimpl.network import Network
from refimpl.optimize import l2, penalty

DECAY = 0.005  # their lambda


def through(decoder: Network, network: Network) -> Network:
    """The network on codes, network(decoder(h)), in the decoder's dtype: (N, F) -> logits (N, K).

    Raises ValueError where the decoder's images are not as large as the network's inputs.

    >>> from refimpl.network import softmax_net
    >>> decoder = decoder_for((8,), (1, 8, 8), rng=np.random.default_rng(0))
    >>> through(decoder, softmax_net(64, 3)).logits(np.zeros((2, 8), np.float32)).shape
    (2, 3)
    """
    (pixels,) = activation_shape(decoder, len(decoder.layers))
    if pixels != network.inputs:
        raise ValueError(f"decoder: expected one that makes {network.inputs} pixels, got {pixels}")
    return Network((*decoder.layers, *network.astype(decoder.parameters[0].dtype).layers))


def code_box(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(low, high), each (F,): 0 to three standard deviations of codes (N, F) that come from a ReLU,
    their box.

    Raises ValueError where there is no code or one is below 0.

    >>> [v.tolist() for v in code_box(np.array([[0.0, 2.0], [2.0, 2.0]]))]
    [[0.0, 0.0], [3.0, 0.0]]
    """
    if len(codes) == 0 or (codes < 0).any():
        raise ValueError("codes: expected at least one code, none below 0 (end after a ReLU)")
    return np.zeros_like(codes[0]), 3 * codes.std(axis=0)


def generate(
    network: Network,
    decoder: Network,
    codes: np.ndarray,
    classes: np.ndarray,
    *,
    steps: int = 200,
    decay: float = DECAY,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images G(h) of the outputs classes (n,) of a network, h climbed in the box of codes (N, F) of
    training images.

    Each step is rms_step's: a fiftieth of the box's mean width in rms over the code. start (n, F),
    the mean code by default, is brought into the box. Returns (images (n, D), h (n, F), history
    (steps + 1, n) of the whole objective). Raises ValueError as code_box, through and maximize.

    >>> from refimpl.companions.inversion.decoder import decoder_for
    >>> from refimpl.network import softmax_net
    >>> rng = np.random.default_rng(0)
    >>> decoder, net = (
    ...     decoder_for((8,), (1, 8, 8), rng=rng),
    ...     softmax_net(64, 3, rng=rng, sigma=0.1, dtype=np.float32),
    ... )
    >>> codes, classes = rng.random((20, 8)).astype(np.float32), np.array([0, 2])
    >>> images, codes, history = generate(net, decoder, codes, classes, steps=5)
    >>> images.shape, codes.shape, history.shape
    ((2, 64), (2, 8), (6, 2))
    """
    codes, classes = np.asarray(codes, decoder.parameters[0].dtype), np.asarray(classes)
    low, high = code_box(codes)
    lr = float((high - low).mean()) / 50
    start = (
        np.repeat(codes.mean(axis=0, keepdims=True), len(classes), axis=0)
        if start is None
        else start
    )
    joined = through(decoder, network)
    h, history = maximize(
        joined,
        class_objective(joined, classes),
        np.clip(start, low, high),
        steps=steps,
        lr=lr,
        priors=(penalty(l2, decay),),
        project=lambda h: np.clip(h, low, high),
    )
    return decode(decoder, h), h, history


def autoencoder(image_shape: tuple[int, ...], *, rng: np.random.Generator) -> tuple[Network, int]:
    """(network, layers): small_net's layers up to its 64 hidden units, after their ReLU, and a
    decoder from these.

    The first `layers` layers are the encoder. float32, untrained; train_decoder without `code`
    trains both. Raises ValueError as decoder_for, on images that no decoder fits.

    >>> network, layers = autoencoder((1, 28, 28), rng=np.random.default_rng(0))
    >>> network.forward(np.zeros((2, 784), np.float32))[0].shape, layers
    ((2, 784), 10)
    """
    encoder = small_net(image_shape, rng=rng).layers[:-1]
    hidden = len(encoder[-2].b)
    return Network((*encoder, *decoder_for((hidden,), image_shape, rng=rng).layers)), len(encoder)


def halves(network: Network, layers: int) -> tuple[Network, Network]:
    """An autoencoder's encoder and decoder, as networks.

    >>> encoder, decoder = halves(*autoencoder((1, 28, 28), rng=np.random.default_rng(0)))
    >>> codes = encoder.forward(np.zeros((2, 784), np.float32))[0]
    >>> codes.shape, decoder.forward(codes)[0].shape
    ((2, 64), (2, 784))
    """
    return Network(network.layers[:layers]), Network(network.layers[layers:])


def class_codes(codes: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """The mean code of every class: (N, F), labels (N,) -> (classes, F).

    Raises ValueError on a label outside [0, classes) and on a class without an image.

    >>> class_codes(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1]), 2).tolist()
    [[2.0], [5.0]]
    """
    check_labels(y, classes)
    counts = np.bincount(y, minlength=classes)
    if not counts.all():
        raise ValueError(
            f"y: expected an image of every class, found none of class {int(np.argmin(counts))}"
        )
    return np.stack([codes[y == c].mean(axis=0) for c in range(classes)])


def template(averages: np.ndarray) -> Network:
    """The linear network of K class averages (K, D): z_c = <x, average_c - mean of all> / D.
    Nothing of it is trained.

    >>> template(np.array([[1.0, 0.0], [0.0, 1.0]])).predict(np.array([[0.9, 0.2]])).tolist()
    [0]
    """
    w = ((averages - averages.mean(axis=0)) / averages.shape[1]).T
    return Network((Affine(w, np.zeros(len(averages), w.dtype)),))
