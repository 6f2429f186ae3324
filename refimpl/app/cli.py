"""The command line: python -m refimpl [COMMAND] [OPTIONS]."""

import argparse
import json
import os
import sys
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from pathlib import Path

from refimpl import __version__
from refimpl.app.usage import DATASETS, OUT, Progress, UsageError, add_dataset, load_data, positive

EPILOG = """other commands, each with -h: claims (the ledger), protocol, gradcheck, mutants,
extract, train, maximize, deconv, look, invert, dissect, pack, lesson, report,
reference

example: python -m data_fetch mnist && python -m refimpl --dataset mnist
exit status: 0 all measured and proved, 1 a theorem failed, 2 bad usage"""


def reproduce(argv):
    parser = argparse.ArgumentParser(
        prog="python -m refimpl", usage="python -m refimpl [reproduce] [options]", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train, visualize, retrain, prove, report: the paper's claims.")
    add_dataset(parser, "all")
    parser.add_argument("--seeds", type=positive, default=5, metavar="N", help="runs (default 5; 1 prints no sd)")
    parser.add_argument("--only", metavar="SECTION[,..]", help="or all; default 5,7,9,controls,theorems")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default refimpl-out/DATASET")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler's, instead of --jobs")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--json", metavar="PATH", help="write the results there too ('-': standard output)")
    parser.add_argument("--version", action="version", version=f"refimpl {__version__}")
    args = parser.parse_args(argv)
    from refimpl.app import jobs
    from refimpl.app.reproduce import CORE, SECTIONS
    only = args.only or ("all" if args.dataset == "all" else ",".join(CORE))
    sections = list(SECTIONS) if only == "all" else only.split(",")
    unknown = [name for name in sections if name not in SECTIONS]
    if unknown:
        raise UsageError(f"--only: expected all or some of {', '.join(SECTIONS)}, got {', '.join(map(repr, unknown))}")
    folders = ({name: (args.out or OUT) / name for name in DATASETS} if args.dataset == "all" else
               {args.dataset: args.out or OUT / args.dataset})
    for out in folders.values():
        if (args.out or out).exists() and not (args.out or out).is_dir():
            raise UsageError(f"--out: expected a folder, {args.out or out} is a file")
    progress = Progress(args.quiet)
    try:
        with jobs.executor(args.jobs, args.cluster) as pool:
            results = {name: run_one(name, sections, out, pool, args, progress) for name, out in folders.items()}
    except jobs.NoCluster as error:
        raise UsageError(f"--cluster: {error}") from None
    except BrokenProcessPool:
        raise UsageError("a process of --jobs was killed; what had finished is kept: run it again to go on") from None
    text = json.dumps(results if len(results) > 1 else results[args.dataset], indent=1)
    if args.json == "-":
        print(text)
    elif args.json:
        jobs.write(args.json, text)
    show = not args.quiet and args.json != "-"
    if show and len(results) > 1:
        from refimpl.app.tables import summary_text
        rows = {row["id"]: row for found in results.values() for row in found["claims"]}
        print(summary_text(rows, {name: found["environment"]["title"] for name, found in results.items()}))
    if show and args.dataset == "digits":
        print("Go on with the paper's data: python -m data_fetch mnist && python -m refimpl --dataset mnist")
    failed = sorted({t["id"] for found in results.values() for t in found["theorems"] if not t["holds"]})
    if failed:
        print(f"refimpl: theorems that failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_one(name, sections, out, pool, args, progress):
    """Reproduce on one data set and print what was found, unless quiet."""
    from refimpl.app import jobs
    from refimpl.app.reproduce import reproduce
    from refimpl.app.tables import claims_text, theorems_text
    progress(f"reading {name}")
    data = load_data(name, args.data_dir, jobs.dataset)
    results = reproduce(data, seeds=args.seeds, sections=sections, out=out, pool=pool, data_dir=args.data_dir,
                        progress=progress)
    progress("")
    if not args.quiet and args.json != "-":
        seeds = f"{args.seeds} seed{'s' if args.seeds > 1 else ''}"
        print(f"{data.title}, {seeds}, {results['environment']['seconds']} s\n\n{claims_text(results['claims'])}\n")
        if results["theorems"]:
            print(theorems_text(results["theorems"]) + "\n")
        print(f"Report: {out / 'report.html'}", flush=True)
    return results


def claims(argv):
    parser = argparse.ArgumentParser(prog="python -m refimpl claims", description="Print the ledger of every number "
                                     "the paper prints, from the latest results of each data set.")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR",
                        help="a folder of results, or of such folders (default refimpl-out)")
    parser.add_argument("--dataset", metavar="NAME", help="of one data set only")
    parser.add_argument("--summary", action="store_true", help="the README's table only")
    parser.add_argument("--cells", action="store_true", help="every cell of the tables, not their summary")
    args = parser.parse_args(argv)
    from refimpl.app.tables import claims_text, summary_text
    from refimpl.paper.claims import CLAIMS
    from refimpl.paper.slides import NOT_JUDGED
    folders = [f for f in (args.out, *sorted(args.out.glob("*/"))) if f.is_dir()]
    found = [p for folder in folders for p in folder.glob("*.json")]
    if not found:
        raise UsageError(f"--out: no results in {args.out} or its folders; run python -m refimpl first")
    latest, titles, figures = {}, {}, {}
    for path in sorted(found, key=lambda p: p.stat().st_mtime):
        try:
            results = json.loads(path.read_text())
            if "claims" not in results:  # a lesson's, a packing's, a unit's
                continue
            latest |= {row["id"]: row for row in results["claims"]}
            titles[results["environment"]["dataset"]] = results["environment"]["title"]
            figures |= {f"{results['environment']['title']}, {f['title']}": f.get("verdict") for f in results["figures"]}
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path}: expected results of refimpl, found something else") from None
    if not latest:
        raise UsageError(f"--out: no results in {args.out} or its folders; run python -m refimpl first")
    if args.summary:
        print(summary_text(latest, {name: titles[name] for name in DATASETS if name in titles}))
        return 0
    wanted = [c for c in CLAIMS if args.dataset in (None, c.id.split("/")[1])]
    rows = [latest[c.id] for c in wanted if c.id in latest]
    if args.cells:
        for row in rows:
            ours = row["ours"]
            print(f"{row['id']:52} {row['paper']} {ours['mean']:.6g} {ours['sd']} {row['verdict']}")
    else:
        for name, title in titles.items():
            some = [row for row in rows if row["id"].split("/")[1] == name]
            if some:
                print(f"{title}\n{claims_text(some)}\n")
        print("\n".join(f"{title}: {verdict}" for title, verdict in figures.items() if verdict) + "\n")
    missing = [c.id for c in wanted if c.id not in latest]
    print("\n".join(f"not judged: {id}: {reason}" for id, reason in NOT_JUDGED))
    print(f"{len(rows)} of {len(wanted)} claims measured"
          + (f"; not yet: {', '.join(sorted({'/'.join(id.split('/')[:2]) for id in missing}))}" if missing else ""))
    return 0


