"""T12, measured: a network with a hidden layer comes back from images made of it alone.

Records as in `refimpl.paper.theorems`.
"""

import numpy as np

from refimpl.companions.extraction.extraction import extract
from refimpl.companions.extraction.recovery import from_filters, from_hints
from refimpl.data import Dataset
from refimpl.network import Network
from refimpl.paper.hidden_theorems import hidden_teacher
from refimpl.paper.theorem import Theorem, compare


def t12(network: Network, x: np.ndarray) -> list[Theorem]:
    """T12, measured on the logits at x (N, D), for a network with one hidden ReLU layer.

    >>> from refimpl.network import one_hidden_net
    >>> network = one_hidden_net(20, 6, 3, rng=np.random.default_rng(0))
    >>> x = np.random.default_rng(1).random((50, 20))
    >>> [(t.id, t.holds) for t in t12(network, x)]
    [('T12', True), ('T12/filters', True)]
    """
    network = network.astype(np.float64)
    z, activation = network.logits(x), network.layers[1]
    hinted = extract(network, regime="hints")
    student = from_hints(hinted.images, hinted.logits, hinted.hidden, activation=activation)
    filtered = extract(network, regime="filters")
    other, _ = from_filters(
        filtered.images, filtered.logits, filtered.filters, activation=activation
    )

    def off(found, logits):  # a certificate that says no predicts nothing
        return logits if found.certificate.exact in ("parameters", "function") else np.inf * logits

    return [
        compare(
            "T12",
            f"{len(hinted.images)} images s_j w_j and the blank, hidden pre-activations as hints, "
            "rank [H, 1] as the units have: two regressions return the network",
            z,
            off(hinted, student.logits(x)),
            1e-9,
        ),
        compare(
            "T12/filters",
            f"{len(filtered.images)} images, logits only, the first ones the filters: linear "
            f"systems "
            "return it",
            z,
            off(filtered, other.logits(x)),
            1e-7,
        ),
    ]


def run(data: Dataset, teacher: Network, seed: int) -> list[Theorem]:
    """T12 on a 784-30-10 network of the data set; the linear teacher is not asked.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> [t.id for t in run(tiny(side=7), tiny_teacher(side=7), 0) if t.holds]
    ['T12', 'T12/filters']
    """
    return t12(hidden_teacher(data, seed), data.test_x.astype(np.float64))
