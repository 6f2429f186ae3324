"""The figure of the teacher that memorized random labels."""

from matplotlib.figure import Figure

from refimpl.paper.memorized import SHOWN
from refimpl.report.plots import BLUE, GREY, ORANGE, save
from refimpl.report.results import drawing


def make(data, teacher, rows, out):
    """Draw the figure whose numbers are in `rows` (of the ledger). Returns [{file, title, paper,
    alt}].
    """
    prefix = f"memorized/{data.name}/"
    found = {
        row["id"].removeprefix(prefix): row["ours"] for row in rows if row["id"].startswith(prefix)
    }
    if not found:
        return []
    made, add = drawing(out)
    ten = found["ten_images"]["mean"]
    add(
        "memorized.png",
        "Random labels that a teacher memorized, recalled by its students (not in the paper)",
        "",
        f"Students of more memorized images with logits recall more of the held-out labels, with "
        f"labels about a tenth; the student of ten class visualizations {ten:.1f} percent.",
        recall,
        found,
    )
    return made


def recall(path, found):
    """Percent of held-out random labels recalled, over the memorized images that a student saw."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axis = figure.subplots()
    for way, colour, label in (
        ("soft", BLUE, "memorized images, the teacher's logits"),
        ("hard", GREY, "memorized images, their labels"),
    ):
        cells = [found[f"{n}/{way}"] for n in SHOWN]
        axis.errorbar(
            SHOWN,
            [cell["mean"] for cell in cells],
            yerr=[cell["sd"] or 0 for cell in cells],
            fmt="o-",
            color=colour,
            capsize=3,
            label=label,
        )
    ten = found["ten_images"]
    label = "ten class visualizations, no such image"
    axis.errorbar([10], [ten["mean"]], yerr=[ten["sd"] or 0], fmt="s", color=ORANGE, label=label)
    axis.set(xlabel="images that the student sees", ylabel="held-out random labels recalled (%)")
    axis.set(ylim=(0, 105))
    axis.legend(fontsize=8)
    save(figure, path)
