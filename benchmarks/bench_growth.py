"""Growth: time and peak memory as one size is doubled, as the measured exponent p of size^p beside
the expected one.

Beside the arithmetic a step has some 20 NumPy calls that cost a microsecond each at any size:
exponents come out below the expected ones where the sizes are small, and are taken over the upper
half of the sizes. Peak memory: what a call asks for, its data set not counted.
"""

import numpy as np

from benchmarks.bench_train import operations
from benchmarks.timing import compare, least_seconds, peak, report, slope
from refimpl.class_visualization import ascend_preactivations, class_visualizations
from refimpl.dual import descend_dual
from refimpl.losses import squared_error
from refimpl.network import one_hidden_net, softmax_net
from refimpl.training import train, train_together

# {"title", "axis", "sizes", "seconds", "bytes", "time": (measured, expected), "memory": (measured,
# expected)}
CURVES = []


def images(n, d):
    rng = np.random.default_rng(0)
    return rng.random((n, d), dtype=np.float32), rng.integers(0, 10, n)


def training(*, n=4_000, batch=100, d=784, k=10, h=None, seeds=1, steps=10):
    """(a run of training, its least seconds); h: units of a hidden layer; seeds: networks trained
    together.
    """
    x, y = images(n, d)
    rng = np.random.default_rng(0)
    nets = [
        one_hidden_net(d, h, k, rng=rng, dtype=np.float32)
        if h
        else softmax_net(d, k, dtype=np.float32)
        for _ in range(seeds)
    ]
    how = {"steps": steps, "lr": 0.01, "batch": batch}
    least = least_seconds(operations(nets, steps, batch), steps * batch * d * x.itemsize)
    if seeds > 1:
        return lambda: train_together(nets, x, y, rng=np.random.default_rng(0), **how), least
    return lambda: train(nets[0], x, y, rng=np.random.default_rng(0), **how), least


def retraining(*, n=10, d=784, k=10, steps=50):
    """(a run of the dual descent, its least seconds): X X' once, G dz at every step."""
    rng = np.random.default_rng(0)
    x, t = rng.random((n, d)), rng.normal(size=(n, k))
    least = least_seconds(2 * n * n * (d + steps * k), 0, "float64")

    def run():
        descend_dual(softmax_net(d, k), x, t, squared_error, lr=1e-4, steps=steps, tol=0)

    return run, least


def visualizing(*, d=784, k=10, h=None, steps=20):
    """(an ascent of K images, its least seconds). What it has to do at every step: M z with M = W'W
    (K, K) of a linear network; of a hidden one dz1 = dz W2', and (W1'W1) dz1.
    """
    rng = np.random.default_rng(0)
    if h is None:
        net = softmax_net(d, k, rng=rng, sigma=0.1)
        least = least_seconds(2 * k * k * (2 * d + steps * k), 0, "float64")  # W'W, images = W A
        return lambda: class_visualizations(net, steps=steps), least
    net, start = one_hidden_net(d, h, k, rng=rng), rng.normal(size=(k, d))
    once = h * h * d + 2 * k * d * h  # W1'W1, its start, its images
    least = least_seconds(2 * (once + steps * k * h * (h + 2 * k)), 0, "float64")

    def run():
        ascend_preactivations(
            net, objective="logit", steps=steps, lr=0.1, start=start, classes=np.arange(k)
        )

    return run, least


# what, axis, sizes, (call, least seconds) of a size, expected exponents of time and of peak memory (None: not looked
# at)
GROWTH = [
    ("a training step", "batch N", (100, 200, 400, 800, 1600), lambda n: training(batch=n), 1, 1),
    (
        "a training step",
        "inputs D",
        (784, 1568, 3136, 6272),
        lambda d: training(n=1_000, d=d),
        1,
        1,
    ),
    ("a training step", "classes K", (40, 80, 160, 320), lambda k: training(k=k), 1, None),
    ("a training step", "hidden units H", (60, 120, 240, 480), lambda h: training(h=h), 1, None),
    (
        "a training step",
        "networks at once S (784-30-10)",
        (4, 8, 16, 32),
        lambda s: training(h=30, seeds=s),
        1,
        1,
    ),
    (
        "training, steps fixed",
        "training images",
        (2_000, 4_000, 8_000, 16_000),
        lambda n: training(n=n),
        0,
        None,
    ),
    ("retraining, dual", "images N", (80, 160, 320, 640), lambda n: retraining(n=n), 2, None),
    (
        "retraining, dual",
        "steps",
        (2_000, 4_000, 8_000, 16_000),
        lambda n: retraining(steps=n),
        1,
        None,
    ),
    (
        "class visualization",
        "inputs D",
        (3_072, 6_144, 12_288, 24_576),
        lambda d: visualizing(d=d),
        1,
        1,
    ),
    (
        "class visualization",
        "classes K (K images)",
        (40, 80, 160, 320),
        lambda k: visualizing(k=k),
        2,
        None,
    ),
    ("ascent on z1", "hidden units H", (128, 256, 512, 1024), lambda h: visualizing(h=h), 2, 2),
]


def main(quick=False):
    for title, axis, sizes, make, time_power, memory_power in GROWTH:
        sizes = sizes[:2] if quick else sizes
        made = {str(size): make(size) for size in sizes}
        calls = {size: call for size, (call, _) in made.items()}
        least = {size: seconds for size, (_, seconds) in made.items()}
        seconds, half = (
            compare(calls, repeats=2 if quick else 5),
            slice(-(len(sizes) // 2 + 1), None),
        )
        medians, bytes_ = (
            [float(np.median(v)) for v in seconds.values()],
            [peak(call) for call in calls.values()],
        )
        curve = {
            "title": title,
            "axis": axis,
            "sizes": list(sizes),
            "seconds": medians,
            "bytes": bytes_,
            "time": (slope(sizes[half], medians[half]), time_power),
            "memory": (slope(sizes[half], bytes_[half]), memory_power),
        }
        note = f"time ~ size^{curve['time'][0]:.2f}, expected {time_power}"
        if memory_power is not None:
            note += (
                f"; peak memory ~ size^{curve['memory'][0]:.2f}, expected {memory_power}, "
                f"{bytes_[-1] / 1e6:.1f} MB at the end"
            )
        report(f"{title}: growth with {axis}", seconds, note=note, least=least)
        CURVES.append(curve)


def draw(path):
    """One panel a curve, time and memory on logarithmic axes, the expected slopes dashed. False
    without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(12, 8.5), layout="constrained")
    for axes, curve in zip(figure.subplots(3, 4).flat, CURVES + [None] * (12 - len(CURVES))):
        if curve is None:
            axes.axis("off")
            continue
        sizes = np.array(curve["sizes"], float)
        for key, name, unit in (("seconds", "time", 1e3), ("bytes", "memory", 1e-6)):
            (measured, power), values = curve[name], np.array(curve[key]) * unit
            if power is None:
                continue
            color = "tab:blue" if key == "seconds" else "tab:orange"
            axes.loglog(
                sizes,
                values,
                "o-",
                color=color,
                ms=4,
                label=f"{'ms' if key == 'seconds' else 'MB'}: {measured:.2f} (expected {power})",
            )
            axes.loglog(sizes, values[-1] * (sizes / sizes[-1]) ** power, "--", color=color, lw=0.8)
        axes.set_title(curve["title"], fontsize=9)
        axes.set_xlabel(curve["axis"], fontsize=8)
        axes.set_xticks(sizes, [f"{v:g}" for v in sizes], fontsize=7)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, high / 10), high)
        axes.minorticks_off()
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=70)
    return True
