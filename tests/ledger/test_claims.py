"""The ledger holds every printed number of sections 5, 7 and 9, and judges what was measured."""

import numpy as np
import pytest

from refimpl.app.ledger import CLAIMS, ENTRIES
from refimpl.ledger.claim import Claim, Measurement, entry
from refimpl.ledger.judge import judge, measurements
from refimpl.paper.cells import by_id, flatten
from refimpl.paper.printed import PAPER
from refimpl.paper.printed_tables import tables

BY_ID = {claim.id: claim for claim in CLAIMS}
VERDICTS = {
    *("reproduced", "undecided", "exceeded", "not reproduced", "contradicted"),
    *("too few seeds", "as predicted", "not as predicted"),
}


def test_ids_are_unique_and_explained():
    assert len({entry.id for entry in ENTRIES}) == len(ENTRIES) > len(CLAIMS) == len(BY_ID)
    assert all(claim.what and claim.section for claim in CLAIMS)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_table_5(name):
    for column in ("train_set", "class_visualizations", "class_averages", "output_weights"):
        printed = PAPER["table_5"][name][PAPER["table_5"]["columns"].index(column)]
        claim = BY_ID[f"table5/{name.replace('_', '-')}/{column}"]
        assert claim.paper == printed and claim.protocol and claim.unspecified


@pytest.mark.parametrize("number", [1, 3, 8, 12])
def test_every_cell_of_the_mnist_tables(number):
    matrix = PAPER["confusion_matrices"][f"table_{number}"]["rows_actual_columns_predicted"]
    for i, row in enumerate(matrix):
        for j, count in enumerate(row):
            assert BY_ID[f"table{number}/mnist/{i}/{j}"].paper == count
    for key in ("precision", "recall", "f1"):
        for c, value in enumerate(PAPER["per_class_metrics"][f"table_{number + 1}"][key]):
            assert BY_ID[f"table{number + 1}/mnist/{key}/{c}"].paper == value


def test_the_papers_numbers_are_the_printed_ones():
    """Spot checks against the text, so that a changed results.json does not go unseen."""
    assert PAPER["table_5"]["mnist"] == [91.76, 91.62, 91.63, 86.02, 91.75]
    assert PAPER["table_5"]["cifar10"] == [40.08, 39.65, 38.85, 10.0, 39.65]
    assert BY_ID["table1/mnist/4/9"].paper == 48 and BY_ID["table9/mnist/f1/3"].paper == 0.803
    assert (
        BY_ID["section5/mnist/logit/loss"].paper == 0.14
        and BY_ID["section5/cifar10/logit/loss"].paper == 0.43
    )


def test_flatten_spreads_a_matrix():
    flat = flatten({"table1/mnist": np.array([[8, 2], [1, 9]]), "table5/mnist/train_set": 85.0})
    assert flat["table1/mnist/0/1"] == 2 and flat["table2/mnist/recall/0"] == 0.8
    assert (
        flat["table2/mnist/precision/1"] == round(9 / 11, 3)
        and flat["table5/mnist/train_set"] == 85.0
    )


def test_judge():
    seeds = [
        {
            "table5/digits/train_set": a,
            "table5/digits/class_visualizations": a,
            "table5/digits/class_averages": 80.0,
            "section5/digits/png/bytes": 8000,
        }
        for a in (91.0, 92.0)
    ]
    rows = {row["id"]: row for row in judge(by_id(seeds), ENTRIES)}
    assert rows["table5/digits/class_visualizations"]["verdict"] == "reproduced"
    assert rows["table5/digits/class_averages"]["verdict"] == "reproduced"
    assert set(rows) == {"table5/digits/class_visualizations", "table5/digits/class_averages"}
    beside = {row["id"]: row for row in measurements(by_id(seeds), ENTRIES)}
    assert set(beside) == {"table5/digits/train_set", "section5/digits/png/bytes"}
    teacher = beside["table5/digits/train_set"]
    assert (teacher["mean"], teacher["sd"], teacher["n"]) == (91.5, pytest.approx(0.5**0.5), 2)
    assert teacher["what"] == "trained on the training set" and "verdict" not in teacher
    seeds[1]["table5/digits/class_visualizations"] = 92.05
    assert {r["id"]: r["verdict"] for r in judge(by_id(seeds), CLAIMS)}[
        "table5/digits/class_visualizations"
    ] == "not reproduced"
    assert judge(by_id(seeds[:1]), CLAIMS)[0]["ours"]["sd"] is None
    assert all(row["verdict"] in VERDICTS for row in judge(by_id(seeds), CLAIMS))


