"""What was tried so that the thesis pays: each way beside plain best fit, at equal tries and at
equal CPU time.

Sets of five full bins, fresh as in study.py. The ways:
    best fit                 no network; at the noise that is best for a single try, and at the one
                             that is best over many
    contents                 contents.py: a whole relaxed solution ascended at once, decoded without
                             a second look; un-ascended; after rounds on its own ascended inputs;
                             and each with a second look, where best fit repairs it
    item by item             the stored scorer's wish: three steps of ascent, the same in one
                             gradient, read forward; trained further on states that it meets
    item and bin together    one backward pass over all items to come (together.py); the bin asked
                             for once more
    best fit, then           a batch of best fit, then item by item; at equal time only
    ruin and recreate        the engine's search; at equal time only

At equal time a way makes batches of tries, each twice the one before, up to the size that serves it
best (development sets).
"""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.companions.packing import placement
from refimpl.companions.packing.thesis import contents, repack, together
from refimpl.companions.packing.thesis.assignment import decode_sequences, noisy_orders
from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.scorer import Scorer, load, new_scorer, trained
from refimpl.companions.packing.thesis.wishes import closed_form, read_forward
from refimpl.ledger.paired import paired_test

Way = Callable[[np.ndarray, tuple[int, int], int, int, np.random.Generator], np.ndarray]

HERE = Path(__file__).parent
TRIES = 8  # a set, at equal tries
BATCHES = (8, 128)  # tries in the first batch and in the largest, at equal time
SLOW = 32  # the largest of a network's that decides item after item
LIMITS = (0.02, 0.05, 0.1, 0.2)  # CPU seconds a set
PLAIN, MANY = "best fit, noise .02", "best fit, noise .4"
NOISY = 0.3  # of the order, for a network's many tries
BY_ITEM, FIRST = "item by item, one gradient", "best fit, then item by item"
RUIN = "ruin and recreate"


@lru_cache(maxsize=4)
def stored(name: str) -> Scorer:
    """A network that was trained for these attempts, read once.

    >>> len(stored("contents").parameters)
    6
    """
    new = new_scorer if name.startswith("scorer") else contents.new_network
    return load(HERE / f"{name}.npz", new)


def best_fit(noise: float) -> Way:
    """Plain best fit in noisy orders: (tries,) bool, whether all items went into k bins.

    >>> items = np.array([[6, 10], [4, 10], [5, 10], [5, 10]])
    >>> best_fit(0.0)(items, (10, 10), 2, 3, np.random.default_rng(0)).tolist()
    [True, True, True]
    """

    def way(items, bin_size, k, tries, rng):
        bins = placement.decode(_orders(items, tries, noise, rng), bin_size, limit=k).bins
        return (bins >= 0).all(axis=1)

    return way


