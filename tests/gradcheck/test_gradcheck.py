"""The checker itself: what it accepts, what it accuses and how it says so, bad input, the command."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.app.gradcheck_command import check
from refimpl.gradcheck import assert_gradients, assert_layer, check_gradients, check_layer
from refimpl.gradcheck.derivatives import central_differences, complex_step, likely_cause
from refimpl.layers import Affine, Sigmoid
from refimpl.network import Network, one_hidden_net


def sine(x):
    return np.sin(x)


@pytest.mark.parametrize("option", [{"skip": True}, {"skip": (True,)}, {"batch": True}])
def test_a_truth_value_is_no_position(option):
    def vjp(dout, x, w):
        return dout @ w.T, x.T @ dout

    inputs = np.ones((3, 2)), np.ones((2, 4))
    with pytest.raises(ValueError, match=f"^{next(iter(option))}: expected .* got True"):
        check_gradients(lambda x, w: x @ w, vjp, inputs, **option)


@pytest.mark.parametrize("skip", ["x", {"x"}, ["x"], 0, (-3,)])
def test_images_that_are_skipped_in_any_way_are_no_batch(skip):
    layer = Affine(np.ones((3, 2)), np.zeros(2))
    assert check_layer(layer, np.arange(12).reshape(4, 3), skip=skip).ok


def test_a_batch_of_which_one_image_comes_out_is_a_finding():
    def vjp(dout, x):
        return np.concatenate([2 * dout, 0 * x[1:]])

    report = check_gradients(lambda x: 2 * x[:1], vjp, np.ones((3, 2)), batch=0)
    assert report.verdict == "fail"
    assert report.findings[0].cause == "3 images give shape (1, 2), not one row an image"


def test_complex_step_is_exact_where_central_differences_are_not():
    x, u = (np.array(1.5),), (np.array(1.0),)
    exact = np.exp(1.5) * (np.sin(1.5) + np.cos(1.5))

    def f(x):
        return np.exp(x) * np.sin(x)

    assert abs(complex_step(f, x, u) - exact) <= 4e-16 * abs(exact)
    assert 1e-13 < abs(central_differences(f, x, u) - exact) < 1e-9


def test_many_inputs_and_a_scalar(rng):
    report = check_gradients(
        lambda a, b: np.square((a[:, None] * b).sum()),
        lambda d, a, b: (
            2 * d * (a[:, None] * b).sum() * b.sum(axis=1),
            2 * d * (a[:, None] * b).sum() * np.repeat(a[:, None], 4, axis=1),
        ),
        (rng.normal(size=3), rng.normal(size=(3, 4))),
        rng=rng,
    )
    assert report.ok and report.method == "complex step, full Jacobian"


def test_float32_inputs_are_judged_in_float64(rng):
    assert check_gradients(
        np.sin, lambda d, x: d * np.cos(x), rng.normal(size=5).astype(np.float32), rng=rng
    ).ok


def test_where_the_complex_step_fails_central_differences_take_over(rng):
    x = rng.uniform(1, 2, 5) * rng.choice([-1, 1], 5)
    report = check_gradients(np.abs, lambda d, x: d * np.sign(x), x, rng=rng)
    assert report.ok and "differences" in report.method  # elsewhere |x| is constant: both see 0
    report = check_gradients(np.abs, lambda d, x: d * np.sign(x) * x.dtype.type(1.0001), x, rng=rng)
    assert report.verdict == "fail" and "constant factor 1.0001" in report.findings[0].cause

    def no_complex(x):
        if np.iscomplexobj(x):
            raise TypeError("real numbers only")
        return x**3

    assert check_gradients(no_complex, lambda d, x: 3 * d * x**2, x, rng=rng).ok


def test_random_directions_find_one_wrong_entry_among_many(rng):
    w, x = rng.normal(size=(40, 30)), rng.normal(size=(4, 40))

    def wrong(d, x, w):
        dw = x.T @ d
        dw[17, 5] *= 1 + 1e-6
        return d @ w.T, dw

    report = check_gradients(lambda x, w: x @ w, wrong, (x, w), rng=rng)
    assert "random directions" in report.method and report.verdict == "fail"
    assert (report.findings[0].argument, report.findings[0].index) == ("w", (17, 5))
    assert report.findings[0].analytic / report.findings[0].numeric == pytest.approx(
        1 + 1e-6, abs=1e-7
    )
    assert "relative error 1.0e-06" in str(report)


def test_a_network_takes_two_tables_of_differences():
    """Where round-off is the limit, neither longer steps that already failed nor shorter ones are
    tried: 12 evaluations a table, two close by, and one beside x.
    """
    taken = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        net, x = one_hidden_net(784, 30, 10, rng=rng), rng.random((5, 784))
        taken.append(check_layer(net, x, rng=seed).evaluations)
    assert np.median(taken) <= 27, taken


@pytest.mark.parametrize(
    "wrong, cause",
    [
        (lambda g: -g, "a sign"),
        (lambda g: g * 1.5, "a constant factor 1.5"),
        (lambda g: g * 4, "a missing 1/4, the length of an axis"),
        (lambda g: g / 3, "one too many 1/3, the length of an axis"),
        (lambda g: g * 0, "a gradient left at zero"),
        (lambda g: np.roll(g, 1, axis=0), "a shift by one along axis 0"),
        (lambda g: g[::-1].copy(), "a reversal of axis 0"),
        (lambda g: g + g.dtype.type(0.5), "a term missing that axis 0 shares"),
        (
            lambda g: np.broadcast_to(g.mean(axis=1, keepdims=True), g.shape).copy(),
            "a sum or mean over axis 1 too many",
        ),
    ],
)
def test_the_cause_is_named(wrong, cause, rng):
    report = check_gradients(
        np.sin, lambda d, x: wrong(d * np.cos(x)), rng.uniform(0.5, 1.2, (4, 3)), rng=rng
    )
    assert report.verdict == "fail" and report.findings[0].cause == cause


def test_a_transposition_is_named():
    a = np.arange(9.0).reshape(3, 3) ** 2
    assert likely_cause(a, a.T) == "a transposition"


def test_the_report_in_words(rng):
    with pytest.raises(AssertionError) as error:
        assert_gradients(sine, lambda d, x: -d * np.cos(x), np.array([0.5, 1.0]), rng=rng)
    text = str(error.value)
    assert len(text.splitlines()) <= 3
    for piece in (
        "fail (complex step, full Jacobian)",
        "gradient: x[",
        "analytic",
        "numeric",
        "relative error 2.0e+00",
        "allowed",
        "likely a sign",
    ):
        assert piece in text


def test_cotangents_are_not_ones(rng):
    """With ones the gradient of a softmax is zero, whatever its backward says."""

    def softmax(z):
        e = np.exp(z)
        return e / e.sum(axis=1, keepdims=True)

    report = check_gradients(
        softmax,
        lambda d, z: 7 * softmax(z) * (d - (d * softmax(z)).sum(axis=1, keepdims=True)),
        rng.normal(size=(3, 4)),
        rng=rng,
    )
    assert report.verdict == "fail" and "factor 7" in report.findings[0].cause


def test_a_function_whose_complex_path_lies_is_caught_by_taylor(rng):
    """f's imaginary part is right for the wrong gradient only at complex numbers: real values bend
    otherwise.
    """

    def f(x):
        return 2 * x**2 if np.iscomplexobj(x) else x**2

    assert (
        check_gradients(f, lambda d, x: 4 * d * x, rng.uniform(1, 2, 3), rng=rng).verdict == "fail"
    )


# Purity, batches, dtypes


def test_hidden_state_is_found(rng):
    calls = []

    def f(x):
        calls.append(1)
        return x * (1 + 1e-12 * len(calls))

    report = check_gradients(f, lambda d, x: d.copy(), rng.normal(size=3), rng=rng)
    assert "twice" in {v.check for v in report.findings}


def test_a_batch_that_mixes(rng):
    def f(x):
        return x - x.mean(axis=0)

    def vjp(d, x):
        return d - d.mean(axis=0)

    x = rng.normal(size=(4, 3))
    assert check_gradients(f, vjp, x, rng=rng).ok
    report = check_gradients(f, vjp, x, rng=rng, batch=0)
    assert {v.check for v in report.findings} == {"batch"}


def test_dtype_kept_or_not(rng):
    w = rng.normal(size=(3, 2))
    case = (lambda x: x @ w), (lambda d, x: d @ w.T), rng.normal(size=(4, 3))
    report = check_gradients(*case, rng=rng)
    assert report.ok and "note: dtype: f" in str(report)  # no fault of a gradient
    assert {(v.check, v.argument) for v in report.notes} == {("dtype", "f"), ("dtype", "x")}
    assert not check_gradients(*case, rng=rng, dtypes=["float64"]).notes


# Bad input


@pytest.mark.parametrize(
    "x, message",
    [
        (np.arange(3), r"x: expected a float32 or float64 array, got int64"),
        ([1.0, 2.0], r"input 0: expected a float32 or float64 array, got float"),
        (np.array([1j]), r"x: expected a float32 or float64 array, got complex128"),
        (np.array([1.0, np.nan]), r"x: expected finite numbers, found NaN or infinity at \(1,\)"),
        (
            np.array([[1.0, np.inf]]),
            r"x: expected finite numbers, found NaN or infinity at \(0, 1\)",
        ),
    ],
)
def test_bad_inputs_are_named(x, message, rng):
    with pytest.raises(ValueError, match=message):
        check_gradients(sine, lambda d, x: d * np.cos(x), x, rng=rng)


@pytest.mark.parametrize(
    "f, vjp, message",
    [
        (
            np.sin,
            lambda d, x: d[:1],
            r"vjp: the gradient of x should have shape \(2, 3\), got \(1, 3\)",
        ),
        (
            np.sin,
            lambda d, x: d.T,
            r"vjp: the gradient of x should have shape \(2, 3\), got \(3, 2\): transposed\?",
        ),
        (np.sin, lambda d, x: d[None], r"got \(1, 2, 3\): an axis is not summed\?"),
        (np.sin, lambda d, x: (d, d), r"vjp: expected 1 gradients \(x\), got 2"),
        (np.sin, lambda d, x: d * np.nan, r"vjp: the gradient of x is NaN or infinite"),
        (lambda x: x * np.nan, lambda d, x: d, r"f: expected finite floats, got NaN or infinity"),
        (lambda x: x > 0, lambda d, x: d, r"f: expected finite floats, got bool"),
        (
            lambda x: np.multiply(x, 2, out=x),
            lambda d, x: 2 * d,
            r"f: changed its argument x, expected it untouched",
        ),
        (np.sin, lambda d, x: np.multiply(d, np.cos(x), out=d), r"vjp: changed its argument dout"),
        (np.sin, lambda d, x: d * np.cos(x, out=x), r"vjp: changed its argument x"),
    ],
)
def test_bad_functions_are_named(f, vjp, message, rng):
    with pytest.raises(ValueError, match=message):
        check_gradients(f, vjp, rng.normal(size=(2, 3)), rng=rng, names=("x",))


def test_a_batch_that_does_not_fit_the_layer_is_named(rng):
    layer = Affine(rng.normal(size=(3, 2)), np.zeros(2))
    for whole in (layer, Network((layer,))):
        with pytest.raises(ValueError, match=r"x: shape \(4, 5\) does not fit"):
            check_layer(whole, rng.normal(size=(4, 5)), rng=rng)
        with pytest.raises(ValueError, match="x: expected a float32 or float64 array, got int64"):
            check_layer(whole, np.ones((4, 3), int), rng=rng)


def test_a_layer_without_the_pair_and_one_with_a_bare_gradient(rng):
    class Scale:
        def __init__(self):
            self.factor = np.array(2.0)

        def forward(self, x):
            return self.factor * x, x

        def backward(self, dout, cache):
            return self.factor * dout, (dout * cache).sum()

    x = rng.normal(size=(4, 3))
    with pytest.raises(
        ValueError,
        match=r"layer: expected forward\(x, \*, train, rng\) -> \(out, cache\): .*'train'",
    ):
        check_layer(Scale(), x, rng=rng)
    Scale.forward = lambda self, x, *, train=False, rng=None: (self.factor * x, x)
    assert check_layer(Scale(), x, rng=rng).ok
    Scale.backward = lambda self, dout, cache: (self.factor * dout, dout.sum())
    assert check_layer(Scale(), x, rng=rng).findings[0].argument == "factor"


def test_no_layer_is_named(rng):
    with pytest.raises(
        ValueError, match="layer: expected forward and backward, float has no forward"
    ):
        check_layer(1.0, np.ones((1, 1)), rng=rng)


def test_a_plain_class_with_arrays_is_a_layer(rng):
    class Scale:
        def __init__(self, gain):
            self.gain = gain

        def forward(self, x, *, train=False, rng=None):
            return x * self.gain, x

        def backward(self, dout, cache):
            return dout * self.gain, ((dout * cache).sum(axis=0),)

    layer, gain = Scale(rng.normal(size=3)), None
    gain = layer.gain.copy()
    assert_layer(layer, rng.normal(size=(4, 3)), rng=rng)
    assert np.array_equal(layer.gain, gain) and layer.gain.dtype == np.float64
    with pytest.raises(AssertionError, match=r"Broken: fail .*\n.*gain"):

        class Broken(Scale):
            def backward(self, dout, cache):
                return dout * self.gain, ((dout * cache).mean(axis=0),)

        assert_layer(Broken(gain), rng.normal(size=(4, 3)), rng=rng)


def test_a_dropout_gets_the_same_chance_every_time(rng):
    class Dropout:
        def forward(self, x, *, train=False, rng=None):
            keep = (rng.random(x.shape) > 0.5) if train else np.ones(x.shape, bool)
            return x * keep, keep

        def backward(self, dout, keep):
            return dout * keep, ()

    assert check_layer(Dropout(), rng.normal(size=(4, 5)), rng=rng, train=True, batch=False).ok


@given(st.integers(0, 2**16), st.sampled_from([1e-6, 1.0, 1e6]))
def test_a_scale_error_of_one_in_a_million_never_passes(seed, scale):
    rng = np.random.default_rng(seed)
    net = one_hidden_net(3, 4, 2, rng=rng, activation=Sigmoid())

    def vjp(d, x):
        return net.input_gradient(x, d) * (1 + 1e-6)

    x = scale * rng.uniform(0.1, 1, (2, 3)) if scale <= 1 else rng.uniform(0.1, 1, (2, 3))
    assert (
        check_gradients(lambda x: net.forward(x)[0], vjp, x, rng=rng, dtypes=["float64"]).verdict
        == "fail"
    )


# The command

USER_CODE = """
import numpy as np
from refimpl.layers import Affine, ReLU
good = Affine(np.eye(3), np.zeros(3))
relu = ReLU()
no_pair = np.fft, np.ones(3)
class Bad(ReLU):
    def backward(self, dout, cache):
        return -dout, ()
