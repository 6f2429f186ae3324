"""A second problem behind the same seam, relax, score, ascend, decode: the largest cut of a graph.

Split the vertices in two so that as many edges as possible run between the parts. Signs s_i = +-1
say the part, A (n, n) the edges; the cut holds sum over edges of (1 - s_i s_j) / 2.

    relax    Z (T, n) -> s = tanh Z
    score    learned: log sigmoid of sum_i f(s_i, h_i) / n, h_i = sum_j A_ij s_j / d_i, f a network
             of one hidden layer, d_i the number of neighbours; or the cut itself, in closed form
    ascend   refimpl.optimize.ascend, the one loop of all visualizations
    decode   the sign of s, then single vertices change sides as long as that cuts more edges

The learned score is trained as the thesis has it: solutions, good and bad, of graphs drawn here.
tabu (Glover 1989) and, for small graphs, the exact answer stand beside it.
"""

from collections.abc import Callable

import numpy as np

from refimpl.companions.packing.thesis.scorer import log_sigmoid
from refimpl.descent import minimize
from refimpl.network import Network, one_hidden_net
from refimpl.optimize import adam, ascend

STEPS, LR_CUT, LR_NET, NOISE = 20, 0.3, 200.0, 0.1  # chosen on development graphs, seeds below 100
HIDDEN = 16

Score = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def draw(n: int, rng: np.random.Generator, degree: float = 8.0) -> np.ndarray:
    """A random graph, every edge with the same probability: A (n, n) float64, 0 or 1, symmetric.

    >>> a = draw(6, np.random.default_rng(0), degree=3)
    >>> bool((a == a.T).all()), a.diagonal().tolist()
    (True, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """
    upper = np.triu(rng.random((n, n)) < degree / (n - 1), 1)
    return (upper | upper.T).astype(np.float64)


def cuts(a: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The edges between the parts, of signs or anything between, s (T, n): (T,).

    >>> cuts(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, -1.0], [1.0, 1.0]])).tolist()
    [1.0, 0.0]
    """
    return (a.sum() - ((s @ a) * s).sum(axis=1)) / 4


def relax(z: np.ndarray) -> np.ndarray:
    """Z (T, n) -> s = tanh Z in (-1, 1).

    >>> relax(np.zeros((1, 2))).tolist()
    [[0.0, 0.0]]
    """
    return np.tanh(z)


def score_cut(a: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The closed form: the relaxed cut (T,), and its gradient -s A / 2 (T, n).

    >>> [v.tolist() for v in score_cut(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, -1.0]]))]
    [[1.0], [[0.5, -0.5]]]
    """
    return cuts(a, s), -(s @ a) / 2


