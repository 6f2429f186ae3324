"""The first half of the review (Qin, Yu, Liu and Chen 2018) measured: how features evolve, and what cures aliasing.

- evolution: section 4 after Zeiler and Fergus (2014, figure 4): through training, the image that wakes each channel most
  is mapped back by DeconvNet. They saw that lower layers converge within few epochs and upper ones late. Here the time
  from which on a channel's picture keeps a cosine of at least .9 with its last one is measured, layer by layer; also
  with the image held fixed, for a picture jumps, too, when another image becomes the strongest.
- cure: AlexNet's 11 x 11 filters with stride 4 had dead and aliased features, ZFNet's 7 x 7 with stride 2 fewer. The
  same here in small: one network a geometry, equal maps before the second convolution, retrained from several seeds.
Networks are small_net's kin on 28 x 28 images, trained by Adam; nothing is chosen by test images.
"""

import numpy as np

from refimpl.architectures import convolution, dense, small_net
from refimpl.conv import Conv2D, MaxPool2D
from refimpl.layers import Flatten, ReLU, Unflatten
from refimpl.methods.deconvnet import project_unit, strongest
from refimpl.methods.diagnosis import aliasing, dead_channels, settled
from refimpl.metrics import accuracy
from refimpl.network import Network
from refimpl.optimize import adam
from refimpl.train import train

LR, BATCH = 1e-3, 64
TIMES = (0, 10, 20, 40, 80, 120, 160, 240, 320, 400)  # steps at which evolution looks
GEOMETRIES = {"11 x 11, stride 4 (AlexNet)": (11, 4), "7 x 7, stride 2 (ZFNet)": (7, 2), "3 x 3, stride 1": (3, 1)}


def relu_layers(network):
    """How many layers to run to stand after each ReLU, in order."""
    return [i + 1 for i, layer in enumerate(network.layers) if isinstance(layer, ReLU)]


def evolution(data, seed, *, times=TIMES, images=512):
    """Train small_net and keep DeconvNet's picture of every channel at each of `times`.

    Returns {"times", "layers": [{"layers": k, "strongest": settled times (channels,) in steps, "fixed": the same,
    "pictures": (T, channels, D), "dead": share}]}; a channel that is dead at the end is left out of the times.
    """
    x = data.train_x[:images]
    networks, keep = [small_net(data.image_shape, len(data.classes), rng=np.random.default_rng(seed))], set(times)
    train(networks[0], data.train_x, data.train_y, steps=times[-1], lr=LR, batch=BATCH, update=adam,
          rng=np.random.default_rng([seed, 1]),
          on_step=lambda step, network: networks.append(network) if step + 1 in keep else None)
    rows = []
    for layers in relu_layers(networks[-1]):
        last = strongest(networks[-1], x, layers=layers, count=1)[0][:, 0]
        pictures, fixed = [], []
        for network in networks:
            now = strongest(network, x, layers=layers, count=1)[0][:, 0]
            pictures.append(back(network, x, layers, now))
            fixed.append(back(network, x, layers, last))
        alive = ~dead_channels(networks[-1], x, layers=layers)
        rows.append({"layers": layers, "pictures": np.array(pictures), "dead": float((~alive).mean()),
                     "strongest": np.array(times)[settled(np.array(pictures))[alive]],
                     "fixed": np.array(times)[settled(np.array(fixed))[alive]]})
    return {"times": list(times), "layers": rows}


def back(network, x, layers, rows):
    """DeconvNet's picture of every channel, each from its own image x[rows[channel]]. -> (channels, D)."""
    return np.array([project_unit(network, x[row][None], layers=layers, channel=channel).images[0]
                     for channel, row in enumerate(rows)])


def with_first(size, stride, data, rng, *, filters=16):
    """One first convolution of a geometry, pooled until the maps are a quarter of the image, then small_net's rest."""
    c, h, w = data.image_shape
    first, relu = convolution(c, filters, size, rng=rng)
    layers = [Unflatten(tuple(data.image_shape)), Conv2D(first.w, first.b, stride, "same"), relu]
    layers += [MaxPool2D()] * {4: 0, 2: 1, 1: 2}[stride]
    layers += [*convolution(filters, 16, rng=rng), Flatten()]
    flat = 16 * (h // 4) * (w // 4)
    return Network((*layers, dense(flat, 64, rng=rng), ReLU(), dense(64, len(data.classes), rng=rng)))


def cure(data, seed, *, steps=400, images=256):
    """Train a network of each of GEOMETRIES on the training images but the last 2,000, and measure.

    Returns {name: {"dead": share of dead first channels, "aliasing": share, "accuracy": percent on the held-out images}}.
    """
    held, rows = data.validation(2_000), {}
    for name, (size, stride) in GEOMETRIES.items():
        network, _ = train(with_first(size, stride, data, np.random.default_rng(seed)), held.train_x, held.train_y,
                           steps=steps, lr=LR, batch=BATCH, update=adam, rng=np.random.default_rng([seed, 1]))
        w = network.layers[1].w
        rows[name] = {"dead": float(dead_channels(network, held.test_x[:images], layers=3).mean()),
                      "aliasing": aliasing(w, stride, held.test_x[:images].reshape(-1, *data.image_shape)),
                      "accuracy": accuracy(held.test_y, network.predict(held.test_x))}
    return rows
