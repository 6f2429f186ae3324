"""A second problem behind the same seam, relax, score, ascend, decode: 0/1 knapsack, and its exact
answer.

Items (n, 2) = (value, weight), whole numbers > 0. A network sees two sums, value over its bound and
weight over the capacity: is it good (fits, .9 of the bound)? Its gradient moves items by c value -
d weight, the Lagrangian relaxation.
"""

import numpy as np

from refimpl.companions.packing.thesis.scorer import log_sigmoid
from refimpl.network import Network, one_hidden_net
from refimpl.optimize import ascend, sgd


def exact(items: np.ndarray, capacity: int) -> int:
    """The largest value of items (n, 2), by dynamic programming over the capacity (Bellman 1957).

    >>> exact(np.array([[6, 4], [5, 3], [5, 3]]), 6)
    10
    """
    best = np.zeros(capacity + 1, np.int64)
    for value, weight in items[items[:, 1] <= capacity].tolist():
        best[weight:] = np.maximum(best[weight:], best[: capacity + 1 - weight] + value)
    return int(best[-1])


def scaled(items: np.ndarray, capacity: int) -> np.ndarray:
    """Values over Dantzig's (1957) bound, which lets the last item be cut, weights over the
    capacity: (n, 2) -> (n, 2).

    >>> scaled(np.array([[6, 4], [5, 3], [5, 3]]), 6).round(2).tolist()
    [[0.6, 0.67], [0.5, 0.5], [0.5, 0.5]]
    """
    value, weight = items[np.argsort(-items[:, 0] / items[:, 1])].T
    room = np.clip((capacity - (np.cumsum(weight) - weight)) / weight, 0, 1)
    return items / np.array([value @ room, capacity])


def relax(z: np.ndarray) -> np.ndarray:
    """Shares A = sigmoid(Z), how much of each item is taken; z (T, n).

    >>> relax(np.zeros((1, 2))).tolist()
    [[0.5, 0.5]]
    """
    return 1 / (1 + np.exp(-z))


def score(network: Network, sizes: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log sigmoid(logit) of "good" of shares a (T, n): (values (T,), da (T, n)). sizes (n, 2):
    scaled items.

    >>> network = one_hidden_net(2, 4, 1, rng=np.random.default_rng(0))
    >>> [v.shape for v in score(network, np.ones((3, 2)), np.full((4, 3), 0.5))]
    [(4,), (4, 3)]
    """
    logit, caches = network.forward(a @ sizes)
    values, slope = log_sigmoid(logit)
    return values[:, 0], network.backward(slope, caches)[0] @ sizes.T


def visualize(
    network: Network, sizes: np.ndarray, z: np.ndarray, *, steps: int = 30, lr: float = 1.0
) -> np.ndarray:
    """The ascent of score(relax(Z)) from z (T, n), by the one loop of all visualizations: Z (T, n).

    sizes (n, 2): scaled items. Raises ValueError as `optimize.ascend`, on steps < 0 or lr <= 0.

    >>> network = one_hidden_net(2, 4, 1, rng=np.random.default_rng(0))
    >>> visualize(network, np.ones((3, 2)), np.zeros((4, 3)), steps=2).shape
    (4, 3)
    """

    def objective(z, step):
        values, da = score(network, sizes, relax(z))
        return values, da * relax(z) * relax(-z)

    return ascend(objective, z, steps=steps, lr=lr)[0]


def decode(items: np.ndarray, capacity: int, a: np.ndarray) -> np.ndarray:
    """Take items, the largest share first, while they fit: always feasible. items (n, 2), a (n,) ->
    taken (n,) bool.

    >>> decode(np.array([[6, 4], [5, 3], [5, 3]]), 6, np.array([0.1, 0.9, 0.8])).tolist()
    [False, True, True]
    """
    taken = np.zeros(len(items), bool)
    for i in np.argsort(-a, kind="stable"):
        taken[i] = items[i, 1] <= capacity - items[taken, 1].sum()
    return taken


def draw(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Items (30, 2), values and weights uniform on 1..100, and a capacity of a quarter to three
    quarters of all weight.

    >>> items, capacity = draw(np.random.default_rng(0))
    >>> items.shape, bool(0.2 < capacity / items[:, 1].sum() < 0.8)
    ((30, 2), True)
    """
    items = rng.integers(1, 101, (30, 2))
    return items, int(rng.uniform(0.25, 0.75) * items[:, 1].sum())


def train(
    rng: np.random.Generator, *, candidates: int = 4_000, steps: int = 2_000, lr: float = 1.0
) -> Network:
    """The network, trained by gradient descent on candidates, good and bad, of instances made here.

    >>> [p.shape for p in train(np.random.default_rng(0), candidates=10, steps=2).parameters]
    [(2, 16), (16,), (16, 1), (1,)]
    """
    sums = np.empty((candidates, 2))
    for row in sums:
        sizes = scaled(*draw(rng))
        order = np.argsort(rng.normal(0, rng.uniform(0, 2), 30) - np.log(sizes[:, 0] / sizes[:, 1]))
        row[:] = sizes[order[: rng.integers(1, 31)]].sum(axis=0)
    sign, network = (
        np.where((sums[:, :1] >= 0.9) & (sums[:, 1:] <= 1), 1, -1),
        one_hidden_net(2, 16, 1, rng=rng),
    )
    for _ in range(steps):
        logit, caches = network.forward(sums)
        gradients = sum(
            network.parameter_gradients(-sign * log_sigmoid(sign * logit)[1] / candidates, caches),
            (),
        )
        network = network.with_parameters(
            [sgd(p, g, None, lr=lr)[0] for p, g in zip(network.parameters, gradients)]
        )
    return network
