"""How fast the gradient checker is: python -m benchmarks.bench_gradcheck

1. A 784-30-10 ReLU network, five images: input gradient and all parameters, in random directions (goal: 50 ms, median).
2. A 12-8-4 network in full-Jacobian mode, beside plain central differences for every entry and torch's gradcheck, on
   the same functions in the same run. Ratios count; times depend on the machine.
"""

import time

import numpy as np

from refimpl.gradcheck import check_gradients, check_layer, layer_functions
from refimpl.layers import Tanh
from refimpl.mutants.peers import installed
from refimpl.network import one_hidden_net


def median_seconds(run, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def naive(f, vjp, inputs, eps=1e-5):
    """Two evaluations an entry, one cotangent: the usual home-made check. Returns the largest difference."""
    dout = np.random.default_rng(0).normal(size=np.shape(f(*inputs)))
    worst = 0.0
    for k, (g, a) in enumerate(zip(vjp(dout, *inputs), inputs)):
        for index in np.ndindex(a.shape):
            sides = []
            for sign in (1, -1):
                moved = a.copy()
                moved[index] += sign * eps
                sides.append((dout * f(*[moved if i == k else b for i, b in enumerate(inputs)])).sum())
            worst = max(worst, abs((sides[0] - sides[1]) / (2 * eps) - g[index]))
    return worst


def main(quick=False, out=print):
    repeats, few = (3, 1) if quick else (31, 5)
    rng = np.random.default_rng(0)
    net, x = one_hidden_net(784, 30, 10, rng=rng), rng.random((5, 784))
    assert check_layer(net, x, rng=rng).ok
    ours = median_seconds(lambda: check_layer(net, x, rng=rng), repeats)
    out(f"784-30-10, 5 images, random directions: {1e3 * ours:.1f} ms median (goal 50)")
    f, vjp, inputs, _ = layer_functions(net, x, rng=rng)
    once = median_seconds(lambda: f(*inputs), repeats)
    entries = sum(a.size for a in inputs)
    out(f"  central differences for all {entries:,} entries: about {2 * entries * once / ours:,.0f} times as long")
    small, x = one_hidden_net(12, 8, 4, rng=rng, activation=Tanh()), rng.normal(size=(5, 12))
    f, vjp, inputs, _ = layer_functions(small, x, rng=rng)
    full = median_seconds(lambda: check_gradients(f, vjp, inputs, rng=rng), repeats)
    out(f"12-8-4, 5 images, full Jacobian: {1e3 * full:.1f} ms")
    slow = median_seconds(lambda: naive(f, vjp, inputs), few)
    out(f"  naive central differences: {slow / full:.2f} times as long")
    here, _ = installed()
    if "torch" in here:
        theirs = median_seconds(lambda: here["torch"](f, vjp, inputs), few)
        out(f"  torch.autograd.gradcheck: {theirs / full:.2f} times as long")
    else:
        out("  torch.autograd.gradcheck: torch is not installed")


if __name__ == "__main__":
    main()
