"""From measured values to what results.json says of them: each claim gets the verdict that the rule
gives it, each measurement its mean and spread. Claims and measurements are handed in.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from refimpl.ledger.claim import Claim, Entry, Measurement
from refimpl.ledger.verdict import verdict


def spread(ours: Sequence) -> dict:
    """{mean, sd, n} of one number a seed; sd is None for one seed, and 0 where only the round-off
    of the mean tells equal numbers apart.

    >>> spread([1.0, 3.0])["mean"], spread([0.1, 0.1, 0.1])["sd"], spread([5])["sd"]
    (2.0, 0.0, None)
    """
    sd = float(np.std(ours, ddof=1)) if len(ours) > 1 else None
    if sd and sd < 1e-13 * abs(np.mean(ours)):
        sd = 0.0
    return {"mean": float(np.mean(ours)), "sd": sd, "n": len(ours)}


def judge(values: Mapping[str, Sequence], entries: Iterable[Entry]) -> list[dict]:
    """One row of the ledger for each claim whose id was measured; values is {id: [one number a seed
    or run]}. Measurements among the entries are passed over.

    A claim in words is "reproduced" where its relation holds on the seeds that there are; one of
    our own predictions is "as predicted". A row: id, section, what, paper, ours {mean, sd, n} (as
    `spread`), distance_sd, verdict, expects, protocol, unspecified, heading, cell_of.

    >>> claim = Claim("accuracy", "5", "test accuracy, %", paper=91.76)
    >>> row = judge({"accuracy": [91.7, 91.8, 91.9, 91.8, 91.7]}, [claim])[0]
    >>> row["paper"], row["ours"]["n"], row["verdict"]
    (91.76, 5, 'reproduced')
    """
    return [
        _row(claim, dict(values))
        for claim in entries
        if isinstance(claim, Claim) and claim.id in values
    ]


def _row(claim: Claim, values: dict[str, Sequence]) -> dict:
    seeds, ours = values[claim.id], spread(values[claim.id])
    distance = None
    excluded = bool(claim.contradicted and claim.contradicted(values))
    if claim.paper is not None:
        result = verdict(
            claim.paper, seeds, better=claim.better, unit=claim.unit, contradicted=excluded
        )
        distance = (claim.paper - ours["mean"]) / ours["sd"] if ours["sd"] else None
    else:
        holds = bool(claim.relation and claim.relation(values))
        result = _in_words(claim.own, holds, excluded, len(seeds))
    return {
        "id": claim.id,
        "section": claim.section,
        "what": claim.what,
        "paper": claim.paper,
        "ours": ours,
        "distance_sd": distance,
        "verdict": result,
        "expects": claim.expects,
        "protocol": claim.protocol,
        "unspecified": claim.unspecified,
        "heading": claim.heading,
        "cell_of": claim.cell_of,
    }


def _in_words(own: bool, holds: bool, excluded: bool, seeds: int) -> str:
    """The verdict on a relation. One seed is enough to refute it; a prediction of our own needs
    five to be as predicted.
    """
    if own:
        kept = "as predicted" if seeds >= 5 else "too few seeds"
        return kept if holds else "not as predicted"
    if excluded:
        return "contradicted"
    return "reproduced" if holds else "not reproduced"


def measurements(values: Mapping[str, Sequence], entries: Iterable[Entry]) -> list[dict]:
    """{id, what, mean, sd, n, protocol, heading, cell_of} of each measurement whose id was
    measured; claims among the entries are passed over.

    >>> measurements({"bytes": [8000, 8200]}, [Measurement("bytes", "bytes of the files")])[0][
    ...     "mean"
    ... ]
    8100.0
    """
    return [
        {
            "id": entry.id,
            "what": entry.what,
            **spread(values[entry.id]),
            "protocol": entry.protocol,
            "heading": entry.heading,
            "cell_of": entry.cell_of,
        }
        for entry in entries
        if isinstance(entry, Measurement) and entry.id in values
    ]
