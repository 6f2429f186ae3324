"""Class visualization of all classes, on the input and on the hidden Gram matrix, and retraining on
ten images.
"""

import numpy as np

from benchmarks.timing import compare, faster, least_seconds, peer, report
from refimpl.class_visualization import ascend_preactivations, class_visualizations
from refimpl.descent import descend
from refimpl.dual import descend_dual
from refimpl.losses import softmax, squared_error
from refimpl.network import one_hidden_net, softmax_net
from refimpl.retraining import retrain
from refimpl.theory import best_lr, descent_after, network_of

T = 20.0  # the temperature of the soft targets


def teacher():
    rng = np.random.default_rng(0)
    theta = rng.normal(0, 0.1, (785, 10))
    return network_of(theta - theta.mean(axis=1, keepdims=True))


def one_by_one(network, steps):
    """The ascent of log-probability class by class, written out."""
    w, b = network.parameters
    images = []
    for c in range(10):
        x = np.zeros(784)
        for _ in range(steps):
            z = x @ w + b
            p = np.exp(z - z.max())
            x = x + 0.1 * (w[:, c] - w @ (p / p.sum()))
        images.append(x)
    return np.array(images)


def torch_one_by_one(torch, network, steps):
    """What tutorials do: one class at a time, autograd to the input."""
    w, b = (torch.from_numpy(p) for p in network.parameters)
    images = []
    for c in range(10):
        x = torch.zeros(784, dtype=torch.float64, requires_grad=True)
        for _ in range(steps):
            (gradient,) = torch.autograd.grad(torch.log_softmax(x @ w + b, 0)[c], x)
            x = (x + 0.1 * gradient).detach().requires_grad_()
        images.append(x.detach().numpy())
    return np.array(images)


def jax_ascent(jax, network, steps):
    """All classes at once in one jitted loop: functions -> images, on the input and on the logits."""
    jnp = jax.numpy

    @jax.jit
    def run(w, b):
        def total(x):
            return jax.nn.log_softmax(x @ w + b)[jnp.arange(10), jnp.arange(10)].sum()

        return jax.lax.fori_loop(
            0, steps, lambda _, x: x + 0.1 * jax.grad(total)(x), jnp.zeros((10, 784))
        )

    @jax.jit
    def run_on_logits(w, b):
        m = w.T @ w

        def total(z):
            return jax.nn.log_softmax(z)[jnp.arange(10), jnp.arange(10)].sum()

        a = jax.lax.fori_loop(
            0, steps, lambda _, a: a + 0.1 * jax.grad(total)(b + a @ m), jnp.zeros((10, 10))
        )
        return a @ w.T

    def called(run):
        with jax.enable_x64(True):
            return np.asarray(run(*(jnp.asarray(p) for p in network.parameters)))

    return lambda: called(run), lambda: called(run_on_logits)


def visualization(quick):
    """All classes at once. The floor of a step: two matrix products, and the images read and
    written once.
    """
    steps, network = 20 if quick else 200, teacher()
    w, x, dz = network.parameters[0], np.zeros((10, 784)), np.zeros((10, 10))

    def ours():
        return class_visualizations(network, objective="log_probability", steps=steps, lr=0.1)[0]

    def on_logits():
        how = {"steps": steps, "lr": 0.1, "start": np.zeros((10, 784)), "classes": np.arange(10)}
        return ascend_preactivations(network, objective="log_probability", **how)[0]

    def floor():
        for _ in range(steps):
            x @ w, x + dz @ w.T

    assert np.allclose(ours(), one_by_one(network, steps), atol=1e-12)
    assert np.allclose(ours(), on_logits(), atol=1e-12)
    calls = {
        "ours, on the logits (T9)": on_logits,
        "ours, all classes at once": ours,
        "floor: products and one sum": floor,
        "naive: class by class": lambda: one_by_one(network, steps),
    }
    if torch := peer("torch"):
        assert np.allclose(ours(), torch_one_by_one(torch, network, steps), atol=1e-10)
        calls["torch, class by class"] = lambda: torch_one_by_one(torch, network, steps)
    if jax := peer("jax"):
        direct, reduced = jax_ascent(jax, network, steps)
        assert np.allclose(ours(), direct(), atol=1e-10)
        assert np.allclose(ours(), reduced(), atol=1e-10)
        calls["jax, all at once, the loop under jit"] = direct
        calls["jax, on the logits, the loop under jit"] = reduced
    report(
        f"class visualizations of ten classes, {steps} steps",
        compare(calls, repeats=3 if quick else 7),
        [
            faster("ours, all classes at once", "torch, class by class", 20),
            faster("ours, on the logits (T9)", "jax, all at once, the loop under jit", 1),
            faster("ours, on the logits (T9)", "jax, on the logits, the loop under jit", 1),
        ],
        note="on the logits a step is some 25 NumPy calls on 10 x 10 numbers, each of which costs "
        "its call; compiled loops pay none",
        least={
            None: least_seconds(steps * 4 * 10 * w.size, 0, "float64"),
            "ours, on the logits (T9)": least_seconds(
                steps * 2 * 10**3 + 4 * 10 * w.size, 2 * x.nbytes, "float64"
            ),
            "jax, on the logits, the loop under jit": least_seconds(
                steps * 2 * 10**3 + 4 * 10 * w.size, 2 * x.nbytes, "float64"
            ),
        },
    )
    return ours()


