"""The functions of HIPS autograd that have a derivative, each with inputs from its domain."""

from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np

from refimpl.gradcheck.mutants.public.draws import (
    above,
    column,
    cube,
    definite,
    even,
    matrices,
    matrix,
    number,
    positive,
    real,
    row,
    share,
    threes,
    unit,
)
from refimpl.gradcheck.mutants.public.function import Function, Skipped

ONE = {  # domain: functions of one array, entry by entry
    real: (
        "numpy.abs numpy.absolute numpy.arcsinh numpy.arctan numpy.asinh numpy.atan numpy.conj "
        "numpy.conjugate numpy.cos numpy.cosh numpy.deg2rad numpy.degrees numpy.exp numpy.exp2 "
        "numpy.expm1 numpy.fabs numpy.nan_to_num numpy.negative numpy.rad2deg numpy.radians "
        "numpy.real numpy.real_if_close numpy.sin numpy.sinc numpy.sinh numpy.square numpy.tan "
        "numpy.tanh numpy.ravel numpy.sort scipy.special.erf scipy.special.erfc "
        "scipy.special.expit scipy.special.i0 scipy.special.i1 scipy.special.j0 scipy.special.j1 "
        "scipy.special.logsumexp scipy.special.rgamma scipy.stats.norm.cdf scipy.stats.norm.logcdf "
        "scipy.stats.norm.logpdf scipy.stats.norm.logsf scipy.stats.norm.pdf scipy.stats.norm.sf"
    ),
    positive: (
        "numpy.log numpy.log10 numpy.log1p numpy.log2 numpy.sqrt numpy.reciprocal "
        "scipy.special.digamma scipy.special.gamma scipy.special.gammaln scipy.special.psi "
        "scipy.special.y0 scipy.special.y1"
    ),
    unit: (
        "numpy.acos numpy.arccos numpy.arcsin numpy.asin numpy.arctanh numpy.atanh "
        "scipy.special.erfinv"
    ),
    share: "scipy.special.erfcinv scipy.special.logit",
    above: "numpy.acosh numpy.arccosh",
}
TWO = {  # domains: functions of two arrays
    (real, real): (
        "numpy.add numpy.subtract numpy.multiply numpy.arctan2 numpy.atan2 numpy.fmax numpy.fmin "
        "numpy.hypot numpy.inner numpy.logaddexp numpy.logaddexp2 numpy.maximum numpy.minimum "
        "numpy.outer numpy.cross numpy.kron numpy.dot"
    ),
    (real, positive): "numpy.divide numpy.true_divide numpy.mod numpy.remainder",
    (positive, real): "numpy.power numpy.pow",
    (matrix, column): "numpy.matmul",
    (positive, positive): "scipy.special.beta scipy.special.betaln",
    (matrices, real): "numpy.linalg.solve",
    (positive, number): "scipy.stats.t.logpdf scipy.stats.t.pdf",
}
SETTLED = {  # name: (arguments after the array, how the array is drawn)
    "numpy.amax": ((0,), matrix),
    "numpy.amin": ((1,), matrix),
    "numpy.max": ((0,), matrix),
    "numpy.min": ((None,), matrix),
    "numpy.sum": ((1,), matrix),
    "numpy.mean": ((0,), matrix),
    "numpy.var": ((1,), matrix),
    "numpy.std": ((0,), matrix),
    "numpy.prod": ((1,), matrix),
    "numpy.cumsum": ((1,), matrix),
    "numpy.clip": ((-0.5, 0.7), real),
    "numpy.broadcast_to": (((3, 4),), lambda rng: rng.normal(size=(3, 1))),
    "numpy.diag": ((), row),
    "numpy.diagonal": ((0, -1, -2), matrices),
    "numpy.diff": ((2,), matrix),
    "numpy.expand_dims": ((1,), matrix),
    "numpy.gradient": ((), row),
    "numpy.moveaxis": ((0, 2), cube),
    "numpy.pad": (((1, 2), "constant"), matrix),
    "numpy.partition": ((2,), row),
    "numpy.permute_dims": (((2, 0, 1),), cube),
    "numpy.transpose": (((1, 2, 0),), cube),
    "numpy.repeat": ((3, 1), matrix),
    "numpy.reshape": (((2, 6),), matrix),
    "numpy.roll": ((2, 1), matrix),
    "numpy.rollaxis": ((2, 0), cube),
    "numpy.rot90": ((3,), matrix),
    "numpy.fliplr": ((), matrix),
    "numpy.flipud": ((), matrix),
    "numpy.squeeze": ((), lambda rng: rng.normal(size=(1, 3, 1))),
    "numpy.swapaxes": ((0, 2), cube),
    "numpy.tile": (((2, 1),), matrix),
    "numpy.trace": ((), matrices),
    "numpy.tril": ((-1,), matrix),
    "numpy.triu": ((1,), matrix),
    "numpy.atleast_1d": ((), real),
    "numpy.atleast_2d": ((), real),
    "numpy.atleast_3d": ((), real),
    "numpy.astype": ((float,), real),
    "numpy.make_diagonal": ((0, -1, -2), row),
    "numpy.linalg.det": ((), matrices),
    "numpy.linalg.inv": ((), matrices),
    "numpy.linalg.pinv": ((), matrix),
    "numpy.linalg.norm": ((3,), row),
    "numpy.fft.fftshift": ((), even),
    "numpy.fft.ifftshift": ((), even),
    "scipy.special.multigammaln": ((2,), above),
    "scipy.linalg.sqrtm": ((), definite),
    "scipy.stats.chi2.cdf": ((3.0,), positive),
}
BEFORE = {  # name: (the argument before the array, how the array is drawn)
    "numpy.full": ((2, 3), number),
    "scipy.special.polygamma": (1, positive),
    "scipy.special.iv": (2, positive),
    "scipy.special.ive": (1, positive),
    "scipy.special.jn": (2, positive),
    "scipy.special.yn": (1, positive),
    "scipy.special.gammainc": (1.7, positive),
    "scipy.special.gammaincc": (2.3, positive),
    "scipy.stats.poisson.cdf": (2, positive),
    "scipy.stats.poisson.logpmf": (2, positive),
    "scipy.stats.poisson.pmf": (3, positive),
}
COMPLEX = (  # complex out: its real and imaginary parts, one after the other
    "numpy.fft.fft numpy.fft.fft2 numpy.fft.fftn numpy.fft.ifft numpy.fft.ifft2 numpy.fft.ifftn "
    "numpy.fft.rfft numpy.fft.rfft2 numpy.fft.rfftn"
)
REASONS = {
    "numpy.angle numpy.imag scipy.special.gammasgn": "zero for real numbers, or a sign",
    "numpy.linalg.eig": "complex out, and its vectors' phase is free",
    "numpy.array_from_args numpy.concatenate_args numpy.fft.truncate_pad numpy._original_where "
    "numpy.linalg._primitive_norm": "a part of another function here",
    "scipy.special.betainc scipy.stats.beta.cdf": "autograd has no derivative by its parameters, "
    "and by x it is beta.pdf",
    "scipy.integrate.odeint": "its own tolerance of 1e-8 is no round-off",
    "numpy.linspace": "its arguments are numbers; autograd differentiates its ends alone",
}


