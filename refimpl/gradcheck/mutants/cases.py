"""The gradients of this project, each as a Case: a function, its vector-Jacobian product, and
inputs to check it at.

One case a layer, loss, objective and network, built from the real code; a planted error replaces
one piece of it.
"""

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from refimpl import second_order, theory
from refimpl.class_visualization import class_visualizations
from refimpl.descent import descend
from refimpl.dual import descend_dual
from refimpl.gradcheck import check_gradients, check_layer, layer_functions
from refimpl.gradcheck.mutants.pins import PINS, network_pin
from refimpl.gradcheck.mutants.planted import EXAMPLES as ROW_EXAMPLES
from refimpl.gradcheck.mutants.planted_conv import EXAMPLES as IMAGE_EXAMPLES
from refimpl.gradcheck.mutants.planted_silent import silent_cases
from refimpl.layers import LAYERS, Affine, Conv2D, Flatten, MaxPool2D, ReLU, Unflatten
from refimpl.layers.regularization import BatchNorm, Dropout
from refimpl.losses import OBJECTIVES, cross_entropy, distillation, softmax, squared_error
from refimpl.network import Network, one_hidden_net
from refimpl.optimize import momentum, sgd
from refimpl.training import train

EXAMPLES = ROW_EXAMPLES | IMAGE_EXAMPLES
PLACE = "refimpl/gradcheck/mutants/planted.py or planted_conv.py"


LR = 2.0**40  # of the one step that step_case takes: dividing by it loses no digit


@dataclass(frozen=True, eq=False)
class Case:
    """f, vjp, inputs as check_gradients takes them; layer and x where check_layer can see more;
    pin: a convention.
    """

    f: object
    vjp: object
    inputs: tuple
    options: dict = field(default_factory=dict)
    layer: object = None
    x: object = None
    pin: object = None  # () -> bool: the examples that fix a convention
    name: str = ""

    def check(self, rng):
        """(accepted, the report or error in words) of our checker, of the dtypes and of the pinned
        convention. What is neither accepted nor accused starts with "no verdict".
        """
        try:
            report = (
                check_gradients(self.f, self.vjp, self.inputs, rng=rng, **self.options)
                if self.layer is None
                else check_layer(self.layer, self.x, rng=rng, **self.options)
            )
        except (ValueError, TypeError) as error:
            return False, f"error: {error}"
        if report.ok and report.notes:
            return False, f"convention: {report.notes[0]}"
        if report.ok and self.pin and not self.pin():
            return False, "convention: not the pinned one"
        return report.ok, str(report)


class MaxPool:
    """A layer of a user's own: the larger of each pair of neighbours; of equal ones the first gets
    the gradient.
    """

    def forward(self, x, *, train=False, rng=None):  # (N, 2 D) -> (N, D)
        pairs = x.reshape(len(x), -1, 2)
        first = pairs[..., 0].real >= pairs[..., 1].real
        return np.where(first, pairs[..., 0], pairs[..., 1]), first

    def backward(self, dout, first):
        zero = dout.dtype.type(0)
        return np.stack(
            [np.where(first, dout, zero), np.where(first, zero, dout)], axis=-1
        ).reshape(len(dout), -1), ()


class MeanPool:
    """A layer of a user's own: the mean of each pair of neighbours."""

    def forward(self, x, *, train=False, rng=None):  # (N, 2 D) -> (N, D)
        return (x[:, ::2] + x[:, 1::2]) / 2, None

    def backward(self, dout, cache):
        return np.repeat(dout / 2, 2, axis=1), ()


def kink_free(rng, *shape, scale=1.0):
    """Random signs times U(.1, 2): no entry near 0, the kink of a ReLU."""
    return rng.choice((-1.0, 1.0), shape) * rng.uniform(0.1, 2.0, shape) * scale


