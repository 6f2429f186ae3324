"""Files appear whole or not at all; what dead processes left goes, what living ones write stays."""

import os
import subprocess
import sys
import threading

import pytest

from refimpl.files.whole import HOST, sweep, temporary, write_whole, written_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, "old")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as part:
        part.write_text("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and names(tmp_path) == ["a.json"]


def test_it_is_flushed_before_it_takes_its_name(tmp_path, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, original=original, name=name: order.append(name) or original(*a)
        )
    write_whole(tmp_path / "a", "text")
    assert order == ["fsync", "replace"]


def test_an_error_names_the_file_that_was_meant(tmp_path):
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "folder", tmp_path / "none" / "a", tmp_path / ("n" * 300)):
        with pytest.raises(OSError) as error:
            write_whole(place, "text")
        assert error.value.filename == str(place) and error.value.filename2 is None
    assert names(tmp_path) == ["folder"]


def test_a_long_name_can_be_written(tmp_path):
    for name in ("n" * 250, "文" * 83):
        write_whole(tmp_path / name, "text")
        assert (tmp_path / name).read_text() == "text"


def test_two_threads_writing_one_file_do_not_meet(tmp_path):
    texts = [str(i) * 100_000 for i in range(4)]
    threads = [threading.Thread(target=write_whole, args=(tmp_path / "a", t)) for t in texts * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_text() in texts and names(tmp_path) == ["a"]


def test_only_dead_processes_of_this_computer_are_swept(tmp_path):
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    dead = int(child.stdout)
    mine = temporary(tmp_path / "a")
    there = [mine.name.replace(f"-{os.getpid()}-", f"-{dead}-"), f"a.npz.{dead}.part"]
    elsewhere = [name.replace(HOST, "0" * 8) for name in there[:1]]
    others = ["a.part", "notes.txt", f"a.npz.{os.getppid()}.part"]
    for name in (mine.name, *there, *elsewhere, *others):
        (tmp_path / name).write_text("")
    sweep(tmp_path)
    assert names(tmp_path) == sorted([mine.name, *elsewhere, *others])
