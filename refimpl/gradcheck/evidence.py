"""What a check hands back: findings (what is wrong), the evidence for each argument, the report.

A report is data first: `report.arguments` has one row an argument. Printed, it takes a line for the
verdict, one for each argument and one for each finding.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. argument, index: where it is worst. cause: what the numbers suggest,
    or "".

    >>> print(Finding("gradient", "w", (0, 1), 2.0, 1.0, 1e-12, "a constant factor 2"))
    gradient: w[0, 1]: analytic 2, numeric 1, relative error 1.0e+00, allowed 1.0e-12; likely a constant factor 2
    """

    check: str  # gradient, subgradient, twice, batch or dtype
    argument: str
    index: tuple = ()
    analytic: float = np.nan
    numeric: float = np.nan
    bound: float = np.nan
    cause: str = ""

    def __str__(self) -> str:
        where = self.argument
        if self.index:
            where += f"[{', '.join(map(str, self.index))}]"
        numbers = ""
        if not np.isnan(self.bound):
            error = (
                abs(self.analytic - self.numeric) / abs(self.numeric) if self.numeric else np.inf
            )
            numbers = (
                f": analytic {self.analytic:.10g}, numeric {self.numeric:.10g}, "
                f"relative error {error:.1e}, allowed {self.bound:.1e}"
            )
        cause = f"; likely {self.cause}" if self.cause else ""
        return f"{self.check}: {where}{numbers}{cause}"


@dataclass(frozen=True)
class Argument:
    """The evidence for the gradient of one argument.

    checked: what was compared, "12 entries" or "3 random directions". method: the numeric side.
    gradient: its largest entry (a mean size where directions were taken). error: the largest
    difference between the gradient and the numeric side, relative to `gradient`. bound: no error
    larger than this passed; it is absolute, in the units of the gradient, and counts the round-off
    of both sides and what differences can confirm. verdict: "pass", "fail", "kink" or "no verdict".
    beyond: the largest part of the gradient that the complex step leaves out, where one was found.

    >>> print(Argument("x", "pass", "2 entries", "complex step", 2.0, 1e-16, 4e-12))
    x: pass, 2 entries by complex step: relative error 1.0e-16, bound 4.0e-12 for a gradient of 2.0e+00
    """

    name: str
    verdict: str
    checked: str
    method: str
    gradient: float
    error: float
    bound: float
    beyond: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.verdict}, {self.checked} by {self.method}: relative error "
            f"{self.error:.1e}, bound {self.bound:.1e} for a gradient of {self.gradient:.1e}"
        )


@dataclass(frozen=True, repr=False)
class Report:
    """What check_gradients found.

    verdict: "pass"; "fail"; "kink: no verdict"; or "no verdict: ..." with the reason, mostly "bound
    ... for a gradient of ...": the numbers cannot tell a right gradient from a wrong one. method:
    how the numeric side was computed. findings: what is wrong. arguments: the evidence, one row an
    argument. notes: what is worth knowing and no fault of a gradient, such as float32 in and
    float64 out. unevaluated: how many of `evaluations` near x raised or gave NaN; they count as no
    evidence.

    >>> Report("pass", "complex step").ok
    True
    """

    verdict: str
    method: str
    findings: tuple[Finding, ...] = ()
    kink: str = ""  # where the kink lies
    arguments: tuple[Argument, ...] = ()
    notes: tuple[Finding, ...] = ()
    evaluations: int = 0
    unevaluated: int = 0

    @property
    def ok(self) -> bool:
        """Whether the verdict is "pass"; "no verdict" is none."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        lines = [f"{self.verdict} ({self.method})", self.kink]
        shown = (
            [a for a in self.arguments if a.verdict != "fail"] if self.findings else self.arguments
        )
        lines += map(str, self.findings)
        lines += map(str, shown[:6])
        if len(shown) > 6:
            lines.append(f"and {len(shown) - 6} arguments more, in report.arguments")
        lines += [f"note: {note}" for note in self.notes]
        if self.unevaluated:
            lines.append(f"{self.unevaluated} of {self.evaluations} points near x gave no value")
        return "\n  ".join(filter(None, lines))

    def __repr__(self) -> str:
        """Report(pass: x, w by complex step, full Jacobian)."""
        names = ", ".join(a.name for a in self.arguments) or "nothing"
        wrong = f"; {len(self.findings)} wrong" if self.findings else ""
        return f"Report({self.verdict}: {names} by {self.method}{wrong})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the words, and each argument's error; drawn by report."""
        return import_module("refimpl.report.notebook_pictures").report_html(self)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data, for JSON.

        >>> Report("pass", "complex step").as_dict()["verdict"]
        'pass'
        """
        return asdict(self)


def overall(arguments: Sequence[Argument], findings: Sequence[Finding]) -> str:
    """The verdict of all arguments together: one that is wrong outweighs one that is not known.

    >>> unknown = Argument("w", "no verdict", "2 entries", "complex step", 1e-1, 0.0, 3e-2)
    >>> overall([unknown], [])
    'no verdict: bound 3.0e-02 for a gradient of 1.0e-01 (w)'
    """
    if findings:
        return "fail"
    for a in arguments:
        if a.verdict == "no verdict":
            return (
                f"no verdict: bound {a.bound:.1e} for a gradient of {a.gradient:.1e} ({a.name})"
                + _why(a)
            )
    return "pass"


def _why(a):
    """What the two numbers alone do not say, and how to go on."""
    if a.bound == np.inf:
        return ", which differences do not resolve"
    if a.gradient <= a.bound:
        return f", which may be zero; skip={a.name!r} judges the others alone"
    if 0 < a.beyond <= a.bound:
        return f", which hides a part of {a.beyond:.1e} that complex numbers do not see"
    if a.bound <= 1e-3 * a.gradient:
        return ", some of whose entries differ by less than can be told"
    return ""
