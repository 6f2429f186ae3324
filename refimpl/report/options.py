"""What the commands share: their parsers and common options, bad usage, the folder of the results,
a line of progress.
"""

import argparse
import os
import re
import sys
import time
from difflib import get_close_matches
from pathlib import Path

from refimpl.files.idx_folder import hint_for, plain_name, same_name
from refimpl.files.streams import PlainParser
from refimpl.files.whole import sweep

OUT = Path("refimpl-out")
FEWEST = 100  # training images of a command that trains the paper's teachers, a minibatch of theirs
MOST = 2**31 - 1  # what an option may count or seed
DATASETS = ("digits", "mnist", "fashion-mnist", "cifar10")
TAKE_OWN = ("train", "maximize", "deconv", "invert", "extract", "look", "compress", "play")


class UsageError(Exception):
    """Bad usage: message for the user, exit status 2."""


def at_least(least):
    """The type of an option that takes whole numbers from `least` on.

    >>> at_least(0)("12")
    12
    """

    def whole(text):
        digits = text.isdecimal() and text.isascii() and len(text) <= len(str(MOST))
        if not digits or not least <= int(text) <= MOST:
            said = text if len(text) <= 40 else f"{text[:40]}..."
            most = f" and at most {MOST}" if text.isdecimal() and len(text) > 9 else ""
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at least {least}{most}, got {said!r}"
            )
        return int(text)

    return whole


positive = at_least(1)


class Parser(PlainParser):
    """A parser whose complaints say what may have been meant."""

    def error(self, message):
        options = [option for action in self._actions for option in action.option_strings]
        unknown = re.search(r"unrecognized arguments: (--[^ =]+)", message)
        choice = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        near = []
        if unknown:
            near = get_close_matches(unknown[1], options, n=1)
        elif choice:
            near = get_close_matches(choice[1], re.findall(r"[\w-]+", choice[2]), n=1)
        super().error(message + (f"; did you mean {near[0]}?" if near else ""))

    def given(self, argv):
        """The names of the options that argv, which has been parsed, names: those with a default
        cannot be told from it otherwise.

        >>> parser = parser_of("train", "Train.", "")
        >>> add_seed(parser)
        >>> parser.given([]), parser.given(["--seed", "0"])
        (set(), {'seed'})
        """
        names = {action.dest for action in self._actions if action.option_strings}
        silent = object()
        found = self.parse_args(argv, argparse.Namespace(**dict.fromkeys(names, silent)))
        return {name for name in names if getattr(found, name) is not silent}


def parser_of(name, description, epilog, usage="[options]"):
    """The parser of a command, its epilog printed as it stands."""
    return Parser(
        prog=f"python -m refimpl {name}",
        usage=f"python -m refimpl {name} {usage}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def dataset_among(names, own):
    """The type of --dataset: one of some names, where case, hyphens and underscores do not matter;
    with `own` also a folder, or the name of one in the data folder, which refimpl.data.load reads.

    >>> dataset_among(("digits", "mnist"), False)("MNIST"), dataset_among((), True)("my/letters")
    ('mnist', 'my/letters')
    """

    def named(text):
        known = next((name for name in names if same_name(text, name)), None)
        if known or (own and text.strip()):
            return known or text
        folder = " or a folder of idx files" if own else ""
        hint = hint_for(text, [*names])
        if not own and ("/" in text or os.sep in text):
            hint = (
                "; the paper's numbers are those of these data sets, a folder of your own is for "
                f"{', '.join(TAKE_OWN)}"
            )
        raise argparse.ArgumentTypeError(
            f"expected {', '.join(names)}{folder}, got {text!r:.40}{hint}"
        )

    return named


def add_dataset(parser, *more, own=False):
    """--dataset and --data-dir; own: folders of the user's own are taken, too."""
    names = (*DATASETS, *more)
    folder = ", or a folder of yours" if own else ""
    parser.add_argument(
        "--dataset",
        type=dataset_among(names, own),
        default="digits",
        metavar="NAME",
        help=", ".join(names).replace("digits", "digits (default)") + folder,
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where the data is (default: REFIMPL_DATA or a cache)",
    )


def add_folder(parser, default=None):
    """--out; without a default it is the data set's folder of OUT, as make_folder() knows."""
    parser.add_argument(
        "--out",
        type=Path,
        default=default,
        metavar="DIR",
        help=f"default {default or OUT / 'DATASET'}",
    )


def add_out(parser, default=None):
    """--out, and --quiet of a command that prints what it leaves there."""
    add_folder(parser, default)
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_seed(parser):
    parser.add_argument(
        "--seed",
        type=at_least(0),
        default=0,
        metavar="N",
        help="of everything left to chance (default 0)",
    )


def add_count_of(parser, name, default, what, least=1):
    """An option --name that counts: at least `least`; what: its help, to which the default is
    added.
    """
    parser.add_argument(
        f"--{name}",
        type=at_least(least),
        default=default,
        metavar="N",
        help=f"{what} (default {default})",
    )


def add_steps(parser, default):
    add_count_of(parser, "steps", default, "gradient steps a picture")


def add_jobs(parser):
    """--jobs and --cluster."""
    parser.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="processes (default 1)"
    )
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="a Dask scheduler's, instead of --jobs"
    )


