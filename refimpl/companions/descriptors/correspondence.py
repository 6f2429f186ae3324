"""Which points of two images correspond: nearest descriptors, then the largest set that one map of
the plane explains.

SIFT contribution (slides of Reda and Xu 2019): the share of matches that a similarity explains, to
15 pixels, the best of 100 draws (RANSAC, Fischler and Bolles 1981). Harris repeatability (Schmid,
Mohr and Bauckhage 2000, section 3): the share of corners that come again. Matching and scores are
ours; RANSAC is scikit-image's.
"""

import importlib
import warnings
from typing import Any

import numpy as np

from refimpl.companions.descriptors.bag_of_words import squared_distances

DRAWS = 100
FREE = {"similarity": 2, "affine": 3}  # correspondences that fix the map


def scikit_image(module: str) -> Any:
    """Import a module of scikit-image. Raises ImportError where it is missing, and says how to
    install it.

    >>> scikit_image("numpy.linalg").__name__
    'numpy.linalg'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hint = "python -m pip install 'refimpl[descriptors]'"
        raise ImportError(f"SIFT, Harris corners and RANSAC need scikit-image: {hint}") from error


def match(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Index pairs (N, 2) of descriptors a (N, D) and b (K, D): (i, the nearest of b to a_i), of
    equal ones the first.

    Many i may share one j. No pair where there is no descriptor.

    >>> match(np.array([[0.0], [1.0], [9.0]]), np.array([[9.0], [0.2]])).tolist()
    [[0, 1], [1, 1], [2, 0]]
    """
    if not len(a) or not len(b):
        return np.zeros((0, 2), dtype=int)
    squares = squared_distances(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return np.stack([np.arange(len(a)), squares.argmin(axis=1)], axis=1)


def inliers(
    source: np.ndarray,
    target: np.ndarray,
    *,
    kind: str,
    pixels: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Which correspondences source (M, 2) -> target (M, 2) the best map explains to less than
    `pixels`: (M,) booleans.

    kind: "similarity" (fixed by 2 of them) or "affine" (3); so many always fit, and M has to be
    larger for a score. No map at all, as where all points coincide: all False. Raises ImportError
    without scikit-image, ValueError on another kind and on fewer correspondences than fix the map.

    >>> square = np.array([[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 9.0], [5.0, 5.0]])
    >>> moved = square + [3, 4] + [[0, 0], [0, 0], [0, 0], [0, 0], [7, 0]]
    >>> inliers(square, moved, kind="similarity", pixels=1, rng=np.random.default_rng(0)).tolist()
    [True, True, True, True, False]
    """
    if kind not in FREE:
        raise ValueError(f"kind: expected one of {tuple(FREE)}, got {kind!r}")
    if len(source) < FREE[kind]:
        raise ValueError(
            f"source: expected at least {FREE[kind]} points for a map of kind {kind!r}, got "
            f"{len(source)}"
        )
    transform = scikit_image("skimage.transform")
    model = {"similarity": transform.SimilarityTransform, "affine": transform.AffineTransform}[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "No inliers found": the None below
        _, found = scikit_image("skimage.measure").ransac(
            (np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)),
            model,
            min_samples=FREE[kind],
            residual_threshold=pixels,
            max_trials=DRAWS,
            rng=rng,
        )
    return np.zeros(len(source), dtype=bool) if found is None else found


def contribution(found: np.ndarray) -> float:
    """The share of inliers among the matches, found (n,) bool, n > 0: in [0, 1].

    >>> contribution(np.array([True, True, False, True]))
    0.75
    """
    return float(np.mean(found))


def repeatability(pairs: np.ndarray, found: np.ndarray, corners: tuple[int, int]) -> float:
    """Repeated corners / the fewer of the two images' corners, (n, m); a corner that is shared
    counts once.

    pairs (M, 2) as match gives them, found (M,) as inliers does.

    >>> repeatability(np.array([[0, 1], [1, 1], [2, 0]]), np.array([True, True, True]), (5, 4))
    0.5
    """
    kept = pairs[found]
    return min(len(np.unique(kept[:, 0])), len(np.unique(kept[:, 1]))) / min(corners)
