"""The kernel of infinitely wide ReLU networks, forward and backward by hand.

A network in NTK parametrization (Jacot et al. 2018), without biases, all layers trained, He's
factor 2 at every ReLU: as its widths go to infinity, training it on squared error is kernel
regression with one fixed kernel. That kernel depends on two images through their norms and the
cosine c between them alone (Cho and Saul 2009; Arora et al. 2019, section 3):

    k(x, s) = |x| |s| / D  f_L(c)        f_0(c) = c,  c_0 = c
    c_l = k1(c_{l-1})                    f_l = c_l + f_{l-1} k0(c_{l-1})
    k0(c) = (pi - th) / pi               k1(c) = (sin th + (pi - th) c) / pi        th = arccos c

with L hidden layers; L = 0 is the linear kernel x.s / D. k1' = k0, and k0' = 1 / (pi sin th) is
infinite at c = 1. So an image with itself is a case of its own: k(s, s) = (L + 1) |s|^2 / D, which
has an ordinary gradient.
"""

import numpy as np

DEPTHS = (0, 1, 2, 3)
NEAR = 1e-6  # cosines are kept this far from 1 and -1, where the slope of k0 is infinite


def check_depth(depth: int) -> None:
    """Raises ValueError unless depth, the number of hidden layers, is one of DEPTHS.

    >>> check_depth(4)
    Traceback (most recent call last):
        ...
    ValueError: depth: expected one of (0, 1, 2, 3), got 4
    """
    if depth not in DEPTHS:
        raise ValueError(f"depth: expected one of {DEPTHS}, got {depth!r}")


def profile(c: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """f_L and its derivative f_L' at cosines c, of any shape, real or complex; c strictly inside
    (-1, 1).

    >>> f, df = profile(np.array([0.0]), 1)
    >>> f.round(6).tolist(), df.tolist()  # 1 / pi and 1
    ([0.31831], [1.0])
    """
    f = c
    df = np.ones_like(c)
    dc = df  # derivative of c_l by c
    for _ in range(depth):
        sine = np.sqrt(1 - c * c)
        k0 = 1 - np.arccos(c) / c.dtype.type(np.pi)
        dk0 = dc / (c.dtype.type(np.pi) * sine)
        c = sine / c.dtype.type(np.pi) + k0 * c  # k1
        dc = k0 * dc
        f, df = c + f * k0, dc + df * k0 + f * dk0
    return f, df


def _norms(x):
    """|x| of each row without a conjugate: (N, D) -> (N, 1). The complex step runs through it."""
    return np.sqrt(np.einsum("nd,nd->n", x, x))[:, None]


def _inside(c):
    """The cosines, kept NEAR inside (-1, 1); their imaginary parts stay."""
    most = c.real.dtype.type(1 - NEAR)
    return c + (np.clip(c.real, -most, most) - c.real)


def kernel(x: np.ndarray, s: np.ndarray, *, depth: int = 1) -> tuple[np.ndarray, tuple]:
    """k(x_m, s_n) of two different sets of images: x (M, D), s (N, D) -> (k (M, N), cache).

    Where a cosine lies within NEAR of 1 or -1, it is moved NEAR away, unless depth is 0. Raises
    ValueError on another depth, on images of another length and on an image that is all zero.

    >>> x = np.array([[1.0, 0.0]])
    >>> kernel(x, np.array([[0.0, 2.0]]))[0].round(6).tolist()
    [[0.31831]]
    """
    check_depth(depth)
    if x.ndim != 2 or s.ndim != 2 or x.shape[1] != s.shape[1]:
        raise ValueError(f"x, s: expected (M, D) and (N, D), got {x.shape} and {s.shape}")
    size_x = _norms(x)  # (M, 1)
    size_s = _norms(s)  # (N, 1)
    for name, size in (("s", size_s), ("x", size_x)):  # gram's images are s alone
        if not (size.real > 0).all():
            raise ValueError(f"{name}: expected images that are not all zero or NaN")
    c = x @ s.T / (size_x * size_s.T)  # (M, N)
    c = _inside(c) if depth else c
    f, df = profile(c, depth)
    return size_x * size_s.T * f / x.shape[1], (x, s, size_x, size_s, c, f, df)


def kernel_backward(dk: np.ndarray, cache: tuple) -> np.ndarray:
    """ds (N, D) of `kernel`, from dk (M, N); x is data and gets none.

        dk/ds = f'(c) x / D + (|x| / |s|) (f - c f') s / D

    >>> x, s = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    >>> kernel_backward(np.ones((1, 1)), kernel(x, s)[1]).round(6).tolist()
    [[0.5, 0.159155]]
    """
    x, s, size_x, size_s, c, f, df = cache
    along_x = (dk * df).T @ x  # (N, D)
    along_s = ((dk * (f - c * df)).T @ size_x) / size_s  # (N, 1)
    return (along_x + along_s * s) / x.shape[1]


def gram(s: np.ndarray, *, depth: int = 1) -> tuple[np.ndarray, tuple]:
    """k(s_i, s_j) of a set with itself: s (N, D) -> (k (N, N), cache); the diagonal is (L + 1)
    |s|^2 / D.

    Raises ValueError as `kernel`.

    >>> gram(np.array([[1.0, 0.0], [0.0, 2.0]]))[0].round(6).tolist()
    [[1.0, 0.31831], [0.31831, 4.0]]
    """
    k, cache = kernel(s, s, depth=depth)
    diagonal = np.arange(len(s))
    k[diagonal, diagonal] = (depth + 1) * (s * s).sum(axis=1) / s.shape[1]
    return k, (depth, cache)


def gram_backward(dk: np.ndarray, cache: tuple) -> np.ndarray:
    """ds (N, D) of `gram`, from dk (N, N), which need not be symmetric.

    >>> s = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> gram_backward(np.eye(2), gram(s)[1]).tolist()  # 2 (L + 1) s / D
    [[2.0, 0.0], [0.0, 4.0]]
    """
    depth, parts = cache
    s = parts[1]
    both = dk + dk.T  # s_i stands on both sides
    np.fill_diagonal(both, 0)
    own = np.diagonal(dk)[:, None] * (2 * (depth + 1) / s.shape[1])
    return kernel_backward(both, parts) + own.astype(s.dtype) * s
