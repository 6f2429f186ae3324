"""Convolution, pooling and upsampling of images (N, C, H, W), with their vector-Jacobian products.

Convolution is, as everywhere in this field, the cross-correlation (Goodfellow et al. 2016, section
9.1, equation 9.6)

    out[n, f, p, q] = b[f] + sum_{c, i, j} w[f, c, i, j] x[n, c, p stride + i - top, q stride + j -
    left]

with x = 0 outside the image. With the patches that the windows see as columns, out = w patches + b:
one matrix product (Chellapilla et al. 2006), so dw = dout patches', and dx adds each of the kh kw
shifts of w' dout to the pixels it came from: the correlation of dout with the flipped filters,
without the zeros that a stride or a border would put into it.

In memory what these layers return lies as (C, H, W, N), the images last; (N, C, H, W) is a view of
it. The outputs of neighbouring windows then read one run of numbers, to copy or to add, and blocks
of patches stay in a core's cache. Any memory order may come in.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from refimpl.dtypes import as_floats

COLUMNS, ENTRIES = 1024, 2**18  # most of a block of patches: 1 MB of float32


def images_last(x: np.ndarray, margins: Sequence[tuple[int, int]] = ((0, 0), (0, 0))) -> np.ndarray:
    """(N, C, H, W) -> (C, top + H + bottom, left + W + right, N) in this memory order, zeros in the
    margins.

    margins: ((top, bottom), (left, right)). Copies only where it must.

    >>> images_last(np.ones((5, 3, 4, 4)), ((1, 1), (2, 2))).shape
    (3, 6, 8, 5)
    """
    x = x.transpose(1, 2, 3, 0)
    if not np.any(margins):
        return np.ascontiguousarray(x)
    (c, h, w, n), ((top, bottom), (left, right)) = x.shape, margins
    padded = np.zeros((c, top + h + bottom, left + w + right, n), x.dtype)
    padded[:, top : top + h, left : left + w] = x
    return padded


def images_first(x: np.ndarray) -> np.ndarray:
    """The view (N, C, H, W) of images (C, H, W, N).

    >>> images_first(np.zeros((3, 6, 8, 5))).shape
    (5, 3, 6, 8)
    """
    return x.transpose(3, 0, 1, 2)


def tiling(pixels: int, kernel: int, stride: int, padding: str = "valid") -> tuple[int, int, int]:
    """(outputs, zeros before, zeros after) of one axis; a stride fits if the last window ends at
    the last pixel.

    "valid": no zeros. "same" (TensorFlow's): ceil(pixels / stride) outputs; the zeros that this
    takes stand half before, half after, the odd one after, so an even kernel of stride 1 has one
    zero more after than before. Raises ValueError where the kernel is larger than the image or the
    stride does not fit.

    >>> (
    ...     tiling(32, 3, 1),
    ...     tiling(32, 3, 1, "same"),
    ...     tiling(28, 3, 2, "same"),
    ...     tiling(5, 2, 1, "same"),
    ... )
    ((30, 0, 0), (32, 1, 1), (14, 0, 1), (5, 0, 1))
    """
    outputs, zeros = -(-pixels // stride), 0
    if padding == "same":
        zeros = max((outputs - 1) * stride + kernel - pixels, 0)
    if pixels + zeros < kernel:
        raise ValueError(
            f"x: expected images of at least {kernel} pixels a side, the kernel's, got {pixels}"
        )
    outputs, rest = divmod(pixels + zeros - kernel, stride)
    if rest:
        raise ValueError(
            f"x: expected a size that stride {stride} fits, got {pixels} pixels a side: the last "
            f"window "
            f"of {kernel} ends {rest} before the last pixel"
        )
    return outputs + 1, zeros // 2, zeros - zeros // 2


def _windows(x: np.ndarray, kernel: tuple[int, ...], stride: int) -> np.ndarray:
    """Every pixel of every window, as a view: (C, H, W, N) -> (C, kh, kw, P, Q, N)."""
    view = sliding_window_view(x, kernel, axis=(1, 2), writeable=x.flags.writeable)[
        :, ::stride, ::stride
    ]
    return view.transpose(0, 4, 5, 1, 2, 3)


def blocks(rows: int, columns: int, pixels: int) -> Iterator[tuple[slice, slice]]:
    """Cut rows x columns outputs into parts of at most `pixels`, or 1: whole rows, or parts of one.
    Pairs of slices.

    >>> [(p.start, p.stop, q.start, q.stop) for p, q in blocks(2, 3, 2)]
    [(0, 1, 0, 2), (0, 1, 2, 4), (1, 2, 0, 2), (1, 2, 2, 4)]
    """
    if pixels >= columns:
        step = pixels // columns
        yield from ((slice(p, p + step), slice(None)) for p in range(0, rows, step))
    else:
        step = -(-columns // -(-columns // max(1, pixels)))
        yield from (
            (slice(p, p + 1), slice(q, q + step))
            for p in range(rows)
            for q in range(0, columns, step)
        )


def _check_whole(name, value):
    if not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name}: expected a whole number >= 1, got {value!r}")


@dataclass(frozen=True, eq=False)
class Conv2D:
    """A layer of F filters that slide over the image.

    w (F, C, kh, kw), b (F,): parameters. stride: pixels from one window to the next. padding:
    "valid" or "same". x (N, C, H, W) -> out (N, F, P, Q). Raises ValueError on other shapes,
    strides and paddings, and as `tiling`.

    >>> edges = Conv2D(np.array([[[[-1.0, 1.0]]]]), np.zeros(1))
    >>> edges.forward(np.array([[[[0.0, 0.0, 5.0, 5.0]]]]))[0].tolist()
    [[[[0.0, 5.0, 0.0]]]]
    """

    w: np.ndarray  # (F, C, kh, kw)
    b: np.ndarray  # (F,)
    stride: int = 1
    padding: str = "valid"

    def __post_init__(self) -> None:
        object.__setattr__(self, "w", as_floats(self.w))
        object.__setattr__(self, "b", as_floats(self.b))
        if self.w.ndim != 4 or self.b.shape != self.w.shape[:1]:
            found = f"{self.w.shape} and {self.b.shape}"
            raise ValueError(f"w, b: expected shapes (F, C, kh, kw) and (F,), got {found}")
        _check_whole("stride", self.stride)
        if self.padding not in ("valid", "same"):
            raise ValueError(f"padding: expected 'valid' or 'same', got {self.padding!r}")

    def _padding(self, x):
        """((top, bottom), (left, right)), or a ValueError on images that do not fit."""
        if x.ndim != 4 or x.shape[1] != self.w.shape[1]:
            raise ValueError(f"x: expected shape (N, {self.w.shape[1]}, H, W), got {x.shape}")
        return [
            tiling(m, k, self.stride, self.padding)[1:]
            for m, k in zip(x.shape[2:], self.w.shape[2:])
        ]

    def _patches(self, x):
        """The windows of x (C, H, W, N), and the blocks of outputs whose columns stay in a core's
        cache.
        """
        view = _windows(x, self.w.shape[2:], self.stride)
        columns = min(COLUMNS, ENTRIES // self.w[0].size)
        p, q, n = view.shape[3:]
        return view, list(blocks(p, q, columns // max(1, n)))

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:  # (N, C, H, W) -> (N, F, P, Q)
        margins, w = self._padding(x), self.w.reshape(len(self.w), -1)
        padded, inside = (
            images_last(x, margins),
            [slice(a, a + m) for (a, _), m in zip(margins, x.shape[2:])],
        )
        view, parts = self._patches(padded)
        out = np.empty((len(w), *view.shape[3:]), np.result_type(x, w))
        for rows, columns in parts:
            patch = view[:, :, :, rows, columns]
            product = (w @ patch.reshape(w.shape[1], -1)).reshape(len(w), *patch.shape[3:])
            np.add(product, self.b[:, None, None, None], out=out[:, rows, columns])
        return images_first(out), (padded, inside)

    def backward(
        self, dout: np.ndarray, cache: Any
    ) -> tuple[np.ndarray, tuple]:  # (N, F, P, Q) -> (N, C, H, W)
        return self.input_gradient(dout, cache), self.parameter_gradients(dout, cache)

    def input_gradient(self, dout: np.ndarray, cache: Any) -> np.ndarray:
        """dx (N, C, H, W) of dout (N, F, P, Q): the first half of backward alone.

        Each shift of the kernel hands its products of weights and dout back to the pixels that it
        read.
        """
        padded, inside = cache
        dx, d_all = np.zeros(padded.shape, np.result_type(dout, self.w)), images_last(dout)
        (view, parts), (f, c, kh, kw) = self._patches(dx), self.w.shape
        for rows, columns in parts:
            d = d_all[:, rows, columns]
            products = (self.w.reshape(f, -1).T @ d.reshape(f, -1)).reshape(c, kh, kw, *d.shape[1:])
            for i in range(kh):
                for j in range(kw):
                    view[:, i, j, rows, columns] += products[:, i, j]
        return images_first(dx[:, *inside])

    def parameter_gradients(self, dout: np.ndarray, cache: Any) -> tuple:
        """dw (F, C, kh, kw), db (F,): the second half of backward alone; a first layer in training
        needs no dx.
        """
        d_all, (view, parts) = images_last(dout), self._patches(cache[0])
        dw = np.zeros(
            (self.w[0].size, len(self.w)), np.result_type(dout, cache[0])
        )  # transposed: the faster product
        for rows, columns in parts:
            patch, d = view[:, :, :, rows, columns], d_all[:, rows, columns]
            dw += patch.reshape(len(dw), -1) @ d.reshape(len(d), -1).T
        return dw.T.reshape(self.w.shape), d_all.sum(axis=(1, 2, 3))


@dataclass(frozen=True, eq=False)
class MaxPool2D:
    """The largest value of each size x size window; windows `stride` apart, next to each other by
    default (None).

    The cache holds the switches, the place of the maximum in its window; of equal maxima the first,
    row by row, takes the gradient. backward is Zeiler and Fergus' unpooling (2014, section 2.1):
    each value back to its switch. x (N, C, H, W) -> (N, C, P, Q). Complex numbers compare by their
    real parts. Raises ValueError as `tiling`.

    >>> out, switches = MaxPool2D().forward(np.array([[[[1.0, 3.0], [3.0, 2.0]]]]))
    >>> out.item(), MaxPool2D().backward(np.ones((1, 1, 1, 1)), switches)[0].tolist()
    (3.0, [[[[0.0, 1.0], [0.0, 0.0]]]])
    """

    size: int = 2
    stride: int | None = None

    def __post_init__(self) -> None:
        _check_whole("size", self.size)
        _check_whole("stride", 1 if self.stride is None else self.stride)

    def _views(self, x):
        """x at each place of the windows, row by row: size^2 views (N, C, P, Q)."""
        s = self.stride or self.size
        (p, *_), (q, *_) = (tiling(m, self.size, s) for m in x.shape[2:])
        return [
            x[:, :, i : i + s * (p - 1) + 1 : s, j : j + s * (q - 1) + 1 : s]
            for i in range(self.size)
            for j in range(self.size)
        ]

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        if x.ndim != 4:
            raise ValueError(f"x: expected shape (N, C, H, W), got {x.shape}")
        first, *others = self._views(x)
        out, switches = (
            np.array(first),
            np.zeros_like(first, dtype=np.min_scalar_type(self.size**2)),
        )
        for place, view in enumerate(others, 1):
            larger = view.real > out.real
            np.maximum(switches, larger * switches.dtype.type(place), out=switches)
            out = (
                np.where(larger, view, out)
                if np.iscomplexobj(x)
                else np.maximum(out, view, out=out)
            )
        return out, (x.shape, switches)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[np.ndarray, tuple]:
        shape, switches = cache
        dx = np.zeros_like(dout, shape=shape)
        for place, view in enumerate(self._views(dx)):
            view += dout * (switches == place)
        return dx, ()


@dataclass(frozen=True, eq=False)
class Upsample:
    """Nearest neighbour: every pixel becomes a factor x factor block. backward sums each block.

    x (N, C, H, W) -> (N, C, factor H, factor W). Raises ValueError on another shape, and on a
    factor < 1. (Unpooling by switches, DeconvNet's step, is MaxPool2D.backward.)

    >>> Upsample().forward(np.array([[[[1.0, 2.0]]]]))[0].tolist()
    [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]
    """

    factor: int = 2

    def __post_init__(self) -> None:
        _check_whole("factor", self.factor)

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        if x.ndim != 4:
            raise ValueError(f"x: expected shape (N, C, H, W), got {x.shape}")
        n, c, h, w = x.shape
        out = np.empty_like(x, shape=(n, c, h * self.factor, w * self.factor))
        for view in self._views(out):
            view[...] = x
        return out, None

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[np.ndarray, tuple]:
        return sum(self._views(dout)), ()

    def _views(self, x):
        """x at each place of the blocks: factor^2 views."""
        return [
            x[:, :, i :: self.factor, j :: self.factor]
            for i in range(self.factor)
            for j in range(self.factor)
        ]


@dataclass(frozen=True, eq=False)
class Unflatten:
    """Rows as images: (N, C H W) -> (N, C, H, W). shape = (C, H, W). Networks on images begin with
    it.

    Raises ValueError on another shape than that, and on rows of another length.

    >>> Unflatten((1, 2, 2)).forward(np.arange(8.0).reshape(2, 4))[0].shape
    (2, 1, 2, 2)
    """

    block = 128  # images at a time: what the layers behind it make of them stays in the cache

    shape: tuple[int, ...]  # (C, H, W)

    @property
    def inputs(self) -> int:
        return math.prod(self.shape)

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or not all(isinstance(n, int) and n > 0 for n in self.shape):
            raise ValueError(f"shape: expected three whole numbers (C, H, W), got {self.shape!r}")

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        if x.ndim != 2 or x.shape[1] != math.prod(self.shape):
            raise ValueError(
                f"x: expected shape (N, {math.prod(self.shape)}) for images {self.shape}, got "
                f"{x.shape}"
            )
        return x.reshape(len(x), *self.shape), None

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[np.ndarray, tuple]:
        return dout.reshape(len(dout), -1), ()


@dataclass(frozen=True, eq=False)
class Flatten:
    """Images as rows: (N, C, H, W) -> (N, C H W).

    >>> Flatten().forward(np.zeros((5, 3, 2, 2)))[0].shape
    (5, 12)
    """

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        return x.reshape(len(x), math.prod(x.shape[1:])), x.shape

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[np.ndarray, tuple]:
        return np.ascontiguousarray(dout.T).reshape(*cache[1:], len(dout)).transpose(3, 0, 1, 2), ()
