"""The thesis' network: it scores a candidate packing, bin by bin, and its gradient goes back to the assignment.

Input: a share A[i, b] of each item in each bin, one-hot when decided. Per bin

    s_b = sum_i A[i, b] (f_i, e_i)      logit_b = ReLU(s_b W_1 + b_1) w_2 + b_2      "these items go into one bin"

with f_i seven features of the item's size and e_i = ReLU(f_i W_e + b_e) learned. The sum makes it a function of a set
(Zaheer et al. 2017, Deep Sets). embed and head are Networks of refimpl's own layers, trained by its own Adam.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.layers import Affine, ReLU
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.packing.free_space import fill
from refimpl.packing.instances import CLASSES, bin_of, draw_items

EMBEDDED, HIDDEN = 32, 64
TRIES = 6  # orders tried before a set counts as not packable


def features(items, bin_size):
    """(n, 2) items -> (n, 7): w / W, h / H, area share, wider than half, higher than half, both, and 1 (a count)."""
    u = np.asarray(items, np.float64) / np.asarray(bin_size, np.float64)
    wide, high = u[:, 0] > 0.5, u[:, 1] > 0.5
    return np.column_stack([u, u.prod(axis=1), wide, high, wide & high, np.ones(len(u))])


@dataclass(frozen=True, eq=False)
class Scorer:
    """embed (7 -> 32) and head (39 -> 64 -> 1), two Networks."""

    embed: Network
    head: Network

    @property
    def parameters(self):
        return (*self.embed.parameters, *self.head.parameters)

    def with_parameters(self, parameters):
        return Scorer(self.embed.with_parameters(parameters[:2]), self.head.with_parameters(parameters[2:]))


def new_scorer(rng):
    """Weights after He et al. (2015), zero biases, float64: 2,881 parameters."""
    def affine(d, k):
        return Affine(rng.normal(0, np.sqrt(2 / d), (d, k)), np.zeros(k))
    return Scorer(Network((affine(7, EMBEDDED), ReLU())),
                  Network((affine(7 + EMBEDDED, HIDDEN), ReLU(), affine(HIDDEN, 1))))


def forward(scorer, f, a):
    """f (T, n, 7) features, a (T, n, B) shares -> (logits (T, B), cache)."""
    t, n, _ = f.shape
    e, embed_caches = scorer.embed.forward(f.reshape(t * n, -1))
    g = np.concatenate([f, e.reshape(t, n, -1)], axis=2)  # (T, n, 39)
    s = a.transpose(0, 2, 1) @ g  # (T, B, 39)
    z, head_caches = scorer.head.forward(s.reshape(-1, s.shape[2]))
    return z.reshape(t, -1), (g, a, embed_caches, head_caches)


def backward(scorer, dz, cache):
    """dz (T, B) -> (da (T, n, B), gradients of the parameters in order)."""
    g, a, embed_caches, head_caches = cache
    ds, head = scorer.head.backward(dz.reshape(-1, 1), head_caches)
    ds = ds.reshape(*dz.shape, -1)  # (T, B, 39)
    dg = a @ ds  # (T, n, 39)
    _, embed = scorer.embed.backward(dg[..., 7:].reshape(-1, dg.shape[2] - 7), embed_caches)
    return g @ ds.transpose(0, 2, 1), tuple(v for layer in (*embed, *head) for v in layer)


def log_sigmoid(z):
    """log(1 / (1 + exp(-z))) without overflow, and its derivative 1 / (1 + exp(z))."""
    e = np.exp(np.where(z.real > 0, -z, z))
    return np.where(z.real > 0, 0, z) - np.log1p(e), np.where(z.real > 0, e, 1) / (1 + e)


def packable(items, bin_size, rng, *, tries=TRIES):
    """Whether a set of items was packed into one bin: largest area first, then with noise in the order."""
    items = np.asarray(items)
    area = np.log(items.prod(axis=1))
    for i in range(tries):
        order = np.argsort(-area - (rng.normal(0, 0.3, len(items)) if i else 0), kind="stable")
        if fill(items[order].tolist(), bin_size):
            return True
    return False


def labelled_bins(count, rng):
    """Sets of items with labels by actual packing: (features (count, n, 7), mask (count, n, 1), labels (count,)).

    Sizes follow the laws of the benchmark's ten classes, in fresh draws; a set has items until .75 to 1.05 of the bin's
    area is reached (and no more than the bin's area, half the time), where area alone does not decide.
    """
    sets, labels = [], np.empty(count, bool)
    for i in range(count):
        kind = int(rng.choice(CLASSES))
        side = bin_of(kind)
        items = draw_items(kind, 64, iter(rng.random(192, dtype=np.float32)))
        area = np.cumsum(items.prod(axis=1)) / (side[0] * side[1])
        enough = int(np.searchsorted(area, rng.uniform(0.75, 1.05))) + 1
        if area[min(enough, 64) - 1] > 1 and rng.random() < 0.5:
            enough -= 1
        items = items[: max(enough, 1)]
        labels[i] = packable(items, side, rng)
        sets.append(features(items, side))
    n = max(map(len, sets))
    f, mask = np.zeros((count, n, 7)), np.zeros((count, n, 1))
    for i, own in enumerate(sets):
        f[i, : len(own)], mask[i, : len(own)] = own, 1
    return f, mask, labels


def loss(scorer, f, mask, labels):
    """Binary cross-entropy, mean over the bins, and the gradients of the parameters."""
    z, cache = forward(scorer, f, mask)
    sign = np.where(labels, 1.0, -1.0)[:, None]
    value, slope = log_sigmoid(sign * z)
    return -value.mean(), backward(scorer, -sign * slope / len(labels), cache)[1]


def train_scorer(rng, *, bins=20_000, steps=4_000, batch=128, lr=3e-3):
    """A Scorer trained by Adam, its lr falling linearly, on bins that are made and packed here. -> (Scorer, losses)."""
    f, mask, labels = labelled_bins(bins, rng)
    scorer, losses = new_scorer(rng), []
    states = [None] * len(scorer.parameters)
    for step in range(steps):
        rows = rng.choice(bins, batch)
        value, gradients = loss(scorer, f[rows], mask[rows], labels[rows])
        losses.append(value)
        moved = [adam(p, g, s, lr=lr * (1 - step / steps)) for p, g, s in zip(scorer.parameters, gradients, states)]
        scorer, states = scorer.with_parameters([p for p, _ in moved]), [s for _, s in moved]
    return scorer, np.array(losses)
