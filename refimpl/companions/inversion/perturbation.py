"""What of a representation matters: its signs, half of it, eight bits of the weights that make it.

Dosovitskiy and Brox 2016 perturb a representation and decode it. The review (Qin et al. 2018) reads
off their pictures that networks can be pruned and stored in few bits; prune and quantize really do
that to the weights.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.training import train


def _norms(codes: np.ndarray) -> np.ndarray:
    """|c| of each row: (N, F) -> (N, 1) in float64."""
    return np.sqrt(np.square(codes, dtype=np.float64).sum(axis=1, keepdims=True))


def _as_rows(codes: np.ndarray) -> np.ndarray:
    """(N, ...) -> (N, F). Raises ValueError unless all are finite floats: no integer keeps a
    norm.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind != "f" or not np.isfinite(codes).all():
        found = "NaN or infinity" if codes.dtype.kind == "f" else codes.dtype
        raise ValueError(f"codes: expected finite floats, got {found}")
    return codes.reshape(len(codes), -1)


def _with_norm(rows: np.ndarray, wanted: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Rows scaled to norms `wanted` (N, 1), in shape and dtype of `like`; a row of zeros stays
    one.
    """
    have = _norms(rows)
    return (
        (rows * np.where(have > 0, wanted / np.where(have > 0, have, 1), 0))
        .astype(like.dtype)
        .reshape(like.shape)
    )


def _without(rows: np.ndarray, share: float, rng: np.random.Generator | None) -> np.ndarray:
    """Rows (N, F) with a share of their entries at 0: the smallest (of equal ones the first), or
    entries drawn by rng.

    Raises ValueError on a share outside [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"share: expected a number in [0, 1), got {share!r}")
    order = np.argsort(
        np.abs(rows) if rng is None else rng.random(rows.shape), axis=1, kind="stable"
    )
    kept = rows.copy()
    np.put_along_axis(kept, order[:, : int(share * rows.shape[1])], 0, axis=1)
    return kept


def binarize(codes: np.ndarray) -> np.ndarray:
    """Signs kept, one magnitude, norm kept: sign(c) |c| / sqrt(number of entries that are not 0). A
    0 stays 0.

    codes (N, ...) floats, one representation a row. Raises ValueError where one is not finite.

    >>> binarize(np.array([[3.0, -4.0, 0.0]])).round(6).tolist()
    [[3.535534, -3.535534, 0.0]]
    """
    rows = _as_rows(codes)
    return _with_norm(np.sign(rows), _norms(rows), np.asarray(codes))


def drop(
    codes: np.ndarray, *, share: float = 0.5, rng: np.random.Generator | None = None
) -> np.ndarray:
    """A share of each row's entries set to 0, the others scaled so that the norm is kept.

    codes (N, ...) floats. rng given: entries drawn at random; None: the least important, those of
    smallest magnitude (of equal ones the first; behind a ReLU the zeros go first and cost nothing).
    A row that loses all its energy becomes zero. Raises ValueError on a share outside [0, 1) and
    where one is not finite.

    >>> drop(np.array([[3.0, 1.0, -4.0, 0.0]])).round(6).tolist()
    [[3.059412, 0.0, -4.079216, 0.0]]
    """
    rows = _as_rows(codes)
    return _with_norm(_without(rows, share, rng), _norms(rows), np.asarray(codes))


def _on_weights(network: Network, change: Callable) -> Network:
    """The network with change(w) in place of the weights of every layer that has some; biases and
    buffers stay.
    """
    return Network(
        tuple(replace(v, w=change(v.w)) if hasattr(v, "w") else v for v in network.layers)
    )


def prune(
    network: Network, *, share: float = 0.5, rng: np.random.Generator | None = None
) -> Network:
    """Every layer's weights without the share of smallest magnitude, or a random one with rng; no
    norm is kept.

    Han et al. 2015 prune by magnitude, layer by layer, and retrain; here it is done once, to see
    what the weights hold. Raises ValueError on a share outside [0, 1).

    >>> from refimpl.layers import Affine
    >>> net = prune(Network((Affine(np.array([[1.0, -4.0], [3.0, 2.0]]), np.zeros(2)),)))
    >>> net.parameters[0].tolist()
    [[0.0, -4.0], [3.0, 0.0]]
    """
    return _on_weights(network, lambda w: _without(w.reshape(1, -1), share, rng).reshape(w.shape))


def retrain_pruned(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    *,
    steps: int,
    lr: float,
    batch: int,
    rng: np.random.Generator,
) -> Network:
    """The network trained on by Adam, while every weight that is 0 stays 0 (Han et al. 2015,
    section 3).

    x (N, D), y (N,) labels; rng orders the minibatches and feeds train-time chance. Raises as
    `train`.

    >>> from refimpl.layers import Affine
    >>> x, y, rng = np.eye(4), np.array([0, 1, 0, 1]), np.random.default_rng(0)
    >>> net = prune(Network((Affine(rng.normal(size=(4, 2)), np.zeros(2)),)))
    >>> again = retrain_pruned(net, x, y, steps=100, lr=0.1, batch=4, rng=rng)
    >>> int((again.parameters[0] == 0).sum()), again.predict(x).tolist()
    (4, [0, 1, 0, 1])
    """
    kept = [p != 0 if p.ndim > 1 else np.ones_like(p, bool) for p in network.parameters]

    def project(net: Network) -> Network:
        return net.with_parameters([p * k for p, k in zip(net.parameters, kept)])

    return train(
        network, x, y, steps=steps, lr=lr, batch=batch, rng=rng, update=adam, project=project
    )[0]


def quantize(network: Network, *, bits: int = 8) -> Network:
    """Every layer's weights in `bits` bits: round(w / s) s with s = max|w| / (2^(bits - 1) - 1),
    one s a layer.

    1 bit: the sign, at the magnitude that keeps the layer's norm (as `binarize`; Rastegari et al.
    2016 take mean |w|, the least-squares choice, and train with it). Biases stay as they are.
    Raises ValueError on bits that are no whole number >= 1.

    >>> from refimpl.layers import Affine
    >>> net = quantize(Network((Affine(np.array([[1.0, -3.5], [7.0, 2.2]]), np.zeros(2)),)), bits=4)
    >>> net.parameters[0].tolist()
    [[1.0, -4.0], [7.0, 2.0]]
    """
    if bits < 1 or int(bits) != bits:
        raise ValueError(f"bits: expected a whole number >= 1, got {bits!r}")

    def quantized(w):
        if bits == 1:
            return binarize(w.reshape(1, -1)).reshape(w.shape)
        step = np.abs(w).max(initial=0) / w.dtype.type(2 ** (bits - 1) - 1)
        return np.rint(w / step) * step if step else w

    return _on_weights(network, quantized)
