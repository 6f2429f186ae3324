"""data_fetch.py against a real server that misbehaves, killed runs, hostile archives and local copies."""

import contextlib
import gzip
import hashlib
import io
import lzma
import signal
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_server import serve

import data_fetch
from data_fetch import Dataset, File, check, get, main, problems

ROOT = Path(data_fetch.__file__).parent
RECORDS = 10  # in each .bin of the small CIFAR-10
CONTENT = np.random.default_rng(0).bytes(300_000)
PATH = "/a/images.gz"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Short waits; no proxy."""
    monkeypatch.setattr(data_fetch, "BACKOFF", 0.01)
    monkeypatch.setattr(data_fetch, "STALL", 0.3)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    """Serves CONTENT, gzipped, at two addresses."""
    packed = gzip.compress(CONTENT, mtime=0)
    with serve({PATH: packed, "/b/images.gz": packed}) as fake:
        yield fake


def images(server, *folders, content=CONTENT):
    """The File that `server` has in `folders`."""
    sources = tuple(f"{server.url}/{folder}/images.gz" for folder in folders or ["a"])
    return File("images.gz", len(content), hashlib.sha256(content).hexdigest(), sources)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_got(server, folder):
    assert (folder / "images.gz").read_bytes() == server.files[PATH]
    assert names_in(folder) == ["images.gz"]


# One download.


def test_a_good_server_sends_every_byte_once(server, tmp_path):
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH) == [None]
    assert server.sent(PATH) == len(server.files[PATH])


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_a_broken_download_resumes_and_no_byte_is_sent_twice(server, tmp_path, fault):
    server.plans[PATH] = [fault, fault]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    size = len(server.files[PATH])
    assert server.starts(PATH) == [None, size // 2, size // 2 + (size - size // 2) // 2]
    assert server.sent(PATH) == size


def test_a_reset_connection_resumes(server, tmp_path):
    server.plans[PATH] = ["reset"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert len(server.seen) == 2
    assert (server.starts(PATH)[1] or 0) <= len(server.files[PATH]) // 2  # what arrived before a reset may be lost


def test_a_server_that_ignores_range_starts_again(server, tmp_path):
    server.plans[PATH] = ["truncate", "ignore range"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH)[1] is not None


def test_a_server_that_answers_another_range_is_not_believed(server, tmp_path):
    server.plans[PATH] = ["truncate", "wrong range"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH)[2] is None


def test_a_corrupted_download_is_thrown_away(server, tmp_path):
    server.plans[PATH] = ["corrupt"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH) == [None, None]


def part_of(server, tmp_path, content):
    """A part left by an earlier run that was cut off."""
    server.plans[PATH] = ["truncate", 404]
    with pytest.raises(OSError, match="no source worked"):
        get(images(server), tmp_path)
    [part] = tmp_path.glob(".images.gz.*.part")
    part.write_bytes(content)
    server.seen.clear()


def test_a_whole_part_needs_no_byte_more(server, tmp_path):
    part_of(server, tmp_path, server.files[PATH])
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.sent(PATH) == 0


@pytest.mark.parametrize("extra", [-100, 0, 100])
def test_a_wrong_part_is_thrown_away(server, tmp_path, extra):
    part_of(server, tmp_path, bytes(len(server.files[PATH]) + extra))
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH)[-1] is None


def test_redirections_are_followed_with_the_range(server, tmp_path):
    server.plans[PATH] = ["truncate", "/b/images.gz"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts("/b/images.gz") == [len(server.files[PATH]) // 2]


def test_404_is_asked_once_and_the_next_source_serves(server, tmp_path):
    server.plans[PATH] = [404]
    get(images(server, "a", "b"), tmp_path)
    assert_got(server, tmp_path)
    assert [request.path for request in server.seen] == [PATH, "/b/images.gz"]


def test_after_a_few_tries_the_next_source_serves_from_its_start(server, tmp_path):
    server.plans[PATH] = ["truncate"] + [500] * 9
    get(images(server, "a", "b"), tmp_path)
    assert_got(server, tmp_path)
    assert len(server.starts(PATH)) == data_fetch.TRIES
    assert server.starts("/b/images.gz") == [None]


@pytest.mark.parametrize(("asked", "waits"), [("7", [7, 7]), ("9999", [60, 60]), ("Wed, soon", [0.01, 0.02])])
def test_503_is_asked_again_after_what_it_says_within_a_cap(server, tmp_path, monkeypatch, asked, waits):
    slept = []
    monkeypatch.setattr(data_fetch.time, "sleep", slept.append)
    server.plans[PATH] = [503, 429]
    server.headers["Retry-After"] = asked
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert slept == waits


def test_when_every_source_fails_the_message_says_why(server, tmp_path):
    server.plans = {PATH: [404], "/b/images.gz": ["corrupt"] * 9}
    with pytest.raises(OSError, match="images.gz: no source worked") as caught:
        get(images(server, "a", "b"), tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[1].startswith(f"  {server.url}{PATH}: HTTP Error 404")
    assert lines[2].startswith(f"  {server.url}/b/images.gz: ")
    assert "images.gz" in lines[2]
    assert len(server.starts("/b/images.gz")) == 2  # wrong twice is wrong
    assert names_in(tmp_path) == []


def test_nobody_listening(server, tmp_path):
    file = replace(images(server), sources=("http://127.0.0.1:1/images.gz",))
    with pytest.raises(OSError, match="Connection refused"):
        get(file, tmp_path)


def test_a_file_without_end_is_cut_at_its_size(server, tmp_path):
    server.plans[PATH] = ["endless"] * 9
    with pytest.raises(OSError, match="expected at most .* bytes, found more"):
        get(images(server), tmp_path)
    assert server.sent(PATH) < 20_000_000
    assert names_in(tmp_path) == []


def test_a_file_announced_too_long_is_not_read(server, tmp_path):
    server.files[PATH] = bytes(50_000_000)
    with pytest.raises(OSError, match="found 50,000,000 announced"):
        get(images(server), tmp_path)
    assert names_in(tmp_path) == []


def test_a_gzip_bomb_is_refused_after_the_expected_size(server, tmp_path):
    server.files[PATH] = gzip.compress(CONTENT[:1000] + bytes(100_000_000))
    with pytest.raises(OSError, match="expected 300,000 bytes, found 300,000 and more"):
        get(images(server), tmp_path)
    assert names_in(tmp_path) == []
    (tmp_path / "bomb.gz").write_bytes(server.files[PATH])
    tracemalloc.start()
    with pytest.raises(ValueError, match="and more"):
        check(tmp_path / "bomb.gz", images(server))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_the_content_counts_not_how_it_is_packed(server, tmp_path):
    server.files[PATH] = gzip.compress(CONTENT, 1, mtime=99)
    get(images(server), tmp_path)
    check(tmp_path / "images.gz", images(server))


def test_a_local_source_comes_first_and_is_passed_over_when_absent_or_wrong(server, tmp_path, capsys):
    local = tmp_path / "debian.gz"
    file = replace(images(server), sources=(str(local), *images(server).sources))
    for content, requests in ((None, 1), (b"junk", 2), (gzip.compress(CONTENT[1:]), 3), (server.files[PATH], 3)):
        if content is not None:
            local.write_bytes(content)
        folder = tmp_path / f"{requests} {content is None} {len(content or b'')}"
        folder.mkdir()
        get(file, folder)
        assert_got(server, folder)
        assert len(server.seen) == requests
        assert (f"images.gz: from {local}" in capsys.readouterr().out) == (content is not None)


def test_a_local_file_that_is_too_large_is_not_copied(server, tmp_path):
    (tmp_path / "large").write_bytes(bytes(5_000_000))
    with pytest.raises(OSError, match="expected at most 307,096 bytes, found 5,000,000"):
        get(replace(images(server), sources=(str(tmp_path / "large"),)), tmp_path)
    assert names_in(tmp_path) == ["large"]


# Whole runs.


def small_cifar(seed=0):
    """{name: content} of six batches of RECORDS, a record of each class in each."""
    rng = np.random.default_rng(seed)
    files = {}
    for name in data_fetch.BATCHES:
        batch = rng.integers(0, 256, (RECORDS, 3073), dtype=np.uint8)
        batch[:, 0] = rng.permutation(RECORDS)
        files[name] = batch.tobytes()
    return files


def archive_of(files, prefix="cifar-10-batches-bin/", links=(), pack=lambda tar: gzip.compress(tar, mtime=0)):
    """A packed tar of {name: content} and of links [(name, type, target)]; the same bytes every time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, kind, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, 3073 * RECORDS
            tar.addfile(member)
    return pack(out.getvalue())


