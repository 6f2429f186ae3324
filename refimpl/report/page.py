"""One self-contained HTML page: style, a few lines of script, headings, tables. It needs neither
network nor server.
"""

from html import escape
from importlib.resources import files
from itertools import count

STYLE, SCRIPT = (
    files("refimpl.report").joinpath(name).read_text(encoding="utf-8")
    for name in ("page.css", "page.js")
)


def table(head, rows, label, words=0):
    """head: names, '#' before those of numbers; rows: cells as HTML <td> strings; label: what a
    screen reader says.

    words: on a phone so many of the first columns get a line of their own, the numbers below them.
    """
    names = "".join(
        f'<th scope="col"{kind(name, i < words)}>{escape(name.removeprefix("#"))}</th>'
        for i, name in enumerate(head)
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    stack = f' class="stack" style="--columns:{len(head)};--words:{words}"' if words else ""
    return wide(
        f"<table{stack}><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>", label
    )


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
    """The page as a string. lead: [HTML] before the contents; sections: [(heading, [HTML])]; title
    and headings are text.
    """
    numbers = count(1)
    named = [(f"part-{next(numbers)}", heading, parts) for heading, parts in sections]
    contents = "".join(
        f'<li><a href="#{id}">{escape(heading)}</a></li>' for id, heading, _ in named
    )
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
        + f'<nav aria-label="Contents"><ul>{contents}</ul></nav>'
        f'<main id="content">{body}</main><script>{SCRIPT}</script></body></html>\n'
    )