bad = Bad()
triple = (np.sin, lambda d, x: d * np.cos(x), (np.ones(3),))
def pair(rng):
    return ReLU(), rng.normal(size=(2, 3)) + 5
def kink():
    return (lambda x: np.where(x.real > 0, x, 0 * x)), (lambda d, x: d * (x > 0).astype(x.dtype)), (np.zeros(2),)
integers = (np.sin, lambda d, x: d, (np.arange(3),))
number = 7
def f(x, y):
    return x * y
def vjp(dout, x, y):
    return dout * y, dout * x
two = f, vjp
class Dense(Affine):
    def __init__(self, w, b):
        super().__init__(w, b)
class Named(Affine):
    def backward(self, dout, cache):
        dx, (dw, db) = super().backward(dout, cache)
        return dx, {"w": dw, "b": db}
class Flat(Affine):
    def backward(self, dout, cache):
        dx, (dw, db) = super().backward(dout, cache)
        return dx, dw, db
named = Named(np.eye(3), np.zeros(3))
flat = Flat(np.eye(3), np.zeros(3))
short = f, (lambda x, y: (y, x)), (np.ones(3), np.ones(3))
inside = f, (lambda d, x, y: np.sin()), (np.ones(3), np.ones(3))
def report():
    from refimpl.gradcheck import check_gradients
    return check_gradients(np.sin, lambda d, x: 2 * d * np.cos(x), np.ones(3))
