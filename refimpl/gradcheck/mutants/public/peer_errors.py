"""What the checker found wrong in the libraries themselves, each shown by mpmath to 30 digits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Wrong:
    """A derivative of a library that is wrong. functions: the names that it is met under. at: where
    it was evaluated; theirs: what the library returns there; true: to 30 digits.
    """

    library: str
    functions: tuple[str, ...]
    what: str
    at: str
    theirs: float
    true: str


KNOWN = {  # library: {function: what is wrong}
    "autograd": {"numpy.dstack": "dstack"},
    "torch": {
        "digamma": "trigamma",
        "special.psi": "trigamma",
        **{f"polygamma (polygamma_n_{n})": "trigamma" for n in range(5)},
        "special.polygamma (special_polygamma_n_0)": "trigamma",
        "nn.functional.hardsigmoid": "hardsigmoid",
        "as_strided_scatter": "as_strided_scatter",
    },
}
DIGITS = 30


def wrong(libraries: tuple[str, ...]) -> Iterator[Wrong]:
    """Each known error of these libraries, evaluated now. Raises ImportError without mpmath."""
    import mpmath

    with mpmath.workdps(DIGITS + 10):
        for library in libraries:
            for what in dict.fromkeys(KNOWN.get(library, {}).values()):
                names = tuple(name for name, w in KNOWN[library].items() if w == what)
                at, theirs, true = SHOWN[what]()
                yield Wrong(library, names, what, at, theirs, mpmath.nstr(true, DIGITS))


def _torch(f, x):
    """The derivative of the sum of f at x, a number or a list, by torch's backward."""
    import torch

    leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(f(leaf).sum(), leaf)[0]


def _trigamma():
    import mpmath
    import torch

    return "x = 1.3", float(_torch(torch.digamma, 1.3)), mpmath.polygamma(1, mpmath.mpf(1.3))


def _hardsigmoid():
    import mpmath
    import torch

    theirs = float(_torch(torch.nn.functional.hardsigmoid, 0.3))
    return "x = 0.3", theirs, mpmath.mpf(1) / 6


def _as_strided_scatter():
    import mpmath
    import torch

    def f(x):
        return torch.as_strided_scatter(x, torch.tensor(2.0, dtype=x.dtype), (), (), 0)

    return "one number, all of it replaced", float(_torch(f, [1.0])), mpmath.mpf(0)


def _dstack():
    import autograd.numpy as np
    import mpmath
    from autograd import make_vjp

    pull, _ = make_vjp(lambda own: np.dstack([own[0], own[1]]))((np.ones(1), np.ones(1)))
    theirs = float(pull(np.ones((1, 1, 2)))[0][0])
    return "two numbers, both differentiated, by the first", theirs, mpmath.mpf(1)


SHOWN: dict[str, Callable] = {
    "trigamma": _trigamma,
    "hardsigmoid": _hardsigmoid,
    "as_strided_scatter": _as_strided_scatter,
    "dstack": _dstack,
}
