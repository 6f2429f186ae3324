"""Numeric derivatives for the tests, independent of the package's own checker."""

import numpy as np


def complex_step(f, x, direction):
    """d/dt f(x + t direction) at t = 0, exact to round-off where f is analytic (Squire and Trapp
    1998).
    """
    return f(x + 1e-20j * direction).imag / 1e-20


def central(f, x, direction, eps=1e-5):
    """The same by central differences, where f is not analytic."""
    return (f(x + eps * direction) - f(x - eps * direction)) / (2 * eps)


def basis(shape):
    """All directions of one entry each."""
    for index in np.ndindex(shape):
        e = np.zeros(shape)
        e[index] = 1
        yield index, e


def assert_gradient(f, x, gradient, *, step=complex_step, scale=1.0, rtol=1e-12, atol=1e-14):
    """gradient is that of the scalar function f at x, entry by entry: |a - n| <= rtol |n| + atol
    max(1, scale).
    """
    assert gradient.shape == x.shape
    for index, e in basis(x.shape):
        numeric, analytic = step(f, x, e), gradient[index]
        bound = rtol * abs(numeric) + atol * max(1.0, scale)
        assert abs(analytic - numeric) <= bound, (index, analytic, numeric)