def layer_case(layer, x, rng, *, pin=None, train=False, **options):
    """A layer or network; its convention is pinned where refimpl.gradcheck.mutants.pins has an
    example for its kind.
    """
    f, vjp, inputs, _ = layer_functions(layer, x, rng=rng, train=train)
    pin = PINS.get(type(layer).__name__) if pin is None else pin
    return Case(f, vjp, inputs, options | {"train": train}, layer, x, pin and (lambda: pin(layer)))


def make_layer(name, rng, *, n=4, d=3, k=3, scale=1.0):
    """An instance of a layer of LAYERS by name and a batch for it: the layer's example, which
    stands beside its planted errors.
    """
    if name not in EXAMPLES:
        raise KeyError(f"layer {name}: no gradient case; give it an example in {PLACE}")
    return EXAMPLES[name](partial(kink_free, rng), n, d, k, scale)


def like(target, z):
    """Soft targets in the precision of the logits; labels as they are."""
    return target if target.dtype.kind in "iu" else target.astype(z.real.dtype)


def loss_case(loss, z, target, **options):
    """loss(z, target, **options) -> (value, dz) as a Case over z."""

    def f(z):
        return loss(z, like(target, z), **options)[0]

    def vjp(dout, z):
        return dout * loss(z, like(target, z), **options)[1]

    return Case(f, vjp, (z,))


def objective_case(objective, z, classes):
    def f(z):
        return objective(z, classes)[0]

    def vjp(dout, z):
        return dout[:, None] * objective(z, classes)[1]

    return Case(f, vjp, (z,))


def hvp_case(gradient, hvp, z, target, **options):
    """A Hessian-vector product as the vector-Jacobian product of the gradient: a Hessian is
    symmetric.
    """
    return Case(
        lambda z: gradient(z, like(target, z), **options)[1],
        lambda v, z: hvp(z, like(target, z), v, **options),
        (z,),
    )


def visualization_case(network, x, classes, run):
    """The gradient that one step of class_visualizations follows, lr 1: (x_1 - x_0) / lr."""

    def f(x):
        return OBJECTIVES["log_probability"](network.forward(x)[0], classes)[0] - 0.1 * (x * x).sum(
            axis=1
        )

    def vjp(dout, x):
        after, _ = run(
            network,
            objective="log_probability",
            steps=1,
            lr=1.0,
            weight_decay=0.1,
            start=x,
            classes=classes,
        )
        return dout[:, None] * (after - x).astype(x.dtype)

    return Case(f, vjp, (x,), {"dtypes": ("float64",)})


def step_case(run, network, x, y, *, loss=cross_entropy, update=sgd):
    """The gradient that one step of a training loop follows: (theta_0 - theta_1) / lr.

    lr is so large that the step keeps the gradient's digits where the parameters are far larger.
    """

    def f(*p):
        return loss(network.with_parameters(p).forward(x)[0], y)[0]

    def vjp(dout, *p):
        after = run(network.with_parameters(p), x, y, loss=loss, update=update)
        return tuple(dout * (a - b) / LR for a, b in zip(p, after.parameters))

    names = [f"{i}.{n}" for i in range(0, len(network.layers), 2) for n in "wb"]
    return Case(f, vjp, network.parameters, {"dtypes": ("float64",), "names": names})


def run_train(network, x, y, *, loss, update):
    rng = np.random.default_rng(0)
    return train(network, x, y, steps=1, lr=LR, batch=len(x), rng=rng, loss=loss, update=update)[0]


def run_descend(network, x, y, *, loss, update):
    return descend(network, x, y, loss, lr=LR, steps=1, update=update).network


def run_dual(network, x, y, *, loss, update):
    return descend_dual(network, x, y, loss, lr=LR, steps=1, update=update).network


