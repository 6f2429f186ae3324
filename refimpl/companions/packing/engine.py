"""pack(): what is to be packed in whole units, a bound, single passes, then a search to the bound.

Every result is checked from the definition before it is returned.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refimpl.companions.packing.bounds import lower_bound
from refimpl.companions.packing.checker import check
from refimpl.companions.packing.passes import State, single_passes
from refimpl.companions.packing.problem import Problem, problem_of
from refimpl.companions.packing.result import Packing
from refimpl.companions.packing.search import Search


def pack(
    items: ArrayLike,
    bin_size: Sequence,
    rotate: ArrayLike = False,
    time_limit: float = 5.0,
    iterations: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
    proposals: Callable | None = None,
    share: float = 0.0,
    *,
    names: Sequence[str] | None = None,
    kerf: Any = 0,
    trim: Any = 0,
) -> Packing:
    """Pack items (n, 2) = (w, h) into few bins (W, H): single passes, then a search to the bound,
    or to the end.

    Sizes are numbers > 0, decimals taken as they are written and scaled exactly to whole units
    (problem.py). rotate: may items turn by 90 degrees, one truth value or (n,). names: what the
    items are called. kerf: the least distance of two items in a bin, what a saw takes. trim: the
    margin of every bin, on all four sides, that is not used. time_limit: in the seconds of clock().
    iterations: a number of steps instead of a time; then the same seed gives the same Packing.
    on_progress(count, lower_bound): called at every step that saves a bin. proposals, share: see
    Search.propose. Raises ValueError on bad items or options, and Invalid if its own result failed
    the independent check.

    One stock size, every bin at the same price, cuts anywhere: several stock sizes, costs and
    guillotine cuts are another problem, PackingSolver's (github.com/fontanf/packingsolver).

    >>> packing = pack([[6, 4], [6, 4], [4, 8], [10, 2]], (10, 10), iterations=10)
    >>> packing.count, packing.lower_bound, packing.optimal
    (1, 1, True)
    >>> sawn = pack([[5, 2.5], [4.5, 2.5]], (10, 4), kerf=0.5, trim=0, iterations=10)
    >>> sawn.count, sawn.positions.tolist()
    (1, [[0.0, 0.0], [5.5, 0.0]])
    """
    start = clock()
    _check_options(time_limit, iterations, share)
    problem = problem_of(items, bin_size, rotate=rotate, kerf=kerf, trim=trim)
    names = _checked_names(names, len(problem.items))

    def late():
        return iterations is None and clock() - start >= time_limit

    if len(problem.items) == 0:
        state, bound = (
            State(np.empty(0, np.int64), np.empty((0, 2), np.int64), np.empty(0, bool)),
            0,
        )
    else:
        state, bound = _solve(
            problem,
            late=late,
            iterations=iterations,
            rng=np.random.default_rng(seed),
            on_progress=on_progress,
            proposals=proposals,
            share=share,
        )
    sizes = np.where(state.turned[:, None], problem.items[:, ::-1], problem.items)
    positions = state.positions + problem.trim
    check(
        problem.items,
        problem.bin,
        state.bins,
        positions,
        sizes,
        rotate=problem.turnable,
        kerf=problem.kerf,
        trim=problem.trim,
    )
    return Packing(
        state.bins,
        problem.measured(positions),
        problem.measured(sizes),
        bound,
        tuple(bin_size),
        names,
        kerf,
        trim,
        float(problem.unit),
        state.turned,
    )


def _solve(
    problem: Problem,
    *,
    late: Callable[[], bool],
    iterations: int | None,
    rng: np.random.Generator,
    on_progress: Callable[[int, int], object] | None,
    proposals: Callable | None,
    share: float,
) -> tuple[State, int]:
    """The best State of a problem with at least one item, and its lower bound."""
    items, bin_size, turnable = problem.grown, problem.grown_bin, problem.turnable
    bound = lower_bound(items, bin_size, rotate=turnable)
    state = single_passes(items, bin_size, rotate=turnable, target=bound, stop=late)
    search = Search(
        items,
        bin_size,
        state,
        rotate=turnable,
        rng=rng,
        proposals=proposals,
        share=share,
        stop=late,
    )
    step = 0
    while search.count > bound and not late() and step != iterations:
        if search.step() and on_progress:
            on_progress(search.count, bound)
        step += 1
    return search.best, bound


def _check_options(time_limit: float, iterations: int | None, share: float) -> None:
    """Raise ValueError, naming the option, on one that cannot be."""
    if not time_limit >= 0:
        raise ValueError(f"time_limit: expected seconds >= 0, got {time_limit!r}")
    if iterations is not None and not (iterations >= 0 and iterations % 1 == 0):
        raise ValueError(f"iterations: expected a whole number >= 0, got {iterations!r}")
    if not 0 <= share <= 1:
        raise ValueError(f"share: expected a number from 0 to 1, got {share!r}")


def _checked_names(names: Sequence[str] | None, n: int) -> tuple[str, ...]:
    """names as a tuple, () for none. Raises ValueError where they are not one an item."""
    if names is None or n == 0 and len(names) == 0:
        return ()
    if isinstance(names, str) or len(names) != n:
        raise ValueError(f"names: expected one for each of {n} items, got {names!r:.60}")
    return tuple(str(name) for name in names)