def small_datasets(url, archive):
    """Like data_fetch.DATASETS: four small idx files, and the archive of a small CIFAR-10."""
    names = ["train-images.gz", "train-labels.gz", "t10k-images.gz", "t10k-labels.gz"]
    digests = [hashlib.sha256(CONTENT[: 1000 + i]).hexdigest() for i in range(4)]
    idx_files = [File(n, 1000 + i, digests[i], (f"{url}/m/{n}", f"{url}/n/{n}")) for i, n in enumerate(names)]
    name = "cifar-10-binary.tar.gz"
    file = File(name, len(archive), hashlib.sha256(archive).hexdigest(), (f"{url}/c/{name}",), packed=False)
    return Dataset("mnist", "digits", tuple(idx_files)), Dataset("cifar10", "photographs", (file,), RECORDS)


ARCHIVE = archive_of(small_cifar() | {"batches.meta.txt": b"airplane\n", "readme.html": b"<html>"})
IDX_NAMES = [file.name for file in small_datasets("", ARCHIVE)[0].files]
CIFAR_PATH = "/c/cifar-10-binary.tar.gz"


@pytest.fixture
def site():
    """Serves the small data sets; `site.datasets` describes them."""
    files = {f"/m/{name}": gzip.compress(CONTENT[: 1000 + i]) for i, name in enumerate(IDX_NAMES)}
    with serve(files | {CIFAR_PATH: ARCHIVE}) as fake:
        fake.datasets = small_datasets(fake.url, ARCHIVE)
        yield fake


