"""Retraining: a fresh student learns from images and soft targets alone. It never sees the teacher.

Abreu-Pederzini et al. 2021, section 5.2: "output logits to use as soft targets". Two readings, both
cited there: squared error on logits (Ba and Caruana 2014) and cross-entropy at a temperature
(Hinton, Vinyals and Dean 2015).
"""

from dataclasses import replace
from functools import partial

import numpy as np

from refimpl.arguments import a_network, finite_array, not_negative, one_of, positive, takes, whole
from refimpl.descent import Descent, descend
from refimpl.dual import descend_dual
from refimpl.losses import cross_entropy, softmax, squared_error
from refimpl.network import Network, softmax_net
from refimpl.optimize import momentum, sgd
from refimpl.theory import augmented, best_momentum, count_nonzero, extreme_eigenvalues
from refimpl.threads import one_thread_for

FORMS = {"primal": descend, "dual": descend_dual}


@takes(student=a_network, temperature=positive, lr=positive, tol=not_negative, form=one_of(*FORMS))
def retrain(
    images: np.ndarray,
    targets: np.ndarray,
    *,
    student: Network | None = None,
    temperature: float | None = None,
    lr: float | None = None,
    steps: int = 200_000,
    tol: float = 1e-12,
    form: str = "dual",
) -> Descent:
    """Full-batch descent of a student on (images, targets).

    images (N, D), targets (N, K) logits. temperature=None: squared error on logits; a number T:
    cross-entropy with softmax(. / T) on both sides. student: the network to start from, the zero
    linear network by default. lr=None: steps from the spectrum of G (T3): for squared error
    Polyak's heavy ball with its lr and beta; for cross-entropy plain descent, lr 2 N T^2 / l_1
    (half the bound of stability). A number: plain descent with it; needed for a student with hidden
    layers. Stops where the gradient's norm, for a linear student its distance |X~^+ dz| from the
    limit, has fallen to tol times its first value (or to round-off: 64 eps times the images'
    condition), or after `steps` steps; Descent.converged tells which, so that a linear student is
    `converged` only where it is what the certificate predicts (by cross-entropy: where its logits
    have come to the targets', to 1e-6, if those can be fitted). form: "dual" (in the images'
    coefficients, linear students only) or "primal"; they agree to round-off (T9). Works in float64.
    Returns a Descent(network, losses, converged). Raises ValueError on a bad argument,
    FloatingPointError at the first step where the loss is not finite.

    >>> student = retrain(
    ...     np.array([[1.0, 2.0], [-1.0, -2.0]]), np.array([[5.5, -5.5], [-4.5, 4.5]])
    ... ).network
    >>> [p.round(9).tolist() for p in student.parameters]
    [[[1.0, -1.0], [2.0, -2.0]], [0.5, -0.5]]
    """
    images, targets = finite_array("images", images), finite_array("targets", targets)
    if images.ndim != 2 or len(images) == 0:
        raise ValueError(f"images: expected shape (N, D) with N > 0, got {images.shape}")
    if targets.ndim != 2 or len(targets) != len(images):
        raise ValueError(f"targets: expected shape ({len(images)}, K), got {targets.shape}")
    steps = whole("steps", steps)
    student = (
        softmax_net(images.shape[1], targets.shape[1])
        if student is None
        else student.astype(np.float64)
    )
    if (student.inputs, student.classes) != (images.shape[1], targets.shape[1]):
        raise ValueError(
            f"student: expected a network from {images.shape[1]} inputs to {targets.shape[1]} "
            f"classes, got {student.inputs} to {student.classes}"
        )
    if lr is None and len(student.layers) > 1:
        raise ValueError(
            "lr: a student with hidden layers needs one; the default is for linear students"
        )
    loss, aims, lr, update = _reading(images, targets, temperature, lr)
    with one_thread_for(student.parameters, len(images)):
        done = FORMS[form](student, images, aims, loss, lr=lr, steps=steps, tol=tol, update=update)
    if temperature is not None and done.converged and len(student.layers) == 1:
        done = replace(done, converged=_same_logits(images, targets, student, done.network))
    return done


def _reading(images, targets, temperature, lr):
    """Which of the two readings it is: the loss, what it aims at, lr and the update."""
    if temperature is None and lr is None:
        lr, beta = best_momentum(images)
        return squared_error, targets, lr, partial(momentum, beta=beta)
    if temperature is None:
        return squared_error, targets, lr, sgd
    lr = 2 * len(images) * temperature**2 / extreme_eigenvalues(images)[0] if lr is None else lr
    # losses.distillation, its softmax of the targets taken once
    return partial(cross_entropy, temperature=temperature), softmax(targets / temperature), lr, sgd


def _same_logits(images, logits, start, end):
    """Whether cross-entropy has brought a linear student to the targets' logits, up to a shift an
    image, as far as an affine function can fit them.

    Where softmax saturates, its gradient vanishes long before the logits are right: 1e-6 of the
    distance at the start may be left. Targets that cannot be fitted end elsewhere: no objection.
    """
    rows = augmented(images)
    u, sigma, _ = np.linalg.svd(rows, full_matrices=False)
    u, sigma = u[:, : count_nonzero(sigma, rows.shape)], sigma[: count_nonzero(sigma, rows.shape)]

    def gap(network):
        off = logits - network.logits(images)
        return off - off.mean(axis=1, keepdims=True)

    def distance(off):
        return np.linalg.norm((u.T @ off) / sigma[:, None])

    before, after = gap(start), gap(end)
    if np.linalg.norm(before - u @ (u.T @ before)) > 1e-9 * np.linalg.norm(before):
        return True
    return bool(distance(after) <= 1e-6 * distance(before))