def hidden(quick, starts):
    """784-30-10: the ascent on z1 beside the ascent on the input, for `starts` images of each
    class.
    """
    steps, rng = 20 if quick else 200 if starts == 1 else 50, np.random.default_rng(1)
    network, classes = one_hidden_net(784, 30, 10, rng=rng), np.tile(np.arange(10), starts)
    how = {
        "objective": "log_probability",
        "steps": steps,
        "lr": 0.05,
        "start": rng.normal(size=(len(classes), 784)),
        "classes": classes,
    }
    z1, dz, m, w = (
        np.zeros((len(classes), 30)),
        np.zeros((len(classes), 10)),
        np.zeros((30, 30)),
        network.layers[2].w,
    )

    def floor():
        for _ in range(steps):
            z1 @ m, z1 @ w, dz @ w.T

    def bare():
        """The fewest calls that state the ascent: nothing recorded, nothing checked."""
        (w1, b1), (w2, b2), start = network.parameters[:2], network.parameters[2:], how["start"]
        onehot, a, z1, m = (
            np.eye(10)[classes],
            np.zeros((len(classes), 30)),
            start @ w1 + b1,
            w1.T @ w1,
        )
        for _ in range(steps):
            h = z1 + a @ m
            gate = h > 0
            z = (h * gate) @ w2 + b2
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(axis=1, keepdims=True)
            a += 0.05 * ((onehot - z) @ w2.T * gate)
        return start + a @ w1.T

    names = "ours, on the hidden Gram matrix (T9)", "ours, on the input"
    expected = class_visualizations(network, **how)[0]
    assert all(
        np.allclose(found, expected, atol=1e-11)
        for found in (ascend_preactivations(network, **how)[0], bare())
    )
    seconds = compare(
        {
            names[0]: lambda: ascend_preactivations(network, **how),
            names[1]: lambda: class_visualizations(network, **how),
            "tried: bare calls on z1": bare,
            "floor: three products": floor,
        },
        repeats=3 if quick else 7,
    )
    each = np.median(seconds[names[0]]) / steps * 1e6
    why = (
        ". With ten images a step is some 25 NumPy calls on arrays of at most 300 numbers, which "
        "cost their call, "
        "whatever the arithmetic. Bare calls that record and check nothing miss the goal too. "
        "What the Gram matrix saves "
        "shows where there are more images"
    )
    report(
        f"ascent of 784-30-10 for {len(classes)} images, {steps} steps",
        seconds,
        [faster(*names, 3 if starts == 1 else 8)],
        least={
            None: least_seconds(
                2 * steps * len(classes) * (30 * 30 + 2 * 30 * 10),
                16 * 784 * len(classes),
                "float64",
            ),
            names[1]: least_seconds(
                2 * steps * len(classes) * 2 * (784 * 30 + 30 * 10), 0, "float64"
            ),
        },
        note=f"on z1: {each:.0f} us a step{why if starts == 1 else ''}",
    )


def torch_retrain(torch, images, targets, lr, steps, temperature=None):
    x, t = torch.from_numpy(images), torch.from_numpy(targets)
    model = torch.nn.Linear(784, 10, dtype=torch.float64)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        if temperature is None:
            loss = ((model(x) - t) ** 2).sum() / (2 * len(t))
        else:
            loss = torch.nn.functional.cross_entropy(model(x) / temperature, t)
        loss.backward()
        optimizer.step()
    return model.weight.detach().numpy().T


