"""Planted errors of the kinds that a checker passes in silence: small penalties beside smooth
losses, mixed scales, buffers handed out again, ties across arguments, edges of domains.

Each case is small and has its own scale. Unaltered it is the right twin of its errors, which the
score counts among the correct cases.
"""

from collections.abc import Callable

import numpy as np

WEIGHTS = (1e-1, 1e-3, 1e-5)  # of a penalty, beside a loss whose gradient is about 1


def change(factor):
    """Every gradient times a factor."""

    def alter(real):
        def wrong(*arguments):
            g = real(*arguments)
            return tuple(factor * a for a in g) if isinstance(g, tuple) else factor * g

        return wrong

    return alter


def last(factor):
    """The last entry of the last gradient times a factor."""

    def alter(real):
        def wrong(*arguments):
            g = real(*arguments)
            several = isinstance(g, tuple)
            changed = np.array((g[-1] if several else g), float)
            changed[(-1,) * changed.ndim] *= factor
            return (*g[:-1], changed) if several else changed

        return wrong

    return alter


def instead(other):
    """Another function in place of the gradient."""
    return lambda real: other


def penalized(penalty, slope, weight):
    """A smooth loss with a penalty of this weight; the piece to alter is the penalty's gradient."""

    def build(rng, real):
        x = rng.choice((-1.0, 1.0), 4) * rng.uniform(0.3, 1.2, 4)
        g = real(lambda x: weight * slope(x))

        def f(x):
            return (np.sin(x) ** 2).sum() + weight * penalty(x)

        return f, lambda d, x: d * (np.sin(2 * x) + g(x)), (x,), {}

    return build


def entrywise(f, slope, *x, **options):
    """A function of entries at fixed inputs; the piece to alter is the whole vjp."""

    def build(rng, real):
        return f, real(lambda d, x: d * slope(x)), tuple(np.array(a) for a in x), options

    return build


def _variation(x):
    return np.abs(x[1:] - x[:-1]).sum()


def _variation_slope(x):
    s = np.sign(x[1:] - x[:-1])
    return np.concatenate([[0.0], s]) - np.concatenate([s, [0.0]])


def _many(rng, real):
    """Thirty arguments of 3.5 each: sums over arguments may not widen the bound of one."""
    x = tuple(np.array(3.5) for _ in range(30))
    vjp = real(lambda d, *x: tuple(d * np.cos(a) for a in x))
    return lambda *x: sum(np.sin(a) for a in x), vjp, x, {}


def _beside(rng, real):
    """An argument of 1e18 beside one of .5."""
    inputs = np.array([1e18, 2e18]), np.array([0.5, 0.7])
    vjp = real(lambda d, x, y: (d * 1e-18 * np.ones(2), d * np.cos(y)))
    return lambda x, y: 1e-18 * x.sum() + np.sin(y).sum(), vjp, inputs, {}


def _own_penalty(rng, real):
    """A small L1 penalty in an argument of its own."""
    inputs = rng.normal(size=3), rng.choice((-1.0, 1.0), 3) * rng.uniform(0.5, 2, 3)
    vjp = real(lambda d, x, b: (d * np.cos(x), 1e-4 * d * np.sign(b)))
    return lambda x, b: np.sin(x).sum() + 1e-4 * np.abs(b).sum(), vjp, inputs, {}


def _buffered(function, slope):
    """f and vjp write into one buffer each and hand it out again."""

    def build(rng, real):
        x, kept, kept_too = rng.uniform(0.3, 1.2, 3), np.zeros(3), np.zeros(3)

        def f(x):
            if np.iscomplexobj(x):
                return function(x)
            return function(x, out=kept)

        def vjp(d, x):
            return np.multiply(d, slope(x), out=kept_too)

        return f, real(vjp), (x,), {}

    return build


def accumulated(real):
    """The buffer is added to instead of overwritten."""
    total = np.zeros(3)

    def wrong(d, x):
        total[:] += real(d, x)
        return total

    return wrong


def _tie(f, share):
    """Two arguments that tie everywhere; the piece to alter gives each its share of the
    gradient.
    """

    def build(rng, real):
        x = rng.uniform(0.5, 2, 3)
        vjp = real(lambda d, x, y: (share[0] * d, share[1] * d))
        return f, vjp, (x, x.copy()), {"layer": True}

    return build


def _shares(a, b):
    return instead(lambda d, x, y: (a * d, b * d))


def _hinge(x, y):
    return np.maximum(x - y, 0.0 * x)


def _simplex(p):
    if abs(p.real.sum() - 1) > 1e-3:
        raise ValueError("p must sum to one")
    return (p * np.log(p)).sum()


def _logdet(a):
    return 2 * np.log(np.diag(np.linalg.cholesky((a + a.T) / 2))).sum()


