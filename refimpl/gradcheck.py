"""A gradient checker for any function of NumPy arrays, rated by planted errors (`python -m refimpl mutants`).

The complex step (Squire and Trapp 1998) Im f(x + i h u) / h, h = 1e-20, is the derivative along u to round-off: nothing
is subtracted. Against it stands the vector-Jacobian product under test, with random cotangents (with ones the gradient
of a softmax vanishes identically). Where f is not analytic, central differences take over, with their wider bound.

    |analytic - numeric| <= 1e-12 |numeric| + 1e-14 S           S = max(size, sum of |summands|)
"""

import copy
import inspect
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from refimpl.comparisons import Finding, compare, directions, subgradients, summand_size, taylor
from refimpl.derivatives import derivative_of, direction, jacobian, jump

FULL = 256  # inputs up to this many entries get the full Jacobian, more get random directions


@dataclass(frozen=True)
class Report:
    """verdict: "pass", "fail" or "kink: no verdict". method: how the numeric side was computed."""

    verdict: str
    method: str
    findings: tuple = ()
    kink: str = ""  # where the kink lies

    @property
    def ok(self):
        return self.verdict == "pass"

    def __str__(self):
        lines = [f"{self.verdict} ({self.method})", self.kink, *map(str, self.findings)]
        return "\n  ".join(filter(None, lines))


def check_gradients(f, vjp, inputs, *, rng, names=None, size=None, batch=None, dtypes=("float64", "float32"),
                    layer=False, kink=""):
    """Check a vector-Jacobian product against the function that it belongs to.

    f(*inputs) -> array or scalar; vjp(dout, *inputs) -> one gradient an input (a tuple; an array alone for one input).
    inputs: a tuple of float32 or float64 arrays (judged in float64). names: how reports call them, f's own by default.
    size: S, a known size of the summands, for all inputs or one an input; by default the product of the largest
    entries of dout and of all other inputs. batch: the position of an input whose first axis counts images that never
    mix. dtypes: floats that must come out as they went in. layer=True: f is a single layer, so at a kink the
    subgradient must lie between the one-sided derivatives; a composition gets no verdict there. kink: words for where
    a kink lies, if the caller knows of one.
    Returns a Report. Raises ValueError, naming the culprit, on inputs that are no finite float arrays and on functions
    that return another shape, return NaN, or change their arguments.

    >>> x = np.array([1.0, 2.0, 3.0])
    >>> print(check_gradients(np.sin, lambda dout, x: dout * np.cos(x), x, rng=np.random.default_rng(0)))
    pass (complex step, full Jacobian)
    >>> wrong = check_gradients(np.sin, lambda dout, x: -dout * np.cos(x), x, rng=np.random.default_rng(0))
    >>> wrong.verdict, wrong.findings[0].cause
    ('fail', 'a sign')
    """
    inputs = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    names = _names(f, len(inputs)) if names is None else tuple(names)
    _check_inputs(inputs, names)
    x = tuple(np.array(a, np.float64) for a in inputs)
    out = _call(f, "f", x, names)
    dout = rng.choice((-1.0, 1.0), out.shape) * rng.uniform(0.5, 1.5, out.shape)  # never near zero, never ones
    analytic = _gradients(vjp, dout, x, names)
    other = tuple(a + rng.normal(size=a.shape) for a in x)
    findings = [*_twice(f, vjp, x, dout, out, analytic, other, names), *_dtypes(f, vjp, x, dout, dtypes, names)]
    if batch is not None:
        findings += _batch(f, vjp, x, dout, out, analytic, batch, names)
    method, derivative = derivative_of(f, x, out, rng)
    full = sum(a.size for a in x) <= FULL
    label = f"{method}, {'full Jacobian' if full else 'random directions'}"
    kinked = bool(kink) or jump(method, derivative, x, direction(x, rng), np.abs(out).max(initial=0)).any()
    if kinked and not (layer and full):
        verdict = "fail" if findings else "kink: no verdict"
        hint = "take at most 256 entries" if layer else "move the inputs off it, or check the layers alone"
        return Report(verdict, label, tuple(findings), f"{kink or 'kink at the inputs'} ({hint})")
    sizes = summand_size(x, dout, size)
    if kinked:
        findings += subgradients(lambda c: _gradients(vjp, c, x, names), derivative, x, out, sizes, names, method, rng)
    elif full:
        for k, a in enumerate(x):
            j = jacobian(derivative, x, k, out.size)  # (outputs, entries of a)
            numeric = (dout.ravel() @ j).reshape(a.shape)
            summands = (np.abs(dout).ravel() @ np.abs(j)).reshape(a.shape)
            findings += compare(analytic[k], numeric, np.maximum(sizes[k], summands), names[k], method, x)
    else:
        findings += directions(derivative, analytic, x, dout, sizes, names, method, rng)
    if not kinked:
        findings += taylor(f, x, out, dout, analytic, names, rng)
    return Report("fail" if findings else "pass", label, tuple(findings), "kink: subgradient checked" if kinked else "")


