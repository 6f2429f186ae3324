"""Folders of idx files, the format of MNIST: the names in use, headers, a checked import.

Standard library alone, for data_fetch.py; refimpl.data takes the names and the headers from here.
"""

import difflib
import gzip
import io
import math
import os
import re
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from refimpl.files.cifar_folder import DAMAGED, place

ROLES = ("train-images", "train-labels", "t10k-images", "t10k-labels")
FILE_NAME = re.compile(
    r"(?:(?P<prefix>[^.].*?)[-_. ])?(?P<split>train|t10k|test)[-_. ](?P<kind>images|labels)"
    r"(?:[-_. ]?idx\d)?(?:[-_. ](?:ubyte|byte|short|int))?(?:\.gz)?",
    re.IGNORECASE,
)
INNER = ("raw", "gzip")  # where torchvision and EMNIST's archive put the files of the folder above
TYPES = {8: ("ubyte", 1), 9: ("byte", 1), 11: ("short", 2), 12: ("int", 4)}  # code: name, bytes
RELATIVES = ("emnist", "kmnist", "qmnist")  # no slips of the pen for mnist; data_fetch has none
EXPANSION = 1032  # gzip packs at most so many bytes into one
CHUNK = 1 << 18


@dataclass(frozen=True)
class IdxSet:
    """The idx files of one data set in a folder.

    prefix: what stands before train and test in the files' names, "emnist-digits" say; often "".
    names: what the set may be called, its prefix or its folder's name first. files: every copy of
    each role of ROLES that is there, gzipped ones first, for they carry a checksum.

    >>> IdxSet(Path("EMNIST"), "emnist-digits", ("emnist-digits",), {}).is_transposed
    True
    """

    folder: Path
    prefix: str
    names: tuple[str, ...]
    files: dict[str, tuple[Path, ...]]

    @property
    def is_transposed(self) -> bool:
        """EMNIST's images are stored column by column, unlike those of MNIST and its like."""
        return self.prefix.lower().startswith("emnist")

    @property
    def mapping(self) -> Path:
        """EMNIST's table of its classes, whether it is there or not: in each line a label and the
        ASCII codes of the characters that it stands for.
        """
        return self.folder / f"{self.prefix}-mapping.txt"

    def class_names(self) -> dict[int, str]:
        """The first character of each label in the table, {} where there is no table. Raises
        ValueError where it is no such table.

        >>> IdxSet(Path("nowhere"), "", (), {}).class_names()
        {}
        """
        if not self.mapping.is_file():
            return {}
        with open(self.mapping, encoding="ascii", errors="replace") as file:
            lines = file.read(CHUNK).splitlines()
        names = {}
        for line in filter(str.strip, lines):
            words = line.split()
            if len(words) < 2 or not all(re.fullmatch("[0-9]{1,5}", word) for word in words):
                raise ValueError(f"{self.mapping}: expected a label and codes, found {line[:40]!r}")
            names[int(words[0])] = chr(int(words[1]))
        return names

    def paths(self) -> list[Path]:
        """One file for each role, in the order of ROLES. Raises ValueError where one is missing."""
        missing = [role for role in ROLES if role not in self.files]
        if missing:
            raise ValueError(
                f"{self.folder}: expected the idx files {', '.join(ROLES)}, "
                f"found no {' and no '.join(missing)}"
            )
        return [self.files[role][0] for role in ROLES]


def plain_name(name: str) -> str:
    """A data set's name as folders are called: small letters, hyphens.

    >>> plain_name("Fashion_MNIST"), plain_name("my letters/")
    ('fashion-mnist', 'my-letters')
    """
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")


def same_name(first: str, second: str) -> bool:
    """Whether two names differ in case, hyphens, underscores and spaces alone.

    >>> same_name("FashionMNIST", "fashion-mnist"), same_name("kmnist", "mnist")
    (True, False)
    """
    return plain_name(first).replace("-", "") == plain_name(second).replace("-", "")


