"""Data sets by name: digits (drawn, always there), mnist, fashion-mnist, cifar10 (fetched by
data_fetch.py).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refimpl.data.cifar import read_batches, source_name
from refimpl.data.digits import load_digits
from refimpl.data.idx import read_images, read_labels
from refimpl.files.cifar_folder import BATCHES, CLASS_NAMES, FOLDER
from refimpl.files.paths import default_data_dir

NAMES = ("digits", "mnist", "fashion-mnist", "cifar10")
TITLES = {"digits": "digits (drawn)", "mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
FASHION = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "boot",
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as float32 rows in [0, 1], pixels in C, H, W order; labels int64.

    train_x (N, D), train_y (N,), test_x (M, D), test_y (M,); image_shape (C, H, W) with C H W = D;
    classes: K names. title: how the data set is called wherever a number is shown.

    >>> x, y = np.zeros((4, 6), np.float32), np.array([0, 1, 0, 1])
    >>> Dataset("tiny", "Tiny", x, y, x, y, (1, 2, 3), ("a", "b")).validation(1).train_x.shape
    (3, 6)
    """

    name: str
    title: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]

    def validation(self, images: int = 5_000) -> "Dataset":
        """Hold out the last `images` training images: they become the test set of the Dataset
        returned (views).

        Raises ValueError where none would be held out or none left.
        """
        if not 0 < images < len(self.train_x):
            raise ValueError(f"images: expected 1 to {len(self.train_x) - 1}, got {images}")
        return Dataset(
            self.name,
            self.title,
            self.train_x[:-images],
            self.train_y[:-images],
            self.train_x[-images:],
            self.train_y[-images:],
            self.image_shape,
            self.classes,
        )


def load(name: str, data_dir: str | Path | None = None) -> Dataset:
    """A Dataset by name, from data_dir (default: REFIMPL_DATA, else the per-user cache).

    `digits` is drawn where it is not cached. Raises ValueError on another name or a damaged file,
    FileNotFoundError where a data set has not been fetched; both say what to do.

    >>> load("imagenet")
    Traceback (most recent call last):
        ...
    ValueError: name: expected one of digits, mnist, fashion-mnist, cifar10, got 'imagenet'
    """
    folder = default_data_dir() if data_dir is None else Path(data_dir)
    if name == "digits":
        arrays, shape, classes = load_digits(folder), (1, 28, 28), tuple("0123456789")
    elif name in ("mnist", "fashion-mnist"):
        files = folder / name
        arrays = (
            read_images(files / "train-images-idx3-ubyte.gz", 60_000),
            read_labels(files / "train-labels-idx1-ubyte.gz", 60_000),
            read_images(files / "t10k-images-idx3-ubyte.gz", 10_000),
            read_labels(files / "t10k-labels-idx1-ubyte.gz", 10_000),
        )
        shape, classes = (1, 28, 28), tuple("0123456789") if name == "mnist" else FASHION
    elif name == "cifar10":
        files = folder / name / FOLDER
        *training, test = (files / batch for batch in BATCHES)
        arrays = *read_batches(training), *read_batches([test])
        return Dataset(name, source_name(files), *arrays, (3, 32, 32), tuple(CLASS_NAMES))
    else:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    return Dataset(name, TITLES[name], *arrays, shape, classes)


VALIDATION = {"digits": 2_000, "mnist": 5_000, "fashion-mnist": 5_000, "cifar10": 5_000}
