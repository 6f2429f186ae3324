"""Files that appear whole or not at all, whatever happens meanwhile (standard library only).

A file is written under a temporary name of its own, flushed to the disk, and only then takes its
place. The temporary name tells the computer and the process, so that what a killed process left can
be swept away and what a living one is writing is left alone.
"""

import os
import platform
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

HOST = f"{zlib.crc32(platform.node().encode()):08x}"
PART = re.compile(r"\.(?:[0-9a-f]{8}-(?P<host>[0-9a-f]{8})-)?(?P<pid>\d+)(?:-\d+)?\.part")
_numbers = count()  # of the temporary files of this process


def temporary(path: Path) -> Path:
    """A temporary name beside `path` that no other file has, of any process on any computer. It is
    short where the file's own name is long.

    >>> name = temporary(Path("results.json")).name
    >>> name.startswith("results.json."), name.endswith(".part")
    (True, True)
    """
    name = f"{zlib.crc32(path.name.encode(errors='surrogateescape')):08x}-{HOST}"
    return path.with_name(f"{path.name[:40]}.{name}-{os.getpid()}-{next(_numbers)}.part")


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """The temporary file to write; it takes the place of `path` when the block has ended without
    an error, and goes where there was one. Raises OSError naming `path`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(Path(folder, "a.txt")) as part:
    ...         _ = part.write_text("all of it")
    ...     [(path.name, path.read_text()) for path in Path(folder).iterdir()]
    [('a.txt', 'all of it')]
    """
    path = Path(path)
    part = temporary(path)
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if error.filename in (None, str(part)):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file as `written_whole` does.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "a.txt"), "all of it")
    ...     Path(folder, "a.txt").read_text()
    'all of it'
    """
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def sweep(folder: str | Path) -> None:
    """Remove the temporary files that dead processes of this computer left in a folder; those of
    living ones stay, and so do those of other computers.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mine, dead = temporary(Path(folder, "a")), Path(folder, "a.999999999.part")
    ...     _ = mine.write_text(""), dead.write_text("")
    ...     sweep(folder)
    ...     [path == mine for path in Path(folder).iterdir()]
    [True]
    """
    for part in Path(folder).glob("*.part"):
        found = PART.search(part.name)
        if found and found["host"] in (None, HOST) and not _is_alive(int(found["pid"])):
            try:
                part.unlink(missing_ok=True)
            except OSError:  # of another user, or a folder of such a name
                pass


def _is_alive(pid: int) -> bool:
    """Whether a process of that number runs here; True where that cannot be known (on Windows,
    where asking would end it).
    """
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:  # no process has such a number
        return False
    except OSError:
        return True
    return True