"""


@pytest.mark.parametrize(
    "name, code, words",
    [
        ("good", 0, "pass"),
        ("relu", 0, "pass"),
        ("bad", 1, "gradient: x["),
        ("triple", 0, "pass"),
        ("pair", 0, "pass"),
        ("kink", 2, "no verdict"),
        ("integers", 2, "expected a float32"),
        ("number", 2, "expected a layer"),
        (
            "f",
            2,
            "expected (f, vjp, inputs), or a function of nothing or of rng that returns it, got f(x, y)",
        ),
        ("two", 2, "expected (layer, x) or (f, vjp, inputs), got a function in a pair"),
        (
            "Dense",
            2,
            "expected a layer, or a function of nothing or of rng that returns it, got Dense(w, b)",
        ),
        (
            "named",
            2,
            "backward(dout, cache) -> (dx, (dw, db)), the gradients in a tuple in this order, got (dx, dict)",
        ),
        ("flat", 2, "the gradients in a tuple in this order, got 3 values"),
        ("short", 2, "vjp: expected vjp(dout, x, y), got vjp(x, y): too many positional arguments"),
        ("inside", 2, "it raised TypeError: sin() takes"),
        ("report", 1, "likely a constant factor 2"),
        ("missing", 2, "missing"),
        ("Bad", 1, "gradient: x["),
    ],
)
def test_the_command(name, code, words, tmp_path, monkeypatch):
    (tmp_path / "gradcheck_user_code.py").write_text(USER_CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "gradcheck_user_code", raising=False)
    lines = []
    assert check(f"gradcheck_user_code:{name}", lines.append, err=lines.append) == code
    assert words in "\n".join(lines)


def test_the_command_wants_module_and_object():
    lines = []
    assert check("nothing", err=lines.append) == 2 and "expected module:object" in lines[0]
    assert check("no.such.module:x", err=lines.append) == 2
    assert check("some/file.py:x", err=lines.append) == 2
    assert "not a file: file:x, asked in the folder of file.py" in lines[-1]


def test_a_crash_is_status_2_and_json_is_data(tmp_path, monkeypatch, capsys):
    code = USER_CODE + "\ndef boom():\n    raise ZeroDivisionError('mine')\n"
    (tmp_path / "gradcheck_more_code.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    assert check("gradcheck_more_code:boom") == 2
    shown = capsys.readouterr()
    assert not shown.out and "it raised ZeroDivisionError: mine" in shown.err
    assert check("gradcheck_more_code:triple", as_json=True) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["verdict"] == "pass" and data["arguments"][0]["checked"] == "3 entries"
