"""The theorems, measured: what theory.py predicts beside what the methods, as users call them,
return.

Each check is a function of a trained zero-sum teacher (t8: of a network with one hidden layer) and
of data, test images x (N, D) and labels y (N,); it returns Theorem records. Residuals are relative,
in float64; bounds are round-off of the computation, written where they are used.
"""

from typing import Any

import numpy as np

from refimpl import theory
from refimpl.class_visualization import class_visualizations
from refimpl.data import Dataset
from refimpl.descent import descend
from refimpl.dual import gram
from refimpl.losses import distillation, softmax, squared_error
from refimpl.network import Network, softmax_net
from refimpl.paper.biases import bias_loss, train_biases
from refimpl.paper.hidden_theorems import hidden_teacher, t7, t8, t9
from refimpl.paper.section5 import middle_scale, visualize
from refimpl.paper.theorem import Theorem, compare
from refimpl.retraining import retrain
from refimpl.theory import theta_of


def t0(teacher: Network) -> list[Theorem]:
    """T0, measured. Zero sums stay zero.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t0(tiny_teacher())]
    [('T0', True)]
    """
    residual = theory.zero_sum_residual(*teacher.parameters)
    return [
        Theorem(
            "T0",
            "sum_c w_c = 0 and sum_c b_c = 0 after training from zero by cross-entropy on targets "
            "of "
            "equal sums, by steps linear in the gradients (SGD, momentum, decay; not Adam)",
            0.0,
            float(residual),
            float(residual),
            1e-13,
        )
    ]


def t1(teacher: Network) -> list[Theorem]:
    """T1, measured. Where logit ascent ends: three closed forms.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t1(tiny_teacher())]
    [('T1', True), ('T1/decay', True), ('T1/box', True)]
    """
    w = teacher.parameters[0]
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("T1", "logit ascent from the blank: n lr w_c", {}),
        (
            "T1/decay",
            "with - lambda |x|^2: (1 - (1 - 2 lr lambda)^n) w_c / (2 lambda)",
            {"weight_decay": 0.3},
        ),
        ("T1/box", "with a box that holds the blank: clip(n lr w_c)", {"box": (-0.1, 0.2)}),
    ]
    return [
        compare(
            id,
            statement,
            theory.logit_ascent(w, steps=50, lr=0.1, **how),
            class_visualizations(teacher, steps=50, lr=0.1, **how)[0],
            1e-13,
        )
        for id, statement, how in cases
    ]


def t2(teacher: Network, rng: np.random.Generator) -> list[Theorem]:
    """T2, measured. Exact recovery, by squared error and by cross-entropy at a temperature.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t2(tiny_teacher(side=8), np.random.default_rng(0))]
    [('T2', True), ('T2/temperature', True), ('T2/softened', True)]
    """
    theta, w = theta_of(teacher), teacher.parameters[0]
    scales = middle_scale(w) * rng.uniform(0.5, 2, teacher.classes)
    images = scales[:, None] * w.T
    z = teacher.logits(images)
    soft = np.log(
        softmax(z / 20)
    )  # logits of the softened targets: a student at T = 1 sees softmax(z / 20)
    return [
        compare(
            "T2",
            "the student of s_c w_c of a zero-sum teacher, any s_c > 0 (enough: sum 1/s_c not 0), "
            "any "
            "rank of W, any b, is the teacher",
            theta,
            theta_of(retrain(images, z).network),
            1e-10,
        ),
        compare(
            "T2/temperature",
            "the same by cross-entropy at one temperature (20) on both sides, up to the mean of b",
            theta,
            theta_of(retrain(images, z, temperature=20.0).network),
            1e-9,
        ),
        compare(
            "T2/softened",
            "a student at T = 1 on softmax(z / 20) ends at theta / 20",
            theta / 20,
            theta_of(retrain(images, soft, temperature=1.0).network),
            1e-9,
        ),
    ]


