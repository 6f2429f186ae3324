"""How fast the gradient checker is.

1. A 784-30-10 ReLU network, five images: input gradient and all parameters, in random directions
   (goal: 50 ms, median).
2. A 12-8-4 network in full-Jacobian mode, beside plain central differences for every entry and
   torch's gradcheck, on the same functions.
"""

import numpy as np

from benchmarks.timing import compare, report
from refimpl.gradcheck import check_gradients, check_layer, layer_functions
from refimpl.gradcheck.mutants.peers import installed
from refimpl.layers import Tanh
from refimpl.network import one_hidden_net


def naive(f, vjp, inputs, eps=1e-5):
    """Two evaluations an entry, one cotangent: the usual home-made check. Returns the largest
    difference.
    """
    dout = np.random.default_rng(0).normal(size=np.shape(f(*inputs)))
    worst = 0.0
    for k, (g, a) in enumerate(zip(vjp(dout, *inputs), inputs)):
        for index in np.ndindex(a.shape):
            sides = []
            for sign in (1, -1):
                moved = a.copy()
                moved[index] += sign * eps
                sides.append(
                    (dout * f(*[moved if i == k else b for i, b in enumerate(inputs)])).sum()
                )
            worst = max(worst, abs((sides[0] - sides[1]) / (2 * eps) - g[index]))
    return worst


def main(quick=False):
    repeats, rng = 3 if quick else 15, np.random.default_rng(0)
    net, x = one_hidden_net(784, 30, 10, rng=rng), rng.random((5, 784))
    assert check_layer(net, x, rng=rng).ok
    f, _, inputs, _ = layer_functions(net, x, rng=rng)
    seconds = compare(
        {"ours": lambda: check_layer(net, x, rng=rng), "one evaluation": lambda: f(*inputs)},
        repeats=repeats,
    )
    entries, median = (
        sum(a.size for a in inputs),
        {name: np.median(values) for name, values in seconds.items()},
    )
    report(
        "checking 784-30-10 on 5 images, random directions",
        seconds,
        note=f"goal {'met' if median['ours'] <= 0.05 else '**missed**'}: at most 50 ms. Central "
        f"differences for all "
        f"{entries:,} entries: {2 * entries * median['one evaluation'] / median['ours']:,.0f} "
        f"times as long",
    )
    small, x = one_hidden_net(12, 8, 4, rng=rng, activation=Tanh()), rng.normal(size=(5, 12))
    f, vjp, inputs, _ = layer_functions(small, x, rng=rng)
    assert naive(f, vjp, inputs) < 1e-6
    calls = {
        "ours": lambda: check_gradients(f, vjp, inputs, rng=rng),
        "naive: central differences": lambda: naive(f, vjp, inputs),
    }
    here, _ = installed()
    if "torch" in here:
        calls["torch.autograd.gradcheck"] = lambda: here["torch"](f, vjp, inputs)
    report("checking 12-8-4 on 5 images, full Jacobian", compare(calls, repeats=3 if quick else 5))
