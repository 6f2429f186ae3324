"""What comes in and what f and vjp return: copied at once, and refused by name where it does not
fit.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def as_tuple(values: Any) -> tuple:
    """A tuple of what may be one thing alone.

    >>> as_tuple(3), as_tuple([1, 2])
    ((3,), (1, 2))
    """
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """The generator that rng names: itself, of a seed, or of seed 0 for None. Raises ValueError
    on anything else.

    >>> generator(3).random() == generator(3).random()
    True
    """
    if isinstance(rng, np.random.Generator):
        return rng
    is_whole = isinstance(rng, (int, np.integer)) and not isinstance(rng, bool)
    if rng is None or (is_whole and rng >= 0):
        return np.random.default_rng(0 if rng is None else rng)
    said = repr(rng) if is_whole else type(rng).__name__
    raise ValueError(f"rng: expected a Generator, an int >= 0 or None, got {said}")


def callables(**functions: Any) -> None:
    """Raise ValueError, by its name, where what should be called is no function.

    >>> callables(f=np.sin, vjp=np.cos)
    """
    for name, g in functions.items():
        if not callable(g):
            raise ValueError(f"{name}: expected a function, got {type(g).__name__}")


def floats_of(dtypes: Any) -> tuple[np.dtype, ...]:
    """The dtypes that are named, one or several. Raises ValueError on what is no type of floats.

    >>> floats_of(("float32",))
    (dtype('float32'),)
    """
    found = []
    if not isinstance(dtypes, Iterable | type | np.dtype):
        raise ValueError(f"dtypes: expected names of float types, got {dtypes!r}")
    for item in (dtypes,) if isinstance(dtypes, (str, type, np.dtype)) else dtypes:
        try:
            found.append(np.dtype(item))
        except TypeError:
            raise ValueError(f"dtypes: expected names of float types, got {item!r}") from None
        if found[-1].kind != "f":
            raise ValueError(f"dtypes: expected names of float types, got {item!r}")
    return tuple(found)


def names_of(f: Callable, count: int, names: Sequence[str] | None) -> tuple[str, ...]:
    """How reports call the inputs: the names given, else those of f's own parameters, else by
    number. Raises ValueError where other than one name an input is given.

    >>> names_of(lambda x, w: x, 2, None), names_of(lambda *x: x, 1, None)
    (('x', 'w'), ('input 0',))
    """
    if names is not None:
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise ValueError(f"names: expected a sequence of names, got {names!r}")
        names = tuple(names)
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"names: expected a sequence of names, got {names!r:.80}")
        if len(names) != count:
            raise ValueError(f"names: expected {count}, one an input, got {len(names)}")
        return names
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    own = [p.name for p in parameters if p.kind <= p.POSITIONAL_OR_KEYWORD]
    return tuple(own[:count]) if len(own) >= count else tuple(f"input {i}" for i in range(count))


def skipped(skip: Any, names: Sequence[str]) -> frozenset[int]:
    """The positions of the arguments that are not differentiated; skip: names or positions. Raises
    ValueError on another name or position, on a truth value, and where nothing would be left.

    >>> sorted(skipped(("labels", 0), ("x", "w", "labels")))
    [0, 2]
    """
    found = set()
    for item in skip if isinstance(skip, Iterable) and not isinstance(skip, str) else (skip,):
        if item in names:
            found.add(list(names).index(str(item)))
        elif (
            isinstance(item, (int, np.integer))
            and not isinstance(item, bool)
            and -len(names) <= item < len(names)
        ):
            found.add(int(item) % len(names))
        else:
            raise ValueError(f"skip: expected names or positions of {tuple(names)}, got {item!r}")
    if len(found) == len(names):
        raise ValueError("skip: expected at least one argument that is differentiated")
    return frozenset(found)


def without_skipped(
    f: Callable, vjp: Callable, inputs: tuple, skip: frozenset[int]
) -> tuple[Callable, Callable, tuple]:
    """f, vjp and inputs as functions of the arguments that are differentiated alone.

    vjp may return gradients for those only, or one for every argument; what it returns for the
    others is not read.

    >>> f, vjp, x = without_skipped(
    ...     lambda x, n: x**n, lambda d, x, n: d * n * x ** (n - 1), (np.ones(2), 3), frozenset({1})
    ... )
    >>> f(*x).tolist(), vjp(np.ones(2), *x)[0].tolist()
    ([1.0, 1.0], [3.0, 3.0])
    """
    if not skip:
        return f, vjp, inputs
    kept = [i for i in range(len(inputs)) if i not in skip]

    def whole(x):
        rest = iter(x)
        return [inputs[i] if i in skip else next(rest) for i in range(len(inputs))]

    def some(dout, *x):
        gradients = as_tuple(vjp(dout, *whole(x)))
        if len(gradients) == len(inputs):
            return tuple(gradients[i] for i in kept)
        return gradients

    return lambda *x: f(*whole(x)), some, tuple(inputs[i] for i in kept)


def check_inputs(inputs: Sequence, names: Sequence[str]) -> tuple[np.ndarray, ...]:
    """The inputs in float64. Raises ValueError on what is no finite float array, by its name.

    >>> check_inputs((np.ones(1, np.float32),), ("x",))[0].dtype
    dtype('float64')
    """
    for a, name in zip(inputs, names):
        if not isinstance(a, (np.ndarray, np.floating)) or (
            a.dtype.newbyteorder("=") not in (np.float32, np.float64)
        ):
            found = getattr(a, "dtype", type(a).__name__)
            hint = "; skip= takes arguments that are not differentiated"
            integer = isinstance(a, (np.ndarray, np.integer, int, bool))
            raise ValueError(
                f"{name}: expected a float32 or float64 array, got {found}{hint if integer else ''}"
            )
        if not np.isfinite(a).all():
            where = tuple(map(int, np.argwhere(~np.isfinite(a))[0]))
            raise ValueError(f"{name}: expected finite numbers, found NaN or infinity at {where}")
    return tuple(np.array(a, np.float64) for a in inputs)


def call(g: Callable, who: str, arguments: Sequence[np.ndarray], names: Sequence[str]) -> Any:
    """g(*arguments), its arrays copied; raise where it does not take them, or writes to them.

    >>> call(lambda x: 2 * x, "f", (np.ones(1),), ("x",)).tolist()
    [2.0]
    """
    given = [a.copy() for a in arguments]
    try:
        result = g(*given)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            _check_signature(g, who, names)  # it was not entered
        raise
    result = tuple(map(_copy, result)) if isinstance(result, (tuple, list)) else _copy(result)
    for name, a, b in zip(names, arguments, given):
        if not np.array_equal(a, b):  # both are finite
            raise ValueError(f"{who}: changed its argument {name}, expected it untouched")
    return result


def _check_signature(g, who, names):
    """Raise ValueError where g's parameters are not these."""
    try:
        signature = inspect.signature(g)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*names)
    except TypeError as error:
        raise ValueError(
            f"{who}: expected {who}({', '.join(names)}), got {who}{signature}: {error}"
        ) from None


