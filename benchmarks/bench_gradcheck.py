"""How fast the gradient checker is.

1. A 784-30-10 ReLU network, five images: input gradient and all parameters, in random directions
   (goal: 30 ms, median).
2. A 12-8-4 network in full-Jacobian mode, beside plain central differences for every entry and
   torch's gradcheck, on the same functions (goal: no slower than torch's).
3. The same of all layers, losses and small functions that the planted errors are made from, each
   once by us and once by torch's gradcheck (goal: no slower than torch's).
4. A million parameters in directions (goals: 2 s, 200 MB above what the inputs take).

On a machine that others use as well, the processor time says what the work costs: it is printed
beside each median, and goals in seconds are judged by it.
"""

import time

import numpy as np

from benchmarks.timing import compare, peak, report, within
from refimpl.gradcheck import check_gradients, check_layer, layer_functions
from refimpl.gradcheck.mutants.cases import cases
from refimpl.gradcheck.mutants.peers import accepts, installed
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


def processor(call, repeats):
    """The median of the processor's seconds that a call takes, whatever else the machine does."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return float(np.median(taken))


def beside(calls, repeats):
    """Words: the processor time of every call."""
    taken = {name: processor(call, repeats) for name, call in calls.items()}
    return "processor time: " + ", ".join(f"{name} {1e3 * t:,.1f} ms" for name, t in taken.items())


def directions(repeats, rng):
    """A 784-30-10 network in random directions."""
    net, x = one_hidden_net(784, 30, 10, rng=rng), rng.random((5, 784))
    assert check_layer(net, x, rng=rng).ok
    f, _, inputs, _ = layer_functions(net, x, rng=rng)
    calls = {"ours": lambda: check_layer(net, x, rng=rng), "one evaluation": lambda: f(*inputs)}
    seconds = compare(calls, repeats=repeats)
    entries = sum(a.size for a in inputs)
    ours, once = (float(np.median(seconds[name])) for name in calls)
    spent = processor(calls["ours"], repeats)
    report(
        "checking 784-30-10 on 5 images, random directions",
        seconds,
        note=f"goal {_met(spent <= 0.03)}: at most 30 ms; processor time {1e3 * spent:.1f} ms. "
        f"Central differences for all {entries:,} entries: {2 * entries * once / ours:,.0f} times "
        "as long",
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
    report(
        "checking 12-8-4 on 5 images, full Jacobian",
        compare(calls, repeats=repeats),
        [within("ours", "torch.autograd.gradcheck", 1)],
        note=beside(calls, repeats),
    )


def small_functions(repeats):
    """Every small function with a gradient that this project has, by us and by torch."""
    here, _ = installed()
    some = cases(np.random.default_rng(0)).values()
    calls = {"ours": lambda: [check_gradients(c.f, c.vjp, c.inputs, dtypes=()) for c in some]}
    if "torch" in here:
        calls["torch.autograd.gradcheck"] = lambda: [accepts(here["torch"], c) for c in some]
    report(
        f"checking {len(some)} layers, losses and small functions, full Jacobians",
        compare(calls, repeats=repeats),
        [within("ours", "torch.autograd.gradcheck", 1)],
        note=beside(calls, repeats),
    )


def a_million(repeats, rng):
    """A 1000-1000-10 network: a million parameters."""
    net = one_hidden_net(1000, 1000, 10, rng=rng, activation=Tanh())
    x = rng.random((5, 1000))

    def ours():
        assert check_layer(net, x, rng=0).ok

    seconds = compare({"ours": ours}, repeats=repeats)
    spent = processor(ours, repeats)
    megabytes = peak(ours) / 1e6
    report(
        "checking 1000-1000-10 on 5 images, a million parameters in random directions",
        seconds,
        note=f"goals {_met(spent <= 2)}: at most 2 s, {_met(megabytes <= 200)}: at most 200 MB; "
        f"processor time {spent:.2f} s, {megabytes:.0f} MB",
    )


def _met(yes):
    return "met" if yes else "**missed**"


def main(quick=False):
    rng = np.random.default_rng(0)
    directions(3 if quick else 15, rng)
    full_jacobian(3 if quick else 5, rng)
    small_functions(1 if quick else 3)
    a_million(1 if quick else 5, rng)
