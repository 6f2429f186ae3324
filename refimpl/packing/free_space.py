"""The free space of one bin as its maximal empty rectangles (Jylanki 2010, "MaxRects"), in plain integers.

A bin is a list of rectangles (left, bottom, right, top), each empty, none inside another, that cover all that is empty:
an item fits if and only if it fits in one of them. The thesis' decoder asks this question at every step.
"""


def empty(bin_size):
    """The free space of an empty bin (W, H)."""
    return [(0, 0, int(bin_size[0]), int(bin_size[1]))]


def best_place(free, w, h):
    """(left over, x, y) of the rectangle whose shorter side leaves least beside the item, None where it fits nowhere.

    Best short side fit; of equals the lowest, then the leftmost. The item stands in the lower left corner.

    >>> best_place([(0, 0, 10, 4), (0, 0, 3, 10)], 3, 3)
    (0, 0, 0)
    """
    found = None
    for left, bottom, right, top in free:
        if right - left >= w and top - bottom >= h:
            key = min(right - left - w, top - bottom - h), bottom, left
            if found is None or key < found:
                found = key
    return None if found is None else (found[0], found[2], found[1])


def place(free, x, y, w, h):
    """The free space after an item w x h has been put at (x, y).

    >>> place([(0, 0, 4, 4)], 0, 0, 3, 1)
    [(3, 0, 4, 4), (0, 1, 4, 4)]
    """
    kept, cut = [], []
    for left, bottom, right, top in free:
        if x >= right or x + w <= left or y >= top or y + h <= bottom:
            kept.append((left, bottom, right, top))
            continue
        if x > left:
            cut.append((left, bottom, x, top))
        if x + w < right:
            cut.append((x + w, bottom, right, top))
        if y > bottom:
            cut.append((left, bottom, right, y))
        if y + h < top:
            cut.append((left, y + h, right, top))
    for i, r in enumerate(cut):  # only a cut rectangle can lie inside another
        others = cut[i + 1 :] + kept
        if not any(o[0] <= r[0] and o[1] <= r[1] and o[2] >= r[2] and o[3] >= r[3] for o in others):
            kept.append(r)
    return kept


def fill(items, bin_size):
    """Put items (w, h) into one bin in the order given, each at its best place: positions, None where one does not fit."""
    free, positions = empty(bin_size), []
    for w, h in items:
        found = best_place(free, w, h)
        if found is None:
            return None
        _, x, y = found
        free = place(free, x, y, w, h)
        positions.append((x, y))
    return positions
