"""Cut lists as people have them: CSV from a spreadsheet, columns by their names in any order.

    name;width;height;quantity;rotate         comma, semicolon or tab between the columns
    shelf;60,5;30;4;yes                       decimals with a point or, where commas do not
    door;200;40;1;no                          separate (or inside quotes), with a comma

A file without a header has width,height or width,height,quantity. What a header does not name from
COLUMNS is an error that says what was understood: a guess would cut the wrong pieces. A first line
"sep=;", as spreadsheets write it, says what separates. A line "# like this" is a remark; "#1" is a
piece's name.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

MOST = 1_000_000  # items in one file: more is a mistake
COLUMNS = {
    "width": ("width", "w"),
    "height": ("height", "h"),
    "quantity": ("quantity", "qty", "count"),
    "name": ("name", "id", "label"),
    "rotate": ("rotate", "rotation", "turn"),
}
TRUTH = {word: True for word in ("yes", "y", "true", "1", "x")}
TRUTH |= {word: False for word in ("no", "n", "false", "0")}
TOTALS = "total totals sum summe gesamt somme totale totaal suma subtotal".split()
LENGTH = re.compile(r"\+?(\d{1,12}([.,]\d{0,9})?|[.,]\d{1,9})", re.ASCII)
REMARK = re.compile(r"#(\s|#|$)")
SAID = re.compile(r"sep=([,;\t])\s*")


@dataclass(frozen=True)
class CutList:
    """What a list says, an entry an item, copies included: sizes (width, height), whole numbers or
    Decimals; names, () where there are none; rotate, None where the list does not say; places, file
    and line of each.

    >>> CutList(((6, 4),), ("shelf",), (None,), ("items.csv, line 2, item 1",)).names
    ('shelf',)
    """

    sizes: tuple[tuple, ...]
    names: tuple[str, ...]
    rotate: tuple[bool | None, ...]
    places: tuple[str, ...]


def parse_list(text: str, path: str | Path) -> CutList:
    """The CutList in the text of a file; path: how errors call it.

    Empty lines and remarks are skipped. Raises ValueError, with file, line and item, and what was
    expected there.

    >>> found = parse_list("id;height;width;qty\\nA;4;6,5;2", "items.csv")
    >>> found.sizes[0], found.names
    ((Decimal('6.5'), 4), ('A', 'A'))
    """
    lines = [
        (number, line)
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)
        if line.strip(" \t;,") and not REMARK.match(line)
    ]
    said = SAID.fullmatch(lines[0][1]) if lines else None
    if said:
        lines = lines[1:]
    if not lines:
        return CutList((), (), (), ())
    separator = said[1] if said else _separator(lines[0][1])
    number, first = lines[0]
    fields = _fields(first, separator, f"{path}, line {number}")
    columns = None
    if _is_header(fields):
        columns = _columns(fields, f"{path}, line {number}")
        lines = lines[1:]
    return _items(lines, separator, columns, path)


def length_of(text: str) -> int | Decimal | None:
    """A length >= 0 as written, decimal point or comma; None where it is none ("3.0" is 3).

    >>> length_of("6,50"), length_of("3.0"), length_of("1e3")
    (Decimal('6.5'), 3, None)
    """
    if not LENGTH.fullmatch(text):
        return None
    value = Decimal(text.replace(",", "."))
    return int(value) if value == value.to_integral_value() else value.normalize()


def _separator(line: str) -> str:
    """What separates a list's columns, by its first line: a tab, else a semicolon, else a comma."""
    bare = re.sub(r'"[^"]*"', "", line)
    return next((mark for mark in "\t;" if mark in bare), ",")