def cases(rng, *, n=4, d=3, k=3, scale=1.0, swap=None):
    """All cases by name, at random inputs of one scale: {name: Case}.

    swap: {name: alter}; alter(real) replaces the layer instance or function under that name by a
    broken one.
    """

    def real(name, piece):
        return swap[name](piece) if swap and name in swap else piece

    x, z, v = (
        kink_free(rng, n, d, scale=scale),
        kink_free(rng, n, k, scale=scale),
        kink_free(rng, n, k, scale=scale),
    )
    labels, soft = rng.integers(0, k, n), softmax(kink_free(rng, n, k))
    net = one_hidden_net(d, 5, k, rng=rng).with_parameters(
        [kink_free(rng, *p.shape) for p in one_hidden_net(d, 5, k, rng=rng).parameters]
    )
    sizes = {"n": n, "d": d, "k": k, "scale": scale}
    found = layer_cases(rng, real, **sizes)
    found |= network_cases(rng, real, net, x, labels)
    found |= loss_cases(real, z, v, labels, soft)
    found |= descent_cases(rng, real, net, x, labels, soft)
    found |= {name: Case(*parts) for name, parts in silent_cases(rng, real).items()}
    return {name: replace(case, name=name) for name, case in found.items()}


def layer_cases(rng, real, *, n, d, k, scale):
    """Every layer of the project, and two of a user's own."""
    found = {}
    for name in LAYERS:
        layer, own = make_layer(name, rng, n=n, d=d, k=k, scale=scale)
        layer = real(name, layer)
        found[name] = layer_case(layer, own, rng)
    found |= image_cases(rng, real, kink_free(rng, n, d, 6, 4, scale=scale), k)
    for layer in MaxPool(), MeanPool():
        name, pairs = f"yours.{type(layer).__name__}", kink_free(rng, n, 2 * d, scale=scale)
        found[name] = layer_case(real(name, layer), pairs, rng)
    return found


def network_cases(rng, real, net, x, labels):
    """A network with one hidden layer, its gradients and its Hessian-vector products."""
    found = {}
    found["Network"] = layer_case(real("Network", net), x, rng)
    found["Network.sigmoid"] = layer_case(
        Network((net.layers[0], LAYERS["Sigmoid"](), net.layers[2])), x, rng
    )
    found["Network.tanh"] = layer_case(
        Network((net.layers[0], LAYERS["Tanh"](), net.layers[2])), x, rng
    )
    found["input_gradient"] = input_gradient_case(
        net, x, real("input_gradient", Network.input_gradient)
    )
    found["hidden_gradient"] = hidden_case(
        net, x, labels, real("hidden_gradient", theory.hidden_gradient)
    )
    for name, activation in (
        ("input_hvp", "Tanh"),
        ("input_hvp.relu", "ReLU"),
        ("input_hvp.sigmoid", "Sigmoid"),
    ):
        found[name] = input_hvp_case(
            Network((net.layers[0], LAYERS[activation](), net.layers[2])),
            x,
            labels,
            real(name, second_order.input_hvp),
        )
    return found


def loss_cases(real, z, v, labels, soft):
    """Every loss and objective, and their Hessian-vector products."""
    found = {}
    found["cross_entropy"] = loss_case(real("cross_entropy", cross_entropy), z, labels)
    found["cross_entropy.soft"] = loss_case(
        real("cross_entropy.soft", cross_entropy), z, soft * 1.5, temperature=2.0
    )
    found["distillation"] = loss_case(real("distillation", distillation), z, v, temperature=3.0)
    found["squared_error"] = loss_case(real("squared_error", squared_error), z, v)
    for name, objective in OBJECTIVES.items():
        found[name] = objective_case(real(name, objective), z, labels)
        found[f"{name}_hvp"] = hvp_case(
            objective, real(f"{name}_hvp", second_order.OBJECTIVE_HVPS[name]), z, labels
        )
    found["cross_entropy_hvp"] = hvp_case(
        cross_entropy,
        real("cross_entropy_hvp", second_order.cross_entropy_hvp),
        z,
        soft * 1.5,
        temperature=2.0,
    )
    found["squared_error_hvp"] = hvp_case(
        squared_error, real("squared_error_hvp", second_order.squared_error_hvp), z, v
    )
    return found


