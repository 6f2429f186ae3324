"""What makes an object a layer: the pair forward and backward, and what else it may say of itself.

    forward(x, *, train=False, rng=None) -> (out, cache)
    backward(dout, cache) -> (dx, (one gradient per parameter, in order))

Any object with this pair is a layer. Its parameters are its arrays of floating-point numbers: the
fields of a dataclass (but those marked metadata={"buffer": True}), the attributes of a plain class.
Nobody asks a layer for its class. It may say more of itself by these names:

    inputs, outputs         the length of the rows that it takes, and that it gives
    elementwise = True      it gives rows of the length that it takes
    block                   how many images go through a network that begins with it at a time
    input_gradient, parameter_gradients    the two halves of backward, where one alone is wanted
    rules                   backward takes rule=, one of these
    updated(cache)          the layer whose buffers have seen one training batch more
    projected()             the layer whose weights keep to their bound
"""

import copy
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import numpy as np


def own_values(layer: Any) -> dict[str, Any]:
    """{name: value} of a layer's fields; of its attributes, where it is no dataclass.

    >>> from refimpl.layers import Upsample
    >>> own_values(Upsample(3))
    {'factor': 3}
    """
    if is_dataclass(layer):
        return {f.name: getattr(layer, f.name) for f in fields(layer)}
    return dict(vars(layer))


def buffer_names(layer: Any) -> tuple[str, ...]:
    """The names of a layer's buffers: arrays without a gradient, such as running statistics.

    >>> from refimpl.layers import BatchNorm
    >>> buffer_names(BatchNorm(*np.ones((4, 2))))
    ('mean', 'var')
    """
    if not is_dataclass(layer):
        return ()
    return tuple(f.name for f in fields(layer) if f.metadata.get("buffer"))


def parameter_names(layer: Any) -> tuple[str, ...]:
    """The names of a layer's parameters in order: its arrays of floating-point numbers that are no
    buffers. Arrays of integers or truth values are hyper-parameters.

    >>> from refimpl.layers import Affine
    >>> parameter_names(Affine(np.zeros((3, 2)), np.zeros(2)))
    ('w', 'b')
    """
    buffers = buffer_names(layer)
    return tuple(
        name
        for name, value in own_values(layer).items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "fc" and name not in buffers
    )


def with_arrays(layer: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """A copy of a layer with other arrays, by name; nothing of it is checked or computed anew.

    >>> from refimpl.layers import Affine
    >>> with_arrays(Affine(np.zeros((1, 1)), np.zeros(1)), {"b": np.ones(1)}).b.tolist()
    [1.0]
    """
    if not hasattr(layer, "__dict__"):  # a dataclass with slots
        new = copy.copy(layer)
        for name, value in arrays.items():
            object.__setattr__(new, name, value)  # dataclasses of layers are frozen
        return new
    new = object.__new__(type(layer))
    vars(new).update(vars(layer))
    vars(new).update(arrays)
    return new


def half_of_backward(layer: Any, name: str) -> Any:
    """The layer's method `input_gradient` or `parameter_gradients`, None where it has none that
    belongs to its backward: a subclass with a backward of its own goes by that alone.

    >>> from refimpl.layers import ReLU
    >>> half_of_backward(ReLU(), "input_gradient") is None
    True
    """
    kind: Any = type(layer)
    return getattr(layer, name) if _belongs_to_backward(kind, name) else None


@lru_cache
def _belongs_to_backward(kind: Hashable, name: str) -> bool:
    """Whether a class has this half, and no later class than the half's has backward."""
    for base in kind.__mro__:  # type: ignore[attr-defined]
        if name in vars(base) or "backward" in vars(base):
            return name in vars(base)
    return False


def vjp(layer: Any, dout: np.ndarray, cache: Any, **options: Any) -> tuple[np.ndarray, tuple]:
    """backward of any layer as (dx, gradients): backward may return one gradient without a tuple
    around it, or dx alone.

    >>> from refimpl.layers import ReLU
    >>> vjp(ReLU(), np.ones(2), np.array([1.0, -1.0]))[0].tolist()
    [1.0, 0.0]
    """
    back = layer.backward(dout, cache, **options)
    if not isinstance(back, (tuple, list)):
        return back, ()
    dx, gradients = back
    return dx, tuple(gradients) if isinstance(gradients, (tuple, list)) else (gradients,)


def checked_layers(layers: Any) -> tuple:
    """Layers as a tuple. Raises ValueError where they are none.

    >>> checked_layers(None)
    Traceback (most recent call last):
        ...
    ValueError: layers: expected a tuple of layers, got None
    """
    if not isinstance(layers, Iterable):
        raise ValueError(f"layers: expected a tuple of layers, got {layers!r:.80}")
    layers = tuple(layers)
    for place, layer in enumerate(layers):
        check_layer_object(layer, place)
    return layers


def check_layer_object(layer: Any, place: int) -> None:
    """Raises ValueError, in words that say what is missing, unless an object can be layer number
    `place` of a network.

    >>> from refimpl.layers import ReLU
    >>> check_layer_object(ReLU, 1)
    Traceback (most recent call last):
        ...
    ValueError: layers: layer 1: expected a layer, got the class ReLU; call it
    """
    kind = type(layer).__name__
    if isinstance(layer, type):
        raise ValueError(
            f"layers: layer {place}: expected a layer, got the class {layer.__name__}; call it"
        )
    for method in ("forward", "backward"):
        if not callable(getattr(layer, method, None)):
            raise ValueError(
                f"layers: layer {place}: expected forward and backward, {kind} has no {method}"
            )
    if hasattr(layer, "layers"):
        raise ValueError(
            f"layers: layer {place}: expected a layer, got {kind}, a network; hand in its layers, "
            f"(*network.layers, ...)"
        )
    if not is_dataclass(layer) and not hasattr(layer, "__dict__"):
        raise ValueError(
            f"layers: layer {place}: expected its parameters as attributes, {kind} has __slots__ "
            f"and is no dataclass"
        )
    for name, value in own_values(layer).items():
        parts = value.values() if isinstance(value, dict) else value
        if isinstance(value, (dict, list, tuple)) and any(
            isinstance(part, np.ndarray) and part.dtype.kind in "fc" for part in parts
        ):
            raise ValueError(
                f"layers: layer {place}: expected every parameter as an attribute of its own, "
                f"{kind}.{name} is a {type(value).__name__} of arrays"
            )