def _orders(items: np.ndarray, tries: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """`tries` noisy orders of items (n, 2), the largest first: (tries, n, 2)."""
    rows = np.repeat(items[None], tries, axis=0)
    order = noisy_orders(rows.prod(axis=2), noise, rng)
    return np.take_along_axis(rows, order[..., None], axis=1)


def of_contents(name: str, *, steps: int, again: bool) -> Way:
    """The contents network's assignment, ascended for `steps`; again: repaired by best fit.

    >>> items = np.array([[6, 10], [4, 10], [5, 10], [5, 10]])
    >>> way = of_contents("contents", steps=60, again=True)
    >>> way(items, (10, 10), 2, 3, np.random.default_rng(0)).tolist()
    [True, True, True]
    """

    def way(items, bin_size, k, tries, rng):
        problem = contents.Problem.of(stored(name), items, bin_size, k)
        z = contents.climb(problem, contents.blank(problem, tries, rng), steps=steps)
        made = contents.repaired if again else contents.solved
        return made(problem, z.argmax(axis=2), rng)

    return way


def item_by_item(scorer: Scorer, wish: Callable[[Partial], np.ndarray] | None = closed_form) -> Way:
    """The scorer's wish (wishes.py) for one item after another; None: three steps of ascent each.

    >>> items = np.array([[6, 10], [4, 10], [5, 10], [5, 10]])
    >>> item_by_item(trained())(items, (10, 10), 2, 3, np.random.default_rng(0)).tolist()
    [True, True, True]
    """

    def way(items, bin_size, k, tries, rng):
        rows = _orders(items, tries, NOISY, rng)
        found = decode_sequences(scorer, rows, bin_size, k, rng=rng, wish=wish)
        return found.overflow == 0

    return way


def item_and_bin(scorer: Scorer, *, again: bool) -> Way:
    """Item and bin by one backward pass (together.pack_together).

    >>> items = np.array([[6, 10], [4, 10], [5, 10], [5, 10]])
    >>> way = item_and_bin(trained(), again=True)
    >>> way(items, (10, 10), 2, 3, np.random.default_rng(0)).tolist()
    [True, True, True]
    """

    def way(items, bin_size, k, tries, rng):
        rows = np.repeat(items[None], tries, axis=0)
        options: dict[str, Any] = {"rng": rng, "order": NOISY, "again": again}
        return together.pack_together(scorer, rows, bin_size, k, **options) == 0

    return way


def ways() -> dict[str, Way]:
    """All ways that make tries, by their names in the table.

    >>> PLAIN in ways(), RUIN in ways()
    (True, False)
    """
    return {
        PLAIN: best_fit(0.02),
        MANY: best_fit(0.4),
        "contents, un-ascended": of_contents("contents", steps=0, again=False),
        "contents, ascended": of_contents("contents", steps=contents.STEPS, again=False),
        "contents, retrained on its own": of_contents(
            "contents_again", steps=contents.STEPS, again=False
        ),
        "contents, un-ascended, repaired": of_contents("contents", steps=0, again=True),
        "contents, ascended, repaired": of_contents("contents", steps=contents.STEPS, again=True),
        "contents, retrained, repaired": of_contents(
            "contents_again", steps=contents.STEPS, again=True
        ),
        "item by item, three steps": item_by_item(trained(), None),
        "item by item, read forward": item_by_item(trained(), read_forward),
        BY_ITEM: item_by_item(trained()),
        "item by item, on states met": item_by_item(stored("scorer_met")),
        "item and bin together": item_and_bin(trained(), again=False),
        "item together, bin once more": item_and_bin(trained(), again=True),
    }


def at_equal_tries(
    tried: dict[str, Way],
    sets: Sequence[tuple[np.ndarray, tuple[int, int]]],
    k: int,
    progress: Callable[[str], object] = lambda text: None,
) -> dict[str, np.ndarray]:
    """{way: (sets, TRIES) bool}, whether a try packed its set.

    >>> found = at_equal_tries({PLAIN: best_fit(0.02)}, repack.full_bins(2, 3, 5), 3)
    >>> found[PLAIN].shape
    (2, 8)
    """
    found = {}
    for name, way in tried.items():
        progress(f"{len(sets)} sets, {TRIES} tries each, {name}")
        rngs = [np.random.default_rng([2, i]) for i in range(len(sets))]
        found[name] = np.array([way(*one, k, TRIES, rng) for one, rng in zip(sets, rngs)])
    return found


def seconds(
    first: Way,
    then: Way,
    sets: Sequence[tuple[np.ndarray, tuple[int, int]]],
    k: int,
    batches: tuple[int, int],
) -> np.ndarray:
    """CPU seconds until a set is packed, inf where max(LIMITS) was not enough: (sets,). Batches of
    tries from batches[0] to batches[1], each twice the one before; the first by a way of its own.

    >>> way = best_fit(0.3)
    >>> bool((seconds(way, way, repack.full_bins(2, 3, 5), 3, (8, 32)) > 0).all())
    True
    """
    found = np.full(len(sets), np.inf)
    for i, (items, bin_size) in enumerate(sets):
        rng = np.random.default_rng([3, i])
        start = time.process_time()
        way, spent, batch = first, 0.0, batches[0]
        while spent < max(LIMITS):
            solved = way(items, bin_size, k, batch, rng).any()
            way, spent, batch = then, time.process_time() - start, min(2 * batch, batches[1])
            if solved and spent <= max(LIMITS):
                found[i] = spent
                break
    return found


def compare(
    tried: dict[str, Way],
    sets: Sequence[tuple[np.ndarray, tuple[int, int]]],
    timed: int,
    k: int,
    progress: Callable[[str], object] = lambda text: None,
) -> dict[str, dict[str, list[float] | None]]:
    """{way: {"tries": [success a try, one of TRIES, p] or None, "time": [share solved within each
    of LIMITS, p] or None}}, of all sets and of the first `timed` of them. tried: ways(), or some,
    PLAIN and MANY among them; FIRST and RUIN come by themselves.

    p: of Student's paired t over the sets, two-sided, against PLAIN a try, against MANY for what is
    solved within the longest limit.

    >>> tried = {PLAIN: best_fit(0.02), MANY: best_fit(0.4)}
    >>> found = compare(tried, repack.full_bins(2, 3, 5), 2, 3)
    >>> round(found[PLAIN]["tries"][2], 9), len(found[RUIN]["time"])
    (1.0, 5)
    """
    wins = at_equal_tries(tried, sets, k, progress)
    some, most = sets[:timed], max(LIMITS)
    times = {}
    for name, way in tried.items():
        if name != PLAIN:
            progress(f"{timed} sets, {most} s each, {name}")
            largest = SLOW if name.startswith("item") else BATCHES[1]
            times[name] = seconds(way, way, some, k, (BATCHES[0], largest))
    progress(f"{timed} sets, {most} s each, {FIRST}; {RUIN}")
    times[FIRST] = seconds(tried[MANY], item_by_item(trained()), some, k, (SLOW, SLOW))
    times[RUIN] = repack.seconds_to_solve(RUIN, trained(), some, k, limit=most)
    found: dict[str, dict[str, list[float] | None]] = {}
    for name in (*wins, FIRST, RUIN):
        row: dict[str, list[float] | None] = {"tries": None, "time": None}
        if name in wins:
            share = wins[name].mean(axis=1)
            p = paired_test(wins[PLAIN].mean(axis=1), share).p
            row["tries"] = [float(share.mean()), float(wins[name].any(axis=1).mean()), float(p)]
        if name in times:
            p = paired_test(1.0 * (times[MANY] <= most), 1.0 * (times[name] <= most)).p
            row["time"] = [*(float((times[name] <= limit).mean()) for limit in LIMITS), float(p)]
        found[name] = row
    return found


def lines(found: dict[str, dict[str, list[float] | None]], count: int, timed: int) -> list[str]:
    """The table of compare() as it is printed.

    >>> row = {"tries": [0.5, 0.75, 1.0], "time": None}
    >>> lines({"best fit": row}, 4, 2)[-1].split()
    ['best', 'fit', '0.500', '0.750', '1e+00']
    """
    limits = "".join(f"{1000 * limit:6.0f}ms" for limit in LIMITS)
    said = [
        "",
        f"what was tried: {count} fresh sets, {TRIES} tries each; {timed} of them within CPU time",
        f"  {'':36}{'a try':>8}{'one of 8':>10}{'p':>8}{limits}{'p':>8}",
    ]
    for way, row in found.items():
        tries, within = row["tries"], row["time"]
        said.append(
            f"  {way:36}"
            + (f"{tries[0]:8.3f}{tries[1]:10.3f}{tries[2]:8.0e}" if tries else " " * 26)
            + ("".join(f"{v:8.3f}" for v in within[:-1]) + f"{within[-1]:8.0e}" if within else "")
        )
    return said
