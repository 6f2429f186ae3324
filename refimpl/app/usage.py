"""What the commands share: bad usage, common options, one line of progress."""

import argparse
import sys
import time
from pathlib import Path

OUT = Path("refimpl-out")
DATASETS = ("digits", "mnist", "fashion-mnist", "cifar10")


class UsageError(Exception):
    """Bad usage: message for the user, exit status 2."""


def positive(text):
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return value


def load_data(name, data_dir, load=None):
    if load is None:
        from refimpl.data import load
    try:
        return load(name, data_dir)
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(f"data set {name}: {error}") from None


def add_dataset(parser, *more):
    names = (*DATASETS, *more)
    parser.add_argument("--dataset", choices=names, default="digits", metavar="NAME",
                        help=", ".join(names).replace("digits", "digits (default, drawn)"))
    parser.add_argument("--data-dir", type=Path, metavar="DIR",
                        help="where the data is (default: REFIMPL_DATA or a cache)")


class Progress:
    """One line on standard error, rewritten; nothing where that is no terminal."""

    def __init__(self, quiet):
        self.show, self.start = sys.stderr.isatty() and not quiet, time.perf_counter()

    def __call__(self, text):
        if self.show:
            sys.stderr.write(f"\r\x1b[K{time.perf_counter() - self.start:5.0f} s  {text}" if text else "\r\x1b[K")
            sys.stderr.flush()
