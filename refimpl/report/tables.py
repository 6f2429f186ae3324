"""Results as text for the terminal."""

from collections import Counter

CELL_TABLES = {
    **{f"table{n}": f"confusion matrix, table {n}" for n in (1, 3, 6, 8, 10, 11, 12)},
    **{f"table{n}": f"precision, recall, F1, table {n}" for n in (2, 4, 7, 9, 13)},
    "map": "the map of what the paper left open",
    "priors": "what each prior does",
}


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


def split(claims):
    """(rows to show one by one, {table: rows} of the cell-by-cell claims)."""
    single = [row for row in claims if row["id"].split("/")[0] not in CELL_TABLES]
    cells: dict[str, list[dict]] = {}
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
        lines.append(
            f"{row['id']:52} {number(row['paper']):>8} {ours:>20}  "
            f"{row['verdict']}{expects}{distance}"
        )
    lines += [f"{CELL_TABLES[table]:52} {cell_summary(rows)}" for table, rows in cells.items()]
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


SUMMARY = (
    ("trained on the training set", "table5/{}/train_set"),
    ("the same after 1,000 steps", "section5/{}/thousand_steps"),
    ("best teacher", "section5/{}/best_teacher"),
    ("student of ten class visualizations", "table5/{}/class_visualizations"),
    ("it agrees with its teacher on", "section5/{}/logit/agreement"),
    ("student of ten images and a black one as 8-bit PNG, agreement", "section5/{}/png/agreement"),
    ("784-30-10 student of the ten", "table5/{}/class_visualizations_deeper"),
    ("with open gates, agreement", "section6/{}/open_gates/agreement"),
    ("student of ten class averages", "table5/{}/class_averages"),
    ("student of the output weights", "table5/{}/output_weights"),
    ("3 vs 4, retrained on two images", "section8/{}/three_vs_four_retrained"),
    ("3 vs all, retrained on two images", "section8/{}/three_vs_all_retrained"),
    ("the three of a 3-vs-4 network swapped in", "section8/{}/swap_three_vs_four"),
    ("the three of a 3-vs-all network swapped in", "section8/{}/swap_three_vs_all"),
    ("784-30-10 teacher", "section10/{}/teacher"),
    ("its student of its ten images", "section10/{}/student"),
    ("its ten images as fixed weights, biases trained", "section10/{}/biases"),
    ("best student of ten images", "section10/{}/best_student"),
    ("best such biases", "section10/{}/best_biases"),
)


def summary_cell(row):
    """'92.28 ± 0.13 (91.76, exceeded)': ours, and what the paper prints with the verdict where it
    prints something.
    """
    if row is None:
        return ""
    sd, paper = row["ours"]["sd"], row["paper"]
    ours = number(row["ours"]["mean"]) + (f" ± {number(sd)}" if sd else "")
    return ours if paper is None else f"{ours} ({number(paper)}, {row['verdict']})"


def summary_text(latest, titles):
    """A Markdown table of test accuracies in percent: a row a claim, a column a data set; latest is
    {id: row}.
    """
    lines = [
        "| test accuracy, % (paper, verdict) | " + " | ".join(titles.values()) + " |",
        "|---" * (len(titles) + 1) + "|",
    ]
    for name, id in SUMMARY:
        cells = [summary_cell(latest.get(id.format(dataset))) for dataset in titles]
        if any(cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
