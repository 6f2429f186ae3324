"""The checker with SciPy's signatures: what minimize and root take as jac and hessp."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refimpl.arguments import real_array
from refimpl.gradcheck import Report, check_gradients
from refimpl.gradcheck.arguments import callables


def check_jacobian(
    f: Callable, jac: Callable | bool, x: Any, *args: Any, rng: Any = None, **options: Any
) -> Report:
    """Check jac(x, *args) against f(x, *args), as scipy.optimize calls them.

    f: a number (minimize) or a vector (m,) (least_squares, root). jac: the gradient, shaped like
    x (n,), or the Jacobian (m, n), which may be sparse or a LinearOperator; True where f returns
    both, (value, gradient). x: an array, or a list of numbers. args: handed to both as they are.
    options: check_gradients'. Returns a Report. Raises ValueError where jac has another shape, and
    as check_gradients does.

    >>> x = np.array([0.5, 2.0])
    >>> check_jacobian(lambda x, a: a * (x**2).sum(), lambda x, a: 2 * a * x, x, 3.0).verdict
    'pass'
    >>> check_jacobian(np.sin, lambda x: np.diag(np.cos(x)), x).verdict
    'pass'
    >>> check_jacobian(np.sin, lambda x: np.diag(-np.cos(x)), x).findings[0].cause
    'a sign'
    >>> check_jacobian(lambda x: ((x**2).sum(), 2 * x), True, [0.5, 2.0]).verdict
    'pass'
    """
    x = _floats(x)
    if jac is True:
        callables(f=f)
        return check_jacobian(
            lambda x: f(x, *args)[0], lambda x: f(x, *args)[1], x, rng=rng, **options
        )
    callables(f=f, jac=jac)
    gradient: Any = jac
    expected = (*np.shape(f(x, *args)), *np.shape(x))

    def vjp(dout, x):
        j = _dense(gradient(x, *args), x.size)
        if j.shape != expected and j.shape != (1, *expected):
            hint = ": transposed?" if j.shape == expected[::-1] else ""
            raise ValueError(f"jac: expected shape {expected}, got {j.shape}{hint}")
        return np.tensordot(dout, j.reshape(expected), axes=dout.ndim)

    settings = {"names": ("x",), "dtypes": (), **options}
    return check_gradients(lambda x: f(x, *args), vjp, x, rng=rng, **settings)


def _floats(x):
    """A list or an array of numbers as floats: whole numbers have no derivative."""
    x = real_array("x", x)
    return x if x.dtype.kind == "f" else x.astype(float)


def _dense(j, columns):
    """What jac returned as an array: sparse matrices and LinearOperators, too."""
    if hasattr(j, "toarray"):
        return j.toarray()
    found = j @ np.eye(columns) if hasattr(j, "rmatvec") else np.asarray(j)
    if found.dtype.kind not in "fiu":
        raise ValueError(f"jac: expected an array of real numbers, got {type(j).__name__}")
    return found


def check_hessian_product(
    f: Callable,
    jac: Callable | bool,
    hessp: Callable,
    x: Any,
    *args: Any,
    rng: Any = None,
    **options: Any,
) -> Report:
    """Check hessp(x, p, *args) against jac(x, *args), and jac against f, as minimize calls them.

    f: a number; jac: its gradient (n,), True where f returns both; hessp: the Hessian times p (n,).
    A Hessian is symmetric, so the product is the vector-Jacobian product of the gradient. Returns
    the Report of jac where that is not right, else that of hessp. Raises ValueError as
    check_gradients does.

    >>> f, jac = lambda x: (x**3).sum(), lambda x: 3 * x**2
    >>> x = np.array([0.5, 2.0])
    >>> check_hessian_product(f, jac, lambda x, p: 6 * x * p, x).verdict
    'pass'
    >>> check_hessian_product(f, jac, lambda x, p: -6 * x * p, x).findings[0].cause
    'a sign'
    """
    callables(f=f, hessp=hessp)
    x = _floats(x)
    gradient: Any = (lambda x, *args: f(x, *args)[1]) if jac is True else jac
    first = check_jacobian(f, jac, x, *args, rng=rng, **options)
    if not first.ok:
        return first
    settings = {"names": ("x",), "dtypes": (), **options}
    return check_gradients(
        lambda x: gradient(x, *args), lambda p, x: hessp(x, p, *args), x, rng=rng, **settings
    )
