"""Scores between sets of images: ours without scikit-image; with it known answers, from equal
images to noise.
"""

import sys

import numpy as np
import pytest

from refimpl.companions.descriptors import descriptors
from refimpl.companions.descriptors.correspondence import (
    contribution,
    inliers,
    match,
    repeatability,
)
from refimpl.companions.descriptors.descriptors import (
    FEW_DESCRIPTORS,
    FEW_MATCHES,
    NO_DESCRIPTOR,
    SCORES,
    Description,
    bag_of_words_scores,
    compare_descriptions,
    compare_sets,
    describe,
    grey,
    mean_score,
    pair_geometry,
)


@pytest.fixture
def skimage():
    return pytest.importorskip(
        "skimage", reason="scikit-image is not installed: pip install 'refimpl[descriptors]'"
    )


def scene(rng, *, rectangles=14, size=32):
    """A drawn image (3, size, size): rectangles of random colours, round which SIFT and Harris find
    corners.
    """
    image = np.full((3, size, size), 0.5)
    for _ in range(rectangles):
        top, left = rng.integers(size - 5, size=2)
        height, width = rng.integers(4, 12, size=2)
        image[:, top : top + height, left : left + width] = rng.random((3, 1, 1))
    return image


def described(descriptors, corners=0):
    """A Description with these SIFT descriptors (N, 128), keypoints and windows anywhere."""
    n = len(descriptors)
    keypoints, descriptors = (
        np.arange(2.0 * n).reshape(n, 2),
        np.asarray(descriptors, np.uint8).reshape(n, 128),
    )
    windows = np.arange(121.0 * corners).reshape(corners, 121)
    return Description(keypoints, descriptors, np.zeros((corners, 2), int), windows)


@pytest.mark.parametrize("kind, of", [("similarity", "sift"), ("affine", "harris")])
def test_matches_that_fix_no_map_are_not_judged(skimage, kind, of):
    """Many at one place, and for an affine map many on one line, fit any map: no score of 0."""
    many = np.eye(6, 128)
    one_place, line = np.full((6, 2), 7.0), np.outer(np.arange(6.0), [1, 2])
    rng = np.random.default_rng(0)
    scattered = rng.uniform(0, 100, (6, 2))

    def described(points):
        return Description(points, many, points, many)

    name = {"sift": "sift_contribution", "harris": "harris_repeatability"}[of]
    for a, b in ((one_place, one_place), (scattered, one_place), (one_place, scattered)):
        assert pair_geometry(described(a), described(b), of=name, seed=0)[0] == "too few matches"
    found = pair_geometry(described(line), described(line), of=name, seed=0)[0]
    assert found == ("too few matches" if kind == "affine" else 1)
    assert pair_geometry(described(scattered), described(scattered), of=name, seed=0)[0] == 1


def test_matches_by_a_loop(rng):
    a, b = rng.normal(size=(9, 4)), rng.normal(size=(7, 4))
    expected = [
        [i, min(range(7), key=lambda j, u=u: sum((p - q) ** 2 for p, q in zip(u, b[j])))]
        for i, u in enumerate(a)
    ]
    assert match(a, b).tolist() == expected
    assert match(a[:0], b).shape == (0, 2) == match(a, b[:0]).shape


def test_shares_by_hand():
    assert contribution(np.array([True, False, False, True])) == 0.5
    pairs = np.array([[0, 2], [1, 2], [2, 2], [3, 0]])
    assert (
        repeatability(pairs, np.array([True, True, True, False]), (4, 5)) == 0.25
    )  # three corners, but one place
    assert repeatability(pairs, np.array([True, False, False, True]), (4, 8)) == 0.5


def test_a_reason_is_never_a_number():
    score = mean_score([0.2, NO_DESCRIPTOR, 0.4, FEW_MATCHES, NO_DESCRIPTOR], (7, 8), 10, 3)
    assert score.value == pytest.approx(0.3) and (score.judged, score.points) == (2, (7, 8))
    assert score.undefined == {NO_DESCRIPTOR: 2, FEW_MATCHES: 1}
    assert np.isnan(mean_score([NO_DESCRIPTOR], (0, 3)).value)


def test_pairs_that_cannot_be_judged_are_named():
    empty, two, many = (
        described([]),
        described(np.eye(128)[:2], corners=3),
        described(np.eye(128)[:9], corners=9),
    )
    for a, b in ((empty, many), (many, empty)):
        for of in SCORES[1:]:
            assert pair_geometry(a, b, of=of, seed=0) == (NO_DESCRIPTOR, 0, 0)
    for of in SCORES[1:]:  # two matches always fit a similarity, three an affine map
        assert pair_geometry(two, many, of=of, seed=0) == (FEW_MATCHES, 0, 0)


