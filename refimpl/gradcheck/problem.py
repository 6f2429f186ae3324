"""One check as data: f near x, the gradients under test, the round-off in both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from refimpl.gradcheck.arguments import as_tuple
from refimpl.gradcheck.differences import Slope, slope
from refimpl.gradcheck.probing import Probe
from refimpl.gradcheck.remainder import with_remainder

UNKNOWN = 1e-8  # what a solver may lose by a condition number of 1e7, where nothing shows it
ANOTHER = 1e-3  # of f's value: by more than this f of complex numbers is another function
PERTURBATION = 2.0**-46  # 1.4e-14: the change that stands for the round-off of a sum
LOST = 1e-13  # of the cotangent: 450 roundings of it, in p (d - p d) of as many classes, p nearly 1


@dataclass(frozen=True)
class Problem:
    """x: the inputs, out = f(x), dout: the cotangent, like out. analytic: one gradient an input.

    rough: the round-off of each gradient, like it. noise: the round-off of f, like out. partly: f
    has a part that complex numbers do not see, and differences are helped to find it.
    """

    probe: Probe
    x: tuple[np.ndarray, ...]
    out: np.ndarray
    dout: np.ndarray
    analytic: tuple[np.ndarray, ...]
    rough: tuple[np.ndarray, ...]
    noise: np.ndarray
    names: tuple[str, ...]
    partly: bool = False

    @property
    def ill_conditioned(self) -> float:
        """What f's own way of computing may change in its derivative, relative to it, as LAPACK
        does where a matrix is nearly singular: the error of such a solver is as smooth as f.

        f of the complex numbers x + 0i goes another way; by how much its value differs tells.

        >>> n = np.arange(8)
        >>> hilbert = 1 / (n[:, None] + n + 1.0)
        >>> b, nothing = np.ones(8), np.zeros(8)
        >>> def conditioned(f):
        ...     probe = Probe(f, (b,), (8,))
        ...     _ = probe.imaginary({0: b})
        ...     tuples = (b,), f(b), b, (b,), (b,), nothing, ("b",)
        ...     return Problem(probe, *tuples).ill_conditioned
        >>> conditioned(np.sin) < 1e-15, conditioned(lambda b: np.linalg.solve(hilbert, b)) > 1e-12
        (True, True)
        """
        there = self.probe.at_real
        size = np.abs(self.out).max(initial=0)
        if there is None or not size:
            return 0.0
        apart = float(np.abs(there - self.out).max() / size)
        return apart if apart <= ANOTHER else 0.0

    def slope(self, u: dict[int, np.ndarray], start: float = 0.1) -> Slope:
        """The derivative along u by differences."""
        plain = slope(self.probe, u, self.out, self.noise, start, self.dout)
        if not self.partly:
            return plain
        way = self.ill_conditioned
        return with_remainder(self.probe, u, self.noise, self.dout, plain, way)


def scales(a: np.ndarray) -> np.ndarray:
    """The unit of every entry of a: its own size; for zeros the median size of the others, or 1.

    >>> scales(np.array([1e8, 0.0, -0.3, 2.0])).tolist()
    [100000000.0, 2.0, 0.3, 2.0]
    """
    size = np.abs(a)
    if size.all():
        return size
    if not size.any():
        return np.ones(a.shape)
    return np.where(size > 0, size, np.median(size[size > 0]))


def signs(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Random signs, 1.0 or -1.0, of this shape.

    >>> sorted(set(signs((50,), np.random.default_rng(0)).tolist()))
    [-1.0, 1.0]
    """
    return 2.0 * rng.integers(0, 2, shape, dtype=np.uint8) - 1.0


def along_entries(a: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A direction that moves every entry of a in its own unit, like a: +-U(.5, 1.5) times it.

    >>> along_entries(np.array([2.0, 0.0]), np.random.default_rng(0)).shape
    (2,)
    """
    return scales(a) * signs(a.shape, rng) * rng.uniform(0.5, 1.5, a.shape)


def roughness(
    vjp: Callable,
    x: Sequence[np.ndarray],
    dout: np.ndarray,
    here: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """The round-off of each gradient, like it: how far it moves when all numbers that go into it
    move by 1.4e-14 of themselves.

    A gradient is linear in dout, so what two halves of dout give more than the whole is round-off,
    too, where it is no larger than that. That is 1e-14 of the summands that are there, whatever
    they are: x / n keeps all digits where (x - mean) / n loses those that the mean cancels. here:
    the gradients that vjp(dout, *x) returned; where it raises or gives NaN beside x, that point
    counts for nothing.

    >>> rng = np.random.default_rng(0)
    >>> rough = roughness(
    ...     lambda d, x: d * (x - 1e8), (np.array([1e8 + 1]),), np.ones(1), (np.ones(1),), rng
    ... )
    >>> bool(1e-7 < rough[0][0] < 1e-5)
    True
    """

    def moved(a):
        return a * (1 + PERTURBATION * signs(a.shape, rng))

    total = [np.zeros(g.shape) for g in here]
    for _ in range(3):
        there = _gradients(vjp, moved(dout), map(moved, x))
        for change, a, g in zip(total, there or here, here):
            change += np.nan_to_num(np.abs(a - g), nan=0.0, posinf=0.0)
    for _ in range(2):
        half = rng.random(dout.shape) < 0.5
        parts = [_gradients(vjp, dout * part, x) for part in (half, ~half)]
        if any(part is None for part in parts):
            continue
        for change, a, b, g in zip(total, *parts, here):
            lost = np.abs(a + b - g)
            change += np.where(lost <= LOST * np.abs(dout).max(initial=0), lost, 0.0)
    return tuple(total)


def _gradients(vjp, dout, x):
    """The gradients as a tuple, None where vjp raises."""
    try:
        return as_tuple(vjp(dout, *x))
    except Exception:
        return None
