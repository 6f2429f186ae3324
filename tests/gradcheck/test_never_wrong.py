"""The kinds of fault that a checker may not have: a wrong gradient passed, a right one failed."""

import numpy as np
import pytest
from judged import only_real, verdict

from refimpl.gradcheck import check_gradients, check_layer
from refimpl.gradcheck.frameworks import check_autograd
from refimpl.gradcheck.scipy_style import check_hessian_product, check_jacobian
from refimpl.losses import cross_entropy
from refimpl.second_order import cross_entropy_hvp


@pytest.mark.parametrize("weight", [1e-1, 1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("penalty", ["L1", "norm"])
def test_a_small_penalty_beside_a_smooth_loss(weight, penalty):
    x = np.array([0.5, -0.7, 0.9])
    size, slope = {
        "L1": (lambda x: np.abs(x).sum(), np.sign),
        "norm": (np.linalg.norm, lambda x: x / np.linalg.norm(x)),
    }[penalty]

    def loss(x):
        return (np.sin(x) ** 2).sum() + weight * size(x)

    smooth = 2 * np.sin(x) * np.cos(x)
    for seed in range(3):
        assert verdict(loss, lambda d, x: d * (smooth + weight * slope(x)), x, seed) == "pass"
        assert verdict(loss, lambda d, x: d * smooth, x, seed) == "fail"


BESIDE = {  # a smooth loss of this size, and its gradient: itself as large, or about one
    "large": lambda x, size: (size * (np.sin(x) ** 2).mean(), size * np.sin(2 * x) / x.size),
    "steep": lambda x, size: (size * (x**2).mean(), 2 * size * x / x.size),
    "offset": lambda x, size: (size + (np.sin(x) ** 2).sum(), np.sin(2 * x)),
}


@pytest.mark.parametrize("size", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("weight", [1e-5, 1e-7])
@pytest.mark.parametrize("kind", BESIDE)
@pytest.mark.parametrize("entries", [4, 300])
def test_a_penalty_never_hides_beside_a_large_loss(size, weight, kind, entries):
    """Where it is less than 1e-12 of the gradient no one can tell, and that is what is said."""
    for penalty, slope in (
        (lambda x: np.abs(x).sum(), np.sign),
        (np.linalg.norm, lambda x: x / np.linalg.norm(x)),
    ):
        rng = np.random.default_rng(int(size))
        x = rng.choice((-1.0, 1.0), entries) * rng.uniform(0.3, 1.2, entries)

        def f(x, penalty=penalty):
            return BESIDE[kind](x, size)[0] + weight * penalty(x)

        def gradient(x):
            return BESIDE[kind](x, size)[1]

        right = verdict(f, lambda d, x, s=slope: d * (gradient(x) + weight * s(x)), x)
        forgotten = verdict(f, lambda d, x: d * gradient(x), x)
        assert right == "pass" or right.startswith("no verdict: bound"), right
        assert forgotten == "fail" or forgotten.startswith("no verdict: bound"), forgotten
        if kind == "offset" and entries == 4 and slope is np.sign:
            assert (right, forgotten) == ("pass", "fail")
        if "no verdict" in forgotten:
            assert "that complex numbers do not see" in forgotten


def test_without_complex_numbers_the_bound_says_what_may_hide():
    x = np.array([0.5, -0.7, 0.9])

    def f(x):
        return 1e6 * (np.sin(x) ** 2).sum() + 1e-7 * np.abs(x).sum()

    report = check_gradients(only_real(f), lambda d, x: d * 1e6 * np.sin(2 * x), x, dtypes=())
    assert report.ok and 1e-7 < report.arguments[0].bound < 1e-11 * report.arguments[0].gradient


@pytest.mark.parametrize("n", [5, 30])
def test_the_bound_does_not_grow_with_the_other_inputs(n):
    x = tuple(np.array(3.5) for _ in range(n))

    def f(*x):
        return sum(np.sin(v) for v in x)

    assert verdict(f, lambda d, *x: tuple(np.zeros(()) for _ in x), x) == "fail"
    assert verdict(f, lambda d, *x: tuple(d * np.cos(v) for v in x), x) == "pass"


@pytest.mark.parametrize("weight", [1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("size", [2, 300])
def test_a_small_penalty_in_an_argument_of_its_own(weight, size):
    """Differences along all arguments together may not hide it, in full or in directions."""
    rng = np.random.default_rng(0)
    x, b = rng.normal(size=size), rng.choice((-1.0, 1.0), size) * rng.uniform(0.5, 2, size)

    def f(x, b):
        return np.sin(x).sum() + (b**2).sum() * 1e-3 + weight * np.abs(b).sum()

    def slopes(d, x, b, weight=weight):
        return d * np.cos(x), d * (2e-3 * b + weight * np.sign(b))

    for seed in range(3):
        assert verdict(f, slopes, (x, b), seed) == "pass"
        assert verdict(f, lambda d, x, b: slopes(d, x, b, 0.0), (x, b), seed) != "pass"
        if weight > 1e-6:
            assert verdict(f, lambda d, x, b: slopes(d, x, b, 0.0), (x, b), seed) == "fail"


@pytest.mark.parametrize("scale", [1e-12, 1e-15, 1e-18])
def test_values_far_below_one(scale):
    x = np.array([0.3, -0.7])
    assert verdict(lambda x: scale * (x**2).sum(), lambda d, x: 2 * scale * d * x, x) == "pass"
    assert verdict(lambda x: scale * (x**2).sum(), lambda d, x: -2 * scale * d * x, x) == "fail"


DOMAINS = [
    (np.log, lambda x: 1 / x, [1e-9, 1.0]),
    (np.sqrt, lambda x: 0.5 / np.sqrt(x), [1e-10, 2.0]),
    (np.arcsin, lambda x: 1 / np.sqrt((1 - x) * (1 + x)), [1 - 1e-8, 0.3]),
    (lambda p: p * np.log(p), lambda p: np.log(p) + 1, [1e-9, 0.4, 1.0]),
    (np.sin, np.cos, [1e8, 0.3]),
    (np.sin, np.cos, [1e4, 1.5e4]),
    (lambda x: np.sin(1000 * x), lambda x: 1000 * np.cos(1000 * x), [0.7, 0.31]),
    (np.abs, np.sign, [1e-10, -3e-10]),
    (np.cosh, np.sinh, [300.0, 1.0]),
]


@pytest.mark.parametrize("f, slope, x", DOMAINS)
@pytest.mark.parametrize("complex_too", [True, False])
def test_edges_of_domains_large_fast_and_tiny(f, slope, x, complex_too):
    f = f if complex_too else only_real(f)
    for seed in range(5):
        assert verdict(f, lambda d, x: d * slope(x), np.array(x), seed) == "pass"
        wrong = verdict(f, lambda d, x: d * slope(x) * (1 + 1e-6), np.array(x), seed)
        assert wrong == "fail"


@pytest.mark.parametrize(
    "error", [TypeError, NotImplementedError, RuntimeError, AssertionError, KeyError]
)
def test_any_exception_on_complex_input_is_a_refusal(error):
    def f(x):
        if np.iscomplexobj(x):
            raise error("real numbers only")
        return np.tanh(x)

    assert verdict(f, lambda d, x: d * (1 - np.tanh(x) ** 2), np.array([0.3, -0.7])) == "pass"


def test_what_is_outside_the_domain_is_counted_and_no_evidence():
    def f(p):
        if abs(p.real.sum() - 1) > 1e-3:
            raise ValueError("p must sum to one")
        return (p * np.log(p)).sum()

    report = check_gradients(f, lambda d, p: d * (np.log(p) + 1), np.array([0.2, 0.3, 0.5]))
    assert report.ok and report.unevaluated > 0 and "gave no value" in str(report)


@pytest.mark.parametrize(
    "f, slope",
    [
        (lambda a: np.linalg.eigvalsh((a + a.T) / 2).sum(), lambda a: np.eye(3)),
        (
            lambda a: 2 * np.log(np.diag(np.linalg.cholesky((a + a.T) / 2))).sum(),
            lambda a: np.linalg.inv((a + a.T) / 2),
        ),
        (np.linalg.norm, lambda a: a / np.linalg.norm(a)),
    ],
)
def test_where_linear_algebra_conjugates_differences_take_over(f, slope):
    a = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 0.5]])
    assert verdict(f, lambda d, a: d * slope(a), a) == "pass"
    assert verdict(f, lambda d, a: d * slope(a) * (1 + 1e-6), a) == "fail"


def test_one_buffer_handed_out_again_and_again():
    x, kept, kept_too = np.array([0.2, 0.5, 1.0]), np.zeros(3), np.zeros(3)

    def f(x):
        return np.multiply(x, x, out=kept)

    assert verdict(f, lambda d, x: np.multiply(2 * d, x, out=kept_too), x) == "pass"
    assert verdict(f, lambda d, x: 0 * x, x) == "fail"


@pytest.mark.parametrize("f", [np.abs, np.linalg.norm])
def test_symmetric_kinks_are_kinks(f):
    for value, found in ((0.0, "pass"), (1.5, "fail")):
        assert verdict(f, lambda d, x, v=value: np.full(3, v), np.zeros(3), layer=True) == found
    assert verdict(f, lambda d, x: np.zeros(3), np.zeros(3)) == "kink: no verdict"


def test_a_tie_of_two_arguments_shares_one_unit():
    x = np.ones(2), np.ones(2)
    for share, found in (
        ((1, 1), "fail"),
        ((1, 0), "pass"),
        ((0.5, 0.5), "pass"),
        ((0, 0), "fail"),
    ):

        def vjp(d, x, y, share=share):
            return d * share[0], d * share[1]

        assert verdict(np.maximum, vjp, x, layer=True) == found


def test_where_numbers_cannot_tell_there_is_no_verdict():
    """A penalty of 1e-9 in its own argument beside a loss of 1e9: float64 does not hold it."""

    def f(x, b):
        return 1e9 * np.cos(x).sum() + 1e-9 * np.abs(b).sum()

    def right(d, x, b):
        return -1e9 * d * np.sin(x), 1e-9 * d * np.sign(b)

    report = check_gradients(f, right, (np.ones(2), np.ones(2)), names=("x", "b"), dtypes=())
    assert report.verdict.startswith("no verdict: bound") and "(b)" in report.verdict


def test_what_a_saturated_softmax_has_lost_is_not_accused():
    """p - 1 is 0 in float64 where p misses 1 by 1e-37, in f and in the gradient by hand."""
    w = np.random.default_rng(1).normal(size=(3, 4))
    z, y = np.array([[0.3, 1.0, -0.5], [0.0, 3.0, 87.0]]), np.array([0, 2])

    def f(z):
        return cross_entropy(z, y)[1] @ w

    def right(v, z):
        return cross_entropy_hvp(z, y, v @ w.T)

    for seed in range(3):
        assert verdict(f, right, z, seed).startswith("no verdict")
        assert verdict(f, lambda v, z: -right(v, z), z, seed) == "fail"


def test_a_pass_shows_its_evidence():
    report = check_gradients(np.sin, lambda d, x: d * np.cos(x), np.ones(3), names=("x",))
    (row,) = report.arguments
    assert (row.name, row.verdict, row.checked, row.method) == (
        "x",
        "pass",
        "3 entries",
        "complex step",
    )
    assert row.error <= row.bound < 1e-8 and len(str(report).splitlines()) == 2


def test_arguments_that_are_not_differentiated():
    def loss(z, labels, weight):
        return weight * np.log(np.exp(z).sum(axis=1)).sum() - z[np.arange(len(z)), labels].sum()

    def vjp(d, z, labels, weight):
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return d * (weight * p - np.eye(3)[labels])

    z, labels = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 1])
    assert check_gradients(loss, vjp, (z, labels, 2), skip=("labels", "weight"), dtypes=()).ok
    with pytest.raises(ValueError, match="labels: expected a float32.*skip="):
        check_gradients(loss, vjp, (z, labels, 2))
    with pytest.raises(ValueError, match="skip: expected names or positions"):
        check_gradients(loss, vjp, (z, labels, 2), skip="nobody")


