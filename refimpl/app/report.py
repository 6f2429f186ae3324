"""report.html: one self-contained page made from the folder OUT alone (results.json and the PNG files)."""

import base64
import json
from html import escape
from pathlib import Path

from refimpl.app.tables import CELL_TABLES, cell_summary, number, split

STYLE = """
:root { color-scheme: light dark; --line: #8886; --good: #1a7f37; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --good: #4ac26b; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; width: 100%; }
th, td { padding: .25rem .5rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:has(+ tr > .note) td { border-bottom: 0; } .note { padding-top: 0; font-size: .8em; opacity: .85; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
figure { margin: 1.4rem 0; } img { max-width: 100%; height: auto; background: white; border-radius: 4px; }
figcaption b { display: block; } pre { font-size: .8rem; } code { font-size: .9em; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } small { opacity: .85; }
@media print { body { max-width: none; font-size: 10pt; } figure, tr { break-inside: avoid; } .wide { overflow: visible; } }
"""
GOOD = {"reproduced", "exceeded", "holds"}
BAD = {"not reproduced", "contradicted", "FAILS"}


def verdict_cell(text):
    mark = "good" if text in GOOD else "bad" if text in BAD else ""
    return f'<td class="{mark}">{escape(text)}</td>'


def table(head, rows):
    """head: names, '#' before those of numbers; rows: cells as HTML <td> strings."""
    names = "".join(f'<th scope="col" class="n">{escape(h[1:])}</th>' if h.startswith("#") else
                    f'<th scope="col">{escape(h)}</th>' for h in head)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def td(text, kind=""):
    return f'<td class="{kind}">{escape(str(text))}</td>' if kind else f"<td>{escape(str(text))}</td>"


def claim_rows(claims):
    """Two table rows a claim: the numbers, and below them over the whole width protocol and id."""
    for row in claims:
        ours, sd = row["ours"], row["ours"]["sd"]
        mean = number(ours["mean"]) + (f" ± {number(sd)}" if sd is not None else "")
        distance = f"<br><small>paper at {row['distance_sd']:+.1f} sd</small>" if row["distance_sd"] is not None else ""
        expects = f"; expected: {row['expects']}" if row["expects"] else ""
        yield [td(row["what"] + expects), td(number(row["paper"]), "n"), f'<td class="n">{escape(mean)}{distance}</td>',
               td(ours["n"], "n"), verdict_cell(row["verdict"])]
        protocol = f"{escape(row['protocol'])}. " if row["protocol"] else ""
        yield [f'<td colspan="5" class="note">{protocol}<code>{escape(row["id"])}</code></td>']


def figure(out, entry):
    data = base64.b64encode((out / entry["file"]).read_bytes()).decode()
    paper = (f"<small>What the paper shows: {escape(entry['paper'])}"
             + (f" Verdict: {escape(entry['verdict'])}." if entry.get("verdict") else "") + "</small>"
             if entry["paper"] else "")
    return (f'<figure><img src="data:image/png;base64,{data}" alt="{escape(entry["alt"], quote=True)}">'
            f"<figcaption><b>{escape(entry['title'])}</b>{paper}</figcaption></figure>")


def confusion_text(number_, entry):
    parts = [f"Table {number_}, {entry['what']}."]
    if entry["distance_to_paper"]:
        parts.append(f"{sum(entry['distance_to_paper']) / len(entry['distance_to_paper']):.2f} % of the test images sit in "
                     "another cell than in the paper's table (mean over seeds);")
    if entry["distance_between_seeds"] is not None:
        parts.append(f"between two of our seeds it is {entry['distance_between_seeds']:.2f} %.")
    return f"<li>{escape(' '.join(parts))}</li>"


def left_by_commands(out):
    """What the other commands left in the folder: a heading, the printed lines, the pictures."""
    for path in sorted(out.glob("*.json")):
        try:
            found = json.loads(path.read_text())
            command, title, lines, figures = (found[key] for key in ("command", "title", "lines", "figures"))
        except (ValueError, KeyError, TypeError):
            continue
        yield f"<h2>{escape(title)}</h2><p><code>python -m refimpl {escape(command)}</code></p>"
        yield f'<div class="wide"><pre>{escape(chr(10).join(lines))}</pre></div>'
        yield from (figure(out, entry) for entry in figures)