def _copy(a):
    return a.copy() if isinstance(a, np.ndarray) else a


def value_of(f: Callable, x: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """f(*x) as an array of finite floats. Raises ValueError where it is something else.

    >>> float(value_of(lambda x: x.sum(), (np.ones(2),), ("x",)))
    2.0
    """
    result = call(f, "f", x, names)
    try:
        out = np.asarray(result)
    except ValueError:
        shapes = [np.shape(a) for a in as_tuple(result)]
        raise ValueError(
            f"f: expected one array or number, got arrays of shapes {shapes}"
        ) from None
    if out.dtype.kind != "f" or not np.isfinite(out).all():
        kind = type(result).__name__ if out.dtype == object else out.dtype
        found = "NaN or infinity" if out.dtype.kind == "f" else kind
        raise ValueError(f"f: expected finite floats, got {found}")
    return out


def gradients_of(
    vjp: Callable, dout: np.ndarray, x: Sequence[np.ndarray], names: Sequence[str]
) -> tuple[np.ndarray, ...]:
    """The gradients that vjp returns, one an input and of its shape. Raises ValueError by name.

    >>> [g.tolist() for g in gradients_of(lambda d, x: 2 * d, np.ones(1), (np.ones(1),), ("x",))]
    [[2.0]]
    """
    result = as_tuple(call(vjp, "vjp", (dout, *x), ("dout", *names)))
    if len(result) != len(x):
        raise ValueError(
            f"vjp: expected {len(x)} gradients ({', '.join(names)}), got {len(result)}"
        )
    for g, a, name in zip(result, x, names):
        if g is None:
            raise ValueError(f"vjp: the gradient of {name} is None, expected an array")
        if isinstance(g, Mapping):
            raise ValueError(f"vjp: the gradient of {name} is a {type(g).__name__}, no array")
        if np.shape(g) != a.shape:
            hint = ": transposed?" if np.shape(g) == a.shape[::-1] else ""
            hint = ": an axis is not summed?" if np.ndim(g) > a.ndim else hint
            raise ValueError(
                f"vjp: the gradient of {name} should have shape {a.shape}, got {np.shape(g)}{hint}"
            )
        if np.asarray(g).dtype.kind not in "fiu":
            raise ValueError(f"vjp: the gradient of {name} is no array of real numbers")
        if not np.isfinite(g).all():
            raise ValueError(f"vjp: the gradient of {name} is NaN or infinite")
    return tuple(np.asarray(g) for g in result)
