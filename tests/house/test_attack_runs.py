"""An attack that stays, on processes: commands killed at seeded moments, two of everything in one
folder, command lines drawn from the parsers and run, limits of memory.

With REFIMPL_FULL every command has its turn, with many seeds; else a few of them.
"""

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from test_attack import FULL, MEGABYTES, NONSENSE, SECONDS, parser_of

from refimpl.app import cli
from refimpl.files.paths import default_data_dir
from refimpl.weights import read_npz

ROOT = Path(__file__).parents[2]
VOLATILE = {"seconds", "date", "environment", "took", "lines", "time", "tables"}
OWN = ["--dataset", "./own"]
SMALL = ["--dataset", "./small"]  # 8 x 8 pixels
DATA_MEGABYTES = 20  # what the largest data set on disk takes here, digits
DRAWN_MEGABYTES = (
    150  # what dissect draws: 4,000 images of 12 kB, 2,000 of 12 and their masks of 38
)
RESUMABLE = {  # a name: the command line; whether its results are the same whenever it runs
    "reproduce": (["--only", "9", "--seeds", "2"], True),
    "reproduce, two processes": (["--only", "9,controls", "--seeds", "2", "--jobs", "2"], True),
    "train": (["train", "small", "--epochs", "3", *OWN], True),
    "extract": (["extract", "--hidden", "5", "--regimes", "hints,filters", "--seeds", "3"], True),
    "extract, own data": (["extract", "--hidden", "5", "--regimes", "hints", *SMALL], True),
    "compress": (["compress", "--parts", "kernel", "--seeds", "3", *SMALL], True),
    "benchmark": (["pack", "--benchmark", "--part", "50", "--time", "0.2", "--jobs", "2"], False),
    "look": (["look", "--runs", "2", "--steps", "1", "--images", "1", *SMALL], True),
}
TWICE = {
    "reproduce": ["--only", "9", "--seeds", "2"],
    "pack": ["pack", "items.csv", "--bin", "10x10", "--time", "0.5"],
    "train": ["train", "small", "--epochs", "2", *OWN],
    "maximize": ["maximize", "--steps", "3", *OWN],
    "deconv": ["deconv", "--diagnosis", "0", "--images", "40", *OWN],
    "invert": ["invert", "--images", "4", "--steps", "3", "--decoder-steps", "3", *OWN],
    "extract": ["extract", "--hidden", "5", "--regimes", "hints", "--jobs", "2"],
    "compress": ["compress", "--parts", "kernel", "--seeds", "2", *SMALL],
    "look": ["look", "--runs", "1", "--steps", "1", "--images", "1", *SMALL],
    "benchmark": ["pack", "--benchmark", "--part", "100", "--time", "0.2", "--jobs", "2"],
    "play": ["play"],
    "lesson": ["lesson", "5"],
    "reference": ["reference"],
}
LONG = 20  # seconds of a command that is killed less often
PRINTS = ("lesson", "reference")  # commands without --quiet


def own_folder(place):
    """Two small data sets of idx files, the folders `own` and `small`, and a cut list."""
    rng = np.random.default_rng(0)
    for name, side in (("own", 28), ("small", 8)):
        folder = place / name
        folder.mkdir(parents=True)
        for split, n in (("train", 300), ("t10k", 60)):
            y = (np.arange(n) % 4).astype(np.uint8)
            x = rng.integers(0, 256, (n, side, side), dtype=np.uint8)
            head = struct.pack(">4I", 0x803, *x.shape)
            (folder / f"{split}-images-idx3-ubyte").write_bytes(head + x.tobytes())
            head = struct.pack(">2I", 0x801, n)
            (folder / f"{split}-labels-idx1-ubyte").write_bytes(head + y.tobytes())
    (place / "items.csv").write_text("w,h\n" + "3,4\n5,6\n2,2\n" * 5)