def check_layer(layer, x, *, rng, train=False, batch=True, size=None, dtypes=("float64", "float32")):
    """Check the input gradient and every parameter gradient of anything with our forward/backward pair, or a Network.

    Parameters are the array fields of the layer (not those marked metadata={"buffer": True}). x (N, ...).
    batch=False where images mix (BatchNorm in training). For a Network, a kink is reported with the layers it lies
    between. Returns a Report; raises as check_gradients.

    >>> from refimpl.layers import Affine
    >>> rng = np.random.default_rng(0)
    >>> check_layer(Affine(rng.normal(size=(3, 2)), np.zeros(2)), rng.normal(size=(4, 3)), rng=rng).verdict
    'pass'
    """
    f, vjp, inputs, names = layer_functions(layer, x, rng=rng, train=train, decoy=True)
    composed = hasattr(layer, "layers")
    _check_inputs(inputs, names)
    try:
        f(*inputs)
    except ValueError as error:
        raise ValueError(f"x: shape {np.shape(x)} does not fit {type(layer).__name__}: {error}") from error
    kink = _kink_between(layer.layers, x, rng, train) if composed else ""
    return check_gradients(f, vjp, inputs, rng=rng, names=names, size=size, dtypes=dtypes,
                           batch=0 if batch else None, layer=not composed, kink=kink)


def layer_functions(layer, x, *, rng, train=False, decoy=False):
    """A layer or Network as functions of x and its parameters: (f, vjp, inputs, names), what check_gradients takes.

    decoy=True: vjp calls forward on other data, with other chance, before backward: a cache stored on the layer is stale.

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


def assert_gradients(f, vjp, inputs, *, rng, **options):
    """check_gradients for pytest. Raises AssertionError, in few lines, unless the verdict is "pass"."""
    report = check_gradients(f, vjp, inputs, rng=rng, **options)
    if not report.ok:
        raise AssertionError(str(report))


def assert_layer(layer, x, *, rng, **options):
    """check_layer for pytest. Raises AssertionError, in few lines, unless the verdict is "pass"."""
    report = check_layer(layer, x, rng=rng, **options)
    if not report.ok:
        raise AssertionError(f"{type(layer).__name__}: {report}")


def _names(f, n):
    try:
        parameters = inspect.signature(f).parameters.values()
        own = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        own = []
    return tuple(own[:n]) if len(own) >= n else tuple(f"input {i}" for i in range(n))


def _check_inputs(inputs, names):
    if len(names) != len(inputs):
        raise ValueError(f"names: expected {len(inputs)}, one an input, got {len(names)}")
    for a, name in zip(inputs, names):
        if not isinstance(a, (np.ndarray, np.floating)) or a.dtype not in (np.float32, np.float64):
            found = getattr(a, "dtype", type(a).__name__)
            raise ValueError(f"{name}: expected a float32 or float64 array, got {found}")
        if not np.isfinite(a).all():
            where = tuple(map(int, np.argwhere(~np.isfinite(a))[0]))
            raise ValueError(f"{name}: expected finite numbers, found NaN or infinity at {where}")


def _call(g, who, arguments, names):
    """g(*arguments) on copies; raise where it writes to them."""
    copies = [a.copy() for a in arguments]
    result = g(*copies)
    for name, a, b in zip(names, arguments, copies):
        if not np.array_equal(a, b, equal_nan=True):
            raise ValueError(f"{who}: changed its argument {name}, expected it untouched")
    if who == "f":
        result = np.asarray(result)
        if result.dtype.kind != "f" or not np.isfinite(result).all():
            what = f"{result.dtype}, NaN or infinity" if result.dtype.kind == "f" else str(result.dtype)
            raise ValueError(f"f: expected finite floats, got {what}")
    return result


def _gradients(vjp, dout, x, names):
    """The gradients as a tuple of arrays, one an input, each of its input's shape."""
    result = _call(vjp, "vjp", (dout, *x), ("dout", *names))
    result = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    if len(result) != len(x):
        raise ValueError(f"vjp: expected {len(x)} gradients ({', '.join(names)}), got {len(result)}")
    for g, a, name in zip(result, x, names):
        if np.shape(g) != a.shape:
            hint = ": an axis is not summed?" if np.ndim(g) > a.ndim else (
                ": transposed?" if np.shape(g) == a.shape[::-1] else "")
            raise ValueError(f"vjp: the gradient of {name} should have shape {a.shape}, got {np.shape(g)}{hint}")
        if not np.isfinite(g).all():
            raise ValueError(f"vjp: the gradient of {name} is NaN or infinite")
    return tuple(np.asarray(g) for g in result)


