"""python -m refimpl claims: the ledger, from the latest results of every data set; printed, and as
the page OUT/claims.html.
"""

from collections import Counter
from html import escape
from pathlib import Path

from refimpl.files.whole import write_whole
from refimpl.report.options import DATASETS, OUT, Parser, UsageError
from refimpl.report.room_table import check_checkout, read_table, with_table, write_run

PAPER_README = Path(__file__).parents[1] / "paper" / "README.md"
WRITES = "python -m refimpl reproduce --dataset all --seeds 10"  # what the summary is read from


def parse(argv):
    parser = Parser(
        prog="python -m refimpl claims",
        description="Print the ledger of every number "
        "the paper prints and of every relation it claims, from the latest results of each data "
        "set.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=OUT,
        metavar="DIR",
        help="a folder of results, or of such folders (default refimpl-out)",
    )
    parser.add_argument("--dataset", metavar="NAME", help="of one data set only")
    parser.add_argument("--summary", action="store_true", help="the README's table only")
    parser.add_argument(
        "--write",
        action="store_true",
        help="with --summary: put the table into the READMEs (in a checkout)",
    )
    parser.add_argument(
        "--cells", action="store_true", help="every cell of the tables, not their summary"
    )
    args = parser.parse_args(argv)
    if args.write and not args.summary:
        parser.error("--write goes with --summary")
    if args.summary and (args.cells or args.dataset):
        parser.error("--summary is of all data sets, one row each: leave out --cells and --dataset")
    return args


def results_below(out):
    """[(path, contents)] of the results in OUT and its folders that have claims, the latest last;
    other JSON files (a lesson's, a packing's) are passed over. Raises UsageError on a damaged one.
    """
    from refimpl.report.folder import read_json

    found = []
    folders = [folder for folder in (out, *sorted(out.glob("*/"))) if folder.is_dir()]
    for path in (path for folder in folders for path in folder.glob("*.json")):
        try:
            results = read_json(path)
            if "claims" in results:
                found.append((path.stat().st_mtime, path, results))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path}: expected results of refimpl: {error}") from None
    return [(path, results) for _, path, results in sorted(found, key=lambda entry: entry[:2])]


