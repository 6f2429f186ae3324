"""What a set of images made from a network shows of the network's training data.

The paper calls class visualizations anonymized. Three measures, each with what it is to be compared
with:
- resemblance: the largest |cosine| of each image with any training image, beside the same with as
  many unseen images of the same source. Remembered images would make the first larger; what is
  common to all images makes both large.
- energy: how much of a training image (or class average), its mean taken off, lies in the span of
  the images, beside the span of as many images made from an untrained network or from noise.
- membership (Shokri et al. 2017; the threshold attack of Yeom et al. 2018): does a score, here
  minus the loss of the network rebuilt from the images, tell training images from unseen ones? The
  area under the ROC curve, .5 is chance.
"""

import numpy as np

from refimpl.losses import check_labels, log_softmax
from refimpl.network import Network
from refimpl.theory import row_space


def _centred(x: np.ndarray) -> np.ndarray:
    """Each image minus its own mean, scaled to norm 1 (a flat image stays 0). (N, D) -> (N, D)
    float64.
    """
    x = np.asarray(x, np.float64)
    x = x - x.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, norm, out=np.zeros_like(x), where=norm > 1e-12)


BLOCK = 4096  # images compared at once


def resemblance(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The largest |cosine| of each image with any of the others, means taken off: (N, D), (M, D) ->
    (N,).

    An image and its negative look alike here: a visualization has no sign of its own. Raises
    ValueError on no others.

    >>> resemblance(
    ...     np.array([[1.0, 2.0, 3.0]]), np.array([[3.0, 2.0, 1.0], [0.0, 5.0, 0.0]])
    ... ).round(6).tolist()
    [1.0]
    """
    if len(others) == 0:
        raise ValueError("others: expected at least one image, got none")
    mine = _centred(images)
    return np.max(
        [
            np.abs(mine @ _centred(others[i : i + BLOCK]).T).max(axis=1)
            for i in range(0, len(others), BLOCK)
        ],
        axis=0,
    )


def energy_in_span(x: np.ndarray, images: np.ndarray) -> np.ndarray:
    """|P x|^2 / |x|^2 of each row of x, P the projector on the span of the images, x with its mean
    taken off.

    The flat image is added to the span, so that brightness never counts. (M, D), (N, D) -> (M,); 0
    for a flat row.

    >>> energy_in_span(np.array([[1.0, -1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])).round(6).tolist()
    [0.75]
    """
    images = np.vstack([np.ones((1, np.shape(images)[1])), np.asarray(images, np.float64)])
    images = images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-300)
    basis, _ = row_space(images)
    return np.minimum(((_centred(x) @ basis.T) ** 2).sum(axis=1), 1.0)


def membership_scores(network: Network, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """log p_y of each image: minus its cross-entropy, the score of the threshold attack. x (N, D),
    y (N,) -> (N,).

    Raises ValueError on another number of labels and on labels that the network has no logits for.

    >>> from refimpl.network import softmax_net
    >>> membership_scores(softmax_net(3, 4), np.ones((1, 3)), np.array([2])).round(4).tolist()
    [-1.3863]
    """
    check_labels(y, network.classes)
    if len(y) != len(x):
        raise ValueError(f"y: expected one label an image, {len(x)}, got {len(y)}")
    return log_softmax(network.logits(x).astype(np.float64))[np.arange(len(x)), y]


def auc(members: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve of a score: P(member > other) + P(equal) / 2, and its standard
    error.

    The standard error is Hanley and McNeil's (1982), a function of the area, N and M alone; they
    take it from scores that are exponentially distributed. members (N,), others (M,) -> (area,
    error). Raises ValueError where one is empty or NaN.

    >>> auc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))[0]
    0.875
    """
    n, m = len(members), len(others)
    if not (n and m) or np.isnan(members).any() or np.isnan(others).any():
        raise ValueError(
            f"members, others: expected scores without NaN, at least one of each, got {n} and {m}"
        )
    ranked, both = np.sort(others), np.asarray(members)
    below, upto = np.searchsorted(ranked, both, "left"), np.searchsorted(ranked, both, "right")
    area = float((below + upto).sum() / (2 * n * m))
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)) / (n * m)
    return area, float(np.sqrt(max(variance, 0.0)))
