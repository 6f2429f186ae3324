"""python -m refimpl [reproduce]: the main job on one data set or on all, in this process, in
several, or on a cluster.
"""

import json
import os
import sys
from pathlib import Path

from refimpl import __version__
from refimpl.app.first_screen import first_screen, seeds_in_words
from refimpl.files.whole import write_whole
from refimpl.report.options import (
    DATASETS,
    OUT,
    Progress,
    UsageError,
    add_dataset,
    add_jobs,
    add_out,
    check_jobs,
    load_data,
    make_folder,
    parser_of,
    positive,
)

EPILOG = """other commands, each with -h: claims (the ledger), protocol, gradcheck, mutants,
extract, train, maximize, deconv, look, invert, dissect, pack, lesson, play,
report, reference

example: python -m data_fetch mnist && python -m refimpl --dataset mnist
exit status: 0 all measured and proved, 1 a theorem failed, 2 bad usage"""


def parse(argv):
    """The options, checked as far as they can be without loading what they name."""
    parser = parser_of(
        "[reproduce]", "Train, visualize, retrain, prove, report: the paper's claims.", EPILOG
    )
    add_dataset(parser, "all")
    parser.add_argument(
        "--seeds", type=positive, default=5, metavar="N", help="runs (default 5; 1 prints no sd)"
    )
    parser.add_argument(
        "--only", metavar="SECTION[,..]", help="or all; default 5,7,9,controls,theorems"
    )
    add_jobs(parser)
    parser.add_argument("--verbose", action="store_true", help="print every row of the ledger")
    add_out(parser)
    parser.add_argument(
        "--json", metavar="PATH", help="write the results there too ('-': standard output)"
    )
    parser.add_argument("--version", action="version", version=f"refimpl {__version__}")
    args = parser.parse_args(argv)
    file = None if args.json in (None, "-") else Path(args.json)
    if file and (file.is_dir() or not os.access(file.parent, os.W_OK)):
        raise UsageError(f"--json: expected a file in a folder that is there, got {args.json}")
    given = parser.given(argv)
    check_jobs(given)
    if {"quiet", "verbose"} <= given:
        raise UsageError("--quiet, --verbose: expected one of them, not both")
    if args.json == "-" and args.verbose:
        raise UsageError("--json -, --verbose: expected one of them, for both print")
    return args


def sections_of(args):
    """The names of the sections to run. Raises UsageError on one that there is not, and
    on one named twice.
    """
    from refimpl.app.reproduce import CORE, SECTIONS

    only = args.only or ("all" if args.dataset == "all" else ",".join(CORE))
    sections = list(SECTIONS) if only == "all" else only.split(",")
    unknown = [name for name in sections if name not in SECTIONS]
    if unknown:
        raise UsageError(
            f"--only: expected all or some of {', '.join(SECTIONS)}, got "
            f"{', '.join(map(repr, unknown))}"
        )
    if len(set(sections)) < len(sections):
        raise UsageError(f"--only: expected each section once, got {only!r}")
    return sections


def run(argv):
    """The command. Exit status 0: all measured and proved; 1: a theorem failed; 2: bad usage."""
    args = parse(argv)
    show = not args.quiet and args.json != "-"
    sections = sections_of(args)
    folders = (
        {name: (args.out or OUT) / name for name in DATASETS}
        if args.dataset == "all"
        else {args.dataset: args.out or OUT / args.dataset}
    )
    results = run_all(folders, sections, args, show)
    text = json.dumps(results if len(results) > 1 else results[args.dataset], indent=1)
    if args.json == "-":
        print(text)
    elif args.json:
        write_whole(args.json, text)
    if show and len(results) > 1:
        print(side_by_side(results))
    failed = sorted(
        {t["id"] for found in results.values() for t in found["theorems"] if not t["holds"]}
    )
    if failed:
        print(f"refimpl: theorems that failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_all(folders, sections, args, show):
    """{data set: results}, each reproduced into its folder, all in one pool of processes."""
    from refimpl.report.work import pool_of

    progress = Progress(args.quiet)
    with pool_of(args) as pool:
        return {
            name: run_one(name, sections, out, pool, args, progress, show)
            for name, out in folders.items()
        }


def side_by_side(results):
    """The summary of several data sets, as README has it."""
    from refimpl.paper.summary import HEADING, SUMMARY
    from refimpl.report.tables import numbers_of, summary_text

    numbers = {id: row for found in results.values() for id, row in numbers_of(found).items()}
    titles = {name: found["environment"]["title"] for name, found in results.items()}
    return summary_text(HEADING, SUMMARY, numbers, titles)


def run_one(name, sections, out, pool, args, progress, show):
    """Reproduce on one data set; print what was found if show."""
    from refimpl.app import units
    from refimpl.app.reproduce import reproduce

    progress(f"reading {name}")
    data = load_data(name, args.data_dir, units.dataset)
    results = reproduce(
        data,
        seeds=args.seeds,
        sections=sections,
        out=make_folder(out),
        pool=pool,
        data_dir=args.data_dir,
        progress=progress,
    )
    progress("")
    if show:
        lines = first_screen(results, len(data.test_pixels), out)
        lines = lines if lines[0] and not args.verbose else every_row(results, data.title, out)
        print("\n".join(lines), flush=True)
    return results


def every_row(results, title, out):
    """All that was found, as lines: the ledger, what was only measured, the theorems."""
    from refimpl.report.provenance import overall
    from refimpl.report.tables import claims_text, measurements_text, theorems_text

    seconds = results["environment"]["seconds"]
    lines = [f"{title}, {seeds_in_words(results['seeds'])}, {seconds} s", ""]
    if results["claims"]:
        lines += [claims_text(results["claims"]), overall(results["claims"], title), ""]
    if results["measurements"]:
        lines += [measurements_text(results["measurements"]), ""]
    if results["theorems"]:
        lines += [theorems_text(results["theorems"]), ""]
    return [*lines, f"Report: {out / 'report.html'}"]
