"""What the checker says of a function, in a word, for tests that put many to it."""

import numpy as np

from refimpl.gradcheck import check_gradients


def verdict(f, vjp, x, seed=0, **options):
    """The verdict on f and its vjp at x, in one precision."""
    return check_gradients(f, vjp, x, rng=seed, dtypes=(), **options).verdict


def only_real(f):
    """f, refusing complex numbers by an exception of its own."""

    def real(*x):
        if any(np.iscomplexobj(a) for a in x):
            raise KeyError("complex")
        return f(*x)

    return real
