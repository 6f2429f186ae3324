"""One public function, one seed: what our checker and others say of it right and of it wrong."""

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from refimpl.gradcheck import Report, check_gradients
from refimpl.gradcheck.arguments import as_tuple
from refimpl.gradcheck.mutants.public.function import Function
from refimpl.gradcheck.mutants.public.plant import planted

CLEAR = 10.0  # a change of fewer bounds is counted apart: the report itself says that it may pass
AGAIN = 2  # planted errors of a kind are drawn from [seed, AGAIN]


def verdict_of(function: Function, vjp: Callable, seed: int) -> tuple[str, Report | None]:
    """("pass", "fail", "no verdict" or "crash: ...", the report).

    >>> twice = Function("twice", lambda x: 2 * x, lambda d, x: 2 * d, (np.ones(2),))
    >>> verdict_of(twice, twice.vjp, 0)[0], verdict_of(twice, lambda d, x: 3 * d, 0)[0]
    ('pass', 'fail')
    """
    try:
        report = check_gradients(
            function.f, vjp, function.inputs, rng=seed, names=function.names, dtypes=()
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, a crash is what is counted
        return f"crash: {type(error).__name__}: {error}", None
    plain = "pass" if report.ok else "fail" if report.verdict == "fail" else "no verdict"
    return plain, report


def judge(function: Function, seed: int, peers: Mapping[str, Callable]) -> dict[str, Any]:
    """What everybody says of one function, as plain data.

    {"name", "verdict", "words", "method": "complex step" or "differences", "seconds", "planted":
    {kind: {"caught", "equivalent", "words"}}, "peers": {name: {"right": accepted, "seconds",
    kind: caught}}}. A planted error is caught by us where the verdict is "fail" and the first
    finding names the argument; by a peer where it rejects, for most name none. equivalent: the
    change is at most ten of the bounds that the right gradient's report prints.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        verdict, report = verdict_of(function, function.vjp, seed)
        row = {
            "name": function.name,
            "verdict": verdict,
            "words": "" if verdict == "pass" else str(report),
            "method": method_of(report),
            "seconds": time.perf_counter() - start,
            "planted": {},
            "peers": {name: _right(rule, function) for name, rule in peers.items()},
        }
        if report is None or verdict == "no verdict":
            return row
        for kind, wrong in errors_of(function, seed).items():
            row["planted"][kind] = _planted(function, wrong, seed, report)
            for name, rule in peers.items():
                row["peers"][name][kind] = not _accepts(rule, function, wrong)
    return row


def method_of(report: Report | None) -> str:
    """What the numeric side of a report rests on."""
    if report is None:
        return "none"
    return "complex step" if report.method.startswith("complex step,") else "differences"


def errors_of(function: Function, seed: int) -> dict:
    """{kind: the vjp with one error}, drawn with the seed."""
    rng = np.random.default_rng([seed, AGAIN])
    out = np.asarray(function.f(*function.inputs))
    dout = rng.choice((-1.0, 1.0), out.shape) * rng.uniform(0.5, 1.5, out.shape)
    gradients = as_tuple(function.vjp(dout, *function.inputs))
    return planted(function.vjp, gradients, out, rng)


def _planted(function, wrong, seed, right):
    verdict, report = verdict_of(function, wrong, seed)
    named = report is not None and any(
        finding.argument.startswith(function.names[wrong.argument]) for finding in report.findings
    )
    bound = right.arguments[wrong.argument].bound if right.arguments else np.inf
    return {
        "caught": verdict == "fail" and named,
        "equivalent": not wrong.change > CLEAR * bound,
        "words": f"change {wrong.change:.1e}, bound {bound:.1e}: {report or verdict}",
    }


def _right(rule, function):
    start = time.perf_counter()
    accepted = _accepts(rule, function, function.vjp)
    return {"right": accepted, "seconds": time.perf_counter() - start}


def _accepts(rule, function, vjp):
    try:
        return bool(rule(function.f, vjp, tuple(a.copy() for a in function.inputs)))
    except Exception:  # noqa: BLE001 - a rejection, as in mutants/peers.py
        return False