def test_bag_of_words_scores_of_planted_words(rng):
    """Images with the same words 1, with words of their own 0; one without descriptors is named,
    few are named.
    """
    patterns = rng.integers(0, 200, size=(10, 128))
    image = lambda words: described([patterns[w] for w in words])  # noqa: E731
    sets = {
        "same": [image([0, 1, 1, 2])],
        "other": [image([5, 6, 7, 8, 9])],
        "blank": [image([0]), image([])],
    }
    reference = [image([1, 2, 0, 1]), image([3, 4])]
    scores = bag_of_words_scores(sets, reference, rng=rng)
    assert scores["same"].value == pytest.approx(0.5) and scores["same"].points == (
        4,
        6,
    )  # cosines 1 and 0
    assert scores["other"].value == 0 and scores["other"].judged == 2
    assert scores["blank"].judged == 2 and scores["blank"].undefined == {NO_DESCRIPTOR: 2}
    again = bag_of_words_scores(sets, reference[::-1], rng=np.random.default_rng(9))
    assert again["same"].value == pytest.approx(0.5)
    few = bag_of_words_scores({"same": [image([0, 1])]}, [image([2] * 20)], rng=rng)["same"]
    assert np.isnan(few.value) and few.undefined == {FEW_DESCRIPTORS: 1}


def test_grey_stretches_each_image(rng):
    images = 40 * rng.random((3, 3, 6, 5)) - 7
    g = grey(images)
    assert (
        g.shape == (3, 6, 5) and (g.min(axis=(1, 2)) == 0).all() and (g.max(axis=(1, 2)) == 1).all()
    )
    assert np.abs(grey(3 * images + 100) - g).max() <= 1e-12
    assert np.abs(grey(np.repeat(images[:, :1], 3, axis=1)) - grey(images[:, :1])).max() <= 1e-12
    assert not grey(np.broadcast_to(rng.random((2, 3, 1, 1)), (2, 3, 6, 5))).any()


@pytest.mark.parametrize(
    "images, message",
    [
        (
            np.zeros((2, 3072)),
            r"images: expected shape \(N, 1 or 3, H, W\) with N > 0, got \(2, 3072\)",
        ),
        (np.zeros((0, 3, 8, 8)), "with N > 0"),
        (np.zeros((1, 2, 8, 8)), "1 or 3"),
        (np.full((1, 1, 8, 8), np.nan), "images: expected finite numbers"),
    ],
)
def test_bad_images(images, message):
    with pytest.raises(ValueError, match=message):
        grey(images)


def test_bad_options(rng):
    with pytest.raises(ValueError, match="kind: expected one of .*got 'rigid'"):
        inliers(np.eye(2), np.eye(2), kind="rigid", pixels=1, rng=rng)
    with pytest.raises(
        ValueError, match="source: expected at least 3 points for a map of kind 'affine', got 2"
    ):
        inliers(np.eye(2), np.eye(2), kind="affine", pixels=1, rng=rng)


