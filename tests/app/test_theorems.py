"""--only theorems measures every theorem of every room, and a wrong one does not hold."""

import numpy as np
import pytest

from refimpl import sufficiency
from refimpl.app import theorems
from refimpl.app.experiments import EXPERIMENTS
from refimpl.companions.deconv import theorems as deconv
from refimpl.paper import student_theorems
from refimpl.paper.tiny import tiny, tiny_teacher


def test_the_rooms_theorems_are_gathered():
    found = theorems.run(tiny(side=7), tiny_teacher(side=7), 0)
    numbers = {record.id.partition("/")[0] for record in found}
    assert numbers == {f"T{n}" for n in range(20) if n != 18}  # T18 is a count
    assert [record.id for record in found if not record.holds] == []
    assert len({record.id for record in found}) == len(found)
    assert EXPERIMENTS["theorems"].study is theorems


@pytest.mark.parametrize(
    "place, name, wrong, check",
    [
        (deconv, "preferred", lambda w, *rest: PREFERRED(w[:, ::-1], *rest), "T13"),
        (sufficiency, "fewest_images", lambda theta: scaled(*FEWEST(theta)), "T14"),
        (sufficiency, "first_step", lambda *a, **how: 1.001 * FIRST(*a, **how), "T16"),
        (sufficiency, "cross_entropy_factor", lambda *a, **how: FACTOR(*a, **how) ** 2, "T17"),
    ],
)
def test_a_wrong_prediction_does_not_hold(monkeypatch, place, name, wrong, check):
    monkeypatch.setattr(place, name, wrong)
    data, teacher = tiny(), tiny_teacher()
    found = [*deconv.run(data, teacher, 0), *student_theorems.run(data, teacher, 0)]
    assert not next(record for record in found if record.id == check).holds


def test_t19_where_starts_cost_something(monkeypatch):
    """The tiny teacher's margins are so large that nothing happens: a fiftieth of it."""
    network = tiny_teacher()
    network = network.with_parameters([p / 50 for p in network.parameters])

    def record():
        rng = np.random.default_rng(0)
        return student_theorems.t19(network, rng, tiny().test_x)[0]

    assert record().holds and record().predicted < 0.95
    monkeypatch.setattr(sufficiency, "margin_law", lambda z, spread: LAW(z, spread / 2))
    assert not record().holds


PREFERRED, FEWEST = deconv.preferred, sufficiency.fewest_images
FIRST, FACTOR, LAW = (
    sufficiency.first_step,
    sufficiency.cross_entropy_factor,
    sufficiency.margin_law,
)


def scaled(images, lr):
    return 1.01 * images, lr


def test_predicted_numbers_are_numbers():
    for record in student_theorems.run(tiny(), tiny_teacher(), 1):
        assert np.isfinite([record.predicted, record.measured, record.residual]).all()
