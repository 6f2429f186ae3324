"""Which points of two images correspond: nearest descriptors, then the largest set that one map of the plane explains.

SIFT contribution (slides of Reda and Xu 2019): the share of matches that a similarity explains, to 15 pixels, the best
of 100 draws (RANSAC, Fischler and Bolles 1981). Harris repeatability (Schmid, Mohr and Bauckhage 2000, section 3): the
share of corners that come again. Matching and scores are ours; RANSAC is scikit-image's.
"""

import warnings

import numpy as np

from refimpl.methods.bag_of_words import squared_distances

DRAWS = 100
MATCHING = ("mutual", "nearest")
FREE = {"similarity": 2, "affine": 3}  # correspondences that fix the map


def scikit_image(module):
    """Import a module of scikit-image, or say how to install it.

    >>> scikit_image("numpy.linalg").__name__
    'numpy.linalg'
    """
    import importlib
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hint = "pip install 'refimpl[descriptors]'"
        raise ImportError(f"SIFT, Harris corners and RANSAC need scikit-image: {hint}") from error


def match(a, b, *, matching="mutual"):
    """Index pairs (M, 2) of descriptors a (N, D) and b (K, D): (i, the nearest of b to a_i), of equal ones the first.

    matching = "mutual": those where i is the nearest of a to b_j as well. One to one, and the same with a and b
    exchanged (short of ties). "nearest": all N; many i may share one j.

    >>> a, b = np.array([[0.0], [1.0], [9.0]]), np.array([[9.0], [0.2]])
    >>> match(a, b).tolist(), match(a, b, matching="nearest").tolist()
    ([[0, 1], [2, 0]], [[0, 1], [1, 1], [2, 0]])
    """
    if matching not in MATCHING:
        raise ValueError(f"matching: expected one of {MATCHING}, got {matching!r}")
    if not len(a) or not len(b):
        return np.zeros((0, 2), dtype=int)
    squares = squared_distances(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    pairs = np.stack([np.arange(len(a)), squares.argmin(axis=1)], axis=1)
    return pairs if matching == "nearest" else pairs[squares.argmin(axis=0)[pairs[:, 1]] == pairs[:, 0]]


def inliers(source, target, *, kind, pixels, rng, draws=DRAWS):
    """Which correspondences source (M, 2) -> target (M, 2) the best map explains to less than `pixels`: (M,) booleans.

    kind: "similarity" (fixed by 2 of them) or "affine" (3); so many always fit, and M has to be larger for a score.
    No map at all, as where all points coincide: all False. Raises ImportError without scikit-image.
    """
    if kind not in FREE:
        raise ValueError(f"kind: expected one of {tuple(FREE)}, got {kind!r}")
    if len(source) < FREE[kind]:
        raise ValueError(f"source: expected at least {FREE[kind]} points for a map of kind {kind!r}, got {len(source)}")
    transform = scikit_image("skimage.transform")
    model = {"similarity": transform.SimilarityTransform, "affine": transform.AffineTransform}[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "No inliers found": the None below
        _, found = scikit_image("skimage.measure").ransac(
            (np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)), model,
            min_samples=FREE[kind], residual_threshold=pixels, max_trials=draws, rng=rng)
    return np.zeros(len(source), dtype=bool) if found is None else found


def contribution(found):
    """The share of inliers among the matches.

    >>> float(contribution(np.array([True, True, False, True])))
    0.75
    """
    return float(np.mean(found))


def repeatability(pairs, found, corners):
    """Repeated corners / the fewer of the two images' corners, (n, m); a corner that is shared counts once.

    >>> repeatability(np.array([[0, 1], [1, 1], [2, 0]]), np.array([True, True, True]), (5, 4))
    0.5
    """
    kept = pairs[found]
    return min(len(np.unique(kept[:, 0])), len(np.unique(kept[:, 1]))) / min(corners)
