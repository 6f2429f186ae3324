"""Reader of CIFAR-10's binary batches."""

import tracemalloc

import numpy as np
import pytest

from refimpl.data.cifar import read_batches, source_name
from refimpl.files.paths import default_data_dir


def write_batches(folder, files=2, records=4, top=10, seed=0):
    """Random batch files; returns their paths and records uint8 (files * records, 3073)."""
    rng = np.random.default_rng(seed)
    content = rng.integers(0, 256, (files * records, 3073), dtype=np.uint8)
    content[:, 0] %= top
    paths = [folder / f"batch_{i}.bin" for i in range(files)]
    for path, batch in zip(paths, np.split(content, files), strict=True):
        batch.tofile(path)
    return paths, content


def test_records_are_read_in_order(tmp_path):
    paths, content = write_batches(tmp_path)
    images, labels = read_batches(paths, 4)
    assert (images.dtype, images.shape, labels.dtype) == (np.float32, (8, 3072), np.int64)
    assert np.array_equal(labels, content[:, 0])
    exact = content[:, 1:].astype(np.float32) / np.float32(255)
    assert np.array_equal(images, exact)


def test_sizes_are_checked_before_anything_is_read(tmp_path):
    paths, _ = write_batches(tmp_path)
    paths[0].write_bytes(
        bytes([99]) * 4 * 3073
    )  # its labels are wrong, but the size of the second comes first
    for content in (b"", bytes(4 * 3073 - 1), bytes(4 * 3073 + 1)):
        paths[1].write_bytes(content)
        with pytest.raises(
            ValueError, match=rf"batch_1.bin: expected 12,292 bytes, found {len(content):,}$"
        ):
            read_batches(paths, 4)


def test_labels_are_checked(tmp_path):
    paths, content = write_batches(tmp_path)
    content[6, 0] = 10
    content[4:].tofile(paths[1])
    with pytest.raises(
        ValueError, match="batch_1.bin: expected labels below 10, found 10 in record 2"
    ):
        read_batches(paths, 4)


def test_a_missing_file_says_how_to_get_it(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match="x.bin is missing; get it with: python -m data_fetch cifar10; without a network: "
        "python -m data_fetch cifar10 --from DIR",
    ):
        read_batches([tmp_path / "x.bin"])


def test_one_batch_of_bytes_at_a_time(tmp_path):
    paths, _ = write_batches(tmp_path, files=5, records=300)
    tracemalloc.start()
    images, _ = read_batches(paths, 300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= images.nbytes + 1.1 * 300 * 3073 + 200_000


def test_source_name(tmp_path):
    assert source_name(tmp_path) == "CIFAR-10"
    (tmp_path / "SOURCE").write_text("CIFAR-10 (JPEG)\nmade so and so\n")
    assert source_name(tmp_path) == "CIFAR-10 (JPEG)"
    (tmp_path / "SOURCE").write_text("\n")
    assert source_name(tmp_path) == "CIFAR-10"


def test_installed_batches():
    folder = default_data_dir() / "cifar10" / "cifar-10-batches-bin"
    if not (folder / "test_batch.bin").exists():
        pytest.skip(f"no cifar10 in {default_data_dir()} (python data_fetch.py cifar10)")
    images, labels = read_batches([folder / "test_batch.bin"])
    assert np.bincount(labels).tolist() == [1000] * 10
    assert 0.44 < images.mean() < 0.50  # of the published test images: .477
