"""Derivatives by evaluation alone, to hold against gradients by hand. f takes the arrays x; u: a
direction, like x.

Shapes: x and u are sequences, as long and their arrays as large as one another; each array may have
any shape. What f and derivative(x, u) return has that of f's output, and so has what is computed
from it here, unless said otherwise.

Complex step (Squire and Trapp 1998): Im f(x + i h u) / h = f'(x) u + O(h^2); h = 1e-20 leaves no
error but round-off.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence

import numpy as np


def complex_step(f: Callable, x: Sequence, u: Sequence) -> np.ndarray:
    """The derivative along u, like f's output: Im f(x + i h u) / h. f must be analytic and take
    complex arrays.

    >>> round(float(complex_step(np.sin, (np.array(0.5),), (1.0,)) - np.cos(0.5)), 15)
    0.0
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", np.exceptions.ComplexWarning
        )  # an imaginary part lost shows in the result
        return np.asarray(f(*[a + 1e-20j * d for a, d in zip(x, u)])).imag / 1e-20


def central_differences(f: Callable, x: Sequence, u: Sequence, eps: float = 1e-5) -> np.ndarray:
    """(f(x + e u) - f(x - e u)) / 2e, e = eps in the units of the inputs that move: error O(e^2) +
    round-off / e.

    >>> central_differences(np.sin, (np.zeros(1),), (np.ones(1),)).round(9).tolist()
    [1.0]
    """
    moves = [(max(1.0, np.abs(a).max()), np.abs(d).max()) for a, d in zip(x, u) if np.any(d)]
    e = eps * max((a for a, _ in moves), default=1.0) / max((d for _, d in moves), default=1.0)
    with np.errstate(all="ignore"):
        there, back = (np.asarray(f(*[a + s * d for a, d in zip(x, u)])) for s in (e, -e))
    return (there - back) / (2 * e)


def direction(x: Sequence, rng: np.random.Generator) -> list[np.ndarray]:
    """A random direction in the units of each input: of its shape, N(0, 1) times its largest
    |entry|.

    >>> [u.shape for u in direction((np.ones((2, 3)), np.zeros(4)), np.random.default_rng(0))]
    [(2, 3), (4,)]
    """
    return [rng.normal(size=a.shape) * (np.abs(a).max(initial=0) or 1.0) for a in x]


def derivative_of(
    f: Callable, x: Sequence, out: np.ndarray, rng: np.random.Generator
) -> tuple[str, Callable]:
    """("complex step", d) where f is analytic, ("central differences", d) where not; d(x, u) is the
    derivative along u.

    Analytic: the two agree, at x or nearby (at a kink they may not), to what central differences
    can tell.

    >>> x, rng = (np.array([0.3, -0.7]),), np.random.default_rng(0)
    >>> [derivative_of(f, x, f(*x), rng)[0] for f in (np.sin, np.abs)]
    ['complex step', 'central differences']
    """
    u, top = direction(x, rng), max((np.abs(a).max(initial=0) for a in x), default=0)
    small = min(
        [1.0, *(np.abs(a).max() for a in x if np.any(a))]
    )  # steps in the units of tiny inputs, too: kinks at 0
    central = "central differences", lambda x, u: central_differences(f, x, u)
    for shift in (0, 1e-2, 3e-2):
        here = [a + shift * d for a, d in zip(x, direction(x, rng))]
        for eps in (1e-5, 1e-7, 1e-5 * small, 1e-7 * small):
            try:
                a, b = complex_step(f, here, u), central_differences(f, here, u, eps)
            except (TypeError, ValueError, AttributeError):  # f takes no complex numbers
                return central
            noise = 1e-7 * np.abs(out).max(initial=0) + 1e-15 * top / eps
            if np.abs(a - b).max(initial=0) <= 1e-3 * np.abs(b).max(initial=0) + noise:
                return "complex step", lambda x, u: complex_step(f, x, u)
    return central


def jump(method: str, derivative: Callable, x: Sequence, u: Sequence, size: float) -> np.ndarray:
    """Where the derivative along u jumps at x: a mask like f's output.

    A jump between x - d u, x and x + d u that stays when d shrinks a thousandfold is a kink; a
    curve's shrinks with d. The complex step sees x itself too, so relu(x) - relu(-x) has a kink at
    0 although its one-sided derivatives agree.

    >>> jump(
    ...     "complex step",
    ...     lambda x, u: (x[0] > 0) * u[0],
    ...     (np.array([0.0, 2.0]),),
    ...     (np.ones(2),),
    ...     1.0,
    ... ).tolist()
    [True, False]
    """
    exact = method == "complex step"
    sides, steps = ((-1, 0, 1), (1e-8, 1e-11)) if exact else ((-1, 1), (1e-3, 2e-5))

    def spread(d):
        at = [derivative([a + s * d * v for a, v in zip(x, u)], u) for s in sides]
        return np.abs(np.array(at) - at[0]).max(axis=0), np.abs(at).max(initial=0)

    (wide, top), (narrow, _) = map(spread, steps)
    return (narrow > 0.3 * wide) & (narrow > (1e-12 if exact else 1e-4) * max(top, size))


