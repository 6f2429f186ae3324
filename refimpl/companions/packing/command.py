"""python -m refimpl pack: pack rectangles into few bins; the benchmark; the thesis beside its
controls.
"""

import argparse
import json
import os
from pathlib import Path

from refimpl.report.options import (
    OUT,
    Progress,
    UsageError,
    add_out,
    at_least,
    make_folder,
    parser_of,
    positive,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, write_run

README = Path(__file__).with_name("README.md")
EPILOG = """FILE: .2bp (FILE:3 is its third instance), or with --bin a .csv list: columns
width, height, quantity, name and rotate in any order under a header, or
width,height,quantity without. Comma, semicolon or tab; decimals with point or
comma; lengths in any one unit. OUT gets FILE.html (a page), .json, .csv, .png,
an SVG for each bin, or packing-*.json.

One stock size, cuts anywhere. Several stock sizes, costs and guillotine cuts
are another problem: PackingSolver (github.com/fontanf/packingsolver) solves it.

example: python -m refimpl pack items.csv --bin 2440x1220 --kerf 3.2 --rotate"""

STUDIES = ("--benchmark", "--benchmark --proposals", "--thesis", "--max-cut")
GOES_WITH = {  # what an option has a meaning for; it is refused anywhere else
    **dict.fromkeys(("bin", "kerf", "trim"), ("FILE",)),
    **dict.fromkeys(("rotate", "time"), ("FILE", "--benchmark")),
    **dict.fromkeys(("fresh", "part"), ("--benchmark",)),
    "jobs": STUDIES[:2],
    "proposals": STUDIES[1:2],
    "sets": ("--thesis",),
    "write": STUDIES,
}

FRESH = (
    10_000  # first seed of the new instances: none below was looked at while the engine was made
)


def length(text):
    """A length >= 0 as written, with decimal point or comma."""
    from refimpl.companions.packing.lists import length_of

    value = length_of(text.strip())
    if value is None:
        raise argparse.ArgumentTypeError(f"expected a length, as 3 or 3.2, got {text!r:.40}")
    return value


def size(text):
    """WIDTHxHEIGHT, two lengths > 0."""
    parts = text.lower().split("x")
    try:
        W, H = map(length, parts)
    except (ValueError, argparse.ArgumentTypeError):
        W = H = 0
    if not (W and H):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, two lengths, got {text!r:.40}")
    return W, H


def seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds > 0, got {text!r}")
    return value


def parse(argv):
    parser = parser_of(
        "pack",
        "Pack rectangles into few bins.",
        EPILOG,
        usage="FILE|--benchmark|--thesis|--max-cut [...]",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help=argparse.SUPPRESS)
    add_options_of_a_list(parser)
    parser.add_argument(
        "--time", type=seconds, default=5.0, metavar="S", help="seconds at most (default 5)"
    )
    add_options_of_the_studies(parser)
    add_write(parser)
    add_out(parser, OUT / "packing")
    args = parser.parse_args(argv)
    if bool(args.file) + args.benchmark + args.thesis + args.max_cut != 1:
        parser.error("expected a FILE, --benchmark, --thesis or --max-cut")
    job = job_of(args)
    for option in sorted(parser.given(argv) & set(GOES_WITH)):
        if job not in GOES_WITH[option]:
            raise UsageError(
                f"--{option} goes with {' or '.join(GOES_WITH[option])}, not with {job}"
            )
    return args


def job_of(args):
    """What pack is asked to do, in the words of GOES_WITH."""
    if args.file:
        return "FILE"
    if args.benchmark:
        return "--benchmark --proposals" if args.proposals else "--benchmark"
    return "--thesis" if args.thesis else "--max-cut"


def add_options_of_a_list(parser):
    parser.add_argument("--bin", type=size, metavar="WxH", help="the bin of a .csv list")
    parser.add_argument(
        "--rotate", action="store_true", help="items may turn by 90 degrees, if their list allows"
    )
    parser.add_argument(
        "--kerf", type=length, default=0, metavar="L", help="the saw's cut, between two items"
    )
    parser.add_argument(
        "--trim", type=length, default=0, metavar="L", help="margin of every bin, not used"
    )


def add_options_of_the_studies(parser):
    parser.add_argument("--benchmark", action="store_true", help="the 500 published instances")
    parser.add_argument(
        "--fresh", action="store_true", help="with --benchmark: 200 new ones instead"
    )
    parser.add_argument(
        "--part", type=positive, metavar="N", help="with --benchmark: every N-th only"
    )
    parser.add_argument(
        "--proposals",
        type=at_least(2),
        metavar="N",
        help="with --benchmark: visualized proposals, N new ones",
    )
    parser.add_argument("--jobs", type=positive, metavar="N", help="processes (default: all cores)")
    parser.add_argument(
        "--thesis", action="store_true", help="does the gradient help? with its controls"
    )
    parser.add_argument(
        "--max-cut", action="store_true", help="a second problem by the same four functions"
    )
    parser.add_argument("--sets", type=at_least(2), metavar="N", help="with --thesis (default 200)")


def bins_in_words(count):
    """A number of bins.

    >>> bins_in_words(1), bins_in_words(0), bins_in_words(2000)
    ('1 bin', '0 bins', '2,000 bins')
    """
    return f"{count:,} bin" + "s" * (count != 1)


def gap(count, bound):
    return (
        "optimal: the lower bound is met"
        if count == bound
        else f"{count - bound} above the lower bound"
    )


def write_packing(args, name, title, lines, figures, **more):
    """Write OUT/<name>.json, all or nothing, its page and its card."""
    from refimpl.files.whole import write_whole
    from refimpl.report.results import write_page

    found = {"command": "pack", "ran": args.ran, "title": title, "lines": lines, "figures": figures}
    found |= more
    write_whole(args.out / f"{name}.json", json.dumps(found, indent=1))
    write_page(args.out, name, found, title)


def instance_of(args):
    """The instance of FILE, None where there is no FILE."""
    if not args.file:
        return None
    from refimpl.companions.packing.readers import read

    try:
        return read(args.file, args.bin, rotate=args.rotate, trim=args.trim)
    except (OSError, ValueError) as error:
        raise UsageError(error) from None


def pack_file(args, progress):
    """Pack one instance; write picture, SVGs, CSV and JSON; the lines to print."""
    from refimpl.companions.packing import pack
    from refimpl.companions.packing.pictures import bins_picture
    from refimpl.companions.packing.sheets import sheet_svg, table_csv
    from refimpl.files.whole import write_whole

    instance = args.instance
    progress(f"{len(instance.items)} items, single passes")
    try:
        packing = pack(
            instance.items,
            instance.bin,
            rotate=instance.rotate,
            time_limit=args.time,
            on_progress=lambda count, bound: progress(
                f"{bins_in_words(count)}, bound {bound}, {gap(count, bound)}"
            ),
            names=instance.names or None,
            kerf=args.kerf,
            trim=args.trim,
        )
    except ValueError as error:
        raise UsageError(f"{args.file}: {error}") from None
    progress("")
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(args.file).name)
    lines = summary(instance, packing)
    figures = []
    for b in range(packing.count):
        write_whole(args.out / f"{name}-bin{b}.svg", sheet_svg(packing, b))
    for stale in args.out.glob(f"{name}-bin*.svg"):
        number = stale.stem.removeprefix(f"{name}-bin")
        if number.isdecimal() and int(number) >= packing.count:
            stale.unlink()
    write_whole(args.out / f"{name}.csv", table_csv(packing))
    if packing.count:
        bins_picture(args.out / f"{name}.png", packing, instance.bin)
        figures = [
            {
                "file": f"{name}.png",
                "title": f"{args.file}: {bins_in_words(packing.count)}",
                "paper": "",
                "alt": f"{bins_in_words(packing.count)} of {said(instance.bin)} with "
                f"{len(packing.bins)} "
                f"rectangles.",
            }
        ]
    write_packing(
        args, name, f"Packing {args.file}", lines, figures, **record_of(instance, packing)
    )
    pages = f", .html, .png, {packing.count} x -bin*.svg" if figures else ", .html"
    return [*lines, f"{args.out / name}.json, .csv{pages}"], None


