"""Pack rectangles into few bins: pack() and what it is made of.

Both names are loaded when they are first used: a command that only shows its help needs neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PLACES = {
    "Packing": "refimpl.companions.packing.result",
    "pack": "refimpl.companions.packing.engine",
}
__all__ = ["Packing", "pack"]


def __getattr__(name: str) -> Any:
    """The object of one of the two names, imported at its first use (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_PLACES[name]), name)
    return value


if TYPE_CHECKING:
    from refimpl.companions.packing.engine import pack as pack
    from refimpl.companions.packing.result import Packing as Packing
