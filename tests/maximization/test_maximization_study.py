"""The study of priors: its weights, its theorems, its rows and figures."""

import numpy as np
import pytest

from refimpl.companions.maximization import figures as priors_figures
from refimpl.companions.maximization import study
from refimpl.exact_recovery import certificate
from refimpl.metrics import accuracy
from refimpl.paper.section5 import visualize


@pytest.fixture(scope="module")
def measured(digits, teacher):
    return study.run(digits, teacher, 0)


@pytest.fixture(scope="module")
def pictures(digits, teacher):
    return study.pictures(digits, teacher, 0)


def test_every_row_has_a_claim_and_every_claim_a_row(measured):
    ids = [claim.id for claim in study.claims("digits")]
    assert sorted(ids) == sorted(measured) and len(set(ids)) == len(ids)


def test_the_relations_hold_and_can_fail(measured):
    judged = {c.id: c.relation for c in study.claims("digits") if c.relation}
    values = {id: [value] for id, value in measured.items()}
    assert len(judged) == 9 and all(relation(values) for relation in judged.values())
    for id, relation in judged.items():
        assert not relation(
            values | {id: [0.9 * values[id][0] if "gap" not in id else 2 * values[id][0]]}
        )


def test_strength_is_the_ratio_of_the_gradients(digits, teacher, rng):
    plain, w = visualize(teacher)[0], teacher.parameters[0]
    for cost in study.costs(digits, rng).values():
        pull = study.weight(cost, 3.0, plain, w) * np.linalg.norm(cost(plain)[1])
        assert pull == pytest.approx(3 * np.linalg.norm(w), rel=1e-12)


def test_students_are_what_the_certificate_predicts(digits, teacher, measured, pictures):
    for name in ("l2_3", "total_variation_1", "patch_1", "blur_1", "deepdream"):
        c = certificate(pictures[name], teacher.logits(pictures[name]), teacher)
        agreement = accuracy(teacher.predict(digits.test_x), c.student.predict(digits.test_x))
        assert measured[f"priors/digits/{name}/agreement"] == pytest.approx(agreement, abs=0.051)
        assert (c.exact == "parameters") == (name == "l2_3")


def test_linear_priors_keep_the_zero_sum_and_lose_the_span(measured, pictures):
    """x_c = A w_c: the sum stays zero, so the bias direction stays in the span, and the blank has
    nothing to add.
    """
    for name in ("l2_1", "total_variation_1", "blur_0.5"):
        x = pictures[name]
        assert np.abs(x.sum(axis=0)).max() < 1e-12 * np.abs(x).max() * len(x)
    for name in ("total_variation_1", "jitter_2", "blur_0.5"):
        agreement = measured[f"priors/digits/{name}/agreement"]
        assert agreement < 99 and measured[f"priors/digits/{name}/with_blank"] == pytest.approx(
            agreement, abs=0.051
        )


def test_smoothing_smooths_and_costs(measured):
    for family, strengths in priors_figures.FAMILIES.values():
        rough = [measured[f"priors/digits/{family}_{s:g}/roughness"] for s in strengths]
        agreement = [measured[f"priors/digits/{family}_{s:g}/agreement"] for s in strengths]
        assert sorted(agreement, reverse=True) == agreement
        if family.startswith(("total_variation", "jitter", "blur")):
            assert sorted(rough, reverse=True) == rough and rough[0] < 0.9


def test_the_same_seed_gives_the_same_pictures(digits, teacher, pictures):
    again = study.pictures(digits, teacher, 0)
    assert list(again) == list(study.names()) and all(
        np.array_equal(again[name], pictures[name]) for name in again
    )


def test_figures(digits, teacher, measured, tmp_path):
    rows = [{"id": id, "ours": {"mean": float(value)}} for id, value in measured.items()]
    made = priors_figures.make(digits, teacher, rows, tmp_path)
    assert {figure["file"] for figure in made} == {
        path.name for path in tmp_path.iterdir()
    } and len(made) == 3
    assert all(set(figure) == {"file", "title", "paper", "alt"} for figure in made)
    assert priors_figures.make(digits, teacher, [], tmp_path) == []
