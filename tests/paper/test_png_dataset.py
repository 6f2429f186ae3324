"""A data set as PNG files."""

import numpy as np
import pytest
from PIL import Image

from refimpl.paper.png_dataset import read_dataset, to_pixels, write_dataset


def test_pixels_are_affine_with_zero_on_a_grey_level(rng):
    images = rng.normal(size=(4, 12))
    images[:, 0] = 0
    pixels = to_pixels(images)
    assert pixels.dtype == np.uint8 and pixels.shape == (5, 12) and not pixels[-1].any()
    assert (pixels[:-1, 0] == 128).all()
    largest = np.abs(images).max(axis=1, keepdims=True)
    assert (
        np.abs((pixels[:-1] - 128.0) * largest / 127 - images).max() <= 0.5001 * largest.max() / 127
    )


@pytest.mark.parametrize("shape", [(1, 4, 3), (3, 2, 5)])
def test_the_files_hold_the_same_bits(tmp_path, rng, shape):
    pixels = rng.integers(0, 256, (5, int(np.prod(shape))), dtype=np.uint8)
    targets = rng.normal(size=(5, 3))
    size = write_dataset(tmp_path / "set", pixels, targets, shape)
    images, again = read_dataset(tmp_path / "set")
    assert np.array_equal(images, pixels / 255) and np.array_equal(again, targets)
    assert (
        size == sum(p.stat().st_size for p in (tmp_path / "set").iterdir())
        and len(list(tmp_path.iterdir())) == 1
    )


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA"])
def test_a_picture_whose_numbers_are_no_grey_levels_is_refused(tmp_path, mode):
    folder = tmp_path / "set"
    write_dataset(folder, np.array([[0, 255, 255, 0]], np.uint8), [[1.0]], (1, 2, 2))
    with Image.open(folder / "image_0.png") as picture:
        changed = picture.convert(mode)
    changed.save(folder / "image_0.png")
    with pytest.raises(ValueError, match=f"image_0.png of 8-bit grey or RGB, found mode {mode}"):
        read_dataset(folder)


def test_bad_images_and_an_existing_folder(tmp_path):
    for bad in (np.zeros((2, 3)), np.full((2, 3), np.inf)):
        with pytest.raises(ValueError, match="images: expected finite numbers, not all zero"):
            to_pixels(bad)
    with pytest.raises(FileExistsError, match="expected a new folder"):
        write_dataset(tmp_path, np.zeros((1, 4), np.uint8), [[1.0]], (1, 2, 2))


@pytest.mark.parametrize(
    "pixels, shape, match",
    [
        (
            np.zeros((1, 4)),
            (1, 2, 2),
            r"pixels: expected uint8 of shape \(1, 4\), got float64 of shape \(1, 4\)",
        ),
        (
            np.zeros((1, 5), np.uint8),
            (1, 2, 2),
            r"pixels: expected uint8 of shape \(1, 4\), got uint8 of shape \(1, 5\)",
        ),
        (
            np.zeros((2, 4), np.uint8),
            (1, 2, 2),
            r"pixels: expected uint8 of shape \(1, 4\), got uint8 of shape \(2, 4\)",
        ),
        (np.zeros((1, 8), np.uint8), (2, 2, 2), "image_shape: expected 1 or 3 channels, got 2"),
    ],
)
def test_pixels_that_do_not_fit_leave_nothing(tmp_path, pixels, shape, match):
    with pytest.raises(ValueError, match=match):
        write_dataset(tmp_path / "set", pixels, [[1.0]], shape)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):  # a target that is no number
        write_dataset(tmp_path / "set", np.zeros((1, 4), np.uint8), [[{1.0}]], (1, 2, 2))
    assert not list(tmp_path.iterdir())