def said(bin_size):
    return " x ".join(f"{float(side):g}" for side in bin_size)


def summary(instance, packing):
    """What is printed of a packing."""
    turning = ", rotation allowed" if instance.rotate is True else ""
    if isinstance(instance.rotate, tuple):
        turning = f", {sum(instance.rotate)} of them may turn"
    saw = "".join(
        f", {what} {float(length):g}"
        for what, length in (("kerf", packing.kerf), ("trim", packing.trim))
        if length
    )
    lines = [
        f"{len(packing.bins)} items into bins of {said(instance.bin)}{turning}{saw}: "
        f"{bins_in_words(packing.count)}, {gap(packing.count, packing.lower_bound)} "
        f"({packing.lower_bound}); {100 * packing.share:.1f} % filled"
    ]
    if packing.unit != int(packing.unit):
        lines.append(f"lengths scaled exactly to whole units of {packing.unit:g}")
    lines.append(f"used area {packing.used:,.12g}, waste {packing.waste:,.12g}")
    return lines


def record_of(instance, packing):
    """What FILE.json says of a packing: lengths as they came, an entry an item in their order."""
    columns = (
        [[float(v) if v != int(v) else int(v) for v in row] for row in instance.items.tolist()],
        packing.bins.tolist(),
        packing.positions.tolist(),
        packing.sizes.tolist(),
    )
    keys = ("name", "w", "h", "bin", "x", "y", "placed_w", "placed_h")
    items = [
        dict(zip(keys, (packing.name(i), *given, b, *at, *placed)))
        for i, (given, b, at, placed) in enumerate(zip(*columns))
    ]
    return {
        "bin": [float(v) if v != int(v) else int(v) for v in instance.bin],
        "rotate": instance.rotate,
        "kerf": float(packing.kerf),
        "trim": float(packing.trim),
        "unit": packing.unit,
        "count": packing.count,
        "lower_bound": packing.lower_bound,
        "optimal": packing.optimal,
        "used": packing.used,
        "waste": packing.waste,
        "items": items,
    }


