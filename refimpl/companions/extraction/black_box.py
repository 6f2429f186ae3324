"""Black box: a one-hidden-layer ReLU network from queries of its logits alone, z(x) (K,) in
float64.

Along a line x0 + t v the logits are piecewise linear in t, with a kink where a gate opens or shuts,
at t_j = -(w_j x0 + b_j) / (w_j v). The slope jumps there by |w_j v| w2_j, whichever way the gate
turns. So
1. a random line meets every gate w_j != 0 once, and its kinks give the number of units, a point of
   every gate boundary and every row w2_j up to a positive factor: some 12 queries a unit;
2. the gradient J(x) (D, K), D + 1 queries by differences that are exact on a linear piece, changes
   between two points of the line by the sum over the gates in between of d_j w_j w2_j', d_j = 1
   where the gate opens along v, -1 where it shuts. Up to K gates in between with independent w2_j:
   one linear system gives every d_j w_j. So ceil(h / K) + 1 gradients or a few more give the first
   layer up to signs, where one gradient pair a gate would take 2 h;
3. J at the first point is -sum over the gates that shut of d_j w_j w2_j': D K equations for the h
   unknown 0-1 numbers "shuts". They come out whole (if D K >= h), or the rest is an affine function
   of x: units that the line did not meet, or pairs w, -w with one boundary. It is kept as 2 rank
   extra units, relu(u x) - relu(-u x) = u x;
4. four queries on the normal through each boundary, near the origin, fix b_j (the line may have met
   it far out);
5. w2 and b2: least squares on all queries so far. Proof that this determines the function: it is
   affine but for its kinks; the jumps of the gradient across all of them and one gradient and value
   are all of it. General position is needed of the line alone (kinks apart, w_j v != 0), which a
   random one has with probability 1; how well, checks on fresh queries tell, and another line is
   taken where they fail.

Counting: (D + 1) h + (h + 1) K numbers less h scales, K numbers a query: for 784-30-10 at least
2,383 queries. Here about 5,000 (2^12.3) for teachers of MNIST. Published for ReLU networks from
float64 outputs: Milli et al. 2019 (FAT*, "Model reconstruction from model explanations"), one
hidden layer, from gradients, their number independent of D, each worth D + 1 queries; Jagielski et
al. 2020 (USENIX Security, "High accuracy and high fidelity extraction"), differences instead of
gradients, 2^18.2 queries for 784-32-1 [1]; Carlini, Jagielski and Mironov 2020 (CRYPTO,
"Cryptanalytic extraction"), 2^21.5 for 100,000 parameters on MNIST, 2^18.5 for 4,000 (abstract),
2^19.2 for 784-32-1 [1]; Rolnick and Kording 2020 (ICML), any depth, more queries [1]; Daniely and
Granot 2023 (ICLR): polynomial for one hidden layer in general position. Batina et al. 2019 (USENIX
Security) read weights from a side channel [1]. [1]: quoted from memory, not checked. Those counts
are for ONE output; here all K logits are seen, so a kink is told from another by w2_j and one
gradient serves up to K gates. With K = 1 step 2 takes h + 1 gradients, about 27,000 queries
(2^14.7) a line for 784-30-1; what is left of the advantage is that one line meets all gates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refimpl.companions.extraction.line_kinks import cross, kinks, measure, reach
from refimpl.layers import Affine, ReLU
from refimpl.network import Network
from refimpl.theory import EPS

LEAST = 0.05  # singular value of unit vectors that count as independent
CHECKS = 16  # fresh queries a scale


@dataclass(frozen=True, eq=False)
class Recovered:
    """network: what came out. queries: how many were asked, checks included. gates: found. affine:
    rank of the affine rest, carried by 2 affine extra units (0: every unit was met and told apart).
    error: largest difference on the fresh queries of the check, over the largest logit there.
    exact: error below the asked one. lines: tried. reason.

    >>> from refimpl.theory import network_of
    >>> found = recover(
    ...     network_of(np.array([[2.0], [1.0], [5.0]])).logits, 2, rng=np.random.default_rng(0)
    ... )
    >>> (
    ...     found.gates,
    ...     found.affine,
    ...     found.exact,
    ...     found.network.logits(np.array([[1.0, 1.0]])).round(6).tolist(),
    ... )
    (0, 1, True, [[8.0]])
    """

    network: Network
    queries: int
    gates: int
    affine: int
    error: float
    exact: bool
    lines: int
    reason: str


class _Oracle:
    """query with a memory: all inputs and answers. Raises ValueError on an answer that is not
    finite logits (N, K).
    """

    def __init__(self, query: Callable):
        self.query = query
        self.x: list[np.ndarray] = []
        self.z: list[np.ndarray] = []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if not len(x):
            return np.zeros((0, *self.z[0].shape[1:]))
        z = np.asarray(self.query(x), np.float64)
        if z.ndim != 2 or len(z) != len(x) or z.size == 0 or not np.isfinite(z).all():
            raise ValueError(
                f"query: expected finite logits (N, K) for N = {len(x)} images, got shape {z.shape}"
            )
        self.x.append(x)
        self.z.append(z)
        return z

    @property
    def asked(self) -> int:
        """How many images so far."""
        return sum(map(len, self.x))

    def noise(self, x: np.ndarray) -> float:
        """Round-off of the logits at x (D,): 64 eps steep (1 + |x|), steep the largest |z| / (1 +
        |x|) seen so far.
        """
        steep = max(
            (np.abs(z).max(axis=1) / (1 + np.linalg.norm(x, axis=1))).max()
            for x, z in zip(self.x, self.z)
        )
        return 64 * EPS * steep * (1 + np.linalg.norm(x))


def gradient(
    ask: Callable, x: np.ndarray, step: float, rng: np.random.Generator, noise: float = 0.0
) -> np.ndarray:
    """J (D, K) at x by forward differences, exact if no gate turns within `step` along an axis.

    The axes are checked in blocks of sqrt D, by one random direction each; those of a block that
    fails are asked again with an eighth of the step, down to 1e-9. D + sqrt D + 1 queries and 2
    sqrt D for each block that fails. noise: what the logits may be off by round-off, at least;
    where they nearly cancel it is more than their own size tells.

    >>> from refimpl.theory import network_of
    >>> j = gradient(
    ...     network_of(np.array([[2.0, 0.0], [1.0, 3.0], [5.0, 5.0]])).logits,
    ...     np.ones(2),
    ...     0.5,
    ...     np.random.default_rng(0),
    ... )
    >>> j.round(6).tolist()
    [[2.0, 0.0], [1.0, 3.0]]
    """
    blocks, here = np.array_split(np.arange(len(x)), np.ceil(np.sqrt(len(x)))), ask(x[None])
    j = np.empty((len(x), here.shape[1]))
    while blocks:
        axes, signs = np.concatenate(blocks), rng.choice([-1.0, 1.0], size=len(x)) * step / 64
        checks = np.zeros((len(blocks), len(x)))
        for row, block in zip(checks, blocks):
            row[block] = signs[block]
        z = ask(x + np.vstack([step * np.eye(len(x))[axes], checks]))
        j[axes] = (z[: len(axes)] - here) / step
        off = np.stack([row[block] @ j[block] for row, block in zip(checks, blocks)]) - (
            z[len(axes) :] - here
        )
        bad = np.abs(off).max(axis=1) > max(noise, 64 * EPS * np.abs(z).max())
        blocks, step = [block for block, again in zip(blocks, bad) if again], step / 8
        if step <= 1e-9:
            break
    return j


def cuts(directions: np.ndarray, gaps: np.ndarray) -> list[int]:
    """Cut h kinks into runs whose unit vectors w2_j (h, K) are independent, smallest singular value
    at least LEAST: long runs, but for the widest gap (h + 1,) among the last three places. Returns
    the ends 0, ..., h.

    >>> cuts(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), np.array([1.0, 1.0, 2.0, 1.0]))
    [0, 2, 3]
    """
    ends, h = [0], len(directions)
    while ends[-1] < h:
        i, j = ends[-1], ends[-1] + 1
        last = min(h, i + directions.shape[1])
        while j < last and np.linalg.svd(directions[i : j + 1], compute_uv=False)[-1] >= LEAST:
            j += 1
        ends.append(h if j == h else max(range(max(i + 1, j - 2), j + 1), key=lambda k: gaps[k]))
    return ends


def _touch(
    ask: Callable, w: np.ndarray, b: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """From four queries on the normal of each gate: (a point of its boundary (h, D), |w_j| w2_j (h,
    K)).

    The point of the boundary is the one nearest to the origin or, where another gate passes close
    to it, the best of 20 others; "close" is known from the rough w (D, h) and b.
    """
    norm = np.maximum(np.linalg.norm(w, axis=0), 1e-300)
    normal, nearest, room = w / norm, [], []
    for j in range(w.shape[1]):
        p = np.vstack([np.zeros(len(w)), rng.normal(size=(20, len(w)))])
        p -= np.outer((p @ w[:, j] + b[j]) / norm[j], normal[:, j])  # onto the boundary
        speed = np.abs(np.delete(w, j, axis=1).T @ normal[:, j]) + 1e-9
        free = np.abs(np.delete(p @ w + b, j, axis=1) / speed).min(axis=1, initial=4.0)
        best = np.argmax(free / (1 + np.linalg.norm(p, axis=1)))
        nearest.append(p[best])
        room.append(max(free[best] / 2, 1e-12))
    places, widths = np.array(nearest), np.array(room)
    at = [-1.0, -0.25, 0.25, 1.0]
    z = ask(np.concatenate([places + s * widths[:, None] * normal.T for s in at])).reshape(
        4, len(norm), -1
    )
    s, jump = np.empty(len(norm)), np.empty(z.shape[1:])
    for j in range(len(norm)):
        t = widths[j] * np.array(at)
        (s[j],), (jump[j],) = cross(t[[0, 2]], z[[0, 2], j], t[[1, 3]], z[[1, 3], j])
    return places + s[:, None] * normal.T, jump


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows (N, D) divided by their norms; a row of zeros stays."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)


def _boundary_bias(points: np.ndarray, w: np.ndarray) -> np.ndarray:
    """b_j = -w_j p_j of a point p_j of each boundary: (h, D), (D, h) -> (h,)."""
    return -np.einsum("jd,dj->j", points, w)


def _first_layer(
    jacobians: list[np.ndarray], directions: np.ndarray, ends: list[int]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Steps 2 and 3: (w (D, h), the affine rest (D, K), the largest norm of a gradient).

    jacobians: one (D, K) at each of the ends (cuts), directions: the unit vectors w2_j (h, K).
    """
    inputs, h = len(jacobians[0]), len(directions)
    turned = np.zeros((inputs, h))  # d_j w_j
    for i, j, before, after in zip(ends, ends[1:], jacobians, jacobians[1:]):
        turned[:, i:j] = np.linalg.lstsq(directions[i:j].T, (after - before).T, rcond=None)[0].T
    parts = (turned[:, None, :] * directions.T).reshape(
        jacobians[0].size, h
    )  # column j: d_j w_j w2_j'
    shuts = np.linalg.lstsq(parts, -jacobians[0].ravel(), rcond=None)[0] > 0.5
    rest = jacobians[0] + (parts @ shuts).reshape(jacobians[0].shape)
    return (
        np.where(shuts, -turned, turned),
        rest,
        max(float(np.linalg.norm(j, 2)) for j in jacobians),
    )


