"""The scorer is trained on packings that the project makes: what becomes of a candidate when it is
completed?

A state is a packing in progress; its candidates put the next item wholly into one bin and share the
rest out equally. The value q of a candidate is the share of COMPLETIONS (best fit, the first in the
order of areas, the others in a noisy one) that leave nothing over. The scores of a state's
candidates, minus the decoder's fit * waste, are the logits of a choice, and training maximizes the
success to be expected of it:

    J = sum_b pi_b q_b      pi = softmax_b(SCALE (score_b - score) / eps - fit * waste_b)
    dJ / dlogit_b = pi_b (q_b - J)

(an exact policy gradient; Sutton and Barto 2018, section 13.2). eps: only this part of the item is
decided, the rest is shared equally; with eps < 1 the differences are those that the gradient with
respect to the shares sees. States in which every choice succeeds, or none, teach nothing and are
left out.
"""

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from refimpl.companions.packing.placement import FreeSpace
from refimpl.companions.packing.thesis.assignment import FIT, noisy_orders, relax
from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.repack import chunks, full_bins
from refimpl.companions.packing.thesis.scorer import (
    STORED,
    Scorer,
    backward,
    embed,
    embed_backward,
    forward,
    log_sigmoid,
    new_scorer,
    save,
    trained,
)
from refimpl.companions.packing.thesis.wishes import closed_form
from refimpl.descent import minimize
from refimpl.optimize import adam

COMPLETIONS, SCALE, EPS = 8, FIT, (1.0, 0.5, 0.3)
SEEDS = range(
    1_000, 100_000
)  # of the instances that scorers are trained on; below: development; above: reports


def _completes(space: FreeSpace, items: np.ndarray) -> np.ndarray:
    """Whether best fit puts all items (T, m, 2), (0, 0) pads, into the free space, in the order
    given: (T,) bool.

    It uses the space up.
    """
    live, done = np.arange(len(items)), np.zeros(len(items), bool)
    for i in range(items.shape[1]):
        w, h = items[live, i].T.astype(space.rect.dtype)
        b, slot, key = space.choose(w, h, "short", False)
        found = (key < np.iinfo(key.dtype).max) | (w == 0)
        rows = np.nonzero(found & (w > 0))[0]
        if len(rows):
            space.place(rows, b[rows], slot[rows], w[rows], h[rows])
        space.keep(found)
        live = live[found]
    done[live] = True
    return done


def values(
    partial: Partial,
    rows: np.ndarray,
    waste: np.ndarray,
    slots: np.ndarray,
    rng: np.random.Generator,
    count: int,
) -> np.ndarray:
    """q (N, k) of the candidates of packings `rows` (N,) by `count` completions, 0 where the next
    item does not fit.

    waste, slots (T, k): partial.options(). q: shares of completions in [0, 1], float64.

    >>> partial = Partial(np.array([[[6, 10], [4, 10], [10, 10]]]), (10, 10), 2)
    >>> partial.put(np.array([[1.0, 0.0]]), partial.options()[1])  # the first item into bin 0
    >>> values(partial, np.array([0]), *partial.options(), np.random.default_rng(0), 1).tolist()
    [[1.0, 0.0]]
    """
    k, at, N = partial.k, partial.at, len(rows)
    fits = np.isfinite(waste[rows])
    i, b = np.nonzero(fits)
    rest = partial.items[rows, at + 1 :]
    orders = np.stack(
        [noisy_orders(rest.prod(axis=2), 0.1 * (c > 0), rng) for c in range(count)], axis=1
    )
    rest = np.take_along_axis(rest[:, None], orders[..., None], axis=2)  # (N, C, m, 2)
    space = copy.copy(partial.space)
    space.opened = np.full(len(space.opened), k)
    space.keep(rows[i])
    w, h = partial.items[rows[i], at].T.astype(space.rect.dtype)
    space.place(np.arange(len(i)), b, slots[rows[i], b], w, h)
    space.keep(np.repeat(np.arange(len(i)), count))
    q = np.zeros((N, k))
    done = _completes(space, rest[i].reshape(len(i) * count, -1 if rest.size else 0, 2))
    q[i, b] = done.reshape(-1, count).mean(axis=1)
    return q


