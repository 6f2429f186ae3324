"""A network's file: .npz with format version, architecture and checksum. Written whole or not at
all, never unpickled.

The architecture is JSON, one entry a layer: the name of its class, the shape and dtype of every
array field (parameters and buffers), and its hyper-parameters. Files of before there were any have
no "settings" and load as ever.

A layer of your own is saved like the others. A file names classes but holds no code, and nothing is
imported because a file says so: hand its class in, load(path, layers={"Mine": Mine}).
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from refimpl.files.paths import check_is_file, expanded
from refimpl.files.whole import written_whole
from refimpl.layers import LAYERS
from refimpl.layers.protocol import own_values
from refimpl.network import Network

FORMAT_VERSION = 1


def describe(network: Network) -> tuple[list[dict], list[np.ndarray]]:
    """(description, arrays): a list of plain JSON values, one a layer, and all array fields in
    order, buffers too. Raises ValueError on a layer that these cannot describe: a setting that is
    no plain value, or the name of one of our layers on another class.

    >>> from refimpl.network import softmax_net
    >>> describe(softmax_net(3, 2))[0]
    [{'layer': 'Affine', 'parameters': {'w': [[3, 2], 'float64'], 'b': [[2], 'float64']}, 'settings': {'max_norm': None}}]
    """
    description: list[dict] = []
    arrays: list[np.ndarray] = []
    for layer in network.layers:
        values = own_values(layer)
        name: str = type(layer).__name__
        if LAYERS.get(name) not in (None, type(layer)):
            raise ValueError(
                f"layers: expected another name than that of a layer of refimpl, got "
                f"{type(layer).__module__}.{name}"
            )
        own = {key: v for key, v in values.items() if isinstance(v, np.ndarray)}
        settings = {key: v for key, v in values.items() if key not in own}
        for key, value in settings.items():
            if not _is_plain(value):
                raise ValueError(
                    f"layers: expected plain settings (numbers, text, None, tuples of them), "
                    f"{name}.{key} is of type {type(value).__name__}"
                )
        entry = {
            "layer": name,
            "parameters": {n: [list(v.shape), str(v.dtype)] for n, v in own.items()},
        }
        description.append(entry | ({"settings": settings} if settings else {}))
        arrays += own.values()
    return description, arrays


def _is_plain(value):
    """Whether JSON gives a setting back; tuples come back as tuples, and so do lists."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def build(
    description: Iterable[Mapping],
    arrays: Iterable[np.ndarray],
    *,
    layers: Mapping[str, type] | None = None,
) -> Network:
    """The network that describe() described. layers: classes by name, beside ours. Raises
    ValueError where arrays or settings do not fit the description, and on a name that is neither
    ours nor in layers.

    >>> from refimpl.network import softmax_net
    >>> build(*describe(softmax_net(3, 2))).inputs
    3
    """
    if layers is not None and not isinstance(layers, Mapping):
        raise ValueError(f"layers: expected classes by name, got {layers!r:.80}")
    known = {**LAYERS, **(layers or {})}
    found_layers: list[Any] = []
    rest = iter(arrays)
    for entry in description:
        name, expected = entry["layer"], entry["parameters"]
        if name not in known:
            raise ValueError(
                f"expected layers of {sorted(known)}, found {name!r}; hand its class in with "
                f"load(path, layers={{{name!r}: its class}})"
            )
        own: dict[str, Any] = dict(zip(expected, rest))
        found = {n: [list(v.shape), str(v.dtype)] for n, v in own.items()}
        if found != expected:
            raise ValueError(
                f"expected parameters as in its architecture, {name} {expected}, found {found}"
            )
        settings: dict[str, Any] = {
            n: tuple(v) if isinstance(v, list) else v for n, v in entry.get("settings", {}).items()
        }
        try:
            found_layers.append(_make(known[name], own, settings))
        except TypeError as error:
            raise ValueError(
                f"expected a layer of this version of refimpl, found {name} {settings}: {error}"
            ) from None
    more = len(list(rest))
    if more:
        raise ValueError(f"expected parameters as in its architecture, found {more} more")
    return Network(tuple(found_layers))


def _make(kind: Any, own: dict, settings: dict) -> Any:
    """A layer of this class. A dataclass checks what it is given; a plain class gets its attributes
    back as they were, and its __init__ is not called.
    """
    if is_dataclass(kind):
        make: Any = kind
        return make(**own, **settings)
    if repeated := own.keys() & settings.keys():
        raise TypeError(f"repeated {sorted(repeated)}")
    layer = object.__new__(kind)
    vars(layer).update(own | settings)
    return layer


