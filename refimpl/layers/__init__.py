"""Layers: a frozen dataclass with a pure forward/backward pair. Nothing is stored on self.

    forward(x, *, train=False, rng=None) -> (out, cache)
    backward(dout, cache) -> (dx, (one gradient per parameter, in field order))

Fields of floating-point arrays are parameters but for those marked metadata={"buffer": True}, all
others hyper-parameters. backward is the vector-Jacobian product of exactly this operation: no
learning rate, no 1/N. dtype in = dtype out; complex128 passes through, ReLU by its real part, for
the complex step. This file has the layers of rows (N, D); LAYERS names those of the whole folder.

Any object with this pair is a layer, a plain class too: layers/protocol.py.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.dtypes import as_floats
from refimpl.layers.conv import Conv2D, Flatten, MaxPool2D, Unflatten, Upsample
from refimpl.layers.protocol import buffer_names as buffer_names
from refimpl.layers.protocol import parameter_names as parameter_names
from refimpl.layers.protocol import with_arrays
from refimpl.layers.regularization import BatchNorm, Dropout, max_norm

RULES = ("gradient", "deconvnet", "guided")


@dataclass(frozen=True, eq=False)
class Affine:
    """out = x w + b.

    w (D, K), b (K,): parameters. x (N, D) -> out (N, K). max_norm: the bound that training keeps
    each column's norm to. Raises ValueError on other shapes, on max_norm <= 0.

    >>> layer = Affine(np.array([[1.0], [2.0]]), np.array([10.0]))
    >>> out, cache = layer.forward(np.array([[3.0, 4.0]]))
    >>> out.tolist(), layer.backward(np.array([[1.0]]), cache)[0].tolist()
    ([[21.0]], [[1.0, 2.0]])
    """

    w: np.ndarray
    b: np.ndarray
    max_norm: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "w", as_floats(self.w))
        object.__setattr__(self, "b", as_floats(self.b))
        if self.w.ndim != 2 or self.b.shape != self.w.shape[1:]:
            raise ValueError(
                f"w, b: expected shapes (D, K) and (K,), got {self.w.shape} and {self.b.shape}"
            )
        if self.max_norm is not None and not self.max_norm > 0:
            raise ValueError(f"max_norm: expected a positive number or None, got {self.max_norm!r}")

    @property
    def inputs(self) -> int:
        return self.w.shape[0]

    @property
    def outputs(self) -> int:
        return self.w.shape[1]

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple:
        if x.ndim != 2 or x.shape[1] != self.w.shape[0]:
            raise ValueError(f"x: expected shape (N, {self.w.shape[0]}), got {x.shape}")
        return x @ self.w + self.b, x

    def backward(self, dout: np.ndarray, cache: np.ndarray) -> tuple:
        return self.input_gradient(dout, cache), self.parameter_gradients(dout, cache)

    def input_gradient(self, dout: np.ndarray, cache: np.ndarray) -> np.ndarray:
        """dx (N, D) of dout (N, K): the first half of backward alone."""
        return dout @ self.w.T

    def parameter_gradients(self, dout: np.ndarray, cache: np.ndarray) -> tuple:
        """dw (D, K), db (K,): the second half of backward alone; a first layer in training needs no
        dx.
        """
        return cache.T @ dout, dout.sum(axis=0)

    def projected(self) -> "Affine":
        """The layer whose columns keep to max_norm; itself where there is none."""
        if self.max_norm is None:
            return self
        return with_arrays(self, {"w": max_norm(self.w, self.max_norm)})


@dataclass(frozen=True, eq=False)
class ReLU:
    """out = max(x, 0), of any shape. At x = 0 the derivative is taken to be 0.

    backward has two more rules: "deconvnet" max(dout, 0) whatever x was (Zeiler and Fergus 2014,
    section 2.1), "guided" both (Springenberg et al. 2015, section 3.4). Neither is a gradient.
    Raises ValueError on another rule.

    >>> x, dout = np.array([1.0, 1.0, -1.0, -1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    >>> [(ReLU().backward(dout, x, rule=rule)[0] + 0.0).tolist() for rule in RULES]
    [[1.0, -1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """

    elementwise = True
    rules = RULES

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple:
        return np.where(x.real > 0, x, 0) if np.iscomplexobj(x) else np.maximum(x, 0), x

    def backward(self, dout: np.ndarray, cache: np.ndarray, *, rule: str = "gradient") -> tuple:
        if rule not in RULES:
            raise ValueError(f"rule: expected one of {RULES}, got {rule!r}")
        if rule != "gradient":
            dout = dout * (dout.real > 0)
        return (dout if rule == "deconvnet" else dout * (cache.real > 0)), ()


@dataclass(frozen=True, eq=False)
class Sigmoid:
    """out = 1 / (1 + exp(-x)), of any shape, without overflow at any x.

    >>> Sigmoid().forward(np.array([-1000.0, 0.0]))[0].tolist()
    [0.0, 0.5]
    """

    elementwise = True

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple:
        x = as_floats(x)
        e = np.exp(np.where(x.real > 0, -x, x))  # |e| <= 1
        out = np.where(x.real > 0, x.dtype.type(1), e) / (1 + e)
        return out, out

    def backward(self, dout: np.ndarray, cache: np.ndarray) -> tuple:
        return dout * cache * (1 - cache), ()


@dataclass(frozen=True, eq=False)
class Tanh:
    """out = tanh(x), of any shape.

    >>> Tanh().forward(np.array([0.0]))[0].tolist()
    [0.0]
    """

    elementwise = True

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple:
        out = np.tanh(x)
        return out, out

    def backward(self, dout: np.ndarray, cache: np.ndarray) -> tuple:
        return dout * (1 - cache * cache), ()


LAYERS = {
    layer.__name__: layer
    for layer in (
        Affine,
        ReLU,
        Sigmoid,
        Tanh,
        Unflatten,
        Flatten,
        Conv2D,
        MaxPool2D,
        Upsample,
        Dropout,
        BatchNorm,
    )
}
