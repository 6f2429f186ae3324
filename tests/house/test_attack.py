"""An attack that stays: every kind of file that is read is damaged, every parser is fed nonsense.

A damaged file is refused in words (or, without a checksum, read as what it then says); nothing else
comes out, nothing hangs, nothing grows. A few hundred cases here, 5,000 with REFIMPL_FULL.
"""

import argparse
import gzip
import hashlib
import io
import json
import lzma
import os
import random
import resource
import shutil
import signal
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from PIL import Image

from refimpl import weights
from refimpl.app import cli, report_command
from refimpl.companions.cnn import checkpoints
from refimpl.companions.cnn.options import image_for
from refimpl.companions.packing import readers
from refimpl.data import digits
from refimpl.data.idx import read_labels, read_pixels
from refimpl.files import cifar_folder
from refimpl.network import one_hidden_net
from refimpl.paper import png_dataset
from refimpl.paper.tiny import tiny
from refimpl.report import front, jobs
from refimpl.report.options import UsageError

FULL = bool(os.environ.get("REFIMPL_FULL"))
SECONDS = 10
MEGABYTES = 300
DATA = tiny(side=28)


def network():
    return one_hidden_net(9, 4, 3, rng=np.random.default_rng(0))


def make_weights(path):
    weights.save(network(), path)


def make_checkpoint(path):
    checkpoints.save(path, {"step": 3, "network": network()}, {"run": "one"})


def make_unit(path):
    store = jobs.Store(path.parent, "mark")
    store.write("task", {"id": 1.5, "rows": [1, 2, 3]})
    store.path("task").rename(path)


def read_unit(path):
    store = jobs.Store(path.parent, "mark")
    path.rename(store.path("task"))
    return store.read("task")


def make_labels(path):
    path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 30]) + bytes(i % 10 for i in range(30)))


def make_csv(path):
    path.write_text("name,width,height,count\n" + "".join(f"p{i},{i},3,2\n" for i in range(1, 9)))


def make_2bp(path):
    path.write_text("10 BINS\n3 ITEMS\n1 1 H(BIN),W(BIN)\n10 10\n1 2\n3 4\n5 6\n")


def make_results(path):
    row = {"id": "a", "section": "5", "what": "b", "paper": 1.0, "verdict": "reproduced"}
    row |= {"ours": {"mean": 1.0, "sd": None, "n": 1}, "distance_sd": None, "expects": ""}
    row |= {"protocol": "", "unspecified": ""}
    found = {"environment": {"dataset": "digits", "title": "digits"}, "claims": [row]}
    path.write_text(json.dumps(found | {"figures": [], "theorems": [], "confusions": {}}))


def read_results(path):
    path.rename(path.parent / "results.json")
    report_command.run([str(path.parent)])


def make_images(path):
    head = struct.pack(">4I", 0x803, 30, 5, 4)
    path.write_bytes(gzip.compress(head + bytes(i % 251 for i in range(600)), mtime=0))


def make_picture(path):
    Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28)).save(path, format="PNG")


def make_png_data_set(path):
    """One picture of a data set; the rest stands beside it."""
    pixels = np.arange(32, dtype=np.uint8).reshape(2, 16)
    png_dataset.write_dataset(path.parent / "set", pixels, np.eye(2), (1, 4, 4))
    (path.parent / "set" / "image_0.png").replace(path)


def read_png_data_set(path):
    if not (path.parent / "set").exists():
        make_png_data_set(path.with_name("whole.png"))
    path.replace(path.parent / "set" / "image_0.png")
    images, targets = png_dataset.read_dataset(path.parent / "set")
    return {"images": images.tolist(), "targets": targets.tolist()}


def make_targets(path):
    make_png_data_set(path)
    path.replace(path.parent / "set" / "image_0.png")
    (path.parent / "set" / "targets.json").replace(path)
    shutil.rmtree(path.parent / "set")


def read_targets(path):
    make_png_data_set(path.with_name("whole.png"))
    path.with_name("whole.png").replace(path.parent / "set" / "image_0.png")
    path.replace(path.parent / "set" / "targets.json")
    png_dataset.read_dataset(path.parent / "set")


RECORDS = b"".join(bytes([label]) + bytes([17 * label]) * 3072 for label in range(10))


def make_archive(path):
    with tarfile.open(path, "w:gz") as tar:
        for name in cifar_folder.BATCHES:
            member = tarfile.TarInfo(f"{cifar_folder.FOLDER}/{name}")
            member.size = len(RECORDS)
            tar.addfile(member, io.BytesIO(RECORDS))