def score_network(network: Network) -> Score:
    """The learned score as a function of (A, s): (values (T,), ds (T, n)).

    >>> score = score_network(one_hidden_net(2, 3, 1, rng=np.random.default_rng(0)))
    >>> [v.shape for v in score(np.ones((4, 4)) - np.eye(4), np.ones((2, 4)))]
    [(2,), (2, 4)]
    """

    def score(a: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        T, n = s.shape
        mean = a / np.maximum(a.sum(axis=0), 1)  # (n, n), column i over the neighbours of i
        x = np.stack([s, s @ mean], axis=2).reshape(T * n, 2)
        y, caches = network.forward(x)
        values, slope = log_sigmoid(y.reshape(T, n).mean(axis=1))
        dx = network.backward(np.repeat(slope / n, n)[:, None], caches)[0].reshape(T, n, 2)
        return values, dx[:, :, 0] + dx[:, :, 1] @ mean.T

    return score


def visualize(score: Score, a: np.ndarray, z: np.ndarray, *, steps: int, lr: float) -> np.ndarray:
    """Z (T, n) after `steps` of ascent of score(relax(Z)), by the one loop of all visualizations.

    Raises ValueError as optimize.ascend.

    >>> a = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> np.sign(visualize(score_cut, a, np.array([[0.2, 0.1]]), steps=50, lr=1.0)).tolist()
    [[1.0, -1.0]]
    """

    def objective(z, step):
        s = relax(z)
        values, ds = score(a, s)
        return values, ds * (1 - s**2)

    return ascend(objective, z, steps=steps, lr=lr)[0] if steps else z


def decode(a: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Signs (T, n) of Z, and single changes of side, the best one first, until none cuts more.

    >>> a = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    >>> decode(a, np.array([[0.5, 0.5, 0.5]])).tolist()
    [[-1.0, 1.0, 1.0]]
    """
    s = np.where(z >= 0, 1.0, -1.0)
    gain = (s @ a) * s  # (T, n): how many edges more are cut if the vertex changes sides
    live = np.arange(len(s))
    while len(live):
        best = gain[live].argmax(axis=1)
        live, best = live[gain[live, best] > 0], best[gain[live, best] > 0]
        gain[live] -= 2 * a[best] * s[live] * s[live, best][:, None]
        gain[live, best] *= -1
        s[live, best] *= -1
    return s


def exact(a: np.ndarray) -> int:
    """The largest cut, by trying all 2^(n - 1) splits. Raises ValueError beyond 20 vertices.

    >>> exact(np.ones((4, 4)) - np.eye(4))
    4
    """
    n = len(a)
    if n > 20:
        raise ValueError(f"a: expected at most 20 vertices, got {n}")
    splits = np.arange(2 ** max(0, n - 1))
    return int(
        max(
            cuts(a, 1.0 - 2 * (some[:, None] >> np.arange(n) & 1)).max()
            for some in np.array_split(splits, -(-len(splits) // 4096))
        )
    )


def tabu(a: np.ndarray, s: np.ndarray, rng: np.random.Generator, *, steps: int) -> np.ndarray:
    """The best signs (n,) of `steps` single changes of side from signs s (n,): always the best one
    that is not forbidden, and forbidden for some ten steps then, unless it leads to a new best.

    >>> a = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> tabu(a, np.ones(2), np.random.default_rng(0), steps=3).tolist()
    [-1.0, 1.0]
    """
    s = s.copy()
    gain = (s @ a) * s
    until = np.zeros(len(s))
    now = reached = 0.0
    best = s.copy()
    for step in range(steps):
        free = (until <= step) | (now + gain > reached)
        i = int(np.where(free, gain, -np.inf).argmax())
        now += gain[i]
        gain -= 2 * a[i] * s * s[i]
        gain[i] *= -1
        s[i] *= -1
        until[i] = step + len(s) / 20 + rng.integers(5, 10)
        if now > reached:
            reached, best = now, s.copy()
    return best


def train(
    rng: np.random.Generator, *, graphs: int = 60, steps: int = 600, lr: float = 0.01
) -> Network:
    """A network f (2 -> HIDDEN -> 1) that knows good cuts from bad ones, by full-batch Adam.

    Each graph of 40 to 100 vertices gives eight solutions, decoded ones with some of their vertices
    on the other side, decided or near the blank; good is what lies above the graph's median.

    >>> [p.shape for p in train(np.random.default_rng(0), graphs=2, steps=2).parameters]
    [(2, 16), (16,), (16, 1), (1,)]
    """
    rows: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    owner: list[np.ndarray] = []
    label: list[float] = []
    for _ in range(graphs):
        n = int(rng.integers(40, 101))
        a = draw(n, rng)
        good = decode(a, rng.standard_normal((8, n)))
        flipped = rng.random((8, n)) < np.linspace(0, 0.5, 8)[:, None]
        size = 10 ** rng.uniform(-1.5, 0, (8, 1))  # from near the blank to decided
        s = np.where(flipped, -good, good) * size * rng.uniform(0.5, 1, (8, n))
        value = cuts(a, np.sign(s))
        h = s @ (a / np.maximum(a.sum(axis=0), 1))
        for t in range(8):
            owner.append(np.full(n, len(label)))
            weights.append(np.full(n, 1 / n))
            rows.append(np.column_stack([s[t], h[t]]))
            label.append(1.0 if value[t] > np.median(value) else -1.0)
    x, own = np.concatenate(rows), np.concatenate(owner)
    weight, sign = np.concatenate(weights), np.array(label)
    network = one_hidden_net(2, HIDDEN, 1, rng=rng)

    def gradient(parameters, step):
        here = network.with_parameters(parameters)
        y, caches = here.forward(x)
        logit = np.bincount(own, weight * y[:, 0], len(sign))
        value, slope = log_sigmoid(sign * logit)
        slope = -sign * slope / len(sign)
        made = here.parameter_gradients((slope[own] * weight)[:, None], caches)
        return -value.mean(), [g for layer in made for g in layer]

    def falling(step):
        return lr * (1 - step / steps)

    found, _, _ = minimize(gradient, network.parameters, steps=steps, lr=falling, update=adam)
    return network.with_parameters(found)
