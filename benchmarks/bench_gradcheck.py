"""How fast the gradient checker is.

1. A 784-30-10 ReLU network, five images: input gradient and all parameters, in random directions
   (goal: 30 ms, median).
2. A 12-8-4 network in full-Jacobian mode, beside plain central differences for every entry and
   torch's gradcheck, on the same functions (goal: no slower than torch's).
3. A million parameters in directions (goals: 2 s, 200 MB above what the inputs take).
"""

import numpy as np

from benchmarks.timing import compare, peak, report, within
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


def directions(repeats, rng):
    """A 784-30-10 network in random directions."""
    net, x = one_hidden_net(784, 30, 10, rng=rng), rng.random((5, 784))
    assert check_layer(net, x, rng=rng).ok
    f, _, inputs, _ = layer_functions(net, x, rng=rng)
    calls = {"ours": lambda: check_layer(net, x, rng=rng), "one evaluation": lambda: f(*inputs)}
    seconds = compare(calls, repeats=repeats)
    entries = sum(a.size for a in inputs)
    ours, once = (float(np.median(seconds[name])) for name in calls)
    report(
        "checking 784-30-10 on 5 images, random directions",
        seconds,
        note=f"goal {_met(ours <= 0.03)}: at most 30 ms. Central differences for all {entries:,} "
        f"entries: {2 * entries * once / ours:,.0f} times as long",
    )


def full_jacobian(repeats, rng):
    """A 12-8-4 network, every entry, beside others."""
    net, x = one_hidden_net(12, 8, 4, rng=rng, activation=Tanh()), rng.normal(size=(5, 12))
    f, vjp, inputs, _ = layer_functions(net, x, rng=rng)
    assert naive(f, vjp, inputs) < 1e-6
    calls = {
        "ours": lambda: check_gradients(f, vjp, inputs, rng=rng),
        "naive: central differences": lambda: naive(f, vjp, inputs),
    }
    here, _ = installed()
    if "torch" in here:
        calls["torch.autograd.gradcheck"] = lambda: here["torch"](f, vjp, inputs)
    goals = [within("ours", "torch.autograd.gradcheck", 1)]
    report("checking 12-8-4 on 5 images, full Jacobian", compare(calls, repeats=repeats), goals)


def a_million(repeats, rng):
    """A 1000-1000-10 network: a million parameters."""
    net = one_hidden_net(1000, 1000, 10, rng=rng, activation=Tanh())
    x = rng.random((5, 1000))

    def ours():
        assert check_layer(net, x, rng=0).ok

    seconds = compare({"ours": ours}, repeats=repeats)
    median = float(np.median(seconds["ours"]))
    megabytes = peak(ours) / 1e6
    report(
        "checking 1000-1000-10 on 5 images, a million parameters in random directions",
        seconds,
        note=f"goals {_met(median <= 2)}: at most 2 s, {_met(megabytes <= 200)}: at most 200 MB; "
        f"{megabytes:.0f} MB",
    )


def _met(yes):
    return "met" if yes else "**missed**"


def main(quick=False):
    rng = np.random.default_rng(0)
    directions(3 if quick else 15, rng)
    full_jacobian(3 if quick else 5, rng)
    a_million(1 if quick else 5, rng)
