"""Section 2's methods on the paper's own network: what a prior does to the picture, and to what the
picture teaches.

Ten pictures by logit ascent under each prior, each prior at three strengths, then a student from
zero on the teacher's logits, to the end. L2 scales w_c and nothing else (T1), so the student stays
the teacher (T2). Quadratic total variation, blur and jitter turn every w_c by one and the same
linear map A: x_c = A w_c. These sum to zero as well, but their span holds the teacher no longer.
Nothing is chosen here, neither on test images nor on others: all strengths are rows. Beside them
distillation at a temperature (the paper's equation 2) with its limit T11, and DeepDream's pictures.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from refimpl.class_visualization import class_visualizations
from refimpl.companions.maximization import priors
from refimpl.companions.maximization.deepdream import deepdream
from refimpl.data import Dataset
from refimpl.ledger.claim import Entry, Measurement, entry, every
from refimpl.losses import distillation
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.optimize import l2, penalty
from refimpl.paper.section5 import STEPS, middle_scale, visualize
from refimpl.retraining import retrain
from refimpl.theory import high_temperature_gradient

STRENGTHS = (
    0.3,
    1.0,
    3.0,
)  # a cost's gradient at the plain pictures over the logit's gradient, both as norms
JITTERS = (1, 2, 4)  # pixels
BLURS = (0.35, 0.5, 1.0)  # sigma in pixels, after every step
PATCH, STRIDE, PATCHES = 7, 3, 500  # pixels, pixels, patches of training images
TEMPERATURES = (1.0, 2.0, 5.0, 20.0, 100.0, 1_000.0)
ITERATIONS = 1_000  # of distillation
STUDENT_STEPS = 20_000  # at most; every student here has converged before
COSTS = ("l2", "alpha_norm", "total_variation", "total_variation_beta1", "patch")
MEASURES = {
    "agreement": "agreement of the student with the teacher",
    "accuracy": "accuracy of the student",
    "with_blank": "agreement of a student that gets the blank image too",
    "roughness": "total variation over squared norm, relative to the plain pictures",
}


def costs(data: Dataset, rng: np.random.Generator) -> dict[str, Callable]:
    """The five costs by name, each x -> (values, gradient).

    >>> from refimpl.paper.tiny import tiny
    >>> data = tiny(side=8)
    >>> {
    ...     name: cost(data.test_x[:2])[0].shape
    ...     for name, cost in costs(data, np.random.default_rng(0)).items()
    ... }
    {'l2': (2,), 'alpha_norm': (2,), 'total_variation': (2,), 'total_variation_beta1': (2,), 'patch': (2,)}
    """
    shape = data.image_shape
    dictionary = priors.patch_dictionary(data.train_x, shape, size=PATCH, count=PATCHES, rng=rng)
    found = (
        l2,
        priors.alpha_norm,
        partial(priors.total_variation, image_shape=shape),
        partial(priors.total_variation, image_shape=shape, beta=1, eps=0.01),
        partial(
            priors.patch_prior, image_shape=shape, dictionary=dictionary, size=PATCH, stride=STRIDE
        ),
    )
    return dict(zip(COSTS, found))


def weight(cost: Callable, strength: float, plain: np.ndarray, w: np.ndarray) -> float:
    """The weight at which a cost pulls `strength` times as hard at the plain pictures as the
    logits: |w| / |dcost|.

    cost(x) -> (values (N,), dcost (N, D)); plain (N, D), w (D, K). strength: a ratio, without unit.

    >>> weight(l2, 0.5, plain=np.ones((1, 4)), w=np.ones((4, 1)))  # the cost's gradient is 2x
    0.25
    """
    return float(strength * np.linalg.norm(w) / np.linalg.norm(cost(plain)[1]))


def _settings(data: Dataset, teacher: Network, seed: int) -> dict[str, tuple]:
    """The priors of every row by name: {name: tuple of priors}. Chance comes from the seed, in a
    stream of its own.
    """
    plain, w, shape = visualize(teacher)[0], teacher.parameters[0], data.image_shape
    rng = np.random.default_rng([seed, 4])
    by_name = costs(data, rng)
    found: dict[str, tuple] = {"plain": ()}
    for name, cost in by_name.items():
        found |= {f"{name}_{s:g}": (penalty(cost, weight(cost, s, plain, w)),) for s in STRENGTHS}
    found |= {f"jitter_{pixels}": (priors.jitter(pixels, shape, rng),) for pixels in JITTERS}
    found |= {f"blur_{sigma:g}": (priors.blur(sigma, shape),) for sigma in BLURS}
    together = [
        penalty(by_name[name], weight(by_name[name], 0.3, plain, w))
        for name in ("l2", "total_variation")
    ]
    return found | {"together": (*together, priors.jitter(1, shape, rng), priors.blur(0.35, shape))}


def pictures(data: Dataset, teacher: Network, seed: int) -> dict[str, np.ndarray]:
    """{name: ten pictures (K, D)} of every row; steps and lr as in section 5. Last DeepDream and
    its start.

    >>> from refimpl.network import softmax_net
    >>> from refimpl.paper.tiny import tiny
    >>> found = pictures(
    ...     tiny(side=7), softmax_net(49, 10, rng=np.random.default_rng(0), sigma=0.1), seed=0
    ... )
    >>> tuple(found) == names(), found["blur_0.5"].shape
    (True, (10, 49))
    """
    lr = middle_scale(teacher.parameters[0]) / STEPS
    found = {
        name: class_visualizations(teacher, steps=STEPS, lr=lr, priors=chain)[0]
        for name, chain in _settings(data, teacher, seed).items()
    }
    rng = np.random.default_rng([seed, 6])
    drawn = [rng.choice(np.flatnonzero(data.train_y == c)) for c in range(len(data.classes))]
    start = data.train_x[drawn].astype(np.float64)
    return found | {
        "training_images": start,
        "deepdream": deepdream(teacher, start, layers=len(teacher.layers))[0],
    }


def _roughness(x: np.ndarray, image_shape: tuple[int, ...]) -> float:
    """Total variation (beta 2) over squared norm, mean over images: 0 for flat, at most 8."""
    return float((priors.total_variation(x, image_shape)[0] / l2(x)[0]).mean())


def _taught(teacher: Network, images: np.ndarray) -> list[Network]:
    """The student of the pictures alone, and that of the pictures and the blank, on the teacher's
    logits.
    """
    both = images, np.vstack([images, np.zeros_like(images[:1])])
    return [retrain(x, teacher.logits(x), steps=STUDENT_STEPS).network for x in both]


def run(data: Dataset, teacher: Network, seed: int) -> dict[str, float]:
    """Every prior at three strengths for one seed's teacher: {id of the ledger: number}.

    >>> from unittest.mock import patch
    >>> from refimpl.companions.maximization import study as priors_study
    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> with patch.multiple(
    ...     priors_study, STRENGTHS=(1.0,), JITTERS=(), BLURS=(), TEMPERATURES=(1_000.0,)
    ... ):  # fewer
    ...     found = run(tiny(side=8), tiny_teacher(side=8), 0)
    >>> found["priors/digits/l2_1/agreement"], found["priors/digits/temperature_1000/gap"] < 0.01
    (100.0, True)
    """
    prefix = f"priors/{data.name}"
    out: dict[str, float] = {}
    theirs = teacher.predict(data.test_pixels)
    plain = None
    for name, images in pictures(data, teacher, seed).items():
        student, with_blank = (
            network.predict(data.test_pixels) for network in _taught(teacher, images)
        )
        rough = _roughness(images, data.image_shape)
        plain = rough if plain is None else plain
        out |= {
            f"{prefix}/{name}/agreement": accuracy(theirs, student),
            f"{prefix}/{name}/accuracy": accuracy(data.test_y, student),
            f"{prefix}/{name}/with_blank": accuracy(theirs, with_blank),
            f"{prefix}/{name}/roughness": rough / plain,
        }
    return out | _distilled(data, teacher)


def _distilled(data: Dataset, teacher: Network) -> dict[str, float]:
    """Equation 2 on the plain pictures: the student after ITERATIONS steps at T, and how far its
    first gradient is from T11's limit: |T^2 K N dL/dz - ((z - mean z) - (t - mean t))| / |limit| at
    the zero student.
    """
    images, _ = visualize(teacher)
    z, prefix = teacher.logits(images), f"priors/{data.name}/temperature"
    out: dict[str, float] = {}
    limit = high_temperature_gradient(np.zeros_like(z), z)
    for t in TEMPERATURES:
        gradient = t**2 * z.size * distillation(np.zeros_like(z), z, temperature=t)[1]
        student = retrain(images, z, temperature=t, steps=ITERATIONS, tol=0).network.predict(
            data.test_x
        )
        out |= {
            f"{prefix}_{t:g}/gap": float(np.linalg.norm(gradient - limit) / np.linalg.norm(limit)),
            f"{prefix}_{t:g}/agreement": accuracy(teacher.predict(data.test_pixels), student),
            f"{prefix}_{t:g}/accuracy": accuracy(data.test_y, student),
        }
    return out


def names() -> tuple[str, ...]:
    """Every row's name, in the order of run.

    >>> len(names()), names()[:3]
    (25, ('plain', 'l2_0.3', 'l2_1'))
    """
    return (
        "plain",
        *(f"{cost}_{s:g}" for cost in COSTS for s in STRENGTHS),
        *(f"jitter_{p}" for p in JITTERS),
        *(f"blur_{s:g}" for s in BLURS),
        "together",
        "training_images",
        "deepdream",
    )


def claims(name: str) -> Iterator[Entry]:
    """Rows without a printed number; the relations are theorems: L2 keeps the teacher (T1, T2),
    T11's O(1 / T).

    >>> next(claims("digits")).expects
    '100 %'
    """
    prefix = f"priors/{name}"
    protocol = (
        f"{STEPS} steps of logit ascent from the blank; strength: the cost's gradient over the "
        f"logit's at the "
        "plain pictures; student from zero, full batch, squared error on the logits, to a "
        "gradient of 1e-12"
    )
    for prior in names():
        exact = prior == "plain" or prior.startswith("l2")
        for measure, what in MEASURES.items():
            sure = exact and measure in ("agreement", "with_blank")
            id = f"{prefix}/{prior}/{measure}"
            yield entry(
                id,
                "2",
                f"{prior.replace('_', ' ')}: {what}",
                protocol=protocol,
                better="lower" if measure == "roughness" else "higher",
                expects="100 %" if sure else "",
                relation=every(id, lambda v: v == 100) if sure else None,
                own=True,
                cell_of="" if sure else "what each prior does",
            )
    for t in TEMPERATURES:
        how, id = f"distillation at T = {t:g} (equation 2)", f"{prefix}/temperature_{t:g}"
        iterated = (
            f"plain pictures, {ITERATIONS:,} steps of plain descent, lr half the stability bound"
        )
        yield Measurement(
            f"{id}/agreement",
            f"{how}: agreement of the student with the teacher",
            protocol=iterated,
        )
        yield Measurement(f"{id}/accuracy", f"{how}: accuracy of the student", protocol=iterated)
        last = partial(_falls, prefix) if t == TEMPERATURES[-1] else None
        yield entry(
            f"{id}/gap",
            "2",
            f"{how}: distance of the first gradient from squared error's (T11)",
            better="lower",
            expects="falls as 1 / T" if last else "",
            relation=last,
            own=True,
        )


def _falls(prefix: str, values: Mapping) -> bool:
    """T11 over the two highest temperatures: the gap falls by their ratio, to a quarter of it."""
    high, low = (values[f"{prefix}/temperature_{t:g}/gap"] for t in TEMPERATURES[:-3:-1])
    ratio = TEMPERATURES[-1] / TEMPERATURES[-2]
    return all(0.75 * ratio <= b / a <= 1.25 * ratio for a, b in zip(high, low))