MATRIX = ((2.0, 0.3, 0.1), (0.3, 1.0, 0.2), (0.1, 0.2, 0.5))
PENALTIES = {
    "L1": (lambda x: np.abs(x).sum(), np.sign),
    "norm": (np.linalg.norm, lambda x: x / np.linalg.norm(x)),
    "variation": (_variation, _variation_slope),
}
PENALIZED = {
    f"penalty.{name} of {weight:g}": penalized(*pair, weight)
    for name, pair in PENALTIES.items()
    for weight in WEIGHTS
}
SCALES = {
    "scale.sine of 1e8 beside .3": entrywise(np.sin, np.cos, [1e8, 0.3]),
    "scale.values of 1e-15": entrywise(
        lambda x: 1e-15 * (x**2).sum(), lambda x: 2e-15 * x, [0.3, -0.7]
    ),
    "scale.sin 1000 x": entrywise(
        lambda x: np.sin(1000 * x), lambda x: 1000 * np.cos(1000 * x), [0.7, 0.31]
    ),
    "scale.abs at 1e-10": entrywise(np.abs, np.sign, [1e-10, -3e-10]),
    "scale.cosh of 300": entrywise(np.cosh, np.sinh, [1.0, 300.0]),
    "scale.thirty arguments": _many,
    "scale.1e18 beside .5": _beside,
    "scale.penalty in its own argument": _own_penalty,
}
DOMAINS = {
    "domain.log at 1e-9": entrywise(np.log, lambda x: 1 / x, [1e-9, 1.0]),
    "domain.sqrt at 1e-10": entrywise(np.sqrt, lambda x: 0.5 / np.sqrt(x), [2.0, 1e-10]),
    "domain.arcsin at 1 - 1e-8": entrywise(
        np.arcsin, lambda x: 1 / np.sqrt((1 - x) * (1 + x)), [1 - 1e-8, 0.3]
    ),
    "domain.probabilities of 1e-9": entrywise(
        lambda p: p * np.log(p), lambda p: np.log(p) + 1, [1e-9, 0.4, 1.0]
    ),
    "domain.a simplex": entrywise(_simplex, lambda p: np.log(p) + 1, [0.2, 0.3, 0.5]),
    "domain.cholesky": entrywise(_logdet, lambda a: np.linalg.inv((a + a.T) / 2), MATRIX),
}
BUFFERS = {
    "buffer.square": _buffered(np.square, lambda x: 2 * x),
    "buffer.exp": _buffered(np.exp, np.exp),
}
TIES = {
    "ties.maximum": (np.maximum, (1, 0)),
    "ties.minimum": (np.minimum, (0, 1)),
    "ties.hinge": (_hinge, (1, -1)),
}
SHARED = {
    "ties.maximum shared": (np.maximum, (0.5, 0.5)),
    "ties.minimum shared": (np.minimum, (0.25, 0.75)),
    "ties.hinge at rest": (_hinge, (0, 0)),
}  # right twins alone: other subgradients
BUILDERS: dict[str, Callable] = {
    **PENALIZED,
    **SCALES,
    **DOMAINS,
    **BUFFERS,
    **{name: _tie(*pair) for name, pair in (TIES | SHARED).items()},
}


def silent_cases(rng, real):
    """{name: (f, vjp, inputs, options)}; real(name, piece) -> the piece, or its broken twin."""
    found = {}
    for name, build in BUILDERS.items():
        f, vjp, inputs, options = build(rng, lambda piece, name=name: real(name, piece))
        found[name] = f, vjp, inputs, {"dtypes": ("float64",), **options}
    return found


PENALTY_ERRORS = (
    ("forgotten", change(0.0)),
    ("doubled", change(2.0)),
    ("with the wrong sign", change(-1.0)),
)
VALUE_ERRORS = (
    ("times 1 + 1e-6", change(1 + 1e-6)),
    ("left at zero", change(0.0)),
    ("the sign of one entry", last(-1.0)),
)
BUFFER_ERRORS = (*VALUE_ERRORS, ("the buffer added to", accumulated))
TIE_ERRORS = {
    "ties.maximum": ((1, 1), (0, 0), (0.5, 0.4)),
    "ties.minimum": ((1, 1), (0, 0), (1.5, -0.5)),
    "ties.hinge": ((1, 0), (0, 1), (2, -2)),
}
PLANTED_SILENT = [
    *((name, what, alter) for name in PENALIZED for what, alter in PENALTY_ERRORS),
    *((name, what, alter) for name in SCALES | DOMAINS for what, alter in VALUE_ERRORS),
    *((name, what, alter) for name in BUFFERS for what, alter in BUFFER_ERRORS),
    *(
        (name, f"shares {a:g} and {b:g}", _shares(a, b))
        for name, pairs in TIE_ERRORS.items()
        for a, b in pairs
    ),
]
