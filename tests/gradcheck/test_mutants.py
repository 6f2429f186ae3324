"""The negative controls: every planted error is rejected, no correct case is, and the score says
so.
"""

import os
import re
import sys
from collections import Counter

import numpy as np
import pytest

from refimpl.gradcheck import mutants
from refimpl.gradcheck.mutants import PLANTED, cases, correct_cases, main_mutants, mutant
from refimpl.gradcheck.mutants.peers import accepts, installed
from refimpl.layers import LAYERS
from refimpl.losses import OBJECTIVES

FULL = bool(os.environ.get("REFIMPL_FULL"))
IDS = [f"{name}: {what}" for name, what, _ in PLANTED]


def test_the_list_is_long_unique_and_covers_every_case():
    assert len(PLANTED) >= 370 and max(Counter(IDS).values()) == 1
    assert {*LAYERS, *OBJECTIVES} <= {name.split(".")[0] for name, _, _ in PLANTED}
    assert {name for name, _, _ in PLANTED} <= set(cases(np.random.default_rng(0)))


@pytest.mark.parametrize("name, what, alter", PLANTED, ids=IDS)
def test_the_planted_error_is_rejected(name, what, alter):
    for seed in range(2 if FULL else 1):
        accepted, words = mutant(name, alter, seed=seed).check(np.random.default_rng(seed))
        assert not accepted, words
        assert words.startswith(("fail", "convention", "error: f:", "error: vjp:")), (
            words
        )  # a verdict, not a crash


def test_planting_leaves_the_real_code_alone():
    for name, _, alter in PLANTED:
        mutant(name, alter)
    assert all(
        case.check(np.random.default_rng(0))[0] for case in cases(np.random.default_rng(7)).values()
    )


def test_no_correct_case_is_accused():
    """No verdict on at most three in a hundred, where round-off is left of a gradient."""
    rng, count, unknown = np.random.default_rng(11), 1000 if FULL else 100, []
    for case in correct_cases(count, rng):
        accepted, words = case.check(rng)
        if not accepted:
            found = re.match(r"no verdict: bound (\S+) for a gradient of (\S+) ", words)
            assert found, f"{case.name}: {words}"
            bound, gradient = float(found[1]), float(found[2])
            assert bound > 1e-3 * gradient or gradient < 1e-8, f"{case.name}: {words}"
            unknown.append(case.name)
    assert len(unknown) <= 0.03 * count, unknown


def test_the_score_fails_when_an_error_survives_or_correct_code_is_accused(monkeypatch):
    monkeypatch.setattr(mutants, "correct_cases", lambda count, rng, **o: iter(()))
    lines = []
    monkeypatch.setattr(mutants, "PLANTED", PLANTED[:3])
    assert main_mutants(quick=True, out=lines.append) == 0 and lines[-1] == "killed 3 / 3 planted"
    monkeypatch.setattr(
        mutants, "PLANTED", [*PLANTED[:2], ("Tanh", "nothing wrong", lambda real: real)]
    )
    assert main_mutants(quick=True, out=lines.append) == 1 and lines[-1] == "killed 2 / 3 planted"
    monkeypatch.setattr(mutants, "PLANTED", PLANTED[:3])
    monkeypatch.setattr(
        mutants, "correct_cases", lambda count, rng, **o: iter([mutant(*PLANTED[0][::2])])
    )
    assert main_mutants(quick=True, out=lines.append) == 1 and lines[-1] == "killed 3 / 3 planted"


def test_absent_peers_are_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert installed() == ({}, ["torch", "scipy", "autograd", "jax", "derivcheck"])


@pytest.mark.parametrize("peer", ["torch", "scipy", "autograd", "jax"])
def test_a_peer_accepts_the_right_and_rejects_the_wrong(peer):
    here, _ = installed()
    if peer not in here:
        pytest.skip(f"{peer} is not installed")
    assert accepts(here[peer], cases(np.random.default_rng(0))["Tanh"])
    wrong = {f"{name}: {what}": alter for name, what, alter in PLANTED}[
        "Tanh: dx with the wrong sign"
    ]
    assert not accepts(here[peer], mutant("Tanh", wrong))


def test_peers_are_not_imported_by_us():
    assert not {"torch", "jax", "autograd"} & set(sys.modules) or installed()[0]
