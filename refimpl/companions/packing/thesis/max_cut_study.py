"""Where ascending beats not ascending, and where it loses: max-cut, a try and at equal CPU time.

Graphs of 100 vertices with eight neighbours on average, seeds from FRESH on (development: below
100), 8 tries each. A try: the closed form and the learned score ascended, the un-ascended twin from
the same noise, ten untrained networks; Student's paired t over the graphs against the twin. At
equal CPU time: the best cut by then, as a gap to the best that any way found, tabu among them. On
graphs of 16 vertices the exact answer says how often the best of 8 tries is right.
"""

import time
from collections.abc import Callable

import numpy as np

from refimpl.companions.packing.thesis import max_cut
from refimpl.companions.packing.thesis.max_cut import (
    HIDDEN,
    LR_CUT,
    LR_NET,
    NOISE,
    STEPS,
    score_cut,
    score_network,
)
from refimpl.ledger.paired import paired_test
from refimpl.network import Network, one_hidden_net

FRESH, GRAPHS, VERTICES, TRIES, NETWORKS = 1_000, 40, 100, 8, 10
SMALL, SMALL_VERTICES = 20, 16
LIMITS = (0.005, 0.02, 0.05)  # CPU seconds a graph
Way = tuple[max_cut.Score, int, float]  # a score, its steps and lr


def ways_of(network: Network) -> dict[str, Way]:
    """{name: what is ascended, how many steps, how far}.

    >>> list(ways_of(one_hidden_net(2, HIDDEN, 1, rng=np.random.default_rng(0))))[:2]
    ['un-ascended', 'closed form']
    """
    ways: dict[str, Way] = {
        "un-ascended": (score_cut, 0, LR_CUT),
        "closed form": (score_cut, STEPS, LR_CUT),
        "learned": (score_network(network), STEPS, LR_NET),
    }
    for seed in range(NETWORKS):
        blind = one_hidden_net(2, HIDDEN, 1, rng=np.random.default_rng(seed))
        ways[f"untrained, network {seed}"] = (score_network(blind), STEPS, LR_NET)
    return ways


def one_try(way: Way, a: np.ndarray, tries: int, rng: np.random.Generator) -> np.ndarray:
    """The cuts (tries,) of a graph A (n, n) by one way.

    >>> a = max_cut.draw(10, np.random.default_rng(0))
    >>> one_try((score_cut, 2, 0.3), a, 3, np.random.default_rng(0)).shape
    (3,)
    """
    score, steps, lr = way
    z = NOISE * rng.standard_normal((tries, len(a)))
    return max_cut.cuts(a, max_cut.decode(a, max_cut.visualize(score, a, z, steps=steps, lr=lr)))


def best_in_time(
    way: Way | str, a: np.ndarray, limits: tuple[float, ...], rng: np.random.Generator
) -> list[float]:
    """The best cut after each of the limits of CPU seconds; way "tabu": from random signs.

    >>> a = max_cut.draw(10, np.random.default_rng(0))
    >>> found = best_in_time("tabu", a, (0.001, 0.01), np.random.default_rng(0))
    >>> found == sorted(found)
    True
    """
    start, best, found = time.process_time(), 0.0, []
    for limit in limits:
        while time.process_time() - start < limit:
            if isinstance(way, str):
                s = np.where(rng.random(len(a)) < 0.5, -1.0, 1.0)
                made = max_cut.cuts(a, max_cut.tabu(a, s, rng, steps=150)[None])
            else:
                made = one_try(way, a, 1, rng)
            best = max(best, float(made.max()))
        found.append(best)
    return found


def run(progress: Callable[[str], object]) -> tuple[list[str], dict]:
    """(lines, values): the ways a try, at equal time and on small graphs. About a minute.

    >>> callable(run)
    True
    """
    progress("max-cut: training the score")
    ways = ways_of(max_cut.train(np.random.default_rng(0)))
    graphs = [max_cut.draw(VERTICES, np.random.default_rng([FRESH, i])) for i in range(GRAPHS)]
    small = [
        max_cut.draw(SMALL_VERTICES, np.random.default_rng([FRESH, 1, i])) for i in range(SMALL)
    ]
    answers = np.array([max_cut.exact(a) for a in small])
    tries, right = {}, {}
    for name, way in ways.items():
        progress(f"max-cut: {GRAPHS} graphs, {name}")
        rngs = [np.random.default_rng([7, i]) for i in range(GRAPHS)]
        found = [one_try(way, a, TRIES, rng).mean() for a, rng in zip(graphs, rngs)]
        tries[name] = np.array(found)
        best = [one_try(way, a, TRIES, rng).max() for a, rng in zip(small, rngs)]
        right[name] = float((np.array(best) == answers).mean())
    racers: dict[str, Way | str] = {n: ways[n] for n in ("un-ascended", "closed form", "learned")}
    times = {}
    for name, racer in (racers | {"tabu": "tabu"}).items():
        progress(f"max-cut at equal time: {name}")
        rngs = [np.random.default_rng([8, i]) for i in range(GRAPHS)]
        times[name] = np.array([best_in_time(racer, a, LIMITS, r) for a, r in zip(graphs, rngs)])
    most = np.max([found[:, -1] for found in times.values()], axis=0)
    gaps = {name: (most[:, None] - found).mean(axis=0).tolist() for name, found in times.items()}
    values = values_of(tries, right, gaps)
    return lines(values), values


def values_of(
    tries: dict[str, np.ndarray], right: dict[str, float], gaps: dict[str, list[float]]
) -> dict:
    """What is recorded: {"kind": "max-cut", "ways": {name: [cut, exact, difference, half, p]}}.

    >>> made = values_of({"un-ascended": np.ones(3), "learned": np.arange(3.0)}, {}, {})
    >>> made["ways"]["learned"][:1], made["ways"]["un-ascended"][2:]
    ([1.0], [None, None, None])
    """
    rows: dict[str, list] = {}
    for name, found in tries.items():
        test = paired_test(tries["un-ascended"], found)
        compared = [None] * 3 if name == "un-ascended" else [test.mean, test.half, test.p]
        rows[name] = [float(found.mean()), right.get(name), *compared]
    return {"kind": "max-cut", "ways": rows, "limits": list(LIMITS), "gaps": gaps}


def lines(values: dict) -> list[str]:
    """The tables as text.

    >>> lines({"ways": {"learned": [2.0, 0.5, 1.0, 0.1, 0.01]}, "gaps": {}})[2].split()
    ['learned', '2.0', '0.50', '+1.00', '±', '0.10', '0.01']
    """
    found = [
        f"Max-cut: {GRAPHS} graphs of {VERTICES} vertices, {TRIES} tries each; exact on {SMALL} of "
        f"{SMALL_VERTICES}",
        f"  {'way':26}{'cut a try':>12}{'exact, best of 8':>18}{'less un-ascended':>22}{'p':>9}",
    ]
    for name, (cut, exact, mean, half, p) in values["ways"].items():
        tested = "" if mean is None else f"{mean:+14.2f} ± {half:5.2f}{p:9.1g}"
        found.append(f"  {name:26}{cut:12.1f}{exact:18.2f}{tested}")
    if values["gaps"]:
        head = "".join(f"{1000 * limit:7.0f} ms" for limit in values["limits"])
        found += ["", f"  {'gap to the best, within':26}{head}"]
    for name, row in values["gaps"].items():
        found.append(f"  {name:26}" + "".join(f"{gap:10.2f}" for gap in row))
    return found
