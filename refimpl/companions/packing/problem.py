"""What is to be packed, in whole units: sizes as they come, the saw's kerf, the sheet's trim, who
may turn.

The engine knows rectangles of whole numbers that may touch. A list from practice has decimals, a
saw blade that takes `kerf` between two pieces, and a margin `trim` of the sheet that is not used.
All three become the engine's problem exactly:

    unit    the largest length of which every length given is a whole multiple (a fraction)
    items   (w + kerf, h + kerf)          bin   (W - 2 trim + kerf, H - 2 trim + kerf)

Two pieces are kerf apart if and only if the grown ones do not overlap; a piece keeps the margins if
and only if the grown one stays in the grown bin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

LARGEST = 10**6  # units: areas and their sums over a million items stay far below 2^63


@dataclass(frozen=True, eq=False)
class Problem:
    """Items (n, 2) int64 = (w, h) in units, the bin (W, H), turnable (n,) bool, kerf and trim, all
    whole numbers of units; unit: a Fraction of the measure that the sizes came in.

    >>> problem = problem_of([[2.5, 1], [4, 1]], (10, 10), kerf=0.5)
    >>> problem.items.tolist(), problem.bin, problem.kerf, problem.unit
    ([[5, 2], [8, 2]], (20, 20), 1, Fraction(1, 2))
    >>> problem.grown.tolist(), problem.grown_bin
    ([[6, 3], [9, 3]], (21, 21))
    """

    items: np.ndarray
    bin: tuple[int, int]
    turnable: np.ndarray
    kerf: int
    trim: int
    unit: Fraction

    @property
    def grown(self) -> np.ndarray:
        """The items (n, 2) with a kerf to the right and above."""
        return self.items + self.kerf

    @property
    def grown_bin(self) -> tuple[int, int]:
        """The bin within its margins, with room for the last piece's kerf."""
        W, H = (side - 2 * self.trim + self.kerf for side in self.bin)
        return W, H

    def measured(self, lengths: np.ndarray) -> np.ndarray:
        """Whole units of any shape in the measure the sizes came in: int64, or float64 where they
        are no whole numbers.
        """
        if self.unit.denominator == 1:
            return lengths * self.unit.numerator
        return lengths * self.unit.numerator / self.unit.denominator


def exact(value: Any) -> Fraction | None:
    """A length as a Fraction, None where it is no finite number: 0.1 is one tenth, as written, in
    float32 too.

    >>> exact(0.1), exact(np.float32(0.1)), exact("12.5"), exact(float("nan"))
    (Fraction(1, 10), Fraction(1, 10), Fraction(25, 2), None)
    """
    if isinstance(value, Fraction):
        return value
    try:
        return Fraction(Decimal(str(value)))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def problem_of(
    items: ArrayLike,
    bin_size: Sequence,
    *,
    rotate: ArrayLike = False,
    kerf: Any = 0,
    trim: Any = 0,
    where: Callable[[int], str] = lambda i: f"item {i}",
) -> Problem:
    """The Problem of items (n, 2) and a bin (W, H), of any numbers > 0.

    rotate: one truth value, or (n,) of them. kerf, trim >= 0. where(i): how an error calls item i.
    Raises ValueError, naming the argument or the item, on anything else, on an item that does not
    fit the bin within its margins, and where whole units would be more than LARGEST.

    >>> problem_of([[3, 4]], (5, 5)).items.tolist()
    [[3, 4]]
    """
    if np.asarray(bin_size, object).shape != (2,):
        raise ValueError(f"bin_size: expected (W, H), got {bin_size!r:.80}")
    rows, sizes, per = _rows(items, where)
    extra = [*bin_size, kerf, trim]
    names = ("bin_size", "bin_size", "kerf", "trim")
    lengths: list[Fraction] = []
    for name, value in zip(names, extra):
        least = "> 0" if name == "bin_size" else ">= 0"
        length = exact(value)
        if length is None or length < 0 or name == "bin_size" and length == 0:
            raise ValueError(f"{name}: expected numbers {least}, got {value!r:.40}")
        lengths.append(length)
    unit = _unit(sizes, per, [length for length in lengths if length])
    whole = _in_units(sizes, per, unit, rows, where)
    W, H, blade, margin = counts = [int(length / unit) for length in lengths]
    for name, count in zip(names, counts):
        if count > LARGEST:
            raise ValueError(
                f"{name}: expected at most {LARGEST:,} units, got {count:,} of {_said(unit)}, "
                f"the largest unit that all sizes are whole in"
            )
    turnable = _turnable(rotate, len(whole))
    _check_fit(whole, (W, H), turnable, margin, unit, where)
    return Problem(whole, (W, H), turnable, blade, margin, unit)


def _said(unit: Fraction) -> str:
    """A unit in words, to six digits: 1, 0.5 or 0.333333."""
    return f"{float(unit):g}"


