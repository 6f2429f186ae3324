"""Bag of words: images as counts of visual words, weighed by tf-idf, compared by the cosine.

Sivic and Zisserman 2003 (Video Google), as in the slides of Reda and Xu 2019. A word is a centre of
k-means on the descriptors (SIFT) of all images that are compared; an image is how often each word
is the nearest to one of its descriptors. NumPy only. Every result is a function of the descriptors
as a set: they are sorted before chance is drawn.
"""

from dataclasses import dataclass

import numpy as np

WORDS = 10  # the slides' vocabulary
ROUNDS = 300  # of Lloyd's, at most
RESTARTS = 10  # of k-means
FLOOR = 1e-4  # the slides' least idf: a word of every image has log(n / (n + 1)) < 0
STANDARDIZE = ("both", "vocabulary")


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a_i - b_j|^2 as (N, M), for a (N, D) and b (M, D); not below 0.

    >>> squared_distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 0.0]])).tolist()
    [[0.0], [25.0]]
    """
    squares = (a * a).sum(axis=1)[:, None] - 2 * (a @ b.T) + (b * b).sum(axis=1)
    return np.maximum(squares, 0)  # round-off of equal rows


def first_centres(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++ (Arthur and Vassilvitskii 2007): a next centre is a point with probability ~ its
    squared distance.

    points (N, D), at least k distinct ones -> (k, D).

    >>> points = np.array([[0.0], [0.0], [9.0]])
    >>> sorted(first_centres(points, 2, np.random.default_rng(0)).tolist())
    [[0.0], [9.0]]
    """
    chosen = [int(rng.integers(len(points)))]
    nearest = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < k:
        chosen.append(int(rng.choice(len(points), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def lloyd(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Lloyd's two steps until no point changes its centre: (centres (k, D), assignment (N,),
    inertia).

    inertia: sum of squared distances to the nearest centre. A centre that loses all its points
    moves to the point that is farthest from its own. points (N, D), centres (k, D) float64. Raises
    ValueError if ROUNDS are not enough.

    >>> centres, assignment, inertia = lloyd(
    ...     np.array([[0.0], [1.0], [8.0], [9.0]]), np.array([[0.0], [1.0]])
    ... )
    >>> centres.tolist(), assignment.tolist(), inertia
    ([[0.5], [8.5]], [0, 0, 1, 1], 1.0)
    """
    assignment = None
    for _ in range(ROUNDS):
        squares = squared_distances(points, centres)
        previous, assignment = assignment, squares.argmin(axis=1)
        counts = np.bincount(assignment, minlength=len(centres))
        if previous is not None and np.array_equal(assignment, previous):
            return centres, assignment, float(((points - centres[assignment]) ** 2).sum())
        members = assignment == np.arange(len(centres))[:, None]
        centres = members.astype(np.float64) @ points / np.maximum(counts, 1)[:, None]
        far = np.argsort(-squares.min(axis=1), kind="stable")
        centres[counts == 0] = points[far[: np.sum(counts == 0)]]
    raise ValueError(f"points: expected k-means to settle, it did not in {ROUNDS} rounds")


def k_means(points: np.ndarray, k: int, *, rng: np.random.Generator) -> np.ndarray:
    """Centres (k, D) of the least inertia over RESTARTS runs of k-means++ and Lloyd, in
    lexicographic order.

    points (N, D). Sorted first, so the same points in another order give the same bits. Raises
    ValueError on numbers that are not finite, where fewer than k points are distinct, and as lloyd.

    >>> k_means(np.array([[0.0], [9.0], [1.0], [8.0]]), 2, rng=np.random.default_rng(0)).tolist()
    [[0.5], [8.5]]
    """
    points = _in_order(points)
    distinct = 1 + int((points[1:] != points[:-1]).any(axis=1).sum()) if len(points) else 0
    if not 1 <= k <= distinct:
        raise ValueError(
            f"k: expected 1 to {distinct} words, the number of distinct points, got {k!r}"
        )
    runs = [lloyd(points, first_centres(points, k, rng)) for _ in range(RESTARTS)]
    return _in_order(min(runs, key=lambda run: run[2])[0])


def _in_order(points: np.ndarray) -> np.ndarray:
    """Rows (N, D) as float64 in lexicographic order. Raises ValueError on another shape and on NaN
    or infinity.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError(f"points: expected finite numbers of shape (N, D), got {points.shape}")
    return points[np.lexsort(points.T[::-1])]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Centres (k, D) in units of (x - mean) / sd; a descriptor is brought to these units where it
    is looked up.

    standardize = "both": it is. "vocabulary": it is not, the slip of the slides' code: raw
    descriptors, 0 to 255, are looked up among centres of size about 1, so the largest <x, centre>
    wins. Words that are strengths of one pattern fall together; words that are patterns of their
    own do not (tests/descriptors/test_bag_of_words.py has both).

    >>> found = Vocabulary(
    ...     np.array([[-1.0], [1.0]]), mean=np.array([5.0]), sd=np.array([2.0]), standardize="both"
    ... )
    >>> found.words([[3.0], [9.0], [8.0]]).tolist(), found.counts([[3.0], [9.0], [8.0]]).tolist()
    ([0, 1, 1], [1, 2])
    """

    centres: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    standardize: str

    def words(self, descriptors: np.ndarray) -> np.ndarray:
        """The nearest word of each descriptor (N, D): (N,) integers, of equally near ones the
        first.
        """
        x = np.asarray(descriptors, dtype=np.float64)
        if self.standardize == "both":
            x = (x - self.mean) / self.sd
        return squared_distances(x, self.centres).argmin(axis=1)

    def counts(self, descriptors: np.ndarray) -> np.ndarray:
        """How often each word occurs in descriptors (N, D): (k,) integers. No descriptor: zeros;
        see tf_idf.
        """
        return np.bincount(self.words(descriptors), minlength=len(self.centres))


def vocabulary(
    descriptors: np.ndarray,
    *,
    rng: np.random.Generator,
    words: int = WORDS,
    standardize: str = "both",
) -> Vocabulary:
    """k-means on descriptors (N, D) with mean 0 and standard deviation 1 in each of the D columns
    (a constant one: 0).

    Raises ValueError as k_means, on fewer than `words` distinct descriptors and on another
    `standardize`.

    >>> rng = np.random.default_rng(0)
    >>> found = vocabulary(rng.normal(size=(200, 4)), rng=rng, words=8)
    >>> found.centres.shape
    (8, 4)
    """
    if standardize not in STANDARDIZE:
        raise ValueError(f"standardize: expected one of {STANDARDIZE}, got {standardize!r}")
    x = _in_order(descriptors)
    if not len(x):
        raise ValueError(f"descriptors: expected at least {words}, got none")
    mean, sd = x.mean(axis=0), x.std(axis=0)
    sd[sd == 0] = 1
    return Vocabulary(k_means((x - mean) / sd, words, rng=rng), mean, sd, standardize)


def inverse_document_frequency(counts: np.ndarray) -> np.ndarray:
    """idf = log(n / (df + 1)), at least 1e-4; df: in how many of the n images the word occurs. (n,
    k) -> (k,).

    >>> inverse_document_frequency(np.array([[2, 0], [1, 0], [1, 1], [3, 0]])).round(4).tolist()
    [0.0001, 0.6931]
    """
    df = (np.asarray(counts) > 0).sum(axis=0)
    return np.maximum(np.log(len(counts) / (df + 1)), FLOOR)


def tf_idf(counts: np.ndarray, idf: np.ndarray) -> np.ndarray:
    """sqrt(tf idf) at length 1: (n, k) -> (n, k), tf = counts / the image's number of words, which
    the length cancels.

    counts (n, k), idf (k,). As the floor keeps idf > 0, only an image without a word has no
    direction: its row is NaN, never 0.

    >>> tf_idf(np.array([[9, 0, 16], [0, 0, 0]]), np.ones(3)).tolist()
    [[0.6, 0.0, 0.8], [nan, nan, nan]]
    """
    counts = np.asarray(counts, dtype=np.float64)
    weights = np.sqrt(counts * idf)
    norms = np.sqrt((weights * weights).sum(axis=1, keepdims=True))
    return np.where(norms > 0, weights / np.where(norms > 0, norms, 1), np.nan)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """<a_i, b_j> as (N, M) for rows of length 1; NaN where an image has no word.

    >>> cosines(np.eye(2), np.array([[0.6, 0.8]])).tolist()
    [[0.6], [0.8]]
    """
    return a @ b.T
