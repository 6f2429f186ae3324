"""The report as text: what it says of every command's results, and that nothing of them becomes
markup.
"""

import base64
import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from refimpl.app import cli, report_command
from refimpl.report import report
from refimpl.report.options import UsageError
from refimpl.report.page import STYLE, table, td
from refimpl.report.page_figures import confusion_table, figure, most_confused
from refimpl.report.plots import film

ENTRY = {"file": "a.png", "title": "A < B", "paper": "", "alt": 'a "grey" picture'}


@pytest.fixture
def out(tmp_path):
    film(tmp_path / "a.png", np.linspace(-1, 1, 3 * 2 * 12).reshape(3, 2, 12), (1, 3, 4))
    (tmp_path / "other.json").write_text(
        json.dumps(
            {
                "command": "other",
                "title": "What other found",
                "lines": ["1 < 2 & 3"],
                "figures": [ENTRY],
            }
        )
    )
    (tmp_path / "damaged.json").write_text("{")
    (tmp_path / "foreign.json").write_text('["not", "ours"]')
    return tmp_path


def test_a_folder_without_the_main_job_has_a_page_too(out):
    text = report.render(out)
    assert (
        text.count("<h1>") == 1
        and '<h2 id="part-1">What other found</h2>' in text
        and "Contents" not in text
    )
    assert (
        "1 &lt; 2 &amp; 3" in text
        and "A &lt; B" in text
        and 'alt="a &quot;grey&quot; picture"' in text
    )
    assert 'width="8" height="9"' in text  # two images of 4 x 3 side by side, three frames


def test_a_confusion_matrix_is_a_table_or_a_picture(out):
    """The main job leaves a picture of each; table 1 has its numbers in results.json, table 6 does
    not.
    """
    for number in (1, 6):
        (out / f"confusion_0{number}.png").write_bytes((out / "a.png").read_bytes())
    environment = dict.fromkeys(
        ("dataset", "title", "seconds", "machine", "python", "numpy", "blas", "date"), "1"
    )
    entry = {
        "what": "",
        "ours": [[9, 1], [2, 8]],
        "paper": None,
        "distance_to_paper": None,
        "distance_between_seeds": None,
    }
    (out / "results.json").write_text(
        json.dumps(
            {
                "environment": environment,
                "seeds": 1,
                "sections": ["5"],
                "claims": [],
                "theorems": [],
                "classes": ["a", "b"],
                "confusions": {"1": entry},
                "consistency": [],
                "slips": [],
                "figures": [
                    ENTRY | {"file": f"confusion_0{number}.png", "title": f"Table {number}"}
                    for number in (1, 6)
                ],
            }
        )
    )
    text = report.render(out)
    assert (
        text.count('<table class="confusion">') == 1
        and "<b>Table 6</b>" in text
        and "<b>Table 1</b>" not in text
    )


def test_a_picture_that_is_missing_is_named(out):
    (out / "a.png").unlink()
    text = report.render(out)
    assert (
        '<p class="bad">a.png is missing.</p>' in text
        and "1 &lt; 2 &amp; 3" in text
        and "<img" not in text
    )


def test_a_damaged_file_is_named_and_another_programs_is_not(out):
    text = report.render(out)
    assert (
        '<p class="bad">damaged.json is damaged: it is no JSON.</p>' in text
        and "foreign.json" not in text
    )
    (out / "results.json").write_bytes(b'{"environment": "\xff')
    text = report.render(out)
    assert "results.json is damaged" in text and "What other found" in text
    for name in ("damaged.json", "results.json"):
        (out / name).unlink()
    assert "Damaged files" not in report.render(out)


EVIL = "<script>alert(1)</script>"


