"""CIFAR-10's folder of six .bin files: its names, check it, make it, put it in place in one step.

For data_fetch.py, so standard library only, but for JPEG; refimpl.data takes names and numbers from
here. The folder's file SOURCE has the name to show for the data in its first line, then where they
are from, then the SHA-256 of each .bin as sha256sum writes it.
"""

import gzip
import hashlib
import io
import lzma
import os
import re
import shutil
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = "cifar-10-batches-bin"
BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
CLASS_NAMES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]
RECORD = 1 + 3 * 32 * 32  # bytes: label, then red, green and blue
DIGEST_LINE = re.compile(r"([0-9a-f]{64})  (\S+)\n?")
BLOCK = 1 << 14  # bytes that may stand around a member of an archive: its headers, its padding
END = 1 << 20  # bytes that may stand behind them all
DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError)


def check_batches(folder: Path, records: int) -> dict[str, str]:
    """SHA-256 of the six .bin files by name, `records` images in each.

    Raises ValueError unless sizes, labels and the digests in SOURCE, if there, are right.

    >>> check_batches(Path("nowhere"), 10_000)
    Traceback (most recent call last):
        ...
    ValueError: data_batch_1.bin: missing
    """
    recorded = {name: digest for digest, name in DIGEST_LINE.findall(_read_source(folder))}
    digests: dict[str, str] = {}
    labels: dict[str, Counter] = {"data": Counter(), "test": Counter()}
    for name in BATCHES:
        path, size = folder / name, RECORD * records
        if not path.is_file():
            raise ValueError(f"{name}: missing")
        if path.stat().st_size != size:
            raise ValueError(f"{name}: expected {size:,} bytes, found {path.stat().st_size:,}")
        content = path.read_bytes()
        digests[name] = hashlib.sha256(content).hexdigest()
        if recorded and digests[name] != recorded.get(name):
            raise ValueError(f"{name}: not the SHA-256 that SOURCE records")
        labels[name[:4]].update(content[::RECORD])
    for part, each in ("data", records // 2), ("test", records // 10):
        if labels[part] != dict.fromkeys(range(10), each):
            raise ValueError(
                f"{part} labels: expected {each:,} of each class, found {dict(labels[part])}"
            )
    return digests


def _read_source(folder: Path) -> str:
    """The text of the file SOURCE in a folder, empty where there is none."""
    return (
        (folder / "SOURCE").read_text("utf-8", errors="replace")
        if (folder / "SOURCE").exists()
        else ""
    )


def source_title(folder: Path) -> str:
    """What SOURCE says to call the data, empty where it says nothing.

    >>> source_title(Path("nowhere"))
    ''
    """
    return _read_source(folder).partition("\n")[0].strip()


def find_copy(origin: Path, archive: str) -> Path | None:
    """What `install` takes, in the folder `origin`: the archive of that name, a folder of .bin
    files, or the JPEGs.

    >>> find_copy(Path("nowhere"), "cifar-10-binary.tar.gz") is None
    True
    """
    names = archive, FOLDER, "cifar10-jpeg.tar.xz"
    places = [
        origin / folder / name for name in names for folder in ("", "cifar10", "cifar10-jpeg")
    ]
    is_folder_itself = (origin / BATCHES[0]).exists()
    return next((place for place in places if place.exists()), origin if is_folder_itself else None)


def install(parent: Path, records: int, origin: Path) -> None:
    """Put a checked FOLDER into `parent`, made beside its place from what `find_copy` found.

    Each of the three ways writes the .bin files, `records` in each, and returns what SOURCE says
    above the digests. Raises ValueError where `origin` is damaged or not what it should be, OSError
    where it cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in BATCHES:  # ten images each, one a class
    ...         _ = Path(folder, name).write_bytes(
    ...             b"".join(bytes([label]) * RECORD for label in range(10))
    ...         )
    ...     install(Path(folder), 10, Path(folder))
    ...     source_title(Path(folder, FOLDER))
    'CIFAR-10 (unverified copy)'
    """
    fill = (
        _copy_batches
        if origin.is_dir()
        else _decode_jpegs
        if origin.suffix == ".xz"
        else _unpack_archive
    )
    final, building, old = parent / FOLDER, parent / f".{FOLDER}.part", parent / f".{FOLDER}.old"
    _discard(building, old)
    building.mkdir()
    try:
        source = fill(origin, building, records)
        digests = check_batches(building, records)
        lines = [source, *(f"{digest}  {name}" for name, digest in digests.items())]
        (building / "SOURCE").write_text("\n".join(lines) + "\n", "utf-8")
        (building / "batches.meta.txt").write_text("\n".join(CLASS_NAMES) + "\n", "utf-8")
        for path in building.iterdir():
            _flush(path)
        if final.exists():
            os.replace(final, old)
        place(building, final)
    finally:
        _discard(building, old)


def _discard(*folders: Path) -> None:
    """Remove folders with all that is in them; those that are not there are no error."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def place(part: Path, final: Path) -> None:
    """Rename in one step, with the content on the disk before its name is. Raises OSError where
    that fails.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.part").write_bytes(b"all of it")
    ...     place(Path(folder, "a.part"), Path(folder, "a"))
    ...     os.listdir(folder)
    ['a']
    """
    _flush(part)
    os.replace(part, final)
    _flush(final.parent)


def _flush(path: Path) -> None:
    """Wait until a file or a folder is on the disk. (Windows has no call that serves both.)"""
    if os.name != "nt":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unpack_archive(archive: Path, folder: Path, records: int) -> str:
    """Copy the six .bin members of the official archive by name: no path, link or other member is
    followed.
    """
    for path, content in _members(archive, RECORD * records, 6 * (RECORD * records + BLOCK)):
        directory, _, name = path.rpartition("/")
        if directory == FOLDER and name in BATCHES:
            if content is None:
                raise ValueError(f"{archive.name}: {name} is a link, or too large")
            (folder / name).write_bytes(content)
    return f"CIFAR-10\nUnpacked from the published {archive.name}."


def _decode_jpegs(archive: Path, folder: Path, records: int) -> str:
    """Write the .bin files from a tar.xz of {train,test}/CLASS/*.jpg, shuffled with seed 0."""
    try:
        import numpy as np
        import PIL
        from PIL import Image
    except ImportError as error:
        raise OSError(
            f"{archive.name}: decoding it needs Pillow: python -m pip install pillow ({error})"
        ) from error
    data = {"train": bytearray(), "test": bytearray()}
    each = 2 * RECORD + BLOCK  # a JPEG of 32 x 32 is no longer, with its header
    for path, content in _members(archive, 1 << 16, 6 * records * each):
        split, label, *_ = path.split("/") + [""]
        if content is None or split not in data or label not in CLASS_NAMES:
            raise ValueError(f"{archive.name}: {path} is not an image of a class")
        if sum(map(len, data.values())) == 6 * records * RECORD:
            raise ValueError(f"{archive.name}: expected {6 * records:,} images, found more")
        with Image.open(io.BytesIO(content)) as image:
            if (image.size, image.mode) != ((32, 32), "RGB"):
                raise ValueError(f"{archive.name}: {path} is not 32 x 32 in colour")
            data[split] += (
                bytes([CLASS_NAMES.index(label)]) + np.asarray(image).transpose(2, 0, 1).tobytes()
            )
    rng = np.random.default_rng(0)
    for split, names in ("train", BATCHES[:5]), ("test", BATCHES[5:]):
        shuffled = rng.permutation(np.frombuffer(data.pop(split), np.uint8).reshape(-1, RECORD))
        for i, name in enumerate(names):
            shuffled[records * i : records * (i + 1)].tofile(folder / name)
    origin = f"{archive.name} (JPEG at quality 75), shuffled with seed 0, Pillow {PIL.__version__}."
    return f"CIFAR-10 (JPEG)\nMade from {origin}"


def _copy_batches(origin: Path, folder: Path, records: int) -> str:
    """Copy the .bin files of another folder, with its SOURCE to check them by, if it has one."""
    for name in BATCHES:
        with open(origin / name, "rb") as content:
            (folder / name).write_bytes(content.read(RECORD * records + 1))
    if source := _read_source(origin):
        (folder / "SOURCE").write_text(source, "utf-8")
        return DIGEST_LINE.sub("", source).rstrip("\n")
    return (
        "CIFAR-10 (unverified copy)\n"
        "Copied from a folder without SOURCE: the pixels were compared with nothing."
    )


class _Bounded:
    """What tarfile reads of an archive's content: at most `largest` bytes at a time, and none that
    lie beyond the first `most`. A header that announces more is not followed.
    """

    def __init__(self, file: Any, largest: int, most: int) -> None:
        self.file, self.largest, self.most = file, largest, most

    def read(self, size: int) -> bytes:
        if size > self.largest:
            raise tarfile.ReadError(f"expected at most {self.largest:,} bytes, found {size:,}")
        self._check(self.file.tell() + size)
        return self.file.read(size)

    def seek(self, place: int) -> int:
        self._check(place)
        return self.file.seek(place)

    def tell(self) -> int:
        return self.file.tell()

    def _check(self, place: int) -> None:
        if place > self.most:
            raise tarfile.ReadError(f"expected at most {self.most:,} bytes unpacked, found more")


def _members(archive: Path, largest: int, most: int) -> Iterator[tuple[str, bytes | None]]:
    """Path and content of all but the folders; content None for a link and the like, or one larger
    than `largest`. Raises ValueError where the archive is damaged or unpacks to more than `most`
    bytes and a little, before they are in memory.
    """
    unpack = lzma.open if archive.suffix == ".xz" else gzip.open
    most += END
    try:
        with unpack(archive) as content:
            bounded: Any = _Bounded(content, max(largest, BLOCK) + 512, most)
            with tarfile.open(fileobj=bounded, mode="r:") as tar:
                for member in tar:
                    if not member.isdir():
                        is_good = member.isreg() and member.size <= largest
                        file = tar.extractfile(member) if is_good else None
                        yield member.name, file.read() if file else None
            while content.read(1 << 20):  # only at its end are the bytes compared with a checksum
                if content.tell() > most:
                    raise tarfile.ReadError(f"expected at most {most:,} bytes unpacked, found more")
    except DAMAGED as error:
        raise ValueError(f"{archive.name}: damaged ({error})") from error
