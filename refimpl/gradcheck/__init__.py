"""A gradient checker for any function of NumPy arrays, rated by planted errors (`python -m refimpl
mutants`).

The complex step (Squire and Trapp 1998) Im f(x + i h u) / h, h = 1e-20, is the derivative along u
to round-off: nothing is subtracted. Against it stands the vector-Jacobian product under test, with
random cotangents (with ones the gradient of a softmax vanishes identically). Where f is not
analytic, central differences take over, with their wider bound.

    |analytic - numeric| <= 1e-12 |numeric| + 1e-14 S           S = max(size, sum of |summands|)
"""

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from refimpl.gradcheck.comparisons import (
    Finding,
    compare,
    gradients,
    subgradients,
    summand_size,
    taylor,
)
from refimpl.gradcheck.derivatives import derivative_of, direction, jump

FULL = 256  # inputs up to this many entries get the full Jacobian, more get random directions


@dataclass(frozen=True)
class Report:
    """verdict: "pass", "fail" or "kink: no verdict". method: how the numeric side was computed.

    >>> Report("pass", "complex step").ok
    True
    """

    verdict: str
    method: str
    findings: tuple[Finding, ...] = ()
    kink: str = ""  # where the kink lies

    @property
    def ok(self) -> bool:
        return self.verdict == "pass"

    def __str__(self) -> str:
        return "\n  ".join(
            filter(None, [f"{self.verdict} ({self.method})", self.kink, *map(str, self.findings)])
        )


def check_gradients(
    f: Callable,
    vjp: Callable,
    inputs: Any,
    *,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
    size: float | Sequence | None = None,
    batch: int | None = None,
    dtypes: Sequence = ("float64", "float32"),
    layer: bool = False,
    kink: str = "",
) -> Report:
    """Check a vector-Jacobian product against the function that it belongs to.

    f(*inputs) -> array or scalar; vjp(dout, *inputs) -> one gradient an input (a tuple; an array
    alone for one input). inputs: a tuple of float32 or float64 arrays (judged in float64). names:
    how reports call them, f's own by default. size: S, a known size of the summands, for all inputs
    or one an input; by default the product of the largest entries of dout and of all other inputs.
    batch: the position of an input whose first axis counts images that never mix. dtypes: floats
    that must come out as they went in. layer=True: f is a single layer, so at a kink the
    subgradient must lie between the one-sided derivatives; a composition gets no verdict there.
    kink: words for where a kink lies, if the caller knows of one. Returns a Report. Raises
    ValueError, naming the culprit, on inputs that are no finite float arrays and on functions that
    return another shape, return NaN, or change their arguments.

    >>> x = np.array([1.0, 2.0, 3.0])
    >>> print(
    ...     check_gradients(
    ...         np.sin, lambda dout, x: dout * np.cos(x), x, rng=np.random.default_rng(0)
    ...     )
    ... )
    pass (complex step, full Jacobian)
    >>> wrong = check_gradients(
    ...     np.sin, lambda dout, x: -dout * np.cos(x), x, rng=np.random.default_rng(0)
    ... )
    >>> wrong.verdict, wrong.findings[0].cause
    ('fail', 'a sign')
    """
    x, names = _inputs(f, _tuple(inputs), names)
    out = _value(f, x, names)
    dout = rng.choice((-1.0, 1.0), out.shape) * rng.uniform(
        0.5, 1.5, out.shape
    )  # never near zero, never ones
    analytic = _gradients(vjp, dout, x, names)
    findings = [
        *_twice(f, vjp, x, dout, out, analytic, names, rng),
        *_dtypes(f, vjp, x, dout, dtypes, names),
    ]
    if batch is not None:
        findings += _batch(f, vjp, x, dout, out, analytic, batch, names)
    method, derivative = derivative_of(f, x, out, rng)
    full = sum(a.size for a in x) <= FULL
    label = f"{method}, {'full Jacobian' if full else 'random directions'}"
    kinked = (
        bool(kink)
        or jump(method, derivative, x, direction(x, rng), np.abs(out).max(initial=0)).any()
    )
    sizes, verdict = summand_size(x, dout, size), "pass"
    if kinked and not (layer and full):
        hint = (
            f"take at most {FULL} entries"
            if layer
            else "move the inputs off it, or check the layers alone"
        )
        verdict, kink = "kink: no verdict", f"{kink or 'kink at the inputs'} ({hint})"
    elif kinked:
        kink = "kink: subgradient checked"
        findings += subgradients(
            lambda c: _gradients(vjp, c, x, names), derivative, x, out, sizes, names, method, rng
        )
    else:
        findings += gradients(derivative, analytic, x, dout, sizes, names, method, rng, full=full)
        findings += taylor(f, x, out, dout, analytic, names, rng)
    return Report("fail" if findings else verdict, label, tuple(findings), kink)