def protocol(argv):
    parser = argparse.ArgumentParser(prog="python -m refimpl protocol", description="Choose what the paper leaves open on "
                                     "validation images and print every cell of the grid.")
    add_dataset(parser)
    parser.add_argument("--section", choices=("5", "6", "8", "10", "missing_digit"), default="5", metavar="SECTION",
                        help="5 (default: the teachers, and section 7's), 6, 8, 10 (minutes), missing_digit")
    args = parser.parse_args(argv)
    data = load_data(args.dataset, args.data_dir)

    def report(line):
        print(line, flush=True)

    if args.section == "10":
        from refimpl.paper import section10_grid
        cells = section10_grid.grid(data, report=report)
        best = sorted(cells, key=lambda cell: cell.distance)[:32]
        for name, cell in section10_grid.choose(section10_grid.repeat(data, best, report=report)).items():
            print(f"{name}: {cell}")
        return 0
    if args.section != "5":
        from refimpl.paper import missing_digit, section6, section8
        module = {"6": section6, "8": section8, "missing_digit": missing_digit}[args.section]
        print(module.choose(data, report=report))
        return 0
    from refimpl.paper.protocol import PROTOCOLS, choose
    chosen, fixed = choose(data, report=report), PROTOCOLS[data.name]
    for name in ("paper", "best", "averages", "iterations"):
        ours, coded = getattr(chosen, name), getattr(fixed, name)
        print(f"{name}: {ours}" + ("" if ours == coded else f", but the code has {coded}"))
    return 0


def gradcheck(argv):
    parser = argparse.ArgumentParser(
        prog="python -m refimpl gradcheck", description="Check the gradients of your own layer or function.",
        epilog="exit status: 0 the gradients are right, 1 they are wrong, 2 no verdict or nothing to check")
    parser.add_argument("object", metavar="MODULE:OBJECT", help="a layer or Network; a pair (layer, x); a triple (f, vjp, "
                        "inputs); or a function of nothing, or of rng, that returns one of these")
    from refimpl.app.check import check
    return check(parser.parse_args(argv).object)


def mutants(argv):
    parser = argparse.ArgumentParser(
        prog="python -m refimpl mutants", description="Rate the gradient checker by planted errors, beside the default "
        "rules of torch, scipy, autograd and jax where they are installed.",
        epilog="exit status: 1 when an error survives ours or correct code is accused")
    parser.add_argument("--quick", action="store_true", help="without the other checkers")
    from refimpl.mutants import main_mutants
    return main_mutants(quick=parser.parse_args(argv).quick)


COMMANDS = {"reproduce": reproduce, "claims": claims, "protocol": protocol, "gradcheck": gradcheck, "mutants": mutants}
ROOMS = ("extract", "train", "maximize", "deconv", "look", "invert", "dissect", "pack", "lesson", "report", "reference")


def main(argv=None):
    argv = sys.argv[1:] if argv is None else list(argv)
    name = argv.pop(0) if argv and argv[0] in (*COMMANDS, *ROOMS) else "reproduce"
    try:
        try:
            return COMMANDS[name](argv) if name in COMMANDS else import_module(f"refimpl.app.{name}_command").run(argv)
        finally:
            sys.stdout.flush()
    except UsageError as error:
        print(f"refimpl: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrefimpl: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `| head` has read enough; nothing more may be written, not at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
