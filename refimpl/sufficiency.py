"""How few images suffice, how fast a student gets there, and what a random start or rounding costs:
theorems T14 and T16 to T19, as closed forms. T15 is measured in `refimpl.paper.section7`.

As in `refimpl.theory`, theta = (W; b), (D + 1, K), acts on augmented images (x, 1), and squared
error on logits is |Z - Z_t|^2 / 2N.
"""

import math

import numpy as np

from refimpl.arguments import matrix, positive, sizes, whole
from refimpl.losses import check_labels
from refimpl.theory import augmented, count_nonzero, row_space


def _centred(theta):
    return theta - theta.mean(axis=1, keepdims=True)


def least_images(
    theta: np.ndarray, *, start: np.ndarray | None = None, probabilities: bool = False
) -> int:
    """T14: the least number of images from which a linear student can come back to theta (D + 1,
    K).

    For any loss on logits and steps that are linear in the gradients (SGD, momentum, decay; not
    Adam), updates are X~' C, so N images change theta within the span of N rows (x, 1). From zero
    that needs rank(theta) images if b is not 0, and rank(W) + 1 if it is; none for theta = 0. From
    start, the same for theta - start; from a random start that whoever makes the images does not
    know, D + 1. probabilities: for the same probabilities at every input; then the columns' mean is
    taken away first, and the rank is at most K - 1. Necessary, and attained by `fewest_images`.
    Raises ValueError on NaN or infinity.

    >>> theta = np.array([[3.0, -3.0], [0.0, 0.0], [1.0, -1.0]])
    >>> least_images(theta), least_images(np.vstack([theta[:2], [[0.0, 0.0]]]))
    (1, 2)
    """
    return len(_row_space(theta, start, probabilities))


def _row_space(theta, start, probabilities):
    """An orthonormal basis, (r, D + 1), of the least span of rows (x, 1) that holds the columns of
    what is wanted: theta - start, centred for probabilities.

    Differences leave round-off of the size of their terms, so that is what counts as zero.
    """
    theta = matrix("theta", theta, None, None).astype(np.float64)
    if 0 in theta.shape:
        raise ValueError(f"theta: expected shape (D + 1, K), got {theta.shape}")
    start = np.zeros_like(theta) if start is None else matrix("start", start, *theta.shape)
    wanted = theta - start
    wanted = _centred(wanted) if probabilities else wanted
    size = max(np.linalg.norm(theta, 2), np.linalg.norm(start, 2))
    zero = max(theta.shape) * np.finfo(float).eps * size
    flat = np.linalg.norm(wanted[-1]) <= zero
    if flat:  # no bias: (x, 1) holds it only with (0, 1) beside it
        wanted[-1] = 0
    _, sigma, v = np.linalg.svd(wanted.T, full_matrices=False)
    basis = v[: int((sigma > zero).sum())]
    return (
        np.vstack([basis, np.eye(1, len(theta), len(theta) - 1)]) if flat and len(basis) else basis
    )


def fewest_images(
    theta: np.ndarray, *, start: np.ndarray | None = None, probabilities: bool = False
) -> tuple[np.ndarray, float]:
    """T14: as few images as can be, from which ONE step of squared error returns theta.

    An orthonormal basis of the span of theta's columns is turned by one Householder reflection so
    that all r last entries are equal, and divided by them. Then G = (r / |v|^2) I, v the projection
    of the last unit vector on the span, and a step with lr = |v|^2 on the teacher's logits is
    enough. As b tends to 0 the images' norm sqrt(r / |v|^2 - 1) grows without bound; at b = 0 one
    more image is needed. Arguments as for `least_images`. Returns (images (r, D), lr). Raises
    ValueError on NaN or infinity.

    >>> images, lr = fewest_images(np.array([[3.0, -3.0], [0.0, 0.0], [1.0, -1.0]]))
    >>> images.round(9).tolist(), round(lr, 9)
    ([[3.0, 0.0]], 0.1)
    """
    basis = _row_space(theta, start, probabilities)
    r = len(basis)
    if not r:
        return np.zeros((0, len(theta) - 1)), 1.0
    last = basis[:, -1]  # v in this basis
    size = float(np.linalg.norm(last))
    mirror = last - size / math.sqrt(r)
    if np.linalg.norm(mirror) > np.finfo(float).eps * size:
        basis = basis - 2 * np.outer(mirror, mirror @ basis) / (mirror @ mirror)
    return basis[:, :-1] * (math.sqrt(r) / size), size**2