def examples(
    sets: Sequence,
    k: int,
    rng: np.random.Generator,
    *,
    walks: int = 4,
    stops: int = 6,
    scorer: Scorer | None = None,
) -> list[tuple]:
    """What training sees of sets of k full bins, a row a state: (f, u, allowed, index of the item,
    q, waste).

    sets: (items (n, 2), (W, H)), as full_bins gives them. f (k, n, 20), u (k, 6), allowed (n, k)
    bool: as in Partial; q (k,): as in values; waste (k,): of partial.options(), 0 where the item
    does not fit. The states lie on walks: best fit, with noise in the order and in the choice,
    until an item is left over. scorer: the walks are its own decodes instead, so that it learns on
    the states that it meets (DAgger, Ross, Gordon and Bagnell 2011).

    >>> sets = [(np.array([[6, 10], [5, 10], [5, 10], [4, 10]]), (10, 10))] * 20
    >>> [np.shape(value) for value in examples(sets, 2, np.random.default_rng(0))[0]]
    [(2, 4, 20), (2, 6), (4, 2), (), (2,), (2,)]
    """
    rows: list[tuple] = []
    for _, items, bin_size in chunks(sets, walks, 300):
        area, T = items.prod(axis=2), len(items)
        counts = (area > 0).sum(axis=1)
        order = noisy_orders(area, rng.choice([0, 0.05, 0.15], (T, 1)), rng)
        sequences = np.take_along_axis(items, order[..., None], axis=1)
        partial = Partial(sequences, bin_size, k, scorer)
        noise, stop = (
            10 ** rng.uniform(-2, 0.5, (T, 1)),
            rng.integers(0, counts[:, None], (T, stops)),
        )
        for at in range(stop.max() + 1):
            waste, slots = partial.options()
            alive = (partial.bins[:, :at] >= 0).all(axis=1) & (stop == at).any(axis=1)
            chosen = np.nonzero(alive & ((waste < np.inf).sum(axis=1) > 1))[0]
            for count in (2, COMPLETIONS):  # two tell most of the states that teach nothing
                q, fits = values(partial, chosen, waste, slots, rng, count), waste[chosen] < np.inf
                low, high = np.where(fits, q, 1).min(axis=1), np.where(fits, q, 0).max(axis=1)
                teaches = (low < high) | (count == 2) & (0 < low) & (low < 1)
                chosen, q = chosen[teaches], q[teaches]
            partial.ahead(chosen)
            rows += [
                (
                    partial.f[i, :, : counts[i]].copy(),
                    partial.u[i].copy(),
                    partial.allowed[i, : counts[i]].copy(),
                    at,
                    own,
                    np.where(waste[i] < np.inf, waste[i], 0),
                )
                for i, own in zip(chosen, q)
            ]
            wish = noise * rng.normal(size=(T, k)) if scorer is None else closed_form(partial)
            partial.put(wish - FIT * waste, slots)
    return rows