def hint_for(name: str, known: list[str]) -> str:
    """What to say after a name that means nothing: the known one it resembles, or how to import.

    >>> hint_for("minst", ["mnist"]), hint_for("KMNIST", ["mnist"])
    ('; did you mean mnist?', '; import yours with: python -m data_fetch kmnist --from DIR')
    """
    plain = plain_name(name)
    if plain.startswith(RELATIVES):
        return f"; import yours with: python -m data_fetch {plain} --from DIR"
    near = difflib.get_close_matches(plain, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def role_of(name: str) -> str | None:
    """The role of a file of that name, one of ROLES; None where the name says nothing.

    >>> role_of("train-images.idx3-ubyte"), role_of("qmnist-test-labels-idx2-int.gz")
    ('train-images', 't10k-labels')
    """
    match = FILE_NAME.fullmatch(name)
    if not match:
        return None
    split = "train" if match["split"].lower() == "train" else "t10k"
    return f"{split}-{match['kind'].lower()}"


def sets_in(folder: Path, depth: int = 0) -> list[IdxSet]:
    """The idx data sets in a folder and the folders raw and gzip in it, and so on for its folders
    down to `depth`; sets that lack files too.

    >>> sets_in(Path("nowhere"))
    []
    """
    found = _sets_right_in(folder)
    for inner in _folders(folder):
        if inner.name.lower() in INNER:
            found += _sets_right_in(inner)
        elif depth and role_of(inner.name) is None:
            found += sets_in(inner, depth - 1)
    return found


def set_named(name: str, sets: list[IdxSet]) -> IdxSet | None:
    """The first of the sets that may be called so, one with all four files before others.

    >>> set_named("mnist", []) is None
    True
    """
    fitting = [found for found in sets if any(same_name(name, own) for own in found.names)]
    return max(fitting, key=lambda found: len(found.files), default=None)


def _folders(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    return []


def _sets_right_in(folder: Path) -> list[IdxSet]:
    """Those whose files lie in the folder itself, or each in a folder of its own name, as Kaggle
    has them.
    """
    boxes = [folder, *(inner for inner in _folders(folder) if role_of(inner.name))]
    by_prefix: dict[str, dict[str, list[Path]]] = {}
    for box in boxes:
        with suppress(OSError):
            for path in sorted(box.iterdir()):
                match, role = FILE_NAME.fullmatch(path.name), role_of(path.name)
                if match and role and path.is_file():
                    prefix = (match["prefix"] or "").strip("-_. ")
                    by_prefix.setdefault(prefix, {}).setdefault(role, []).append(path)
    place_of = folder.absolute()
    own = place_of.parent if place_of.name.lower() in INNER else place_of
    sets = []
    for prefix, roles in by_prefix.items():
        files = {
            role: tuple(sorted(copies, key=lambda path: path.suffix != ".gz"))
            for role, copies in roles.items()
        }
        # A folder of several sets is the name of none of them.
        names = (prefix, own.name) if len(by_prefix) == 1 else (prefix or own.name,)
        found = tuple(plain_name(name) for name in names if plain_name(name))
        sets.append(IdxSet(folder, prefix, found, files))
    return sets


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """The content of a file, unpacked where it is gzip. Raises ValueError where that is damaged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a").write_bytes(gzip.compress(b"text"))
    ...     with opened(Path(folder, "a")) as file:
    ...         file.read()
    b'text'
    """
    try:
        with open(path, "rb") as raw:
            yield gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw
    except DAMAGED as error:
        raise ValueError(
            f"{path}: expected a sound gzip file, found a damaged one ({error})"
        ) from error


def read_header(path: Path) -> tuple[int, tuple[int, ...]]:
    """The type of an idx file's numbers, a key of TYPES, and the sizes of its axes.

    The format: two zero bytes, a type, the number of axes, then each size in four bytes,
    big-endian. What the header announces is compared with the file's size, so that it can be
    believed: exactly where the file is plain, up to what gzip can pack into it where not.
    Raises ValueError where it is no such file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    ...     read_header(Path(folder, "a"))
    (8, (2,))
    """
    with opened(path) as file:
        start = file.read(4)
        if (
            len(start) < 4
            or start[:2] != b"\0\0"
            or start[2] not in TYPES
            or not 1 <= start[3] <= 4
        ):
            raise ValueError(
                f"{path}: expected an idx file of whole numbers with 1 to 4 axes, which begins "
                f"with 0 0 8 3 or the like, found {' '.join(map(str, start)) or 'nothing'}"
            )
        sizes = file.read(4 * start[3])
        if len(sizes) < 4 * start[3]:
            raise ValueError(f"{path}: expected the sizes of {start[3]} axes, found the file's end")
        is_plain = not isinstance(file, gzip.GzipFile)
    axes = struct.unpack(f">{start[3]}I", sizes)
    announced = 4 + len(sizes) + math.prod(axes) * TYPES[start[2]][1]
    size = os.stat(path).st_size
    if (announced != size) if is_plain else (announced > EXPANSION * size):
        raise ValueError(
            f"{path}: expected {announced:,} bytes, for its header says {_times(axes)}, found "
            f"{'' if is_plain else 'a gzip file of '}{size:,}"
        )
    return start[2], axes


def check_headers(paths: list[Path]) -> tuple[tuple[int, ...], ...]:
    """The axes of four idx files, in the order of ROLES, if they are a data set: images of unsigned
    bytes (N, H, W) or (N, C, H, W), equal in size; a label or a row of numbers for each image.

    Raises ValueError naming the file that does not fit.

    >>> check_headers([])
    ()
    """
    axes: list[tuple[int, ...]] = []
    for i, path in enumerate(paths):
        code, sizes = read_header(path)
        if i % 2 == 0 and (code != 8 or len(sizes) not in (3, 4) or not all(sizes)):
            raise ValueError(
                f"{path}: expected images of unsigned bytes, N x H x W or N x C x H x W, found "
                f"{_times(sizes)} of type {TYPES[code][0]}"
            )
        if i % 2 == 0 and i and sizes[1:] != axes[0][1:]:
            raise ValueError(
                f"{path}: expected images of {_times(axes[0][1:])} as in {paths[0].name}, found "
                f"{_times(sizes[1:])}"
            )
        if i % 2 and (len(sizes) > 2 or 0 in sizes or sizes[0] != axes[-1][0]):
            raise ValueError(
                f"{path}: expected a label for each of the {axes[-1][0]:,} images of "
                f"{paths[i - 1].name}, found {_times(sizes)}"
            )
        axes.append(sizes)
    return tuple(axes)


def check_folder(folder: Path) -> IdxSet:
    """The one idx data set in a folder, every byte of it read. Raises ValueError where there is
    none, or several, or where it is damaged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     try:
    ...         _ = check_folder(Path(folder))
    ...     except ValueError as error:
    ...         print(str(error).removeprefix(folder))
    : expected the idx files of one data set, found none
    """
    sets = sets_in(folder)
    if len(sets) != 1:
        names = ", ".join(found.names[0] for found in sets)
        raise ValueError(
            f"{folder}: expected the idx files of one data set, found {names or 'none'}"
        )
    paths = sets[0].paths()
    check_headers(paths)
    for path in paths:
        _check_length(path)
    return sets[0]


def _check_length(path: Path) -> None:
    """Raise ValueError unless a file is as long as its header says; little beyond that is read."""
    code, axes = read_header(path)
    left = 4 + 4 * len(axes) + math.prod(axes) * TYPES[code][1]
    with opened(path) as file:
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
        if left or file.read(1):
            raise ValueError(
                f"{path}: expected as many bytes as its header announces, found "
                f"{f'{left:,} fewer' if left else 'more'}"
            )


def install(found: IdxSet, folder: Path) -> None:
    """Copy a data set's four files into `folder`, gzipped, each under the usual name of its type
    behind its own prefix, and EMNIST's table of classes. Another set that was there goes.

    All are checked before the first takes its place. Raises ValueError or OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for split in ("train", "t10k"):
    ...         _ = Path(folder, f"{split}-labels-idx1-ubyte").write_bytes(
    ...             bytes([0, 0, 8, 1, 0, 0, 0, 1, 0])
    ...         )
    ...         _ = Path(folder, f"{split}-images-idx3-ubyte").write_bytes(
    ...             bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9])
    ...         )
    ...     Path(folder, "there").mkdir()
    ...     install(check_folder(Path(folder)), Path(folder, "there"))
    ...     len(list(Path(folder, "there").iterdir()))
    4
    """
    paths = found.paths()
    check_headers(paths)
    parts = {}
    try:
        for path in paths:
            code, axes = read_header(path)
            match = FILE_NAME.fullmatch(path.name)
            assert match
            split, kind = match["split"].lower(), match["kind"].lower()
            prefix = f"{found.prefix}-" if found.prefix else ""
            name = f"{prefix}{split}-{kind}-idx{len(axes)}-{TYPES[code][0]}.gz"
            _check_length(path)
            parts[folder / f".{name}.part"] = folder / name
            _pack(path, folder / f".{name}.part")
        if found.class_names():
            table = IdxSet(folder, found.prefix, (), {}).mapping
            parts[table.with_name(f".{table.name}.part")] = table
            shutil.copyfile(found.mapping, table.with_name(f".{table.name}.part"))
        for old in sets_in(folder):
            for copies in old.files.values():
                for copy in copies:
                    copy.unlink()
            old.mapping.unlink(missing_ok=True)
        for part, final in parts.items():
            place(part, final)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _pack(path: Path, part: Path) -> None:
    with opened(path) as content, open(part, "wb") as raw:
        with gzip.GzipFile("", "wb", fileobj=raw, mtime=0, compresslevel=6) as out:
            shutil.copyfileobj(content, out, CHUNK)


def _times(axes: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in axes)
