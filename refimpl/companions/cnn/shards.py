"""One batch in several threads: each takes a part of the images, and the gradients are added.

The gradient of a mean over a batch is the sum of the parts' (data parallelism; Goodfellow et al.
2016, section 12.1.2). Threads and not processes, since NumPy and BLAS leave the interpreter's lock
while they compute. BLAS must have one thread of its own (OPENBLAS_NUM_THREADS=1, which `python -m
refimpl` sets).
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from refimpl.layers import buffer_names
from refimpl.network import Network


@dataclass(frozen=True, eq=False)
class Sharded:
    """A Network whose batch is cut into `count` parts, one a thread of `pool`: what `train_step`
    asks of a network.

    Equal to the network alone to round-off, for equal chance: each part has a child of rng for its
    own. Raises ValueError on layers that look at the whole batch (BatchNorm).

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from refimpl.network import softmax_net
    >>> with ThreadPoolExecutor(2) as pool:
    ...     out, caches = Sharded(softmax_net(4, 3), pool, 2).forward(np.ones((5, 4)))
    >>> out.shape, len(caches)
    ((5, 3), 2)
    """

    network: Network
    pool: Executor
    count: int

    def __post_init__(self) -> None:
        if any(buffer_names(layer) for layer in self.network.layers):
            raise ValueError(
                "network: expected layers that treat each image alone, got batch normalization"
            )

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        return self.network.parameters

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """x (N, D) -> out (N, K), the parts' caches."""
        count = min(self.count, len(x))
        rngs = rng.spawn(count) if rng else [None] * count
        parts = [
            self.pool.submit(self.network.forward, part, train=train, rng=chance)
            for part, chance in zip(np.array_split(x, count), rngs)
        ]
        out, caches = zip(*(part.result() for part in parts))
        return np.concatenate(out), caches

    def parameter_gradients(self, dout: np.ndarray, caches: Sequence) -> tuple:
        """dout (N, K) and the parts' caches -> one tuple a layer of one gradient a parameter, as
        Network's.
        """
        parts = [
            self.pool.submit(self.network.parameter_gradients, part, cache)
            for part, cache in zip(np.array_split(dout, len(caches)), caches)
        ]
        return tuple(
            tuple(sum(g) for g in zip(*layer)) for layer in zip(*(part.result() for part in parts))
        )

    def updated(self, caches: Sequence) -> "Sharded":
        return self

    def with_parameters(self, parameters: Iterable[np.ndarray]) -> "Sharded":
        return replace(self, network=self.network.with_parameters(parameters))

    def projected(self) -> "Sharded":
        return replace(self, network=self.network.projected())
