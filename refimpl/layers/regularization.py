"""Against overfitting: dropout, batch normalization, and a bound on the weights' norm."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from refimpl.dtypes import as_floats


@dataclass(frozen=True, eq=False)
class Dropout:
    """In training each value is set to zero with probability `rate`, the others are divided by 1 -
    rate.

    Srivastava et al. (2014), section 10, in its inverted form: the expectation is x, so without
    training out = x. x (N, ...) -> (N, ...). Chance is 16 bits a value: `rate` is rounded to a
    multiple of 2^-16, in the divisor too. Raises ValueError on a rate outside [0, 1), and where
    training gets no rng.

    >>> np.unique(
    ...     Dropout(0.5).forward(np.ones(20), train=True, rng=np.random.default_rng(0))[0]
    ... ).tolist()
    [0.0, 2.0]
    """

    elementwise = True

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate: expected a number in [0, 1), got {self.rate!r}")

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        if not train:
            return x, None
        if rng is None:
            raise ValueError("rng: dropout in training needs a numpy.random.Generator, got None")
        dropped = min(round(self.rate * 2**16), 2**16 - 1)
        draws = rng.integers(
            0, 2**16, (*x.shape[1:], len(x)), dtype=np.uint16
        )  # images last, as in conv.py
        keep, scale = (
            np.moveaxis(draws, -1, 0) >= dropped,
            x.real.dtype.type(2**16 / (2**16 - dropped)),
        )
        return x * keep * scale, (keep, scale)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[np.ndarray, tuple]:
        return (dout if cache is None else dout * cache[0] * cache[1]), ()


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """out = gamma (x - mu) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015, algorithm
    1).

    In training mu and var (divided by the count m) are those of the batch, over all axes but the
    second; else they are the running mean and var, buffers without a gradient. `updated` is their
    update; its var is the unbiased one, m / (m - 1) (algorithm 2). gamma, beta, mean, var (C,). x
    (N, C) or (N, C, H, W). eps and momentum: torch's (running <- momentum running + (1 - momentum)
    batch). Raises ValueError on other shapes, and in training on m = 1.

    >>> norm = BatchNorm(np.ones(1), np.zeros(1), np.zeros(1), np.ones(1), eps=0.0)
    >>> norm.forward(np.array([[1.0], [3.0]]), train=True)[0].tolist()
    [[-1.0], [1.0]]
    """

    elementwise = True

    gamma: np.ndarray  # (C,)
    beta: np.ndarray  # (C,)
    mean: np.ndarray = field(metadata={"buffer": True})  # (C,)
    var: np.ndarray = field(metadata={"buffer": True})  # (C,)
    momentum: float = 0.9
    eps: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("gamma", "beta", "mean", "var"):
            object.__setattr__(self, name, as_floats(getattr(self, name)))
        shapes = [a.shape for a in (self.gamma, self.beta, self.mean, self.var)]
        if len(shapes[0]) != 1 or len(set(shapes)) > 1:
            raise ValueError(
                f"gamma, beta, mean, var: expected four times shape (C,), got {shapes}"
            )

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        if x.ndim not in (2, 4) or x.shape[1] != len(self.gamma):
            c = len(self.gamma)
            raise ValueError(f"x: expected shape (N, {c}) or (N, {c}, H, W), got {x.shape}")
        real, m = x.real.dtype.type, x.size // x.shape[1]
        if train and m < 2:
            raise ValueError(
                "x: batch normalization in training needs two values a channel, got one"
            )
        axes = (0, 2, 3)[: x.ndim - 1]
        mean = x.sum(axis=axes) / real(m) if train else self.mean.astype(x.real.dtype, copy=False)
        centred = x - _channels(mean, x)
        var = (
            (centred * centred).sum(axis=axes) / real(m)
            if train
            else self.var.astype(x.real.dtype, copy=False)
        )
        inverse = 1 / np.sqrt(var + real(self.eps))
        normal = centred * _channels(inverse, x)
        out = normal * _channels(self.gamma, x) + _channels(self.beta, x)
        return out, (normal, inverse, (mean, var, m) if train else None)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[np.ndarray, tuple]:
        """dx = gamma / sqrt(var + eps) (dout - mean dout - normal mean(dout normal)), the means in
        training only.
        """
        normal, inverse, statistics = cache
        dgamma, dbeta = self.parameter_gradients(dout, cache)
        dx = dout
        if statistics is not None:
            m = dout.real.dtype.type(statistics[2])
            dx = dout - _channels(dbeta / m, dout) - normal * _channels(dgamma / m, dout)
        return dx * _channels(self.gamma * inverse, dout), (dgamma, dbeta)

    def parameter_gradients(self, dout: np.ndarray, cache: Any) -> tuple:
        """dgamma (C,), dbeta (C,): the second half of backward alone."""
        axes = (0, 2, 3)[: dout.ndim - 1]
        return (dout * cache[0]).sum(axis=axes), dout.sum(axis=axes)

    def updated(self, cache: Any) -> "BatchNorm":
        """The layer with running statistics that have seen one batch more: from the cache of a
        training forward.
        """
        if cache[2] is None:
            return self
        (mean, var, m), keep = cache[2], self.momentum
        return replace(
            self,
            mean=(keep * self.mean + (1 - keep) * mean).astype(self.mean.dtype),
            var=(keep * self.var + (1 - keep) * m / (m - 1) * var).astype(self.var.dtype),
        )


def _channels(a, like):
    """(C,) to (C, 1, 1) beside images."""
    return a.reshape(-1, *[1] * (like.ndim - 2))


def max_norm(w: np.ndarray, limit: float) -> np.ndarray:
    """The nearest weights whose incoming vector of each unit has a norm <= limit (Srivastava et al.
    2014, section 5.1).

    w (D, K) of an Affine: its K columns; w (F, C, kh, kw) of a Conv2D: its F filters. Returns w
    itself where all fit. Raises ValueError on a limit <= 0.

    >>> max_norm(np.array([[3.0, 6.0], [4.0, 8.0]]), 5.0).tolist()
    [[3.0, 3.0], [4.0, 4.0]]
    """
    if not limit > 0:
        raise ValueError(f"limit: expected a positive number, got {limit!r}")
    axes = 0 if w.ndim == 2 else tuple(range(1, w.ndim))
    norms = np.sqrt((w * w).sum(axis=axes, keepdims=True))
    if (norms <= limit).all():
        return w
    return w * (limit / np.maximum(norms, limit))
