"""Section 7: the same retraining on the ten class averages of the training set. Table 5 column 4,
tables 8 and 9.
"""

import warnings
from typing import Any

import numpy as np

from refimpl.data import Dataset
from refimpl.descent import descend
from refimpl.losses import cross_entropy, softmax, squared_error
from refimpl.metrics import accuracy
from refimpl.network import Network, softmax_net
from refimpl.paper.protocol import PROTOCOLS, class_averages, train_teacher
from refimpl.paper.section5 import TEMPERATURE, compare, score
from refimpl.retraining import retrain
from refimpl.sufficiency import first_step
from refimpl.theory import augmented, best_lr, network_of, row_space

PAPER_LR = 0.5  # what the paper states for its shallow networks


def run(data: Dataset, teacher: Network, seed: int) -> dict:
    """Section 7 for one seed's teacher: {id of the ledger: percent, count or confusion matrix (K,
    K)}.

    >>> from unittest.mock import patch
    >>> from refimpl.paper.protocol import Protocol, Schedule
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> with patch.dict(
    ...     PROTOCOLS, digits=Protocol(*[Schedule(lr=0.5, steps=50)] * 3)
    ... ):  # so that it ends at once
    ...     found = run(tiny(side=12), tiny_teacher(side=12), 0)
    >>> (
    ...     found["table5/digits/class_averages"],
    ...     found["section7/digits/paper_lr"],
    ... )  # lr .5 is too large here
    (100.0, 10.0)
    """
    name, images = data.name, class_averages(data)
    likeness = _likeness(data, teacher, images)
    same = retrain(images, teacher.logits(images)).network
    out: dict[str, Any] = {
        f"section7/{name}/same_teacher": score(data, same)[0],
        f"section7/{name}/same_teacher/agreement": compare(data, teacher, same)["agreement"],
    }
    protocol = PROTOCOLS[name]
    other = train_teacher(data, seed, protocol.averages)
    targets = other.logits(images)
    if protocol.iterations is None:
        student = retrain(images, targets).network
    else:
        student = retrain(images, targets, lr=best_lr(images)[0], steps=protocol.iterations).network
    out[f"section7/{name}/averages_teacher"] = score(data, other)[0]
    out[f"table5/{name}/class_averages"], out[f"table8/{name}"] = score(data, student)
    soft = retrain(images, targets, temperature=TEMPERATURE, tol=1e-6).network
    out[f"section7/{name}/temperature"] = score(data, soft)[0]
    zero, labels = softmax_net(images.shape[1], len(images)), np.arange(len(images))
    bound = 2 * len(images) / np.linalg.eigvalsh(images @ images.T + 1)[-1]
    onehot = descend(zero, images, labels, cross_entropy, lr=bound, steps=2_000).network
    out[f"section7/{name}/onehot"] = score(data, onehot)[0]
    for key, x, y in (
        ("train", data.train_x, data.train_y),
        ("test_labels", data.test_x, data.test_y),
    ):
        out[f"section7/{name}/best_in_span/{key}"] = score(data, best_in_span(images, x, y))[0]
    out[f"section7/{name}/lr_bound"] = float(bound)
    return out | likeness | _diverged(data, images, targets)


def _likeness(data: Dataset, teacher: Network, averages: np.ndarray) -> dict[str, float]:
    """The cosine of class averages and class visualizations, mean over the classes: of what is
    left when the mean training image is taken from the averages, as they are, and after the first
    step of training (T16). The class visualizations are s w_c (T1).
    """
    mean = data.train_x.mean(axis=0, dtype=np.float64)

    def cosine(columns, rows):
        sizes = np.linalg.norm(columns, axis=0) * np.linalg.norm(rows, axis=1)
        return float(np.mean(np.einsum("dc,cd->c", columns, rows) / sizes))

    w = teacher.parameters[0].astype(np.float64)
    first = first_step(data.train_x, data.train_y, len(averages), lr=1.0)[:-1]
    prefix = f"section7/{data.name}/cosine"
    return {
        prefix: cosine(w, averages - mean),
        f"{prefix}/uncentred": cosine(w, averages),
        f"{prefix}/first_step": cosine(first, averages - mean),
    }


def best_in_span(images: np.ndarray, x: np.ndarray, y: np.ndarray) -> Network:
    """T15: the linear classifier inside the span of (images, 1) with the least cross-entropy on x
    (N, D), labels y (N,).

    Whoever descends from zero on the images stays in that span, whatever the targets; this is the
    best of them by cross-entropy. Newton's method in the coordinates of an orthonormal basis, ten
    steps, a ridge of 1e-6 for classes that are separable.

    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> best_in_span(images, 3 * images, np.array([0, 1])).predict(images).tolist()
    [0, 1]
    """
    basis, _ = row_space(augmented(images))
    features = x.astype(np.float64) @ basis[:, :-1].T + basis[:, -1]  # (N, r)
    (n, r), k = features.shape, len(images)
    a, onehot = np.zeros((r, k)), np.eye(k)[y]
    for _ in range(10):
        p = softmax(features @ a)
        gradient = (features.T @ (p - onehot) / n + 1e-6 * a).ravel()
        hessian = np.zeros((r, k, r, k))
        for c in range(k):
            for d in range(c, k):
                weight = p[:, c] * ((c == d) - p[:, d])
                hessian[:, c, :, d] = hessian[:, d, :, c] = (
                    features * weight[:, None]
                ).T @ features
        system = hessian.reshape(r * k, r * k) / n + 1e-6 * np.eye(r * k)
        a = a - np.linalg.solve(system, gradient).reshape(r, k)
    return network_of(basis.T @ a)


def _diverged(data: Dataset, images: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Squared error with the paper's lr .5: where 2N / l_1 < .5 it diverges, and NaN logits put all
    images in class 0.
    """
    w, b = np.zeros((images.shape[1], targets.shape[1])), np.zeros(targets.shape[1])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(1_000):
            _, dz = squared_error(images @ w + b, targets)
            w, b = w - PAPER_LR * images.T @ dz, b - PAPER_LR * dz.sum(axis=0)
        predicted = (data.test_x @ w.astype(np.float32) + b.astype(np.float32)).argmax(axis=1)
    return {
        f"section7/{data.name}/paper_lr": accuracy(data.test_y, predicted),
        f"section7/{data.name}/paper_lr_classes": int(len(np.unique(predicted))),
    }
