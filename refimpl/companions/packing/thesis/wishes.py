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

from refimpl.companions.packing.thesis.assignment import FIT, LR, STEPS, relax, score
from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.scorer import Scorer, forward, log_sigmoid
from refimpl.descent import minimize
from refimpl.optimize import adam

AHEAD = slice(11, 20)  # the features of an item in a bin that look one placement ahead
SCALE = FIT  # of the scores in training's choice: those of the wish that is trained


def _shares(partial: Partial) -> np.ndarray:
    """Equal shares of the items to come over the bins that they fit in, (T, n - at, k)."""
    allowed = partial.allowed[:, partial.at :]
    return relax(np.zeros(allowed.shape, np.float32), allowed)


def _scorer(partial: Partial) -> Scorer:
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
    a = _shares(partial)
    g = partial.g[:, :, partial.at :]
    _, da = score(_scorer(partial), g, partial.u, a, partial.base)
    first = a[:, 0] * (da[:, 0] - (a[:, 0] * da[:, 0]).sum(axis=1, keepdims=True))
    return STEPS * LR * first


def read_forward(partial: Partial) -> np.ndarray:
    """The next items' wishes (T, k): log sigmoid of each bin's logit with the item, less without.

    The bins are independent, so two forward passes do for all k. Raises ValueError without a
    scorer.

    >>> from refimpl.companions.packing.thesis.scorer import trained
    >>> partial = Partial(np.array([[[6, 10], [4, 10]]]), (10, 10), 2, trained())
    >>> partial.put(np.array([[1.0, 0.0]]), partial.options()[1])
    >>> bool(np.diff(read_forward(partial)[0])[0] < 0)
    True
    """
    scorer, a = _scorer(partial), _shares(partial)
    g = partial.g[:, :, partial.at :]
    logs = []
    for share in (0, 1):
        a[:, 0] = share
        logs.append(log_sigmoid(forward(scorer, g, partial.u, a, partial.base)[0])[0])
    return SCALE * (logs[1] - logs[0])


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
