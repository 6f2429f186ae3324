"""The map: its two kinds of descent against retrain, its ends against the theorems, its rows and
figures.
"""

import numpy as np
import pytest

from refimpl.dual import gram
from refimpl.exact_recovery import certificate
from refimpl.metrics import accuracy
from refimpl.network import softmax_net
from refimpl.paper import settings_map as the_map
from refimpl.paper import settings_map_figures as map_figures
from refimpl.paper.settings_map import GRID, cell_id
from refimpl.retraining import retrain


@pytest.fixture(scope="module")
def measured(digits, teacher):
    return the_map.run(digits, teacher, 0)


def student(digits, sigma):
    """The init that run draws for seed 0."""
    w = sigma * np.random.default_rng([0, 5]).normal(size=(784, 10))
    return softmax_net(784, 10).with_parameters((w, np.zeros(10)))


def lost(digits, teacher, network):
    """Points of test accuracy that a network has less than the teacher."""
    ours, theirs = (accuracy(digits.test_y, n.predict(digits.test_x)) for n in (network, teacher))
    return theirs - ours


@pytest.mark.parametrize(
    "cell",
    [
        ("logit", 3.0, None, 100, 0.01),
        ("log_probability", 10.0, None, 1_000, 0.1),
        ("logit", 1.0, 1.0, 100, 0.0),
        ("log_probability", 10.0, 4.0, 1_000, 0.003),
        ("logit", 10.0, 20.0, 1_000, 0.1),
    ],
)
def test_a_cell_is_what_descent_on_the_weights_reaches(digits, teacher, measured, cell):
    objective, norm, temperature, iterations, sigma = cell
    images = norm * the_map.pictures(teacher, objective)
    lr = the_map.step_size(gram(images), temperature)
    done = retrain(
        images,
        teacher.logits(images),
        student=student(digits, sigma),
        temperature=temperature,
        lr=lr,
        steps=iterations,
        tol=0,
        form="primal",
    ).network
    one_image = 0.051  # of 2,000, at a tie
    assert measured[cell_id("digits", *cell)] == pytest.approx(
        lost(digits, teacher, done), abs=one_image
    )


def test_coefficients_are_those_of_the_dual(rng):
    images, inits = rng.normal(size=(4, 9)), rng.normal(size=(9, 3))
    teacher = softmax_net(9, 3).with_parameters((rng.normal(size=(9, 3)), rng.normal(size=3)))
    start = softmax_net(9, 3).with_parameters((inits, np.zeros(3)))
    problem, z = (gram(images), images @ inits), teacher.logits(images)
    squared = the_map.squared_coefficients(*problem, z, (7, 40))
    soft = the_map.soft_coefficients(*(a[None] for a in (*problem, z)), np.array([3.0]), (7, 40))
    for t in (7, 40):
        for temperature, c in ((None, squared[t]), (3.0, soft[t][0])):
            lr = the_map.step_size(problem[0], temperature)
            w, b = retrain(
                images, z, student=start, temperature=temperature, lr=lr, steps=t, tol=0
            ).network.parameters
            assert np.allclose(inits + images.T @ c, w, rtol=0, atol=1e-12)
            assert np.allclose(c.sum(axis=0), b, rtol=0, atol=1e-12)


def test_the_step_is_the_papers_or_half_of_the_bound(rng):
    small, large = gram(0.01 * rng.normal(size=(4, 9))), gram(30 * rng.normal(size=(4, 9)))
    top = np.linalg.eigvalsh(large)[-1]
    assert the_map.step_size(small) == 0.5 and the_map.step_size(large) == pytest.approx(4 / top)
    assert the_map.step_size(large, 2.0) == pytest.approx(2 * 4 * 2**2 / top)


def test_t2_and_t5_at_the_end_of_squared_error(digits, teacher, measured):
    assert measured[cell_id("digits", "logit", 3.0, None, 10_000, 0.0)] == 0
    images = 3 * the_map.pictures(teacher, "logit")
    limit = certificate(images, teacher.logits(images), teacher, start=student(digits, 0.1)).student
    loss = lost(digits, teacher, limit)
    assert loss > 1 and measured[
        cell_id("digits", "logit", 3.0, None, 10_000, 0.1)
    ] == pytest.approx(loss, abs=0.051)


def test_every_row_has_a_claim_and_every_claim_a_row(measured):
    ids = [claim.id for claim in the_map.claims("digits")]
    assert sorted(ids) == sorted(measured) and len(set(ids)) == len(ids) == len(GRID) + 1
    losses = [value for id, value in measured.items() if id.count("/") == 6]
    assert measured["map/digits/cells_losing_nothing"] == sum(v <= 1e-9 for v in losses) and len(
        losses
    ) == len(GRID)
    assert "map/mnist/cells_like_the_paper" in {claim.id for claim in the_map.claims("mnist")}


def test_the_papers_losses():
    names = "mnist", "fashion-mnist", "cifar10", "digits"
    assert [the_map.printed_loss(name) for name in names] == [0.14, 0.94, 0.43, None]


def test_figures(digits, teacher, measured, tmp_path):
    rows = [{"id": id, "ours": {"mean": float(value)}} for id, value in measured.items()]
    made = map_figures.make(digits, teacher, rows, tmp_path)
    assert {figure["file"] for figure in made} == {
        path.name for path in tmp_path.iterdir()
    } and len(made) == 3
    assert all(set(figure) == {"file", "title", "paper", "alt"} for figure in made)
    assert map_figures.make(digits, teacher, [], tmp_path) == []
