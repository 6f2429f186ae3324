"""Planted dead units, waves of known frequency, images that settle at a known time."""

from dataclasses import replace

import numpy as np
import pytest

from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.deconv.diagnosis import aliasing, cosine, dead_channels, settled
from refimpl.network import Network


def test_planted_dead_channels_are_found(rng):
    network = small_net((1, 12, 12), 4, rng=rng, dtype=np.float64)
    conv = network.layers[1]
    bias = conv.b.copy()
    bias[[1, 3]] = -1e3
    dying = Network((network.layers[0], replace(conv, b=bias), *network.layers[2:]))
    x = rng.random((20, 144))
    assert np.flatnonzero(dead_channels(dying, x, layers=3)).tolist() == [1, 3]
    a = dying.forward(x, upto=len(dying.layers) - 1)[0]
    assert (
        dead_channels(dying, x, layers=len(dying.layers) - 1).tolist()
        == (~(a > 0).any(axis=0)).tolist()
    )
    with pytest.raises(ValueError, match="x"):
        dead_channels(dying, x[:0], layers=3)


def wave(period, pixels=48):
    y, x = np.mgrid[:pixels, :pixels]
    return np.sin(2 * np.pi * (x + 0.3) / period)[None, None] + 0 * y


def test_a_wave_folds_above_nyquist_only():
    identity = np.ones((1, 1, 1, 1))
    assert aliasing(identity, 1, wave(3)) == 0
    assert aliasing(identity, 2, wave(3)) > 0.95 and aliasing(identity, 2, wave(8)) < 0.01
    assert aliasing(identity, 4, wave(6)) > 0.95 and aliasing(identity, 4, wave(16)) < 0.01
    assert aliasing(identity, 2, wave(3).swapaxes(2, 3)) > 0.95
    assert aliasing(identity, 2, wave(8) + 7) == pytest.approx(
        aliasing(identity, 2, wave(8)), abs=1e-10
    )
    assert np.isnan(aliasing(identity, 2, 0 * wave(8)))


def test_a_smoothing_filter_aliases_less(rng):
    images, box = rng.normal(size=(3, 1, 40, 40)), np.ones((1, 1, 5, 5)) / 25
    assert aliasing(box, 3, images) < aliasing(np.ones((1, 1, 1, 1)), 3, images) / 2
    for stride in (0, 1.5):
        with pytest.raises(ValueError, match="stride"):
            aliasing(box, stride, images)


def test_filters_of_integers_round_no_pixel(rng):
    images, edges = rng.random((2, 1, 16, 16)), np.array([[[[-1, 1]]]])
    assert aliasing(edges, 2, images) == aliasing(edges.astype(float), 2, images) > 0


def test_white_noise_has_the_share_of_its_area(rng):
    share = aliasing(np.ones((1, 1, 1, 1)), 2, rng.normal(size=(60, 1, 32, 32)))
    assert share == pytest.approx(
        1 - (17 / 32) ** 2, abs=0.01
    )  # 17 of 32 frequencies lie at or below 1/4 in each axis


def test_settling_by_hand():
    end = np.array([1.0, 0, 0])
    other = np.array([0, 1.0, 0])
    snapshots = np.array(
        [[end, other, end, 0 * end], [other, other, end, end], [end, end, end, end], [end] * 4]
    )
    assert settled(snapshots).tolist() == [2, 2, 0, 1]
    assert cosine(snapshots[0], snapshots[-1])[:3].tolist() == [1, 0, 1]
    assert settled(snapshots[:1]).tolist() == [0, 0, 0, 0]
