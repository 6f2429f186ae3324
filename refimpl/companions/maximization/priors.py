"""Priors of natural images for an ascent: costs that are taken off the objective, and changes of
the step.

A cost is  cost(x) -> (values (N,), dx (N, D)),  one value an image, with its gradient; image_shape
is (C, H, W). A prior wraps what `optimize.ascend` is given,

    prior(objective, project) -> (objective, project),

so that class visualization, DeepDream and inversion share them and the one loop: penalty(cost,
weight), jitter(...) and blur(...). Qin et al. 2018, section 2, lists the six; the paper's section 2
names L2 (Simonyan et al. 2014).
"""

from collections.abc import Callable, Sequence

import numpy as np


def planes(x: np.ndarray, image_shape: Sequence[int]) -> np.ndarray:
    """Rows (N, D) as (N, C, H, W). Raises ValueError where D is not C H W.

    >>> planes(np.zeros((5, 12)), (3, 2, 2)).shape
    (5, 3, 2, 2)
    """
    if x.ndim != 2 or x.shape[1] != np.prod(image_shape):
        wanted = f"(N, {np.prod(image_shape)}) for images {tuple(image_shape)}"
        raise ValueError(f"x: expected shape {wanted}, got {x.shape}")
    return x.reshape(len(x), *image_shape)


def alpha_norm(x: np.ndarray, *, alpha: float = 6) -> tuple[np.ndarray, np.ndarray]:
    """sum_i |x_i|^alpha; gradient alpha |x_i|^(alpha - 2) x_i (Mahendran and Vedaldi 2015, section
    3, alpha = 6).

    alpha >= 2, so that the gradient is finite at 0 (else ValueError); 2 is l2. Their images have
    mean zero: so has a visualization here. x (N, D) -> (values (N,), dx (N, D)).

    >>> [v.tolist() for v in alpha_norm(np.array([[1.0, -2.0]]), alpha=4)]
    [[17.0], [[4.0, -32.0]]]
    """
    if not alpha >= 2:
        raise ValueError(f"alpha: expected a number >= 2, got {alpha!r}")
    powers = (x * x) ** (alpha / 2 - 1)
    return (powers * x * x).sum(axis=1), alpha * powers * x


