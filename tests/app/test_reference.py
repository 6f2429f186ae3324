"""The reference page, and what it is made of: a docstring and an example that runs for every public
name.
"""

import re
from functools import reduce
from html import escape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from refimpl.app import cli, reference_command
from refimpl.app.reference_command import Entry, entries, gather
from refimpl.report.options import UsageError

EVERY = {
    entry.id: entry for modules in gather().values() for *_, public in modules for entry in public
}


@pytest.mark.parametrize("id", EVERY)
def test_every_public_name_has_a_docstring_and_an_example(id):
    assert EVERY[id].doc and EVERY[id].has_example


SOURCE = '''"""A module."""

def open_to_all(x: int, *, rate=0.1) -> float:
    """First <line>.

    More.

    >>> 1 < 2
    True
    """

def _hidden():
    """No."""

class Box:
    """A box."""
    width: int
    height: int = 2

    def area(self, unit):
        """Its area.

        >>> 1
        1
        """

class Made:
    """Made of x."""

    def __init__(self, x, y=1):
        pass
'''


def test_what_is_read_from_a_source_file():
    doc, (function, box, made) = entries("m", SOURCE)
    assert doc == "A module." and function == Entry(
        "m",
        "open_to_all",
        "open_to_all(x: int, *, rate=0.1) -> float",
        "First <line>.\n\nMore.\n\n>>> 1 < 2\nTrue",
        line=3,
    )
    assert box.signature == "Box(width, height=2)" and [e.id for e in box.inside] == ["m.Box.area"]
    assert box.inside[0].signature == "area(unit)" and made.signature == "Made(x, y=1)"
    assert function.has_example and box.has_example and not made.has_example
    assert reference_command.entry_html(function) == (
        '<h4 id="m.open_to_all"><code>open_to_all(x: int, *, rate=0.1) -&gt; '
        "float</code></h4><p>First &lt;line&gt;.</p>"
        '<pre class="doc">More.</pre><div class="wide" tabindex="0" role="region" '
        'aria-label="Example">'
        '<pre class="example">&gt;&gt;&gt; 1 &lt; 2\nTrue</pre></div>'
    )


def test_the_command_writes_the_page(tmp_path, capsys):
    assert reference_command.run(["--out", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out == f"Reference: {tmp_path / 'new' / 'reference.html'}\n"
    text = (tmp_path / "new" / "reference.html").read_text()
    for id in (
        "refimpl.optimize.ascend",
        "refimpl.class_visualization.class_visualizations",
        "refimpl.data.load",
    ):
        assert text.count(f'id="{id}"') == 1 and id in EVERY
    order = [
        text.index(f'<h3 id="{name}">')
        for name in (
            "refimpl.losses",
            "refimpl.network",
            "refimpl.training",
            "refimpl.retraining",
            "refimpl.data",
            "refimpl.paper.section5",
            "refimpl.companions.packing.search",
        )
    ]
    assert order == sorted(order)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--out: expected a folder, .*file is a file"):
        reference_command.run(["--out", str(tmp_path / "file")])
    if "reference" in cli.COMMANDS:
        assert cli.main(["reference", "--out", str(tmp_path / "file")]) == 2


def test_the_page_starts_with_the_flat_names_a_search_and_the_source_lines():
    import refimpl

    text = reference_command.render("x")
    listed = text[text.index("Start here</h2>") :].partition("</section>")[0]
    for name in refimpl._PLACES:
        assert f"<code>refimpl.{name}</code>" in listed
    for target in re.findall(r'href="#([^"]*)"', listed):
        assert text.count(f'id="{target}"') == 1
    assert '<input type="search" id="search"' in text and '<label for="search">' in text
    file, line = re.search(
        r'id="refimpl.optimize.ascend".*?>refimpl/([^,<]+), line (\d+)', text
    ).groups()
    source = (Path(refimpl.__file__).parent / file).read_text().splitlines()
    assert source[int(line) - 1].startswith("def ascend(")


def test_the_source_lines_that_are_linked_to_are_there(tmp_path):
    reference_command.run(["--out", str(tmp_path)])
    links = re.findall(
        r'href="(reference-source/[^"#]*)#(L\d+)"', (tmp_path / "reference.html").read_text()
    )
    pages = {file: (tmp_path / file).read_text() for file, _ in links}
    assert len(links) > 300 and all(f'<span id="{line}">' in pages[file] for file, line in links)
    file, line = next((f, n) for f, n in links if f.endswith("/optimize.html"))
    assert re.search(f'<span id="{line}">(def|class) \\w+', pages[file])


def test_every_name_stands_in_its_room():
    text = reference_command.render("x")
    sections = re.split(r"<section ", text)[1:]
    by_room = {re.search("<h2[^>]*>([^<]*)", part)[1]: part for part in sections}
    for room, modules in gather().items():
        inside = by_room[reference_command.TITLES[room]]
        for *_, public in modules:
            assert all(f'id="{entry.id}"' in inside for entry in public)


def resolve(name):
    """What a dotted name stands for: the longest part that is a module, then attributes."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if find_spec_or_none(".".join(parts[:end])):
            return reduce(getattr, parts[end:], import_module(".".join(parts[:end])))
    raise AssertionError(name)


def find_spec_or_none(name):
    try:
        return find_spec(name)
    except ModuleNotFoundError:
        return None


@pytest.mark.parametrize("old, new, why", reference_command.moved(), ids=lambda text: text)
def test_every_new_name_is_there(old, new, why):
    page = reference_command.moved_html()
    assert f"<code>{old}</code>" in page and old != new
    if new:
        assert not why and f"<code>{new}</code>" in page
        resolve(new)
    else:
        assert why and escape(why) in page
        with pytest.raises((AssertionError, AttributeError)):
            resolve(old)


def old_names():
    """[(module, [(name, whether it could be called)])] of version 0.1.0: all without an underscore,
    one module a line.
    """
    file = Path(__file__).parents[1] / "recorded" / "names_0.1.0.txt"
    for line in file.read_text(encoding="utf-8").splitlines():
        module, *names = line.split()
        yield module, [(name.removesuffix("()"), name.endswith("()")) for name in names]


def test_every_name_of_0_1_0_leads_somewhere():
    """By a line of its own, by its module's, or under its own name; a function or a class to what
    can be called.
    """
    table = {old: (new, why) for old, new, why in reference_command.moved()}
    lost = []
    for module, names in old_names():
        place, gone = table.get(module, (module, ""))
        for name, could_be_called in names:
            new, why = table.get(f"{module}.{name}", (place and f"{place}.{name}", gone))
            if why:
                continue
            try:
                found = resolve(new)
            except (AssertionError, AttributeError):
                lost.append((f"{module}.{name}", new))
                continue
            if could_be_called and not callable(found):
                lost.append((f"{module}.{name}", new))
    assert not lost