class InADict:
    def __init__(self):
        self.parameters = {"W": np.ones((3, 2))}

    def forward(self, x, *, train=False, rng=None):
        return x @ self.parameters["W"], x

    def backward(self, dout, cache):
        return dout @ self.parameters["W"].T


class InSlots:
    __slots__ = ("w",)

    def __init__(self):
        self.w = np.ones((3, 2))

    def forward(self, x, *, train=False, rng=None):
        return x @ self.w, x

    def backward(self, dout, cache):
        return dout @ self.w.T, (7 * cache.T @ dout,)


def test_parameters_that_cannot_be_found_are_said():
    x = np.random.default_rng(0).normal(size=(4, 3))
    assert "parameters['W'] not found" in check_layer(InADict(), x).verdict
    assert check_layer(InSlots(), x).findings[0].argument == "w"
    with pytest.raises(ValueError, match="expected an instance, got the class InSlots"):
        check_layer(InSlots, x)
    InSlots.forward = lambda self, x, **options: x @ self.w
    with pytest.raises(ValueError, match=r"expected forward\(...\) -> \(out, cache\)"):
        check_layer(InSlots(), x)


@pytest.mark.parametrize(
    "f, vjp, options, words",
    [
        (lambda x: (x, x.sum()), lambda d, x: x, {}, "f: expected one array or number"),
        (lambda x: None, lambda d, x: x, {}, "f: expected finite floats, got NoneType"),
        (np.sum, lambda d, x: None, {}, "gradient of .* is None"),
        (np.sin, lambda d, x: d * np.cos(x), {"batch": 5}, "batch: expected the position"),
        (np.sin, lambda d, x: d * np.cos(x), {"rng": "0"}, "rng: expected a Generator, an int"),
    ],
)
def test_the_culprit_is_named(f, vjp, options, words):
    with pytest.raises(ValueError, match=words):
        check_gradients(f, vjp, np.ones(3), **options)


