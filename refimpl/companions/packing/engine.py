"""pack(): in whole units, a bound, a first answer, then a search until the bound is met.

Every result is checked from the definition before it is returned.
"""

import time
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refimpl.arguments import function, generator, number, takes, whole
from refimpl.companions.packing import one_bin
from refimpl.companions.packing.bounds import lower_bound
from refimpl.companions.packing.checker import check
from refimpl.companions.packing.one_bin_orders import Orders
from refimpl.companions.packing.passes import TOGETHER, State, single_passes
from refimpl.companions.packing.patterns import by_patterns, first_values, in_groups
from refimpl.companions.packing.problem import Problem, problem_of
from refimpl.companions.packing.result import Packing
from refimpl.companions.packing.search import Search

CHECKED = 8e-6  # seconds an item that the final check takes, about
FIRST = 0.6  # of the time: bound and the first whole answer end by then
PATTERNS = 0.8  # of the time: rounds of patterns end by then
UPRIGHT = 8  # steps: the last of so many goes to the search without turning, where items may turn
PASSES = 0.15  # of the time: many items' single passes end by then
COPIES = 3  # items of a type, on average: from here on there are patterns
ROUNDS = 200  # of patterns, at most, and no more than iterations
EXACT = 20  # items: up to here the tree alone is searched for a packing into one bin
TREE = 60  # items: beyond it is not
TREE_STEPS = 8  # for one of the local search


