"""Reading MNIST's 60,000 training images from disk (drawn ones of that size without the file),
beside gunzip alone.
"""

import gzip
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np

from benchmarks.timing import CLOCKS, clock, compare, least_seconds, peak, report, within
from refimpl.data.idx import read_images, read_pixels
from refimpl.dtypes import rows_as
from refimpl.files.paths import default_data_dir


def naive(path):
    """Unpack all, then convert all."""
    raw = gzip.open(path).read()
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / np.float32(
        255
    )


def inflate(path):
    """zlib alone, in chunks that are thrown away."""
    unpack = zlib.decompressobj(31)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 18):
            unpack.decompress(chunk)


def drawn(path, count):
    """A file of noise as sparse as MNIST."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 784), dtype=np.uint8) * (
        rng.random((count, 784)) < 0.19
    ).astype(np.uint8)
    header = b"".join(v.to_bytes(4, "big") for v in (0x803, count, 28, 28))
    path.write_bytes(gzip.compress(header + pixels.tobytes(), 6))


def main(quick=False):
    with tempfile.TemporaryDirectory() as folder:
        path, count = default_data_dir() / "mnist" / "train-images-idx3-ubyte.gz", 60_000
        if quick or not path.exists():
            path, count = Path(folder) / "train-images-idx3-ubyte.gz", 2_000 if quick else 60_000
            drawn(path, count)
        assert np.array_equal(read_images(path, count), naive(path))
        assert np.array_equal(rows_as(read_pixels(path, count), np.float32), naive(path))
        memory = peak(lambda: read_pixels(path, count)) / (4 * 784 * count)
        there = np.zeros(784 * count, np.uint8)
        calls = {
            "ours, as a data set keeps them": lambda: read_pixels(path, count),
            "ours, as float32": lambda: read_images(path, count),
            "naive: unpack all, convert all": lambda: naive(path),
            "zlib alone": lambda: inflate(path),
            "writing an array of that size": lambda: there.copy(),
        }
        if (
            shutil.which("gunzip") and clock[0] is CLOCKS["wall"]
        ):  # the processor's time of a child is not seen
            command = ["gunzip", "-c", str(path)]
            calls["gunzip alone"] = lambda: subprocess.run(
                command, check=True, stdout=subprocess.DEVNULL
            )
        report(
            f"reading {count} images",
            compare(calls, repeats=3 if quick else 7),
            [
                within("ours, as a data set keeps them", "gunzip alone", 1.2),
                within("ours, as a data set keeps them", "zlib alone", 1.2),
            ],
            note=f"goal {'met' if memory <= 0.35 else '**missed**'}: peak memory at most .35 of "
            f"the float32 array: {memory:.2f}. gunzip: the command, into nothing",
            least=least_seconds(0, path.stat().st_size + 784 * count),
        )
