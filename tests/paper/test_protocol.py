"""The protocol is what the validation grid chooses, and its experiments use no test image."""

import os
from dataclasses import replace

import numpy as np
import pytest

from refimpl.paper import protocol
from refimpl.paper.protocol import LRS, PROTOCOLS, Schedule, choose, class_averages, train_teacher


@pytest.mark.slow
def test_the_choice_on_digits_is_the_constant_in_the_code(digits):
    """All of LRS with REFIMPL_FULL; else the two that were chosen."""
    lines = []
    chosen = choose(
        digits, lrs=LRS if os.environ.get("REFIMPL_FULL") else (0.5, 0.1), report=lines.append
    )
    assert chosen == PROTOCOLS["digits"] and len(lines) >= 4


def test_the_choice_never_reads_a_test_image(digits, monkeypatch):
    monkeypatch.setitem(protocol.STEPS, "digits", (40,))
    blind = replace(
        digits, test_x=np.full_like(digits.test_x, np.nan), test_y=np.zeros_like(digits.test_y)
    )
    monkeypatch.setattr(protocol, "STABLE_SPREAD", 100.0)
    assert choose(blind, seeds=(1000,), lrs=(0.1,)) == choose(digits, seeds=(1000,), lrs=(0.1,))


def test_unstable_rates_are_passed_over(digits, monkeypatch):
    monkeypatch.setitem(protocol.STEPS, "digits", (1_000,))
    lines = []
    chosen = choose(digits, seeds=(1000,), lrs=(50.0, 0.05), report=lines.append)
    assert chosen.paper == Schedule(0.05, 1_000) and "unstable" in lines[0]
    with pytest.raises(ValueError, match="none of .* is stable on digits"):
        choose(digits, seeds=(1000,), lrs=(50.0,))


def test_validation_split_is_the_last_images(digits):
    split = digits.validation(2_000)
    assert np.array_equal(split.test_x, digits.train_x[-2_000:]) and len(split.train_x) == 8_000
    assert np.shares_memory(split.train_pixels, digits.train_pixels)
    with pytest.raises(ValueError, match="images: expected 1 to 9999, got 10000"):
        digits.validation(10_000)


def test_the_seed_sets_init_and_order_and_nothing_else(digits):
    first, again, other = (
        train_teacher(digits, seed, Schedule(0.5, 50)).parameters[0] for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_class_averages_by_loops(digits):
    means = class_averages(digits)
    for c in (0, 7):
        by_loop = sum(x.astype(float) for x, y in zip(digits.train_x, digits.train_y) if y == c)
        assert np.allclose(means[c], by_loop / (digits.train_y == c).sum(), rtol=1e-12)
