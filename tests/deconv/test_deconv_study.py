"""The review's studies on data so small that they run at once: when features have settled, what
cures aliasing.
"""

import numpy as np
import pytest

from refimpl.companions.deconv import study as review
from refimpl.paper.tiny import tiny


@pytest.mark.parametrize("times", [(), (1, 2), (0, 2, 1), (0, 1, 1)])
def test_times_ascend_from_0(times):
    with pytest.raises(ValueError, match="times: expected ascending steps, the first 0"):
        review.evolution(tiny(), 0, times=times)


def test_a_picture_a_time_and_channel():
    found = review.evolution(tiny(), 0, times=(0, 2, 3), images=6)
    assert [row["layers"] for row in found["layers"]] == [3, 6, 10] and found["times"] == [0, 2, 3]
    for row, channels in zip(found["layers"], (8, 16, 64)):
        alive = round(channels * (1 - row["dead"]))
        assert (
            row["pictures"].shape == (3, channels, 16)
            and len(row["strongest"]) == len(row["fixed"]) == alive
        )
        assert set(row["strongest"]) | set(row["fixed"]) <= {0, 2, 3}
    longer = review.evolution(tiny(), 0, times=(0, 1, 2, 3), images=6)
    for row, other in zip(found["layers"], longer["layers"]):
        assert np.array_equal(
            row["pictures"], other["pictures"][[0, 2, 3]]
        )  # looking changes nothing


def test_values_are_those_of_the_claims():
    evolved = [review.evolution(tiny(), seed, times=(0, 1), images=4) for seed in (0, 1)]
    cured = [review.cure(tiny(2_100, side=12), seed, steps=1, images=4) for seed in (0, 1)]
    values = review.values_of("digits", evolved, cured)
    claims = list(review.claims("digits"))
    assert {claim.id for claim in claims} == set(values) and all(
        len(v) == 2 for v in values.values()
    )
    assert values["review/digits/aliasing/7_2"] == [
        run["7 x 7, stride 2 (ZFNet)"]["aliasing"] for run in cured
    ]
    for claim in claims:
        assert claim.relation is None or claim.relation(values) in (True, False)
