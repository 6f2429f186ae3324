"""What pack() returns: a packing in the order of the items and in the measure that they came in."""

from dataclasses import dataclass, field

import numpy as np

from refimpl.companions.packing.sheets import sheet_svg

SHOWN = 12  # sheets that a notebook draws


@dataclass(frozen=True, repr=False, eq=False)
class Packing:
    """A packing in the order of the items: bins (n,), positions (n, 2) lower left, sizes (n, 2) as
    placed (w, h), turned (n,) bool; positions and sizes are whole numbers, or float64 where the
    lengths that came have decimals.

    lower_bound: no packing has fewer bins. bin_size (W, H), names (n,), kerf and trim: as they
    came. unit: the largest length that all sizes, kerf and trim are whole multiples of.

    >>> from refimpl.companions.packing import pack
    >>> packing = pack([[6, 4], [6, 7]], (10, 10), names=["lid", "side"], iterations=5)
    >>> packing.bins.tolist(), packing.count, packing.optimal
    ([1, 0], 2, True)
    >>> packing
    Packing(2 items in 2 bins of 10 x 10: optimal, 33.0 % of the area used)
    """

    bins: np.ndarray
    positions: np.ndarray
    sizes: np.ndarray
    lower_bound: int
    bin_size: tuple = (1, 1)
    names: tuple[str, ...] = ()
    kerf: float = 0
    trim: float = 0
    unit: float = 1
    turned: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def count(self) -> int:
        """How many bins are in use."""
        return int(self.bins.max(initial=-1)) + 1

    @property
    def optimal(self) -> bool:
        """Is the lower bound met? If not, the packing may still be the best there is."""
        return self.count == self.lower_bound

    @property
    def used(self) -> float:
        """The items' area, in the measure they came in."""
        return float(self.sizes.astype(np.float64).prod(axis=1).sum())

    @property
    def waste(self) -> float:
        """The area of the bins in use that no item takes, kerf and trim included."""
        W, H = (float(side) for side in self.bin_size)
        return self.count * W * H - self.used

    @property
    def share(self) -> float:
        """The used share of the bins' area, from 0 to 1; 0 where there is no bin."""
        return self.used / (self.used + self.waste) if self.count else 0.0

    def name(self, i: int) -> str:
        """What item i is called: its name, or its number from 0."""
        return self.names[i] if self.names else str(i)

    def __repr__(self) -> str:
        W, H = (f"{float(side):g}" for side in self.bin_size)
        bins = "bin" if self.count == 1 else "bins"
        items = "item" if len(self.bins) == 1 else "items"
        good = "optimal" if self.optimal else f"at least {self.lower_bound} needed"
        return (
            f"Packing({len(self.bins)} {items} in {self.count} {bins} of {W} x {H}: {good}, "
            f"{100 * self.share:.1f} % of the area used)"
        )

    def _repr_html_(self) -> str:
        """The bins side by side, for a notebook; of many the first ones."""
        shown = range(min(self.count, SHOWN))
        drawn = "".join(sheet_svg(self, b, style="width:14em;margin:.3em") for b in shown)
        more = f"<p>the first {SHOWN} of {self.count} bins</p>" if self.count > SHOWN else ""
        said = repr(self).removeprefix("Packing(").removesuffix(")")
        return f"<p>{said}</p><div>{drawn}</div>{more}"
