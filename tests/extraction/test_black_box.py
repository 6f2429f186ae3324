"""The black box: networks from queries alone, whatever is wrong with them; what is said where that
fails.
"""

import inspect

import numpy as np
import pytest
from degenerate import KINDS as EVERY_KIND
from degenerate import network
from hypothesis import given
from hypothesis import strategies as st

from refimpl.companions.extraction.black_box import cuts, gradient, recover
from refimpl.companions.extraction.line_kinks import kinks, measure, reach
from refimpl.layers import Affine, ReLU, Tanh
from refimpl.network import Network, one_hidden_net, softmax_net

KINDS = tuple(kind for kind in EVERY_KIND if kind not in ("near duplicate", "low rank outgoing"))
seeds = st.integers(0, 10**6)


class Counted:
    """A query that counts its images and checks that it is asked for no more than logits."""

    def __init__(self, teacher):
        self.teacher, self.images = teacher, 0

    def __call__(self, x):
        assert x.ndim == 2 and x.dtype == np.float64
        self.images += len(x)
        return self.teacher.logits(x)


def relative_error(found, teacher):
    rng, worst = np.random.default_rng(5), 0.0
    for scale in (0.1, 1.0, 10.0):
        x = scale * rng.normal(size=(200, teacher.inputs))
        z = teacher.logits(x)
        worst = max(worst, np.abs(found.network.logits(x) - z).max() / np.abs(z).max())
    return worst


def test_nothing_but_queries():
    assert list(inspect.signature(recover).parameters) == ["query", "inputs", "rng", "tol", "lines"]


@given(
    seed=seeds,
    kind=st.sampled_from(KINDS),
    inputs=st.integers(2, 10),
    hidden=st.integers(2, 10),
    classes=st.integers(1, 5),
)
def test_whatever_is_wrong_with_the_network(seed, kind, inputs, hidden, classes):
    teacher = network(seed, inputs, hidden, classes, kind, ReLU())
    query = Counted(teacher)
    found = recover(query, inputs, rng=np.random.default_rng(seed))
    assert found.queries == query.images
    assert found.exact and relative_error(found, teacher) < 1e-8


@given(seed=seeds, inputs=st.integers(4, 12), hidden=st.integers(2, 8), classes=st.integers(2, 6))
def test_parameters_up_to_order_and_scale(seed, inputs, hidden, classes):
    """D K at least h, so that the 0-1 numbers are determined; else an affine rest may stand for
    some of them.
    """
    teacher = network(seed, inputs, hidden, classes, "sound", ReLU())
    found = recover(teacher.logits, inputs, rng=np.random.default_rng(seed))
    assert found.gates == hidden and found.affine == 0 and found.reason == "every gate found"
    (w, b, w2, b2), (wt, bt, w2t, b2t) = found.network.parameters, teacher.parameters
    norm, norm_t = np.linalg.norm(w, axis=0), np.linalg.norm(wt, axis=0)
    order = np.argmax((wt / norm_t).T @ (w / norm), axis=1)
    assert sorted(order) == list(range(len(b)))
    w, b, w2, norm = w[:, order], b[order], w2[order], norm[order]
    pairs = (
        (w / norm, wt / norm_t),
        (b / norm, bt / norm_t),
        (w2 * norm[:, None], w2t * norm_t[:, None]),
        (b2, b2t),
    )
    for got, right in pairs:
        assert np.abs(got - right).max() < 1e-7 * (1 + np.abs(right).max())


@pytest.mark.parametrize("classes, most", [(10, 7_000), (1, 34_000)])
def test_how_many_queries(rng, classes, most):
    """784-30-K: one line, K gates a gradient; the counting bound of ((D + 1) h + (h + 1) K - h) / K
    is not beaten.
    """
    teacher = one_hidden_net(784, 30, classes, rng=rng)
    found = recover(teacher.logits, 784, rng=rng, lines=1, tol=1e-8)
    assert found.exact and found.gates == 30
    assert (785 * 30 + 31 * classes - 30) / classes < found.queries < most


def test_opposite_units_leave_an_affine_rest():
    teacher = network(7, 6, 4, 3, "opposite", ReLU())
    found = recover(teacher.logits, 6, rng=np.random.default_rng(0))
    assert (
        found.gates == 3
        and found.affine == 1
        and "affine rest of rank 1" in found.reason
        and found.exact
    )


def test_a_linear_network_is_an_affine_rest(rng):
    linear = softmax_net(6, 3, rng=rng, sigma=1.0)
    found = recover(linear.logits, 6, rng=rng)
    assert found.gates == 0 and found.affine == 3 and found.exact


