"""What a gradient's values do not show: hidden state, images that mix, dtypes that change."""

from collections.abc import Callable, Sequence

import numpy as np

from refimpl.gradcheck.arguments import as_tuple, floats_of, gradients_of, value_of
from refimpl.gradcheck.evidence import Finding
from refimpl.gradcheck.problem import Problem, scales


def twice(f: Callable, vjp: Callable, p: Problem, rng: np.random.Generator) -> list[Finding]:
    """The same again, after a call close by: nothing may be stored or drawn from a hidden
    generator. What the call close by raises does not matter.
    """
    p.probe.real({k: scales(a) * rng.normal(size=a.shape) for k, a in enumerate(p.x)}, 1e-3)
    again = value_of(f, p.x, p.names), *gradients_of(vjp, p.dout, p.x, p.names)
    return [
        Finding("twice", name, cause="hidden state: two calls with the same arguments differ")
        for name, a, b in zip(("f", *p.names), (p.out, *p.analytic), again)
        if not np.array_equal(a, b)
    ]


def other_dtypes(f: Callable, vjp: Callable, p: Problem, dtypes: Sequence) -> list[Finding]:
    """float32 in, float32 out, and so for every float in dtypes: notes, no faults of a gradient."""
    found = []
    for dtype in floats_of(dtypes):
        cast = [a.astype(dtype) for a in p.x]
        try:
            results = f(*cast), *as_tuple(vjp(p.dout.astype(dtype), *cast))
        except Exception as error:
            words = f"{dtype} is refused: {type(error).__name__}"
            found.append(Finding("dtype", "f", cause=words))
            continue
        found += [
            Finding("dtype", name, cause=f"a constant or a cast: {dtype} in, {a.dtype} out")
            for name, a in zip(("f", *p.names), map(np.asarray, results))
            if a.dtype != dtype
        ]
    return found


def mixing(f: Callable, vjp: Callable, p: Problem, k: int) -> list[Finding]:
    """A batch is a stack of singles, in f and in the gradient of input k, to round-off."""
    if p.out.shape[:1] != p.x[k].shape[:1]:
        words = f"{len(p.x[k])} images give shape {p.out.shape}, not one row an image"
        return [Finding("batch", "f", cause=words)]
    for n in range(len(p.x[k])):
        one = [a[n : n + 1] if i == k else a for i, a in enumerate(p.x)]
        single = np.asarray(f(*one))
        if single.shape != (1, *p.out.shape[1:]):
            words = f"one image gives shape {single.shape}, {len(p.x[k])} give {p.out.shape}"
            return [Finding("batch", "f", cause=words)]
        dx = gradients_of(vjp, p.dout[n : n + 1], one, p.names)[k][0]
        largest = np.abs(p.analytic[k]).max(initial=0)
        for name, a, b, bound in (
            ("f", p.out[n], single[0], 100 * p.noise[n] + 1e-12 * np.abs(p.out).max(initial=0)),
            (p.names[k], p.analytic[k][n], dx, 100 * p.rough[k][n] + 1e-12 * largest),
        ):
            gap, allowed = np.abs(a - b), bound + 1e-10 * np.abs(b)
            if (gap > allowed).any():
                i = np.unravel_index(np.argmax(gap - allowed), gap.shape)
                numbers = float(a[i]), float(b[i]), float(allowed[i])
                at = (n, *map(int, i))
                words = "images that mix: alone they differ"
                return [Finding("batch", name, at, *numbers, words)]
    return []
