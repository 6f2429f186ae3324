"""The command line: python -m refimpl [COMMAND] [OPTIONS]. A command is run(argv) of its module in
COMMANDS.
"""

import os
import signal
import sys
import threading
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from signal import SIGINT, SIGTERM

from refimpl.files.streams import lead_nowhere, prepare_streams
from refimpl.report.options import UsageError

COMMANDS = {
    "reproduce": "refimpl.app.reproduce_command",
    "claims": "refimpl.app.claims_command",
    "protocol": "refimpl.paper.protocol_command",
    "gradcheck": "refimpl.app.gradcheck_command",
    "mutants": "refimpl.app.mutants_command",
    "extract": "refimpl.companions.extraction.command",
    "compress": "refimpl.companions.distillation.command",
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


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


@contextmanager
def termination_raised():
    """SIGTERM raises Terminated inside, so that work ends as it does on an interrupt. Only where
    nobody else handles it, and in the main thread, which alone may say so.
    """
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number, frame):
        raise Terminated

    signal.signal(SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(SIGTERM, signal.SIG_DFL)


@contextmanager
def stops_come_back():
    """A stop that Python could not raise comes once more: in a finalizer, or in a callback of the
    import system, it is printed as "ignored", and the work would go on.
    """
    before, waiting = sys.unraisablehook, []
    stops = {KeyboardInterrupt: SIGINT, Terminated: SIGTERM}

    def again(lost):
        if lost.exc_type not in stops:
            before(lost)
            return
        to_main = (threading.main_thread().ident, stops[lost.exc_type])
        later = threading.Timer(0.05, signal.pthread_kill, to_main)  # when this hook has returned
        later.daemon = True
        later.start()
        waiting.append(later)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before
        for later in waiting:
            later.cancel()


def say(message):
    """One line on standard error, whatever becomes of it."""
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        pass


def stopped(signal_number):
    """Say goodbye, below a terminal's line of progress; the exit status that shells have for it."""
    say(("\n" if sys.stderr.isatty() else "") + "refimpl: stopped")
    return 128 + signal_number


def main(argv=None):
    """Run a command, reproduce where none is named. Returns the exit status: 2 on bad usage and
    where a file cannot be read or written, 130 and 143 when it was stopped, 141 when whoever read
    the output has gone.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    name = argv.pop(0) if argv and not argv[0].startswith("-") else "reproduce"
    prepare_streams()
    if "matplotlib" not in sys.modules:  # no window is opened, whatever a notebook says
        os.environ["MPLBACKEND"] = "agg"
    try:
        with termination_raised(), stops_come_back():
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
        say(f"refimpl: {error}")
        return 2
    except KeyboardInterrupt:
        return stopped(SIGINT)
    except Terminated:
        return stopped(SIGTERM)
    except BrokenPipeError:  # `| head` has read enough
        lead_nowhere(sys.stdout)
        return 141
    except OSError as error:
        say(f"refimpl: {in_words(error)}")
        if error.filename is None:
            lead_nowhere(sys.stdout)
        return 2


def in_words(error):
    """'PATH: what is wrong with it' of an OSError; standard output where it names no file.

    >>> in_words(IsADirectoryError(21, "Is a directory", "out"))
    'out: Is a directory'
    """
    place = error.filename2 or error.filename or "standard output"
    return f"{place}: {error.strerror or error}"
