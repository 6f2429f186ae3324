"""The course: every lesson runs as its text says, and the command says so, or which line differs."""

import doctest
import json
import re

import pytest

from refimpl.app import cli
from refimpl.lessons import command as lesson_command
from refimpl.lessons.command import code_of, figures_of, lessons, run_lesson, title_of
from refimpl.lessons.text import plain
from refimpl.report.options import UsageError

COURSE = lessons()
each = pytest.mark.parametrize("number", COURSE)
PLANTED = """# 1. Planted

```python
>>> 1 + 1
2
>>> 2 + 2
5
>>> [][0]
>>> nothing = 3
```

![A curve.](01_missing.png "Missing")

```text
>>> "no code"
```
"""


def altered(text):
    """The lesson with an x behind every result that it promises, and how many there are."""
    lines = text.splitlines()
    promised = [e for e in doctest.DocTestParser().get_examples(code_of(text)) if e.want]
    for example in promised:
        lines[example.lineno + example.source.count("\n")] += "x"
    return "\n".join(lines) + "\n", len(promised)


@each
def test_a_lesson_gives_what_it_says_and_draws_what_it_shows(number, tmp_path):
    count, differences = run_lesson(COURSE[number], tmp_path)
    assert not differences, "\n".join(map(str, differences))
    assert count >= 20
    shown = figures_of(COURSE[number])
    assert shown and sorted(f["file"] for f in shown) == sorted(p.name for p in tmp_path.iterdir())
    for figure in shown:
        assert (
            figure["file"].startswith(f"{number:02d}_")
            and figure["title"]
            and len(figure["alt"]) > 30
        )
        assert (tmp_path / figure["file"]).read_bytes()[:4] == b"\x89PNG"


@each
def test_a_lesson_has_its_form(number):
    text = COURSE[number]
    assert title_of(text).startswith(f"{number}. ")
    headings = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert headings[-4:] == ["Exercise 1", "Exercise 2", "Solution 1", "Solution 2"]
    for solution in text.split("\n## ")[-2:]:
        results = [e for e in doctest.DocTestParser().get_examples(code_of(solution)) if e.want]
        assert results, "a solution that nothing checks"
    opening = r"# .*\n\n> [^\n]*\?\n\n!\[[^\]]*\]\("
    assert re.match(opening, text), "it does not open with a question and a picture"
    assert "> **A common mistake.** " in text and not re.search(r"^A mistake", text, re.MULTILINE)
    wants = [e.want for e in doctest.DocTestParser().get_examples(code_of(text))]
    bare = [want for want in wants if re.fullmatch(r"[\s(\[]*((True|False)[\s,)\]]*)+", want)]
    assert bare == [], "a result that is only True: show the numbers"
    assert text.isascii() and max(map(len, text.splitlines())) <= 80  # readable in a terminal
    assert text.count("```") == 2 * text.count("```python") and code_of(text).count(
        ">>> "
    ) == text.count("\n>>> ")
    assert not re.search(r"random\.(rand|seed|normal)|default_rng\(\)", text)  # seeds are fixed


def test_two_lessons_send_the_reader_to_the_page_to_play_with():
    assert sum("`python -m refimpl play`" in text for text in COURSE.values()) == 2


def test_the_course_is_numbered_without_gaps():
    assert list(COURSE) == list(range(1, len(COURSE) + 1)) and len(COURSE) >= 10


@pytest.mark.parametrize("number", [1, 6])
def test_every_promised_result_is_compared(number, tmp_path):
    text, promised = altered(COURSE[number])
    _, differences = run_lesson(text, tmp_path)
    assert len(differences) == promised > 10
    lines = text.splitlines()
    assert all(d.source.splitlines()[0] in lines[d.line - 1] for d in differences)


def test_the_command_prints_runs_and_draws_from_any_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert lesson_command.run(["5"]) == 0
    printed = capsys.readouterr().out
    assert (
        printed.startswith(plain(COURSE[5]))
        and "```" not in printed
        and "every result is what the text says" in printed
    )
    out = tmp_path / "refimpl-out" / "lessons"
    entry = json.loads((out / "lesson_05.json").read_text())
    assert entry["command"] == "lesson" and entry["title"] == "Lesson 5. Class visualization"
    assert entry["differences"] == [] and entry["lines"][0] == "# 5. Class visualization"
    assert {p.name for p in out.iterdir()} == {
        "lesson_05.json",
        *(f["file"] for f in entry["figures"]),
    }
    assert all(f"refimpl-out/lessons/{f['file']}" in printed for f in entry["figures"])


def test_a_wrong_result_is_reported_with_its_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lesson_command, "lessons", lambda: {1: PLANTED})
    (tmp_path / "01_missing.png").write_bytes(b"of an earlier run")
    assert lesson_command.run(["1", "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "3 results differ from the text (4 examples)." in printed
    assert "line 6:\n    2 + 2\n  the text says:\n    5\n  the code gives:\n    4" in printed
    assert "line 8:" in printed and "IndexError: list index out of range" in printed
    assert (
        "line 12:\n    01_missing.png\n  the text says:\n    a figure" in printed
        and "Figure:" not in printed
    )
    assert [
        d["line"] for d in json.loads((tmp_path / "lesson_01.json").read_text())["differences"]
    ] == [6, 8, 12]


def test_without_a_number_it_lists_the_course(capsys):
    assert lesson_command.run([]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[: len(COURSE)] == [title_of(text) for text in COURSE.values()]


@pytest.mark.parametrize(
    "argv, message",
    [
        (["99"], f"lesson: expected a number from 1 to {len(COURSE)}, got '99'"),
        (["0"], "got '0'"),
        (["one"], "got 'one'"),
        (["-1"], ""),
        (["1", "--out", "file"], "--out: expected a folder"),
    ],
)
def test_bad_usage_is_status_2(argv, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    try:
        assert cli.main(["lesson", *argv]) == 2
    except SystemExit as stop:  # argparse's own
        assert stop.code == 2
    found = capsys.readouterr()
    assert message in found.err and found.out == "" and "Traceback" not in found.err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_to_is_bad_usage(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UsageError, match="--out: expected a folder to write to"):
        lesson_command.run(["1", "--out", str(tmp_path)])
