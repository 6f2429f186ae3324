"""report.html: one self-contained page made from the folder OUT alone (the commands' JSON files and
the PNG files).

What a page says of the work itself comes with the results: results["page"] has a title, an answer,
a paragraph about, headings and notes by part; the rows of the ledger say under which heading they
stand. Results of version 0.1.0 have none of these and get the headings of HEADINGS.
"""

import re
from html import escape
from pathlib import Path

import numpy as np

from refimpl.report.folder import json_files
from refimpl.report.page import from_markdown, page, printed, table, td
from refimpl.report.page_figures import confusion_table, figure, most_confused
from refimpl.report.provenance import numbered_ways, overall, way
from refimpl.report.tables import cell_summary, ledger_of, number, split, with_sd

GOOD = {"reproduced", "exceeded", "holds", "as predicted"}
BAD = {"not reproduced", "contradicted", "FAILS", "not as predicted"}
CLAIM_HEAD = ("claim", "#paper", "#ours", "#seeds", "verdict")
THEOREM_HEAD = (
    "theorem",
    "statement",
    "#predicted",
    "#measured",
    "#residual",
    "#bound",
    "verdict",
)
HEADINGS = {
    "films": "Step by step",
    "claims": "Claims",
    "theorems": "Theorems",
    "cells": "Tables, cell by cell",
    "measurements": "Measured beside the claims",
    "figures": "Figures",
    "confusions": "Confusion matrices",
    "checks": "Checks of the paper",
}
RULE = (
    "<p>A printed number is <i>reproduced</i> when it lies in the 95 % prediction interval of our "
    "seeds, <i>undecided</i> when it does but that interval is wider than 2 points, "
    "<i>exceeded</i> "
    "or <i>not reproduced</i> outside it, <i>too few seeds</i> below five. A prediction of our own "
    "comes out <i>as predicted</i>.</p>"
)
FOREIGN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


def verdict_cell(text):
    return td(text, "good" if text in GOOD else "bad" if text in BAD else "")


def claim_rows(claims, ways):
    """Two table rows a claim: the numbers, and below them over the whole width protocol and id."""
    for row in claims:
        ours = row["ours"]
        distance = (
            f"<br><small>paper at {row['distance_sd']:+.1f} sd</small>"
            if row["distance_sd"] is not None
            else ""
        )
        expects = f"; expected: {row['expects']}" if row["expects"] else ""
        yield [
            td(row["what"] + expects, "word"),
            td(number(row["paper"]), "n"),
            f'<td class="n">{escape(with_sd(ours, "±"))}{distance}</td>',
            td(ours["n"], "n"),
            verdict_cell(row["verdict"]),
        ]
        yield note(row, ways)


def measured_rows(measured, ways):
    """Two table rows a measurement, in the columns of the claims."""
    for row in measured:
        yield [
            td(row["what"], "word"),
            td("-", "n"),
            td(with_sd(row, "±"), "n"),
            td(row["n"], "n"),
            td("measured"),
        ]
        yield note(row, ways)


def note(row, ways):
    """The table row below a claim or measurement: its protocol, its id, and where there are several
    ways in which the table's rows were measured, the number of its own.
    """
    how = f" [{ways.index(way(row)) + 1}]" if way(row) and len(ways) > 1 else ""
    protocol = f"{escape(row['protocol'])}. " if row.get("protocol") else ""
    return [f'<td colspan="5" class="note">{protocol}<code>{escape(row["id"])}</code>{how}</td>']


def claim_table(title, claims=(), measured=(), caption=""):
    """[HTML]: a table of measurements and claims, and below it the commands that measured them with
    run time and machine, numbered where there are several.
    """
    ways = numbered_ways([*measured, *claims])
    rows = [*measured_rows(measured, ways), *claim_rows(claims, ways)]
    parts = [table(CLAIM_HEAD, rows, title, words=1, caption=caption)]
    if ways:
        numbers = [f"[{n}] " if len(ways) > 1 else "" for n in range(1, len(ways) + 1)]
        lines = [f"{number}{escape(text)}." for number, text in zip(numbers, ways)]
        parts.append(f'<p class="ways">Measured by: {"<br>".join(lines)}</p>')
    return parts


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


