"""What ten distilled images show of the images that they were made from."""

from typing import Any

import numpy as np

from refimpl.companions.distillation.baselines import class_means
from refimpl.companions.distillation.kernel_distillation import Distilled, KernelStudent
from refimpl.companions.distillation.preparation import Preparation, real_images, start_targets
from refimpl.companions.extraction import exposure
from refimpl.data import Dataset
from refimpl.losses import log_softmax

MEMBERS = 2_000  # images on either side of the membership test


def privacy(
    data: Dataset, prepare: Preparation, kernel_set: Distilled, depth: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Nearest training images and membership of ten distilled images, beside real ones and means.

    {"resemblance": {images: (mean largest |cosine| with a training image, with an unseen one)},
    "membership": {student of: (AUC of telling training images from unseen ones, standard error)}};
    MEMBERS images on either side. "random" are ten of the members themselves.

    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> start = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    >>> shown = privacy(data, prepare, Distilled(*start, np.zeros(0)), 1, 0)
    >>> shown["resemblance"]["random"][0] > 0.99
    True
    """
    rng = np.random.default_rng([seed, 8])
    classes = len(data.classes)
    train, test = data.train_pixels, data.test_pixels
    rows = [rng.choice(len(x), min(MEMBERS, len(x)), replace=False) for x in (train, test)]
    members, others = prepare(train[rows[0]]), prepare(test[rows[1]])
    labels = data.train_y[rows[0]], data.test_y[rows[1]]
    given, y = members, labels[0]
    if len(np.unique(y)) < classes:  # a class so rare that none of it is a member
        given, y = prepare(train), data.train_y
    real = given[real_images(given, y, classes, classes, rng)]
    hard = start_targets(np.arange(classes), classes)
    means = prepare(class_means(train, data.train_y, classes))
    sets = {
        "distilled": (kernel_set.images, kernel_set.targets),
        "class means": (means, hard),
        "random": (real, hard),
    }

    def log_likelihood(images, targets, x, y):
        student = KernelStudent(images, targets, depth, lambda x: x)
        return log_softmax(student.logits(x).astype(np.float64))[np.arange(len(y)), y]

    shown: dict[str, dict] = {"resemblance": {}, "membership": {}}
    for name, (images, targets) in sets.items():
        shown["resemblance"][name] = [
            float(exposure.resemblance(images, x).mean()) for x in (members, others)
        ]
        sides = [log_likelihood(images, targets, x, y) for x, y in zip((members, others), labels)]
        shown["membership"][name] = list(exposure.auc(*sides))
    return shown
