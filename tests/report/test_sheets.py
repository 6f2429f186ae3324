"""show(): zero looks the same in every tile, sizes and labels are checked, a notebook shows it."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from refimpl.report import plots
from refimpl.report.sheets import limits, planes_of, show


def scales(figure):
    return [axis.images[0].get_clim() for axis in figure.axes if axis.images]


def test_one_scale_for_all_and_zero_in_the_middle(rng):
    images = rng.normal(size=(10, 784)) * np.arange(1, 11)[:, None]
    figure = show(images, labels=range(10))
    largest = np.abs(images).max()
    assert isinstance(figure, Figure) and scales(figure) == [(-largest, largest)] * 10
    assert [axis.get_title() for axis in figure.axes] == list("0123456789")
    assert {axis.images[0].get_cmap().name for axis in figure.axes} == {"RdBu_r"}


@pytest.mark.filterwarnings("error")
def test_a_film_of_zeros_is_mid_grey(tmp_path):
    plots.film(tmp_path / "film.png", np.zeros((2, 3, 4)), (1, 2, 2))
    with Image.open(tmp_path / "film.png") as film:
        assert np.asarray(film).shape == (4, 6) and (np.asarray(film) == 128).all()


def test_a_scale_a_row_and_a_scale_a_tile(rng):
    rows = {"small": rng.random((3, 16)), "large": -5 * rng.random((3, 16))}
    low, high = np.abs(rows["small"]).max(), np.abs(rows["large"]).max()
    assert scales(show(rows, scale="row")) == [(0.0, low)] * 3 + [(-high, high)] * 3
    own = [float(np.abs(image).max()) for image in rows["small"]]
    assert scales(show(rows["small"], scale="each")) == [(0.0, most) for most in own]


def test_two_lines_may_have_one_name(rng):
    images = rng.random((2, 16))
    assert len(show([("three", images), ("three", images)], scale="row").axes) == 4


def test_pixels_go_from_black():
    figure = show(np.full((2, 3, 4, 5), 0.25))
    assert figure.axes[0].images[0].get_array().max() == 1.0  # colours: (x - 0) / largest
    assert limits(np.zeros(3)) == (0.0, 1.0)
    assert show(np.zeros((1, 4, 4))).axes[0].images[0].get_cmap().name == "gray"


@pytest.mark.parametrize(
    "shape, image_shape, expected",
    [
        ((2, 784), None, (2, 1, 28, 28)),
        ((2, 3072), None, (2, 3, 32, 32)),
        ((2, 20), (1, 4, 5), (2, 1, 4, 5)),
        ((2, 4, 5), None, (2, 1, 4, 5)),
        ((2, 3, 4, 5), None, (2, 3, 4, 5)),
    ],
)
def test_what_images_may_be(shape, image_shape, expected):
    assert planes_of(np.zeros(shape), image_shape).shape == expected


@pytest.mark.parametrize(
    "images, options, words",
    [
        (np.zeros((2, 20)), {}, "rows of 20 pixels are no square"),
        (np.zeros((2, 20)), {"image_shape": (1, 4, 4)}, r"expected \(C, H, W\) of 20 pixels"),
        (np.zeros(4), {}, "expected at least one"),
        (np.zeros((0, 4)), {}, "expected at least one"),
        (np.zeros((2, 2, 3, 3)), {}, "one channel or three, got 2"),
        (np.full((1, 4), np.nan), {}, "found NaN"),
        (np.array([["a"]]), {}, "expected real numbers"),
        (np.zeros((2, 4)), {"labels": "abc"}, "labels: expected 2, one image, got 3"),
        (np.zeros((2, 4)), {"scale": "own"}, "scale: expected one of all, row, each"),
        (np.zeros((2, 4)), {"columns": 0.5}, "columns: expected a whole number"),
        (np.zeros((2, 4)), {"scale": "each", "colorbar": True}, "colorbar: expected one scale"),
        ({}, {}, "an empty mapping"),
    ],
)
def test_what_cannot_be_drawn_is_said(images, options, words):
    with pytest.raises(ValueError, match=words):
        show(images, **options)


def test_a_notebook_shows_it_and_a_colour_bar_has_the_scale(rng):
    figure = show(rng.normal(size=(3, 16)), colorbar=True)
    assert figure._repr_png_().startswith(b"\x89PNG")
    largest = scales(figure)[0][1]
    assert figure.axes[-1].get_ylim() == (-largest, largest)


def test_a_sheet_of_signed_images_has_its_bar_and_wide_ones_larger_words(
    rng, tmp_path, monkeypatch
):
    drawn = []
    monkeypatch.setattr(plots, "save", lambda figure, path: drawn.append(figure))
    plots.sheet(tmp_path / "a.png", rng.normal(size=(10, 16)), range(10), (1, 4, 4))
    plots.sheet(tmp_path / "b.png", rng.random((10, 16)), range(10), (1, 4, 4))
    plots.sheet(tmp_path / "c.png", rng.normal(size=(10, 12)), range(10), (3, 2, 2))
    assert [len(figure.axes) for figure in drawn] == [11, 10, 10]  # a bar is an axis
    few, many = show(rng.random((5, 16)), "abcde"), show({"row": rng.random((10, 16))}, range(10))
    sizes = [figure.axes[0].title.get_fontsize() for figure in (few, many)]
    assert sizes[0] == 8 and 11 < sizes[1] < 13
