"""The front page: commands add themselves, newest first; what has gone is dropped."""

import json

import browser
import pytest
from PIL import Image

from refimpl.report import front
from refimpl.report.results import write_results

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "refimpl-out" / "digits"
    folder.mkdir(parents=True)
    return folder.parent


def test_cards_are_added_replaced_and_dropped(root, tmp_path):
    (root / "digits" / "a.html").write_text("a")
    (root / "digits" / "a.png").write_bytes(PNG)
    (tmp_path / "elsewhere.png").write_bytes(PNG)
    front.add("a", root / "digits" / "a.html", "First", "Old.", root / "digits" / "a.png")
    front.add("a", root / "digits" / "a.html", "First <b>", "New.", tmp_path / "elsewhere.png")
    text = (root / "index.html").read_text()
    assert '<a href="digits/a.html">First &lt;b&gt;</a>' in text and "Old." not in text
    assert "data:image/png;base64," in text and "New." in text
    (root / "b.html").write_text("b")
    front.add("b", root / "b.html", "Second", "x" * 500)
    text = (root / "index.html").read_text()
    assert text.index("Second") < text.index("First") and "x" * 200 not in text
    (root / "digits" / "a.html").unlink()
    front.add("b", root / "b.html", "Second", "Again.")
    assert list(json.loads((root / "front.json").read_text())) == ["b"]


def test_what_lies_elsewhere_has_no_front_page(root, tmp_path):
    (tmp_path / "mine.html").write_text("x")
    front.add("x", tmp_path / "mine.html", "Mine", "")
    front.add("x", root / "missing.html", "Missing", "")
    assert not (root / "index.html").exists()


def test_a_damaged_list_is_begun_anew(root):
    (root / "front.json").write_text("[1, 2")
    (root / "b.html").write_text("b")
    front.add("b", root / "b.html", "Second", "")
    assert "Second" in (root / "index.html").read_text()


def test_a_commands_results_add_themselves(root):
    (root / "digits" / "kept.png").write_bytes(PNG)
    figures = [{"file": "kept.png", "title": "Kept", "paper": "", "alt": "What is kept"}]
    data = type("Data", (), {"name": "digits", "title": "digits (drawn)"})
    write_results(
        root / "digits",
        "invert",
        command="invert",
        argv=["--images", "4", "--quiet"],
        title="Inversion",
        data=data,
        lines=["", "What each layer keeps.", "", "layer   error"],
        tables="| layer | error |\n|---|---|\n| convolution 1 | 0.25 |\n| outputs |  |",
        figures=figures,
    )
    text = (root / "index.html").read_text()
    assert '<a href="digits/invert.html">Inversion, digits (drawn)</a>' in text
    assert "What each layer keeps." in text and '<img src="digits/kept.png"' in text
    page = (root / "digits" / "invert.html").read_text()
    assert "<code>python -m refimpl invert --images 4</code>" in page
    assert "<caption>" not in page and '<th scope="col" class="word">layer</th>' in page
    assert '<td class="word">convolution 1</td><td class="n">0.25</td>' in page
    assert page.index("</table>") < page.index("<details><summary>As printed") < page.index("Kept")


def test_the_front_page_and_a_commands_page_have_no_faults(root, chrome):
    Image.new("RGB", (900, 300), "white").save(root / "digits" / "kept.png")
    figures = [{"file": "kept.png", "title": "Kept", "paper": "", "alt": "What is kept"}]
    wide = "| what was measured | " + " | ".join(f"the number {i}" for i in range(12)) + " |\n"
    table = wide + "|---" * 13 + "|\n| a long name of a row | " + " | ".join(["0.125"] * 12) + " |"
    data = type("Data", (), {"name": "digits", "title": "digits (drawn)"})
    how = {"command": "invert", "argv": [], "title": "Inversion", "data": data, "figures": figures}
    write_results(root / "digits", "invert", lines=["One.", "", "x" * 200], tables=table, **how)
    for name in ("index.html", "digits/invert.html"):
        assert browser.faults_everywhere(root / name, chrome) == []
