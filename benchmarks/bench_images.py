"""Class visualization of all classes and retraining on ten images."""

import numpy as np

from benchmarks.timing import compare, report, torch_or_none
from refimpl.losses import squared_error
from refimpl.methods.class_visualization import ascend_preactivations, class_visualizations
from refimpl.network import one_hidden_net, softmax_net
from refimpl.theory import best_lr, descent_after, network_of
from refimpl.train import descend, descend_dual


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


def main(quick=False):
    steps = 20 if quick else 200
    network = teacher()

    def ours():
        return class_visualizations(network, objective="log_probability", steps=steps, lr=0.1)[0]

    assert np.allclose(ours(), one_by_one(network, steps), atol=1e-12)
    calls = {"ours, all classes at once": ours, "naive: class by class": lambda: one_by_one(network, steps)}
    torch = torch_or_none()
    if torch:
        assert np.allclose(ours(), torch_one_by_one(torch, network, steps), atol=1e-10)
        calls["torch, class by class"] = lambda: torch_one_by_one(torch, network, steps)
    report(f"class visualizations of ten classes, {steps} steps", compare(calls))

    rng = np.random.default_rng(1)
    hidden = one_hidden_net(784, 30, 10, rng=rng)
    how = {"objective": "log_probability", "steps": steps, "lr": 0.05, "start": rng.normal(size=(10, 784)),
           "classes": np.arange(10)}
    assert np.allclose(class_visualizations(hidden, **how)[0], ascend_preactivations(hidden, **how)[0], atol=1e-11)
    report(f"the same for 784-30-10, {steps} steps", compare({
        "ours, on the hidden Gram matrix (T9)": lambda: ascend_preactivations(hidden, **how),
        "ours, on the input": lambda: class_visualizations(hidden, **how)}))

    images, zero = ours(), softmax_net(784, 10)
    z, lr, steps = network.logits(images), best_lr(ours())[0], 50 if quick else 2_000
    how = {"lr": lr, "steps": steps, "tol": 0}
    assert np.allclose(descend(zero, images, z, squared_error, **how).network.parameters[0],
                       descent_after(images, z, lr=lr, steps=steps)[:-1], atol=1e-9)
    calls = {"ours, dual": lambda: descend_dual(zero, images, z, squared_error, **how),
             "ours, primal": lambda: descend(zero, images, z, squared_error, **how),
             "closed form in t (T9)": lambda: descent_after(images, z, lr=lr, steps=steps)}
    if torch:
        calls["torch, full batch"] = lambda: torch_retrain(torch, images, z, lr, steps)
    report(f"retraining on ten images, {steps} steps", compare(calls, repeats=3))


def torch_retrain(torch, images, z, lr, steps):
    x, t = torch.from_numpy(images), torch.from_numpy(z)
    model = torch.nn.Linear(784, 10, dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        (((model(x) - t) ** 2).sum() / (2 * len(t))).backward()
        optimizer.step()
