"""Whole runs of data_fetch.py: what they say and return, local copies; runs killed, interrupted,
side by side.
"""

import contextlib
import gzip
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_server import (
    ARCHIVE,
    CIFAR_PATH,
    CONTENT,
    IDX_NAMES,
    batches_in,
    names_in,
    run,
    serve_datasets,
    small_cifar,
)

import data_fetch
from data_fetch import problems

ROOT = Path(data_fetch.__file__).parent


@pytest.fixture
def site():
    with serve_datasets() as fake:
        yield fake


def test_everything_is_got_once(site, tmp_path, capsys):
    for _ in range(2):
        assert run(site, "--data-dir", tmp_path) == 0
        assert len(site.seen) == 5
        assert capsys.readouterr().out.count(": complete, in ") == 2
    assert names_in(tmp_path / "mnist") == sorted([".lock", *IDX_NAMES])
    assert names_in(tmp_path / "cifar10") == [".lock", "cifar-10-batches-bin"]
    for name, content in small_cifar().items():
        assert (batches_in(tmp_path) / name).read_bytes() == content
    assert run(site, "--verify", "--data-dir", tmp_path) == 0


def test_list_tells_complete_from_incomplete_and_missing(site, tmp_path, capsys):
    def states():
        assert run(site, "--list", "--data-dir", tmp_path) == 0
        return [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]]

    assert states() == ["missing", "missing"]
    assert not any(tmp_path.iterdir())
    run(site, "--data-dir", tmp_path)
    capsys.readouterr()
    assert states() == ["complete", "complete"]
    (tmp_path / "mnist" / IDX_NAMES[2]).unlink()
    (batches_in(tmp_path) / "data_batch_3.bin").write_bytes(b"")
    assert states() == ["incomplete", "incomplete"]


def test_verify_finds_what_is_wrong_and_the_next_run_mends_it(site, tmp_path, capsys):
    assert run(site, "mnist", "--verify", "--data-dir", tmp_path) == 1
    assert "train-images.gz: missing" in capsys.readouterr().out
    run(site, "--data-dir", tmp_path)
    path = batches_in(tmp_path) / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    (tmp_path / "mnist" / IDX_NAMES[1]).write_bytes(b"?")
    capsys.readouterr()
    assert run(site, "--verify", "--data-dir", tmp_path) == 1
    told = capsys.readouterr().out
    assert "train-labels.gz: damaged" in told
    assert "data_batch_2.bin: not the SHA-256 that SOURCE records" in told
    assert run(site, "--data-dir", tmp_path) == 0
    assert run(site, "--verify", "--data-dir", tmp_path) == 0
    assert len(site.seen) == 5 + 2


def test_a_failure_is_told_and_the_other_data_sets_are_got(site, tmp_path, capsys):
    del site.files["/m/t10k-images.gz"]
    assert run(site, "--data-dir", tmp_path) == 1
    told = capsys.readouterr().err
    assert told.startswith("mnist: failed: t10k-images.gz: no source worked")
    assert f"{site.url}/m/t10k-images.gz: HTTP Error 404" in told
    assert f"{site.url}/n/t10k-images.gz: HTTP Error 404" in told
    assert "without a network: python -m data_fetch mnist --from DIR" in told
    assert told.endswith("digits needs none\n") and told.count("without a network") == 1
    assert problems(site.datasets[1], tmp_path) == []


@pytest.mark.parametrize(
    "arguments", [["imagenet"], ["--from", "/nowhere"], ["--list", "--verify"], ["--fast"]]
)
def test_bad_usage(site, tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        run(site, *arguments, "--data-dir", tmp_path)
    assert caught.value.code == 2
    assert capsys.readouterr().err


# Local copies of idx files.


def put_idx(folder, pack=gzip.compress, suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(IDX_NAMES):
        (folder / name.replace(".gz", suffix)).write_bytes(pack(CONTENT[: 1000 + i]))


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bytes, "")])
@pytest.mark.parametrize("inner", ["mnist", "."])
def test_idx_files_are_imported_packed_or_not(site, tmp_path, pack, suffix, inner):
    put_idx(tmp_path / "from" / inner, pack, suffix)
    assert run(site, "mnist", "--from", tmp_path / "from", "--data-dir", tmp_path / "data") == 0
    assert run(site, "mnist", "--verify", "--data-dir", tmp_path / "data") == 0
    assert site.seen == []
    head = (tmp_path / "data" / "mnist" / IDX_NAMES[0]).read_bytes()[:10]
    if not suffix:
        assert head[4:8] == bytes(4)  # no time in the archive: the same bytes every time


