"""Reader of CIFAR-10's binary version: records of one label byte and 3,072 pixel bytes (red, green,
blue planes).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refimpl.files.cifar_folder import CLASS_NAMES, RECORD, source_title
from refimpl.files.paths import without_network

CLASSES = len(CLASS_NAMES)


def read_batches(
    paths: Sequence[str | Path], records_each: int = 10_000
) -> tuple[np.ndarray, np.ndarray]:
    """Images float32 (N, 3072) in [0, 1], channel first, and labels int64 (N,), N = len(paths) *
    records_each.

    One batch of bytes is held at a time beside the result. Raises ValueError for a file of another
    size (found before anything is read) or a label above 9, FileNotFoundError for a missing file.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "batch").write_bytes(bytes([7]) + bytes([255]) * 3072)
    ...     images, labels = read_batches([f"{folder}/batch"], 1)
    >>> images.shape, float(images.min()), labels.tolist()
    ((1, 3072), 1.0, [7])
    """
    for path in paths:
        _check_size(Path(path), records_each * RECORD)
    images = np.empty((len(paths) * records_each, RECORD - 1), dtype=np.float32)
    labels = np.empty(len(paths) * records_each, dtype=np.int64)
    for i, path in enumerate(paths):
        rows = slice(i * records_each, (i + 1) * records_each)
        _read_batch(path, images[rows], labels[rows])
    return images, labels


def source_name(folder: str | Path) -> str:
    """What to call the data in `folder` beside every number: the first line of its file SOURCE,
    else "CIFAR-10".

    >>> source_name("nowhere")
    'CIFAR-10'
    """
    return source_title(Path(folder)) or "CIFAR-10"


def _check_size(path: Path, expected: int) -> None:
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing; get it with: python -m data_fetch cifar10; "
            f"{without_network('cifar10')}"
        ) from None
    if found != expected:
        raise ValueError(f"{path}: expected {expected:,} bytes, found {found:,}")


def _read_batch(path: str | Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Fill images (n, 3072) float32 and labels (n,) int64 from one file."""
    records = np.fromfile(path, dtype=np.uint8, count=labels.size * RECORD).reshape(
        labels.size, RECORD
    )
    labels[:] = records[:, 0]
    wrong = np.flatnonzero(labels >= CLASSES)
    if wrong.size:
        raise ValueError(
            f"{path}: expected labels below {CLASSES}, found {labels[wrong[0]]} in record "
            f"{wrong[0]}"
        )
    np.divide(records[:, 1:], np.float32(255), out=images, dtype=np.float32)
