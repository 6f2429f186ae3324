"""Perturbed representations keep their norm and nothing else by accident; pruning and quantization
by hand.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.inversion.perturbation import (
    binarize,
    drop,
    prune,
    quantize,
    retrain_pruned,
)
from refimpl.layers import Affine
from refimpl.network import Network

CODES = arrays(
    np.float64, (3, 6), elements=st.floats(-100, 100).map(lambda v: 0.0 if abs(v) < 1e-3 else v)
)


@given(CODES)
def test_binarize_keeps_signs_and_norm_at_one_magnitude(codes):
    found = binarize(codes)
    assert np.array_equal(np.sign(found), np.sign(codes))
    assert np.allclose(np.linalg.norm(found, axis=1), np.linalg.norm(codes, axis=1), rtol=1e-12)
    for row in np.abs(found):
        assert np.ptp(row[row > 0]) <= 1e-12 * row.max() if row.any() else True
    assert np.allclose(binarize(found), found, rtol=1e-12)


@given(CODES, st.integers(0, 99))
def test_drop_keeps_the_norm_and_the_ratios(codes, seed):
    for rng in (None, np.random.default_rng(seed)):
        found = drop(codes, rng=rng)
        for a, b in zip(codes, found):
            kept = b != 0
            assert kept.sum() <= 3
            if kept.any():
                assert np.isclose(np.linalg.norm(a), np.linalg.norm(b), rtol=1e-12)
                assert np.allclose(b[kept] / a[kept], (b[kept] / a[kept])[0], rtol=1e-9)
            if rng is None:
                assert np.abs(a[~kept]).max() <= np.abs(a[kept]).min(initial=np.inf)


def test_random_half_is_half_and_uniform(rng):
    dropped = drop(np.ones((4000, 8)), rng=rng) == 0
    assert (dropped.sum(axis=1) == 4).all() and np.abs(dropped.mean(axis=0) - 0.5).max() < 0.04
    assert not np.array_equal(dropped[0], dropped[1:].all(axis=0))


def test_shapes_types_and_zeros(rng):
    codes = rng.normal(size=(2, 3, 4, 4)).astype(np.float32)
    for found in (binarize(codes), drop(codes), drop(codes, rng=rng)):
        assert found.shape == codes.shape and found.dtype == np.float32
    assert not binarize(np.zeros((1, 4))).any() and not drop(np.zeros((1, 4))).any()
    assert np.array_equal(drop(codes, share=0.0), codes)


def test_prune_by_hand(rng):
    network = Network((Affine(np.array([[3.0, -1.0], [0.5, -4.0]]), np.array([9.0, 0.1])),))
    pruned = prune(network).layers[0]
    assert pruned.w.tolist() == [[3.0, 0.0], [0.0, -4.0]] and pruned.b.tolist() == [9.0, 0.1]
    net = small_net((1, 8, 8), 4, rng=rng)
    for changed in (prune(net), prune(net, rng=rng)):
        for a, b in zip(net.parameters, changed.parameters):
            assert (b == 0).sum() == a.size // 2 if a.ndim > 1 else np.array_equal(a, b)
            assert np.array_equal(b[b != 0], a[b != 0]) and a.dtype == b.dtype


def test_what_is_pruned_stays_pruned(rng):
    net, x, y = prune(small_net((1, 8, 8), 4, rng=rng)), rng.random((40, 64)), np.arange(40) % 4
    again = retrain_pruned(net, x, y, steps=5, lr=0.01, batch=20, rng=rng)
    for a, b in zip(net.parameters, again.parameters):
        if a.ndim > 1:
            assert not b[a == 0].any() and (b[a != 0] != a[a != 0]).any() and a.dtype == b.dtype
        else:
            assert (a != b).any()  # biases start at 0 and are free


def test_quantize_is_the_nearest_level(rng):
    net = small_net((1, 8, 8), 4, rng=rng)
    for bits in (2, 4, 8):
        for a, b in zip(net.parameters, quantize(net, bits=bits).parameters):
            if a.ndim > 1:
                step = np.abs(a).max() / (2 ** (bits - 1) - 1)
                assert (
                    np.abs(a - b).max() <= 0.5001 * step
                    and len(np.unique(b)) <= 2**bits - 1
                    and a.dtype == b.dtype
                )
                levels = step * np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1) + 1)
                assert np.abs(b[..., None] - levels).min(axis=-1).max() <= 1e-6
            else:
                assert np.array_equal(a, b)
    one = quantize(net, bits=1)
    for a, b in zip(net.parameters, one.parameters):
        if a.ndim > 1:
            assert np.array_equal(np.sign(a), np.sign(b)) and np.isclose(
                np.linalg.norm(a), np.linalg.norm(b), rtol=1e-5
            )
    zero = Network((Affine(np.zeros((2, 2)), np.ones(2)),))
    assert not quantize(zero).parameters[0].any() and not quantize(zero, bits=1).parameters[0].any()


def test_bad_input_is_named(rng):
    network = Network((Affine(np.ones((2, 2)), np.ones(2)),))
    for call, word in (
        (lambda: drop(np.ones((1, 2)), share=1.0), "share"),
        (lambda: prune(network, share=-0.1), "share"),
        (lambda: quantize(network, bits=0), "bits"),
        (lambda: quantize(network, bits=1.5), "bits"),
        (lambda: binarize(np.array([[np.nan]])), "codes"),
        (lambda: binarize(np.array([[3, -4]])), "int64"),
        (lambda: drop(np.array([[np.inf]])), "codes"),
    ):
        with pytest.raises(ValueError, match=word):
            call()
