"""Dissection measured (Qin, Yu, Liu and Chen 2018, section 6, after Bau et al. 2017): which units of a small CNN detect
which drawn concepts, what chance does, and what the conditions of training change.

- counts: a layer's detectors at .04 and above the level of shuffled masks; plant: units that must be found.
- combinations: Net2Vec, the best single unit beside a learned combination, on held-out images.
- conditions: what Bau et al. saw in AlexNet's conv5 (section 3.5; section 3.2 for the rotation), here in the last
  convolution: object and part detectors emerge with the iterations; without dropout more texture and fewer object
  detectors; batch normalization (before every ReLU) lowers interpretability; initializations come to similar
  levels; a random rotation of the units, which keeps what the layer tells, loses detectors.

The network learns the large object's shape (or the scene) on 4,000 images, and is dissected on images of its own draw.
Chosen on a third draw by accuracy, not by detectors: its learning rate, and that the dense layer is normalized too (with
the convolutions alone 27 % were right after 600 steps of lr 3e-3 or 1e-3, so 78 %; one seed). Each verdict is a paired t
interval over seeds, so that the claimed difference has to show beyond the spread of the initializations.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from refimpl.architectures import convolution, dense
from refimpl.conv import Conv2D, MaxPool2D
from refimpl.data.concepts import CONCEPTS, concept_images
from refimpl.layers import Flatten, ReLU, Unflatten
from refimpl.methods.activation_masks import activation_masks
from refimpl.methods.decoder import normalization
from refimpl.methods.dissection import detectors_by_kind, dissect
from refimpl.methods.net2vec import combine
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.paper.claim import Claim, above
from refimpl.regularization import Dropout
from refimpl.train import train

TRAINING, STEPS, LR, BATCH, DROPOUT = 4_000, 600, 3e-3, 64, 0.5
TASKS = {"object": "objects", "scene": "scenes"}
TIMES = (0, 150, 300, 600, 1200)  # steps at which conditions looks
SEEDS = 5  # below this no verdict
AGREE = 0.1  # "similar levels": sd over initializations at most this share of the mean
CONDITIONS = {"base": "base, dropout .5 on the dense layer", "no_dropout": "without dropout",
              "batch_norm": "batch normalization before every ReLU", "rotated": "units turned by a random rotation"}
MEASURES = {"detectors": "units above .04, last convolution", "unique": "unique detectors above .04, last convolution",
            "unique_above_chance": "unique concepts above chance (95 %), last convolution",
            "network_unique": "concepts with a detector above .04 in any convolution",
            "network_above_chance": "concepts with a unit above chance (95 %) in any convolution"}


def draw(images, seed):
    """(images to train on, `images` others to dissect): two ConceptImages of different seeds."""
    return concept_images(TRAINING, 2 * seed + 1), concept_images(images, 2 * seed)


def concept_net(classes, *, rng, dropout=DROPOUT, batch_norm=False, filters=(16, 24, 32)):
    """6 x 6 filters with stride 2, whose fields are centred on 2 x 2 pixels; two 3 x 3 convolutions, each pooled; dense.

    For 3 x 32 x 32 images; the maps have 16, 16 and 8 values a side.
    """
    layers, channels = [Unflatten((3, 32, 32))], 3

    def hidden(layer, units):
        return [layer, *[normalization(units, np.float32)] * batch_norm, ReLU()]

    for i, count in enumerate(filters):
        conv = convolution(channels, count, 3 if i else 6, rng=rng)[0]
        layers += [*hidden(conv if i else Conv2D(conv.w, conv.b, 2, "same"), count), *[MaxPool2D()] * (i > 0)]
        channels = count
    layers += [Flatten(), *hidden(dense(16 * channels, 128, rng=rng), 128), *[Dropout(dropout)] * (dropout > 0)]
    return Network((*layers, dense(128, classes, rng=rng)))


def fit(network, drawn, task, *, steps, rng, on_step=None):
    """The network trained on the task's labels of drawn images, by Adam."""
    return train(network, drawn.images, getattr(drawn, TASKS[task]), steps=steps, lr=LR, batch=BATCH, update=adam,
                 rng=rng, on_step=on_step)[0]