def _from_line(
    ask: _Oracle, inputs: int, rng: np.random.Generator
) -> tuple[Network, int, int, int]:
    """Steps 1 to 5 on one random line: (network, gates, rank of the affine rest, kinks too close to
    tell apart).
    """
    x0, v = rng.normal(size=inputs), rng.choice([-1.0, 1.0], size=inputs)

    def f(t):
        return ask(x0 + np.asarray(t)[:, None] * v)

    low, high = reach(f)
    t, close = kinks(f, low, high)
    jump = np.zeros((0, ask.z[0].shape[1]))
    if len(t):
        t, jump = measure(f, t, low, high)
    if len(t):
        bounds = np.concatenate([[t[0] - 2 - abs(t[0])], t, [t[-1] + 2 + abs(t[-1])]])
        ends = cuts(_unit(jump), np.diff(bounds))
        places = [x0 + (bounds[i] + bounds[i + 1]) / 2 * v for i in ends]
        jacobians = [
            gradient(ask, p, (bounds[i + 1] - bounds[i]) / 4, rng, ask.noise(p))
            for i, p in zip(ends, places)
        ]
    else:
        ends, jacobians = [0], [gradient(ask, x0, 0.1, rng)]
    w, rest, top = _first_layer(jacobians, _unit(jump), ends)
    b = _boundary_bias(x0 + t[:, None] * v, w)
    if len(t):
        points, jump = _touch(ask, w, b, rng)
        w, rest, top = _first_layer(jacobians, _unit(jump), ends)
        b = _boundary_bias(points, w)
    u, sigma, _ = np.linalg.svd(rest, full_matrices=False)
    rank = int((sigma > 1e-7 * top).sum())
    extra = u[:, :rank] * sigma[:rank]
    first = Affine(np.hstack([w, extra, -extra]), np.append(b, np.zeros(2 * rank)))
    x, z = np.vstack(ask.x), np.vstack(ask.z)
    weights = 1 / (
        1 + np.linalg.norm(x, axis=1, keepdims=True)
    )  # far out the logits are as inexact as they are large
    hidden = np.hstack([ReLU().forward(first.forward(x)[0])[0], np.ones((len(x), 1))])
    last = np.linalg.lstsq(weights * hidden, weights * z, rcond=None)[0]
    return Network((first, ReLU(), Affine(last[:-1], last[-1]))), len(t), rank, close