def first_step(
    x: np.ndarray, y: np.ndarray, classes: int, *, lr: float, temperature: float = 1.0
) -> np.ndarray:
    """T16: theta after one full-batch step of cross-entropy from zero, (D + 1, K).

    w_c = lr / T (pi_c mu_c - mean x / K) and b_c = lr / T (pi_c - 1 / K), pi_c the share of class c
    and mu_c its average image: differences of averages, so that the averages of all classes give
    this teacher back. x (N, D), labels y (N,) below `classes`; a minibatch has its own shares and
    averages. The softmax is of z / T, the targets are the labels. Raises ValueError on other
    labels, without images, and on NaN or infinity.

    >>> first_step(np.array([[1.0], [3.0]]), np.array([0, 1]), 2, lr=1.0).tolist()
    [[-0.5, 0.5], [0.0, 0.0]]
    """
    x = matrix("x", x, whole("x, its images", len(x), 1), None)
    y, classes = np.asarray(y), whole("classes", classes, 1)
    matrix("y", y, len(x))
    check_labels(y, classes)
    matrix("lr", lr)
    positive("temperature", temperature)
    share = np.eye(classes)[y] - 1 / classes  # (N, K)
    rows = augmented(np.asarray(x, np.float64))
    return lr / temperature * rows.T @ share / len(rows)


def cross_entropy_factor(
    x: np.ndarray, logits: np.ndarray, *, lr: float, temperature: float
) -> float:
    """T17: by which factor a late step of cross-entropy shrinks the slowest part of a linear
    student of images x (N, D) and the teacher's logits (N, K), both sides at `temperature`.

    Near the end dZ <- dZ - lr (G x I) S dZ / (N T^2), S = blockdiag(diag p_n - p_n p_n'), p =
    softmax(logits / T). The factor is 1 - lr mu, mu the rank(X~) (K - 1)-th largest eigenvalue:
    counted, for with saturated targets it lies below any threshold. It is computed as the square of
    a singular value of S^(1/2) times the images, hence to full accuracy. Raises ValueError where lr
    (mu + mu_max) > 2 (there another part is the slowest, or descent diverges), on fewer than two
    classes and on lr or temperature <= 0.

    >>> x, z = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, -1.0], [-1.0, 1.0]])
    >>> round(cross_entropy_factor(x, z, lr=1.0, temperature=1.0), 6)
    0.895006
    """
    x = matrix("x", x, whole("x, its images", len(x), 1), None)
    logits = matrix("logits", logits, len(x), None)
    n, k = logits.shape
    whole("logits, their classes", k, 2)
    positive("lr", lr)
    positive("temperature", temperature)
    rows = augmented(x)
    u, sigma, _ = np.linalg.svd(rows, full_matrices=False)
    rank = count_nonzero(sigma, rows.shape)
    scores = np.exp(logits / temperature - (logits / temperature).max(axis=1, keepdims=True))
    p = scores / scores.sum(axis=1, keepdims=True)
    root = np.sqrt(p)[:, :, None] * np.eye(k) - p[:, :, None] * np.sqrt(p)[:, None, :]  # S = AA'
    system = np.einsum("nr,nij->njri", u[:, :rank] * sigma[:rank], root).reshape(n * k, rank * k)
    values = np.linalg.svd(system, compute_uv=False) ** 2 / (n * temperature**2)
    slowest, fastest = float(values[rank * (k - 1) - 1]), float(values[0])
    if lr * (slowest + fastest) > 2:
        raise ValueError(
            f"lr: expected at most {2 / (slowest + fastest):.6g} for these images, got {lr!r}"
        )
    return 1 - lr * slowest