def check_jobs(given):
    """Raises UsageError where both options of add_jobs are among those that were given."""
    if {"cluster", "jobs"} <= given:
        raise UsageError("--cluster, --jobs: expected one of them, not both")


def load_data(name, data_dir, load=None):
    """The data set of --dataset and --data-dir. Raises UsageError where it cannot be read."""
    if load is None:
        from refimpl.data import load
    try:
        data = load(name, data_dir)
    except FileNotFoundError as error:
        raise UsageError(f"data set {name}: {error}") from None
    except OSError as error:  # a folder for a file, a file for a folder, what may not be read
        raise UsageError(f"data set {name}: {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"data set {name}: {error}") from None
    check_training_images(data)
    return data


def check_training_images(data, images=1, each=0):
    """Raises UsageError where a data set, one of the user's own, has fewer classes or training
    images than a command needs, in all or of each class.

    >>> import numpy as np
    >>> from refimpl.data import dataset_from
    >>> check_training_images(dataset_from(np.ones((2, 4)), [0, 2], np.ones((1, 4)), [1]), each=1)
    Traceback (most recent call last):
        ...
    refimpl.report.options.UsageError: --dataset: expected at least 1 training images of each \
class, own has 0 of class 1
    """
    if len(data.classes) < 2:
        raise UsageError(f"--dataset: expected at least 2 classes, {data.title} has one")
    if len(data.train_y) < images:
        raise UsageError(
            f"--dataset: expected at least {images} training images, {data.title} has "
            f"{len(data.train_y)}"
        )
    counts = [int((data.train_y == c).sum()) for c in range(len(data.classes))]
    if min(counts) < each:
        raise UsageError(
            f"--dataset: expected at least {each} training images of each class, {data.title} has "
            f"{min(counts)} of class {data.classes[counts.index(min(counts))]}"
        )


def file_name(dataset):
    """What --dataset is called in the names of files and folders.

    >>> file_name("fashion-mnist"), file_name("/home/me/My letters"), file_name("..")
    ('fashion-mnist', 'my-letters', 'own')
    """
    own = dataset and dataset not in DATASETS
    return plain_name(Path(dataset).name) or "own" if own else dataset


def folder_of(out, dataset=""):
    """The folder of --out, by default the data set's, whether it is there or not.

    >>> folder_of(None, "/home/me/My letters").as_posix()
    'refimpl-out/my-letters'
    """
    return out or OUT / file_name(dataset)


def make_folder(out, dataset=""):
    """The folder of --out, by default the data set's, made where it is missing. Raises UsageError
    where that fails. What killed runs were writing there is swept away.
    """
    folder = folder_of(out, dataset)
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"--out: expected a folder, {folder} is a file")
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(0, "it cannot be written to")
        sweep(folder)
    except OSError as error:
        raise UsageError(
            f"--out: expected a folder to write to, got {folder}: {error.strerror}"
        ) from None
    return folder


class Progress:
    """One line on standard error, rewritten; nothing where that is no terminal, or one that cannot
    rewrite a line.
    """

    def __init__(self, quiet=False):
        rewrites = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.show = rewrites and not quiet
        self.start = time.perf_counter()

    def __call__(self, text):
        if self.show:
            sys.stderr.write(
                f"\r\x1b[K{time.perf_counter() - self.start:5.0f} s  {text}" if text else "\r\x1b[K"
            )
            sys.stderr.flush()
