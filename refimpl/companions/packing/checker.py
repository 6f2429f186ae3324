"""An independent check of a packing, written from the definition: every item once, inside its bin,
no two overlap.

It shares no code with the decoder: Python integers of any size, all pairs, open rectangles
(touching is allowed).
"""

from collections.abc import Sequence

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
    bin_size: tuple[int, int],
    bins: Rows,
    positions: Rows,
    sizes: Rows,
    *,
    rotate: bool = False,
    limit: int = 20,
) -> list[str]:
    """What is wrong with a packing, in words; an empty list means that it is one.

    items (n, 2) = (w, h); bins (n,) the bin of each item, numbered 0, 1, ... without a gap;
    positions (n, 2) lower left corners; sizes (n, 2) as placed. Every rule is checked for every
    item and every pair; at most `limit` are listed.

    >>> violations([[2, 1], [2, 1]], (3, 3), [0, 0], [[0, 0], [1, 0]], [[2, 1], [2, 1]])
    ['items 0 and 1 overlap in bin 0: (0, 0) 2 x 1 and (1, 0) 2 x 1']
    """
    n = len(items)
    shapes = (("bins", bins, (n,)), ("positions", positions, (n, 2)), ("sizes", sizes, (n, 2)))
    wrong = [
        f"{name}: expected shape {shape}, got {np.shape(value)}"
        for name, value, shape in shapes
        if np.shape(value) != shape
    ]
    wrong += [
        f"{name}: expected integers, got {np.asarray(value).dtype}"
        for name, value, _ in shapes
        if n and np.asarray(value).dtype.kind not in "iu"
    ]
    if wrong:
        return wrong
    W, H = (int(side) for side in bin_size)
    rows = [
        (int(b), int(x), int(y), int(w), int(h))
        for b, (x, y), (w, h) in zip(bins, positions, sizes)
    ]
    used = sorted({row[0] for row in rows})
    if used != list(range(len(used))):
        wrong.append(
            f"bins: expected the numbers 0 to {len(used) - 1} without a gap, got {used!r:.80}"
        )
    contents: dict[int, list[int]] = {b: [] for b in used}
    for i, (b, x, y, w, h) in enumerate(rows):
        given = (int(items[i][0]), int(items[i][1]))
        if (w, h) != given and not (rotate and (h, w) == given):
            wrong.append(f"item {i}: placed as {w} x {h}, given as {given[0]} x {given[1]}")
        if x < 0 or y < 0 or x + w > W or y + h > H:
            wrong.append(f"item {i} at ({x}, {y}), {w} x {h}, leaves bin {b} of {W} x {H}")
        for j in contents[b]:
            _, x2, y2, w2, h2 = rows[j]
            if x < x2 + w2 and x2 < x + w and y < y2 + h2 and y2 < y + h:
                wrong.append(
                    f"items {j} and {i} overlap in bin {b}: ({x2}, {y2}) {w2} x {h2} and ({x}, "
                    f"{y}) {w} x {h}"
                )
        contents[b].append(i)
        if len(wrong) > limit:
            return [*wrong[:limit], "..."]
    return wrong


def check(
    items: Rows,
    bin_size: tuple[int, int],
    bins: Rows,
    positions: Rows,
    sizes: Rows,
    *,
    rotate: bool = False,
) -> None:
    """Raise Invalid unless the packing is one; the arguments of violations().

    >>> check([[2, 1], [1, 1]], (2, 2), [0, 0], [[0, 0], [0, 1]], [[2, 1], [1, 1]])
    """
    wrong = violations(items, bin_size, bins, positions, sizes, rotate=rotate)
    if wrong:
        raise Invalid("; ".join(wrong))
