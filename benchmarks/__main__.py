"""python -m benchmarks [--only NAME] [--quick] [--json PATH] [--write]"""

import argparse
import json
import os
import platform
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
HERE = Path(__file__).parent


def environment():
    """What ran where."""
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        cpu = next(
            (
                line.split(":")[1].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            cpu,
        )
    versions = {
        name: import_module(name).__version__
        for name in ("torch", "jax", "sklearn")
        if find_spec(name)
    }
    return {
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "threads": os.environ["OPENBLAS_NUM_THREADS"],
        "peers": versions,
        "date": time.strftime("%Y-%m-%d"),
    }


def words(env):
    peers = ", ".join(f"{name} {version}" for name, version in env["peers"].items())
    absent = ", ".join(name for name in ("torch", "jax", "sklearn") if name not in env["peers"])
    return (
        f"{env['cpu']}; Python {env['python']}, NumPy {env['numpy']}, {env['blas']}, "
        f"{env['threads']} thread, "
        f"{env['clock']}; {peers or 'no peer'}{f'; not installed: {absent}' if absent else ''}; "
        f"{env['date']}"
    )


SUMMARY = (  # how ten titles begin, of the tables whose first row stands for what we do
    "training 784-10 on",
    "training 784-30-10 on",
    "ten 784-30-10 from ten inits",
    "class visualizations of ten classes",
    "ascent of 784-30-10 for 10 images",
    "retraining on ten images",
    "the same by cross-entropy",
    "a training step of Conv, 128 images, 1 thread",
    "a training step of Vonc, 128 images, 1 thread",
    "reading 60000 images",
)
PEERS = ("torch", "jax", "scikit-learn", "gunzip")


def summary(results):
    """Ten rows: ours, the best peer, how many times as long as we it takes, our share of the
    machine's limit.
    """
    lines = [
        "| | ours, ms | best peer | its ms | peer / ours | of the limit |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for begins in SUMMARY:
        for entry in results:
            if not entry["title"].startswith(begins):
                continue
            ours, *others = entry["rows"]
            peers = [row for row in others if row["name"].startswith(PEERS)]
            best = min(peers, key=lambda row: row["median_ms"], default=None)
            share = f"{ours['share']:.0%}" if "share" in ours else ""
            cells = ("", "", "")
            if best:
                ratio = best["median_ms"] / ours["median_ms"]
                cells = best["name"], f"{best['median_ms']:.2f}", f"{ratio:.2f}"
            row = entry["title"], f"{ours['median_ms']:.2f}", *cells, share
            lines.append(f"| {' | '.join(row)} |")
    return lines


def limits(env):
    """The machine's peaks in words."""
    peaks = env["peaks"]
    return (
        f"Peaks of one thread, measured in this run: {peaks['float32'] / 1e9:.0f} GFLOP/s in "
        f"float32 and {peaks['float64'] / 1e9:.0f} in float64 (a product of 1024 x 1024), "
        f"{peaks['bytes'] / 1e9:.1f} GB/s (a copy of 200 MB). The limit of a table is what its "
        f"arithmetic takes at that rate or its data at that bandwidth, whichever is more. Tables "
        f"without it search, count calls or start processes: no arithmetic bounds them."
    )


def table(env, results):
    """benchmarks/README.md: ten rows and the goals in sum, then one table a result, its goals below
    it.
    """
    goals = [(g, entry["title"]) for entry in results for g in entry["goals"]]
    missed = [f"{g['goal']} ({title}): {g['ratio']}" for g, title in goals if not g["met"]]
    from benchmarks.timing import share_of

    lines = [
        "# Benchmarks",
        "",
        "How fast this project is beside torch, JAX, scikit-learn and plain loops, and beside the "
        "machine's limit: the same matrix products\nor copies alone. Run by `python -m benchmarks` "
        "(`--only NAME` for a part), written by `python -m benchmarks --write`. Medians of\n"
        "interleaved repeats; ratios are to the first row of each table.",
        "",
        words(env),
        "",
        limits(env),
        "",
        *summary(results),
        "",
        f"{len(goals) - len(missed)} of {len(goals)} goals on ratios "
        f"met{'; missed:' if missed else '.'}",
        "",
        *(f"- {text}" for text in missed),
        "",
    ]
    for entry in results:
        lines += [
            f"## {entry['title']}",
            "",
            "| | median, ms | low to high | ratio | |",
            "|---|---:|---:|---:|---|",
        ]
        lines += [
            f"| {r['name']} | {r['median_ms']:.3f} | {r['low_ms']:.3f} to {r['high_ms']:.3f} | "
            f"{r['ratio']:.2f} | {share_of(r)} |"
            for r in entry["rows"]
        ]
        lines += [
            "",
            *(
                f"- goal {'met' if g['met'] else '**missed**'}: {g['goal']}: {g['ratio']}"
                for g in entry["goals"]
            ),
        ]
        lines += [f"- {entry['note']}"] * bool(entry["note"]) + [""]
    return "\n".join(lines)


def main():
    names = sorted(p.stem.removeprefix("bench_") for p in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Ours beside naive versions, peers and the "
        "machine's limit, one thread; every pair is checked to agree before it is timed.",
    )
    parser.add_argument("--only", choices=names, help="one of " + ", ".join(names), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small sizes, a smoke run")
    parser.add_argument(
        "--json", metavar="PATH", help="write the results there too ('-': standard output)"
    )
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu: the processor's time, for a machine that others use",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the table of a whole run to benchmarks/README.md",
    )
    args = parser.parse_args()
    if args.write and (args.only or args.quick):
        parser.error("--write: the table holds a whole run, without --only and --quick")
    from benchmarks.timing import CLOCKS, RESULTS, clock, machine

    clock[0] = CLOCKS[args.clock]
    env = environment() | {"clock": {"wall": "wall clock", "cpu": "processor time"}[args.clock]}
    env["peaks"] = machine()
    print(words(env))
    for name in [args.only] if args.only else names:
        import_module(f"benchmarks.bench_{name}").main(quick=args.quick)
    text = json.dumps({"environment": env, "results": RESULTS}, indent=1)
    if args.json == "-":
        print(text)
    elif args.json:
        Path(args.json).write_text(text)
    if args.write:
        from benchmarks.bench_growth import draw

        figure = "![growth](growth.png)\n" if draw(HERE / "growth.png") else ""
        (HERE / "README.md").write_text(table(env, RESULTS) + figure)


if __name__ == "__main__":
    main()
