"""Functions, inputs and layers that a checker's author does not think of."""

import numpy as np
import pytest
from judged import only_real, verdict

from refimpl.gradcheck import check_gradients, check_layer
from refimpl.gradcheck.scipy_style import check_hessian_product, check_jacobian


@pytest.mark.parametrize(
    "size, complex_too", [(5, True), (8, True), (9, True), (5, False), (8, False)]
)
def test_a_nearly_singular_solver_is_not_accused(size, complex_too):
    """Its errors are as smooth as it is: f, f of complex numbers and the gradient differ by 1e-8.
    The last three seeds are those of a hundred that were accused.
    """
    n = np.arange(size)
    hilbert = 1 / (n[:, None] + n + 1.0)

    def f(b):
        return np.linalg.solve(hilbert, b)

    f = f if complex_too else only_real(f)
    for seed in (*range(4), 27, 78, 85):
        b = np.random.default_rng(seed).normal(size=size)
        assert verdict(f, lambda d, b: np.linalg.solve(hilbert.T, d), b, seed)[:4] in (
            "pass",
            "no v",
        )
        wrong = verdict(f, lambda d, b: 1.0001 * np.linalg.solve(hilbert.T, d), b, seed)
        assert wrong == "fail"


@pytest.mark.parametrize("width", [1e-3, 1e-5, 1e-6])
@pytest.mark.parametrize("complex_too", [True, False])
def test_a_narrow_bump_at_x_is_not_overlooked(width, complex_too):
    """f is x with a bump whose slope is 1 at x; far away, and at usual steps, it is x alone."""

    def f(x):
        return x + (x - 1) * np.exp(-(((x - 1) / width) ** 2))

    f = f if complex_too else only_real(f)
    for seed in range(4):
        assert not verdict(f, lambda d, x: 2 * d, np.ones(1), seed).startswith("fail")
        assert verdict(f, lambda d, x: d, np.ones(1), seed) != "pass"


def test_a_stair_whose_risers_are_met_close_to_x_gets_no_verdict():
    def f(x):
        return np.round(np.sin(x) / 1e-9) * 1e-9

    for seed in range(4):
        found = verdict(only_real(f), lambda d, x: d * np.cos(x), np.array([0.3, 0.7]), seed)
        assert found.startswith("no verdict")


def test_nearly_equal_eigenvalues_are_a_kink():
    def vjp(d, a):
        _, q = np.linalg.eigh((a + a.T) / 2)
        return (q * d) @ q.T

    for seed in range(6):
        a = np.diag([1.0, 1 + 1e-9, 3.0])
        found = verdict(lambda a: np.linalg.eigvalsh((a + a.T) / 2), vjp, a, seed)
        assert found == "kink: no verdict"


@pytest.mark.parametrize("dtype", [">f8", "<f8", ">f4"])
def test_any_order_of_bytes(dtype):
    assert verdict(np.sin, lambda d, x: d * np.cos(x), np.array([0.3, 0.7], dtype)) == "pass"


def cosine(d, x):
    return d * np.cos(x)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda x: check_gradients(3, cosine, x), "f: expected a function, got int"),
        (lambda x: check_gradients(np.sin, None, x), "vjp: expected a function, got NoneType"),
        (lambda x: check_gradients(np.sin, cosine, x, dtypes=("float99",)), "dtypes: .*'float99'"),
        (lambda x: check_gradients(np.sin, cosine, x, dtypes=("int32",)), "dtypes: .*'int32'"),
        (lambda x: check_gradients(np.sin, cosine, x, names=3), "names: expected a sequence"),
        (lambda x: check_gradients(np.sin, cosine, x, names="x"), "names: expected a sequence"),
        (
            lambda x: check_gradients(np.sin, cosine, x, skip=1.5),
            "skip: expected names or pos.*1.5",
        ),
        (lambda x: check_gradients(np.sin, cosine, x[0], batch=0), "batch: expected an axis"),
        (lambda x: check_gradients(np.sin, lambda d, x: {}, x), "gradient of .* is a dict"),
        (lambda x: check_jacobian(np.sin, None, x), "jac: expected a function, got NoneType"),
        (lambda x: check_jacobian(np.sin, lambda x: None, x), "jac: expected an array of real"),
        (
            lambda x: check_hessian_product(np.sum, np.ones_like, None, x),
            "hessp: expected a function, got NoneType",
        ),
    ],
)
def test_the_culprit_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.array([0.3, 0.7]))


class Operator:
    """What a LinearOperator shows of itself."""

    def __init__(self, a):
        self.a = a

    def __matmul__(self, other):
        return self.a @ other

    def rmatvec(self, v):
        return self.a.T @ v


class Sparse:
    """What a sparse matrix shows of itself."""

    def __init__(self, a):
        self.a = a

    def toarray(self):
        return self.a


@pytest.mark.parametrize("kind", [Operator, Sparse, np.ndarray.tolist])
def test_jacobians_that_are_no_arrays(kind):
    x = np.array([0.3, 0.7, 1.0])
    assert check_jacobian(np.sin, lambda x: kind(np.diag(np.cos(x))), x).ok
    assert check_jacobian(np.sin, lambda x: kind(-np.diag(np.cos(x))), x).verdict == "fail"


