"""The folder OUT as it is found: JSON that may be damaged, pictures that must lie inside."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """The contents of a JSON file. Raises ValueError with the reason in a few words where it is no
    file, cannot be read or is no JSON.

    >>> read_json(Path("/"))
    Traceback (most recent call last):
    ValueError: it is no file
    """
    try:
        if not path.is_file():  # a folder, a pipe, a link that leads nowhere or to itself
            raise ValueError("it is no file")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError("it is no JSON") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def json_files(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """({name: contents}, {name: what is wrong with it}) of the *.json of a folder, in the order of
    their names.
    """
    contents, damaged = {}, {}
    for path in sorted(folder.glob("*.json")):
        try:
            contents[path.name] = read_json(path)
        except ValueError as error:
            damaged[path.name] = str(error)
    return contents, damaged


def picture(folder: Path, name: str) -> bytes:
    """The bytes of a PNG file of the folder. Raises ValueError where there is none of that name, it
    lies elsewhere (by "..", as an absolute path, or through a link), or it is no PNG.
    """
    try:
        place = (folder / name).resolve()
        if not place.is_relative_to(folder.resolve()):
            raise ValueError(f"{name} lies outside of the folder.")
        if not place.is_file():
            raise ValueError(f"{name} is missing.")
        data = place.read_bytes()
    except (OSError, RuntimeError):  # RuntimeError: Python 3.12 and before, of a link to itself
        raise ValueError(f"{name} cannot be read.") from None
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or len(data) < 24:
        raise ValueError(f"{name} is no PNG file.")
    return data
