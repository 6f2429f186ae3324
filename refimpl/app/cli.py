"""The command line: python -m refimpl [COMMAND] [OPTIONS]. A command is run(argv) of refimpl/app/COMMAND_command.py."""

import os
import sys
from importlib import import_module

from refimpl.app.usage import UsageError

ROOMS = ("reproduce", "claims", "protocol", "gradcheck", "mutants", "extract", "train", "maximize", "deconv", "look",
         "invert", "dissect", "pack", "lesson", "report", "reference")


def main(argv=None):
    """Run a command, reproduce where none is named. Returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    name = argv.pop(0) if argv and not argv[0].startswith("-") else "reproduce"
    try:
        if name not in ROOMS:
            raise UsageError(f"expected a command ({', '.join(ROOMS)}) or options, got {name!r}")
        try:
            return import_module(f"refimpl.app.{name}_command").run(argv)
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
