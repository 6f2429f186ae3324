"""Section 6: descent in the images' span is descent, open gates are the teacher, decay removes what
is unseen.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from refimpl import theory
from refimpl.descent import descend
from refimpl.layers import ReLU, Sigmoid, Tanh
from refimpl.losses import squared_error
from refimpl.metrics import accuracy
from refimpl.network import one_hidden_net
from refimpl.paper import section6, section6_figures
from refimpl.paper.derived import derive
from refimpl.paper.hidden_student import annealed, retrain_hidden
from refimpl.paper.hidden_theorems import t7
from refimpl.paper.printed import PAPER
from refimpl.paper.section5 import visualize


@pytest.fixture(scope="module")
def images(teacher):
    return visualize(teacher)[0]


@pytest.mark.parametrize("layer", [ReLU, Sigmoid, Tanh])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_descent_in_the_span_is_descent(rng, layer, decay):
    """T9 with a hidden layer: the same network as heavy ball on all weights, decay and all."""
    x, z = rng.normal(size=(4, 12)), rng.normal(size=(4, 3))
    start = one_hidden_net(12, 5, 3, rng=rng, activation=layer())
    ours = retrain_hidden(x, z, start, lr=0.02, steps=60, decay=decay, free=0.3, tol=0)
    update = partial(annealed, beta=0.9, decay=decay, until=0.7 * 60)
    plain = descend(start, x, z, squared_error, lr=0.02, steps=60, tol=0, update=update)
    for a, b in zip(ours.network.parameters, plain.network.parameters):
        assert np.allclose(a, b, rtol=0, atol=1e-12)
    assert np.allclose(ours.losses, plain.losses, rtol=1e-10)


def test_annealed_decay_falls_on_a_line_and_spares_biases():
    w, b, state, seen = np.ones((1, 1)), np.ones(1), None, []
    for _ in range(6):
        moved, state = annealed(w, np.zeros_like(w), state, lr=1.0, decay=0.4, until=4)
        seen.append(round(float(w[0, 0] - moved[0, 0]), 12))
    assert seen == [0.4, 0.3, 0.2, 0.1, 0.0, 0.0]
    assert annealed(b, np.zeros(1), None, lr=1.0, decay=0.4)[0] == b
    constant = annealed(w, np.zeros_like(w), (0.0, 999), lr=1.0, decay=0.4)[0]
    assert constant[0, 0] == pytest.approx(0.6)
    v = annealed(w, np.full((1, 1), 2.0), (np.full((1, 1), 3.0), 0), lr=0.5, decay=0.0, beta=0.9)
    assert v[0][0, 0] == pytest.approx(1 - 0.5 * (0.9 * 3 + 2)) and v[1][1] == 1


def test_what_the_images_cannot_see_stays_or_decays(rng):
    x, z = rng.normal(size=(3, 10)), rng.normal(size=(3, 2))
    start = one_hidden_net(10, 6, 2, rng=rng)
    basis, _ = theory.row_space(x)

    def unseen(network):
        w = network.parameters[0]
        return w - basis.T @ (basis @ w)

    kept = retrain_hidden(x, z, start, lr=0.01, steps=200).network
    assert np.allclose(unseen(kept), unseen(start), atol=1e-13)
    gone = retrain_hidden(x, z, start, lr=0.01, steps=4_000, decay=0.5)
    assert (
        np.linalg.norm(unseen(gone.network)) < 1e-9 * np.linalg.norm(unseen(start))
        and gone.losses[-1] < 1e-8
    )


def test_bad_arguments(rng):
    start = one_hidden_net(10, 6, 2, rng=rng)
    with pytest.raises(ValueError, match=r"images: expected shape \(N, 10\)"):
        retrain_hidden(np.zeros((3, 9)), np.zeros((3, 2)), start, lr=0.1, steps=1)
    with pytest.raises(ValueError, match="decay, free"):
        retrain_hidden(np.ones((3, 10)), np.zeros((3, 2)), start, lr=0.1, steps=1, decay=-1)
    with pytest.raises(ValueError, match="kind: expected"):
        section6.extra_images("blurred", np.ones((2, 3)), 4, 0)


def test_open_gates_are_the_teacher(digits, teacher, images):
    student = section6.open_gate_student(teacher, images, 0)
    assert accuracy(teacher.predict(digits.test_x), student.predict(digits.test_x)) == 100
    assert np.allclose(
        theory.open_gate_function(student), theory.theta_of(teacher), rtol=0, atol=1e-8
    )
    assert all(check.holds for check in t7(teacher, 0))


def test_gates_that_close_are_no_teacher(teacher, monkeypatch):
    """The negative control: with b1 = .5 instead of 10 some gates close, and T7's check says so."""
    monkeypatch.setattr(section6, "OPEN_BIAS", 0.5)
    monkeypatch.setattr(section6, "OPEN_STEPS", 2_000)
    assert not t7(teacher, 0)[0].holds


