"""A gradient checker for any function of NumPy arrays, rated by planted errors (`python -m refimpl
mutants`).

The complex step (Squire and Trapp 1998) Im f(x + i h u) / h, h = 1e-20, is the derivative along u
to round-off: nothing is subtracted. It is right where f is analytic, and whether f is, is decided
for every output and every input by differences that know their own error (Ridders 1982). Against
it stands the vector-Jacobian product under test, with random cotangents (with ones the gradient of
a softmax vanishes identically).

    |analytic - numeric| <= 1e-12 |numeric| + the round-off of the summands that are there

A pass says what it rests on: `report.arguments` has a row an argument, with the largest error that
could have passed. Where that is above 1e-3 of the argument's largest gradient, there is no verdict.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from refimpl.gradcheck.arguments import (
    as_tuple,
    callables,
    check_inputs,
    floats_of,
    generator,
    gradients_of,
    names_of,
    skipped,
    value_of,
    without_skipped,
)
from refimpl.gradcheck.comparisons import directions, full
from refimpl.gradcheck.differences import slope
from refimpl.gradcheck.evidence import Argument, Finding, Report, overall
from refimpl.gradcheck.joint import slopes_of
from refimpl.gradcheck.kinks import bends, jumps_by_complex_step, subgradients
from refimpl.gradcheck.layers import layer_functions, parts_of
from refimpl.gradcheck.probing import Probe, digit_of, quiet
from refimpl.gradcheck.problem import Problem, along_entries, roughness
from refimpl.gradcheck.purity import mixing, other_dtypes, twice

__all__ = [
    "Argument",
    "Finding",
    "Report",
    "assert_gradients",
    "assert_layer",
    "check_gradients",
    "check_layer",
    "layer_functions",
]

FULL = 256  # inputs up to this many entries get the full Jacobian, more get random directions
LARGEST = 1 << 22  # so many entries a Jacobian may have


def check_gradients(
    f: Callable,
    vjp: Callable,
    inputs: Any,
    *,
    rng: np.random.Generator | int | None = None,
    names: Sequence[str] | None = None,
    skip: Sequence[str | int] | str | int = (),
    batch: int | None = None,
    dtypes: Sequence = ("float64", "float32"),
    layer: bool = False,
    kink: str = "",
) -> Report:
    """Check a vector-Jacobian product against the function that it belongs to.

    f(*inputs) -> array or scalar; vjp(dout, *inputs) -> one gradient an input (a tuple; an array
    alone for one input). inputs: a tuple of float32 or float64 arrays (judged in float64). rng: a
    generator or a seed; None is seed 0. names: how reports call the inputs, f's own by default.
    skip: names or positions of inputs that are not differentiated (labels, masks, options); they
    may be anything. batch: the position of an input whose first axis counts images that never mix.
    dtypes: floats that should come out as they went in; another dtype is a note of the report.
    layer=True: f is a single layer, so at a kink the subgradient must lie between the one-sided
    derivatives; a composition gets no verdict there. kink: words for where a kink lies, if the
    caller knows of one. Returns a Report. Raises ValueError, naming the culprit, on inputs that are
    no finite float arrays and on functions that return another shape, return NaN, or change their
    arguments; what f or vjp raise at the inputs themselves is let through.

    >>> x = np.array([1.0, 2.0, 3.0])
    >>> report = check_gradients(np.sin, lambda dout, x: dout * np.cos(x), x)
    >>> report.verdict, report.method, report.arguments[0].checked
    ('pass', 'complex step, full Jacobian', '3 entries')
    >>> report.arguments[0].bound < 1e-8
    True
    >>> wrong = check_gradients(np.sin, lambda dout, x: -dout * np.cos(x), x)
    >>> wrong.verdict, wrong.findings[0].cause
    ('fail', 'a sign')
    """
    callables(f=f, vjp=vjp)
    rng, inputs, dtypes = generator(rng), as_tuple(inputs), floats_of(dtypes)
    names = names_of(f, len(inputs), names)
    left_out = skipped(skip, names)
    image = _image(batch, names, left_out)
    f, vjp, inputs = without_skipped(f, vjp, inputs, left_out)
    names = tuple(name for i, name in enumerate(names) if i not in left_out)
    p, pull = _problem(f, vjp, check_inputs(inputs, names), names, rng)
    if image is not None and not p.x[image].ndim:
        raise ValueError(f"batch: expected an axis of images in {names[image]}, got one number")
    with quiet():
        findings = twice(f, vjp, p, rng)
        notes = other_dtypes(f, vjp, p, dtypes)
        if image is not None:
            findings += mixing(f, vjp, p, image)
        arguments, wrong, label, kink = _compare(p, pull, rng, layer, kink)
    findings += wrong
    verdict = overall(arguments, findings)
    if kink and not findings and not kink.endswith("checked"):
        verdict = "kink: no verdict"
    evaluations = p.probe.calls, p.probe.failures
    return Report(
        verdict, label, tuple(findings), kink, tuple(arguments), tuple(notes), *evaluations
    )


def _image(batch, names, skip):
    """The position of the input that counts images, among those that are differentiated."""
    if batch is None:
        return None
    is_whole = isinstance(batch, (int, np.integer)) and not isinstance(batch, bool)
    if not is_whole or not 0 <= batch < len(names) or batch in skip:
        raise ValueError(
            f"batch: expected the position of an input, 0 to {len(names) - 1}, got {batch!r}"
        )
    return int(batch) - sum(i < batch for i in skip)


def _problem(f, vjp, x, names, rng):
    """The Problem, and pull(dout) -> the gradients at x."""
    out = value_of(f, x, names)
    dout = rng.choice((-1.0, 1.0), out.shape) * rng.uniform(0.5, 1.5, out.shape)

    def pull(dout):
        return gradients_of(vjp, dout, x, names)

    analytic = pull(dout)
    probe = Probe(f, x, out.shape, digit_of(out.dtype))
    with quiet():
        rough = roughness(vjp, x, dout, analytic, rng)
        noise = probe.rounding(out)
    return Problem(probe, x, out, dout, analytic, rough, noise, names), pull


def _compare(p, pull, rng, layer, kink):
    """(arguments, findings, how the numeric side was computed, words for a kink)."""
    entries = sum(a.size for a in p.x)
    whole = entries <= FULL and entries * p.out.size <= LARGEST
    moves = [along_entries(a, rng) for a in p.x]
    p, moves, slopes = slopes_of(p, moves)
    kinked = bool(kink) or any(s.kink.any() for s in slopes) or jumps_by_complex_step(p, rng)
    if kinked and layer and whole:
        arguments, findings = subgradients(p, pull, rng)
        method, kink = "one-sided derivatives", "kink: subgradient checked"
    elif kinked:
        hint = "move the inputs off it, or check the layers alone"
        if layer:
            hint = f"take at most {FULL} entries"
        arguments, findings, method = [], [], "differences"
        kink = f"{kink or 'kink at the inputs'} ({hint})"
    else:
        look = full if whole else directions
        each = [look(p, k, s, u, rng) for k, (s, u) in enumerate(zip(slopes, moves))]
        arguments = [row for row, _ in each]
        findings = [finding for _, wrong in each for finding in wrong]
        method = _methods(arguments)
    return (
        arguments,
        findings,
        f"{method}, {'full Jacobian' if whole else 'random directions'}",
        kink,
    )


def _methods(arguments):
    """One word for the methods of all arguments."""
    used = {a.method for a in arguments}
    if len(used) == 1:
        return used.pop()
    return "complex step and central differences"


def check_layer(
    layer: Any,
    x: np.ndarray,
    *,
    rng: np.random.Generator | int | None = None,
    train: bool = False,
    batch: bool = True,
    dtypes: Sequence = ("float64", "float32"),
    skip: Sequence[str] | str = (),
) -> Report:
    """Check the input gradient and every parameter gradient of anything with our forward/backward
    pair, or a Network.

    The pair: forward(x, *, train=False, rng=None) -> (out, cache), backward(dout, cache) -> (dx,
    gradients), one for each parameter: the float arrays of the layer (but fields marked
    metadata={"buffer": True}). Arrays that lie in a dict or a list are not found; the verdict says
    so. x (N, ...); what is no float array, such as the indices that an embedding takes, goes with
    skip="x". batch=False where images mix (BatchNorm in training). skip: names of parameters
    ("b", in a Network "0.b") that are not judged, such as a bias before a normalization: its
    gradient is zero but for round-off, and what is below the round-off gets no verdict. For a
    Network, a kink is reported with the layers it lies between. Returns a Report. Raises ValueError
    as check_gradients does, and on an x that does not fit the layer.

    >>> from refimpl.layers import Affine
    >>> rng = np.random.default_rng(0)
    >>> layer = Affine(rng.normal(size=(3, 2)), np.zeros(2))
    >>> check_layer(layer, rng.normal(size=(4, 3)), rng=rng).verdict
    'pass'
    """
    rng = generator(rng)
    parts = parts_of(layer)
    f, vjp, inputs, names = layer_functions(layer, x, rng=rng, train=train, decoy=True)
    composed = hasattr(layer, "layers")
    left_out = skipped(skip, names)
    judged = [i for i in range(len(names)) if i not in left_out]
    check_inputs([inputs[i] for i in judged], [names[i] for i in judged])
    _fits(f, inputs, layer)
    kink = _kink_between(layer.layers, x, rng, train) if composed else ""
    report = check_gradients(
        f,
        vjp,
        inputs,
        rng=rng,
        names=names,
        dtypes=dtypes,
        batch=0 if batch and 0 not in left_out else None,
        layer=not composed,
        kink=kink,
        skip=skip,
    )
    if parts.hidden and report.ok:
        words = f"no verdict: {', '.join(parts.hidden)} not found as parameters, not checked"
        report = replace(report, verdict=words)
    return report


def _fits(f, inputs, layer):
    """Raise where forward refuses x or has another signature."""
    try:
        f(*inputs)
    except ValueError as error:
        if str(error).startswith("layer: "):
            raise
        raise ValueError(
            f"x: shape {np.shape(inputs[0])} does not fit {type(layer).__name__}: {error}"
        ) from error
    except TypeError as error:
        raise ValueError(
            f"layer: expected forward(x, *, train, rng) -> (out, cache): {error}"
        ) from error


def assert_gradients(
    f: Callable,
    vjp: Callable,
    inputs: Any,
    *,
    rng: np.random.Generator | int | None = None,
    **options: Any,
) -> None:
    """check_gradients for pytest. Raises AssertionError, in few lines, unless the verdict is
    "pass".

    >>> assert_gradients(np.sin, lambda dout, x: dout * np.cos(x), np.ones(3))
    """
    report = check_gradients(f, vjp, inputs, rng=rng, **options)
    if not report.ok:
        raise AssertionError(str(report))


def assert_layer(
    layer: Any, x: np.ndarray, *, rng: np.random.Generator | int | None = None, **options: Any
) -> None:
    """check_layer for pytest. Raises AssertionError, in few lines, unless the verdict is "pass".

    >>> from refimpl.layers import Tanh
    >>> assert_layer(Tanh(), np.ones((2, 3)))
    """
    report = check_layer(layer, x, rng=rng, **options)
    if not report.ok:
        raise AssertionError(f"{type(layer).__name__}: {report}")


def _moves(x):
    """Whether x can be moved a little: indices cannot."""
    return np.asarray(x).dtype.kind == "f"


def _kink(probe, u, out):
    return slope(probe, {0: u}, out, probe.rounding(out), 1e-3).kink.any()


def _kink_between(layers, x, rng, train):
    """Words for the first layer whose own input lies on its kink and can be moved off it, or "".

    The zeros of dead units tie in a pooling window behind them, but nothing near x or the
    parameters parts them.
    """
    moved = x + 1e-6 * along_entries(x, rng) if _moves(x) else x
    for i, layer in enumerate(layers):

        def f(x, layer=layer):
            return layer.forward(x, train=train, rng=np.random.default_rng(0))[0]

        out = f(x)
        kink = False
        with quiet():
            if _moves(x):
                u = along_entries(x, rng) * (moved != x)
                probe = Probe(f, (x,), out.shape)
                kink = bends(probe, {0: u}, out) and _kink(probe, u, out)
        if kink:
            before = "at the input of layer"
            if i:
                before = f"between layers {i - 1} ({type(layers[i - 1]).__name__}) and"
            return f"kink {before} {i} ({type(layer).__name__})"
        parts = parts_of(layer)
        nudged = parts.rebuild([p + 1e-6 * along_entries(p, rng) for p in parts.parameters])
        x, moved = out, nudged.forward(moved, train=train, rng=np.random.default_rng(0))[0]
    return ""
