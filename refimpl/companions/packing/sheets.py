"""A packing as text for other programs: SVG, a bin a page and a group a piece, and a table in CSV.

Lengths are those of the list, without a physical unit: the SVG's viewBox is the bin. Y points up in
a packing and down in SVG, so pieces are drawn from the bin's upper edge.
"""

import csv
import io
import re
from html import escape
from typing import Protocol

import numpy as np

COLOURS = ("#1f5fa8", "#d1661d", "#3a7d44", "#7b4fa3", "#a88420", "#2f8f9d", "#b0413e", "#5b6770")
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML
COLUMNS = ("name", "width", "height", "bin", "x", "y", "turned")  # of the table, as placed


class Placed(Protocol):
    """What is written: the fields of result.Packing.

    >>> from refimpl.companions.packing import pack
    >>> pack([[2, 1]], (2, 2), iterations=0).name(0)
    '0'
    """

    @property
    def bins(self) -> np.ndarray:
        """(n,)."""

    @property
    def positions(self) -> np.ndarray:
        """(n, 2), lower left."""

    @property
    def sizes(self) -> np.ndarray:
        """(n, 2), as placed."""

    @property
    def turned(self) -> np.ndarray:
        """(n,) bool."""

    @property
    def bin_size(self) -> tuple:
        """(W, H)."""

    def name(self, i: int) -> str:
        """What item i is called."""


def number(value: float) -> str:
    """A length as text, exactly as it came: without a point where it is whole.

    >>> number(12.50), number(3.0), number(1220)
    ('12.5', '3', '1220')
    """
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def drawable(text: str) -> str:
    """Text with a sign in place of what XML cannot hold, control characters above all.

    >>> drawable("a\\x00b")
    'a\ufffdb'
    """
    return FORBIDDEN.sub("\ufffd", text)


def sheet_svg(packing: Placed, b: int, *, style: str = "") -> str:
    """Bin b of a packing as an SVG document. A piece is a group: its rectangle, its name and size.

    >>> from refimpl.companions.packing import pack
    >>> text = sheet_svg(pack([[2, 1]], (2, 2), names=["lid"], iterations=0), 0)
    >>> text.count("<g "), ">lid<" in text
    (1, True)
    """
    W, H = (float(side) for side in packing.bin_size)
    line = number(round(max(W, H) / 400, 6))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(W)} {number(H)}"'
        + (f' style="{escape(style)}"' if style else "")
        + ">",
        f"<title>bin {b}</title>",
        f'<rect width="{number(W)}" height="{number(H)}" fill="#f2f2f2" stroke="#8a8f98" '
        f'stroke-width="{line}"/>',
    ]
    for i in np.flatnonzero(packing.bins == b).tolist():
        (x, y), (w, h) = packing.positions[i].tolist(), packing.sizes[i].tolist()
        left, top = number(x), number(round(H - y - h, 9))
        name, size = escape(drawable(packing.name(i))), f"{number(w)} x {number(h)}"
        letter = round(min(h / 3, 1.6 * w / max(len(packing.name(i)), len(size), 3)), 6)
        middle = f'x="{number(round(x + w / 2, 9))}" text-anchor="middle" fill="white"'
        down = [number(round(H - y - h / 2 + shift * letter, 6)) for shift in (-0.1, 1.0)]
        parts.append(
            f'<g id="piece-{i}" class="piece"><title>{name}: {size}</title>'
            f'<rect x="{left}" y="{top}" width="{number(w)}" height="{number(h)}" '
            f'fill="{COLOURS[i % len(COLOURS)]}" stroke="white" stroke-width="{line}"/>'
            f'<text {middle} y="{down[0]}" font-size="{number(letter)}">{name}</text>'
            f'<text {middle} y="{down[1]}" font-size="{number(round(letter * 0.8, 6))}">{size}'
            f"</text></g>"
        )
    return "\n".join([*parts, "</svg>\n"])


def table_csv(packing: Placed) -> str:
    """A line an item, in the order of the items, under a header: COLUMNS, sizes as placed.

    >>> from refimpl.companions.packing import pack
    >>> print(table_csv(pack([[2, 1.5]], (2, 2), names=["lid"], iterations=0)), end="")
    name,width,height,bin,x,y,turned
    lid,2,1.5,0,0,0,no
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    corners, sizes = packing.positions.tolist(), packing.sizes.tolist()
    for i, (b, turned) in enumerate(zip(packing.bins.tolist(), packing.turned.tolist())):
        lengths = [number(v) for v in (*sizes[i], *corners[i])]
        row = [packing.name(i), *lengths[:2], b, *lengths[2:], "yes" if turned else "no"]
        writer.writerow(row)
    return text.getvalue()
