"""A layer or network as functions of x and its parameters.

The pair: forward(x, *, train=False, rng=None) -> (out, cache), backward(dout, cache) -> (dx,
gradients), one for each parameter: the float arrays among the layer's attributes.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from refimpl.gradcheck.arguments import as_tuple

OPAQUE = (type, FunctionType, MethodType, ModuleType, np.ndarray, np.random.Generator)  # no objects


@dataclass(frozen=True)
class Parts:
    """names, parameters; rebuild(parameters) -> layer; flatten(what backward returns) -> gradients.

    hidden: attributes that hold float arrays where they are not looked for: in a dict, a list, an
    object, or in the class.
    """

    names: list[str]
    parameters: list[np.ndarray]
    rebuild: Callable
    flatten: Callable
    hidden: tuple[str, ...] = ()


def parts_of(layer: Any) -> Parts:
    """What a layer, or anything with `layers`, is made of. Raises ValueError on what is neither.

    >>> from refimpl.layers import Affine
    >>> parts_of(Affine(np.ones((3, 2)), np.zeros(2))).names
    ['w', 'b']
    """
    if isinstance(layer, type):
        raise ValueError(f"layer: expected an instance, got the class {layer.__name__}")
    for method in ("forward", "backward"):
        if not callable(getattr(layer, method, None)):
            raise ValueError(
                f"layer: expected forward and backward, {type(layer).__name__} has no {method}"
            )
    if hasattr(layer, "layers"):
        return _network(layer)
    arrays = _attributes(layer)
    own = {n: a for n, a in arrays.items() if _is_parameter(a)}
    hidden = tuple(where for n, a in arrays.items() for where in _inside(n, a, (layer,)))
    hidden += tuple(f"the class's {n}" for n in _of_the_class(layer) if n not in arrays)

    def rebuild(others):
        new = copy.copy(layer)
        for name, p in zip(own, others):
            object.__setattr__(new, name, p)
        return new

    def flatten(back):
        return _flatten(back, tuple(own))

    return Parts(list(own), list(own.values()), rebuild, flatten, hidden)


def _network(layer):
    each = [parts_of(part) for part in layer.layers]
    names = [f"{i}.{name}" for i, part in enumerate(each) for name in part.names]
    hidden = tuple(f"{i}.{where}" for i, part in enumerate(each) for where in part.hidden)

    def flatten(back):
        return (back[0], *[g for gradients in back[1] for g in as_tuple(gradients)])

    return Parts(names, list(layer.parameters), layer.with_parameters, flatten, hidden)


def _flatten(back, names):
    """(dx, gradients) in one row; one gradient alone, or dx alone, will do."""
    if not isinstance(back, (tuple, list)):
        return (back,)
    if len(back) == 2 and not isinstance(back[1], Mapping):
        return (back[0], *as_tuple(back[1]))
    found = f"{len(back)} values" if len(back) != 2 else f"(dx, {type(back[1]).__name__})"
    row = ", ".join(f"d{name}" for name in names) + "," * (len(names) == 1)
    raise ValueError(
        f"layer: expected backward(dout, cache) -> (dx, ({row})), the gradients in a tuple in this "
        f"order, got {found}"
    )


def _attributes(layer):
    """{name: value} of a dataclass's fields but for buffers, else of __dict__ and __slots__."""
    if is_dataclass(layer):
        names = [f.name for f in fields(layer) if not f.metadata.get("buffer")]
    else:
        names = [*getattr(layer, "__dict__", ()), *_slots(type(layer))]
    return {n: getattr(layer, n) for n in names if hasattr(layer, n)}


def _slots(cls):
    """The names in __slots__, those of __private as Python stores them."""
    found = []
    for c in cls.__mro__:
        for name in as_tuple(getattr(c, "__slots__", ())):
            private = name.startswith("__") and not name.endswith("__")
            found.append(f"_{c.__name__.lstrip('_')}{name}" if private else name)
    return found


def _of_the_class(layer):
    """Float arrays that all instances share."""
    return [n for c in type(layer).__mro__ for n, a in vars(c).items() if _is_parameter(a)]


def _is_parameter(a):
    return isinstance(a, np.ndarray) and a.dtype.kind == "f"


def _inside(name, value, seen):
    """Where float arrays lie inside an attribute: dicts, lists, tuples and objects of them. seen:
    the objects that lead here.
    """
    if any(value is other for other in seen):
        return []
    if isinstance(value, Mapping):
        items = [(f"{name}[{key!r}]", v) for key, v in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(f"{name}[{i}]", v) for i, v in enumerate(value)]
    elif isinstance(value, OPAQUE):
        return []
    else:
        items = [(f"{name}.{key}", v) for key, v in _attributes(value).items()]
    seen = (*seen, value)
    return [n for n, v in items if _is_parameter(v)] + [
        w for n, v in items for w in _inside(n, v, seen)
    ]


def layer_functions(
    layer: Any,
    x: np.ndarray,
    *,
    rng: np.random.Generator,
    train: bool = False,
    decoy: bool = False,
) -> tuple[Callable, Callable, tuple[np.ndarray, ...], tuple[str, ...]]:
    """A layer or Network as functions of x and its parameters: (f, vjp, inputs, names), what
    check_gradients takes.

    decoy=True: vjp calls forward on other data, with other chance, before backward: a cache kept on
    the layer is stale.

    >>> from refimpl.layers import Affine
    >>> layer, rng = Affine(np.ones((3, 2)), np.zeros(2)), np.random.default_rng(0)
    >>> layer_functions(layer, np.ones((4, 3)), rng=rng)[3]
    ('x', 'w', 'b')
    """
    seed, parts = int(rng.integers(2**32)), parts_of(layer)

    def f(x, *p):
        return _forward(parts.rebuild(p), x, train, seed)[0]

    def vjp(dout, x, *p):
        here = parts.rebuild(p)
        _, cache = _forward(here, x, train, seed)
        if decoy:
            _decoy(here, x, train, seed + 1)
        gradients = parts.flatten(here.backward(dout, cache))
        if len(gradients) != 1 + len(parts.names) and parts.hidden:
            raise ValueError(
                f"layer: backward returns {len(gradients) - 1} parameter gradients, found were "
                f"{len(parts.names)} parameters; {', '.join(parts.hidden)} not found as parameters"
            )
        return gradients

    return f, vjp, (x, *parts.parameters), ("x", *parts.names)


def _forward(layer, x, train, seed):
    result = layer.forward(x, train=train, rng=np.random.default_rng(seed))
    if not isinstance(result, tuple) or len(result) != 2:
        found = type(result).__name__
        if isinstance(result, tuple):
            found = f"{len(result)} values"
        raise ValueError(f"layer: expected forward(...) -> (out, cache), got {found}")
    return result


def _decoy(layer, x, train, seed):
    """A forward pass on other data; where the layer refuses them, none."""
    other = x[::-1] * 1.01 if np.asarray(x).dtype.kind == "f" else x[::-1]
    try:
        layer.forward(other, train=train, rng=np.random.default_rng(seed))
    except Exception:
        return
