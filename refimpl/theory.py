"""What can be proved, as closed forms: each function returns what a theorem predicts.

A linear network is z = x W + b. Its parameters theta = (W; b), (D + 1, K), act on augmented images
X~ = (X, 1), one row an image. P projects on the span of these rows; G = X~ X~' = X X' + 11', with
l_1 its largest and l_n its smallest non-zero eigenvalue. W' is the transpose of W, sigma_i are its
singular values. A teacher is zero-sum if the K columns of theta add up to the zero vector, as they
do after training from zero (T0).

T0 to T11 with their proofs in short: refimpl/paper/README.md. `refimpl.paper.theorems` measures
them all.
"""

import numpy as np

from refimpl.arguments import matrix, whole
from refimpl.layers import Affine, ReLU
from refimpl.losses import check_labels
from refimpl.network import Network

EPS, TINY = np.finfo(float).eps, np.finfo(float).tiny


def augmented(x: np.ndarray) -> np.ndarray:
    """(x_n, 1): (N, D) -> (N, D + 1).

    >>> augmented(np.array([[5.0, 6.0]])).tolist()
    [[5.0, 6.0, 1.0]]
    """
    return np.hstack([x, np.ones((len(x), 1))])


def _check_layers(network, what, *kinds):
    """Raise ValueError unless the layers are of these kinds, object for any."""
    found = network.layers
    if len(found) != len(kinds) or not all(map(isinstance, found, kinds)):
        raise ValueError(f"network: expected {what}, got {[type(v).__name__ for v in found]}")


def theta_of(network: Network) -> np.ndarray:
    """(W; b) of a linear network, (D + 1, K) float64. Raises ValueError on a network of other
    layers.

    >>> theta_of(network_of(np.array([[1.0, 2.0], [3.0, 4.0]]))).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    _check_layers(network, "one Affine layer", Affine)
    return np.vstack(network.parameters).astype(np.float64)


def network_of(theta: np.ndarray) -> Network:
    """The linear network with parameters theta (D + 1, K).

    >>> network_of(np.array([[1.0, 2.0], [3.0, 4.0]])).logits(np.array([[10.0]])).tolist()
    [[13.0, 24.0]]
    """
    return Network((Affine(theta[:-1], theta[-1]),))


def count_nonzero(sigma: np.ndarray, shape: tuple[int, ...]) -> int:
    """How many singular values of a matrix of this shape are not zero: THE rule, used wherever a
    rank is counted.

    sigma (n,), in any order. One counts as zero up to max(shape) eps times the largest, eps of its
    own dtype: below that an SVD returns round-off.

    >>> count_nonzero(np.array([2.0, 1e-3, 1e-17]), (3, 5))
    2
    """
    eps = np.finfo(sigma.dtype).eps
    return int((sigma > max(shape) * eps * sigma.max(initial=0)).sum())


def row_space(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By SVD of rows (N, D): an orthonormal basis of their span, (rank, D), and all singular
    values, largest first. The rank is `count_nonzero`'s. Raises ValueError on NaN or infinity, with
    which LAPACK may not return.

    >>> [v.shape for v in row_space(np.array([[3.0, 0.0], [4.0, 0.0]]))]
    [(1, 2), (2,)]
    """
    rows = matrix("rows", rows, None, None)
    _, sigma, v = np.linalg.svd(rows, full_matrices=False)
    return v[: count_nonzero(sigma, rows.shape)], sigma


def _zero_sum(w):
    """w (D, K); raises ValueError unless its columns sum to zero, to 1e-6 of the largest entry."""
    w = matrix("w", w, None, None)
    off = np.abs(w.sum(axis=1)).max(initial=0)
    if off > 1e-6 * np.abs(w).max(initial=0):
        raise ValueError(
            f"w: this holds for a zero-sum teacher (w.sum(axis=1) = 0), got sums up to {off:.1e}"
        )
    return w