def benchmark(args, progress):
    """The published instances, or fresh ones: ours beside the best known and the lower bound."""
    from concurrent.futures.process import BrokenProcessPool

    from refimpl.companions.packing import benchmark as pack_benchmark
    from refimpl.companions.packing.instances import benchmark as published

    todo = (pack_benchmark.fresh_instances(200, first=FRESH) if args.fresh else published())[
        :: args.part or 1
    ]
    totals = [0, 0]

    def tell(done, of, record):
        totals[0], totals[1] = totals[0] + record["bins"], totals[1] + record["bound"]
        progress(f"{done} of {of} instances, {totals[0]:,} bins, bound {totals[1]:,}")

    try:
        records = pack_benchmark.run_benchmark(
            todo,
            args.out / "units",
            args.rotate,
            args.time,
            args.jobs or os.cpu_count() or 1,
            on_result=tell,
        )
    except BrokenProcessPool:
        raise UsageError(
            "a process of --jobs was killed; what had finished is kept: run it again to go on"
        ) from None
    source, turned = (
        "fresh" if args.fresh else "published",
        "rotation allowed" if args.rotate else "oriented",
    )
    what = f"{len(records)} {source} instances, {turned}"
    if args.fresh:
        there = [
            pack_benchmark.stored(args.out / "units", i, args.rotate, args.time, 0)
            for i in published()
        ]
        table = pack_benchmark.table(records, published=None if None in there else there)
    else:
        table = pack_benchmark.table(records, pack_benchmark.best_known(args.rotate))
    lines = [f"{what}, {args.time:g} s of one core an instance, every packing verified", "", *table]
    kind = "fresh" if args.fresh else "benchmark"
    name = f"packing-{kind}-{'rotated' if args.rotate else 'oriented'}-{args.time:g}s"
    write_packing(
        args,
        name,
        what,
        lines,
        [],
        rows=[{key: value for key, value in row.items() if key != "packing"} for row in records],
    )
    values = pack_benchmark.values_for_table(records, source, args.rotate, args.time)
    return [*lines, "", f"{args.out / name}.json"], values


def proposals(args, progress):
    """The engine with three sources of proposals on fresh instances, at equal decodes and steps;
    paired tests.
    """
    from refimpl.companions.packing.thesis import proposals as pack_proposals

    progress(f"looking for {args.proposals} instances that single passes leave open")
    rows = pack_proposals.compare(
        pack_proposals.open_instances(args.proposals),
        jobs=args.jobs or os.cpu_count() or 1,
        on_result=lambda done, of: progress(f"{done} of {of} searches"),
    )
    lines = [
        "Do visualized proposals help the engine? Its search with three sources of proposals:",
        f"{args.proposals} fresh instances that single passes leave open, {pack_proposals.STEPS} "
        f"steps each, "
        f"{pack_proposals.SHARE:.0%} of the decodes",
        "",
        *pack_proposals.lines(rows),
    ]
    write_packing(
        args, "packing-proposals", "Visualized proposals in the engine", lines, [], values=rows
    )
    where = f"{args.out / 'packing-proposals'}.json"
    return [*lines, "", where], pack_proposals.values_for_table(rows)


def thesis(args, progress):
    """Repacking k full bins into k: un-ascended, ascended, noisy first fit, at equal decodes;
    paired tests.
    """
    from refimpl.companions.packing.thesis import study as pack_thesis

    lines, figures, values = pack_thesis.run(
        args.out / "packing-thesis.png", args.sets or 200, progress
    )
    write_packing(
        args, "packing-thesis", "The thesis and its controls", lines, figures, values=values
    )
    where = f"{args.out / 'packing-thesis'}.json" + (", .png" if figures else "")
    return [*lines, "", where], pack_thesis.values_for_table(values)


def max_cut(args, progress):
    """Max-cut by the thesis' four functions, beside its controls."""
    from refimpl.companions.packing.thesis import max_cut_study

    lines, values = max_cut_study.run(progress)
    write_packing(args, "packing-max-cut", "Max-cut by ascent", lines, [], values=values)
    return [*lines, "", f"{args.out / 'packing-max-cut'}.json"], values


def run(argv):
    args = parse(argv)
    args.instance, args.ran = instance_of(args), recorded_command("pack", argv)
    if args.write:
        check_checkout(README)
    args.out = make_folder(args.out)
    progress = Progress(args.quiet)
    asked = {
        proposals: args.proposals,
        benchmark: args.benchmark,
        thesis: args.thesis,
        max_cut: args.max_cut,
    }
    command = next((command for command, wanted in asked.items() if wanted), pack_file)
    lines, values = command(args, progress)
    progress("")
    if args.write:
        from refimpl.companions.packing.table import table

        write_run(README, args.ran, values, table)
    if not args.quiet:
        print("\n".join(lines))
    return 0