@takes(on_progress=function, clock=function, proposals=function, progress=function)
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
    progress: Callable[[str], object] | None = None,
) -> Packing:
    """Pack items (n, 2) = (w, h) into few bins (W, H): single passes, then a search to the bound,
    or to the end.

    Sizes are numbers > 0, decimals taken as they are written and scaled exactly to whole units
    (problem.py). rotate: may items turn by 90 degrees, one truth value or (n,). names: what the
    items are called. kerf: the least distance of two items in a bin, what a saw takes. trim: the
    margin of every bin, on all four sides, that is not used. time_limit: in the seconds of clock().
    iterations: a number of steps instead of a time; then the same seed gives the same Packing.
    on_progress(count, lower_bound): called at every step that saves a bin; progress(text): told the
    same in words. proposals, share: a source of candidates of one's own, and its part of them, as
    search.Search.propose has it. Raises ValueError on bad items or options, and Invalid if its own
    result failed the independent check.

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
    tell = on_progress
    if progress is not None:

        def tell(count: int, bound: int) -> None:
            progress(f"{count:,} bins, at least {bound:,} needed")
            if on_progress is not None:
                on_progress(count, bound)

    def spent(part):
        left = max(0.0, time_limit - CHECKED * len(problem.items))
        return iterations is None and clock() - start >= part * left

    if len(problem.items) == 0:
        state, bound = (
            State(np.empty(0, np.int64), np.empty((0, 2), np.int64), np.empty(0, bool)),
            0,
        )
    else:
        state, bound = _solve(
            problem,
            spent=spent,
            iterations=iterations,
            rng=generator("seed", seed),
            on_progress=tell,
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
    spent: Callable[[float], bool],
    iterations: int | None,
    rng: np.random.Generator,
    on_progress: Callable[[int, int], object] | None,
    proposals: Callable | None,
    share: float,
) -> tuple[State, int]:
    """The best State of a problem with at least one item, and its lower bound. spent(share): is
    that share of the time over?
    """
    items, bin_size, turnable = problem.grown, problem.grown_bin, problem.turnable

    def late():
        return spent(1)

    bound = lower_bound(items, bin_size, rotate=turnable, stop=lambda: spent(FIRST))
    rounds = ROUNDS if iterations is None else min(ROUNDS, int(iterations))
    state, upright = _first(items, bin_size, turnable, bound, rng, spent, rounds)
    if bound == 1 < state.count:
        state, bound, iterations = _into_one(
            items, bin_size, turnable, state, rng, late, iterations, on_progress
        )
    options: dict[str, Any] = {"proposals": proposals, "share": share, "stop": late}
    searches = [Search(items, bin_size, state, rotate=turnable, rng=rng, **options)]
    if upright and state.count > bound:
        must_turn = np.any(items > np.asarray(bin_size), axis=1)
        own = rng.spawn(1)[0]
        searches.append(Search(items, bin_size, upright, rotate=must_turn, rng=own, **options))
    step = 0
    best = state
    while best.count > bound and not late() and step != iterations:
        search = searches[-1 if step % UPRIGHT == UPRIGHT - 1 else 0]
        search.step()
        if search.count < best.count:
            best = search.best
            if searches[0] is not search:
                searches[0].aim(best)
            if on_progress:
                on_progress(best.count, bound)
        step += 1
    return best, bound


def _first(
    items: np.ndarray,
    bin_size: tuple[int, int],
    turnable: np.ndarray,
    bound: int,
    rng: np.random.Generator,
    spent: Callable[[float], bool],
    rounds: int,
) -> tuple[State, State | None]:
    """A State to search from, and the best without turning, None where that is the same: single
    passes; of many items first a whole answer in groups, and then no more passes than a share of
    the time has room for; where there are many copies, up to `rounds` rounds of patterns.
    """
    n = len(items)
    copied = n >= COPIES * len(np.unique(items[:, 0] * (int(items.max()) + 1) + items[:, 1]))
    many = n > TOGETHER or copied

    def passes(who, best):
        return single_passes(
            items,
            bin_size,
            rotate=who,
            target=bound,
            stop=lambda: spent(PASSES if many else 1),
            best=best,
        )

    whole = in_groups(items, bin_size, turnable, stop=lambda: spent(FIRST)) if many else None
    state = passes(turnable, whole)
    upright = None
    must_turn = np.any(items > np.asarray(bin_size), axis=1)
    if (turnable & ~must_turn).any() and state.count > bound:
        upright = passes(must_turn, None)
        state = min(state, upright, key=lambda one: one.count)
    if copied:
        values = first_values(items, bin_size, turnable)
        for _ in range(rounds):
            if state.count <= bound or spent(PATTERNS):
                break
            other = by_patterns(items, bin_size, turnable, values, rng, lambda: spent(PATTERNS))
            state = min(state, other, key=lambda one: one.count)
    return state, upright


def _into_one(
    items: np.ndarray,
    bin_size: tuple[int, int],
    turnable: np.ndarray,
    state: State,
    rng: np.random.Generator,
    late: Callable[[], bool],
    iterations: int | None,
    on_progress: Callable[[int, int], object] | None,
) -> tuple[State, int, int | None]:
    """Search for a packing into one bin: the State, the bound (2 where the tree of all packings was
    searched to its end), and what is left of the iterations.

    Trees are searched from below and from the left and, where items may turn, without turning those
    that need not, a step of each in turn; beyond EXACT items also orders, by local search.
    """
    n = len(items)
    must_turn = np.any(items > np.asarray(bin_size), axis=1)
    ways = [turnable, must_turn] if (turnable & ~must_turn).any() else [turnable]
    trees = []
    for who in ways if n <= TREE else []:
        trees.append(one_bin.search(items, bin_size, who, rng))
        trees.append(_transposed(one_bin.search(items[:, ::-1], bin_size[::-1], who, rng)))
    orders = [Orders(items, bin_size, who, rng, late) for who in ways] if n > EXACT else []
    turns = [tree for _ in range(TREE_STEPS if orders else 1) for tree in trees]
    step = 0
    while (turns or orders) and not late() and step != iterations:
        found = None
        for tree in list(turns):
            if found or late() or tree not in turns:
                continue
            try:
                found = next(tree)
            except StopIteration:
                if tree in trees[:2]:  # all packings there are
                    return state, 2, None if iterations is None else iterations - step
                turns = [other for other in turns if other is not tree]
        for tries in orders:
            found = found or tries.step()
        step += 1
        if found:
            if on_progress:
                on_progress(1, 1)
            return found, 1, 0
    return state, 1, None if iterations is None else iterations - step


def _transposed(steps: Iterator[State | None]) -> Iterator[State | None]:
    """A search's steps with x and y exchanged in what it finds."""
    for found in steps:
        yield found and replace(found, positions=found.positions[:, ::-1])


def _check_options(time_limit: float, iterations: int | None, share: float) -> None:
    """Raise ValueError, naming the option, on one that cannot be."""
    if not number(time_limit) >= 0:
        raise ValueError(f"time_limit: expected seconds >= 0, got {time_limit!r}")
    if iterations is not None:
        whole("iterations", iterations)
    if not 0 <= number(share) <= 1:
        raise ValueError(f"share: expected a number from 0 to 1, got {share!r}")


def _checked_names(names: Sequence[str] | None, n: int) -> tuple[str, ...]:
    """names as a tuple, () for none. Raises ValueError where they are not one an item."""
    if names is None:
        return ()
    if isinstance(names, str) or not isinstance(names, Sized) or len(names) != n:
        raise ValueError(f"names: expected one for each of {n} items, got {names!r:.60}")
    return tuple(str(name) for name in names)
