"""The rule of the ledger, at its edges."""

import numpy as np
import pytest

from refimpl.ledger.verdict import band, student_t_quantile, verdict

SIX = [91.25, 91.35, 91.45, 91.55, 91.65, 91.75]


@pytest.mark.parametrize(
    "df, value",
    [(1, 12.706205), (2, 4.302653), (4, 2.776445), (9, 2.262157), (30, 2.042272), (1000, 1.962339)],
)
def test_t_quantile_against_printed_tables(df, value):
    assert student_t_quantile(0.975, df) == pytest.approx(value, abs=2e-6 * value)


@pytest.mark.parametrize("p, df", [(0.5, 4), (1.0, 4), (0.975, 0), (0.975, 0.5), (np.nan, 4)])
def test_quantiles_that_are_not_there(p, df):
    with pytest.raises(ValueError, match="p, df: expected .5 < p < 1 and df >= 1"):
        student_t_quantile(p, df)
    with pytest.raises(ValueError, match="better: expected 'higher' or 'lower', got 'more'"):
        verdict(91.5, SIX, better="more")


def test_a_quantile_out_of_reach_is_no_number():
    """Student's t with one degree of freedom: tan(pi (p - 1 / 2)) is 31,831 here."""
    with pytest.raises(ValueError, match="expected a quantile of at most 10,000"):
        student_t_quantile(0.99999, 1)
    assert student_t_quantile(0.9999, 1) == pytest.approx(3183.0988, rel=1e-6)


def test_band_is_the_prediction_interval():
    mean, half = band(SIX)
    assert mean == pytest.approx(91.5) and half == pytest.approx(
        2.570582 * np.std(SIX, ddof=1) * np.sqrt(7 / 6), rel=1e-5
    )
    assert np.isnan(band([1.0])[1])


def test_the_interval_holds_95_percent_of_new_draws(rng):
    draws = rng.normal(size=(4000, 6))
    inside = [verdict(row[5], row[:5], unit=100) == "reproduced" for row in draws]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(
    "paper, values, how, expected",
    [
        (91.5, SIX, {}, "reproduced"),
        (91.5, SIX[:4], {}, "too few seeds"),
        (91.5, [80, 85, 90, 95, 100], {}, "undecided"),  # inside a band wider than 2 points
        (20.0, [80, 85, 90, 95, 100], {}, "exceeded"),  # outside it, however wide
        (140.0, [80, 85, 90, 95, 100], {}, "not reproduced"),
        (91.5, SIX[:5], {"unit": 0.01}, "undecided"),  # wider than two points of .01
        (95.0, SIX[:5], {"unit": 0.01}, "not reproduced"),
        (95.0, [91.5] * 5, {}, "not reproduced"),
        (88.0, [91.5] * 5, {}, "exceeded"),
        (0.14, [0.0] * 5, {"better": "lower"}, "exceeded"),
        (0.0, [0.5] * 5, {"better": "lower"}, "not reproduced"),
        (91.5, [91.5] * 5, {}, "reproduced"),
        (91.5, SIX, {"contradicted": True}, "contradicted"),
        (91.5, [*SIX, np.nan], {"better": "lower"}, "undecided"),
    ],
)  # a score that a run does not have
def test_verdicts(paper, values, how, expected):
    assert verdict(paper, values, **how) == expected
