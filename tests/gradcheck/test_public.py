"""The score on public functions, on functions of our own: no library is needed for its rules."""

import numpy as np
import pytest

from refimpl.app.cli import main
from refimpl.gradcheck import check_gradients, check_layer
from refimpl.gradcheck.mutants.public.function import Function, Skipped, functions, missing
from refimpl.gradcheck.mutants.public.judge import judge
from refimpl.gradcheck.mutants.public.plant import KINDS
from refimpl.gradcheck.mutants.public.summary import summary
from refimpl.layers import Affine, Tanh
from refimpl.layers.regularization import BatchNorm
from refimpl.network import Network

X = np.array([0.3, -0.7, 1.1])
SINE = Function("sin", np.sin, lambda d, x: d * np.cos(x), (X,))
SCALE = Function("scale", lambda x, w: x * w, lambda d, x, w: (d * w, d * x), (X, X[::-1].copy()))


def test_a_right_function_passes_and_its_planted_errors_are_caught_by_name():
    for function in (SINE, SCALE):
        row = judge(function, 0, {})
        assert row["verdict"] == "pass" and set(row["planted"]) == set(KINDS)
        assert all(p["caught"] and not p["equivalent"] for p in row["planted"].values())


def test_an_error_in_another_argument_than_the_one_named_is_not_caught(monkeypatch):
    def blamed(dout, x, w):
        return d_right(dout, x, w)[0], 2 * d_right(dout, x, w)[1]

    d_right = SCALE.vjp
    wrong = Function("scale", SCALE.f, blamed, SCALE.inputs)
    row = judge(wrong, 0, {})
    assert row["verdict"] == "fail" and "input 1" in row["words"]


def test_a_crash_is_counted_and_a_peer_is_asked():
    def refuses(x):
        raise TypeError("never")

    rows = [
        judge(Function("refuses", refuses, refuses, (X,)), 0, {}),
        judge(SINE, 0, {"lenient": lambda f, vjp, inputs: True}),
    ]
    found = summary("ours", rows, [{"name": "cos", "reason": "why not"}], 1)
    assert found["verdicts"] == {"pass": 1, "fail": 0, "no verdict": 0, "crash": 1}
    assert found["crashes"] == ["refuses"] and found["skipped"] == {"why not": ["cos"]}
    assert found["peers"]["lenient"][KINDS[0]] == [0, 1]
    assert found["peers"]["refimpl"][KINDS[0]] == [1, 1]


@pytest.mark.parametrize("library", ["autograd", "mygrad"])
def test_a_block_of_a_library_passes(library):
    if missing(library):
        pytest.skip(f"{library} is not installed")
    found = [f for f in functions(library, 0, 5, 40) if not isinstance(f, Skipped)]
    assert found and all(judge(f, 0, {})["verdict"] == "pass" for f in found)


@pytest.mark.parametrize("library, least", [("autograd", 200), ("mygrad", 100)])
def test_every_derivative_of_a_library_is_judged_or_left_out_with_a_reason(library, least):
    if missing(library):
        pytest.skip(f"{library} is not installed")
    found = list(functions(library, 0, 0, 1))
    judged = {f.name for f in found if not isinstance(f, Skipped)}
    assert len(judged) >= least
    assert all(f.reason for f in found if isinstance(f, Skipped))


def test_a_missing_extra_is_a_clear_message(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["mutants", "--public", "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "torch" in told and "mygrad" in told and "[peers]" in told


def test_options_of_public_alone_are_refused_without_it(capsys):
    assert main(["mutants", "--seeds", "2"]) == 2
    assert "--seeds: expected with --public" in capsys.readouterr().err


# Kinds of faults that the public functions showed in the checker.


def real_only(f):
    def g(*x):
        if any(np.asarray(a).dtype != np.float64 for a in x):
            raise TypeError("real numbers alone")
        return f(*x)

    return g


def test_an_output_that_only_scatters_does_not_spoil_the_sum():
    """x + y - y is x but for round-off; the third output is that round-off, and moves chaotically."""

    def f(x):
        return np.stack([x[0] ** 2, np.sin(x[1]), (x[0] + 0.1) - 0.1 - x[0]])

    def vjp(d, x):
        return np.stack([2 * d[0] * x[0], d[1] * np.cos(x[1])])

    for seed in range(5):
        assert check_gradients(real_only(f), vjp, X[:2], rng=seed, dtypes=()).ok
        wrong = check_gradients(
            real_only(f), lambda d, x: vjp(d, x) * (1 + 1e-6), X[:2], rng=seed, dtypes=()
        )
        assert wrong.verdict == "fail"


def test_an_implementation_that_is_not_real_at_real_numbers_is_no_complex_step():
    def f(x):
        return np.sin(x) + (1e-17j if np.iscomplexobj(x) else 0.0)

    report = check_gradients(f, lambda d, x: d * np.cos(x), X, dtypes=())
    assert report.ok and "differences" in report.method


def test_a_stair_has_no_slope():
    """np.round(x, 3), and the normal distribution where 1 + erf has lost its digits: no verdict."""
    stair = real_only(lambda x: np.round(x, 3))
    for seed in range(5):
        right = check_gradients(stair, lambda d, x: 0 * x, X + 1e-4, rng=seed, dtypes=())
        assert right.verdict != "fail", right
        assert not check_gradients(stair, lambda d, x: d, X + 1e-4, rng=seed, dtypes=()).ok


def test_values_in_float32_have_the_digits_of_float32():
    def f(x):
        return np.sin(x).astype(np.float32)

    def times(c):
        return check_gradients(real_only(f), lambda d, x: c * d * np.cos(x), X, dtypes=())

    assert times(1.0).ok and times(1.01).verdict == "fail"


def test_a_sign_has_the_derivative_zero_whatever_its_complex_step_says():
    def f(x):
        size = np.sqrt((x * np.conj(x)).real)
        return np.concatenate([x / size, size])

    report = check_gradients(f, lambda d, x: d[3:] * np.sign(x), X, dtypes=())
    assert report.ok, report


def test_a_bias_before_a_normalization_is_skipped_by_name():
    rng = np.random.default_rng(0)
    norm = BatchNorm(np.ones(4), np.zeros(4), np.zeros(4), np.ones(4))
    net = Network((Affine(rng.normal(size=(3, 4)), np.zeros(4)), norm, Tanh()))
    x = rng.normal(size=(5, 3))
    whole = check_layer(net, x, train=True, batch=False)
    assert whole.verdict.startswith("no verdict: bound") and "skip='0.b'" in whole.verdict
    assert check_layer(net, x, train=True, batch=False, skip="0.b").ok
