"""The gradient checkers that others use, each with its default rule, on our cases. Imported only
here, only where used.

A rule is called as rule(f, vjp, inputs) -> accepted. Errors that a peer raises count as a
rejection.
"""

import importlib.util

import numpy as np

from refimpl.gradcheck.arguments import as_tuple


def torch_rule(f, vjp, inputs):
    """torch.autograd.gradcheck(fn, inputs): eps 1e-6, atol 1e-5, rtol 1e-3, float64, every one-hot
    cotangent.
    """
    import torch

    class Case(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *x):
            ctx.save_for_backward(*x)
            return torch.from_numpy(np.array(f(*[a.detach().numpy() for a in x])))

        @staticmethod
        def backward(ctx, dout):
            x = [a.detach().numpy() for a in ctx.saved_tensors]
            return tuple(torch.from_numpy(np.array(g)) for g in as_tuple(vjp(dout.numpy(), *x)))

    x = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in inputs]
    return torch.autograd.gradcheck(Case.apply, x, raise_exception=False)


def scipy_rule(f, vjp, inputs):
    """scipy.optimize.check_grad on <dout, f>, forward differences, dout random; accepted up to 1e-5
    of the gradient.

    It returns a distance and leaves the verdict to its caller: this rule is ours, and generous.
    """
    from scipy.optimize import check_grad

    dout = np.random.default_rng(0).normal(size=np.shape(f(*inputs)))
    ends = np.cumsum([a.size for a in inputs])[:-1]

    def split(flat):
        return [part.reshape(a.shape) for part, a in zip(np.split(flat, ends), inputs)]

    def slope(flat):
        return np.concatenate([np.ravel(g) for g in as_tuple(vjp(dout.copy(), *split(flat)))])

    flat = np.concatenate([a.ravel() for a in inputs])
    error = check_grad(lambda v: float((dout * f(*split(v))).sum()), slope, flat)
    return error <= 1e-5 * max(1, np.linalg.norm(slope(flat)))


def autograd_rule(f, vjp, inputs):
    """autograd.test_util.check_grads(f, modes=["rev"], order=1): one random direction, eps and
    tolerances 1e-6.
    """
    from autograd.extend import defvjp_argnums, primitive
    from autograd.test_util import check_grads

    case = primitive(lambda *x: np.asarray(f(*x)))

    def back(argnums, out, x, kwargs):
        return lambda dout: [as_tuple(vjp(np.array(dout), *x))[i] for i in argnums]

    defvjp_argnums(case, back)
    state = np.random.get_state()
    np.random.seed(0)  # autograd draws its directions from the global generator
    try:
        check_grads(lambda *x: case(*x), modes=["rev"], order=1)(*inputs)
    finally:
        np.random.set_state(state)
    return True


def jax_rule(f, vjp, inputs):
    """jax.test_util.check_grads(f, args, order=1, modes=["rev"]) in float64: one random direction,
    tolerance 1e-5.
    """
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    out = jax.ShapeDtypeStruct(np.shape(f(*inputs)), np.float64)

    @jax.custom_vjp
    def case(*x):
        return jax.pure_callback(lambda *a: np.array(f(*map(np.array, a)), np.float64), out, *x)

    def back(x, dout):
        shapes = tuple(jax.ShapeDtypeStruct(a.shape, np.float64) for a in x)
        return jax.pure_callback(
            lambda d, *a: tuple(np.array(g) for g in as_tuple(vjp(np.array(d), *map(np.array, a)))),
            shapes,
            dout,
            *x,
        )

    case.defvjp(lambda *x: (case(*x), x), back)
    check_grads(case, inputs, order=1, modes=["rev"])
    return True


def derivcheck_rule(f, vjp, inputs):
    """derivcheck.assert_deriv(function, gradient, origin): Ridders' differences of every entry,
    widths .1, rtol 1e-5, atol 1e-8. All inputs in one vector, every one-hot cotangent.
    """
    from derivcheck import assert_deriv

    shape = np.shape(f(*inputs))
    ends = np.cumsum([a.size for a in inputs])[:-1]

    def split(flat):
        return [part.reshape(a.shape) for part, a in zip(np.split(flat, ends), inputs)]

    def rows(flat):
        x = split(flat)
        found = []
        for dout in np.eye(int(np.prod(shape))).reshape(-1, *shape):
            found.append(np.concatenate([np.ravel(g) for g in as_tuple(vjp(dout.copy(), *x))]))
        return np.array(found)

    flat = np.concatenate([a.ravel() for a in inputs])
    assert_deriv(lambda v: np.ravel(f(*split(v))), rows, flat)
    return True


PEERS = {
    "torch": torch_rule,
    "scipy": scipy_rule,
    "autograd": autograd_rule,
    "jax": jax_rule,
    "derivcheck": derivcheck_rule,
}


def accepts(rule, case):
    """What a peer says of a case, with fresh copies of its inputs; whatever it raises is a
    rejection.
    """
    with np.errstate(all="ignore"):
        try:
            return bool(rule(case.f, case.vjp, tuple(np.array(a, np.float64) for a in case.inputs)))
        except Exception:
            return False


def installed():
    """{name: rule} of the peers that are here, and the names of those that are not."""
    here = {name: rule for name, rule in PEERS.items() if importlib.util.find_spec(name)}
    return here, [name for name in PEERS if name not in here]
