"""What the review reads off inversions (Qin, Yu, Liu and Chen 2018, section 5), each observation
measured and judged.

- Deeper layers keep less of the image: by layer, with the spread over images.
- A representation can be perturbed (Dosovitskiy and Brox 2016): its signs alone, or half of its
  entries, decoded by the decoder of the whole and by one trained for it; and what the rest of the
  network makes of it.
- Hence, it says, networks can be pruned and stored in 8 bits: both are really done to the weights,
  also with the short retraining that Han et al. 2015 prescribe, and the accuracy is measured, over
  several networks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from refimpl.companions.cnn.activations import places
from refimpl.companions.inversion.decoder import decode, encode
from refimpl.companions.inversion.perturbation import (
    binarize,
    drop,
    prune,
    quantize,
    retrain_pruned,
)
from refimpl.companions.inversion.similarity import reconstruction_error
from refimpl.companions.inversion.study import trained_decoder
from refimpl.data import Dataset
from refimpl.ledger.claim import Claim, Entry, above, entry
from refimpl.ledger.paired import Paired, paired_test
from refimpl.metrics import accuracy
from refimpl.network import Network

METHODS = {"regularized": "regularization", "decoded": "trained decoder"}
PERTURBATIONS = {
    "none": lambda codes, rng: codes,
    "signs alone": lambda codes, rng: binarize(codes),
    "random half": lambda codes, rng: drop(codes, rng=rng),
    "without the least half": lambda codes, rng: drop(codes),
}
RETRAINED = ("signs alone", "random half")  # perturbations that get decoders of their own
RETRAINING: dict[str, Any] = {
    "steps": 100,
    "lr": 1e-3,
    "batch": 64,
}  # after pruning: a quarter of the small CNN's training
SEEDS = 5  # networks; below this no verdict
LITTLE = 1.0  # points of accuracy that "hardly anything" may cost


def deeper(rows: Sequence[Mapping], key: str) -> list[tuple[str, Paired]]:
    """[(layer, the paired differences of the images' errors, this layer minus the one before)].

    rows: of study.reconstructions; key: one of METHODS, rows without it are left out.

    >>> rows = [
    ...     {"name": name, "decoded": {"errors": errors}}
    ...     for name, errors in (("a", [0.1, 0.3]), ("b", [0.2, 0.6]))
    ... ]
    >>> [(name, round(test.mean, 9)) for name, test in deeper(rows, "decoded")]
    [('b', 0.2)]
    """
    kept = [row for row in rows if key in row]
    return [
        (now["name"], paired_test(before[key]["errors"], now[key]["errors"]))
        for before, now in zip(kept, kept[1:])
    ]


def perturbations(
    data: Dataset,
    network: Network,
    rows: Sequence[Mapping],
    scale: float,
    seed: int,
    *,
    images: int = 500,
) -> list[dict]:
    """What is left of each layer under PERTURBATIONS, on test images: one entry a row of
    `reconstructions`.

    {"name", "error": {perturbation: mean reconstruction error by the decoder that was trained
    without perturbation}, "accuracy": {perturbation: accuracy of the rest of the network}, "zeros":
    share of entries that were 0}. scale: of the errors. Without a decoder the error is {}.

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 4, 10, rng=np.random.default_rng(0))
    >>> row = {"name": "dense 1", "layers": 1, "shape": (4,), "decoder": None}
    >>> list(perturbations(tiny(), network, [row], 1.0, seed=0)[0]["accuracy"])
    ['none', 'signs alone', 'random half', 'without the least half']
    """
    x, y, found = data.test_x[:images], data.test_y[:images], []
    for row in rows:
        codes, rest = encode(network, row["layers"], x), Network(network.layers[row["layers"] :])
        entry: dict[str, Any] = {
            "name": row["name"],
            "error": {},
            "accuracy": {},
            "zeros": float((codes == 0).mean()),
        }
        for name, change in PERTURBATIONS.items():
            changed = change(codes, np.random.default_rng([seed, 7]))
            z = rest.forward(changed.reshape(len(x), *row["shape"]))[0]
            entry["accuracy"][name] = accuracy(y, z.argmax(axis=1))
            if row["decoder"] is not None:
                entry["error"][name] = float(
                    reconstruction_error(x, decode(row["decoder"], changed), scale).mean()
                )
        found.append(entry)
    return found


def retrained(
    data: Dataset,
    network: Network,
    rows: Sequence[Mapping],
    scale: float,
    seed: int,
    *,
    steps: int,
    images: int = 500,
    progress: Callable[[str], Any] = lambda text: None,
) -> list[dict]:
    """[{"name", perturbation: mean error by a decoder trained on representations perturbed like
    that}].

    For the last layer of planes and the last hidden dense one that have a decoder. Deviation from
    Dosovitskiy and Brox, who do it for every layer.

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 4, 10, rng=np.random.default_rng(0), dtype=np.float32)
    >>> row = {
    ...     "name": "dense 1",
    ...     "layers": 1,
    ...     "shape": (4,),
    ...     "decoder": network,
    ... }  # any decoder: here only that it is there
    >>> list(retrained(tiny(), network, [row, row], 1.0, seed=0, steps=1)[0])
    ['name', 'signs alone', 'random half']
    """
    decoded = [row for row in rows[:-1] if row["decoder"] is not None]
    of_maps = [row for row in decoded if len(row["shape"]) == 3]
    of_vectors = [row for row in decoded if len(row["shape"]) == 1]
    chosen = of_maps[-1:] + of_vectors[-1:]
    x, found = data.test_x[:images], []
    for row in chosen:
        entry, codes = {"name": row["name"]}, encode(network, row["layers"], x)
        for name in RETRAINED:
            progress(f"{row['name']}: training a decoder for {name}")
            change = PERTURBATIONS[name]
            decoder = trained_decoder(
                data, network, row["layers"], row["shape"], seed, steps=steps, change=change
            )
            changed = change(codes, np.random.default_rng([seed, 7]))
            entry[name] = float(reconstruction_error(x, decode(decoder, changed), scale).mean())
        found.append(entry)
    return found


def compressed(data: Dataset, network: Network, seed: int) -> dict[str, tuple[float, float]]:
    """{what was done to the weights: (test accuracy, agreement with the network before)} in
    percent.

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny
    >>> network = one_hidden_net(16, 4, 10, rng=np.random.default_rng(0), dtype=np.float32)
    >>> found = compressed(tiny(), network, seed=0)
    >>> found["all weights, 32 bits"][1], list(found)[1:3]
    (100.0, ['half of them, the largest', 'half of them, the largest, retrained'])
    """
    theirs = network.predict(data.test_pixels)
    pruned, rng = prune(network), np.random.default_rng([seed, 8])
    again = retrain_pruned(
        pruned, data.train_pixels, data.train_y, **RETRAINING, rng=np.random.default_rng([seed, 9])
    )
    changed = {
        "all weights, 32 bits": network,
        "half of them, the largest": pruned,
        "half of them, the largest, retrained": again,
        "half of them, a random one": prune(network, rng=rng),
        "8 bits": quantize(network),
        "4 bits": quantize(network, bits=4),
        "1 bit": quantize(network, bits=1),
        "half of them, retrained, in 8 bits": quantize(again),
    }
    return {
        name: (accuracy(data.test_y, p), accuracy(theirs, p))
        for name, p in ((name, other.predict(data.test_pixels)) for name, other in changed.items())
    }


def lost(data: Dataset, network: Network, seed: int) -> dict[str, float]:
    """Points of test accuracy that a network loses: {key of LOSSES: points}. Of representations:
    the worst layer's.

    >>> from refimpl.network import one_hidden_net
    >>> from refimpl.paper.tiny import tiny
    >>> points = lost(
    ...     tiny(),
    ...     one_hidden_net(16, 4, 10, rng=np.random.default_rng(0), dtype=np.float32),
    ...     seed=0,
    ... )
    >>> set(points) == set(LOSSES), points["bits_8"] <= 100
    (True, True)
    """
    rows = [
        {"name": name, "layers": layers, "shape": shape, "decoder": None}
        for name, layers, shape in places(network)
    ]
    of_layers, of_weights = (
        perturbations(data, network, rows, 1.0, seed),
        compressed(data, network, seed),
    )
    points = {
        key: max(row["accuracy"]["none"] - row["accuracy"][name] for row in of_layers)
        for key, name in (
            ("signs", "signs alone"),
            ("random_half", "random half"),
            ("least_half", "without the least half"),
        )
    }
    before = of_weights["all weights, 32 bits"][0]
    return points | {
        key: before - of_weights[name][0]
        for key, name in (
            ("pruned", "half of them, the largest"),
            ("pruned_retrained", "half of them, the largest, retrained"),
            ("pruned_random", "half of them, a random one"),
            ("bits_8", "8 bits"),
            ("bits_4", "4 bits"),
            ("bits_1", "1 bit"),
            ("pruned_bits_8", "half of them, retrained, in 8 bits"),
        )
    }


LOSSES = {
    "signs": "a layer's signs alone",
    "random_half": "a layer without a random half",
    "least_half": "a layer without its least half",
    "pruned": "without the smaller half of the weights",
    "pruned_retrained": "without them, retrained",
    "pruned_random": "without a random half of the weights",
    "bits_8": "weights in 8 bits",
    "bits_4": "weights in 4 bits",
    "bits_1": "weights in 1 bit",
    "pruned_bits_8": "without the smaller half, retrained, in 8 bits",
}


def _little(id: str) -> Callable[[dict], bool]:
    """The relation that at most LITTLE is lost: the 95 % interval of the mean over networks ends
    there or below.
    """

    def relation(values):
        test = paired_test(np.zeros(len(values[id])), values[id])
        return test.mean + test.half <= LITTLE

    return relation


def _rises(p: str) -> Callable[[dict], bool]:
    """The relation that at every step to a deeper layer the mean error rises, beyond the spread
    over images.
    """

    def relation(values):
        tests = [paired_test(np.zeros(len(d)), d) for d in values[f"{p}/steps"]]
        return all(test.mean - test.half > 0 for test in tests)

    return relation


def claims(name: str) -> Iterator[Entry]:
    """What the command invert measures and judges; the review prints no numbers, so each is a
    relation.

    >>> claim = next(claims("digits"))
    >>> claim.id, claim.expects
    ('inversion/digits/regularized/rises', 'at every layer, in the mean')
    """
    for key, title in METHODS.items():
        p = f"inversion/{name}/{key}"
        yield Claim(
            f"{p}/rises",
            "review",
            f"layers at which the error rises, by {title}",
            protocol="one value a test image, of one network; command invert",
            expects="at every layer, in the mean",
            relation=_rises(p),
        )
    p = f"inversion/{name}/lost"
    few = f"at most {LITTLE:g} point"
    expects = {
        key: (few, _little(f"{p}/{key}"))
        for key in ("pruned", "pruned_retrained", "bits_8", "pruned_bits_8")
    }
    for more, less in (("random_half", "least_half"), ("pruned_random", "pruned")):
        expects[more] = (f"more than {LOSSES[less]}", above(f"{p}/{more}", f"{p}/{less}"))
    for key, what in LOSSES.items():
        text, relation = expects.get(key, ("", None))
        yield entry(
            f"{p}/{key}",
            "review",
            f"points lost {what}",
            better="lower",
            expects=text,
            relation=relation,
            protocol=f"small CNNs, other seeds; the worst layer; command invert --networks {SEEDS}",
        )


def values_of(
    name: str, rows: Sequence[Mapping], losses: Sequence[Mapping[str, float]]
) -> dict[str, list]:
    """{id: [one an image or network]} for the ledger: of `reconstructions` rows, and of a list of
    what `lost` returns.

    Inversions count from two layers on, losses from SEEDS networks on.

    >>> rows = [{"decoded": {"errors": errors}} for errors in ([0.1, 0.3], [0.2, 0.2])]
    >>> values_of("digits", rows, [])["inversion/digits/decoded/rises"]  # one an image
    [1, 0]
    """
    values: dict[str, list] = {}
    for key in METHODS:
        errors = np.array([row[key]["errors"] for row in rows if key in row])
        if len(errors) > 1:
            steps = np.diff(errors, axis=0)
            values |= {
                f"inversion/{name}/{key}/steps": steps.tolist(),
                f"inversion/{name}/{key}/rises": (steps > 0).sum(axis=0).tolist(),
            }
    if len(losses) >= SEEDS:
        values |= {f"inversion/{name}/lost/{key}": [run[key] for run in losses] for key in LOSSES}
    return values