def run(site, *arguments):
    return main([str(argument) for argument in arguments], site.datasets)


def batches_in(data_dir):
    return data_dir / "cifar10" / "cifar-10-batches-bin"


def test_everything_is_got_once(site, tmp_path, capsys):
    assert run(site, "--data-dir", tmp_path) == 0
    assert len(site.seen) == 5
    assert names_in(tmp_path / "mnist") == sorted([".lock", *IDX_NAMES])
    assert names_in(tmp_path / "cifar10") == [".lock", "cifar-10-batches-bin"]
    for name, content in small_cifar().items():
        assert (batches_in(tmp_path) / name).read_bytes() == content
    source = (batches_in(tmp_path) / "SOURCE").read_text().splitlines()
    assert source[0] == "CIFAR-10"
    assert f"{hashlib.sha256(small_cifar()['test_batch.bin']).hexdigest()}  test_batch.bin" in source
    capsys.readouterr()
    assert run(site, "--data-dir", tmp_path) == 0
    assert len(site.seen) == 5
    assert capsys.readouterr().out.count("already there and right") == 2
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
    assert problems(site.datasets[1], tmp_path) == []


@pytest.mark.parametrize("arguments", [["imagenet"], ["--from", "/nowhere"], ["--list", "--verify"], ["--fast"]])
def test_bad_usage(site, tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        run(site, *arguments, "--data-dir", tmp_path)
    assert caught.value.code == 2
    assert capsys.readouterr().err


# Archives.


def set_archive(site, archive):
    """Have the site serve `archive` as if it were the published one."""
    site.files[CIFAR_PATH] = archive
    site.datasets = small_datasets(site.url, archive)


def refused(site, tmp_path, capsys):
    """Run, expect a failure that leaves no batches, and return what it said."""
    data_dir = tmp_path / "deep" / "data"
    assert run(site, "cifar10", "--data-dir", data_dir) == 1
    assert names_in(data_dir / "cifar10") == [".lock", "cifar-10-binary.tar.gz"]
    return capsys.readouterr().err


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_the_like_are_refused(site, tmp_path, capsys, kind):
    files = small_cifar()
    secret = tmp_path / "secret"
    secret.write_bytes(files.pop("data_batch_1.bin"))
    set_archive(site, archive_of(files, links=[("cifar-10-batches-bin/data_batch_1.bin", kind, str(secret))]))
    assert "data_batch_1.bin is not a regular file" in refused(site, tmp_path, capsys)


@pytest.mark.parametrize("prefix", ["../", "/", "cifar-10-batches-bin/../../", "cifar-10-batches-bin/x/"])
def test_members_elsewhere_are_not_unpacked(site, tmp_path, capsys, prefix):
    set_archive(site, archive_of(small_cifar(), prefix))
    assert "data_batch_1.bin" in refused(site, tmp_path, capsys)
    assert [path.name for path in tmp_path.rglob("*.bin")] == []


def test_a_folder_that_is_a_link_is_not_followed(site, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = ("cifar-10-batches-bin", tarfile.SYMTYPE, str(outside))
    names = archive_of({}, links=[link])
    with gzip.open(io.BytesIO(names)) as first, gzip.open(io.BytesIO(ARCHIVE)) as second:
        set_archive(site, gzip.compress(first.read()[:512] + second.read()))
    assert run(site, "cifar10", "--data-dir", tmp_path / "data") == 0
    assert names_in(outside) == []


def without(name):
    return {key: content for key, content in small_cifar().items() if key != name}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (without("test_batch.bin"), "test_batch.bin missing"),
        (small_cifar() | {"data_batch_5.bin": b"short"}, "data_batch_5.bin is not a regular file of 30,730 bytes"),
        (small_cifar() | {"test_batch.bin": bytes(30_730)}, "test labels: expected 1 of each class"),
        (small_cifar() | {"data_batch_1.bin": b"\x0a" * 30_730}, "training labels: expected 5 of each class"),
    ],
)
def test_archives_with_wrong_batches_are_refused(site, tmp_path, capsys, files, message):
    set_archive(site, archive_of(files))
    assert message in refused(site, tmp_path, capsys)


