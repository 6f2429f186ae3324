"""Section 10: the grid is what it says, the quadratic cost's gradient, the accounting, the ledger
and figures.
"""

import numpy as np
import pytest

from refimpl.layers import Sigmoid, Tanh
from refimpl.losses import cross_entropy, softmax
from refimpl.metrics import accuracy
from refimpl.paper import section10, section10_figures, section10_grid
from refimpl.paper.derived import derive
from refimpl.paper.section10 import accounting, eight_bits
from refimpl.paper.section10_grid import (
    ASCENTS,
    STUDENTS,
    TEACHERS,
    Ascent,
    Cell,
    Student,
    Teacher,
    choose,
    frozen,
    grid,
    quadratic,
    repeat,
    train_student,
    train_teacher,
    visualize,
)

QUICK = Teacher(Tanh, 0.1, epochs=1)


@pytest.fixture(scope="module")
def hidden(digits):
    return train_teacher(digits, Teacher(Tanh, 0.1, 1e-3), 0)


def test_the_quadratic_cost_by_the_complex_step(rng):
    z, y = rng.normal(0, 3, (6, 4)), rng.integers(0, 4, 6)
    value, dz = quadratic(z, y)
    a = 1 / (1 + np.exp(-z))
    assert abs(value - ((a - np.eye(4)[y]) ** 2).sum() / 12) < 1e-14
    for n, c in np.ndindex(z.shape):
        step = np.zeros(z.shape, complex)
        step[n, c] = 1e-20j
        assert abs(quadratic(z + step, y)[0].imag / 1e-20 - dz[n, c]) < 1e-14
    with pytest.raises(ValueError, match="y: expected labels"):
        quadratic(z, y + 4)


def test_recipes_are_what_they_are_called():
    assert {"relu", "sigmoid", "tanh"} == {name.split()[0] for name in TEACHERS}
    for name, recipe in TEACHERS.items():
        assert recipe.activation.__name__.lower() == name.split()[0]
        assert (recipe.loss is quadratic) == ("quadratic" in name) and recipe.unit_init == (
            "unit" in name
        )
        assert "decay" not in name or recipe.decay == float(name.split()[2])
    assert {a.objective for a in ASCENTS} == {"logit", "probability", "log_probability"}
    assert {a.start for a in ASCENTS} == {"blank", "noise"} and len(set(ASCENTS)) == len(ASCENTS)
    for name, ascent, student in (section10.PAPER, *section10.BEST.values()):
        assert name in TEACHERS and ascent in ASCENTS and student in STUDENTS


def test_a_unit_init_is_a_unit_init(digits):
    idle = Teacher(Sigmoid, 1e-12, epochs=1, loss=quadratic, unit_init=True)
    spread = [float(p.std()) for p in train_teacher(digits, idle, 0).parameters]
    assert spread == pytest.approx([1.0, 1.0, 1.0, 1.0], abs=0.5) and abs(spread[0] - 1) < 0.02


