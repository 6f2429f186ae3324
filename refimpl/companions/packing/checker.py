"""An independent check of a packing, written from the definition: every item once, in a size it may
have, inside its bin's margins, any two at least a kerf apart.

It shares no code with the decoder and works with exact numbers of any size: Python integers, and
Fractions of what is written with decimals. Touching is allowed where the kerf is 0.
"""

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

Rows = Sequence | np.ndarray


class Invalid(Exception):
    """A packing that is none; the message lists what is wrong.

    >>> check([[1, 1]], (2, 2), [0], [[2, 0]], [[1, 1]])
    Traceback (most recent call last):
        ...
    refimpl.companions.packing.checker.Invalid: item 0 at (2, 0), 1 x 1, leaves bin 0 of 2 x 2
    """


def violations(
    items: Rows,
    bin_size: Sequence,
    bins: Rows,
    positions: Rows,
    sizes: Rows,
    *,
    rotate: bool | Rows = False,
    kerf: Any = 0,
    trim: Any = 0,
    limit: int = 20,
) -> list[str]:
    """What is wrong with a packing, in words; an empty list means that it is one.

    items (n, 2) = (w, h); bins (n,) the bin of each item, numbered 0, 1, ... without a gap;
    positions (n, 2) lower left corners; sizes (n, 2) as placed. rotate: who may turn, one truth
    value or n. kerf: the least distance of two items, beside or above each other. trim: the margin
    of a bin, on all four sides. Every rule is checked for every item and every pair; at most
    `limit` violations are listed.

    >>> violations([[2, 1], [2, 1]], (3, 3), [0, 0], [[0, 0], [1, 0]], [[2, 1], [2, 1]])
    ['items 0 and 1 overlap in bin 0: (0, 0) 2 x 1 and (1, 0) 2 x 1']
    """
    n = len(items)
    wrong = _misshapen(n, bins, positions, sizes, rotate)
    if wrong:
        return wrong
    turnable = np.broadcast_to(np.asarray(rotate, bool), (n,)).tolist()
    W, H, kerf, trim = (_exact(side) for side in (*bin_size, kerf, trim))
    given, corners, placed = (_exact_rows(rows) for rows in (items, positions, sizes))
    pieces = [(x, y, w, h) for (x, y), (w, h) in zip(corners, placed)]
    contents: dict[int, list[int]] = {}
    for i, b in enumerate(np.asarray(bins).tolist()):
        contents.setdefault(b, []).append(i)
    used = sorted(contents)
    if used != list(range(len(used))):
        wrong.append(
            f"bins: expected the numbers 0 to {len(used) - 1} without a gap, got {used!r:.80}"
        )
    for b in used:
        for i in contents[b]:
            x, y, w, h = pieces[i]
            if placed[i] != given[i] and not (turnable[i] and (h, w) == given[i]):
                said = f"placed as {_size(w, h)}, given as {_size(*given[i])}"
                wrong.append(f"item {i}: {said}")
            if x < trim or y < trim or x + w > W - trim or y + h > H - trim:
                within = f" within its trim of {_said(trim)}" if trim else ""
                wrong.append(
                    f"item {i} at ({_said(x)}, {_said(y)}), {_size(w, h)}, leaves bin {b} of "
                    f"{_size(W, H)}{within}"
                )
        own = [(i, *pieces[i]) for i in contents[b]]
        if _any_meet(own, kerf):
            wrong += _pairs(own, kerf, b, limit)
        if len(wrong) > limit:
            return [*wrong[:limit], "..."]
    return wrong


def check(
    items: Rows,
    bin_size: Sequence,
    bins: Rows,
    positions: Rows,
    sizes: Rows,
    *,
    rotate: bool | Rows = False,
    kerf: Any = 0,
    trim: Any = 0,
) -> None:
    """Raise Invalid unless the packing is one; the arguments of violations().

    >>> check([[2, 1], [1, 1]], (2, 2), [0, 0], [[0, 0], [0, 1]], [[2, 1], [1, 1]])
    """
    wrong = violations(items, bin_size, bins, positions, sizes, rotate=rotate, kerf=kerf, trim=trim)
    if wrong:
        raise Invalid("; ".join(wrong))