def zero_sum_residual(w: np.ndarray, b: np.ndarray) -> float:
    """T0: |sum_c w_c| and |sum_c b_c|, largest entry, over the largest parameter; w (D, K), b (K,).
    Predicted: 0. Raises ValueError on other shapes, and on NaN or infinity.

    >>> float(zero_sum_residual(np.array([[1.0, -1.0]]), np.array([2.0, -1.0])))
    0.5
    """
    w = matrix("w", w, None, None)
    b = matrix("b", b, w.shape[1])
    largest = max(np.abs(w).max(), np.abs(b).max(), TINY)
    return max(np.abs(w.sum(axis=1)).max(), abs(b.sum())) / largest


def logit_ascent(
    w: np.ndarray,
    *,
    steps: int,
    lr: float,
    weight_decay: float = 0.0,
    box: tuple[float, float] | None = None,
) -> np.ndarray:
    """T1: where ascent of z_c - lambda |x|^2 from the blank stands after n steps, for all classes:
    w (D, K) -> (K, D).

    n lr w_c; with lambda > 0: (1 - (1 - 2 lr lambda)^n) w_c / (2 lambda), converging iff 0 < lr
    lambda < 1, and evaluated so that it tends to n lr w_c as lambda tends to 0; with a box (low,
    high) that holds 0 and lambda = 0: clip(n lr w_c). Raises ValueError on a box and lambda
    together, on a box without 0, and on steps below 0.

    >>> logit_ascent(np.array([[1.0, -1.0]]), steps=10, lr=0.1).round(9).tolist()
    [[1.0], [-1.0]]
    """
    w, steps, _ = matrix("w", w, None, None), whole("steps", steps), matrix("lr", lr)
    matrix("weight_decay", weight_decay)
    if weight_decay and box:
        raise ValueError("weight_decay, box: the closed form holds for one of the two")
    if box and not box[0] <= 0 <= box[1]:
        raise ValueError(f"box: expected low <= 0 <= high, the blank inside, got {box}")
    shrink = 2 * lr * weight_decay
    if shrink:
        return lr * float(_geometric_sum(shrink, steps)) * w.T
    return np.clip(steps * lr * w.T, *(box or (-np.inf, np.inf)))


