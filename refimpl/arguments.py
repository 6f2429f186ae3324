"""What a function was handed, told before it is used: each check returns the value as the function
wants it, or raises a ValueError that names the argument, what came and what was expected.
"""

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from refimpl.dtypes import check_finite


def whole(name: str, value: Any, least: int = 0) -> int:
    """A whole number of at least `least`; 3.0 is one, 1.5, infinity and True are none.

    >>> whole("steps", np.int64(3)), whole("steps", 3.0)
    (3, 3)
    >>> whole("steps", 1.5)
    Traceback (most recent call last):
        ...
    ValueError: steps: expected a whole number >= 0, got 1.5
    """
    try:
        is_float = isinstance(value, float | np.floating) and float(value).is_integer()
        found = int(value) if is_float else operator.index(value)
        if isinstance(value, bool | np.bool_) or found < least:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: expected a whole number >= {least}, got {value!r:.80}") from None
    return found


def sizes(**values: Any) -> list[int]:
    """Whole numbers from 1 on, in their order, each by its name.

    >>> sizes(inputs=784, classes=10)
    [784, 10]
    """
    return [whole(name, value, 1) for name, value in values.items()]


def positive(name: str, value: Any) -> float:
    """A number above zero that is finite.

    >>> positive("lr", 0.5)
    0.5
    >>> positive("lr", float("inf"))
    Traceback (most recent call last):
        ...
    ValueError: lr: expected a positive number, got inf
    """
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 < found < math.inf:
        raise ValueError(f"{name}: expected a positive number, got {value!r:.80}")
    return found


def share(name: str, value: Any) -> float:
    """A number in [0, 1): what an average keeps of what was.

    >>> share("beta1", 0.9)
    0.9
    >>> share("beta1", 1)
    Traceback (most recent call last):
        ...
    ValueError: beta1: expected a number in [0, 1), got 1
    """
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < 1:
        raise ValueError(f"{name}: expected a number in [0, 1), got {value!r:.80}")
    return found


def real_array(name: str, value: Any) -> np.ndarray:
    """An array of real numbers, from an array or from lists of numbers; refused are complex
    numbers, text, objects, rows of different lengths, and a masked array that masks something,
    whose masked numbers would be used.

    >>> real_array("x", [[1, 2], [3, 4]]).tolist()
    [[1, 2], [3, 4]]
    >>> real_array("x", np.ma.masked_array([1.0, 2.0], [True, False]))
    Traceback (most recent call last):
        ...
    ValueError: x: expected numbers, none of them masked, got 1 masked
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = int(np.ma.getmaskarray(value).sum())
        raise ValueError(f"{name}: expected numbers, none of them masked, got {masked} masked")
    try:
        found = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected rows of equal lengths, got others") from None
    if found.dtype.kind not in "buif":
        raise ValueError(f"{name}: expected real numbers, got {_kind(value, found)}")
    return found


def _kind(value, found):
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"an array of {found.dtype}" if found.ndim else type(value).__name__


def finite_array(name: str, value: Any, dtype: DTypeLike = np.float64) -> np.ndarray:
    """real_array in another dtype, of numbers that are all finite.

    >>> finite_array("x", [[1, 2]]).dtype.name
    'float64'
    """
    found = real_array(name, value).astype(dtype)
    check_finite(**{name: found})
    return found


def real_network(network: Any, *, finite: bool = False) -> None:
    """Raises ValueError unless this is a network with parameters, all real; finite ones, if asked.

    >>> real_network(None)
    Traceback (most recent call last):
        ...
    ValueError: network: expected a Network, got None
    """
    if not hasattr(network, "parameters") or isinstance(network, type):
        raise ValueError(f"network: expected a Network, got {network!r:.80}")
    if not network.parameters:
        raise ValueError("network: expected one with parameters, got none")
    if network.dtype.kind != "f":
        raise ValueError(f"network: expected real parameters, got {network.dtype}")
    if finite:
        check_finite(**{f"network, parameter {i}": p for i, p in enumerate(network.parameters)})


def largest_logit(z: np.ndarray, x: Any, parameters: tuple) -> np.ndarray:
    """Where the largest of each row of logits z (N, K) of x stands, the first of equals: (N,).
    Raises ValueError where NaN, infinity or complex numbers leave none.

    >>> largest_logit(np.array([[1.0, 2.0]]), np.ones((1, 3)), ()).tolist()
    [1]
    """
    if z.dtype.kind == "c":
        raise ValueError("network: expected real parameters, got complex ones")
    if not np.isfinite(z).all():
        check_finite(x=np.asarray(x))
        check_finite(**{f"network, parameter {i}": p for i, p in enumerate(parameters)})
        raise ValueError("x: its logits are beyond the largest float: no class can be named")
    return z.argmax(axis=1)


def generator(name: str, value: Any) -> np.random.Generator:
    """A Generator as it is, or a new one from a seed or from None.

    >>> bool(generator("rng", 3).integers(10) == np.random.default_rng(3).integers(10))
    True
    >>> generator("rng", "3")
    Traceback (most recent call last):
        ...
    ValueError: rng: expected a Generator, a whole number >= 0 or None, got '3'
    """
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: expected a Generator, a whole number >= 0 or None, got {value!r:.80}"
        ) from None
