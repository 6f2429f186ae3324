"""Evaluating a function near x, where it may raise, give NaN, or take no complex numbers.

What cannot be evaluated is no evidence: it is counted, and another point is taken.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

DIGIT = 2.3e-16  # what a float64 may be off by, relative to it
SHIFTS = (1.7e-4, -2.3e-4, 3.1e-4)  # of x: where else f's round-off is looked at
FEW = 256  # entries of an input that is cheap to evaluate again


def digit_of(dtype: np.dtype) -> float:
    """What a number of this dtype may be off by, relative to it.

    >>> digit_of(np.dtype("float32")) > 1e-7
    True
    """
    return max(DIGIT, 1.03 * float(np.finfo(dtype).eps))


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings from f while it is evaluated beside x: NaN and infinities there are counted.

    >>> with quiet():
    ...     value = np.log(np.array([-1.0]))
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Probe:
    """f near x. A call returns a copy of f's value, or None where there is none.

    x: the inputs; shape: of f's output at x; digit: the round-off of its values, relative to them.
    `calls` and `failures` count.

    >>> probe = Probe(lambda x: np.log(x), (np.array([1.0]),), (1,))
    >>> with quiet():
    ...     probe.real({0: np.array([1.0])}, 1.0).tolist(), probe.real({0: np.array([1.0])}, -2.0)
    ([0.6931471805599453], None)
    >>> probe.calls, probe.failures
    (2, 1)
    """

    def __init__(
        self, f: Callable, x: Sequence[np.ndarray], shape: tuple[int, ...], digit: float = DIGIT
    ) -> None:
        self.f, self.x, self.shape = f, tuple(x), shape
        self.digit = digit
        self.calls = self.failures = 0
        self.takes_complex = True
        self._complex: list[np.ndarray] | None = None
        self._stray: np.ndarray | None = None
        self.at_real: np.ndarray | None = None  # Re f(x + 0i), once f has been asked

    def real(self, u: Mapping[int, np.ndarray], t: float) -> np.ndarray | None:
        """f(x + t u), u: {position of an input: its direction}; None where a value is missing."""
        self.calls += 1
        moved = [a + t * u[k] if k in u else a for k, a in enumerate(self.x)]
        value = self._value(moved)
        if value is None or value.dtype.kind != "f" or not np.isfinite(value).all():
            self.failures += 1
            return None
        return value

    def imaginary(self, u: Mapping[int, np.ndarray], back: float = 0.0) -> np.ndarray | None:
        """Im f(x + back u + i h u) / h, h = 1e-20; None once f has refused complex numbers.

        Any exception is a refusal, and so is another shape. NaN where f of the complex numbers
        x + 0i is not real: what an implementation for complex numbers leaves there, 1e-17 perhaps,
        would be 1e3 of a derivative.
        """
        if not self.takes_complex:
            return None
        if self._complex is None:
            self._complex = [a.astype(complex) for a in self.x]
            there = self._value(self._complex)
            self._stray = None if there is None else there.imag != 0
            self.at_real = None if there is None else np.asarray(there.real, float)
        z = self._complex
        moved = [a + (back + 1e-20j) * u[k] if k in u else a for k, a in enumerate(z)]
        value = self._value(moved)
        if value is None:
            self.takes_complex = False
            return None
        found = np.asarray(value.imag, float) / 1e-20
        return found if self._stray is None else np.where(self._stray, np.nan, found)

    def rounding(self, out: np.ndarray) -> np.ndarray:
        """The round-off in f's own value, like out: at least that of its last digit.

        Where f takes extended precision, its two values are compared: (x + 1e12) - 1e12 has lost
        digits that its value does not show. What is lost at one point may be little by chance, so
        small inputs are taken at four.
        """
        noise = self.digit * np.abs(out)
        entries = sum(a.size for a in self.x)
        if np.finfo(np.longdouble).eps < 1e-18 and entries <= 1 << 16:
            lost = np.zeros(out.shape)
            for shift in (0.0, *(SHIFTS if entries <= FEW else ())):
                there = [a + shift * a for a in self.x]
                value = self._value([a.astype(np.longdouble) for a in there])
                if value is None or value.dtype != np.longdouble or not np.isfinite(value).all():
                    continue
                plain = self._value(there) if shift else out
                if plain is not None and np.isfinite(plain).all():
                    lost = np.maximum(lost, np.abs(value - plain).astype(float))
            noise = noise + lost
        return noise

    def _value(self, arguments: Sequence[np.ndarray]) -> np.ndarray | None:
        try:
            value = np.array(self.f(*arguments))  # a copy: f may hand out one buffer again
        except Exception:
            return None
        return value if value.shape == self.shape and value.dtype.kind in "fc" else None
