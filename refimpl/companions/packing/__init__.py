"""Pack rectangles into few bins: pack() and what it is made of."""

from refimpl.companions.packing.engine import pack
from refimpl.companions.packing.result import Packing

__all__ = ["Packing", "pack"]
