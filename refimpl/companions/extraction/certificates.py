"""What a student of extracted images must recover, known before any training: ranks, conditions, a
bound.

The regimes and the proofs: `refimpl.companions.extraction.extraction`. Linear networks have theirs
in `refimpl.exact_recovery`. Bounds are to first order, from norms, with right-hand sides exact to
64 eps; then the student is made, as anyone who has the images would make it, and asked at inputs of
many sizes, and what it is off by is added.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refimpl.companions.extraction.filter_solvers import bias_rows, problem, saturation, slope_rows
from refimpl.companions.extraction.ranks import layer_inputs, missing, rank_and_condition
from refimpl.companions.extraction.recovery import FITS, from_filters, from_hints
from refimpl.companions.extraction.units import Units, survey
from refimpl.layers import ReLU
from refimpl.network import Network
from refimpl.theory import EPS, augmented, row_space

NOISE = 64 * float(EPS)
System = tuple[
    bool, tuple[int, ...], tuple[int, ...], tuple[float, ...], float
]  # sure, the last four of a Certificate


@dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """exact: "parameters" (equal to the teacher's; with filters up to a positive factor a ReLU
    unit), "function" (the same logits at every input, though units were merged or are not told
    apart), "local" (with filters: the teacher is isolated among the students that fit; one that
    fits and started near enough equals it), "no", or "unproven" (scratch and black_box: nothing is
    known beforehand). reason: why. remarks: units that cannot be told apart or do not matter.
    ranks, wanted, conditions: of each linear system. bound: what round-off may do to the logits at
    any x whose norm is at most `largest_input(network)`, relative to `magnitude(network, x)`;
    infinite for "no" and "unproven". Farther out an error of the last digit in a weight that is
    zero or very small outgrows what the network itself says there.

    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(8, 3, 2, rng=np.random.default_rng(0))
    >>> found = hints(net, np.random.default_rng(1).normal(size=(30, 8)))
    >>> found.exact, found.ranks == found.wanted
    ('parameters', True)
    """

    exact: str
    reason: str
    remarks: tuple[str, ...]
    ranks: tuple[int, ...]
    wanted: tuple[int, ...]
    conditions: tuple[float, ...]
    bound: float

    def __repr__(self) -> str:
        """Certificate(parameters: ranks 785 of 785, 31 of 31, bound 2e-13)."""
        ranks = ", ".join(f"{r} of {w}" for r, w in zip(self.ranks, self.wanted))
        return (
            f"Certificate({self.exact}: "
            + (f"ranks {ranks}, " if ranks else "")
            + f"bound {self.bound:.0e})"
        )


def unproven(reason: str) -> Certificate:
    """The certificate of a regime that proves nothing beforehand; the reason says what is known.

    >>> unproven("200 images")
    Certificate(unproven: bound inf)
    """
    return Certificate("unproven", reason, (), (), (), (), float("inf"))


def magnitude(network: Network, x: np.ndarray) -> np.ndarray:
    """What the logits at x (N, D) could be at most, (N,): sum_j s_j |w2_j| + |b2|, with
    s_j = 1 + |w1_j| |x| + |b1_j| the size of hidden unit j.

    A unit that its bias decides at every input of this norm counts as s_j = 1, so that one large
    bias does not inflate the whole: a ReLU that a negative bias shuts (b1_j < -2 |w1_j| |x|), a
    sigmoid or tanh that is saturated (|b1_j| > 2 |w1_j| |x| + 80). Deeper layers alike, from the
    sizes of the units below.

    >>> from refimpl.theory import network_of
    >>> magnitude(network_of(np.array([[3.0], [4.0]])), np.array([[2.0]])).tolist()
    [10.0]
    """
    affine = network.layers[::2]
    reach = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(affine[0].w, axis=0)  # (N, h)
    if len(affine) == 1:
        return np.linalg.norm(x, axis=1) * np.linalg.norm(affine[0].w) + np.linalg.norm(affine[0].b)
    for layer, activation, after in zip(affine, network.layers[1::2], affine[1:]):
        size = np.abs(layer.b)
        if isinstance(activation, ReLU):
            decided = (layer.b < 0) & (size > 2 * reach)
        else:
            decided = size > 2 * reach + 80
        s = 1 + np.where(decided, 0, reach + size)  # (N, h)
        reach = s @ np.abs(after.w)
    return s @ np.linalg.norm(affine[-1].w, axis=1) + np.linalg.norm(affine[-1].b)


def largest_input(network: Network) -> float:
    """The norm of inputs up to which a certificate's bound is meant: 1e5 times the median over the
    units of (1 + |b1_j|) / |w1_j|, where a unit's boundary or visualization lies.

    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(8, 3, 2, rng=np.random.default_rng(0))
    >>> round(largest_input(net) * float(np.median(np.linalg.norm(net.parameters[0], axis=0))))
    100000
    """
    first = network.layers[0]
    norm = np.linalg.norm(first.w, axis=0)
    live = norm > 0
    if not live.any():
        return 1e5
    return 1e5 * float(np.median((1 + np.abs(first.b[live])) / norm[live]))


def _probes(network):
    """Inputs at which a student is asked: of a norm in every decade from a hundredth of the nearest
    unit's boundary or visualization up to `largest_input`, in random directions, and beside every
    boundary. Fixed: (N, D).
    """
    first, rng = network.layers[0], np.random.default_rng(0)
    norm = np.linalg.norm(first.w, axis=0)
    live = norm > 0
    w, b, norm = first.w[:, live], first.b[live], norm[live]
    top = largest_input(network)
    low = min(top, 1e-2 * float(np.min((1 + np.abs(b)) / norm, initial=1e7)))
    sizes = np.geomspace(low, top, 1 + math.ceil(math.log10(top / low)))
    x = rng.normal(size=(24 * len(sizes), len(first.w)))
    x *= (np.repeat(sizes, 24) / np.linalg.norm(x, axis=1))[:, None]
    if not live.any():
        return x
    unit = w / norm
    p = rng.normal(size=(4, len(norm), len(first.w))) * np.abs(b / norm)[:, None]
    foot = p + ((0.1 - b - (p * w.T).sum(axis=2)) / norm)[:, :, None] * unit.T
    return np.vstack([np.zeros((1, len(first.w))), x, foot.reshape(-1, len(first.w))])


def _asked(found: Certificate, network: Network, student: Network | None) -> Certificate:
    """The certificate after the student itself, which is made of the images by fixed rules, was
    asked: bound is eight times its largest error on the probes plus the first-order bound (alone
    where there is no student that fits). One of 1 or more, or a number that is none, is a "no".
    """
    bound = found.bound
    if student is not None:
        x = _probes(network)
        with np.errstate(all="ignore"):
            off = np.abs(student.logits(x) - network.logits(x)).max(axis=1)
            bound += 8 * float((off / magnitude(network, x)).max())
    if bound < 1:
        return replace(found, bound=bound)
    worst = max(found.conditions, default=np.inf)
    reason = f"conditions up to {worst:.1e} let round-off change the student's logits altogether"
    return replace(found, exact="no", reason=reason, bound=np.inf)


def surveys(network: Network) -> list[Units]:
    """The Units of every hidden layer.

    >>> from refimpl.layers import Affine, ReLU
    >>> from refimpl.network import Network
    >>> w = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 0.0]])
    >>> surveys(Network((Affine(w, np.zeros(3)), ReLU(), Affine(np.ones((3, 2)), np.zeros(2)))))[
    ...     0
    ... ].families
    ((0, 1),)
    """
    affine = network.layers[::2]
    return [
        survey(a.w, a.b, after.w, act)
        for a, act, after in zip(affine, network.layers[1::2], affine[1:])
    ]


def _flattest(activation: Any, z: np.ndarray) -> float:
    """What inverting the activation does to round-off: the largest 1 / act'(z), sigmoid and tanh; 1
    for ReLU.
    """
    if isinstance(activation, ReLU):
        return 1.0
    return float(
        1
        / max(
            activation.backward(np.ones_like(z), activation.forward(z)[1])[0].min(initial=1), 1e-300
        )
    )


def hints(network: Network, x: np.ndarray) -> Certificate:
    """Regime hints. "parameters" if no layer misses anything of its (W; b); "function" if the rows
    of every later layer have the rank of all functions of its units.

    network: float64, any number of hidden layers. x (N, D): all the images that the student gets.

    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(8, 3, 2, rng=np.random.default_rng(0))
    >>> x = np.random.default_rng(1).normal(size=(30, 8))
    >>> hints(net, x).exact, hints(net, x[:5]).exact
    ('parameters', 'no')
    """
    units = surveys(network)
    inputs = layer_inputs(network, x)
    theta = [np.vstack([layer.w, layer.b]) for layer in network.layers[::2]]
    ranks, conditions = zip(*(rank_and_condition(rows) for rows in inputs))
    wanted = (ranks[0], *(u.dimension for u in units))
    lost = [missing(rows, t) > NOISE * c for rows, t, c in zip(inputs, theta, conditions)]
    short = [(r, m) for r, m in zip(ranks, wanted) if r < m]
    if lost[0]:
        exact, reason = "no", "the images do not span the first layer's weights"
    elif not any(lost):
        exact, reason = "parameters", "the images span the weights of every layer"
    elif not short:
        exact = "function"
        reason = "the rows of every layer have the rank of all functions of its units"
    else:
        exact = "no"
        reason = f"rows of rank {short[0][0]} where the units span {short[0][1]} functions"
        first = network.layers[0]
        shut = np.flatnonzero((first.forward(x)[0] <= 0).all(axis=0) & first.w.any(axis=0))
        if isinstance(network.layers[1], ReLU) and len(shut):
            reason += f"; units {shut.tolist()} are shut on all images"
    remarks = tuple(f"layer {n + 1}: {line}" for n, u in enumerate(units) for line in u.remarks())
    bound = np.inf if exact == "no" else NOISE * sum(conditions)
    found = Certificate(exact, reason, remarks, ranks, wanted, conditions, bound)
    if exact == "no":
        return found
    hidden = tuple(network.forward(x, upto=i)[0] for i in range(1, len(network.layers), 2))
    student = from_hints(x, network.logits(x), hidden, activation=network.layers[1])
    return _asked(found, network, student)


def _inverse_norm(rows: np.ndarray) -> float:
    """The norm of the pseudo-inverse: 1 over the smallest singular value that counts."""
    basis, sigma = row_space(rows)
    return float(1 / sigma[len(basis) - 1]) if len(basis) else 0.0


def _relative_bound(
    network: Network, w2_error: float, b1_error: float, w1_error: float, b2_error: float
) -> float:
    """Errors of the parameters (norms; W1's relative) as an error of the logits over magnitude."""
    w1, b1, w2, b2 = (float(np.linalg.norm(p)) for p in network.parameters)
    root = float(np.sqrt(len(network.parameters[1])))
    slope = w2_error * w1 + w2 * w1 * w1_error
    rest = w2_error * (b1 + root) + w2 * b1_error + b2_error
    return NOISE + max(slope / max(w2 * w1, 1e-300), rest / max(w2 * root, b2, 1e-300))


def _relu_open(network: Network, x: np.ndarray, f: np.ndarray, scale: np.ndarray) -> System:
    """What is known of `filter_solvers.relu_open`; scale = |w_j| / |f_j|, no two units of the
    network alike.
    """
    first, _, last = network.layers
    (h, k), g = last.w.shape, x @ f
    noise = NOISE * np.linalg.norm(network.logits(x))
    slopes, biases = slope_rows(g), bias_rows(g, last.w * scale[:, None])
    (r1, c1), (r2, c2) = rank_and_condition(slopes), rank_and_condition(biases)
    gates = bool(((g > 0) == (first.forward(x)[0] > 0)).all())
    sure = gates and missing(slopes, np.eye(2 * h + 1)[:, :h]) <= NOISE * c1 and r2 == h + k
    w2_error = np.linalg.norm(np.linalg.pinv(slopes, rcond=max(slopes.shape) * EPS)[:h], 2) * noise
    rest = _inverse_norm(biases) * float(noise + np.linalg.norm(np.maximum(g, 0), 2) * w2_error)
    bound = _relative_bound(network, w2_error / scale.min(), rest * scale.max(), 0, rest)
    return sure, (r1, r2), (r1, h + k), (c1, c2), bound


def _relu_lines(network: Network, x: np.ndarray, f: np.ndarray, scale: np.ndarray) -> System:
    """What is known of `filter_solvers.relu_lines`."""
    first, _, last = network.layers
    h, z1, z = len(last.w), first.forward(x)[0], network.logits(x)
    if len(x) < 5 * h + 1:
        return False, (), (), (), np.inf
    (units,), norm, sure, b_error = (
        surveys(network),
        [float(np.linalg.norm(w)) for w in first.w.T],
        True,
        0.0,
    )
    for j in range(h):
        family = next(group for group in units.families if j in group)
        four = slice(h + 1 + 4 * j, h + 5 + 4 * j)
        gates = z1[four] > 0
        others = np.delete(gates, family, axis=1)
        turn = float(np.linalg.norm(sum(norm[i] * last.w[i] for i in family) / norm[j]))
        noise = NOISE * float(np.linalg.norm(z[four]))
        sure = (
            sure
            and bool((others == others[0]).all())
            and gates[:, j].tolist() == [False, False, True, True]
        )
        sure = sure and turn * np.ptp(z1[four, j]) > 1e3 * noise
        b_error = max(b_error, 16 * noise / max(turn, 1e-300))
    rows = augmented(np.maximum(z1, 0))
    rank, condition = rank_and_condition(rows)
    w2_error = _inverse_norm(rows) * (
        NOISE * np.linalg.norm(z) + np.sqrt(z1.size) * b_error * np.linalg.norm(last.w)
    )
    bound = _relative_bound(network, w2_error, np.sqrt(h) * b_error, 0, w2_error)
    return sure and rank >= units.dimension, (rank,), (units.dimension,), (condition,), bound


def _smooth(network: Network, x: np.ndarray, f: np.ndarray, scale: np.ndarray) -> System:
    """What is known of `filter_solvers.smooth`."""
    first, activation, last = network.layers
    h, z1, g = len(last.w), first.forward(x)[0], x @ f
    plain, between, known = saturation(x, f, activation)
    used = plain | between.any(axis=1)
    if not plain.any() or (between.sum(axis=0) < 2).any():
        return False, (), (), (), np.inf
    off = np.abs(np.where(between, known, activation.forward(z1)[0]) - known)[used].max()
    rows, noise = augmented(known[plain]), NOISE * np.linalg.norm(network.logits(x[used]))
    r1, c1 = rank_and_condition(rows)
    groups = [last.w[between[n]] for n in np.flatnonzero(between.any(axis=1))]
    r2, c2 = zip(*(rank_and_condition(v) for v in groups))
    sure = off <= 2 * EPS and r1 == h + 1 and all(r == len(v) for r, v in zip(r2, groups))
    w2_error = _inverse_norm(rows) * (noise + off * np.linalg.norm(last.w))
    a, b = 0.0, 0.0
    for j in range(h):
        at = between[:, j]
        line = np.linalg.pinv(augmented(g[at, j : j + 1]))
        z_error = (noise + np.sqrt(h + 1) * w2_error) * max(map(_inverse_norm, groups))
        z_error *= _flattest(activation, z1[at, j])
        z_error += (
            NOISE * np.linalg.norm(x[at], axis=1).max() * np.linalg.norm(first.w[:, j])
        )  # of x f_j itself
        a, b = (
            max(a, np.linalg.norm(line[0]) * z_error / scale[j]),
            max(b, np.linalg.norm(line[1]) * z_error),
        )
    bound = _relative_bound(network, w2_error, np.sqrt(h) * b, a, w2_error)
    return sure, (r1, min(r2)), (h + 1, min(map(len, groups))), (c1, max(c2)), bound


def filters(network: Network, small: Network, x: np.ndarray) -> Certificate:
    """Regime filters: small is the network without units that cannot be told apart
    (`units.merged`), x (N, D) its images.

    "parameters" or "function" where the linear systems of the student determine everything; else
    "local" if the Jacobian of the logits on the images has full rank at the teacher. The student is
    then made and asked: its bound holds what it is off by; "no" if it is off altogether.

    >>> from refimpl.companions.extraction.filter_images import filter_images
    >>> from refimpl.network import one_hidden_net
    >>> net = one_hidden_net(20, 6, 3, rng=np.random.default_rng(0))
    >>> filters(net, net, filter_images(net, np.random.default_rng(1))).exact
    'parameters'
    """
    (units,), h = surveys(network), len(small.parameters[1])
    remarks = units.remarks()
    if not h:
        return Certificate(
            "function", "no unit shows in the logits", remarks, (1,), (1,), (1.0,), NOISE
        )
    first, activation, last = small.layers
    f = (x[1 : h + 1] - x[0]).T
    if not f.any(axis=0).all():
        gone = np.flatnonzero(~f.any(axis=0)).tolist()
        reason = f"visualizations {gone} are no larger than the last digit of the base"
        return Certificate("no", reason, remarks, (), (), (), np.inf)
    scale, relu = (
        np.linalg.norm(first.w, axis=0) / np.linalg.norm(f, axis=0),
        isinstance(activation, ReLU),
    )
    solver = _smooth if not relu else _relu_open if x[0].any() else _relu_lines
    sure, ranks, wanted, conditions, bound = solver(small, x, f, scale)
    if sure:
        kind = "parameters" if h == len(network.parameters[1]) else "function"
        kind = "function" if relu and solver is _relu_lines and ranks[0] < h + 1 else kind
        reason = "the linear systems of the student determine everything"
        found = Certificate(kind, reason, remarks, ranks, wanted, conditions, bound)
        return _asked(
            found, network, from_filters(x, network.logits(x), h, activation=activation)[0]
        )
    theta = (
        [first.b / scale, last.w * scale[:, None], last.b]
        if relu
        else [scale, first.b, last.w, last.b]
    )
    jacobian = problem(x @ f, small.logits(x), activation)(
        np.concatenate([np.ravel(v) for v in theta])
    )[1]
    unknowns = jacobian.shape[1]
    rank, condition = rank_and_condition(
        jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300)
    )
    reason = f"the Jacobian on the images has rank {rank} of {unknowns}"
    if rank < unknowns:
        return Certificate("no", reason, remarks, (rank,), (unknowns,), (condition,), np.inf)
    found = Certificate(
        "local", reason, remarks, (rank,), (unknowns,), (condition,), FITS * condition
    )
    student, residual = from_filters(x, network.logits(x), h, activation=activation)
    return _asked(found, network, student if residual <= FITS else None)
