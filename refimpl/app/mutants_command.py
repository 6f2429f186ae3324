"""python -m refimpl mutants: the checker rated by planted errors, in our own code and in public
functions.
"""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

from refimpl.report.options import OUT, Progress, UsageError, add_folder, parser_of, positive

EPILOG = """--public takes functions of autograd, MyGrad and torch instead (extra peers);
what is finished is kept in OUT, and a run that was stopped goes on there.

example: python -m refimpl mutants --quick
exit status: 1 when an error survives, or correct code is accused or crashes it"""
LIBRARIES = ("autograd", "mygrad", "torch")


def parse(argv):
    from refimpl.report.room_table import add_write

    parser = parser_of(
        "mutants",
        "Rate the gradient checker by planted errors, beside the default rules\n"
        "of torch, SciPy, autograd, jax and derivcheck where they are installed.",
        EPILOG,
    )
    parser.add_argument("--quick", action="store_true", help="without the other checkers")
    parser.add_argument("--public", action="store_true", help="on functions that others wrote")
    parser.add_argument(
        "--only", choices=LIBRARIES, metavar="LIBRARY", help="one of " + ", ".join(LIBRARIES)
    )
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="default 3")
    parser.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="processes (default 1)"
    )
    add_write(parser)
    add_folder(parser, OUT / "mutants")
    args = parser.parse_args(argv)
    alone = parser.given(argv) - {"quick", "public", "out"}
    if alone and not args.public:
        raise UsageError(f"--{min(alone)}: expected with --public alone")
    if args.quick and args.public:
        raise UsageError("--quick, --public: expected one of them, not both")
    if args.write and args.only:
        raise UsageError("--write, --only: expected one of them, the table has every library")
    return args


def measured(libraries, args, progress):
    """{block: what everybody says of it}, in --jobs processes, from OUT where it is there."""
    from concurrent.futures.process import BrokenProcessPool

    from refimpl.files.rooms import room_of
    from refimpl.gradcheck.mutants.public.run import blocks_of, measure
    from refimpl.report import jobs
    from refimpl.report.options import make_folder

    room = room_of("gradcheck/table.py")
    store = jobs.Store(make_folder(args.out), jobs.fingerprint((room.name, *room.leans_on)))
    try:
        with jobs.executor(args.jobs, None) as pool:
            return jobs.run(blocks_of(libraries, args.seeds), measure, store, pool, progress)
    except BrokenProcessPool:
        raise UsageError(
            "a process of --jobs was killed; what had finished is kept: run it again to go on"
        ) from None


def check_installed(libraries):
    """Raises UsageError where a library, or mpmath, is missing."""
    from importlib.util import find_spec

    from refimpl.gradcheck.mutants.public.function import missing

    absent = [name for library in libraries for name in missing(library)]
    absent += [] if find_spec("mpmath") else ["mpmath"]
    if absent:
        raise UsageError(
            f"--public: expected {', '.join(dict.fromkeys(absent))} to be installed; "
            "python -m pip install -e '.[peers]' (--only takes one library alone)"
        )


def public(args, argv):
    """The score on public functions. Exit status 1 on a crash or a false alarm."""
    from refimpl.gradcheck import table as tables
    from refimpl.report.provenance import recorded_command
    from refimpl.report.room_table import check_checkout, markdown, write_run

    readme = Path(tables.__file__).with_name("README.md")
    if args.write:
        check_checkout(readme)
    libraries = (args.only,) if args.only else LIBRARIES
    check_installed(libraries)
    from refimpl.gradcheck.mutants.public.peer_errors import wrong
    from refimpl.gradcheck.mutants.public.run import summaries

    progress = Progress(False)
    found = summaries(measured(libraries, args, progress))
    known = [asdict(one) for one in wrong(libraries)]
    progress("")
    shown = (
        (tables.RIGHT, tables.right_rows(found, known)),
        (tables.PLANTED, tables.planted_rows(found)),
        (tables.PEERS, tables.peer_rows(found)),
        (tables.WRONG, tables.wrong_rows(known)),
        (tables.MISSED, tables.missed_rows(found)),
    )
    lines = tables.goals(found, known)
    for headings, rows in shown:
        print("\n".join(aligned(headings, rows)), end="\n\n")
    print("\n".join(lines))
    if args.write:
        values = {"libraries": found, "wrong": known}
        write_run(readme, recorded_command("mutants", argv), values, tables.table)
    text = "\n\n".join(markdown(headings, rows) for headings, rows in shown)
    leave_page(args.out, "mutants-public", "The checker on public functions", lines, text, argv)
    rows = tables.right_rows(found, known)
    return int(any(row[4] != "0" or row[6] != "0" for row in rows))


def aligned(headings, rows):
    """Headings and rows as lines of text, columns as wide as their widest cell.

    >>> aligned(["a", "b"], [["10", "c"]])
    ['a   b', '10  c']
    """
    widths = [max(map(len, column)) for column in zip(headings, *rows)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in (headings, *rows)
    ]


def leave_page(out, name, title, lines, tables, argv):
    """Write OUT/NAME.html and NAME.json, and put the card on the front page: a score is worth
    minutes of work. lines: what was printed, the score in the last one.
    """
    from refimpl.report.results import write_results

    write_results(
        out,
        name,
        command="mutants",
        argv=argv,
        title=title,
        about="The gradient checker, rated: wrong gradients that it must find, right ones that it "
        "must not accuse.",
        words=lines[-1],
        data=SimpleNamespace(name="gradcheck", title="planted errors"),
        lines=lines,
        tables=tables,
        figures=[],
    )


def run(argv):
    args = parse(argv)
    if args.public:
        return public(args, argv)
    from refimpl.gradcheck.mutants import main_mutants
    from refimpl.report.options import make_folder

    out, lines = make_folder(args.out), []

    def tell(line):
        lines.append(line)
        print(line, flush=True)

    status = main_mutants(quick=args.quick, out=tell)
    leave_page(out, "mutants", "The checker on planted errors", lines, "", argv)
    return status
