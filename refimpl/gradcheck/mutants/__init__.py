"""Planted errors: the score of refimpl.gradcheck, and of other checkers, on wrong and on correct
gradients.

python -m refimpl mutants      planted errors, 1,000 correct cases at all scales, peers
"""

import warnings
from collections import Counter

import numpy as np

from refimpl.gradcheck.mutants.cases import Case, cases
from refimpl.gradcheck.mutants.peers import accepts, installed
from refimpl.gradcheck.mutants.planted import PLANTED as PLANTED_ROWS
from refimpl.gradcheck.mutants.planted_conv import PLANTED_IMAGES
from refimpl.gradcheck.mutants.planted_networks import PLANTED_NETWORKS
from refimpl.gradcheck.mutants.planted_silent import PLANTED_SILENT

PLANTED = [*PLANTED_ROWS, *PLANTED_IMAGES, *PLANTED_NETWORKS, *PLANTED_SILENT]
BEYOND_VALUES = (
    "in place",
    "always float64",
    "stale",
    "both ways",
    "ties:",
    "rule",
    "deconvnet",
    "guided",
    "running",
    "the largest magnitude",
    "the buffer added to",
    "shares",
)  # what a checker of gradients cannot see: purity, dtypes, conventions
__all__ = ["Case", "PLANTED", "cases", "correct_cases", "main_mutants", "mutant"]


def mutant(name, alter, *, seed=7):
    """The case of that name with one piece of the real code altered, at unit scale."""
    return cases(np.random.default_rng(seed), swap={name: alter})[name]


def accused(case, rng):
    """Whether our checker rejects the case; no verdict is no rejection."""
    accepted, words = case.check(rng)
    return not accepted and not words.startswith(("no verdict", "kink"))


def correct_cases(count, rng, *, all_scales=True):
    """`count` correct cases at random shapes and scales from 1e-8 to 1e8 (or 1 alone)."""
    while count > 0:
        shapes = {axis: int(rng.integers(1, 6)) for axis in ("n", "d", "k")}
        scale = 10.0 ** rng.uniform(-8, 8) if all_scales else 1.0
        some = list(cases(rng, scale=scale, **shapes).values())[:count]
        count -= len(some)
        yield from some


def main_mutants(quick=False, out=print):
    """Print the score; return 0 if every planted error is rejected and no correct case is, else 1.
    quick: no peers.

    Peers are handed the same functions and inputs, in float64. They have no rule for purity, dtypes
    and caches that go stale, so a row counts the planted errors of value alone.
    """
    peers, missing = ({}, []) if quick else installed()
    rng, rows, unknown = np.random.default_rng(0), [], 0
    alarms: Counter[str] = Counter()
    alarms_one: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, what, alter in PLANTED:
            rows.append(
                (
                    name,
                    what,
                    {
                        "refimpl": accused(mutant(name, alter), np.random.default_rng(1)),
                        **{p: not accepts(rule, mutant(name, alter)) for p, rule in peers.items()},
                    },
                )
            )
        for count, everywhere, tally in ((1000, True, alarms), (200, False, alarms_one)):
            for case in correct_cases(count, rng, all_scales=everywhere):
                accepted, words = case.check(rng)
                unknown += words.startswith("no verdict")
                tally.update(["refimpl"] if not accepted and words[:2] != "no" else [])
                tally.update(p for p, rule in peers.items() if not accepts(rule, case))
    values = [row for row in rows if not any(word in row[1] for word in BEYOND_VALUES)]
    who = ["refimpl", *peers]

    def line(label, cells):
        out(f"{label:<68}" + "".join(f"{c:>10}" for c in cells))

    line("planted error", who)
    for name, what, rejected in rows:
        line(f"{name}: {what}", ["killed" if rejected[p] else "SURVIVES" for p in who])
    line(f"killed of {len(rows)}", [sum(r[p] for _, _, r in rows) for p in who])
    line(
        f"killed of the {len(values)} wrong in value alone",
        [sum(r[p] for _, _, r in values) for p in who],
    )
    line("false alarms on 1000 correct cases, scales 1e-8 to 1e8", [alarms[p] for p in who])
    line("false alarms on 200 correct cases, scale 1", [alarms_one[p] for p in who])
    if missing:
        out(f"not installed: {', '.join(missing)}")
    wrongly = alarms["refimpl"] + alarms_one["refimpl"]
    killed = sum(r["refimpl"] for _, _, r in rows)
    if unknown:
        out(f"no verdict on {unknown} of 1200 correct cases: saturated units, round-off is left")
    if wrongly:
        out(f"correct code was accused {wrongly} times")
    out(f"killed {killed} / {len(rows)} planted")
    return int(killed < len(rows) or wrongly > 0)
