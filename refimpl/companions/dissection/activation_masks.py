"""Where every unit of a layer is most active: thresholds and pixel masks M_k in one pass over the
images.

Bau et al. 2017, section 2.2: T_k such that P(a_k > T_k) = .005 over all positions and images; the
activation map, scaled up bilinearly to the size of the masks, is cut there: M_k(x) = [up(A_k(x)) >
T_k]. Between the positions the map is lower than at its peaks, so M_k covers less than .005 of the
pixels where the map is rough.

One pass, though T_k is known only at its end: the running threshold, the (q M + 1)-th largest of
the M values so far, never falls, so what is not above it can be dropped at once, and at any time no
more than q M values of a unit are. Kept are these values and the pixels above the threshold,
thinned out whenever they have doubled: a few q of all pixels instead of all activations. The
thresholds are exact; no image and no activation is held twice.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# pixels that may gather, besides the doubling of what was kept, before they are thinned out
SLACK = 1_000_000
CHUNK = 1024  # maps that are scaled up together


@dataclass(frozen=True, eq=False)
class ActivationMasks:
    """The pixels above each unit's threshold.

    quantile q; shape (N, H, W) of one unit's masks; thresholds (units,), NaN where undefined;
    positions: for each unit the flat indices into (N, H, W) where it is active, ascending int64;
    values: the upsampled activation there. largest: for each unit its largest native values,
    descending, q M + 1 of them; count: M = N h w. peaks (N, units): the maximum over each image's
    map. problems: {unit: why its threshold or mask is undefined}.

    >>> maps = np.arange(8.0).reshape(2, 1, 2, 2)
    >>> found = activation_masks(lambda rows: maps[rows], np.arange(2), (2, 2), quantile=0.25)
    >>> found.units, found.mask(0, 1).tolist()
    (1, [[False, False], [True, True]])
    """

    quantile: float
    shape: tuple[int, int, int]
    thresholds: np.ndarray
    positions: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]
    largest: tuple[np.ndarray, ...]
    count: int
    peaks: np.ndarray
    problems: dict[int, str]

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return len(self.thresholds)

    def mask(self, unit: int, image: int) -> np.ndarray:
        """M_k(x) of one unit and image: (H, W) bool. Raises ValueError on a unit or an image that
        is not there.
        """
        for name, index, count in (("unit", unit, self.units), ("image", image, self.shape[0])):
            if not 0 <= index < count:
                raise ValueError(f"{name}: expected 0 to {count - 1}, got {index!r}")
        pixels = self.shape[1] * self.shape[2]
        start, stop = np.searchsorted(self.positions[unit], (image * pixels, (image + 1) * pixels))
        out = np.zeros(pixels, bool)
        out[self.positions[unit][start:stop] - image * pixels] = True
        return out.reshape(self.shape[1:])

    def at(self, quantile: float) -> "ActivationMasks":
        """The masks at a smaller quantile, without a second pass. Raises ValueError on a larger one
        and as `count_above`.
        """
        if quantile > self.quantile:
            raise ValueError(
                f"quantile: expected at most {self.quantile}, that of the pass, got {quantile!r}"
            )
        above = count_above(quantile, self.count)
        thresholds = np.array([v[above] if len(v) else np.nan for v in self.largest])
        kept = [v > t for v, t in zip(self.values, thresholds)]
        positions = tuple(p[k] for p, k in zip(self.positions, kept))
        values = tuple(v[k] for v, k in zip(self.values, kept))
        dead = {unit: why for unit, why in self.problems.items() if np.isnan(self.thresholds[unit])}
        return replace(
            self,
            quantile=quantile,
            thresholds=thresholds,
            positions=positions,
            values=values,
            problems=dead | _saturated(thresholds, positions, quantile, dead),
        )


def count_above(quantile: float, count: int) -> int:
    """How many of `count` values may lie above the threshold: floor(q M), exact where q M is whole
    but for round-off.

    Raises ValueError on a quantile that is not between 0 and 1, and where floor(q M) is 0.

    >>> count_above(0.29, 100), int(0.29 * 100)
    (29, 28)
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile: expected a share between 0 and 1, got {quantile!r}")
    above = int(quantile * count * (1 + 1e-12))
    if above < 1:
        raise ValueError(
            f"quantile: {quantile!r} of {count} values is less than one; more images are needed"
        )
    return above


