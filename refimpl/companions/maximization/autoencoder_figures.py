"""The figure of the stacked denoising autoencoder's units, of the first seed."""

from refimpl.companions.maximization import autoencoder_study
from refimpl.report import plots
from refimpl.report.results import drawing


def make(data, teacher, rows, out):
    """Draw the figure where `rows` (of the ledger) have its numbers. Returns [{file, title, paper,
    alt}].
    """
    if not any(row["id"].startswith(f"autoencoder/{data.name}/") for row in rows):
        return []
    made, add = drawing(out)
    images = autoencoder_study.favourites(data, 0)[2]
    lines = [(f"layer {n}", layer[:, 0]) for n, layer in enumerate(images, 1)]
    add(
        "autoencoder.png",
        "What units of a stacked denoising autoencoder respond to most (not in the paper)",
        "",
        "A row a layer, ten units each: strokes and spots in the first, pieces of shapes above.",
        plots.gallery,
        lines,
        data.image_shape,
        [f"unit {unit}" for unit in range(1, images.shape[1] + 1)],
    )
    return made
