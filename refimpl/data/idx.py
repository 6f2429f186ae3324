"""Readers of MNIST's idx format, gzipped or plain. Nothing is believed: header, size, checksum and
labels are checked.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from refimpl.files.idx_folder import TYPES, IdxSet, check_headers, opened, read_header
from refimpl.files.paths import without_network

LARGEST_LABEL = 65_535  # a class has a name, so that one wrong label must not ask for a billion
IMAGES_MAGIC = 0x803  # unsigned bytes, three axes
LABELS_MAGIC = 0x801  # unsigned bytes, one axis
CHUNK = 1 << 19  # bytes unpacked at a time


def read_images(path: str | Path, count: int, shape: tuple[int, int] = (28, 28)) -> np.ndarray:
    """Pixels of an idx3 file as float32 (count, rows * cols) in [0, 1]; byte k becomes exactly
    float32(k) / float32(255).

    The file is unpacked straight into the result, so that peak memory is the result and one chunk.
    Raises ValueError if the file is not such a file of `count` images of `shape`, FileNotFoundError
    if there is none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "images").write_bytes(
    ...         struct.pack(">4i2B", IMAGES_MAGIC, 1, 1, 2, 0, 255)
    ...     )
    ...     read_images(f"{folder}/images", 1, (1, 2)).tolist()
    [[0.0, 1.0]]
    """
    with _payload(Path(path), (IMAGES_MAGIC, count, *shape)) as file:
        images = np.empty((count, shape[0] * shape[1]), dtype=np.float32)
        _fill_unit_interval(images.reshape(-1), file, path)
    return images


def read_pixels(path: str | Path, count: int, shape: tuple[int, int] = (28, 28)) -> np.ndarray:
    """The same images as `read_images` as they stand in the file: uint8 (count, rows * cols), a
    quarter of the memory. Raises as `read_images` does.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "images").write_bytes(
    ...         struct.pack(">4i2B", IMAGES_MAGIC, 1, 1, 2, 0, 255)
    ...     )
    ...     read_pixels(f"{folder}/images", 1, (1, 2)).tolist()
    [[0, 255]]
    """
    with _payload(Path(path), (IMAGES_MAGIC, count, *shape)) as file:
        pixels = np.empty((count, shape[0] * shape[1]), np.uint8)
        done = 0
        while done < pixels.size and (got := file.readinto(pixels.reshape(-1)[done:].data[:CHUNK])):
            done += got
        if done < pixels.size:
            raise ValueError(f"{path}: expected {pixels.size:,} pixels, found only {done:,}")
    return pixels


def read_labels(path: str | Path, count: int, classes: int = 10) -> np.ndarray:
    """Labels of an idx1 file as int64 (count,) in [0, classes).

    Raises ValueError if the file is not such a file of `count` labels, FileNotFoundError if there
    is none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "labels").write_bytes(
    ...         struct.pack(">2i3B", LABELS_MAGIC, 3, 7, 0, 9)
    ...     )
    ...     read_labels(f"{folder}/labels", 3).tolist()
    [7, 0, 9]
    """
    with _payload(Path(path), (LABELS_MAGIC, count)) as file:
        labels = np.frombuffer(file.read(count), dtype=np.uint8)
        if labels.size < count:
            raise ValueError(f"{path}: expected {count:,} labels, found only {labels.size:,}")
    wrong = np.flatnonzero(labels >= classes)
    if wrong.size:
        raise ValueError(
            f"{path}: expected labels below {classes}, found {labels[wrong[0]]} at {wrong[0]}"
        )
    return labels.astype(np.int64)


def read_array(path: str | Path) -> np.ndarray:
    """The whole numbers of any idx file, in its own type (big-endian as it stands there) and shape.

    Memory is taken only after the header has been held against the file's size. Raises ValueError
    where the file is damaged or ends early or late, FileNotFoundError if there is none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "labels").write_bytes(struct.pack(">4i", 0xC02, 1, 2, 7) + bytes(4))
    ...     read_array(f"{folder}/labels").tolist()
    [[7, 0]]
    """
    code, axes = read_header(Path(path))
    out = np.empty(axes, {8: "u1", 9: "i1", 11: ">i2", 12: ">i4"}[code])
    with opened(Path(path)) as file:
        file.read(4 + 4 * len(axes))
        left = out.reshape(-1).view(np.uint8).data
        while left and (got := file.readinto(left[:CHUNK])):
            left = left[got:]
        if left or file.read(1):
            raise ValueError(
                f"{path}: expected {out.size:,} numbers of {TYPES[code][1]} bytes, as the header "
                f"announces, found {'fewer' if left else 'more'}"
            )
    return out


def read_set(
    found: IdxSet,
) -> tuple[
    tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[int, int, int], tuple[str, ...]
]:
    """An idx data set whose counts, image size and classes its own files tell.

    Returns (train_x, train_y, test_x, test_y) with images as uint8 rows (N, C H W) and labels int64
    (N,); (C, H, W); the names of the K classes. Where a label is a row of numbers (QMNIST: digit,
    writer and more), its first column is the class. EMNIST's images, stored transposed, are turned
    upright. K is the largest label + 1 and the classes are called by their numbers; labels that run
    from 1 to K without a gap (EMNIST's letters) become 0 ... K - 1 and keep the names 1 ... K.
    EMNIST's table beside the files, where it is there, names the classes by their characters.
    Raises ValueError naming the file that does not fit.

    >>> import tempfile
    >>> from refimpl.files.idx_folder import check_folder
    >>> images = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 9, 9, 9])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for split in ("train", "t10k"):
    ...         labels = bytes([0, 0, 8, 1, 0, 0, 0, 2, 0, 1])
    ...         _ = Path(folder, f"{split}-labels-idx1-ubyte").write_bytes(labels)
    ...         _ = Path(folder, f"{split}-images-idx3-ubyte").write_bytes(images)
    ...     (x, *_), shape, classes = read_set(check_folder(Path(folder)))
    >>> x.tolist(), shape, classes
    ([[9, 9], [9, 9]], (1, 1, 2), ('0', '1'))
    """
    paths = found.paths()
    shape = check_headers(paths)[0][1:]
    if found.is_transposed:
        shape = (*shape[:-2], shape[-1], shape[-2])
    images, labels = [], []
    for images_path, labels_path in (paths[:2], paths[2:]):
        pixels = read_array(images_path)
        if found.is_transposed:
            pixels = pixels.swapaxes(-1, -2)
        images.append(pixels.reshape(len(pixels), -1))
        numbers = read_array(labels_path).astype(np.int64)
        y = numbers if numbers.ndim == 1 else np.ascontiguousarray(numbers[:, 0])
        wrong = np.flatnonzero((y < 0) | (y > LARGEST_LABEL))
        if wrong.size:
            raise ValueError(
                f"{labels_path}: expected labels from 0 to {LARGEST_LABEL:,}, found {y[wrong[0]]} "
                f"at {wrong[0]}"
            )
        labels.append(y)
    seen = np.unique(np.concatenate(labels))
    first = int(seen[0] == 1 and seen[-1] == len(seen))
    table = found.class_names()
    names = tuple(table.get(label, str(label)) for label in range(first, int(seen[-1]) + 1))
    size = shape[0] if len(shape) == 3 else 1, shape[-2], shape[-1]
    arrays = images[0], labels[0] - first, images[1], labels[1] - first
    return arrays, size, names


@contextmanager
def _payload(path: Path, expected: tuple[int, ...]) -> Iterator[BufferedIOBase]:
    """The file, unpacked if it is gzip, behind a header equal to `expected`. After the block
    nothing may be left in it.
    """
    try:
        with opened(path) as file:
            _check_header(file, path, expected)
            yield file
            if file.read(1):  # reading to the end is also what makes gzip compare its checksum
                raise ValueError(
                    f"{path}: expected the end of the file, found more bytes than the header "
                    f"announces"
                )
    except FileNotFoundError:
        name = path.parent.name if path.parent.name in ("mnist", "fashion-mnist") else "NAME"
        raise FileNotFoundError(
            f"{path} is missing; get it with: python -m data_fetch {name}; {without_network(name)}"
        ) from None


def _check_header(file: BufferedIOBase, path: Path, expected: tuple[int, ...]) -> None:
    size = 4 * len(expected)
    head = file.read(size)
    if len(head) < size:
        raise ValueError(f"{path}: expected a header of {size} bytes, found only {len(head)}")
    magic, *axes = struct.unpack(f">{len(expected)}I", head)
    if magic != expected[0]:
        raise ValueError(
            f"{path}: expected an idx file with magic number {expected[0]:#x}, found {magic:#x}"
        )
    if axes != list(expected[1:]):
        what = "labels" if len(axes) == 1 else "(count x rows x columns)"
        raise ValueError(f"{path}: expected {_axes(expected[1:])} {what}, found {_axes(axes)}")


def _axes(sizes: tuple[int, ...] | list[int]) -> str:
    return " x ".join(map(str, sizes))


def _fill_unit_interval(out: np.ndarray, file: BufferedIOBase, path: str | Path) -> None:
    """out (n,) float32 := the next n bytes of `file` / 255. Raises ValueError on fewer."""
    buffer = memoryview(bytearray(min(CHUNK, out.size)))
    done = 0
    while done < out.size:
        got = file.readinto(buffer[: out.size - done])
        if not got:
            raise ValueError(f"{path}: expected {out.size:,} pixels, found only {done:,}")
        # Divide: times float32(1 / 255) is off by one unit in the last place for 126 of the 256
        # values.
        pixels = np.frombuffer(buffer[:got], dtype=np.uint8)
        np.divide(pixels, np.float32(255), out=out[done : done + got], dtype=np.float32)
        done += got