def _rows(items: ArrayLike, where: Callable[[int], str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Items as they came (n, 2); as int64 in parts of 1 / per, or as Fractions (n, 2); and per.
    Raises ValueError.
    """
    try:
        rows = np.asarray(items)
    except ValueError:
        rows = np.empty(())
    if np.ma.isMaskedArray(items) or rows.dtype.kind == "c":
        raise ValueError("items: expected real numbers, none of them masked")
    if rows.shape == (0,):
        rows = rows.reshape(0, 2).astype(np.int64)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise ValueError(f"items: expected rows of two numbers (width, height), got {items!r:.80}")
    _check_truth_values(items, rows, where)
    if rows.dtype.kind in "iu" and rows.max(initial=0) <= LARGEST**2:
        bad = np.any(rows < 1, axis=1)
        sizes, per = np.where(bad[:, None], 1, rows).astype(np.int64), 1
    elif (found_parts := decimal_parts(rows)) is not None:
        return rows, *found_parts
    else:
        per = 1
        found = [[exact(value) for value in row] for row in rows]  # a float32 as it is written
        bad = np.array([any(v is None or v <= 0 for v in row) for row in found], bool)
        sizes = np.array(found, object).reshape(rows.shape)
        if not bad.any() and all(v.denominator == 1 and v <= LARGEST for v in sizes.flat):
            sizes = sizes.astype(np.int64)
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"{where(i)}: expected two numbers > 0, got {rows[i].tolist()}")
    return rows, sizes, per


def _check_truth_values(items: ArrayLike, rows: np.ndarray, where: Callable[[int], str]) -> None:
    """Raise ValueError on a truth value in a list beside numbers: in rows, the array made of the
    list, True has become 1.
    """
    if not isinstance(items, list | tuple) or rows.dtype.kind not in "iuf":
        return
    for i in np.flatnonzero((rows == 1).any(axis=1)).tolist():
        row: Any = items[i]
        if any(isinstance(value, bool | np.bool_) for value in row):
            raise ValueError(f"{where(i)}: expected two numbers > 0, got {list(row)}")


def decimal_parts(rows: np.ndarray) -> tuple[np.ndarray, int] | None:
    """(parts, per): floats > 0 as whole numbers of 1 / per, per a power of ten up to a million,
    where all are short decimals; else None. The same as exact() for each, at once.

    A decimal of at most 15 digits is the shortest one that its float64 can be written as, so that
    a float which parts / per rounds to is written as parts / per.

    >>> decimal_parts(np.array([[0.5, 2.25]]))[0].tolist(), decimal_parts(np.array([[1 / 3, 2.0]]))
    ([[50, 225]], None)
    """
    if rows.dtype != np.float64 or not rows.size or not (rows > 0).all() or rows.max() > LARGEST:
        return None
    for digits in range(7):
        per = 10**digits
        parts = np.rint(rows * per)
        if (parts / per == rows).all():
            return parts.astype(np.int64), per
    return None


def _unit(sizes: np.ndarray, per: int, others: list[Fraction]) -> Fraction:
    """The largest Fraction of which all sizes (n, 2), in parts of 1 / per, and other lengths are
    whole multiples.
    """
    if sizes.dtype == object:
        others = [*sizes.flat, *others]
        whole = 0
    else:
        whole = int(np.gcd.reduce(sizes, axis=None)) if sizes.size else 0
    below = lcm(per, *(length.denominator for length in others))
    lengths = (int(length * below) for length in others)
    return Fraction(gcd(whole * below // per, *lengths), below)


def _in_units(
    sizes: np.ndarray, per: int, unit: Fraction, rows: np.ndarray, where: Callable[[int], str]
) -> np.ndarray:
    """Sizes (n, 2), in parts of 1 / per, as whole numbers of units, int64. Raises ValueError beyond
    LARGEST.
    """
    if sizes.dtype == object:
        counts = np.array([[int(v / unit) for v in row] for row in sizes], object)
    else:
        part = Fraction(1, per) / unit
        steps = sizes // part.denominator
        counts = np.where(steps > LARGEST // part.numerator, LARGEST + 1, steps * part.numerator)
    over = (counts > LARGEST).any(axis=1)
    if over.any():
        i = int(np.argmax(over))
        raise ValueError(
            f"{where(i)}: expected at most {LARGEST:,} units of {_said(unit)}, the largest unit "
            f"that all sizes are whole in, got {rows[i].tolist()}"
        )
    return counts.astype(np.int64).reshape(-1, 2)


def _turnable(rotate: ArrayLike, n: int) -> np.ndarray:
    """rotate as (n,) bool. Raises ValueError where it is neither one truth value nor n of them."""
    mask = np.asarray(rotate)
    if mask.shape not in ((), (n,)) or (mask.dtype.kind not in "b" and n + mask.size > 0):
        raise ValueError(
            f"rotate: expected True, False or one of them for each of {n} items, got {rotate!r:.60}"
        )
    return np.broadcast_to(mask, (n,)).copy()


def _check_fit(
    items: np.ndarray,
    bin_size: tuple[int, int],
    turnable: np.ndarray,
    trim: int,
    unit: Fraction,
    where: Callable[[int], str],
) -> None:
    """Raise ValueError, naming the first item that does not fit the bin within its margins."""
    W, H = (side - 2 * trim for side in bin_size)
    w, h = items.T
    fits = (w <= W) & (h <= H) | turnable & (h <= W) & (w <= H)
    if fits.all():
        return
    i = int(np.argmin(fits))
    said = [f"{float(length * unit):g}" for length in (w[i], h[i], *bin_size, W, H)]
    turned = " in either orientation" if turnable[i] else ""
    within = f", {said[4]} x {said[5]} within its trim" if trim else ""
    raise ValueError(
        f"{where(i)}: {said[0]} x {said[1]} (width x height) does not fit the bin {said[2]} x "
        f"{said[3]}{within}{turned}"
    )
