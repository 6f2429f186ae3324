"""Results as text for the terminal: the rows of the ledger, what was only measured, theorems, a
table of several data sets side by side. Which rows there are is said by whoever hands them in.
"""

from collections import Counter

from refimpl.report.provenance import numbered_ways, way


def number(value):
    """A number as a person wants it: two decimals, none from 1,000 on, and the tiny in scientific
    notation.

    >>> [number(v) for v in (None, 91.764, 3e-14, 0.0, 8306)]
    ['-', '91.76', '3.0e-14', '0.00', '8306']
    """
    if value is None:
        return "-"
    if value and abs(value) < 0.005:
        return f"{value:.1e}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def with_sd(ours, sign="+-"):
    """'91.80 +- 0.10' of {mean, sd}; the mean alone where there is no sd.

    >>> with_sd({"mean": 91.8, "sd": 0.1}), with_sd({"mean": 91.8, "sd": None})
    ('91.80 +- 0.10', '91.80')
    """
    sd = "" if ours["sd"] is None else f" {sign} {number(ours['sd'])}"
    return number(ours["mean"]) + sd


def ledger_of(results):
    """(claims, measurements) of the contents of a results file. Version 0.1.0 kept the measurements
    among the claims, with the verdict "measured".

    >>> old = {
    ...     "id": "a",
    ...     "what": "b",
    ...     "verdict": "measured",
    ...     "ours": {"mean": 1, "sd": None, "n": 1},
    ... }
    >>> ledger_of({"claims": [old]})[1]
    [{'id': 'a', 'what': 'b', 'mean': 1, 'sd': None, 'n': 1}]
    """
    claims, measured = [], list(results.get("measurements", []))
    for row in results["claims"]:
        if row["verdict"] == "measured":
            measured.append({"id": row["id"], "what": row["what"], **row["ours"]})
        else:
            claims.append(row)
    return claims, measured


def numbers_of(results):
    """{id: {paper, verdict, ours {mean, sd, n}}} of everything that was measured, claims and
    measurements alike (paper is None there, and the verdict "").
    """
    claims, measured = ledger_of(results)
    rows = [{"id": m["id"], "paper": None, "verdict": "", "ours": m} for m in measured]
    return {row["id"]: row for row in [*claims, *rows]}


def split(rows):
    """(rows to show one by one, {table: rows} of those that are a table's cells)."""
    single = [row for row in rows if not row.get("cell_of")]
    cells: dict[str, list[dict]] = {}
    for row in rows:
        if row.get("cell_of"):
            cells.setdefault(row["cell_of"], []).append(row)
    return single, cells


def cell_summary(rows):
    """'93 of 100 reproduced, 5 undecided, 2 not reproduced'; of measurements how many there are.

    >>> cell_summary([{"verdict": "undecided"}, {"verdict": "reproduced"}]), cell_summary([{}, {}])
    ('1 of 2 reproduced, 1 undecided', '2 cells measured')
    """
    count = Counter(row.get("verdict", "") for row in rows)
    if count[""] == len(rows):
        return f"{len(rows)} cells measured"
    first = f"{count.pop('reproduced', 0)} of {len(rows)} reproduced"
    return ", ".join([first, *(f"{n} {verdict}" for verdict, n in count.most_common())])


def claims_text(claims):
    """The rows of the ledger as lines; those that are a table's cells are counted. [1], [2] name
    the commands that measured them, listed below with run time and machine.
    """
    single, cells = split(claims)
    ways = numbered_ways(claims)
    lines = [f"{'claim':52} {'paper':>8} {'ours':>20}  verdict (paper's distance in our sd)"]
    for row in single:
        expects = f" ({row['expects']})" if row["expects"] and row["paper"] is None else ""
        distance = f" ({row['distance_sd']:+.1f} sd)" if row["distance_sd"] is not None else ""
        lines.append(
            f"{row['id']:52} {number(row['paper']):>8} {with_sd(row['ours']):>20}  "
            f"{row['verdict']}{expects}{distance}{_place(row, ways)}"
        )
    lines += [
        f"{table:52} {cell_summary(rows)}{_place(rows[0], ways)}" for table, rows in cells.items()
    ]
    lines += [f"[{n}] {text}" for n, text in enumerate(ways, 1)]
    return "\n".join(lines)


def _place(row, ways):
    return f"  [{ways.index(way(row)) + 1}]" if way(row) else ""


def measurements_text(measured):
    """What was measured without a claim, as lines in the columns of `claims_text`."""
    single, cells = split(measured)
    lines = [f"{'measured, not in the paper':52} {'':8} {'ours':>20}"]
    lines += [f"{row['id']:52} {'':8} {with_sd(row):>20}" for row in single]
    lines += [f"{table:52} {cell_summary(rows)}" for table, rows in cells.items()]
    return "\n".join(lines)


def theorems_text(theorems):
    """The theorems as one line each."""
    lines = [f"{'theorem':20} {'residual':>9} {'bound':>8}  "]
    for t in theorems:
        lines.append(
            f"{t['id']:20} {t['residual']:9.1e} {t['bound']:8.0e}  "
            f"{'holds' if t['holds'] else 'FAILS'}  "
            f"{t['statement']}"
        )
    return "\n".join(lines)


def summary_cell(row):
    """'92.28 ± 0.13 (91.76, exceeded)': ours, and what the paper prints with the verdict where it
    prints something; "" for None.
    """
    if row is None:
        return ""
    ours = number(row["ours"]["mean"]) + (
        f" ± {number(row['ours']['sd'])}" if row["ours"]["sd"] else ""
    )
    if row["paper"] is None:
        return ours
    return f"{ours} ({number(row['paper'])}, {row['verdict']})"


def summary_text(heading, rows, numbers, titles):
    """A Markdown table: a column a data set, titles {name: its title}; rows [(title, id)], the
    data set's name standing for {} in the id; numbers {id: row} as of `numbers_of`. Rows without
    any number are left out.

    >>> numbers = {"a/digits": {"paper": None, "ours": {"mean": 91.5, "sd": None, "n": 1}}}
    >>> print(summary_text("accuracy", [("linear", "a/{}")], numbers, {"digits": "digits (drawn)"}))
    | accuracy | digits (drawn) |
    |---|---|
    | linear | 91.50 |
    """
    lines = [
        f"| {heading} | " + " | ".join(titles.values()) + " |",
        "|---" * (len(titles) + 1) + "|",
    ]
    for name, id in rows:
        cells = [summary_cell(numbers.get(id.format(dataset))) for dataset in titles]
        if any(cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
