"""Levenberg-Marquardt: nonlinear least squares by damped Gauss-Newton steps.

Levenberg 1944 and Marquardt 1963, with More's scaling (1978, section 3) and Nielsen's law of the
damping (Madsen, Nielsen and Tingleff 2004, Methods for non-linear least squares problems, algorithm
3.16).
"""

from collections.abc import Callable

import numpy as np

from refimpl.theory import EPS


def _step(j, r, gram, damping):
    """argmin over d of |J d + r|^2 + damping |d|^2, through the smaller of J'J and J J'."""
    damped = gram + damping * np.eye(len(gram))
    try:
        if len(gram) == j.shape[1]:
            return -np.linalg.solve(damped, j.T @ r)
        return -j.T @ np.linalg.solve(damped, r)
    except np.linalg.LinAlgError:  # singular to the last bit: a step that will be refused
        return np.full(j.shape[1], np.nan)


def levenberg_marquardt(
    residuals_and_jacobian: Callable, x0: np.ndarray, *, steps: int, tol: float = 1e-14
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Minimize |r(x)|^2 / 2: x <- x + D^-1 d, d = argmin |J D^-1 d + r|^2 + mu |d|^2, taken where
    it lowers |r|.

    residuals_and_jacobian(x (n,)) -> (r (M,), J (M, n)), float64, any of M < n, M = n, M > n. D:
    the largest norm each column of J has had, so the units of x do not matter. mu starts at 1e-3
    and follows the ratio of the actual to the predicted gain: times max(1/3, 1 - (2 ratio - 1)^3)
    after a step taken, times 2, 4, 8, ... after each refused. The normal equations square the
    condition number of J D^-1, but each step starts from exact residuals: up to about 1e7 the end
    is as good as r itself, above that the flat directions come slowly. Stops converged where |r| <=
    tol |r(x0)| or where every column of J is orthogonal to r: |cos| <= tol; unconverged after
    `steps` evaluations or where no step in floating point lowers |r| any more (round-off). Returns
    (x, history, converged), history (evaluations,): |r|^2 / 2 at x0 and of the x kept after each
    evaluation. Raises ValueError on a bad x0, steps or tol and where r or J is not finite at x0.

    >>> square = lambda x: (x**2 - 2, np.diag(2 * x))
    >>> x, history, converged = levenberg_marquardt(square, np.array([1.0, -3.0]), steps=50)
    >>> (x / np.sqrt(2)).round(12).tolist(), converged
    ([1.0, -1.0], True)
    """
    x = np.array(x0, np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError(f"x0: expected a vector of finite numbers, got shape {x.shape}")
    if not (steps >= 0 and tol >= 0):
        raise ValueError(f"steps, tol: expected numbers >= 0, got {steps!r} and {tol!r}")
    r, j = residuals_and_jacobian(x)
    if not (np.isfinite(r).all() and np.isfinite(j).all()):
        raise ValueError("x0: the residuals or the Jacobian are not finite there")
    first, history, damping, growth = np.linalg.norm(r), [r @ r / 2], 1e-3, 2.0
    widest, gram = np.zeros(len(x)), None
    while True:
        if gram is None:  # a new x
            norms = np.linalg.norm(j, axis=0)
            size = np.linalg.norm(r)
            if size <= tol * first or (np.abs(j.T @ r) <= tol * norms * size).all():
                return x, np.array(history), True
            widest = np.maximum(widest, norms)
            scale = np.where(widest > 0, widest, 1)
            scaled = j / scale
            gram = scaled.T @ scaled if len(r) >= len(x) else scaled @ scaled.T
        if len(history) > steps:
            return x, np.array(history), False
        if not np.isfinite(damping):  # refused so often that no step is left
            return x, np.array(history), False
        d = _step(scaled, r, gram, damping)
        moved = x + d / scale
        if (np.abs(moved - x) <= EPS * np.abs(x)).all():
            return x, np.array(history), False
        with np.errstate(all="ignore"):
            new_r, new_j = residuals_and_jacobian(moved)
            gain = (r - new_r) @ (r + new_r)  # |r|^2 - |new r|^2 without cancellation
        predicted = damping * d @ d - d @ (scaled.T @ r)
        if gain > 0 and predicted > 0 and np.isfinite(new_j).all():
            x, r, j, gram = moved, new_r, new_j, None
            damping, growth = damping * max(1 / 3, 1 - (2 * gain / predicted - 1) ** 3), 2.0
            damping = max(damping, EPS)
        else:
            damping, growth = damping * growth, 2 * growth
        history.append(r @ r / 2)