def naive_retrain(images, targets, lr, steps):
    """Full-batch descent image by image."""
    w, b = np.zeros((784, 10)), np.zeros(10)
    for _ in range(steps):
        dw, db = np.zeros_like(w), np.zeros_like(b)
        for x, t in zip(images, targets):
            dz = (x @ w + b - t) / len(images)
            dw += np.outer(x, dz)
            db += dz
        w, b = w - lr * dw, b - lr * db
    return w


def retraining(quick, images):
    """2,000 steps of squared error on logits, with an lr that is still at work at the last of them."""
    zero, z, steps = softmax_net(784, 10), teacher().logits(images), 50 if quick else 2_000
    lr, torch = best_lr(images)[0] / 100, peer("torch")
    how, a = {"lr": lr, "steps": steps, "tol": 0}, np.eye(10)
    expected = descent_after(images, z, lr=lr, steps=steps)[:-1]
    found = descend_dual(zero, images, z, squared_error, **how)
    assert len(found.losses) == steps and np.allclose(
        found.network.parameters[0], expected, rtol=0, atol=1e-11
    )

    def floor():
        r = np.zeros((10, 10))
        for _ in range(steps):
            a.dot(a, out=r)

    few = max(steps // 100, 10)
    assert np.allclose(
        naive_retrain(images, z, lr, few),
        descent_after(images, z, lr=lr, steps=few)[:-1],
        atol=1e-11,
    )
    calls = {
        "ours, dual": lambda: descend_dual(zero, images, z, squared_error, **how),
        "ours, primal": lambda: descend(zero, images, z, squared_error, **how),
        "closed form in t (T9)": lambda: descent_after(images, z, lr=lr, steps=steps),
        "floor: one 10 x 10 product a step": floor,
    }
    if torch:
        assert np.allclose(torch_retrain(torch, images, z, lr, steps), expected, rtol=0, atol=1e-11)
        calls["torch, full batch"] = lambda: torch_retrain(torch, images, z, lr, steps)
    seconds = compare(calls, repeats=3)
    seconds["naive: image by image"] = (
        compare({"": lambda: naive_retrain(images, z, lr, few)}, repeats=3)[""] * steps / few
    )
    report(
        f"retraining on ten images, {steps} steps",
        seconds,
        [faster("ours, dual", "torch, full batch", 100)],
        least={
            None: least_seconds(steps * 2 * 10**3, 0, "float64"),
            "closed form in t (T9)": least_seconds(4 * 10 * 10 * 785, 16 * 7850, "float64"),
            **dict.fromkeys(
                ("ours, primal", "torch, full batch", "naive: image by image"),
                least_seconds(steps * 4 * 10 * 7850, 0, "float64"),
            ),
        },
        note=f"lr: a hundredth of the best, or the descent has converged before the end. Naive: "
        f"{few} steps, times "
        f"{steps / few:g}.",
    )
    soft, lr = softmax(z / T), lr * T**2
    calls = {
        "ours, dual": lambda: retrain(images, z, temperature=T, lr=lr, steps=steps, tol=0),
        "ours, primal": lambda: retrain(
            images, z, temperature=T, lr=lr, steps=steps, tol=0, form="primal"
        ),
    }
    dual, primal = (call().network.parameters[0] for call in calls.values())
    assert np.allclose(dual, primal, rtol=0, atol=1e-11)
    if torch:
        assert np.allclose(
            torch_retrain(torch, images, soft, lr, steps, T), dual, rtol=0, atol=1e-11
        )
        calls["torch, full batch"] = lambda: torch_retrain(torch, images, soft, lr, steps, T)
    report(
        f"the same by cross-entropy at T = {T:g}",
        compare(calls, repeats=3),
        [faster("ours, dual", "torch, full batch", 20)],
        note="no closed form; a step is ten NumPy calls on 10 x 10 numbers",
        least={
            "ours, dual": least_seconds(steps * 2 * 10**3, 0, "float64"),
            None: least_seconds(steps * 4 * 10 * 7850, 0, "float64"),
        },
    )


def main(quick=False):
    images = visualization(quick)
    hidden(quick, 1)
    hidden(quick, 2 if quick else 100)
    retraining(quick, images)
