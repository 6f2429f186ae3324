"""Thresholds and masks of one pass: against sorting, loops and every order of the images."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.companions.dissection import activation_masks as am
from refimpl.companions.dissection.activation_masks import (
    RunningTop,
    activation_masks,
    bilinear_taps,
    upsample,
)


def planted(maps):
    """activations_of and images for ready-made maps (N, units, h, w)."""
    return (lambda rows: maps[rows]), np.arange(len(maps))


def smooth_noise(rng, n, units, side):
    a = rng.normal(size=(n, units, side, side))
    return (
        a
        + np.roll(a, 1, 2)
        + np.roll(a, 1, 3)
        + np.roll(a, (1, 1), (2, 3))
        + rng.normal(size=(n, units, 1, 1))
    )


def naive_upsample(a, height, width):
    """Value at the middle of each fine pixel, between the middles of the coarse ones; the border
    value beyond.
    """
    h, w = a.shape

    def at(i, fine, coarse):
        t = min(max((i + 0.5) * coarse / fine - 0.5, 0), coarse - 1)
        j = min(math.floor(t), max(coarse - 2, 0))
        return j, min(j + 1, coarse - 1), t - j

    out = np.zeros((height, width))
    for i in range(height):
        i0, i1, s = at(i, height, h)
        for j in range(width):
            j0, j1, t = at(j, width, w)
            out[i, j] = (
                (1 - s) * (1 - t) * a[i0, j0]
                + s * (1 - t) * a[i1, j0]
                + (1 - s) * t * a[i0, j1]
                + s * t * a[i1, j1]
            )
    return out


@given(
    seed=st.integers(0, 10**6),
    h=st.integers(1, 5),
    w=st.integers(1, 5),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_upsampling(seed, h, w, height, width):
    a = np.random.default_rng(seed).normal(size=(3, h, w))
    expected = [naive_upsample(one, height, width) for one in a]
    assert np.allclose(upsample(a, (height, width)), expected, rtol=1e-13, atol=1e-13)
    assert (
        upsample(np.full((1, h, w), 0.1), (height, width)) == 0.1
    ).all()  # not a rounding above a plateau


def test_receptive_field_centres():
    """A 3 x 3 valid convolution: value j sits on pixel j + 1; the border goes on."""
    assert upsample(np.array([[[1.0, 2.0, 4.0]]]), (1, 5), field=(1, 1)).tolist() == [
        [[1, 1, 2, 4, 4]]
    ]
    left, right, share = bilinear_taps(6, 3)
    assert (left + share).tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2] and right.tolist() == [
        1,
        1,
        1,
        2,
        2,
        2,
    ]


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 60),
    count=st.integers(1, 80),
    values=st.integers(2, 20),
)
def test_the_largest_of_a_stream(seed, n, count, values):
    rng = np.random.default_rng(seed)
    stream = rng.integers(0, values, (n, 5)).astype(float)  # many ties
    running, whole = RunningTop(2, count, stream.dtype), sorted(stream.ravel(), reverse=True)
    for some in stream:
        running.add(np.stack([some, -some])[None, :, :, None], np.array([True, False]))
        assert (
            running.bounds[0] <= (whole[count - 1] if len(whole) >= count else -np.inf)
            and running.bounds[1] == -np.inf
        )
    assert sorted(running.cut(0), reverse=True) == whole[:count] and len(running.cut(1)) == 0
    assert running.bounds[0] == (whole[count - 1] if len(whole) >= count else -np.inf)


def test_masks_of_images_and_units_that_are_not_there_are_named(rng):
    active = activation_masks(*planted(rng.normal(size=(5, 2, 4, 4))), (8, 8), quantile=0.1)
    assert sum(active.mask(1, x).sum() for x in range(5)) == len(active.positions[1]) > 0
    for unit, image, words in (
        (0, 5, "image: expected 0 to 4, got 5"),
        (0, -1, "image: expected 0 to 4, got -1"),
        (-1, 0, "unit: expected 0 to 1, got -1"),
        (2, 0, "unit: expected 0 to 1, got 2"),
    ):
        with pytest.raises(ValueError, match=words):
            active.mask(unit, image)


@pytest.mark.parametrize("order", ["as drawn", "rising", "falling"])
def test_one_pass_is_exact_for_every_block_and_order(rng, monkeypatch, order):
    monkeypatch.setattr(am, "SLACK", 10)  # thin out again and again
    maps = np.maximum(smooth_noise(rng, 60, 5, 4) - 1, 0)  # ReLU: most values are equal, zero
    if order != "as drawn":
        maps = maps[np.argsort(maps.max(axis=(1, 2, 3)))[:: 1 if order == "rising" else -1]]
    whole = activation_masks(*planted(maps), (8, 8), quantile=0.05, block=60)
    for block in (1, 7, 59):
        part = activation_masks(*planted(maps), (8, 8), quantile=0.05, block=block)
        assert np.array_equal(part.thresholds, whole.thresholds) and np.array_equal(
            part.peaks, whole.peaks
        )
        assert all(np.array_equal(a, b) for a, b in zip(part.positions, whole.positions))
        assert all(np.array_equal(a, b) for a, b in zip(part.values, whole.values))
    flat = maps.swapaxes(0, 1).reshape(5, -1)
    assert np.array_equal(
        whole.thresholds, np.sort(flat, axis=1)[:, ::-1][:, 48]
    )  # .05 of 960 values
    assert ((flat > whole.thresholds[:, None]).mean(axis=1) <= 0.05).all()
