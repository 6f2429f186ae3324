"""Which numbers come in and which go on: floats stay what they are, integers become floats, pixels
of 8 bits become grey levels.

What one function is handed decides the dtype of what it returns: the network of its logits, the
logits of their gradient. A float64 target or a NumPy scalar for a learning rate changes neither.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

WHITE = 255  # the largest 8-bit pixel


def as_floats(a: ArrayLike) -> np.ndarray:
    """An array of floating-point or complex numbers as it is; integers and truth values as float64.

    Unsigned integers would wrap around where they are subtracted.

    >>> as_floats(np.array([1, 2], np.uint8)).dtype.name, as_floats(np.float32(1)).dtype.name
    ('float64', 'float32')
    """
    a = np.asarray(a)
    return a if a.dtype.kind in "fcO" else a.astype(np.float64)


def as_dtype_of(x: np.ndarray, a: ArrayLike) -> np.ndarray:
    """a in the floating-point dtype of x. What is complex stays so, and x of other numbers asks
    nothing.

    >>> as_dtype_of(np.ones(1, np.float32), np.ones(1)).dtype.name
    'float32'
    """
    x, a = np.asarray(x), np.asarray(a)
    if a.dtype is x.dtype or a.dtype == x.dtype or x.dtype.kind not in "fc" or a.dtype.kind == "c":
        return a
    return a.astype(x.dtype)


def rows_as(x: np.ndarray, dtype: DTypeLike, *, out: np.ndarray | None = None) -> np.ndarray:
    """Images in the dtype of a network. uint8 is read as 8-bit pixels: k stands for k / 255,
    rounded to float32 as the data sets have it. All other numbers are only cast.

    out: a float32 array of x's shape in which pixels become grey levels, for who has many batches
    of one size; without it a new one is made.

    >>> rows_as(np.array([[0, 127, 255]], np.uint8), np.float64).round(4).tolist()
    [[0.0, 0.498, 1.0]]
    """
    if x.dtype == np.uint8:
        x = np.divide(x, np.float32(WHITE), out=out, dtype=np.float32)
    return x.astype(dtype, copy=False)


def gathered(
    x: np.ndarray, batches: Iterable[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (rows, x[rows]) for each index array of one length, pixels as float32 grey levels.

    x (N, D). All minibatches are written to the same arrays, since fresh memory for each would cost
    as much as the copy: what was yielded holds until the next.

    >>> x = np.array([[0], [51], [255]], np.uint8)
    >>> [images.tolist() for _, images in gathered(x, [np.array([2, 0])])]
    [[[1.0], [0.0]]]
    """
    x = np.ascontiguousarray(x)
    kept = grey = None
    for rows in batches:
        if kept is None:
            kept = np.empty((len(rows), *x.shape[1:]), x.dtype)
            grey = np.empty(kept.shape, np.float32)
        x.take(rows, axis=0, out=kept, mode="clip")  # the rows are in range: nothing is clipped
        yield rows, rows_as(kept, np.float32, out=grey) if x.dtype == np.uint8 else kept


def as_pixels(x: np.ndarray) -> np.ndarray:
    """float32 images as uint8 where they are 8-bit pixels, k / 255 bit for bit; other arrays as
    they are.

    >>> as_pixels(np.array([[0, 51]], np.float32) / np.float32(255)).tolist()
    [[0, 51]]
    """
    if x.dtype != np.float32 or not x.size:
        return x
    pixels = np.empty(x.shape, np.uint8)
    for i in range(0, len(x), 4096):
        part = x[i : i + 4096]
        if not 0 <= part.min() <= part.max() <= 1:  # NaN, too, is not
            return x
        np.rint(part * WHITE, out=pixels[i : i + 4096], casting="unsafe")
        if not np.array_equal(rows_as(pixels[i : i + 4096], np.float32), part):
            return x
    return pixels


def not_finite(a: np.ndarray) -> str:
    """Words for the first row of a that has a number which is not finite: "" where there is none.

    >>> not_finite(np.array([[1.0, 2.0], [1.0, np.nan]]))
    'NaN in row 1'
    """
    a = np.asarray(a)
    if a.dtype.kind not in "fc" or np.isfinite(a).all():
        return ""
    bad = ~np.isfinite(a.reshape(len(a), -1)) if a.ndim else ~np.isfinite(a.reshape(1, 1))
    row = int(bad.any(axis=1).argmax())
    value = "NaN" if np.isnan(np.reshape(a, (len(bad), -1))[row]).any() else "infinity"
    return f"{value} in row {row}"


def check_finite(**arrays: np.ndarray) -> None:
    """Raises ValueError with the name and the row of the first number that is not finite.

    >>> check_finite(x=np.array([[1.0], [np.nan]]))
    Traceback (most recent call last):
        ...
    ValueError: x: expected finite numbers, found NaN in row 1
    """
    for name, a in arrays.items():
        if found := not_finite(a):
            raise ValueError(f"{name}: expected finite numbers, found {found}")