def test_a_damaged_archive_is_refused(site, tmp_path, capsys):
    set_archive(site, ARCHIVE[:-1000])
    assert "cifar-10-binary.tar.gz: damaged" in refused(site, tmp_path, capsys)


# Local copies.


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
    assert "expected SHA-256" in capsys.readouterr().err
    (tmp_path / "from" / "mnist" / IDX_NAMES[0]).unlink()
    assert run(site, "--from", tmp_path / "from", "--data-dir", tmp_path / "data") == 1
    assert "train-images.gz: no source worked" in capsys.readouterr().err
    assert names_in(tmp_path / "data" / "mnist") == [".lock"]


def test_what_is_not_there_fails_only_if_named(site, tmp_path, capsys):
    put_idx(tmp_path / "from" / "mnist")
    assert run(site, "--from", tmp_path / "from", "--data-dir", tmp_path / "data") == 0
    assert f"cifar10: not in {tmp_path / 'from'}" in capsys.readouterr().out
    assert run(site, "mnist", "cifar10", "--from", tmp_path / "from", "--data-dir", tmp_path / "data") == 1
    (tmp_path / "empty").mkdir()
    assert run(site, "--from", tmp_path / "empty", "--data-dir", tmp_path / "other") == 1
    assert site.seen == []


def put_batches(folder, files=None):
    folder.mkdir(parents=True)
    for name, content in (files or small_cifar()).items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("inner", ["cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "elsewhere"])
def test_batches_without_source_are_an_unverified_copy(site, tmp_path, inner):
    put_batches(tmp_path / "from" / inner)
    origin = tmp_path / "from" / inner if inner == "elsewhere" else tmp_path / "from"
    assert run(site, "cifar10", "--from", origin, "--data-dir", tmp_path / "data") == 0
    assert (batches_in(tmp_path / "data") / "SOURCE").read_text().startswith("CIFAR-10 (unverified copy)\n")
    assert run(site, "cifar10", "--verify", "--data-dir", tmp_path / "data") == 0


def test_batches_put_there_by_hand_are_taken_as_far_as_they_can_be_checked(site, tmp_path, capsys):
    put_batches(batches_in(tmp_path))
    assert run(site, "cifar10", "--data-dir", tmp_path) == 0
    assert "no SOURCE: only sizes and labels" in capsys.readouterr().out
    assert site.seen == []
    assert not (batches_in(tmp_path) / "SOURCE").exists()


def test_batches_with_source_keep_it_and_are_checked_against_it(site, tmp_path, capsys):
    assert run(site, "cifar10", "--data-dir", tmp_path / "one") == 0
    assert run(site, "cifar10", "--from", tmp_path / "one", "--data-dir", tmp_path / "two") == 0
    first, second = (batches_in(tmp_path / name) / "SOURCE" for name in ("one", "two"))
    assert first.read_text() == second.read_text()
    (batches_in(tmp_path / "one") / "test_batch.bin").write_bytes(small_cifar(1)["test_batch.bin"])
    assert run(site, "cifar10", "--from", tmp_path / "one", "--data-dir", tmp_path / "three") == 1
    assert "test_batch.bin: not the SHA-256" in capsys.readouterr().err
    assert names_in(tmp_path / "three" / "cifar10") == [".lock"]


def test_unbalanced_batches_are_refused(site, tmp_path, capsys):
    put_batches(tmp_path / "cifar-10-batches-bin", small_cifar() | {"test_batch.bin": bytes(30_730)})
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 1
    assert "test labels: expected 1 of each class 0 to 9, found {0: 10}" in capsys.readouterr().err


def test_the_official_archive_is_imported_and_kept(site, tmp_path, capsys):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(ARCHIVE)
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 0
    assert (batches_in(tmp_path / "data") / "SOURCE").read_text().startswith("CIFAR-10\n")
    assert (tmp_path / "cifar-10-binary.tar.gz").exists()
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(ARCHIVE[:-1] + b"?")
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "other") == 1
    assert "expected SHA-256" in capsys.readouterr().err


def jpeg_archive():
    """A small cifar10-jpeg.tar.xz, and its decoded records uint8 in the archive's order, by split."""
    image_module = pytest.importorskip("PIL.Image", reason="decoding JPEG needs Pillow")
    rng = np.random.default_rng(3)
    files, records = {}, {"train": [], "test": []}
    for split, each in ("train", 5), ("test", 1):
        for i in range(each):
            for label, name in enumerate(data_fetch.CLASS_NAMES):
                out = io.BytesIO()
                image_module.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(out, "JPEG", quality=75)
                files[f"{split}/{name}/{i}.jpg"] = out.getvalue()
                with image_module.open(out) as image:
                    pixels = np.asarray(image)
                records[split].append([label, *(pixels[:, :, channel].tolist() for channel in range(3))])
    flat = {k: np.array([np.concatenate([[r[0]], *map(np.ravel, r[1:])]) for r in v], np.uint8) for k, v in records.items()}
    return files, flat


def test_jpegs_are_decoded_and_shuffled(site, tmp_path):
    files, records = jpeg_archive()
    (tmp_path / "cifar10-jpeg").mkdir()
    (tmp_path / "cifar10-jpeg" / "cifar10-jpeg.tar.xz").write_bytes(archive_of(files, "", pack=lzma.compress))
    assert run(site, "--from", tmp_path, "--data-dir", tmp_path / "data") == 0
    rng = np.random.default_rng(0)
    expected = np.concatenate([rng.permutation(records["train"]), rng.permutation(records["test"])])
    found = b"".join((batches_in(tmp_path / "data") / name).read_bytes() for name in data_fetch.BATCHES)
    assert found == expected.tobytes()
    assert (batches_in(tmp_path / "data") / "SOURCE").read_text().startswith("CIFAR-10 (JPEG)\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train/horse/0.jpg": b"x"}, "cannot identify image"),
        ({"train/unicorn/9.jpg": b"x"}, "train/unicorn/9.jpg is not an image of a class"),
        ({"valid/horse/9.jpg": b"x"}, "valid/horse/9.jpg is not an image of a class"),
        ({"../train/horse/9.jpg": b"x"}, "is not an image of a class"),
        ({"train/horse/9.jpg": bytes(70_000)}, "is not an image of a class"),
        ({"train/horse/9.jpg": "again"}, "expected 60 images, found more"),
        ({"train/horse/0.jpg": None}, "data_batch_5.bin: expected 30,730 bytes, found 27,657"),
        ({"train/horse/0.jpg": "large"}, "is not 32 x 32 in colour"),
    ],
)
def test_wrong_jpeg_archives_are_refused(site, tmp_path, capsys, change, message):
    files, _ = jpeg_archive()
    for name, content in change.items():
        if content == "large":
            from PIL import Image

            out = io.BytesIO()
            Image.new("RGB", (64, 64)).save(out, "JPEG")
            content = out.getvalue()
        files[name] = files["test/cat/0.jpg"] if content == "again" else content
        if content is None:
            del files[name]
    (tmp_path / "cifar10-jpeg.tar.xz").write_bytes(archive_of(files, "", pack=lzma.compress))
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 1
    assert message in capsys.readouterr().err
    assert names_in(tmp_path / "data" / "cifar10") == [".lock"]


