"""Class visualization: the input image that gradient ascent finds for one output of a trained
network.

Abreu-Pederzini et al. 2021, section 5.2, after Simonyan et al. 2014: maximize S_c(x) - lambda |x|^2
from the blank.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from refimpl.arguments import VISUALIZING, finite_array, real_array, takes
from refimpl.losses import OBJECTIVES, check_labels
from refimpl.network import Network
from refimpl.optimize import ascend, l2, penalty, with_priors, without_gradient
from refimpl.threads import one_thread_for


@takes(**VISUALIZING)
def class_visualizations(
    network: Network,
    *,
    objective: str = "logit",
    steps: int = 100,
    lr: float = 0.1,
    weight_decay: float = 0.0,
    box: tuple[float, float] | None = None,
    start: np.ndarray | None = None,
    classes: np.ndarray | Sequence[int] | None = None,
    priors: Iterable[Callable] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Ascend one image a class, all classes at once.

    objective: "logit", "centred_logit", "probability" or "log_probability" (the paper does not say
    which; see T6). weight_decay: lambda of - lambda |x|^2. box: (low, high), x is clipped to it
    after every step. start: (N, D) images, the blank (zeros) by default. classes (N,): which output
    each image is for, all K by default. priors: of refimpl.companions.maximization.priors, the
    first next to the network; the box is applied after them. Returns (images (N, D), history (steps
    + 1, N) of the whole objective). Raises ValueError on a bad argument, and where the gradient is
    zero at the starts for a class (for every class: a ReLU network with zero biases at the blank,
    T8): its image would come back as it went in. Raises FloatingPointError at the first step where
    the objective is not finite.

    >>> from refimpl.theory import network_of
    >>> net = network_of(np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]]))
    >>> class_visualizations(net, steps=10, lr=0.1)[0].round(6).tolist()
    [[1.0, 2.0], [-1.0, -2.0]]
    """
    score = _objective(objective)
    classes = np.arange(network.classes) if classes is None else real_array("classes", classes)
    check_labels(classes, network.classes, name="classes")
    x0 = _start(network, start, len(classes))

    def ascended(x, step):
        z, caches = network.forward(x)
        values, dz = score(z, classes)
        return values, network.backward(dz, caches, parameters=False)[0]

    if weight_decay:
        ascended, _ = penalty(l2, weight_decay)(ascended, None)
    _check_alive(ascended, x0, classes)
    project = None if box is None else (lambda x: np.clip(x, *box))
    ascended, project = with_priors(priors, ascended, project)
    with one_thread_for(network.parameters, len(x0)):
        return ascend(ascended, x0, steps=steps, lr=lr, project=project)


def _start(network, start, count):
    """The images to begin with (N, D), the blank by default."""
    if start is None:
        return np.zeros((count, network.inputs), network.dtype)
    x0 = finite_array("start", start, network.dtype)
    expected = (count, network.inputs)
    if x0.shape != expected:
        raise ValueError(f"start: expected shape {expected}, got {x0.shape}")
    return x0


def _check_alive(objective, x0, classes):
    """Raises ValueError with the classes whose images would come back as they went in."""
    dead = without_gradient(objective, x0)
    if dead.all() and len(dead):
        raise ValueError(
            "start: the gradient is zero there for every class (a ReLU network with zero biases "
            "at the blank?); start from noise"
        )
    if dead.any():
        raise ValueError(
            f"start: the gradient is zero there for classes {classes[dead].tolist()}: no unit that "
            f"leads to them is active; leave them out with classes=, or start from noise"
        )


def _objective(name):
    if not isinstance(name, str) or name not in OBJECTIVES:
        raise ValueError(f"objective: expected one of {sorted(OBJECTIVES)}, got {name!r}")
    return OBJECTIVES[name]


def ascend_preactivations(
    network: Network,
    *,
    objective: str,
    steps: int,
    lr: float,
    start: np.ndarray,
    classes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The same ascent for a network that begins with an Affine layer, run on that layer's output
    z1 in place of the image (T9): x = x_0 + a W1', z1 = z1_0 + a M, M = W1'W1.

    A step costs H^2 instead of 2 D H, K^2 for a linear network, whose z1 are the logits. lambda = 0
    and no box. start (N, D), classes (N,). Returns (images (N, D), history (steps + 1, N)), equal
    to class_visualizations to round-off. Raises as it does, but a start without a gradient comes
    back as it is.

    >>> from refimpl.network import one_hidden_net
    >>> net, start, classes = (
    ...     one_hidden_net(6, 4, 3, rng=np.random.default_rng(0)),
    ...     np.full((3, 6), 0.1),
    ...     np.arange(3),
    ... )
    >>> fast, _ = ascend_preactivations(
    ...     net, objective="logit", steps=9, lr=0.1, start=start, classes=classes
    ... )
    >>> slow, _ = class_visualizations(
    ...     net, objective="logit", steps=9, lr=0.1, start=start, classes=classes
    ... )
    >>> bool(np.allclose(fast, slow, rtol=0, atol=1e-12))
    True
    """
    objective_of, (first, *rest) = _objective(objective), network.layers
    tail, m = Network(tuple(rest)), first.w.T @ first.w  # (H, H)
    z1 = first.forward(start)[0]  # (N, H)

    def score(a, step):
        z, caches = tail.forward(z1 + a @ m)
        values, dz = objective_of(z, classes)
        return values, tail.backward(dz, caches, parameters=False)[0]

    a, values = ascend(score, np.zeros_like(z1), steps=steps, lr=lr)
    return start + a @ first.w.T, values
