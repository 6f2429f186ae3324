"""One BLAS thread where more only harm.

On products of a few hundred numbers a second thread costs more than it brings, and where the other
core is busy each product waits for it.
So train, descend, retrain and class_visualizations limit BLAS to one thread while they run, where
the largest matrix product of a step is small. The limit is the process's, not a thread's: other
Python threads that multiply meanwhile have it too. It is lifted on every way out.

Whoever sets one of the variables in SETTINGS has said how many threads BLAS takes; then nothing is
limited here. `as_it_is()` says the same for a block of code.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache

from threadpoolctl import ThreadpoolController

SETTINGS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
SMALL = 30_000_000  # multiplications of one product: about a millisecond on one core

_left_alone: ContextVar[bool] = ContextVar("left_alone", default=False)


@cache
def _controller() -> ThreadpoolController:
    """The BLAS libraries of this process, looked up once: that takes milliseconds."""
    return ThreadpoolController()


def one_thread() -> AbstractContextManager:
    """One BLAS thread for what runs inside, in the whole process; as it was afterwards.

    >>> with one_thread():
    ...     pass
    """
    return _controller().limit(limits=1, user_api="blas")


def one_thread_if_small(multiplications: float) -> AbstractContextManager:
    """one_thread() where the largest product of a step takes fewer than SMALL multiplications, and
    neither the environment nor as_it_is() says otherwise.

    >>> with one_thread_if_small(100 * 784 * 10):
    ...     pass
    """
    said = any(os.environ.get(name) for name in SETTINGS) or _left_alone.get()
    return nullcontext() if said or multiplications >= SMALL else one_thread()


def one_thread_for(parameters: Iterable, rows: int) -> AbstractContextManager:
    """one_thread_if_small for steps of `rows` images through matrices of these parameters.

    Filters of a convolution (more than two axes) meet far more numbers than they have: with one of
    them nothing is limited.

    >>> import numpy as np
    >>> with one_thread_for([np.zeros((784, 10)), np.zeros(10)], rows=100):
    ...     pass
    """
    arrays = list(parameters)
    if any(a.ndim > 2 for a in arrays):
        return nullcontext()
    return one_thread_if_small(rows * max((a.size for a in arrays if a.ndim == 2), default=0))


@contextmanager
def as_it_is() -> Iterator[None]:
    """Inside, nothing of refimpl changes the number of BLAS threads.

    >>> with as_it_is():
    ...     with one_thread_if_small(1):
    ...         pass
    """
    token = _left_alone.set(True)
    try:
        yield
    finally:
        _left_alone.reset(token)