def render(out):
    """The page as a string, from OUT/results.json and the PNG files it names."""
    out = Path(out)
    results = json.loads((out / "results.json").read_text())
    env, (single, cells) = results["environment"], split(results["claims"])
    main = [row for row in single if row["id"].startswith("table5/")]
    others = [row for row in single if row not in main]
    head = ("claim", "#paper", "#ours", "#seeds", "verdict")
    student = [row for row in single if row["id"] == f"section5/{env['dataset']}/logit/agreement"]
    headline = (f"<p><b>A student retrained from zero on ten class visualizations agrees with its teacher on "
                f"{student[0]['ours']['mean']:.2f} % of the test images.</b></p>" if student else "")
    seeds = f"{results['seeds']} seed{'s' if results['seeds'] > 1 else ''}"
    sections = ",".join(results["sections"])
    parts = [headline, f"<p>{escape(env['title'])}, {seeds}, {env['seconds']} s on {escape(env['machine'])}; "
             f"Python {env['python']}, NumPy {env['numpy']}, {escape(env['blas'])}; {env['date']}.</p>",
             "<p>A class visualization is the input image that gradient ascent finds for one output of a network. "
             "The paper: ten such images carry everything the network has learned. Below: what it printed, what we "
             "measured, and what can be proved. A printed number is <i>reproduced</i> when it lies in the 95 % prediction "
             "interval of our seeds, <i>undecided</i> below five seeds or when that interval is wider than 2 points.</p>",
             "<h2>Table 5: test accuracy (%)</h2>", table(head, claim_rows(main))]
    if results["theorems"]:
        parts += ["<h2>Theorems</h2><p>The worst seed of each; residuals relative, float64.</p>", table(
            ("theorem", "statement", "#predicted", "#measured", "#residual", "#bound", ""),
            ([td(t["id"]), td(t["statement"]), td(f"{t['predicted']:.6g}", "n"), td(f"{t['measured']:.6g}", "n"),
              td(f"{t['residual']:.1e}", "n"), td(f"{t['bound']:.0e}", "n"),
              verdict_cell("holds" if t["holds"] else "FAILS")] for t in results["theorems"]))]
    parts += ["<h2>Claims in words, goals, controls</h2>", table(head, claim_rows(others))]
    if cells:
        parts += ["<h2>Tables 1 to 4, 8, 9, 12, 13, cell by cell</h2>", table(
            ("table", "cells"), ([td(CELL_TABLES[name]), td(cell_summary(rows))] for name, rows in cells.items()))]
    parts += ["<h2>Figures</h2>", *(figure(out, f) for f in results["figures"] if not f["file"].startswith("confusion"))]
    if results["confusions"]:
        parts += ["<h2>Confusion matrices</h2><ul>",
                  *(confusion_text(n, entry) for n, entry in results["confusions"].items()), "</ul>",
                  *(figure(out, f) for f in results["figures"] if f["file"].startswith("confusion"))]
    parts += left_by_commands(out)
    parts += ["<h2>The paper against itself</h2>", table(
        ("check of the printed tables", ""),
        ([td(c["what"] + (f": {c['detail']}" if not c["holds"] else "")), verdict_cell("holds" if c["holds"] else "FAILS")]
         for c in results["consistency"])), "<p>Slips in the text:</p><ul>",
        *(f"<li>{escape(s['where'])} {escape(s['what'])}.</li>" for s in results["slips"]), "</ul>",
        "<p>Figures are numbered by the paper's sections; its pictures themselves are not reproduced here.</p>",
        "<h2>How to repeat it</h2>",
        f"<p><code>python -m refimpl --dataset {env['dataset']} --seeds {results['seeds']} --only {sections}</code></p>"]
    title = f"Class visualizations, {escape(env['title'])}"
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>"
            + "\n".join(parts) + "</main></body></html>\n")
