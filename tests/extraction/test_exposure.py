"""The measures of exposure against hand-worked cases, naive loops, and planted leaks."""

import numpy as np
import pytest

from refimpl.companions.extraction import exposure
from refimpl.companions.extraction.exposure import (
    auc,
    energy_in_span,
    membership_scores,
    resemblance,
)
from refimpl.layers import Affine
from refimpl.network import Network


def test_resemblance_by_loops(rng, monkeypatch):
    images, others = rng.normal(size=(3, 7)) + 5, rng.normal(size=(50, 7))
    wanted = [max(abs(np.corrcoef(a, b)[0, 1]) for b in others) for a in images]
    assert np.allclose(resemblance(images, others), wanted, rtol=1e-12)
    monkeypatch.setattr(exposure, "BLOCK", 7)
    assert np.allclose(resemblance(images, others), wanted, rtol=1e-12)
    assert resemblance(images, -2 * images[1:2] + 3)[1] == pytest.approx(1)
    with pytest.raises(ValueError, match="others"):
        resemblance(images, others[:0])


def test_energy_is_a_projection(rng):
    images, x = rng.normal(size=(4, 30)), rng.normal(size=(6, 30))
    share = energy_in_span(x, images)
    for row, value in zip(x - x.mean(axis=1, keepdims=True), share):
        design = np.vstack([images, np.ones(30)]).T
        left = row - design @ np.linalg.lstsq(design, row, rcond=None)[0]
        assert value == pytest.approx(1 - left @ left / (row @ row), rel=1e-10)
    assert np.allclose(energy_in_span(images * 3 + 2, images), 1)
    assert np.allclose(
        energy_in_span(x, np.vstack([images, images[:1], 0 * images[:1]])), share
    )  # rank, not count
    assert np.allclose(energy_in_span(x, np.eye(30)), 1)
    assert energy_in_span(np.full((1, 30), 2.0), images).tolist() == [0]


def test_the_share_of_a_random_span_is_its_dimension(rng):
    shares = [
        energy_in_span(rng.normal(size=(200, 50)), rng.normal(size=(10, 50))).mean()
        for _ in range(20)
    ]
    assert abs(np.mean(shares) - 10 / 49) < 0.01


def test_auc_by_pairs_and_its_error(rng):
    a, b = rng.integers(0, 9, 40) + 1.0, rng.integers(0, 9, 30)
    pairs = np.mean([(x > y) + 0.5 * (x == y) for x in a for y in b])
    assert auc(a, b)[0] == pytest.approx(pairs, rel=1e-12)
    assert auc(b, a)[0] == pytest.approx(1 - pairs, rel=1e-12)
    areas = [auc(rng.normal(size=50) + 0.5, rng.normal(size=60)) for _ in range(400)]
    assert np.mean([e for _, e in areas]) == pytest.approx(np.std([v for v, _ in areas]), rel=0.15)
    for bad in (a[:0], np.array([np.nan])):
        with pytest.raises(ValueError, match="members"):
            auc(bad, b)


def test_a_label_for_every_image(rng):
    network = Network((Affine(rng.normal(size=(4, 3)), np.zeros(3)),))
    with pytest.raises(ValueError, match="y: expected one label an image, 2, got 1"):
        membership_scores(network, rng.normal(size=(2, 4)), np.array([1]))


def test_a_planted_leak_is_seen(rng):
    """A network that calls its training images right and others by chance, and images that hold a
    training image.
    """
    train, other = rng.normal(size=(20, 60)), rng.normal(size=(20, 60))
    y = rng.integers(0, 3, 20)
    w = np.linalg.lstsq(train, 5 * np.eye(3)[y], rcond=None)[0]
    network = Network((Affine(w, np.zeros(3)),))
    area, error = auc(membership_scores(network, train, y), membership_scores(network, other, y))
    assert area - 4 * error > 0.5
    again, error = auc(
        membership_scores(network, other, y),
        membership_scores(network, rng.normal(size=(20, 60)), y),
    )
    assert abs(again - 0.5) < 4 * error
    mixed = train[:5] + 0.1 * rng.normal(size=(5, 60))
    assert resemblance(mixed, train).min() > 0.98 > resemblance(mixed, other).max()
