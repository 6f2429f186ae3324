"""The thesis' network: it scores a candidate packing, bin by bin, and its gradient goes back to the
assignment.

Input: a share A[i, b] of each item in each bin, one-hot where decided. Per bin

    s_b = sum_i A[i, b] (f_ib, e_ib)      logit_b = ReLU((s_b, u_b) W_1 + b_1) w_2 + b_2

(the logit of "all goes well in this bin").

f_ib: twenty features of item i in bin b; e_ib = ReLU(f_ib W_e + b_e), learned; u_b: six of the
bin's free space (all in partial.py). The sum makes it a function of a set (Zaheer et al. 2017, Deep
Sets). A candidate's score is sum_b log sigmoid(logit_b), the log-probability that all goes well in
every bin. embed and head are Networks of refimpl's own layers; training.py trains them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from refimpl import weights
from refimpl.layers import Affine, ReLU
from refimpl.network import Network

PAIR, BIN, EMBEDDED, HIDDEN = 20, 6, 32, 64
STORED = Path(__file__).parent / "scorer.npz"


@dataclass(frozen=True, eq=False)
class Scorer:
    """embed (20 -> 32) and head (58 -> 64 -> 1), two Networks.

    >>> scorer = new_scorer(np.random.default_rng(0))
    >>> len(scorer.parameters), scorer.astype(np.float64).parameters[0].dtype.name
    (6, 'float64')
    """

    embed: Network
    head: Network

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """Of embed w (20, 32), b (32,); of head w (58, 64), b (64,), w (64, 1), b (1,)."""
        return (*self.embed.parameters, *self.head.parameters)

    def with_parameters(self, parameters: Sequence[np.ndarray]) -> "Scorer":
        """The same Scorer with other arrays, shapes and order as in `parameters`."""
        return Scorer(
            self.embed.with_parameters(parameters[:2]), self.head.with_parameters(parameters[2:])
        )

    def astype(self, dtype: DTypeLike) -> "Scorer":
        """The same Scorer in another floating-point type."""
        return Scorer(self.embed.astype(dtype), self.head.astype(dtype))


def new_scorer(rng: np.random.Generator) -> Scorer:
    """Weights after He et al. (2015), zero biases, float32: 4,513 parameters.

    >>> scorer = new_scorer(np.random.default_rng(0))
    >>> sum(p.size for p in scorer.parameters)
    4513
    """

    def affine(d, k):
        return Affine(rng.normal(0, np.sqrt(2 / d), (d, k)), np.zeros(k))

    return Scorer(
        Network((affine(PAIR, EMBEDDED), ReLU())),
        Network((affine(PAIR + EMBEDDED + BIN, HIDDEN), ReLU(), affine(HIDDEN, 1))),
    ).astype(np.float32)


def embed(scorer: Scorer, f: np.ndarray) -> tuple[np.ndarray, Any]:
    """f (T, k, n, 20) -> (g = (f, e) (T, k, n, 52), cache). The shares do not enter: once for a
    whole ascent.

    >>> g, _ = embed(new_scorer(np.random.default_rng(0)), np.ones((1, 2, 3, PAIR), np.float32))
    >>> g.shape
    (1, 2, 3, 52)
    """
    e, caches = scorer.embed.forward(f.reshape(-1, PAIR))
    return np.concatenate([f, e.reshape(*f.shape[:-1], EMBEDDED)], axis=-1), caches


def embed_backward(scorer: Scorer, dg: np.ndarray, caches: Any) -> tuple[np.ndarray, ...]:
    """dg (T, k, n, 52) -> gradients of embed's two parameters.

    >>> scorer = new_scorer(np.random.default_rng(0))
    >>> g, caches = embed(scorer, np.ones((1, 2, 3, PAIR), np.float32))
    >>> [p.shape for p in embed_backward(scorer, np.ones_like(g), caches)]
    [(20, 32), (32,)]
    """
    de = dg[..., PAIR:]
    return scorer.embed.backward(de.reshape(-1, de.shape[3]), caches)[1][0]


def forward(
    scorer: Scorer, g: np.ndarray, u: np.ndarray, a: np.ndarray, base: np.ndarray | float = 0
) -> tuple[np.ndarray, Any]:
    """g of embed, u (T, k, 6), shares a (T, n, k) -> (logits (T, k), cache). base (T, k, 52): sums
    of decided items.

    Where an item looks the same in every bin (contents.py), g may be (T, 1, n, 52).

    >>> scorer = new_scorer(np.random.default_rng(0))
    >>> g, _ = embed(scorer, np.ones((1, 2, 3, PAIR), np.float32))
    >>> forward(scorer, g, np.zeros((1, 2, BIN), np.float32), np.full((1, 3, 2), 0.5, np.float32))[
    ...     0
    ... ].shape
    (1, 2)
    """
    of_bins = a.transpose(0, 2, 1)  # (T, k, n)
    alike = g.shape[1] == 1
    s = base + (of_bins @ g[:, 0] if alike else (of_bins[:, :, None] @ g)[:, :, 0])  # (T, k, 52)
    x = np.concatenate([s, u], axis=2)
    z, caches = scorer.head.forward(x.reshape(-1, x.shape[2]))
    return z.reshape(x.shape[:2]), (g, a, caches)


def backward(
    scorer: Scorer, dz: np.ndarray, cache: Any
) -> tuple[np.ndarray, Callable[[], np.ndarray], tuple[np.ndarray, ...]]:
    """dz (T, k) -> (da (T, n, k), dg like g as a function, gradients of head's parameters).

    >>> scorer = new_scorer(np.random.default_rng(0))
    >>> g, _ = embed(scorer, np.ones((1, 2, 3, PAIR), np.float32))
    >>> z, cache = forward(
    ...     scorer, g, np.zeros((1, 2, BIN), np.float32), np.full((1, 3, 2), 0.5, np.float32)
    ... )
    >>> backward(scorer, np.ones_like(z), cache)[0].shape
    (1, 3, 2)
    """
    g, a, caches = cache
    dx, head = scorer.head.backward(dz.reshape(-1, 1), caches)
    ds = dx.reshape(*dz.shape, -1)[..., : g.shape[3]]

    alike = g.shape[1] == 1

    def dg():
        if alike:
            return (a @ ds)[:, None]
        return a.transpose(0, 2, 1)[..., None] * ds[:, :, None]

    if alike:
        da = g[:, 0] @ ds.transpose(0, 2, 1)
    else:
        da = (g @ ds[..., None])[..., 0].transpose(0, 2, 1)
    return da, dg, tuple(v for layer in head for v in layer)


def log_sigmoid(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log(1 / (1 + exp(-z))) without overflow, and its derivative 1 / (1 + exp(z)); z of any shape,
    both like z.

    >>> [float(v) for v in log_sigmoid(np.float64(-1000.0))]
    [-1000.0, 1.0]
    """
    e = np.exp(np.where(z.real > 0, -z, z))
    return np.where(z.real > 0, 0, z) - np.log1p(e), np.where(z.real > 0, e, 1) / (1 + e)


def save(scorer: Scorer, path: str | Path) -> None:
    """Write both networks as one file of refimpl.weights.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save(trained(), Path(folder) / "scorer.npz")
    ...     again = load(Path(folder) / "scorer.npz")
    >>> all(np.array_equal(a, b) for a, b in zip(again.parameters, trained().parameters))
    True
    """
    weights.save(Network((*scorer.embed.layers, *scorer.head.layers)), path)


def load(path: str | Path, new: Callable[[np.random.Generator], Scorer] = new_scorer) -> Scorer:
    """A Scorer that save() wrote, of the shapes that `new` makes. Raises FileNotFoundError,
    ValueError: not a file of such a Scorer.

    >>> len(load(STORED).parameters)
    6
    """
    layers = weights.load(path).layers
    scorer = Scorer(Network(layers[:2]), Network(layers[2:]))
    expected = [p.shape for p in new(np.random.default_rng(0)).parameters]
    if [p.shape for p in scorer.parameters] != expected:
        raise ValueError(
            f"{path}: expected a scorer's parameters {expected}, found "
            f"{[p.shape for p in scorer.parameters]}"
        )
    return scorer


@lru_cache(maxsize=1)
def trained() -> Scorer:
    """The scorer that training.py made and that comes with the package; read once, when first asked
    for.

    >>> [p.shape for p in trained().embed.parameters]
    [(20, 32), (32,)]
    """
    return load(STORED)
