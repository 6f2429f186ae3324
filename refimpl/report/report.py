"""report.html: one self-contained page made from the folder OUT alone (the commands' JSON files and
the PNG files).
"""

import json
from html import escape
from pathlib import Path

import numpy as np

from refimpl.report.page import page, printed, table, td
from refimpl.report.page_figures import confusion_table, figure, most_confused
from refimpl.report.tables import CELL_TABLES, cell_summary, number, split

GOOD = {"reproduced", "exceeded", "holds"}
BAD = {"not reproduced", "contradicted", "FAILS"}
CLAIM_HEAD = ("claim", "#paper", "#ours", "#seeds", "verdict")


def verdict_cell(text):
    return td(text, "good" if text in GOOD else "bad" if text in BAD else "")


def claim_rows(claims):
    """Two table rows a claim: the numbers, and below them over the whole width protocol and id."""
    for row in claims:
        ours, sd = row["ours"], row["ours"]["sd"]
        mean = number(ours["mean"]) + (f" ± {number(sd)}" if sd is not None else "")
        distance = (
            f"<br><small>paper at {row['distance_sd']:+.1f} sd</small>"
            if row["distance_sd"] is not None
            else ""
        )
        expects = f"; expected: {row['expects']}" if row["expects"] else ""
        yield [
            td(row["what"] + expects, "word"),
            td(number(row["paper"]), "n"),
            f'<td class="n">{escape(mean)}{distance}</td>',
            td(ours["n"], "n"),
            verdict_cell(row["verdict"]),
        ]
        protocol = f"{escape(row['protocol'])}. " if row["protocol"] else ""
        yield [f'<td colspan="5" class="note">{protocol}<code>{escape(row["id"])}</code></td>']


def theorem_rows(theorems):
    for t in theorems:
        yield [
            td(t["id"], "word"),
            td(t["statement"], "word"),
            td(f"{t['predicted']:.6g}", "n"),
            td(f"{t['measured']:.6g}", "n"),
            td(f"{t['residual']:.1e}", "n"),
            td(f"{t['bound']:.0e}", "n"),
            verdict_cell("holds" if t["holds"] else "FAILS"),
        ]


def confusion(number_, entry, classes):
    """A printed table beside ours, as tables; what is confused most and how far they are apart in
    words.
    """
    words = [f"Most often: {most_confused(entry['ours'], classes)}."]
    if entry["distance_to_paper"]:
        words.append(
            f"{np.mean(entry['distance_to_paper']):.2f} % of the test images sit in another cell "
            f"than in the "
            "paper's table (mean over seeds)."
        )
    if entry["distance_between_seeds"] is not None:
        words.append(f"Between two of our seeds it is {entry['distance_between_seeds']:.2f} %.")
    tables = [confusion_table("Ours, mean over seeds", entry["ours"], classes)]
    if entry["paper"]:
        tables.append(confusion_table(f"The paper, table {number_}", entry["paper"], classes))
    return (
        f"<div><h3>Table {number_}: {escape(entry['what'])}</h3><p>{escape(' '.join(words))}</p>"
        f"{''.join(tables)}</div>"
    )


def read_all(out):
    """({file's name: its contents} of the JSON files of the folder, [name] of the damaged ones)."""
    contents, damaged = {}, []
    for path in sorted(out.glob("*.json")):
        try:
            contents[path.name] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            damaged.append(path.name)
    return contents, damaged


def left_by_commands(out, contents, damaged):
    """(heading, [HTML]) of what each other command left in the folder: the printed lines, the
    pictures; damaged files.
    """
    for found in contents.values():
        try:
            command, title, lines, figures = (
                found[key] for key in ("command", "title", "lines", "figures")
            )
        except (KeyError, TypeError):
            continue  # another program's, or reproduce's
        yield (
            title,
            [
                f"<p><code>python -m refimpl {escape(command)}</code></p>",
                printed(lines, f"Printed: {title}"),
                *(figure(out, entry) for entry in figures),
            ],
        )
    if damaged:
        yield (
            "Damaged files",
            [f'<p class="bad">{escape(name)} is damaged: it is no JSON.</p>' for name in damaged],
        )


