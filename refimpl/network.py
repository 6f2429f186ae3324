"""Network: a tuple of layers that ends in logits, and its input gradient.

It asks no layer for its class. Whatever has the pair that begins refimpl/layers/__init__.py can
stand in it:

    forward(x, *, train, rng) -> (out, cache)
    backward(dout, cache) -> (dx, (one gradient per parameter, in order))

dout is the gradient of a scalar with respect to what came out, dx with respect to what went in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from refimpl.arguments import HIDDEN, SHALLOW, generator, largest_logit, real_array, sizes, takes
from refimpl.dtypes import as_floats, rows_as
from refimpl.layers import Affine, ReLU
from refimpl.layers.protocol import (
    buffer_names,
    checked_layers,
    half_of_backward,
    parameter_names,
    vjp,
    with_arrays,
)

BLOCK = 4096  # rows that go through a network at a time, where its first layer says nothing else


@dataclass(frozen=True, eq=False)
class Network:
    """layers in order. forward and backward are pure: the caches travel through the caller's hands.

    Raises ValueError on an object that is no layer, and says what it lacks.

    >>> net = softmax_net(2, 2).with_parameters((np.eye(2), np.array([0.0, 1.0])))
    >>> x = np.array([[2.0, 0.0]])
    >>> net.logits(x).tolist(), net.input_gradient(x, np.array([[1.0, 0.0]])).tolist()
    ([[2.0, 1.0]], [[1.0, 0.0]])
    """

    layers: tuple

    def __repr__(self) -> str:
        """Network(784 -> 30 ReLU -> 10, 23,860 parameters, float32)."""
        words: list[str] = []
        for layer in self.layers:
            if isinstance(layer, Affine):
                words += [str(len(layer.w))] * (not words) + [f"-> {layer.w.shape[1]}"]
            else:
                words.append(type(layer).__name__)
        count = sum(p.size for p in self.parameters)
        dtype = f", {self.dtype}" if count else ""
        return f"Network({' '.join(words)}, {count:,} parameters{dtype})"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", checked_layers(self.layers))

    def _with(self, layers: Iterable) -> "Network":
        """The network of the same architecture with other layers, made of checked ones: every
        training step makes some.
        """
        new = object.__new__(Network)
        vars(new).update(layers=tuple(layers), _names=self._names)
        return new

    @cached_property
    def _names(self):
        """The names of every layer's parameters."""
        return tuple(map(parameter_names, self.layers))

    def forward(
        self,
        x: np.ndarray,
        *,
        upto: int | None = None,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[np.ndarray, list]:
        """x (N, D) -> (out, caches), through all layers or the first `upto` of them."""
        caches = []
        for layer in self.layers[:upto]:
            x, cache = layer.forward(x, train=train, rng=rng)
            caches.append(cache)
        return x, caches

    def backward(
        self, dout: np.ndarray, caches: list, *, rule: str = "gradient", parameters: bool = True
    ) -> tuple:
        """dout like the output of forward -> (dx, gradients): one tuple a layer, one array a
        parameter.

        rule: of every ReLU, "gradient", "deconvnet" or "guided". parameters=False: dx alone, the
        gradients are empty.
        """
        return self._pulled(dout, caches, 0, rule=rule, parameters=parameters)

    def _pulled(self, dout, caches, first, *, rule="gradient", parameters=True):
        """dout pulled back from the last layer that ran down to layer `first`: (dx, gradients)."""
        gradients = []
        for layer, cache in zip(self.layers[first : len(caches)][::-1], caches[first:][::-1]):
            input_gradient = None if parameters else half_of_backward(layer, "input_gradient")
            if input_gradient is not None:
                dout, gradient = input_gradient(dout, cache), ()
            else:
                options = {"rule": rule} if hasattr(layer, "rules") else {}
                dout, gradient = vjp(layer, dout, cache, **options)
            gradients.append(gradient)
        return dout, tuple(gradients[::-1])

    def parameter_gradients(self, dout: np.ndarray, caches: list) -> tuple:
        """The gradients of backward of dout (N, K), but no dx: it ends at the first layer that has
        parameters.
        """
        first = next((i for i, names in enumerate(self._names) if names), None)
        if first is None:
            return ((),) * len(self.layers)
        dout, gradients = self._pulled(dout, caches, first + 1)
        layer, cache = self.layers[first], caches[first]
        alone = half_of_backward(layer, "parameter_gradients")
        own = vjp(layer, dout, cache)[1] if alone is None else alone(dout, cache)
        return ((),) * first + (own, *gradients)

    def input_gradient(self, x: np.ndarray, dout: np.ndarray) -> np.ndarray:
        """The vector-Jacobian product dout J(x) at the input: x (N, D), dout (N, K) -> (N, D)."""
        return self.backward(dout, self.forward(x)[1], parameters=False)[0]

    def logits(self, x: ArrayLike, *, block: int | None = None) -> np.ndarray:
        """z (N, K) of x (N, D) in the network's dtype, a block of rows at a time.

        uint8 is read as 8-bit pixels, k / 255. block: 4096 rows by default, 128 images. Raises
        ValueError on rows of another length and on what are no real numbers.
        """
        x = real_array("x", x)
        self.check_rows(x)
        rows: int = block or getattr(self.layers[0], "block", None) or BLOCK
        out = [
            self.forward(rows_as(x[i : i + rows], self.dtype))[0] for i in range(0, len(x), rows)
        ]
        return np.concatenate(out) if out else np.zeros((0, self.classes), self.dtype)

    def predict(self, x: ArrayLike) -> np.ndarray:
        """The class of the largest logit (the first of equals): x (N, D) -> labels (N,) int64.

        Raises ValueError as `logits`, and where NaN or infinity leaves no largest logit.
        """
        return largest_logit(self.logits(x), x, self.parameters)

    def check_rows(self, x: np.ndarray, *, name: str = "x") -> None:
        """Raises ValueError unless x is (N, D), D the length that the first layer states."""
        inputs = self._stated("inputs")
        if inputs is not None and (x.ndim != 2 or x.shape[1] != inputs):
            raise ValueError(f"{name}: expected shape (N, {inputs}), got {x.shape}")

    def _stated(self, name):
        """The number that the first layer states as `inputs`, the last one as `outputs`, or None.
        Layers that work element by element hand the question on.
        """
        for layer in self.layers if name == "inputs" else self.layers[::-1]:
            if hasattr(layer, name) or not getattr(layer, "elementwise", False):
                return getattr(layer, name, None)
        return None

    @property
    def inputs(self) -> int:
        """D, as the first layer states it. Raises ValueError where it does not."""
        inputs = self._stated("inputs")
        if inputs is None:
            kind = type(self.layers[0]).__name__ if self.layers else "none"
            raise ValueError(
                f"inputs: expected a first layer with an attribute `inputs`, the length of the "
                f"rows that it takes, got {kind}"
            )
        return inputs

    @property
    def classes(self) -> int:
        """K, as the last layer states it, else counted at the output for the blank."""
        outputs = self._stated("outputs")
        if outputs is None:
            outputs = self.forward(np.zeros((1, self.inputs), self.dtype))[0].shape[1]
        return outputs

    @property
    def dtype(self) -> np.dtype:
        """Of the first parameter; float64 for a network that has none."""
        parameters = self.parameters
        return parameters[0].dtype if parameters else np.dtype(np.float64)

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """All parameters in order, as one flat tuple of arrays: w (D, K), b (K,) of an Affine, and
        so on.
        """
        return tuple(
            getattr(layer, name) for layer, names in zip(self.layers, self._names) for name in names
        )

    def with_parameters(self, parameters: Iterable[np.ndarray]) -> "Network":
        """The same architecture with other parameters, given as in `parameters`. Raises ValueError
        on another number of them and on other shapes.
        """
        new = list(map(as_floats, parameters))
        expected, found = [p.shape for p in self.parameters], [p.shape for p in new]
        if expected != found:
            raise ValueError(f"parameters: expected shapes {expected}, got {found}")
        rest = iter(new)
        return self._with(
            with_arrays(v, {name: next(rest) for name in names}) if names else v
            for v, names in zip(self.layers, self._names)
        )

    def astype(self, dtype: DTypeLike) -> "Network":
        """The same network with parameters and buffers in another dtype."""

        def cast(layer):
            names = parameter_names(layer) + buffer_names(layer)
            return with_arrays(layer, {name: getattr(layer, name).astype(dtype) for name in names})

        return self._with(map(cast, self.layers))

    def updated(self, caches: list) -> "Network":
        """The network whose buffers have seen one training batch more: from the caches of
        forward(x, train=True).
        """
        return self._with(
            v.updated(c) if hasattr(v, "updated") else v for v, c in zip(self.layers, caches)
        )

    def projected(self) -> "Network":
        """The network whose weights keep to their layers' bounds; training calls it after every
        step.
        """
        return self._with(v.projected() if hasattr(v, "projected") else v for v in self.layers)


@takes(**SHALLOW)
def softmax_net(
    inputs: int,
    classes: int,
    *,
    rng: np.random.Generator | int | None = None,
    sigma: float = 0.0,
    dtype: DTypeLike = np.float64,
) -> Network:
    """z = x w + b: zeros, or weights N(0, sigma^2) from rng and zero biases. Raises ValueError on a
    sigma without rng and on sizes that are no whole numbers from 1 on.

    >>> softmax_net(4, 3).logits(np.ones((2, 4))).shape
    (2, 3)
    """
    if sigma and rng is None:
        raise ValueError(f"rng: expected a generator for sigma {sigma!r}, got None")
    inputs, classes = sizes(inputs=inputs, classes=classes)
    w = np.zeros((inputs, classes))
    if sigma:
        w = generator("rng", rng).normal(0, sigma, (inputs, classes))
    return Network((Affine(w.astype(dtype), np.zeros(classes, dtype)),))


@takes(**HIDDEN)
def one_hidden_net(
    inputs: int,
    hidden: int,
    classes: int,
    *,
    rng: np.random.Generator | int | None = None,
    activation: Any = None,
    dtype: DTypeLike = np.float64,
) -> Network:
    """z = act(x w1 + b1) w2 + b2 with zero biases and random weights.

    rng: a Generator or a seed. activation: a layer, ReLU() by default (He et al. 2015, variance 2 /
    fan-in); Glorot's 2 / (in + out) for others. Raises ValueError on sizes that are no whole
    numbers from 1 on.

    >>> [v.shape for v in one_hidden_net(4, 5, 3, rng=np.random.default_rng(0)).parameters]
    [(4, 5), (5,), (5, 3), (3,)]
    """
    rng = generator("rng", rng)
    inputs, hidden, classes = sizes(inputs=inputs, hidden=hidden, classes=classes)
    activation = ReLU() if activation is None else activation

    def affine(d, k):
        variance = 2 / d if isinstance(activation, ReLU) else 2 / (d + k)
        return Affine(rng.normal(0, np.sqrt(variance), (d, k)).astype(dtype), np.zeros(k, dtype))

    return Network((affine(inputs, hidden), activation, affine(hidden, classes)))