def test_hidden_teachers_repeat_and_seeds_differ(digits):
    one, same, other = (train_teacher(digits, QUICK, seed).parameters[0] for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.allclose(one, other)


def test_ten_images_teach_the_same_architecture_and_ten_biases(digits, hidden):
    images = visualize(hidden, Ascent("log_probability", 0.1), 0)
    assert np.array_equal(hidden.predict(images), np.arange(10))
    y, x = digits.test_y, digits.test_x
    student = train_student(hidden, images, STUDENTS["decayed"], 0)
    b = frozen(digits, images)
    scores = {
        "teacher": accuracy(y, hidden.predict(x)),
        "student": accuracy(y, student.predict(x)),
        "biases": accuracy(y, (x @ images.T + b).argmax(axis=1)),
    }
    without = accuracy(y, (x @ images.T).argmax(axis=1))
    assert 60 < min(scores.values()) < scores["teacher"] and scores["biases"] > without, (
        scores,
        without,
    )
    mean = softmax(digits.train_x.astype(np.float64) @ images.T + b).mean(axis=0)
    assert np.allclose(
        mean, np.bincount(digits.train_y, minlength=10) / len(digits.train_y), atol=1e-6
    )
    part = frozen(digits, images, part=1_000)
    assert np.abs(part - b).max() < 1 and not np.allclose(part, b)


def test_labels_as_targets(hidden):
    images = visualize(hidden, Ascent("log_probability", 0.1), 0)
    student = train_student(hidden, images, Student(0.0, targets="labels", steps=400), 0)
    assert cross_entropy(student.logits(images), np.arange(10))[0] < np.log(10) / 3


def test_noise_starts_differ_by_seed(hidden):
    noise = Ascent("logit", 0.01, start="noise", steps=1)
    assert not np.allclose(visualize(hidden, noise, 0), visualize(hidden, noise, 1))


def test_the_grid_prints_every_cell_and_says_what_failed(digits):
    lines = []
    teachers = {"quick": QUICK, "other": Teacher(Tanh, 0.1, epochs=2)}
    ascents = (
        Ascent("logit", 0.05, steps=20),
        Ascent("log_probability", 0.1, steps=20),
        Ascent("logit", 1e9, 1.0),
    )  # the last overflows
    students = {"plain": Student(0.0, steps=60), "decayed": Student(0.3, steps=60)}
    with np.errstate(all="ignore"):
        cells = grid(
            digits, teachers=teachers, ascents=ascents, students=students, report=lines.append
        )
    assert len(cells) == 8 and sum("student" in line for line in lines) == 8
    assert sum("not finite" in line for line in lines) == 2
    assert f"{sum(c.in_band for c in cells)} of 8 cells" in lines[-3]
    chosen = choose(cells, floor=0)
    assert chosen["biases"].scores[2] == max(c.scores[2] for c in cells)
    assert chosen["student"].scores[1] == max(c.scores[1] for c in cells)
    with pytest.raises(ValueError, match="floor"):
        choose(cells, floor=100.5)


def test_repeat_averages_over_seeds(digits, monkeypatch):
    monkeypatch.setattr(section10_grid, "TEACHERS", {"quick": QUICK})
    monkeypatch.setattr(section10_grid, "STUDENTS", {"plain": Student(0.0, steps=60)})
    ascent = Ascent("logit", 0.05, steps=20)
    one = {
        s: repeat(digits, [Cell("quick", ascent, "plain", (0, 0, 0), 0)], seeds=(s,))[0]
        for s in (1, 2)
    }
    (both,) = repeat(digits, list(one.values()), seeds=(1, 2))
    assert (
        np.allclose(both.scores, (np.array(one[1].scores) + one[2].scores) / 2)
        and one[1].scores != one[2].scores
    )


def test_band_and_distance():
    near = Cell("t", ASCENTS[0], "plain", (96.0, 86.38, 88.38), 1.0)
    far = Cell("t", ASCENTS[0], "plain", (96.42, 87.38, 90.0), 1.0)
    assert near.in_band and not far.in_band
    assert near.distance == pytest.approx(1.0) and far.distance == pytest.approx(2.62)
    assert (
        choose([far, near], floor=90)["paper"] is near
        and choose([far, near], floor=90)["biases"] is far
    )


def test_eight_bits(rng):
    w = rng.normal(size=(30, 20))
    rounded = eight_bits(w)
    assert len(np.unique(rounded)) <= 255 and np.abs(rounded - w).max() <= np.abs(w).max() / 254 * (
        1 + 1e-12
    )
    assert not eight_bits(np.zeros(3)).any()


def test_accounting_of_compression():
    rows = {row["what"]: row for row in accounting(784, 30, 10, {"linear": 92.0})}
    names = (section10.TEACHER, section10.BIASES, "the linear model itself, float32")
    teacher, biases, linear = (rows[what] for what in names)
    assert teacher["stored"] == 784 * 30 + 30 + 30 * 10 + 10 == 23_860 and biases["trained"] == 10
    assert biases["bytes"] == linear["bytes"] == 4 * 7_850 and linear["accuracy"] == 92.0
    assert round(teacher["bytes"] / biases["bytes"], 2) == 3.04  # what the paper calls extreme
    assert rows["hidden teacher, 8 bits"]["bytes"] < biases["bytes"]
    published = [row for row in rows.values() if row["stored"] is None]
    assert [row["bytes"] for row in published] == [27_000, 44_000] and "40 times" in published[0][
        "what"
    ]


def test_claims_and_figures(digits, teacher, monkeypatch, tmp_path):
    monkeypatch.setattr(section10_grid, "TEACHERS", {})
    quick = {
        name: Teacher(recipe.activation, recipe.lr, recipe.decay, epochs=1)
        for name, recipe in TEACHERS.items()
    }
    monkeypatch.setattr(section10, "TEACHERS", quick)
    monkeypatch.setattr(section10_figures, "TEACHERS", quick)
    out = section10.run(digits, teacher, 0)
    ids = {claim.id for claim in section10.claims("digits")}
    matrices = {"figure17_student/digits", "figure17_biases/digits"}
    assert set(out) - matrices == ids and out["section10/digits/factor/trained"] == 2386
    rows = [
        {"id": id, "paper": None, "ours": {"mean": value, "sd": None}}
        for id, value in (out | derive(out, "digits")).items()
        if id not in matrices
    ]
    drawn = section10_figures.make(digits, teacher, rows, tmp_path)
    beside = [f"section10_{what}.png" for what in ("images", "accuracy", "bytes")]
    assert ["figure_17.png", "figure_18.png", *beside] == [d["file"] for d in drawn]
    assert all((tmp_path / d["file"]).stat().st_size > 5_000 and d["alt"] for d in drawn)
    assert section10_figures.make(digits, teacher, [], tmp_path) == []


def test_the_papers_numbers_are_the_printed_ones():
    rows = {claim.id: claim for claim in section10.claims("mnist")}
    assert [rows[f"section10/mnist/{key}"].paper for key in ("teacher", "student", "biases")] == [
        95.42,
        86.38,
        86.38,
    ]
    assert section10_grid.PRINTED == (95.42, 86.38, 86.38)
    assert all(claim.paper is None for claim in section10.claims("digits"))
    assert not rows["section10/mnist/best_biases"].relation(
        {"section10/mnist/best_biases": [88.5, 87.9]}
    )
