"""Minibatch training: the shallow teacher and 784-30-10 on MNIST (noise as sparse as MNIST without
the files), batch 100.

The floor is what no arrangement of NumPy calls avoids: the gathering of each minibatch and the
matrix products.
"""

import numpy as np

from benchmarks.timing import compare, double_precision, faster, report, within
from benchmarks.training_peers import loops, naive
from refimpl.data import load
from refimpl.files.paths import default_data_dir
from refimpl.network import one_hidden_net, softmax_net
from refimpl.training import minibatches, train, train_step, train_together

STEPS = 300


def data(quick):
    """(x float32, y, lr for the shallow net, what it is)."""
    if not quick and (default_data_dir() / "mnist" / "train-images-idx3-ubyte.gz").exists():
        mnist = load("mnist", default_data_dir())
        return mnist.train_x, mnist.train_y, 0.5, "MNIST"
    rng, n = np.random.default_rng(0), 1_000 if quick else 60_000
    x = rng.random((n, 784), dtype=np.float32) * (rng.random((n, 784), dtype=np.float32) < 0.19)
    return x, rng.integers(0, 10, n), 0.05, "noise"  # .5 is unstable on noise


def floor(networks, x, batches, *, products=True):
    """Gathering and products of one network, or of several that share the minibatches, in the
    layouts that training uses.
    """
    s, (w, *rest) = len(networks), [p for p in networks[0].parameters if p.ndim == 2]
    first, n = np.concatenate([w.T] * s), len(batches[0])
    here, dz = np.empty((n, len(w)), x.dtype), np.zeros((len(first), n), x.dtype)
    others = [
        (
            np.zeros((s, *p.shape[::-1]), x.dtype),
            np.zeros((s, len(p), n), x.dtype),
            np.zeros((s, p.shape[1], n), x.dtype),
        )
        for p in rest
    ]
    for rows in batches:
        x.take(rows, axis=0, out=here, mode="clip")
        if products:
            first @ here.T, dz @ here
            for w, h, d in others:
                w @ h, d @ h.transpose(0, 2, 1), w.transpose(0, 2, 1) @ d


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
    x, network = x[:1_000].astype(np.float64), network.astype(np.float64)
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
    calls = {"ours": ours, "ours, train_step": by_steps, **peers}
    calls = {
        name: lambda loop=loop: loop(network, x, y, batches, lr) for name, loop in calls.items()
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
    report(f"{title}, {steps} steps of 100 images", seconds, goals, note=note)


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
            within("ten together", "one", 6),
            within("ten together", "floor of ten: gathering and products", 1.8),
        ],
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
    )


def memory(x):
    """How fast the machine copies: the images, once through."""
    there = np.empty_like(x)
    seconds = compare({"copying all images": lambda: np.copyto(there, x)}, repeats=5)
    rate = 2 * x.nbytes / np.median(seconds["copying all images"]) / 1e9
    report(
        "memory bandwidth",
        seconds,
        note=f"{x.nbytes / 1e6:.0f} MB read and written: {rate:.1f} GB/s",
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
            faster("ours", "torch, index arrays", 4),
            faster("ours", "jax, step under jit", 1.5),
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
            faster("ours", "jax, step under jit", 1.2),
            within("ours", floors, 1.8),
        ],
    )
    several(nets, shallow, x, y, 0.1 if name == "MNIST" else lr, quick)
    memory(x)
