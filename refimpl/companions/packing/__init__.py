"""Pack rectangles into few bins: pack() and what it is made of."""

from refimpl.companions.packing.search import Packing, pack

__all__ = ["Packing", "pack"]
