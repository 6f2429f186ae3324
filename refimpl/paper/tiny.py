"""A data set so small that every experiment runs on it at once: for examples, and to try an
experiment's code.
"""

import numpy as np

from refimpl.data import Dataset
from refimpl.network import Network
from refimpl.paper.protocol import Schedule, train_teacher


def tiny(images: int = 100, side: int = 4) -> Dataset:
    """A Dataset called "digits" of `images` random images of side x side pixels in ten classes, in
    turn.

    Each class is a random image of its own and Gaussian noise of .05 on it; to test there are the
    same images again. float32, not kept in [0, 1].

    >>> data = tiny(20, 3)
    >>> data.train_x.shape, data.train_y[:12].tolist(), data.image_shape
    ((20, 9), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1], (1, 3, 3))
    """
    rng, y = np.random.default_rng(0), np.arange(images) % 10
    x = (rng.random((10, side * side))[y] + rng.normal(0, 0.05, (images, side * side))).astype(
        np.float32
    )
    return Dataset("digits", "tiny", x, y, x, y, (1, side, side), tuple("0123456789"))


def tiny_teacher(side: int = 4) -> Network:
    """The shallow teacher of tiny(side=side), float64: 100 steps with lr .5 from zero, which keeps
    it zero-sum (T0).

    >>> data, network = tiny(), tiny_teacher()
    >>> (
    ...     int((network.predict(data.test_pixels) == data.test_y).sum()),
    ...     bool(abs(network.parameters[1].sum()) < 1e-12),
    ... )
    (100, True)
    """
    return train_teacher(tiny(side=side), 0, Schedule(lr=0.5, steps=100))
