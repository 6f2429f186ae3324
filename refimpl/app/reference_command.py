"""python -m refimpl reference: one page of every public function and class, from the docstrings."""

import argparse

from refimpl import __version__
from refimpl.app.usage import OUT, add_folder, made


def run(argv):
    """The command. Exit status 0: the page was written; 2: bad usage."""
    parser = argparse.ArgumentParser(prog="python -m refimpl reference", description="Make OUT/reference.html: every "
                                     "public function and class, from the docstrings.")
    add_folder(parser, OUT)
    out = made(parser.parse_args(argv).out)
    from refimpl.app.jobs import write
    from refimpl.app.reference import render
    write(out / "reference.html", render(__version__))
    print(f"Reference: {out / 'reference.html'}")
    return 0
