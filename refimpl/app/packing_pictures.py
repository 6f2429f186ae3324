"""A packing as a picture: every bin, each item with its number."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refimpl.app.plots import GREY, save

COLOURS = ("#1f5fa8", "#d1661d", "#3a7d44", "#7b4fa3", "#a88420", "#2f8f9d", "#b0413e", "#5b6770")


def bins_picture(path, packing, bin_size, *, columns=6, most=120):
    """Draw up to `most` bins of a Packing, lower left corner below left; numbers where there is room."""
    W, H = bin_size
    shown = min(packing.count, most)
    columns = min(columns, shown)
    rows = -(-shown // columns)
    side = 1.9
    size = side * columns * max(1, W / H) ** 0.5, side * rows * max(1, H / W) ** 0.5
    figure = Figure(figsize=size, layout="constrained")
    for b, axis in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axis.axis("off")
        if b >= shown:
            continue
        axis.set(xlim=(0, W), ylim=(0, H), aspect="equal")
        axis.add_patch(Rectangle((0, 0), W, H, facecolor="#f2f2f2", edgecolor=GREY, lw=1.2))
        filled = 0
        for i in (packing.bins == b).nonzero()[0]:
            (x, y), (w, h) = packing.positions[i].tolist(), packing.sizes[i].tolist()
            filled += w * h
            axis.add_patch(Rectangle((x, y), w, h, facecolor=COLOURS[i % len(COLOURS)], edgecolor="white", lw=0.8))
            if w > W / 9 and h > H / 11:
                axis.text(x + w / 2, y + h / 2, str(i), ha="center", va="center", fontsize=6, color="white")
        axis.set_title(f"bin {b}: {100 * filled / (W * H):.0f} %", fontsize=7)
    save(figure, path)
