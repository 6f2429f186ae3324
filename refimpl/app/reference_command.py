"""python -m refimpl reference: one page of every public function and class, from the docstrings."""

import argparse
from pathlib import Path

from refimpl import __version__
from refimpl.app.usage import OUT, UsageError


def run(argv):
    """The command. Exit status 0: the page was written; 2: bad usage."""
    parser = argparse.ArgumentParser(prog="python -m refimpl reference", description="Make OUT/reference.html: every "
                                     "public function and class, from the docstrings.")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="default refimpl-out")
    out = parser.parse_args(argv).out
    from refimpl.app.jobs import write
    from refimpl.app.reference import render
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: expected a folder, {out} is a file")
    out.mkdir(parents=True, exist_ok=True)
    write(out / "reference.html", render(__version__))
    print(f"Reference: {out / 'reference.html'}")
    return 0
