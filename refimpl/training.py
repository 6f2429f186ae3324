"""Training by minibatches: the loop behind every teacher, of one network or of several at once.

There is one loop and one arithmetic, the network's own forward and backward. What is asked beside
it (a callback, another loss, another update) changes nothing else, not one bit.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from refimpl.arguments import function, generator, positive, real_network, row_array, takes, whole
from refimpl.dtypes import as_dtype_of, check_finite, gathered, rows_as
from refimpl.losses import check_labels, cross_entropy
from refimpl.network import Network
from refimpl.optimize import sgd
from refimpl.progress import telling
from refimpl.stacked import is_dense, stack, unstack
from refimpl.threads import one_thread_for


def minibatches(n: int, batch: int, steps: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield `steps` index arrays (batch,): a new permutation every epoch, a last incomplete batch
    left out.

    n: the number of images. A batch of all of them comes in their order, without chance: its mean
    gradient knows no order. Raises ValueError on a batch larger than n, or none.

    >>> sorted(int(i) for rows in minibatches(4, 2, 2, np.random.default_rng(0)) for i in rows)
    [0, 1, 2, 3]
    """
    if not 1 <= batch <= n:
        raise ValueError(f"batch: expected 1 to {n} (the number of images), got {batch}")
    per_epoch = n // batch
    order = np.arange(n)
    for step in range(steps):
        if step % per_epoch == 0 and batch < n:
            order = rng.permutation(n)
        i = step % per_epoch * batch
        yield order[i : i + batch]


def train_step(
    network: Any,
    states: Sequence,
    x: np.ndarray,
    y: np.ndarray,
    *,
    lr: float,
    rng: np.random.Generator | None,
    loss: Callable = cross_entropy,
    update: Callable = sgd,
    at: int = 0,
) -> tuple[Any, tuple, Any, np.ndarray]:
    """One step of minibatch descent, pure.

    network: a Network, or one that gives each thread a part of the batch (companions/cnn/shards). x
    (N, D), 8-bit pixels or floats; y as the loss wants it. states: one optimizer state a parameter,
    None at first. The running statistics of the network move too, and its weights keep to their
    max-norm. rng feeds train-time chance (Dropout). at: the step's number, for the error. Returns
    (network, states, value, z): value the loss and z (N, K) the output for this batch before the
    step, chance at work. Raises FloatingPointError where the loss is not finite.

    >>> from refimpl.network import softmax_net
    >>> net, x = softmax_net(1, 2), np.array([[1.0], [-1.0]])
    >>> new, states, value, z = train_step(
    ...     net, (None, None), x, np.array([0, 1]), lr=1.0, rng=np.random.default_rng(0)
    ... )
    >>> round(float(value), 4), new.parameters[0].tolist()
    (0.6931, [[0.5, -0.5]])
    """
    parameters = network.parameters
    z, caches = network.forward(rows_as(x, parameters[0].dtype), train=True, rng=rng)
    value, dz = loss(z, y)
    if not np.isfinite(value).all():
        raise FloatingPointError(
            f"the loss is not finite at step {at}: a smaller lr than {lr!r} is needed"
        )
    gradients = network.parameter_gradients(as_dtype_of(z, dz), caches)
    flat = [g for layer in gradients for g in layer]
    moved = [update(p, g, s, lr=lr) for p, g, s in zip(parameters, flat, states, strict=True)]
    network = network.updated(caches).with_parameters([p for p, _ in moved]).projected()
    return network, tuple(s for _, s in moved), value, z


