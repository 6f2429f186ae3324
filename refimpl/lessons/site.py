"""The course as a small site: an index and a page a lesson, from the Markdown of the package.

Markdown is rendered by markdown-it-py (the extra "teach"). Its code blocks are this course's own:
doctest examples, without the prompts and with their results below; indented blocks are formulas.
"""

import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from refimpl.lessons.text import blocks, examples, minutes, needs, sections

SYMBOLS = {
    "->": "\u2192",
    "<-": "\u2190",
    "<=": "\u2264",
    ">=": "\u2265",
    "lambda": "\u03bb",
    "theta": "\u03b8",
    "sigma": "\u03c3",
    "Delta": "\u0394",
    "infinity": "\u221e",
    "sqrt": "\u221a",
    "sum": "\u03a3",
}
STYLE = files("refimpl.lessons").joinpath("site.css").read_text(encoding="utf-8")
KEYWORDS = re.compile(
    r"\b(def|for|in|if|else|elif|return|import|from|as|while|with|lambda|not|and|or|is|None|True|"
    r"False)\b"
)
INDEXED = re.compile(
    r"(?<![\w.])([A-Za-z]{1,6}\d?)_(\w{1,3}|teacher|student)(?![\w.]*\()\b"
)  # w_c or W_teacher in a sentence
NAMED = re.compile(
    r"(?<![\w.])(theta|sigma|lambda|Delta|sum)_(\w+)\b(?!\(|\.\w)"
)  # theta_student, sum_c
LETTER = re.compile(r"(?<![\w.])(theta|sigma|lambda|Delta)\b(?!\(|\.\w)")
POWER = re.compile(r"(?<=[\w>)\]|])\^(\([^)]*\)|-?\w+)")


def formula(text: str) -> str:
    """Lines of ASCII mathematics as HTML: indices below, powers above, Greek letters, arrows.

    >>> formula("x_n <- n lr w_c^2")
    'x<sub>n</sub> \u2190 n lr w<sub>c</sub><sup>2</sup>'
    """
    shown = escape(text, quote=False)
    for name, symbol in SYMBOLS.items():
        name = escape(name, quote=False)
        if name.isalpha():
            shown = re.sub(rf"(?<![A-Za-z]){name}(?![A-Za-z])", symbol, shown)
        else:
            shown = shown.replace(name, symbol)
    shown = re.sub(r"(?<=\w)_(\w+)", r"<sub>\1</sub>", shown)
    shown = re.sub(r"(?<=[\w>)\]])\^(\([^)]*\)|-?\w+|\+)", r"<sup>\1</sup>", shown)
    shown = shown.replace("\u221a ", "\u221a")
    return shown.replace("        ", '<span class="gap"></span>')


def sentence(text: str) -> str:
    """Prose with ASCII mathematics in it as HTML: indices, powers and Greek letters.

    >>> sentence("where w_c is theta, sum_c s^2 is 1")
    'where <i>w<sub>c</sub></i> is \u03b8, \u03a3<sub>c</sub> s<sup>2</sup> is 1'
    """
    shown = escape(text, quote=False)
    shown = NAMED.sub(lambda found: f"{SYMBOLS[found[1]]}<sub>{found[2]}</sub>", shown)
    shown = INDEXED.sub(r"<i>\1<sub>\2</sub></i>", shown)
    shown = LETTER.sub(lambda found: SYMBOLS[found[1]], shown)
    return POWER.sub(r"<sup>\1</sup>", shown)


def code_html(code: str) -> str:
    """Doctest examples as HTML: the source, its comments and keywords told apart, and the results.

    >>> code_html(">>> 1 + 1\\n2").partition(">")[2]
    '<pre>1 + 1</pre><pre class="result">2</pre></div>'
    """
    parts: list[str] = []
    waiting: list[str] = []
    for example in examples(code):
        waiting.append(_coloured(example.source))
        if example.want:
            parts.append(f"<pre>{chr(10).join(waiting)}</pre>")
            parts.append(f'<pre class="result">{escape(example.want, quote=False)}</pre>')
            waiting = []
    if waiting:
        parts.append(f"<pre>{chr(10).join(waiting)}</pre>")
    how = 'class="code" tabindex="0" role="group" aria-label="Code"'  # it scrolls on a phone
    return f"<div {how}>{''.join(parts)}</div>"


def _coloured(source):
    lines = []
    for line in source.splitlines():
        code, mark, comment = line.partition("  # ")
        code = KEYWORDS.sub(r"<b>\1</b>", escape(code, quote=False))
        lines.append(code + (f"<i>  # {escape(comment, quote=False)}</i>" if mark else ""))
    return "\n".join(lines)


