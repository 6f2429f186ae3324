"""How long calls say where they are: by a callable that is handed a line of text now and then.

The mathematics prints nothing. `refimpl.report.options.Progress()` is the callable that rewrites
one line of a terminal; print is one, too.
"""

from collections.abc import Callable
from typing import Any

TIMES = 100  # a call says so often where it is


def telling(
    progress: Callable[[str], object] | None, steps: int, then: Callable | None
) -> Callable | None:
    """on_step(step, network) of `train` that tells progress a hundred times which of the steps it
    is, and calls `then`; `then` itself where there is no progress.

    >>> on_step = telling(print, 200, None)
    >>> for step in range(4):
    ...     on_step(step, None)
    step 2 of 200
    step 4 of 200
    """
    if progress is None:
        return then
    every = max(1, steps // TIMES)

    def on_step(step: int, network: Any) -> None:
        if (step + 1) % every == 0:
            progress(f"step {step + 1:,} of {steps:,}")
        if then is not None:
            then(step, network)

    return on_step
