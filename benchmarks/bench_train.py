"""Minibatch training: the shallow teacher and 784-30-10 on MNIST (noise as sparse as MNIST without
the files), batch 100.

Ours gathers 8-bit pixels, as data sets keep them; peers are given the same images in float32, as
their users do. The floor is what no arrangement of NumPy calls avoids: the gathering of each
minibatch and the matrix products. The limit is the products at the machine's peak.
"""

import numpy as np

from benchmarks.timing import (
    compare,
    double_precision,
    faster,
    least_seconds,
    peak,
    report,
    within,
)
from benchmarks.training_peers import loops, naive
from refimpl.data import load
from refimpl.dtypes import gathered, rows_as
from refimpl.files.paths import default_data_dir
from refimpl.network import one_hidden_net, softmax_net
from refimpl.training import minibatches, train, train_step, train_together

STEPS = 300


def data(quick):
    """(pixels uint8, y, lr for the shallow net, what it is)."""
    if not quick and (default_data_dir() / "mnist" / "train-images-idx3-ubyte.gz").exists():
        mnist = load("mnist", default_data_dir())
        return mnist.train_pixels, mnist.train_y, 0.5, "MNIST"
    rng, n = np.random.default_rng(0), 1_000 if quick else 60_000
    x = rng.integers(0, 256, (n, 784), np.uint8) * (rng.random((n, 784)) < 0.19)
    return x, rng.integers(0, 10, n), 0.05, "noise"  # .5 is unstable on noise


def floor(networks, x, batches, *, products=True):
    """Gathering and products of one network, or of several that share the minibatches, in the
    layouts that training uses.
    """
    s, (w, *rest) = len(networks), [p for p in networks[0].parameters if p.ndim == 2]
    first, n = np.concatenate([w] * s, axis=1), len(batches[0])
    dz = np.zeros((n, first.shape[1]), w.dtype)
    others = [
        (
            np.zeros((s, *p.shape), p.dtype),
            np.zeros((s, n, len(p)), p.dtype),
            np.zeros((s, n, p.shape[1]), p.dtype),
        )
        for p in rest
    ]
    for _, here in gathered(x, batches):
        if products:
            here @ first, here.T @ dz
            for w, h, d in others:
                h @ w, h.transpose(0, 2, 1) @ d, d @ w.transpose(0, 2, 1)


def operations(networks, steps, batch=100):
    """Multiplications and additions of the products of `steps` steps: two products for the first
    layer, which needs no input gradient, three for each other.
    """
    first, *rest = [p.size for p in networks[0].parameters if p.ndim == 2]
    return 2 * steps * batch * len(networks) * (2 * first + 3 * sum(rest))


def by_steps(network, x, y, batches, lr):
    """Ours by train_step, the definition."""
    states = [None] * len(network.parameters)
    for rows in batches:
        network, states, _, _ = train_step(network, states, x[rows], y[rows], lr=lr, rng=None)
    return network.parameters[0]


def ours(network, x, y, batches, lr):
    return train(network, x, y, steps=len(batches), lr=lr, rng=np.random.default_rng(0))[
        0
    ].parameters[0]


def agree(network, x, y, lr, peers):
    """All loops give the same first layer after 20 steps in float64."""
    x, network = rows_as(x[:1_000], np.float64), network.astype(np.float64)
    y, batches = y[:1_000], list(minibatches(1_000, 100, 20, np.random.default_rng(0)))
    expected = ours(network, x, y, batches, lr)
    with double_precision():
        for name, loop in {"train_step": by_steps, "naive": naive, **peers}.items():
            if "own order" not in name:
                assert np.allclose(
                    loop(network, x, y, batches, lr), expected, rtol=0, atol=1e-11
                ), name


