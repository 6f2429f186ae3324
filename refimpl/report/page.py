"""One self-contained HTML page: style, a few lines of script, headings, tables. It needs neither
network nor server.
"""

import re
from html import escape
from importlib.resources import files
from itertools import count

STYLE, SCRIPT = (
    files("refimpl.report").joinpath(name).read_text(encoding="utf-8")
    for name in ("page.css", "page.js")
)


def table(head, rows, label, words=0, caption=""):
    """head: names, '#' before those of numbers; rows: cells as HTML <td> strings; label: what a
    screen reader says.

    words: on a phone so many of the first columns get a line of their own, the numbers below them.
    caption: text above the table.
    """
    names = "".join(
        f'<th scope="col"{kind(name, i < words)}>{escape(name.removeprefix("#"))}</th>'
        for i, name in enumerate(head)
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    stack = f' class="stack" style="--columns:{len(head)};--words:{words}"' if words else ""
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return wide(
        f"<table{stack}>{above}<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>", label
    )


def from_markdown(text, label):
    """Tables written in Markdown, as the rooms' table.py make them, as HTML: [a table each].

    A column whose cells are all numbers is set as one; on a phone the columns of words before the
    first of them have a line of their own. Tables are numbered where there are several. What is
    `quoted so` is code.

    >>> found = from_markdown("| layer | error |\\n|---|---|\\n| `x` | 1 |", "L")
    >>> '<td class="word"><code>x</code></td><td class="n">1</td>' in found[0]
    True
    """
    found: list[str] = []
    several = text.count("\n|---") > 1
    for block in text.split("\n\n"):
        lines = [line[2:-2].split(" | ") for line in block.splitlines() if line.startswith("| ")]
        if len(lines) < 2:
            continue  # a table without rows
        head, rows = lines[0], [[cell.strip() for cell in line] for line in lines[1:]]
        numeric = [i > 0 and all(is_number(row[i]) for row in rows) for i in range(len(head))]
        names = [f"#{name}" if number else name for name, number in zip(head, numeric)]
        words = numeric.index(True) if any(numeric) else 0
        kinds = ["n" if number else "word" * (i < words) for i, number in enumerate(numeric)]
        cells = [[td(cell, kind) for cell, kind in zip(row, kinds)] for row in rows]
        caption = f"Table {len(found) + 1}" if several else ""
        about = f"{label}, table {len(found) + 1}"
        found.append(coded(table(names, cells, about, words=words, caption=caption)))
    return found


def coded(html):
    """HTML with what stands between backticks as code.

    >>> coded("the `hints` of it")
    'the <code>hints</code> of it'
    """
    return re.sub("`([^`<]+)`", r"<code>\1</code>", html)


def is_number(cell):
    """Whether a cell holds a number, with what may stand beside it, or nothing.

    >>> [is_number(cell) for cell in ("0.25", "", "3 of 8", "91.5 ± 0.2", "layer 1")]
    [True, True, True, True, False]
    """
    return not cell or cell[0] in "+-−.0123456789"


def kind(name, word):
    return ' class="n"' if name.startswith("#") else ' class="word"' if word else ""


def wide(content, label):
    """A part that may be wider than a phone: it scrolls by itself, with the keyboard too."""
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">{content}</div>'
    )


def td(text, kind=""):
    return (
        f'<td class="{kind}">{escape(str(text))}</td>' if kind else f"<td>{escape(str(text))}</td>"
    )


def printed(lines, label):
    """What a command printed."""
    return wide(f"<pre>{escape(chr(10).join(lines))}</pre>", label)


def page(title, lead, sections):
    """The page as a string. lead: [HTML] before the contents, which a page of one or two sections
    has none of; sections: [(heading, [HTML])]; title and headings are text.
    """
    numbers = count(1)
    named = [(f"part-{next(numbers)}", heading, parts) for heading, parts in sections]
    links = "".join(f'<li><a href="#{id}">{escape(heading)}</a></li>' for id, heading, _ in named)
    contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>' if len(named) > 2 else ""
    body = "\n".join(
        f'<section aria-labelledby="{id}"><h2 id="{id}">{escape(heading)}</h2>\n'
        + "\n".join(parts)
        + "</section>"
        for id, heading, parts in named
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<a class="skip" href="#content">Skip to the '
        f"content</a><header><h1>{escape(title)}</h1></header>"
        + "\n".join(lead)
        + f'{contents}<main id="content">{body}</main><script>{SCRIPT}</script></body></html>\n'
    )