def megabytes_of(name, pid="self"):
    """VmRSS (now) or VmHWM (the most so far) of a process; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        said = dict(line.split(":", 1) for line in lines)
        return int(said[name].split()[0]) / 1024
    except (OSError, KeyError):
        return 0


class Command:
    """A command that runs in a group of its own; its standard error, and the memory that it took.

    What the system says of that begins with the tests' own size, of which the process was a copy
    for a moment. Where it says no more than that, what was seen of the process counts.
    """

    def __init__(self, words, place):
        self.err = tempfile.TemporaryFile()
        self.copied, self.seen = 1.05 * megabytes_of("VmRSS"), 0
        child = subprocess.Popen(
            [sys.executable, "-m", "refimpl", *words],
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(ROOT), "REFIMPL_DATA": str(default_data_dir())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.err,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.child, self.pid, self.megabytes = child, child.pid, 0
        self.data = DRAWN_MEGABYTES if words[:1] == ["dissect"] else DATA_MEGABYTES

    def wait(self, seconds):
        """Whether it has ended, after at most so many seconds. The largest process counts, of those
        that it started too.
        """
        deadline = time.monotonic() + seconds
        while self.child.returncode is None:
            self.seen = max(self.seen, megabytes_of("VmHWM", self.pid))
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.child.returncode = os.waitstatus_to_exitcode(status)
                most = usage.ru_maxrss / 1024
                self.megabytes = most if most > self.copied else self.seen
            elif time.monotonic() > deadline:
                return False
            else:
                time.sleep(0.01)
        return True

    def send_signal(self, number):
        if self.child.returncode is None:
            os.kill(self.pid, number)


def start(argv, place):
    quiet = [] if argv[0] in PRINTS else ["--quiet"]
    return Command([*argv, *quiet, "--out", "out"], place)


def ended(child, seconds=600):
    """(exit status, standard error) of a command that must end, and all of its processes too; none
    of them took more memory than its data and MEGABYTES.
    """
    if not child.wait(seconds):
        os.killpg(child.pid, signal.SIGKILL)
        raise TimeoutError(f"no end after {seconds} s")
    assert child.megabytes < MEGABYTES + child.data
    with child.err as file:
        file.seek(0)
        err = file.read().decode(errors="replace")
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(child.pid, 0)
        except ProcessLookupError:
            return child.child.returncode, err
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    raise AssertionError("processes of a command that has ended are still there")


def bare(value):
    """A result without what depends on the hour."""
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if k not in VOLATILE}
    return [bare(v) for v in value] if isinstance(value, list) else value


def settled(out):
    """{file: what it says} of all that a command leaves; of pictures and pages only that they are
    there.
    """
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_dir() or path.name in ("front.json", ".lock"):
            continue
        if path.suffix == ".json":
            entry = json.loads(path.read_text())
            found[name] = bare(entry["result"] if "sha256" in entry else entry)
        elif path.suffix == ".npz":
            found[name] = {key: a.tolist() for key, a in read_npz(path).items() if key != "sha256"}
            found[name].pop("text", None)
        elif not path.name.endswith(".previous"):
            found[name] = None
    return found


def left_over(place):
    return [path.name for path in place.rglob("*") if path.suffix in (".part", ".tmp")]


def units(out):
    found = [*out.glob("units/*.json"), *out.glob("compress-store/*.json")]
    return {path: path.stat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """call(name) -> (what the command leaves when nothing happens, the seconds that it takes)."""
    known = {}

    def of(name):
        if name not in known:
            place = tmp_path_factory.mktemp("whole")
            own_folder(place)
            begun = time.monotonic()
            status, err = ended(start(RESUMABLE[name][0], place))
            assert (status, err) == (0, ""), err
            known[name] = settled(place / "out"), time.monotonic() - begun
        return known[name]

    return of


@pytest.mark.parametrize("name", RESUMABLE if FULL else ["reproduce"])
def test_killed_commands_go_on_and_lose_nothing(name, tmp_path, uninterrupted):
    """Killed by a signal after a while, again and again, and then left alone: the results are those
    of an undisturbed run, no finished unit was done again, and nothing lies about.
    """
    if name == "look":
        pytest.importorskip("skimage")
    expected, seconds = uninterrupted(name)
    argv, is_exact = RESUMABLE[name]
    chance = random.Random(name)
    own_folder(tmp_path)
    for round_ in range(9 if FULL and seconds < LONG else 6 if FULL else 2):
        how = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[round_ % 3]
        before = units(tmp_path / "out")
        child = start(argv, tmp_path)
        time.sleep(chance.uniform(0.05, 1.0) * seconds)
        child.send_signal(how)
        begun = time.monotonic()
        status, err = ended(child)
        assert time.monotonic() - begun < 2 * SECONDS
        assert status in (0, -how, 128 + how), (how, status, err)
        assert "Traceback" not in err, err
        if how != signal.SIGKILL:  # after that Python's tracker of semaphores may say what leaked
            assert err.count("\n") <= 1, err
        after = units(tmp_path / "out")
        assert before.items() <= after.items(), "a finished unit is lost or was done again"
        if status == 0:
            shutil.rmtree(tmp_path / "out")
    before = units(tmp_path / "out")
    status, err = ended(start(argv, tmp_path))
    assert (status, err) == (0, "")
    assert before.items() <= units(tmp_path / "out").items()
    found = settled(tmp_path / "out")
    assert found.keys() == expected.keys()
    assert not is_exact or found == expected
    assert not left_over(tmp_path)


@pytest.mark.parametrize("name", TWICE if FULL else ["pack"])
def test_two_of_everything_in_one_folder(name, tmp_path):
    if name == "look":
        pytest.importorskip("skimage")
    own_folder(tmp_path)
    argv = TWICE[name]
    children = [start(argv, tmp_path) for _ in range(2)]
    for child in children:
        status, err = ended(child)
        assert (status, err) == (0, ""), err
    both = settled(tmp_path / "out")
    assert both and not left_over(tmp_path)
    shutil.rmtree(tmp_path / "out")
    assert ended(start(argv, tmp_path))[0] == 0
    assert settled(tmp_path / "out").keys() == both.keys()


@pytest.mark.parametrize("command", cli.COMMANDS if FULL else ["pack", "report", "claims"])
def test_command_lines_drawn_from_the_parsers_are_run(command, monkeypatch, tmp_path):
    """What a parser takes is run, for a moment: a refusal is one of usage, work ends at an
    interrupt, nothing is a traceback.
    """
    monkeypatch.chdir(tmp_path)
    own_folder(tmp_path)
    parser, chance = parser_of(command, monkeypatch), random.Random(command)
    actions = [a for a in parser._actions if a.dest not in ("help", "write", "cluster", "out")]
    words = [word for word in NONSENSE if "\0" not in word and "\ud800" not in word]
    words += ["1", "2", "items.csv", "own", "small", ".", "\udcff"]  # the last is no UTF-8
    for _ in range(8 if FULL else 2):
        argv = [] if command == "reproduce" else [command]
        for action in chance.sample(actions, min(len(actions), chance.randrange(1, 4))):
            argv += [chance.choice(action.option_strings)] if action.option_strings else []
            argv += [] if action.nargs == 0 else [chance.choice(words)]
        child = Command(argv, tmp_path)
        if not child.wait(4 if FULL else 2):
            child.send_signal(signal.SIGINT)
        begun = time.monotonic()
        status, err = ended(child, seconds=60)
        assert time.monotonic() - begun < SECONDS, argv
        assert status in (0, 1, 2, 130, -signal.SIGINT), (argv, status, err)
        assert "Traceback" not in err, (argv, err)
        assert not left_over(tmp_path), argv


def test_a_command_takes_no_more_memory_than_its_data_and_300_megabytes(tmp_path):
    """An image file's header is believed where it says too much; what is unpacked stays small.
    `ended` holds every command of this file to that.
    """
    own_folder(tmp_path)
    width = 9_000  # 81 megapixels of grey, 80 kB as a file
    from PIL import Image

    Image.new("L", (width, width)).save(tmp_path / "large.png")
    Image.new("L", (5_900, 6_000), 200).save(tmp_path / "photo.png")
    for name in ("large.png", "photo.png") if FULL else ("large.png",):
        argv = ["deconv", "--image", name, "--diagnosis", "0", "--images", "20", *OWN]
        status, err = ended(start(argv, tmp_path))
        assert status == (2 if name == "large.png" else 0), err
        assert ("81,000,000" in err or "9,000 x 9,000" in err) == (name == "large.png")
