"""Minibatch descent of dense networks, one or several of one architecture at once: what `train`
does, arranged for speed.

Images are columns here, z (S, K, N): the sums of the softmax run over rows, and the first layers of
S networks are one matrix (S H, D), so that x is gathered once and multiplied once. The networks
share data and minibatch order and nothing else, so each becomes what it would have become alone, to
round-off: the gradient of S losses that share no parameter is S gradients. In `python -m benchmarks
--only train`: what that gives, beside the matrix products alone.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.losses import check_labels
from refimpl.network import Network
from refimpl.optimize import sgd


def check_data(
    x: np.ndarray, y: np.ndarray, classes: int, *, lr: float = 1.0, name: str = "y"
) -> None:
    """Raises ValueError unless y has (N,) one integer label in [0, classes) for each image of x (N,
    D), and lr > 0.

    >>> check_data(np.zeros((4, 2)), np.array([0, 1]), 2)
    Traceback (most recent call last):
        ...
    ValueError: y: expected 4 labels, one an image, got 2
    """
    check_labels(y, classes, name=name)
    if len(x) != len(y):
        raise ValueError(f"{name}: expected {len(x)} labels, one an image, got {len(y)}")
    if not lr > 0:
        raise ValueError(f"lr: expected a positive number, got {lr!r}")


def minibatches(n: int, batch: int, steps: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield `steps` index arrays (batch,): a new permutation every epoch, a last incomplete batch
    left out.

    n: the number of images. Raises ValueError on a batch larger than that, or none.

    >>> sorted(int(i) for rows in minibatches(4, 2, 2, np.random.default_rng(0)) for i in rows)
    [0, 1, 2, 3]
    """
    if not 1 <= batch <= n:
        raise ValueError(f"batch: expected 1 to {n} (the number of images), got {batch}")
    per_epoch = n // batch
    for step in range(steps):
        if step % per_epoch == 0:
            order = rng.permutation(n)
        i = step % per_epoch * batch
        yield order[i : i + batch]


def is_dense(network: Network) -> bool:
    """Whether a network of real numbers is Affine layers, without max_norm, and activations in
    turn.

    >>> from refimpl.network import softmax_net
    >>> is_dense(softmax_net(784, 10)), is_dense(softmax_net(784, 10).astype(complex))
    (True, False)
    """
    affine, activations = network.layers[::2], network.layers[1::2]
    return (
        len(affine) == len(activations) + 1
        and all(type(v) in (ReLU, Sigmoid, Tanh) for v in activations)
        and all(type(v) is Affine and v.max_norm is None and v.w.dtype.kind == "f" for v in affine)
    )


def train_together(
    networks: Sequence[Network],
    x: np.ndarray,
    y: np.ndarray,
    *,
    steps: int,
    lr: float,
    batch: int = 100,
    rng: np.random.Generator,
    falling: bool = False,
    update: Callable = sgd,
) -> tuple[list[Network], np.ndarray]:
    """Minibatch descent on cross-entropy of S dense networks from S inits, one minibatch order for
    all.

    networks: S Networks of equal layers, shapes and dtypes. x (N, D), y (N,) labels, rng, falling:
    as in `train`; update: sgd, momentum or another that acts on single weights. Returns (networks,
    losses (steps, S)). Raises ValueError on other architectures, bad labels, lr or batch,
    FloatingPointError at the first step where a loss is not finite.

    >>> from refimpl.network import softmax_net
    >>> nets, x, y = (
    ...     [softmax_net(1, 2), softmax_net(1, 2)],
    ...     np.array([[1.0], [-1.0]]),
    ...     np.array([0, 1]),
    ... )
    >>> (net, _), losses = train_together(
    ...     nets, x, y, steps=1, lr=1.0, batch=2, rng=np.random.default_rng(0)
    ... )
    >>> net.parameters[0].tolist(), losses.round(6).tolist()
    ([[0.5, -0.5]], [[0.693147, 0.693147]])
    """
    alike = {
        (*map(type, net.layers), *((p.shape, p.dtype) for p in net.parameters)) for net in networks
    }
    if len(alike) != 1 or not all(map(is_dense, networks)):
        raise ValueError(
            "networks: expected at least one, all dense, without max_norm, of equal layers, "
            "shapes and dtypes"
        )
    check_data(x, y, networks[0].classes, lr=lr)
    x, layers, s, d = np.ascontiguousarray(x), networks[0].layers, len(networks), x.shape[1]
    activations, dtype = layers[1::2], layers[0].w.dtype
    weights = [
        np.stack([net.layers[i].w.T for net in networks]) for i in range(0, len(layers), 2)
    ]  # (S, K, D) each
    biases = [
        np.stack([net.layers[i].b[:, None] for net in networks]) for i in range(0, len(layers), 2)
    ]  # (S, K, 1)
    states: list[tuple] = [(None, None)] * len(weights)
    losses = np.empty((steps, s))
    gathered, labels = np.empty((batch, d), x.dtype), y.astype(np.intp) * batch
    corner = np.arange(s)[:, None] * networks[0].classes * batch + np.arange(
        batch
    )  # where z[s, 0, n] is, flat
    for step, rows in enumerate(minibatches(len(x), batch, steps, rng)):
        x.take(rows, axis=0, out=gathered, mode="clip")  # the rows are in range: nothing is clipped
        here = gathered.astype(dtype, copy=False)
        z, inputs, caches = (
            (weights[0].reshape(-1, d) @ here.T).reshape(s, -1, batch) + biases[0],
            [],
            [],
        )
        for w, b, activation in zip(weights[1:], biases[1:], activations):
            h, cache = activation.forward(z)
            inputs.append(h)
            caches.append(cache)
            z = w @ h + b
        z -= z.max(axis=1, keepdims=True)
        flat, own = (
            z.reshape(-1),
            labels[rows] + corner,
        )  # flat[own]: the logits of the images' own classes
        own_z, total = flat[own], np.exp(z, out=z).sum(axis=1)
        losses[step] = (np.log(total) - own_z).sum(axis=1) / batch
        if not np.isfinite(losses[step]).all():
            raise FloatingPointError(
                f"a loss is not finite at step {step}: a smaller lr than {lr!r} is needed"
            )
        z /= (total * batch)[:, None]
        flat[own] -= 1 / batch  # z is dz now
        rate = lr * (1 - step / steps) if falling else lr
        for i in reversed(range(len(weights))):
            if i:
                dw, back = z @ inputs[i - 1].transpose(0, 2, 1), weights[i].transpose(0, 2, 1) @ z
            else:
                dw = (z.reshape(-1, batch) @ here).reshape(weights[0].shape)
            db = z.sum(axis=2, keepdims=True)
            weights[i], w_state = update(weights[i], dw, states[i][0], lr=rate)
            biases[i], b_state = update(biases[i], db, states[i][1], lr=rate)
            states[i] = w_state, b_state
            if i:
                z = activations[i - 1].backward(back, caches[i - 1])[0]
    return [
        networks[n].with_parameters(
            [p for w, b in zip(weights, biases) for p in (w[n].T.copy(), b[n, :, 0].copy())]
        )
        for n in range(s)
    ], losses
