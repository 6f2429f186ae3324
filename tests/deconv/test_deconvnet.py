"""DeconvNet's four steps by hand on tiny nets, the three rules side by side, T13's second half."""

import numpy as np
import pytest

from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.deconv.deconvnet import feature_maps, project_unit, strongest
from refimpl.layers import RULES, Affine, ReLU, Unflatten
from refimpl.layers.conv import Conv2D, MaxPool2D
from refimpl.network import Network


def row(*values):
    return np.array([values], float)


@pytest.mark.parametrize(
    "x, w2, value, images",
    [
        # before the ReLU 2 x = (6, -2, 4, -10), after it (6, 0, 4, 0); 1 h_j + 2 h_(j+1) = (6, 8,
        # 4): the second unit wins, its signal (0, 1, 2, 0) meets a closed gate first
        (
            (3, -1, 2, -5),
            (1, 2),
            8,
            {"gradient": (0, 0, 4, 0), "deconvnet": (0, 2, 4, 0), "guided": (0, 0, 4, 0)},
        ),
        # after the ReLU (6, 2, 4, 0); -h_j + 2 h_(j+1) = (-2, 6, -4): the second, signal (0, -1, 2,
        # 0), gates open
        (
            (3, 1, 2, -5),
            (-1, 2),
            6,
            {"gradient": (0, -2, 4, 0), "deconvnet": (0, 0, 4, 0), "guided": (0, 0, 4, 0)},
        ),
    ],
)
def test_the_rules_worked_by_hand(x, w2, value, images):
    """1 x 4 images, a 1 x 1 filter of weight 2, ReLU, a 1 x 2 filter w2."""
    network = Network(
        (
            Unflatten((1, 1, 4)),
            Conv2D(np.full((1, 1, 1, 1), 2.0), np.zeros(1)),
            ReLU(),
            Conv2D(np.array(w2, float).reshape(1, 1, 1, 2), np.zeros(1)),
        )
    )
    for rule, wanted in images.items():
        found = project_unit(network, row(*x), layers=4, channel=0, rule=rule, start="one")
        assert (found.positions.tolist(), found.values.tolist()) == ([[0, 1]], [value])
        assert found.images[0].tolist() == list(wanted), rule


def test_the_four_steps_by_hand():
    """A 4 x 4 image, one 1 x 1 filter of weight 3, ReLU, pooling 2 x 2; the unit's value goes back
    to its own pixel.
    """
    network = Network(
        (Unflatten((1, 4, 4)), Conv2D(np.full((1, 1, 1, 1), 3.0), np.zeros(1)), ReLU(), MaxPool2D())
    )
    x = np.zeros((1, 16))
    x[0, [1, 7, 12]] = 1, 5, 2
    found = project_unit(network, x, layers=4, channel=0)
    wanted = np.zeros(16)
    wanted[7] = 45  # 3 x 5 kept, unpooled to the same place, rectified, times 3
    assert found.images[0].tolist() == wanted.tolist()
    assert (found.values.tolist(), found.positions.tolist()) == ([15], [[0, 1]])


def test_three_rules_differ_as_they_should(rng):
    """x = (1, 1, -1, -1) before the ReLU, the signal (1, -1, 1, -1) above it (design, section 3)."""
    head = Affine(np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([10.0]))
    network = Network((Affine(np.eye(4), np.zeros(4)), ReLU(), head))
    x = row(1, 1, -1, -1)
    found = {
        rule: project_unit(network, x, layers=3, channel=0, rule=rule, start="one")
        .images[0]
        .tolist()
        for rule in RULES
    }
    assert found == {"gradient": [1, -1, 0, 0], "deconvnet": [1, 0, 1, 0], "guided": [1, 0, 0, 0]}


def test_without_relu_deconvnet_is_activation_times_gradient(rng):
    network = Network(
        tuple(
            v
            for v in small_net((1, 12, 12), 4, rng=rng, dtype=np.float64).layers
            if not isinstance(v, ReLU)
        )
    )
    x = rng.normal(size=(3, 144))
    for layers, channel in ((2, 1), (len(network.layers), 2)):
        one = project_unit(network, x, layers=layers, channel=channel, rule="gradient", start="one")
        own = project_unit(network, x, layers=layers, channel=channel)
        assert np.allclose(own.images, own.values[:, None] * one.images, rtol=1e-12, atol=1e-14)
        same = project_unit(network, x, layers=layers, channel=channel, start="one")
        assert np.array_equal(same.images, one.images)
    with_relu = small_net((1, 12, 12), 4, rng=rng, dtype=np.float64)
    a, b = (
        project_unit(
            with_relu, x, layers=len(with_relu.layers), channel=0, rule=rule, start="one"
        ).images
        for rule in ("gradient", "deconvnet")
    )
    assert not np.allclose(a, b)


def test_the_gradient_rule_is_the_gradient(rng):
    network, x = small_net((1, 12, 12), 4, rng=rng, dtype=np.float64), rng.random((2, 144))
    found = project_unit(network, x, layers=3, channel=2, rule="gradient", start="one")
    step = rng.normal(size=x.shape)
    a = network.forward(x + 1e-20j * step, upto=3)[0][np.arange(2), 2]
    i, j = found.positions.T
    assert np.allclose(
        (found.images * step).sum(axis=1), a[np.arange(2), i, j].imag / 1e-20, rtol=1e-10
    )


def test_strongest_images_by_loops(rng):
    network, x = small_net((1, 12, 12), 4, rng=rng), rng.random((30, 144)).astype(np.float32)
    rows, values = strongest(network, x, layers=3, count=4)
    peaks = np.array([network.forward(r[None], upto=3)[0][0].max(axis=(1, 2)) for r in x])
    for channel in range(peaks.shape[1]):
        assert rows[channel].tolist() == sorted(range(30), key=lambda n: -peaks[n, channel])[:4]
        assert np.allclose(values[channel], np.sort(peaks[:, channel])[::-1][:4])


def test_pixels_are_grey_levels_as_where_the_strongest_are_sought(rng):
    network = small_net((1, 12, 12), 4, rng=rng)
    pixels = rng.integers(0, 256, (3, 144), dtype=np.uint8)
    x = pixels / np.float32(255)
    found, wanted = (project_unit(network, own, layers=3, channel=2) for own in (pixels, x))
    assert np.array_equal(found.images, wanted.images)
    assert found.values.max() == strongest(network, pixels, layers=3, count=1)[1][2]
    for (_, own), (_, same) in zip(feature_maps(network, pixels[0]), feature_maps(network, x[0])):
        assert np.array_equal(own, same)


def test_feature_maps(rng):
    network, image = small_net((1, 12, 12), 4, rng=rng), rng.random(144)
    maps = feature_maps(network, image)
    assert [name for name, _ in maps] == [type(v).__name__ for v in network.layers]
    assert maps[0][1].shape == (1, 12, 12) and np.array_equal(
        maps[-1][1], network.logits(image[None])[0]
    )


def test_bad_input_is_named(rng):
    network, x = small_net((1, 12, 12), 4, rng=rng), rng.random((2, 144))
    for options, word in (
        ({"rule": "saliency"}, "rule"),
        ({"start": "zero"}, "start"),
        ({"layers": 0}, "layers"),
        ({"channel": 99}, "channel"),
    ):
        with pytest.raises(ValueError, match=word):
            project_unit(network, x, **({"layers": 2, "channel": 0} | options))
    with pytest.raises(ValueError, match="count"):
        strongest(network, x, layers=2, count=3)
    with pytest.raises(ValueError, match="x"):
        project_unit(network, x[:, :5], layers=2, channel=0)
