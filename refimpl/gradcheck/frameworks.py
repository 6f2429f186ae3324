"""The checker on a framework's own backward: torch, JAX, HIPS autograd (extra `peers`).

A user's autograd.Function, custom_vjp or defvjp is judged like a gradient by hand: f is evaluated
through the framework, complex numbers too where it takes them. Each framework is imported only
where it is called. Results are judged in float64; float32 in and out is not looked at.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refimpl.gradcheck import Report, check_gradients
from refimpl.gradcheck.arguments import as_tuple


def _split(arrays: Sequence[Any]) -> tuple[tuple, tuple[int, ...]]:
    """The inputs, floats in float64, and the positions of those that are no floats."""
    found, skip = [], []
    for i, a in enumerate(arrays):
        floats = isinstance(a, (float, np.floating, np.ndarray)) and np.asarray(a).dtype.kind == "f"
        found.append(np.array(a, np.float64) if floats else a)
        skip += [] if floats else [i]
    return tuple(found), tuple(skip)


def _names(count):
    return tuple(f"input {i}" for i in range(count))


def check_torch(f: Callable, inputs: Any, *, rng: Any = None, **options: Any) -> Report:
    """Check what torch's backward makes of f(*inputs), a function of tensors.

    inputs: tensors or arrays; floats are differentiated, in float64, all others (integer labels,
    options) are handed on as they are. f returns one tensor. options: check_gradients'. Returns a
    Report.

    Raises ImportError without torch.

    >>> import torch
    >>> check_torch(torch.sin, torch.linspace(0.1, 1.0, 5), rng=0).verdict
    'pass'
    """
    import torch

    given = [a.detach().cpu().numpy() if _float(a, torch) else a for a in as_tuple(inputs)]
    x, skip = _split(given)

    def tensors(arrays):
        return [torch.from_numpy(np.array(a)) if isinstance(a, np.ndarray) else a for a in arrays]

    def value(*arrays):
        with torch.no_grad():
            return f(*tensors(arrays)).resolve_conj().numpy()

    def vjp(dout, *arrays):
        leaves = tensors(arrays)
        moved = [i for i in range(len(leaves)) if i not in skip]
        for i in moved:
            leaves[i].requires_grad_(True)
        out = f(*leaves)
        wanted = [leaves[i] for i in moved]
        found = torch.autograd.grad(out, wanted, torch.from_numpy(dout.copy()), allow_unused=True)
        return tuple(np.zeros(w.shape) if g is None else g.numpy() for g, w in zip(found, wanted))

    settings = {"names": _names(len(x)), "skip": skip, "dtypes": (), **options}
    return check_gradients(value, vjp, x, rng=rng, **settings)


def _float(a, torch):
    return isinstance(a, torch.Tensor) and a.is_floating_point()


def check_jax(f: Callable, inputs: Any, *, rng: Any = None, **options: Any) -> Report:
    """Check what jax.vjp makes of f(*inputs), a function of JAX arrays.

    Switches JAX to 64 bits (jax_enable_x64), which holds for the whole process. Inputs as in
    check_torch. Returns a Report.

    Raises ImportError without jax.

    >>> import jax
    >>> check_jax(jax.numpy.sin, np.linspace(0.1, 1, 5), rng=0).verdict
    'pass'
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    given = [np.asarray(a) if isinstance(a, jax.Array) else a for a in as_tuple(inputs)]
    x, skip = _split(given)
    moved = [i for i in range(len(x)) if i not in skip]

    def value(*arrays):
        if any(isinstance(a, np.ndarray) and a.dtype == np.longdouble for a in arrays):
            raise TypeError("JAX has no extended precision")
        return np.asarray(
            f(*[jax.numpy.asarray(a) if i in moved else a for i, a in enumerate(arrays)])
        )

    def vjp(dout, *arrays):
        def some(*own):
            rest = iter(own)
            return f(*[next(rest) if i in moved else a for i, a in enumerate(arrays)])

        _, pull = jax.vjp(some, *[jax.numpy.asarray(arrays[i]) for i in moved])
        return tuple(np.asarray(g) for g in pull(jax.numpy.asarray(dout)))

    settings = {"names": _names(len(x)), "skip": skip, "dtypes": (), **options}
    return check_gradients(value, vjp, x, rng=rng, **settings)


def check_autograd(f: Callable, inputs: Any, *, rng: Any = None, **options: Any) -> Report:
    """Check what HIPS autograd makes of f(*inputs), a function written with autograd.numpy.

    Inputs as in check_torch, arrays alone. Returns a Report.

    Raises ImportError without autograd.

    >>> import autograd.numpy
    >>> check_autograd(autograd.numpy.sin, np.linspace(0.1, 1, 5), rng=0).verdict
    'pass'
    """
    from autograd import make_vjp

    x, skip = _split(as_tuple(inputs))
    moved = [i for i in range(len(x)) if i not in skip]

    def vjp(dout, *arrays):
        def some(own):
            rest = iter(own)
            return f(*[next(rest) if i in moved else a for i, a in enumerate(arrays)])

        pull, _ = make_vjp(some)(tuple(arrays[i] for i in moved))
        return tuple(np.asarray(g) for g in pull(dout))

    settings = {"names": _names(len(x)), "skip": skip, "dtypes": (), **options}
    return check_gradients(f, vjp, x, rng=rng, **settings)