def one(title, network, x, y, lr, peers, quick, goals):
    agree(network, x, y, lr, peers)
    steps = 10 if quick else STEPS
    batches = list(minibatches(len(x), 100, steps, np.random.default_rng(0)))
    grey = rows_as(x, np.float32)  # what peers' users hold
    calls = {
        "ours": lambda: ours(network, x, y, batches, lr),
        "ours, float32 images": lambda: ours(network, grey, y, batches, lr),
        "ours, train_step": lambda: by_steps(network, x, y, batches, lr),
    }
    calls |= {
        name: lambda loop=loop: loop(network, grey, y, batches, lr) for name, loop in peers.items()
    }
    calls |= {
        "floor: gathering and products": lambda: floor([network], x, batches),
        "gathering alone": lambda: floor([network], x, batches, products=False),
    }
    seconds = compare(calls, repeats=3 if quick else 9)
    few = batches[: max(1, steps // 30)]
    slow = compare({"": lambda: naive(network, x, y, few, lr)}, repeats=3)[""]
    seconds["naive: a loop over images"] = slow * (steps / len(few))
    note = (
        f"ours: {np.median(seconds['ours']) / steps * 1e6:.0f} us a step; the naive loop ran "
        f"{len(few)} steps, times "
        f"{steps / len(few):g}"
    )
    share = np.median(seconds["floor: gathering and products"]) / np.median(seconds["ours"])
    note += (
        f"; {share:.0%} of ours is the floor, the rest some 30 NumPy calls a step of 1 to 6 us each"
    )
    if "torch, index arrays" in seconds:
        ours_too, bound = (
            np.median(seconds["torch, index arrays"]) / np.median(seconds[name])
            for name in ("ours", "floor: gathering and products")
        )
        note += f"; torch without its DataLoader takes {ours_too:.1f} times ours and {bound:.1f} times the floor"
    report(
        f"{title}, {steps} steps of 100 images",
        seconds,
        goals,
        note=note,
        least={
            None: least_seconds(operations([network], steps), 100 * 784 * steps),
            "gathering alone": least_seconds(0, 100 * 784 * (1 + 1 + 4) * steps),
        },
    )


def several(nets, shallow, x, y, lr, quick):
    """Ten at a time."""
    steps = 10 if quick else 150
    batches = list(minibatches(len(x), 100, steps, np.random.default_rng(0)))

    def one_by_one(networks):
        return [
            train(net, x, y, steps=steps, lr=lr, rng=np.random.default_rng(i))[0]
            for i, net in enumerate(networks)
        ]

    def together(networks):
        return train_together(networks, x, y, steps=steps, lr=lr, rng=np.random.default_rng(0))[0]

    small = [net.astype(np.float64) for net in nets]
    a, b = (run(small)[0].parameters[0] for run in (one_by_one, together))
    assert np.allclose(a, b, rtol=0, atol=1e-11)
    report(
        f"ten 784-30-10 from ten inits, one minibatch order, {steps} steps",
        compare(
            {
                "ten together": lambda: together(nets),
                "one": lambda: together(nets[:1]),
                "ten, one after the other": lambda: one_by_one(nets),
                "floor of ten: gathering and products": lambda: floor(nets, x, batches),
            },
            repeats=3 if quick else 7,
        ),
        [
            within("ten together", "one", 4.5),
            within("ten together", "floor of ten: gathering and products", 1.8),
        ],
        least={
            None: least_seconds(operations(nets, steps), 100 * 784 * steps),
            "one": least_seconds(operations(nets[:1], steps), 100 * 784 * steps),
        },
    )
    report(
        f"ten shallow teachers with orders of their own, {steps} steps",
        compare(
            {
                "ours": lambda: one_by_one([shallow] * 10),
                "floor: gathering and products": lambda: [
                    floor([shallow], x, batches) for _ in range(10)
                ],
            },
            repeats=3 if quick else 7,
        ),
        [within("ours", "floor: gathering and products", 1.8)],
        least=least_seconds(10 * operations([shallow], steps), 10 * 100 * 784 * steps),
    )


def memory(x, y, network):
    """What is held at most while the images are copied, as a data set would, and trained on."""

    def loaded_and_trained():
        train(network, x.copy(), y, steps=20, lr=0.1, rng=0)

    share = peak(loaded_and_trained) / (4 * x.size)
    print(
        f"\npeak memory of images and training: {share:.2f} of the float32 array (goal: at most .35)"
    )


def main(quick=False):
    x, y, lr, name = data(quick)
    peers, rng = loops(), np.random.default_rng(0)
    shallow = softmax_net(784, 10, dtype=np.float32)
    nets = [one_hidden_net(784, 30, 10, rng=rng, dtype=np.float32) for _ in range(10)]
    floors = "floor: gathering and products"
    one(
        f"training 784-10 on {name}",
        shallow,
        x,
        y,
        lr,
        peers,
        quick,
        [
            faster("ours", "torch, DataLoader (own order)", 4),
            faster("ours", "torch, index arrays", 5),
            faster("ours", "jax, step under jit", 1.5),
            faster("ours", "jax, whole loop under jit (scan)", 1.8),
            within("ours", floors, 1.8),
        ],
    )
    one(
        f"training 784-30-10 on {name}",
        nets[0],
        x,
        y,
        0.1,
        peers,
        quick,
        [
            faster("ours", "torch, DataLoader (own order)", 3),
            faster("ours", "torch, index arrays", 3),
            faster("ours", "jax, step under jit", 1.2),
            faster("ours", "jax, whole loop under jit (scan)", 1),
            within("ours", floors, 1.8),
        ],
    )
    several(nets, shallow, x, y, 0.1 if name == "MNIST" else lr, quick)
    memory(x, y, nets[0])