def test_what_cannot_be_found_is_said(rng):
    smooth = one_hidden_net(5, 4, 3, rng=rng, activation=Tanh())
    found = recover(smooth.logits, 5, rng=rng, lines=1)
    assert not found.exact and found.error > 1e-6 and "fresh queries differ by" in found.reason
    teacher = one_hidden_net(5, 4, 3, rng=rng)
    rounded = recover(lambda x: np.round(teacher.logits(x), 4), 5, rng=rng, lines=1)
    assert not rounded.exact and rounded.error > 1e-6


@pytest.mark.parametrize("seed, classes", [(4, 2), (11, 3), (31, 2)])
def test_kinks_at_which_no_slope_jumps(seed, classes):
    """Clipped logits, flat almost everywhere: kinks are seen, between pieces of slope 0."""
    teacher = one_hidden_net(3, 3, classes, rng=np.random.default_rng(seed))
    clipped = recover(
        lambda x: np.clip(teacher.logits(x), 0, 1e-3), 3, rng=np.random.default_rng(seed), lines=1
    )
    assert not clipped.exact and clipped.gates == 0


@given(seed=seeds, pieces=st.integers(0, 15), outputs=st.integers(1, 4))
def test_kinks_of_a_line(seed, pieces, outputs):
    rng = np.random.default_rng(seed)
    at, turn = np.sort(rng.standard_cauchy(pieces)), rng.normal(size=(pieces, outputs))
    slope, height = rng.normal(size=(2, outputs))

    def f(t):
        return (
            np.asarray(t)[:, None] * slope
            + height
            + np.maximum(np.asarray(t)[:, None] - at, 0) @ turn
        )

    low, high = reach(f)
    t, close = kinks(f, low, high)
    if pieces and np.diff(at).min(initial=1) > 1e-6 and np.abs(turn).max(axis=1).min() > 1e-3:
        assert close == 0 and len(t) == pieces
        t, jump = measure(f, t, low, high)
        assert np.abs(t - at).max() < 1e-9 * (1 + np.abs(at).max()) / np.abs(turn).max(axis=1).min()
        assert np.abs(jump - turn).max() < 1e-5
    elif not pieces:
        assert len(t) == 0


@given(seed=seeds, step=st.sampled_from([1e-3, 0.1, 10.0]))
def test_a_gradient_by_differences(seed, step):
    """However long the first step, and whatever gates it crosses."""
    rng = np.random.default_rng(seed)
    net, x = one_hidden_net(30, 8, 3, rng=rng), rng.normal(size=30)
    j = np.stack([net.input_gradient(x[None], np.eye(3)[[k]])[0] for k in range(3)], axis=1)
    if np.abs(net.forward(x[None], upto=1)[0]).min() > 1e-3:
        assert np.abs(gradient(net.logits, x, step, rng) - j).max() < 1e-8


def test_a_gradient_between_gates_that_are_very_close(rng):
    """A first step below the smallest one is taken all the same, at the price of digits."""
    net, x = one_hidden_net(30, 8, 3, rng=rng), rng.normal(size=30)
    j = np.stack([net.input_gradient(x[None], np.eye(3)[[k]])[0] for k in range(3)], axis=1)
    assert np.abs(gradient(net.logits, x, 5e-10, rng) - j).max() < 1e-4


@given(seed=seeds, h=st.integers(1, 20), k=st.integers(1, 5))
def test_cuts_keep_rows_independent(seed, h, k):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(h, k))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ends = cuts(rows, rng.random(h + 1))
    assert ends[0] == 0 and ends[-1] == h and all(0 < j - i <= k for i, j in zip(ends, ends[1:]))
    runs = [rows[i:j] for i, j in zip(ends, ends[1:]) if j - i > 1]
    assert all(np.linalg.svd(run, compute_uv=False)[-1] >= 0.05 for run in runs)


@pytest.mark.parametrize(
    "query, how, message",
    [
        (
            lambda x: x[0],
            {},
            r"query: expected finite logits \(N, K\) for N = 4 images, got shape \(3,\)",
        ),
        (lambda x: np.full((len(x), 2), np.nan), {}, "query: expected finite logits"),
        (lambda x: x[:, :0], {}, r"query: expected finite logits .* got shape \(4, 0\)"),
        (lambda x: x[:, :2], {"lines": 0}, "inputs, lines: expected at least 1, got 3 and 0"),
    ],
)
def test_bad_arguments(query, how, message):
    with pytest.raises(ValueError, match=message):
        recover(query, 3, rng=np.random.default_rng(0), **how)


def test_a_unit_that_is_open_almost_everywhere_is_still_met():
    """Its boundary is 1e4 away from the origin: the line goes there."""
    rng = np.random.default_rng(2)
    w, b = rng.normal(size=(8, 4)), np.array([1e4, 0.5, -0.3, 0.1])
    teacher = Network((Affine(w, b), ReLU(), Affine(rng.normal(size=(4, 3)), rng.normal(size=3))))
    found = recover(teacher.logits, 8, rng=rng)
    assert found.gates == 4 and relative_error(found, teacher) < 1e-8
