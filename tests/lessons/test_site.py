"""The course as pages and notebooks, from the same text; and a reader's own answers, checked."""

import json
import re
from html.parser import HTMLParser

import browser
import pytest
from PIL import Image

from refimpl.lessons import command as lesson_command
from refimpl.lessons import site
from refimpl.lessons.command import answered, figures_of, lessons
from refimpl.lessons.text import cells, needs, sections
from refimpl.report.options import UsageError

COURSE = lessons()
TINY = """# 1. Adding

> What is one and one?
Needs lessons 0 and 7. Here w_c and `x_n` stand for numbers.

## The sum

    x_n <- n lr w_c^2

```python
>>> x = 1
>>> x + 1  # two & <more>
2
>>> print("a")
a
```

![A curve
of sums.](01_sums.png "Sums")

> **A common mistake.** Forgetting one.

## Exercise 1

Write `double`.

## Exercise 2

Nothing.

## Solution 1

```python
>>> def double(n):
...     return 2 * n
>>> double(4)
8
>>> double(-1)
-2
```

## Solution 2

```python
>>> many = 3
>>> other = many + 1
>>> other
4
>>> for n in (1, 2):
...     print((lambda k: k + n)(0))
1
2
```
"""


@pytest.fixture(scope="module")
def markdown():
    pytest.importorskip("markdown_it", reason="the extra teach is not installed")
    return site.renderer()


