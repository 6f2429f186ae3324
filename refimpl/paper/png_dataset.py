"""A data set as ten pictures and a black one: class visualizations as 8-bit PNG files with their
soft targets.

The paper's "dataset and model compression", its first half. Pixels must lie in [0, 1], so image c
becomes x' = s_c x + m with m = 128/255; the shift costs the pure-bias direction, which a BLACK
image gives back (theorem T6); the mid-grey image would add nothing.
"""

import json
import os
import shutil
from math import prod
from pathlib import Path

import numpy as np
from PIL import Image

from refimpl.files.whole import temporary

MOST_PIXELS = 1_000_000  # of one picture


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Class visualizations (K, D) of any scale -> 8-bit pixels (K + 1, D): 128 + 127 x / max|x|,
    and a black image.

    Each image has a scale of its own (T2 allows any), and 0 falls on a grey level, so that nothing
    is lost where the images are blank. Raises ValueError on an image that is all zero or not
    finite.

    >>> to_pixels(np.array([[0.0, 0.5, -1.0]])).tolist()
    [[128, 192, 1], [0, 0, 0]]
    """
    largest = np.abs(images).max(axis=1, keepdims=True)
    if not (np.isfinite(largest).all() and (largest > 0).all()):
        raise ValueError(
            f"images: expected finite numbers, not all zero, in each; the largest are "
            f"{largest.ravel()}"
        )
    return np.vstack(
        [np.rint(128 + 127 * images / largest), np.zeros((1, images.shape[1]))]
    ).astype(np.uint8)


def write_dataset(
    folder: str | Path, pixels: np.ndarray, targets: np.ndarray, image_shape: tuple[int, int, int]
) -> int:
    """Write pixels (N, D) uint8 as image_0.png ... and targets (N, K) as targets.json to a new
    folder, all or nothing.

    image_shape (C, H, W), C = 1 (grey) or 3 (colour). Returns the bytes written. Raises
    FileExistsError when it exists, ValueError on pixels of another shape or dtype, on another
    number of targets and of channels.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_dataset(
    ...         f"{folder}/set", np.arange(8, dtype=np.uint8).reshape(2, 4), np.eye(2), (1, 2, 2)
    ...     )
    ...     sorted(p.name for p in Path(folder, "set").iterdir())
    ['image_0.png', 'image_1.png', 'targets.json']
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder}: expected a new folder, it exists")
    wanted = len(targets), prod(image_shape)
    if pixels.dtype != np.uint8 or pixels.shape != wanted:
        raise ValueError(
            f"pixels: expected uint8 of shape {wanted}, got {pixels.dtype} of shape {pixels.shape}"
        )
    if image_shape[0] not in (1, 3):
        raise ValueError(f"image_shape: expected 1 or 3 channels, got {image_shape[0]}")
    new = temporary(folder)
    new.mkdir()
    try:
        for i, row in enumerate(pixels.reshape(-1, *image_shape)):
            picture = row[0] if image_shape[0] == 1 else row.transpose(1, 2, 0)
            Image.fromarray(picture).save(new / f"image_{i}.png", optimize=True)
        (new / "targets.json").write_text(json.dumps(np.asarray(targets).tolist()))
        os.replace(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return sum(file.stat().st_size for file in folder.iterdir())


def read_dataset(folder: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The data set of write_dataset: images (N, D) float64 in [0, 1], targets (N, K).

    Raises ValueError naming the folder where it holds something else, and on a picture of more than
    MOST_PIXELS before it is unpacked; FileNotFoundError where there is no such folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_dataset(
    ...         f"{folder}/set", np.array([[0, 255]], np.uint8), [[0.5, 0.5]], (1, 1, 2)
    ...     )
    ...     [part.tolist() for part in read_dataset(f"{folder}/set")]
    [[[0.0, 1.0]], [[0.5, 0.5]]]
    """
    folder = Path(folder)
    content = (folder / "targets.json").read_bytes()
    try:
        targets = np.array(json.loads(content), np.float64)
        if targets.ndim != 2:
            raise ValueError(f"targets of shape (N, K), found {targets.shape}")
        images = [_pixels(folder / f"image_{i}.png") for i in range(len(targets))]
        return np.array(images, np.float64), targets
    except (OSError, SyntaxError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{folder}: expected a data set of pictures: {error}") from None


def _pixels(path):
    """The pixels of a PNG file as a row (D,) in [0, 1], channel first."""
    with Image.open(path, formats=("PNG",)) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            size = f"{picture.width:,} x {picture.height:,}"
            raise ValueError(f"{path.name} of at most {MOST_PIXELS:,} pixels, found {size}")
        if picture.mode not in ("L", "RGB"):  # a palette's numbers, say, are no grey levels
            raise ValueError(f"{path.name} of 8-bit grey or RGB, found mode {picture.mode}")
        pixels = np.asarray(picture)
    return (pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)).ravel() / 255
