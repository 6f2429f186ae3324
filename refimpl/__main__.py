"""python -m refimpl"""

import os
import sys

# One BLAS thread: on matrices this small more threads cost more than they bring. Must be set before
# NumPy loads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from refimpl.app.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
