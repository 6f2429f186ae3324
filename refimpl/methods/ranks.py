"""Ranks of what a network's layers see on some images, and which images to add to raise them."""

import numpy as np

from refimpl.theory import EPS, augmented


def kept_span(rows):
    """(singular values (M,), right singular vectors (M, n), rank): zero is below max(shape) eps times the largest.

    >>> s, v, rank = kept_span(np.array([[3.0, 0.0], [6.0, 0.0]]))
    >>> s.round(6).tolist(), v.shape, int(rank)
    ([6.708204, 0.0], (2, 2), 1)
    """
    _, sigma, v = np.linalg.svd(rows, full_matrices=False)
    return sigma, v, int((sigma > max(rows.shape) * EPS * sigma.max(initial=0)).sum())


def rank_and_condition(rows):
    """(rank, condition number of the part that counts).

    >>> rank_and_condition(np.diag([4.0, 2.0, 0.0]))
    (2, 2.0)
    """
    sigma, _, rank = kept_span(rows)
    return rank, float(sigma[0] / sigma[rank - 1]) if rank else 1.0


def missing(rows, theta):
    """|(I - P) theta| / |theta|, P on the span of the rows: what least squares of least norm does not get of theta.

    >>> float(missing(np.array([[1.0, 0.0]]), np.array([[3.0], [4.0]])))
    0.8
    """
    _, v, rank = kept_span(rows)
    return np.linalg.norm(theta - v[:rank].T @ (v[:rank] @ theta)) / max(np.linalg.norm(theta), 1e-300)


def layer_inputs(network, x):
    """What every Affine layer sees, with its column of ones: a list of (N, in + 1).

    >>> from refimpl.network import one_hidden_net
    >>> [v.shape for v in layer_inputs(one_hidden_net(4, 3, 2, rng=np.random.default_rng(0)), np.ones((5, 4)))]
    [(5, 5), (5, 4)]
    """
    return [augmented(network.forward(x, upto=i)[0]) for i in range(0, len(network.layers), 2)]


def additions(network, x, pool, wanted, condition=1e6):
    """Which images of the pool to add to x, so that the rows of layer 2, 3, ... have the ranks `wanted` and no worse a
    condition number: one after the other the image that has most of the direction which is weakest so far.

    At most twice `wanted` a layer; where the pool does not help, fewer. Returns a list of indices.

    >>> from refimpl.network import one_hidden_net
    >>> net, rng = one_hidden_net(4, 3, 2, rng=np.random.default_rng(0)), np.random.default_rng(1)
    >>> len(additions(net, np.zeros((1, 4)), rng.normal(size=(50, 4)), [4])) >= 3
    True
    """
    chosen = []
    for rows, more, m in zip(layer_inputs(network, x)[1:], layer_inputs(network, pool)[1:], wanted):
        rows = np.vstack([rows, more[chosen]])
        for _ in range(2 * m):
            sigma, v, rank = kept_span(rows)
            if rank >= m and sigma[m - 1] * condition >= sigma[0]:
                break
            away = more - (more @ v[:rank].T) @ v[:rank] if rank < m else more @ v[m - 1 : m].T
            share = np.linalg.norm(away, axis=1) / np.hypot(np.linalg.norm(more, axis=1), sigma[0])
            best = int(share.argmax())
            if best in chosen or share[best] < 1e-14:
                break
            chosen.append(best)
            rows = np.vstack([rows, more[best]])
    return chosen
