"""The page to play with: one file in which a browser computes what this package computes.

`arrays` makes what the page shows, with the package's own functions; `page` puts them, the style
and the scripts of refimpl/lessons/play/ into one HTML file. play/network.js is the mathematics,
written out by hand as the Python is, and play/*.js the rest.
"""

import base64
import json
from collections.abc import Mapping
from importlib.resources import files

import numpy as np

from refimpl.companions.extraction.study import teacher as hidden_teacher
from refimpl.data import Dataset
from refimpl.paper.protocol import class_averages, protocol_of, train_teacher
from refimpl.paper.section5 import STEPS, middle_scale, visualize
from refimpl.retraining import retrain
from refimpl.theory import row_space, theta_of

IMAGES = 1_000  # test images in the page: the first of the data set
HIDDEN = 30
DRAWS = 1_000  # steps of jitter before its draws repeat
SCRIPTS = ("network.js", "play.js", "draw.js", "ascend.js", "retrain.js", "hidden.js", "check.js")
TYPES = {np.dtype("f8"): "Float64", np.dtype("f4"): "Float32", np.dtype("u1"): "Uint8"}


def one_step_rows(theta: np.ndarray) -> tuple[np.ndarray, float]:
    """The fewest images that return a linear teacher theta (D + 1, K), b not 0, in one step (T14).

    An orthonormal basis of the span of theta's columns is turned by one Householder reflection so
    that all its last entries are equal, and divided by them. Then the augmented images (x_n, 1)
    have G = (r / |v|^2) I, with r = rank(theta) and v the projection of the last unit vector on the
    span, and one step of squared error from zero with lr = |v|^2 returns theta. Returns (images (r,
    D), lr).

    >>> from refimpl.descent import descend
    >>> from refimpl.losses import squared_error
    >>> from refimpl.network import softmax_net
    >>> from refimpl.theory import network_of
    >>> teacher = network_of(np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]]))
    >>> images, lr = one_step_rows(theta_of(teacher))
    >>> student = descend(
    ...     softmax_net(2, 2), images, teacher.logits(images), squared_error, lr=lr, steps=1
    ... ).network
    >>> len(images), student.parameters[0].round(9).tolist()
    (1, [[1.0, -1.0], [2.0, -2.0]])
    """
    basis, _ = row_space(theta.T)  # (r, D + 1)
    last = basis[:, -1]  # (r,)
    even = np.full(len(last), np.linalg.norm(last) / np.sqrt(len(last)))
    mirror = last - even
    if mirror @ mirror > 0:
        basis = basis - np.outer(2 * mirror / (mirror @ mirror), mirror @ basis)
    return (basis / basis[:, -1:])[:, :-1], float(last @ last)


def arrays(data: Dataset, seed: int = 0) -> dict[str, np.ndarray]:
    """What the page holds, by name: teachers and student in float64, test images in 8 bits, the
    draws of everything left to chance.

    teacher_w, teacher_b: the linear teacher of the paper's protocol; student_w, student_b: the
    student of its ten class visualizations; w1, b1, w2, b2: a 784-30-10 ReLU teacher; images,
    labels: the first IMAGES test images, of the whole set as many as there are; averages: the mean
    image of each class; one_step, one_step_lr: `one_step_rows`; noise, start: normal draws, start
    times .01 a student's random weights; jitter: uniform draws, two a step; lr: a step size of the
    ascent such that STEPS steps reach the scale of best condition.
    """
    teacher = train_teacher(data, seed, protocol_of(data.name).paper)
    images, _ = visualize(teacher)
    student = retrain(images, teacher.logits(images)).network
    hidden = hidden_teacher(data, HIDDEN, "relu", seed)
    one_step, one_step_lr = one_step_rows(theta_of(teacher))
    rng = np.random.default_rng([seed, 21])
    k, d = len(data.classes), data.test_x.shape[1]
    found = dict(zip(("teacher_w", "teacher_b"), teacher.parameters))
    found |= dict(zip(("student_w", "student_b"), student.parameters))
    found |= dict(zip(("w1", "b1", "w2", "b2"), hidden.parameters))
    found |= {
        "images": np.rint(255 * data.test_x[:IMAGES]).astype(np.uint8),
        "labels": data.test_y[:IMAGES].astype(np.uint8),
        "averages": np.asarray(class_averages(data), np.float32),
        "one_step": one_step,
        "one_step_lr": np.array([one_step_lr]),
        "noise": rng.normal(size=(k, d)).astype(np.float32),
        "start": rng.normal(size=(d + 1, k)).astype(np.float32),
        "jitter": rng.random(2 * DRAWS).astype(np.float32),
        "lr": np.array([middle_scale(teacher.parameters[0]) / STEPS]),
        "agreement": np.array(
            [
                (teacher.predict(data.test_pixels) == student.predict(data.test_pixels)).sum(),
                len(data.test_pixels),
            ]
        ).astype(np.float64),
    }
    return found


def encoded(array: np.ndarray) -> dict:
    """An array as the page reads it: its type in JavaScript's words, its shape, its bytes in
    base64, the lowest byte first.

    >>> encoded(np.array([[1, 2]], np.uint8))
    {'type': 'Uint8', 'shape': [1, 2], 'bytes': 'AQI='}
    """
    array = np.ascontiguousarray(array)
    data = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return {
        "type": TYPES[array.dtype],
        "shape": list(array.shape),
        "bytes": base64.b64encode(data).decode(),
    }


def page(data: Dataset, found: Mapping[str, np.ndarray]) -> str:
    """The page as a string: the template with the style, the scripts and `arrays` put in. It loads
    nothing.
    """
    folder = files("refimpl.lessons").joinpath("play")
    text = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS}
    payload = {
        "title": data.title,
        "classes": list(data.classes),
        "side": data.image_shape[1],
        "arrays": {name: encoded(np.asarray(array)) for name, array in found.items()},
    }
    parts = {
        "style": folder.joinpath("play.css").read_text(encoding="utf-8"),
        "data": json.dumps(payload).replace("<", "\\u003c"),
        "scripts": "\n".join(text.values()),
        "title": data.title,
        "count": f"{len(found['images']):,}",
    }
    whole = folder.joinpath("page.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        whole = whole.replace(f"{{{{{name}}}}}", part)
    return whole
