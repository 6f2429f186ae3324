"""data_fetch.py makes CIFAR-10's folder from archives, hostile ones too, from other folders and
from JPEG files.
"""

import hashlib
import io
import lzma
import sys
import tarfile

import fake_server
import numpy as np
import pytest
from fake_server import (
    ARCHIVE,
    CIFAR_PATH,
    archive_of,
    batches_in,
    names_in,
    run,
    serve_datasets,
    small_cifar,
)

from refimpl.files.cifar_folder import BATCHES, CLASS_NAMES


@pytest.fixture
def site():
    with serve_datasets() as fake:
        yield fake


# Archives.


def set_archive(site, archive):
    """Have the site serve `archive` as if it were the published one."""
    site.files[CIFAR_PATH] = archive
    site.datasets = fake_server.small_datasets(site.url, archive)


def refused(site, tmp_path, capsys):
    """Run, expect a failure that leaves no batches, and return what it said."""
    data_dir = tmp_path / "deep" / "data"
    assert run(site, "cifar10", "--data-dir", data_dir) == 1
    assert names_in(data_dir / "cifar10") == [".lock", "cifar-10-binary.tar.gz"]
    return capsys.readouterr().err


def without(name):
    return {key: content for key, content in small_cifar().items() if key != name}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_the_like_are_refused(site, tmp_path, capsys, kind):
    secret = tmp_path / "secret"
    secret.write_bytes(small_cifar()["data_batch_1.bin"])
    link = ("cifar-10-batches-bin/data_batch_1.bin", kind, str(secret))
    set_archive(site, archive_of(without("data_batch_1.bin"), links=[link]))
    assert "data_batch_1.bin is a link, or too large" in refused(site, tmp_path, capsys)


@pytest.mark.parametrize(
    "prefix", ["../", "/", "cifar-10-batches-bin/../../", "cifar-10-batches-bin/x/"]
)
def test_members_elsewhere_are_not_unpacked(site, tmp_path, capsys, prefix):
    set_archive(site, archive_of(small_cifar(), prefix))
    assert "data_batch_1.bin: missing" in refused(site, tmp_path, capsys)
    assert [path.name for path in tmp_path.rglob("*.bin")] == []


def test_a_folder_that_is_a_link_is_not_followed(site, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    set_archive(
        site,
        archive_of(small_cifar(), links=[("cifar-10-batches-bin", tarfile.SYMTYPE, str(outside))]),
    )
    assert run(site, "cifar10", "--data-dir", tmp_path / "data") == 0
    assert names_in(outside) == []


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (archive_of(without("test_batch.bin")), "test_batch.bin: missing"),
        (
            archive_of(small_cifar() | {"data_batch_5.bin": b"short"}),
            "data_batch_5.bin: expected 30,730 bytes",
        ),
        (
            archive_of(small_cifar() | {"data_batch_5.bin": bytes(30_731)}),
            "data_batch_5.bin is a link, or too large",
        ),
        (
            archive_of(small_cifar() | {"test_batch.bin": bytes(30_730)}),
            "test labels: expected 1 of each class",
        ),
        (
            archive_of(small_cifar() | {"data_batch_1.bin": b"\x0a" * 30_730}),
            "data labels: expected 5 of each class",
        ),
        (ARCHIVE[:-1000], "cifar-10-binary.tar.gz: damaged"),
    ],
)
def test_wrong_archives_are_refused(site, tmp_path, capsys, archive, message):
    set_archive(site, archive)
    assert message in refused(site, tmp_path, capsys)


def test_the_official_archive_is_imported_and_kept(site, tmp_path, capsys):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(ARCHIVE)
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 0
    source = (batches_in(tmp_path / "data") / "SOURCE").read_text().splitlines()
    assert source[0] == "CIFAR-10"
    assert (
        f"{hashlib.sha256(small_cifar()['test_batch.bin']).hexdigest()}  test_batch.bin" in source
    )
    assert names_in(tmp_path / "data" / "cifar10") == [".lock", "cifar-10-batches-bin"]
    assert (tmp_path / "cifar-10-binary.tar.gz").exists()
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(ARCHIVE[:-1] + b"?")
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "other") == 1
    assert "expected SHA-256" in capsys.readouterr().err
    assert names_in(tmp_path / "other" / "cifar10") == [".lock"]


# Folders of .bin files.


def put_batches(folder):
    folder.mkdir(parents=True)
    for name, content in small_cifar().items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    "inner", ["cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "elsewhere"]
)
def test_batches_without_source_are_an_unverified_copy(site, tmp_path, inner):
    put_batches(tmp_path / "from" / inner)
    origin = tmp_path / "from" / inner if inner == "elsewhere" else tmp_path / "from"
    assert run(site, "cifar10", "--from", origin, "--data-dir", tmp_path / "data") == 0
    assert (
        (batches_in(tmp_path / "data") / "SOURCE")
        .read_text()
        .startswith("CIFAR-10 (unverified copy)\n")
    )
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


