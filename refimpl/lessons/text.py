"""A lesson as parts: prose, code with its results, figures, solutions; for terminal, page,
notebook.
"""

import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass

WORDS_A_MINUTE = 90  # of a text that is worked through, code and formulas counted as words


@dataclass(frozen=True)
class Example:
    """A piece of code and what it gives, "" for nothing.

    >>> Example("1 + 1", "2")
    Example(source='1 + 1', want='2')
    """

    source: str
    want: str


def plain(text: str) -> str:
    """The lesson for a terminal: without the fences around its code.

    >>> plain("Add.\\n\\n```python\\n>>> 1 + 1\\n2\\n```\\n")
    'Add.\\n\\n>>> 1 + 1\\n2\\n'
    """
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("```"))


def examples(code: str) -> list[Example]:
    """The doctest examples of one block of code, in order.

    >>> examples(">>> x = 3\\n>>> x + 1\\n4\\n")
    [Example(source='x = 3', want=''), Example(source='x + 1', want='4')]
    """
    return [
        Example(found.source.rstrip("\n"), found.want.rstrip("\n"))
        for found in doctest.DocTestParser().get_examples(code)
    ]


def cells(code: str) -> list[Example]:
    """The examples joined up to each result: what stands together in one cell.

    >>> cells(">>> x = 3\\n>>> x + 1\\n4\\n>>> x\\n3\\n")
    [Example(source='x = 3\\nx + 1', want='4'), Example(source='x', want='3')]
    """
    found: list[Example] = []
    waiting: list[str] = []
    for example in examples(code):
        waiting.append(example.source)
        if example.want:
            found.append(Example("\n".join(waiting), example.want))
            waiting = []
    if waiting:
        found.append(Example("\n".join(waiting), ""))
    return found


def sections(text: str) -> list[tuple[str, str]]:
    """(heading, text below it) of every "## " section; what stands above the first has heading "".

    >>> sections("# 1. One\\n\\nLead.\\n\\n## A\\n\\nText.\\n")
    [('', 'Lead.'), ('A', 'Text.')]
    """
    body = text.partition("\n")[2]
    parts = re.split(r"^## (.*)$", body, flags=re.MULTILINE)
    return [(heading, part.strip("\n")) for heading, part in zip(["", *parts[1::2]], parts[0::2])]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """("code", examples) and ("prose", Markdown) in turn.

    >>> list(blocks("Add.\\n```python\\n>>> 1 + 1\\n2\\n```\\nDone."))
    [('prose', 'Add.'), ('code', '>>> 1 + 1\\n2'), ('prose', 'Done.')]
    """
    for i, part in enumerate(re.split(r"^```(?:python)?$", text, flags=re.MULTILINE)):
        if part.strip("\n"):
            yield ("code" if i % 2 else "prose"), part.strip("\n")


def needs(text: str) -> str:
    """The sentence of the lead that tells which lessons come before, "" where there is none.

    >>> needs("# 3. Three\\n\\nWhy. Needs lessons 1\\nand 2.\\n\\n## A")
    'Needs lessons 1 and 2.'
    """
    found = re.search(r"Needs\s+lessons?\s[^.]*\.", sections(text)[0][1])
    return " ".join(found[0].split()) if found else ""


def minutes(text: str) -> int:
    """About how long a lesson takes, to five minutes.

    >>> minutes("# 1. One\\n" + "word " * 1000)
    10
    """
    return max(5, 5 * round(len(text.split()) / WORDS_A_MINUTE / 5))
