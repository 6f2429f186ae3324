"""One public function as data: f, its library's own backward, inputs drawn for one seed."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

import numpy as np

LIBRARIES = {  # name: the module that draws its functions
    "autograd": "autograd_functions",
    "mygrad": "mygrad_functions",
    "torch": "torch_operators",
}
NEEDS = {"autograd": ("autograd", "scipy"), "mygrad": ("mygrad",), "torch": ("torch", "expecttest")}


@dataclass(frozen=True)
class Function:
    """f(*inputs) -> array, vjp(dout, *inputs) -> one gradient an input: float64 arrays all."""

    name: str
    f: Callable
    vjp: Callable
    inputs: tuple[np.ndarray, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What reports call the inputs.

        >>> Function("sin", np.sin, np.cos, (np.ones(1),)).names
        ('input 0',)
        """
        return tuple(f"input {k}" for k in range(len(self.inputs)))


@dataclass(frozen=True)
class Skipped:
    """A function that is not judged, and why not."""

    name: str
    reason: str


def missing(library: str) -> list[str]:
    """The packages that a library's functions need and that are not installed.

    >>> missing("torch") == [m for m in NEEDS["torch"] if not importlib.util.find_spec(m)]
    True
    """
    return [name for name in NEEDS[library] if importlib.util.find_spec(name) is None]


def functions(library: str, seed: int, block: int, blocks: int) -> Iterator[Function | Skipped]:
    """Every function of a library whose number is `block` modulo `blocks`, drawn with a seed.

    Raises ImportError without the library.
    """
    source = import_module(f"{__package__}.{LIBRARIES[library]}")
    yield from source.functions(seed, block, blocks)
