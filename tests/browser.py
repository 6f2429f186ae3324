"""A headless Chromium without any package: a page is opened, scripts run in it, what they find
comes back. One browser serves all tests of a run.

It is spoken to in the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/), over
two pipes: messages are JSON, each ended by a zero byte. The clock of the page is the real one, its
width is the one that is asked for, and pointer and keys can be real ones.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60  # seconds for a page
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
FAULTS = ("unnamed", "jumps", "labels", "lost", "twice", "outside", "contrast", "broken")
FIND = "(async () => {{ const found = {{}};\n{script}\nreturn JSON.stringify(found); }})()"


def chromium():
    """Where a Chromium is, None without one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One tab of one browser; folder: for its profile and the pages that are given as text.

    A page that is not done after PATIENCE seconds is a TimeoutError; the browser is ended then, and
    the next page starts another one.
    """

    def __init__(self, folder):
        self.folder, self.console, self._process = folder, [], None

    def _start(self):
        ours, theirs = [], []
        for mine, other in ((1, 0), (0, 1)):  # what we write they read, and the other way round
            pipe = os.pipe()
            ours.append(pipe[mine])
            theirs.append(fcntl.fcntl(pipe[other], fcntl.F_DUPFD, 10))  # 3 and 4 stay free
            os.close(pipe[other])
        self._to, self._from = ours
        shell = f'exec "$0" "$@" 3<&{theirs[0]} 4>&{theirs[1]}'
        profile = f"--user-data-dir={self.folder / 'profile'}"
        self._process = subprocess.Popen(
            ["bash", "-c", shell, chromium(), *OPTIONS, profile],
            pass_fds=theirs,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in theirs:
            os.close(end)
        self._buffer, self._count, self._events, self._session = b"", 0, [], None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def close(self):
        """End the browser, if there is one."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            os.close(self._to)
            os.close(self._from)
        self._process = None

    def send(self, method, **params):
        """Call a method of the protocol; returns its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        whole = json.dumps(message).encode() + b"\0"
        while whole:
            whole = whole[os.write(self._to, whole) :]
        answer = self._wait(lambda found: found.get("id") == message["id"], method)
        if "error" in answer:
            raise ValueError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _wait(self, wanted, what):
        """The first message that is wanted; events are kept, what the console says is noted."""
        until = time.monotonic() + PATIENCE
        while True:
            for at, found in enumerate(self._events):
                if wanted(found):
                    return self._events.pop(at)
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                self.close()
                raise TimeoutError(f"{what}: nothing in {PATIENCE} seconds")
            part = os.read(self._from, 1 << 20)
            if not part:
                self.close()
                raise TimeoutError(f"{what}: the browser has ended")
            *whole, self._buffer = (self._buffer + part).split(b"\0")
            for message in map(json.loads, whole):
                self._note(message)
                self._events.append(message)

    def _note(self, message):
        params = message.get("params", {})
        if message.get("method") == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(a.get("value", a)) for a in params["args"]))
        elif message.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.console.append(details.get("exception", details).get("description", str(details)))
        elif message.get("method") == "Log.entryAdded":
            self.console.append(params["entry"]["text"])

    def open(self, page, *, width=1280, height=900, dark=False, media="", script=True):
        """Show a page, a file or its text, and wait until it is loaded. media: "print" for paper;
        script: whether the page's own scripts run.
        """
        if self._process is None:
            self._start()
        if isinstance(page, str):
            text, page = page, self.folder / "page.html"
            page.write_text(text, encoding="utf-8")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.send("Emulation.setScriptExecutionDisabled", value=not script)
        self._events.clear()
        self.console.clear()
        self.send("Page.navigate", url=page.as_uri())
        self._wait(lambda found: found.get("method") == "Page.loadEventFired", str(page))
        return self

    def run(self, script):
        """Run a script that fills `found`, and may wait in it; returns `found`."""
        answer = self.send(
            "Runtime.evaluate",
            expression=FIND.format(script=script),
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise AssertionError(details.get("exception", details).get("description", details))
        return json.loads(answer["result"]["value"])

    def screenshot(self):
        """What the window shows, as PNG bytes."""
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])

    def press(self, key, text=""):
        """A key, down and up, where the focus is."""
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, text=text * (kind == "keyDown"))

    def drag(self, points):
        """The left button down at the first of the points (x, y), moved over the others, and up."""
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, [*points, points[-1]]):
            how = {"button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **how)


def why_not(browser):
    """Why no page can be shown, "" where one can."""
    if chromium() is None:
        return f"none of {', '.join(NAMES)} is installed"
    try:
        browser.open("<p>here").run("")
    except TimeoutError:
        return f"{chromium()} does not start headless"
    return ""


def probe(text, script, chrome, **how):
    """Open a page's text, run script (it fills `found`); returns (found, console messages)."""
    found = chrome.open(text, **how).run(script)
    return found, list(chrome.console)


def screenshot(text, script, chrome, **how):
    """The page after script has run, as PNG bytes."""
    chrome.open(text, **how).run(script)
    return chrome.screenshot()


def faults(page, chrome, **how):
    """What a reader would miss on a page (a file or its text), in words; see look.js."""
    found = chrome.open(page, **how).run(LOOK)
    words = [f"{name}: {found[name]}" for name in FAULTS if found[name]]
    if found["overflow"] > 0:
        words.append(f"{found['overflow']} pixels wider than the window")
    if found["headings"].count(1) != 1 or found["lang"] != "en" or not found["title"]:
        words.append("expected one h1, a title and a language")
    if found["hidden"]:
        words.append(f"{found['hidden']} parts scroll without the keyboard")
    return words + [f"console: {line}" for line in chrome.console]


WINDOWS = [  # every page is looked at in these
    {"width": 1280},
    {"width": 1280, "dark": True},
    {"width": 390},
    {"width": 390, "dark": True},
    {"width": 720, "dark": True, "media": "print"},  # as wide as a sheet of paper
]


def faults_everywhere(page, chrome):
    """The faults of a page in all WINDOWS: [(window, [faults])], those without any left out."""
    found = [(how, faults(page, chrome, **how)) for how in WINDOWS]
    return [(how, words) for how, words in found if words]
