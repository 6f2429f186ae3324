"""python -m refimpl pack: pack rectangles into few bins; the benchmark; the thesis beside its controls."""

import argparse
import json
import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from refimpl.app.usage import OUT, Progress, UsageError, positive

EPILOG = """FILE: .2bp (FILE:3 is its third instance) or .csv of w,h lines with --bin.
OUT gets FILE.json and FILE.png, or packing-*.json.

example: python -m refimpl pack items.csv --bin 100x100 --rotate"""

FRESH = 10_000  # first seed of the new instances: none below was looked at while the engine was made


def size(text):
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
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
    parser = argparse.ArgumentParser(
        prog="python -m refimpl pack", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="python -m refimpl pack FILE | --benchmark | --thesis [options]", description="Pack rectangles into few bins.")
    parser.add_argument("file", nargs="?", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--bin", type=size, metavar="WxH", help="the bin of a .csv list")
    parser.add_argument("--rotate", action="store_true", help="items may turn by 90 degrees")
    parser.add_argument("--time", type=seconds, default=5.0, metavar="S", help="seconds at most (default 5)")
    parser.add_argument("--benchmark", action="store_true", help="the 500 published instances")
    parser.add_argument("--fresh", action="store_true", help="with --benchmark: 200 new ones instead")
    parser.add_argument("--part", type=positive, metavar="N", help="with --benchmark: every N-th only")
    parser.add_argument("--jobs", type=positive, metavar="N", help="processes (default: all cores)")
    parser.add_argument("--thesis", action="store_true", help="does the gradient help? with its controls")
    parser.add_argument("--sets", type=positive, default=200, metavar="N", help="with --thesis (default 200)")
    parser.add_argument("--out", type=Path, default=OUT / "packing", metavar="DIR", help="default refimpl-out/packing")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    args = parser.parse_args(argv)
    if bool(args.file) + args.benchmark + args.thesis != 1:
        parser.error("expected a FILE, --benchmark or --thesis")
    return args


def gap(count, bound):
    return "optimal: the lower bound is met" if count == bound else f"{count - bound} above the lower bound"


def pack_file(args, progress):
    """Pack one instance; write picture and JSON; the lines to print."""
    from refimpl.app import jobs
    from refimpl.app.packing_pictures import bins_picture
    from refimpl.packing import pack
    from refimpl.packing.readers import read
    try:
        instance = read(args.file, args.bin, rotate=args.rotate)
    except (OSError, ValueError) as error:
        raise UsageError(error) from None
    progress(f"{len(instance.items)} items, single passes")
    packing = pack(instance.items, instance.bin, rotate=args.rotate, time_limit=args.time,
                   on_progress=lambda count, bound: progress(f"{count} bins, bound {bound}, {gap(count, bound)}"))
    progress("")
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(args.file).name)
    W, H = (int(v) for v in instance.bin)
    filled = 100 * instance.items.prod(axis=1).sum() / max(1, packing.count * W * H)
    lines = [f"{len(instance.items)} items into bins of {W} x {H}{', rotation allowed' if args.rotate else ''}: "
             f"{packing.count} bins, {gap(packing.count, packing.lower_bound)} ({packing.lower_bound}); "
             f"{filled:.1f} % filled"]
    figures = []
    if packing.count:
        bins_picture(args.out / f"{name}.png", packing, (W, H))
        figures = [{"file": f"{name}.png", "title": f"{args.file}: {packing.count} bins", "paper": "",
                    "alt": f"{packing.count} bins of {W} by {H} with {len(packing.bins)} rectangles."}]
    jobs.write(args.out / f"{name}.json", json.dumps({
        "command": "pack", "title": f"Packing {args.file}", "lines": lines, "figures": figures, "bin": [W, H],
        "rotate": args.rotate, "count": packing.count, "lower_bound": packing.lower_bound, "optimal": packing.optimal,
        "items": [dict(zip(("w", "h", "bin", "x", "y", "placed_w", "placed_h"), map(int, (*item, b, *corner, *placed))))
                  for item, b, corner, placed in zip(instance.items, packing.bins, packing.positions, packing.sizes)]},
        indent=1))
    return [*lines, f"{args.out / name}.json" + (f", {args.out / name}.png" if figures else "")]


