"""Optimizers as functions, and ascend(): the one loop behind every visualization.

An update moves x in the dtype of x, whatever that of the gradient or of the learning rate.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from refimpl.arguments import fraction, function, positive, real_array, takes, whole
from refimpl.dtypes import as_dtype_of, check_finite


def sgd(x: np.ndarray, g: np.ndarray, state: Any, *, lr: float) -> tuple[np.ndarray, Any]:
    """x <- x - lr g, of one shape, any. There is no state: what came is returned. Returns (x,
    state).

    >>> sgd(np.array([1.0]), np.array([4.0]), None, lr=0.25)[0].tolist()
    [0.0]
    """
    return x - float(lr) * as_dtype_of(x, g), state


def momentum(
    x: np.ndarray, g: np.ndarray, state: Any, *, lr: float, beta: float = 0.9
) -> tuple[np.ndarray, Any]:
    """Heavy ball (Polyak 1964): v <- beta v + g, x <- x - lr v, all of x's shape. state: v, None
    (0) at first.

    >>> x, v = momentum(np.array([1.0]), np.array([4.0]), None, lr=0.1)
    >>> momentum(x, np.array([0.0]), v, lr=0.1)[0].round(9).tolist()
    [0.24]
    """
    g, beta = as_dtype_of(x, g), fraction("beta", beta)
    v = g if state is None else beta * state + g
    return x - float(lr) * v, v


def adam(
    x: np.ndarray,
    g: np.ndarray,
    state: Any,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[np.ndarray, Any]:
    """Adam (Kingma and Ba 2015, algorithm 1): steps of about lr, whatever the size of the gradient.

        m <- beta1 m + (1 - beta1) g      v <- beta2 v + (1 - beta2) g^2      m = v = 0 at first
        x <- x - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)     t = 1, 2, ...

    All operations act entry by entry, in the dtype of x; but for float16, whose g^2 would be 0, in
    float32. state is (t, m, v), None at first. Returns (x, state). Raises ValueError on a beta
    outside [0, 1).

    >>> x, state = adam(np.zeros(2), np.array([3.0, -1e-3]), None, lr=0.1)
    >>> x.round(5).tolist()
    [-0.1, 0.1]
    """
    lr, eps = float(lr), float(eps)  # numbers of Python decide no dtype
    beta1, beta2 = fraction("beta1", beta1), fraction("beta2", beta2)
    half_precision = x.dtype == np.float16
    g = g.astype(np.float32) if half_precision else as_dtype_of(x, g)
    t, m, v = (0, 0, 0) if state is None else state
    t += 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    root = (1 - beta2**t) ** 0.5
    step = lr / (1 - beta1**t) * m / (np.sqrt(v) / root + eps)
    return (x - step).astype(x.dtype) if half_precision else x - step, (t, m, v)


@takes(objective=function, update=function, project=function)
def ascend(
    objective: Callable,
    x0: np.ndarray,
    *,
    steps: int,
    lr: float,
    update: Callable = sgd,
    project: Callable | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient ascent on the input: x <- project(x + lr d objective / dx).

    objective(x, step) -> (values (N,), dx like x), one value an image; images never mix (a sum, not
    a mean, over N). update(x, g, state, lr=lr) -> (x, state) descends, so it is handed -lr.
    project(x) -> x, e.g. onto a box. x0 (N, ...), not changed. Returns (x, values (steps + 1, N)):
    the objective at x0 and after every step. Raises ValueError on steps < 0, on lr <= 0 and on an
    x0 that is not finite, FloatingPointError at the first step where a value is not finite.

    >>> x, values = ascend(
    ...     lambda x, step: (-((x[:, 0] - 3) ** 2), -2 * (x - 3)),
    ...     np.zeros((1, 1)),
    ...     steps=60,
    ...     lr=0.25,
    ... )
    >>> round(float(x[0, 0]), 6), values.shape
    (3.0, (61, 1))
    """
    steps, lr = whole("steps", steps), positive("lr", lr)
    x, state, values = np.array(real_array("x0", x0)), None, []
    check_finite(x0=x)
    for step in range(steps + 1):
        value, dx = objective(x, step)
        if not np.isfinite(value).all():
            raise FloatingPointError(
                f"the objective is not finite at step {step}: a smaller lr than {lr!r} is needed"
            )
        values.append(value)
        if step < steps:
            x, state = update(x, dx, state, lr=-lr)
            x = x if project is None else project(x)
    return x, np.array(values)


def without_gradient(objective: Callable, x0: np.ndarray) -> np.ndarray:
    """Which values of an objective are dead at x0 (N, ...): their gradient is zero at their own
    start and at the others' (the first 16 are tried). -> truth values (N,).

    A start that one value hears nothing at is bad luck; a value that hears nothing anywhere would
    give its start back as an ordinary result.

    >>> objective = lambda x, step: (x[:, 0] * [1, 0], x * 0 + [[1], [0]])
    >>> without_gradient(objective, np.zeros((2, 1))).tolist()
    [False, True]
    """
    dead = np.zeros(len(x0), bool)
    if len(x0):
        dead = ~objective(x0, 0)[1].reshape(len(x0), -1).any(axis=1)
    for start in x0[~dead][:16]:
        if not dead.any():
            break
        everywhere = np.repeat(start[None], len(x0), axis=0)
        dead &= ~objective(everywhere, 0)[1].reshape(len(x0), -1).any(axis=1)
    return dead


def penalty(cost: Callable, weight: float) -> Callable:
    """The prior  objective - weight cost(x), for `with_priors`.

    cost(x) -> (values (N,), dx like x). Raises ValueError on weight < 0.

    >>> objective, _ = with_priors(
    ...     (penalty(l2, 0.5),), lambda x, step: (x.sum(axis=1), np.ones_like(x))
    ... )
    >>> [v.tolist() for v in objective(np.array([[1.0, 2.0]]), 0)]
    [[0.5], [[0.0, -1.0]]]
    """
    if not weight >= 0:
        raise ValueError(f"weight: expected a number >= 0, got {weight!r}")

    def prior(objective, project):
        def penalized(x, step):
            values, dx = objective(x, step)
            costs, dcosts = cost(x)
            return values - weight * costs, dx - weight * dcosts

        return penalized, project

    return prior


def with_priors(
    priors: Iterable[Callable], objective: Callable, project: Callable | None = None
) -> tuple[Callable, Callable | None]:
    """Wrap objective and project, both as in `ascend`, in each prior in turn: a prior is a function
    (objective, project) -> (objective, project). The first one stands next to the network.

    >>> objective, project = with_priors((), lambda x, step: (x.sum(axis=1), np.ones_like(x)))
    >>> project is None, objective(np.ones((1, 2)), 0)[0].tolist()
    (True, [2.0])
    """
    for prior in priors:
        objective, project = prior(objective, project)
    return objective, project


def l2(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|x|^2; gradient 2 x (Simonyan et al. 2014, equation 1). x (N, D) -> (values (N,), dx (N, D)).

    >>> [v.tolist() for v in l2(np.array([[1.0, 2.0]]))]
    [[5.0], [[2.0, 4.0]]]
    """
    return (x * x).sum(axis=1), 2 * x
