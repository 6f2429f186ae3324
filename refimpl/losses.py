"""Losses and objectives: scalar functions of the logits, each returned with its gradient.

    loss(z, target) -> (value, dz)            mean over the N images
    objective(z, classes) -> (values (N,), dz)   one value an image: what an ascent climbs

z (N, K) logits, real or complex (complex step); integers are read as float64. The gradient has the
dtype of z, whatever that of the target or of a temperature. Probabilities never appear as a layer:
networks end in logits.
"""

import numpy as np

from refimpl.dtypes import as_dtype_of, as_floats


def log_softmax(z: np.ndarray) -> np.ndarray:
    """log softmax(z)_c = z_c - log sum_k exp z_k, shifted by the largest real part: (N, K) -> (N,
    K).

    >>> np.exp(log_softmax(np.array([[0.0, 1000.0]]))).tolist()
    [[0.0, 1.0]]
    """
    z = as_floats(z)
    z = z - z.real.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def softmax(z: np.ndarray) -> np.ndarray:
    """softmax(z)_c = exp z_c / sum_k exp z_k: (N, K) -> (N, K).

    >>> softmax(np.array([[1000.0, 1000.0, -1000.0]])).tolist()
    [[0.5, 0.5, 0.0]]
    """
    z = as_floats(z)
    e = np.exp(z - z.real.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def check_labels(y: np.ndarray, classes: int, *, name: str = "y") -> None:
    """Raises ValueError unless y is an array (N,) of integers in [0, classes).

    >>> check_labels(np.array([0, 3]), 3)
    Traceback (most recent call last):
        ...
    ValueError: y: expected labels in [0, 3), found 0 to 3
    """
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected integer labels of shape (N,), got {y.dtype} of shape {y.shape}"
        )
    if y.size and not 0 <= np.minimum.reduce(y) <= np.maximum.reduce(y) < classes:
        raise ValueError(f"{name}: expected labels in [0, {classes}), found {y.min()} to {y.max()}")


def cross_entropy(
    z: np.ndarray, target: np.ndarray, *, temperature: float = 1.0
) -> tuple[float, np.ndarray]:
    """Mean over images of the cross-entropy between target and softmax(z / T).

        L       = -1/N sum_n sum_c t_nc log softmax(z_n / T)_c
        dL/dz_n = (softmax(z_n / T) sum_c t_nc - t_n) / (N T)

    z (N, K); target: integer labels (N,) or probabilities (N, K). There is no factor T^2 (Hinton et
    al. 2015 multiply their soft term by it; here the reader does, where it is wanted). z may also
    be (S, N, K), the logits of S networks for the same images: then there are S values. Raises
    ValueError on a target of another shape, on a label outside [0, K), on T <= 0. Returns (value,
    dz like z).

    >>> value, dz = cross_entropy(np.zeros((1, 2)), np.array([1]))
    >>> round(float(value), 6), dz.tolist()
    (0.693147, [[0.5, -0.5]])
    """
    temperature = _positive(temperature)
    z, target = as_floats(z), np.asarray(target)
    n, k = z.shape[-2:]
    if target.shape not in ((n,), (n, k)):
        raise ValueError(
            f"target: expected {n} labels or probabilities {(n, k)}, got shape {target.shape}"
        )
    # (..., K, N): a sum over classes adds whole rows, which is faster than adding within each.
    z = np.divide(z.swapaxes(-1, -2), temperature, order="C")
    z -= np.maximum.reduce(z.real, axis=-2, keepdims=True)  # the largest is 0: no overflow
    p = np.exp(z)
    total = np.add.reduce(p, axis=-2, keepdims=True)  # (..., 1, N)
    p /= total
    if target.ndim == 1:
        check_labels(target, k, name="target")
        own = (..., target, np.arange(n))
        values = np.log(total)[..., 0, :] - z[own]  # -log softmax(z)_y, (..., N)
        p[own] -= 1
    else:
        target = as_dtype_of(z, target).T  # (K, N)
        # A class without probability may have the logit -infinity: 0 log 0 = 0.
        values = (np.where(target == 0, 0, np.log(total) - z) * target).sum(axis=-2)  # (..., N)
        p = p * np.add.reduce(target, axis=0) - target
    count = values.dtype.type(n)  # NumPy 1 makes a float64 of a float32 scalar over an int
    return np.add.reduce(values, axis=-1) / count, p.swapaxes(-1, -2) / (n * temperature)