def test_without_pillow_the_message_says_how_to_install_it(site, tmp_path, capsys, monkeypatch):
    (tmp_path / "cifar10-jpeg.tar.xz").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 1
    assert "pip install pillow" in capsys.readouterr().err


# Other processes: killed, interrupted, at the same time.

DRIVER = """
import sys, time, data_fetch
sys.path.insert(0, {tests!r})
from test_data_fetch import ARCHIVE, small_datasets
data_fetch.BACKOFF = .01
{setup}
sys.exit(data_fetch.main(sys.argv[1:], small_datasets({url!r}, ARCHIVE)))
"""
HANG = """
real = data_fetch.{name}
def hang(*arguments):
    result = real(*arguments)
    if {when}:
        print("hanging", flush=True)
        time.sleep(60)
    return result
data_fetch.{name} = hang
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


def wait_for_part(folder, size):
    """Wait until a part of at least `size` bytes is on disk."""
    for _ in range(1000):
        if any(path.stat().st_size >= size for path in folder.glob(".*.part")):
            return
        time.sleep(0.01)
    raise AssertionError(f"no part of {size} bytes in {folder}")


def test_killed_while_downloading_nothing_is_accepted_and_the_next_run_resumes(site, tmp_path, capsys):
    site.plans[CIFAR_PATH] = ["dribble"]
    with process(site, "cifar10", "--data-dir", tmp_path) as child:
        wait_for_part(tmp_path / "cifar10", 1)
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
        ("unpack_archive", "True"),
        ("flush", "str(arguments[0]).endswith('batches-bin.part')"),
        ("os.replace", "str(arguments[0]).endswith('batches-bin')"),
    ],
)
def test_killed_while_unpacking_nothing_is_accepted_and_the_next_run_completes(site, tmp_path, name, when):
    batches_in(tmp_path).mkdir(parents=True)
    (batches_in(tmp_path) / "data_batch_1.bin").write_bytes(b"an old wrong file")
    with process(site, "cifar10", "--data-dir", tmp_path, setup=HANG.format(name=name, when=when)) as child:
        assert any(line == "hanging\n" for line in child.stdout)
        child.send_signal(signal.SIGKILL)
    assert problems(site.datasets[1], tmp_path) != []
    assert run(site, "cifar10", "--data-dir", tmp_path) == 0
    assert len(site.seen) == 1  # the archive was whole
    assert names_in(tmp_path / "cifar10") == [".lock", "cifar-10-batches-bin"]


def test_interrupted_says_so_in_a_line(site, tmp_path):
    site.plans[CIFAR_PATH] = ["dribble"]
    with process(site, "cifar10", "--data-dir", tmp_path) as child:
        wait_for_part(tmp_path / "cifar10", 1)
        child.send_signal(signal.SIGINT)
        told = child.communicate(timeout=10)[1]
    assert child.returncode == 130
    assert told.strip() == "interrupted; run it again to go on"


def test_a_second_run_waits_for_the_first(site, tmp_path):
    site.plans[CIFAR_PATH] = ["stall"]
    results = []
    with process(site, "cifar10", "--data-dir", tmp_path, setup="data_fetch.STALL = 1.5") as child:
        wait_for_part(tmp_path / "cifar10", 1)
        second = threading.Thread(target=lambda: results.append(run(site, "cifar10", "--data-dir", tmp_path)))
        second.start()
        assert child.wait(timeout=10) == 0
        second.join(timeout=10)
    assert results == [0]
    assert site.sent(CIFAR_PATH) == len(ARCHIVE)
    assert problems(site.datasets[1], tmp_path) == []


def test_it_runs_where_nothing_is_installed(tmp_path):
    command = [sys.executable, "-S", "data_fetch.py", "--list", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        [dataset.name, "missing"] for dataset in data_fetch.DATASETS
    ]