def _batches(
    rows: Sequence[tuple], size: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, ...]]:
    """Rows of one k as arrays, `size` of about the same number of items at a time, padded with
    items that fit nowhere.
    """
    rows = [rows[i] for i in rng.permutation(len(rows))]
    rows.sort(key=lambda row: (len(row[1]), len(row[2]) // 4))
    for k in sorted({len(row[1]) for row in rows}):
        own = [row for row in rows if len(row[1]) == k]
        for group in (own[i : i + size] for i in range(0, len(own), size)):
            n = max(len(row[2]) for row in group)
            f, allowed = (
                np.zeros((len(group), k, n, group[0][0].shape[2]), np.float32),
                np.zeros((len(group), n, k), bool),
            )
            for i, row in enumerate(group):
                f[i, :, : len(row[2])], allowed[i, : len(row[2])] = row[0], row[2]
            u, *others = (np.array([row[i] for row in group]) for i in (1, 3, 4, 5))
            yield f, u, allowed, *others


def choice(
    scorer: Scorer,
    f: np.ndarray,
    u: np.ndarray,
    allowed: np.ndarray,
    at: np.ndarray,
    q: np.ndarray,
    waste: np.ndarray,
    *,
    eps: float,
) -> tuple[float, float, tuple[np.ndarray, ...]]:
    """Expected success J of the scorer's choice, a mean over states, success of its best choice,
    gradients of J.

    The bins are independent: logits without (0) and with (1) the item in every bin at once give all
    k candidates. T states: f (T, k, n, 20), u (T, k, 6), allowed (T, n, k), at (T,) the items to
    choose for, q and waste (T, k).

    >>> partial = Partial(np.array([[[6, 10], [4, 10], [10, 10]]]), (10, 10), 2)
    >>> state = (
    ...     partial.f,
    ...     partial.u,
    ...     partial.allowed,
    ...     np.array([0]),
    ...     np.array([[1.0, 1.0]]),
    ...     np.zeros((1, 2)),
    ... )
    >>> expected, best, gradients = choice(new_scorer(np.random.default_rng(0)), *state, eps=1.0)
    >>> round(float(expected), 4), float(best), len(gradients)
    (1.0, 1.0, 6)
    """
    rows = np.arange(len(f))
    fits = allowed[rows, at]  # (T, k)
    a0 = relax(np.zeros(allowed.shape, f.dtype), allowed)
    a0[rows, at] *= 1 - eps
    a1 = a0.copy()
    a1[rows, at] += eps
    g, embedded = embed(scorer, f)
    (z0, cache0), (z1, cache1) = forward(scorer, g, u, a0), forward(scorer, g, u, a1)
    (l0, slope0), (l1, slope1) = log_sigmoid(z0), log_sigmoid(z1)
    scale = SCALE / eps
    logits = np.where(fits, scale * (l1 - l0) - FIT * waste, -np.inf)
    pi = np.exp(logits - logits.real.max(axis=1, keepdims=True))
    pi = pi / pi.sum(axis=1, keepdims=True)
    expected = (pi * q).sum(axis=1, keepdims=True)
    d = (scale / len(f) * pi * (q - expected)).astype(z0.dtype)
    _, dg0, head0 = backward(scorer, -d * slope0, cache0)
    _, dg1, head1 = backward(scorer, d * slope1, cache1)
    gradients = (
        *embed_backward(scorer, dg0() + dg1(), embedded),
        *(x + y for x, y in zip(head0, head1)),
    )
    return expected.mean(), q[rows, logits.real.argmax(axis=1)].mean(), gradients


def train(
    scorer: Scorer,
    rows: Sequence[tuple],
    rng: np.random.Generator,
    *,
    epochs: int = 20,
    size: int = 64,
    lr: float = 3e-3,
) -> tuple[Scorer, np.ndarray]:
    """Adam on -J, its lr falling linearly to 0. -> (Scorer, J and success of the best choice, means
    (epochs, 2)).

    rows: of examples(), in batches of `size`, each of sets of one size.

    >>> sets, rng = (
    ...     [(np.array([[6, 10], [5, 10], [5, 10], [4, 10]]), (10, 10))] * 20,
    ...     np.random.default_rng(0),
    ... )
    >>> train(new_scorer(rng), examples(sets, 2, rng), rng, epochs=3)[1].shape
    (3, 2)
    """
    of_each_k = Counter(len(row[1]) for row in rows).values()
    per_epoch = sum(-(-count // size) for count in of_each_k)
    shuffled = _shuffled_batches(rows, size, rng, epochs)
    reached: list[tuple[float, float]] = []

    def gradient(parameters, step):
        batch, eps = next(shuffled)
        here = scorer.with_parameters(parameters)
        expected, success, gradients = choice(here, *batch, eps=eps)
        reached.append((expected, success))
        return -expected, [-g for g in gradients]

    steps = epochs * per_epoch
    found, _, _ = minimize(
        gradient,
        scorer.parameters,
        steps=steps,
        lr=lambda step: lr * (1 - step / steps),
        update=adam,
    )
    history = np.array(reached).reshape(epochs, per_epoch, 2).mean(axis=1)
    return scorer.with_parameters(found), history


def _shuffled_batches(rows, size, rng, epochs):
    """The batches of every epoch in a random order, each with a random eps of EPS."""
    for _ in range(epochs):
        own = list(_batches(rows, size, rng))
        for i in rng.permutation(len(own)):
            yield own[i], float(rng.choice(EPS))


def write_stored(path: str | Path = STORED, *, seed: int = 0) -> np.ndarray:
    """Train the scorer that comes with the package and write it: about two minutes (CPU). Returns
    the history of train().

    States of 8,000 sets, half of them of 5 full bins, a quarter of 3 and of 8 each; the instances'
    seeds are in SEEDS.

    python -c "from refimpl.companions.packing.thesis.training import write_stored; write_stored()"

    Raises ValueError, before it trains, where the file's folder is missing.

    >>> write_stored("nowhere/scorer.npz")
    Traceback (most recent call last):
        ...
    ValueError: path: expected a file in a folder that is there, got 'nowhere/scorer.npz'
    """
    if not Path(path).parent.is_dir():
        raise ValueError(f"path: expected a file in a folder that is there, got {str(path)!r}")
    rng, rows = np.random.default_rng(seed), []
    for k, sets in ((3, 2_000), (5, 4_000), (8, 2_000)):
        rows += examples(full_bins(sets, k, SEEDS.start), k, rng)
    scorer, history = train(new_scorer(rng), rows, rng)
    save(scorer, path)
    return history


MET = Path(__file__).parent / "scorer_met.npz"


def write_met(path: str | Path = MET, *, seed: int = 1, sets: int = 600, rounds: int = 3) -> None:
    """Train the stored scorer further on states that its own decodes meet, `rounds` times, all
    states so far together: about two minutes (CPU). Sets of 5 full bins, seeds in SEEDS.

    Raises ValueError, before it trains, where the file's folder is missing.

    >>> write_met("nowhere/scorer.npz")
    Traceback (most recent call last):
        ...
    ValueError: path: expected a file in a folder that is there, got 'nowhere/scorer.npz'
    """
    if not Path(path).parent.is_dir():
        raise ValueError(f"path: expected a file in a folder that is there, got {str(path)!r}")
    rng, scorer = np.random.default_rng(seed), trained()
    rows: list[tuple] = []
    for own in range(rounds):
        first = SEEDS.start + 20_000 + 10_000 * own
        rows += examples(full_bins(sets, 5, first), 5, rng, walks=2, scorer=scorer)
        scorer, _ = train(scorer, rows, rng, epochs=6, lr=1e-3)
    save(scorer, path)
