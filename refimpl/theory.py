"""What can be proved, as closed forms: each function returns what a theorem predicts.

theta = (W; b), (D + 1, K), acts on augmented images (x, 1); P projects on the span of these rows, G
= X X' + 11'. Numbers T0 to T11 and the proofs in short: the README's section "Theorems".
`refimpl.paper.theorems` measures them all.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.descent import gram
from refimpl.layers import Affine
from refimpl.network import Network

EPS, TINY = np.finfo(float).eps, np.finfo(float).tiny


def augmented(x: np.ndarray) -> np.ndarray:
    """(x_n, 1): (N, D) -> (N, D + 1).

    >>> augmented(np.array([[5.0, 6.0]])).tolist()
    [[5.0, 6.0, 1.0]]
    """
    return np.hstack([x, np.ones((len(x), 1))])


def theta_of(network: Network) -> np.ndarray:
    """(W; b) of a linear network, (D + 1, K) float64. Raises ValueError on a network of other
    layers.

    >>> theta_of(network_of(np.array([[1.0, 2.0], [3.0, 4.0]]))).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    if [type(v) for v in network.layers] != [Affine]:
        raise ValueError(
            f"network: expected one Affine layer, got {[type(v).__name__ for v in network.layers]}"
        )
    w, b = network.parameters
    return np.vstack([w, b]).astype(np.float64)


def network_of(theta: np.ndarray) -> Network:
    """The linear network with parameters theta (D + 1, K).

    >>> network_of(np.array([[1.0, 2.0], [3.0, 4.0]])).logits(np.array([[10.0]])).tolist()
    [[13.0, 24.0]]
    """
    return Network((Affine(theta[:-1], theta[-1]),))