def benchmark(args, progress):
    from refimpl.app import jobs, pack_benchmark
    from refimpl.packing.instances import benchmark as published
    todo = (pack_benchmark.fresh_instances(200, first=FRESH) if args.fresh else published())[:: args.part or 1]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the children's, who start afresh and read it
    totals = [0, 0]

    def tell(done, of, record):
        totals[0], totals[1] = totals[0] + record["bins"], totals[1] + record["bound"]
        progress(f"{done} of {of} instances, {totals[0]:,} bins, bound {totals[1]:,}")

    try:
        records = pack_benchmark.run_benchmark(todo, args.out / "units", args.rotate, args.time,
                                               args.jobs or os.cpu_count() or 1, on_result=tell)
    except BrokenProcessPool:
        raise UsageError("a process of --jobs was killed; what had finished is kept: run it again to go on") from None
    source, turned = "fresh" if args.fresh else "published", "rotation allowed" if args.rotate else "oriented"
    what = f"{len(records)} {source} instances, {turned}"
    table = pack_benchmark.table(records, None if args.fresh else pack_benchmark.best_known(args.rotate))
    lines = [f"{what}, {args.time:g} s of one core an instance, every packing verified", "", *table]
    name = f"packing-{'fresh' if args.fresh else 'benchmark'}-{'rotated' if args.rotate else 'oriented'}-{args.time:g}s"
    jobs.write(args.out / f"{name}.json", json.dumps({
        "command": "pack", "title": what, "lines": lines, "figures": [],
        "rows": [{key: value for key, value in row.items() if key != "packing"} for row in records]}, indent=1))
    return [*lines, "", f"{args.out / name}.json"]


def thesis(args, progress):
    """Repacking k full bins into k: un-ascended, ascended, noisy first fit, at equal decodes; paired tests."""
    from refimpl.app import jobs
    from refimpl.packing import repack
    from refimpl.packing.scorer import train_scorer
    from refimpl.paper.paired import paired_test
    progress("training the scorer on bins packed here")
    (scorer, _), lines, values = train_scorer(np.random.default_rng(1)), [], {}
    for k in (3, 5, 8):
        progress(f"repacking {k} bins, {args.sets} sets")
        rows = repack.compare(scorer, repack.full_bins(args.sets, k, 10_000), k)
        values[k] = {way: {key: v.tolist() for key, v in row.items()} for way, row in rows.items()}
        lines.append(f"\nk = {k}, {args.sets} fresh sets, 8 decodes each{'':10}{'success a try':>15}{'left over, bins':>17}")
        lines += [f"  {way:45}{row['success'].mean():15.3f}{row['overflow'].mean():17.4f}" for way, row in rows.items()]
        for other in ("un-ascended", "noisy first fit"):
            test = paired_test(rows[other]["success"], rows["ascended"]["success"])
            lines.append(f"  ascended - {other}: success {test.mean:+.3f} ± {test.half:.3f}, t {test.t:.2f}, p {test.p:.2g}")
    lines = ["Does the gradient help? Repack the items of k full bins into k bins", *lines]
    jobs.write(args.out / "packing-thesis.json", json.dumps({
        "command": "pack", "title": "The thesis and its controls", "lines": lines, "figures": [], "values": values},
        indent=1))
    return [*lines, "", f"{args.out / 'packing-thesis'}.json"]


def run(argv):
    args = parse(argv)
    if args.out.exists() and not args.out.is_dir():
        raise UsageError(f"--out: expected a folder, {args.out} is a file")
    progress = Progress(args.quiet)
    args.out.mkdir(parents=True, exist_ok=True)
    lines = (benchmark if args.benchmark else thesis if args.thesis else pack_file)(args, progress)
    progress("")
    if not args.quiet:
        print("\n".join(lines))
    return 0


