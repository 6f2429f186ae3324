"""The certificate of exact recovery: what a linear student of any images and targets will be, known
before it is trained (T2, T5 and T6 of theory.py as one question).
"""

from dataclasses import dataclass

import numpy as np

from refimpl.arguments import a_network, finite_array, takes
from refimpl.dtypes import check_finite
from refimpl.network import Network
from refimpl.theory import EPS, TINY, augmented, count_nonzero, network_of, theta_of

TOLERANCE = 1e3 * float(EPS)  # of the certificate, times the condition of the images


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
    missing: float  # |(I - P)(theta - start)|: what the images cannot tell, relative as bound is
    misfit: float  # |targets - the teacher's logits|, relative to the larger of the two
    # |student - theta| (for "probabilities": without the common vector) is at most this, relative
    # to |theta|, or where theta is zero to |start|, or to |targets| / sigma_1. It includes
    # round-off. 1 or more is always a "no".
    bound: float
    student: Network  # what descent converges to: its accuracy is the prediction

    def __repr__(self) -> str:
        """Certificate(parameters: rank 10 of 785, bound 2e-13)."""
        of = len(self.student.parameters[0]) + 1
        return f"Certificate({self.exact}: rank {self.rank} of {of}, bound {self.bound:.0e})"


def _mean_over_equal(images, values):
    """values (N, K), each replaced by the mean over the images that equal its own."""
    _, group, count = np.unique(images, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    sums = np.zeros((len(count), values.shape[1]))
    np.add.at(sums, group, values)
    return (sums / count[:, None])[group]


@takes(teacher=a_network, start=a_network)
def certificate(
    images: np.ndarray, targets: np.ndarray, teacher: Network, *, start: Network | None = None
) -> Certificate:
    """The exact-recovery certificate (T2, T5, T6) for any images (N, D), targets (N, K) and linear
    teacher.

    It judges the student itself: descent of squared error on the targets ends at theta + E with

        E = (I - P)(theta_0 - theta) + X~^+ (targets - X~ theta),

    X~^+ the pseudo-inverse over the singular values that are not zero. What of the targets no
    affine function can fit does not count: equal images are first given the mean of their targets,
    which changes no student. The verdict is "parameters" where |E| is at most

        1e3 eps (condition max(|theta|, |theta_0|) + condition^2 |what cannot be fitted| / sigma_1),

    the tolerance: more than round-off makes of |E|, here and in descent. "probabilities" is the
    same for E with its mean over the columns taken away. bound is |E| plus the tolerance. start:
    the student's initial network, zeros by default. For cross-entropy on both sides at one
    temperature, with targets that can be fitted, read "parameters" up to a vector common to all
    columns. Works in float64. Raises ValueError on other shapes, on NaN or infinity, and where the
    teacher's logits are beyond the largest float.

    >>> teacher = network_of(np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]]))
    >>> images = np.array([[1.0, 2.0], [-1.0, -2.0]])
    >>> certificate(images, teacher.logits(images), teacher).exact
    'parameters'
    """
    images, theta = finite_array("images", images), theta_of(teacher)
    targets = finite_array("targets", targets)
    d, k = theta.shape
    if images.ndim != 2 or images.shape[1] != d - 1 or len(images) == 0:
        raise ValueError(f"images: expected shape (N, {d - 1}) with N > 0, got {images.shape}")
    if targets.shape != (len(images), k):
        raise ValueError(f"targets: expected shape {(len(images), k)}, got {targets.shape}")
    begin = np.zeros_like(theta) if start is None else theta_of(start)
    if begin.shape != theta.shape:
        raise ValueError(f"start: expected parameters {theta.shape}, got {begin.shape}")
    check_finite(teacher=theta, start=begin)
    rows = augmented(images)
    with np.errstate(over="ignore", invalid="ignore"):
        gap = targets - (wanted := rows @ theta)  # (N, K)
    check_finite(**{"images, the teacher's logits of them": gap})
    u, sigma, v = np.linalg.svd(rows, full_matrices=False)
    rank = count_nonzero(sigma, rows.shape)
    parts = u[:, :rank], sigma[:rank], v[:rank]
    condition = float(sigma[0] / sigma[rank - 1])
    sizes = _size(theta), _size(begin), _size(targets) / sigma[0]
    scale = next((float(size) for size in sizes if size), 1.0)  # what bound is relative to
    size = max(sizes[:2]) or sizes[2]

    misfit = _size(gap) / max(_size(wanted), _size(targets), TINY)
    gap, away = _mean_over_equal(images, gap), begin - theta
    lost, error, tolerance = _error(parts, gap, away, size=size)
    gap = _mean_over_equal(images, _centred(targets) - _centred(wanted))
    _, uneven, tolerance_uneven = _error(parts, gap, _centred(away), size=size)
    off, off_uneven, missing = _size(error), _size(uneven), _size(lost)

    exact, bound = "no", off * (1 + TOLERANCE * condition) + tolerance
    if off <= tolerance and off + tolerance < scale:
        exact, bound = "parameters", off + tolerance
        reason = f"the span of the {rank} augmented images holds every column of the teacher"
    elif off_uneven <= tolerance_uneven and off_uneven + tolerance_uneven < scale:
        exact, bound = "probabilities", off_uneven + tolerance_uneven
        reason = "what the student is off by is one vector common to all columns"
    elif missing > tolerance:
        reason = (
            f"rank {rank} of {d}: a null space of {d - rank} directions holds "
            f"{missing / scale:.1e} of the teacher"
        )
    elif tolerance >= scale:
        reason = f"a condition of {condition:.1e} lets round-off change the whole student"
    else:
        reason = (
            f"the targets are not the teacher's logits (relative difference {misfit:.1e}), which "
            f"puts the student {off / scale:.1e} away"
        )
    student = network_of(theta + error)
    return Certificate(
        exact, reason, rank, condition, missing / scale, misfit, bound / scale, student
    )


def _size(values):
    """|values|, also where their squares are beyond the floats."""
    largest = float(np.abs(values).max(initial=0))
    return largest * float(np.linalg.norm(values / largest)) if largest else 0.0


def _centred(values):
    """values (N, K) without each row's mean. The first column goes first: that rounds what the
    columns differ by, not the vector that they share, which may be far larger.
    """
    values = values - values[:, :1]
    return values - values.mean(axis=1, keepdims=True)


def _error(parts, gap, away, size):
    """(I - P) away, E = (I - P) away + X~^+ gap, and the tolerance on |E|; parts: the singular
    value decomposition of X~ without its zeros.
    """
    u, sigma, v = parts
    full = len(v) == v.shape[1]  # then P = I, and no start matters
    lost = np.zeros_like(away) if full else away - v.T @ (v @ away)
    fitted = u.T @ gap
    unfit = _size(gap - u @ fitted)
    condition = sigma[0] / sigma[-1]
    tolerance = TOLERANCE * condition * (size + condition * unfit / sigma[0])
    return lost, lost + v.T @ (fitted / sigma[:, None]), float(tolerance)
