"""The stacked denoising autoencoder and its units' favourite images, against closed forms."""

import numpy as np
import pytest

from refimpl.companions.maximization import autoencoder_figures, autoencoder_study
from refimpl.companions.maximization.autoencoder import favourite_images, stacked_autoencoder
from refimpl.gradcheck import check_gradients
from refimpl.layers import Affine, Sigmoid
from refimpl.ledger.judge import judge
from refimpl.network import Network
from refimpl.paper.tiny import tiny


def deep(rng, widths=(6, 5, 4)):
    pairs = [
        (Affine(rng.normal(size=shape), rng.normal(size=shape[1])), Sigmoid())
        for shape in zip((8, *widths), widths)
    ]
    return Network(tuple(layer for pair in pairs for layer in pair))


def test_the_first_layer_prefers_its_weights(rng):
    encoder = deep(rng)
    w = encoder.layers[0].w
    for unit in range(6):
        images = favourite_images(encoder, 1, unit, radius=3.0, starts=3, rng=rng)
        assert np.abs(images - 3 * w[:, unit] / np.linalg.norm(w[:, unit])).max() < 1e-9


@pytest.mark.parametrize("layer", [2, 3])
def test_above_it_the_image_is_its_gradients_direction(rng, layer):
    """On the sphere's top the gradient is radial; its value is above that of random images."""
    encoder = deep(rng)
    (image,) = favourite_images(encoder, layer, 0, radius=2.0, starts=1, steps=400, rng=rng)
    upto = 2 * layer - 1
    a, caches = encoder.forward(image[None], upto=upto)
    dout = np.eye(a.shape[1])[:1]
    gradient = encoder.backward(dout, caches, parameters=False)[0][0]
    cosine = gradient @ image / (np.linalg.norm(gradient) * np.linalg.norm(image))
    assert cosine > 1 - 1e-6 and np.isclose(np.linalg.norm(image), 2)
    others = rng.normal(size=(300, 8))
    others *= 2 / np.linalg.norm(others, axis=1, keepdims=True)
    assert a[0, 0] >= encoder.forward(others, upto=upto)[0][:, 0].max()


def test_the_gradient_of_what_is_ascended(rng):
    encoder = deep(rng)

    def unit(x):
        return encoder.forward(x, upto=5)[0]

    def vjp(dout, x):
        return encoder.backward(dout, encoder.forward(x, upto=5)[1], parameters=False)[0]

    assert check_gradients(unit, vjp, (rng.normal(size=(3, 8)),), rng=0).verdict == "pass"


def test_it_learns_to_undo_noise_without_labels(rng):
    x = np.repeat(np.eye(6), 20, axis=0)
    trained, left = stacked_autoencoder(x, (8, 4), steps=400, lr=0.01, rng=np.random.default_rng(0))
    _, before = stacked_autoencoder(x, (8, 4), steps=1, lr=1e-9, rng=np.random.default_rng(0))
    assert left[0] < 0.1 < 1 < before[0] and trained.logits(x).shape == (120, 4)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda e, r: favourite_images(e, 4, 0, radius=1, starts=1, rng=r), "layer: expected 1 to"),
        (
            lambda e, r: favourite_images(e, 1, 6, radius=1, starts=1, rng=r),
            "unit: expected 0 to 5",
        ),
        (lambda e, r: favourite_images(e, 1, 0, radius=1, starts=0, rng=r), "starts: expected at"),
        (lambda e, r: favourite_images(e, 1, 0, radius=0, starts=1, rng=r), "radius: expected a"),
        (lambda e, r: stacked_autoencoder(np.eye(3), (), rng=r), "widths: expected at least one"),
    ],
)
def test_bad_arguments(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(deep(rng), rng)


def test_every_number_has_its_row_and_the_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(autoencoder_study, "WIDTHS", (12, 12, 12))
    monkeypatch.setattr(autoencoder_study, "STEPS", 20)
    monkeypatch.setattr(autoencoder_study, "STARTS", 2)
    data = tiny()
    found = autoencoder_study.run(data, None, 0)
    entries = list(autoencoder_study.claims("digits"))
    assert {entry.id for entry in entries} == set(found)
    rows = judge({id: [v] * 5 for id, v in found.items()}, entries)
    assert rows[0]["verdict"] == "as predicted"
    made = autoencoder_figures.make(data, None, [{"id": "autoencoder/digits/1/left"}], tmp_path)
    assert [f["file"] for f in made] == ["autoencoder.png"]
    assert (tmp_path / "autoencoder.png").stat().st_size > 2_000
    assert autoencoder_figures.make(data, None, [], tmp_path) == []
