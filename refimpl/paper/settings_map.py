"""The map of what section 5 leaves open: points lost by the retrained student, cell by cell of a
fixed grid.

The paper prints losses of .14 (MNIST), .94 (Fashion-MNIST) and .43 points (CIFAR-10) and none of
five choices: the objective of the ascent, the norm of the images, the soft targets' temperature (or
squared error on logits), the number of retraining iterations, the student's init. T2 says that
without a random init nothing is lost in the end; T5 what an init costs; so a loss is where the
descent stood when it stopped, or what the init left. Every cell is the network that plain
full-batch descent reaches, with the lr that the paper states, .5, or half the stability bound where
that is less (T3). Squared error in closed form (T9); cross-entropy by descent in the dual, all
cells side by side. The map is measured on test images and chooses nothing: a cell that meets a
printed loss is where it may come from, no proof.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from refimpl.data import Dataset
from refimpl.descent import minimize
from refimpl.dual import gram
from refimpl.ledger.claim import Entry, Measurement
from refimpl.losses import softmax
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.optimize import sgd
from refimpl.paper.printed import PAPER
from refimpl.paper.section5 import visualize
from refimpl.theory import EPS

OBJECTIVES = ("logit", "log_probability")
NORMS = (1.0, 3.0, 10.0)  # root mean square over the ten images; an MNIST digit has about 9
TEMPERATURES = (None, 1.0, 4.0, 20.0)  # None: squared error on logits
ITERATIONS = (100, 1_000, 10_000)
INITS = (0.0, 0.003, 0.01, 0.1)  # sigma of the student's weights
GRID = tuple(product(OBJECTIVES, NORMS, TEMPERATURES, ITERATIONS, INITS))
LR = 0.5
TOLERANCE = 0.1  # points: ten test images of 10,000; a cell within it loses as much as the paper


def cell_id(
    name: str, objective: str, norm: float, temperature: float | None, iterations: int, init: float
) -> str:
    """map/<data set>/<objective>/<norm>/<temperature or "squared">/<iterations>/<init>.

    >>> cell_id("mnist", "logit", 3.0, None, 100, 0.01)
    'map/mnist/logit/3/squared/100/0.01'
    """
    loss = "squared" if temperature is None else f"{temperature:g}"
    return f"map/{name}/{objective}/{norm:g}/{loss}/{iterations}/{init:g}"


def printed_loss(name: str) -> float | None:
    """The points that the paper lost on a data set (table 5, columns 1 and 2), None where it has
    none.

    >>> printed_loss("fashion-mnist"), printed_loss("digits")
    (0.94, None)
    """
    row = PAPER["table_5"].get(name.replace("-", "_"))
    return None if row is None else round(row[0] - row[1], 2)


def pictures(teacher: Network, objective: str) -> np.ndarray:
    """Ten class visualizations (section 5's ascent), all divided by their root mean square norm:
    one unit for NORMS.

    For logit ascent the same as more or fewer steps (T1); for log-probability the direction is the
    ascent's last.

    >>> from refimpl.paper.tiny import tiny_teacher
    >>> x = pictures(tiny_teacher(), "logit")
    >>> x.shape, round(float((x**2).sum(axis=1).mean()), 9)
    ((10, 16), 1.0)
    """
    images, _ = visualize(teacher, objective)
    return images / np.sqrt((images**2).sum(axis=1).mean())


def step_size(g: np.ndarray, temperature: float | None = None) -> float:
    """LR, or half of the stability bound where that is less: 2N / l_1, with temperature T 4 N T^2 /
    l_1 (T3).

    g (N, N): gram of the images, l_1 its largest eigenvalue.

    >>> g = np.diag([1.0, 8.0])  # N = 2, l_1 = 8
    >>> [
    ...     round(float(lr), 9)
    ...     for lr in (step_size(g), step_size(g, temperature=0.5), step_size(g / 8))
    ... ]
    [0.25, 0.125, 0.5]
    """
    bound = 2 * len(g) / np.linalg.eigvalsh(g)[-1]
    return min(LR, bound / 2 if temperature is None else bound * temperature**2)


def squared_coefficients(
    g: np.ndarray, z0: np.ndarray, z: np.ndarray, iterations: Sequence[int]
) -> dict[int, np.ndarray]:
    """T9: C after each number of `iterations` of squared error, so that theta = theta_0 + X~' C.
    {iterations: (N, K)}.

    C = U diag((1 - (1 - lr l / N)^t) / l) U' (z - z0); for l = 0 the factor is lr t / N. g (N, N):
    gram; z0, z (N, K).

    >>> one = np.ones((1, 1))
    >>> {
    ...     t: float(c[0, 0]) for t, c in squared_coefficients(one, 0 * one, one, (1, 2)).items()
    ... }  # halfway each step
    {1: 0.5, 2: 0.75}
    """
    values, u = np.linalg.eigh(g)
    zero, lr = values <= len(g) * EPS * values[-1], step_size(g)
    rate, safe = lr * np.where(zero, 0, values) / len(g), np.where(zero, 1, values)
    factors = {t: np.where(zero, lr * t / len(g), (1 - (1 - rate) ** t) / safe) for t in iterations}
    return {t: u @ (factor[:, None] * (u.T @ (z - z0))) for t, factor in factors.items()}


def soft_coefficients(
    g: np.ndarray, z0: np.ndarray, z: np.ndarray, temperature: np.ndarray, iterations: Sequence[int]
) -> dict[int, np.ndarray]:
    """The same for cross-entropy with softmax(. / T) on both sides, B problems side by side.

    C <- C - lr (softmax((z0 + G C) / T) - softmax(z / T)) / (N T). g (B, N, N), z0 and z (B, N, K),
    temperature (B,). Returns {iterations: (B, N, K)}.

    >>> z = np.array([[[1.0, -1.0]]])
    >>> c = soft_coefficients(np.ones((1, 1, 1)), 0 * z, z, np.array([1.0]), (1, 1_000))
    >>> c[1].shape, c[1_000].round(6).tolist()
    ((1, 1, 2), [[[1.0, -1.0]]])
    """
    lr = np.array([step_size(*problem) for problem in zip(g, temperature)])[:, None, None]
    tau, (b, n, k) = temperature[:, None, None], z0.shape
    target = softmax((z / tau).reshape(b * n, k)).reshape(z0.shape)
    found, last = {}, max(iterations)

    def gradient(arrays, step):
        if step in iterations:
            found[step] = arrays[0]
        off = softmax(((z0 + g @ arrays[0]) / tau).reshape(b * n, k)).reshape(z0.shape) - target
        return np.abs(off).max(), [lr * off / (n * tau)]  # each problem has an lr of its own

    (c,), _, _ = minimize(gradient, [np.zeros_like(z0)], steps=last, lr=1.0, update=sgd)
    return found | {last: c}


def _coefficients(
    images: np.ndarray, teacher: Network, inits: Mapping[float, np.ndarray]
) -> dict[tuple, np.ndarray]:
    """C (N, K) of every cell of one objective: {(norm, temperature, iterations, init): C}. inits
    {sigma: weights}.
    """
    problems = {}
    for norm, temperature, sigma in product(NORMS, TEMPERATURES, INITS):
        x = norm * images
        problems[norm, temperature, sigma] = gram(x), x @ inits[sigma], teacher.logits(x)
    found: dict[tuple, np.ndarray] = {}
    for (norm, temperature, sigma), problem in problems.items():
        if temperature is None:
            found |= {
                (norm, None, t, sigma): c
                for t, c in squared_coefficients(*problem, ITERATIONS).items()
            }
    soft = [key for key in problems if key[1] is not None]
    g, z0, z = (np.stack(arrays) for arrays in zip(*(problems[key] for key in soft)))
    for t, c in soft_coefficients(g, z0, z, np.array([key[1] for key in soft]), ITERATIONS).items():
        found |= {
            (norm, temperature, t, sigma): c[i] for i, (norm, temperature, sigma) in enumerate(soft)
        }
    return found


def run(data: Dataset, teacher: Network, seed: int) -> dict[str, float]:
    """Points lost by the student in every cell of GRID, and how many cells lose nothing or as much
    as the paper.

    >>> from unittest.mock import patch
    >>> from refimpl.paper import settings_map as the_map
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> with patch.multiple(the_map, ITERATIONS=(9,)):  # in place of up to 10,000
    ...     found = run(tiny(), tiny_teacher(), 0)
    >>> len(found), cell_id("digits", "logit", 1.0, None, 9, 0.0) in found
    (97, True)
    """
    rng = np.random.default_rng(
        [seed, 5]
    )  # a stream of its own: the teacher's seed stays the teacher's
    noise = rng.normal(size=teacher.parameters[0].shape)
    test_x = data.test_x.astype(np.float64)
    base, baseline = test_x @ noise, accuracy(data.test_y, teacher.predict(data.test_pixels))
    out = {}
    for objective in OBJECTIVES:
        images = pictures(teacher, objective)
        products = test_x @ images.T
        found = _coefficients(images, teacher, {sigma: sigma * noise for sigma in INITS})
        for (norm, temperature, iterations, sigma), c in found.items():
            z = norm * products @ c + c.sum(axis=0) + sigma * base
            id = cell_id(data.name, objective, norm, temperature, iterations, sigma)
            out[id] = baseline - accuracy(data.test_y, z.argmax(axis=1))
    lost, printed = np.array(list(out.values())), printed_loss(data.name)
    counts = {f"map/{data.name}/cells_losing_nothing": int((lost <= 1e-9).sum())}
    if printed is not None:
        counts[f"map/{data.name}/cells_like_the_paper"] = int(
            (np.abs(lost - printed) <= TOLERANCE + 1e-9).sum()
        )
    return out | counts


def claims(name: str) -> Iterator[Entry]:
    """One row a cell, and the counts. None has a printed number of its own: the paper states no
    cell.

    >>> next(claims("mnist")).what
    'cells of the map that lose nothing, of 288'
    """
    printed = printed_loss(name)
    yield Measurement(
        f"map/{name}/cells_losing_nothing", f"cells of the map that lose nothing, of {len(GRID)}"
    )
    if printed is not None:
        yield Measurement(
            f"map/{name}/cells_like_the_paper",
            f"cells of the map that lose {printed} points, as the paper did, +- {TOLERANCE}, of "
            f"{len(GRID)}",
        )
    for cell in GRID:
        objective, norm, temperature, iterations, init = cell
        loss = "squared error" if temperature is None else f"cross-entropy at T = {temperature:g}"
        yield Measurement(
            cell_id(name, *cell),
            f"points lost: {objective} images of norm {norm:g}, {loss}, "
            f"{iterations:,} iterations, init {init:g}",
            protocol="plain full-batch descent, lr .5 or half the stability bound",
            cell_of="the map of what the paper left open",
        )