def _positive(temperature):
    """A temperature as a Python number, which decides no dtype."""
    if not temperature > 0:
        raise ValueError(f"temperature: expected a positive number, got {temperature!r}")
    return float(temperature)


def distillation(
    z: np.ndarray, teacher_z: np.ndarray, *, temperature: float = 1.0
) -> tuple[float, np.ndarray]:
    """Cross-entropy at a temperature on both sides: CE(softmax(z / T), softmax(teacher_z / T)),
    mean over images.

    Hinton, Vinyals and Dean (2015), equation 1 for both networks; without their T^2. z, teacher_z
    (N, K). Returns (value, dz (N, K)). Raises ValueError where the shapes differ, and on T <= 0.

    >>> z = np.array([[2.0, 0.0]])
    >>> bool(np.abs(distillation(z, z, temperature=4.0)[1]).max() < 1e-15)
    True
    """
    temperature = _positive(temperature)
    soft = softmax(as_floats(teacher_z) / temperature)
    if soft.shape != np.shape(z):
        raise ValueError(f"teacher_z: expected shape {np.shape(z)}, got {soft.shape}")
    return cross_entropy(z, soft, temperature=temperature)


def squared_error(z: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Squared error on logits (Ba and Caruana 2014): L = |z - t|^2 / 2N, summed over classes, mean
    over images.

    z, target (N, K). z may also be (S, N, K), then there are S values. Raises ValueError where the
    shapes differ. Returns (value, dz = (z - t) / N).

    >>> value, dz = squared_error(np.array([[3.0, 1.0]]), np.zeros((1, 2)))
    >>> float(value), dz.tolist()
    (5.0, [[3.0, 1.0]])
    """
    z = as_floats(z)
    target = as_dtype_of(z, as_floats(target))
    if target.shape != z.shape[-2:]:
        expected = f"expected logits of shape {z.shape[-2:]}"
        raise ValueError(f"target: {expected}, got shape {target.shape}")
    d = z - target
    return (0.5 * d * d).sum(axis=-1).mean(axis=-1), d / z.shape[-2]


def logit(z: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z_c of each image's own class c. z (N, K), classes (N,) labels. Returns (values (N,), dz (N,
    K)).

    Raises ValueError on classes that are not N integers in [0, K).

    >>> [v.tolist() for v in logit(np.array([[3.0, 1.0]]), np.array([0]))]
    [[3.0], [[1.0, 0.0]]]
    """
    z, classes = as_floats(z), np.asarray(classes)
    check_labels(classes, z.shape[1], name="classes")
    if len(classes) != len(z):
        raise ValueError(f"classes: expected {len(z)} labels, one an image, got {len(classes)}")
    rows = np.arange(len(z))
    dz = np.zeros_like(z)
    dz[rows, classes] = 1
    return z[rows, classes], dz


def centred_logit(z: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z_c - mean_k z_k: the logit without what all classes share. Shapes and ValueErrors as in
    `logit`.

    >>> [v.tolist() for v in centred_logit(np.array([[3.0, 1.0]]), np.array([0]))]
    [[1.0], [[0.5, -0.5]]]
    """
    z = as_floats(z)
    values, dz = logit(z, classes)
    return values - z.mean(axis=1), dz - z.dtype.type(1 / z.shape[1])


def log_probability(z: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log softmax(z)_c; dz = onehot_c - softmax(z). Shapes and ValueErrors as in `logit`.

    >>> [v.round(6).tolist() for v in log_probability(np.zeros((1, 2)), np.array([0]))]
    [[-0.693147], [[0.5, -0.5]]]
    """
    logp = log_softmax(z)
    values, onehot = logit(logp, classes)
    return values, onehot - np.exp(logp)


def probability(z: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """softmax(z)_c; dz = p_c (onehot_c - softmax(z)), which fades where p_c does. Shapes and
    ValueErrors as in `logit`.

    >>> [v.round(6).tolist() for v in probability(np.zeros((1, 2)), np.array([0]))]
    [[0.5], [[0.25, -0.25]]]
    """
    values, dz = log_probability(z, classes)
    p = np.exp(values)
    return p, p[:, None] * dz


OBJECTIVES = {f.__name__: f for f in (logit, centred_logit, probability, log_probability)}
