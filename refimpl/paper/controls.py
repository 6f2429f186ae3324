"""Controls of equal size, all with the teacher's logits: what do ten images teach that are no class
visualizations?
"""

import numpy as np

from refimpl.data import Dataset
from refimpl.network import Network
from refimpl.paper.section5 import compare, score, visualize
from refimpl.retraining import retrain


def run(data: Dataset, teacher: Network, seed: int) -> dict[str, float]:
    """The controls for one seed's teacher: {id of the ledger: percent}.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> run(tiny(), tiny_teacher(), 0)[
    ...     "controls/digits/nine_visualizations"
    ... ]  # the tenth class is lost
    90.0
    """
    rng = np.random.default_rng(
        [seed, 99]
    )  # a stream of its own: the teacher's seed stays the teacher's
    k, d = len(data.classes), data.train_pixels.shape[1]
    sets = {
        "noise": rng.random((k, d)),
        "random_images": data.train_x[rng.choice(len(data.train_pixels), k, replace=False)].astype(
            np.float64
        ),
        "nine_visualizations": visualize(teacher)[0][:-1],
    }
    out = {}
    for name, images in sets.items():
        student = retrain(images, teacher.logits(images)).network
        out[f"controls/{data.name}/{name}"] = score(data, student)[0]
        out[f"controls/{data.name}/{name}/agreement"] = compare(data, teacher, student)["agreement"]
    return out
