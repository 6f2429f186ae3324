"""Networks from the arrays of other libraries: weights and biases in turn, either way round."""

from typing import Any

import numpy as np

from refimpl.arguments import real_array
from refimpl.dtypes import check_finite
from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}


def network_from(*arrays: Any, activation: str = "relu") -> Network:
    """A network of Affine layers from weights and biases in turn: w1, b1, w2, b2, ...

    Takes NumPy arrays and torch tensors, weights as x @ w has them, (inputs, outputs), or
    transposed as torch.nn.Linear and scikit-learn's coef_ have them: the length of the bias tells
    which; a square matrix is taken as (inputs, outputs). activation: between the layers, "relu",
    "sigmoid" or "tanh". The arrays are copied, in their own float type. Raises ValueError on arrays
    that do not fit each other, and on what are no finite real numbers.

    >>> network_from(np.eye(3)[:2], [1.0, 2.0]).logits(np.array([[5.0, 6.0, 7.0]])).tolist()
    [[6.0, 8.0]]
    """
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}"
        )
    if not arrays or len(arrays) % 2:
        raise ValueError(f"arrays: expected w1, b1, w2, b2, ..., got {len(arrays)} arrays")
    plain = [
        np.array(real_array(f"arrays, number {i}", a.detach() if hasattr(a, "detach") else a))
        for i, a in enumerate(arrays)
    ]
    check_finite(**{f"arrays, number {i}": a for i, a in enumerate(plain)})
    dtype = np.result_type(*plain)
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    layers: list[Any] = []
    for i, (w, b) in enumerate(zip(plain[::2], plain[1::2]), 1):
        if w.ndim != 2 or b.ndim != 1 or len(b) not in w.shape:
            raise ValueError(
                f"arrays: expected w{i} (inputs, outputs) or (outputs, inputs) and b{i} "
                f"(outputs,), "
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
