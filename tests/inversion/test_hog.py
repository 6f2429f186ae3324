"""HOG as a network: against loops, its symmetries, its gradient; and its inversion."""

import os
from dataclasses import replace

import numpy as np
import pytest

from refimpl.companions.inversion import hog_figures, hog_study
from refimpl.companions.inversion.hog import EPSILON, CellNorm, hog_network
from refimpl.gradcheck import check_gradients, check_layer
from refimpl.ledger.judge import judge
from refimpl.paper.tiny import tiny


def by_loops(image, cell, orientations):
    """The definition, pixel by pixel; image (C, H, W)."""
    grey = np.pad(image.mean(axis=0), 1)
    height, width = image.shape[1:]
    out = np.zeros((orientations, height // cell, width // cell))
    for k in range(orientations):
        a = 2 * np.pi * k / orientations
        for i in range(height // cell * cell):
            for j in range(width // cell * cell):
                dx = (grey[i + 1, j + 2] - grey[i + 1, j]) / 2
                dy = (grey[i + 2, j + 1] - grey[i, j + 1]) / 2
                vote = max(np.cos(a) * dx + np.sin(a) * dy, 0)
                out[k, i // cell, j // cell] += vote / cell**2
    return out / np.sqrt((out**2).sum(axis=0) + EPSILON**2)


@pytest.mark.parametrize("shape, cell, orientations", [((1, 8, 8), 4, 8), ((3, 9, 6), 3, 5)])
def test_against_loops(rng, shape, cell, orientations):
    x = rng.random((2, *shape))
    network = hog_network(shape, cell=cell, orientations=orientations)
    found = network.forward(x.reshape(2, -1))[0]
    for image, own in zip(x, found):
        assert np.abs(own - by_loops(image, cell, orientations)).max() < 1e-12


def test_it_knows_no_brightness_and_a_cells_direction_knows_no_contrast(rng):
    network, x = hog_network((1, 12, 12)), rng.random((1, 1, 12, 12))
    inner = np.s_[:, :, 1:-1, 1:-1]  # the frame sees the step to the zeros around
    plain, brighter, stronger = (
        network.forward(y.reshape(1, -1))[0][inner] for y in (x, x + 0.3, 5 * x)
    )
    assert np.abs(plain - brighter).max() < 1e-12
    assert (
        np.abs(
            stronger / np.linalg.norm(stronger, axis=1, keepdims=True)
            - plain / np.linalg.norm(plain, axis=1, keepdims=True)
        ).max()
        < 1e-12
    )


def test_a_quarter_turn_turns_cells_and_orientations(rng):
    network, x = hog_network((1, 8, 8)), rng.random((8, 8))
    one, turned = (network.forward(y.reshape(1, -1))[0][0] for y in (x, np.rot90(x)))
    assert np.abs(np.roll(np.rot90(one, axes=(1, 2)), -2, axis=0) - turned).max() < 1e-12


def test_gradients(rng):
    assert check_layer(CellNorm(), rng.normal(size=(2, 4, 3, 3)), rng=0).verdict == "pass"
    network = hog_network((1, 8, 8))

    def vjp(dout, x):
        return network.backward(dout, network.forward(x)[1], parameters=False)[0]

    x = rng.random((2, 64))
    report = check_gradients(lambda x: network.forward(x)[0], vjp, (x,), rng=0)
    assert report.verdict == "pass"


def test_the_inversion_is_like_its_own_image(digits):
    with pytest.MonkeyPatch.context() as few:
        few.setattr(hog_study, "IMAGES", 6)
        few.setattr(hog_study, "STEPS", 300)
        few.setattr(hog_study, "CELLS", {"fine": 7})
        found = hog_study.run(digits, None, 0)
    assert found["hog/digits/fine/own"] > 0.5 > found["hog/digits/fine/others"]
    assert found["hog/digits/fine/found"] == 100 and found["hog/digits/fine/error"] < 0.3


@pytest.mark.slow
def test_the_constants_are_what_training_images_choose(digits):
    """All pairs with REFIMPL_FULL; else the budgets beside the chosen one, with two epsilons."""
    full = bool(os.environ.get("REFIMPL_FULL"))
    pairs = {} if full else {"epsilons": (0.03, 0.1), "budgets": (300, 600)}
    lines = []
    chosen = hog_study.choose(digits, report=lines.append, **pairs)
    assert chosen == (EPSILON, hog_study.STEPS)
    assert len(lines) == (16 if full else 4) and "correlation 0." in lines[0]


def test_the_choice_never_reads_a_test_image(digits):
    blind = replace(digits, test_x=np.full_like(digits.test_x, np.nan))
    how = {"epsilons": (0.1, 0.3), "budgets": (3,)}
    assert hog_study.choose(blind, **how) == hog_study.choose(digits, **how)


def test_of_pairs_that_are_as_good_the_cheapest_is_chosen(digits, monkeypatch):
    marks = {(0.1, 3): 0.5, (0.3, 3): 0.3, (0.1, 6): 0.515, (0.3, 6): 0.51}

    def inverted(x, shape, cells, rng, *, epsilon, steps):
        mark, noise = marks[epsilon, steps], np.random.default_rng(0).normal(size=x.shape)
        x = x - x.mean(axis=1, keepdims=True)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        noise -= noise.mean(axis=1, keepdims=True)
        noise -= (noise * x).sum(axis=1, keepdims=True) * x
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        return mark * x + np.sqrt(1 - mark**2) * noise, 0.0

    monkeypatch.setattr(hog_study, "invert_images", inverted)
    how = {"epsilons": (0.1, 0.3), "budgets": (3, 6)}
    assert hog_study.choose(digits, **how) == (0.1, 3)
    marks[0.1, 3] = 0.4
    assert hog_study.choose(digits, **how) == (0.1, 6)


def test_every_number_has_its_row_and_the_figure(tmp_path, monkeypatch):
    for name, value in {"IMAGES": 3, "STEPS": 3, "CELLS": {"fine": 2}}.items():
        monkeypatch.setattr(hog_study, name, value)
    data = tiny(side=8)
    found = hog_study.run(data, None, 0)
    entries = list(hog_study.claims("digits"))
    assert {entry.id for entry in entries} == set(found)
    assert judge({id: [v] for id, v in found.items()}, entries)
    made = hog_figures.make(data, None, [{"id": "hog/digits/fine/own"}], tmp_path)
    assert [f["file"] for f in made] == ["hog.png"] and (tmp_path / "hog.png").exists()
    assert hog_figures.make(data, None, [], tmp_path) == []


@pytest.mark.parametrize(
    "how, message",
    [
        ({"cell": 0}, "cell: expected a divisor of 8 and 8, got 0"),
        ({"orientations": 1}, "orientations: expected"),
    ],
)
def test_bad_arguments(how, message):
    with pytest.raises(ValueError, match=message):
        hog_network((1, 8, 8), **how)
