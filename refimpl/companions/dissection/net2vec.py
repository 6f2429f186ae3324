"""Net2Vec: is a concept in one unit or in a combination of units (Fong and Vedaldi 2018, section
3.1)?

    M(x; w) = sigma(sum_k w_k [up(A_k(x)) > T_k])        per pixel, no intercept

w_c minimizes the weighted logistic loss over the training pixels of the images with a label of c's
kind,

    L(w) = -1/W sum alpha l log M + (1 - alpha) (1 - l) log(1 - M) + ridge |w|^2 / 2

with l = 1 in c, else 0, alpha the share of pixels not in c and W the sum of the weights: the
concept and the rest weigh one half each. Deviations: Newton's method to the optimum instead of SGD
with momentum; the ridge, without which w is infinite where a unit never errs; images as in
`dissection`.

Without an intercept a unit that knows nothing of c gets a negative weight once others explain c:
what is active there is not c. So the sign tells which units carry a concept, the size alone does
not.

Binary features make it exact and small: pixels with the same units active are one row with two
counts, and pixels with no unit active add a constant (sigma(0) = 1/2 whatever w is).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refimpl.companions.dissection.activation_masks import ActivationMasks
from refimpl.companions.dissection.concept_masks import (
    Labels,
    check_masks,
    names_and_kinds,
    pixel_counts,
)
from refimpl.layers import Sigmoid

STEPS = 100  # of Newton, at most


@dataclass(frozen=True, eq=False)
class Patterns:
    """Pixels grouped by the set of active units: G sets.

    x (G, units): 0 or 1, no row of zeros; total (G, kinds), positive (G, concepts): pixels in
    images with a label of the kind, pixels in the concept. pixels (kinds,), sizes (concepts,): the
    same over all pixels, active or not. kind (concepts,): the column of each concept's kind.

    >>> seen = Patterns(np.eye(2), *map(np.array, ([[2], [2]], [[2], [0]], [8], [2], [0])))
    >>> seen.x.tolist()  # unit 0 alone: 2 pixels, both in the concept; unit 1: 2, none of them
    [[1.0, 0.0], [0.0, 1.0]]
    """

    x: np.ndarray
    total: np.ndarray
    positive: np.ndarray
    pixels: np.ndarray
    sizes: np.ndarray
    kind: np.ndarray


@dataclass(frozen=True, eq=False)
class Net2Vec:
    """Per concept, IoU on the held-out images, NaN where the concept has no pixel there, or none or
    all in training.

    weights (concepts, units). unit (concepts,): the single unit of largest IoU on the training
    images; -1 if none. single_iou, combined_iou, balanced_iou (concepts,): of that unit; of sum_k
    w_k [...] > cutoff (concepts,), the cutoff of largest IoU on the training images; and at the
    paper's cutoff 0, which weighs the concept as much as the rest and so marks too much where the
    concept is rare. problems: in words.

    >>> from refimpl.companions.dissection.activation_masks import activation_masks
    >>> halves = np.zeros((4, 2, 2, 2))
    >>> halves[::2, 0, :, 0] = halves[::2, 1, :, 1] = 1, 0.5
    >>> active = activation_masks(lambda rows: halves[rows], np.arange(4), (2, 2), quantile=0.25)
    >>> found = combine(active, halves.any(axis=1, keepdims=True), train=2)
    >>> found.weights.round(1).tolist(), found.unit.tolist(), found.cutoff.tolist()
    ([[6.0, 6.0]], [0], [0.0])
    """

    weights: np.ndarray
    unit: np.ndarray
    cutoff: np.ndarray
    single_iou: np.ndarray
    combined_iou: np.ndarray
    balanced_iou: np.ndarray
    problems: tuple[str, ...]


def combine(
    active: ActivationMasks,
    masks: np.ndarray,
    *,
    train: int,
    names: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    ridge: float = 1e-4,
) -> Net2Vec:
    """Learn the weights on the first `train` images and compare single unit and combination on the
    others.

    active: ActivationMasks of all images (T_k needs no labels; the others' maps share in it, as in
    both papers). masks (N, concepts, H, W) bool; names, kinds as in `dissect`. Returns a Net2Vec.
    Raises ValueError on a `train` that leaves no image on either side, on ridge <= 0, and as
    `score` on masks, names and kinds.

    >>> from refimpl.companions.dissection.activation_masks import activation_masks
    >>> halves = np.zeros((4, 2, 2, 2))
    >>> halves[::2, 0, :, 0] = halves[::2, 1, :, 1] = 1, 0.5
    >>> active = activation_masks(lambda rows: halves[rows], np.arange(4), (2, 2), quantile=0.25)
    >>> found = combine(active, halves.any(axis=1, keepdims=True), train=2)
    >>> found.single_iou.tolist(), found.combined_iou.tolist()
    ([0.5], [1.0])
    """
    check_masks(masks, active.shape[0], active.shape[1:])
    if not 0 < train < len(masks):
        raise ValueError(
            f"train: expected 1 to {len(masks) - 1} of {len(masks)} images, got {train!r}"
        )
    if not ridge > 0:
        raise ValueError(f"ridge: expected a positive number, got {ridge!r}")
    names, kinds = names_and_kinds(masks, names, kinds)
    concepts, labels = len(names), Labels.of(masks, kinds)
    learn, test = patterns(active, labels, 0, train), patterns(active, labels, train, len(masks))
    weights = np.zeros((concepts, active.units))
    unit, cutoff = np.full(concepts, -1), np.full(concepts, np.nan)
    single, combined, balanced = (np.full(concepts, np.nan) for _ in range(3))
    problems = [f"unit {k}: {why}" for k, why in sorted(active.problems.items())]
    for c in range(concepts):
        if not (learn.sizes[c] and test.sizes[c]) or learn.sizes[c] == learn.pixels[learn.kind[c]]:
            weights[c] = np.nan
            problems.append(
                f"concept {names[c]!r}: {learn.sizes[c]} pixels in training, {test.sizes[c]} held "
                f"out; "
                "expected some in both, and not all"
            )
            continue
        weights[c] = newton(learn, c, ridge)
        alone = [iou(learn, c, column > 0) for column in learn.x.T]
        unit[c] = int(np.argmax(alone))
        single[c] = iou(test, c, test.x[:, unit[c]] > 0)
        cutoff[c] = best_cutoff(learn, c, learn.x @ weights[c])
        combined[c] = iou(test, c, test.x @ weights[c] > cutoff[c])
        balanced[c] = iou(test, c, test.x @ weights[c] > 0)
    return Net2Vec(weights, unit, cutoff, single, combined, balanced, tuple(problems))


def patterns(active: ActivationMasks, labels: Labels, start: int, stop: int) -> Patterns:
    """The Patterns of images start to stop (not included), as active and labels have them.

    >>> from refimpl.companions.dissection.activation_masks import activation_masks
    >>> maps = np.arange(8.0).reshape(2, 1, 2, 2)
    >>> active = activation_masks(lambda rows: maps[rows], np.arange(2), (2, 2), quantile=0.25)
    >>> found = patterns(active, Labels.of(maps > 6, ("",)), 0, 2)
    >>> found.x.tolist(), found.total.tolist(), found.positive.tolist(), found.sizes.tolist()
    ([[1.0]], [[2.0]], [[1.0]], [1])
    """
    size = labels.pixels
    ends = [np.searchsorted(p, (start * size, stop * size)) for p in active.positions]
    positions = [p[low:high] - start * size for p, (low, high) in zip(active.positions, ends)]
    busy = np.zeros((stop - start) * size, bool)
    for p in positions:
        busy[p] = True
    pixels, row = np.flatnonzero(busy) + start * size, np.cumsum(busy) - 1
    bits = np.zeros((len(pixels), -(-active.units // 64) * 64), np.uint8)
    for k, p in enumerate(positions):
        bits[row[p], k] = 1
    first, group = np.zeros(min(len(pixels), 1), int), np.zeros(len(pixels), np.int64)
    for word in np.packbits(bits, axis=1).view(np.uint64).T:
        _, word = np.unique(word, return_inverse=True)
        _, first, group = np.unique(
            group * (word.max(initial=0) + 1) + word, return_index=True, return_inverse=True
        )
    count, x = len(first), bits[first, : active.units].astype(np.float64)
    concepts = len(labels.sizes)
    inside = np.unpackbits(labels.planes[:, pixels], axis=0, count=concepts)  # (concepts, pixels)
    positive = np.stack([np.bincount(group, row, count) for row in inside], axis=1)
    seen = labels.present[pixels // size].T
    total = np.stack([np.bincount(group, row, count) for row in seen], axis=1)
    return Patterns(
        x,
        total,
        positive,
        labels.present[start:stop].sum(axis=0) * size,
        pixel_counts(labels.planes[:, start * size : stop * size], concepts),
        labels.kind,
    )


def logistic(
    seen: Patterns, c: int, w: np.ndarray, ridge: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """L(w), its gradient (units,) and the diagonal d (G,) of its Hessian x' diag(d) x + ridge I,
    for concept c.

    >>> seen = Patterns(np.eye(2), *map(np.array, ([[2], [2]], [[2], [0]], [8], [2], [0])))
    >>> value, gradient, _ = logistic(seen, 0, np.zeros(2), 0.1)
    >>> round(float(value), 4), gradient.round(4).tolist()
    (0.6931, [-0.25, 0.0833])
    """
    p, n, size = seen.positive[:, c], seen.total[:, seen.kind[c]], seen.sizes[c]
    pixels = seen.pixels[seen.kind[c]]
    alpha = 1 - size / pixels
    weight = alpha * size + (1 - alpha) * (pixels - size)
    ups, downs = alpha * p / weight, (1 - alpha) * (n - p) / weight
    z = seen.x @ w
    sigma = Sigmoid().forward(z)[0]
    value = (ups * _softplus(-z) + downs * _softplus(z)).sum() + np.log(2) * (
        1 - ups.sum() - downs.sum()
    )
    gradient = seen.x.T @ (downs * sigma - ups * (1 - sigma))
    return (
        value + ridge / 2 * (w * w).sum(),
        gradient + ridge * w,
        (ups + downs) * sigma * (1 - sigma),
    )


def _softplus(z: np.ndarray) -> np.ndarray:
    """log(1 + e^z) without overflow."""
    return np.where(z.real > 0, z, 0) + np.log1p(np.exp(np.where(z.real > 0, -z, z)))


def newton(seen: Patterns, c: int, ridge: float) -> np.ndarray:
    """The minimum of L for concept c: Newton steps, halved until L falls by Armijo's rule. L is
    strictly convex.

    Returns w (units,). Raises FloatingPointError where the gradient has not fallen to 1e-10 of that
    at 0 in STEPS.

    >>> seen = Patterns(np.eye(2), *map(np.array, ([[2], [2]], [[2], [0]], [8], [2], [0])))
    >>> np.sign(newton(seen, 0, 0.1)).tolist()
    [1.0, -1.0]
    """
    w = np.zeros(seen.x.shape[1])
    value, gradient, d = logistic(seen, c, w, ridge)
    goal = 1e-10 * np.linalg.norm(gradient)
    for _ in range(STEPS):
        if np.linalg.norm(gradient) <= goal:
            return w
        hessian = (seen.x * d[:, None]).T @ seen.x + ridge * np.eye(len(w))
        step, share = np.linalg.solve(hessian, gradient), 1.0
        slope = gradient @ step
        while share > 1e-10:
            new = logistic(seen, c, w - share * step, ridge)
            if new[0] <= value - 1e-4 * share * slope + 1e-15 * abs(value):
                break
            share /= 2
        w, (value, gradient, d) = w - share * step, new
    raise FloatingPointError(
        f"concept {c}: the gradient is {np.linalg.norm(gradient):.1e} after {STEPS} Newton steps"
    )


def iou(seen: Patterns, c: int, chosen: np.ndarray) -> float:
    """IoU of concept c with the pixels of the patterns chosen (G,) bool, over the images with a
    label of its kind.

    >>> seen = Patterns(np.eye(2), *map(np.array, ([[2], [2]], [[2], [0]], [8], [2], [0])))
    >>> float(iou(seen, 0, np.array([True, False]))), float(iou(seen, 0, np.array([True, True])))
    (1.0, 0.5)
    """
    both = seen.positive[chosen, c].sum()
    return both / (seen.total[chosen, seen.kind[c]].sum() + seen.sizes[c] - both)


def best_cutoff(seen: Patterns, c: int, z: np.ndarray) -> float:
    """The cutoff >= 0 such that z > cutoff has the largest IoU with concept c; z (G,), one score a
    pattern.

    >>> seen = Patterns(np.eye(2), *map(np.array, ([[2], [2]], [[2], [0]], [8], [2], [0])))
    >>> best_cutoff(seen, 0, np.array([3.0, 1.0]))
    1.0
    """
    order = np.argsort(-z, kind="stable")
    z = z[order]
    both, area = np.cumsum(seen.positive[order, c]), np.cumsum(seen.total[order, seen.kind[c]])
    ends = np.flatnonzero((z > 0) & (np.append(z[1:], -np.inf) < z))  # equal scores go together
    if not len(ends):
        return 0.0
    best = ends[np.argmax(both[ends] / (area[ends] + seen.sizes[c] - both[ends]))]
    return max(float(z[best + 1]), 0.0) if best + 1 < len(z) else 0.0