def descent_cases(rng, real, net, x, labels, soft):
    """One step of each loop that follows a gradient."""
    found = {}
    found["class_visualizations"] = visualization_case(
        net, x, labels, real("class_visualizations", class_visualizations)
    )
    found["train"] = step_case(run_train, net, x, labels, update=real("train", sgd))
    found["descend"] = step_case(
        run_descend,
        net,
        x,
        soft,
        update=real("descend", momentum),
        loss=lambda z, t: cross_entropy(z, t, temperature=2.0),
    )
    found["descend_dual"] = step_case(
        real("descend_dual", run_dual), Network(net.layers[2:]), kink_free(rng, len(x), 5), soft
    )
    return found


def image_cases(rng, real, x, k):
    """The layers of images in their other modes, and a convolutional network: x (N, C, 6, 4)."""
    n, c, h, w = x.shape
    found = {}
    for name, layer, options in (
        ("Conv2D.same", Conv2D(kink_free(rng, k, c, 3, 2), kink_free(rng, k), padding="same"), {}),
        ("Conv2D.stride", Conv2D(kink_free(rng, k, c, 2, 2), kink_free(rng, k), stride=2), {}),
        ("MaxPool2D.overlap", MaxPool2D(2, 1), {}),
        ("Dropout.training", Dropout(0.25), {"train": True, "batch": False}),
        (
            "BatchNorm.training",
            BatchNorm(*kink_free(rng, 3, c), np.ones(c)),
            {"train": True, "batch": False},
        ),
    ):
        found[name] = layer_case(real(name, layer), x, rng, **options)
    b = np.abs(x).max() * kink_free(rng, 2 + k)
    net = Network(
        (
            Unflatten((c, h, w)),
            Conv2D(kink_free(rng, 2, c, 3, 3), b[:2], padding="same"),
            ReLU(),
            MaxPool2D(),
            Flatten(),
            Affine(kink_free(rng, 12, k), b[2:]),
        )
    )
    rows, rule = x.reshape(n, -1), real("Network.rule", net)
    found["Network.conv"] = layer_case(real("Network.conv", net), rows, rng)
    found["Network.rule"] = layer_case(rule, rows, rng, pin=network_pin)
    found["parameter_gradients"] = parameters_case(
        net, rows, real("parameter_gradients", Network.parameter_gradients)
    )
    return found


def parameters_case(net, x, gradients):
    """The gradients that training follows, without the dx of the first layer with parameters."""

    def vjp(dout, *p):
        here = net.with_parameters(p)
        return tuple(g for layer in gradients(here, dout, here.forward(x)[1]) for g in layer)

    return Case(
        lambda *p: net.with_parameters(p).forward(x)[0],
        vjp,
        net.parameters,
        {"dtypes": ("float64",), "names": ("1.w", "1.b", "5.w", "5.b")},
    )


def input_gradient_case(net, x, gradient):
    return Case(
        lambda x: net.forward(x)[0],
        lambda dout, x: gradient(net, x, dout),
        (x,),
        {"dtypes": ("float64",)},
    )


def hidden_case(net, x, classes, gradient):
    def f(x):
        return net.forward(x)[0][np.arange(len(x)), classes]

    return Case(
        f,
        lambda dout, x: dout[:, None] * gradient(net, x, classes),
        (x,),
        {"dtypes": ("float64",)},
    )


def input_hvp_case(net, x, labels, hvp):
    def f(x):
        return net.input_gradient(x, cross_entropy(net.forward(x)[0], labels)[1])

    def vjp(v, x):
        return hvp(
            net,
            x,
            v,
            gradient=lambda z: cross_entropy(z, labels)[1],
            hvp=lambda z, v: second_order.cross_entropy_hvp(z, labels, v),
        )

    return Case(f, vjp, (x,), {"dtypes": ("float64",)})
