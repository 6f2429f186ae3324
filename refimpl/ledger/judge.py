"""From measured values to rows of the ledger: each claim gets the verdict that the rule gives it.
The claims are handed in.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from refimpl.ledger.claim import Claim
from refimpl.ledger.verdict import verdict


def judge(values: Mapping[str, Sequence], claims: Iterable[Claim]) -> list[dict]:
    """One row of results.json for each claim whose id was measured; values is {id: [one number a
    seed or run]}.

    A row: id, section, what, paper, ours {mean, sd (None for one seed), n}, distance_sd, verdict,
    expects, protocol, unspecified.

    >>> claim = Claim("accuracy", "5", "test accuracy, %", paper=91.76)
    >>> row = judge({"accuracy": [91.7, 91.8, 91.9, 91.8, 91.7]}, [claim])[0]
    >>> row["paper"], row["ours"]["n"], row["verdict"]
    (91.76, 5, 'reproduced')
    """
    rows = []
    for claim in claims:
        if claim.id not in values:
            continue
        ours = values[claim.id]
        if claim.paper is not None:
            excluded = bool(claim.contradicted and claim.contradicted(values))
            result = verdict(
                claim.paper, ours, better=claim.better, unit=claim.unit, contradicted=excluded
            )
        elif claim.relation:
            result = "reproduced" if claim.relation(values) else "not reproduced"
        else:
            result = "measured"
        sd = float(np.std(ours, ddof=1)) if len(ours) > 1 else None
        if sd and sd < 1e-13 * abs(np.mean(ours)):
            sd = 0.0  # equal values, round-off of their mean
        rows.append(
            {
                "id": claim.id,
                "section": claim.section,
                "what": claim.what,
                "paper": claim.paper,
                "ours": {"mean": float(np.mean(ours)), "sd": sd, "n": len(ours)},
                "distance_sd": (claim.paper - float(np.mean(ours))) / sd
                if sd and claim.paper is not None
                else None,
                "verdict": result,
                "expects": claim.expects,
                "protocol": claim.protocol,
                "unspecified": claim.unspecified,
            }
        )
    return rows