def _others() -> dict[str, tuple[Callable, tuple]]:
    """{name: (f, how each input is drawn)} of what takes or returns more than one line says."""
    import autograd.numpy as np_

    mask = np.arange(12).reshape(3, 4) % 3 == 0
    index = np.array([0, 2, 0])

    def flat(parts):
        return np_.concatenate([np_.ravel(part) for part in parts])

    return {
        "numpy.array": (lambda a, b: np_.array([a[0], b[1] * a[2]]), (real, real)),
        "numpy.array_split": (lambda a: flat(np_.array_split(a, 3, axis=1)[::2]), (even,)),
        "numpy.split": (lambda a: flat(np_.split(a, 2, axis=0)[:1]), (even,)),
        "numpy.hsplit": (lambda a: flat(np_.hsplit(a, 2)[1:]), (even,)),
        "numpy.vsplit": (lambda a: flat(np_.vsplit(a, 2)[1:]), (even,)),
        "numpy.dsplit": (lambda a: flat(np_.dsplit(a, 2)[1:]), (cube,)),
        "numpy.concatenate": (lambda a, b: np_.concatenate([a, b], axis=1), (matrix, matrix)),
        "numpy.stack": (lambda a, b: np_.stack([a, b], axis=1), (matrix, matrix)),
        "numpy.hstack": (lambda a, b: np_.hstack([a, b]), (matrix, matrix)),
        "numpy.vstack": (lambda a, b: np_.vstack([a, b]), (matrix, matrix)),
        "numpy.dstack": (lambda a, b: np_.dstack([a, b]), (matrix, matrix)),
        "numpy.column_stack": (lambda a, b: np_.column_stack([a, b]), (row, row)),
        "numpy.append": (lambda a, b: np_.append(a, b), (row, real)),
        "numpy.select": (lambda a, b: np_.select([mask, ~mask], [a, b]), (matrix, matrix)),
        "numpy.where": (lambda a, b: np_.where(mask, a, b), (matrix, matrix)),
        "numpy.einsum": (lambda a, b: np_.einsum("ij,kj->ki", a, b), (matrix, matrix)),
        "numpy.tensordot": (lambda a, b: np_.tensordot(a, b, 2), (matrix, matrix)),
        "numpy.nan_to_num of a product": (lambda a, b: np_.nan_to_num(a * b), (real, real)),
        "getitem": (lambda a: a[1:, ::2], (matrix,)),
        "getitem by indices": (lambda a: a[index], (matrix,)),
        "getitem by a mask": (lambda a: a[mask], (matrix,)),
    } | _algebra()


