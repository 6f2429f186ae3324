"""A headless Chromium without any package: a page is opened, scripts run in it, what they find
comes back.

The scripts are appended to a copy of the page; they write JSON into an element that --dump-dom
prints.
"""

import json
import re
import shutil
import subprocess
from html import escape, unescape

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROBE = (
    '<script>addEventListener("load", async () => {{ const found = {{}};\n{script}\n'
    'const pre = document.createElement("pre"); pre.id = "found"; pre.textContent = '
    "JSON.stringify(found);"
    "top.document.body.append(pre); }});</script>"
)
SMALLEST = 500  # pixels: no window is narrower; a narrower page is shown in a frame
PATIENCE = 120  # seconds for a page


def chromium():
    """Where a Chromium is, None without one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def start(page, folder, *options, width=1280, height=900, dark=False):
    """Run the browser on a file. Returns (standard output, [console messages and errors of
    scripts]).

    Raises subprocess.TimeoutExpired for a page that is not done after PATIENCE seconds: where the
    browser starts at all (see starts), that is a page that hangs.
    """
    command = [
        chromium(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},{height}",
        "--enable-logging=stderr",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=8000",
        *options,
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr)


def starts(folder):
    """Whether the browser shows a page of one word."""
    (folder / "empty.html").write_text("<p>here")
    try:
        return "<p>here" in start(folder / "empty.html", folder, "--dump-dom")[0]
    except subprocess.TimeoutExpired:
        return False


def write(text, script, folder, width=1280, height=900, **_):
    """The page with a script at its end, as a file."""
    text, path = text.replace("</body>", script + "</body>"), folder / "page.html"
    if width < SMALLEST:
        text = (
            '<!doctype html><body style="margin:0"><iframe style="border:0" '
            f'width="{width}" height="{height}" srcdoc="{escape(text)}"></iframe></body>'
        )
    path.write_text(text, encoding="utf-8")
    return path


def probe(text, script, folder, **how):
    """Open a page's text, run script (it fills `found`); returns (found, console messages)."""
    dom, console = start(
        write(text, PROBE.format(script=script), folder, **how), folder, "--dump-dom", **how
    )
    return json.loads(
        unescape(re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)[1])
    ), console


def screenshot(text, script, folder, **how):
    """The page after script has run, as PNG bytes."""
    picture = folder / "shot.png"
    start(
        write(text, f"<script>{script}</script>", folder, **how),
        folder,
        f"--screenshot={picture}",
        **how,
    )
    return picture.read_bytes()
