"""refimpl-out/index.html: what the commands have left there, a card each, the newest first.

A command adds itself with `add`: what to open, a title, a sentence and a picture. The cards are
kept in front.json beside the page; a card whose page has gone is dropped the next time. Every
command that leaves something to find again has one; gradcheck, which tests and editors run and
which is expected to leave nothing, has one where --out asks for a page.
"""

import base64
import json
import time
from html import escape
from pathlib import Path
from typing import Any

from refimpl.files.whole import write_whole
from refimpl.report.folder import read_json
from refimpl.report.options import OUT
from refimpl.report.page import page

CARDS, LONGEST = "front.json", 180  # characters of a sentence


def add(
    name: str,
    opens: Path,
    title: str,
    sentence: str,
    picture: Path | None = None,
    *,
    words: str = "",
    root: Path | None = None,
) -> None:
    """Put a card on the front page of `root` (refimpl-out, where None). Files elsewhere, by --out,
    have no front page: nothing is done.

    name: of the command and its folder, so that a second run replaces the card of the first. opens:
    the file that the card leads to. picture: a PNG file, linked where it lies below root, embedded
    where it does not. words: where there is no picture, what stands large in its place.
    """
    root = (OUT if root is None else root).resolve()
    opens = opens.resolve()
    if not opens.is_relative_to(root) or not opens.is_file():
        return
    cards = {key: card for key, card in _read(root).items() if _is_there(root, card)}
    cards[name] = {
        "opens": opens.relative_to(root).as_posix(),
        "title": title,
        "sentence": sentence if len(sentence) <= LONGEST else f"{sentence[: LONGEST - 1]}\u2026",
        "picture": _source(picture, root),
        "words": words,
        "at": time.time(),
    }
    write_whole(root / CARDS, json.dumps(cards, indent=1))
    write_whole(root / "index.html", render(cards))


def _is_there(root: Path, card: dict) -> bool:
    try:
        return (root / card["opens"]).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def with_data(title: str, data: str) -> str:
    """A title that names the data once.

    >>> with_data("DeconvNet, MNIST", "MNIST"), with_data("Inversion", "MNIST")
    ('DeconvNet, MNIST', 'Inversion, MNIST')
    """
    return title if data in title else f"{title}, {data}"


def _read(root: Path) -> dict[str, Any]:
    """The cards that are there; none where the file is missing or damaged."""
    try:
        found = read_json(root / CARDS)
    except ValueError:
        return {}
    return {k: card for k, card in found.items() if _is_card(card)} if type(found) is dict else {}


def _is_card(card: Any) -> bool:
    """Whether this is a card as add() makes them: another one would stop every command."""
    if not isinstance(card, dict) or not isinstance(card.get("at"), int | float):
        return False
    words = [card.get(name, "") for name in ("title", "opens", "sentence", "picture", "words")]
    return all(isinstance(word, str) and "\0" not in word for word in words) and all(words[:2])


def _source(picture: Path | None, root: Path) -> str:
    if picture is None or not picture.is_file():
        return ""
    picture = picture.resolve()
    if picture.is_relative_to(root):
        return picture.relative_to(root).as_posix()
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


def render(cards: dict[str, Any]) -> str:
    """The page of some cards.

    >>> card = {"opens": "a.html", "title": "A", "sentence": "B", "picture": "", "at": 0}
    >>> '<a href="a.html">A</a>' in render({"a": card})
    True
    """
    parts = []
    for card in sorted(cards.values(), key=lambda card: -card["at"]):
        title = escape(card["title"])
        if card.get("picture"):
            source = escape(card["picture"])
            image = f'<img src="{source}" alt="A picture of: {title}" loading="lazy">'
        else:
            said = escape(card.get("words") or card["title"])
            image = f'<div class="words" aria-hidden="true"><span>{said}</span></div>'
        parts.append(
            f'<li>{image}<h3><a href="{escape(card["opens"])}">{title}</a></h3>'
            f"<p>{escape(card.get('sentence', ''))}</p></li>"
        )
    return page(
        "refimpl: what the commands left here",
        ["<p>The newest first. Each card leads to a page or a file in this folder.</p>"],
        [("Results and pages", [f'<ul class="cards">{"".join(parts)}</ul>'])],
    )