def gather(out):
    """({id: row}, {data set: title}, {(data set, figure): verdict}), the latest of all results in
    OUT and its folders.
    """
    from refimpl.report.tables import numbers_of

    rows: dict[str, dict] = {}
    titles: dict[str, str] = {}
    figures: dict[tuple[str, str], str] = {}
    for path, results in results_below(out):
        try:
            rows |= numbers_of(results)
            name = results["environment"]["dataset"]
            titles[name] = results["environment"]["title"]
            figures |= {
                (name, figure["title"]): figure.get("verdict", "") for figure in results["figures"]
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{path}: expected results of refimpl, found something else") from None
    if not rows:
        raise UsageError(f"--out: no results in {out} or its folders; run python -m refimpl first")
    return rows, titles, figures


def write_summary(latest, titles):
    """Put the summary into the paper's README and its record, six rows of it into README.md."""
    from refimpl.paper.summary import at_a_glance
    from refimpl.paper.table import table, values_of

    write_run(PAPER_README, WRITES, values_of(latest, titles), table)
    readme = PAPER_README.parents[2] / "README.md"
    shown = read_table(PAPER_README.read_text(encoding="utf-8"), "paper")
    write_whole(readme, with_table(readme.read_text(encoding="utf-8"), "paper", at_a_glance(shown)))


def chosen(dataset):
    """The claims of one data set, of all where it is None. Raises UsageError where there are
    none.
    """
    from refimpl.app.ledger import CLAIMS

    claims = [claim for claim in CLAIMS if dataset in (None, claim.id.split("/")[1])]
    if not claims:
        names = sorted({claim.id.split("/")[1] for claim in CLAIMS})
        raise UsageError(f"--dataset: expected one of {', '.join(names)}, got {dataset!r}")
    return claims


def print_by_dataset(rows, titles, figures, dataset):
    """The ledger of each data set with its overall verdict, then the verdicts on figures."""
    from refimpl.report.provenance import overall
    from refimpl.report.tables import claims_text

    for name, title in titles.items():
        some = [row for row in rows if row["id"].split("/")[1] == name]
        if some:
            print(f"{title}\n{claims_text(some)}\n{overall(some, title)}\n")
    lines = [
        f"{titles[name]}, {figure}: {verdict}"
        for (name, figure), verdict in figures.items()
        if verdict and dataset in (None, name)
    ]
    print("\n".join(lines) + "\n")


def ledger_page(rows, titles, figures):
    """The ledger as a page: each data set's overall verdict, its claims, its tables' cells counted
    and the verdicts on its figures; then what is not judged.
    """
    from refimpl.app.ledger import NOT_JUDGED
    from refimpl.report.page import page, table, td
    from refimpl.report.provenance import overall
    from refimpl.report.report import RULE, claim_table, verdict_cell
    from refimpl.report.tables import cell_summary, split

    sections = []
    for name, title in titles.items():
        some = [row for row in rows if row["id"].split("/")[1] == name]
        if not some:
            continue
        single, cells = split(some)
        parts = [f"<p>{escape(overall(some, title))}</p>"]
        parts += claim_table(title, single) if single else []
        if cells:
            counted = [[td(what), td(cell_summary(found))] for what, found in cells.items()]
            parts.append(table(("table", "cells"), counted, f"Cells of tables, {title}"))
        seen = [
            [td(figure), verdict_cell(verdict)]
            for (dataset, figure), verdict in figures.items()
            if verdict and dataset == name
        ]
        if seen:
            parts.append(table(("figure", "verdict"), seen, f"Figures, {title}"))
        sections.append((title, parts))
    unjudged = [[td(id), td(reason)] for id, reason in NOT_JUDGED]
    sections.append(("Not judged", [table(("what", "why"), unjudged, "Not judged")]))
    lead = ["<p><code>python -m refimpl claims</code></p>", RULE]
    return page("The ledger: what the paper says, and what was found", lead, sections)


def leave_page(out, rows, titles, figures):
    """Write OUT/claims.html and put its card on the front page; where OUT, which is read, cannot be
    written to, the ledger is printed all the same.
    """
    from refimpl.report import front

    path = out / "claims.html"
    try:
        write_whole(path, ledger_page(rows, titles, figures))
        count = Counter(row["verdict"] for row in rows if not row["cell_of"])
        words = "\n".join(f"{number} {verdict}" for verdict, number in count.most_common(3))
        sentence = f"Every number and statement of the paper, judged: {', '.join(titles.values())}."
        front.add(f"{out}/claims", path, "The ledger", sentence, words=words)
    except OSError:
        return
    print(f"Page: {path}")


def run(argv):
    """The command. Exit status 0: the ledger was printed; 2: nothing to print."""
    args = parse(argv)
    from refimpl.app.ledger import NOT_JUDGED
    from refimpl.paper.summary import HEADING, SUMMARY
    from refimpl.report.tables import summary_text

    if args.write:
        check_checkout(PAPER_README)
    latest, titles, figures = gather(args.out)
    if args.summary:
        columns = {name: titles[name] for name in DATASETS if name in titles}
        print(summary_text(HEADING, SUMMARY, latest, columns))
        if args.write:
            write_summary(latest, columns)
        return 0
    claims = chosen(args.dataset)
    rows = [
        latest[claim.id] | {"heading": claim.heading, "cell_of": claim.cell_of}
        for claim in claims
        if claim.id in latest and latest[claim.id]["verdict"]
    ]
    if args.cells:
        for row in rows:
            ours = row["ours"]
            print(f"{row['id']:52} {row['paper']} {ours['mean']:.6g} {ours['sd']} {row['verdict']}")
    else:
        print_by_dataset(rows, titles, figures, args.dataset)
        if args.dataset is None:
            leave_page(args.out, rows, titles, figures)
    print("\n".join(f"not judged: {id}: {reason}" for id, reason in NOT_JUDGED))
    print("\n".join(counted(rows, claims)))
    return 0


def counted(rows, claims):
    """How many of the claims are measured, the data sets without any, and of the others the
    sections that are not complete.
    """
    known = {row["id"] for row in rows}
    begun = {id.split("/")[1] for id in known}
    missing: dict[str, set[str]] = {}
    for claim in claims:
        section, name = claim.id.split("/")[:2]
        if claim.id not in known:
            missing.setdefault(name, set()).add(section)
    lines = [f"{len(rows)} of {len(claims)} claims measured"]
    none = sorted(missing.keys() - begun)
    if none:
        lines.append(f"none of: {', '.join(none)}")
    return lines + [
        f"not all of {name}: {', '.join(sorted(missing[name]))}"
        for name in sorted(missing.keys() & begun)
    ]
