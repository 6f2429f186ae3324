"""A teacher of random labels: its ten images hold what it memorized, half its images do not."""

import numpy as np
import pytest

from refimpl.ledger.judge import judge
from refimpl.network import softmax_net
from refimpl.paper import memorized, memorized_figures
from refimpl.theory import zero_sum_residual


@pytest.fixture(scope="module")
def found(digits):
    with pytest.MonkeyPatch.context() as quick:
        quick.setattr(memorized, "SHOWN", (50, 100))
        quick.setattr(memorized_figures, "SHOWN", (50, 100))
        yield memorized.run(digits, softmax_net(784, 10), 0)


def test_the_ten_images_recall_what_the_teacher_does(found):
    p = "memorized/digits"
    assert found[f"{p}/teacher"] == found[f"{p}/ten_images"] >= 95
    assert 5 < found[f"{p}/test"] < 20  # nothing was learned
    soft = [found[f"{p}/{n}/soft"] for n in memorized.SHOWN]
    assert soft[0] < soft[1] and soft[1] > 40 > 25 > found[f"{p}/100/hard"]


def test_every_number_has_its_row_and_the_figure(found, digits, tmp_path):
    entries = list(memorized.claims("digits"))
    assert {entry.id for entry in entries} == set(found)
    verdicts = [row["verdict"] for row in judge({id: [v] * 5 for id, v in found.items()}, entries)]
    assert verdicts == ["as predicted"] * 2
    forgot = {id: [v] * 5 for id, v in found.items()} | {"memorized/digits/ten_images": [50.0] * 5}
    assert judge(forgot, entries)[0]["verdict"] == "not as predicted"
    rows = [{"id": id, "ours": {"mean": v, "sd": None}} for id, v in found.items()]
    made = memorized_figures.make(digits, None, rows, tmp_path)
    assert [f["file"] for f in made] == ["memorized.png"] and (tmp_path / "memorized.png").stat()
    assert memorized_figures.make(digits, None, [], tmp_path) == []


def test_the_teacher_is_zero_sum(rng):
    x, y = rng.normal(size=(30, 50)), rng.integers(0, 4, 30)
    network = memorized.memorize(x, y, 4)
    assert np.array_equal(network.predict(x), y)
    assert zero_sum_residual(*network.parameters) < 1e-12
