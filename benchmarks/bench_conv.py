"""Convolutional networks: a training step of Conv and of Vonc beside torch and beside its matrix
products alone.

A step: forward with dropout, cross-entropy, gradients, Adam, max-norm, on 128 images of noise, 3 x
32 x 32, float32.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.timing import compare, least_seconds, peak, peer, report, slope, within
from refimpl.companions.cnn.architectures import conv_net, small_net, vonc_net
from refimpl.companions.cnn.shards import Sharded
from refimpl.layers import Affine, conv
from refimpl.layers.conv import Conv2D
from refimpl.losses import cross_entropy
from refimpl.optimize import adam
from refimpl.training import train_step

NETS = {"Conv": conv_net, "Vonc": vonc_net}
GOALS = [within("ours", "torch", 1.05), within("ours", "the matrix products alone", 1.6)]


def images(net, n):
    rng = np.random.default_rng(0)
    return rng.random((n, net.inputs), dtype=np.float32), rng.integers(0, net.classes, n)


def stepper(net, x, y):
    """A function that trains one step more at each call."""
    state, rng = [net, [None] * len(net.parameters)], np.random.default_rng(0)

    def step():
        state[:] = train_step(*state, x, y, lr=1e-4, rng=rng, update=adam)[:2]

    return step


def products(net, x):
    """The matrix products of a step and nothing else: two or three a layer, in conv.py's blocks,
    operands at hand.
    """
    calls, rng = [], np.random.default_rng(0)
    for layer in net.layers:
        x, _ = layer.forward(x)
        if isinstance(layer, Affine):
            f, k, columns = layer.w.shape[1], layer.w.shape[0], len(x)
        elif isinstance(layer, Conv2D):
            f, k, columns = len(layer.w), layer.w[0].size, x.size // x.shape[1]
        else:
            continue
        part = (
            min(columns, conv.COLUMNS, conv.ENTRIES // k) if isinstance(layer, Conv2D) else columns
        )
        w, patches, d = (
            rng.random(shape, dtype=x.dtype) for shape in ((f, k), (k, part), (f, part))
        )
        calls += [(columns // part, [(w, patches), (patches, d.T), (w.T, d)][: 3 if calls else 2])]

    def run():
        for times, pairs in calls:
            for _ in range(times):
                for a, b in pairs:
                    a @ b

    run.operations = sum(
        2 * times * a.size * b.shape[1] for times, pairs in calls for a, b in pairs
    )
    return run


def torch_net(torch, net, dtype):
    """The same layers and weights in torch."""
    nn, layers = torch.nn, []
    made = {
        "Unflatten": lambda v: nn.Unflatten(1, v.shape),
        "Flatten": lambda v: nn.Flatten(),
        "ReLU": lambda v: nn.ReLU(),
        "MaxPool2D": lambda v: nn.MaxPool2d(v.size),
        "Dropout": lambda v: nn.Dropout(v.rate),
        "Affine": lambda v: nn.Linear(*v.w.shape, dtype=dtype),
        "Conv2D": lambda v: nn.Conv2d(
            *v.w.shape[1::-1],
            v.w.shape[2:],
            padding=v.w.shape[2] // 2 if v.padding == "same" else 0,
            dtype=dtype,
        ),
    }
    for v in net.layers:
        layers.append(made[type(v).__name__](v))
        if hasattr(v, "w"):
            with torch.no_grad():
                layers[-1].weight.copy_(torch.from_numpy(v.w.T if v.w.ndim == 2 else v.w))
                layers[-1].bias.copy_(torch.from_numpy(v.b))
    return nn.Sequential(*layers)


def agree(torch, net, x, y):
    """Logits, every parameter's gradient and the input's, float64 and without dropout."""
    net, x = net.astype(np.float64), x.astype(np.float64)
    z, caches = net.forward(x)
    dx, gradients = net.backward(cross_entropy(z, y)[1], caches)
    model, xt = torch_net(torch, net, torch.float64).eval(), torch.from_numpy(x).requires_grad_()
    zt = model(xt)
    torch.nn.functional.cross_entropy(zt, torch.from_numpy(y)).backward()
    ours = [z, dx, *(g.T if g.ndim == 2 else g for layer in gradients for g in layer)]
    theirs = [zt.detach(), xt.grad, *(p.grad for p in model.parameters())]
    for a, b in zip(ours, theirs, strict=True):
        assert np.allclose(a, b.numpy(), rtol=1e-9, atol=1e-12 * np.abs(a).max())


def torch_stepper(torch, net, x, y, *, channels_last=False):
    model = torch_net(torch, net, torch.float32).train()
    if channels_last:  # of the filters and of what Unflatten hands them
        model = model.to(memory_format=torch.channels_last)
        first = model[0]
        model[0] = torch.nn.Sequential(first, ChannelsLast(torch))
    optimizer, (xt, yt) = (
        torch.optim.Adam(model.parameters(), lr=1e-4),
        map(torch.from_numpy, (x, y)),
    )

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(xt), yt).backward()
        optimizer.step()

    return step


def ChannelsLast(torch):
    """A layer that lays its images out channel by channel of a pixel."""

    class Layer(torch.nn.Module):
        def forward(self, x):
            return x.contiguous(memory_format=torch.channels_last)

    return Layer()


def naive_step(layer, x, dout):
    """A convolution and its gradients (valid, stride 1) by loops over images, filters and pixels."""
    kh, kw = layer.w.shape[2:]
    out, dx, dw = np.zeros_like(dout), np.zeros_like(x), np.zeros_like(layer.w)
    for n, f, p, q in np.ndindex(dout.shape):
        window = x[n, :, p : p + kh, q : q + kw]
        out[n, f, p, q] = (window * layer.w[f]).sum() + layer.b[f]
        dx[n, :, p : p + kh, q : q + kw] += layer.w[f] * dout[n, f, p, q]
        dw[f] += window * dout[n, f, p, q]
    return out, dx, dw, dout.sum(axis=(0, 2, 3))


def layer_step(layer, x, dout):
    out, cache = layer.forward(x)
    dx, (dw, db) = layer.backward(dout, cache)
    return out, dx, dw, db


def one_layer(n, c, f, side, dtype=np.float32):
    rng = np.random.default_rng(0)
    layer = Conv2D(rng.normal(size=(f, c, 3, 3)).astype(dtype), rng.normal(size=f).astype(dtype))
    shapes = (n, c, side, side), (n, f, side - 2, side - 2)
    return layer, *(rng.normal(size=shape).astype(dtype) for shape in shapes)


def naive(quick):
    layer, x, dout = one_layer(2, 3, 8, 8 if quick else 16, np.float64)
    assert all(
        np.allclose(a, b) for a, b in zip(layer_step(layer, x, dout), naive_step(layer, x, dout))
    )
    report(
        f"a 3 x 3 convolution, 3 to 8 channels, 2 images of {x.shape[2]} x {x.shape[2]}, forward "
        f"and all gradients",
        compare(
            {
                "ours": lambda: layer_step(layer, x, dout),
                "naive: loops": lambda: naive_step(layer, x, dout),
            },
            repeats=3,
        ),
    )


def steps(quick):
    """Whole training steps, each checked to agree with torch first: in one thread; in two, half of
    the images in each.
    """
    torch = peer("torch")
    for name, make in {"small": small_net}.items() if quick else NETS.items():
        net = make(rng=np.random.default_rng(0))
        x, y = images(net, 8 if quick else 128)
        for threads in (1, 2):
            with ThreadPoolExecutor(threads) as pool:
                ours, part = (
                    (net if threads == 1 else Sharded(net, pool, threads)),
                    products(net, x[: len(x) // threads]),
                )
                calls = {
                    "ours": stepper(ours, x, y),
                    "the matrix products alone": lambda run=part, pool=pool, n=threads: [
                        done.result() for done in [pool.submit(run)] * n
                    ],
                }
                if torch:
                    torch.set_num_threads(threads)
                    agree(torch, net, x[:4], y[:4])
                    calls["torch"] = torch_stepper(torch, net, x, y)
                    calls["torch, channels_last"] = torch_stepper(
                        torch, net, x, y, channels_last=True
                    )
                seconds = compare(calls, repeats=3 if quick else 7)
            report(
                f"a training step of {name}, {len(x)} images, {threads} "
                f"thread{'s' * (threads > 1)}",
                seconds,
                () if quick else GOALS,
                least=least_seconds(threads * part.operations, x.nbytes, threads=threads),
            )
    if torch:
        torch.set_num_threads(1)


def growth(quick):
    """One layer, forward and all gradients: what doubles, and what the time does."""
    start = {"n": 4, "c": 8, "side": 10} if quick else {"n": 16, "c": 32, "side": 18}
    for what, key, power in (
        ("images", "n", 1),
        ("channels in and out", "c", 2),
        ("outputs a side", "side", 2),
    ):
        calls, sizes = {}, []
        for times in (1, 2, 4):
            sizes.append((start[key] - 2) * times if key == "side" else start[key] * times)
            size = start | {key: sizes[-1] + 2 * (key == "side")}
            data = one_layer(size["n"], size["c"], size["c"], size["side"])
            calls[f"{sizes[-1]} {what}"] = lambda data=data: layer_step(*data)
        seconds = compare(calls, repeats=3 if quick else 7)
        p = slope(sizes, [np.median(v) for v in seconds.values()])
        report(
            f"a 3 x 3 convolution: growth with its {what}",
            seconds,
            note=f"time ~ size^{p:.2f}, arithmetic ~ size^{power}",
        )


def main(quick=False):
    naive(quick)
    steps(quick)
    growth(quick)
    for name, make in {"small": small_net}.items() if quick else NETS.items():
        net = make(rng=np.random.default_rng(0))
        step = stepper(net, *images(net, 128))
        step()  # so that Adam's moments are there before
        print(
            f"\npeak memory of a step of {name} at batch 128: {peak(step) / 1e6:.0f} MB (goal: "
            f"under 1000)"
        )