def digest(text: str, arrays: Iterable[np.ndarray]) -> str:
    """SHA-256, in hexadecimal, of a text and of the bytes of arrays.

    >>> digest("text", [np.zeros(3)])[:12]
    '77439d826a48'
    """
    total = hashlib.sha256(text.encode())
    for a in arrays:
        total.update(np.ascontiguousarray(a).data)
    return total.hexdigest()


def write_npz(path: Path, entries: Mapping[str, Any], *, previous: Path | None = None) -> None:
    """Write arrays by name to an .npz file, on the disk (fsync) before it takes its name: all or
    nothing, whatever happens.

    previous: the name that a file already at `path` takes first. At any moment there is a whole
    file at one of the two. Raises ValueError on an array of objects.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_npz(Path(folder, "a.npz"), {"x": np.arange(3)})
    ...     read_npz(Path(folder, "a.npz"))["x"].tolist()
    [0, 1, 2]
    """
    if any(np.asarray(a).dtype.hasobject for a in entries.values()):
        raise ValueError(
            f"{path}: expected arrays of numbers and text, got an array of objects, which would "
            f"be pickled"
        )
    with written_whole(path) as part:
        with open(part, "wb") as file:
            np.savez(file, **entries)
        if previous and path.exists():
            os.replace(path, previous)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file by name, never unpickled. Raises FileNotFoundError, and whatever
    zipfile, zlib and NumPy make of a file that is something else (zipfile first, because NumPy
    would recommend pickle). An archive that would unpack to much more than it is long is refused
    from its header, before anything is unpacked: ValueError.

    >>> read_npz(Path("nowhere.npz"))
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'nowhere.npz'
    """
    check_is_file(path)
    with open(path, "rb") as handle, ZipFile(handle) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > 2 * os.fstat(handle.fileno()).st_size + 2**20:
            raise ValueError(
                f"it would unpack to {unpacked:,} bytes, where refimpl writes arrays as they are"
            )
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def save(network: Network, path: str | Path) -> None:
    """Write a network to an .npz file with format version, architecture and SHA-256, all or nothing
    (atomic rename).

    Raises ValueError on parameters that are objects, not numbers, and as `describe`.

    >>> import tempfile
    >>> from refimpl.network import softmax_net
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(softmax_net(3, 2), f"{folder}/net.npz")
    ...     load(f"{folder}/net.npz").classes
    2
    """
    if not isinstance(network, Network) or not isinstance(path, str | os.PathLike):
        raise ValueError(
            f"network, path: expected a Network and then a path, got {type(network).__name__} and "
            f"{type(path).__name__}"
        )
    description, arrays = describe(network)
    architecture = json.dumps(description)
    write_npz(
        expanded(os.fspath(path), "path"),
        {
            "format_version": FORMAT_VERSION,
            "architecture": architecture,
            "checksum": digest(architecture, arrays),
            **{f"p{i}": a for i, a in enumerate(arrays)},
        },
    )


def load(path: str | Path, *, layers: Mapping[str, type] | None = None) -> Network:
    """Read a network written by save. Never unpickles, never imports.

    layers: the classes of layers of your own, by name.
    Raises FileNotFoundError, or ValueError naming the file, what was expected and what was found:
    no .npz file, another format version, an unknown layer, parameters that do not fit the
    architecture, a wrong checksum.

    >>> load(Path("nowhere.npz"))
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'nowhere.npz'
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path: expected a path, got {path!r:.80}")
    path = expanded(path, "path")
    try:
        entries = read_npz(path)
        version, architecture = int(entries.pop("format_version")), str(entries.pop("architecture"))
        checksum = str(entries.pop("checksum"))
        arrays = [entries.pop(f"p{i}") for i in range(len(entries))]
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - anything, of a file that is something else
        raise ValueError(
            f"{path}: expected a network saved by refimpl (.npz), found something else: {error}"
        ) from None
    if version != FORMAT_VERSION:
        raise ValueError(f"{path}: expected format version {FORMAT_VERSION}, found {version}")
    if checksum != digest(architecture, arrays):
        raise ValueError(f"{path}: the checksum does not fit the contents: the file is damaged")
    try:
        return build(json.loads(architecture), arrays, layers=layers)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected an architecture as refimpl writes it, found something else: "
            f"{error!r}"
        ) from None
