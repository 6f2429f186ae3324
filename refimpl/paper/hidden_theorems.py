"""T7 to T9, measured: networks with a hidden layer, and descent in the images' coefficients.

Checks and records as in `refimpl.paper.theorems`.
"""

from typing import Any

import numpy as np

from refimpl import theory
from refimpl.class_visualization import ascend_preactivations, class_visualizations
from refimpl.data import Dataset
from refimpl.layers import ReLU
from refimpl.network import Network, one_hidden_net
from refimpl.paper import section6
from refimpl.paper.section5 import visualize
from refimpl.paper.theorem import Theorem, compare
from refimpl.retraining import retrain
from refimpl.theory import theta_of
from refimpl.training import train


def t7(teacher: Network, seed: int) -> list[Theorem]:
    """T7, measured. A ReLU student with open gates.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t7(tiny_teacher(side=8), 0)]
    [('T7', True)]
    """
    images = visualize(teacher)[0]
    student = section6.open_gate_student(teacher, images, seed)
    open_on_images = (student.layers[0].forward(images)[0] > 0).all()
    return [
        compare(
            "T7",
            "zero-sum teacher, h >= rank W: a student that starts at W1 = 0, b1 = +10, fits the "
            "logits and has all gates open on the ten images is the teacher wherever its gates "
            "are open",
            theta_of(teacher),
            theory.open_gate_function(student) if open_on_images else np.inf,
            1e-10,
        )
    ]


def t8(network: Network, x: np.ndarray) -> list[Theorem]:
    """T8, measured. The input gradient of one hidden layer, at x (N, D).

    >>> from refimpl.paper.tiny import tiny
    >>> hidden = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> [(t.id, t.holds) for t in t8(hidden, tiny().test_x)]
    [('T8', True), ('T8/line', True)]
    """
    classes = np.arange(network.classes)
    x0 = np.asarray(x[classes], dtype=np.float64)
    onehot = np.eye(network.classes)
    gradient = theory.hidden_gradient(network, x0, classes)
    steps, lr = 10, 1e-6  # so short that no gate switches; checked below
    moved = class_visualizations(network, steps=steps, lr=lr, start=x0)[0]
    first = network.layers[0]
    same_gates = ((first.forward(x0)[0] > 0) == (first.forward(moved)[0] > 0)).all()
    return [
        compare(
            "T8",
            "one hidden layer, off its kinks: dz_c/dx = W1 diag(act'(z1)) w2_c",
            gradient,
            network.input_gradient(x0, onehot),
            1e-13,
        ),
        compare(
            "T8/line",
            "while the gates hold, x_n = x_0 + n lr W1 D w2_c",
            x0 + steps * lr * gradient,
            moved if same_gates else np.inf,
            1e-13,
        ),
    ]


def t9(teacher: Network, hidden: Network, x: np.ndarray) -> list[Theorem]:
    """T9, measured. Descent in the images' coefficients; x (N, D): where ascent of the hidden
    network starts.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> hidden = one_hidden_net(16, 3, 10, rng=np.random.default_rng(0))
    >>> [(t.id, t.holds) for t in t9(tiny_teacher(), hidden, tiny().test_x)]
    [('T9', True), ('T9/closed_form', True), ('T9/hidden', True)]
    """
    classes = np.arange(hidden.classes)
    images = class_visualizations(teacher, steps=50, lr=0.1)[0]
    z, start = teacher.logits(images), np.asarray(x[classes], dtype=np.float64)
    lr, steps = theory.best_lr(images)[0], 60
    forms = {
        form: theta_of(retrain(images, z, form=form, lr=lr, steps=steps, tol=0).network)
        for form in ("primal", "dual")
    }
    how: dict[str, Any] = {
        "objective": "log_probability",
        "steps": 100,
        "lr": 0.05,
        "start": start,
        "classes": classes,
    }
    return [
        compare(
            "T9",
            "a linear student, plain descent or momentum (not Adam, box, blur, jitter): descent in "
            "weights equals descent in the images' coefficients",
            forms["primal"],
            forms["dual"],
            1e-12,
        ),
        compare(
            "T9/closed_form",
            "squared error by plain descent has a closed form in the number of steps",
            theory.descent_after(images, z, lr=lr, steps=steps),
            forms["dual"],
            1e-12,
        ),
        compare(
            "T9/hidden",
            "ascent of a hidden-layer network runs on z1 with M = W1'W1",
            class_visualizations(hidden, **how)[0],
            ascend_preactivations(hidden, **how)[0],
            1e-11,
        ),
    ]


def hidden_teacher(data: Dataset, seed: int) -> Network:
    """A ReLU network with 30 hidden units after 500 steps on a data set, for T8, T9 and T12.

    >>> from refimpl.paper.tiny import tiny
    >>> [p.shape for p in hidden_teacher(tiny(), 0).parameters]
    [(16, 30), (30,), (30, 10), (10,)]
    """
    rng = np.random.default_rng([seed, 8])
    start = one_hidden_net(
        data.train_pixels.shape[1], 30, len(data.classes), rng=rng, activation=ReLU()
    )
    return train(start, data.train_pixels, data.train_y, steps=500, lr=0.05, rng=rng)[0]
