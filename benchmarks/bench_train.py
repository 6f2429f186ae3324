"""Training the shallow teacher: minibatches of 100 on 10,000 images of 784 pixels (noise as sparse as MNIST), 500 steps."""

import numpy as np

from benchmarks.timing import compare, report, torch_or_none
from refimpl.network import softmax_net
from refimpl.train import minibatches, train

STEPS, LR = 500, 0.05  # lr .5 is unstable on noise, and two roundings would drift apart


def data(quick):
    rng = np.random.default_rng(0)
    n = 1_000 if quick else 10_000
    return rng.random((n, 784), dtype=np.float32) * (rng.random((n, 784)) < 0.19), rng.integers(0, 10, n)


def naive(x, y, steps):
    """The same descent with a Python loop over the images of a batch."""
    w, b = np.zeros((784, 10)), np.zeros(10)
    for rows in minibatches(len(x), 100, steps, np.random.default_rng(0)):
        dw, db = np.zeros_like(w), np.zeros_like(b)
        for i in rows:
            z = x[i] @ w + b
            p = np.exp(z - z.max())
            p /= p.sum()
            p[y[i]] -= 1
            dw += np.outer(x[i], p)
            db += p
        w, b = w - LR / 100 * dw, b - LR / 100 * db
    return w


def torch_loop(torch, x, y, steps, dtype):
    """The loop most people write: a Linear, cross_entropy, SGD, shuffled index batches."""
    xt, yt = torch.from_numpy(x).to(dtype), torch.from_numpy(y)
    model = torch.nn.Linear(784, 10, dtype=dtype)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    for rows in minibatches(len(x), 100, steps, np.random.default_rng(0)):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(xt[rows]), yt[rows]).backward()
        optimizer.step()
    return model.weight.detach().numpy().T


def main(quick=False):
    x, y = data(quick)
    steps = 20 if quick else STEPS

    def ours(dtype=np.float64):
        return train(softmax_net(784, 10, dtype=dtype), x, y, steps=steps, lr=LR, rng=np.random.default_rng(0))[0]

    assert np.allclose(ours().parameters[0], naive(x, y, steps), atol=1e-12)
    calls = {"ours, float64": ours, "ours, float32": lambda: ours(np.float32), "naive: a loop over images": lambda: naive(
        x, y, steps)}
    torch = torch_or_none()
    if torch:
        assert np.allclose(ours().parameters[0], torch_loop(torch, x, y, steps, torch.float64), atol=1e-10)
        calls["torch, float32"] = lambda: torch_loop(torch, x, y, steps, torch.float32)
        calls["torch, float64"] = lambda: torch_loop(torch, x, y, steps, torch.float64)
    report(f"training 784-10, {steps} steps of 100 images", compare(calls, repeats=3 if quick else 5))