def least_images_by_dimension(
    inputs: int, classes: int, *, hidden: int = 0, probabilities: bool = False
) -> int:
    """T18: N (D + K) is at least the number of parameters up to symmetry.

    For N images with K logits each that are made CONTINUOUSLY from the teacher near a generic one
    (fixed order of units, |w_j| = 1, no w_j = 0; by invariance of domain, read by any decoder), or
    made anyhow and read by a locally Lipschitz decoder, as finitely many steps of descent are (by
    Hausdorff dimension). Without one of the two it is false: a space-filling curve is a
    counterexample. hidden: 0 for a linear teacher, else the units of one hidden ReLU layer, whose
    scales do not count. probabilities: one vector common to all classes does not count either.

    >>> least_images_by_dimension(784, 10), least_images_by_dimension(784, 10, probabilities=True)
    (10, 9)
    >>> least_images_by_dimension(784, 10, hidden=30)
    31
    """
    inputs, classes = sizes(inputs=inputs, classes=classes)
    hidden = whole("hidden", hidden)
    outputs = classes - 1 if probabilities else classes
    last = (hidden or inputs) * outputs + outputs
    numbers = last + inputs * hidden  # h biases in, h scales out
    return -(-numbers // (inputs + classes))


def filter_images_by_counting(hidden: int, classes: int) -> int:
    """T18 for extraction with given filters, counted: ceil(h + h / K + 1) images, the filters' own
    h + 1 among them, in which h + h K + K numbers (b1, W2, b2) have as many equations.

    >>> [filter_images_by_counting(h, 10) for h in (30, 100, 200)]
    [34, 111, 221]
    """
    hidden, classes = whole("hidden", hidden), whole("classes", classes, 1)
    return hidden + 1 - (-hidden // classes)


def outside(images: np.ndarray, x: np.ndarray) -> np.ndarray:
    """|(I - P) (x, 1)|, P on the span of the augmented images (N, D): how much of each x (M, D) the
    images do not see, (M,).

    >>> outside(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 2.0]])).round(9).tolist()
    [0.0, 2.0]
    """
    basis, _ = row_space(augmented(images))
    rows = augmented(matrix("x", x, None, np.shape(images)[1]))
    return np.linalg.norm(rows - (rows @ basis.T) @ basis, axis=1)


def margin_law(z: np.ndarray, spread: np.ndarray) -> float:
    """T19: the expected agreement (0 to 1) with a teacher of logits z (N, K) of a student whose
    logits are z + spread_n N(0, I).

    The mean over n of the integral of phi(t) prod over k not c of Phi((z_c - z_k) / spread_n + t),
    c the teacher's class. Exact, for each image, with spread = sigma * outside(images, x) for a
    student that starts from N(0, sigma^2) in W and b and learns by squared error from images whose
    teacher comes back from zero; images are correlated, so a single run scatters round it. With
    spread = step |x_n| / sqrt(12) it APPROXIMATES the agreement after W was rounded to multiples of
    step; it is no bound. spread (N,), 0 allowed. Raises ValueError on other shapes and below 0.

    >>> round(margin_law(np.array([[1.0, 0.0]]), np.array([1.0])), 6)
    0.76025
    """
    z, spread = _logits(z), np.asarray(spread)
    if spread.shape != z.shape[:1] or not (spread >= 0).all():
        raise ValueError(
            f"spread: expected {z.shape[:1]} numbers >= 0, one an image, got shape {spread.shape}"
        )
    noisy = spread > 0
    z, spread = z[noisy], spread[noisy]
    best = z.argmax(axis=1)
    with np.errstate(over="ignore"):  # beyond 40 a normal number never is
        margins = (z[np.arange(len(z)), best][:, None] - z) / spread[:, None]  # (M, K)
    others = np.ones(z.shape, bool)
    others[np.arange(len(z)), best] = False
    margins = margins[others].reshape(len(z), z.shape[1] - 1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    total = np.zeros(len(z))
    for t, weight in zip(nodes, weights / math.sqrt(2 * math.pi)):
        total += weight * _normal(margins + t).prod(axis=1)
    return float((total.sum() + (~noisy).sum()) / len(noisy))


def _logits(z):
    """z (N, K) as finite numbers, of one image and one class at least."""
    z = matrix("z", z, None, None)
    if 0 in z.shape:
        raise ValueError(f"z: expected logits (N, K), got shape {z.shape}")
    return z


_erfc = np.frompyfunc(math.erfc, 1, 1)


def _normal(x):
    """The standard normal distribution function."""
    return 0.5 * _erfc(-np.clip(x, -40, 40) / math.sqrt(2)).astype(np.float64)


def dither_bound(z: np.ndarray, x: np.ndarray, step: float) -> float:
    """T19, what can be proved of rounding: with subtractive dither of W to multiples of step the
    expected agreement is at least 1 - mean_n sum_k exp(-3 m_nk^2 / (step^2 |x_n|^2)).

    m_nk = z_c - z_k, k not the teacher's class c; the error of a dithered weight is uniform on
    [-step / 2, step / 2] and independent, hence sub-Gaussian. z (N, K), x (N, D). May be below 0,
    where it says nothing.

    >>> round(dither_bound(np.array([[1.0, 0.0]]), np.array([[1.0]]), 1.0), 6)
    0.950213
    """
    z = _logits(z)
    x = matrix("x", x, len(z), None)
    if not 0 <= step < math.inf:
        raise ValueError(f"step: expected a number >= 0, got {step!r}")
    best = z.argmax(axis=1)
    margins = z[np.arange(len(z)), best][:, None] - z
    size = np.maximum(step * np.linalg.norm(x, axis=1), np.finfo(float).tiny)[:, None]
    with np.errstate(over="ignore"):
        lost = np.exp(-3 * (margins / size) ** 2)
    lost[np.arange(len(z)), best] = 0
    return float(1 - lost.sum(axis=1).mean())