def test_a_row_of_the_ledger_answers_the_paper():
    assert all(claim.paper is not None or claim.relation for claim in CLAIMS)
    with pytest.raises(ValueError, match="expected a printed number or a relation for 'a'"):
        Claim("a", "5", "nothing")
    assert isinstance(entry("a", "5", "nothing"), Measurement)
    assert entry("a", "5", "zero", 0.0) == Claim("a", "5", "zero", 0.0)  # 0 is a number


def test_ten_percent_is_reproduced_by_divergence_and_random_is_contradicted():
    """CIFAR-10's class averages: what the paper prints is what lr .5, above the bound, gives."""
    five = [
        {
            "table5/cifar10/train_set": 40.0,
            "table5/cifar10/class_averages": 34.0,
            "section7/cifar10/paper_lr": 10.0,
            "section7/cifar10/paper_lr_classes": 1,
            "section7/cifar10/lr_bound": 0.02,
        }
        for _ in range(5)
    ]
    found = {r["id"]: r["verdict"] for r in judge(by_id(five), CLAIMS)}
    assert found["table5/cifar10/class_averages"] == "exceeded"
    assert found["section7/cifar10/paper_lr"] == "reproduced"
    assert found["section7/cifar10/paper_lr_classes"] == "contradicted"
    five[0]["section7/cifar10/paper_lr_classes"] = 4
    found = {r["id"]: r["verdict"] for r in judge(by_id(five), CLAIMS)}
    assert found["section7/cifar10/paper_lr_classes"] == "not reproduced"


def test_section_8_is_judged_by_the_protocol_that_is_printed():
    balanced = BY_ID["section8/mnist/three_vs_all_balanced_teacher"]
    assert balanced.paper == 97.82 and "as printed" in balanced.protocol
    found = judge({balanced.id: [94.0, 94.5, 94.7, 94.4, 94.2]}, [balanced])
    assert found[0]["verdict"] == "not reproduced"
    whole = BY_ID["section8/mnist/three_vs_all_retrained"]
    found = judge({whole.id: [97.2, 97.4, 97.7, 97.3, 97.6]}, [whole])
    assert found[0]["verdict"] == "reproduced" and "not as printed" in whole.protocol


def test_our_own_controls_are_as_predicted_and_no_verdict_is_a_constant():
    control = BY_ID["controls/mnist/noise"]
    values = {"controls/mnist/noise": [50.0] * 5, "table5/mnist/train_set": [92.0] * 5}

    def verdict_of(values):
        return judge(values, [control])[0]["verdict"]

    assert control.own and verdict_of(values) == "as predicted"
    assert verdict_of({id: v[:4] for id, v in values.items()}) == "too few seeds"
    assert verdict_of(values | {"controls/mnist/noise": [93.0] * 5}) == "not as predicted"
    for claim in CLAIMS:
        if claim.contradicted:  # by what was measured: a network that does not fit the story is not
            other = {id: [20.0] * 5 for id in (entry.id for entry in ENTRIES)}
            assert not claim.contradicted(other), claim.id


def test_the_papers_tables_agree_with_each_other():
    assert len(tables()) == 21 and all(holds for _, holds, _ in tables())


def test_how_many_images_and_what_a_random_start_costs():
    """T14 and T19 as rows: nine for ten classes; the law within two points of the seeds' mean."""
    p = "section5/mnist"
    few, start = BY_ID[f"{p}/fewest/images"], BY_ID[f"{p}/random_start/agreement"]
    values = {
        few.id: [9] * 5,
        f"{p}/random_start/law": [95.0] * 5,
        start.id: [94.0, 97.0] * 2 + [95],
    }

    def verdicts(values):
        return [row["verdict"] for row in judge(values, [few, start])]

    assert verdicts(values) == ["as predicted"] * 2
    assert verdicts(values | {few.id: [10] * 5})[0] == "not as predicted"
    assert verdicts(values | {start.id: [90.0] * 5})[1] == "not as predicted"
