"""The measured table of the room's README: bins of the published instances beside the literature,
and whether the gradient helps.
"""

from typing import Any

from refimpl.report.room_table import Run, markdown

PUBLISHED = {  # (orientation, seconds): total bins of the 500 instances in the literature
    ("oriented", 5.0): "7,241 (GRASP/VND, Parreño et al. 2010)",
    ("oriented", 30.0): "7,234 (BRKGA, Gonçalves and Resende 2013)",
    ("rotated", 5.0): "6,988 (BRKGA)",
}


def _of(runs: list[Run], kind: str) -> list[dict[str, Any]]:
    return [run.values for run in runs if run.values["kind"] == kind]


def _benchmark(runs: list[Run]) -> str:
    rows = []
    for v in _of(runs, "benchmark"):
        known = v["best_known"]
        printed = PUBLISHED.get((v["orientation"], v["limit"]), "") if known else ""
        rows.append(
            [
                f"{v['count']} {v['instances']}, {v['orientation']}, {v['limit']:g} s "
                f"({v['seconds']:.2f} s on average)",
                f"{v['bins']:,}",
                printed,
                f"{known:,}" if known else "",
                f"{v['bound']:,}",
                f"{v['gap']:.2f}",
                f"{v['optimal']}",
            ]
        )
    headings = ["instances, one core each", "bins", "known from the literature", "best known"]
    return markdown([*headings, "lower bound", "gap, %", "proven optimal"], rows)


def _repacked(runs: list[Run]) -> str:
    """A table a run: each way on sets of five bins, with the paired test of success a try against
    the ascent, and its success a try on sets of three and of eight.
    """
    found = []
    for v in _of(runs, "thesis"):
        five, *others = v["sets"]
        p_of = {
            test["between"].removeprefix("ascended - "): test["p"]
            for test in five["tests"]
            if test["measure"] == "success a try"
        }
        rows = []
        for way, (tries, of_eight, left) in five["ways"].items():
            cells = ["", ""] if of_eight is None else [f"{of_eight:.3f}", f"{left:.4f}"]
            p = f"{p_of[way]:.0e}" if way in p_of else ""
            there = [one["ways"].get(way) for one in others]
            rows.append(
                [way, f"{tries:.3f}", *cells, p, *(f"{o[0]:.3f}" if o else "" for o in there)]
            )
        headings = [f"{five['sets']:,} sets of {five['bins']} bins", "success a try"]
        headings += ["one of 8 tries", "left over, bins", "p against ascended"]
        headings += [f"a try, {one['sets']} of {one['bins']} bins" for one in others]
        found.append(markdown(headings, rows))
    return "\n\n".join(found)


def _tried(runs: list[Run]) -> str:
    """Each way at equal tries and at equal CPU time; nothing where no run has it."""
    found = []
    for run in _of(runs, "thesis"):
        if "attempts" not in run:
            continue
        tried = run["attempts"]
        rows = []
        for way, one in tried["ways"].items():
            tries, within = one["tries"], one["time"]
            cells = [f"{tries[0]:.3f}", f"{tries[1]:.3f}", f"{tries[2]:.0e}"] if tries else [""] * 3
            cells += [f"{v:.3f}" for v in within[:-1]] if within else [""] * len(tried["limits"])
            rows.append([way, *cells, f"{within[-1]:.0e}" if within else ""])
        limits = [f"{1000 * limit:.0f} ms" for limit in tried["limits"]]
        sets = f"{run['sets'][0]['sets']} sets of 5 bins; {tried['timed']} at equal time"
        headings = [sets, "success a try", "one of 8 tries", "p", *limits, "p"]
        found.append(markdown(headings, rows))
    return "\n\n".join(found)


def _max_cut(runs: list[Run]) -> str:
    """Max-cut a try, and as a gap to the best at equal time; untrained networks by their ends."""
    found = []
    for v in _of(runs, "max-cut"):
        blind = [row for way, row in v["ways"].items() if way.startswith("untrained")]
        ways = {w: row for w, row in v["ways"].items() if not w.startswith("untrained")}
        ways["untrained, least of ten"] = min(blind)
        ways["untrained, most of ten"] = max(blind)
        rows = []
        for way, (cut, right, mean, half, p) in ways.items():
            tested = ["", ""] if mean is None else [f"{mean:+.2f} ± {half:.2f}", f"{p:.0e}"]
            rows.append([way, f"{cut:.1f}", f"{right:.2f}", *tested])
        headings = ["max-cut", "cut a try", "exact on 16 vertices, best of 8"]
        found.append(markdown([*headings, "less un-ascended", "p"], rows))
        races = [[way, *(f"{gap:.2f}" for gap in gaps)] for way, gaps in v["gaps"].items()]
        limits = [f"{1000 * limit:.0f} ms" for limit in v["limits"]]
        found.append(markdown(["max-cut at equal time, gap to the best", *limits], races))
    return "\n\n".join(found)


def _proposals(runs: list[Run]) -> str:
    """The sources of proposals, with the paired test of the level against the ascended ones."""
    rows = []
    for v in _of(runs, "proposals"):
        tests = {test["between"].partition(" - ")[2]: test for test in v["tests"]}
        for way, one in v["ways"].items():
            cells = [f"{one['bins']}", f"{one['level']:.4f}", f"{one['met']}"]
            test = tests.get(way)
            less = f"{test['mean']:+.4f} ± {test['half']:.4f}, p {test['p']:.0e}" if test else ""
            rows.append([way, *cells, f"{one['seconds']:.2f}", less])
    headings = ["proposals in the engine's search", "bins", "mean level - bound", "bound met"]
    return markdown([*headings, "CPU s each", "ascended less this one, level"], rows)


def table(runs: list[Run]) -> str:
    """The README's tables of all recorded runs.

    >>> values = {"kind": "benchmark", "instances": "published", "orientation": "oriented"}
    >>> values |= {"limit": 5.0, "count": 500, "bins": 7235, "best_known": 7225, "bound": 7169}
    >>> values |= {"gap": 0.92, "optimal": 434, "seconds": 0.75}
    >>> "| 7,235 | 7,241 (GRASP" in table([Run("pack", "2026-11-21", "0.1.0", values)])
    True
    """
    parts = (_benchmark, _repacked, _tried, _max_cut, _proposals)
    return "\n\n".join(filter(None, (part(runs) for part in parts)))