def span(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By SVD of rows (N, D): an orthonormal basis of their span, (rank, D), and all singular
    values, largest first. A singular value counts as zero below max(shape) eps times the largest.

    >>> [v.shape for v in span(np.array([[3.0, 0.0], [4.0, 0.0]]))]
    [(1, 2), (2,)]
    """
    _, sigma, v = np.linalg.svd(rows, full_matrices=False)
    return v[: int((sigma > max(rows.shape) * EPS * sigma.max(initial=0)).sum())], sigma


def zero_sum_residual(w: np.ndarray, b: np.ndarray) -> float:
    """T0: |sum_c w_c| and |sum_c b_c|, largest entry, over the largest parameter; w (D, K), b (K,).
    Predicted: 0.

    >>> float(zero_sum_residual(np.array([[1.0, -1.0]]), np.array([2.0, -1.0])))
    0.5
    """
    return max(np.abs(w.sum(axis=1)).max(), abs(b.sum())) / max(
        np.abs(w).max(), np.abs(b).max(), TINY
    )


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
    lambda < 1; with a box (low, high) that holds 0 and lambda = 0: clip(n lr w_c). Raises
    ValueError on a box and lambda together.

    >>> logit_ascent(np.array([[1.0, -1.0]]), steps=10, lr=0.1).round(9).tolist()
    [[1.0], [-1.0]]
    """
    if weight_decay and box:
        raise ValueError("weight_decay, box: the closed form holds for one of the two")
    if weight_decay:
        return (1 - (1 - 2 * lr * weight_decay) ** steps) / (2 * weight_decay) * w.T
    return np.clip(steps * lr * w.T, *(box or (-np.inf, np.inf)))


def spectrum(w: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """T3: the eigenvalues of G for the images s w_c of a zero-sum teacher: K and s^2 sigma_i^2, i <
    K, largest first (where D < K - 1 without those that are always zero). w (D, K) -> (min(K - 1,
    D) + 1,).

    >>> spectrum(np.array([[1.0, -1.0]]), scale=2.0).round(9).tolist()
    [8.0, 2.0]
    """
    sigma = np.linalg.svd(w, compute_uv=False)[: w.shape[1] - 1]
    return np.sort(np.append((scale * sigma) ** 2, w.shape[1]))[::-1]


def best_scale(w: np.ndarray) -> tuple[float, float]:
    """T3: the interval of s in which G is conditioned best: [sqrt K / sigma_1, sqrt K /
    sigma_(K-1)].

    w (D, K) zero-sum, K > 1, with K - 1 non-zero singular values: a zero one makes the end that it
    divides infinite (NumPy warns), both for w = 0.

    >>> [round(float(s), 6) for s in best_scale(np.array([[2.0, -1.0, -1.0], [0.0, 1.0, -1.0]]))]
    [0.707107, 1.224745]
    """
    sigma = np.linalg.svd(w, compute_uv=False)[: w.shape[1] - 1]
    return np.sqrt(w.shape[1]) / sigma[0], np.sqrt(w.shape[1]) / sigma[-1]


def edges(x: np.ndarray) -> tuple[float, float]:
    """T3: the largest and the smallest non-zero eigenvalue of G for x (N, D) (below 1e-12 times the
    largest is zero).

    >>> [round(float(v), 9) for v in edges(np.array([[1.0], [-1.0]]))]
    [2.0, 2.0]
    """
    values = np.linalg.eigvalsh(gram(x))
    return values[-1], values[values > 1e-12 * values[-1]].min()


def best_lr(x: np.ndarray) -> tuple[float, float]:
    """T3: lr 2N / (l_1 + l_n) of squared error on x (N, D), l_n the smallest non-zero eigenvalue of
    G; and the factor (l_1 - l_n) / (l_1 + l_n) by which each step then shrinks the slowest part.
    Stable below 2N / l_1.

    >>> [round(float(v), 9) for v in best_lr(np.array([[2.0], [-2.0]]))]
    [0.4, 0.6]
    """
    top, low = edges(x)
    return 2 * len(x) / (top + low), (top - low) / (top + low)


def best_momentum(x: np.ndarray) -> tuple[float, float]:
    """Heavy ball on the same quadratic, x (N, D) (Polyak 1964): lr 4N / (sqrt l_1 + sqrt l_n)^2 and
    beta = ((sqrt l_1 - sqrt l_n) / (sqrt l_1 + sqrt l_n))^2; each step shrinks the slowest part by
    about sqrt beta.

    >>> [round(float(v), 6) for v in best_momentum(np.array([[2.0], [-2.0]]))]
    [0.444444, 0.111111]
    """
    top, low = np.sqrt(edges(x))
    return 4 * len(x) / (top + low) ** 2, ((top - low) / (top + low)) ** 2


def one_step_images(w: np.ndarray) -> np.ndarray:
    """T4: X = sqrt K U_r V_r' of W' = U S V': one step of squared error with lr 1 from zero returns
    a zero-sum teacher.

    (D, K) -> (K, D). r counts the non-zero singular values: with the full SVD the null direction
    would spoil it.

    >>> (one_step_images(np.array([[3.0, -3.0], [0.0, 0.0]])).round(9) + 0.0).tolist()
    [[1.0, 0.0], [-1.0, 0.0]]
    """
    u, sigma, v = np.linalg.svd(w.T, full_matrices=False)
    r = int((sigma > max(w.shape) * EPS * sigma[0]).sum())
    return np.sqrt(w.shape[1]) * u[:, :r] @ v[:r]


def descent_limit(x: np.ndarray, theta: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """T2, T5: where descent of squared error on the teacher's logits ends: theta + (I - P)(start -
    theta).

    x (N, D); theta, the teacher's, and start, by default 0: (D + 1, K), as is what it returns.

    >>> (
    ...     descent_limit(np.array([[1.0], [-1.0]]), np.array([[3.0, -3.0], [0.0, 0.0]])).round(9)
    ...     + 0.0
    ... ).tolist()
    [[3.0, -3.0], [0.0, 0.0]]
    """
    basis, _ = span(augmented(x))
    away = (0 if start is None else start) - theta
    return theta + away - basis.T @ (basis @ away)


def descent_after(
    x: np.ndarray, target: np.ndarray, *, lr: float, steps: int, start: np.ndarray | None = None
) -> np.ndarray:
    """T9: theta after `steps` steps of squared error with this lr, in closed form.

    theta_0 + X~' U diag((1 - (1 - lr l / N)^t) / l) U' (target - Z_0); for l = 0 the factor is lr t
    / N. x (N, D), target (N, K), start (D + 1, K), zeros by default. Returns (D + 1, K).

    >>> (
    ...     descent_after(
    ...         np.array([[1.0], [-1.0]]), np.array([[3.0], [-3.0]]), lr=0.5, steps=1
    ...     ).round(9)
    ...     + 0.0
    ... ).tolist()
    [[1.5], [0.0]]
    """
    rows = augmented(x)
    start = np.zeros((rows.shape[1], target.shape[1])) if start is None else start
    values, u = np.linalg.eigh(gram(x))
    zero = values <= len(x) * EPS * values[-1]
    rate = lr * np.where(zero, 0, values) / len(x)
    factor = np.where(
        zero, lr * steps / len(x), (1 - (1 - rate) ** steps) / np.where(zero, 1, values)
    )
    return start + rows.T @ (u @ (factor[:, None] * (u.T @ (target - rows @ start))))


def nonzero_sum_error(w: np.ndarray, b: np.ndarray, scale: float) -> np.ndarray:
    """T6: how far the student of the ten images s w_c alone misses a teacher of full rank that is
    not zero-sum.

    theta_student - theta = (v; -1) (b - 1/s)' / (1 + |v|^2), v = W (W'W)^-1 1 / s. w (D, K), b (K,)
    -> (D + 1, K).

    >>> nonzero_sum_error(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.5, -0.5]), 1.0).round(
    ...     6
    ... ).tolist()
    [[-0.166667, -0.5], [-0.166667, -0.5], [0.166667, 0.5]]
    """
    v = w @ np.linalg.solve(w.T @ w, np.ones(w.shape[1])) / scale
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
    first, activation, last = network.layers
    z1, _ = first.forward(x)
    slope = activation.backward(np.ones_like(z1), activation.forward(z1)[1])[0]
    return (slope * last.w.T[classes]) @ first.w.T


def open_gates(network: Network) -> np.ndarray:
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
    >>> open_gates(net).tolist()
    [[2.0], [3.0], [50.0]]
    """
    first, _, last = network.layers
    return np.vstack([first.w @ last.w, first.b @ last.w + last.b])


def high_temperature_gradient(z: np.ndarray, teacher_z: np.ndarray) -> np.ndarray:
    """T11: the limit, T to infinity, of T^2 K N dL/dz of distillation: (z - mean z) - (t - mean t)
    per image, (N, K).

    >>> high_temperature_gradient(np.array([[3.0, 1.0]]), np.zeros((1, 2))).tolist()
    [[1.0, -1.0]]
    """
    d = z - teacher_z
    return d - d.mean(axis=1, keepdims=True)


def laplacian_null_vector(x: np.ndarray) -> np.ndarray:
    """T6: pi > 0, sum 1, with pi' X = 0 for images X = L W' (K, D) of (log-)probability ascent from
    the blank.

    Unique where X has the rank K - 1 of L, a complete digraph's Laplacian; so D >= K - 1. Raises
    ValueError elsewhere.

    >>> laplacian_null_vector(np.array([[2.0], [-1.0]])).round(9).tolist()
    [0.333333333, 0.666666667]
    """
    u, sigma, _ = np.linalg.svd(x, full_matrices=x.shape[1] < len(x))
    rank, pi = int((sigma > 1e-10 * sigma[0]).sum()), u[:, -1] * np.sign(u[0, -1])
    if rank != len(x) - 1 or not (pi > 0).all():
        raise ValueError(
            f"x: expected images of rank {len(x) - 1} that positive weights sum to 0, got rank "
            f"{rank}"
        )
    return pi / pi.sum()


@dataclass(frozen=True, eq=False)
class Certificate:
    """What a linear student, trained from `start` by descent on (images, targets), becomes: known
    before training.

    >>> teacher = network_of(np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]]))
    >>> print(
    ...     certificate(np.array([[1.0, 2.0]]), np.array([[5.5, -5.5]]), teacher).reason
    ... )  # one image of two
    rank 1 of 3: a null space of 2 directions holds 2.0e-01 of the teacher
    """

    # "parameters" (it equals the teacher), "probabilities" (columns off by one common vector) or
    # "no"
    exact: str
    reason: str  # why, in words
    rank: int  # of the augmented images, out of D + 1
    condition: float  # of their non-zero part
    missing: float  # |(I - P)(theta - start)| / |theta|: what the images cannot tell
    misfit: float  # how far the targets are from the teacher's logits, relative
    bound: float  # the round-off below which missing and misfit count as zero
    student: Network  # what descent converges to: its accuracy is the prediction


def certificate(
    images: np.ndarray, targets: np.ndarray, teacher: Network, *, start: Network | None = None
) -> Certificate:
    """The exact-recovery certificate (T2, T5, T6) for any images (N, D), targets (N, K) and linear
    teacher.

    start: the student's initial network, zeros by default. Squared error on logits; for
    cross-entropy on both sides at one temperature read "parameters" up to a vector common to all
    columns. Raises ValueError on other shapes.

    >>> teacher = network_of(np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]]))
    >>> images = np.array([[1.0, 2.0], [-1.0, -2.0]])
    >>> certificate(images, teacher.logits(images), teacher).exact
    'parameters'
    """
    images, theta = np.asarray(images, dtype=np.float64), theta_of(teacher)
    d, k = theta.shape
    if images.ndim != 2 or images.shape[1] != d - 1 or len(images) == 0:
        raise ValueError(f"images: expected shape (N, {d - 1}) with N > 0, got {images.shape}")
    if np.shape(targets) != (len(images), k):
        raise ValueError(f"targets: expected shape {(len(images), k)}, got {np.shape(targets)}")
    begin = np.zeros_like(theta) if start is None else theta_of(start)
    rows = augmented(images)
    basis, sigma = span(rows)
    rank, condition = len(basis), float(sigma[0] / sigma[len(basis) - 1])
    away = theta - begin
    lost = away - basis.T @ (basis @ away)
    wanted, norm = rows @ theta, max(np.linalg.norm(theta), TINY)
    missing = float(np.linalg.norm(lost) / norm)
    uneven = float(np.linalg.norm(lost - lost.mean(axis=1, keepdims=True)) / norm)
    misfit = float(np.linalg.norm(targets - wanted) / max(np.linalg.norm(wanted), TINY))
    bound = 64 * EPS * condition
    limit = begin + np.linalg.lstsq(rows, targets - rows @ begin, rcond=max(rows.shape) * EPS)[0]
    if misfit > bound:
        exact, reason = (
            "no",
            f"the targets are not the teacher's logits (relative difference {misfit:.1e})",
        )
    elif missing <= bound:
        exact, reason = (
            "parameters",
            f"the span of the {rank} augmented images holds every column of the teacher",
        )
    elif uneven <= bound:
        exact, reason = (
            "probabilities",
            "what the images cannot tell is one vector common to all columns",
        )
    else:
        exact = "no"
        reason = f"rank {rank} of {d}: a null space of {d - rank} directions holds {missing:.1e} of the teacher"
    return Certificate(exact, reason, rank, condition, missing, misfit, bound, network_of(limit))
