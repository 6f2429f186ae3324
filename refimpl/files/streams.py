"""The standard streams as a process finds them: closed, of an encoding that lacks characters, with
a reader that goes (standard library only).
"""

import argparse
import os
import sys
from typing import Any


class PlainParser(argparse.ArgumentParser):
    """A parser whose help is not lost in silence where it cannot be written: the OSError is raised,
    which argparse itself passes over.

    >>> PlainParser(prog="train", usage="train").print_usage(sys.stdout)
    usage: train
    """

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def prepare_streams() -> None:
    """Closed streams lead nowhere, and what the encoding of one cannot say is printed as an escape:
    neither ends a command that has done its work.

    >>> prepare_streams()
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's or a test's may be another
            stream.reconfigure(errors="backslashreplace")


def lead_nowhere(stream: Any) -> None:
    """Nothing more is written to a stream whose reader has gone or whose disk is full, not by
    Python at its exit either.

    >>> import tempfile
    >>> with tempfile.TemporaryFile("w+") as file:
    ...     lead_nowhere(file)
    ...     _ = file.write("lost"), file.flush(), file.seek(0)
    ...     file.read()
    ''
    """
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), stream.fileno())
    except (OSError, ValueError):
        pass