def _misshapen(n: int, bins: Rows, positions: Rows, sizes: Rows, rotate: bool | Rows) -> list[str]:
    """What has another shape or type than it should."""
    shapes = (("bins", bins, (n,)), ("positions", positions, (n, 2)), ("sizes", sizes, (n, 2)))
    wrong = [
        f"{name}: expected shape {shape}, got {np.shape(value)}"
        for name, value, shape in shapes
        if np.shape(value) != shape
    ]
    for name, value, _ in shapes if n else ():
        array = np.asarray(value)
        if array.dtype.kind not in ("iu" if name == "bins" else "iufO"):
            what = "integers" if name == "bins" else "numbers"
            wrong.append(f"{name}: expected {what}, got {array.dtype}")
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            wrong.append(f"{name}: expected finite numbers")
    if np.shape(rotate) not in ((), (n,)):
        wrong.append(f"rotate: expected one truth value or {n}, got shape {np.shape(rotate)}")
    return wrong


def _exact(value: Any) -> int | Fraction:
    """A number as it is written, exactly."""
    return value if type(value) is int else Fraction(str(value))


def _exact_rows(rows: Rows) -> list[tuple]:
    """Rows of two numbers, exactly."""
    array = np.asarray(rows)
    if array.dtype.kind in "iu":
        return list(zip(*array.reshape(-1, 2).T.tolist()))
    return [(_exact(a), _exact(b)) for a, b in array.reshape(-1, 2).tolist()]


def _said(value: int | Fraction) -> str:
    return str(value) if type(value) is int else f"{float(value):g}"


def _size(w: int | Fraction, h: int | Fraction) -> str:
    return f"{_said(w)} x {_said(h)}"


def _any_meet(pieces: list[tuple], kerf: int | Fraction) -> bool:
    """Whether any two of a bin's pieces (i, x, y, w, h), sides > 0, are less than a kerf apart.

    A line sweeps the bin from below and keeps the pieces that it meets, by their left ends. As long
    as none of these meet each other, a new one meets any of them only if it meets the last that
    begins left of its own beginning, or the first that begins at it or later.
    """
    if any(w <= 0 or h <= 0 for *_, w, h in pieces):
        return True  # no piece at all: every pair is to be looked at
    top = [y + h + kerf for _, _, y, _, h in pieces]
    coming = sorted(range(len(pieces)), key=lambda i: pieces[i][2])
    going = iter(sorted(range(len(pieces)), key=top.__getitem__))
    gone = next(going, None)
    starts: list = []
    ends: list = []
    for i in coming:
        _, x, y, w, _ = pieces[i]
        while gone is not None and top[gone] <= y:
            at = bisect_left(starts, pieces[gone][1])
            del starts[at], ends[at]
            gone = next(going, None)
        end = x + w + kerf
        at = bisect_left(starts, x)
        if at and ends[at - 1] > x or at < len(starts) and starts[at] < end:
            return True
        starts.insert(at, x)
        ends.insert(at, end)
    return False


def _pairs(pieces: list[tuple], kerf: int | Fraction, b: int, limit: int) -> list[str]:
    """The pairs of a bin's pieces (i, x, y, w, h) that are less than a kerf apart, in words."""
    found: list[str] = []
    for at, (i, x, y, w, h) in enumerate(pieces):
        for j, x2, y2, w2, h2 in pieces[:at]:
            beside = x < x2 + w2 + kerf and x2 < x + w + kerf
            if not beside or not (y < y2 + h2 + kerf and y2 < y + h + kerf):
                continue
            overlap = x < x2 + w2 and x2 < x + w and y < y2 + h2 and y2 < y + h
            what = "overlap" if overlap else f"are less than the kerf {_said(kerf)} apart"
            found.append(
                f"items {j} and {i} {what} in bin {b}: ({_said(x2)}, {_said(y2)}) {_size(w2, h2)} "
                f"and ({_said(x)}, {_said(y)}) {_size(w, h)}"
            )
            if len(found) > limit:
                return found
    return found