def results_of(**changes):
    """The main job's results as version 0.1.0 wrote them, each printed field a piece of script."""
    environment = dict.fromkeys(
        ("dataset", "title", "seconds", "machine", "python", "numpy", "blas", "date"), EVIL
    )
    row = {
        "id": EVIL, "section": EVIL, "what": EVIL, "paper": 1.0, "expects": EVIL, "protocol": EVIL,
        "ours": {"mean": 1.0, "sd": 0.5, "n": 2}, "distance_sd": 1.0, "verdict": EVIL,
    }  # fmt: skip
    frames = {"steps": [0], "names": [EVIL], "values": [[0.5]], "what": EVIL}
    found = {
        "environment": environment,
        "seeds": 2,
        "sections": [EVIL],
        "claims": [row, row | {"verdict": "measured", "paper": None}],
        "theorems": [],
        "classes": ["a", "b"],
        "confusions": {},
        "consistency": [{"what": EVIL, "detail": EVIL, "holds": False}],
        "slips": [{"where": EVIL, "what": EVIL}],
        "figures": [
            {"file": f"{EVIL}.png", "title": EVIL, "paper": EVIL, "alt": EVIL},
            {"file": "a.png", "title": EVIL, "paper": EVIL, "alt": EVIL, "frames": frames},
        ],
    }
    return found | changes


def test_results_of_the_first_version_are_shown_and_no_field_becomes_markup(out):
    (out / "results.json").write_text(json.dumps(results_of()))
    text = report.render(out)
    assert EVIL not in text and text.count("&lt;script&gt;alert(1)") > 20
    assert (
        "Measured beside the claims" in text and "is damaged" not in text.split("damaged.json")[0]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": [1]},
        {"claims": None},
        {"environment": "x"},
        {"figures": [{"file": 3}]},
        {"seeds": "many"},
        {"confusions": {"x": 1}},
        {"page": []},
    ],
    ids=str,
)
def test_foreign_fields_are_said_in_one_line(out, changes):
    (out / "results.json").write_text(json.dumps(results_of(**changes)))
    text = report.render(out)
    assert "results.json is damaged: expected the main job" in text and "1 &lt; 2" in text


def test_what_is_no_file_is_said_in_one_line(out):
    (out / "folder.json").mkdir()
    (out / "loop.json").symlink_to(out / "loop.json")
    os.mkfifo(out / "pipe.json")
    (out / "deep.json").write_text("[" * 100_000)
    text = report.render(out)
    for name in ("folder", "loop", "pipe"):
        assert f"{name}.json is damaged: it is no file." in text
    assert "deep.json is damaged: it is nested too deeply." in text