@takes(loss=function, update=function, project=function, on_step=function, progress=function)
def train(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    *,
    steps: int,
    lr: float,
    batch: int = 100,
    rng: np.random.Generator | int | None = None,
    falling: bool = False,
    loss: Callable = cross_entropy,
    update: Callable = sgd,
    project: Callable[[Network], Network] | None = None,
    on_step: Callable[[int, Network], object] | None = None,
    progress: Callable[[str], object] | None = None,
) -> tuple[Network, np.ndarray]:
    """Minibatch descent on loss(network(x), y).

    x (N, D): floats, cast batch by batch to the network's dtype, or uint8, 8-bit pixels of which
    each batch is turned into grey levels k / 255. y, as the loss wants it: integer labels (N,),
    probabilities or logits (N, K), images (N, D), which may be pixels too. falling=True lets the
    learning rate fall linearly, lr (1 - step / steps). rng, a Generator or a seed, orders the
    minibatches and feeds train-time chance. After every step come project(network) -> network, e.g.
    to keep zeros zero, and on_step(step, network), e.g. to watch a validation set. progress(text)
    is told now and then which step it is (refimpl.progress). Returns (network, losses (steps,));
    the network passed in is not changed. Raises ValueError on x, y, steps, lr or batch that do not
    fit, and on numbers in them that are not finite; FloatingPointError at the first step where the
    loss of finite numbers is not.

    >>> from refimpl.network import softmax_net
    >>> x, y = np.array([[1.0], [-1.0]]), np.array([0, 1])
    >>> net, losses = train(
    ...     softmax_net(1, 2), x, y, steps=50, lr=0.5, batch=2, rng=np.random.default_rng(0)
    ... )
    >>> net.predict(x).tolist(), round(float(losses[0]), 4)
    ([0, 1], 0.6931)
    """
    x, y = row_array("x", x), row_array("y", y)
    steps, lr, batch = whole("steps", steps), positive("lr", lr), whole("batch", batch, 1)
    _check_training(network, x, y, loss)
    rng = generator("rng", rng)
    with one_thread_for(network.parameters, batch):
        return _minibatch_descent(
            network,
            x,
            y,
            minibatches(len(x), batch, steps, rng),
            lambda step: lr * (1 - step / steps) if falling else lr,
            rng=rng,
            loss=loss,
            update=update,
            project=project,
            on_step=telling(progress, steps, on_step),
        )


def _minibatch_descent(network, x, y, batches, rate, *, project, on_step, **how):
    """The loop of train: batches yields the rows of each step, rate(step) is its learning rate."""
    start, states, losses = network, (None,) * len(network.parameters), []
    images_wanted = y.dtype == np.uint8 and y.ndim > 1
    for step, (rows, images) in enumerate(gathered(x, batches)):
        target = rows_as(y[rows], np.float32) if images_wanted else y[rows]
        try:
            network, states, value, _ = train_step(
                network, states, images, target, lr=rate(step), at=step, **how
            )
        except FloatingPointError:
            check_finite(
                x=x, y=y, **{f"network, parameter {i}": p for i, p in enumerate(start.parameters)}
            )
            raise
        losses.append(value)
        if project is not None:
            network = project(network)
        if on_step is not None:
            on_step(step, network)
    return network, np.array(losses, np.float64)


def _check_training(network, x, y, loss):
    """What can be said of train's arguments before the first step."""
    real_network(network)
    network.check_rows(x)
    if len(x) != len(y):
        raise ValueError(f"y: expected {len(x)} labels or targets, one an image, got {len(y)}")
    if y.ndim == 1 and (y.dtype.kind in "iu" or loss is cross_entropy) and len(x):
        z = network.forward(rows_as(x[:1], network.dtype))[0]  # (1, K)
        check_labels(y, z.shape[-1])


def train_together(
    networks: Sequence[Network],
    x: np.ndarray,
    y: np.ndarray,
    *,
    loss: Callable = cross_entropy,
    **how: Any,
) -> tuple[list[Network], np.ndarray]:
    """`train` of S dense networks from S inits, one minibatch order for all.

    They share the images and their order and nothing else, so each becomes what it would have
    become alone, to round-off: the gradient of S losses that share no parameter is S gradients. The
    layers of all are stacked into one network, whose output is (S, N, K). networks: S Networks of
    equal layers, shapes and dtypes; x, y, loss, and how: steps, lr, batch, rng, falling and update,
    as in `train`. Returns (networks, losses (steps, S)). Raises ValueError on other architectures,
    and as `train`.

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

    def each(z, target):
        """Every network's loss: z (S, N, K) -> values (S,), dz (S, N, K)."""
        values, dz = zip(*(loss(own, target) for own in z))
        return np.array(values), np.stack(dz)

    networks[0].check_rows(np.asarray(x))
    of_all = loss if loss is cross_entropy else each  # cross_entropy takes (S, N, K) as it is
    stacked, losses = train(stack(networks), x, y, loss=of_all, **how)
    return [unstack(stacked, network, i) for i, network in enumerate(networks)], losses