class Closed(HTMLParser):
    """The tags that are still open at the end, and those closed out of order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.wrong = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.wrong.append(tag)


def test_a_lesson_becomes_a_page(markdown):
    page = site.lesson_page(markdown, {1: TINY, 2: "# 2. More\n\nText."}, 1)
    assert Closed(page).wrong == Closed(page).open == []
    assert "<title>Lesson 1. Adding</title>" in page and "About 5 minutes. Needs lessons 0" in page
    assert "x<sub>n</sub> \u2190 n lr w<sub>c</sub><sup>2</sup>" in page
    assert "<i>w<sub>c</sub></i> and <code>x_n</code>" in page
    assert "<pre>x = 1\nx + 1<i>  # two &amp; &lt;more&gt;</i></pre>" in page
    assert '<pre class="result">2</pre>' in page and "&gt;&gt;&gt;" not in page
    assert '<img src="01_sums.png" alt="A curve of sums.">' in page
    assert page.count("<details>") == 2 and '<div class="box">' in page
    assert 'rel="next" href="lesson_02.html"' in page and 'rel="prev"' not in page
    index = site.index_page({1: TINY}, {1: ("01_sums.png", "A curve")})
    assert 'href="lesson_01.html"' in index and "What is one and one?" in index


@pytest.mark.parametrize("number", COURSE)
def test_every_lesson_is_a_page_with_all_its_code(number, markdown):
    page = site.lesson_page(markdown, COURSE, number)
    assert Closed(page).wrong == Closed(page).open == []
    assert page.count("<h1>") == 1 and page.count("<details>") == 2
    assert page.count("<img ") == COURSE[number].count("](0") + COURSE[number].count("](1")
    promised = [cell for cell in _cells(COURSE[number]) if cell.want]
    assert page.count('<pre class="result">') == len(promised) > 9
    assert not re.search(r"&gt;&gt;&gt;|```|!\[", page)
    assert needs(COURSE[number]) or number == 1


def test_the_pages_have_no_faults(tmp_path, markdown, chrome):
    """Every page of the course at a phone's width, one of them and the index everywhere; pictures
    as wide as any stand in for the figures.
    """
    pictures = {
        n: (figures_of(text)[0]["file"], figures_of(text)[0]["alt"]) for n, text in COURSE.items()
    }
    for text in COURSE.values():
        for shown in figures_of(text):
            Image.new("RGB", (1100, 400), "white").save(tmp_path / shown["file"])
    for number in COURSE:
        (tmp_path / site.file_of(number)).write_text(site.lesson_page(markdown, COURSE, number))
    (tmp_path / "index.html").write_text(site.index_page(COURSE, pictures))
    for name in ("index.html", "lesson_06.html"):
        assert browser.faults_everywhere(tmp_path / name, chrome) == []
    for number in COURSE:
        how = {"width": 390, "dark": number % 2 == 0}
        assert browser.faults(tmp_path / site.file_of(number), chrome, **how) == []


def _cells(text):
    return [cell for part in re.findall(r"```python\n(.*?)```", text, re.S) for cell in cells(part)]


def test_the_command_writes_pages_with_their_figures(tmp_path, capsys, markdown):
    assert lesson_command.run(["5", "--html", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "lesson_05.html").read_text()
    for file in re.findall(r'<img src="([^"]*)"', page):
        assert (tmp_path / file).read_bytes()[:4] == b"\x89PNG"
    assert "start here" in capsys.readouterr().out
    assert "05_images.png" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("number", COURSE)
def test_a_notebook_runs_with_the_results_of_the_text(number, tmp_path, capsys):
    """All thirteen take 38 s of processor time."""
    pytest.importorskip("ipykernel", reason="the extra teach is not installed")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    assert lesson_command.run([str(number), "--notebook", "--out", str(tmp_path)]) == 0
    found = nbformat.read(tmp_path / f"lesson_{number:02d}.ipynb", as_version=4)
    nbformat.validate(found)
    promised = [_shown(cell) for cell in found.cells]
    attached = [name for cell in found.cells for name in cell.get("attachments", ())]
    assert attached == [figure["file"] for figure in figures_of(COURSE[number])]
    assert all(f"attachment:{name}" in str(found) for name in attached)
    ran = nbclient.NotebookClient(found, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [_shown(cell) for cell in ran.cells] == promised
    assert sum(bool(shown) for shown in promised) >= 10  # of each lesson
    assert list(tmp_path.glob("*.png"))


def _shown(cell):
    """What a cell shows, without spaces: a notebook breaks long lists over lines."""
    found = [
        out.get("text") or out.get("data", {}).get("text/plain", "")
        for out in cell.get("outputs", ())
    ]
    return re.sub(r"\s", "", "".join(found))


def test_answers_of_a_reader_are_checked_by_the_lessons_own_tests(tmp_path):
    right = "def double(n):\n    return n + n\n"
    assert answered(TINY, right, tmp_path) == (2, [], ["many", "other"])
    count, differences, _ = answered(TINY, "def double(n):\n    return n * n\n", tmp_path)
    assert count == 2 and [(d.expected, d.got) for d in differences] == [("8", "16"), ("-2", "1")]
    lines = TINY.splitlines()
    assert [lines[d.line - 1] for d in differences] == [">>> double(4)", ">>> double(-1)"]
    with pytest.raises(UsageError, match="the file stops with ZeroDivisionError"):
        answered(TINY, "1 / 0", tmp_path)


def test_a_result_counts_only_where_the_readers_names_decide_it(tmp_path):
    # n is the loop's own and k the function's: neither decides anything, whatever a file calls n
    for nothing in ("", "def helper():\n    return 3\n", "n = 75\nk = 2\n"):
        assert answered(TINY, nothing, tmp_path) == (0, [], ["double", "many", "other"])
    # a name that is computed from the reader's is decided by it
    assert answered(TINY, "many = 3\n", tmp_path) == (1, [], ["double"])
    count, (difference,), _ = answered(TINY, "many = 4\n", tmp_path)
    assert (count, difference.expected, difference.got) == (1, "4", "5")


def test_the_command_checks_a_file(tmp_path, capsys):
    mine = tmp_path / "mine.py"

    def check(number="5"):
        return lesson_command.run([number, "--check", str(mine), "--out", str(tmp_path)])

    mine.write_text("def ball(image):\n    return image / max(1, np.linalg.norm(image) / 2)\n")
    assert check() == 0
    said = capsys.readouterr().out
    assert "1 of 1 results that your answers decide" in said
    assert "does not define them: limit, logit_0, blank, by_hand" in said
    for wrong in ("return image", "raise KeyError"):
        mine.write_text(f"def ball(image):\n    {wrong}\n")
        assert check() == 1
        assert "0 of 1 results" in capsys.readouterr().out
    mine.write_text("# no answer yet\n")
    with pytest.raises(UsageError, match="mine.py to define one of .* none of them: warm, p, jac"):
        check("1")
    with pytest.raises(UsageError, match="--check: expected a Python file"):
        lesson_command.run(["5", "--check", str(tmp_path / "none.py"), "--out", str(tmp_path)])
    with pytest.raises(UsageError, match="--check: expected a lesson's number"):
        lesson_command.run(["--check", str(mine)])


def test_sections_begin_with_the_lead():
    assert [heading for heading, _ in sections(TINY)][:3] == ["", "The sum", "Exercise 1"]
    assert json.dumps(sections(TINY))
