"""Pictures of images: one function for every place that draws them.

Zero looks the same in every tile. Signed numbers (a class visualization, a gradient) stand on a
diverging scale with zero in its middle; numbers that are never negative (pixels, densities) go from
black at zero. By default one scale serves all tiles of a figure, so that a faint image is faint.
"""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from refimpl.arguments import real_array, whole

DIVERGING, SEQUENTIAL = "RdBu_r", "gray"
SCALES = ("all", "row", "each")
PAGE = 8.5  # inches: as wide a figure is shown at its own size


class Sheet(Figure):
    """A matplotlib Figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=110, bbox_inches="tight", facecolor="white")
        return file.getvalue()


def planes_of(images: Any, image_shape: Sequence[int] | None = None) -> np.ndarray:
    """Images as (N, C, H, W): from rows (N, D), from (N, H, W) or as they are.

    Rows without image_shape (C, H, W) are taken for square pictures of one channel, or of three.
    Raises ValueError on another number of axes, on rows that are no square, on what is not finite.

    >>> planes_of(np.zeros((2, 784))).shape, planes_of(np.zeros((2, 5, 4))).shape
    ((2, 1, 28, 28), (2, 1, 5, 4))
    """
    images = real_array("images", images)
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 2:
        image_shape = _shape_of_rows(images.shape[1]) if image_shape is None else tuple(image_shape)
        if math.prod(image_shape) != images.shape[1] or len(image_shape) != 3:
            raise ValueError(
                f"image_shape: expected (C, H, W) of {images.shape[1]} pixels, got {image_shape}"
            )
        images = images.reshape(len(images), *image_shape)
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"images: expected at least one, (N, D), (N, H, W) or (N, C, H, W), got {images.shape}"
        )
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images: expected one channel or three, got {images.shape[1]}")
    if not np.isfinite(images).all():
        raise ValueError("images: expected finite numbers, found NaN or infinity")
    return images.astype(np.float64)


def _shape_of_rows(pixels: int) -> tuple[int, int, int]:
    for channels in (1, 3):
        side = math.isqrt(pixels // channels)
        if channels * side * side == pixels:
            return channels, side, side
    raise ValueError(f"image_shape: rows of {pixels} pixels are no square; say (C, H, W)")


def limits(images: np.ndarray) -> tuple[float, float]:
    """(low, high) of the scale for some images: (-m, m) where a number is negative, else (0, m).

    m is the largest magnitude, 1 for images that are zero everywhere.

    >>> limits(np.array([-0.5, 2.0])), limits(np.array([0.0, 0.25]))
    ((-2.0, 2.0), (0.0, 0.25))
    """
    largest = float(np.abs(images).max()) or 1.0
    return (-largest, largest) if images.min() < 0 else (0.0, largest)


def draw_tile(axis: Any, image: np.ndarray, low: float, high: float) -> None:
    """Draw one image (C, H, W) on an axis, without frame and ticks, on the scale [low, high]."""
    if len(image) == 3:
        picture = np.clip((image - low) / (high - low), 0, 1).transpose(1, 2, 0)
        axis.imshow(picture, interpolation="nearest")
    else:
        colours = DIVERGING if low < 0 else SEQUENTIAL
        axis.imshow(image[0], cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def show(
    images: Any,
    labels: Sequence[Any] | None = None,
    *,
    image_shape: Sequence[int] | None = None,
    columns: int | None = None,
    scale: str = "all",
    colorbar: bool = False,
) -> Sheet:
    """A sheet of images as a matplotlib Figure; in a notebook it appears, elsewhere save it.

    images: rows (N, D), pictures (N, H, W) or (N, C, H, W) with C of 1 or 3; or a mapping {name:
    images} or a list of such pairs, which gives one line of tiles a name. labels: one above each
    tile (for a mapping, above each column). image_shape: (C, H, W) of rows that are not square.
    columns: tiles a line; by default ten images are two lines of five, others stand up to ten a
    line. scale: "all" tiles share one scale, or each "row", or "each" tile has its own. colorbar:
    says what the colours mean, once or row by row (not with a scale a tile; one channel). Raises
    ValueError on what cannot be drawn so.

    >>> figure = show(np.eye(4).reshape(4, 4) - 0.5, labels="abcd")
    >>> len(figure.axes), figure.axes[0].get_title()
    (4, 'a')
    """
    if scale not in SCALES:
        raise ValueError(f"scale: expected one of {', '.join(SCALES)}, got {scale!r}")
    lines = _lines(images, labels, image_shape, columns)
    everything = np.concatenate([tile.ravel() for _, tiles, _ in lines for tile in tiles])
    if colorbar and (scale == "each" or len(lines[0][1][0]) == 3):
        raise ValueError("colorbar: expected one scale for all tiles or for a row, and one channel")
    width = max(len(tiles) for _, tiles, _ in lines)
    margin = 1.5 if any(name for name, _, _ in lines) else 0.0
    tall = 1.35 if any(texts for _, _, texts in lines) else 1.1
    figure = Sheet(figsize=(1.1 * width + margin, tall * len(lines)), layout="constrained")
    size = font_size(figure)
    axes = figure.subplots(len(lines), width, squeeze=False)
    for line, (name, tiles, texts) in zip(axes, lines):
        for axis in line[len(tiles) :]:
            axis.remove()
        shared = everything if scale == "all" else np.concatenate([tile.ravel() for tile in tiles])
        for axis, tile in zip(line, tiles):
            draw_tile(axis, tile, *limits(tile if scale == "each" else shared))
        for axis, text in zip(line, texts):
            axis.set_title(str(text), fontsize=size)
        if name:
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=size)
        if colorbar and scale == "row":
            add_colorbar(figure, list(line[: len(tiles)]), *limits(shared))
    if colorbar and scale == "all":
        add_colorbar(figure, figure.axes, *limits(everything))
    return figure


def font_size(figure: Figure | SubFigure) -> float:
    """Points of a label: 8, and in a figure wider than a page so many more that they can be read
    when the page has made it smaller.

    >>> font_size(Figure(figsize=(5, 5))), font_size(Figure(figsize=(17, 5)))
    (8.0, 16.0)
    """
    return 8 * max(1.0, float(figure.bbox.width / figure.dpi / PAGE))


def add_colorbar(figure: Figure | SubFigure, axes: Any, low: float, high: float) -> None:
    """A bar beside some axes that says what the colours of `draw_tile` mean on [low, high]."""
    colours = DIVERGING if low < 0 else SEQUENTIAL
    drawn = ScalarMappable(Normalize(low, high), colours)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.85, aspect=12, pad=0.02, ticks=[low, high])
    bar.ax.set_yticklabels(
        [f"{value:.2g}" for value in (low, high)], fontsize=font_size(figure) - 1
    )


def _lines(images, labels, image_shape, columns):
    """[(name, tiles, labels)]: what stands on each line of the sheet, checked."""
    if isinstance(images, Mapping) or _are_pairs(images):
        pairs = list(images.items()) if isinstance(images, Mapping) else images
        if not pairs:
            raise ValueError("images: expected at least one line of images, got an empty mapping")
        rows = [(str(name), planes_of(some, image_shape)) for name, some in pairs]
        width = max(len(tiles) for _, tiles in rows)
        _check_labels(labels, width, "column")
        texts = [list(labels or ())] + [[]] * (len(rows) - 1)
        return [(name, list(tiles), some) for (name, tiles), some in zip(rows, texts)]
    tiles = planes_of(images, image_shape)
    _check_labels(labels, len(tiles), "image")
    own = 5 if len(tiles) == 10 else min(len(tiles), 10)
    width = own if columns is None else whole("columns", columns, 1)
    texts = list(labels) if labels is not None else []
    starts = range(0, len(tiles), width)
    return [("", list(tiles[i : i + width]), texts[i : i + width]) for i in starts]


def _are_pairs(images):
    return isinstance(images, list) and all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in images
    )


def _check_labels(labels, count, what):
    if labels is not None and not hasattr(labels, "__len__"):
        raise ValueError(f"labels: expected {count}, one {what}, got {labels!r:.80}")
    if labels is not None and len(labels) != count:
        raise ValueError(f"labels: expected {count}, one {what}, got {len(labels)}")
