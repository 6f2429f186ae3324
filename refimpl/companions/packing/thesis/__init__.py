"""The thesis: packing rectangles by class visualization of a learned score, with its controls."""
