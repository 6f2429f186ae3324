"""The command line: python -m refimpl [COMMAND] [OPTIONS]. A command is run(argv) of its module in
COMMANDS.
"""

import os
import sys
from difflib import get_close_matches
from importlib import import_module

from refimpl.report.options import UsageError

COMMANDS = {
    "reproduce": "refimpl.app.reproduce_command",
    "claims": "refimpl.app.claims_command",
    "protocol": "refimpl.paper.protocol_command",
    "gradcheck": "refimpl.app.gradcheck_command",
    "mutants": "refimpl.app.mutants_command",
    "extract": "refimpl.companions.extraction.command",
    "train": "refimpl.companions.cnn.command",
    "maximize": "refimpl.companions.maximization.command",
    "deconv": "refimpl.companions.deconv.command",
    "look": "refimpl.companions.descriptors.command",
    "invert": "refimpl.companions.inversion.command",
    "dissect": "refimpl.companions.dissection.command",
    "pack": "refimpl.companions.packing.command",
    "lesson": "refimpl.lessons.command",
    "play": "refimpl.lessons.play_command",
    "report": "refimpl.app.report_command",
    "reference": "refimpl.app.reference_command",
}


def main(argv=None):
    """Run a command, reproduce where none is named. Returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    name = argv.pop(0) if argv and not argv[0].startswith("-") else "reproduce"
    try:
        if name not in COMMANDS:
            near = get_close_matches(name, COMMANDS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(
                f"expected a command ({', '.join(COMMANDS)}) or options, got {name!r}{hint}"
            )
        try:
            return import_module(COMMANDS[name]).run(argv)
        finally:
            sys.stdout.flush()
    except UsageError as error:
        print(f"refimpl: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrefimpl: stopped", file=sys.stderr)
        return 130
    except (
        BrokenPipeError
    ):  # `| head` has read enough; nothing more may be written, not at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
