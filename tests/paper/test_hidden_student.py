"""Retraining in the coordinates of the images' span: what is refused. That it is plain descent:
test_section6.
"""

import numpy as np
import pytest

from refimpl.network import one_hidden_net
from refimpl.paper.hidden_student import retrain_hidden


@pytest.mark.parametrize(
    "images, how, message",
    [
        (np.zeros((0, 4)), {}, r"images: expected shape \(N, 4\) with N > 0, got \(0, 4\)"),
        (np.full((2, 4), np.nan), {}, "images: expected finite numbers, found NaN or infinity"),
        (
            np.eye(2, 4),
            {"free": 1.0},
            "decay, free: expected decay >= 0 and 0 <= free < 1, got 0.0 and 1.0",
        ),
    ],
)
def test_bad_arguments(rng, images, how, message):
    student = one_hidden_net(4, 3, 2, rng=rng)
    with pytest.raises(ValueError, match=message):
        retrain_hidden(images, np.zeros((len(images), 2)), student, lr=0.1, steps=3, **how)
