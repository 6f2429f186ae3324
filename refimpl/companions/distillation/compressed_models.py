"""The same teachers, compressed as models: fewer bits, fewer weights, lower rank. Bytes as stored.

What is stored is an .npz file, deflated, in memory: weights of b bits are packed b to a weight,
pruned ones as their positions and values, low rank as two factors.
"""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from refimpl.data import Dataset
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.training import train

BITS = (8, 4, 2)
SHARES = (0.3, 0.1)  # of the weights that pruning keeps
RETRAINING = 1_000  # minibatch steps after pruning


def stored(**arrays: Any) -> int:
    """Bytes of the arrays as one deflated .npz file.

    >>> stored(w=np.zeros(1_000, np.float32)) < 300
    True
    """
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return len(file.getvalue())


def rounded(w: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(w on 2^bits - 1 levels, symmetric round 0; its codes, packed to `bits` each; the step).

    The largest weight sets the step, |w|_max / (2^(bits - 1) - 1). Raises ValueError on fewer than
    2 or more than 8 bits.

    >>> values, packed, step = rounded(np.array([1.0, -0.4, 0.6]), 2)
    >>> values.tolist(), len(packed), step
    ([1.0, -0.0, 1.0], 1, 1.0)
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits: expected 2 to 8, got {bits}")
    most = 2 ** (bits - 1) - 1
    step = float(np.abs(w).max() / most) or 1.0
    codes = np.rint(w / step)
    raw = (codes + most).astype(np.uint8).reshape(-1, 1)
    packed = np.packbits(np.unpackbits(raw, axis=1)[:, 8 - bits :])
    return codes * step, packed, step


def few_bits(network: Network, bits: int) -> tuple[Network, int]:
    """(The network with every weight matrix on `bits` bits, biases left as float32; bytes stored).

    >>> from refimpl.network import softmax_net
    >>> net = softmax_net(784, 10, rng=np.random.default_rng(0), sigma=1.0)
    >>> few_bits(net, 2)[1] < few_bits(net, 8)[1] / 3
    True
    """
    parameters: list[np.ndarray] = []
    files: dict[str, Any] = {}
    for i, p in enumerate(network.parameters):
        if p.ndim == 1:
            parameters.append(p)
            files[f"b{i}"] = p.astype(np.float32)
            continue
        values, packed, step = rounded(p, bits)
        parameters.append(values.astype(p.dtype))
        files |= {f"w{i}": packed, f"step{i}": np.float32(step)}
    return network.with_parameters(parameters), stored(**files)


def pruned(
    network: Network, data: Dataset, keep: float, *, lr: float, rng: np.random.Generator
) -> tuple[Network, int]:
    """(The network with the largest `keep` of each weight matrix, retrained without the others;
    bytes stored).

    Magnitude pruning (Han et al. 2015), once; then RETRAINING minibatch steps, lr falling, in which
    the weights taken away stay 0.

    >>> from refimpl.network import softmax_net
    >>> from refimpl.paper.tiny import tiny
    >>> rng = np.random.default_rng(0)
    >>> net = softmax_net(16, 10, rng=rng, sigma=0.1)
    >>> small, _ = pruned(net, tiny(), 0.25, lr=0.5, rng=rng)
    >>> int((small.parameters[0] != 0).sum())
    40
    """
    masks = []
    for p in network.parameters:
        mask = np.ones(p.shape, bool)
        if p.ndim > 1:
            mask = np.abs(p) >= np.sort(np.abs(p), axis=None)[-max(1, round(keep * p.size))]
        masks.append(mask)

    def masked(network):
        return network.with_parameters([p * m for p, m in zip(network.parameters, masks)])

    small, _ = train(
        masked(network),
        data.train_x,
        data.train_y,
        steps=RETRAINING,
        lr=lr,
        rng=rng,
        falling=True,
        project=masked,
    )
    files: dict[str, Any] = {}
    for i, p in enumerate(small.parameters):
        if p.ndim == 1:
            files[f"b{i}"] = p.astype(np.float32)
        else:
            files |= {f"at{i}": np.packbits(p != 0), f"w{i}": p[p != 0].astype(np.float32)}
    return small, stored(**files)


def low_rank(network: Network, rank: int) -> tuple[Network, int]:
    """(The network with its first weight matrix cut to `rank` singular values; bytes stored).

    >>> from refimpl.network import softmax_net
    >>> net = softmax_net(6, 4, rng=np.random.default_rng(0), sigma=1.0)
    >>> int(np.linalg.matrix_rank(low_rank(net, 2)[0].parameters[0], tol=1e-5))
    2
    """
    w, *rest = network.parameters
    u, s, v = np.linalg.svd(w.astype(np.float64), full_matrices=False)
    left, right = (u[:, :rank] * s[:rank]).astype(np.float32), v[:rank].astype(np.float32)
    files = {f"p{i}": p.astype(np.float32) for i, p in enumerate(rest)}
    small = network.with_parameters([(left @ right).astype(w.dtype), *rest])
    return small, stored(left=left, right=right, **files)


def dithered_agreement(network: Network, x: np.ndarray, step: float) -> float:
    """T19: a lower bound, percent, on the mean agreement of a linear network with itself when its
    weights are rounded to multiples of `step` with subtractive dither.

        1 - mean_n min(1, sum_k exp(-3 m_nk^2 / (step^2 |x_n|^2)))

    m_nk: how far the logit of another class k lies below image n's largest one. x (N, D). Plain
    rounding, as in `few_bits`, has no such bound; it comes near it.

    >>> from refimpl.network import softmax_net
    >>> net = softmax_net(2, 2).with_parameters((np.eye(2), np.zeros(2)))
    >>> round(dithered_agreement(net, np.array([[1.0, 0.0]]), 0.5), 4)
    99.9994
    """
    z = network.logits(x)
    margin = np.sort(z.max(axis=1, keepdims=True) - z, axis=1)[:, 1:]  # (N, K - 1)
    size = np.maximum(np.einsum("nd,nd->n", x, x), 1e-30)[:, None]
    missed = np.exp(-3 * margin**2 / (step**2 * size)).sum(axis=1)
    return 100 * float(1 - np.minimum(missed, 1).mean())


def model_points(
    data: Dataset, network: Network, name: str, ranks: tuple[int, ...], *, lr: float, seed: int
) -> Iterator[tuple[str, int, float]]:
    """(what, bytes, test accuracy) of a teacher and of everything above made of it.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> found = list(model_points(tiny(), tiny_teacher(), "linear", (3,), lr=0.5, seed=0))
    >>> [what for what, _, _ in found][:3]
    ['linear, float32', 'linear, 8 bits', 'linear, 4 bits']
    """
    rng = np.random.default_rng([seed, 4])
    whole = {f"p{i}": p.astype(np.float32) for i, p in enumerate(network.parameters)}
    made = {"float32": (network, stored(**whole))}
    made |= {f"{bits} bits": few_bits(network, bits) for bits in BITS}
    made |= {
        f"{share:.0%} of weights, retrained": pruned(network, data, share, lr=lr, rng=rng)
        for share in SHARES
    }
    made |= {
        f"rank {rank}": low_rank(network, rank)
        for rank in ranks
        if rank < min(network.parameters[0].shape)  # of few classes there is nothing to cut
    }
    for what, (small, size) in made.items():
        yield f"{name}, {what}", size, accuracy(data.test_y, small.predict(data.test_x))
