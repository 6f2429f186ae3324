"""Data sets by name: digits (drawn, always there), mnist, fashion-mnist, cifar10 (fetched by
data_fetch.py); any folder of idx files.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.arguments import labels, real_array, whole
from refimpl.data.cifar import read_batches, source_name
from refimpl.data.digits import load_digits
from refimpl.data.idx import LARGEST_LABEL, read_labels, read_pixels, read_set
from refimpl.dtypes import as_pixels, rows_as
from refimpl.files.cifar_folder import BATCHES, CLASS_NAMES, FOLDER
from refimpl.files.idx_folder import ROLES, IdxSet, hint_for, same_name, set_named, sets_in
from refimpl.files.paths import default_data_dir, expanded
from refimpl.losses import check_labels
from refimpl.weights import digest

NAMES = ("digits", "mnist", "fashion-mnist", "cifar10")
VALIDATION = {
    "digits": 2_000,
    "mnist": 5_000,
    "fashion-mnist": 5_000,
    "cifar10": 5_000,
}  # held-out images
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
LARGEST = float(np.finfo(np.float32).max)
PART_HELD_OUT = 10  # of a data set of your own: one training image in so many
CLASSES = {"mnist": tuple("0123456789"), "fashion-mnist": FASHION}
CHECKSUMS = {
    "mnist": "76d07ada5d06",
    "fashion-mnist": "fdcde1ddae4b",
}  # of the published images and labels
_EXPECTED = f"one of {', '.join(NAMES)} or a folder of idx files"


class _Images:
    """A field of images: kept as 8-bit pixels where they are such, read as float32 rows in [0, 1].

    Reading makes a new array every time: take it once, or the pixels.
    """

    def __init__(self, name: str) -> None:
        self.place = f"_{name}"

    def __get__(self, data: Any, owner: type) -> Any:
        if data is None:
            return self
        kept = vars(data)[self.place]
        return rows_as(kept, np.float32) if kept.dtype == np.uint8 else kept

    def __set__(self, data: Any, images: Any) -> None:
        kept = real_array(self.place[1:], images)
        if kept.ndim == 0:
            raise ValueError(f"{self.place[1:]}: expected images, one a row, got one number")
        vars(data)[self.place] = as_pixels(kept)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as float32 rows in [0, 1], pixels in C, H, W order; labels int64.

    train_x (N, D), train_y (N,), test_x (M, D), test_y (M,); image_shape (C, H, W) with C H W = D;
    classes: K names. title: how the data set is called wherever a number is shown. Images that are
    8-bit pixels, k / 255 in float32, are kept as uint8, a quarter of the memory: train_pixels and
    test_pixels hand them out, and `train`, `logits` and `predict` take them as the same images.

    >>> x, y = np.zeros((4, 6), np.float32), np.array([0, 1, 0, 1])
    >>> part = Dataset("tiny", "Tiny", x, y, x, y, (1, 2, 3), ("a", "b")).validation(1)
    >>> part.train_x.shape, part.train_x.dtype.name, part.train_pixels.dtype.name
    ((3, 6), 'float32', 'uint8')
    """

    name: str
    title: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        """Dataset(MNIST: 60,000 training and 10,000 test images of 1 x 28 x 28, 10 classes)."""
        shape = " x ".join(map(str, self.image_shape))
        return (
            f"Dataset({self.title}: {len(self.train_pixels):,} training and "
            f"{len(self.test_pixels):,} test "
            f"images of {shape}, {len(self.classes)} classes)"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the same, and an image of each class; drawn by report."""
        return import_module("refimpl.report.notebook_pictures").data_html(self)

    @property
    def train_pixels(self) -> np.ndarray:
        """The training images as kept: uint8 (N, D), or floats that are no 8-bit pixels."""
        return vars(self)["_train_x"]

    @property
    def test_pixels(self) -> np.ndarray:
        """The test images as they are kept: uint8 (M, D), or floats that are no 8-bit pixels."""
        return vars(self)["_test_x"]

    @cached_property
    def checksum(self) -> str:
        """Twelve hexadecimal digits of the images, their shape, the labels and the names of the
        classes: results are kept under them, so that two data sets of one name share none.

        >>> x, y = np.zeros((4, 6), np.float32), np.array([0, 1, 0, 1])
        >>> Dataset("tiny", "Tiny", x, y, x, y, (1, 2, 3), ("a", "b")).checksum
        '3c5ca613dc2a'
        """
        arrays = (self.train_pixels, self.train_y, self.test_pixels, self.test_y)
        return digest(
            repr((self.image_shape, self.classes, len(self.train_y), len(self.test_y))), arrays
        )[:12]

    def validation(self, images: int = 5_000) -> "Dataset":
        """Hold out the last `images` training images: they become the test set of the Dataset
        returned (views).

        Raises ValueError where none would be held out or none left, and on no whole number.
        """
        images = whole("images", images)
        pixels, labels = self.train_pixels, self.train_y
        if not 0 < images < len(pixels):
            raise ValueError(f"images: expected 1 to {len(pixels) - 1}, got {images}")
        return Dataset(
            self.name,
            self.title,
            pixels[:-images],
            labels[:-images],
            pixels[-images:],
            labels[-images:],
            self.image_shape,
            self.classes,
        )


for _field in (
    "train_x",
    "test_x",
):  # after the dataclass is made, which would take them for defaults
    setattr(Dataset, _field, _Images(_field))


def load(name: str | Path, data_dir: str | Path | None = None) -> Dataset:
    """A Dataset by name, from data_dir (default: REFIMPL_DATA, else the per-user cache), or from a
    folder of your own.

    name: digits, mnist, fashion-mnist or cifar10, where case, hyphens and underscores do not
    matter; or a folder with four idx files, gzipped or not, under the names of MNIST, 7-Zip,
    Kaggle, torchvision, EMNIST, KMNIST or QMNIST; or the name of such a folder in data_dir, as
    `data_fetch NAME --from DIR` leaves it there. FOLDER/emnist-digits names one set of a folder
    that holds several. Counts, image size and classes are then what the files say. EMNIST's images,
    which are stored transposed, come upright.

    `digits` is drawn where it is not cached. Raises ValueError on another name or a damaged file,
    FileNotFoundError where a data set has not been fetched; both say what to do.

    >>> load("minst")
    Traceback (most recent call last):
        ...
    ValueError: name: expected one of digits, mnist, fashion-mnist, cifar10 or a folder of idx \
files, got 'minst'; did you mean mnist?
    """
    if not isinstance(name, str | Path) or not str(name).strip():
        raise ValueError(f"name: expected {_EXPECTED}, got {name!r}")
    folder = default_data_dir() if data_dir is None else expanded(data_dir, "data_dir")
    is_path = isinstance(name, Path) or "/" in name or "\\" in name
    known = next((own for own in NAMES if not is_path and same_name(str(name), own)), None)
    if known is None:
        return _load_own(_own_set(name, folder))
    if known == "digits":
        return Dataset(known, TITLES[known], *load_digits(folder), (1, 28, 28), tuple("0123456789"))
    if known == "cifar10":
        files = folder / known / FOLDER
        *training, test = (files / batch for batch in BATCHES)
        arrays = *read_batches(training), *read_batches([test])
        return Dataset(known, source_name(files), *arrays, (3, 32, 32), tuple(CLASS_NAMES))
    return _load_mnist(known, folder)


def held_out(data: Dataset) -> int:
    """How many training images the experiments hold out of a data set: VALIDATION says it of those
    known by name, of another it is a tenth of them, 5,000 at most.

    >>> x, y = np.zeros((40, 4), np.float32), np.zeros(40, int)
    >>> held_out(Dataset("own", "own", x, y, x, y, (1, 2, 2), ("a",)))
    4
    """
    own = min(max(1, len(data.train_pixels) // PART_HELD_OUT), 5_000)
    return VALIDATION.get(data.name, own)


def _load_mnist(name: str, folder: Path) -> Dataset:
    """MNIST or Fashion-MNIST from folder/NAME, or from torchvision's folder beside it."""
    found = set_named(name, sets_in(folder / name)) or set_named(name, sets_in(folder, 1))
    here = found.files if found else {}
    paths = [
        here.get(
            role, (folder / name / f"{role}-{'idx1' if 'labels' in role else 'idx3'}-ubyte.gz",)
        )[0]
        for role in ROLES
    ]
    arrays = (
        read_pixels(paths[0], 60_000),
        read_labels(paths[1], 60_000),
        read_pixels(paths[2], 10_000),
        read_labels(paths[3], 10_000),
    )
    return Dataset(name, TITLES[name], *arrays, (1, 28, 28), CLASSES[name])


def _own_set(name: str | Path, data_dir: Path) -> IdxSet:
    """The idx data set that `name` means: a folder, one set of a folder, a name in data_dir."""
    path = expanded(name, "name")
    if any(len(part.encode(errors="surrogateescape")) > 255 for part in path.parts):
        raise ValueError(f"name: expected {_EXPECTED}, got a name too long for one: {name!r:.40}")
    sets = sets_in(path) or (sets_in(path, 1) if path.is_dir() else [])
    if len(sets) == 1:
        return sets[0]
    if sets:
        names = ", ".join(f"{path / found.names[0]}" for found in sets)
        raise ValueError(f"name: expected one data set, {path} holds several; take one of {names}")
    found = set_named(path.name, sets_in(path.parent)) if len(path.parts) > 1 else None
    found = found or set_named(str(name), sets_in(data_dir, 1))
    if found:
        return found
    if path.is_dir():
        raise ValueError(f"name: expected the four idx files of a data set in {path}, found none")
    if len(path.parts) > 1 or isinstance(name, Path):
        raise FileNotFoundError(f"name: there is no folder {path}")
    raise ValueError(f"name: expected {_EXPECTED}, got {name!r}{hint_for(str(name), [*NAMES])}")


def _load_own(found: IdxSet) -> Dataset:
    """A folder's data set. One that is called like a known set is taken for it where its images and
    labels are the published ones, and else gets another name, since recipes and verdicts go by the
    name.
    """
    arrays, shape, classes = read_set(found)
    name = found.names[0] if found.names else "own"
    title = f"{name}, turned upright" if found.is_transposed else name
    known = next((own for own in NAMES if same_name(name, own)), None)
    if known in CLASSES and shape == (1, 28, 28):
        data = Dataset(known, TITLES[known], *arrays, shape, CLASSES[known])
        if data.checksum == CHECKSUMS[known]:
            return data
    return Dataset(f"own-{known}" if known else name, title, *arrays, shape, classes)


def dataset_from(
    train_x: Any,
    train_y: Any,
    test_x: Any,
    test_y: Any,
    *,
    classes: Sequence[str] | None = None,
    image_shape: Sequence[int] | None = None,
    name: str = "own",
) -> Dataset:
    """A Dataset of your own arrays.

    train_x, test_x: rows (N, D), pictures (N, H, W) or (N, C, H, W); whole numbers of 8 bits become
    x / 255, other numbers stay as they are (steps and learning rates here suit inputs of about 1).
    train_y, test_y: whole labels 0 ... K - 1. classes: K names, the numbers by default.
    image_shape: (C, H, W) of rows; (1, 1, D) where nothing tells. name: how the data set is called.
    Raises ValueError naming the argument that does not fit.

    >>> own = dataset_from(np.ones((6, 4)), [0, 1, 2] * 2, np.ones((3, 4)), [0, 1, 2])
    >>> own.image_shape, own.classes, own.train_y.dtype.name
    ((1, 1, 4), ('0', '1', '2'), 'int64')
    """
    x = {"train_x": real_array("train_x", train_x), "test_x": real_array("test_x", test_x)}
    for key, images in x.items():
        if images.ndim not in (2, 3, 4) or not images.size:
            raise ValueError(
                f"{key}: expected numbers (N, D), (N, H, W) or (N, C, H, W), got {images.dtype} of "
                f"shape {images.shape}"
            )
        if not -LARGEST <= float(images.min()) <= float(images.max()) <= LARGEST:  # NaN is not
            raise ValueError(
                f"{key}: expected finite numbers that float32 holds, found NaN, infinity or larger"
            )
    shape = _image_shape(x["train_x"], image_shape)
    y = {
        key: labels(key, value, LARGEST_LABEL)
        for key, value in (("train_y", train_y), ("test_y", test_y))
    }
    names = _class_names(classes, 1 + int(max(own.max() for own in y.values())))
    for key, own in y.items():
        check_labels(own, len(names), name=key)
        images = x[key.replace("y", "x")]
        if len(own) != len(images):
            raise ValueError(
                f"{key}: expected a label for each of {len(images)} images, got {len(own)} labels"
            )
    if x["test_x"][0].size != math.prod(shape):
        raise ValueError(
            f"test_x: expected images of {math.prod(shape)} numbers, as train_x has them, got "
            f"images {x['test_x'].shape[1:]}"
        )
    rows = {
        key: (images.reshape(len(images), -1) / (255 if images.dtype == np.uint8 else 1)).astype(
            np.float32
        )
        for key, images in x.items()
    }
    return Dataset(
        name, name, rows["train_x"], y["train_y"], rows["test_x"], y["test_y"], shape, names
    )


def _class_names(classes, used):
    """The names of the classes, of which so many are used."""
    if classes is None:
        return tuple(map(str, range(used)))
    try:
        return tuple(map(str, classes))
    except TypeError:
        raise ValueError(f"classes: expected their names, got {classes!r:.80}") from None


def _image_shape(images, image_shape):
    if image_shape is None:
        own = images.shape[1:]
        return {1: (1, 1, *own), 2: (1, *own), 3: own}[len(own)]
    try:
        shape = tuple(whole("image_shape", n, 1) for n in image_shape)
    except (TypeError, ValueError):
        shape = ()
    if len(shape) != 3 or math.prod(shape) != images[0].size:
        raise ValueError(
            f"image_shape: expected (C, H, W) of {images[0].size} numbers, got {image_shape}"
        )
    return shape
