"""python -m refimpl pack: pack rectangles into few bins; the benchmark; the thesis beside its
controls.
"""

import argparse
import json
import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from refimpl.report.options import (
    OUT,
    Progress,
    UsageError,
    add_out,
    at_least,
    made,
    parser_of,
    positive,
)

EPILOG = """FILE: .2bp (FILE:3 is its third instance) or .csv of w,h lines with --bin.
OUT gets FILE.json and FILE.png, or packing-*.json.

example: python -m refimpl pack items.csv --bin 100x100 --rotate"""

FRESH = (
    10_000  # first seed of the new instances: none below was looked at while the engine was made
)


def size(text):
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, whole numbers, got {text!r}")
    return int(parts[0]), int(parts[1])


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
        usage="FILE | --benchmark | --thesis | --growth [options]",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--bin", type=size, metavar="WxH", help="the bin of a .csv list")
    parser.add_argument("--rotate", action="store_true", help="items may turn by 90 degrees")
    parser.add_argument(
        "--time", type=seconds, default=5.0, metavar="S", help="seconds at most (default 5)"
    )
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
    parser.add_argument("--growth", action="store_true", help="time of one pass up to 10,000 items")
    parser.add_argument("--sets", type=at_least(2), metavar="N", help="with --thesis (default 200)")
    add_out(parser, OUT / "packing")
    args = parser.parse_args(argv)
    if bool(args.file) + args.benchmark + args.thesis + args.growth != 1:
        parser.error("expected a FILE, --benchmark, --thesis or --growth")
    if (args.fresh or args.part or args.proposals) and not args.benchmark:
        parser.error("--fresh, --part and --proposals go with --benchmark")
    if args.sets and not args.thesis:
        parser.error("--sets goes with --thesis")
    if args.proposals and (args.fresh or args.part or args.rotate):
        parser.error(
            "--proposals has oriented instances of its own: leave out --fresh, --part and --rotate"
        )
    return args


def gap(count, bound):
    return (
        "optimal: the lower bound is met"
        if count == bound
        else f"{count - bound} above the lower bound"
    )


def leave(out, name, title, lines, figures, **more):
    """Write OUT/<name>.json, all or nothing."""
    from refimpl.report.jobs import write

    record = {"command": "pack", "title": title, "lines": lines, "figures": figures, **more}
    write(out / f"{name}.json", json.dumps(record, indent=1))


def instance_of(args):
    """The instance of FILE, None where there is no FILE."""
    if not args.file:
        return None
    from refimpl.companions.packing.readers import read

    try:
        return read(args.file, args.bin, rotate=args.rotate)
    except (OSError, ValueError) as error:
        raise UsageError(error) from None


def pack_file(args, progress):
    """Pack one instance; write picture and JSON; the lines to print."""
    from refimpl.companions.packing import pack
    from refimpl.companions.packing.pictures import bins_picture

    instance = args.instance
    progress(f"{len(instance.items)} items, single passes")
    packing = pack(
        instance.items,
        instance.bin,
        rotate=args.rotate,
        time_limit=args.time,
        on_progress=lambda count, bound: progress(
            f"{count} bins, bound {bound}, {gap(count, bound)}"
        ),
    )
    progress("")
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(args.file).name)
    W, H = instance.bin
    filled = 100 * instance.items.prod(axis=1).sum() / max(1, packing.count * W * H)
    lines = [
        f"{len(instance.items)} items into bins of {W} x "
        f"{H}{', rotation allowed' if args.rotate else ''}: "
        f"{packing.count} bins, {gap(packing.count, packing.lower_bound)} ({packing.lower_bound}); "
        f"{filled:.1f} % filled"
    ]
    figures = []
    if packing.count:
        bins_picture(args.out / f"{name}.png", packing, (W, H))
        figures = [
            {
                "file": f"{name}.png",
                "title": f"{args.file}: {packing.count} bins",
                "paper": "",
                "alt": f"{packing.count} bins of {W} by {H} with {len(packing.bins)} rectangles.",
            }
        ]
    columns = (*instance.items.T, packing.bins, *packing.positions.T, *packing.sizes.T)
    rows = zip(*(column.tolist() for column in columns))
    leave(
        args.out,
        name,
        f"Packing {args.file}",
        lines,
        figures,
        bin=[W, H],
        rotate=args.rotate,
        count=packing.count,
        lower_bound=packing.lower_bound,
        optimal=packing.optimal,
        items=[dict(zip(("w", "h", "bin", "x", "y", "placed_w", "placed_h"), row)) for row in rows],
    )
    return [*lines, f"{args.out / name}.json" + (f", {args.out / name}.png" if figures else "")]


def benchmark(args, progress):
    """The published instances, or fresh ones: ours beside the best known and the lower bound."""
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
    name = f"packing-{'fresh' if args.fresh else 'benchmark'}-{'rotated' if args.rotate else 'oriented'}-{args.time:g}s"
    leave(
        args.out,
        name,
        what,
        lines,
        [],
        rows=[{key: value for key, value in row.items() if key != "packing"} for row in records],
    )
    return [*lines, "", f"{args.out / name}.json"]


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
    leave(
        args.out, "packing-proposals", "Visualized proposals in the engine", lines, [], values=rows
    )
    return [*lines, "", f"{args.out / 'packing-proposals'}.json"]


def thesis(args, progress):
    """Repacking k full bins into k: un-ascended, ascended, noisy first fit, at equal decodes;
    paired tests.
    """
    from refimpl.companions.packing.thesis import study as pack_thesis

    lines, figures, values = pack_thesis.run(
        args.out / "packing-thesis.png", args.sets or 200, progress
    )
    leave(args.out, "packing-thesis", "The thesis and its controls", lines, figures, values=values)
    return [*lines, "", f"{args.out / 'packing-thesis'}.json" + (", .png" if figures else "")]


def growth(args, progress):
    """One pass of the decoder up to 10,000 items: time and memory, printed and drawn."""
    from refimpl.companions.packing import growth as pack_growth

    rows = []
    for n in pack_growth.LARGEST:
        progress(f"{n:,} items")
        rows += [pack_growth.one_pass(kind, n) for kind in pack_growth.KINDS]
    title = f"One pass up to {max(pack_growth.LARGEST):,} items in one instance"
    lines = [
        f"{title}, every packing verified",
        "",
        *pack_growth.lines(rows),
        "",
        f"at most {pack_growth.peak() / 1e6:.0f} MB of memory",
    ]
    pack_growth.picture(args.out / "packing-growth.png", rows)
    leave(
        args.out,
        "packing-growth",
        title,
        lines,
        [
            {
                "file": "packing-growth.png",
                "title": title,
                "paper": "",
                "alt": "CPU seconds of one pass over the number of items, log-log, beside slopes "
                "1 and 2.",
            }
        ],
        values=rows,
    )
    return [*lines, "", f"{args.out / 'packing-growth'}.json, .png"]


def run(argv):
    args = parse(argv)
    args.instance = instance_of(args)
    args.out = made(args.out)
    progress = Progress(args.quiet)
    asked = {
        proposals: args.proposals,
        benchmark: args.benchmark,
        thesis: args.thesis,
        growth: args.growth,
    }
    command = next((command for command, wanted in asked.items() if wanted), pack_file)
    lines = command(args, progress)
    progress("")
    if not args.quiet:
        print("\n".join(lines))
    return 0
