"""Network: a tuple of layers that ends in logits, and its input gradient."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from refimpl.layers import (
    Affine,
    Conv2D,
    ReLU,
    Sigmoid,
    Tanh,
    Unflatten,
    buffer_names,
    parameter_names,
)
from refimpl.layers.regularization import max_norm


@dataclass(frozen=True, eq=False)
class Network:
    """layers in order. forward and backward are pure: the caches travel through the caller's hands.

    >>> net = softmax_net(2, 2).with_parameters((np.eye(2), np.array([0.0, 1.0])))
    >>> x = np.array([[2.0, 0.0]])
    >>> net.logits(x).tolist(), net.input_gradient(x, np.array([[1.0, 0.0]])).tolist()
    ([[2.0, 1.0]], [[1.0, 0.0]])
    """

    layers: tuple

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
        gradients = []
        for layer, cache in zip(self.layers[: len(caches)][::-1], caches[::-1]):
            options = {"rule": rule} if isinstance(layer, ReLU) else {}
            half = not parameters and type(layer) in (
                Affine,
                Conv2D,
            )  # a subclass may have a backward of its own
            dout, gradient = (
                (layer.input_gradient(dout, cache), ())
                if half
                else layer.backward(dout, cache, **options)
            )
            gradients.append(gradient)
        return dout, tuple(gradients[::-1])

    def parameter_gradients(self, dout: np.ndarray, caches: list) -> tuple:
        """The gradients of backward of dout (N, K), but no dx: it ends at the first layer that has
        parameters.
        """
        first = next(i for i, layer in enumerate(self.layers) if parameter_names(layer))
        dout, gradients = Network(self.layers[first + 1 :]).backward(dout, caches[first + 1 :])
        return ((),) * first + (
            self.layers[first].parameter_gradients(dout, caches[first]),
            *gradients,
        )

    def input_gradient(self, x: np.ndarray, dout: np.ndarray) -> np.ndarray:
        """The vector-Jacobian product dout J(x) at the input: x (N, D), dout (N, K) -> (N, D)."""
        return self.backward(dout, self.forward(x)[1], parameters=False)[0]

    def logits(self, x: np.ndarray, *, block: int | None = None) -> np.ndarray:
        """z (N, K) of x (N, D) in its own dtype, 4096 rows or 128 images at a time. Raises
        ValueError on others.
        """
        x, block = np.asarray(x), block or (128 if isinstance(self.layers[0], Unflatten) else 4096)
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise ValueError(f"x: expected shape (N, {self.inputs}), got {x.shape}")
        dtype = self.parameters[0].dtype
        out = [
            self.forward(x[i : i + block].astype(dtype, copy=False))[0]
            for i in range(0, len(x), block)
        ]
        return np.concatenate(out) if out else np.zeros((0, self.classes), dtype)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class of the largest logit (the first of equals): x (N, D) -> labels (N,) int64."""
        return self.logits(x).argmax(axis=1)

    @property
    def inputs(self) -> int:
        first = self.layers[0]
        return math.prod(first.shape) if isinstance(first, Unflatten) else len(self.parameters[0])

    @property
    def classes(self) -> int:
        return len(self.parameters[-1])

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """All parameters in order, as one flat tuple of arrays: w (D, K), b (K,) of an Affine, and
        so on.
        """
        return tuple(
            getattr(layer, name) for layer in self.layers for name in parameter_names(layer)
        )

    def with_parameters(self, parameters: Iterable[np.ndarray]) -> "Network":
        """The same architecture with other parameters, given as in `parameters`. Raises ValueError
        as its layers.
        """
        new = iter(parameters)
        return Network(
            tuple(replace(v, **{n: next(new) for n in parameter_names(v)}) for v in self.layers)
        )

    def astype(self, dtype: DTypeLike) -> "Network":
        """The same network with parameters and buffers in another dtype."""
        return Network(
            tuple(
                replace(
                    v,
                    **{
                        name: getattr(v, name).astype(dtype)
                        for name in parameter_names(v) + buffer_names(v)
                    },
                )
                for v in self.layers
            )
        )

    def updated(self, caches: list) -> "Network":
        """The network whose buffers have seen one training batch more: from the caches of
        forward(x, train=True).
        """
        return Network(
            tuple(v.updated(c) if buffer_names(v) else v for v, c in zip(self.layers, caches))
        )

    def projected(self) -> "Network":
        """The network whose weights keep to their layers' max_norm; training calls it after every
        step.
        """
        return Network(
            tuple(
                replace(v, w=max_norm(v.w, v.max_norm)) if getattr(v, "max_norm", None) else v
                for v in self.layers
            )
        )


