"""The measured table of the room's README: what each regime needs and how exactly the network comes
back, what is shipped, and what the images show of the training data.
"""

from typing import Any

import numpy as np

from refimpl.report.room_table import Run, markdown

REGIMES = {  # in the order of the table; what the student gets in each
    "hints": "hidden pre-activations as hints",
    "filters": "logits only, visualizations as filters",
    "black_box": "queries of the logits alone",
    "scratch": "logits only, unordered, from scratch",
}
SHOWN = {"extracted": "extraction images", "untrained": "the same of an untrained network"}
SHOWN |= {"averages": "class averages"}


def regime_rows(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a regime (a row a count of images from scratch): its name, what is counted ("images"
    or "queries") and how many, the students' mean test accuracy and agreement in percent, and the
    largest error of any student's logits.

    runs: one dict a teacher, as the command measures them.

    >>> one = {"accuracy": 96.0, "agreement": 100.0, "error": 1e-14}
    >>> regime_rows([{"hints": one | {"images": 31}, "scratch": {200: one}}])[1]["count"]
    200
    """
    measured: list[tuple[str, str, Any, list]] = []
    for regime in ("hints", "filters", "black_box"):
        if regime in runs[0]:
            counted = "queries" if regime == "black_box" else "images"
            students = [run[regime] for run in runs]
            measured.append((regime, counted, np.mean([s[counted] for s in students]), students))
    for n in runs[0].get("scratch", {}):
        measured.append(("scratch", "images", n, [run["scratch"][n] for run in runs]))
    return [
        {
            "regime": regime,
            "counted": counted,
            "count": round(float(count)),
            "accuracy": float(np.mean([s["accuracy"] for s in students])),
            "agreement": float(np.mean([s["agreement"] for s in students])),
            "error": max(s["error"] for s in students),
        }
        for regime, counted, count, students in measured
    ]


def _regimes(runs: list[Run]) -> str:
    rows = []
    for run in runs:
        v = run.values
        for row in v["regimes"]:
            how = ", not whitened" if row["regime"] == "scratch" and not v["whitened"] else ""
            rows.append(
                [
                    f"{v['network']}, {v['activation']}, {v['data']}",
                    f"{v['teacher']:.2f}",
                    f"`{row['regime']}`{how}",
                    f"{row['count']:,} {row['counted']}",
                    f"{row['accuracy']:.2f}",
                    f"{row['agreement']:.2f}",
                    f"{row['error']:.0e}",
                ]
            )
    headings = ["teacher", "its test accuracy, %", "regime", "made of", "student's accuracy, %"]
    return markdown([*headings, "agreement, %", "largest error of the logits"], rows)


def _shipped(runs: list[Run]) -> str:
    rows = [
        [run.values["data"], what, f"{size:,}", f"{score:.2f}"]
        for run in runs
        for what, size, score in run.values["bytes"]
    ]
    return markdown(["data", "what is shipped (regime `hints`)", "bytes", "accuracy, %"], rows)


def _leaked(runs: list[Run]) -> str:
    rows = []
    for run in runs:
        v = run.values
        for key, (members, others) in v["resemblance"].items():
            what = f"largest cosine, {SHOWN[key]}"
            rows.append([v["data"], what, f"{members:.3f}", f"{others:.3f}"])
        for name, (area, error) in v["membership"].items():
            what = f"membership, area under the curve, {name} (chance .5)"
            rows.append([v["data"], what, f"{area:.3f} ± {error:.3f}", ""])
    return markdown(["data", "what the images show", "training images", "unseen images"], rows)


def table(runs: list[Run]) -> str:
    """The README's tables of all recorded runs; bytes and leaks of the runs with all four regimes.

    >>> values = {"network": "784-30-20-10", "activation": "relu", "data": "MNIST"}
    >>> values |= {"teacher": 96.74, "regimes": [], "whitened": True}
    >>> print(table([Run("extract", "2026-11-21", "0.1.0", values)]).splitlines()[1])
    |---|---|---|---|---|---|---|
    """
    whole = [run for run in runs if "bytes" in run.values and len(run.values["regimes"]) > 3]
    return "\n\n".join([_regimes(runs), _shipped(whole), _leaked(whole)])
