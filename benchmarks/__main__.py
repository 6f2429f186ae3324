"""python -m benchmarks [--only NAME] [--quick]"""

import argparse
import os
import platform
from importlib import import_module
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main():
    names = sorted(p.stem.removeprefix("bench_") for p in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ours beside naive versions and peers, one "
                                     "thread; every pair is checked to agree before it is timed.")
    parser.add_argument("--only", choices=names, help="one of " + ", ".join(names), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small sizes, a smoke run")
    args = parser.parse_args()
    import numpy as np
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, {os.cpu_count()} cores")
    for name in [args.only] if args.only else names:
        import_module(f"benchmarks.bench_{name}").main(quick=args.quick)


if __name__ == "__main__":
    main()
