"""Dissection of a layer beside the straightforward version; growth with images and units; shuffles;
memory.

Maps of 16 x 16 (smooth noise that a network's forward pass would give) against 38 concepts of 32 x
32 pixels.
"""

import numpy as np

from benchmarks.timing import compare, faster, least_seconds, peak, report, within
from refimpl.companions.dissection.activation_masks import activation_masks, count_above, upsample
from refimpl.companions.dissection.concepts import concept_images
from refimpl.companions.dissection.dissection import dissect, score


def layer(units, seed=0):
    """activations_of for images given by number: 256 smooth maps a unit, each image with a strength
    of its own.
    """
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(256, units, 16, 16)).astype(np.float32)
    maps = sum(np.roll(maps, (i, j), (2, 3)) for i in range(3) for j in range(3))
    strength = rng.normal(1, 0.3, 100_000).astype(np.float32)[:, None, None, None]
    return lambda rows: maps[rows % 256] * strength[rows]


def straightforward(activations_of, masks, kinds, quantile=0.005):
    """All activations at once, a sort for the thresholds, then image by image, unit by unit,
    concept by concept.
    """
    n, concepts, height, width = masks.shape
    maps = activations_of(np.arange(n))
    units = maps.shape[1]
    above = count_above(quantile, n * maps.shape[2] * maps.shape[3])
    thresholds = [np.sort(maps[:, k].ravel())[::-1][above] for k in range(units)]
    both, either = np.zeros((units, concepts)), np.zeros((units, concepts))
    for x in range(n):
        seen = {kind for kind, mask in zip(kinds, masks[x]) if mask.any()}
        for k in range(units):
            m = upsample(maps[x, k][None], (height, width))[0] > thresholds[k]
            for c in range(concepts):
                if kinds[c] in seen:
                    both[k, c] += (m & masks[x, c]).sum()
                    either[k, c] += (m | masks[x, c]).sum()
    return both / either


def least(images, units):
    """The least seconds: every activation (16 x 16 float32) is read for its threshold and again for
    its mask of 32 x 32 bits, which is read beside those of 38 concepts.
    """
    return least_seconds(0, images * (2 * units * 256 * 4 + (units + 38) * 1024 / 8))


def main(quick=False):
    n, sizes, units, repeats = (
        (100, (100, 200), (4, 8), 1) if quick else (200, (1_250, 2_500, 5_000), (16, 32, 64), 3)
    )
    data = concept_images(max(sizes))
    few, activations_of = data.masks[:n], layer(8)
    calls = {
        "ours": lambda: dissect(activations_of, np.arange(n), few, kinds=data.kinds).iou,
        "straightforward": lambda: straightforward(activations_of, few, data.kinds),
    }
    ours, theirs = (call() for call in calls.values())
    assert np.allclose(ours, theirs, rtol=1e-14, atol=0)
    report(
        f"dissection of 8 units, {n} images, 38 concepts",
        compare(calls, repeats=repeats),
        [faster("ours", "straightforward", 10)],
        least=least(n, 8),
    )

    def whole(images, k):
        maps = layer(k)
        return lambda: dissect(maps, np.arange(images), data.masks[:images], kinds=data.kinds)

    report(
        f"growth with images, {units[-1]} units",
        compare({f"{v:,} images": whole(v, units[-1]) for v in sizes}, repeats=repeats),
        [within("5,000 images", "1,250 images", 4.8)],
        least={f"{v:,} images": least(v, units[-1]) for v in sizes},
    )
    report(
        f"growth with units, {sizes[-1]:,} images",
        compare({f"{k} units": whole(sizes[-1], k) for k in units}, repeats=repeats),
        [within("64 units", "16 units", 4.8)],
        least={f"{k} units": least(sizes[-1], k) for k in units},
    )
    active = activation_masks(layer(units[-1]), np.arange(sizes[-1]), (32, 32))
    report(
        f"chance, {units[-1]} units, {sizes[-1]:,} images",
        compare(
            {
                f"{s} shuffles": lambda s=s: score(
                    active, data.masks, kinds=data.kinds, shuffles=s, rng=np.random.default_rng(0)
                )
                for s in ((0, 5) if quick else (0, 50))
            },
            repeats=repeats,
        ),
    )
    megabytes = peak(whole(sizes[-1], units[-1])) / 1e6
    whole_layer = sizes[-1] * units[-1] / 1e6
    print(
        f"\nmemory of one dissection besides images and masks: {megabytes:.0f} MB; all "
        f"activations would be "
        f"{whole_layer * 256 * 4:.0f} MB, all masks of the units {whole_layer * 1024:.0f} MB"
    )