def _geometric_sum(q, steps):
    """1 + (1 - q) + ... + (1 - q)^(steps - 1) = (1 - (1 - q)^steps) / q, `steps` for q = 0, without
    the cancellation that the quotient has where q is small.
    """
    q = np.asarray(q, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        gentle = -np.expm1(steps * np.log1p(-np.minimum(q, 0.5))) / q
        steep = (1 - (1 - q) ** steps) / q
    return np.where(q == 0, steps, np.where(q < 0.5, gentle, steep))


def spectrum(w: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """T3: the eigenvalues of G for the images s w_c of a zero-sum teacher: K and s^2 sigma_i^2, i <
    K, largest first (where D < K - 1 without those that are always zero). w (D, K) -> (min(K - 1,
    D) + 1,). Raises ValueError unless w is zero-sum.

    >>> spectrum(np.array([[1.0, -1.0]]), scale=2.0).round(9).tolist()
    [8.0, 2.0]
    """
    w = _zero_sum(w)
    sigma = np.linalg.svd(w, compute_uv=False)[: w.shape[1] - 1]
    return np.sort(np.append((matrix("scale", scale) * sigma) ** 2, w.shape[1]))[::-1]


def nonzero_range(w: np.ndarray) -> tuple[float, float]:
    """The largest singular value of w (D, K) and the smallest that is not zero, sigma_1 and
    sigma_r.

    Of a zero-sum w the K-th singular value is zero by T0; it is left out before counting, so that
    the round-off of a float32 training does not count as a direction. Raises ValueError where all
    are zero, and on NaN or infinity.

    >>> [round(float(s), 6) for s in nonzero_range(np.array([[2.0, -1.0, -1.0], [0.0, 1.0, -1.0]]))]
    [2.44949, 1.414214]
    """
    w = matrix("w", w, None, None)
    sigma = np.linalg.svd(w, compute_uv=False)[: max(1, w.shape[1] - 1)]
    rank = count_nonzero(sigma, w.shape)
    if not rank:
        raise ValueError("w: expected a weight that is not zero, got zeros alone")
    return float(sigma[0]), float(sigma[rank - 1])


def best_scale(w: np.ndarray) -> tuple[float, float]:
    """T3: the interval of s in which G is conditioned best: [sqrt K / sigma_1, sqrt K / sigma_r].

    w (D, K) zero-sum, of any rank r > 0: two classes that were never seen in training share one
    column, so that r < K - 1. Raises ValueError unless w is zero-sum, and where it is all zero.

    >>> [round(float(s), 6) for s in best_scale(np.array([[2.0, -1.0, -1.0], [0.0, 1.0, -1.0]]))]
    [0.707107, 1.224745]
    """
    w = _zero_sum(w)
    root, (largest, smallest) = float(np.sqrt(w.shape[1])), nonzero_range(w)
    return root / largest, root / smallest


def extreme_eigenvalues(x: np.ndarray) -> tuple[float, float]:
    """T3: the largest and the smallest non-zero eigenvalue of G for x (N, D).

    They are the squared singular values of the augmented images, so that "non-zero" means the same
    as in `row_space`: an eigenvalue of G itself is known to eps of the largest only. Raises
    ValueError on NaN or infinity, and without images.

    >>> [round(float(v), 9) for v in extreme_eigenvalues(np.array([[1.0], [-1.0]]))]
    [2.0, 2.0]
    """
    whole("x, its images", len(x), 1)
    basis, sigma = row_space(augmented(x))
    return float(sigma[0] ** 2), float(sigma[len(basis) - 1] ** 2)


def best_lr(x: np.ndarray) -> tuple[float, float]:
    """T3: lr 2N / (l_1 + l_n) of squared error on x (N, D), l_n the smallest non-zero eigenvalue of
    G; and the factor (l_1 - l_n) / (l_1 + l_n) by which each step then shrinks the slowest part.
    Stable below 2N / l_1.

    >>> [round(float(v), 9) for v in best_lr(np.array([[2.0], [-2.0]]))]
    [0.4, 0.6]
    """
    top, low = extreme_eigenvalues(x)
    return 2 * len(x) / (top + low), (top - low) / (top + low)


def best_momentum(x: np.ndarray) -> tuple[float, float]:
    """Heavy ball on the same quadratic, x (N, D) (Polyak 1964): lr 4N / (sqrt l_1 + sqrt l_n)^2 and
    beta = ((sqrt l_1 - sqrt l_n) / (sqrt l_1 + sqrt l_n))^2; each step shrinks the slowest part by
    about sqrt beta.

    >>> [round(float(v), 6) for v in best_momentum(np.array([[2.0], [-2.0]]))]
    [0.444444, 0.111111]
    """
    top, low = np.sqrt(extreme_eigenvalues(x))
    return 4 * len(x) / (top + low) ** 2, ((top - low) / (top + low)) ** 2


def one_step_images(w: np.ndarray) -> np.ndarray:
    """T4: X = sqrt K U_r V_r' of W' = U S V': one step of squared error with lr 1 from zero returns
    a zero-sum teacher.

    (D, K) -> (K, D). r counts the non-zero singular values: with the full SVD the null direction
    would spoil it. Any b, any rank. Raises ValueError unless w is zero-sum, and on NaN or infinity.

    >>> (one_step_images(np.array([[3.0, -3.0], [0.0, 0.0]])).round(9) + 0.0).tolist()
    [[1.0, 0.0], [-1.0, 0.0]]
    """
    w = _zero_sum(w)
    u, sigma, v = np.linalg.svd(w.T, full_matrices=False)
    r = count_nonzero(sigma[: max(1, w.shape[1] - 1)], w.shape)
    return np.sqrt(w.shape[1]) * u[:, :r] @ v[:r]


def descent_limit(x: np.ndarray, theta: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """T2, T5: where descent of squared error on the teacher's logits ends: theta + (I - P)(start -
    theta).

    x (N, D); theta, the teacher's, and start, by default 0: (D + 1, K), as is what it returns. The
    limit of infinitely many steps with 0 < lr < 2N / l_1. Raises ValueError on NaN or infinity.

    >>> (
    ...     descent_limit(np.array([[1.0], [-1.0]]), np.array([[3.0, -3.0], [0.0, 0.0]])).round(9)
    ...     + 0.0
    ... ).tolist()
    [[3.0, -3.0], [0.0, 0.0]]
    """
    basis, _ = row_space(augmented(x))
    theta = matrix("theta", theta, basis.shape[1], None)
    away = (0 if start is None else matrix("start", start, *theta.shape)) - theta
    return theta + away - basis.T @ (basis @ away)


def descent_after(
    x: np.ndarray, target: np.ndarray, *, lr: float, steps: int, start: np.ndarray | None = None
) -> np.ndarray:
    """T9: theta after `steps` steps of squared error with this lr, in closed form.

    With X~ = U S V' over the non-zero singular values: theta_0 + V diag((1 - (1 - lr s^2 / N)^t) /
    s) U' (target - Z_0); directions of zero singular value do not move. Squared error and plain
    descent only: momentum has another form. x (N, D), target (N, K), start (D + 1, K), zeros by
    default. Returns (D + 1, K). Raises ValueError on steps below 0, on other shapes, and on NaN
    or infinity.

    >>> after = descent_after(np.array([[1.0], [-1.0]]), np.array([[3.0], [-3.0]]), lr=0.5, steps=1)
    >>> (after.round(9) + 0.0).tolist()
    [[1.5], [0.0]]
    """
    steps, rows, _ = whole("steps", steps), augmented(matrix("x", x, None, None)), matrix("lr", lr)
    target = matrix("target", target, len(rows), None)
    start = np.zeros((rows.shape[1], target.shape[1])) if start is None else start
    start = matrix("start", start, rows.shape[1], target.shape[1])
    u, sigma, v = np.linalg.svd(rows, full_matrices=False)
    r = count_nonzero(sigma, rows.shape)
    u, sigma, v = u[:, :r], sigma[:r], v[:r]
    factor = lr * sigma / len(x) * _geometric_sum(lr * sigma**2 / len(x), steps)
    return start + v.T @ (factor[:, None] * (u.T @ (target - rows @ start)))


def nonzero_sum_error(w: np.ndarray, b: np.ndarray, scale: float) -> np.ndarray:
    """T6: how far the student of the images s w_c alone misses a teacher that is not zero-sum.

    theta_student - theta = (v; -1) (b - 1/s)' / (1 + |v|^2), v = W (W'W)^-1 1 / s, for w (D, K) of
    full column rank K; b (K,). Returns (D + 1, K). Raises ValueError on any other w: a zero-sum
    teacher has rank K - 1 at most, and its student misses nothing (T2).

    >>> nonzero_sum_error(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.5, -0.5]), 1.0).round(
    ...     6
    ... ).tolist()
    [[-0.166667, -0.5], [-0.166667, -0.5], [0.166667, 0.5]]
    """
    w = matrix("w", w, None, None)
    b = matrix("b", b, w.shape[1])
    if not np.isfinite(scale) or scale == 0:
        raise ValueError(f"scale: expected a finite number that is not 0, got {scale!r}")
    u, sigma, vt = np.linalg.svd(w, full_matrices=False)
    rank = count_nonzero(sigma, w.shape)
    if rank < w.shape[1]:
        raise ValueError(f"w: expected {w.shape[1]} independent columns, got rank {rank}")
    v = u @ (vt.sum(axis=1) / sigma) / scale
    return np.append(v, -1)[:, None] * (b - 1 / scale) / (1 + v @ v)


def hidden_gradient(network: Network, x: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """T8: dz_c/dx of a one-hidden-layer network: W1 diag(act'(z1)) w2_c. x (N, D), labels (N,) ->
    (N, D).

    >>> from refimpl.layers import Affine, ReLU
    >>> net = Network(
    ...     (
    ...         Affine(np.eye(2), np.array([1.0, -9.0])),
    ...         ReLU(),
    ...         Affine(np.array([[2.0], [3.0]]), np.zeros(1)),
    ...     )
    ... )
    >>> hidden_gradient(net, np.ones((1, 2)), np.array([0])).tolist()
    [[2.0, 0.0]]
    """
    _check_layers(network, "Affine, an activation, Affine", Affine, object, Affine)
    first, activation, last = network.layers
    z1, _ = first.forward(matrix("x", x, len(classes), None))
    check_labels(classes, last.w.shape[1], name="classes")
    slope = activation.backward(np.ones_like(z1), activation.forward(z1)[1])[0]
    return (slope * last.w.T[classes]) @ first.w.T


def open_gate_function(network: Network) -> np.ndarray:
    """T7: the affine function of a one-hidden-layer ReLU network where all gates are open: (W1 W2;
    b1 W2 + b2).

    W1 in the span of the images s_c w_c, it equals the linear teacher as soon as it fits its logits
    there: with weights 1/s_c the images cancel, so b is right; then X (W - W_t) = 0 with W - W_t in
    that span.

    >>> from refimpl.layers import Affine, ReLU
    >>> net = Network(
    ...     (
    ...         Affine(np.eye(2), np.full(2, 10.0)),
    ...         ReLU(),
    ...         Affine(np.array([[2.0], [3.0]]), np.zeros(1)),
    ...     )
    ... )
    >>> open_gate_function(net).tolist()
    [[2.0], [3.0], [50.0]]
    """
    _check_layers(network, "Affine, ReLU, Affine", Affine, ReLU, Affine)
    first, _, last = network.layers
    return np.vstack([first.w @ last.w, first.b @ last.w + last.b])


def high_temperature_gradient(z: np.ndarray, teacher_z: np.ndarray) -> np.ndarray:
    """T11: the limit, T to infinity, of T^2 K N dL/dz of distillation: (z - mean z) - (t - mean t)
    per image, (N, K).

    >>> high_temperature_gradient(np.array([[3.0, 1.0]]), np.zeros((1, 2))).tolist()
    [[1.0, -1.0]]
    """
    d = matrix("z", z, None, None) - matrix("teacher_z", teacher_z, *np.shape(z))
    return d - d.mean(axis=1, keepdims=True)


def laplacian_null_vector(x: np.ndarray) -> np.ndarray:
    """T6: pi > 0, sum 1, with pi' X = 0 for images X = L W' (K, D) of (log-)probability ascent from
    the blank.

    Unique where X has the rank K - 1 of L, a complete digraph's Laplacian; so D >= K - 1. Raises
    ValueError elsewhere, and on NaN or infinity.

    >>> laplacian_null_vector(np.array([[2.0], [-1.0]])).round(9).tolist()
    [0.333333333, 0.666666667]
    """
    x = matrix("x", x, None, None)
    if 0 in x.shape:
        raise ValueError(f"x: expected images (K, D), got shape {x.shape}")
    u, sigma, _ = np.linalg.svd(x, full_matrices=x.shape[1] < len(x))
    rank = count_nonzero(sigma, x.shape)
    pi = u[:, -1] * np.sign(u[0, -1])
    if rank != len(x) - 1 or not (pi > 0).all():
        what = f"images of rank {len(x) - 1} that positive weights sum to 0"
        raise ValueError(f"x: expected {what}, got rank {rank}")
    return pi / pi.sum()
