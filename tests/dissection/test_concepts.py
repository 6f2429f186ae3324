"""The drawn concepts: the same bits, masks that show what is seen, kinds that tell nothing about
each other.
"""

import colorsys

import numpy as np
import pytest

from refimpl.companions.dissection import concepts
from refimpl.companions.dissection.concepts import CONCEPTS, KINDS, NAMES, concept_images

OF = {kind: np.flatnonzero(np.array(KINDS) == kind) for kind in CONCEPTS}


@pytest.fixture(scope="module")
def drawn():
    return concept_images(1_500)


def union(masks, kind):
    return masks[:, OF[kind]].any(axis=1)


def test_shapes_and_range(drawn):
    assert drawn.images.shape == (1_500, 3 * 32 * 32) and drawn.images.dtype == np.float32
    assert 0 <= drawn.images.min() and drawn.images.max() <= 1
    assert np.array_equal(
        np.rint(drawn.images * 255).astype(np.float32) / np.float32(255), drawn.images
    )
    assert drawn.masks.shape == (1_500, len(NAMES), 32, 32) and drawn.masks.dtype == bool
    assert len(set(NAMES)) == len(NAMES) == len(KINDS) == 38 and len(CONCEPTS) == 6


@pytest.mark.parametrize("count", [0, 1, concepts.BLOCK, concepts.BLOCK + 3])
def test_fewer_images_are_the_first_ones(drawn, count):
    few = concept_images(count)
    for name in ("images", "masks", "scenes", "objects"):
        assert np.array_equal(getattr(few, name), getattr(drawn, name)[:count])


def test_block_and_seed(drawn, monkeypatch):
    monkeypatch.setattr(concepts, "BLOCK", 7)
    few = concept_images(20)
    assert np.array_equal(few.images, drawn.images[:20]) and np.array_equal(
        few.masks, drawn.masks[:20]
    )
    assert not np.array_equal(concept_images(20, seed=1).images, few.images)


def test_every_concept_is_there_and_no_more_than_a_detector_can_cover(drawn):
    share = drawn.masks.mean(axis=(0, 2, 3))
    assert (share > 0.002).all() and (share < 0.125).all()
    assert np.array_equal(np.bincount(drawn.scenes, minlength=12) > 0, np.ones(12, bool))


def test_labels_are_the_masks(drawn):
    rows = np.arange(len(drawn.images))
    assert drawn.masks[rows, OF["scene"][drawn.scenes]].all()
    assert (drawn.masks[:, OF["scene"]].sum(axis=1) == 1).all()
    assert drawn.masks[rows, OF["object"][drawn.objects]].any(axis=(1, 2)).all()


def test_a_pixel_has_one_concept_of_a_kind_and_colours_lie_on_objects(drawn):
    for kind in CONCEPTS:
        assert drawn.masks[:, OF[kind]].sum(axis=1).max() == 1
    m = drawn.masks
    assert np.array_equal(union(m, "colour"), union(m, "material"))
    assert np.array_equal(union(m, "colour") | union(m, "part"), union(m, "object"))
    assert (
        not (union(m, "colour") & union(m, "part")).any()
        and not (union(m, "texture") & union(m, "object")).any()
    )


def test_pixels_have_the_colour_that_their_mask_says(drawn):
    """By hue, from the image alone; black and white parts and grey backgrounds have hardly any
    saturation.
    """
    rgb = drawn.images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    for i, concept in enumerate(OF["colour"]):
        pixels = rgb[drawn.masks[:, concept]][::97].tolist()
        hues = np.array([colorsys.rgb_to_hsv(*p)[0] * 6 for p in pixels])
        away = np.abs((hues - i + 3) % 6 - 3)
        assert np.mean(away < 0.5) > 0.93  # glass in front of a textured or tinted grey may stray
    spread = rgb.max(axis=3) - rgb.min(axis=3)
    assert (
        spread[~union(drawn.masks, "colour")].max()
        < 0.12
        < np.quantile(spread[union(drawn.masks, "colour")], 0.02)
    )


def test_textures_vary_more_than_the_bare_scene(drawn):
    grey = drawn.images.reshape(-1, 3, 32, 32).mean(axis=1)
    bare = ~union(drawn.masks, "texture") & ~union(drawn.masks, "object")

    def steps(mask):
        along, down = np.abs(np.diff(grey, axis=2)), np.abs(np.diff(grey, axis=1))
        return (
            along[mask[:, :, 1:] & mask[:, :, :-1]].mean() + down[mask[:, 1:] & mask[:, :-1]].mean()
        )

    for concept in OF["texture"]:
        assert steps(drawn.masks[:, concept]) > 3 * steps(bare)


def test_kinds_do_not_tell_each_other(drawn):
    """Presence in an image of concepts of different kinds: 5 standard deviations of independent
    coins at most.
    """
    present = drawn.masks.any(axis=(2, 3)).astype(float)
    r = np.corrcoef(present.T)
    different = np.array(KINDS)[:, None] != np.array(KINDS)
    assert np.abs(r[different]).max() < 5 / np.sqrt(len(present))


def test_colour_and_shape_of_the_same_pixel(drawn):
    """Cramer's V over objects, one pixel an image: the colour of a shape is chance."""
    for a, b in (("object", "colour"), ("object", "material"), ("colour", "material")):
        both = drawn.masks[:, OF[a]][:, :, None] & drawn.masks[:, OF[b]][:, None]
        table = both.any(axis=(3, 4)).sum(axis=0)
        expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
        chi2, freedom = (
            ((table - expected) ** 2 / expected).sum(),
            (table.shape[0] - 1) * (table.shape[1] - 1),
        )
        assert chi2 < freedom + 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("bad", [{"count": -1}, {"count": 2.5}, {"count": True}, {"seed": "0"}])
def test_bad_arguments(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        concept_images(**bad)


def test_images_to_train_on_need_no_masks():
    whole, bare = concept_images(7, 3), concept_images(7, 3, masks=False)
    assert bare.masks.shape == (0, *whole.masks.shape[1:])
    assert all(
        np.array_equal(getattr(whole, name), getattr(bare, name))
        for name in ("images", "scenes", "objects")
    )
