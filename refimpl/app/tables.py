"""Results as text for the terminal."""

from collections import Counter

CELL_TABLES = {**{f"table{n}": f"confusion matrix, table {n}" for n in (1, 3, 6, 8, 10, 11, 12)},
               **{f"table{n}": f"precision, recall, F1, table {n}" for n in (2, 4, 7, 9, 13)},
               "map": "the map of what the paper left open", "priors": "what each prior does"}


def number(value):
    """A number as a person wants it: .5e-10 for the tiny, two decimals else.

    >>> [number(v) for v in (None, 91.764, 3e-14, 0.0, 8306)]
    ['-', '91.76', '3.0e-14', '0.00', '8306']
    """
    if value is None:
        return "-"
    if value and abs(value) < 0.005:
        return f"{value:.1e}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def split(claims):
    """(rows to show one by one, {table: rows} of the cell-by-cell claims)."""
    single = [row for row in claims if row["id"].split("/")[0] not in CELL_TABLES]
    cells = {}
    for row in claims:
        table = row["id"].split("/")[0]
        if table in CELL_TABLES:
            cells.setdefault(table, []).append(row)
    return single, cells


def cell_summary(rows):
    """'93 of 100 reproduced, 5 undecided, 2 not reproduced'."""
    count = Counter(row["verdict"] for row in rows)
    if count["measured"] > len(rows) / 2:
        return f"{len(rows)} cells measured"
    first = f"{count.pop('reproduced', 0)} of {len(rows)} reproduced"
    return ", ".join([first, *(f"{n} {verdict}" for verdict, n in count.most_common())])


def claims_text(claims):
    """The ledger as lines."""
    single, cells = split(claims)
    lines = [f"{'claim':52} {'paper':>8} {'ours':>20}  verdict (paper's distance in our sd)"]
    for row in single:
        ours = number(row["ours"]["mean"])
        if row["ours"]["sd"] is not None:
            ours += f" +- {number(row['ours']['sd'])}"
        expects = f" ({row['expects']})" if row["expects"] and row["paper"] is None else ""
        distance = f" ({row['distance_sd']:+.1f} sd)" if row["distance_sd"] is not None else ""
        lines.append(f"{row['id']:52} {number(row['paper']):>8} {ours:>20}  {row['verdict']}{expects}{distance}")
    lines += [f"{CELL_TABLES[table]:52} {cell_summary(rows)}" for table, rows in cells.items()]
    return "\n".join(lines)


def theorems_text(theorems):
    """The theorems as one line each."""
    lines = [f"{'theorem':20} {'residual':>9} {'bound':>8}  "]
    for t in theorems:
        lines.append(f"{t['id']:20} {t['residual']:9.1e} {t['bound']:8.0e}  {'holds' if t['holds'] else 'FAILS'}  "
                     f"{t['statement']}")
    return "\n".join(lines)


SUMMARY = (("trained", "table5/{}/train_set"), ("1,000 steps", "section5/{}/thousand_steps"),
           ("ten visualizations", "table5/{}/class_visualizations"), ("agreement", "section5/{}/logit/agreement"),
           ("class averages", "table5/{}/class_averages"), ("output weights", "table5/{}/output_weights"),
           ("best teacher", "section5/{}/best_teacher"))


def summary_text(latest, titles):
    """A Markdown table: a row a data set, ours +- sd and below it what the paper prints. latest {id: row}."""
    lines = ["| test accuracy (%) | " + " | ".join(name for name, _ in SUMMARY) + " |", "|---" * (len(SUMMARY) + 1) + "|"]
    for dataset, title in titles.items():
        rows = [latest.get(id.format(dataset)) for _, id in SUMMARY]
        ours = ["-" if row is None else number(row["ours"]["mean"]) + (
            f" ± {number(row['ours']['sd'])}" if row["ours"]["sd"] else "") for row in rows]
        paper = ["-" if row is None or row["paper"] is None else f"{number(row['paper'])}, {row['verdict']}" for row in rows]
        lines += [f"| **{title}** | " + " | ".join(ours) + " |", "| paper | " + " | ".join(paper) + " |"]
    return "\n".join(lines)
