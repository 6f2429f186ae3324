"""MyGrad's operations, each with inputs from its domain."""

from collections.abc import Callable, Iterator

import numpy as np

from refimpl.gradcheck.mutants.public.draws import (
    above,
    column,
    matrices,
    matrix,
    positive,
    real,
    row,
    threes,
    unit,
)
from refimpl.gradcheck.mutants.public.function import Function, Skipped

ONE = {  # domain: operations of one tensor, entry by entry
    real: (
        "abs absolute arcsinh arctan cbrt cos cosh exp exp2 expm1 negative positive sin sinc sinh "
        "square tan tanh csc sec cot coth csch sech arccot"
    ),
    positive: "log log10 log2 log1p sqrt reciprocal",
    unit: "arccos arcsin arctanh",
    above: "arccosh arccsc arcsec arccoth arccsch",
}
TWO = "add subtract multiply divide true_divide arctan2 logaddexp logaddexp2 maximum minimum"
ACTIVATIONS = "elu glu hard_tanh leaky_relu logsoftmax relu selu sigmoid soft_sign softmax tanh"
NO_GRADIENT = {
    "ceil floor rint sign trunc": "a step function, which MyGrad gives no gradient",
    "argmax argmin any allclose isclose isfinite isinf isnan isnat signbit logical_and logical_or "
    "logical_not logical_xor equal not_equal less less_equal greater greater_equal bincount "
    "shares_memory may_share_memory": "whole numbers, truth values",
    "sliding_window_view": "takes arrays alone, no tensors",
    "divmod floor_divide fmod mod remainder": "a quotient's whole part, which MyGrad gives no "
    "gradient",
    "arange empty empty_like eye full full_like geomspace identity linspace logspace ones "
    "ones_like zeros zeros_like": "makes a constant, of no tensor",
}


def _operations() -> dict[str, tuple[Callable, tuple]]:
    """{name: (f of tensors, how each input is drawn)} of what needs more than one line's domain."""
    import mygrad as mg
    from mygrad import nnet

    layers = nnet.layers
    reductions = {
        name: (_along_0(getattr(mg, name)), (matrix,))
        for name in "sum mean var std prod max min amax amin cumsum cumprod".split()
    }
    return (
        reductions
        | {
            "sum of all": (mg.sum, (matrix,)),
            "prod of all": (mg.prod, (matrix,)),
            "power": (lambda x, y: x**y, (positive, real)),
            "power of a constant": (lambda x: x**3, (real,)),
            "matmul": (mg.matmul, (matrix, column)),
            "einsum": (lambda a, b: mg.einsum("ij,kj->ik", a, b), (matrix, matrix)),
            "einsum, a trace": (lambda a: mg.einsum("ii->i", a), (matrices,)),
            "multi_matmul": (lambda a, b, c: mg.multi_matmul([a, b, c]), (matrix, column, threes)),
            "linalg.norm": (lambda a: mg.linalg.norm(a, axis=1), (matrix,)),
            "linalg.norm, of order 3": (lambda a: mg.linalg.norm(a, ord=3, axis=0), (matrix,)),
            "add_sequence": (lambda a, b, c: mg.add_sequence(a, b, c), (real,) * 3),
            "multiply_sequence": (lambda a, b, c: mg.multiply_sequence(a, b, c), (real,) * 3),
            "atleast_1d": (lambda a: mg.atleast_1d(a), (real,)),
            "atleast_2d": (lambda a: mg.atleast_2d(a), (real,)),
            "atleast_3d": (lambda a: mg.atleast_3d(a), (real,)),
            "broadcast_to": (lambda a: mg.broadcast_to(a, (3, 4)), (row,)),
            "clip": (lambda a: mg.clip(a, -0.5, 0.7), (real,)),
            "concatenate": (lambda a, b: mg.concatenate([a, b], axis=0), (matrix, matrix)),
            "stack": (lambda a, b: mg.stack([a, b], axis=1), (matrix, matrix)),
            "expand_dims": (lambda a: mg.expand_dims(a, 1), (matrix,)),
            "moveaxis": (lambda a: mg.moveaxis(a, 0, 1), (matrix,)),
            "ravel": (mg.ravel, (matrix,)),
            "repeat": (lambda a: mg.repeat(a, 3, axis=1), (matrix,)),
            "reshape": (lambda a: mg.reshape(a, (2, 6)), (matrix,)),
            "roll": (lambda a: mg.roll(a, 2, axis=1), (matrix,)),
            "squeeze": (lambda a: mg.squeeze(a[None]), (matrix,)),
            "swapaxes": (lambda a: mg.swapaxes(a, 0, 1), (matrix,)),
            "transpose": (mg.transpose, (matrix,)),
            "where": (lambda a, b: mg.where(_mask(a.shape), a, b), (matrix, matrix)),
            "getitem": (lambda a: a[1:, ::2], (matrix,)),
            "getitem, by indices": (lambda a: a[np.array([0, 2, 0])], (matrix,)),
            "setitem": (_set, (matrix, row)),
            "conv_nd": (
                lambda x, w: layers.conv_nd(x[None, None], w[None, None], stride=1),
                _TWO_D,
            ),
            "max_pool": (lambda x: layers.max_pool(x, pool=(2, 2), stride=1), (matrix,)),
            "batchnorm": (
                lambda x, g, b: layers.batchnorm(x, gamma=g, beta=b, eps=1e-3),
                (matrix, row, row),
            ),
        }
        | _losses()
    )


