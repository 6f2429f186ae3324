"""Bag of words: k-means on planted clusters, tf-idf by a loop, what order cannot change, the
slides' slip.
"""

import itertools
import math

import numpy as np
import pytest

from refimpl.companions.descriptors import bag_of_words as bow
from refimpl.companions.descriptors.bag_of_words import (
    cosines,
    inverse_document_frequency,
    k_means,
    tf_idf,
    vocabulary,
)


def planted(rng, *, words=10, each=30, spread=0.01, dimensions=128):
    """Points (words each, dimensions) round `words` centres far from one another, and which centre
    each is of.
    """
    centres = rng.normal(size=(words, dimensions))
    label = np.repeat(np.arange(words), each)
    return centres[label] + spread * rng.normal(size=(words * each, dimensions)), label


def sift_like(rng, n, *, words=10):
    """Descriptors as SIFT's: whole numbers 0 to 255 round `words` planted patterns."""
    patterns = rng.integers(0, 150, size=(words, 128))
    label = rng.integers(words, size=n)
    return np.clip(patterns[label] + rng.integers(0, 20, size=(n, 128)), 0, 255).astype(
        np.uint8
    ), label


@pytest.mark.parametrize("seed", range(10))
def test_planted_clusters_are_found_exactly(seed):
    points, label = planted(np.random.default_rng(seed))
    centres = k_means(points, 10, rng=np.random.default_rng(seed + 100))
    means = np.stack([points[label == k].mean(axis=0) for k in range(10)])
    assert np.abs(centres - means[np.lexsort(means.T[::-1])]).max() <= 1e-13


def test_lloyd_that_does_not_settle_is_said(rng, monkeypatch):
    monkeypatch.setattr(bow, "ROUNDS", 1)
    with pytest.raises(ValueError, match="points: expected k-means to settle.*not in 1 rounds"):
        bow.lloyd(rng.normal(size=(50, 2)), np.eye(2))


def test_the_least_inertia_of_all_partitions(rng, monkeypatch):
    points = rng.normal(size=(8, 2))
    parts = [
        np.array(part) for part in itertools.product(range(3), repeat=8) if len(set(part)) == 3
    ]
    best = min(
        sum(points[part == k].var(axis=0).sum() * (part == k).sum() for k in range(3))
        for part in parts
    )
    monkeypatch.setattr(bow, "RESTARTS", 50)
    centres = k_means(points, 3, rng=rng)
    assert bow.squared_distances(points, centres).min(axis=1).sum() == pytest.approx(
        best, rel=1e-12
    )


def test_a_settled_k_means_is_a_fixed_point(rng):
    points = rng.normal(size=(200, 5))
    centres, assignment, inertia = bow.lloyd(points, points[:6])
    squares = ((points[:, None] - centres) ** 2).sum(axis=2)
    assert np.array_equal(assignment, squares.argmin(axis=1)) and inertia == pytest.approx(
        squares.min(axis=1).sum()
    )
    for k in range(6):
        assert np.abs(centres[k] - points[assignment == k].mean(axis=0)).max() <= 1e-14


def test_an_empty_cluster_moves_to_the_farthest_point():
    points = np.array([[100.0], [101.0], [110.0]])
    centres, assignment, inertia = bow.lloyd(points, np.array([[100.5], [1e6]]))
    assert (
        sorted(centres.ravel().tolist()) == [100.5, 110.0]
        and inertia == 0.5
        and len(set(assignment.tolist())) == 2
    )


def test_the_first_centres_follow_the_squared_distance(rng):
    points = np.array(
        [[0.0], [1.0], [3.0]]
    )  # after 0: 1/10 and 9/10; after 1: 1/5, 4/5; after 3: 9/13, 4/13
    drawn = [tuple(bow.first_centres(points, 2, rng).ravel()) for _ in range(6000)]
    for pair, p in {(0, 3): 0.9, (0, 1): 0.1, (1, 3): 0.8, (3, 0): 9 / 13}.items():
        assert drawn.count(pair) / 6000 == pytest.approx(p / 3, abs=0.025)


@pytest.mark.parametrize("standardize", bow.STANDARDIZE)
def test_the_order_of_descriptors_changes_no_bit(rng, standardize):
    x, _ = sift_like(rng, 400)
    shuffled = rng.permutation(len(x))
    one, other = (
        vocabulary(d, rng=np.random.default_rng(3), standardize=standardize)
        for d in (x, x[shuffled])
    )
    assert np.array_equal(one.centres, other.centres) and np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.words(x)[shuffled], other.words(x[shuffled]))
    assert np.array_equal(one.counts(x), other.counts(x[shuffled])) and one.counts(x).sum() == len(
        x
    )