def recover(
    query: Callable, inputs: int, *, rng: np.random.Generator, tol: float = 3e-10, lines: int = 3
) -> Recovered:
    """A network equal to the one behind query(x (N, D)) -> logits (N, K), one hidden ReLU layer of
    any width.

    inputs: D. rng chooses lines and checks. tol: the largest relative difference on CHECKS fresh
    random queries of each scale .1, 1 and 10 that is called exact; where it is larger, or kinks lay
    too close together, another line is taken, up to `lines`. Returns the best as a Recovered, with
    what could not be found as its reason. Raises ValueError on a query that does not give finite
    logits and on inputs or lines below 1.

    >>> from refimpl.network import one_hidden_net
    >>> rng = np.random.default_rng(0)
    >>> teacher = one_hidden_net(5, 4, 3, rng=rng)
    >>> found = recover(teacher.logits, 5, rng=rng)
    >>> found.gates, found.affine, found.exact
    (4, 0, True)
    """
    if not (inputs >= 1 and lines >= 1):
        raise ValueError(f"inputs, lines: expected at least 1, got {inputs!r} and {lines!r}")
    asked = 0
    found: list[tuple[float, Network, int, int, int]] = []
    while len(found) < lines:
        ask = _Oracle(query)
        network, gates, rank, close = _from_line(ask, inputs, rng)
        error = 0.0
        for scale in (0.1, 1.0, 10.0):
            x = scale * rng.normal(size=(CHECKS, inputs))
            z = ask(x)
            error = max(
                error, float(np.abs(network.logits(x) - z).max() / max(np.abs(z).max(), 1e-300))
            )
        asked += ask.asked
        found.append((error, network, gates, rank, close))
        if error <= tol and not close:
            break
    error, network, gates, rank, close = min(found, key=lambda line: line[0])
    reason = "; ".join(
        filter(
            None,
            [
                f"{close} kinks too close together to be told apart" if close else "",
                f"an affine rest of rank {rank}: units that no line met, or opposite ones with "
                f"one boundary"
                if rank
                else "",
                f"fresh queries differ by {error:.1e}, relative" if error > tol else "",
            ],
        )
    )
    return Recovered(
        network, asked, gates, rank, error, error <= tol, len(found), reason or "every gate found"
    )
