"""Inversion by regularization: an image whose representation is that of another (Mahendran and
Vedaldi 2015).

    minimize  |phi(x) - phi0|^2 / |phi0|^2 + lambda_V R_V(x) + lambda_alpha R_alpha(x)

with phi the first `layers` layers of a network, phi0 = phi(x0), R_V the total variation and R_alpha
the alpha-norm of refimpl.companions.maximization.priors. The loss is turned into an objective,
-loss, and climbed by the one loop, `ascend`.

The rank argument. For linear layers phi_k = W_k ... W_1 the solution of smallest norm is the
projection of x0 on the row space of phi_k, and that of k + 1 layers lies in that of k: so |x - x0|
cannot fall with depth. With gates between the layers nothing of the kind is known for this method.
For the best possible decoder it is known: what a layer lost, none after it finds again. For a
trained decoder it is not.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from refimpl.companions.cnn.activations import activation_shape
from refimpl.companions.maximization.priors import alpha_norm, total_variation
from refimpl.dtypes import as_floats
from refimpl.network import Network
from refimpl.optimize import ascend, penalty, with_priors

BETA = 0.9  # of the momentum, theirs
POWER_STEPS = 8  # of the power iteration that finds the learning rate


def representation_error(network: Network, layers: int, target: np.ndarray) -> Callable:
    """The objective  -|phi(x) - phi0|^2 / |phi0|^2  of each image; target (N, ...) are the phi0,
    one an image.

    Raises ValueError where layers is not 1 to the number of layers, on a target that is not finite
    or of another shape than phi, and, naming the image, on one that is zero (dead units only:
    nothing to divide by).

    >>> from refimpl.theory import network_of
    >>> objective = representation_error(network_of(np.array([[2.0], [0.0]])), 1, np.array([[4.0]]))
    >>> [v.tolist() for v in objective(np.array([[1.0]]), 0)]
    [[-0.25], [[0.5]]]
    """
    target, shape = as_floats(target), activation_shape(network, layers)
    if target.shape[1:] != shape:
        raise ValueError(
            f"target: expected shape (N, {', '.join(map(str, shape))}), got {target.shape}"
        )
    squares = (target * target).reshape(len(target), -1).sum(axis=1)
    if not np.isfinite(squares).all():
        bad = int(np.argmin(np.isfinite(squares)))
        raise ValueError(f"target: expected finite numbers, found others in image {bad}")
    if not squares.all():
        raise ValueError(
            f"target: the representation of image {int(np.argmin(squares))} is zero, nothing to "
            f"go by"
        )
    weights = (1 / squares).reshape(-1, *[1] * len(shape)).astype(target.dtype)

    def objective(x, step):
        a, caches = network.forward(x, upto=layers)
        away = a - target
        dx, _ = network.backward(-2 * weights * away, caches, parameters=False)
        return -(weights * away * away).reshape(len(a), -1).sum(axis=1), dx

    return objective


def natural(
    image_shape: Sequence[int], *, variation: float, bound: float
) -> tuple[Callable, Callable]:
    """Both regularizers as priors: variation weighs the total variation (beta 2), bound the
    alpha-norm (alpha 6).

    A pixel's part is divided by the number of pixels D and by a typical size, for pixels in [0, 1]
    1 / 6.5 for differences and 1 for values, so that the weights mean the same for images of any
    size (Mahendran and Vedaldi 2016). Deviation: the images are not centred first; digits have 0 as
    their ground. Raises ValueError on a weight below 0.

    >>> priors = natural((1, 2, 2), variation=4 / 6.5**2, bound=4.0)
    >>> objective, _ = with_priors(priors, lambda x, step: (0 * x[:, 0], 0 * x))
    >>> objective(np.array([[0.0, 3.0, 4.0, 0.0]]), 0)[0].round(6).tolist()
    [-4875.0]
    """
    d = math.prod(image_shape)
    return (
        penalty(partial(total_variation, image_shape=image_shape), variation * 6.5**2 / d),
        penalty(alpha_norm, bound / d),
    )


def curvature(objective: Callable, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The largest second derivative of -objective near each row of x, by POWER_STEPS of power
    iteration: (N, D) -> (N,).

    A Hessian times v is the difference of two gradients, .01 before and after x along v. Where the
    layers are piecewise linear this sees the kinks of that neighbourhood, as an ascent will.

    >>> parabola = lambda x, step: (-3 * x[:, 0] ** 2, -6 * x)
    >>> curvature(parabola, np.ones((1, 1)), np.random.default_rng(0)).round(6).tolist()
    [6.0]
    """
    v, small = rng.normal(size=x.shape).astype(x.dtype), 1e-2
    for _ in range(POWER_STEPS):
        v /= np.maximum(np.linalg.norm(v, axis=1, keepdims=True), np.finfo(x.dtype).tiny)
        v = (objective(x - small * v, 0)[1] - objective(x + small * v, 0)[1]) / (2 * small)
    return np.linalg.norm(v, axis=1)


