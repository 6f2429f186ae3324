"""The pictures of the READMEs: the main one and a thumbnail for each thing to do, from `digits`.

`python -m refimpl lesson --pictures` draws them. `drawn` computes what is drawn, arrays by name;
`digest` tells whether they are what they were, to four decimals, and pictures/digest.txt what they
were. The PNG files beside it are made of the arrays; their bytes differ with matplotlib's version.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refimpl.class_visualization import class_visualizations
from refimpl.companions.extraction.extraction import extract
from refimpl.companions.packing import pack
from refimpl.data.digits import digits
from refimpl.descent import descend
from refimpl.layers import Conv2D, ReLU
from refimpl.losses import softmax, squared_error
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.optimize import momentum
from refimpl.paper.section5 import middle_scale
from refimpl.report.plots import BLUE, GREY, ORANGE, save
from refimpl.retraining import retrain
from refimpl.theory import best_momentum
from refimpl.training import train

FRAMES = (0, 10, 30, 60, 100)  # steps of the ascent that the main picture shows
FOLDER = Path(str(files("refimpl.lessons"))) / "pictures"
COLOURS = ("#1f5fa8", "#d1661d", "#2e7d4f", "#8a5fa8", "#b8860b", "#4f8a9a")


def drawn() -> dict[str, np.ndarray]:
    """Everything that the pictures show, by name; see each picture's function for the shapes."""
    x, y, test_x, test_y = digits(0)
    start, rng = softmax_net(784, 10), np.random.default_rng(0)
    teacher, _ = train(start, x, y, steps=2_000, lr=0.5, rng=rng)
    w = teacher.parameters[0]
    lr = middle_scale(w) / FRAMES[-1]
    frames = np.stack([class_visualizations(teacher, steps=n, lr=lr)[0] for n in FRAMES])
    images = frames[-1]
    student = retrain(images, teacher.logits(images)).network
    equal = (teacher.predict(test_x) == student.predict(test_x)).sum()
    found = {
        "frames": frames,
        "teacher": w.T,
        "student": student.parameters[0].T,
        "equal": np.array([equal, len(test_x)]),
    }
    return found | _drawn_small(x, y, test_x.astype(np.float64), teacher, images)


def _drawn_small(x, y, test_x, teacher, images) -> dict[str, np.ndarray]:
    digit, w = test_x[0], teacher.parameters[0]
    p = softmax(teacher.logits(digit[None]))[0]
    hidden, _ = train(
        one_hidden_net(784, 30, 10, rng=np.random.default_rng(1)),
        x[:2000],
        y[:2000],
        steps=300,
        lr=0.1,
        rng=np.random.default_rng(2),
    )
    rng = np.random.default_rng(3)
    items = rng.integers(8, 45, (34, 2))
    packing = pack(items, (100, 100), iterations=300)
    first_bin = packing.bins == 0
    z = np.linspace(-2, 2, 10)[None]
    jacobian = np.diag(softmax(z)[0]) - softmax(z).T @ softmax(z)
    return {
        "digit": digit,
        "terms": digit * w[:, p.argmax()],
        "probabilities": p,
        "distances": np.stack([_distances(teacher, images[:n]) for n in (10, 8)]),
        "jacobian": jacobian,
        "planted": np.diag(softmax(z)[0] * (1 - softmax(z)[0])),
        "units": extract(hidden, regime="hints").images,
        "maps": _feature_maps(digit),
        "boxes": np.hstack([packing.positions, packing.sizes])[first_bin].astype(float),
    }


def _distances(teacher: Network, images: np.ndarray, steps: int = 40) -> np.ndarray:
    """How far a student of these images is from the teacher after 0, 4, 8, ... steps: shares."""
    lr, beta = best_momentum(images)
    targets = teacher.logits(images)
    update = partial(momentum, beta=beta)
    theta = np.vstack(teacher.parameters)
    found = [1.0]
    for n in range(4, steps + 1, 4):
        student = descend(
            softmax_net(784, 10), images, targets, squared_error, lr=lr, steps=n, update=update
        ).network
        away = np.linalg.norm(np.vstack(student.parameters) - theta)
        found.append(max(float(away / np.linalg.norm(theta)), 1e-8))
    return np.round(np.log10(found), 2)  # what a curve shows, not round-off


