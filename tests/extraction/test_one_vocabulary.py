"""Extraction from Python: one door for four regimes, one word for each, everywhere."""

import inspect
from dataclasses import fields

import numpy as np
import pytest

import refimpl as ri
from refimpl.companions.extraction import command
from refimpl.companions.extraction.extraction import REGIMES, Extraction
from refimpl.companions.extraction.table import REGIMES as PRINTED
from refimpl.layers import Sigmoid, Tanh
from refimpl.network import Network, one_hidden_net

BOUNDS = {"hints": 1e-12, "filters": 1e-10, "scratch": 1e-8, "black_box": 1e-8}


def off(student, teacher):
    """The largest difference of the logits at inputs that neither has seen, over the largest."""
    x = np.random.default_rng(9).normal(size=(200, teacher.inputs))
    z = teacher.logits(x)
    return np.abs(student.logits(x) - z).max() / np.abs(z).max()


def a_teacher(seed, **how):
    rng = np.random.default_rng(seed)
    net = one_hidden_net(12, 4, 5, rng=rng, **how)
    return net.with_parameters([p + 0.1 * rng.normal(size=p.shape) for p in net.parameters])


@pytest.mark.parametrize("regime", REGIMES)
def test_every_regime_gives_the_network_back(regime):
    teacher = a_teacher(3)
    e = ri.extract(teacher, regime=regime)
    assert e.regime == regime and np.array_equal(e.targets, teacher.logits(e.images))
    assert e.targets is e.logits
    student = e.recover()
    assert isinstance(student, Network) and off(student, teacher) < BOUNDS[regime]
    proved = "parameters" if regime in ("hints", "filters") else "unproven"
    assert e.certificate.exact == proved and e.certificate.reason


def test_hints_is_what_comes_without_a_word():
    plain, named = ri.extract(a_teacher(4)), ri.extract(a_teacher(4), regime="hints")
    assert np.array_equal(plain.images, named.images) and plain.regime == "hints"


@pytest.mark.parametrize("activation", [Sigmoid(), Tanh()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("regime", ["hints", "filters"])
def test_the_student_has_the_teachers_activation(regime, activation):
    teacher = a_teacher(5, activation=activation)
    student = ri.extract(teacher, regime=regime).recover()
    assert isinstance(student.layers[1], type(activation)) and off(student, teacher) < 1e-9


def test_what_an_extraction_holds_is_no_teacher():
    """Apart from the black box's own student there is no network in it."""
    e = ri.extract(a_teacher(6), regime="filters")
    assert not any(isinstance(getattr(e, f.name), Network) for f in fields(Extraction))
    assert list(inspect.signature(e.recover).parameters) == []


@pytest.mark.parametrize("regime", ["hints", "filters", "black_box"])
def test_one_line_says_what_it_is(regime):
    e = ri.extract(a_teacher(7), regime=regime)
    for said in (repr(e), repr(e.certificate)):
        assert "\n" not in said and "array" not in said and len(said) <= 100
    assert regime in repr(e) and f"{len(e.images):,}" in repr(e)
    assert e.certificate.exact in repr(e) and e.certificate.exact in repr(e.certificate)


def test_a_seed_goes_for_a_generator():
    teacher = a_teacher(8)
    one, two = (ri.extract(teacher, regime="scratch", rng=rng).images for rng in (5, 6))
    again = ri.extract(teacher, regime="scratch", rng=np.random.default_rng(5)).images
    assert np.array_equal(one, again) and not np.array_equal(one, two)


def test_one_vocabulary_in_python_the_command_and_the_table():
    assert REGIMES == command.REGIMES and set(PRINTED) == set(REGIMES)
    readme = command.README.read_text()
    assert all(f"| `{regime}` |" in readme for regime in REGIMES)


@pytest.mark.parametrize(
    "how, message",
    [
        ({"regime": "black_box", "images": 5}, "images: expected None, .* got 5"),
        ({"regime": "black_box"}, "network: expected ReLU with the regime black_box, got Tanh"),
        ({"regime": "scratch", "images": 1}, "images: expected a whole number >= 2, got 1"),
    ],
)
def test_what_a_regime_does_not_take_is_refused(how, message):
    with pytest.raises(ValueError, match=message):
        ri.extract(a_teacher(1, activation=Tanh()), **how)