def staircase(
    x: np.ndarray, g: np.ndarray, state: Any, *, lr: float, beta: float = BETA, every: int
) -> tuple[np.ndarray, Any]:
    """Heavy ball whose learning rate is divided by 10 after every `every` steps: an update for
    `ascend`.

        v <- beta v - lr_t g,  x <- x + v,  lr_t = lr 10^-(t // every)

    After Mahendran and Vedaldi 2015, whose rate is first constant and then falls. state is (t, v),
    None at first. x, g and v of one shape, any. Returns (x, state).

    >>> x, state = staircase(np.zeros(1), np.ones(1), None, lr=1.0, every=1)
    >>> staircase(x, np.ones(1), state, lr=1.0, every=1)[0].round(6).tolist()
    [-2.0]
    """
    t, v = (0, 0) if state is None else state
    v = beta * v - lr * 10.0 ** -float(t // every) * g
    return x + v, (t + 1, v)


def noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Starts: normal noise of a small standard deviation, .1, so that what no layer sees stays
    small.

    shape: of what it returns, float32: (S, N, D) for S starts of N images. In pixels, whose range
    is 1.

    >>> noise((4, 2, 9), np.random.default_rng(0)).shape
    (4, 2, 9)
    """
    return (0.1 * rng.normal(size=shape)).astype(np.float32)


def invert(
    network: Network,
    layers: int,
    target: np.ndarray,
    starts: np.ndarray,
    *,
    steps: int = 300,
    stages: int = 3,
    lr: float | None = None,
    beta: float = BETA,
    priors: Iterable[Callable] = (),
    rng: np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images whose first `layers` layers give target (N, ...), from several starts (S, N, D) for
    each image.

    The learning rate falls tenfold from each of `stages` equal parts of the steps to the next. lr:
    by default one over the largest curvature of the whole objective at the starts (needs rng).
    priors: e.g. natural(...). Returns (images (S, N, D), errors (S, N), best (N,)): where each
    start ended, its relative error |phi(x) - phi0|^2 / |phi0|^2 without the priors, and for each
    image the start with the smallest whole loss. Raises ValueError as `representation_error`, on
    starts of another shape, on stages < 1, and, where lr is measured, without rng and where the
    loss is flat at every start.

    >>> from refimpl.network import softmax_net
    >>> rng = np.random.default_rng(0)
    >>> net, x = softmax_net(3, 3, rng=rng, sigma=1.0), rng.normal(size=(2, 3))
    >>> images, errors, best = invert(
    ...     net, 1, net.logits(x), noise((4, 2, 3), rng).astype(float), steps=2000, rng=rng
    ... )
    >>> images.shape, bool(errors.min() < 1e-3)
    ((4, 2, 3), True)
    """
    starts = np.asarray(starts, network.parameters[0].dtype)
    if starts.ndim != 3 or starts.shape[1:] != (len(target), network.inputs) or not len(starts):
        raise ValueError(
            f"starts: expected shape (S, {len(target)}, {network.inputs}) with S >= 1, got "
            f"{starts.shape}"
        )
    if stages < 1 or int(stages) != stages:
        raise ValueError(f"stages: expected a whole number >= 1, got {stages!r}")
    s, n, d = starts.shape
    error = representation_error(
        network, layers, np.concatenate([np.asarray(target, starts.dtype)] * s)
    )
    objective, project = with_priors(priors, error)
    x = starts.reshape(s * n, d)
    if lr is None:
        if rng is None:
            raise ValueError(
                "rng: the default lr is measured along random directions and needs one, got None"
            )
        steepest = float(curvature(objective, x, rng).max())
        if not steepest > 0:
            raise ValueError(
                "starts: the loss is flat around every start (all gates closed?), no lr can be "
                "measured there"
            )
        lr = 1 / steepest
    update = partial(staircase, beta=beta, every=-(-steps // stages) or 1)
    found, history = ascend(objective, x, steps=steps, lr=lr, update=update, project=project)
    best = history[-1].reshape(s, n).argmax(axis=0)
    return found.reshape(s, n, d), -error(found, 0)[0].reshape(s, n), best
