"""The counts of many functions and seeds: what a record holds and a table shows."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from refimpl.gradcheck.mutants.public.plant import KINDS

METHODS = ("complex step", "differences")


def summary(library: str, rows: Sequence[dict], skipped: Sequence[dict], seeds: int) -> dict:
    """The counts of one library.

    rows: what judge() returned; skipped: {"name", "reason"}, once a function.

    >>> row = {"name": "sin", "verdict": "pass", "words": "", "method": "complex step"}
    >>> planted = {kind: {"caught": True, "equivalent": False, "words": ""} for kind in KINDS}
    >>> found = summary("torch", [row | {"seconds": 1.0, "planted": planted, "peers": {}}], [], 1)
    >>> found["functions"], found["planted"][KINDS[0]]["complex step"]
    (1, [1, 1])
    """
    verdicts = Counter(row["verdict"].partition(":")[0] for row in rows)
    reasons = defaultdict(set)
    judged = {row["name"] for row in rows}
    for one in skipped:
        if one["name"] not in judged:
            reasons[one["reason"]].add(one["name"])
    return {
        "library": library,
        "functions": len(judged),
        "seeds": seeds,
        "checks": len(rows),
        "verdicts": {kind: verdicts[kind] for kind in ("pass", "fail", "no verdict", "crash")},
        "alarms": _names(rows, "fail"),
        "unknown": _names(rows, "no verdict"),
        "crashes": _names(rows, "crash"),
        "planted": {kind: _counts(rows, kind) for kind in KINDS},
        "missed": sorted(
            {
                f"{row['name']}: {kind}"
                for row in rows
                for kind, p in row["planted"].items()
                if not p["caught"] and not p["equivalent"]
            }
        ),
        "skipped": {reason: sorted(names) for reason, names in sorted(reasons.items())},
        "seconds": sum(row["seconds"] for row in rows),
        "peers": _peers(rows),
    }


def _names(rows, verdict):
    return sorted({row["name"] for row in rows if row["verdict"].startswith(verdict)})


def _counts(rows, kind):
    """{method: [caught, of], "equivalent": [caught, of]}."""
    counts = {method: [0, 0] for method in (*METHODS, "equivalent")}
    for row in rows:
        if kind in row["planted"]:
            found = row["planted"][kind]
            where = "equivalent" if found["equivalent"] else row["method"]
            counts[where][0] += found["caught"]
            counts[where][1] += 1
    return counts


def _peers(rows) -> dict[str, Any]:
    """{checker: {"right": [rejected, of], kind: [caught, of], "seconds"}}, ours among them, over
    the functions that were put to all.

    Planted errors that are equivalent are left out.
    """
    together = [row for row in rows if row["peers"]]
    names = list(together[0]["peers"]) if together else []
    table = {}
    for name in ["refimpl", *names] if names else []:
        said = [_said(row, name) for row in together]
        table[name] = {"right": [sum(not s["right"] for s in said), len(said)]}
        for kind in KINDS:
            asked = [
                s
                for s, row in zip(said, together)
                if kind in row["planted"] and not row["planted"][kind]["equivalent"]
            ]
            table[name][kind] = [sum(s[kind] for s in asked), len(asked)]
        table[name]["seconds"] = sum(s["seconds"] for s in said)
    return table


def _said(row, name):
    """What one checker said of a function right (accepted) and wrong (caught)."""
    if name != "refimpl":
        return row["peers"][name]
    caught = {kind: p["caught"] for kind, p in row["planted"].items()}
    return {"right": row["verdict"] != "fail", "seconds": row["seconds"], **caught}
