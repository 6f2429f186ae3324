"""Checkpoints: the state of a computation in one file that survives a kill at any moment. Never
pickled.

A state is made of networks, arrays, numbers, strings, None, tuples and dicts with string keys.
Arrays go into the .npz as they are, the rest as JSON (Python's floats come back to the last bit),
with a SHA-256 of it all. The file before the last one is kept as NAME.previous: a damaged file
costs what was done since. The file says which run it belongs to, in settings of few words, and no
other run goes on from it. It knows nothing of the code: a run may go on with faster kernels.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.files.whole import sweep
from refimpl.network import Network
from refimpl.weights import build, describe, digest, read_npz, write_npz

FORMAT_VERSION = 1


class Damaged(ValueError):
    """The file is there and is not what was written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "run.npz").write_bytes(b"half a file")
    ...     try:
    ...         _ = load(Path(folder, "run.npz"), {})
    ...     except Damaged as error:
    ...         print("delete it to start afresh" in str(error))
    True
    """


def _encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """The state as JSON values; its arrays are appended to `arrays`, an array that comes twice
    once.

    Raises TypeError on a value that is no part of a state.
    """
    if isinstance(value, np.ndarray):
        i = next((i for i, a in enumerate(arrays) if a is value), len(arrays))
        arrays += [value] if i == len(arrays) else []
        return {"array": i}
    if isinstance(value, Network):
        description, own = describe(value)
        return {"network": description, "arrays": [_encode(a, arrays)["array"] for a in own]}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: _encode(v, arrays) for k, v in value.items()}}
    if isinstance(value, tuple):
        return [_encode(v, arrays) for v in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(
        "state: expected networks, arrays, numbers, strings, tuples and dicts with string keys, "
        f"got {type(value).__name__}"
    )


def _decode(value: Any, arrays: list[np.ndarray]) -> Any:
    """The inverse of _encode."""
    if isinstance(value, list):
        return tuple(_decode(v, arrays) for v in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "network" in value:
        return build(value["network"], [arrays[i] for i in value["arrays"]])
    return {k: _decode(v, arrays) for k, v in value["dict"].items()}


def previous(path: Path) -> Path:
    """Where the file before the last one is kept.

    >>> previous(Path("run.npz")).name
    'run.npz.previous'
    """
    return path.with_name(f"{path.name}.previous")


def save(path: str | Path, state: Any, settings: Mapping[str, Any]) -> None:
    """Write a state and the settings of its run (a dict of plain values), all or nothing, the file
    before it kept.

    Raises TypeError or ValueError where the state or the settings hold something else; then nothing
    is written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder, "run.npz"), {"step": 3}, {"lr": 0.1})
    ...     load(Path(folder, "run.npz"), {"lr": 0.1})
    {'step': 3}
    """
    if json.loads(json.dumps(settings)) != settings:
        raise ValueError(
            f"settings: expected strings to plain values that JSON gives back, got {settings!r}"
        )
    arrays: list[np.ndarray] = []
    text = json.dumps(
        {"version": FORMAT_VERSION, "settings": settings, "state": _encode(state, arrays)}
    )
    entries = {"text": text, "sha256": digest(text, arrays)} | {
        f"a{i}": a for i, a in enumerate(arrays)
    }
    path = Path(path)
    write_npz(path, entries, previous=previous(path))


def read(path: Path) -> tuple[dict, Any]:
    """(settings, state) of one file. Raises FileNotFoundError, Damaged where it is not what save
    wrote.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder, "run.npz"), {"step": 3}, {"lr": 0.1})
    ...     read(Path(folder, "run.npz"))
    ({'lr': 0.1}, {'step': 3})
    """
    try:
        entries = read_npz(path)
        text, sha256 = str(entries.pop("text")), str(entries.pop("sha256"))
        arrays = [entries[f"a{i}"] for i in range(len(entries))]
        if sha256 != digest(text, arrays):
            raise ValueError("the checksum does not fit the contents")
        entry = json.loads(text)
        if entry["version"] != FORMAT_VERSION:
            raise ValueError(f"expected format version {FORMAT_VERSION}, found {entry['version']}")
        return entry["settings"], _decode(entry["state"], arrays)
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is made of a damaged file
        raise Damaged(f"{path}: expected a checkpoint, found a damaged file: {error}") from None


def load(
    path: str | Path,
    settings: Mapping[str, Any],
    *,
    report: Callable[[str], Any] = lambda line: None,
) -> Any:
    """The state to go on from, None where there is none yet.

    Where the file is damaged, report(line) says so, it is renamed NAME.damaged, and the one before
    it is used. Raises Damaged where that one is missing or damaged too, ValueError where the file
    belongs to a run of other settings.

    >>> load("nowhere.npz", {}) is None
    True
    """
    path, damaged = Path(path), None
    sweep(path.parent)
    for file in (path, previous(path)):
        try:
            found, state = read(file)
        except FileNotFoundError:
            continue
        except Damaged as error:
            damaged = damaged or error
            continue
        if damaged:
            os.replace(path, path.with_name(f"{path.name}.damaged"))
            report(f"{damaged}; going on from the one before it")
        _refuse_others(file, found, settings)
        return state
    if damaged:
        raise Damaged(f"{damaged}; there is no good one before it: delete it to start afresh")
    return None


def _refuse_others(file, found, settings):
    """ValueError, in words, where a file's settings are not this run's."""
    differ = [
        f"{k} {found.get(k)!r}, here {settings.get(k)!r}"
        for k in {**found, **settings}
        if found.get(k) != settings.get(k)
    ]
    if differ:
        raise ValueError(
            f"{file} belongs to another run ({'; '.join(differ)}): delete it or choose another "
            f"folder"
        )