def bilinear_taps(
    fine: int, coarse: int, field: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bilinear interpolation on one axis: out_i = a_left + share (a_right - a_left). Returns left,
    right, share, each (fine,).

    field: (offset, stride), in pixels: coarse value j sits at offset + stride j, the centre of its
    receptive field, as Bau et al. anchor it. None: the coarse values are the middles of `coarse`
    equal pieces (right for a layer whose convolutions are padded to the same size). Beyond the
    outermost centres the border value goes on.

    >>> left, right, share = bilinear_taps(4, 2)
    >>> left.tolist(), right.tolist(), share.tolist()
    ([0, 0, 0, 0], [1, 1, 1, 1], [0.0, 0.25, 0.75, 1.0])
    """
    stride = fine / coarse
    offset, stride = ((stride - 1) / 2, stride) if field is None else field
    at = np.clip((np.arange(fine) - offset) / stride, 0, coarse - 1)
    left = np.minimum(at.astype(int), max(coarse - 2, 0))
    return left, np.minimum(left + 1, coarse - 1), at - left


def upsample(
    maps: np.ndarray, size: tuple[int, int], field: tuple[float, float] | None = None
) -> np.ndarray:
    """Bilinear: maps (m, h, w) -> (m, H, W), every map on its own, the same bits in any company;
    field: see bilinear_taps.

    >>> upsample(np.array([[[0.0, 4.0]]]), (1, 4)).tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    """
    for axis in (1, 2):
        if maps.shape[axis] == size[axis - 1] and field is None:
            continue
        left, right, share = bilinear_taps(size[axis - 1], maps.shape[axis], field)
        share = share.astype(maps.dtype)[:, None] if axis == 1 else share.astype(maps.dtype)
        start = maps.take(left, axis)
        maps = start + share * (maps.take(right, axis) - start)
    return maps


def activation_masks(
    activations_of: Callable,
    images: Any,
    size: tuple[int, int],
    *,
    quantile: float = 0.005,
    block: int = 128,
    field: tuple[float, float] | None = None,
) -> ActivationMasks:
    """One pass over the images: thresholds T_k and the pixels where up(A_k) > T_k, of all units of
    a layer.

    activations_of(x) -> (n, units, h, w) for a block x of rows of images; size: (H, W) of the
    masks; field: see bilinear_taps. T_k is exact: the (floor(q M) + 1)-th largest of the M = N h w
    values of the unit, so that a share of at most q lies above it (exactly floor(q M) / M where no
    values are equal). A unit that is constant, has values that are not finite, or has more than q M
    values equal to its largest (no value lies above T_k) has no mask: see problems. Returns
    ActivationMasks. Raises ValueError on a quantile below one value, and on activations of another
    shape.

    >>> maps = np.arange(8.0).reshape(2, 1, 2, 2)
    >>> found = activation_masks(lambda rows: maps[rows], np.arange(2), (2, 2), quantile=0.25)
    >>> found.thresholds.tolist(), found.positions[0].tolist()
    ([5.0], [6, 7])
    """
    if len(images) == 0 or block < 1:
        raise ValueError(
            f"images, block: expected at least one image and block >= 1, got {len(images)} and "
            f"{block}"
        )
    shape: tuple[int, ...] = ()
    maxima: list[np.ndarray] = []
    found: list[tuple] = []
    kept = 0
    for start in range(0, len(images), block):
        a = activations_of(images[start : start + block])
        _check_activations(a, len(images[start : start + block]), shape)
        if not shape:
            shape = a.shape[1:]
            running = RunningTop(
                shape[0], count_above(quantile, len(images) * shape[1] * shape[2]) + 1, a.dtype
            )
            low, finite = np.full(shape[0], np.inf), np.ones(shape[0], bool)
        highs, lows = a.max(axis=(2, 3)), a.min(axis=(2, 3))
        maxima.append(highs)
        finite &= (np.isfinite(highs) & np.isfinite(lows)).all(axis=0)
        low = np.minimum(low, lows.min(axis=0))
        running.add(a, finite)
        found.extend(_pixels_above(a, highs, running.bounds, finite, size, field, start))
        if sum(len(f[0]) for f in found) > 2 * kept + SLACK:
            found = [_thin(found, running.bounds)]
            kept = len(found[0][0])
    peaks, problems = np.concatenate(maxima), {}
    for k in range(shape[0]):
        if not finite[k]:
            bad = int((~np.isfinite(peaks[:, k])).sum())
            problems[k] = (
                f"activations that are not finite ({bad} of {len(peaks)} images have NaN or "
                f"+infinity)"
            )
        elif low[k] == peaks[:, k].max():
            problems[k] = f"a dead unit: its map is {float(low[k]):g} everywhere"
    largest = tuple(
        running.empty if k in problems else np.sort(running.cut(k))[::-1] for k in range(shape[0])
    )
    thresholds = np.array([v[-1] if len(v) else np.nan for v in largest])
    unit, position, value = _thin(
        found, thresholds
    )  # a comparison with NaN is false: nothing left of a bad unit
    order = np.argsort(unit, kind="stable")  # positions ascend within a unit already
    cuts = np.cumsum(np.bincount(unit, minlength=shape[0]))[:-1]
    positions, values = (tuple(np.split(v[order], cuts)) for v in (position, value))
    problems |= _saturated(thresholds, positions, quantile, problems)
    return ActivationMasks(
        quantile,
        (len(images), *size),
        thresholds,
        positions,
        values,
        largest,
        len(images) * shape[1] * shape[2],
        peaks,
        problems,
    )


class RunningTop:
    """The largest values of each unit so far, and the bounds (units,) below which no threshold can
    end.

    Values above the bound gather until they are a quarter more than `count` and are then cut to it,
    so that the work grows with the number of values, however large `count` is.

    >>> running = RunningTop(1, 2, np.dtype(float))
    >>> for value in (3.0, 1.0, 2.0, 5.0):
    ...     running.add(np.full((1, 1, 1, 1), value), np.array([True]))
    >>> running.cut(0).tolist(), running.bounds.tolist()
    ([3.0, 5.0], [3.0])
    """

    def __init__(self, units: int, count: int, dtype: np.dtype) -> None:
        self.count, self.sizes = count, np.zeros(units, int)
        self.parts: list[list[np.ndarray]] = [[] for _ in range(units)]
        self.empty, self.bounds = np.empty(0, dtype), np.full(units, -np.inf, dtype)

    def add(self, a: np.ndarray, finite: np.ndarray) -> None:
        """A block a (n, units, h, w) more, of the units that are finite (units,)."""
        for k in np.flatnonzero(finite).tolist():
            values = a[:, k].ravel()
            self.parts[k].append(values[values > self.bounds[k]])
            self.sizes[k] += len(self.parts[k][-1])
            if self.sizes[k] >= self.count * (1 if self.bounds[k] == -np.inf else 1.25):
                self.cut(k)

    def cut(self, k: int) -> np.ndarray:
        """The `count` largest values of unit k: (count,), fewer where there are fewer."""
        values = np.concatenate([self.empty, *self.parts[k]])
        if len(values) >= self.count:
            values = np.partition(values, len(values) - self.count)[len(values) - self.count :]
            self.bounds[k] = values[0]
        self.parts[k], self.sizes[k] = [values], len(values)
        return values


def _pixels_above(
    a: np.ndarray,
    highs: np.ndarray,
    bounds: np.ndarray,
    finite: np.ndarray,
    size: tuple[int, int],
    field: tuple[float, float] | None,
    first: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (unit, position, value) of the upsampled pixels above the bounds, for the maps that
    reach them.

    a (n, units, h, w): a block from image `first` on; highs (n, units): its largest values; bounds,
    finite (units,).
    """
    image, unit = np.nonzero((highs > bounds) & finite)
    for i in range(0, len(image), CHUNK):
        n, k = image[i : i + CHUNK], unit[i : i + CHUNK]
        up = upsample(a[n, k], size, field).reshape(len(n), -1)
        at = np.flatnonzero(up > bounds[k][:, None])
        row, pixel = np.divmod(at, up.shape[1])
        yield k[row].astype(np.int32), (first + n[row]) * up.shape[1] + pixel, up.ravel()[at]


def _thin(found: Iterable[tuple], bounds: np.ndarray) -> tuple:
    """All of found as one (unit, position, value), without what is not above the bounds
    (units,).
    """
    kept = [(u[k], p[k], v[k]) for u, p, v in found for k in [v > bounds[u]]]
    if not kept:
        return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0)
    return tuple(map(np.concatenate, zip(*kept)))


def _saturated(
    thresholds: np.ndarray,
    positions: tuple[np.ndarray, ...],
    quantile: float,
    known: dict[int, str],
) -> dict[int, str]:
    """Problems of units with no pixel above the threshold: more than the quantile's share equals
    the maximum.
    """
    words = (
        "no pixel above T = {:g}: more than a share {:g} of its values equal it, or its peaks lie "
        "between pixels"
    )
    return {
        k: words.format(t, quantile)
        for k, t in enumerate(thresholds)
        if k not in known and not len(positions[k])
    }


def _check_activations(a: Any, rows: int, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless a is (rows, units, h, w), real floats, with units, h and w as in
    shape if known.
    """
    if (
        not isinstance(a, np.ndarray)
        or a.ndim != 4
        or a.dtype.kind != "f"
        or len(a) != rows
        or 0 in a.shape
    ):
        got = f"{a.dtype} {a.shape}" if isinstance(a, np.ndarray) else type(a).__name__
        raise ValueError(
            f"activations_of: expected floats of shape ({rows}, units, h, w), got {got}"
        )
    if shape and a.shape[1:] != shape:
        raise ValueError(
            f"activations_of: the first block gave maps {shape}, a later one {a.shape[1:]}"
        )