def test_decay_and_negatives_close_the_gap(digits, teacher, images):
    theirs = teacher.predict(digits.test_x)
    plain, decayed = section6.PLAIN["digits"], section6.DECAYED["digits"]
    both = np.vstack([decayed.scale * images, -decayed.scale * images])
    agreement = [
        accuracy(theirs, section6.student(teacher, x, r, 0).predict(digits.test_x))
        for x, r in (
            (plain.scale * images, plain),
            (decayed.scale * images, decayed),
            (both, decayed),
        )
    ]
    assert agreement[0] < 93 and 94 < agreement[1] < agreement[2] and agreement[2] > 97.5


def test_extra_images(images):
    length = np.linalg.norm(images, axis=1).mean()
    assert np.array_equal(section6.extra_images("negated", images, 10, 0), -images)
    for kind in ("combinations", "noise"):
        made = section6.extra_images(kind, images, 7, 0)
        assert made.shape == (7, images.shape[1]) and np.allclose(
            np.linalg.norm(made, axis=1), length
        )
        rank = len(theory.row_space(np.vstack([images, made]))[0])
        assert rank == (
            len(theory.row_space(images)[0])
            if kind == "combinations"
            else len(theory.row_space(images)[0]) + 7
        )


def test_claims_and_figures(digits, teacher, monkeypatch, tmp_path):
    """Every id that a run measures has its row, and every row its id; the figures are drawn from
    them.
    """
    monkeypatch.setattr(section6, "STEPS", 40)
    monkeypatch.setattr(section6, "OPEN_STEPS", 40)
    out = section6.run(digits, teacher, 0)
    ids = {claim.id for claim in section6.claims("digits")}
    assert set(out) - {"table6/digits"} == ids and out["table6/digits"].sum() == len(digits.test_x)
    values = {**out, "table5/digits/train_set": 91.0}
    values |= derive({"table1/digits": out["table6/digits"]} | out, "digits")
    rows = [
        {"id": id, "paper": None, "ours": {"mean": v, "sd": 0.1}}
        for id, v in values.items()
        if "table6" not in id
    ]
    drawn = section6_figures.make(digits, teacher, rows, tmp_path)
    beside = {f"section6_{what}.png" for what in ("images", "accuracy", "curves")}
    assert {"figure_07.png", "figure_08.png", "confusion_06.png"} | beside == {
        d["file"] for d in drawn
    }
    assert all(
        (tmp_path / d["file"]).stat().st_size > 5_000 and d["title"] and d["alt"] for d in drawn
    )
    assert section6_figures.make(digits, teacher, [], tmp_path) == []


def test_the_papers_numbers_are_the_printed_ones():
    rows = {claim.id: claim for claim in section6.claims("mnist")}
    for name, printed in (("mnist", 91.63), ("fashion-mnist", 82.0), ("cifar10", 38.85)):
        id = f"table5/{name}/class_visualizations_deeper"
        assert next(c for c in section6.claims(name) if c.id == id).paper == printed
    assert rows["section6/mnist/loss"].paper == 0.13
    readable = [
        row
        for row in PAPER["confusion_matrices"]["table_6"]["rows_actual_columns_predicted"]
        if row
    ]
    assert len(readable) == 8  # of the two others, the row and column sums give eight cells each
    assert sum(id.startswith("table6/") for id in rows) == 10 * len(readable) + 2 * 8
    assert (
        sum(id.startswith("table7/") for id in rows) == 30
        and rows["table7/mnist/f1/4"].paper == 0.921
    )
    assert rows["table6/mnist/4/9"].paper == 37 and rows["table6/mnist/2/0"].paper == 6


def test_choose_takes_the_best_cell_without_and_with_decay(digits, monkeypatch):
    monkeypatch.setattr(section6, "STEPS", 300)
    monkeypatch.setattr(section6, "SCALES", (0.5, 1.5))
    monkeypatch.setattr(section6, "LRS", (0.003,))
    monkeypatch.setattr(section6, "DECAYS", (0.0, 0.3))
    lines = []
    plain, decayed = section6.choose(digits, seeds=(1000,), report=lines.append)
    assert len(lines) == 4 and plain.decay == 0 and decayed.decay == 0.3
    means = {line.split(":")[0]: float(line.split(": ")[1].split()[0]) for line in lines}
    for best in (plain, decayed):
        assert all(means[str(best)] >= means[str(replace(best, scale=s))] for s in (0.5, 1.5))