def renderer() -> Any:
    """A markdown-it-py renderer with the course's figures and formulas. Raises ImportError that
    says how to install it.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise ImportError(
            "pages of lessons need markdown-it-py: python -m pip install 'refimpl[teach]'"
        ) from None

    def figure(self, tokens, index, options, env):
        token = tokens[index]
        title = token.attrs.get("title", "")
        alt = " ".join(token.content.split())
        return (
            f'<span class="figure"><img src="{escape(str(token.attrs["src"]))}" '
            f'alt="{escape(alt)}"><span>{escape(" ".join(str(title).split()))}</span></span>'
        )

    def indented(self, tokens, index, options, env):
        return f'<div class="formula" tabindex="0">{formula(tokens[index].content.rstrip())}</div>'

    def words(self, tokens, index, options, env):
        return sentence(tokens[index].content)

    markdown = MarkdownIt("commonmark", {"html": False})
    markdown.add_render_rule("text", words)
    markdown.add_render_rule("image", figure)
    markdown.add_render_rule("code_block", indented)
    return markdown


def section_html(markdown: Any, heading: str, text: str) -> str:
    """One section; a solution is folded away, a quotation that starts with bold is a box."""
    body = "\n".join(
        code_html(part) if kind == "code" else markdown.render(part) for kind, part in blocks(text)
    )
    body = body.replace("<blockquote>", '<div class="box">').replace("</blockquote>", "</div>")
    if heading.startswith("Solution"):
        return f"<details><summary>{escape(heading)}</summary>{body}</details>"
    name = re.sub(r"\W+", "-", heading.lower()).strip("-")
    return f'<section id="{name}"><h2>{sentence(heading)}</h2>{body}</section>' if heading else body


def _document(title, body):
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<a class="skip" href="#content">Skip to the content</a>{body}</body></html>\n'
    )


def file_of(number: int) -> str:
    """The file of a lesson's page.

    >>> file_of(3)
    'lesson_03.html'
    """
    return f"lesson_{number:02d}.html"


def title_of(text: str) -> str:
    """The first line without its "# ".

    >>> title_of("# 3. Three")
    '3. Three'
    """
    return text.partition("\n")[0].removeprefix("# ")


def lesson_page(markdown: Any, course: Mapping[int, str], number: int) -> str:
    """One lesson as a page, with the ways to its neighbours."""
    text = course[number]
    parts = [section_html(markdown, heading, part) for heading, part in sections(text)]
    ways = [
        f'<a rel="{word}" href="{file_of(at)}">{mark.format(escape(title_of(course[at])))}</a>'
        for at, word, mark in (
            (number - 1, "prev", "\u2190 {}"),
            (number + 1, "next", "{} \u2192"),
        )
        if at in course
    ]
    nav = f'<nav aria-label="Lessons"><a href="index.html">All lessons</a>{"".join(ways)}</nav>'
    before = f" {needs(text)}" if needs(text) else " Needs nothing before it."
    return _document(
        f"Lesson {title_of(text)}",
        f"{nav}<header><h1>{escape(title_of(text))}</h1>"
        f'<p class="small">About {minutes(text)} minutes.{escape(before)} Every result on this '
        f"page "
        f"has just been computed.</p></header>"
        f'<main id="content">{"".join(parts)}</main>{nav}',
    )


def index_page(course: Mapping[int, str], pictures: Mapping[int, tuple[str, str]]) -> str:
    """The list of lessons, a card each; pictures: {number: (file, alt)}."""
    cards = []
    for number, text in course.items():
        lead = sections(text)[0][1].strip().partition("\n\n")[0].replace("> ", "")
        file, alt = pictures.get(number, ("", ""))
        image = f'<img src="{escape(file)}" alt="{escape(alt)}" loading="lazy">' if file else ""
        cards.append(
            f'<li><a href="{file_of(number)}"><h2>{escape(title_of(text))}</h2></a>{image}'
            f"<p>{escape(' '.join(lead.split()))}</p>"
            f'<p class="small">About {minutes(text)} minutes. {escape(needs(text))}</p></li>'
        )
    total = sum(map(minutes, course.values())) / 60
    return _document(
        "Class visualizations, from softmax on",
        f"<header><h1>Class visualizations, from softmax on</h1><p>{len(course)} lessons, some "
        f"{total:.0f} hours with their exercises. You need Python, some NumPy, and the derivative "
        f"of a product. Beside them lies a page to play with: "
        f"<code>python -m refimpl play</code>.</p></header>"
        f'<main id="content"><ol class="cards">{"".join(cards)}</ol></main>',
    )