def _algebra() -> dict[str, tuple[Callable, tuple]]:
    """{name: (f, how each input is drawn)} of linear algebra, transforms and signals."""
    import autograd.numpy as np_
    import autograd.scipy.linalg as linalg
    import autograd.scipy.signal as signal

    def ri(z):
        return np_.stack([np_.real(z), np_.imag(z)])

    def vectors(a):
        values, v = np_.linalg.eigh(_sym(a))
        return np_.concatenate([values, np_.ravel(v * np_.sign(v[0]))])

    def factors(a):
        u, s, vt = np_.linalg.svd(a, full_matrices=False)
        return np_.concatenate([s, np_.ravel(np_.dot(u * s, vt))])

    return {
        "numpy.linalg.cholesky": (lambda a: np_.linalg.cholesky(_sym(a)), (definite,)),
        "numpy.linalg.eigh": (vectors, (definite,)),
        "numpy.linalg.svd": (factors, (matrix,)),
        "numpy.linalg.slogdet": (lambda a: np_.linalg.slogdet(a)[1], (matrices,)),
        "numpy.linalg.solve, many": (np_.linalg.solve, (matrices, tall)),
        "numpy.linalg.norm of a matrix": (np_.linalg.norm, (matrix,)),
        "numpy.linalg.norm, nuclear": (lambda a: np_.linalg.norm(a, "nuc"), (matrix,)),
        "numpy.fft.irfft": (lambda a, b: np_.fft.irfft(a + 1j * b), (row, row)),
        "numpy.fft.irfft2": (lambda a, b: np_.fft.irfft2(a + 1j * b), (matrix, matrix)),
        "numpy.fft.irfftn": (lambda a, b: np_.fft.irfftn(a + 1j * b), (matrix, matrix)),
        "numpy.fft.fft, truncated": (lambda a: ri(np_.fft.fft(a, n=3)), (row,)),
        "scipy.linalg.solve_banded": (
            lambda a, b: linalg.solve_banded((1, 1), a, b),
            (lambda rng: matrices(rng) + 2 * np.eye(3)[1], real),
        ),
        "scipy.linalg.solve_sylvester": (linalg.solve_sylvester, (matrices, definite, matrices)),
        "scipy.linalg.solve_triangular": (
            lambda a, b: linalg.solve_triangular(a, b, lower=True),
            (matrices, real),
        ),
        "scipy.signal.convolve": (signal.convolve, (matrix, threes)),
        "scipy.special.gammainc of x": (_gammainc, (positive,)),
    }


