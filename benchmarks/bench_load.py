"""Reading MNIST-like files: 60,000 images of 28 x 28, gzipped, beside gunzip alone."""

import gzip
import tempfile
import zlib
from pathlib import Path

import numpy as np

from benchmarks.timing import compare, report
from refimpl.data.idx import read_images


def naive(path):
    """Unpack all, then convert all."""
    raw = gzip.open(path).read()
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / np.float32(255)


def gunzip(path):
    """zlib alone, in chunks that are thrown away."""
    unpack = zlib.decompressobj(31)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 18):
            unpack.decompress(chunk)


def main(quick=False):
    count = 2_000 if quick else 60_000
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 784), dtype=np.uint8) * (rng.random((count, 784)) < 0.19)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train-images-idx3-ubyte.gz"
        header = b"".join(v.to_bytes(4, "big") for v in (0x803, count, 28, 28))
        path.write_bytes(gzip.compress(header + pixels.astype(np.uint8).tobytes(), 6))
        assert np.array_equal(read_images(path, count), naive(path))
        report(f"reading {count} images", compare({"ours": lambda: read_images(path, count),
                                                   "naive: unpack all, convert all": lambda: naive(path),
                                                   "gunzip alone": lambda: gunzip(path)}, repeats=3 if quick else 7))