def measured_parts(found):
    """[HTML] of what a command measured: the sentences with which its text begins, its tables, its
    claims, and its text, folded away where tables say the same.
    """
    title, lines = str(found["title"]), found["lines"]
    text = printed(lines, f"Printed: {title}")
    tables = from_markdown(str(found.get("tables", "")), title)
    rows = split(found.get("claims", []))[0]
    if rows:
        tables += claim_table(f"Claims: {title}", rows, caption="Claims")
    if not tables:
        return [text]
    end = lines.index("") if "" in lines else 0
    lead = [f"<p>{escape(line)}</p>" for line in lines[:end]]
    return [*lead, *tables, f"<details><summary>As printed</summary>{text}</details>"]


def command_section(found, out):
    """(heading, [HTML]) of what a command left: its numbers and the pictures."""
    pictures = [figure(out, entry) for entry in found["figures"]]
    return str(found["title"]), [*about(found), *measured_parts(found), *pictures]


def about(found):
    """[HTML]: what a command's results show, where they say it, and the command."""
    sentence = str(found.get("about") or "")
    said = [f"<p>{escape(sentence)}</p>"] if sentence else []
    ran = found.get("ran") or f"python -m refimpl {found['command']}"  # 0.1.0 kept no arguments
    return [*said, f"<p><code>{escape(ran)}</code></p>"]


def render_command(found, out):
    """The page of one command's results, the contents of its JSON file in the folder `out`."""
    sections = [
        ("What was measured", measured_parts(found)),
        ("Figures", [figure(out, entry) for entry in found["figures"]]),
    ]
    return page(
        str(found["title"]),
        about(found),
        [(heading, parts) for heading, parts in sections if parts],
    )


def left_by_commands(out, contents, damaged):
    """[(heading, [HTML])] of what each other command left in the folder, and of damaged files.
    Other programs' files, which have none of a command's fields, are passed over.
    """
    sections, damaged = [], dict(damaged)
    for name, found in contents.items():
        if name == "results.json" or not isinstance(found, dict) or "command" not in found:
            continue
        try:
            sections.append(command_section(found, out))
        except FOREIGN:
            damaged[name] = "expected a command's results, found something else"
    if damaged:
        lines = [
            f'<p class="bad">{escape(name)} is damaged: {escape(reason)}.</p>'
            for name, reason in damaged.items()
        ]
        sections.append(("Damaged files", lines))
    return sections


def ledger_sections(results, headings):
    """(heading, [HTML]) of the claims, under the headings that they name, in their order."""
    claims, measured = ledger_of(results)
    single, _ = split(claims)
    loose = [row for row in split(measured)[0] if row.get("heading")]
    order = dict.fromkeys(row.get("heading") or "" for row in [*loose, *single])
    for heading in order:
        beside = [row for row in loose if row["heading"] == heading]
        judged = [row for row in single if (row.get("heading") or "") == heading]
        title = heading or headings["claims"]
        yield title, claim_table(title, judged, beside)


def counted_sections(results, headings):
    """(heading, [HTML]) of what is many: tables' cells, counted; measurements, folded."""
    claims, measured = ledger_of(results)
    single, measured_cells = split(measured)
    cells = split(claims)[1] | measured_cells
    if cells:
        rows = ([td(name), td(cell_summary(some))] for name, some in cells.items())
        yield headings["cells"], [table(("table", "cells"), rows, "Cells")]
    single = [row for row in single if not row.get("heading")]
    if single:
        yield (
            headings["measurements"],
            [
                f"<details><summary>{len(single)} numbers that answer nothing in the paper"
                "</summary>",
                *claim_table(headings["measurements"], measured=single),
                "</details>",
            ],
        )


def theorem_section(results, headings):
    return (
        headings["theorems"],
        [table(THEOREM_HEAD, theorem_rows(results["theorems"]), "Theorems", words=2)],
    )


def confusion_section(results, headings):
    classes = results.get("classes") or [str(c) for c in range(10)]
    tables = [confusion(n, entry, classes) for n, entry in results["confusions"].items()]
    return (
        headings["confusions"],
        [
            "<p>Rows: actual; columns: predicted. Right answers are framed, errors coloured: "
            "the stronger, the more.</p>",
            '<div class="confusions">',
            *tables,
            "</div>",
        ],
    )