def test_wrong_copies_are_refused(site, tmp_path, capsys):
    put_idx(tmp_path / "from" / "mnist")
    (tmp_path / "from" / "mnist" / IDX_NAMES[0]).write_bytes(gzip.compress(CONTENT[1:1001]))
    assert run(site, "--from", tmp_path / "from", "--data-dir", tmp_path / "data") == 1
    told = capsys.readouterr().err
    assert "expected SHA-256" in told and "without a network" not in told
    (tmp_path / "from" / "mnist" / IDX_NAMES[0]).unlink()
    assert run(site, "--from", tmp_path / "from", "--data-dir", tmp_path / "data") == 1
    assert "train-images.gz: no source worked: no /" in capsys.readouterr().err
    assert names_in(tmp_path / "data" / "mnist") == [".lock"]


def test_what_is_not_there_fails_only_if_named(site, tmp_path, capsys):
    put_idx(tmp_path / "from" / "mnist")
    assert run(site, "--from", tmp_path / "from", "--data-dir", tmp_path / "data") == 0
    assert f"cifar10: not in {tmp_path / 'from'}" in capsys.readouterr().out
    assert (
        run(site, "mnist", "cifar10", "--from", tmp_path / "from", "--data-dir", tmp_path / "data")
        == 1
    )
    put_idx(tmp_path / "flat")  # whose they are is certain only if one data set is named
    assert (
        run(site, "mnist", "cifar10", "--from", tmp_path / "flat", "--data-dir", tmp_path / "other")
        == 1
    )
    assert "mnist: not in" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert run(site, "--from", tmp_path / "empty", "--data-dir", tmp_path / "other") == 1
    assert site.seen == []


def test_a_folder_of_any_name_is_known_by_its_labels(site, tmp_path, capsys):
    put_idx(tmp_path / "downloads")
    folders = "--from", tmp_path / "downloads", "--data-dir", tmp_path / "data"
    assert run(site, *folders) == 0
    assert run(site, "mnist", "--verify", "--data-dir", tmp_path / "data") == 0
    assert names_in(tmp_path / "data") == ["mnist"]


# Other processes: killed, interrupted, at the same time.

DRIVER = """
import signal, sys, time, data_fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
sys.path.insert(0, {tests!r})
from fake_server import small_datasets
data_fetch.BACKOFF = .01
{setup}
sys.exit(data_fetch.main(sys.argv[1:], small_datasets({url!r})))
"""
HANG = """
real = data_fetch.batches.{name}
def hang(*arguments):
    result = real(*arguments)
    if {when}:
        print("hanging", flush=True)
        time.sleep(60)
    return result
data_fetch.batches.{name} = hang
"""
WATCH = """
import os
from pathlib import Path
def watch(event, arguments):
    if event == "open" and str(arguments[0]).startswith(sys.argv[-1]) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        if not any(name.startswith(".") for name in Path(arguments[0]).relative_to(sys.argv[-1]).parts):
            print("written in place:", arguments[0], file=sys.stderr, flush=True)
            os._exit(9)
sys.addaudithook(watch)
"""


@contextlib.contextmanager
def process(site, *arguments, setup=""):
    code = DRIVER.format(tests=str(ROOT / "tests"), url=site.url, setup=setup)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_for_part(folder):
    """Wait until a part with something in it is on disk."""
    for _ in range(1000):
        if any(path.stat().st_size for path in folder.glob(".*.part")):
            return
        time.sleep(0.01)
    raise AssertionError(f"no part in {folder}")


