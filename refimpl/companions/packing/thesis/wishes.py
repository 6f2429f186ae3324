"""Where the next item wants to go, four ways: what of the thesis does the work?

A wish is one number a bin, (T, k); decode_sequences() takes the bin with the largest wish less what
best fit would waste there. All four look at the same state (partial.py).

    ascend        three steps of the one ascend loop from the blank, read off the shares: log A
    closed form   the same from ONE gradient: from equal shares a = 1 / m the first step is
                  lr a (dA_b - mean dA), and three short steps are nearly three of it
    forward       no gradient: the network's score with the item wholly in the bin, less without it
    linear rule   no network: nine features one placement ahead, weighed by `weights`
"""

from collections.abc import Callable, Sequence

import numpy as np

from refimpl.companions.packing.thesis.assignment import FIT, LR, STEPS, score
from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.scorer import Scorer, forward, log_sigmoid
from refimpl.descent import minimize
from refimpl.optimize import adam

AHEAD = slice(11, 20)  # the features of an item in a bin that look one placement ahead
SCALE = FIT  # of the scores in training's choice: those of the wish that is trained


def equal_shares(partial: Partial) -> np.ndarray:
    """Equal shares of the items to come over the bins that they fit in, (T, n - at, k) float32.

    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2)
    >>> equal_shares(partial).tolist()
    [[[0.5, 0.5], [0.5, 0.5]]]
    """
    allowed = partial.allowed[:, partial.at :]
    return allowed / np.maximum(1, allowed.sum(axis=2, keepdims=True)).astype(np.float32)


def scorer_of(partial: Partial) -> Scorer:
    """The scorer that a Partial was made with. Raises ValueError where there is none.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> scorer_of(Partial(np.ones((1, 4, 2), int), (2, 2), 3, trained())) is trained()
    True
    """
    if partial.scorer is None:
        raise ValueError("partial: expected one with a scorer")
    return partial.scorer


def closed_form(partial: Partial) -> np.ndarray:
    """The next items' wishes (T, k) by one gradient at equal shares, in place of STEPS steps.

    Raises ValueError without a scorer.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> partial.put(np.array([[1.0, 0.0]]), partial.options()[1])  # the first item into bin 0
    >>> bool(np.diff(closed_form(partial)[0])[0] < 0)  # the second belongs beside it
    True
    """
    a = equal_shares(partial)
    g = partial.g[:, :, partial.at :]
    _, da = score(scorer_of(partial), g, partial.u, a, partial.base)
    first = a[:, 0] * (da[:, 0] - (a[:, 0] * da[:, 0]).sum(axis=1, keepdims=True))
    return STEPS * LR * first


def read_forward(partial: Partial) -> np.ndarray:
    """The next items' wishes (T, k): SCALE times what log sigmoid of each bin's logit is with the
    item wholly in the bin, less what it is without.

    The bins are independent, so two forward passes do for all k. Raises ValueError without a
    scorer.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> partial.put(np.array([[1.0, 0.0]]), partial.options()[1])
    >>> bool(np.diff(read_forward(partial)[0])[0] < 0)
    True
    """
    scorer, a = scorer_of(partial), equal_shares(partial)[:, 1:]
    g = partial.g[:, :, partial.at :]
    u = np.concatenate([partial.u, partial.u], axis=1)  # (T, 2 k, 6): without the item, with it
    others = partial.base + (a.transpose(0, 2, 1)[:, :, None] @ g[:, :, 1:])[:, :, 0]
    sums = np.concatenate([others, others + g[:, :, 0]], axis=1)
    empty = np.zeros((len(a), 0, 2 * partial.k), np.float32)
    z, _ = forward(
        scorer, np.zeros((len(a), 2 * partial.k, 0, g.shape[3]), np.float32), u, empty, sums
    )
    without, within = np.split(log_sigmoid(z)[0], 2, axis=1)
    return SCALE * (within - without)


def linear_rule(weights: np.ndarray) -> Callable[[Partial], np.ndarray]:
    """The wish that weighs the nine look-ahead features by weights (9,).

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> linear_rule(np.zeros(9))(partial).tolist()
    [[0.0, 0.0]]
    """

    def wish(partial: Partial) -> np.ndarray:
        return partial.f[:, :, partial.at, AHEAD] @ weights

    return wish


def fit_linear_rule(rows: Sequence[tuple], *, steps: int = 400, lr: float = 0.05) -> np.ndarray:
    """Weights (9,) of linear_rule() by the objective that trains the network: the success to be
    expected of a choice, Adam on all states at once.

    rows: as training.examples() gives them. d J / d w = sum_b pi_b (q_b - J) feature_b.

    >>> rows = [(np.ones((2, 1, 20)), None, np.ones((1, 2), bool), 0, np.ones(2), np.zeros(2))]
    >>> fit_linear_rule(rows, steps=2).tolist() == [0.0] * 9
    True
    """
    most = max(len(row[4]) for row in rows)
    x = np.zeros((len(rows), most, 9))
    q, waste, fits = np.zeros((3, len(rows), most))
    for i, (f, _, allowed, at, own, left) in enumerate(rows):
        k = len(own)
        x[i, :k], q[i, :k], waste[i, :k], fits[i, :k] = f[:, at, AHEAD], own, left, allowed[at]

    def gradient(arrays, step):
        logits = np.where(fits > 0, x @ arrays[0] - FIT * waste, -np.inf)
        pi = np.exp(logits - logits.max(axis=1, keepdims=True))
        pi /= pi.sum(axis=1, keepdims=True)
        success = (pi * q).sum(axis=1, keepdims=True)
        pull = pi * (q - success)
        return -success.mean(), [-np.einsum("nk,nkf->f", pull, x) / len(rows)]

    def falling(step):
        return lr * (1 - step / steps)

    (weights,), _, _ = minimize(gradient, [np.zeros(9)], steps=steps, lr=falling, update=adam)
    return weights
