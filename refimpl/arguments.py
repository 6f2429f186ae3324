"""What a function was handed, told before it is used: each check returns the value as the function
wants it, or raises a ValueError that names the argument, what came and what was expected.
"""

import functools
import inspect
import math
import operator
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from refimpl.dtypes import check_finite

P = ParamSpec("P")
R = TypeVar("R")
MOST = 2**31 - 1  # inputs, units or classes


def takes(**checks: Callable[[str, Any], Any]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: before the function runs, each of its arguments that is named here goes through
    its check, check(name, value) -> value. None passes where it is the default.

    >>> @takes(lr=positive)
    ... def step(lr=None):
    ...     return lr
    >>> step(), step(1)
    (None, 1.0)
    >>> step("fast")
    Traceback (most recent call last):
        ...
    ValueError: lr: expected a positive number, got 'fast'
    """

    def around(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        defaults = {name: signature.parameters[name].default for name in checks}

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs).arguments
            for name in checks.keys() & given.keys():
                if given[name] is not None or defaults[name] is not None:
                    given[name] = checks[name](name, given[name])
            bound = inspect.BoundArguments(signature, given)
            return function(*bound.args, **bound.kwargs)

        return checked

    return around


def function(name: str, value: Any) -> Callable:
    """What can be called.

    >>> function("loss", abs) is abs
    True
    """
    if not callable(value):
        raise ValueError(f"{name}: expected a function, got {value!r:.80}")
    return value


def a_layer(name: str, value: Any) -> Any:
    """An object with forward and backward: no class of such objects, and no word for one.

    >>> a_layer("activation", "relu")
    Traceback (most recent call last):
        ...
    ValueError: activation: expected a layer such as ReLU(), got 'relu'
    """
    pair = (getattr(value, part, None) for part in ("forward", "backward"))
    if isinstance(value, type) or not all(map(callable, pair)):
        raise ValueError(f"{name}: expected a layer such as ReLU(), got {value!r:.80}")
    return value


def floating(name: str, value: Any) -> np.dtype:
    """A dtype of floating-point or complex numbers.

    >>> floating("dtype", "float32").itemsize
    4
    """
    try:
        found = np.dtype(value)
    except (TypeError, ValueError):
        found = np.dtype(object)
    if found.kind not in "fc":
        raise ValueError(f"{name}: expected float32 or another such dtype, got {value!r:.80}")
    return found


def row_array(name: str, value: Any) -> np.ndarray:
    """Real numbers (N, ...), one or more to a row.

    >>> row_array("y", 3)
    Traceback (most recent call last):
        ...
    ValueError: y: expected one a row, shape (N, ...), got a single int64
    """
    found = real_array(name, value)
    if found.ndim == 0:
        raise ValueError(f"{name}: expected one a row, shape (N, ...), got a single {found.dtype}")
    return found


def one_of(*names: str) -> Callable[[str, Any], str]:
    """The check for one of some words.

    >>> one_of("primal", "dual")("form", "dual")
    'dual'
    """

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"{name}: expected {' or '.join(map(repr, names))}, got {value!r:.80}")
        return value

    return check


def number(value: Any) -> float:
    """A real number, NaN where it is none: text is none, whatever it spells.

    >>> number(np.float32(0.5)), number("3")
    (0.5, nan)
    """
    if isinstance(value, str | bytes):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


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
    found = [whole(name, value, 1) for name, value in values.items()]
    for name, size in zip(values, found):
        if size > MOST:
            raise ValueError(f"{name}: expected at most {MOST:,}, got {size!r:.80}")
    return found


def positive(name: str, value: Any) -> float:
    """A number above zero that is finite.

    >>> positive("lr", 0.5)
    0.5
    >>> positive("lr", float("inf"))
    Traceback (most recent call last):
        ...
    ValueError: lr: expected a positive number, got inf
    """
    found = number(value)
    if not 0 < found < math.inf:
        raise ValueError(f"{name}: expected a positive number, got {value!r:.80}")
    return found


def not_negative(name: str, value: Any) -> float:
    """A number from zero on that is finite.

    >>> not_negative("weight_decay", 0)
    0.0
    """
    found = number(value)
    if not 0 <= found < math.inf:
        raise ValueError(f"{name}: expected a number >= 0, got {value!r:.80}")
    return found


def interval(name: str, value: Any) -> tuple[float, float]:
    """(low, high) with low < high, numbers; infinity is one here.

    >>> interval("box", (0, 1))
    (0.0, 1.0)
    >>> interval("box", 3)
    Traceback (most recent call last):
        ...
    ValueError: box: expected (low, high) with low < high, got 3
    """
    try:
        low, high = map(number, value)
    except (TypeError, ValueError):
        low = high = math.nan
    if not low < high:
        raise ValueError(f"{name}: expected (low, high) with low < high, got {value!r:.80}")
    return low, high


def functions(name: str, value: Any) -> tuple:
    """Several functions, of a list or another iterable.

    >>> functions("priors", [abs])
    (<built-in function abs>,)
    """
    try:
        found = tuple(value)
    except TypeError:
        found = (None,)
    if not all(map(callable, found)):
        raise ValueError(f"{name}: expected functions, got {value!r:.80}")
    return found


def fraction(name: str, value: Any) -> float:
    """A number in [0, 1): what an average keeps of what was.

    >>> fraction("beta1", 0.9)
    0.9
    >>> fraction("beta1", 1)
    Traceback (most recent call last):
        ...
    ValueError: beta1: expected a number in [0, 1), got 1
    """
    found = number(value)
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


def labels(name: str, value: Any, largest: int) -> np.ndarray:
    """Whole labels (N,), N > 0, from 0 to `largest`, as int64.

    >>> labels("y", [0, 2], 9).tolist()
    [0, 2]
    >>> labels("y", [0.5], 9)
    Traceback (most recent call last):
        ...
    ValueError: y: expected integer labels of shape (N,), got float64 of shape (1,)
    """
    found = real_array(name, value)
    if found.ndim != 1 or not len(found) or found.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected integer labels of shape (N,), got {found.dtype} of shape "
            f"{found.shape}"
        )
    low, high = int(found.min()), int(found.max())
    if low < 0 or high > largest:
        raise ValueError(f"{name}: expected labels from 0 to {largest:,}, got {low} to {high}")
    return found.astype(np.int64)


def rows_for(network: Any, name: str, value: Any) -> np.ndarray:
    """Finite rows (N, D), N > 0, for a network that is one, with real finite parameters.

    >>> from refimpl.network import softmax_net
    >>> rows_for(softmax_net(2, 3), "x", [[1, 2]]).tolist()
    [[1, 2]]
    """
    real_network(network, finite=True)
    found = real_array(name, value)
    if found.ndim != 2 or not found.size:
        raise ValueError(f"{name}: expected shape (N, D) with N > 0, got {found.shape}")
    check_finite(**{name: found})
    return found


def a_network(name: str, value: Any) -> Any:
    """The check of `real_network` for `takes`.

    >>> from refimpl.network import softmax_net
    >>> repr(a_network("student", softmax_net(2, 3)))
    'Network(2 -> 3, 9 parameters, float64)'
    """
    real_network(value, name=name)
    return value


def finite_network(name: str, value: Any) -> Any:
    """The same, of finite parameters.

    >>> from refimpl.network import softmax_net
    >>> finite_network("network", softmax_net(2, 3)).inputs
    2
    """
    real_network(value, finite=True, name=name)
    return value


def finite_rows(name: str, value: Any) -> np.ndarray:
    """Finite numbers in their own dtype, one or more to an image: (N, ...).

    >>> finite_rows("target", [1, 0]).tolist()
    [1, 0]
    """
    found = row_array(name, value)
    check_finite(**{name: found})
    return found


Checks = dict[str, Callable[[str, Any], Any]]
VISUALIZING: Checks = {  # the checks of class_visualizations
    "network": finite_network,
    "weight_decay": not_negative,
    "box": interval,
    "priors": functions,
}
SHALLOW: Checks = {"sigma": not_negative, "dtype": floating}  # of softmax_net
HIDDEN: Checks = {"activation": a_layer, "dtype": floating}  # of one_hidden_net


def matrix(name: str, value: Any, *shape: int | None) -> np.ndarray:
    """Finite real numbers of this shape, None for any length; float32 and float64 as they are,
    others in float64.

    >>> matrix("w", [[1, -1]], None, 2).dtype.name
    'float64'
    >>> matrix("w", np.ones((2, 3)), None, 2)
    Traceback (most recent call last):
        ...
    ValueError: w: expected shape (any, 2), got (2, 3)
    """
    found = real_array(name, value)
    if found.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, found.shape)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        wanted += "," * (len(shape) == 1)
        raise ValueError(f"{name}: expected shape ({wanted}), got {found.shape}")
    check_finite(**{name: found})
    return found if found.dtype in (np.float32, np.float64) else found.astype(np.float64)


def real_network(network: Any, *, finite: bool = False, name: str = "network") -> None:
    """Raises ValueError unless this is a network with parameters, all real; finite ones, if asked.
    name: of the argument.

    >>> real_network(None)
    Traceback (most recent call last):
        ...
    ValueError: network: expected a Network, got None
    """
    if not hasattr(network, "parameters") or isinstance(network, type):
        raise ValueError(f"{name}: expected a Network, got {network!r:.80}")
    if not network.parameters:
        raise ValueError(f"{name}: expected one with parameters, got none")
    if network.dtype.kind != "f":
        raise ValueError(f"{name}: expected real parameters, got {network.dtype}")
    if finite:
        check_finite(**{f"{name}, parameter {i}": p for i, p in enumerate(network.parameters)})


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
