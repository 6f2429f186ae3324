"""Section 5: a student retrained from zero on ten class visualizations is the teacher. Table 5 columns 1 and 2.

Every experiment of a section is a function (data, teacher, ...) -> {id: value}: percent, counts, or a confusion matrix.
"""

import tempfile
from pathlib import Path

import numpy as np

from refimpl.losses import squared_error
from refimpl.methods.class_visualization import class_visualizations
from refimpl.methods.compression import read_dataset, to_pixels, write_dataset
from refimpl.methods.retraining import retrain
from refimpl.metrics import accuracy, confusion_matrix
from refimpl.paper.protocol import PROTOCOLS, Schedule
from refimpl.paper.protocol import teacher as train_teacher
from refimpl.theory import best_scale, one_step_images, theta_of
from refimpl.train import descend

STEPS = 100  # of every ascent; the paper gives none, and T2 says that the number decides how fast, not whether
TEMPERATURE = 20.0  # of the cross-entropy reading


def visualize(teacher, objective="logit"):
    """Ten images from the blank, lr set so that n lr = s lies in the best-conditioned interval (T3)."""
    scale = np.sqrt(np.prod(best_scale(teacher.parameters[0])))
    return class_visualizations(teacher, objective=objective, steps=STEPS, lr=scale / STEPS)


def score(data, network):
    """Accuracy (percent) and confusion matrix on the test images."""
    predicted = network.predict(data.test_x)
    return accuracy(data.test_y, predicted), confusion_matrix(data.test_y, predicted, len(data.classes))


def compare(data, teacher, student):
    """agreement: percent of equal test predictions; loss: points of accuracy lost; distance of the parameters."""
    ours, theirs = student.predict(data.test_x), teacher.predict(data.test_x)
    theta = theta_of(teacher)
    return {"agreement": accuracy(ours, theirs), "loss": accuracy(data.test_y, theirs) - accuracy(data.test_y, ours),
            "parameters": float(np.linalg.norm(theta_of(student) - theta) / np.linalg.norm(theta))}


def run(data, teacher, seed):
    """Section 5 for one seed's teacher: {id of the ledger: percent, count or confusion matrix (K, K)}."""
    name, out = data.name, {}
    out[f"table5/{name}/train_set"], out[f"table1/{name}"] = score(data, teacher)

    images, _ = visualize(teacher)
    student = retrain(images, teacher.logits(images)).network
    out[f"table5/{name}/class_visualizations"], out[f"table3/{name}"] = score(data, student)
    recipes = {"logit": student}
    images, _ = visualize(teacher, "log_probability")
    recipes["log_probability"] = retrain(images, teacher.logits(images)).network
    recipes["temperature"] = retrain(images, teacher.logits(images), temperature=TEMPERATURE).network
    for recipe, network in recipes.items():
        out |= {f"section5/{name}/{recipe}/{key}": v for key, v in compare(data, teacher, network).items()}

    one_step = one_step_images(teacher.parameters[0])
    zero = teacher.with_parameters([np.zeros_like(p) for p in teacher.parameters])
    after = descend(zero, one_step, teacher.logits(one_step), squared_error, lr=1.0, steps=1).network
    out[f"section5/{name}/one_step/parameters"] = compare(data, teacher, after)["parameters"]
    return out | png(data, teacher) | other_teachers(data, seed)


def png(data, teacher):
    """Ten images and a black one as 8-bit PNG files on disk, read back, and trained on; without the black one beside."""
    images, _ = visualize(teacher)
    pixels = to_pixels(images)
    with tempfile.TemporaryDirectory() as folder:
        targets = teacher.logits(pixels / 255)
        size = write_dataset(Path(folder) / "png", pixels, targets, data.image_shape)
        images, targets = read_dataset(Path(folder) / "png")
    prefix = f"section5/{data.name}/png"
    return {f"{prefix}/agreement": compare(data, teacher, retrain(images, targets).network)["agreement"],
            f"{prefix}/bytes": size,
            f"{prefix}/without_black/agreement":
                compare(data, teacher, retrain(images[:-1], targets[:-1]).network)["agreement"]}


def other_teachers(data, seed):
    """The best protocol's teacher; the paper's after 1,000 steps, as in TensorFlow's beginners' example of that time; and
    one with random init (never zero-sum), visualized by logit against log-probability."""
    p, prefix = PROTOCOLS[data.name], f"section5/{data.name}"
    best = train_teacher(data, seed, p.best)
    short = train_teacher(data, seed, Schedule(p.paper.lr, 1_000))
    out = {f"{prefix}/best_teacher": score(data, best)[0], f"{prefix}/thousand_steps": score(data, short)[0]}
    anyhow = train_teacher(data, seed, p.paper, sigma=0.05)
    for objective in ("logit", "log_probability"):
        images, _ = visualize(anyhow, objective)
        student = retrain(images, anyhow.logits(images)).network
        out[f"{prefix}/any_init/{objective}/agreement"] = compare(data, anyhow, student)["agreement"]
    return out