def test_scipys_signatures():
    x = np.array([0.5, 2.0, -1.0])
    a = np.random.default_rng(0).normal(size=(4, 3))
    assert check_jacobian(lambda x, a: np.tanh(a @ x), lambda x, a: _tanh_jacobian(x, a), x, a).ok
    with pytest.raises(ValueError, match=r"jac: expected shape \(4, 3\), got \(3, 4\): transposed"):
        check_jacobian(lambda x, a: a @ x, lambda x, a: a.T, x, a)
    assert not check_hessian_product(
        lambda x: (x**3).sum(), lambda x: 2 * x**2, lambda x, p: 4 * x * p, x
    ).ok


def _tanh_jacobian(x, a):
    return (1 - np.tanh(a @ x) ** 2)[:, None] * a


def test_autograds_own_backward():
    numpy = pytest.importorskip("autograd.numpy")
    assert check_autograd(lambda x, n: numpy.sinc(x) ** n, (np.linspace(0.1, 1, 5), 2)).ok


def test_torchs_own_backward():
    torch = pytest.importorskip("torch")
    from refimpl.gradcheck.frameworks import check_torch

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, dout):
            return dout * 2 * ctx.saved_tensors[0] ** 2

    x = torch.linspace(0.5, 1, 3)
    assert check_torch(torch.nn.functional.gelu, x).ok
    assert check_torch(Wrong.apply, x).verdict == "fail"


def test_jaxs_own_backward():
    jax = pytest.importorskip("jax")
    from refimpl.gradcheck.frameworks import check_jax

    assert check_jax(jax.nn.gelu, np.linspace(0.5, 1, 3)).ok
