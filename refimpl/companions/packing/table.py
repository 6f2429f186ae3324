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
    rows = []
    for v in _of(runs, "thesis"):
        for one in v["sets"]:
            for way, (tries, of_eight, left) in one["ways"].items():
                sets = f"{one['sets']:,} sets of {one['bins']} bins"
                others = ["", ""] if of_eight is None else [f"{of_eight:.3f}", f"{left:.4f}"]
                rows.append([sets, way, f"{tries:.3f}", *others])
    headings = ["items of full bins, repacked", "way", "success a try", "one of 8 tries"]
    return markdown([*headings, "left over, bins"], rows)


def _race(runs: list[Run]) -> str:
    """The share of the sets that are packed within a CPU time; nothing where no run has it."""
    found = []
    for race in (v["race"] for v in _of(runs, "thesis") if "race" in v):
        limits = [f"{1000 * limit:.0f} ms" for limit in race["limits"]]
        rows = [[way, *(f"{s:.3f}" for s in shares)] for way, shares in race["shares"].items()]
        found.append(markdown([f"{race['sets']} sets of 5 bins, packed within", *limits], rows))
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
    rows = [
        [way, f"{one['bins']}", f"{one['level']:.4f}", f"{one['met']}", f"{one['seconds']:.2f}"]
        for v in _of(runs, "proposals")
        for way, one in v["ways"].items()
    ]
    headings = ["proposals in the engine's search", "bins", "mean level - bound", "bound met"]
    return markdown([*headings, "CPU s each"], rows)


def _tests(runs: list[Run]) -> str:
    found = [("level - bound", test) for v in _of(runs, "proposals") for test in v["tests"]]
    for v in _of(runs, "thesis"):
        for one in v["sets"]:
            found += [(f"{one['bins']} bins, {test['measure']}", test) for test in one["tests"]]
    rows = [
        [what, test["between"], f"{test['mean']:+.4f} ± {test['half']:.4f}", f"{test['p']:.0e}"]
        for what, test in found
    ]
    return markdown(["measure", "paired difference", "mean, 95 %", "p"], rows)


def table(runs: list[Run]) -> str:
    """The README's tables of all recorded runs.

    >>> values = {"kind": "benchmark", "instances": "published", "orientation": "oriented"}
    >>> values |= {"limit": 5.0, "count": 500, "bins": 7235, "best_known": 7225, "bound": 7169}
    >>> values |= {"gap": 0.92, "optimal": 434, "seconds": 0.75}
    >>> "| 7,235 | 7,241 (GRASP" in table([Run("pack", "2026-11-21", "0.1.0", values)])
    True
    """
    parts = (_benchmark, _repacked, _race, _max_cut, _proposals, _tests)
    return "\n\n".join(filter(None, (part(runs) for part in parts)))
