"""Ranks of what a network's layers see on some images, and which images to add to raise them."""

from collections.abc import Sequence

import numpy as np

from refimpl.network import Network
from refimpl.theory import augmented, row_space

CONDITION = 1e6  # that `additions` aims at


def rank_and_condition(rows: np.ndarray) -> tuple[int, float]:
    """(rank, condition number of the part that counts, 1 where nothing does) of rows (N, n).

    >>> rank_and_condition(np.diag([4.0, 2.0, 0.0]))
    (2, 2.0)
    """
    basis, sigma = row_space(rows)
    return len(basis), float(sigma[0] / sigma[len(basis) - 1]) if len(basis) else 1.0


def missing(rows: np.ndarray, theta: np.ndarray) -> float:
    """|(I - P) theta| / |theta|, P on the span of the rows: what least squares of least norm does
    not get of theta.

    rows (N, n), theta (n, K).

    >>> missing(np.array([[1.0, 0.0]]), np.array([[3.0], [4.0]]))
    0.8
    """
    basis, _ = row_space(rows)
    return float(
        np.linalg.norm(theta - basis.T @ (basis @ theta))
        / max(float(np.linalg.norm(theta)), 1e-300)
    )


def layer_inputs(network: Network, x: np.ndarray) -> list[np.ndarray]:
    """What every Affine layer sees of x (N, D), with its column of ones: a list of (N, in + 1).

    >>> from refimpl.network import one_hidden_net
    >>> [
    ...     v.shape
    ...     for v in layer_inputs(
    ...         one_hidden_net(4, 3, 2, rng=np.random.default_rng(0)), np.ones((5, 4))
    ...     )
    ... ]
    [(5, 5), (5, 4)]
    """
    return [augmented(network.forward(x, upto=i)[0]) for i in range(0, len(network.layers), 2)]


def additions(
    network: Network, x: np.ndarray, pool: np.ndarray, wanted: Sequence[int]
) -> list[int]:
    """Which images of the pool (M, D) to add to x (N, D), so that the rows of layer 2, 3, ... have
    the ranks `wanted` and a condition number of at most CONDITION: one after the other the image
    that has most of the direction which is weakest so far.

    At most twice `wanted` a layer; where the pool does not help, fewer. Returns a list of indices.

    >>> from refimpl.network import one_hidden_net
    >>> net, rng = one_hidden_net(4, 3, 2, rng=np.random.default_rng(0)), np.random.default_rng(1)
    >>> len(additions(net, np.zeros((1, 4)), rng.normal(size=(50, 4)), [4])) >= 3
    True
    """
    chosen: list[int] = []
    for rows, more, m in zip(layer_inputs(network, x)[1:], layer_inputs(network, pool)[1:], wanted):
        rows = np.vstack([rows, more[chosen]])
        for _ in range(2 * m):
            basis, sigma = row_space(rows)
            if len(basis) >= m and sigma[m - 1] * CONDITION >= sigma[0]:
                break
            away = more - (more @ basis.T) @ basis if len(basis) < m else more @ basis[m - 1 : m].T
            share = np.linalg.norm(away, axis=1) / np.hypot(np.linalg.norm(more, axis=1), sigma[0])
            best = int(share.argmax())
            if best in chosen or share[best] < 1e-14:
                break
            chosen.append(best)
            rows = np.vstack([rows, more[best]])
    return chosen