def read_archive(path):
    archive = path.rename(path.with_name("archive.tar.gz"))
    cifar_folder.install(path.parent, 10, archive)
    return cifar_folder.check_batches(path.parent / cifar_folder.FOLDER, 10)


def make_batch(path):
    """One batch of CIFAR-10's folder, whose SOURCE tells the digests."""
    path.write_bytes(RECORDS)


def read_batch(path):
    folder = path.parent / "batches"
    folder.mkdir(exist_ok=True)
    for name in cifar_folder.BATCHES:
        (folder / name).write_bytes(RECORDS)
    digest = hashlib.sha256(RECORDS).hexdigest()
    lines = [f"{digest}  {name}" for name in cifar_folder.BATCHES]
    (folder / "SOURCE").write_text("CIFAR-10\n" + "\n".join(lines) + "\n")
    path.replace(folder / cifar_folder.BATCHES[2])
    return cifar_folder.check_batches(folder, 10)


def make_cache(path):
    digits._write_cache(path, digits.digits(5, train=8, test=4))


def read_cache(path):
    found = digits._read_cache(path)
    return None if found is None else {str(i): a.tolist() for i, a in enumerate(found)}


def make_front(path):
    card = {"opens": "a.html", "title": "A", "sentence": "B", "picture": "", "at": 1.5}
    path.write_text(json.dumps({"a": card, "b": card | {"opens": "b.html"}}, indent=1))


def read_front(path):
    (path.parent / "a.html").write_text("")
    path.replace(path.parent / front.CARDS)
    front.add("c", path.parent / "a.html", "C", "D", root=path.parent)


WHOLE = object()  # what a checksummed reader may return of a damaged file: the same as before
KINDS = {  # name: (make, read, guarded by a checksum)
    "network": (make_weights, weights.load, True),
    "checkpoint": (make_checkpoint, lambda p: checkpoints.load(p, {"run": "one"}), True),
    "unit": (make_unit, read_unit, True),
    "labels": (make_labels, lambda p: read_labels(p, 30), False),
    "cut list": (make_csv, lambda p: readers.read(p, (100, 100)), False),
    "results": (make_results, read_results, False),
    "2bp": (make_2bp, lambda p: readers.read_2bp(p), False),
    "images": (make_images, lambda p: read_pixels(p, 30, (5, 4)).tolist(), True),
    "image file": (make_picture, lambda p: image_for(str(p), DATA), False),
    "picture of a data set": (make_png_data_set, read_png_data_set, False),
    "targets of a data set": (make_targets, read_targets, False),
    "archive": (make_archive, read_archive, True),
    "batch": (make_batch, read_batch, True),
    "digits' cache": (make_cache, read_cache, True),
    "front page": (make_front, read_front, False),
}


def damaged(data, chance):
    """The bytes of a file with one kind of damage."""
    how = chance.choice(("flip", "cut", "zeros", "again", "more", "swap", "empty", "text"))
    at = chance.randrange(len(data))
    upto = min(len(data), at + chance.randrange(1, 64))
    if how == "flip":
        return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
    if how == "cut":
        return data[:at]
    if how == "zeros":
        return data[:at] + bytes(upto - at) + data[upto:]
    if how == "again":
        return data[:upto] + data[at:]
    if how == "more":
        return data + bytes(chance.randrange(256) for _ in range(chance.randrange(1, 4096)))
    if how == "swap":
        return data[upto:] + data[:upto]
    if how == "empty":
        return b""
    text = chance.choice(
        ("{}", "[]", "null", "[" * 50_000, '{"a":' * 20_000, "NaN", "\x00", '"\\ud800"')
    )
    return text.encode()


