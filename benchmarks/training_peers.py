"""Minibatch training as people write it elsewhere: torch, jax and scikit-learn, and a loop over
images.

Each is loop(network, x, y, batches, lr) -> the weights (D, K) of the first layer, from the same
start, over the same index arrays; but torch's DataLoader draws its own order and is timed only.
"""

import numpy as np

from benchmarks.timing import peer


def naive(network, x, y, batches, lr):
    """A Python loop over the images of a batch; ReLU between the layers."""
    parameters = [p.astype(np.float64) for p in network.parameters]
    for rows in batches:
        gradients = [np.zeros_like(p) for p in parameters]
        for i in rows:
            inputs = [x[i].astype(np.float64)]
            for w, b in zip(parameters[:-2:2], parameters[1:-2:2]):
                inputs.append(np.maximum(inputs[-1] @ w + b, 0))
            z = inputs[-1] @ parameters[-2] + parameters[-1]
            dz = np.exp(z - z.max())
            dz /= dz.sum()
            dz[y[i]] -= 1
            for n in reversed(range(0, len(parameters), 2)):
                gradients[n] += np.outer(inputs[n // 2], dz)
                gradients[n + 1] += dz
                dz = (parameters[n] @ dz) * (inputs[n // 2] > 0)
        parameters = [p - lr / len(rows) * g for p, g in zip(parameters, gradients)]
    return parameters[0]


def torch_model(torch, network, lr):
    layers = []
    for layer in network.layers:
        layers.append(torch.nn.Linear(*layer.w.shape) if hasattr(layer, "w") else torch.nn.ReLU())
        if hasattr(layer, "w"):
            with torch.no_grad():
                layers[-1].to(torch.from_numpy(layer.w).dtype)
                layers[-1].weight.copy_(torch.from_numpy(layer.w.T))
                layers[-1].bias.copy_(torch.from_numpy(layer.b))
    model = torch.nn.Sequential(*layers)
    return model, torch.optim.SGD(model.parameters(), lr=lr)


def torch_batches(torch, network, x, y, batches, lr):
    """torch with index arrays instead of a DataLoader."""
    model, optimizer = torch_model(torch, network, lr)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    for rows in batches:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    return model[0].weight.detach().numpy().T


def torch_loader(torch, network, x, y, batches, lr):
    """torch's usual loop: a DataLoader that shuffles, its workers this process."""
    model, optimizer = torch_model(torch, network, lr)
    data = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader, done = (
        torch.utils.data.DataLoader(data, batch_size=len(batches[0]), shuffle=True, drop_last=True),
        0,
    )
    while done < len(batches):
        for images, labels in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
            done += 1
            if done == len(batches):
                break


def jax_loops(jax):
    """(a loop over a step under jit, the whole loop under jit with scan); both gather in the jitted
    function.
    """
    jnp = jax.numpy

    def loss(parameters, x, y):
        for w, b in zip(parameters[:-2:2], parameters[1:-2:2]):
            x = jnp.maximum(x @ w + b, 0)
        z = x @ parameters[-2] + parameters[-1]
        return -jax.nn.log_softmax(z)[jnp.arange(len(y)), y].mean()

    @jax.jit
    def step(parameters, x, y, rows, lr):
        gradients = jax.grad(loss)(parameters, x[rows], y[rows])
        return [p - lr * g for p, g in zip(parameters, gradients)]

    @jax.jit
    def scan(parameters, x, y, batches, lr):
        return jax.lax.scan(lambda p, rows: (step(p, x, y, rows, lr), None), parameters, batches)[0]

    held = {}  # the data set goes to jax once

    def given(network, x, y, lr):
        if id(x) not in held:
            held[id(x)] = x, jnp.asarray(x), jnp.asarray(y)
        return (
            [jnp.asarray(p) for p in network.parameters],
            *held[id(x)][1:],
            jnp.asarray(lr, x.dtype),
        )

    def by_steps(network, x, y, batches, lr):
        parameters, x, y, lr = given(network, x, y, lr)
        for rows in batches:
            parameters = step(parameters, x, y, rows, lr)
        return np.asarray(parameters[0])

    def at_once(network, x, y, batches, lr):
        parameters, x, y, lr = given(network, x, y, lr)
        return np.asarray(scan(parameters, x, y, jnp.asarray(np.array(batches)), lr)[0])

    return by_steps, at_once


def sklearn_batches(neural_network, network, x, y, batches, lr):
    """scikit-learn's MLPClassifier, one partial_fit a batch, without momentum and penalty."""
    shapes = [p.shape for p in network.parameters]
    model = neural_network.MLPClassifier(
        [shape[1] for shape in shapes[:-2:2]],
        solver="sgd",
        alpha=0,
        momentum=0,
        nesterovs_momentum=False,
        batch_size=len(batches[0]),
        learning_rate_init=lr,
    )
    model.partial_fit(x[batches[0]], y[batches[0]], classes=np.arange(shapes[-1][0]))
    for there, p in zip(
        model.coefs_ + model.intercepts_, network.parameters[::2] + network.parameters[1::2]
    ):
        there[...] = p
    for rows in batches:
        model.partial_fit(x[rows], y[rows])
    return model.coefs_[0]


def loops():
    """{name: loop} of the peers that are installed; what says "own order" cannot be compared by its
    weights.
    """
    found = {}
    if torch := peer("torch"):
        found["torch, DataLoader (own order)"] = lambda *a: torch_loader(torch, *a)
        found["torch, index arrays"] = lambda *a: torch_batches(torch, *a)
    if jax := peer("jax"):
        found["jax, step under jit"], found["jax, whole loop under jit (scan)"] = jax_loops(jax)
    if peer("sklearn"):
        from sklearn import neural_network

        found["scikit-learn, partial_fit"] = lambda *a: sklearn_batches(neural_network, *a)
    return found
