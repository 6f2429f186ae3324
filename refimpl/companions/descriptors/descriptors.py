"""Do images come to look like a class? Three scores between sets of images (slides of Reda and Xu
2019, table 3).

bag_of_words: the mean cosine of tf-idf vectors; sift_contribution: the share of SIFT matches that a
similarity explains; harris_repeatability: the share of corners that an affine map finds again. Each
compares every image of a set with every image of the reference. SIFT, Harris corners and RANSAC are
scikit-image's (extra `descriptors`).

What the slides leave open, and our choices: an image is its luminance, stretched to [0, 1] by
itself, enlarged to 224 x 224 (cubic). 224 is VGG-16's input, which the slides use as well; at 32 x
32 their 15 pixels are half the image. Harris follows scikit-image's example "Robust matching using
RANSAC", which has the slides' 11 x 11 windows (its Gaussian of 3 and 2 pixels are ours too).
Deviations from it: the corner measure sums over a Gaussian of 3 pixels, not 1, as a smooth image
enlarged 7 times has few corners in a window of 1; no sub-pixel refinement; repeatability, not only
inliers. The vocabulary and idf come from all images compared. tests/descriptors/test_descriptors.py
prints what these choices give on drawn images (pytest -s).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from refimpl.companions.descriptors.bag_of_words import (
    WORDS,
    cosines,
    inverse_document_frequency,
    tf_idf,
    vocabulary,
)
from refimpl.companions.descriptors.correspondence import (
    FREE,
    contribution,
    inliers,
    match,
    repeatability,
    scikit_image,
)

SIZE = 224
SIFT_PIXELS = 15  # the slides' tolerance
CORNER_PIXELS = 2  # scikit-image's example
EXTENT = 5  # windows of 11 x 11
SIGMA = 3.0  # of the windows' weights and of the corner measure, in pixels
SCORES = ("bag_of_words", "sift_contribution", "harris_repeatability")
NO_DESCRIPTOR, FEW_DESCRIPTORS, FEW_MATCHES = (
    "no descriptor found",
    "too few descriptors",
    "too few matches",
)


@dataclass(frozen=True, eq=False)
class Description:
    """SIFT keypoints (N, 2) and descriptors (N, 128), uint8; Harris corners (M, 2) and weighted
    windows (M, 121).

    >>> one = Description(
    ...     np.zeros((2, 2)),
    ...     np.eye(2, 128, dtype=np.uint8),
    ...     np.zeros((0, 2), int),
    ...     np.zeros((0, 121)),
    ... )
    >>> len(one.keypoints), one.descriptors.shape, len(one.corners)
    (2, (2, 128), 0)
    """

    keypoints: np.ndarray
    descriptors: np.ndarray
    corners: np.ndarray
    windows: np.ndarray


@dataclass(frozen=True)
class Score:
    """The mean over the judged pairs of images, NaN where there is none; `undefined` counts the
    others by reason.

    points: descriptors (corners for Harris) in the two sets; matches and inliers: over the judged
    pairs.

    >>> score = mean_score([0.25, 0.75, NO_DESCRIPTOR], (4, 6), matches=5, found=3)
    >>> score.value, score.judged, score.inliers, score.undefined
    (0.5, 2, 3, {'no descriptor found': 1})
    """

    value: float
    judged: int
    points: tuple[int, int]
    matches: int
    inliers: int
    undefined: dict[str, int]


def grey(images: np.ndarray) -> np.ndarray:
    """Luminance (N, H, W) of images (N, 1 or 3, H, W), each stretched to [0, 1] by itself; a flat
    image is 0.

    Weights .2125, .7154, .0721 of red, green, blue (ITU-R BT.709, as scikit-image's rgb2gray).
    Raises ValueError on another shape, on no image and on numbers that are not finite.

    >>> grey(np.array([[[[1.0, 3.0]]], [[[5.0, 5.0]]]])).tolist()
    [[[0.0, 1.0]], [[0.0, 0.0]]]
    """
    images = np.asarray(images, dtype=np.float64)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise ValueError(f"images: expected shape (N, 1 or 3, H, W) with N > 0, got {images.shape}")
    if not np.isfinite(images).all():
        raise ValueError("images: expected finite numbers, got NaN or infinity")
    weights = [1.0] if images.shape[1] == 1 else [0.2125, 0.7154, 0.0721]
    plane = np.tensordot(images, weights, axes=(1, 0))
    low, high = plane.min(axis=(1, 2), keepdims=True), plane.max(axis=(1, 2), keepdims=True)
    flat = (high - low) <= 1e-12 * np.maximum(
        np.abs(high), np.abs(low)
    )  # flat, at round-off of the sum
    return np.where(flat, 0, (plane - low) / np.where(flat, 1, high - low))


def _sift(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SIFT keypoints (N, 2) and descriptors (N, 128) of a plane (H, W); N = 0 where there is none
    (Lowe 2004).

    Raises ImportError without scikit-image; of its errors only that there are no features is taken
    as an answer.
    """
    detector = scikit_image("skimage.feature").SIFT()
    try:
        detector.detect_and_extract(plane)
    except RuntimeError as error:
        if "no features" not in str(error):
            raise
        return np.zeros((0, 2)), np.zeros((0, 128), dtype=np.uint8)
    return detector.keypoints, detector.descriptors


def corner_windows(plane: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """11 x 11 pixels of a plane (H, W) round each corner (M, 2), times the root of Gaussian
    weights: (M, 121).

    So |window - window'|^2 is the weighted sum of squared differences of scikit-image's example.

    >>> windows = corner_windows(np.ones((11, 11)), np.array([[5, 5]]))
    >>> windows.shape, float(windows.max())
    ((1, 121), 1.0)
    """
    reach = np.arange(-EXTENT, EXTENT + 1)
    weights = np.exp(-(reach[:, None] ** 2 + reach**2) / (2 * SIGMA**2))
    rows, columns = corners[:, 0, None, None] + reach[:, None], corners[:, 1, None, None] + reach
    return (np.sqrt(weights) * plane[rows, columns]).reshape(len(corners), reach.size**2)


def _harris(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Harris corners (M, 2), integers, at least 5 pixels apart and from the border, and their
    windows (M, 121).
    """
    feature = scikit_image("skimage.feature")
    response = feature.corner_harris(plane, sigma=SIGMA)
    corners = feature.corner_peaks(response, threshold_rel=0.001, min_distance=EXTENT).reshape(
        -1, 2
    )
    corners = corners[
        ((corners >= EXTENT) & (corners < np.array(plane.shape) - EXTENT)).all(axis=1)
    ]
    return corners, corner_windows(plane, corners)


def describe(images: np.ndarray, *, size: int = SIZE) -> list[Description]:
    """One Description an image of images (N, 1 or 3, H, W), each enlarged to size x size.

    Raises ImportError without scikit-image, ValueError as grey and on a size that has no room for a
    corner.

    >>> (one,) = describe(
    ...     np.kron(np.random.default_rng(0).random((1, 1, 4, 4)), np.ones((8, 8))), size=64
    ... )
    >>> one.descriptors.shape[1], one.windows.shape[1]
    (128, 121)
    """
    resize = scikit_image("skimage.transform").resize
    if int(size) != size or size <= 2 * EXTENT:
        raise ValueError(f"size: expected a whole number > {2 * EXTENT}, got {size!r}")
    planes = [resize(plane, (int(size), int(size)), order=3) for plane in grey(images)]
    return [Description(*_sift(plane), *_harris(plane)) for plane in planes]


def mean_score(
    values: Sequence[float | str], points: tuple[int, int], matches: int = 0, found: int = 0
) -> Score:
    """Score of one number or one reason (text) a pair of images; of `matches` in all `found` are
    inliers.

    >>> mean_score([0.25, 0.75], (4, 6)).value, mean_score([FEW_MATCHES], (2, 2)).undefined
    (0.5, {'too few matches': 1})
    """
    judged = [v for v in values if not isinstance(v, str)]
    undefined = dict(sorted(Counter(v for v in values if isinstance(v, str)).items()))
    return Score(
        float(np.mean(judged)) if judged else nan, len(judged), points, matches, found, undefined
    )


def bag_of_words_scores(
    sets: Mapping[str, Sequence[Description]],
    reference: Sequence[Description],
    *,
    rng: np.random.Generator,
    standardize: str = "both",
) -> dict[str, Score]:
    """{name: Score} of sets {name: Descriptions} against a list of Descriptions: the mean cosine
    over pairs of images.

    One vocabulary and one idf for all sets and the reference, so that the scores compare; those of
    two calls do not. A word of n - 1 of the n images or of all has idf 1e-4: where others are
    rarer, these alone decide, and where none is, all count alike. So the level depends on n and on
    chance, and means nothing without that of `chance`.

    A pair with an image without descriptors is "no descriptor found"; with fewer than ten (WORDS)
    distinct descriptors in all, no pair is judged: "too few descriptors". standardize="vocabulary"
    repeats the slip of the slides' code (bag_of_words.Vocabulary); ValueError on another word than
    these two.

    >>> one, other = (
    ...     Description(
    ...         np.zeros((5, 2)), np.eye(10, 128)[rows], np.zeros((0, 2), int), np.zeros((0, 121))
    ...     )
    ...     for rows in (slice(5), slice(5, 10))
    ... )
    >>> score = bag_of_words_scores({"one": [one]}, [one, other], rng=np.random.default_rng(0))[
    ...     "one"
    ... ]
    >>> round(score.value, 6), score.judged
    (0.5, 2)
    """
    by_image = [d.descriptors for group in (*sets.values(), reference) for d in group]
    whole, vectors = np.concatenate(by_image), None
    if len(np.unique(whole, axis=0)) >= WORDS:
        lookup = vocabulary(whole, rng=rng, standardize=standardize)
        counts = np.stack([lookup.counts(d) for d in by_image])
        vectors = tf_idf(counts, inverse_document_frequency(counts))
    scores, start = {}, 0
    for name, group in sets.items():
        points = (
            sum(len(d.descriptors) for d in group),
            sum(len(d.descriptors) for d in reference),
        )
        values: list[float | str] = [FEW_DESCRIPTORS] * (len(group) * len(reference))
        if vectors is not None:
            cosine = cosines(vectors[start : start + len(group)], vectors[-len(reference) :])
            values = [NO_DESCRIPTOR if np.isnan(v) else v for v in cosine.ravel().tolist()]
        scores[name] = mean_score(values, points)
        start += len(group)
    return scores


def pair_geometry(
    a: Description, b: Description, *, of: str, seed: int
) -> tuple[float | str, int, int]:
    """(score or reason, matches, inliers) of two Descriptions; of: "sift_contribution" or
    "harris_repeatability".

    A map fits as many correspondences as fix it whatever they are: with no match beyond these a
    pair is "too few matches", and of M random matches the share is not 0 but at least 2 / M
    (similarity) or 3 / M (affine). Matches at one place count once. Places that are all one in an
    image fix no map, and places that lie on a line in both images fix no affine one. seed: of
    RANSAC's draws. Raises ImportError where RANSAC is needed and scikit-image is missing.

    >>> one = Description(
    ...     np.zeros((2, 2)), np.eye(2, 128), np.zeros((0, 2), int), np.zeros((0, 121))
    ... )
    >>> [
    ...     pair_geometry(one, one, of=of, seed=0)
    ...     for of in ("sift_contribution", "harris_repeatability")
    ... ]
    [('too few matches', 0, 0), ('no descriptor found', 0, 0)]
    """
    if of == "sift_contribution":
        kind, pixels, points, other = "similarity", SIFT_PIXELS, a.keypoints, b.keypoints
        pairs = match(a.descriptors, b.descriptors)
    else:
        kind, pixels, points, other = "affine", CORNER_PIXELS, a.corners, b.corners
        pairs = match(a.windows, b.windows)
    if not len(points) or not len(other):
        return NO_DESCRIPTOR, 0, 0
    here, there = points[pairs[:, 0]], other[pairs[:, 1]]
    if not _fix_a_map(here, there, kind):
        return FEW_MATCHES, 0, 0
    found = inliers(
        here,
        there,
        kind=kind,
        pixels=pixels,
        rng=np.random.default_rng(seed),
    )
    share = (
        contribution(found)
        if kind == "similarity"
        else repeatability(pairs, found, (len(points), len(other)))
    )
    return share, len(pairs), int(found.sum())


def _fix_a_map(here, there, kind):
    """Whether matched places (M, 2) and (M, 2) are more than any map of the kind fits."""
    if len(np.unique(np.hstack([here, there]), axis=0)) <= FREE[kind]:
        return False
    spans = [np.linalg.matrix_rank(p - p.mean(axis=0)) for p in (here, there)]
    return min(spans) >= 1 and (kind == "similarity" or max(spans) == 2)


def _geometry_score(
    group: Sequence[Description], reference: Sequence[Description], *, of: str, seed: int
) -> Score:
    """Score of Descriptions against Descriptions: every image with every image. Each pair draws
    from `seed` anew.
    """
    results = [pair_geometry(a, b, of=of, seed=seed) for a in group for b in reference]
    size = {
        "sift_contribution": lambda d: len(d.keypoints),
        "harris_repeatability": lambda d: len(d.corners),
    }[of]
    values, matches, found = zip(*results)
    return mean_score(
        values, (sum(map(size, group)), sum(map(size, reference))), sum(matches), sum(found)
    )


def compare_sets(
    before: np.ndarray,
    after: np.ndarray,
    reference: np.ndarray,
    *,
    rng: np.random.Generator,
    chance: np.ndarray | None = None,
    standardize: str = "both",
    size: int = SIZE,
) -> dict[str, dict[str, Score]]:
    """The three scores before and after: {"before": {score: Score}, "after": ..., "chance": ...}.

    before, after: images (N, 1 or 3, H, W) as a network draws them before and after it is retrained
    on a class; reference: images of that class; chance, if given: images of other classes, scored
    in the same way (the level that says nothing). standardize: see bag_of_words.Vocabulary. The
    same images in another order have the same scores, as every pair draws from one seed; `before`
    and `after` may differ in number. Raises ImportError without scikit-image, ValueError as
    describe and on another `standardize`.

    >>> rng = np.random.default_rng(0)
    >>> noise, squares = (
    ...     rng.random((1, 1, 32, 32)),
    ...     np.kron(rng.random((1, 1, 4, 4)), np.ones((8, 8))),
    ... )
    >>> scores = compare_sets(noise, squares, squares, rng=rng, size=64)
    >>> (
    ...     [round(scores["after"][of].value, 6) for of in SCORES],
    ...     [scores["before"][of].value < 0.9 for of in SCORES],
    ... )
    ([1.0, 1.0, 1.0], [True, True, True])
    """
    sets = {"before": before, "after": after} | ({} if chance is None else {"chance": chance})
    described = {name: describe(images, size=size) for name, images in sets.items()}
    return compare_descriptions(
        described, describe(reference, size=size), rng=rng, standardize=standardize
    )


def compare_descriptions(
    sets: Mapping[str, Sequence[Description]],
    reference: Sequence[Description],
    *,
    rng: np.random.Generator,
    standardize: str = "both",
) -> dict[str, dict[str, Score]]:
    """compare_sets for any {name: Descriptions}: {name: {score: Score}}.

    Raises ValueError on another `standardize`; ImportError where RANSAC is needed and scikit-image
    is missing.

    >>> one = Description(
    ...     np.zeros((2, 2)), np.eye(2, 128), np.zeros((0, 2), int), np.zeros((0, 121))
    ... )
    >>> scores = compare_descriptions({"one": [one]}, [one], rng=np.random.default_rng(0))["one"]
    >>> [list(scores[of].undefined) for of in SCORES]
    [['too few descriptors'], ['too few matches'], ['no descriptor found']]
    """
    seed = int(rng.integers(2**32))
    words = bag_of_words_scores(sets, reference, rng=rng, standardize=standardize)
    return {
        name: {
            "bag_of_words": words[name],
            **{of: _geometry_score(group, reference, of=of, seed=seed) for of in SCORES[1:]},
        }
        for name, group in sets.items()
    }
