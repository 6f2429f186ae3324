"""Paired tests: printed quantiles, closed forms, false alarms counted."""

import math

import numpy as np
import pytest

from refimpl.ledger.paired import paired_test, two_sided_p
from refimpl.ledger.verdict import student_t_quantile


@pytest.mark.parametrize(
    "t, df, p",
    [
        (12.706205, 1, 0.05),
        (2.776445, 4, 0.05),
        (2.262157, 9, 0.05),
        (3.249836, 9, 0.01),
        (4.780913, 9, 0.001),
        (2.042272, 30, 0.05),
        (1.962339, 1000, 0.05),
    ],
)
def test_p_against_printed_tables(t, df, p):
    assert two_sided_p(t, df) == pytest.approx(p, rel=2e-6) == two_sided_p(-t, df)


@pytest.mark.parametrize("t", [0.0, 1e-3, 0.7, 3.0, 50.0, 1e6])
def test_p_in_closed_form(t):
    assert two_sided_p(t, 1) == pytest.approx(2 / math.pi * math.atan2(1, t), rel=1e-12)
    assert two_sided_p(t, 2) == pytest.approx(
        2 / ((2 + t * t) * (1 + t / math.sqrt(2 + t * t))), rel=1e-12
    )


def test_p_of_no_number_is_none():
    assert math.isnan(two_sided_p(math.nan, 3))
    with np.errstate(invalid="ignore"):
        assert math.isnan(paired_test([1.0, 2.0, 3.0], [math.inf, 2.0, 3.0]).p)


def test_p_of_many_runs_is_the_normal_law():
    assert two_sided_p(2.0, 1e6) == pytest.approx(math.erfc(2**0.5), rel=1e-5)
    for df in (0.0, 0.5, 1e9, math.nan):
        with pytest.raises(ValueError, match="df: expected a number from 1 to 1e6"):
            two_sided_p(2.0, df)


def test_p_is_the_inverse_of_the_ledgers_quantile():
    for df in (1, 3, 8, 19, 99):
        assert two_sided_p(student_t_quantile(0.975, df), df) == pytest.approx(0.05, rel=1e-5)


def test_paired_test_by_hand():
    test = paired_test(
        [3.0, 5.0, 4.0], [4.0, 7.0, 7.0]
    )  # differences 1, 2, 3: mean 2, sd 1, t = 2 sqrt(3)
    assert (test.n, test.mean, test.sd, test.undefined) == (3, 2.0, 1.0, 0)
    assert test.t == pytest.approx(2 * math.sqrt(3)) and test.p == pytest.approx(
        0.0741799, rel=1e-5
    )
    assert test.half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    back = paired_test([4.0, 7.0, 7.0], [3.0, 5.0, 4.0])
    assert (back.mean, back.t, back.p) == (-test.mean, -test.t, test.p)


def test_pairing_counts(rng):
    """The same two samples: a constant gain is certain in pairs, and lost when the pairs are
    broken.
    """
    before = rng.normal(size=12)
    after = before + 0.1 + 0.01 * rng.normal(size=12)
    assert paired_test(before, after).p < 1e-8 and paired_test(before, after[::-1]).p > 0.1


def test_no_spread_and_undefined_runs():
    same, more = paired_test([1.0, 2.0], [1.0, 2.0]), paired_test([0.0, 0.0], [1.0, 1.0])
    assert (same.t, more.t, more.p) == (0.0, math.inf, 0.0) and same.p == pytest.approx(
        1, rel=1e-14
    )
    missing = paired_test([1.0, math.nan, 2.0, 3.0], [2.0, 5.0, 4.0, math.nan])
    assert (missing.n, missing.undefined, missing.mean) == (2, 2, 1.5)
    with pytest.raises(ValueError, match="at least 2 runs in which both have a value, got 1"):
        paired_test([1.0, math.nan], [2.0, 1.0])
    with pytest.raises(ValueError, match="after: expected one number a run"):
        paired_test([1.0, 2.0], [2.0, 1.0, 3.0])


def test_false_alarms_come_at_the_named_rate(rng):
    """No effect: p < .05 in 5 % of experiments."""
    pairs = rng.normal(size=(2000, 2, 10))
    assert np.mean([paired_test(*p).p < 0.05 for p in pairs]) == pytest.approx(0.05, abs=0.016)