def test_planted_words_are_recovered(rng):
    x, label = sift_like(rng, 600)
    words = vocabulary(x, rng=rng).words(x)
    assert (
        len({*zip(words.tolist(), label.tolist())}) == 10 and len(set(words.tolist())) == 10
    )  # one to one


def on_a_line(rng, n, *, words=10):
    """Planted words that are one pattern in `words` strengths: descriptors strength * (1 ... 1),
    spread 1.
    """
    label = rng.integers(words, size=n)
    return np.clip(20 * (label[:, None] + 1) + rng.integers(-1, 2, size=(n, 128)), 0, 255).astype(
        np.uint8
    ), label


def test_the_slip_loses_words(rng):
    """One pattern in ten strengths: raw descriptors are all nearest to the centre of the largest
    strength.
    """
    x, label = on_a_line(rng, 600)
    right, slip = (
        vocabulary(x, rng=np.random.default_rng(0), standardize=how) for how in bow.STANDARDIZE
    )
    assert np.array_equal(right.centres, slip.centres)  # the vocabulary is the same
    assert len({*zip(right.words(x).tolist(), label.tolist())}) == 10 == (right.counts(x) > 0).sum()
    assert np.sort(slip.counts(x)).tolist() == [0] * 9 + [600]


def test_the_slip_changes_the_cosine_of_two_images(rng):
    """Two images that share no planted word have cosine 0; with the slip they have the same only
    word, and cosine 1.
    """
    x, label = on_a_line(rng, 600)
    cosine = {}
    for how in bow.STANDARDIZE:
        v = vocabulary(x, rng=np.random.default_rng(0), standardize=how)
        counts = np.stack(
            [v.counts(x[label < 5]), v.counts(x[label >= 5]), v.counts(x[label == 0])]
        )
        vectors = tf_idf(counts, inverse_document_frequency(counts))
        cosine[how] = float(cosines(vectors[:1], vectors[1:2])[0, 0])
    assert cosine == {"both": 0.0, "vocabulary": 1.0}


def test_the_slip_is_harmless_where_words_are_directions(rng):
    """Independent patterns: <x, centre> is largest for the own one even without standardization."""
    x, label = sift_like(rng, 600)
    slip = vocabulary(x, rng=rng, standardize="vocabulary")
    assert len({*zip(slip.words(x).tolist(), label.tolist())}) == 10


def test_tf_idf_by_a_loop(rng):
    counts = rng.integers(0, 4, size=(12, 10)) * rng.integers(0, 2, size=(12, 10))
    counts[0], counts[:, 2], counts[:, 3] = 1, 5, 0  # a word of every image; a word of one
    counts[0, 3] = 1
    idf = inverse_document_frequency(counts)
    vectors = tf_idf(counts, idf)
    for i in range(12):
        raw = []
        for w in range(10):
            df = sum(1 for j in range(12) if counts[j, w] > 0)
            raw.append(
                math.sqrt(counts[i, w] / counts[i].sum() * max(math.log(12 / (df + 1)), 1e-4))
            )
        norm = math.sqrt(sum(r * r for r in raw))
        assert vectors[i] == pytest.approx([r / norm for r in raw], rel=1e-13)
    assert idf[2] == 1e-4 and idf[3] == pytest.approx(math.log(6))
    assert np.diag(cosines(vectors, vectors)) == pytest.approx(np.ones(12), rel=1e-14)


def test_the_floor_keeps_a_direction_and_no_word_has_none():
    counts = np.array([[4, 0], [1, 0], [0, 0]])
    vectors = tf_idf(counts[:2], inverse_document_frequency(counts[:2]))
    assert np.array_equal(vectors, [[1, 0], [1, 0]])  # idf = log(2 / 3) < 0, floored
    assert np.isnan(cosines(tf_idf(counts, np.ones(2)), vectors)[2]).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda rng: k_means(np.ones((5, 2)), 2, rng=rng),
            "k: expected 1 to 1 words, the number of distinct.*got 2",
        ),
        (lambda rng: k_means(np.full((5, 2), np.nan), 2, rng=rng), "points: expected finite"),
        (
            lambda rng: vocabulary(np.zeros((0, 128)), rng=rng),
            "descriptors: expected at least 10, got none",
        ),
        (lambda rng: vocabulary(np.eye(9), rng=rng), "k: expected 1 to 9 words.*got 10"),
        (
            lambda rng: vocabulary(np.eye(20), rng=rng, standardize="none"),
            "standardize: expected one of .*got 'none'",
        ),
    ],
)
def test_bad_input(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng)
