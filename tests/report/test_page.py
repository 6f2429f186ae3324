"""The report in a real browser: scripts without errors, the slider, alt texts, contrast, a phone's
width, light and dark.
"""

import io
import json

import browser
import numpy as np
import pytest
from PIL import Image

from refimpl.app import reference_command, units
from refimpl.app.reproduce import reproduce
from refimpl.paper.theorem import Theorem
from refimpl.report import report
from refimpl.report.page import page, table
from refimpl.report.page_figures import confusion_table

HOSTILE = (
    '</pre><script>document.title = "broken"</script><img src=x onerror="document.title = 1">"\''
)
MOVE = """
const film = document.querySelector("figure[data-frames]"), slider = film.querySelector("input");
const [cell] = film.querySelectorAll("i"), seen = () => ({position: getComputedStyle(cell).backgroundPositionY,
  said: slider.getAttribute("aria-valuetext"), step: film.querySelector("output").textContent, at: +slider.value,
  value: film.querySelector("b").textContent, button: film.querySelector("button").textContent});
const to = value => { slider.value = value; slider.dispatchEvent(new Event("input")); return seen(); };
found.start = seen(); found.first = to(0); found.third = to(2); found.box = cell.getBoundingClientRect().toJSON();
const wait = time => new Promise(done => setTimeout(done, time));
const button = film.querySelector("button");
button.click(); await wait(900); found.playing = seen();
button.click(); found.stopped = seen(); await wait(400); found.later = seen();
to(+slider.max); button.click(); await wait(100); found.again = seen();
for (let n = 0; n < 300 && button.textContent !== "Play"; n++) await wait(50);
found.end = seen();
slider.focus(); found.outline = getComputedStyle(button).outlineStyle; button.focus({focusVisible: true});
found.outline = [found.outline, getComputedStyle(button).outlineStyle, getComputedStyle(button).outlineWidth];
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory, digits, teacher):
    """A folder as the main job leaves it, with measurements made up, and what another command left:
    words to be escaped.
    """
    folder = tmp_path_factory.mktemp("out")
    table, names = (
        np.full((10, 10), 7) + np.diag([99] * 10),
        ("class_visualizations", "class_averages", "output_weights"),
    )
    measured = {f"table5/digits/{name}": 90.0 for name in ("train_set", *names)} | {
        "section5/digits/logit/agreement": 100.0,
        "table1/digits": table,
        "table8/digits": table,
    }
    proved = [
        Theorem("T1", "<b>logit</b> ascent", 1.0, 1.0, 1e-15, 1e-13),
        Theorem("T2", "planted", 1.0, 2.0, 1.0, 1e-10),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "run", lambda wanted, *a: dict(zip(wanted, (measured, proved))))
        patch.setattr(units, "teacher", lambda *a: teacher)
        reproduce(digits, seeds=1, sections=["5", "theorems"], out=folder)
    Image.new("RGB", (1200, 300), "white").save(folder / "wide.png")
    (folder / "other.json").write_text(
        json.dumps(
            {
                "command": "other " + HOSTILE,
                "title": "Other " + HOSTILE,
                "lines": [HOSTILE, "x" * 300],
                "figures": [
                    {
                        "file": "wide.png",
                        "title": HOSTILE,
                        "paper": HOSTILE,
                        "alt": "A wide white picture. " + HOSTILE,
                    }
                ],
            }
        )
    )
    return folder


def test_a_page_that_hangs_fails_and_a_browser_that_hangs_is_skipped(tmp_path, monkeypatch, chrome):
    """A page that never ends, then a page that does; a stand-in for a browser that says nothing."""
    monkeypatch.setattr(browser, "PATIENCE", 2)
    with pytest.raises(TimeoutError):
        chrome.open("<body></body>").run("while (true);")
    monkeypatch.setattr(browser, "PATIENCE", 60)
    assert chrome.open("<p>here").run("found.text = document.body.innerText;") == {"text": "here"}
    stand_in = tmp_path / "chromium"
    stand_in.write_text("#!/bin/sh\nexec sleep 60\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(browser, "chromium", lambda: str(stand_in))
    monkeypatch.setattr(browser, "PATIENCE", 0.2)
    assert "does not start" in browser.why_not(browser.Browser(tmp_path))
    monkeypatch.setattr(browser, "chromium", lambda: None)
    assert "is installed" in browser.why_not(browser.Browser(tmp_path))


def test_the_report_has_no_faults_at_any_width_light_dark_or_printed(out, chrome):
    text = report.render(out)
    assert browser.faults_everywhere(text, chrome) == []
    found, console = browser.probe(text, browser.LOOK, chrome)
    assert found["title"] == "Class visualizations, digits (drawn)" and console == []
    assert found["images"] == 11 and found["pictures"] == 21 and found["loaded"]
    assert min(map(len, found["names"])) >= 20  # a picture is described, not only named


@pytest.mark.parametrize("width", [360, 390])
def test_tables_fit_a_phone(chrome, width):
    """Ten classes with long names beside each other; numbers of twelve characters in a theorem's
    row of five.
    """
    names = [
        "airplane",
        "automobile",
        "Ankle boot",
        "T-shirt/top",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    matrix = confusion_table("Ours", np.full((10, 10), 100) + np.diag([300] * 10), names)
    head = ("theorem", "statement", "#predicted", "#measured", "#residual", "#bound", "verdict")
    proved = Theorem(
        "T10/absent", "without images of class c", 7.18713e-16, -9.32587e-15, 0.0, 1e-13
    )
    theorems = table(
        head, report.theorem_rows([vars(proved) | {"holds": True}]), "Theorems", words=2
    )
    found, _ = browser.probe(
        page("Tables", [], [("All", [matrix, theorems])]),
        """
        const wider = e => e.scrollWidth > e.clientWidth + 1;
        found.count = document.querySelectorAll(".wide").length;
        found.scrolling = [...document.querySelectorAll(".wide, .stack td")].filter(wider).map(e => e.outerHTML);
    """,
        chrome,
        width=width,
    )
    assert found == {"count": 2, "scrolling": []}


SEARCH = """
const box = document.getElementById("search"), hits = () => [...document.querySelectorAll("#hits a")].map(a => a.hash);
const type = text => { box.value = text; box.dispatchEvent(new Event("input")); return hits(); };
found.named = type("ascend"); found.two = type("gram matrix augmented"); found.none = type("zzz"); found.empty = type(" ");
"""


def test_the_reference_finds_names_and_has_no_faults(chrome):
    text = reference_command.render("1.0")
    assert browser.faults(text, chrome, width=390) == []
    assert browser.faults(text, chrome, dark=True) == []
    found = chrome.run(SEARCH)
    assert "#refimpl.optimize.ascend" in found["named"] and found["none"] == found["empty"] == []
    assert "#refimpl.dual.gram" in found["two"]


def test_the_slider_and_the_button_move_the_picture(out, chrome):
    found, console = browser.probe(report.render(out), MOVE, chrome)
    film = next(
        f for f in json.loads((out / "results.json").read_text())["figures"] if "frames" in f
    )["frames"]
    steps, values, last = film["steps"], film["values"], len(film["steps"]) - 1
    assert console == [] and steps[0] == 0 and steps[-1] == 100
    at = {
        name: (seen["at"], seen["position"], seen["step"], seen["value"], seen["button"])
        for name, seen in found.items()
        if isinstance(seen, dict) and "at" in seen
    }

    def expected(frame, button="Play"):
        position = f"{100 * frame / last:.4f}".rstrip("0").rstrip(".")
        return (
            frame,
            f"{position}%",
            f"step {steps[frame]} of 100",
            f"{values[frame][0]:.2f}",
            button,
        )

    assert (
        at["start"] == expected(last) and at["first"] == expected(0) and at["third"] == expected(2)
    )
    assert (
        at["playing"] == expected(at["playing"][0], "Stop") and at["playing"][0] > 2
    )  # how far depends on the machine
    assert at["stopped"] == at["later"] == expected(at["stopped"][0])
    assert at["again"] == expected(0, "Stop") and at["end"] == expected(last)
    assert (
        found["third"]["said"]
        == f"step {steps[2]} of 100, probability at least {min(values[2]):.2f}"
    )
    assert found["outline"] == ["none", "solid", "3px"]


def test_the_pixels_of_a_frame_are_those_of_the_ascent(out, chrome):
    chrome.open(report.render(out), height=1200)
    look = MOVE.split("found.start")[0] + 'slider.scrollIntoView({block: "end"});'
    box = chrome.run(look + "Object.assign(found, cell.getBoundingClientRect().toJSON());")
    left, top, right, bottom = (round(box[key]) for key in ("left", "top", "right", "bottom"))
    pixels = {}
    for frame in (0, 5, 18):
        chrome.run(look + f"to({frame});")
        shot = Image.open(io.BytesIO(chrome.screenshot())).convert("L")
        inside = shot.crop((left + 4, top + 4, right - 4, bottom - 4))
        pixels[frame] = np.asarray(inside, float)
    assert np.ptp(pixels[0]) == 0 and abs(pixels[0].mean() - 128) <= 1  # the blank
    assert 0 < pixels[5].std() < 0.7 * pixels[18].std()


def test_without_script_the_last_frame_is_shown(out, chrome):
    chrome.open(report.render(out), script=False)
    shown = chrome.run(
        """const film = document.querySelector("figure[data-frames]");
        found.shown = film.querySelector(".controls").checkVisibility(); found.text = film.querySelector("b").textContent;
        found.at = getComputedStyle(film.querySelector("i")).backgroundPositionY;"""
    )
    assert shown["at"] == "100%" and not shown["shown"] and 0.5 < float(shown["text"]) < 1


def test_the_browser_tells_of_errors_and_of_what_a_reader_would_miss(chrome):
    """The tests above can fail: each defect planted here is found."""
    bad = page(
        "Planted",
        [
            "<h4>too deep</h4><p style='color:#999;background:#fff'>pale</p><img src='data:,' "
            "width=9>"
            "<input type=range><div style='width:2000px'>wide</div>"
        ],
        [("Part", [])],
    )
    bad = bad.replace("const {steps", "}; nonsense(); const {steps")
    found = "\n".join(browser.faults(bad, chrome))
    for fault in (
        "SyntaxError",
        "wider than the window",
        "unnamed: ['<img",
        "labels: ['']",
        "jumps: [4]",
    ):
        assert fault in found
    assert "pale" in found and "contrast" in found and "broken" in found
    assert "wider" not in "\n".join(browser.faults(bad, chrome, width=3200))
