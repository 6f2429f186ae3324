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


def table(env, results):
    """benchmarks/README.md: the goals in sum, then one table a result, its goals below it."""
    goals = [(g, entry["title"]) for entry in results for g in entry["goals"]]
    missed = [f"{g['goal']} ({title}): {g['ratio']}" for g, title in goals if not g["met"]]
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m benchmarks --write`. Medians of interleaved repeats; ratios are to "
        "the first row of each table.",
        "",
        words(env),
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
            "| | median, ms | low to high | ratio |",
            "|---|---:|---:|---:|",
        ]
        lines += [
            f"| {r['name']} | {r['median_ms']:.3f} | {r['low_ms']:.3f} to {r['high_ms']:.3f} | "
            f"{r['ratio']:.2f} |"
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
    from benchmarks.timing import CLOCKS, RESULTS, clock

    clock[0] = CLOCKS[args.clock]
    env = environment() | {"clock": {"wall": "wall clock", "cpu": "processor time"}[args.clock]}
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