def paper_sections(results, out):
    """(heading, [HTML]) of what reproduce found: tables, theorems, claims, figures, confusion
    matrices.
    """
    single, cells = split(results["claims"])
    main = [row for row in single if row["id"].startswith("table5/")]
    as_tables = {f"confusion_{int(number):02}.png" for number in results["confusions"]}
    films = [f for f in results["figures"] if "frames" in f]
    pictures = [f for f in results["figures"] if f not in films and f["file"] not in as_tables]
    if films:
        yield "The ascent, step by step", [figure(out, f) for f in films]
    yield "Table 5: test accuracy (%)", [table(CLAIM_HEAD, claim_rows(main), "Table 5", words=1)]
    if results["theorems"]:
        yield (
            "Theorems",
            [
                "<p>The worst seed of each; residuals relative, float64.</p>",
                table(
                    (
                        "theorem",
                        "statement",
                        "#predicted",
                        "#measured",
                        "#residual",
                        "#bound",
                        "verdict",
                    ),
                    theorem_rows(results["theorems"]),
                    "Theorems",
                    words=2,
                ),
            ],
        )
    yield (
        "Claims in words, goals, controls",
        [table(CLAIM_HEAD, claim_rows(r for r in single if r not in main), "Claims", words=1)],
    )
    if cells:
        yield (
            "Tables 1 to 4, 8, 9, 12, 13, cell by cell",
            [
                table(
                    ("table", "cells"),
                    (
                        [td(CELL_TABLES[name]), td(cell_summary(rows))]
                        for name, rows in cells.items()
                    ),
                    "Cells",
                )
            ],
        )
    yield "Figures", [figure(out, f) for f in pictures]
    if results["confusions"]:
        classes = results.get("classes") or [str(c) for c in range(10)]
        tables = [confusion(n, entry, classes) for n, entry in results["confusions"].items()]
        yield (
            "Confusion matrices",
            [
                "<p>Rows: actual; columns: predicted. Right answers are framed, errors coloured: "
                "the stronger, the more.</p>",
                '<div class="confusions">',
                *tables,
                "</div>",
            ],
        )


def last_sections(results):
    """(heading, [HTML]): the paper against itself, and the command that made the page."""
    yield (
        "The paper against itself",
        [
            table(
                ("check of the printed tables", "verdict"),
                (
                    [
                        td(c["what"] + (f": {c['detail']}" if not c["holds"] else "")),
                        verdict_cell("holds" if c["holds"] else "FAILS"),
                    ]
                    for c in results["consistency"]
                ),
                "Checks of the paper",
            ),
            "<p>Slips in the text:</p><ul>",
            *(f"<li>{escape(s['where'])} {escape(s['what'])}.</li>" for s in results["slips"]),
            "</ul>",
            "<p>Figures are numbered by the paper's sections; its pictures themselves are not "
            "reproduced here.</p>",
        ],
    )
    yield (
        "How to repeat it",
        [
            f"<p><code>python -m refimpl --dataset {results['environment']['dataset']} --seeds "
            f"{results['seeds']} --only {','.join(results['sections'])}</code></p>"
        ],
    )


def lead(results):
    """What stands before the contents: the answer, where it ran, how a verdict is found."""
    env = results["environment"]
    student = [
        row
        for row in results["claims"]
        if row["id"] == f"section5/{env['dataset']}/logit/agreement"
    ]
    headline = (
        f"<p><b>A student retrained from zero on ten class visualizations agrees with its teacher "
        f"on "
        f"{student[0]['ours']['mean']:.2f} % of the test images.</b></p>"
        if student
        else ""
    )
    seeds = f"{results['seeds']} seed{'s' if results['seeds'] > 1 else ''}"
    return [
        headline,
        f"<p>{escape(env['title'])}, {seeds}, {env['seconds']} s on {escape(env['machine'])}; "
        f"Python {env['python']}, NumPy {env['numpy']}, {escape(env['blas'])}; {env['date']}.</p>",
        "<p>A class visualization is the input image that gradient ascent finds for one output of "
        "a network. "
        "The paper: ten such images carry everything the network has learned. Below: what it "
        "printed, what we "
        "measured, and what can be proved. A printed number is <i>reproduced</i> when it lies in "
        "the 95 % prediction "
        "interval of our seeds, <i>undecided</i> below five seeds or when that interval is wider "
        "than 2 points.</p>",
    ]


def render(out):
    """The page as a string, from the JSON files of OUT and the PNG files they name; results.json
    need not be there.

    Raises FileNotFoundError when no command has left anything in OUT.
    """
    out = Path(out)
    contents, damaged = read_all(out)
    others = list(left_by_commands(out, contents, damaged))
    if "results.json" not in contents:
        if not others:
            raise FileNotFoundError(f"{out}: expected results of refimpl, found none")
        return page(
            f"refimpl: {out.resolve().name}",
            ["<p>What the commands left in this folder.</p>"],
            others,
        )
    results = contents["results.json"]
    return page(
        f"Class visualizations, {results['environment']['title']}",
        lead(results),
        [*paper_sections(results, out), *others, *last_sections(results)],
    )
