"""Pack rectangles into few bins: pack() and what it is made of."""

from refimpl.packing.search import Packing, pack

__all__ = ["Packing", "pack"]