def _twice(f, vjp, x, dout, out, analytic, other, names):
    """The same again, after a call elsewhere: nothing may be stored or drawn from a hidden generator."""
    with np.errstate(all="ignore"):
        np.asarray(f(*[a.copy() for a in other]))
    again = _call(f, "f", x, names)
    if not np.array_equal(out, again):
        return [Finding("twice", "f", cause="hidden state: two calls with the same arguments differ")]
    pairs = zip(names, analytic, _gradients(vjp, dout, x, names))
    differ = [name for name, a, b in pairs if not np.array_equal(a, b)]
    return [Finding("twice", name, cause="hidden state: two calls of vjp differ") for name in differ]


def _dtypes(f, vjp, x, dout, dtypes, names):
    """float32 in, float32 out, and so for every float in dtypes."""
    found = []
    for dtype in map(np.dtype, dtypes):
        cast = [a.astype(dtype) for a in x]
        with np.errstate(all="ignore"):
            out, gradients = np.asarray(f(*cast)), vjp(dout.astype(dtype), *[a.copy() for a in cast])
        gradients = gradients if isinstance(gradients, (tuple, list)) else (gradients,)
        for name, a in zip(("f", *names), (out, *map(np.asarray, gradients))):
            if a.dtype != dtype:
                found.append(Finding("dtype", name, cause=f"a constant or a cast: {dtype} in, {a.dtype} out"))
    return found


def _batch(f, vjp, x, dout, out, analytic, k, names):
    """A batch is a stack of singles, in f and in the gradient of input k, to round-off."""
    found = []
    for n in range(len(x[k]) if x[k].ndim and len(x[k]) > 1 else 0):
        one = [a[n : n + 1] if i == k else a for i, a in enumerate(x)]
        single = np.asarray(f(*one))
        if single.shape != (1, *out.shape[1:]):
            return [Finding("batch", "f", cause=f"one image gives shape {single.shape}, {len(x[k])} give {out.shape}")]
        dx = _gradients(vjp, dout[n : n + 1], one, names)[k][0]
        for name, a, b in (("f", out[n], single[0]), (names[k], analytic[k][n], dx)):
            bound = 1e-10 * np.abs(a) + 1e-12 * max(1.0, *(np.abs(v).max(initial=0) for v in (a, *x)))
            if (np.abs(a - b) > bound).any():
                i = np.unravel_index(np.argmax(np.abs(a - b) - bound), a.shape)
                found.append(Finding("batch", name, (n, *map(int, i)), float(a[i]), float(b[i]), float(bound[i]),
                                     "images that mix: in the batch and alone they differ"))
    return found[:1]


def _parts(layer):
    """(names, parameters, rebuild(parameters) -> layer, flatten(what backward returns) -> gradients)."""
    for method in ("forward", "backward"):
        if not callable(getattr(layer, method, None)):
            kind = type(layer).__name__
            raise ValueError(f"layer: expected an object with forward and backward, {kind} has no {method}")
    if hasattr(layer, "layers"):
        names = [f"{i}.{name}" for i, part in enumerate(layer.layers) for name in _parts(part)[0]]

        def flatten_all(back):
            return (back[0], *[g for part in back[1] for g in part])

        return names, layer.parameters, layer.with_parameters, flatten_all
    buffers = {f.name for f in fields(layer) if f.metadata.get("buffer")} if is_dataclass(layer) else set()
    own = [f.name for f in fields(layer)] if is_dataclass(layer) else list(vars(layer))
    arrays = [n for n in own if isinstance(getattr(layer, n), np.ndarray) and n not in buffers]
    names = [n for n in arrays if getattr(layer, n).dtype.kind == "f"]

    def rebuild(parameters):
        new = copy.copy(layer)
        for name, p in zip(names, parameters):
            object.__setattr__(new, name, p)
        return new

    def flatten(back):
        return (back[0], *back[1]) if isinstance(back, (tuple, list)) else (back,)

    return names, [getattr(layer, n) for n in names], rebuild, flatten


def _kink_between(layers, x, rng, train):
    """Words for the first layer whose own input lies on its kink and can be moved off it, or "".

    The zeros of dead units tie in a pooling window behind them, but nothing near x or the parameters parts them.
    """
    moved = x + 1e-6 * direction((x,), rng)[0]
    for i, layer in enumerate(layers):
        def f(x, layer=layer):
            return layer.forward(x, train=train, rng=np.random.default_rng(0))[0]

        out = f(x)
        method, derivative = derivative_of(f, (x,), out, rng)
        u = direction((x,), rng)[0] * (moved != x)
        if jump(method, derivative, (x,), (u,), np.abs(out).max(initial=0)).any():
            before = f"between layers {i - 1} ({type(layers[i - 1]).__name__}) and" if i else "at the input of layer"
            return f"kink {before} {i} ({type(layer).__name__})"
        _, parameters, rebuild, _ = _parts(layer)
        nudged = rebuild([p + 1e-6 * d for p, d in zip(parameters, direction(parameters, rng))])
        x, moved = out, nudged.forward(moved, train=train, rng=np.random.default_rng(0))[0]
    return ""
