"""--help of every command answers at once: nothing of the mathematics is loaded for it."""

import subprocess
import sys

from refimpl.app import cli

HEAVY = ("matplotlib", "PIL", "threadpoolctl", "multiprocessing.pool", "concurrent.futures.process")
LEARNS = ("refimpl.data", "refimpl.training", "refimpl.companions.packing.engine")
HELP = """
import contextlib, io, sys
from refimpl.app import cli
for command in {commands}:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            cli.main([command, "--help"])
        except SystemExit as stop:
            assert not stop.code
    assert said.getvalue().startswith("usage:"), command
    print(command, [name for name in {heavy} if name in sys.modules])
"""


def test_help_loads_no_mathematics():
    code = HELP.format(commands=list(cli.COMMANDS), heavy=[*HEAVY, *LEARNS])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{command} []" for command in cli.COMMANDS], done.stderr
