"""Test accuracy against bytes, for everything that this project can make of a data set.

Each function gives Points of one seed. Bytes are those of what is stored: images with their targets
as one deflated .npz file, or as 8-bit PNG files beside targets in JSON; models as in
compressed_models.py. The data set's own shape, mean image and preparation are counted to nobody.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.companions.distillation.baselines import herding, k_means
from refimpl.companions.distillation.compressed_models import model_points, stored
from refimpl.companions.distillation.kernel_distillation import Distilled, KernelStudent
from refimpl.companions.distillation.preparation import (
    Preparation,
    real_images,
    start_targets,
)
from refimpl.companions.extraction import study as extraction
from refimpl.data import Dataset
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.paper.biases import train_biases
from refimpl.paper.png_dataset import read_dataset, to_pixels, write_dataset
from refimpl.paper.protocol import class_averages
from refimpl.paper.section5 import visualize
from refimpl.retraining import retrain
from refimpl.theory import theta_of

SAMPLE = 10_000  # training images that selection looks at


@dataclass(frozen=True)
class Point:
    """One way to hand over what a data set teaches: kind, words, bytes as stored, test accuracy
    (%).

    >>> Point("model", "linear, float32", 28_000, 92.3).kind
    'model'
    """

    kind: str
    what: str
    bytes: int
    accuracy: float


# One image a class, percent, convolutional student from random inits, as reported by others (design
# of DC: Zhao et al. 2021; DSA: Zhao and Bilen 2021; MTT: Cazenavette et al. 2022; RaT-BPTT: Feng et
# al. 2024; LeNet of one fixed init: Wang et al. 2018). None of it is checked here.
REPORTED = {
    "mnist": (
        ("DC, hard labels, random inits", 91.7),
        ("DSA, hard labels, random inits", 88.7),
        ("Wang et al., LeNet, ONE fixed init", 94.0),
    ),
    "fashion-mnist": (
        ("DC, hard labels, random inits", 70.5),
        ("DSA, hard labels, random inits", 70.6),
    ),
    "cifar10": (
        ("DC, hard labels, random inits", 28.3),
        ("DSA, hard labels, random inits", 28.8),
        ("MTT, random inits", 46.3),
        ("RaT-BPTT, learned labels, random inits", 53.2),
    ),
}


def fewest_images(theta: np.ndarray) -> tuple[np.ndarray, float]:
    """T14: the fewest images from whose logits ONE step of squared error from zero returns theta.

    An orthonormal basis of the span of theta's columns, turned by a Householder reflection so that
    all last entries are equal, divided by them; the step's lr is |v|^2, v the projection of the
    last unit vector on the span. theta (D + 1, K), biases in the last row -> (images (r, D), lr).
    Raises ValueError where the biases are zero: v vanishes.

    >>> theta = np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]])
    >>> images, lr = fewest_images(theta)
    >>> rows = np.hstack([images, np.ones((1, 1))])
    >>> np.allclose(lr / len(images) * rows.T @ (rows @ theta), theta)
    True
    """
    u, s, _ = np.linalg.svd(theta, full_matrices=False)
    basis = u[:, s > max(theta.shape) * np.finfo(float).eps * s[0]].T  # (r, D + 1)
    r, last = len(basis), basis[:, -1]
    size = np.linalg.norm(last)
    if size < 1e-9:
        raise ValueError("theta: expected biases that are not all zero (T14 adds an image there)")
    normal = last - size / np.sqrt(r)  # reflects `last` onto equal entries
    if np.linalg.norm(normal) > 1e-12:
        basis = basis - 2 * np.outer(normal, normal @ basis) / (normal @ normal)
    rows = basis / basis[:, -1:]
    return rows[:, :-1], float(size**2)


def linear_points(data: Dataset, teacher: Network) -> Iterator[Point]:
    """What the paper makes of a linear teacher: class visualizations, as they are, the fewest, as
    PNG; class averages, output weights, ten biases over frozen images.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> [point.accuracy for point in linear_points(tiny(), tiny_teacher())][:2]
    [100.0, 100.0]
    """

    def scored(kind, what, images, size=None):
        targets = teacher.logits(images)
        if size is None:
            size = stored(images=images.astype(np.float32), targets=targets.astype(np.float32))
        student = retrain(images, targets).network
        return Point(kind, what, size, accuracy(data.test_y, student.predict(data.test_pixels)))

    images, _ = visualize(teacher)
    kind = "class visualizations"
    yield scored(kind, "ten visualizations, linear student", images)
    yield scored(kind, "output weights as images", teacher.parameters[0].T)
    few, _ = fewest_images(theta_of(teacher))
    yield scored(kind, f"the {len(few)} images of T14", few)
    pixels = to_pixels(images)
    with tempfile.TemporaryDirectory() as folder:
        z = teacher.logits(pixels / 255)
        size = write_dataset(Path(folder) / "png", pixels, z, data.image_shape)
        read, z = read_dataset(Path(folder) / "png")
    student = retrain(read, z).network
    right = accuracy(data.test_y, student.predict(data.test_pixels))
    yield Point(kind, "ten and a black one, 8-bit PNG", size, right)
    yield scored("averages", "class averages, teacher's logits", class_averages(data))
    train_scores = data.train_x @ images.T.astype(np.float32)
    found = train_biases(train_scores, data.train_y)
    size = stored(images=images.astype(np.float32), b=found.b.astype(np.float32))
    guess = (data.test_x @ images.T + found.b).argmax(axis=1)
    yield Point(
        "biases", "ten biases over frozen visualizations", size, accuracy(data.test_y, guess)
    )


def hidden_points(data: Dataset, network: Network) -> Iterator[Point]:
    """Images that return a whole 784-30-10 network: with hints (extraction.sizes), and as filters.

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> len({point.what for point in hidden_points(tiny(), network)})
    3
    """
    for what, size, right in extraction.sizes(data, network):
        if what.startswith("images"):
            yield Point("extraction", f"hidden network: {what}", size, right)
    found, e = extraction.filters(data, network)
    size = stored(images=e.images.astype(np.float32), logits=e.logits.astype(np.float32))
    yield Point("extraction", "hidden network: filters, logits only", size, found["accuracy"])


def selections(
    data: Dataset, count: int, prepare: Preparation, rng: np.random.Generator
) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """{way: (prepared images (count, D), labels (count,) or None)}: random, herding, k-means.

    Herding and k-means look at SAMPLE training images drawn by rng. Raises ValueError as
    `real_images`.

    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> found = selections(data, 10, preparation_of(data.train_x), np.random.default_rng(0))
    >>> {way: images.shape for way, (images, _) in found.items()}
    {'random': (10, 16), 'herding': (10, 16), 'k-means': (10, 16)}
    """
    classes = len(data.classes)
    pixels, labels = data.train_pixels, data.train_y
    rows = real_images(pixels, labels, count, classes, rng)
    size = min(SAMPLE, len(pixels))
    sample = np.sort(rng.choice(len(pixels), size, replace=False))
    x, y = prepare(pixels[sample]), labels[sample]
    herded = herding(x, y, count, classes)
    return {
        "random": (prepare(pixels[rows]), labels[rows]),
        "herding": (x[herded], y[herded]),
        "k-means": (k_means(x, count, rng), None),
    }


def eight_bit_images(images: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """(images on 255 grey levels, a scale each; the arrays that are stored).

    >>> values, files = eight_bit_images(np.array([[1.0, -0.502]]))
    >>> values.round(3).tolist(), files["pixels"].tolist()
    ([[1.0, -0.504]], [[255, 64]])
    """
    largest = np.abs(images).max(axis=1, keepdims=True)
    levels = np.rint(127 * images / largest)
    values = (levels * largest / 127).astype(images.dtype)
    return values, {
        "pixels": (levels + 128).astype(np.uint8),
        "scale": largest.astype(np.float32),
    }


def distilled_points(
    data: Dataset, found: Distilled, depth: int, prepare: Preparation
) -> Iterator[Point]:
    """Distilled images for the kernel student: as float32, and as 8-bit pixels with float16
    targets.

    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny()
    >>> prepare = preparation_of(data.train_x)
    >>> start = prepare(data.train_x[:10]), start_targets(data.train_y[:10], 10)
    >>> points = distilled_points(data, Distilled(*start, np.zeros(0)), 1, prepare)
    >>> [point.accuracy for point in points]
    [100.0, 100.0]
    """

    def right(images, targets):
        student = KernelStudent(images, targets, depth, prepare)
        return accuracy(data.test_y, student.predict(data.test_pixels))

    images, targets = found.images.astype(np.float32), found.targets.astype(np.float32)
    n = len(images)
    size = stored(images=images, targets=targets)
    yield Point("distilled", f"{n} distilled, kernel student", size, right(images, targets))
    values, files = eight_bit_images(images)
    coarse = targets.astype(np.float16)
    size = stored(targets=coarse, **files)
    kept = coarse.astype(np.float32)
    yield Point("distilled", f"{n} distilled, 8-bit pixels", size, right(values, kept))


def selected_points(
    data: Dataset,
    count: int,
    depth: int,
    prepare: Preparation,
    teacher: Network,
    rng: np.random.Generator,
) -> Iterator[Point]:
    """Selected images for the kernel student: hard labels (random, herding) and teacher's logits.

    teacher: linear, on prepared images. Real images are counted as 8-bit pixels, centroids as
    float32.

    >>> from refimpl.companions.distillation.preparation import preparation_of
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> data = tiny()
    >>> options = preparation_of(data.train_x), tiny_teacher(), np.random.default_rng(0)
    >>> points = list(selected_points(data, 10, 1, *options))
    >>> [point.what for point in points][:2]
    ['10 random, hard labels', "10 random, teacher's logits"]
    """
    for way, (images, labels) in selections(data, count, prepare, rng).items():
        files: dict[str, Any] = {"images": images}
        z = teacher.logits(images).astype(np.float32)
        z -= z.mean(axis=1, keepdims=True)
        sets = {"teacher's logits": z}
        if labels is not None:
            sets = {"hard labels": start_targets(labels, len(data.classes))} | sets
        for what, targets in sets.items():
            kept = targets
            if labels is not None:  # real images: a byte a pixel
                files = {"pixels": eight_bit_images(images)[1]["pixels"]}
                kept = labels.astype(np.uint8) if what == "hard labels" else targets
            student = KernelStudent(images, targets, depth, prepare)
            right = accuracy(data.test_y, student.predict(data.test_pixels))
            yield Point("selected", f"{count} {way}, {what}", stored(t=kept, **files), right)


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats: none of at most as many bytes is as accurate or more.

    >>> points = [Point("", "a", 10, 90.0), Point("", "b", 20, 89.0), Point("", "c", 30, 95.0)]
    >>> [point.what for point in pareto(points)]
    ['a', 'c']
    """
    best, found = -np.inf, []
    for point in sorted(points, key=lambda point: (point.bytes, -point.accuracy)):
        if point.accuracy > best:
            best = point.accuracy
            found.append(point)
    return found


def models(data: Dataset, linear: Network, hidden: Network, seed: int) -> Iterator[Point]:
    """Both teachers compressed as models (compressed_models.model_points).

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> hidden = one_hidden_net(16, 12, 10, rng=np.random.default_rng(0))
    >>> len(list(models(tiny(), tiny_teacher(), hidden, 0)))
    16
    """
    for network, name, ranks, lr in (
        (linear, "linear", (4, 8), 0.1),
        (hidden, "784-30-10", (5, 10), 0.05),
    ):
        for what, size, right in model_points(data, network, name, ranks, lr=lr, seed=seed):
            yield Point("model", what, size, right)