def test_what_is_in_place_was_renamed_to_it_never_written_there(site, tmp_path):
    put_idx(tmp_path / "from" / "mnist")
    (tmp_path / "from" / "cifar-10-binary.tar.gz").write_bytes(ARCHIVE)
    for number, origin in enumerate([[], ["--from", tmp_path / "from"]]):
        with process(site, *origin, "--data-dir", tmp_path / f"data{number}", setup=WATCH) as child:
            assert (child.communicate(timeout=30)[1], child.returncode) == ("", 0)
        assert names_in(tmp_path / f"data{number}" / "cifar10") == [".lock", "cifar-10-batches-bin"]


def test_killed_while_downloading_nothing_is_accepted_and_the_next_run_resumes(
    site, tmp_path, capsys
):
    site.plans[CIFAR_PATH] = ["dribble"]
    with process(site, "cifar10", "--data-dir", tmp_path) as child:
        wait_for_part(tmp_path / "cifar10")
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not batches_in(tmp_path).exists()
    assert not (tmp_path / "cifar10" / "cifar-10-binary.tar.gz").exists()
    assert run(site, "cifar10", "--list", "--data-dir", tmp_path) == 0
    assert "incomplete" in capsys.readouterr().out
    assert run(site, "cifar10", "--data-dir", tmp_path) == 0
    assert site.starts(CIFAR_PATH)[1] > 0
    assert names_in(tmp_path / "cifar10") == [".lock", "cifar-10-batches-bin"]


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("Path.write_bytes", "arguments[0].name == 'data_batch_3.bin'"),
        ("_flush", "str(arguments[0]).endswith('batches-bin.part')"),
        ("os.replace", "str(arguments[0]).endswith('batches-bin')"),
    ],
)
def test_killed_while_unpacking_nothing_is_accepted_and_the_next_run_completes(
    site, tmp_path, name, when
):
    batches_in(tmp_path).mkdir(parents=True)
    (batches_in(tmp_path) / "data_batch_1.bin").write_bytes(b"an old wrong file")
    with process(
        site, "cifar10", "--data-dir", tmp_path, setup=HANG.format(name=name, when=when)
    ) as child:
        assert any(line == "hanging\n" for line in child.stdout)
        child.send_signal(signal.SIGKILL)
    assert problems(site.datasets[1], tmp_path) != []
    assert run(site, "cifar10", "--data-dir", tmp_path) == 0
    assert len(site.seen) == 1  # the archive was whole
    assert names_in(tmp_path / "cifar10") == [".lock", "cifar-10-batches-bin"]


def test_interrupted_says_so_in_a_line(site, tmp_path):
    site.plans[CIFAR_PATH] = ["dribble"]
    with process(site, "cifar10", "--data-dir", tmp_path) as child:
        wait_for_part(tmp_path / "cifar10")
        child.send_signal(signal.SIGINT)
        told = child.communicate(timeout=10)[1]
    assert child.returncode == 130
    assert told.strip() == "interrupted; run it again to go on"


def test_a_second_run_waits_for_the_first(site, tmp_path, capsys):
    site.plans[CIFAR_PATH] = ["stall"]
    results = []
    with process(site, "cifar10", "--data-dir", tmp_path, setup="data_fetch.STALL = 1") as child:
        wait_for_part(tmp_path / "cifar10")
        second = threading.Thread(
            target=lambda: results.append(run(site, "cifar10", "--data-dir", tmp_path))
        )
        second.start()
        assert child.wait(timeout=10) == 0
        second.join(timeout=10)
    assert results == [0]
    assert "waiting for another run" in capsys.readouterr().out
    assert site.sent(CIFAR_PATH) == len(ARCHIVE)
    assert problems(site.datasets[1], tmp_path) == []


def test_it_runs_where_nothing_is_installed(tmp_path):
    command = [sys.executable, "-S", "data_fetch.py", "--list", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        [dataset.name, "missing"] for dataset in data_fetch.DATASETS
    ]