def test_only_pictures_of_the_folder_are_embedded(out, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "b.png"
    elsewhere.write_bytes((out / "a.png").read_bytes())
    (out / "link.png").symlink_to(elsewhere)
    (out / "text.png").write_text("a secret")
    for name in (str(elsewhere), f"../{elsewhere.parent.name}/b.png", "link.png", "text.png"):
        text = figure(out, ENTRY | {"file": name})
        assert 'class="bad"' in text and "<img" not in text and "base64" not in text
    assert "<img" in figure(out, ENTRY)


def test_an_empty_folder_has_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected results of refimpl, found none"):
        report.render(tmp_path)


def test_the_command(out, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert report_command.run([str(out)]) == 0
    assert capsys.readouterr().out == f"Report: {out / 'report.html'}\n"
    assert (out / "report.html").read_text() == report.render(out)
    with pytest.raises(UsageError, match="DIR: no results in empty or its folders"):
        report_command.run(["empty"])
    if "report" in cli.COMMANDS:
        assert cli.main(["report", "empty"]) == 2 and "no results" in capsys.readouterr().err


def test_a_film_is_pixel_for_pixel_and_on_one_scale(tmp_path, rng):
    """0 is 128, the largest 0 or 255; a row a frame, a column an image; grey without colour
    channels.
    """
    frames = rng.normal(size=(4, 3, 6))
    frames[0] = 0
    film(tmp_path / "film.png", frames, (1, 2, 3))
    with Image.open(tmp_path / "film.png") as picture:
        rows = np.asarray(picture)
    assert rows.shape == (8, 9) and rows.dtype == np.uint8
    expected = np.rint(255 * (0.5 + frames / (2 * np.abs(frames).max())))
    for f in range(4):
        for k in range(3):
            assert (
                rows[2 * f : 2 * f + 2, 3 * k : 3 * k + 3] == expected[f, k].reshape(2, 3)
            ).all()


def test_a_film_in_colour(tmp_path, rng):
    film(tmp_path / "film.png", frames := rng.normal(size=(2, 2, 12)), (3, 2, 2))
    with Image.open(tmp_path / "film.png") as picture:
        pixels = np.asarray(picture).astype(float)
    assert pixels.shape == (4, 4, 3)
    expected = 255 * (
        0.5 + frames[1, 0].reshape(3, 2, 2).transpose(1, 2, 0) / (2 * np.abs(frames).max())
    )
    assert np.abs(pixels[2:, :2] - expected).max() <= 0.5


def test_frames_become_an_animation(out):
    entry = ENTRY | {
        "frames": {
            "steps": [0, 1, 9],
            "names": ["cat", "dog"],
            "what": "probability",
            "values": [[0.5, 0.5], [0.6, 0.7], [0.8, 0.9]],
        }
    }
    text = figure(out, entry)
    assert (
        base64.b64encode((out / "a.png").read_bytes()).decode() in text
        and text.count("data:image/png") == 1
    )
    assert (
        "--columns:2;--rows:3;--frame:2;" in text
        and 'max="2" value="2"' in text
        and "<b>0.90</b>" in text
    )
    assert (
        'aria-label="dog: a &quot;grey&quot; picture"' in text and '<label for="slider-a">' in text
    )
    assert json.loads(text.split('data-frames="')[1].split('"')[0].replace("&quot;", '"'))[
        "steps"
    ] == [0, 1, 9]


def test_a_confusion_table_colours_errors_by_size_and_frames_the_diagonal():
    text = confusion_table("Ours", [[90, 8, 0.2], [4, 95.4, 0], [0, 0, 7]], ["a", "<b>", "c"])
    cells = [row.split("</td>")[:-1] for row in text.split("<tbody>")[1].split("</tr>")[:-1]]
    assert [[c.rsplit(">", 1)[1] for c in row] for row in cells] == [
        ["90", "8", "0"],
        ["4", "95", "0"],
        ["0", "0", "7"],
    ]
    assert [["right" in c for c in row] for row in cells] == np.eye(3, dtype=bool).tolist()
    shares = [
        [float(c.split("--share:")[1].split('"')[0]) if "--share" in c else 0 for c in row]
        for row in cells
    ]
    assert shares == [[0, 0.9, 0], [0.45, 0, 0], [0, 0, 0]]
    assert text.count('scope="row"') == text.count('scope="col"') == 3 and "&lt;b&gt;" in text


def test_what_is_confused_most():
    assert (
        most_confused([[9, 3, 0], [1, 8, 2], [0, 0, 7]], "abc", 2)
        == "a taken for b (3), b taken for c (2)"
    )
    assert most_confused(np.eye(2) * 5, "ab") == "none"


def test_a_tables_words_get_a_line_of_their_own_on_a_phone():
    text = table(
        ("claim", "#paper", "verdict"),
        [[td("x", "word"), td("1", "n"), td("<")]],
        "Claims",
        words=1,
    )
    assert (
        'style="--columns:3;--words:1"' in text
        and '<th scope="col" class="word">claim</th>' in text
    )
    assert (
        '<th scope="col" class="n">paper</th><th scope="col">verdict</th>' in text
        and "<td>&lt;</td>" in text
    )


def luminance(colour):
    """WCAG's relative luminance of (3,) in 0 ... 255."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour / 255]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_of_text_have_the_contrast_of_wcag_aa(scheme):
    """4.5 : 1 on the page; of faint text, opacity .75; and of a count on the strongest error, nine
    tenths of --heat.
    """
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    names = dict(re.findall(r"--(\w+): #(\w{3}|\w{6});", blocks[scheme]))
    colours = {
        name: np.array(
            [
                int(two, 16)
                for two in re.findall(
                    "..", digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
                )
            ],
            float,
        )
        for name, digits in names.items()
    }
    paper, ink = colours["paper"], colours["ink"]
    pairs = {name: (colours[name], paper) for name in ("ink", "link", "good", "bad")} | {
        "faint": (0.75 * ink + 0.25 * paper, paper),
        "count": (ink, 0.9 * colours["heat"] + 0.1 * paper),
    }
    assert len(blocks) == 2 and min(map(float, re.findall(r"opacity: (\S+);", STYLE))) == 0.75
    for name, two in pairs.items():
        low, high = sorted(map(luminance, two))
        assert (high + 0.05) / (low + 0.05) >= 4.5, name