def _densities() -> dict[str, tuple[Callable, tuple]]:
    """{name: (f, how each input is drawn)} of scipy.stats."""
    import autograd.numpy as np_
    import autograd.scipy.stats as stats

    return {
        "scipy.stats.beta.logpdf": (stats.beta.logpdf, (share, positive, positive)),
        "scipy.stats.beta.pdf": (stats.beta.pdf, (share, positive, positive)),
        "scipy.stats.chi2.logpdf": (lambda x: stats.chi2.logpdf(x, 3.0), (positive,)),
        "scipy.stats.chi2.pdf": (lambda x: stats.chi2.pdf(x, 3.0), (positive,)),
        "scipy.stats.gamma.cdf": (lambda x: stats.gamma.cdf(x, 1.7), (positive,)),
        "scipy.stats.gamma.logpdf": (stats.gamma.logpdf, (positive, positive)),
        "scipy.stats.gamma.pdf": (stats.gamma.pdf, (positive, positive)),
        "scipy.stats.dirichlet.logpdf": (_dirichlet(stats.dirichlet.logpdf), (simplex, positive)),
        "scipy.stats.dirichlet.pdf": (_dirichlet(stats.dirichlet.pdf), (simplex, positive)),
        "scipy.stats.multivariate_normal.logpdf": (
            lambda x, m, a: stats.multivariate_normal.logpdf(x, m, _sym(a)),
            (real, real, definite),
        ),
        "scipy.stats.multivariate_normal.pdf": (
            lambda x, m, a: stats.multivariate_normal.pdf(x, m, _sym(a)),
            (real, real, definite),
        ),
        "scipy.stats.multivariate_normal.entropy": (
            lambda a: stats.multivariate_normal.entropy(np_.zeros(3), _sym(a)),
            (definite,),
        ),
        "scipy.stats.norm.pdf, moved": (stats.norm.pdf, (real, real, positive)),
        "scipy.stats.norm.logpdf, moved": (stats.norm.logpdf, (real, real, positive)),
        "scipy.stats.norm.cdf, moved": (stats.norm.cdf, (real, real, positive)),
        "scipy.stats.t.cdf": (lambda x: stats.t.cdf(x, 3.3), (real,)),
        "scipy.stats.t.logcdf": (lambda x: stats.t.logcdf(x, 3.3), (real,)),
    }


def _sym(a):
    """The symmetric part, for functions that read one half of a matrix only."""
    return (a + a.T) / 2


def _with(function, before=(), after=()):
    return lambda x: function(*before, x, *after)


def _gammainc(x):
    import autograd.scipy.special as special

    return special.gammainc(0.8, x) ** 2


def _dirichlet(density):
    """Of numbers that need not sum to one: SciPy refuses those that do not."""

    def f(x, alpha):
        return density(x / x.sum(), alpha)

    return f


def simplex(rng: np.random.Generator) -> np.ndarray:
    """Three positive numbers that sum to one.

    >>> round(float(simplex(np.random.default_rng(0)).sum()), 12)
    1.0
    """
    x = rng.uniform(0.2, 1.0, 3)
    return x / x.sum()


def tall(rng: np.random.Generator) -> np.ndarray:
    """(3, 2), normal."""
    return rng.normal(size=(3, 2))


def find(name: str) -> Callable:
    """The function of autograd with this dotted name."""
    module, _, last = name.rpartition(".")
    return getattr(import_module(f"autograd.{module}"), last)


def _all() -> dict[str, tuple[Callable, tuple]]:
    """{name: (f, how each input is drawn)} of every function that is judged."""
    import autograd.numpy as np_

    def parts(g):
        return lambda a: np_.stack([np_.real(g(a)), np_.imag(g(a))])

    table: dict[str, tuple[Callable, tuple]] = {}
    for draw, names in ONE.items():
        table |= {name: (find(name), (draw,)) for name in names.split()}
    for draws, names in TWO.items():
        table |= {name: (find(name), draws) for name in names.split()}
    for name, (after, draw) in SETTLED.items():
        table[name] = _with(find(name), after=after), (draw,)
    for name, (before, draw) in BEFORE.items():
        table[name] = _with(find(name), before=(before,)), (draw,)
    for name in COMPLEX.split():
        table[name] = parts(find(name)), (even if "2" in name or name.endswith("fftn") else row,)
    return table | _others() | _densities()


def functions(seed: int, block: int, blocks: int) -> Iterator[Function | Skipped]:
    """The functions with a number of this block, then, in block 0, what is left out and why."""
    for i, (name, (f, draws)) in enumerate(_all().items()):
        if i % blocks == block:
            rng = np.random.default_rng([seed, i])
            inputs = tuple(np.array(draw(rng), float) for draw in draws)
            yield Function(name, f, vjp_of(f), inputs)
    if block == 0:
        for names, reason in REASONS.items():
            yield from (Skipped(name, reason) for name in names.split())


def vjp_of(f: Callable) -> Callable:
    """autograd's own backward of f(*arrays), all arguments differentiated."""
    from autograd import make_vjp

    def vjp(dout, *arrays):
        pull, _ = make_vjp(lambda own: f(*own))(tuple(arrays))
        return tuple(np.asarray(g) for g in pull(dout))

    return vjp