@contextmanager
def at_most(seconds):
    """Raises TimeoutError inside when the seconds are over."""

    def hang(*_):
        raise TimeoutError(f"no answer after {seconds} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def peak():
    """The largest memory of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plain(value):
    """What was read, as something that can be compared."""
    if hasattr(value, "parameters"):
        return [type(v).__name__ for v in value.layers], [p.tolist() for p in value.parameters]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_in_words(kind, tmp_path, capsys):
    make, read, guarded = KINDS[kind]
    whole = tmp_path / "whole"
    whole.mkdir()
    make(whole / "file.npz")
    data = (whole / "file.npz").read_bytes()
    expected = plain(read(whole / "file.npz"))
    chance, before = random.Random(kind), peak()
    for case in range(-(-5_000 // len(KINDS)) if FULL else 24):
        folder = tmp_path / str(case)
        folder.mkdir()
        (folder / "file.npz").write_bytes(damaged(data, chance))
        try:
            with at_most(SECONDS):
                found = read(folder / "file.npz")
        except (ValueError, UsageError) as error:
            assert str(error)
        else:
            assert not guarded or found is None or plain(found) == expected
        assert not list(folder.glob("*.part"))
        shutil.rmtree(folder)
        capsys.readouterr()
    assert peak() < before + MEGABYTES


def bomb(path, name, size):
    """An .npz whose header promises `size` bytes, which a few kilobytes unpack to."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (size,)}
    )
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w") as file,
    ):
        file.write(header.getvalue())
        for _ in range(size // 2**20):
            file.write(bytes(2**20))


@pytest.mark.parametrize("read", [weights.load, lambda p: checkpoints.load(p, {})])
def test_an_archive_that_unpacks_to_much_more_is_refused_before_it_is_unpacked(read, tmp_path):
    bomb(tmp_path / "bomb.npz", "architecture.npy", 100 * 2**20)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="bomb.npz"):
            read(tmp_path / "bomb.npz")
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


class Parsed(Exception):
    """The arguments were taken."""


def parser_of(command, monkeypatch):
    """The parser that a command makes, caught before it parses."""
    caught = []

    def catch(self, *_, **__):
        caught.append(self)
        raise Parsed

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", catch)
        with pytest.raises(Parsed):
            cli.main([command])
    return caught[0]


NONSENSE = ("", "-1", "--5", "0", "²", "٣", "1.5", "1e3", "nan", "inf", "9" * 5_000, "a,b", "5,5")
NONSENSE += ("../x", "\x00", "x" * 300, "10x", "x10", "0x0", "é", "\ud800", "none", "NONE")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_nonsense_on_the_command_line_is_answered_by_usage(command, monkeypatch, capsys, tmp_path):
    """Options are drawn from the parser itself: a new one is attacked without being listed."""
    monkeypatch.chdir(tmp_path)
    parser, chance = parser_of(command, monkeypatch), random.Random(command)
    actions = [action for action in parser._actions if action.dest != "help"]
    parse_args = argparse.ArgumentParser.parse_args

    def stop(self, args=None, namespace=None):
        parse_args(self, args, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    for _ in range(300 if FULL else 25):
        argv = []
        for action in chance.sample(actions, min(len(actions), chance.randrange(1, 4))):
            name = [chance.choice(action.option_strings)] if action.option_strings else []
            argv += name + ([] if action.nargs == 0 else [chance.choice(NONSENSE)])
        try:
            status = cli.main([command, *argv])
        except Parsed:
            continue
        except SystemExit as stop_:
            status = stop_.code
        printed = capsys.readouterr()
        assert status in (0, 2), argv
        if status == 2:
            assert printed.err.strip() and not printed.out and "Traceback" not in printed.err


def tar_bytes(*members):
    """A tar of (name, type, announced size, zeros that follow); the sizes need not be true."""
    out = io.BytesIO()
    for name, kind, size, zeros in members:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, size
        out.write(info.tobuf(tarfile.USTAR_FORMAT) + bytes(-(-zeros // 512) * 512))
    return out.getvalue() + bytes(1024)


BOMBS = {  # each a few kilobytes that unpack to a thousand times as much
    "a member that nobody asked for": ("other", tarfile.REGTYPE),
    "a header that goes on": ("PaxHeaders", tarfile.XHDTYPE),
    "a long name": ("././@LongLink", tarfile.GNUTYPE_LONGNAME),
    "a batch that is too long": (f"{cifar_folder.FOLDER}/data_batch_1.bin", tarfile.REGTYPE),
}


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_an_archive_bomb_is_refused_before_it_is_unpacked(bomb, suffix, tmp_path):
    name, kind = BOMBS[bomb]
    size = 12 * 2**20
    pack = partial(lzma.compress, preset=0) if suffix.endswith("xz") else gzip.compress
    archive = tmp_path / f"archive{suffix}"
    archive.write_bytes(pack(tar_bytes((name, kind, size, size))))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="archive.tar"):
            cifar_folder.install(tmp_path, 10, archive)
        assert tracemalloc.get_traced_memory()[1] < size / 2
    finally:
        tracemalloc.stop()
    assert not list(tmp_path.glob(".*"))


def test_an_image_file_of_many_pixels_is_refused_by_its_header(tmp_path):
    head = struct.pack(">2I5B", 9_000, 9_000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(9_001))), (b"IEND", b""))
    (tmp_path / "large.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="9,000 x 9,000 pixels are more than 36,000,000"):
            image_for(str(tmp_path / "large.png"), DATA)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()
