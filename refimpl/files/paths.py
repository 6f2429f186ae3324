"""Where data lives on this machine (standard library only, so that data_fetch.py runs before
anything is installed).
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def default_data_dir() -> Path:
    """REFIMPL_DATA where it is set, else a per-user cache folder. Nothing is created.

    >>> default_data_dir().name != ""
    True
    """
    if os.environ.get("REFIMPL_DATA"):
        return Path(os.environ["REFIMPL_DATA"]).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "refimpl"


@contextmanager
def locked(folder: Path, on_wait: Callable[[], object]) -> Iterator[None]:
    """Keep other runs out of `folder`, made if need be (not on Windows); on_wait() is called before
    waiting for one.

    The system lets go of the lock even of a killed process.

    >>> import tempfile
    >>> with (
    ...     tempfile.TemporaryDirectory() as folder,
    ...     locked(Path(folder), lambda: print("waiting")),
    ... ):
    ...     print(sorted(path.name for path in Path(folder).iterdir()))
    ['.lock']
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "wb") as handle:
        if fcntl:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