def total_variation(
    x: np.ndarray, image_shape: Sequence[int], *, beta: float = 2.0, eps: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """sum over pixels and channels of (r^2 + eps^2)^(beta / 2) - eps^beta,  r^2 = (right - here)^2
    + (below - here)^2.

    Mahendran and Vedaldi 2015, section 3. Border: a difference that would leave the image is 0.
    Deviation: eps, 0 by default; for beta < 2 the gradient, beta r^(beta - 2) (...), has no value
    where r = 0, so eps > 0 is required there. The constant is taken off: a flat image costs
    nothing. x (N, D) -> (values (N,), dx (N, D)). Raises ValueError on beta < 1 and a bad eps.

    >>> values, dx = total_variation(np.array([[0.0, 3.0, 4.0, 0.0]]), (1, 2, 2))
    >>> values.tolist(), dx.tolist()
    ([50.0], [[-14.0, 12.0, 16.0, -14.0]])
    """
    if not beta >= 1:
        raise ValueError(f"beta: expected a number >= 1, got {beta!r}")
    if not (eps > 0 or (eps == 0 and beta >= 2)):
        raise ValueError(
            f"eps: expected a number > 0 for beta < 2 (a number >= 0 otherwise), got {eps!r}"
        )
    p = planes(x, image_shape)
    right, below = np.zeros_like(p), np.zeros_like(p)
    right[..., :-1] = p[..., 1:] - p[..., :-1]
    below[..., :-1, :] = p[..., 1:, :] - p[..., :-1, :]
    square = right * right + below * below + eps**2
    values = (square ** (beta / 2) - eps**beta).reshape(x.shape).sum(axis=1)
    slope = beta * square ** (beta / 2 - 1)
    right, below = slope * right, slope * below  # now what flows back: each to its two pixels
    dp = -right - below
    dp[..., 1:] += right[..., :-1]
    dp[..., 1:, :] += below[..., :-1, :]
    return values, dp.reshape(x.shape)


def cut(x: np.ndarray, image_shape: Sequence[int], size: int, stride: int) -> np.ndarray:
    """Patches (N, P, C size^2), row by row, of all windows at multiples of stride that lie inside
    the images x (N, D).

    Pixels that no window reaches, at the right and lower border where stride does not divide n -
    size, are in no patch. Raises ValueError on a size that does not fit the image and on stride <
    1.

    >>> cut(np.arange(6.0)[None], (1, 2, 3), size=2, stride=1).tolist()
    [[[0.0, 1.0, 3.0, 4.0], [1.0, 2.0, 4.0, 5.0]]]
    """
    c = image_shape[0]
    _check_size(size, image_shape)
    if stride < 1:
        raise ValueError(f"stride: expected a whole number >= 1, got {stride!r}")
    windows = np.lib.stride_tricks.sliding_window_view(
        planes(x, image_shape), (size, size), axis=(2, 3)
    )
    windows = windows[:, :, ::stride, ::stride].transpose(
        0, 2, 3, 1, 4, 5
    )  # (N, rows, columns, C, size, size)
    return windows.reshape(len(x), windows.shape[1] * windows.shape[2], c * size * size)


def _check_size(size, image_shape):
    most = min(image_shape[1:])
    if not 1 <= size <= most:
        raise ValueError(
            f"size: expected 1 to {most} for images {tuple(image_shape)}, got {size!r}"
        )


def paste(patches: np.ndarray, image_shape: Sequence[int], size: int, stride: int) -> np.ndarray:
    """The adjoint of cut: patches added where they came from, overlaps summed. (N, P, C size^2) ->
    (N, D).

    >>> paste(np.ones((1, 2, 4)), (1, 2, 3), size=2, stride=1).tolist()
    [[1.0, 2.0, 1.0, 1.0, 2.0, 1.0]]
    """
    c, h, w = image_shape
    out = np.zeros((len(patches), c, h, w), patches.dtype)
    tops, lefts = range(0, h - size + 1, stride), range(0, w - size + 1, stride)
    pieces = patches.reshape(len(patches), len(tops), len(lefts), c, size, size)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            out[:, :, top : top + size, left : left + size] += pieces[:, i, j]
    return out.reshape(len(patches), c * h * w)


def patch_dictionary(
    images: np.ndarray,
    image_shape: Sequence[int],
    *,
    size: int,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """`count` patches (count, C size^2) cut at random places from random rows of images (N, D),
    pixels as they are.

    Raises ValueError on no images, on a size that does not fit them and on count < 1.

    >>> patch_dictionary(
    ...     np.ones((4, 16)), (1, 4, 4), size=2, count=3, rng=np.random.default_rng(0)
    ... ).tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    _check_size(size, image_shape)
    if not (len(images) and count >= 1):
        raise ValueError(
            f"images, count: expected at least one of each, got {len(images)} and {count!r}"
        )
    _, h, w = image_shape
    rows = rng.integers(len(images), size=count)
    tops, lefts = rng.integers(h - size + 1, size=count), rng.integers(w - size + 1, size=count)
    pictures = planes(np.asarray(images)[rows], image_shape)
    return np.stack(
        [p[:, t : t + size, s : s + size].ravel() for p, t, s in zip(pictures, tops, lefts)]
    ).astype(np.float64)


def patch_prior(
    x: np.ndarray, image_shape: Sequence[int], dictionary: np.ndarray, *, size: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """sum over the image's windows of min_m |patch - d_m|^2, the squared distance to the nearest
    patch of real images.

    Gradient: 2 (patch - nearest) added up over the windows; the nearest is held fixed, as its
    choice is locally constant (of equal ones the first; there the cost has a kink). After the
    data-driven patch prior of Wei, Zhou, Torralba and Freeman 2015. Our choices: the dictionary (M,
    C size^2) is patch_dictionary's, random places of random training images of all classes; pixels
    as they are, no mean removed; any window may take any patch. x (N, D) -> (values (N,), dx (N,
    D)). Raises ValueError on a dictionary of another shape, and as cut does.

    >>> cost, dx = patch_prior(
    ...     np.zeros((1, 4)), (1, 2, 2), np.array([[0.0, 0.0, 0.0, 3.0]]), size=2, stride=1
    ... )
    >>> cost.tolist(), dx.tolist()
    ([9.0], [[0.0, 0.0, 0.0, -6.0]])
    """
    patches = cut(x, image_shape, size, stride)
    if dictionary.ndim != 2 or len(dictionary) == 0 or dictionary.shape[1] != patches.shape[2]:
        raise ValueError(
            f"dictionary: expected shape (M, {patches.shape[2]}) with M > 0, got {dictionary.shape}"
        )
    squares = (dictionary * dictionary).sum(axis=1) - 2 * (
        patches.real @ dictionary.T
    )  # |p - d|^2 - |p|^2
    away = patches - dictionary[squares.argmin(axis=2)]
    return (away * away).sum(axis=(1, 2)), 2 * paste(away, image_shape, size, stride)


def shift(x: np.ndarray, image_shape: Sequence[int], down: int, right: int) -> np.ndarray:
    """Roll every image by (down, right) pixels, round the border: (N, D) -> (N, D).

    Inverse and adjoint: by (-down, -right). Raises ValueError where D is not C H W.

    >>> shift(np.arange(4.0)[None], (1, 2, 2), down=0, right=1).tolist()
    [[1.0, 0.0, 3.0, 2.0]]
    """
    return np.roll(planes(x, image_shape), (down, right), axis=(2, 3)).reshape(x.shape)


def jitter(pixels: int, image_shape: Sequence[int], rng: np.random.Generator) -> Callable:
    """The prior of Mordvintsev et al. 2015: each step sees the image shifted by up to `pixels`, and
    shifts back.

    objective(S x) with S drawn anew each step from rng, uniform in {-pixels, ..., pixels}^2, one S
    for all images; the gradient is S' times the objective's. The recorded values are those of the
    shifted images. Raises ValueError unless pixels is a whole number >= 0.

    >>> from refimpl.optimize import with_priors
    >>> middle = lambda x, step: (x[:, 4], np.eye(9)[[4]])
    >>> objective, _ = with_priors((jitter(1, (1, 3, 3), np.random.default_rng(0)),), middle)
    >>> values, dx = objective(np.arange(9.0)[None], 0)
    >>> int(values[0]) == int(dx.argmax())
    True
    """
    if pixels < 0 or int(pixels) != pixels:
        raise ValueError(f"pixels: expected a whole number >= 0, got {pixels!r}")

    def prior(objective, project):
        def jittered(x, step):
            down, right = rng.integers(-pixels, pixels + 1, 2)
            values, dx = objective(shift(x, image_shape, down, right), step)
            return values, shift(dx, image_shape, -down, -right)

        return jittered, project

    return prior


def _blur_matrix(n: int, sigma: float) -> np.ndarray:
    """B (n, n): a Gaussian of sigma pixels, cut at 4 sigma and normalized, on a row of n pixels
    mirrored at both ends.

    Border: half-sample symmetric (... 1 0 | 0 1 2 ...). Then B is symmetric with rows and columns
    that sum to 1: it is its own adjoint, keeps constants, and keeps the mean. The Gaussian is
    sampled at whole pixels: below a sigma of about .3 little is left of it, and sigma = 0 is the
    identity. Raises ValueError on sigma < 0.
    """
    if not sigma >= 0:
        raise ValueError(f"sigma: expected a number >= 0, got {sigma!r}")
    radius = int(np.ceil(4 * sigma))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma**2)) if sigma else np.ones(1)
    seen = (np.arange(n)[:, None] + offsets) % (2 * n)
    b = np.zeros((n, n))
    np.add.at(
        b,
        (np.arange(n)[:, None], np.where(seen < n, seen, 2 * n - 1 - seen)),
        kernel / kernel.sum(),
    )
    return b


def blur(sigma: float, image_shape: Sequence[int]) -> Callable:
    """The prior of Yosinski et al. 2015: x <- B_H (x + lr dx) B_W, every channel (_blur_matrix),
    then what project was.

    Deviation: after every step, not every few; sigma, in pixels, is to be that much smaller. Raises
    ValueError on sigma < 0.

    >>> _, project = blur(0.8, (1, 5, 5))(None, None)
    >>> project(np.eye(25)[[12]]).reshape(5, 5)[2].round(3).tolist()
    [0.011, 0.114, 0.249, 0.114, 0.011]
    """
    _, h, w = image_shape
    vertical, horizontal = _blur_matrix(h, sigma), _blur_matrix(w, sigma)

    def prior(objective, project):
        def blurred(x):
            x = (
                (vertical @ planes(x, image_shape) @ horizontal)
                .reshape(x.shape)
                .astype(x.dtype, copy=False)
            )
            return x if project is None else project(x)

        return objective, blurred

    return prior