def t3(teacher: Network) -> list[Theorem]:
    """T3, measured. The spectrum of G and the speed that follows.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t3(tiny_teacher())]
    [('T3', True), ('T3/contraction', True), ('T3/unstable', True)]
    """
    w = teacher.parameters[0]
    scale = middle_scale(w)
    images, n = scale * w.T, w.shape[1]
    values = np.linalg.eigvalsh(gram(images))[::-1]
    lr, factor = theory.best_lr(images)
    z, zero = teacher.logits(images), softmax_net(*w.shape)
    steps = int(np.log(1e-10) / np.log(factor))
    losses = descend(zero, images, z, squared_error, lr=lr, steps=steps, tol=0).losses
    unstable = descend(
        zero, images, z, squared_error, lr=1.01 * 2 * n / values[0], steps=800, tol=0
    ).losses
    late = slice(steps // 2, steps // 2 + 8)  # before round-off, after the fast modes
    return [
        compare(
            "T3",
            "zero-sum teacher, images s w_c of one scale s: G has the eigenvalue K, s^2 sigma_i^2 "
            "for "
            "the non-zero sigma_i of W, and zeros",
            theory.spectrum(w, scale),
            values,
            1e-12,
        ),
        compare(
            "T3/contraction",
            "squared error, plain descent at lr 2N / (l_1 + l_n), l_n the smallest non-zero "
            "eigenvalue: "
            "a late step shrinks the residual by (l_1 - l_n) / (l_1 + l_n)",
            factor,
            np.sqrt(losses[late][-1] / losses[late][0]) ** (1 / 7),
            1e-3,
        ),
        compare(
            "T3/unstable",
            "1 % above lr 2N / l_1 a late step lengthens the residual by 1.02, if it meets the top "
            "eigenvector at all",
            1.02,
            np.sqrt(unstable[-1] / unstable[-2]),
            1e-6,
        ),
    ]


def t4(teacher: Network) -> list[Theorem]:
    """T4, measured. One step is enough on a one-step data set.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t4(tiny_teacher())]
    [('T4', True)]
    """
    images = theory.one_step_images(teacher.parameters[0])
    student = descend(
        softmax_net(*teacher.parameters[0].shape),
        images,
        teacher.logits(images),
        squared_error,
        lr=1.0,
        steps=1,
    ).network
    return [
        compare(
            "T4",
            "zero-sum teacher, any b, any rank r: one step of squared error with lr 1 from zero "
            "on sqrt "
            "K U_r V_r' returns it",
            theta_of(teacher),
            theta_of(student),
            1e-12,
        )
    ]


def t5(teacher: Network, rng: np.random.Generator) -> list[Theorem]:
    """T5, measured. What a random start leaves outside the images' span.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> [(t.id, t.holds) for t in t5(tiny_teacher(), np.random.default_rng(0))]
    [('T5', True)]
    """
    images = class_visualizations(teacher, steps=50, lr=0.1)[0]
    start = softmax_net(teacher.inputs, teacher.classes, rng=rng, sigma=0.01)
    student = retrain(images, teacher.logits(images), student=start).network
    return [
        compare(
            "T5",
            "squared error from a random start tends, as steps go to infinity, to theta + (I - "
            "P)(theta_0 "
            "- theta)",
            theory.descent_limit(images, theta_of(teacher), theta_of(start)),
            theta_of(student),
            1e-10,
        )
    ]


def t6(teacher: Network, rng: np.random.Generator, x: np.ndarray) -> list[Theorem]:
    """T6, measured. A teacher that is not zero-sum; x (N, D): where students are asked.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> [(t.id, t.holds) for t in t6(tiny_teacher(), np.random.default_rng(0), tiny().test_x)]
    [('T6', True), ('T6/blank', True), ('T6/log_probability', True), ('T6/laplacian', True)]
    """
    w, b = teacher.parameters
    w, b = w + rng.normal(0, 0.05, w.shape), b + rng.normal(0, 0.1, b.shape)
    other = teacher.with_parameters((w, b))
    theta, scale = theta_of(other), 10.0
    images = scale * w.T
    with_blank = np.vstack([images, np.zeros_like(images[:1])])
    student = retrain(images, other.logits(images)).network
    certain = class_visualizations(other, objective="log_probability", steps=50, lr=0.1)[0]
    same = retrain(certain, other.logits(certain)).network
    pi = theory.laplacian_null_vector(certain)
    return [
        compare(
            "T6",
            "a teacher with W of full column rank, hence not zero-sum: the student of s w_c "
            "misses it "
            "by (v; -1)(b - 1/s)' / (1 + |v|^2)",
            theory.nonzero_sum_error(w, b, scale),
            theta_of(student) - theta,
            1e-9,
        ),
        compare(
            "T6/blank",
            "with the blank image added its parameters are exact",
            theta,
            theta_of(retrain(with_blank, other.logits(with_blank)).network),
            1e-10,
        ),
        compare(
            "T6/log_probability",
            "log-probability images from the blank give its probabilities at every input",
            softmax(other.logits(x)),
            softmax(same.logits(x)),
            1e-10,
        ),
        Theorem(
            "T6/laplacian",
            "because pi' X = 0 for one positive vector pi",
            0.0,
            float(np.linalg.norm(pi @ certain)),
            float(np.linalg.norm(pi @ certain) / np.linalg.norm(certain))
            if (pi > 0).all()
            else np.inf,
            1e-12,
        ),
    ]


def t10(teacher: Network, rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> list[Theorem]:
    """T10, measured. Ten biases: the minimum, its uniqueness, a class without images. x (N, D), y
    (N,).

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> data = tiny()
    >>> [
    ...     (t.id, t.holds)
    ...     for t in t10(tiny_teacher(), np.random.default_rng(0), data.test_x, data.test_y)
    ... ]
    [('T10', True), ('T10/unique', True), ('T10/absent', True)]
    """
    scores, k = x.astype(np.float64) @ visualize(teacher)[0].T, teacher.classes
    found, other = train_biases(scores, y), train_biases(scores, y, start=rng.normal(0, 3, k))
    share = np.bincount(y, minlength=k) / len(y)
    rest, low = y != 0, np.zeros(k)
    falling = []
    for low[0] in range(
        0, -40, -4
    ):  # no image of class 0: the lower b_0, the better, and no minimum
        falling.append(bias_loss(scores[rest], y[rest], low)[0])
    gain = np.diff(falling)
    return [
        compare(
            "T10",
            "biases alone, every class present: the minimum is where the mean of p_c is the share "
            "of "
            "label c",
            share,
            softmax(scores + found.b).mean(axis=0),
            1e-11,
        ),
        compare(
            "T10/unique",
            "every class present: it is unique up to a shift, the same biases of sum zero from "
            "any start",
            found.b,
            other.b,
            1e-8,
        ),
        Theorem(
            "T10/absent",
            "without images of class c the loss falls for ever as b_c does",
            0.0,
            float(gain.max()),
            0.0 if (gain <= 0).all() and gain[0] < 0 else np.inf,
            0.0,
        ),
    ]


def t11(teacher: Network, rng: np.random.Generator, x: np.ndarray) -> list[Theorem]:
    """T11, measured. Distillation at a high temperature, on x (N, D).

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> [(t.id, t.holds) for t in t11(tiny_teacher(), np.random.default_rng(0), tiny().test_x)]
    [('T11', True), ('T11/order', True)]
    """
    t = teacher.logits(x[:50])
    z = t + rng.normal(0, 1, t.shape)
    limit = theory.high_temperature_gradient(z, t)

    def gradient(temperature):
        return temperature**2 * z.size * distillation(z, t, temperature=temperature)[1]

    errors = [np.linalg.norm(gradient(temperature) - limit) for temperature in (1e3, 1e4)]
    return [
        compare(
            "T11",
            "T^2 K N dL/dz of distillation tends to (z - mean z) - (t - mean t) as T to infinity; "
            "here "
            "at T = 10^4, up to O(1 / T)",
            limit,
            gradient(1e4),
            1e-2,
        ),
        compare(
            "T11/order",
            "ten times the temperature, a tenth of the error",
            10.0,
            errors[0] / errors[1],
            0.05,
        ),
    ]


def run(data: Dataset, teacher: Network, seed: int) -> list[Theorem]:
    """All theorems on one trained zero-sum teacher: a list of Theorem.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> found = run(tiny(side=7), tiny_teacher(side=7), 0)
    >>> len(found), all(t.holds for t in found)
    (27, True)
    """
    rng, x = np.random.default_rng([seed, 6]), data.test_x
    hidden = hidden_teacher(data, seed)
    return [
        *t0(teacher),
        *t1(teacher),
        *t2(teacher, rng),
        *t3(teacher),
        *t4(teacher),
        *t5(teacher, rng),
        *t6(teacher, rng, x),
        *t7(teacher, seed),
        *t8(hidden, x),
        *t9(teacher, hidden, x),
        *t11(teacher, rng, x),
        *t10(teacher, rng, x, data.test_y),
    ]
