"""The first half of the review (Qin, Yu, Liu and Chen 2018) measured: how features evolve, and what
cures aliasing.

- evolution: section 4 after Zeiler and Fergus (2014, figure 4): through training, the image that
  wakes each channel most is mapped back by DeconvNet. They saw that lower layers converge within
  few epochs and upper ones late. Here the time from which on a channel's picture keeps a cosine of
  at least .9 with its last one is measured, layer by layer; also with the image held fixed, for a
  picture jumps, too, when another image becomes the strongest.
- cure: AlexNet's 11 x 11 filters with stride 4 had dead and aliased features, ZFNet's 7 x 7 with
  stride 2 fewer. The same here in small: one network a geometry, equal maps before the second
  convolution, retrained from several seeds. Networks are small_net's kin on 28 x 28 images, trained
  by Adam; nothing is chosen by test images.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from refimpl.companions.cnn.architectures import convolution, dense, small_net
from refimpl.companions.deconv.deconvnet import project_unit, strongest
from refimpl.companions.deconv.diagnosis import aliasing, dead_channels, settled
from refimpl.data import Dataset
from refimpl.layers import Flatten, ReLU, Unflatten
from refimpl.layers.conv import Conv2D, MaxPool2D
from refimpl.ledger.claim import Claim, Entry, Measurement
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.training import train

LR, BATCH = 1e-3, 64
TIMES = (0, 10, 20, 40, 80, 120, 160, 240, 320, 400)  # steps at which evolution looks
GEOMETRIES = {
    "11 x 11, stride 4 (AlexNet)": (11, 4),
    "7 x 7, stride 2 (ZFNet)": (7, 2),
    "3 x 3, stride 1": (3, 1),
}
CURE_KEYS = {title: f"{size}_{stride}" for title, (size, stride) in GEOMETRIES.items()}


def relu_layers(network: Network) -> list[int]:
    """How many layers to run to stand after each ReLU, in order.

    >>> relu_layers(small_net((1, 4, 4), 10, rng=np.random.default_rng(0)))
    [3, 6, 10]
    """
    return [i + 1 for i, layer in enumerate(network.layers) if isinstance(layer, ReLU)]


def evolution(
    data: Dataset, seed: int, *, times: Sequence[int] = TIMES, images: int = 512
) -> dict[str, Any]:
    """Train small_net and keep DeconvNet's picture of every channel at each of `times`: steps,
    ascending from 0.

    Returns {"times", "layers": [{"layers": k, "strongest": settled times (channels,) in steps,
    "fixed": the same, "pictures": (T, channels, D), "dead": share}]}; a channel that is dead at the
    end is left out of the times. Raises ValueError on other times.

    >>> from refimpl.paper.tiny import tiny
    >>> found = evolution(tiny(), 0, times=(0, 1), images=4)
    >>> found["times"], [row["pictures"].shape for row in found["layers"]]
    ([0, 1], [(2, 8, 16), (2, 16, 16), (2, 64, 16)])
    """
    if list(times[:1]) != [0] or any(a >= b for a, b in pairwise(times)):
        raise ValueError(f"times: expected ascending steps, the first 0, got {times!r}")
    x = data.train_x[:images]
    networks, keep = (
        [small_net(data.image_shape, len(data.classes), rng=np.random.default_rng(seed))],
        set(times),
    )
    train(
        networks[0],
        data.train_pixels,
        data.train_y,
        steps=times[-1],
        lr=LR,
        batch=BATCH,
        update=adam,
        rng=np.random.default_rng([seed, 1]),
        on_step=lambda step, network: networks.append(network) if step + 1 in keep else None,
    )
    rows = []
    for layers in relu_layers(networks[-1]):
        last = strongest(networks[-1], x, layers=layers, count=1)[0][:, 0]
        pictures, fixed = [], []
        for network in networks:
            now = strongest(network, x, layers=layers, count=1)[0][:, 0]
            pictures.append(_back(network, x, layers, now))
            fixed.append(_back(network, x, layers, last))
        alive = ~dead_channels(networks[-1], x, layers=layers)
        rows.append(
            {
                "layers": layers,
                "pictures": np.array(pictures),
                "dead": float((~alive).mean()),
                "strongest": np.array(times)[settled(np.array(pictures))[alive]],
                "fixed": np.array(times)[settled(np.array(fixed))[alive]],
            }
        )
    return {"times": list(times), "layers": rows}


def _back(
    network: Network, x: np.ndarray, layers: int, rows: Sequence[int] | np.ndarray
) -> np.ndarray:
    """DeconvNet's picture of every channel, each from its own image x[rows[channel]]. -> (channels,
    D).
    """
    return np.array(
        [
            project_unit(network, x[row][None], layers=layers, channel=channel).images[0]
            for channel, row in enumerate(rows)
        ]
    )


def with_first(size: int, stride: int, data: Dataset, rng: np.random.Generator) -> Network:
    """One first convolution of a geometry, pooled until the maps are a quarter of the image, then
    small_net's rest.

    >>> from refimpl.paper.tiny import tiny
    >>> network = with_first(7, 2, tiny(side=8), np.random.default_rng(0))
    >>> (
    ...     network.layers[1].w.shape,
    ...     network.forward(np.zeros((1, 64)), upto=4)[0].shape,
    ... )  # 8 / 4 a side
    ((16, 1, 7, 7), (1, 16, 2, 2))
    """
    c, h, w = data.image_shape
    first, relu = convolution(c, 16, size, rng=rng)
    layers: list[Any] = [
        Unflatten(tuple(data.image_shape)),
        Conv2D(first.w, first.b, stride, "same"),
        relu,
    ]
    layers += [MaxPool2D()] * {4: 0, 2: 1, 1: 2}[stride]
    layers += [*convolution(16, 16, rng=rng), Flatten()]
    flat = 16 * (h // 4) * (w // 4)
    return Network(
        (*layers, dense(flat, 64, rng=rng), ReLU(), dense(64, len(data.classes), rng=rng))
    )


def cure(
    data: Dataset, seed: int, *, steps: int = 400, images: int = 256
) -> dict[str, dict[str, float]]:
    """Train a network of each of GEOMETRIES on the training images but the last 2,000, and measure.

    Returns {name: {"dead": share of dead first channels, "aliasing": share, "accuracy": percent on
    the held-out images}}.

    >>> from refimpl.paper.tiny import tiny
    >>> found = cure(tiny(2_100, side=12), 0, steps=1, images=4)
    >>> list(found["3 x 3, stride 1"]), found["3 x 3, stride 1"]["aliasing"]
    (['dead', 'aliasing', 'accuracy'], 0.0)
    """
    held = data.validation(2_000)
    rows: dict[str, dict[str, float]] = {}
    for name, (size, stride) in GEOMETRIES.items():
        network, _ = train(
            with_first(size, stride, data, np.random.default_rng(seed)),
            held.train_pixels,
            held.train_y,
            steps=steps,
            lr=LR,
            batch=BATCH,
            update=adam,
            rng=np.random.default_rng([seed, 1]),
        )
        w = network.layers[1].w
        rows[name] = {
            "dead": float(dead_channels(network, held.test_x[:images], layers=3).mean()),
            "aliasing": aliasing(w, stride, held.test_x[:images].reshape(-1, *data.image_shape)),
            "accuracy": accuracy(held.test_y, network.predict(held.test_pixels)),
        }
    return rows


def claims(name: str) -> Iterator[Entry]:
    """The review's observations as rows; it prints no numbers, so each is a relation.

    >>> claim = next(claims("digits"))
    >>> claim.id, claim.expects
    ('review/digits/settled/hidden1', "no later than the next layer's")
    """
    p, layers = f"review/{name}", ("hidden1", "hidden2", "hidden3")
    for layer in layers:
        ids = [f"{p}/settled/{other}" for other in layers]

        def in_order(values, ids=ids):
            return all(a <= b <= c for a, b, c in zip(*(values[id] for id in ids)))

        yield Claim(
            f"{p}/settled/{layer}",
            "review",
            f"step of training at which {layer}'s features have settled (median)",
            protocol="small CNN, DeconvNet pictures of an image held fixed, cosine .9; command "
            "deconv",
            better="lower",
            expects="no later than the next layer's",
            relation=in_order,
        )
    for title, key in CURE_KEYS.items():
        ids = [f"{p}/{{}}/{other}" for other in CURE_KEYS.values()]

        def falls(values, ids=ids):
            return all(a > b > c for a, b, c in zip(*(values[id.format("aliasing")] for id in ids)))

        def rises(values, ids=ids):
            worst, *better = (np.mean(values[id.format("accuracy")]) for id in ids)
            return all(worst < value for value in better)

        how = (
            f"first convolution {title}, 400 steps of Adam, 2,000 training images held out; "
            "command deconv"
        )
        yield Claim(
            f"{p}/aliasing/{key}",
            "review",
            f"share of aliased response, {title}",
            protocol=how,
            better="lower",
            expects="less with smaller stride",
            relation=falls,
        )
        yield Claim(
            f"{p}/accuracy/{key}",
            "review",
            f"accuracy on held-out images, {title}",
            protocol=how,
            expects="the geometry of AlexNet is worst (mean)",
            relation=rises,
        )
        yield Measurement(f"{p}/dead/{key}", f"share of dead first channels, {title}", protocol=how)


def values_of(
    name: str, evolved: Sequence[Mapping], cured: Sequence[Mapping]
) -> dict[str, list[float]]:
    """{id: [one a seed]} for the ledger, from lists of what evolution and cure return.

    >>> evolved = [
    ...     {"layers": [{"fixed": np.array(times)} for times in ([0, 10], [20, 40], [40, 80])]}
    ... ]
    >>> cured = [{title: {"aliasing": 0.5, "accuracy": 90.0, "dead": 0.0} for title in GEOMETRIES}]
    >>> values_of("digits", evolved, cured)["review/digits/settled/hidden2"]
    [30.0]
    """
    p = f"review/{name}"
    values: dict[str, list[float]] = {}
    for i in range(3):
        values[f"{p}/settled/hidden{i + 1}"] = [
            float(np.median(run["layers"][i]["fixed"])) for run in evolved
        ]
    for title, key in CURE_KEYS.items():
        for what in ("aliasing", "accuracy", "dead"):
            values[f"{p}/{what}/{key}"] = [run[title][what] for run in cured]
    return values
