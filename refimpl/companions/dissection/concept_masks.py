"""Concept masks L_c, beside the activation masks M_k: what images show, pixel by pixel, eight
concepts to a byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.int64)  # (256, 8)


@dataclass(frozen=True, eq=False)
class Labels:
    """Concept masks, eight to a byte: planes (bytes, N H W) uint8. sizes (concepts,): pixels of
    each.

    kind (concepts,): which column of present (N, kinds) tells the images that have a label of the
    concept's kind.

    >>> masks = np.zeros((2, 2, 1, 3), bool)
    >>> masks[0, 0] = masks[1, 1, 0, 0] = True
    >>> Labels.of(masks, ("colour", "part")).sizes.tolist()
    [3, 1]
    """

    planes: np.ndarray
    sizes: np.ndarray
    kind: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, masks: np.ndarray, kinds: Sequence[str], block: int = 128) -> "Labels":
        """Of masks (N, concepts, H, W) bool and the kind of each concept; where all are "", every
        image has labels.
        """
        n, concepts, height, width = masks.shape
        planes = np.zeros((-(-concepts // 8), n, height * width), np.uint8)
        for start in range(
            0, n, block
        ):  # what np.packbits(masks, axis=1) does, in a quarter of its time
            some = masks[start : start + block].reshape(-1, concepts, height * width).view(np.uint8)
            for c in range(concepts):
                planes[c // 8, start : start + block] |= some[:, c] << np.uint8(7 - c % 8)
        unique = sorted(set(kinds))
        kind = np.array([unique.index(k) for k in kinds])
        seen = np.unpackbits(np.bitwise_or.reduce(planes, axis=2), axis=0, count=concepts).astype(
            bool
        )  # (concepts, n)
        present = np.stack([seen[kind == k].any(axis=0) for k in range(len(unique))], axis=1)
        if unique == [""]:
            present[:] = True
        planes = planes.reshape(len(planes), -1)
        return cls(planes, pixel_counts(planes, concepts), kind, present)

    @property
    def images(self) -> int:
        """N."""
        return len(self.present)

    @property
    def pixels(self) -> int:
        """H W."""
        return self.planes.shape[1] // self.images


def pixel_counts(planes: np.ndarray, concepts: int) -> np.ndarray:
    """Pixels of each concept in planes (bytes, ...): (concepts,).

    >>> pixel_counts(np.array([[0b10000000, 0b11000000]], np.uint8), 3).tolist()
    [2, 1, 0]
    """
    return np.concatenate([np.bincount(p.ravel(), minlength=256) @ BITS for p in planes])[:concepts]


def check_masks(
    masks: np.ndarray, count: int, size: Sequence[int] | None = None
) -> tuple[int, int]:
    """(H, W) of masks. Raises ValueError unless they are bool (count, concepts, H, W), and H and W
    as in size if given.

    >>> check_masks(np.zeros((2, 3, 4, 5), bool), 2)
    (4, 5)
    """
    if (
        not isinstance(masks, np.ndarray)
        or masks.ndim != 4
        or masks.dtype != bool
        or 0 in masks.shape
    ):
        got = (
            f"{masks.dtype} {masks.shape}"
            if isinstance(masks, np.ndarray)
            else type(masks).__name__
        )
        raise ValueError(
            f"masks: expected bool of shape (N, concepts, H, W), none of them 0, got {got}"
        )
    if len(masks) != count:
        raise ValueError(f"masks: expected one stack an image, {count}, got {len(masks)}")
    height, width = masks.shape[2:]
    if size is not None and tuple(size) != (height, width):
        raise ValueError(
            f"masks: expected {size[0]} x {size[1]} pixels, as the images, got {height} x {width}"
        )
    return height, width


def names_and_kinds(
    masks: np.ndarray, names: Sequence[str] | None, kinds: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """One name and one kind for each concept of masks; None stands for numbers as names, and for ""
    as every kind.

    masks (N, concepts, H, W). Raises ValueError where names or kinds are not as many as the
    concepts.

    >>> names_and_kinds(np.zeros((9, 2, 4, 4), bool), None, ("part", "colour"))
    (('0', '1'), ('part', 'colour'))
    """
    concepts = masks.shape[1]
    names = tuple(map(str, range(concepts))) if names is None else tuple(names)
    kinds = ("",) * concepts if kinds is None else tuple(kinds)
    for what, given in (("names", names), ("kinds", kinds)):
        if len(given) != concepts:
            raise ValueError(f"{what}: expected {concepts}, one a concept, got {len(given)}")
    return names, kinds