def _losses():
    from mygrad import nnet

    losses, labels = nnet.losses, np.array([0, 2, 1])
    return {
        "focal_loss": (lambda x: losses.focal_loss(nnet.softmax(x), labels, gamma=2), (matrix,)),
        "softmax_focal_loss": (lambda x: losses.softmax_focal_loss(x, labels, gamma=1), (matrix,)),
        "margin_ranking_loss": (
            lambda a, b: losses.margin_ranking_loss(a, b, 1, 0.3),
            (matrix, matrix),
        ),
        "multiclass_hinge": (lambda x: losses.multiclass_hinge(x, labels), (matrix,)),
        "negative_log_likelihood": (
            lambda x: losses.negative_log_likelihood(nnet.logsoftmax(x), labels),
            (matrix,),
        ),
        "softmax_crossentropy": (lambda x: losses.softmax_crossentropy(x, labels), (matrix,)),
    }


def _along_0(reduction):
    return lambda x: reduction(x, axis=0)


_TWO_D = (matrix, lambda rng: rng.normal(size=(2, 2)))


def _mask(shape):
    return np.arange(np.prod(shape)).reshape(shape) % 3 == 0


def _set(a, b):
    out = +a
    out[1] = b
    return out * a


def _all() -> dict[str, tuple[Callable, tuple]]:
    import mygrad as mg
    from mygrad import nnet

    table: dict[str, tuple[Callable, tuple]] = {}
    for draw, names in ONE.items():
        table |= {n: (getattr(mg, n), (draw,)) for n in names.split()}
    table |= {n: (getattr(mg, n), (real, real)) for n in TWO.split()}
    table |= {
        f"nnet.{n}": (_activation(nnet.activations, n), (matrix,)) for n in ACTIVATIONS.split()
    }
    return table | _operations()


def _activation(activations, name):
    act = getattr(activations, name)
    options = {"elu": (1.3,), "leaky_relu": (0.2,), "glu": (1,)}.get(name, ())
    return lambda x: act(x, *options)


def functions(seed: int, block: int, blocks: int) -> Iterator[Function | Skipped]:
    """The operations with a number of this block, then, in block 0, what is left out and why."""
    for i, (name, (f, draws)) in enumerate(_all().items()):
        if i % blocks == block:
            rng = np.random.default_rng([seed, i])
            inputs = tuple(np.array(draw(rng), float) for draw in draws)
            yield Function(name, _value(f), _backward(f), inputs)
    if block == 0:
        for names, reason in NO_GRADIENT.items():
            yield from (Skipped(name, reason) for name in names.split())


def _value(f):
    import mygrad as mg

    def value(*arrays):
        with mg.no_autodiff:
            return np.array(f(*[mg.tensor(a) for a in arrays]).data)

    return value


def _backward(f):
    import mygrad as mg

    def vjp(dout, *arrays):
        leaves = [mg.tensor(a) for a in arrays]
        f(*leaves).backward(np.array(dout))
        grads = [leaf.grad for leaf in leaves]
        return tuple(np.zeros(a.shape) if g is None else g for g, a in zip(grads, arrays))

    return vjp