def softmax_net(
    inputs: int,
    classes: int,
    *,
    rng: np.random.Generator | None = None,
    sigma: float = 0.0,
    dtype: DTypeLike = np.float64,
) -> Network:
    """z = x w + b: zeros, or weights N(0, sigma^2) from rng and zero biases. Raises ValueError on a
    sigma without rng.

    >>> softmax_net(4, 3).logits(np.ones((2, 4))).shape
    (2, 3)
    """
    if sigma and rng is None:
        raise ValueError(f"rng: expected a generator for sigma {sigma!r}, got None")
    w = rng.normal(0, sigma, (inputs, classes)) if rng and sigma else np.zeros((inputs, classes))
    return Network((Affine(w.astype(dtype), np.zeros(classes, dtype)),))


def one_hidden_net(
    inputs: int,
    hidden: int,
    classes: int,
    *,
    rng: np.random.Generator,
    activation: Any = None,
    dtype: DTypeLike = np.float64,
) -> Network:
    """z = act(x w1 + b1) w2 + b2 with zero biases and random weights.

    activation: a layer, ReLU() by default (He et al. 2015, variance 2 / fan-in); Glorot's 2 / (in +
    out) for others.

    >>> [v.shape for v in one_hidden_net(4, 5, 3, rng=np.random.default_rng(0)).parameters]
    [(4, 5), (5,), (5, 3), (3,)]
    """
    activation = ReLU() if activation is None else activation

    def affine(d, k):
        variance = 2 / d if isinstance(activation, ReLU) else 2 / (d + k)
        return Affine(rng.normal(0, np.sqrt(variance), (d, k)).astype(dtype), np.zeros(k, dtype))

    return Network((affine(inputs, hidden), activation, affine(hidden, classes)))


ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}


def network_from(*arrays: Any, activation: str = "relu") -> Network:
    """A network of Affine layers from weights and biases in turn: w1, b1, w2, b2, ...

    Takes NumPy arrays and torch tensors, weights as x @ w has them, (inputs, outputs), or transposed
    as torch.nn.Linear and scikit-learn's coef_ have them: the length of the bias tells which; a
    square matrix is taken as (inputs, outputs). activation: between the layers, "relu", "sigmoid" or
    "tanh". The arrays are copied, in their own float type. Raises ValueError on arrays that do not
    fit each other.

    >>> network_from(np.eye(3)[:2], [1.0, 2.0]).logits(np.array([[5.0, 6.0, 7.0]])).tolist()
    [[6.0, 8.0]]
    """
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}"
        )
    if not arrays or len(arrays) % 2:
        raise ValueError(f"arrays: expected w1, b1, w2, b2, ..., got {len(arrays)} arrays")
    plain = [np.array(a.detach() if hasattr(a, "detach") else a) for a in arrays]
    dtype = np.result_type(*plain)
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    layers: list[Any] = []
    for i, (w, b) in enumerate(zip(plain[::2], plain[1::2]), 1):
        if w.ndim != 2 or b.ndim != 1 or len(b) not in w.shape:
            raise ValueError(
                f"arrays: expected w{i} (inputs, outputs) or (outputs, inputs) and b{i} (outputs,), "
                f"got {w.shape} and {b.shape}"
            )
        w = w if w.shape[1] == len(b) else w.T
        if layers and layers[-1].b.shape[0] != len(w):
            raise ValueError(
                f"arrays: expected w{i} to take the {len(layers[-1].b)} outputs of w{i - 1}, "
                f"got {len(w)} inputs"
            )
        between = [ACTIVATIONS[activation]()] if layers else []
        layers += [*between, Affine(np.ascontiguousarray(w, dtype), b.astype(dtype))]
    return Network(tuple(layers))