def test_without_scikit_image_the_error_says_how_to_install_it(monkeypatch, rng):
    for module in ("skimage.feature", "skimage.transform", "skimage.measure"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'refimpl\[descriptors\]'"):
        describe(rng.random((1, 3, 8, 8)))
    with pytest.raises(ImportError, match=r"pip install 'refimpl\[descriptors\]'"):
        inliers(np.eye(4), np.eye(4), kind="affine", pixels=1, rng=rng)


@pytest.mark.parametrize("kind", ["similarity", "affine"])
def test_ransac_finds_the_planted_inliers(skimage, rng, kind):
    """30 points under a map of the kind, moved by less than half the tolerance, and 20 anywhere."""
    source = 224 * rng.random((50, 2))
    linear = 0.8 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    if kind == "affine":
        linear = linear @ np.array([[1.0, 0.4], [0.0, 0.7]])
    target = source @ linear.T + [15, -8] + rng.uniform(-0.3, 0.3, size=(50, 2))
    target[30:] += 60 * np.array([[np.cos(a), np.sin(a)] for a in 2 * np.pi * rng.random(20)])
    found = inliers(source, target, kind=kind, pixels=2, rng=np.random.default_rng(0))
    assert found[:30].all() and not found[30:].any()


def test_coincident_points_have_no_map(skimage, rng):
    assert not inliers(
        np.ones((5, 2)), 100 * rng.random((5, 2)), kind="affine", pixels=2, rng=rng
    ).any()


def test_equal_images_score_1_copies_high_noise_low(skimage, rng):
    """Itself 1 > a copy turned by 8 degrees or moved by 28 of 224 pixels > another drawing and
    noise, by every score.

    Copies are made at 224 x 224: turned at 32 x 32, resampling alone costs Harris half of its
    corners.
    """
    from skimage.transform import resize, rotate

    images = np.stack([[resize(c, (224, 224), order=3) for c in scene(rng)] for _ in range(3)])
    turned = np.stack([[rotate(c, 8, mode="edge", order=3) for c in image] for image in images])
    moved = np.pad(images, ((0, 0), (0, 0), (28, 0), (0, 0)), mode="edge")[:, :, :224]
    groups = {
        "itself": images,
        "turned": turned,
        "moved": moved,
        "other": np.roll(images, 1, axis=0),
        "noise": rng.random((3, 3, 32, 32)),
    }
    groups = {name: describe(group) for name, group in groups.items()}
    table = {}
    for of in SCORES[1:]:
        for name, group in groups.items():
            table[of, name] = np.mean(
                [pair_geometry(a, b, of=of, seed=1)[0] for a, b in zip(group, groups["itself"])]
            )
    words = bag_of_words_scores(
        {name: group[:1] for name, group in groups.items()}, groups["itself"][:1], rng=rng
    )
    table |= {("bag_of_words", name): score.value for name, score in words.items()}
    for of in SCORES:
        print(of, {name: round(float(table[of, name]), 3) for name in groups})
        assert table[of, "itself"] == pytest.approx(1, abs=1e-12)
        assert (
            min(table[of, "turned"], table[of, "moved"])
            > max(table[of, "other"], table[of, "noise"]) + 0.05
        )
    for of in SCORES[1:]:
        assert (
            min(table[of, "turned"], table[of, "moved"])
            > 0.6
            > 0.4
            > max(table[of, "noise"], table[of, "other"])
        )


def test_order_changes_nothing(skimage, rng):
    """Images of a set, and the descriptors of an image, in another order; the bag of words also
    with sets exchanged.
    """
    one, two = (describe(np.stack([scene(rng) for _ in range(2)]), size=96) for _ in range(2))
    scores = compare_descriptions({"set": one}, two, rng=np.random.default_rng(5))["set"]
    other = compare_descriptions({"set": one[::-1]}, two[::-1], rng=np.random.default_rng(5))["set"]
    for of in SCORES:
        assert scores[of].value == pytest.approx(other[of].value, rel=1e-12)
        assert (scores[of].points, scores[of].matches, scores[of].inliers) == (
            other[of].points,
            other[of].matches,
            other[of].inliers,
        )
    back = compare_descriptions({"set": two}, one, rng=np.random.default_rng(5))["set"]
    assert back["bag_of_words"].value == pytest.approx(scores["bag_of_words"].value, rel=1e-12)
    assert back["sift_contribution"].points == scores["sift_contribution"].points[::-1]


def test_compare_sets(skimage, rng):
    """After = the reference itself and before = noise: higher after, by every score; the counts add
    up.
    """
    reference = np.stack([scene(rng) for _ in range(2)])
    other = np.stack([scene(rng) for _ in range(2)])
    scores = compare_sets(
        rng.random(other.shape), reference, reference, chance=other, rng=rng, size=96
    )
    assert list(scores) == ["before", "after", "chance"] and all(
        list(s) == list(SCORES) for s in scores.values()
    )
    for of in SCORES[1:]:
        assert (
            scores["after"][of].value > 0.5 > scores["before"][of].value
        )  # two of four pairs are equal images
        s = scores["after"][of]
        assert (
            s.judged == 4
            and s.points[0] == s.points[1] > 0
            and s.matches == 2 * s.points[0] >= s.inliers
        )


def test_images_without_descriptors_are_named(skimage, rng):
    flat = np.full((2, 3, 32, 32), 0.3)
    scores = compare_sets(flat, scene(rng)[None], scene(rng)[None], rng=rng, size=96)
    for of in SCORES:
        assert np.isnan(scores["before"][of].value) and scores["before"][of].undefined == {
            NO_DESCRIPTOR: 2
        }
        assert scores["before"][of].points[0] == 0 and scores["after"][of].judged == 1
    ramp = np.broadcast_to(
        np.linspace(0, 1, 32), (1, 1, 32, 32)
    )  # no blob and no corner, but not flat
    (found,) = describe(ramp, size=96)
    assert len(found.keypoints) == len(found.descriptors) == len(found.corners) == 0


def test_windows_are_weighted_sums_of_squares(rng):
    plane = rng.random((30, 30))
    corners = np.array([[5, 5], [24, 20]])
    windows = descriptors.corner_windows(plane, corners)
    expected = 0
    for i in range(-5, 6):
        for j in range(-5, 6):
            expected += (
                np.exp(-(i * i + j * j) / 18) * (plane[5 + i, 5 + j] - plane[24 + i, 20 + j]) ** 2
            )
    assert ((windows[0] - windows[1]) ** 2).sum() == pytest.approx(expected, rel=1e-12)
