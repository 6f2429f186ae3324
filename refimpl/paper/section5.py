"""Section 5: a student retrained from zero on ten class visualizations is the teacher. Table 5
columns 1 and 2.

Every experiment of a section is a function (data, teacher, ...) -> {id: value}: percent, counts, or
a confusion matrix.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.class_visualization import class_visualizations
from refimpl.data import Dataset
from refimpl.descent import descend
from refimpl.losses import squared_error
from refimpl.metrics import accuracy, confusion_matrix
from refimpl.network import Network, softmax_net
from refimpl.paper.png_dataset import read_dataset, to_pixels, write_dataset
from refimpl.paper.protocol import PROTOCOLS, Schedule, train_teacher
from refimpl.retraining import retrain
from refimpl.sufficiency import fewest_images, margin_law, outside
from refimpl.theory import descent_limit, network_of, nonzero_range, one_step_images, theta_of

# of every ascent; the paper gives none, and T2 says that the number decides how fast, not whether
STEPS = 100
TEMPERATURE = 20.0  # of the cross-entropy reading
SIGMA = 0.1  # of a student's random start


def middle_scale(w: np.ndarray) -> float:
    """s in the middle, on a log scale, of the interval in which s w_c are best conditioned (T3):
    sqrt(K / (sigma_1 sigma_r)), for any teacher's w (D, K). Raises ValueError where w is all zero.

    >>> round(
    ...     float(middle_scale(np.array([[2.0, -2.0]]))), 6
    ... )  # K = 2: one scale, sqrt(2) / sigma_1
    0.5
    """
    largest, smallest = nonzero_range(w)
    return float(np.sqrt(w.shape[1] / (largest * smallest)))


def visualize(teacher: Network, objective: str = "logit") -> tuple[np.ndarray, np.ndarray]:
    """Ten images (K, D) from the blank, and the objective at every step (STEPS + 1, K).

    lr is set so that n lr = s, the `middle_scale` of the teacher's weights. Raises ValueError on
    another objective.

    >>> from refimpl.network import softmax_net
    >>> teacher = softmax_net(16, 10, rng=np.random.default_rng(0), sigma=0.1)
    >>> images, values = visualize(teacher)
    >>> images.shape, values.shape, bool((values[-1] > values[0]).all())
    ((10, 16), (101, 10), True)
    """
    return class_visualizations(
        teacher, objective=objective, steps=STEPS, lr=middle_scale(teacher.parameters[0]) / STEPS
    )


def score(data: Dataset, network: Network) -> tuple[float, np.ndarray]:
    """Accuracy (percent) and confusion matrix (K, K) on the test images.

    >>> from refimpl.network import softmax_net
    >>> from refimpl.paper.tiny import tiny
    >>> right, confusion = score(tiny(), softmax_net(16, 10))  # all zero: class 0 for every image
    >>> right, confusion[:, 0].tolist()
    (10.0, [10, 10, 10, 10, 10, 10, 10, 10, 10, 10])
    """
    predicted = network.predict(data.test_pixels)
    return accuracy(data.test_y, predicted), confusion_matrix(
        data.test_y, predicted, len(data.classes)
    )


def compare(data: Dataset, teacher: Network, student: Network) -> dict[str, float]:
    """agreement: percent of equal test predictions; loss: points of accuracy lost; relative
    distance of the parameters.

    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> teacher = train_teacher(data, 0, Schedule(lr=0.5, steps=100))
    >>> images, _ = visualize(teacher)
    >>> {
    ...     k: round(v, 9)
    ...     for k, v in compare(
    ...         data, teacher, retrain(images, teacher.logits(images)).network
    ...     ).items()
    ... }
    {'agreement': 100.0, 'loss': 0.0, 'parameters': 0.0}
    """
    ours, theirs = student.predict(data.test_pixels), teacher.predict(data.test_pixels)
    theta = theta_of(teacher)
    return {
        "agreement": accuracy(ours, theirs),
        "loss": accuracy(data.test_y, theirs) - accuracy(data.test_y, ours),
        "parameters": float(np.linalg.norm(theta_of(student) - theta) / np.linalg.norm(theta)),
    }


def run(data: Dataset, teacher: Network, seed: int) -> dict:
    """Section 5 for one seed's teacher: {id of the ledger: percent, count or confusion matrix (K,
    K)}.

    >>> from unittest.mock import patch
    >>> from refimpl.paper.protocol import Protocol
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> with patch.dict(
    ...     PROTOCOLS, digits=Protocol(*[Schedule(lr=0.5, steps=50)] * 3)
    ... ):  # so that it ends at once
    ...     found = run(tiny(), tiny_teacher(), 0)
    >>> (
    ...     found["section5/digits/logit/agreement"],
    ...     found["section5/digits/png/agreement"],
    ...     found["table1/digits"].shape,
    ... )
    (100.0, 100.0, (10, 10))
    """
    name = data.name
    out: dict[str, Any] = {}
    out[f"table5/{name}/train_set"], out[f"table1/{name}"] = score(data, teacher)
    out[f"section5/{name}/untrained"] = score(data, softmax_net(teacher.inputs, teacher.classes))[0]

    images, _ = visualize(teacher)
    student = retrain(images, teacher.logits(images)).network
    out[f"table5/{name}/class_visualizations"], out[f"table3/{name}"] = score(data, student)
    recipes = {"logit": student}
    images, _ = visualize(teacher, "log_probability")
    recipes["log_probability"] = retrain(images, teacher.logits(images)).network
    recipes["temperature"] = retrain(
        images, teacher.logits(images), temperature=TEMPERATURE
    ).network
    for recipe, network in recipes.items():
        out |= {
            f"section5/{name}/{recipe}/{key}": v
            for key, v in compare(data, teacher, network).items()
        }

    one_step = one_step_images(teacher.parameters[0])
    zero = teacher.with_parameters([np.zeros_like(p) for p in teacher.parameters])
    after = descend(
        zero, one_step, teacher.logits(one_step), squared_error, lr=1.0, steps=1
    ).network
    out[f"section5/{name}/one_step/parameters"] = compare(data, teacher, after)["parameters"]
    out |= _how_many(data, teacher) | _random_start(data, teacher, seed)
    return out | _png(data, teacher) | _other_teachers(data, seed)


def _how_many(data: Dataset, teacher: Network) -> dict[str, float]:
    """T14: how few images return the teacher, in one step; and what one image less gives, at the
    end of descent.
    """
    theta, prefix = theta_of(teacher), f"section5/{data.name}/fewest"
    images, lr = fewest_images(theta)
    zero = teacher.with_parameters([np.zeros_like(p) for p in teacher.parameters])
    z = teacher.logits(images)
    student = descend(zero, images, z, squared_error, lr=lr, steps=1).network
    fewer = network_of(descent_limit(images[1:], theta))
    return {
        f"{prefix}/images": len(images),
        f"{prefix}/agreement": compare(data, teacher, student)["agreement"],
        f"{prefix}/one_less/agreement": compare(data, teacher, fewer)["agreement"],
    }


def _random_start(data: Dataset, teacher: Network, seed: int) -> dict[str, float]:
    """T19: the agreement of a student of ten class visualizations that starts from N(0, SIGMA^2),
    at the end of descent, and what the margin law expects of it.
    """
    images, _ = visualize(teacher)
    theta, rng = theta_of(teacher), np.random.default_rng([seed, 19])
    student = network_of(descent_limit(images, theta, SIGMA * rng.normal(size=theta.shape)))
    x = data.test_x[:2_000].astype(np.float64)
    law = margin_law(teacher.logits(x), SIGMA * outside(images, x))
    prefix = f"section5/{data.name}/random_start"
    return {
        f"{prefix}/agreement": 100 * float(np.mean(student.predict(x) == teacher.predict(x))),
        f"{prefix}/law": 100 * law,
    }


def _png(data: Dataset, teacher: Network) -> dict[str, float]:
    """Ten images and a black one as 8-bit PNG files on disk, read back, and trained on; without the
    black one beside.
    """
    images, _ = visualize(teacher)
    pixels = to_pixels(images)
    with tempfile.TemporaryDirectory() as folder:
        targets = teacher.logits(pixels / 255)
        size = write_dataset(Path(folder) / "png", pixels, targets, data.image_shape)
        images, targets = read_dataset(Path(folder) / "png")
    prefix = f"section5/{data.name}/png"
    return {
        f"{prefix}/agreement": compare(data, teacher, retrain(images, targets).network)[
            "agreement"
        ],
        f"{prefix}/bytes": size,
        f"{prefix}/without_black/agreement": compare(
            data, teacher, retrain(images[:-1], targets[:-1]).network
        )["agreement"],
    }


def _other_teachers(data: Dataset, seed: int) -> dict[str, float]:
    """The best protocol's teacher; the paper's after 1,000 steps, as in TensorFlow's beginners'
    example of that time; and one with random init (never zero-sum), visualized by logit against
    log-probability.
    """
    p, prefix = PROTOCOLS[data.name], f"section5/{data.name}"
    best = train_teacher(data, seed, p.best)
    short = train_teacher(data, seed, Schedule(p.paper.lr, 1_000))
    out = {
        f"{prefix}/best_teacher": score(data, best)[0],
        f"{prefix}/thousand_steps": score(data, short)[0],
    }
    anyhow = train_teacher(data, seed, p.paper, sigma=0.05)
    for objective in ("logit", "log_probability"):
        images, _ = visualize(anyhow, objective)
        student = retrain(images, anyhow.logits(images)).network
        out[f"{prefix}/any_init/{objective}/agreement"] = compare(data, anyhow, student)[
            "agreement"
        ]
    return out
