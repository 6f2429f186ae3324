"""Network dissection: which units of a layer detect which concepts (Bau, Zhou, Khosla, Oliva and
Torralba 2017).

    IoU_{k,c} = sum_x |M_k(x) and L_c(x)| / sum_x |M_k(x) or L_c(x)|

M_k: the pixels where unit k is above its .005 quantile (activation_masks); L_c: the mask of concept
c. As in the paper (section 2.2) the sums run over the images that have a label of the same kind as
c, scene, object, part, ..., since elsewhere nobody has looked for c. A unit detects its concept of
largest IoU if that is above .04.

Two bounds explain the .04. By size: IoU <= min(|M|, |L|) / max(|M|, |L|), so a concept that covers
more than q / .04 = 12.5 % of the pixels has no detector where M covers q = .005. By chance: for M
and L independent pixels that cover shares q and p the expected IoU is about q p / (q + p - q p) <=
q = .005, an eighth of .04. How far it strays above depends on the images: see `chance`. To beat
chance is less than to detect: a unit that likes objects of any kind meets every colour more often
than by chance.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.companions.dissection.activation_masks import ActivationMasks, activation_masks
from refimpl.companions.dissection.concept_masks import BITS, Labels, check_masks, names_and_kinds

BEST = 9  # images of largest maximum that are named for each unit
LEVELS = (0.95, 0.99)  # of chance


@dataclass(frozen=True, eq=False)
class Chance:
    """IoU where masks and images are shuffled against each other.

    p (units,): share of the shuffles (the true order counted in) where the unit's largest IoU over
    all concepts is at least the true one; the choice of the concept is paid for, the number of
    units is not. levels {.95, .99}: of that largest IoU, (units,). layer_levels {.95, .99}: of the
    largest over all units too: whatever is above has a family-wise error of 5 or 1 % over the layer
    (Westfall and Young 1993, single-step maxT). mean, largest (units, concepts): over the shuffles.
    NaN where the unit has no mask or the concept no pixel.

    >>> maps = np.arange(8.0).reshape(2, 1, 2, 2)
    >>> found = dissect(
    ...     lambda rows: maps[rows],
    ...     np.arange(2),
    ...     maps > 5,
    ...     quantile=0.25,
    ...     shuffles=19,
    ...     rng=np.random.default_rng(0),
    ... )
    >>> (
    ...     found.chance.shuffles,
    ...     bool(found.chance.p[0] > 0.05),
    ...     found.chance.layer_levels[0.95],
    ... )  # only two orders of two
    (19, True, 1.0)
    """

    shuffles: int
    p: np.ndarray
    levels: dict[float, np.ndarray]
    layer_levels: dict[float, float]
    mean: np.ndarray
    largest: np.ndarray


@dataclass(frozen=True, eq=False)
class Dissection:
    """What each unit of a layer detects.

    iou (units, concepts), NaN where it is undefined; concept (units,): of the largest IoU, the
    first of equals, -1 where all is undefined; score (units,): its IoU; detector (units,) bool:
    score > iou_threshold. thresholds (units,): T_k. best_images (units, 9): of largest maximum,
    best first. active: the masks M_k. ceiling (units, concepts): the largest IoU that the sizes of
    M_k and L_c allow. problems: in words, what is undefined or out of reach and why.

    >>> maps = np.arange(8.0).reshape(2, 1, 2, 2)
    >>> found = dissect(lambda rows: maps[rows], np.arange(2), maps > 5, quantile=0.25)
    >>> found.iou.tolist(), found.thresholds.tolist(), found.best_images.tolist()
    ([[1.0]], [5.0], [[1, 0]])
    """

    iou: np.ndarray
    concept: np.ndarray
    score: np.ndarray
    detector: np.ndarray
    thresholds: np.ndarray
    ceiling: np.ndarray
    best_images: np.ndarray
    active: ActivationMasks
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    iou_threshold: float
    problems: tuple[str, ...]
    chance: Chance | None


def dissect(
    activations_of: Callable,
    images: Any,
    masks: np.ndarray,
    *,
    names: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    quantile: float = 0.005,
    iou_threshold: float = 0.04,
    shuffles: int = 0,
    rng: np.random.Generator | None = None,
    block: int = 128,
    field: tuple[float, float] | None = None,
) -> Dissection:
    """Dissect all units of a layer in one pass over the images.

    activations_of(x) -> (n, units, h, w) for a block x of `images`. images: rows (N, H W) or (N, 3
    H W), stacks (N, C, H, W), or anything (N,) that activations_of understands. masks (N, concepts,
    H, W) bool. names, kinds: one a concept; without kinds every image counts for every concept.
    shuffles, rng: see `chance`. field: of `activation_masks.bilinear_taps`, for layers that are not
    padded. quantile: the share of a unit's values, over all images and positions, that count as
    active. iou_threshold: the IoU in [0, 1] above which a unit is a detector. block: images at a
    time; it changes memory and time, not the result. Returns a Dissection. Raises ValueError where
    images and masks do not belong together, without images, on block < 1, and as `activation_masks`
    (quantile, activations) and `score` (names, kinds, shuffles); what concerns single units or
    concepts is NaN and named in `problems`.

    >>> masks = np.zeros((4, 2, 2, 2), bool)
    >>> masks[0, 0, 0, 0] = masks[1, 1] = True
    >>> maps = masks[:, ::-1] + np.linspace(0, 0.1, 32).reshape(4, 2, 2, 2)
    >>> found = dissect(
    ...     lambda rows: maps[rows], np.arange(4), masks, names=("dot", "page"), quantile=0.25
    ... )
    >>> found.concept.tolist(), found.score.round(2).tolist()
    ([1, 0], [1.0, 0.25])
    """
    shape = np.shape(images)
    size = check_masks(masks, len(images), shape[2:] if len(shape) == 4 else None)
    if len(shape) == 2 and shape[1] not in (size[0] * size[1], 3 * size[0] * size[1]):
        raise ValueError(
            f"masks: expected H x W pixels with H W or 3 H W = {shape[1]}, the values of an "
            f"image, got "
            f"{size[0]} x {size[1]}"
        )
    active = activation_masks(
        activations_of, images, size, quantile=quantile, block=block, field=field
    )
    return score(
        active,
        masks,
        names=names,
        kinds=kinds,
        iou_threshold=iou_threshold,
        shuffles=shuffles,
        rng=rng,
    )


def score(
    active: ActivationMasks,
    masks: np.ndarray,
    *,
    names: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    iou_threshold: float = 0.04,
    shuffles: int = 0,
    rng: np.random.Generator | None = None,
) -> Dissection:
    """The second half of `dissect`: ActivationMasks, e.g. at another quantile, against concept
    masks.

    masks (N, concepts, H, W) bool, the others as in `dissect`. Raises ValueError where masks are
    not as many or as large as the activation masks, on names or kinds that are not one a concept,
    and on shuffles < 0 or without rng.

    >>> masks = np.zeros((4, 2, 2, 2), bool)
    >>> masks[0, 0, 0, 0] = masks[1, 1] = True
    >>> maps = masks[:, ::-1] + np.linspace(0, 0.1, 32).reshape(4, 2, 2, 2)
    >>> found = dissect(
    ...     lambda rows: maps[rows], np.arange(4), masks, kinds=("part", "scene"), quantile=0.25
    ... )
    >>> score(found.active, masks).score.round(2).tolist()
    [1.0, 0.25]
    """
    check_masks(masks, active.shape[0], active.shape[1:])
    names, kinds = names_and_kinds(masks, names, kinds)
    if shuffles < 0 or int(shuffles) != shuffles:
        raise ValueError(f"shuffles: expected a whole number >= 0, got {shuffles!r}")
    if shuffles and rng is None:
        raise ValueError("rng: expected a Generator where shuffles > 0, got None")
    labels = Labels.of(masks, kinds)
    overlaps = Overlaps.of(active, labels)
    iou, area = overlaps.iou()
    smaller, larger = np.minimum(area, labels.sizes), np.maximum(area, labels.sizes)
    ceiling = np.where(np.isnan(iou), np.nan, smaller / np.maximum(larger, 1))
    concept, value = _largest(iou)
    return Dissection(
        iou,
        concept,
        value,
        value > iou_threshold,
        active.thresholds,
        ceiling,
        np.argsort(-active.peaks.T, axis=1, kind="stable")[:, :BEST],
        active,
        names,
        kinds,
        iou_threshold,
        _problems_of(active, labels, names, ceiling, iou_threshold),
        chance(overlaps, iou, shuffles, rng) if shuffles and rng else None,
    )


def chance(
    overlaps: "Overlaps", iou: np.ndarray, shuffles: int, rng: np.random.Generator
) -> Chance:
    """The null distribution: the masks of all concepts, kept together, are dealt out anew to the
    images.

    What stays: every activation map, every mask, their sizes, shapes and places in the image (a
    unit and a concept that both keep to the middle meet by chance too). What goes: that they belong
    to the same image. Where images are exchangeable, p <= alpha has probability at most alpha for a
    unit that does not depend on the labels. iou (units, concepts): the true one, overlaps.iou()[0];
    the orders are drawn by rng.

    >>> maps = np.arange(8.0).reshape(2, 1, 2, 2)
    >>> active = activation_masks(lambda rows: maps[rows], np.arange(2), (2, 2), quantile=0.25)
    >>> overlaps = Overlaps.of(active, Labels.of(maps > 5, ("",)))
    >>> chance(overlaps, overlaps.iou()[0], 19, np.random.default_rng(0)).levels[0.95].tolist()
    [1.0]
    """
    best = np.empty((shuffles, len(iou)))
    total, highest = np.zeros_like(iou), np.full_like(iou, -np.inf)
    for s in range(shuffles):
        shuffled = overlaps.iou(rng.permutation(overlaps.labels.images))[0]
        best[s] = _largest(shuffled)[1]
        total += shuffled
        highest = np.maximum(highest, shuffled)
    true = _largest(iou)[1]
    p = np.where(np.isnan(true), np.nan, (1 + (best >= true).sum(axis=0)) / (1 + shuffles))
    defined = (
        best[:, ~np.isnan(true)].max(axis=1)
        if (~np.isnan(true)).any()
        else np.full(shuffles, np.nan)
    )
    return Chance(
        shuffles,
        p,
        {v: order_quantile(best, v) for v in LEVELS},
        {v: float(order_quantile(defined, v)) for v in LEVELS},
        total / shuffles,
        highest,
    )


def order_quantile(values: np.ndarray, level: float) -> np.ndarray:
    """A value of `values` (S, ...) that at most a share 1 - level of S + 1 draws exceed: the
    ceil(level (S + 1))-th smallest; +infinity where S is too small for the level.

    >>> (
    ...     float(order_quantile(np.arange(1.0, 20.0), 0.9)),
    ...     float(order_quantile(np.arange(1.0, 20.0), 0.99)),
    ... )
    (18.0, inf)
    """
    at = int(np.ceil(level * (len(values) + 1) - 1e-9))
    if at > len(values):
        return np.where(np.isnan(values).any(axis=0), np.nan, np.inf)
    return np.sort(values, axis=0)[at - 1]


def _largest(iou: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(units, concepts) -> the position of the largest (the first of equals), its value; -1 and NaN
    if all are NaN.
    """
    undefined = np.isnan(iou)
    concept = np.where(undefined, -np.inf, iou).argmax(axis=1)
    none = undefined.all(axis=1)
    return np.where(none, -1, concept), np.where(none, np.nan, iou[np.arange(len(iou)), concept])


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Units and labels, ready to count: of every active pixel its image, its place there and 256
    times its unit.

    image, pixel, unit (n,), n active pixels; areas (units, N): active pixels in each image.

    >>> maps = np.arange(8.0).reshape(2, 1, 2, 2)
    >>> active = activation_masks(lambda rows: maps[rows], np.arange(2), (2, 2), quantile=0.25)
    >>> overlaps = Overlaps.of(active, Labels.of(maps > 5, ("",)))
    >>> overlaps.iou()[0].tolist(), overlaps.iou(np.array([1, 0]))[0].tolist()
    ([[1.0]], [[0.0]])
    """

    labels: Labels
    image: np.ndarray
    pixel: np.ndarray
    unit: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, active: ActivationMasks, labels: Labels) -> "Overlaps":
        """Of masks that belong together: check_masks has been asked."""
        n = labels.images
        image, pixel = np.divmod(np.concatenate(active.positions), labels.pixels)
        unit = np.repeat(np.arange(active.units), [len(p) for p in active.positions])
        areas = np.bincount(unit * n + image, minlength=active.units * n).reshape(active.units, n)
        return cls(labels, image, pixel, unit * 256, areas.astype(np.float64))

    def iou(self, order: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """IoU (units, concepts), NaN where undefined, and |M| over the images of the concept's
        kind, (units, concepts).

        order (N,): which image's labels each image is given; its own by default.
        """
        labels, units = self.labels, len(self.areas)
        at = (self.image if order is None else order[self.image]) * labels.pixels + self.pixel
        counts = [
            np.bincount(self.unit + plane[at], minlength=256 * units).reshape(units, 256) @ BITS
            for plane in labels.planes
        ]
        both = np.concatenate(counts, axis=1)[:, : len(labels.sizes)]
        present = labels.present if order is None else labels.present[order]
        area = (self.areas @ present)[:, labels.kind]
        defined = self.areas.any(axis=1, keepdims=True) & (labels.sizes > 0)
        return np.where(defined, both / np.maximum(area + labels.sizes - both, 1), np.nan), area


def _problems_of(
    active: ActivationMasks,
    labels: Labels,
    names: Sequence[str],
    ceiling: np.ndarray,
    iou_threshold: float,
) -> tuple[str, ...]:
    """What is undefined or out of reach, in words."""
    found = [f"unit {unit}: {why}" for unit, why in sorted(active.problems.items())]
    pixels = labels.pixels * labels.present.sum(axis=0)[labels.kind]
    highest = np.where(np.isnan(ceiling), 0, ceiling).max(axis=0)
    for name, size, all_pixels, high in zip(names, labels.sizes, pixels, highest):
        if not size:
            found.append(f"concept {name!r}: no pixel in any mask")
        elif 0 < high <= iou_threshold:
            found.append(
                f"concept {name!r}: covers {100 * size / all_pixels:.1f} % of the pixels of the "
                f"images with a "
                f"label of its kind; sizes alone keep every unit's IoU at or below {high:.3f}"
            )
    return tuple(found)


def detectors_by_kind(found: Dissection) -> dict[str, tuple[int, int]]:
    """{kind: (detectors, unique detectors)}: units that detect a concept of the kind; concepts that
    a unit detects.

    >>> masks = np.zeros((4, 2, 2, 2), bool)
    >>> masks[0, 0, 0, 0] = masks[1, 1] = True
    >>> maps = masks[:, ::-1] + np.linspace(0, 0.1, 32).reshape(4, 2, 2, 2)
    >>> found = dissect(
    ...     lambda rows: maps[rows], np.arange(4), masks, kinds=("part", "scene"), quantile=0.25
    ... )
    >>> detectors_by_kind(found)
    {'part': (1, 1), 'scene': (1, 1)}
    """
    concepts = found.concept[found.detector]
    return {
        kind: (
            sum(found.kinds[c] == kind for c in concepts),
            len({c for c in concepts if found.kinds[c] == kind}),
        )
        for kind in dict.fromkeys(found.kinds)
    }


def detector_curve(found: Dissection, iou_thresholds: Iterable[float]) -> np.ndarray:
    """Detectors and unique detectors at each IoU threshold: (thresholds, 2) integers.

    >>> masks = np.zeros((4, 2, 2, 2), bool)
    >>> masks[0, 0, 0, 0] = masks[1, 1] = True
    >>> maps = masks[:, ::-1] + np.linspace(0, 0.1, 32).reshape(4, 2, 2, 2)
    >>> found = dissect(
    ...     lambda rows: maps[rows], np.arange(4), masks, kinds=("part", "scene"), quantile=0.25
    ... )
    >>> detector_curve(found, (0.04, 0.5)).tolist()
    [[2, 2], [2, 2]]
    """
    above = [np.flatnonzero(found.score > t) for t in iou_thresholds]
    return np.array([(len(units), len(set(found.concept[units].tolist()))) for units in above])


def quantile_curve(
    active: ActivationMasks, masks: np.ndarray, quantiles: Iterable[float], **how: Any
) -> dict[float, Dissection]:
    """{q: Dissection} at several quantiles up to that of the pass, from one pass; `how` as in
    `score`.

    masks (N, concepts, H, W) bool. Raises ValueError on a larger quantile, and as `score`.

    >>> masks = np.zeros((4, 2, 2, 2), bool)
    >>> masks[0, 0, 0, 0] = masks[1, 1] = True
    >>> maps = masks[:, ::-1] + np.linspace(0, 0.1, 32).reshape(4, 2, 2, 2)
    >>> found = dissect(
    ...     lambda rows: maps[rows], np.arange(4), masks, kinds=("part", "scene"), quantile=0.25
    ... )
    >>> curve = quantile_curve(found.active, masks, (0.1, 0.25))
    >>> {q: at.score.round(2).tolist() for q, at in curve.items()}
    {0.1: [0.25, 1.0], 0.25: [1.0, 0.25]}
    """
    return {q: score(active.at(q), masks, **how) for q in quantiles}
