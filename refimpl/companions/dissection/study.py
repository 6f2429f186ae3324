"""Dissection measured (Qin, Yu, Liu and Chen 2018, section 6, after Bau et al. 2017): which units
of a small CNN detect which drawn concepts, what chance does, and what the conditions of training
change.

- counts: a layer's detectors at .04 and above the level of shuffled masks; plant: units that must
  be found.
- combinations: Net2Vec, the best single unit beside a learned combination, on held-out images.
- conditions: what Bau et al. saw in AlexNet's conv5 (section 3.5; section 3.2 for the rotation),
  here in the last convolution: object and part detectors emerge with the iterations; without
  dropout more texture and fewer object detectors; batch normalization (before every ReLU) lowers
  interpretability; initializations come to similar levels; a random rotation of the units, which
  keeps what the layer tells, loses detectors.

The network learns the large object's shape (or the scene) on 4,000 images, and is dissected on
images of its own draw. Chosen on a third draw by accuracy, not by detectors: its learning rate, and
that the dense layer is normalized too. Each verdict is a paired t interval over seeds, so that the
claimed difference has to show beyond the initializations' spread.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from refimpl.companions.cnn import activations
from refimpl.companions.cnn.architectures import convolution, dense, normalization
from refimpl.companions.dissection.activation_masks import ActivationMasks, activation_masks
from refimpl.companions.dissection.concepts import CONCEPTS, ConceptImages, concept_images
from refimpl.companions.dissection.dissection import Dissection, detectors_by_kind, dissect
from refimpl.companions.dissection.net2vec import Net2Vec, combine
from refimpl.layers import Flatten, ReLU, Unflatten
from refimpl.layers.conv import Conv2D, MaxPool2D
from refimpl.layers.regularization import Dropout
from refimpl.ledger.claim import Claim, Entry, Measurement, above, entry
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.training import train

TRAINING, STEPS, LR, BATCH, DROPOUT = 4_000, 600, 3e-3, 64, 0.5
TASKS = {"object": "objects", "scene": "scenes"}
TIMES = (0, 150, 300, 600, 1200)  # steps at which conditions looks
COMBINED = (0.005, 0.02)  # quantiles of Net2Vec's masks
SEEDS = 5  # below this no verdict
FILTERS = (16, 24, 32)  # of the three convolutions
AGREE = 0.1  # "similar levels": sd over initializations at most this share of the mean
CONDITIONS = {
    "base": "base, dropout .5 on the dense layer",
    "no_dropout": "without dropout",
    "batch_norm": "batch normalization before every ReLU",
    "rotated": "units turned by a random rotation",
}
MEASURES = {
    "detectors": "units above .04, last convolution",
    "unique": "unique detectors above .04, last convolution",
    "unique_above_chance": "unique concepts above chance (95 %), last convolution",
    "network_unique": "concepts with a detector above .04 in any convolution",
    "network_above_chance": "concepts with a unit above chance (95 %) in any convolution",
}


def draw(images: int, seed: int) -> tuple[ConceptImages, ConceptImages]:
    """(TRAINING images to train on, without masks; `images` others to dissect): two ConceptImages
    of different seeds.

    >>> from unittest.mock import patch
    >>> with patch(
    ...     "refimpl.companions.dissection.study.TRAINING", 5
    ... ):  # in place of 4,000, which take seconds
    ...     drawn, held = draw(3, seed=0)
    >>> drawn.images.shape, held.masks.shape
    ((5, 3072), (3, 38, 32, 32))
    """
    return concept_images(TRAINING, 2 * seed + 1, masks=False), concept_images(images, 2 * seed)


def concept_net(
    classes: int, *, rng: np.random.Generator, dropout: float = DROPOUT, batch_norm: bool = False
) -> Network:
    """6 x 6 filters with stride 2, whose fields are centred on 2 x 2 pixels; two 3 x 3
    convolutions, each pooled; dense.

    FILTERS filters each. For 3 x 32 x 32 images; the maps have 16, 16 and 8 values a side. float32.

    >>> net = concept_net(6, rng=np.random.default_rng(0))
    >>> net.classes, [type(layer).__name__ for layer in net.layers][:6]
    (6, ['Unflatten', 'Conv2D', 'ReLU', 'Conv2D', 'ReLU', 'MaxPool2D'])
    """
    layers: list[Any] = [Unflatten((3, 32, 32))]
    channels = 3

    def hidden(layer, units):
        return [layer, *[normalization(units, np.float32)] * batch_norm, ReLU()]

    for i, count in enumerate(FILTERS):
        conv = convolution(channels, count, 3 if i else 6, rng=rng)[0]
        layers += [
            *hidden(conv if i else Conv2D(conv.w, conv.b, 2, "same"), count),
            *[MaxPool2D()] * (i > 0),
        ]
        channels = count
    layers += [
        Flatten(),
        *hidden(dense(16 * channels, 128, rng=rng), 128),
        *[Dropout(dropout)] * (dropout > 0),
    ]
    return Network((*layers, dense(128, classes, rng=rng)))


def fit(
    network: Network,
    drawn: ConceptImages,
    task: str,
    *,
    steps: int,
    rng: np.random.Generator,
    on_step: Callable[[int, Network], Any] | None = None,
) -> Network:
    """The network trained on the task's labels of drawn images, by Adam. task: one of TASKS.

    Raises ValueError on fewer than BATCH images. on_step(step, network) is called after every step.

    >>> rng = np.random.default_rng(0)
    >>> net = concept_net(6, rng=rng)
    >>> fit(net, concept_images(64), "object", steps=1, rng=rng).parameters[
    ...     0
    ... ].shape == net.parameters[0].shape
    True
    """
    return train(
        network,
        drawn.images,
        getattr(drawn, TASKS[task]),
        steps=steps,
        lr=LR,
        batch=BATCH,
        update=adam,
        rng=rng,
        on_step=on_step,
    )[0]


def places(network: Network) -> list[tuple[str, int]]:
    """[(name, layers to run)]: after the ReLU of every convolution.

    >>> places(concept_net(6, rng=np.random.default_rng(0)))
    [('convolution 1', 3), ('convolution 2', 5), ('convolution 3', 8)]
    """
    return [
        (name.removesuffix(", ReLU"), layers)
        for name, layers, _ in activations.places(network)
        if name.startswith("convolution") and name.endswith(", ReLU")
    ]


def maps(
    network: Network, layers: int, rotation: np.ndarray | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """activations_of for dissect: x (N, D) -> (N, units, h, w); rotation (units, units): of the
    units, at every place.

    >>> maps(concept_net(6, rng=np.random.default_rng(0)), 3)(concept_images(2).images).shape
    (2, 16, 16, 16)
    """

    def activations_of(x):
        a = network.forward(x, upto=layers)[0]
        return a if rotation is None else np.einsum("uv,nvhw->nuhw", rotation, a, optimize=True)

    return activations_of


def random_rotation(units: int, rng: np.random.Generator) -> np.ndarray:
    """An orthogonal matrix (units, units), float32, from Haar's measure: QR of a Gaussian one
    without R's signs.

    >>> q = random_rotation(3, np.random.default_rng(0))
    >>> bool(np.abs(q @ q.T - np.eye(3)).max() < 1e-6)
    True
    """
    q, r = np.linalg.qr(rng.normal(size=(units, units)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


def counts(found: Dissection, level: float) -> dict[str, tuple[int, int]]:
    """{kind: (units, unique concepts)} of the units whose IoU is above a level, and "all".

    >>> found = plant(concept_images(40), 0.1)
    >>> counts(found, 1.0)["all"], counts(found, 0.04)["scene"]
    ((0, 0), (8, 8))
    """
    by_kind = detectors_by_kind(replace(found, detector=found.score > level))
    return by_kind | {
        "all": (
            sum(units for units, _ in by_kind.values()),
            sum(unique for _, unique in by_kind.values()),
        )
    }


def plant(held: ConceptImages, noise: float, *, seed: int = 0, images: int = 1_000) -> Dissection:
    """Dissect one planted unit a concept: its mask plus N(0, noise^2) at every pixel, on the first
    images.

    The Dissection; unit k is concept k.

    >>> plant(concept_images(40), 0.1).concept[:5].tolist()
    [0, 1, 2, 3, 4]
    """
    masks = held.masks[:images]

    def activations_of(rows):
        chance = np.random.default_rng([seed, int(rows[0])]).standard_normal(
            masks[rows].shape, np.float32
        )
        return masks[rows] + np.float32(noise) * chance

    return dissect(activations_of, np.arange(len(masks)), masks, names=held.names, kinds=held.kinds)


def combinations(active: ActivationMasks, held: ConceptImages) -> dict[float, Net2Vec]:
    """{q: Net2Vec} of a layer, weights from the first 7 of 10 images: a larger q lets a single unit
    cover more too.

    >>> net, held = concept_net(6, rng=np.random.default_rng(0)), concept_images(20)
    >>> {
    ...     q: found.combined_iou.shape
    ...     for q, found in combinations(widest(net, 3, held), held).items()
    ... }
    {0.005: (38,), 0.02: (38,)}
    """
    return {
        q: combine(
            active.at(q),
            held.masks,
            train=7 * len(held.masks) // 10,
            names=held.names,
            kinds=held.kinds,
        )
        for q in COMBINED
    }


def widest(
    network: Network, layers: int, held: ConceptImages, quantile: float = 0.02
) -> ActivationMasks:
    """The ActivationMasks of a layer at the largest quantile of the curves; smaller ones are theirs
    by .at(q).

    >>> net, held = concept_net(6, rng=np.random.default_rng(0)), concept_images(8)
    >>> widest(net, 3, held).thresholds.shape  # one a unit
    (16,)
    """
    return activation_masks(
        maps(network, layers), held.images, held.masks.shape[2:], quantile=quantile
    )


def measure(
    network: Network,
    held: ConceptImages,
    rng: np.random.Generator,
    *,
    task: str = "object",
    rotation: Callable[[int], np.ndarray] | None = None,
    shuffles: int = 99,
) -> dict[str, Any]:
    """MEASURES, the detectors of each kind in the last convolution, its level of chance; accuracy
    on the held images.

    rotation: number of units -> (units, units), for every layer. Raises ValueError without
    shuffles.

    >>> net = concept_net(len(CONCEPTS["object"]), rng=np.random.default_rng(0))
    >>> found = measure(net, concept_images(4), np.random.default_rng(0), shuffles=2)
    >>> set(MEASURES) < set(found), found["detectors"] >= found["unique"]
    (True, True)
    """
    detected, beyond = set(), set()
    for _, layers in places(network):
        turn = rotation and rotation(network.forward(held.images[:1], upto=layers)[0].shape[1])
        found = dissect(
            maps(network, layers, turn),
            held.images,
            held.masks,
            names=held.names,
            kinds=held.kinds,
            shuffles=shuffles,
            rng=rng,
        )
        if found.chance is None:
            raise ValueError(f"shuffles: expected at least 1, got {shuffles!r}")
        level = found.chance.layer_levels[0.95]
        detected |= set(found.concept[found.detector].tolist())
        beyond |= set(found.concept[found.score > level].tolist())
    at, above_chance = counts(found, found.iou_threshold), counts(found, level)
    return {
        "detectors": at["all"][0],
        "unique": at["all"][1],
        "unique_above_chance": above_chance["all"][1],
        "network_unique": len(detected),
        "network_above_chance": len(beyond),
        "chance_level": level,
        "problems": len(found.problems),
        "object_and_part": at["object"][0] + at["part"][0],
        **{kind: at[kind][0] for kind in CONCEPTS},
        "accuracy": accuracy(getattr(held, TASKS[task]), network.predict(held.images)),
    }


def conditions(
    seed: int,
    drawn: ConceptImages,
    held: ConceptImages,
    *,
    task: str = "object",
    times: Sequence[int] = TIMES,
    shuffles: int = 99,
    progress: Callable[[str], Any] = lambda text: None,
) -> dict[str, dict]:
    """The same network under each condition: {"steps_T": measure, ..., "base", "no_dropout",
    "batch_norm", "rotated"}.

    Within a seed all start from the same filters and see the same batches; the base after times[-1]
    steps is the last of its snapshots. Between seeds the initialization and the order of the images
    change. Raises ValueError on fewer than BATCH images to train on, and without shuffles.

    >>> runs = conditions(0, concept_images(64, 0), concept_images(4, 1), times=(1,), shuffles=2)
    >>> list(runs), 0 <= runs["base"]["accuracy"] <= 100
    (['base', 'rotated', 'no_dropout', 'batch_norm'], True)
    """
    keep: dict[int, Network] = {}

    def trained(**how):
        network = concept_net(len(CONCEPTS[task]), rng=np.random.default_rng([seed, 0]), **how)
        keep[0] = network
        return fit(
            network,
            drawn,
            task,
            steps=times[-1],
            rng=np.random.default_rng([seed, 1]),
            on_step=lambda step, now: keep.update({step + 1: now}) if step + 1 in times else None,
        )

    def look(network, **how):
        return measure(
            network, held, np.random.default_rng([seed, 2]), task=task, shuffles=shuffles, **how
        )

    progress(f"training conditions, seed {seed}: base")
    base = trained()
    rows = {f"steps_{t}": look(keep[t]) for t in times[:-1]} | {"base": look(base)}
    turns = np.random.default_rng([seed, 3])
    rows["rotated"] = look(base, rotation=lambda units: random_rotation(units, turns))
    for name, how in (("no_dropout", {"dropout": 0}), ("batch_norm", {"batch_norm": True})):
        progress(f"training conditions, seed {seed}: {CONDITIONS[name]}")
        rows[name] = look(trained(**how))
    return rows


def _similar(id: str) -> Callable[[dict], bool]:
    """The relation that the sd over initializations is at most AGREE of the mean."""
    return lambda values: float(np.std(values[id], ddof=1)) <= AGREE * float(np.mean(values[id]))


def claims() -> Iterator[Entry]:
    """The review's observations on training conditions as rows; it prints no numbers, so each is a
    relation.

    >>> next(claims()).id
    'review/concepts/steps_0/detectors'
    """
    p = "review/concepts"
    how = (
        f"small CNN, object labels, {TIMES[-1]} steps of Adam, held-out images; "
        f"command dissect --conditions {SEEDS}"
    )
    words = {"steps_0": "untrained", **CONDITIONS}
    for key, what in MEASURES.items():
        base = f"{p}/base/{key}"
        expects = {
            "base": ("more than untrained", above(base, f"{p}/steps_0/{key}")),
            "batch_norm": ("fewer than the base", above(base, f"{p}/batch_norm/{key}")),
            "rotated": ("fewer than the base", above(base, f"{p}/rotated/{key}")),
        }
        for condition, title in words.items():
            text, relation = expects.get(condition, ("", None))
            yield entry(
                f"{p}/{condition}/{key}",
                "review",
                f"{what}: {title}",
                protocol=how,
                expects=text,
                relation=relation,
            )
        yield Claim(
            f"{p}/initializations/{key}",
            "review",
            f"{what}: the base from other initializations",
            protocol=how,
            expects=f"similar levels (sd at most {AGREE:g} of the mean)",
            relation=_similar(f"{p}/initializations/{key}"),
        )
    for key, text, more, less in (
        ("texture", "more than the base", "no_dropout", "base"),
        ("object", "fewer than the base", "base", "no_dropout"),
    ):
        for condition in ("base", "no_dropout"):
            yield entry(
                f"{p}/{condition}/{key}",
                "review",
                f"{key} detectors: {CONDITIONS[condition]}",
                protocol=how,
                expects=text if condition == "no_dropout" else "",
                relation=above(f"{p}/{more}/{key}", f"{p}/{less}/{key}")
                if condition == "no_dropout"
                else None,
            )
    for condition in ("steps_0", "base"):
        id = f"{p}/{condition}/object_and_part"
        yield entry(
            id,
            "review",
            f"object and part detectors: {words[condition]}",
            protocol=how,
            expects="" if condition == "steps_0" else "more than untrained",
            relation=None if condition == "steps_0" else above(id, f"{p}/steps_0/object_and_part"),
        )
    steps = [f"steps_{t}" for t in TIMES[1:-1]]
    for before, now in pairwise(["steps_0", *steps]):
        id = f"{p}/{now}/unique"
        yield Claim(
            id,
            "review",
            f"unique detectors above .04 after {now.removeprefix('steps_')} steps",
            protocol=how,
            expects="more than at the snapshot before",
            relation=above(id, f"{p}/{before}/unique"),
        )
    for condition in ("base", "no_dropout", "batch_norm"):
        yield Measurement(
            f"{p}/{condition}/accuracy",
            f"accuracy on held-out images: {words[condition]}",
            protocol=how,
        )


def values_of(runs: Sequence[dict[str, dict]]) -> dict[str, list]:
    """{id: [one a seed]} for the ledger, from a list of what conditions returns; {} below SEEDS
    runs.

    >>> values_of([]), SEEDS
    ({}, 5)
    """
    if len(runs) < SEEDS:
        return {}
    values = {}
    for claim in claims():
        condition, key = claim.id.split("/")[2:]
        values[claim.id] = [
            run["base" if condition == "initializations" else condition][key] for run in runs
        ]
    return values
