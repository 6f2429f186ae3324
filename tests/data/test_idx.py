"""Readers of idx files: exact values, bounded memory, and every way a file can be wrong."""

import gzip
import re
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.data import idx
from refimpl.data.idx import read_images, read_labels, read_pixels
from refimpl.files.paths import default_data_dir

PACKING = pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])


def images_file(pixels, count=None, magic=0x803):
    """Bytes of an idx3 file of pixels uint8 (n, rows, cols), whose header says `count`."""
    n, rows, cols = pixels.shape
    return struct.pack(">4I", magic, n if count is None else count, rows, cols) + pixels.tobytes()


def labels_file(labels, count=None, magic=0x801):
    return struct.pack(">2I", magic, len(labels) if count is None else count) + bytes(labels)


def some_pixels(n=3, shape=(28, 28)):
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.fixture
def write(tmp_path):
    def put(content, name="file.gz"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return put


@PACKING
def test_every_byte_becomes_exactly_a_255th(write, pack):
    values = np.arange(256, dtype=np.uint8)
    found = read_images(write(pack(images_file(values.reshape(1, 16, 16)))), 1, shape=(16, 16))
    assert found.dtype == np.float32
    assert found.tolist() == [[float(np.float32(k) / np.float32(255)) for k in range(256)]]


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(0, 5),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    chunk=st.integers(1, 50),
    seed=st.integers(0, 99),
    pack=st.sampled_from([bytes, gzip.compress]),
)
def test_what_is_written_is_read(tmp_path_factory, count, shape, chunk, seed, pack):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    labels = rng.integers(0, 10, count, dtype=np.uint8)
    folder = tmp_path_factory.mktemp("idx")
    (folder / "images").write_bytes(pack(images_file(pixels)))
    (folder / "labels").write_bytes(pack(labels_file(labels)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idx, "CHUNK", chunk)
        found = read_images(folder / "images", count, shape)
        assert np.array_equal(
            read_pixels(folder / "images", count, shape), pixels.reshape(found.shape)
        )
    assert found.shape == (count, shape[0] * shape[1])
    assert np.array_equal(np.rint(found * 255).astype(np.uint8), pixels.reshape(found.shape))
    read = read_labels(folder / "labels", count)
    assert read.dtype == np.int64
    assert read.tolist() == labels.tolist()


def test_archives_of_several_members_are_read(write):
    content = images_file(some_pixels())
    path = write(gzip.compress(content[:100]) + gzip.compress(content[100:]))
    assert read_images(path, 3).shape == (3, 784)


@PACKING
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            images_file(some_pixels(), magic=0x801),
            "expected an idx file with magic number 0x803, found 0x801",
        ),
        (images_file(some_pixels(4)), "expected 3 x 28 x 28 .*found 4 x 28 x 28"),
        (images_file(some_pixels(3, (28, 27))), "expected 3 x 28 x 28 .*found 3 x 28 x 27"),
        (images_file(some_pixels(2), count=3), "expected 2,352 pixels, found only 1,568"),
        (images_file(some_pixels()) + b"\0", "expected the end of the file, found more"),
        (b"\0\0\x08\x03\0", "expected a header of 16 bytes, found only 5"),
        (b"", "expected a header of 16 bytes, found only 0"),
    ],
)
def test_wrong_images_are_refused(write, pack, content, expected, monkeypatch):
    monkeypatch.setattr(idx, "CHUNK", 1000)
    path = write(pack(content))
    for read in (read_images, read_pixels):
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {expected}"):
            read(path, 3)


@PACKING
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            labels_file([1, 2, 3], magic=0x803),
            "expected an idx file with magic number 0x801, found 0x803",
        ),
        (labels_file([1, 2]), "expected 3 .*found 2"),
        (labels_file([1, 2], count=3), "expected 3 labels, found only 2"),
        (labels_file([1, 2, 3, 4], count=3), "expected the end of the file, found more"),
        (labels_file([1, 10, 3]), "expected labels below 10, found 10 at 1"),
    ],
)
def test_wrong_labels_are_refused(write, pack, content, expected):
    path = write(pack(content))
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {expected}"):
        read_labels(path, 3)


def test_fewer_classes_can_be_asked_for(write):
    path = write(labels_file([0, 1, 2]))
    assert read_labels(path, 3, classes=3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="expected labels below 2, found 2 at 2"):
        read_labels(path, 3, classes=2)


def test_damaged_gzip_is_refused(write):
    good = gzip.compress(images_file(some_pixels()))
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0x10
    wrong_checksum = bytearray(good)
    wrong_checksum[-8] ^= 1
    no_such_block = good[:10] + b"\xff" + good[11:]
    for content in (
        flipped,
        no_such_block,
        wrong_checksum,
        good[:-9],
        good[:-1],
        good[:40],
        good + b"junk",
    ):
        with pytest.raises(ValueError, match="expected a sound gzip file, found a damaged one"):
            read_images(write(content), 3)


def test_a_missing_file_says_how_to_get_it(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match="train.gz is missing; get it with: python -m data_fetch fashion-mnist; "
        "without a network: .* fashion-mnist --from DIR, a copy of yours; digits needs none$",
    ):
        read_images(tmp_path / "fashion-mnist" / "train.gz", 3)
    with pytest.raises(FileNotFoundError, match="-m data_fetch NAME"):
        read_labels(tmp_path / "train.gz", 3)


def peak_of(run):
    tracemalloc.start()
    try:
        result = run()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_peak_memory_is_the_result_and_a_chunk(write):
    path = write(gzip.compress(images_file(some_pixels(5000)), 1))
    images, peak = peak_of(lambda: read_images(path, 5000))
    assert peak <= 1.2 * images.nbytes


@pytest.mark.parametrize(
    "header", [struct.pack(">4I", 0x803, 3, 28, 28), struct.pack(">4I", 0x803, 60_000, 28, 28)]
)
def test_a_gzip_bomb_is_not_unpacked(write, header):
    path = write(gzip.compress(header + bytes(60_000_000)))

    def refused():
        with pytest.raises(ValueError, match="expected"):
            read_images(path, 3)

    assert peak_of(refused)[1] < 2_000_000


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_published_files(name):
    folder = default_data_dir() / name
    if not (folder / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip(f"no {name} in {default_data_dir()} (python data_fetch.py {name})")
    images = read_images(folder / "t10k-images-idx3-ubyte.gz", 10_000)
    labels = read_labels(folder / "t10k-labels-idx1-ubyte.gz", 10_000)
    assert (images.min(), images.max()) == (0, 1)
    assert labels[:5].tolist() == {"mnist": [7, 2, 1, 0, 4], "fashion-mnist": [9, 2, 1, 1, 6]}[name]