def check_section(results, headings):
    """What was checked of the printed tables themselves, and slips of the text."""
    rows = (
        [
            td(c["what"] + (f": {c['detail']}" if not c["holds"] else "")),
            verdict_cell("holds" if c["holds"] else "FAILS"),
        ]
        for c in results["consistency"]
    )
    return (
        headings["checks"],
        [
            table(("check of the printed tables", "verdict"), rows, "Checks"),
            "<p>Slips in the text:</p><ul>",
            *(f"<li>{escape(s['where'])} {escape(s['what'])}.</li>" for s in results["slips"]),
            "</ul>",
        ],
    )


def repeat_section(results):
    command = (
        f"python -m refimpl --dataset {results['environment']['dataset']} --seeds "
        f"{results['seeds']} --only {','.join(results['sections'])}"
    )
    return "How to repeat it", [f"<p><code>{escape(command)}</code></p>"]


def number_of_figure(entry):
    """The number N in a title "Figure N: ..."; infinity where there is none, so that figures sorted
    by it begin with the paper's own, in the paper's order.

    >>> number_of_figure({"title": "Figure 4: F1 scores"}), number_of_figure({"title": "F1"})
    (4.0, inf)
    """
    found = re.match(r"Figure (\d+)\b", str(entry["title"]))
    return float(found[1]) if found else float("inf")


def main_sections(results, out, others):
    """[(heading, [HTML])] of the main job's results, in the order of the page; `others` are what
    the other commands left.
    """
    words = results.get("page", {})
    headings = HEADINGS | words.get("headings", {})
    notes = {
        headings[part]: f"<p>{escape(text)}</p>" for part, text in words.get("notes", {}).items()
    }
    as_tables = {f"confusion_{int(number):02}.png" for number in results["confusions"]}
    films = [f for f in results["figures"] if "frames" in f]
    pictures = [f for f in results["figures"] if f not in films and f["file"] not in as_tables]
    pictures.sort(key=number_of_figure)
    sections = []
    if films:
        sections.append((headings["films"], [figure(out, f) for f in films]))
    sections += ledger_sections(results, headings)
    if results["theorems"]:
        sections.append(theorem_section(results, headings))
    sections += counted_sections(results, headings)
    if pictures:
        sections.append((headings["figures"], [figure(out, f) for f in pictures]))
    if results["confusions"]:
        sections.append(confusion_section(results, headings))
    sections += others
    if results["consistency"] or results["slips"]:
        sections.append(check_section(results, headings))
    sections.append(repeat_section(results))
    return [(title, [notes.get(title, ""), *parts]) for title, parts in sections]


def lead(results):
    """What stands before the contents: the answer, where it ran, how a verdict is found."""
    env, words = results["environment"], results.get("page", {})
    seeds = f"{results['seeds']} seed{'s' if results['seeds'] > 1 else ''}"
    where = (
        f"{env['title']}, {seeds}, {env['seconds']} s on {env['machine']}; Python "
        f"{env['python']}, NumPy {env['numpy']}, {env['blas']}; {env['date']}."
    )
    return [
        f"<p><b>{escape(words['answer'])}</b></p>" if words.get("answer") else "",
        f"<p>{escape(overall(results['claims'], env['title']))}</p>",
        f"<p>{escape(where)}</p>",
        f"<p>{escape(words['about'])}</p>" if words.get("about") else "",
        RULE,
    ]


def main_page(results, out, others):
    """The page of a folder in which the main job's results lie."""
    title = results.get("page", {}).get("title") or f"refimpl, {results['environment']['title']}"
    return page(title, lead(results), main_sections(results, out, others))


def render(out):
    """The page as a string, from the JSON files of OUT and the PNG files they name; results.json
    need not be there.

    A file that cannot be read, or has other fields than a command writes, is named on the page in
    one line. Raises FileNotFoundError when no command has left anything in OUT.
    """
    out = Path(out)
    contents, damaged = json_files(out)
    if "results.json" in contents:
        try:
            others = left_by_commands(out, contents, damaged)
            return main_page(contents["results.json"], out, others)
        except FOREIGN:
            damaged["results.json"] = "expected the main job's results, found something else"
    others = left_by_commands(out, contents, damaged)
    if not others:
        raise FileNotFoundError(f"{out}: expected results of refimpl, found none")
    return page(
        f"refimpl: {out.resolve().name}",
        ["<p>What the commands left in this folder.</p>"],
        others,
    )
