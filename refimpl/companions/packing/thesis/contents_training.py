"""The contents network is trained on contents of good packings and bad, and again on its own
ascended inputs.

Round 0: bins of packings by first fit, the same with an item exchanged for one of about its size
from another bin, and items thrown together up to about a bin's area. Each further round: the
network's own visualizations of "good" on training sets, relaxed as they are and rounded, with the
label that the placement heuristic gives to the rounded ones, most of them negatives (as in
adversarial training, Goodfellow et al. 2015). All instances' seeds are in training.SEEDS.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from refimpl.companions.packing import placement
from refimpl.companions.packing.instances import CLASSES, fresh
from refimpl.companions.packing.thesis.assignment import noisy_orders, relax
from refimpl.companions.packing.thesis.contents import (
    LABELS,
    Problem,
    blank,
    climb,
    contents,
    features,
    loss,
    new_network,
    placeable,
)
from refimpl.companions.packing.thesis.repack import full_bins
from refimpl.companions.packing.thesis.scorer import Scorer, save
from refimpl.companions.packing.thesis.training import SEEDS
from refimpl.descent import minimize
from refimpl.optimize import adam

STORED = Path(__file__).parent
LEAST, MOST = 0.75, 20  # load of the bins, number of items in them
INSTANCES, SETS, ROUNDS = 2_000, 300, 3
TRIES, EPOCHS, AGAIN = 8, 12, 6  # visualizations a set; epochs of round 0 and of the others

Row = tuple[np.ndarray, np.ndarray, bool]  # features (m, 20), shares (m,), label


def drawn(count: int, rng: np.random.Generator) -> list[tuple[np.ndarray, tuple[int, int]]]:
    """Contents good and bad of `count` training instances, not yet labelled: (items (m, 2), bin).

    >>> rows = drawn(10, np.random.default_rng(0))
    >>> len(rows) > 100, rows[0][0].shape[1]
    (True, 2)
    """
    rows = []
    for first in range(SEEDS.start, SEEDS.start + count, 50):
        seeds = range(first, min(first + 50, SEEDS.start + count))
        instances = [fresh(CLASSES[s % len(CLASSES)], 100, s) for s in seeds]
        items = np.stack([v.items for v in instances])
        order = noisy_orders(items.prod(axis=2), rng.uniform(0.05, 0.6, (len(items), 1)), rng)
        items = np.take_along_axis(items, order[..., None], axis=1)
        found = placement.decode(items, [v.bin for v in instances], first=True).bins
        for instance, own, bins in zip(instances, items, found):
            rows += _around(own, bins, instance.bin, rng)
    return rows


def _around(
    items: np.ndarray, bins: np.ndarray, bin_size: tuple[int, int], rng: np.random.Generator
) -> list[tuple[np.ndarray, tuple[int, int]]]:
    """The well filled bins of one packing, and contents near them."""
    room = bin_size[0] * bin_size[1]
    load, many = np.bincount(bins, items.prod(axis=1)) / room, np.bincount(bins)
    good = np.flatnonzero((load > LEAST) & (many >= 3) & (many <= MOST))[:12]
    rows = [items[bins == b] for b in good]
    for own in list(rows) if len(good) > 1 else []:
        for _ in range(2):
            i, other = rng.integers(len(own)), rows[rng.integers(len(good))]
            unlike = np.abs(np.log(other.prod(axis=1) / own[i].prod()) + 0.3 * rng.normal())
            changed = own.copy()
            changed[i] = other[unlike.argmin()]
            rows.append(changed)
        some = rng.permutation(
            np.isin(bins, rng.choice(good, min(3, len(good)), False)).nonzero()[0]
        )
        load = items[some].prod(axis=1).cumsum() / room
        thrown = items[some[: min(MOST, int((load < rng.uniform(0.7, 1.02)).sum()))]]
        rows += [thrown] if len(thrown) > 1 else []
    return [(own, bin_size) for own in rows]


def labelled(
    rows: Sequence[tuple[np.ndarray, tuple[int, int]]], rng: np.random.Generator
) -> list[Row]:
    """Contents with features, shares (all 1) and the label: does the placement heuristic get them
    into one bin in LABELS orders?

    >>> rows = labelled([(np.array([[6, 6], [6, 6]]), (10, 10))], np.random.default_rng(0))
    >>> rows[0][0].shape, rows[0][1].tolist(), rows[0][2]
    ((2, 20), [1.0, 1.0], False)
    """
    items = np.zeros((len(rows), max(len(own) for own, _ in rows), 2), np.int64)
    sizes = np.array([size for _, size in rows])
    for i, (own, _) in enumerate(rows):
        items[i, : len(own)] = own
    labels = placeable(items, sizes, LABELS, rng).tolist()
    f = features(items, sizes)
    counts = [len(own) for own, _ in rows]
    return [(f[i, :m], np.ones(m, np.float32), labels[i]) for i, m in enumerate(counts)]


def own_inputs(net: Scorer, sets: Sequence, k: int, rng: np.random.Generator) -> list[Row]:
    """What the network is shown by its own ascent: of TRIES visualizations a set every bin, relaxed
    (shares above .01) and rounded, both with the label of the rounded contents.

    >>> sets = [(np.array([[6, 10], [5, 10], [5, 10], [4, 10]]), (10, 10))]
    >>> rows = own_inputs(new_network(np.random.default_rng(0)), sets, 2, np.random.default_rng(0))
    >>> len(rows) > 16
    True
    """
    rows: list[Row] = []
    for items, bin_size in sets:
        problem = Problem.of(net, items, bin_size, k)
        z = climb(problem, blank(problem, TRIES, rng))
        shares = relax(z, np.ones(z.shape, bool))
        own = contents(problem, z.argmax(axis=2))
        labels = placeable(own, np.broadcast_to(bin_size, (len(own), 2)), LABELS // 2, rng)
        f = features(items, bin_size)
        for a, inside, label in zip(
            shares.transpose(0, 2, 1).reshape(len(own), -1),
            np.asarray(own.any(axis=2)),
            labels.tolist(),
        ):
            for part in (np.where(a > 0.01, a, 0), inside.astype(np.float32)):
                if part.any():
                    rows.append((f[part > 0], part[part > 0], label))
    return rows


def _batches(rows: Sequence[Row], size: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Rows as arrays f (N, m, 20), shares (N, m), labels (N,), of about as many items together."""
    order = np.argsort([len(shares) for _, shares, _ in rows], kind="stable")
    for own in (order[i : i + size] for i in range(0, len(order), size)):
        most = max(len(rows[i][1]) for i in own)
        f = np.zeros((len(own), most, rows[0][0].shape[1]), np.float32)
        shares = np.zeros((len(own), most), np.float32)
        for row, i in enumerate(own):
            f[row, : len(rows[i][1])], shares[row, : len(rows[i][1])] = rows[i][:2]
        yield f, shares, np.array([rows[i][2] for i in own])