def check_layer(
    layer: Any,
    x: np.ndarray,
    *,
    rng: np.random.Generator,
    train: bool = False,
    batch: bool = True,
    size: float | Sequence | None = None,
    dtypes: Sequence = ("float64", "float32"),
) -> Report:
    """Check the input gradient and every parameter gradient of anything with our forward/backward
    pair, or a Network.

    The pair: forward(x, *, train=False, rng=None) -> (out, cache), backward(dout, cache) -> (dx,
    gradients), one for each parameter: the float arrays of the layer (but fields marked
    metadata={"buffer": True}). x (N, ...). batch=False where images mix (BatchNorm in training).
    For a Network, a kink is reported with the layers it lies between. Returns a Report. Raises
    ValueError as check_gradients does, and on an x that does not fit the layer.

    >>> from refimpl.layers import Affine
    >>> rng = np.random.default_rng(0)
    >>> check_layer(
    ...     Affine(rng.normal(size=(3, 2)), np.zeros(2)), rng.normal(size=(4, 3)), rng=rng
    ... ).verdict
    'pass'
    """
    f, vjp, inputs, names = layer_functions(layer, x, rng=rng, train=train, decoy=True)
    composed = hasattr(layer, "layers")
    _inputs(f, inputs, names)
    try:
        f(*inputs)
    except ValueError as error:
        raise ValueError(
            f"x: shape {np.shape(x)} does not fit {type(layer).__name__}: {error}"
        ) from error
    except TypeError as error:
        raise ValueError(
            f"layer: expected forward(x, *, train, rng) -> (out, cache): {error}"
        ) from error
    kink = _kink_between(layer.layers, x, rng, train) if composed else ""
    return check_gradients(
        f,
        vjp,
        inputs,
        rng=rng,
        names=names,
        size=size,
        dtypes=dtypes,
        batch=0 if batch else None,
        layer=not composed,
        kink=kink,
    )


def layer_functions(
    layer: Any, x: np.ndarray, *, rng: np.random.Generator, train: bool = False, decoy: bool = False
) -> tuple[Callable, Callable, tuple[np.ndarray, ...], tuple[str, ...]]:
    """A layer or Network as functions of x and its parameters: (f, vjp, inputs, names), what
    check_gradients takes.

    decoy=True: vjp calls forward on other data, with other chance, before backward: a cache kept on
    the layer is stale.

    >>> from refimpl.layers import Affine
    >>> layer, rng = Affine(np.ones((3, 2)), np.zeros(2)), np.random.default_rng(0)
    >>> layer_functions(layer, np.ones((4, 3)), rng=rng)[3]
    ('x', 'w', 'b')
    """
    seed, (names, parameters, rebuild, flatten) = int(rng.integers(2**32)), _parts(layer)

    def f(x, *p):
        return rebuild(p).forward(x, train=train, rng=np.random.default_rng(seed))[0]

    def vjp(dout, x, *p):
        here = rebuild(p)
        _, cache = here.forward(x, train=train, rng=np.random.default_rng(seed))
        if decoy:
            here.forward(-2 * x + 1, train=train, rng=np.random.default_rng(seed + 1))
        return flatten(here.backward(dout, cache))

    return f, vjp, (x, *parameters), ("x", *names)


