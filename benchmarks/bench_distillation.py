"""How fast a step of distillation is: loss, and gradients by images and targets, by hand.

Ten images, 784 numbers each, a minibatch of 2,000, one hidden layer, float32; beside torch's
autograd on the same formulas (goal: within 1.5 times), and beside the two products with the
minibatch alone. Then the whole of MNIST's protocol on random pixels of its size: ten images (goal:
30 s) and fifty (90 s), and the memory on top of the data set (goal: 300 MB).
"""

from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np

from benchmarks.timing import clock, compare, least_seconds, peak, report, within
from refimpl.companions.distillation import sets
from refimpl.companions.distillation.kernel_distillation import (
    RIDGE,
    SCALE,
    regression,
    regression_backward,
)
from refimpl.companions.distillation.preparation import preparation_of
from refimpl.data import Dataset
from refimpl.losses import cross_entropy

SECONDS = {10: 30, 50: 90}  # at most, to distil so many images
MEGABYTES = 300  # at most, beyond the data set


def by_hand(x, y, images, targets):
    """(dimages, dtargets)."""
    f, cache = regression(x, images, targets)
    scale = np.float32(SCALE)
    return regression_backward(scale * cross_entropy(scale * f, y)[1], cache)


def by_torch(x, y, images, targets):
    """The same step as a function for torch's autograd, called without arguments."""
    import torch

    torch.set_num_threads(1)
    x, y = torch.tensor(x), torch.tensor(y)
    inputs = [torch.tensor(v, requires_grad=True) for v in (images, targets)]

    def parts(a, b):
        size = a.norm(dim=1)[:, None] * b.norm(dim=1)
        c = (a @ b.T / size).clamp(-1 + 1e-6, 1 - 1e-6)
        th = torch.arccos(c)
        k0 = 1 - th / torch.pi
        k1 = torch.sqrt(1 - c * c) / torch.pi + k0 * c
        return size * (k1 + c * k0) / a.shape[1]

    def step():
        s, t = inputs
        own = parts(s, s)
        eye = torch.eye(len(s))
        own = own * (1 - eye) + torch.diag(2 * (s * s).sum(dim=1) / s.shape[1])
        own = own.double() + RIDGE * own.trace() / len(s) * eye
        f = parts(x, s) @ torch.linalg.solve(own, t.double()).float()
        loss = torch.nn.functional.cross_entropy(SCALE * f, y)
        return [g.numpy() for g in torch.autograd.grad(loss, inputs)]

    return step


def main(quick=False):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200 if quick else 2_000, 784)).astype(np.float32)
    images = rng.normal(size=(10, 784)).astype(np.float32)
    targets = np.eye(10, dtype=np.float32) - np.float32(0.1)
    y = np.arange(len(x)) % 10
    ours = by_hand(x, y, images, targets)
    calls = {
        "ours, a step": lambda: by_hand(x, y, images, targets),
        "floor: two products": lambda: (x @ images.T).T @ x,
    }
    goals = []
    if find_spec("torch"):
        calls["torch, autograd"] = by_torch(x, y, images, targets)
        for a, b in zip(ours, calls["torch, autograd"]()):
            assert np.abs(a - b).max() < 1e-3 * np.abs(b).max()
        goals = [within("ours, a step", "torch, autograd", 1.5)]
    report(
        "distilling ten images for the kernel, one step on 2,000 images",
        compare(calls, repeats=3 if quick else 21),
        goals,
        least=least_seconds(2 * 2 * x.size * len(images), 2 * x.nbytes),  # two products with x
    )
    whole_protocol(quick)


def whole_protocol(quick):
    """Seconds of distilling ten and fifty images as MNIST's protocol says, and the peak memory."""
    rng = np.random.default_rng(1)
    count = 1_000 if quick else 60_000
    pixels = rng.integers(0, 256, (count, 784), dtype=np.uint8)
    y = np.arange(count) % 10
    shape = (1, 28, 28)
    data = Dataset(
        "mnist", "random pixels", pixels, y, pixels[:10], y[:10], shape, tuple("0123456789")
    )
    prepare = preparation_of(pixels)
    known = sets.PROTOCOL["mnist"]

    def distil(images):
        return sets.kernel_set(data, images, prepare, seed=0)

    seconds = {}
    try:
        sets.PROTOCOL["mnist"] = replace(known, steps={10: 5})
        used = max(peak(partial(distil, images)) for images in SECONDS) / 1e6
        if not quick:
            sets.PROTOCOL["mnist"] = known
        for images in SECONDS:
            began = clock[0]()
            distil(images)
            seconds[images] = clock[0]() - began
    finally:
        sets.PROTOCOL["mnist"] = known
    words = [
        f"goal {'met' if seconds[images] <= most else '**missed**'}: {images} images in {most} s: "
        f"{seconds[images]:.0f}"
        for images, most in SECONDS.items()
    ]
    met = "met" if used <= MEGABYTES else "**missed**"
    words.append(f"goal {met}: at most {MEGABYTES} MB beyond the data set: {used:.0f}")
    report(
        "distilling for the kernel, the whole protocol of MNIST, on one core",
        {f"{images} images": np.array([v]) for images, v in seconds.items()},
        note="; ".join(words),
    )
