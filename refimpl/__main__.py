"""python -m refimpl, and the console script refimpl."""

import os
import signal
import sys


def run() -> int:
    """Run the command line on one BLAS thread, unless the environment says otherwise.

    On matrices this small more threads cost more than they bring. The variable must be set before
    NumPy loads, so it is set before anything else is imported.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from refimpl.app.cli import main

        return main()
    except KeyboardInterrupt:  # before the command line could say so itself
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on an interrupt leaves no trace


if __name__ == "__main__":
    sys.exit(run())
