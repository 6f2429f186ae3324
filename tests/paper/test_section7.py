"""T15: what ten averages can hold."""

import numpy as np

from refimpl.losses import cross_entropy
from refimpl.paper.protocol import class_averages
from refimpl.paper.section7 import best_in_span
from refimpl.theory import augmented, network_of, row_space, theta_of


def test_the_best_classifier_in_the_span_of_the_averages(digits, rng):
    """It lies in the span; there the gradient is zero, and no neighbour in the span is better."""
    x, y = digits.train_x[:2_000].astype(np.float64), digits.train_y[:2_000]
    averages = class_averages(digits)
    basis, _ = row_space(augmented(averages))
    theta = theta_of(best_in_span(averages, x, y))
    assert np.abs(theta - basis.T @ (basis @ theta)).max() < 1e-9 * np.abs(theta).max()

    def loss(theta):
        z = network_of(theta).logits(x)
        coordinates = basis @ theta
        return cross_entropy(z, y)[0] + 0.5e-6 * np.sum(coordinates**2)

    for _ in range(5):
        step = basis.T @ rng.normal(size=(len(basis), theta.shape[1]))
        step *= 1e-3 * np.linalg.norm(theta) / np.linalg.norm(step)
        assert loss(theta + step) > loss(theta) < loss(theta - step)
