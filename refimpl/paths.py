"""Where data lives on this machine (standard library only, so that data_fetch.py runs before anything is installed)."""

import os
import sys
from pathlib import Path


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
