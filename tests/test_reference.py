"""The reference page, and what it is made of: a docstring for every public name, a running example for what others use."""

import ast
import json
from pathlib import Path

import pytest

from refimpl.app import cli, reference, reference_command
from refimpl.app.reference import Entry, entries, gather
from refimpl.app.usage import UsageError

ROOT = Path(__file__).parent.parent
LACKING = json.loads((Path(__file__).parent / "lacking_examples.json").read_text())
ROOMS_WITH_EXAMPLES = ("maths", "data", "methods", "packing")  # an experiment of the paper is shown by its ledger instead
EVERY = {entry.id: (room, entry) for room, modules in gather().items() for _, _, public in modules for entry in public}


def imported(path):
    """The public names that a file takes from other modules: 'refimpl.x.y' of `from refimpl.x import y` and of x.y."""
    tree, names, modules = ast.parse(path.read_text()), set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("refimpl"):
            for alias in node.names:
                names.add(f"{node.module}.{alias.name}")
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            names.add(f"{modules[node.value.id]}.{node.attr}")
    return names


OFFERED = set().union(*(imported(path) for path in (ROOT / "refimpl").rglob("*.py"))) & set(EVERY)


def test_every_public_name_has_a_docstring():
    missing = [id for id, (_, entry) in EVERY.items() if not entry.doc]
    assert sorted(missing) == sorted(LACKING["docstring"]), "add the docstring, or take the name off the list that shrinks"


def test_every_name_that_other_modules_use_has_an_example():
    lacking = sorted(id for id in OFFERED if EVERY[id][0] in ROOMS_WITH_EXAMPLES and not EVERY[id][1].has_example)
    new, done = set(lacking) - set(LACKING["example"]), set(LACKING["example"]) - set(lacking)
    assert not new, "write an example that runs"
    assert not done, f"take off tests/lacking_examples.json: {sorted(done)}"


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
    assert doc == "A module." and function == Entry("m", "open_to_all", "open_to_all(x: int, *, rate=0.1) -> float",
                                                    "First <line>.\n\nMore.\n\n>>> 1 < 2\nTrue")
    assert box.signature == "Box(width, height=2)" and [e.id for e in box.inside] == ["m.Box.area"]
    assert box.inside[0].signature == "area(unit)" and made.signature == "Made(x, y=1)"
    assert function.has_example and box.has_example and not made.has_example
    assert reference.entry_html(function) == (
        '<h4 id="m.open_to_all"><code>open_to_all(x: int, *, rate=0.1) -&gt; float</code></h4><p>First &lt;line&gt;.</p>'
        '<pre class="doc">More.</pre><div class="wide" tabindex="0" role="region" aria-label="Example">'
        '<pre class="example">&gt;&gt;&gt; 1 &lt; 2\nTrue</pre></div>')


def test_the_command_writes_the_page(tmp_path, capsys):
    assert reference_command.run(["--out", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out == f"Reference: {tmp_path / 'new' / 'reference.html'}\n"
    text = (tmp_path / "new" / "reference.html").read_text()
    for id in ("refimpl.optimize.ascend", "refimpl.methods.class_visualization.class_visualizations", "refimpl.data.load"):
        assert text.count(f'id="{id}"') == 1 and id in EVERY
    order = [text.index(f'<h3 id="{name}">') for name in (
        "refimpl.layers", "refimpl.network", "refimpl.train", "refimpl.data", "refimpl.methods.retraining",
        "refimpl.packing.search", "refimpl.paper.section5")]
    assert order == sorted(order)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--out: expected a folder, .*file is a file"):
        reference_command.run(["--out", str(tmp_path / "file")])
    if "reference" in cli.ROOMS:
        assert cli.main(["reference", "--out", str(tmp_path / "file")]) == 2