def _feature_maps(digit: np.ndarray) -> np.ndarray:
    """The digit (784,) behind four small edge filters and ReLU: (4, 28, 28)."""
    edge = np.array([[-1.0, -1, -1], [0, 0, 0], [1, 1, 1]])
    filters = np.stack([edge, -edge, edge.T, -edge.T])[:, None]
    out = Conv2D(filters, np.zeros(4), padding="same").forward(digit.reshape(1, 1, 28, 28))[0]
    return ReLU().forward(out)[0][0]


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the arrays to four decimals, in the order of their names.

    >>> digest({"a": np.array([0.12341])}) == digest({"a": np.array([0.12339])})
    True
    """
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.round(np.asarray(arrays[name], np.float64), 4) + 0.0  # no negative zero
        found.update(f"{name}{array.shape}".encode() + array.astype("<f8").tobytes())
    return found.hexdigest()


def _tile(axis, values, largest=None, signed=True):
    """One image (784,) or (H, W): signed with 0 in mid-grey, else black to white."""
    picture = np.reshape(values, (28, 28)) if np.ndim(values) == 1 else values
    largest = np.abs(picture).max() if largest is None else largest
    low = -largest if signed else 0
    axis.imshow(picture, cmap="gray", vmin=low, vmax=largest, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def main_picture(path: Path, found: Mapping[str, np.ndarray]) -> None:
    """The ascent, a row a step, and beside it the teacher's and the student's weights."""
    figure = Figure(figsize=(12.4, 3.9))
    outer = figure.add_gridspec(1, 2, width_ratios=(10, 5.3), wspace=0.09)
    grid = outer[0].subgridspec(len(FRAMES), 10, wspace=0.06, hspace=0.06)
    largest = np.abs(found["frames"]).max()
    for i, frame in enumerate(found["frames"]):
        for c, image in enumerate(frame):
            axis = figure.add_subplot(grid[i, c])
            _tile(axis, image, largest)
            if c == 0:
                name = "grey" if FRAMES[i] == 0 else f"step {FRAMES[i]}"
                axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)
            if i == 0:
                axis.set_title(str(c), fontsize=11)
    blocks = outer[1].subgridspec(2, 1, hspace=0.36)
    largest = np.abs(found["teacher"]).max()
    for place, (name, colour) in enumerate((("teacher", BLUE), ("student", ORANGE))):
        cells = blocks[place].subgridspec(2, 5, wspace=0.06, hspace=0.06)
        for c, image in enumerate(found[name]):
            axis = figure.add_subplot(cells[c // 5, c % 5])
            _tile(axis, image, largest)
            if c == 2:
                said = "the teacher's weights" if name == "teacher" else "the student's weights"
                axis.set_title(said, fontsize=13, color=colour, weight="bold")
    equal, count = found["equal"]
    figure.text(0.405, 0.02, "Ask a network for the image it likes best ...", ha="center", size=13)
    said = f"equal on {equal:,} of {count:,} test images"
    figure.text(0.78, 0.02, said, ha="center", size=13, weight="bold")
    save(figure, path)


def play_thumbnail(figure, found):
    """A digit, what speaks for its class and against, and the ten probabilities."""
    digit, terms, bars = figure.subplots(1, 3, width_ratios=(1, 1, 0.8))
    _tile(digit, found["digit"], signed=False)
    largest = np.abs(found["terms"]).max()
    terms.imshow(
        found["terms"].reshape(28, 28), cmap="PiYG", vmin=-largest, vmax=largest, alpha=0.95
    )
    terms.axis("off")
    bars.barh(range(10), found["probabilities"], color=BLUE)
    bars.set(xlim=(0, 1), xticks=[], yticks=range(10))
    bars.invert_yaxis()
    bars.tick_params(length=0, labelsize=8)
    bars.spines[:].set_visible(False)


def lessons_thumbnail(figure, found):
    """Students of ten and of eight images: only the first reaches the teacher."""
    axis = figure.subplots()
    names = ("10 images", "8 images")
    for values, colour, name in zip(found["distances"], (BLUE, ORANGE), names):
        steps = 4 * np.arange(len(values))
        axis.plot(steps, values, color=colour, lw=2.4)
        axis.text(steps[-1] + 0.8, values[-1], name, color=colour, va="center", fontsize=10)
    axis.set(xlim=(0, 54), xticks=(0, 20, 40), yticks=(0, -4, -8))
    axis.set_yticklabels(("1", "1e-4", "1e-8"))
    axis.set_xlabel("steps", fontsize=10)
    axis.set_title("distance to the teacher", fontsize=11, loc="left")
    axis.spines[["top", "right"]].set_visible(False)


def gradcheck_thumbnail(figure, found):
    """The softmax Jacobian, one that forgets what the outputs share, and their difference."""
    named = {
        "right": found["jacobian"],
        "planted": found["planted"],
        "off": found["jacobian"] - found["planted"],
    }
    largest = np.abs(found["jacobian"]).max()
    for axis, (name, values) in zip(figure.subplots(1, 3), named.items()):
        axis.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
        axis.set(xticks=[], yticks=[])
        axis.set_title(name, fontsize=11)


def extract_thumbnail(figure, found):
    """The images that bring a network with a hidden layer back."""
    images = found["units"]
    for axis, image in zip(figure.subplots(4, 8).flat, [*images, *[None] * 32]):
        axis.axis("off")
        if image is not None:
            _tile(axis, image, max(np.abs(image).max(), 1e-9))
            axis.axis("off")


def cnn_thumbnail(figure, found):
    """A digit and what four small filters find in it."""
    grid = figure.add_gridspec(2, 4, wspace=0.06, hspace=0.06)
    _tile(figure.add_subplot(grid[:, :2]), found["digit"], signed=False)
    largest = found["maps"].max()
    for i, values in enumerate(found["maps"]):
        _tile(figure.add_subplot(grid[i // 2, 2 + i % 2]), values, largest, signed=False)


def pack_thumbnail(figure, found):
    """The first bin of a packing."""
    axis = figure.subplots()
    axis.add_patch(Rectangle((0, 0), 100, 100, facecolor="#f2f2f2", edgecolor=GREY, lw=1.5))
    for i, (left, low, wide, high) in enumerate(found["boxes"]):
        colour = COLOURS[i % len(COLOURS)]
        axis.add_patch(Rectangle((left, low), wide, high, facecolor=colour, edgecolor="white"))
    axis.set(xlim=(-2, 102), ylim=(-2, 102), aspect="equal")
    axis.axis("off")


THUMBNAILS = {
    "play": play_thumbnail,
    "lessons": lessons_thumbnail,
    "gradcheck": gradcheck_thumbnail,
    "extract": extract_thumbnail,
    "cnn": cnn_thumbnail,
    "pack": pack_thumbnail,
}


def write(folder: Path = FOLDER) -> list[str]:
    """Draw all pictures into a folder, with digest.txt. Returns their names."""
    found = drawn()
    main_picture(folder / "main.png", found)
    for name, draw in THUMBNAILS.items():
        figure = Figure(figsize=(3.6, 2.2), layout="constrained")
        draw(figure, found)
        figure.savefig(folder / f"{name}.png", dpi=110, facecolor="white")  # all of one size
    (folder / "digest.txt").write_text(digest(found) + "\n")
    return ["main.png", *(f"{name}.png" for name in THUMBNAILS)]
