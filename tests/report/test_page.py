"""The report in a real browser: scripts without errors, the slider, alt texts, contrast, a phone's
width, light and dark.
"""

import io
import json
import subprocess

import browser
import numpy as np
import pytest
from PIL import Image

from refimpl.app import reference_command, units
from refimpl.app.reproduce import reproduce
from refimpl.paper.theorems import Theorem
from refimpl.report import report
from refimpl.report.page import page, table
from refimpl.report.page_figures import confusion_table

HOSTILE = (
    '</pre><script>document.title = "broken"</script><img src=x onerror="document.title = 1">"\''
)
LOOK = """
found.title = document.title; found.width = innerWidth; found.overflow = document.documentElement.scrollWidth - innerWidth;
found.lang = document.documentElement.lang; found.images = document.images.length;
found.loaded = [...document.images].every(i => i.complete && i.naturalWidth === +i.getAttribute("width"));
const named = [...document.querySelectorAll("img, [role=img]")].map(i => i.alt ?? i.getAttribute("aria-label") ?? "");
found.unnamed = named.filter(text => text.length < 20); found.pictures = named.length;
found.headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(h => +h.tagName[1]);
found.unlabelled = [...document.querySelectorAll("input")].filter(i => !i.labels.length || !i.labels[0].offsetHeight).length;
found.hidden = [...document.querySelectorAll(".wide")].filter(w => w.tabIndex !== 0 || !w.getAttribute("aria-label")).length;
found.lost = [...document.querySelectorAll("nav a")].filter(a => !document.getElementById(a.hash.slice(1))).length;
found.twice = [...document.querySelectorAll("[id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i);
const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
const context = canvas.getContext("2d", {willReadFrequently: true});
const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const mixed = (...layers) => { for (const [colour, alpha] of layers) {
  context.globalAlpha = alpha; context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
  return light(context.getImageData(0, 0, 1, 1).data); };
found.contrast = [];
for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode();) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, .skip, button")) continue;
  const chain = []; for (let e = element; e; e = e.parentElement) chain.unshift(getComputedStyle(e));
  const back = chain.map(style => [style.backgroundColor, 1]), alpha = chain.reduce((a, style) => a * style.opacity, 1);
  const pair = [mixed(["white", 1], ...back), mixed(...back, [getComputedStyle(element).color, alpha])];
  const [a, b] = pair.sort((x, y) => y - x);
  if ((a + .05) / (b + .05) < 4.5) found.contrast.push(element.outerHTML.slice(0, 80) + (a + .05) / (b + .05));
}
"""
MOVE = """
const film = document.querySelector("figure[data-frames]"), slider = film.querySelector("input");
const [cell] = film.querySelectorAll("i"), seen = () => ({position: getComputedStyle(cell).backgroundPositionY,
  said: slider.getAttribute("aria-valuetext"), step: film.querySelector("output").textContent, at: +slider.value,
  value: film.querySelector("b").textContent, button: film.querySelector("button").textContent});
const to = value => { slider.value = value; slider.dispatchEvent(new Event("input")); return seen(); };
found.start = seen(); found.first = to(0); found.third = to(2); found.box = cell.getBoundingClientRect().toJSON();
const wait = time => new Promise(done => setTimeout(done, time));
const button = film.querySelector("button");
button.click(); await wait(600); found.playing = seen();
button.click(); found.stopped = seen(); await wait(600); found.later = seen();
to(+slider.max); button.click(); await wait(100); found.again = seen(); await wait(6000); found.end = seen();
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


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    """A folder for the browser; skips by name where there is none, or none that starts."""
    if browser.chromium() is None:
        pytest.skip(f"none of {', '.join(browser.NAMES)} is installed")
    folder = tmp_path_factory.mktemp("browser")
    if not browser.starts(folder):
        pytest.skip(f"{browser.chromium()} does not start headless")
    return folder


def test_a_page_that_hangs_fails_and_a_browser_that_hangs_is_skipped(tmp_path, monkeypatch):
    """A stand-in that hangs on every page with a script, or on every page."""
    stand_in = tmp_path / "chromium"
    monkeypatch.setattr(browser, "chromium", lambda: str(stand_in))
    monkeypatch.setattr(browser, "PATIENCE", 1)
    stand_in.write_text(
        "#!/bin/sh\nfor page; do :; done; page=${page#file://}\n"
        'grep -q "<script>" $page && exec sleep 60; exec cat $page\n'
    )
    stand_in.chmod(0o755)
    assert browser.starts(tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        browser.probe("<body></body>", "", tmp_path)
    stand_in.write_text("#!/bin/sh\nexec sleep 60\n")
    assert not browser.starts(tmp_path)


@pytest.mark.parametrize("width, dark", [(390, False), (390, True), (1280, False), (1280, True)])
def test_the_report_at_two_widths_light_and_dark(out, chrome, width, dark):
    found, console = browser.probe(report.render(out), LOOK, chrome, width=width, dark=dark)
    assert console == [] and found["width"] == width
    assert found["title"] == "Class visualizations, digits (drawn)" and found["lang"] == "en"
    assert found["overflow"] <= 0, "the page is wider than the window"
    assert found["images"] == 9 and found["pictures"] == 19 and found["loaded"]
    assert (
        found["unnamed"] == found["twice"] == []
        and found["unlabelled"] == found["hidden"] == found["lost"] == 0
    )
    levels = found["headings"]
    assert (
        levels[0] == 1
        and levels.count(1) == 1
        and all(b <= a + 1 for a, b in zip(levels, levels[1:]))
    )
    assert found["contrast"] == []


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


def test_the_reference_on_a_phone(chrome):
    text = reference_command.render("1.0")
    found, console = browser.probe(text, LOOK + SEARCH, chrome, width=390)
    assert "#refimpl.optimize.ascend" in found["named"] and found["none"] == found["empty"] == []
    assert "#refimpl.descent.gram" in found["two"]
    assert console == [] and found["title"] == "refimpl 1.0: reference" and found["overflow"] <= 0
    assert found["contrast"] == found["twice"] == [] and found["lost"] == found["hidden"] == 0
    assert found["headings"].count(1) == 1 and all(
        b <= a + 1 for a, b in zip(found["headings"], found["headings"][1:])
    )


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
    text, found = report.render(out), {}
    found = browser.probe(text, MOVE, chrome)[0]["box"]
    box = [round(found[key]) for key in ("left", "top", "right", "bottom")]
    inside = (box[0] + 4, box[1] + 4, box[2] - 4, box[3] - 4)
    pixels = {}
    for frame in (0, 5, 18):
        script = MOVE.split("found.start")[0] + f"to({frame}); scrollTo(0, 0);"
        shot = browser.screenshot(text, script, chrome, height=1200)
        pixels[frame] = np.asarray(Image.open(io.BytesIO(shot)).convert("L").crop(inside), float)
    assert np.ptp(pixels[0]) == 0 and abs(pixels[0].mean() - 128) <= 1  # the blank
    assert 0 < pixels[5].std() < 0.7 * pixels[18].std()


def test_without_script_the_last_frame_is_shown(out, chrome):
    text = report.render(out)
    bare = text[: text.index("<script>")] + text[text.index("</script>") + 9 :]
    found, _ = browser.probe(
        bare,
        """const film = document.querySelector("figure[data-frames]");
        found.shown = film.querySelector(".controls").checkVisibility(); found.text = film.querySelector("b").textContent;
        found.at = getComputedStyle(film.querySelector("i")).backgroundPositionY;""",
        chrome,
    )
    assert found["at"] == "100%" and not found["shown"] and 0.5 < float(found["text"]) < 1


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
    found, console = browser.probe(
        bad.replace("const {steps", "}; nonsense(); const {steps"), LOOK, chrome
    )
    assert any("SyntaxError" in line for line in console)
    assert (
        found["overflow"] > 0
        and found["unlabelled"] == 1
        and found["unnamed"] == [""]
        and not found["loaded"]
    )
    assert (
        found["headings"][:2] == [1, 4]
        and len(found["contrast"]) == 1
        and "pale" in found["contrast"][0]
    )