def train(
    net: Scorer,
    rows: Sequence[Row],
    rng: np.random.Generator,
    *,
    epochs: int,
    size: int = 256,
    lr: float = 3e-3,
) -> tuple[Scorer, float]:
    """Adam on the logistic loss, its lr falling linearly to 0: (network, mean loss of the last
    epoch).

    >>> rows = labelled(drawn(10, np.random.default_rng(0)), np.random.default_rng(0))
    >>> net = new_network(np.random.default_rng(0))
    >>> train(net, rows, np.random.default_rng(0), epochs=8, size=16)[1] < 0.69
    True
    """
    batches = list(_batches(rows, size))
    order = np.concatenate([rng.permutation(len(batches)) for _ in range(epochs)])
    made, losses, _ = minimize(
        lambda parameters, step: loss(net.with_parameters(parameters), *batches[order[step]]),
        net.parameters,
        steps=len(order),
        lr=lambda step: lr * (1 - step / len(order)),
        update=adam,
    )
    return net.with_parameters(made), float(losses[-len(batches) :].mean())


def write_stored(
    folder: str | Path = STORED,
    *,
    seed: int = 0,
    progress: Callable[[str], object] = lambda text: None,
) -> None:
    """Train round 0 and ROUNDS further ones and write contents.npz and contents_again.npz: about
    two minutes (CPU).

    python -c "import refimpl.companions.packing.thesis.contents_training as c; c.write_stored()"

    Raises ValueError, before it trains, where the folder is missing.

    >>> write_stored("nowhere")
    Traceback (most recent call last):
        ...
    ValueError: folder: expected one that is there, got 'nowhere'
    """
    if not Path(folder).is_dir():
        raise ValueError(f"folder: expected one that is there, got {str(folder)!r}")
    rng = np.random.default_rng(seed)
    rows = labelled(drawn(INSTANCES, rng), rng)
    net, value = train(new_network(rng), rows, rng, epochs=EPOCHS)
    progress(f"{len(rows)} contents, loss {value:.3f}")
    save(net, Path(folder) / "contents.npz")
    sets = full_bins(SETS, 5, SEEDS.start + 9_000)
    for _ in range(ROUNDS):
        rows += own_inputs(net, sets, 5, rng)
        net, value = train(net, rows, rng, epochs=AGAIN)
        progress(f"{len(rows)} contents, its own among them, loss {value:.3f}")
    save(net, Path(folder) / "contents_again.npz")
