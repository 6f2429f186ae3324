"""A user's file that calls every flat name: type-checked under strict rules, and run, by
test_types.py.
"""

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import refimpl as ri
from refimpl.losses import cross_entropy

Floats = NDArray[np.float64]


def affine(x: Floats, w: Floats) -> Floats:
    """x (N, D), w (D, K) -> (N, K)."""
    product: Floats = x @ w
    return product


def vjp(dout: Floats, x: Floats, w: Floats) -> tuple[Floats, Floats]:
    """dout (N, K) -> dx, dw."""
    return dout @ w.T, x.T @ dout


def square(x: Floats) -> float:
    """|x|^2."""
    return float(x @ x)


def main() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 16)), np.arange(60) % 4
    data: ri.Dataset = ri.dataset_from(x, y, x[:8], y[:8])
    start: ri.Network = ri.softmax_net(16, 4)
    teacher, losses = ri.train(start, data.train_x, data.train_y, steps=20, lr=0.5, batch=20, rng=0)
    images, history = ri.class_visualizations(teacher, steps=10, lr=0.1)
    found = ri.retrain(images, teacher.logits(images))
    same: float = ri.accuracy(teacher.predict(x), found.network.predict(x))
    sure = ri.certificate(images, teacher.logits(images), teacher)
    exact: str = sure.exact
    descended = ri.descend(start, x, y, cross_entropy, lr=0.1, steps=2).network
    climbed, values = ri.ascend(
        lambda at, step: (-(at * at).sum(axis=1), -2 * at), x, steps=2, lr=0.1
    )
    hidden = ri.one_hidden_net(16, 5, 4, rng=0)
    extraction = ri.extract(hidden)
    again: ri.Network = extraction.recover()
    ri.save_network(again, "net.npz")
    loaded = assert_type(ri.load_network("net.npz"), ri.Network)  # Any would be no type
    own: ri.Network = ri.network_from(np.eye(3), np.zeros(3))
    ri.show(images).savefig("ten.png")
    verdicts: list[str] = [
        ri.check_gradients(affine, vjp, (np.eye(4, 3), np.eye(3, 2)), rng=0).verdict,
        ri.check_layer(own.layers[0], np.ones((2, 3)), rng=0).verdict,
        ri.check_jacobian(square, lambda v: 2 * v, np.ones(3)).verdict,
    ]
    ri.assert_gradients(affine, vjp, (np.eye(4, 3), np.eye(3, 2)), rng=0)
    ri.assert_layer(own.layers[0], np.ones((2, 3)), rng=0)
    packing = ri.pack([[3, 4], [2, 2]], (5, 5), names=["lid", "shelf"])
    print(same, exact, verdicts, packing.count, loaded, descended, ri.load("digits"), losses[-1])
    print(history.shape, climbed.shape, values.shape, ri.__version__)


if __name__ == "__main__":
    main()
