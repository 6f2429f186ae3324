"""Where data lives on this machine (standard library only, so that data_fetch.py runs before
anything is installed).
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def without_network(name: str) -> str:
    """What helps who cannot download the data set `name`, for the end of a message.

    >>> without_network("mnist")
    'without a network: python -m data_fetch mnist --from DIR, a copy of yours; digits needs none'
    """
    return (
        f"without a network: python -m data_fetch {name} --from DIR, a copy of yours; "
        f"digits needs none"
    )


def default_data_dir() -> Path:
    """REFIMPL_DATA where it is set, else a per-user cache folder. Nothing is created.

    Raises ValueError where REFIMPL_DATA begins with the home of a user who does not exist, or where
    it is not set and the machine knows no home folder.

    >>> default_data_dir().name != ""
    True
    """
    if os.environ.get("REFIMPL_DATA"):
        return expanded(os.environ["REFIMPL_DATA"], "REFIMPL_DATA")
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "refimpl"
    if sys.platform not in ("win32", "darwin") and os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "refimpl"
    cache = {"win32": ("AppData", "Local"), "darwin": ("Library", "Caches")}
    try:
        return Path.home().joinpath(*cache.get(sys.platform, (".cache",)), "refimpl")
    except RuntimeError:
        raise ValueError(
            "REFIMPL_DATA: expected a folder for the data sets, for no home folder is known here, "
            "got nothing"
        ) from None


def expanded(folder: str | Path, name: str) -> Path:
    """A folder whose leading ~ or ~user is replaced by that user's home. Raises ValueError naming
    the argument where there is no such user.

    >>> expanded("~nouser/data", "REFIMPL_DATA")
    Traceback (most recent call last):
        ...
    ValueError: REFIMPL_DATA: expected a folder, got '~nouser/data', and there is no home of ~nouser
    """
    if "\0" in str(folder):
        raise ValueError(f"{name}: expected a path, got {str(folder)!r}, which holds a NUL")
    if not isinstance(folder, str | Path) or not str(folder):
        raise ValueError(f"{name}: expected a path, got {folder!r:.80}")
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{name}: expected a folder, got {str(folder)!r}, and there is no home of "
            f"{Path(folder).parts[0]}"
        ) from None


def check_is_file(path: str | Path, *, pipes: bool = False) -> None:
    """Raises ValueError where a path leads to a device or a pipe, from which reading might never
    end, and OSError where it leads nowhere. pipes: those that a shell hands over by /dev are taken.

    >>> check_is_file(os.devnull)
    Traceback (most recent call last):
        ...
    ValueError: /dev/null: expected a file, found a device
    """
    mode = os.stat(path).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise ValueError(f"{path}: expected a file, found a device")
    if stat.S_ISFIFO(mode) and not (pipes and str(path).startswith(("/dev/", "/proc/"))):
        raise ValueError(f"{path}: expected a file, found a pipe")


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