def _fields(line: str, separator: str, here: str) -> list[str]:
    """The fields of a line, quotes as in CSV. Raises ValueError where they do not close."""
    try:
        (fields,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        what = str(error).replace("unexpected end of data", "quotes do not close in this line")
        raise ValueError(f"{here}: expected fields of a CSV list ({what})") from None
    return [field.strip() for field in fields]


def _is_header(fields: Sequence[str]) -> bool:
    """Whether a first line names columns: one of them is known, or none is a number."""
    known = {word for words in COLUMNS.values() for word in words}
    if any(_plain(field)[0] in known for field in fields):
        return True
    return all(length_of(field) is None and not _near_number(field) for field in fields)


def _near_number(field: str) -> bool:
    """Whether a field was meant as a number, though it is none: -1, 1e3, nan."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _plain(field: str) -> tuple[str, str]:
    """A column's name in small letters, and the unit that it has in brackets: "Width [mm]".

    Without a sign after it: "Qty." and "Rotate?" are qty and rotate.
    """
    word = field.strip().lower().rstrip(".:?")
    for opening, closing in ("()", "[]"):
        if word.endswith(closing) and opening in word:
            name, _, unit = word[:-1].partition(opening)
            return name.strip(), unit.strip()
    return word, ""


def _columns(fields: Sequence[str], here: str) -> dict[str, list[int]]:
    """{meaning: columns} of a header. Raises ValueError that lists what was understood."""
    meanings = {word: meaning for meaning, words in COLUMNS.items() for word in words}
    found: dict[str, list[int]] = {}
    other: list[str] = []
    units: set[str] = set()
    for column, field in enumerate(fields):
        word, unit = _plain(field)
        meaning = meanings.get(word)
        if meaning:
            found.setdefault(meaning, []).append(column)
            units |= {unit} if meaning in ("width", "height") else set()
        elif field:
            other.append(field)
    said = [f"{fields[c]!r} as {meaning}" for meaning, cs in found.items() for c in cs]
    understood = f"understood: {', '.join(said) or 'nothing'}"
    if other:
        words = "; ".join(", ".join(words) for words in COLUMNS.values())
        unknown = "columns " * (len(other) > 1) or "column "
        unknown += ", ".join(f"{field!r:.40}" for field in other[:8])
        raise ValueError(
            f"{here}: unknown {unknown}; {understood}; rename to one of these, or delete: {words}"
        )
    for meaning in ("width", "height"):
        if meaning not in found:
            raise ValueError(f"{here}: no column for the {meaning}; {understood}")
    twice = [m for m, columns in found.items() if len(columns) > 1 and m != "name"]
    if twice:
        raise ValueError(f"{here}: more than one column for the {twice[0]}; {understood}")
    if len(units) > 1:
        raise ValueError(
            f"{here}: expected width and height in one unit, got {' and '.join(sorted(units))!r}"
        )
    return found


def _items(
    lines: Sequence[tuple[int, str]],
    separator: str,
    columns: dict[str, list[int]] | None,
    path: str | Path,
) -> CutList:
    """The CutList of numbered lines below the header; columns: None where there was none."""
    sizes: list = []
    names: list[str] = []
    rotate: list = []
    places: list[str] = []
    signs: set[str] = set()
    lengths: list[tuple[str, str]] = []
    for number, line in lines:
        here = f"{path}, line {number}, item {len(sizes) + 1}"
        fields = _fields(line, separator, here)
        row = _row(fields, columns, here, line)
        name = " ".join(fields[c] for c in (columns or {}).get("name", ()) if fields[c])
        here += f" ({name})" if name else ""
        if name.lower().rstrip(":") in TOTALS:
            raise ValueError(f"{here}: expected an item, got what looks like a line of totals")
        lengths += [(here, row[key]) for key in ("width", "height")]
        size = tuple(_size_of(row[key], key, here, signs, line) for key in ("width", "height"))
        count = row["quantity"]
        if not (count.isascii() and count.isdigit() and len(count) < 10):
            raise ValueError(f"{here}: expected a count, a whole number, got {count!r:.40}")
        many = int(count)
        if many < 1 or len(sizes) + many > MOST:
            raise ValueError(f"{here}: expected a count from 1 to {MOST:,} in all, got {many}")
        turn = row["rotate"].lower()
        if turn and turn not in TRUTH:
            raise ValueError(f"{here}: expected rotate as yes, no or nothing, got {turn!r:.40}")
        sizes += [size] * many
        names += [name] * many
        rotate += [TRUTH.get(turn)] * many
        places += [here] * many
    _check_thousands(lengths, separator)
    named = tuple(name or str(i) for i, name in enumerate(names)) if any(names) else ()
    return CutList(tuple(sizes), named, tuple(rotate), tuple(places))


def _row(
    fields: Sequence[str], columns: dict[str, list[int]] | None, here: str, line: str
) -> dict[str, str]:
    """{meaning: text} of a line. Raises ValueError where it has other columns than it should."""
    row = {"quantity": "1", "rotate": ""}
    if columns is None:
        if len(fields) not in (2, 3):
            raise ValueError(
                f"{here}: expected width,height or width,height,count, got {line!r:.60}"
            )
        return row | dict(zip(("width", "height", "quantity"), fields))
    known = {column for own in columns.values() for column in own}
    fields = [*fields, *[""] * (max(known) + 1 - len(fields))]  # nothing at the end of a line
    if any(field for column, field in enumerate(fields) if column not in known):
        raise ValueError(
            f"{here}: expected the {len(known)} columns of the header, got {line!r:.60}"
        )
    given = {meaning: fields[own[0]] for meaning, own in columns.items() if meaning != "name"}
    return row | given | {"quantity": given.get("quantity") or "1"}


def _check_thousands(lengths: Sequence[tuple[str, str]], separator: str) -> None:
    """Raise ValueError on "1,200" or "1.200", which may be 1200 or 1.2, by (place, text) of each
    length.

    Where commas separate, a point is a decimal one, and a comma always in doubt; where semicolons
    do, a decimal sign is a comma, as spreadsheets of the continent write it; a tab tells nothing.
    Another length with the same sign, 0.600 or 1.25, clears the doubt.
    """
    doubtful = {",": ",", ";": "."}.get(separator, ".,")
    group = re.compile(rf"\+?[1-9]\d{{0,2}}[{doubtful}]\d{{3}}")
    signed = [(here, text) for here, text in lengths if any(sign in text for sign in doubtful)]
    in_doubt = [(here, text) for here, text in signed if group.fullmatch(text)]
    if in_doubt and (len(in_doubt) == len(signed) or separator == ","):
        here, text = in_doubt[0]
        whole = re.sub("[.,]", "", text)
        decimal = text.replace(",", ".") if separator == "," else f"{text}0"
        raise ValueError(f"{here}: expected {whole} or {decimal}, got {text!r}, which may be both")


def _size_of(text: str, what: str, here: str, signs: set[str], line: str) -> int | Decimal:
    """A width or height > 0. signs: the decimal signs met so far, one a file."""
    value = length_of(text)
    if not value:
        raise ValueError(
            f"{here}: expected a {what} > 0, a number without exponent or unit, got "
            f"{text!r:.40} in {line!r:.60}"
        )
    signs |= {mark for mark in ".," if mark in text}
    if len(signs) > 1:
        raise ValueError(
            f"{here}: expected one decimal sign in the file, point or comma, got both ({text!r})"
        )
    return value
