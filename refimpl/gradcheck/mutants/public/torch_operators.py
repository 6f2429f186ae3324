"""torch's operators with torch's own sample inputs (torch.testing._internal, which its tests use).

Every operator that torch differentiates in float64 is taken, with a sample that a seed chooses
among its smallest. What is differentiated are the sample's float64 tensors that ask for a gradient;
all else is handed on. Several outputs, and the parts of complex ones, are put into one vector.
"""

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from refimpl.gradcheck.mutants.public.function import Function, Skipped

SAMPLES = 40  # of an operator that are looked at
ENTRIES = 64  # a sample has at most so many entries
OUTPUTS = 200
CHOICE = 3  # so many of the smallest samples a seed chooses among
OTHER_DERIVATIVE = {  # by intent: no checker of derivatives could agree
    "half": "rounds to 16 bits, and its backward is the identity's",
    "chalf": "rounds to 16 bits, and its backward is the identity's",
    "bfloat16": "rounds to 16 bits, and its backward is the identity's",
    "normal": "a random draw, whose backward is zero by decree",
    "normal (number_mean)": "a random draw, whose backward is zero by decree",
}


class Unusable(Exception):
    """Why a sample cannot be judged."""


def functions(seed: int, block: int, blocks: int) -> Iterator[Function | Skipped]:
    """The operators whose number is `block` modulo `blocks`, each with one sample or a reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db

        for i, op in enumerate(op_db):
            if i % blocks == block:
                yield _function(op, seed)


def _function(op, seed):
    import torch

    name = op.name + (f" ({op.variant_test_name})" if op.variant_test_name else "")
    if not op.supports_autograd or torch.float64 not in op.supported_backward_dtypes("cpu"):
        return Skipped(name, "torch has no backward in float64")
    if name in OTHER_DERIVATIVE:
        return Skipped(name, OTHER_DERIVATIVE[name])
    torch.manual_seed(seed)
    usable, reason = [], "no samples"
    try:
        samples = op.sample_inputs("cpu", torch.float64, requires_grad=True)
        for sample in islice(samples, SAMPLES):
            try:
                usable.append(_sample(name, op, sample))
            except Unusable as error:
                reason = str(error)
    except Exception as error:  # a sample that torch itself cannot make here
        reason = f"torch cannot make its sample: {type(error).__name__}"
    if not usable:
        return Skipped(name, reason)
    usable.sort(key=lambda found: sum(a.size for a in found.inputs))
    some = [u for u in usable if sum(a.size for a in u.inputs) > 1] or usable
    return some[seed % min(CHOICE, len(some))]


def _sample(name, op, sample):
    """The Function of one sample. Raises Unusable with the reason."""
    leaves: list = []
    rebuild = _taken_apart((sample.input, sample.args, sample.kwargs), leaves)
    inputs = tuple(leaf.detach().numpy().copy() for leaf in leaves)
    if not inputs or not any(a.size for a in inputs):
        raise Unusable("its samples have no float64 tensor that asks for a gradient")
    if sum(a.size for a in inputs) > ENTRIES:
        raise Unusable(f"its samples have more than {ENTRIES} entries")
    if not all(np.isfinite(a).all() for a in inputs):
        raise Unusable("its samples are not finite")

    kept: list[int] = []  # the outputs that have a gradient: not saved statistics, not indices

    def run(tensors):
        import torch

        torch.default_generator.manual_seed(0)  # operators that draw draw the same at every call
        first, args, kwargs = rebuild(iter(tensors))
        wrapped = op.gradcheck_wrapper(op.op, first, *args, **kwargs)  # symmetric where it must be
        return _vector(sample.output_process_fn_grad(wrapped), kept)

    f, vjp = _value(run), _backward(run)
    try:
        kept += _with_gradient(op, rebuild, inputs, sample)
        out = f(*inputs)
        again, gradients = f(*inputs), vjp(np.ones(out.shape), *inputs)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"torch refuses its sample: {type(error).__name__}") from error
    if not out.size or out.size > OUTPUTS:
        raise Unusable(f"its samples have no output, or more than {OUTPUTS}")
    if not np.isfinite(out).all() or not all(np.isfinite(g).all() for g in gradients):
        raise Unusable("not finite at its samples")
    if not np.array_equal(out, again):
        raise Unusable("draws random numbers, or uninitialized memory")
    return Function(name, f, vjp, inputs)


def _taken_apart(part: Any, leaves: list) -> Callable:
    """Collect the leaves to differentiate of nested arguments; returns rebuild(the leaves)."""
    import torch

    if isinstance(part, torch.Tensor):
        if part.requires_grad and part.dtype == torch.float64 and part.layout == torch.strided:
            leaves.append(part)
            return next
        fixed = part.detach()
        return lambda rest: fixed.clone()
    if isinstance(part, (list, tuple)) and type(part) in (list, tuple):
        parts = [_taken_apart(p, leaves) for p in part]
        if isinstance(part, list):
            return lambda rest: [p(rest) for p in parts]
        return lambda rest: tuple(p(rest) for p in parts)
    if isinstance(part, dict):
        each = {key: _taken_apart(p, leaves) for key, p in part.items()}
        return lambda rest: {key: p(rest) for key, p in each.items()}
    return lambda rest: part


def _with_gradient(op, rebuild, inputs, sample):
    """The positions of the outputs that depend on the leaves. Raises Unusable where none does."""
    import torch

    leaves = [torch.from_numpy(a.copy()).requires_grad_(True) for a in inputs]
    first, args, kwargs = rebuild(iter([leaf.view_as(leaf) for leaf in leaves]))
    wrapped = op.gradcheck_wrapper(op.op, first, *args, **kwargs)
    found = _outputs(sample.output_process_fn_grad(wrapped))
    kept = [i for i, out in enumerate(found) if out.requires_grad]
    if not kept:
        raise Unusable("no output that has a gradient")
    if any(found[i].layout != torch.strided for i in kept):
        raise Unusable("a sparse output")
    return kept


def _vector(result: Any, kept: list[int]) -> Any:
    """The outputs that are kept, as one vector."""
    import torch

    found = _outputs(result)
    return torch.cat([found[i].resolve_conj().resolve_neg().reshape(-1) for i in kept])


def _outputs(result):
    """All tensors of an operator's result, in their order."""
    import torch

    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, (list, tuple)):
        return [out for part in result for out in _outputs(part)]
    return []


def _value(run):
    import torch

    def value(*arrays):
        kinds = {np.asarray(a).dtype.kind for a in arrays}
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = run([torch.from_numpy(np.array(a)) for a in arrays])
            if out.is_complex() and "c" not in kinds:
                out = torch.view_as_real(out).reshape(-1)
            return out.numpy()

    return value


def _backward(run):
    import torch

    def vjp(dout, *arrays):
        leaves = [torch.from_numpy(np.array(a)).requires_grad_(True) for a in arrays]
        with warnings.catch_warnings(), torch.enable_grad():  # also inside another backward
            warnings.simplefilter("ignore")
            out = run([leaf.view_as(leaf) for leaf in leaves])
            if out.is_complex():
                out = torch.view_as_real(out).reshape(-1)
            given = torch.from_numpy(np.array(dout))
            found = torch.autograd.grad(out, leaves, given, allow_unused=True)
        return tuple(np.zeros(a.shape) if g is None else g.numpy() for g, a in zip(found, arrays))

    return vjp
