"""The environment that a command finds itself in: streams, encodings, terminals, interrupts."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(*argv, cwd, module="refimpl", **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | options.pop("env", {})
    return subprocess.Popen(
        [sys.executable, "-m", module, *argv], cwd=cwd, env=environment, **options
    )


def call(*argv, cwd, module="refimpl", **env):
    child = start(
        *argv, cwd=cwd, module=module, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = (text.decode(errors="replace") for text in child.communicate(timeout=120))
    return child.returncode, out, err


@pytest.fixture
def items(tmp_path):
    (tmp_path / "items.csv").write_text("w,h\n3,4\n5,6\n")
    return ("pack", "items.csv", "--bin", "10x10", "--out")


def test_a_closed_standard_output_is_no_error(tmp_path, items):
    command = f"{sys.executable} -m refimpl {' '.join(items)} out >&- 2>err"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0 and (tmp_path / "err").read_text() == ""
    assert (tmp_path / "out" / "items.csv.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "module, argv",
    [
        ("refimpl", ["lesson"]),
        ("refimpl", ["--help"]),
        ("refimpl", ["claims", "-h"]),
        ("refimpl", ["pack", "-h"]),
        ("data_fetch", ["--list"]),
        ("data_fetch", ["-h"]),
    ],
)
def test_a_full_standard_output_is_said_in_one_line(tmp_path, module, argv):
    with open("/dev/full", "w") as full:
        child = start(*argv, cwd=tmp_path, module=module, stdout=full, stderr=subprocess.PIPE)
        err = child.communicate(timeout=60)[1].decode()
    assert child.returncode == 2 and err.count("\n") == 1
    assert "standard output: No space left on device" in err


ENDLESS = {
    "pack": ["pack", "{}", "--bin", "10x10"],
    "image": ["deconv", "--image", "{}", "--out", "out"],
    "weights": ["invert", "--weights", "{}", "--out", "out"],
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("reads", ENDLESS)
def test_what_never_ends_is_not_read(reads, kind, tmp_path):
    """A pipe that nobody writes to, a device without an end."""
    os.mkfifo(tmp_path / "pipe")
    place = "pipe" if kind == "pipe" else "/dev/zero"
    argv = [word.format(place) for word in ENDLESS[reads]]
    child = start(*argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    err = child.communicate(timeout=60)[1].decode()
    assert child.returncode == 2 and err.count("\n") == 1
    assert place in err and f"expected a file, found a {kind}" in err
    assert not (tmp_path / "out").exists()


def test_a_list_comes_through_a_pipe_of_the_shell(tmp_path):
    command = f"{sys.executable} -m refimpl pack /dev/stdin --bin 10x10 --out out"
    done = subprocess.run(
        ["sh", "-c", f"printf 'w,h\\n3,4\\n' | {command}"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out" / "stdin.json").exists()


def test_without_docstrings_there_is_no_reference(tmp_path):
    code, _, err = call("reference", "--out", "out", cwd=tmp_path, PYTHONOPTIMIZE="2")
    assert code == 2 and "python -OO leaves them out" in err and err.count("\n") == 1


def test_what_an_encoding_lacks_is_escaped(tmp_path, items):
    code, out, err = call(*items, "文", cwd=tmp_path, PYTHONIOENCODING="cp1252")
    assert (code, err) == (0, "") and "\\u6587" in out and (tmp_path / "文").is_dir()
    for argv in (["lesson"], ["claims", "--out", "é文"]):
        code, out, err = call(*argv, cwd=tmp_path, PYTHONIOENCODING="ascii")
        assert code in (0, 2) and "Traceback" not in err


def test_a_notebooks_backend_is_not_used(tmp_path, items):
    backend = "module://no_such_module.backend_inline"
    assert call(*items, "out", cwd=tmp_path, MPLBACKEND=backend)[0] == 0
    assert (tmp_path / "out" / "items.csv.png").exists()


def test_a_reader_that_goes_away(tmp_path):
    child = start(
        "--list", cwd=tmp_path, module="data_fetch", stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()
    assert (child.wait(), err) == (141, b"")


@pytest.mark.parametrize("term, escapes", [("dumb", False), ("xterm", True)])
def test_a_terminal_that_cannot_rewrite_gets_no_escapes(tmp_path, items, term, escapes):
    main, side = pty.openpty()
    child = start(
        *items, "out", cwd=tmp_path, env={"TERM": term}, stderr=side, stdout=subprocess.DEVNULL
    )
    os.close(side)
    seen = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(main)
    assert child.wait() == 0 and (b"\x1b" in seen) == escapes


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_all_processes_ends_the_benchmark_at_once(tmp_path, number, status):
    """What was queued is not packed, what had finished is kept, one line says goodbye."""
    child = start(
        "pack", "--benchmark", "--jobs", "2", "--time", "0.3", "--out", "out", cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("out/units/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(child.pid, number)
    begun = time.monotonic()
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (status, b"", b"refimpl: stopped\n")
    assert time.monotonic() - begun < 15
    assert 3 <= len(list(tmp_path.glob("out/units/*.json"))) < 60
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("wait", [0.4, 1.5])
def test_an_interrupt_while_processes_start_leaves_no_trace(tmp_path, wait):
    child = start(
        "--jobs", "2", "--only", "9", "--seeds", "3", "--out", "out", cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while not (tmp_path / "out").exists():
        time.sleep(0.01)
    time.sleep(wait)
    os.killpg(child.pid, signal.SIGINT)
    out = child.communicate(timeout=60)[0].decode()
    assert child.returncode == 130 and out == "refimpl: stopped\n"


@pytest.mark.parametrize("number, status", [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_in_a_finalizer_is_not_lost(tmp_path, number, status):
    """Python prints what a finalizer raises and goes on, a stop as well."""
    (tmp_path / "slow.py").write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from refimpl.app import cli\n"
        "class Last:\n"
        f"    def __del__(self): signal.raise_signal(signal.{number})\n"
        "def run(argv):\n"
        "    Last()\n"
        "    time.sleep(30)\n"
        "cli.COMMANDS['slow'] = __name__\n"
        "if __name__ == '__main__': sys.exit(cli.main(['slow']))\n"
    )
    begun = time.monotonic()
    child = subprocess.run(
        [sys.executable, "slow.py"], cwd=tmp_path, capture_output=True, timeout=60
    )
    assert (child.returncode, child.stderr) == (status, b"refimpl: stopped\n")
    assert time.monotonic() - begun < 20


def test_json_into_a_folder_is_refused_before_the_work(tmp_path):
    (tmp_path / "folder").mkdir()
    for place in ("folder", "nowhere/found.json"):
        begun = time.monotonic()
        code, out, err = call("--json", place, cwd=tmp_path)
        assert (code, out, err.count("\n")) == (2, "", 1) and place in err and "--json" in err
        assert time.monotonic() - begun < 20 and not (tmp_path / "refimpl-out").exists()


LONG = "x" * 300


@pytest.mark.parametrize(
    "module, argv",
    [
        ("data_fetch", ["--list", "--data-dir", LONG]),
        ("data_fetch", ["--verify", "--data-dir", LONG]),
        ("data_fetch", ["mnist", "--from", LONG]),
        ("refimpl", ["--data-dir", LONG, "--dataset", "mnist"]),
        ("refimpl", ["play", "--out", LONG]),
        ("refimpl", ["claims", "--out", LONG]),
        ("refimpl", ["report", LONG]),
        ("refimpl", ["pack", LONG, "--bin", "9x9"]),
        ("refimpl", ["deconv", "--weights", LONG]),
        ("refimpl", ["deconv", "--image", LONG]),
    ],
)
def test_a_name_that_is_too_long_is_named(module, argv, tmp_path):
    code, out, err = call(*argv, cwd=tmp_path, module=module)
    assert (code, out) == (2, "") and "Traceback" not in err and LONG[:30] in err
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs ulimit")
def test_a_full_disk_is_said_in_one_line_and_leaves_nothing(tmp_path):
    """A limit on the size of files stands for the end of the disk."""
    command = f"ulimit -f 4; exec {sys.executable} -m refimpl play --quiet --out out"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "refimpl: out/play-digits.html: File too large\n"
    assert not list(tmp_path.rglob("*.part"))


def test_homes_that_are_not_there(tmp_path):
    code, out, err = call("deconv", cwd=tmp_path, REFIMPL_DATA="~nouser/data")
    assert (code, out, err.count("\n")) == (2, "", 1) and "no home of ~nouser" in err


def test_a_folder_where_a_file_should_be(tmp_path):
    (tmp_path / "a/mnist/train-images-idx3-ubyte.gz").mkdir(parents=True)
    (tmp_path / "out/results.json").mkdir(parents=True)
    for argv, path in (
        (["--dataset", "mnist", "--data-dir", "a"], "a/mnist/train-images-idx3-ubyte.gz"),
        (["claims", "--out", "out"], "out/results.json"),
    ):
        code, out, err = call(*argv, cwd=tmp_path)
        assert (code, out, err.count("\n")) == (2, "", 1) and path in err
    assert call("report", "out", cwd=tmp_path)[0] == 0
    page = (tmp_path / "out/report.html").read_text()
    assert "results.json is damaged: it is no file" in page
    (tmp_path / "out/report.html").unlink()
    (tmp_path / "out/report.html").mkdir()
    code, out, err = call("report", "out", cwd=tmp_path)
    assert (code, out, err) == (2, "", "refimpl: out/report.html: Is a directory\n")


@pytest.mark.parametrize(
    "argv",
    [
        ["--seeds", "²"],
        ["--seeds", "9" * 5_000],
        ["lesson", "²"],
        ["lesson", "9" * 5_000],
        ["deconv", "--image=--5"],
        ["deconv", "--image", "²"],
    ],
    ids=lambda argv: " ".join(argv)[:20],
)
def test_numbers_that_are_none(tmp_path, argv):
    code, out, err = call(*argv, cwd=tmp_path)
    assert (code, out) == (2, "") and "Traceback" not in err and len(err) < 1_000