def assert_gradients(
    f: Callable, vjp: Callable, inputs: Any, *, rng: np.random.Generator, **options: Any
) -> None:
    """check_gradients for pytest. Raises AssertionError, in few lines, unless the verdict is
    "pass".

    >>> assert_gradients(
    ...     np.sin, lambda dout, x: dout * np.cos(x), np.ones(3), rng=np.random.default_rng(0)
    ... )
    """
    report = check_gradients(f, vjp, inputs, rng=rng, **options)
    if not report.ok:
        raise AssertionError(str(report))


def assert_layer(layer: Any, x: np.ndarray, *, rng: np.random.Generator, **options: Any) -> None:
    """check_layer for pytest. Raises AssertionError, in few lines, unless the verdict is "pass".

    >>> from refimpl.layers import Tanh
    >>> assert_layer(Tanh(), np.ones((2, 3)), rng=np.random.default_rng(0))
    """
    report = check_layer(layer, x, rng=rng, **options)
    if not report.ok:
        raise AssertionError(f"{type(layer).__name__}: {report}")


def _tuple(values):
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _inputs(f, inputs, names):
    """The inputs in float64 and their names, by default those of f's parameters; raise on what is
    no finite float.
    """
    if names is None:
        try:
            names = [
                p.name
                for p in inspect.signature(f).parameters.values()
                if p.kind <= p.POSITIONAL_OR_KEYWORD
            ]
        except (TypeError, ValueError):
            names = []
        names = (
            names[: len(inputs)]
            if len(names) >= len(inputs)
            else [f"input {i}" for i in range(len(inputs))]
        )
    if len(names) != len(inputs):
        raise ValueError(f"names: expected {len(inputs)}, one an input, got {len(names)}")
    for a, name in zip(inputs, names):
        if not isinstance(a, (np.ndarray, np.floating)) or a.dtype not in (np.float32, np.float64):
            found = getattr(a, "dtype", type(a).__name__)
            raise ValueError(f"{name}: expected a float32 or float64 array, got {found}")
        if not np.isfinite(a).all():
            where = tuple(map(int, np.argwhere(~np.isfinite(a))[0]))
            raise ValueError(f"{name}: expected finite numbers, found NaN or infinity at {where}")
    return tuple(np.array(a, np.float64) for a in inputs), tuple(names)


def _call(g, who, arguments, names):
    """g(*arguments) on copies; raise where it writes to them."""
    copies = [a.copy() for a in arguments]
    result = g(*copies)
    for name, a, b in zip(names, arguments, copies):
        if not np.array_equal(a, b, equal_nan=True):
            raise ValueError(f"{who}: changed its argument {name}, expected it untouched")
    return result


def _value(f, x, names):
    out = np.asarray(_call(f, "f", x, names))
    if out.dtype.kind != "f" or not np.isfinite(out).all():
        raise ValueError(
            f"f: expected finite floats, got "
            f"{'NaN or infinity' if out.dtype.kind == 'f' else out.dtype}"
        )
    return out


def _gradients(vjp, dout, x, names):
    """The gradients as a tuple of arrays, one an input, each of its input's shape."""
    result = _tuple(_call(vjp, "vjp", (dout, *x), ("dout", *names)))
    if len(result) != len(x):
        raise ValueError(
            f"vjp: expected {len(x)} gradients ({', '.join(names)}), got {len(result)}"
        )
    for g, a, name in zip(result, x, names):
        if np.shape(g) != a.shape:
            hint = (
                ": an axis is not summed?"
                if np.ndim(g) > a.ndim
                else (": transposed?" if np.shape(g) == a.shape[::-1] else "")
            )
            raise ValueError(
                f"vjp: the gradient of {name} should have shape {a.shape}, got {np.shape(g)}{hint}"
            )
        if not np.isfinite(g).all():
            raise ValueError(f"vjp: the gradient of {name} is NaN or infinite")
    return tuple(np.asarray(g) for g in result)


def _twice(f, vjp, x, dout, out, analytic, names, rng):
    """The same again, after a call elsewhere: nothing may be stored or drawn from a hidden
    generator.
    """
    with np.errstate(all="ignore"):
        f(*[a + rng.normal(size=a.shape) for a in x])
    again = _value(f, x, names), *_gradients(vjp, dout, x, names)
    return [
        Finding("twice", name, cause="hidden state: two calls with the same arguments differ")
        for name, a, b in zip(("f", *names), (out, *analytic), again)
        if not np.array_equal(a, b)
    ]


