"""A network's file: .npz with format version, architecture and checksum. Written whole or not at all, never unpickled."""

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from refimpl.layers import LAYERS, parameter_names
from refimpl.network import Network

FORMAT_VERSION = 1


def _architecture(network):
    return json.dumps([
        {"layer": type(v).__name__, "parameters": {n: [list(getattr(v, n).shape), str(getattr(v, n).dtype)]
                                                   for n in parameter_names(v)}} for v in network.layers])


def _checksum(architecture, parameters):
    digest = hashlib.sha256(architecture.encode())
    for p in parameters:
        digest.update(np.ascontiguousarray(p).tobytes())
    return digest.hexdigest()


def save(network, path):
    """Write a network to an .npz file with format version, architecture and SHA-256, all or nothing (atomic rename)."""
    path, architecture = Path(path), _architecture(network)
    entries = {f"p{i}": p for i, p in enumerate(network.parameters)}
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, format_version=FORMAT_VERSION, architecture=architecture,
                     checksum=_checksum(architecture, network.parameters), **entries)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def load(path):
    """Read a network written by save. Never unpickles.

    Raises FileNotFoundError, or ValueError naming the file, what was expected and what was found: no .npz file, another
    format version, an unknown layer, parameters that do not fit the architecture, a wrong checksum.
    """
    path = Path(path)
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            entries = {name: file[name] for name in file.files}
        version, architecture = int(entries.pop("format_version")), str(entries.pop("architecture"))
        checksum = str(entries.pop("checksum"))
        parameters = [entries.pop(f"p{i}") for i in range(len(entries))]
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected a network saved by refimpl (.npz), found something else: {error}") from None
    if version != FORMAT_VERSION:
        raise ValueError(f"{path}: expected format version {FORMAT_VERSION}, found {version}")
    if checksum != _checksum(architecture, parameters):
        raise ValueError(f"{path}: the checksum does not fit the contents: the file is damaged")
    layers, rest = [], iter(parameters)
    for entry in json.loads(architecture):
        if entry["layer"] not in LAYERS:
            raise ValueError(f"{path}: expected layers of {sorted(LAYERS)}, found {entry['layer']!r}")
        layers.append(LAYERS[entry["layer"]](**{name: next(rest, None) for name in entry["parameters"]}))
    network = Network(tuple(layers))
    if _architecture(network) != architecture or next(rest, None) is not None:
        raise ValueError(f"{path}: expected parameters as in its architecture {architecture}, "
                         f"found {_architecture(network)}")
    return network