def test_of_a_copy_that_is_too_large_little_is_read(site, tmp_path, capsys):
    put_batches(tmp_path / "cifar-10-batches-bin")
    with open(tmp_path / "cifar-10-batches-bin" / "test_batch.bin", "wb") as large:
        large.truncate(1 << 42)
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 1
    assert "test_batch.bin: expected 30,730 bytes, found 30,731" in capsys.readouterr().err


# JPEG files.


def jpeg_of(pixels):
    image_module = pytest.importorskip("PIL.Image", reason="decoding JPEG needs Pillow")
    out = io.BytesIO()
    image_module.fromarray(pixels).save(out, "JPEG", quality=75)
    return out.getvalue()


def small_jpegs():
    """{name: content} of five images of each class for training and one for testing."""
    rng = np.random.default_rng(3)
    names = [
        f"{split}/{name}/{i}.jpg"
        for split, each in (("train", 5), ("test", 1))
        for i in range(each)
        for name in CLASS_NAMES
    ]
    return {name: jpeg_of(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for name in names}


def records_of(files, split):
    """uint8 (N, 3073) of the images of a split, in the archive's order."""
    from PIL import Image

    records = []
    for name, content in files.items():
        if name.startswith(split):
            pixels = np.asarray(Image.open(io.BytesIO(content)))
            channels = [pixels[:, :, channel].ravel() for channel in range(3)]
            records.append(np.concatenate([[CLASS_NAMES.index(name.split("/")[1])], *channels]))
    return np.array(records, dtype=np.uint8)


def test_jpegs_are_decoded_and_shuffled(site, tmp_path):
    files = small_jpegs()
    (tmp_path / "cifar10-jpeg").mkdir()
    (tmp_path / "cifar10-jpeg" / "cifar10-jpeg.tar.xz").write_bytes(
        archive_of(files, "", pack=lzma.compress)
    )
    assert run(site, "--from", tmp_path, "--data-dir", tmp_path / "data") == 0
    rng = np.random.default_rng(0)
    expected = [rng.permutation(records_of(files, split)).tobytes() for split in ("train", "test")]
    found = [(batches_in(tmp_path / "data") / name).read_bytes() for name in BATCHES]
    assert b"".join(found) == b"".join(expected)
    assert (batches_in(tmp_path / "data") / "SOURCE").read_text().startswith("CIFAR-10 (JPEG)\n")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train/horse/0.jpg", b"x", "cannot identify image"),
        ("train/unicorn/9.jpg", b"x", "train/unicorn/9.jpg is not an image of a class"),
        ("valid/horse/9.jpg", b"x", "valid/horse/9.jpg is not an image of a class"),
        ("../train/horse/9.jpg", b"x", "is not an image of a class"),
        ("stray", b"x", "stray is not an image of a class"),
        ("train/horse/9.jpg", bytes(70_000), "is not an image of a class"),
        ("train/horse/9.jpg", b"one more", "expected 60 images, found more"),
        ("train/horse/0.jpg", None, "data_batch_5.bin: expected 30,730 bytes, found 27,657"),
        ("train/horse/0.jpg", np.zeros((64, 64, 3), np.uint8), "is not 32 x 32 in colour"),
        ("train/horse/0.jpg", np.zeros((32, 32), np.uint8), "is not 32 x 32 in colour"),
    ],
)
def test_wrong_jpeg_archives_are_refused(site, tmp_path, capsys, name, content, message):
    files = small_jpegs() | {name: jpeg_of(content) if isinstance(content, np.ndarray) else content}
    files = {name: content for name, content in files.items() if content is not None}
    (tmp_path / "cifar10-jpeg.tar.xz").write_bytes(archive_of(files, "", pack=lzma.compress))
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 1
    assert message in capsys.readouterr().err
    assert names_in(tmp_path / "data" / "cifar10") == [".lock"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda good: good[:-500],
        lambda _: lzma.compress(b"no tar"),
        lambda _: b"no xz",
        lambda good: good[:5_000] + bytes(99) + good[5_099:],
        lambda good: good[:20_000] + bytes(99) + good[20_099:],
    ],
)
def test_a_damaged_jpeg_archive_is_refused(site, tmp_path, capsys, damage):
    good = archive_of(small_jpegs(), "", pack=lzma.compress)
    (tmp_path / "cifar10-jpeg.tar.xz").write_bytes(damage(good))
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 1
    assert "cifar10-jpeg.tar.xz: damaged" in capsys.readouterr().err


def test_without_pillow_the_message_says_how_to_install_it(site, tmp_path, capsys, monkeypatch):
    (tmp_path / "cifar10-jpeg.tar.xz").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert run(site, "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data") == 1
    assert "pip install pillow" in capsys.readouterr().err