def test_scipys_own_sparse_and_operators():
    sparse = pytest.importorskip("scipy.sparse")
    linalg = pytest.importorskip("scipy.sparse.linalg")
    x = np.array([0.3, 0.7, 1.0])
    for kind in (sparse.csr_matrix, sparse.coo_array, linalg.aslinearoperator):
        assert check_jacobian(np.sin, lambda x, k=kind: k(np.diag(np.cos(x))), x).ok
        assert not check_jacobian(np.sin, lambda x, k=kind: k(np.diag(np.sin(x))), x).ok


def test_a_function_that_returns_its_gradient_too():
    def both(x, a):
        return a * (x**3).sum(), 3 * a * x**2

    assert check_jacobian(both, True, [0.3, 0.7], 2.0).ok
    assert check_jacobian(lambda x, a: (both(x, a)[0], x), True, (0.3, 0.7), 2.0).verdict == "fail"
    for factor, found in ((6.0, "pass"), (5.0, "fail")):

        def hessp(x, p, a, factor=factor):
            return factor * a * x * p

        assert check_hessian_product(both, True, hessp, [0.3, 0.7], 2.0).verdict == found


class Linear:
    """x w, whatever holds w; no gradient of w."""

    def forward(self, x, *, train=False, rng=None):
        return x @ self.w, x

    def backward(self, dout, x):
        return dout @ self.w.T


WEIGHTS = np.random.default_rng(0).normal(size=(3, 2))


class InTheClass(Linear):
    w = WEIGHTS


class InAnObject(Linear):
    def __init__(self):
        self.inner = InSlots()

    w = property(lambda self: self.inner.w)


class InSlots(Linear):
    __slots__ = ("__w",)

    def __init__(self):
        self.__w = WEIGHTS

    w = property(lambda self: self.__w)

    def backward(self, dout, x):
        return dout @ self.w.T, (x.T @ dout,)


class InACircle(InAnObject):
    def __init__(self):
        super().__init__()
        self.inner.owner = self


class InADict(Linear):
    def __init__(self):
        self.kept = {"w": WEIGHTS}

    w = property(lambda self: self.kept["w"])

    def backward(self, dout, x):
        return dout @ self.w.T, (x.T @ dout,)


def test_parameters_are_found_or_said_wherever_they_lie():
    x = np.random.default_rng(1).normal(size=(4, 3))
    assert "the class's w not found" in check_layer(InTheClass(), x).verdict
    for layer in (InAnObject(), InACircle()):
        assert "inner._InSlots__w not found" in check_layer(layer, x).verdict
    report = check_layer(InSlots(), x)
    assert report.ok and [a.name for a in report.arguments] == ["x", "_InSlots__w"]
    with pytest.raises(ValueError, match=r"returns 1 parameter gradients.*kept\['w'\] not found"):
        check_layer(InADict(), x)


def test_a_weight_that_is_used_twice():
    class Tied(Linear):
        def __init__(self):
            self.w = np.random.default_rng(0).normal(size=(3, 3))

        def forward(self, x, *, train=False, rng=None):
            h = np.tanh(x @ self.w)
            return h @ self.w.T, (x, h)

        def backward(self, dout, cache):
            x, h = cache
            da = dout @ self.w * (1 - h * h)
            return da @ self.w.T, (x.T @ da + dout.T @ h,)

    class Once(Tied):
        def backward(self, dout, cache):
            dx, (dw,) = super().backward(dout, cache)
            return dx, (dw - dout.T @ cache[1],)

    x = np.random.default_rng(1).normal(size=(4, 3))
    assert check_layer(Tied(), x).ok
    assert check_layer(Once(), x).findings[0].argument == "w"


class Embedding:
    """Rows of w by their indices."""

    def __init__(self, w):
        self.w = w

    def forward(self, x, *, train=False, rng=None):
        return self.w[x], x

    def backward(self, dout, x):
        dw = np.zeros_like(self.w)
        np.add.at(dw, x, dout)
        return None, (dw,)


class LastOfEqual(Embedding):
    def backward(self, dout, x):
        dw = np.zeros_like(self.w)
        dw[x] += dout
        return None, (dw,)


def test_a_layer_of_indices():
    w, x = np.random.default_rng(0).normal(size=(5, 3)), np.array([1, 3, 1, 0])
    assert check_layer(Embedding(w), x, skip="x").ok
    assert check_layer(LastOfEqual(w), x, skip="x").findings[0].argument == "w"
    with pytest.raises(ValueError, match="x: expected a float32.*skip="):
        check_layer(Embedding(w), x)


def test_scipys_style_takes_whole_numbers_as_floats():
    for x in ([1, 2], np.array([1, 2])):
        assert check_jacobian(lambda x: (x**2).sum(), lambda x: 2 * x, x).ok
        product = check_hessian_product(
            lambda x: (x**2).sum(), lambda x: 2 * x, lambda x, p: 2 * p, x
        )
        assert product.ok