def _dtypes(f, vjp, x, dout, dtypes, names):
    """float32 in, float32 out, and so for every float in dtypes."""
    found = []
    for dtype in map(np.dtype, dtypes):
        cast = [a.astype(dtype) for a in x]
        with np.errstate(all="ignore"):
            results = f(*cast), *_tuple(vjp(dout.astype(dtype), *cast))
        found += [
            Finding("dtype", name, cause=f"a constant or a cast: {dtype} in, {a.dtype} out")
            for name, a in zip(("f", *names), map(np.asarray, results))
            if a.dtype != dtype
        ]
    return found


def _batch(f, vjp, x, dout, out, analytic, k, names):
    """A batch is a stack of singles, in f and in the gradient of input k, to round-off."""
    found = []
    for n in range(len(x[k])):
        one = [a[n : n + 1] if i == k else a for i, a in enumerate(x)]
        single = np.asarray(f(*one))
        if single.shape != (1, *out.shape[1:]):
            return [
                Finding(
                    "batch",
                    "f",
                    cause=f"one image gives shape {single.shape}, {len(x[k])} give {out.shape}",
                )
            ]
        dx = _gradients(vjp, dout[n : n + 1], one, names)[k][0]
        for name, a, b in (("f", out[n], single[0]), (names[k], analytic[k][n], dx)):
            size = max(1.0, *(np.abs(v).max(initial=0) for v in (a, *x)))
            found += [
                replace(
                    v,
                    check="batch",
                    index=(n, *v.index),
                    cause="images that mix: alone they differ",
                )
                for v in compare(a, b, size, name, "batch", x)
            ]
    return found[:1]


def _parts(layer):
    """(names, parameters, rebuild(parameters) -> layer, flatten(what backward returns) ->
    gradients).
    """
    for method in ("forward", "backward"):
        if not callable(getattr(layer, method, None)):
            raise ValueError(
                f"layer: expected forward and backward, {type(layer).__name__} has no {method}"
            )
    if hasattr(layer, "layers"):
        names = [f"{i}.{name}" for i, part in enumerate(layer.layers) for name in _parts(part)[0]]
        return (
            names,
            layer.parameters,
            layer.with_parameters,
            lambda back: (back[0], *[g for p in back[1] for g in p]),
        )
    own = (
        [f.name for f in fields(layer) if not f.metadata.get("buffer")]
        if is_dataclass(layer)
        else vars(layer)
    )
    arrays = {n: getattr(layer, n) for n in own}
    parameters = {
        n: a for n, a in arrays.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"
    }

    def rebuild(others):
        new = copy.copy(layer)
        for name, p in zip(parameters, others):
            object.__setattr__(new, name, p)
        return new

    return (
        list(parameters),
        list(parameters.values()),
        rebuild,
        lambda back: (back[0], *_tuple(back[1])) if isinstance(back, (tuple, list)) else (back,),
    )  # one gradient, or dx alone, will do


def _kink_between(layers, x, rng, train):
    """Words for the first layer whose own input lies on its kink and can be moved off it, or "".

    The zeros of dead units tie in a pooling window behind them, but nothing near x or the
    parameters parts them.
    """
    moved = x + 1e-6 * direction((x,), rng)[0]
    for i, layer in enumerate(layers):

        def f(x, layer=layer):
            return layer.forward(x, train=train, rng=np.random.default_rng(0))[0]

        out = f(x)
        method, derivative = derivative_of(f, (x,), out, rng)
        u = direction((x,), rng)[0] * (moved != x)
        if jump(method, derivative, (x,), (u,), np.abs(out).max(initial=0)).any():
            before = (
                f"between layers {i - 1} ({type(layers[i - 1]).__name__}) and"
                if i
                else "at the input of layer"
            )
            return f"kink {before} {i} ({type(layer).__name__})"
        _, parameters, rebuild, _ = _parts(layer)
        nudged = rebuild([p + 1e-6 * d for p, d in zip(parameters, direction(parameters, rng))])
        x, moved = out, nudged.forward(moved, train=train, rng=np.random.default_rng(0))[0]
    return ""
