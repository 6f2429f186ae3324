"""The benchmark of two-dimensional bin packing: 500 instances in ten classes, made by their own
generator.

Classes 1-6: Berkey and Wang (1987); classes 7-10: Martello and Vigo (1998). n in {20, 40, 60, 80,
100}, ten instances each. Items are (w, h), the bin is (W, H); the published files write the height
first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

SIZES = (20, 40, 60, 80, 100)
UNIFORM = {
    1: (10, 10),
    2: (30, 10),
    3: (40, 35),
    4: (100, 35),
    5: (100, 100),
    6: (300, 100),
}  # bin side, largest size
MIXED = {
    7: (0.7, 0.1, 0.1, 0.1),
    8: (0.1, 0.7, 0.1, 0.1),
    9: (0.1, 0.1, 0.7, 0.1),
    10: (0.1, 0.1, 0.1, 0.7),
}
TYPES = (
    ((66, 100), (1, 50)),
    ((1, 50), (66, 100)),
    ((50, 100), (50, 100)),
    ((1, 50), (1, 50)),
)  # ranges of w and h
CLASSES = (*UNIFORM, *MIXED)


@dataclass(frozen=True)
class Instance:
    """Items (n, 2) = (w, h), all to be packed into as few bins (W, H) as possible; int64, or
    Decimals where a list has decimals.

    names: what each item is called, () where they have only numbers. rotate: who may turn, one
    truth value or one an item.

    >>> Instance("two", np.array([[2, 1], [1, 1]]), (2, 2)).items.shape
    (2, 2)
    """

    name: str
    items: np.ndarray
    bin: tuple[Any, Any]
    names: tuple[str, ...] = ()
    rotate: bool | tuple[bool, ...] = False


@lru_cache(maxsize=1)
def _period() -> np.ndarray:
    """The published generator's numbers, v <- (7141 v + 54773) mod 259200 from v = 0, over its
    whole period (float32).
    """
    v, values = 0, []
    for _ in range(259200):
        v = (7141 * v + 54773) % 259200
        values.append(v)
    return np.array(values, np.float32) / np.float32(259200)


def _stream(n: int, k: int) -> Iterator[np.float32]:
    """The uniform numbers of instance k = 1..10 of n items: those after the first int(31.47 n k +
    2000) + 1.
    """
    skip = int(np.float32(np.float32(n * k) * np.float32(31.47) + np.float32(2000))) + 1
    return iter(_period()[skip:])


def _draw_items(kind: int, n: int, numbers: Iterator[np.float32]) -> np.ndarray:
    """n items (n, 2) = (w, h) of a class from an iterator of float32 numbers in [0, 1): (type,)
    height, width.
    """
    items = np.empty((n, 2), np.int64)
    if kind in UNIFORM:
        largest = np.float32(UNIFORM[kind][1])
        for item in items:
            item[1] = int(largest * next(numbers)) + 1
            item[0] = int(largest * next(numbers)) + 1
        return items
    limits = np.cumsum(MIXED[kind])
    for item in items:
        u = next(numbers)
        for axis, (low, high) in reversed(list(enumerate(TYPES[int((u > limits[:3]).sum())]))):
            item[axis] = int(np.float32(high - low + 1) * next(numbers)) + low
    return items


def bin_of(kind: int) -> tuple[int, int]:
    """The class's bin (W, H). Raises ValueError on a class that there is not.

    >>> bin_of(1), bin_of(7)
    ((10, 10), (100, 100))
    """
    if kind not in CLASSES:
        raise ValueError(f"class: expected one of 1 to 10, got {kind!r}")
    side = UNIFORM[kind][0] if kind in UNIFORM else 100
    return side, side


def benchmark(classes: Sequence[int] = CLASSES) -> list[Instance]:
    """The published instances of some classes, in the order of the files: n = 20, 40, ..., 100, ten
    each.

    Raises ValueError on a class that there is not.

    >>> first = benchmark([1])[0]
    >>> first.name, first.items[0].tolist(), first.bin
    ('1-20-1', [5, 9], (10, 10))
    """
    return [
        Instance(f"{kind}-{n}-{k}", _draw_items(kind, n, _stream(n, k)), side)
        for kind in classes
        for side in [bin_of(kind)]
        for n in SIZES
        for k in range(1, 11)
    ]


def fresh(kind: int, n: int, seed: int) -> Instance:
    """A new instance of a class: the same law, another source of numbers (NumPy's, by (class, n,
    seed)).

    Raises ValueError on a class that there is not.

    >>> fresh(10, 40, 0).items.shape
    (40, 2)
    """
    side = bin_of(kind)
    rng = np.random.default_rng([20211009, kind, n, seed])
    return Instance(
        f"fresh-{kind}-{n}-{seed}",
        _draw_items(kind, n, iter(rng.random(3 * n, dtype=np.float32))),
        side,
    )