def places(network):
    """[(name, layers to run)]: after the ReLU of every convolution."""
    kinds = [type(layer).__name__ for layer in network.layers]
    convolutions = [i for i, kind in enumerate(kinds) if kind == "Conv2D"]
    return [(f"convolution {n}", kinds.index("ReLU", i) + 1) for n, i in enumerate(convolutions, 1)]


def maps(network, layers, rotation=None):
    """activations_of for dissect; rotation (units, units): of the units, at every position."""
    def activations_of(x):
        a = network.forward(x, upto=layers)[0]
        return a if rotation is None else np.einsum("uv,nvhw->nuhw", rotation, a, optimize=True)
    return activations_of


def random_rotation(units, rng):
    """An orthogonal matrix from Haar's measure: QR of a Gaussian one, the signs of R's diagonal taken out."""
    q, r = np.linalg.qr(rng.normal(size=(units, units)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


def counts(found, level):
    """{kind: (units, unique concepts)} of the units whose IoU is above a level, and "all"."""
    by_kind = detectors_by_kind(replace(found, detector=found.score > level))
    return by_kind | {"all": tuple(map(sum, zip(*by_kind.values())))}


def plant(held, noise, *, seed=0, images=1_000, quantile=0.005):
    """Dissect one planted unit a concept: its mask plus N(0, noise^2) at every pixel, on the first images.

    The Dissection; unit k is concept k.
    """
    masks = held.masks[:images]

    def activations_of(rows):
        chance = np.random.default_rng([seed, int(rows[0])]).standard_normal(masks[rows].shape, np.float32)
        return masks[rows] + np.float32(noise) * chance
    return dissect(activations_of, np.arange(len(masks)), masks, names=held.names, kinds=held.kinds, quantile=quantile)


def combinations(active, held, quantiles=(0.005, 0.02)):
    """{q: Net2Vec} of a layer, weights from the first 7 of 10 images: a larger q lets a single unit cover more too."""
    return {q: combine(active.at(q), held.masks, train=7 * len(held.masks) // 10, names=held.names, kinds=held.kinds)
            for q in quantiles}


def widest(network, layers, held, quantile=0.02):
    """The ActivationMasks of a layer at the largest quantile of the curves; smaller ones are theirs by .at(q)."""
    return activation_masks(maps(network, layers), held.images, held.masks.shape[2:], quantile=quantile)


def measure(network, held, rng, *, task="object", rotation=None, shuffles=99):
    """MEASURES, the detectors of each kind in the last convolution, its level of chance; accuracy on the held images.

    rotation: a function of the number of units, for every layer.
    """
    detected, beyond = set(), set()
    for _, layers in places(network):
        turn = rotation and rotation(network.forward(held.images[:1], upto=layers)[0].shape[1])
        found = dissect(maps(network, layers, turn), held.images, held.masks, names=held.names, kinds=held.kinds,
                        shuffles=shuffles, rng=rng)
        level = found.chance.layer_levels[0.95]
        detected |= set(found.concept[found.detector].tolist())
        beyond |= set(found.concept[found.score > level].tolist())
    at, above_chance = counts(found, found.iou_threshold), counts(found, level)
    return {"detectors": at["all"][0], "unique": at["all"][1], "unique_above_chance": above_chance["all"][1],
            "network_unique": len(detected), "network_above_chance": len(beyond), "chance_level": level,
            "problems": len(found.problems), "object_and_part": at["object"][0] + at["part"][0],
            **{kind: at[kind][0] for kind in CONCEPTS},
            "accuracy": accuracy(getattr(held, TASKS[task]), network.predict(held.images))}


def conditions(seed, drawn, held, *, task="object", times=TIMES, shuffles=99, progress=lambda text: None):
    """The same network under each condition: {"steps_T": measure, ..., "base", "no_dropout", "batch_norm", "rotated"}.

    Within a seed all start from the same filters and see the same batches; the base after times[-1] steps is the last
    of its snapshots. Between seeds the initialization and the order of the images change.
    """
    keep = {}

    def trained(**how):
        network = concept_net(len(CONCEPTS[task]), rng=np.random.default_rng([seed, 0]), **how)
        keep[0] = network
        return fit(network, drawn, task, steps=times[-1], rng=np.random.default_rng([seed, 1]),
                   on_step=lambda step, now: keep.update({step + 1: now}) if step + 1 in times else None)

    def look(network, **how):
        return measure(network, held, np.random.default_rng([seed, 2]), task=task, shuffles=shuffles, **how)

    progress(f"training conditions, seed {seed}: base")
    base = trained()
    rows = {f"steps_{t}": look(keep[t]) for t in times[:-1]} | {"base": look(base)}
    turns = np.random.default_rng([seed, 3])
    rows["rotated"] = look(base, rotation=lambda units: random_rotation(units, turns))
    for name, how in (("no_dropout", {"dropout": 0}), ("batch_norm", {"batch_norm": True})):
        progress(f"training conditions, seed {seed}: {CONDITIONS[name]}")
        rows[name] = look(trained(**how))
    return rows


def similar(id):
    """The relation that the sd over initializations is at most AGREE of the mean."""
    return lambda values: float(np.std(values[id], ddof=1)) <= AGREE * float(np.mean(values[id]))


def claims(name="concepts"):
    """The review's observations on training conditions as rows; it prints no numbers, so each is a relation."""
    p = f"review/{name}"
    how = f"small CNN, object labels, {TIMES[-1]} steps of Adam, held-out images; command dissect --conditions {SEEDS}"
    words = {"steps_0": "untrained", **CONDITIONS}
    for key, what in MEASURES.items():
        base = f"{p}/base/{key}"
        expects = {"base": ("more than untrained", above(base, f"{p}/steps_0/{key}")),
                   "batch_norm": ("fewer than the base", above(base, f"{p}/batch_norm/{key}")),
                   "rotated": ("fewer than the base", above(base, f"{p}/rotated/{key}"))}
        for condition, title in words.items():
            text, relation = expects.get(condition, ("", None))
            yield Claim(f"{p}/{condition}/{key}", "review", f"{what}: {title}", protocol=how, expects=text,
                        relation=relation)
        yield Claim(f"{p}/initializations/{key}", "review", f"{what}: the base from other initializations", protocol=how,
                    expects=f"similar levels (sd at most {AGREE:g} of the mean)",
                    relation=similar(f"{p}/initializations/{key}"))
    for key, text, more, less in (("texture", "more than the base", "no_dropout", "base"),
                                  ("object", "fewer than the base", "base", "no_dropout")):
        for condition in ("base", "no_dropout"):
            yield Claim(f"{p}/{condition}/{key}", "review", f"{key} detectors: {CONDITIONS[condition]}", protocol=how,
                        expects=text if condition == "no_dropout" else "",
                        relation=above(f"{p}/{more}/{key}", f"{p}/{less}/{key}") if condition == "no_dropout" else None)
    for condition in ("steps_0", "base"):
        id = f"{p}/{condition}/object_and_part"
        yield Claim(id, "review", f"object and part detectors: {words[condition]}", protocol=how,
                    expects="" if condition == "steps_0" else "more than untrained",
                    relation=None if condition == "steps_0" else above(id, f"{p}/steps_0/object_and_part"))
    steps = [f"steps_{t}" for t in TIMES[1:-1]]
    for before, now in pairwise(["steps_0", *steps]):
        id = f"{p}/{now}/unique"
        yield Claim(id, "review", f"unique detectors above .04 after {now.removeprefix('steps_')} steps", protocol=how,
                    expects="more than at the snapshot before", relation=above(id, f"{p}/{before}/unique"))
    for condition in ("base", "no_dropout", "batch_norm"):
        yield Claim(f"{p}/{condition}/accuracy", "review", f"accuracy on held-out images: {words[condition]}", protocol=how)


def values_of(runs, name="concepts"):
    """{id: [one a seed]} for the ledger, from a list of what conditions returns; {} below SEEDS runs."""
    if len(runs) < SEEDS:
        return {}
    values = {}
    for claim in claims(name):
        condition, key = claim.id.split("/")[2:]
        values[claim.id] = [run["base" if condition == "initializations" else condition][key] for run in runs]
    return values
