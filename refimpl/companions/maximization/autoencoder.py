"""A stacked denoising autoencoder, and what its units respond to most: the second network of Erhan
et al. (2009), who were the first to maximize activations.

Each layer learns to undo noise (Vincent et al. 2008): a part `noise` of what comes in is set to
zero, a layer of sigmoid units codes the rest, a second one decodes, and squared error to what came
in is minimized. The code of one layer is what the next one learns on; the decoders are thrown
away, and no label is ever read. A unit is then asked for the image of one norm that it responds to
most, |x| = radius: Erhan et al. fix the norm, too, since a longer image drives any unit further.

For the first layer the answer is known (Cauchy and Schwarz): radius w_j / |w_j|. Deviations: the
values that noise leaves are divided by 1 - noise, as dropout does; decoders have weights of their
own; squared error by Adam; no fine-tuning on labels.
"""

from collections.abc import Sequence

import numpy as np

from refimpl.companions.maximization.activation_maximization import maximize, place_objective
from refimpl.layers import Affine, Dropout, Sigmoid
from refimpl.losses import squared_error
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.training import train


def _dense(inputs: int, units: int, rng: np.random.Generator) -> Affine:
    w = rng.normal(0, np.sqrt(1 / inputs), (inputs, units))
    return Affine(w, np.zeros(units))


def stacked_autoencoder(
    x: np.ndarray,
    widths: Sequence[int],
    *,
    noise: float = 0.25,
    steps: int = 2_000,
    lr: float = 1e-3,
    rng: np.random.Generator,
) -> tuple[Network, tuple[float, ...]]:
    """The encoders of a stacked denoising autoencoder, one (Affine, Sigmoid) a width, trained
    greedily on x (N, D) in [0, 1]; and the share of each layer's input that its decoder does not
    give back: the mean squared error of what comes back from whole inputs over their variance.

    Raises ValueError without a width, and as `train`.

    >>> rng = np.random.default_rng(0)
    >>> x = np.repeat(np.eye(6), 20, axis=0)
    >>> encoder, left = stacked_autoencoder(x, (8, 4), steps=400, lr=0.01, rng=rng)
    >>> [layer.w.shape for layer in encoder.layers[::2]], left[0] < 0.1
    ([(6, 8), (8, 4)], True)
    """
    if not widths:
        raise ValueError(f"widths: expected at least one number of units, got {widths!r}")
    layers: tuple = ()
    left = []
    codes = np.asarray(x, np.float64)
    for units in widths:
        inputs = codes.shape[1]
        pair = (_dense(inputs, units, rng), Sigmoid(), _dense(units, inputs, rng), Sigmoid())
        start = Network((Dropout(noise), *pair))
        trained, _ = train(
            start, codes, codes, steps=steps, lr=lr, rng=rng, loss=squared_error, update=adam
        )
        off = trained.logits(codes) - codes
        left.append(float(np.mean(off**2) / np.mean((codes - codes.mean(axis=0)) ** 2)))
        layers += tuple(trained.layers[1:3])
        codes = Network(layers[-2:]).logits(codes)
    return Network(layers), tuple(left)


def favourite_images(
    encoder: Network,
    layer: int,
    unit: int,
    *,
    radius: float,
    starts: int,
    steps: int = 100,
    rng: np.random.Generator,
) -> np.ndarray:
    """What a unit of layer 1, 2, ... responds to most among images of norm `radius`: its
    pre-activation ascended on the sphere, from `starts` random images, (starts, D).

    Each step goes half a radius along the gradient and back to the sphere: it ends where the image
    is its own gradient's direction. Raises ValueError on a layer or unit that is not there,
    without starts, and unless radius > 0.

    >>> encoder = Network((Affine(np.array([[3.0], [4.0]]), np.zeros(1)), Sigmoid()))
    >>> found = favourite_images(encoder, 1, 0, radius=10.0, starts=2, rng=np.random.default_rng(0))
    >>> found.round(4).tolist()
    [[6.0, 8.0], [6.0, 8.0]]
    """
    if not 1 <= layer <= len(encoder.layers) // 2:
        raise ValueError(f"layer: expected 1 to {len(encoder.layers) // 2}, got {layer!r}")
    units = encoder.layers[2 * layer - 2].outputs
    if not 0 <= unit < units:
        raise ValueError(f"unit: expected 0 to {units - 1} in layer {layer}, got {unit!r}")
    if starts < 1:
        raise ValueError(f"starts: expected at least 1, got {starts!r}")
    if not radius > 0:
        raise ValueError(f"radius: expected a number > 0, got {radius!r}")

    def on_sphere(x: np.ndarray) -> np.ndarray:
        return radius * x / np.linalg.norm(x, axis=1, keepdims=True)

    x = on_sphere(rng.normal(size=(starts, encoder.inputs)))

    def along(x: np.ndarray, g: np.ndarray, state: None, *, lr: float) -> tuple[np.ndarray, None]:
        length = np.linalg.norm(g, axis=1, keepdims=True)
        return x - lr * g / np.maximum(length, 1e-300), state

    objective = place_objective(encoder, 2 * layer - 1, unit, position=())
    return maximize(
        encoder, objective, x, steps=steps, lr=radius / 2, update=along, project=on_sphere
    )[0]
