"""The figure of HOG's inversion, of the first seed."""

from refimpl.companions.inversion import hog_study
from refimpl.report import plots
from refimpl.report.results import drawing

SHOWN = 10


def make(data, teacher, rows, out):
    """Draw the figure where `rows` (of the ledger) have its numbers. Returns [{file, title, paper,
    alt}].
    """
    if not any(row["id"].startswith(f"hog/{data.name}/") for row in rows):
        return []
    made, add = drawing(out)
    lines = []
    for cells in hog_study.CELLS.values():
        x, back, _ = hog_study.inversions(data, cells, 0)
        lines.append((f"{cells} x {cells} cells", x[:SHOWN]))
        lines.append(("from HOG", back[:SHOWN]))
    add(
        "hog.png",
        "Histograms of oriented gradients, inverted (not in the paper)",
        "",
        "Test images and below each what its descriptor alone gives back: the shapes, without "
        "brightness and contrast, and coarser for larger cells.",
        plots.gallery,
        lines,
        data.image_shape,
        [str(n + 1) for n in range(len(lines[0][1]))],
    )
    return made