def one_sided(derivative: Callable, x: Sequence, u: Sequence, method: str) -> list[np.ndarray]:
    """f'(x; -u) and f'(x; u), both read along u: the ends between which a subgradient lies.

    >>> [
    ...     v.tolist()
    ...     for v in one_sided(
    ...         lambda x, u: np.sign(x[0]) * u[0], [np.zeros(1)], [np.ones(1)], "complex step"
    ...     )
    ... ]
    [[-1.0], [1.0]]
    """
    top = max((np.abs(a).max(initial=0) for a in x), default=0) or 1.0
    d = (
        (1e-9 if method == "complex step" else 1e-3)
        * top
        / max(np.abs(v).max(initial=0) for v in u)
    )
    return [derivative([a + s * d * v for a, v in zip(x, u)], u) for s in (-1, 1)]


def only(x: Sequence, k: int, u: np.ndarray) -> list[np.ndarray]:
    """The direction that moves input k along u, of x[k]'s shape, and no other input: one array an
    input, of its shape.

    >>> [u.tolist() for u in only((np.ones(2), np.ones(3)), 0, np.array([5.0, 6.0]))]
    [[5.0, 6.0], [0.0, 0.0, 0.0]]
    """
    return [u if i == k else np.zeros(a.shape) for i, a in enumerate(x)]


def unit(x: Sequence, k: int, index: int) -> list[np.ndarray]:
    """The direction that moves one entry of input k alone, by 1. index: its flat index. Shapes as
    in `only`.

    >>> [u.tolist() for u in unit((np.ones(1), np.ones((2, 2))), 1, 2)]
    [[0.0], [[0.0, 0.0], [1.0, 0.0]]]
    """
    return only(x, k, np.eye(1, x[k].size, index).reshape(x[k].shape))


def jacobian(
    derivative: Callable, x: Sequence, k: int, outputs: int, entries: Iterable | None = None
) -> np.ndarray:
    """J of input k, one derivative a column: (outputs, entries), of all entries or of those with
    these flat indices.

    >>> a = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> jacobian(lambda x, u: a @ u[0], (np.zeros(2),), 0, 3).tolist()
    [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    """
    columns = [
        derivative(x, unit(x, k, j)).ravel()
        for j in (range(x[k].size) if entries is None else entries)
    ]
    return np.array(columns).reshape(len(columns), outputs).T


def likely_cause(analytic: np.ndarray, numeric: np.ndarray, lengths: Iterable[int] = ()) -> str:
    """What two arrays of one shape suggest about an error: a factor, a sign, a transposition, a
    shift ... or "".

    lengths: of the axes of all inputs, to know a missing 1/N by.

    >>> likely_cause(np.array([[2.0, 4.0]]), np.array([[1.0, 2.0]]))
    'a constant factor 2'
    >>> likely_cause(np.array([[1.0, 3.0], [2.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    'a transposition'
    """
    if not analytic.any():
        return "a gradient left at zero"
    if not numeric.any():
        return "a gradient where there is none"
    factor = float((analytic * numeric).sum() / (numeric * numeric).sum())
    whole = [n for n in lengths if n > 1 and min(abs(factor * n - 1), abs(factor / n - 1)) < 1e-9]
    times = (
        f"{'a missing' if factor > 1 else 'one too many'} 1/{whole[0]}, the length of an axis"
        if whole
        else (f"a constant factor {factor:.8g}")
    )
    guesses = [("a sign", -numeric)]
    if analytic.size > 1 or not 0.5 < factor < 2:
        guesses += [
            (times, factor * numeric),
            ("a sign of some entries", np.copysign(numeric, analytic)),
        ]
    if analytic.ndim == 2:
        guesses += [("a transposition", numeric.reshape(numeric.shape[::-1]).T)]
    for axis, length in enumerate(analytic.shape):
        guesses += [
            (f"a shift by one along axis {axis}", np.roll(numeric, shift, axis))
            for shift in (-1, 1)
        ]
        guesses += [(f"a reversal of axis {axis}", np.flip(numeric, axis))]
        if length > 1:
            shared = (analytic - numeric).mean(axis=axis, keepdims=True)
            guesses += [
                (f"a term missing that axis {axis} shares", numeric + shared),
                (
                    f"a sum or mean over axis {axis} too many",
                    analytic.mean(axis=axis, keepdims=True),
                ),
            ]
    near = 1e-9 * max(np.abs(numeric).max(), np.abs(analytic).max())
    wrong = np.abs(analytic - numeric) > near
    some = f"{wrong.sum()} of {wrong.size} entries only" if wrong.sum() <= wrong.size / 2 else ""
    return next((words for words, guess in guesses if np.abs(analytic - guess).max() <= near), some)
