"""Random networks with one hidden layer that have something wrong with them, for the tests of
extraction.
"""

import os

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network

KINDS = (
    "sound",
    "duplicate",
    "scaled duplicate",
    "opposite",
    "parallel",
    "same outgoing",
    "zero column",
    "mute",
    "all zero",
    "low rank",
    "wide",
    "near duplicate",
    "low rank outgoing",
    "unused input",
    "no biases",
)


def network(seed, inputs, hidden, classes, kind, activation, scale=1.0):
    """A network of this kind; units 0 and 1 are the special ones."""
    rng = np.random.default_rng(seed)
    hidden = inputs + 3 if kind == "wide" else hidden
    w1, b1 = rng.normal(size=(inputs, hidden)), rng.normal(size=hidden)
    w2, b2 = rng.normal(size=(hidden, classes)), rng.normal(size=classes)
    factor = {
        "duplicate": 1,
        "scaled duplicate": 3,
        "opposite": -1,
        "near duplicate": 1 + 1e-7,
    }.get(kind)
    if factor:
        w1[:, 1], b1[1] = factor * w1[:, 0], factor * b1[0]
    if kind == "near duplicate":
        w1[:, 1] += 1e-7 * rng.normal(size=inputs)
    if kind == "parallel":
        w1[:, 1] = w1[:, 0]
    if kind == "same outgoing":
        w2[1] = w2[0]
    if kind == "zero column":
        w1[:, 0] = 0
    if kind == "mute":
        w2[0] = 0
    if kind == "all zero":
        w1[:] = 0
    if kind == "low rank":
        w1 = rng.normal(size=(inputs, 2)) @ rng.normal(size=(2, hidden))
    if kind == "low rank outgoing":
        w2 = rng.normal(size=(hidden, 1)) @ rng.normal(size=(1, classes))
    if kind == "unused input":
        w1[0] = 0
    if kind == "no biases":
        b1[:] = 0
    return Network((Affine(scale * w1, scale * b1), activation, Affine(w2, b2)))


def few(examples):
    """So many examples, or 1,000 with HYPOTHESIS_PROFILE=intense."""
    return settings(
        max_examples=1000 if os.environ.get("HYPOTHESIS_PROFILE") == "intense" else examples
    )


def networks(kinds=KINDS):
    """A strategy: networks of these kinds, 2 to 9 inputs and units, 1 to 5 classes, weights of
    three sizes.
    """
    return st.builds(
        network,
        seed=st.integers(0, 10**6),
        inputs=st.integers(2, 9),
        hidden=st.integers(2, 9),
        classes=st.integers(1, 5),
        kind=st.sampled_from(kinds),
        activation=st.sampled_from([ReLU(), Sigmoid(), Tanh()]),
        scale=st.sampled_from([0.03, 1.0, 20.0]),
    )


def inputs_like(network, seed=0):
    """Fresh inputs of three sizes, and some in [0, 1] like pixels."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(60, network.inputs))
    return np.vstack([0.1 * normal, normal, 10 * normal, rng.random((60, network.inputs)) ** 3])
