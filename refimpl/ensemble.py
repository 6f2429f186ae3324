"""Several networks of one architecture trained together: their first layers are one matrix product.

They share data and minibatch order and nothing else, so each becomes what it would have become alone, to round-off: the
gradient of S losses that share no parameter is S gradients. What is saved is time: x (N, D) is gathered once and
multiplied with (D, S H), a shape that BLAS likes better than (D, H).
"""

import numpy as np

from refimpl.layers import Affine
from refimpl.losses import check_labels, log_softmax
from refimpl.network import Network
from refimpl.optimize import sgd
from refimpl.train import minibatches


def train_together(networks, x, y, *, steps, lr, batch=100, rng, update=sgd):
    """Minibatch descent on cross-entropy of S networks with one hidden layer from S inits, one minibatch order for all.

    networks: S Networks (Affine, activation, Affine) of equal shapes and dtypes. x (N, D), y (N,) labels, rng: the order,
    as in `train`; update: sgd, momentum or another that acts on single weights.
    Returns (networks, losses (steps, S)). Raises ValueError on other architectures, bad labels or batch,
    FloatingPointError at the first step where a loss is not finite.
    """
    layers = [network.layers for network in networks]
    if not layers or any([type(v) for v in own] != [Affine, type(own[1]), Affine] if len(own) == 3 else True
                         for own in layers) or len({tuple(p.shape for p in n.parameters) for n in networks}) != 1:
        raise ValueError("networks: expected at least one, all (Affine, activation, Affine) of equal shapes")
    check_labels(y, networks[0].classes)
    s, (w1, b1, w2, b2) = len(networks), [np.stack(p) for p in zip(*(n.parameters for n in networks))]
    d, h, k = w1.shape[1], w1.shape[2], w2.shape[2]
    activation, dtype = layers[0][1], w1.dtype
    w1 = np.ascontiguousarray(w1.transpose(1, 0, 2)).reshape(d, s * h)
    parameters, states = [w1, b1.reshape(-1), w2, b2[:, None]], [None] * 4
    losses = np.empty((steps, s))
    for step, rows in enumerate(minibatches(len(x), batch, steps, rng)):
        w1, b1, w2, b2 = parameters
        here = x[rows].astype(dtype, copy=False)
        z1 = (here @ w1 + b1).reshape(batch, s, h).transpose(1, 0, 2)  # (S, N, H)
        hidden, cache = activation.forward(z1)
        z = hidden @ w2 + b2  # (S, N, K)
        logp = log_softmax(z.reshape(-1, k))  # cross_entropy of S networks in one call, each a mean over its N
        own = np.arange(s * batch), np.tile(y[rows], s)
        losses[step] = -logp[own].reshape(s, batch).mean(axis=1)
        if not np.isfinite(losses[step]).all():
            raise FloatingPointError(f"a loss is not finite at step {step}: a smaller lr than {lr!r} is needed")
        dz = np.exp(logp)
        dz[own] -= 1
        dz = (dz / batch).reshape(s, batch, k)
        dz1, _ = activation.backward(dz @ w2.transpose(0, 2, 1), cache)
        dz1 = np.ascontiguousarray(dz1.transpose(1, 0, 2)).reshape(batch, s * h)
        gradients = (here.T @ dz1, dz1.sum(axis=0), hidden.transpose(0, 2, 1) @ dz, dz.sum(axis=1, keepdims=True))
        moved = [update(p, g, state, lr=lr) for p, g, state in zip(parameters, gradients, states)]
        parameters, states = [p for p, _ in moved], [state for _, state in moved]
    w1, b1, w2, b2 = parameters
    w1, b1 = w1.reshape(d, s, h), b1.reshape(s, h)
    return [Network((Affine(w1[:, i].copy(), b1[i].copy()), activation, Affine(w2[i].copy(), b2[i, 0].copy())))
            for i in range(s)], losses
