"""Errors planted in a backward: a factor of 1 + 1e-6, a sign, a term lost or transposed.

Each is planted in the gradient of one argument, drawn at random among those with a gradient.
"""

from collections.abc import Callable

import numpy as np

from refimpl.gradcheck.arguments import as_tuple

FACTOR = 1e-6
KINDS = ("factor 1 + 1e-6", "sign of one entry", "term missing or transposed")


class Planted:
    """A vector-Jacobian product with one error in it. `argument`: the position of the wrong one.

    `change`: by how much the largest entry was changed in the first call, which is the checker's
    own at the inputs themselves; 0 says that nothing was changed.

    >>> wrong = Planted(lambda d, x: 2 * d, 0, lambda g, d: -g)
    >>> wrong(np.ones(1), np.ones(1))[0].tolist(), wrong.change
    ([-2.0], 4.0)
    """

    def __init__(
        self, vjp: Callable, argument: int, alter: Callable, other: Callable | None = None
    ):
        self.vjp, self.argument, self.alter, self.other = vjp, argument, alter, other
        self.change = np.nan

    def __call__(self, dout: np.ndarray, *x: np.ndarray) -> tuple:
        gradients = list(as_tuple(self.vjp(dout, *x)))
        right = np.array(gradients[self.argument], float)
        wrong = self.alter(right.copy(), dout)
        if self.other is not None:
            wrong = np.array(as_tuple(self.vjp(self.other(dout), *x))[self.argument], float)
        if np.isnan(self.change):
            self.change = float(np.abs(wrong - right).max(initial=0))
        gradients[self.argument] = wrong
        return tuple(gradients)


def planted(vjp: Callable, gradients: tuple, out: np.ndarray, rng: np.random.Generator) -> dict:
    """{kind: Planted} for a function with these gradients at its inputs and this output.

    Empty where all gradients are zero: nothing can be planted in them by these means.
    """
    moved = [k for k, g in enumerate(gradients) if np.any(g)]
    if not moved:
        return {}
    k = int(rng.choice(moved))
    entries = np.flatnonzero(gradients[k])
    j = int(rng.choice(entries))
    o = int(rng.integers(out.size))

    def scaled(g, dout):
        return g * (1 + FACTOR)

    def flipped(g, dout):
        g.flat[j] = -g.flat[j]
        return g

    errors = {KINDS[0]: Planted(vjp, k, scaled), KINDS[1]: Planted(vjp, k, flipped)}
    g = gradients[k]
    if g.ndim == 2 and g.shape[0] == g.shape[1] > 1:
        errors[KINDS[2]] = Planted(vjp, k, lambda g, dout: g.T)
    else:
        errors[KINDS[2]] = Planted(vjp, k, lambda g, dout: g, without(o))
    return errors


def without(o: int) -> Callable:
    """dout -> dout with output o left out: what its term gives to the gradient is lost.

    >>> without(1)(np.ones(3)).tolist()
    [1.0, 0.0, 1.0]
    """

    def lost(dout):
        some = np.array(dout, float)
        some.flat[o] = 0.0
        return some

    return lost
