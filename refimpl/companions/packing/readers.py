"""Readers of packing instances: .2bp (the benchmark's files, each instance with its own bin) and
CSV lists.

Every error is a ValueError that names the file, the line and the item.
"""

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.companions.packing.instances import Instance
from refimpl.companions.packing.lists import MOST, parse_list
from refimpl.companions.packing.problem import problem_of
from refimpl.files.paths import check_is_file

MOST_BYTES = 100_000_000  # of a list


def read(
    source: str | Path,
    bin_size: tuple[Any, Any] | None = None,
    *,
    rotate: bool = False,
    trim: Any = 0,
) -> Instance:
    """One Instance from "FILE.2bp", "FILE.2bp:k" (the k-th, counted from 1) or "FILE.csv" with a
    bin (W, H).

    A .2bp file brings its bins, so bin_size must be None there; FILE.2bp without :k needs a file of
    one instance. rotate: may items turn, where the file does not say; trim: the margin of the bin
    that is not used. Raises ValueError, with file, line and item, where that is not so or the file
    is not what it should be.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "items.csv"
    ...     _ = path.write_text("6,4")
    ...     read(path, (10, 10)).items.tolist()
    [[6, 4]]
    """
    path, _, number = str(source).rpartition(":")
    if not path or not number.isdecimal() or Path(str(source)).exists():
        path, number = str(source), ""
    if not path.lower().endswith(".2bp"):
        if number:
            raise ValueError(
                f"{source}: only .2bp files hold several instances; leave out :{number}"
            )
        if bin_size is None:
            _text_of(path)  # a file that is not there is told first
            raise ValueError(
                f"{path}: a CSV list has no bin of its own; give one (W, H), --bin WxH on the "
                f"command line"
            )
        return read_csv(path, bin_size, rotate=rotate, trim=trim)
    if bin_size is not None:
        raise ValueError(f"{path}: a .2bp file has bins of its own; leave out the bin")
    found = read_2bp(path, rotate=rotate, trim=trim)
    if not number and len(found) > 1:
        raise ValueError(
            f"{path}: holds {len(found)} instances; pick one, {path}:1 to {path}:{len(found)}"
        )
    k = int(number or 1)
    if not 1 <= k <= len(found):
        raise ValueError(f"{path}: expected an instance from 1 to {len(found)}, got {k}")
    return found[k - 1]


def read_2bp(path: str | Path, *, rotate: bool = False, trim: Any = 0) -> list[Instance]:
    """Every Instance of a .2bp file: class; n; relative and absolute number; HBIN WBIN; n lines "H
    W"; blank lines.

    Height first in the file, (w, h) in Instance. Text after a line's numbers is ignored, as in the
    published files. Raises ValueError, with file, line and item.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "one.2bp").write_text("1\\n1\\n1 1\\n10 10\\n4 6")
    ...     read_2bp(Path(folder) / "one.2bp")[0].items.tolist()
    [[6, 4]]
    """
    lines = [
        (i, line.split()) for i, line in enumerate(_text_of(path).splitlines(), 1) if line.strip()
    ]
    found: list[Instance] = []
    at = 0

    def numbers(count, what):
        nonlocal at
        if at == len(lines):
            raise ValueError(f"{path}: the file ends where instance {len(found) + 1} needs {what}")
        number, fields = lines[at]
        at += 1
        values = [_whole(field) for field in fields[:count]]
        further = _whole(fields[count]) if len(fields) > count else None
        if len(values) < count or None in values or further is not None:
            raise ValueError(
                f"{path}, line {number}: expected {what} ({count} whole numbers), got "
                f"{' '.join(fields)!r:.60}"
            )
        return values, number

    while at < len(lines):
        (kind,), _ = numbers(1, "the problem class")
        (n,), line = numbers(1, "the number of items")
        if not 0 <= n <= MOST:
            raise ValueError(f"{path}, line {line}: expected 0 to {MOST:,} items, got {n}")
        (relative, _), _ = numbers(2, "relative and absolute number of the instance")
        (H, W), line = numbers(2, "HBIN WBIN")
        items = []
        for i in range(n):
            (h, w), _ = numbers(2, f"H W of item {i + 1}")
            items.append((w, h))
        places = [
            f"{path}, line {number}, item {i + 1}"
            for i, (number, _) in enumerate(lines[at - n : at])
        ]
        rows = np.array(items, np.int64).reshape(-1, 2)
        found.append(
            _checked(
                Instance(f"{kind}-{n}-{relative}", rows, (W, H), rotate=rotate),
                places,
                trim,
                f"{path}, line {line}",
            )
        )
    if not found:
        raise ValueError(f"{path}: no instance in it")
    return found


def read_csv(
    path: str | Path, bin_size: tuple[Any, Any], *, rotate: bool = False, trim: Any = 0
) -> Instance:
    """An Instance from a cut list, as lists.parse_list understands it.

    rotate: of the items whose list does not say. Raises ValueError, with file, line and item.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "items.csv").write_text("name,height,width,count\\nA,4,6,2")
    ...     found = read_csv(Path(folder) / "items.csv", (10, 10))
    >>> found.items.tolist(), found.names
    ([[6, 4], [6, 4]], ('A', 'A'))
    """
    found = parse_list(_text_of(path), path)
    turnable: bool | tuple[bool, ...] = rotate
    if any(turn is not None for turn in found.rotate):
        turnable = tuple(rotate if turn is None else turn for turn in found.rotate)
    whole = all(type(side) is int for size in found.sizes for side in size)
    items = np.array(found.sizes, np.int64 if whole else object).reshape(-1, 2)
    return _checked(
        Instance(Path(path).stem, items, bin_size, found.names, turnable), found.places, trim, path
    )


def _whole(field: str) -> int | None:
    """A field as int, or None where it is no whole number ("3.0" is none)."""
    digits = field[1:] if field[:1] in "+-" else field
    return int(field) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _text_of(path: str | Path) -> str:
    """A text file whole, in UTF-8 or, where its first bytes say so, UTF-16. Raises ValueError
    where it cannot be read or is no such text.
    """
    try:
        check_is_file(path, pipes=True)
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > MOST_BYTES:
        raise ValueError(f"{path}: expected at most {MOST_BYTES:,} bytes, found more")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(
            f"{path}: expected a text file in UTF-8 (of a spreadsheet: save as CSV UTF-8)"
        ) from None


def _checked(
    instance: Instance, places: Sequence[str], trim: Any, bin_place: str | Path
) -> Instance:
    """The Instance, if its items fit. Raises ValueError that says where the item, or the bin,
    stands.
    """
    try:
        problem_of(
            instance.items,
            instance.bin,
            rotate=instance.rotate,
            trim=trim,
            where=lambda i: places[i],
        )
    except ValueError as error:
        named = str(error).startswith(("bin_size", "trim"))
        raise ValueError(f"{bin_place}: {error}" if named else str(error)) from None
    return instance
