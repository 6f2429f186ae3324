"""Recovery: a student gets a hidden-layer network back from images and targets. It never sees the
teacher.

The images are those of `refimpl.companions.extraction.extraction`; the proofs are in its docstring.
hints: least squares layer by layer on hidden pre-activations (`from_hints`). filters: logits only,
the first images are filters (`from_filters`): linear systems in turn, then Levenberg-Marquardt
where they do not fit. The order of the hidden units is that of hints and filters; with filters the
scale of a ReLU unit is that of its filter.
"""

from typing import Any

import numpy as np

from refimpl.companions.extraction.filter_solvers import (
    problem,
    regress,
    rough,
    solved,
    unpack,
)
from refimpl.companions.extraction.least_squares import levenberg_marquardt
from refimpl.layers import Affine, ReLU
from refimpl.network import Network

FITS = 1e-13  # relative residual from which no descent is needed


def _checked(images, hidden, logits):
    """[images, each of the tuple hidden, logits] as float64 matrices with a row an image. Raises
    ValueError on other shapes, other numbers of rows and numbers that are not finite.
    """
    named = [("images", images), *(("hidden", v) for v in hidden), ("logits", logits)]
    arrays = [np.asarray(v, np.float64) for _, v in named]
    for (name, _), v in zip(named, arrays):
        if v.ndim != 2 or len(v) == 0 or not np.isfinite(v).all():
            raise ValueError(
                f"{name}: expected finite numbers of shape (N, ...) with N > 0, got shape {v.shape}"
            )
        if len(v) != len(arrays[0]):
            raise ValueError(
                f"{name}: expected {len(arrays[0])} rows, one an image, got shape {v.shape}"
            )
    return arrays


def from_hints(
    images: np.ndarray,
    logits: np.ndarray,
    hidden: np.ndarray | tuple[np.ndarray, ...],
    *,
    activation: Any,
) -> Network:
    """Regime hints: W_l, b_l by least squares from the activations below to the pre-activations z_l
    above, layer by layer.

    images (N, D), logits (N, K), hidden: z_1 (N, H) or a tuple (z_1, z_2, ...). activation: the
    student's, a layer. Returns a Network. Raises ValueError on shapes that do not fit and on
    numbers that are not finite.

    >>> x, z1 = np.array([[0.0], [2.0], [-1.0]]), np.array([[1.0, -1.0], [3.0, 3.0], [0.0, -3.0]])
    >>> net = from_hints(x, np.array([[1.5], [-5.5], [0.5]]), z1, activation=ReLU())
    >>> [p.round(9).tolist() for p in net.parameters]
    [[[1.0, 2.0]], [1.0, -1.0], [[1.0], [-3.0]], [0.5]]
    """
    below, *above = _checked(images, hidden if isinstance(hidden, tuple) else (hidden,), logits)
    layers: list[Any] = []
    for z in above:
        layers += [regress(below, z), activation]
        below = activation.forward(z)[0]
    return Network(tuple(layers[:-1]))


def from_filters(
    images: np.ndarray, logits: np.ndarray, filters: int, *, activation: Any, steps: int = 300
) -> tuple[Network, float]:
    """Regime filters: images 1 ... `filters` minus image 0 are the filters f_j, the directions of
    the student's W1.

    images (N, D), logits (N, K). The linear systems of `filter_solvers` give the other numbers if
    the images are made for that; where they do not fit (too few images, others),
    Levenberg-Marquardt, `steps` at most, from there and from a rough start. Returns (Network,
    relative residual): one far above 1e-13 says that the student is not the teacher. Raises
    ValueError on shapes that do not fit and on numbers that are not finite.

    >>> from refimpl.companions.extraction.filter_images import filter_images
    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(20, 6, 3, rng=np.random.default_rng(0))
    >>> x, new = (
    ...     filter_images(net, np.random.default_rng(1)),
    ...     np.random.default_rng(2).random((5, 20)),
    ... )
    >>> student, residual = from_filters(x, net.logits(x), 6, activation=ReLU())
    >>> bool(residual < 1e-12), bool(np.allclose(student.logits(new), net.logits(new), atol=1e-9))
    (True, True)
    """
    x, z = _checked(images, (), logits)
    if not 0 <= filters < len(x):
        raise ValueError(f"filters: expected 0 to {len(x) - 1}, got {filters!r}")
    f = (x[1 : filters + 1] - x[0]).T  # (D, h)
    fit = problem(x @ f, z, activation)
    size, scaled = max(float(np.linalg.norm(z)), 1e-300), not isinstance(activation, ReLU)
    found = []
    for start in (solved, rough):
        try:
            numbers = start(x, f, z, activation)
        except ValueError:  # not the images for this start
            continue
        theta = np.concatenate([np.ravel(p) for p in (numbers if scaled else numbers[1:])])
        residual = float(np.linalg.norm(fit(theta)[0])) / size
        if residual > FITS:
            theta, history, _ = levenberg_marquardt(
                fit, theta, steps=steps, tol=0.1 * FITS / residual
            )
            residual = float(np.sqrt(2 * history[-1])) / size
        found.append((residual, theta))
        if residual <= FITS:
            break
    residual, theta = min(found, key=lambda pair: pair[0])
    a, b, w2, b2 = unpack(theta, filters, z.shape[1], scaled)
    return Network((Affine(f * a, b), activation, Affine(w2, b2))), residual
