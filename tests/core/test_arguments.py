"""What functions are handed: an argument that does not fit is named, whatever its kind of misfit,
and what means the right thing gives the right result; never silence, never another exception.
"""

import inspect
import warnings

import numpy as np
import pytest

import refimpl as ri
from refimpl import theory
from refimpl.layers import ReLU
from refimpl.losses import cross_entropy
from refimpl.optimize import adam, momentum
from refimpl.weights import build, describe

NET = ri.one_hidden_net(6, 4, 3, rng=0)
LINEAR = ri.softmax_net(6, 3)
X = np.random.default_rng(0).normal(size=(9, 6))
Y = np.arange(9) % 3
TEN, LOGITS = X[:3], X[3:6, :3]

LR = {"lr": 0.1, "steps": 2}
CALLS = {  # good calls; each name below is replaced in turn
    "train": lambda **k: ri.train(
        **({"network": NET, "x": X, "y": Y, "steps": 2, "lr": 0.1, "batch": 3, "rng": 0} | k)
    ),
    "class_visualizations": lambda **k: ri.class_visualizations(
        k.pop("network", NET.with_parameters([np.ones_like(p) for p in NET.parameters])),
        **({"steps": 2, "lr": 0.1, "start": np.full((3, 6), 0.1), "classes": [0, 1, 2]} | k),
    ),
    "ascend": lambda **k: ri.ascend(
        k.pop("objective", lambda x, step: (-(x**2).sum(axis=1), -2 * x)),
        **({"x0": X, "steps": 2, "lr": 0.1} | k),
    ),
    "descend": lambda **k: ri.descend(
        **({"network": LINEAR, "x": X, "target": Y, "loss": cross_entropy} | LR | k)
    ),
    "check_layer": lambda **k: ri.check_layer(**({"layer": LINEAR, "x": X} | k)),
    "check_gradients": lambda **k: ri.check_gradients(np.sin, lambda d, x: d * np.cos(x), X, **k),
    "check_jacobian": lambda **k: ri.check_jacobian(
        np.sin, lambda x: np.diag(np.cos(x)), **({"x": X[0]} | k)
    ),
    "retrain": lambda **k: ri.retrain(**({"images": TEN, "targets": LOGITS} | k)),
    "certificate": lambda **k: ri.certificate(
        **({"images": TEN, "targets": LOGITS, "teacher": LINEAR} | k)
    ),
    "predict": lambda **k: NET.predict(k.pop("x", X)),
    "logits": lambda **k: NET.logits(k.pop("x", X)),
    "extract": lambda **k: ri.extract(k.pop("network", NET), **k),
    "softmax_net": lambda **k: ri.softmax_net(**({"inputs": 6, "classes": 3} | k)),
    "one_hidden_net": lambda **k: ri.one_hidden_net(
        **({"inputs": 6, "hidden": 4, "classes": 3} | k)
    ),
    "accuracy": lambda **k: ri.accuracy(**({"y": Y, "predicted": Y} | k)),
    "show": lambda **k: ri.show(k.pop("images", TEN), image_shape=(1, 2, 3), **k),
    "dataset_from": lambda **k: ri.dataset_from(
        **({"train_x": X, "train_y": Y, "test_x": X, "test_y": Y} | k)
    ),
    "network_from": lambda **k: ri.network_from(k.pop("arrays", np.ones((6, 3))), np.ones(3), **k),
    "pack": lambda **k: ri.pack([[1, 1]], (3, 3), **({"iterations": 1} | k)),
    "adam": lambda **k: adam(X, X, None, lr=0.1, **k),
    "momentum": lambda **k: momentum(X, X, None, lr=0.1, **k),
    "save_network": lambda **k: ri.save_network(k.pop("network", NET), k.pop("path", "\0")),
    "load_network": lambda **k: (
        build(describe(NET)[0], describe(NET)[1], **k)
        if "layers" in k
        else ri.load_network(**({"path": "\0"} | k))
    ),
    "load": lambda **k: ri.load(**({"name": "digits"} | k)),
}
COUNTS = (-1, 1.5, np.inf, np.nan, "3", None, True)
STEPS = (0, -0.1, np.nan, np.inf, "a")
SHARES = (1, 1.5, -0.1, np.nan, "a")
ARRAYS = {
    "masked": np.ma.masked_array(X, X > 1),
    "complex": X + 1j,
    "objects": X.astype(object),
    "text": X.astype(str),
    "ragged": [[1.0, 2.0], [3.0]],
    "a class": ri.Network,
}
COMPLEX = NET.with_parameters([p + 0j for p in NET.parameters])
NETWORKS = (None, ri.Network, 3, "net", X, LINEAR.layers[0])
NO_FUNCTIONS = (3, "sgd", [abs])
MISFITS = [
    *(("train", name, value) for name in ("steps", "batch") for value in COUNTS),
    *(("train", "lr", value) for value in STEPS),
    *(("train", "rng", value) for value in ("a", -1, 1.5)),
    *(("train", "network", value) for value in (*NETWORKS, COMPLEX)),
    *(("class_visualizations", "steps", value) for value in COUNTS),
    *(("class_visualizations", "lr", value) for value in STEPS),
    *(("class_visualizations", "classes", value) for value in (3, "ab", [1.5], [9], [-1], [True])),
    *(("class_visualizations", "objective", value) for value in (None, "x", ["logit"])),
    *(("class_visualizations", "weight_decay", value) for value in (-1, np.nan, np.inf, "3", None)),
    *(("class_visualizations", "box", value) for value in (3, "01", (1,), (1, 0), (np.nan, 1))),
    *(("class_visualizations", "priors", value) for value in (3, [3], "ab")),
    *(("train", name, value) for name in ("loss", "update") for value in (None, *NO_FUNCTIONS)),
    *(
        ("train", name, value)
        for name in ("project", "on_step", "progress")
        for value in NO_FUNCTIONS
    ),
    *(("ascend", name, value) for name in ("objective", "update") for value in NO_FUNCTIONS),
    *(("ascend", "project", value) for value in NO_FUNCTIONS),
    *(("ascend", "lr", value) for value in ("0.1", b"1", [1])),
    *(("descend", "network", value) for value in NETWORKS),
    *(("descend", "x", X * bad) for bad in (np.nan, np.inf)),
    *(("descend", "x", value) for value in (3.0, X[0], X[:0], None, "ab")),
    *(("descend", "target", value) for value in (None, "ab", 3, X[:, :3] * np.nan)),
    *(("descend", name, value) for name in ("loss", "update") for value in NO_FUNCTIONS),
    *(("descend", "tol", value) for value in (-1, np.nan, "a", None)),
    *(("check_layer", "rng", value) for value in (-1, True, "a", 1.5)),
    *(("check_gradients", name, 3) for name in ("names", "dtypes")),
    ("check_gradients", "names", [3]),
    ("check_gradients", "dtypes", None),
    *(("check_jacobian", "x", value) for value in ("ab", None, X[0] * np.inf, {1: 2})),
    ("class_visualizations", "network", COMPLEX),
    ("class_visualizations", "network", NET.with_parameters([p * np.nan for p in NET.parameters])),
    *(("class_visualizations", "start", X[:3] * bad) for bad in (np.nan, np.inf)),
    *(("retrain", "steps", value) for value in COUNTS),
    *(("retrain", "lr", value) for value in STEPS),
    *(
        ("certificate", name, value * np.inf)
        for name, value in (("images", TEN), ("targets", LOGITS))
    ),
    *(("certificate", "teacher", value) for value in NETWORKS),
    *(("certificate", "start", value) for value in NETWORKS if value is not None),
    *(("retrain", "student", value) for value in NETWORKS if value is not None),
    *(("retrain", "tol", value) for value in (-1, np.nan, "a", None)),
    *(("retrain", "temperature", value) for value in (0, "1", np.inf)),
    *(("retrain", "form", value) for value in (None, "x", ["dual"])),
    *(("extract", "progress", value) for value in NO_FUNCTIONS),
    *(("extract", "regime", value) for value in (None, 3, ["hints"])),
    *(("train", "y", value) for value in (3, None, "ab")),
    *(("load_network", "layers", value) for value in (3, [1])),
    *(("softmax_net", "sigma", value) for value in (-1, "1", np.inf)),
    *(("softmax_net", "dtype", value) for value in (int, "flot32", 3)),
    *(("one_hidden_net", "activation", value) for value in ("relu", ReLU, abs, 3)),
    *(("show", "labels", value) for value in (3, ["a"])),
    ("train", "y", np.zeros(9)),
    *(("softmax_net", name, 10**30) for name in ("inputs", "classes")),
    *(("pack", name, value) for name in ("time_limit", "share") for value in ("1", None, [1], 1j)),
    *(("pack", "iterations", value) for value in (-1, 1.5, "1", [1])),
    *(("pack", "names", value) for value in (3, "a", [])),
    *(("pack", name, value) for name in ("clock", "progress") for value in NO_FUNCTIONS),
    *(("load", "data_dir", value) for value in (3, [1], b"x", "", "\0")),
    ("load", "name", "x" * 5_000),
    *(
        ("dataset_from", name, value)
        for name in ("train_y", "test_y")
        for value in (None, "ab", [], Y.astype(str), Y + 0.5, Y * np.nan, Y - 1, Y + 10**9, {1: 2})
    ),
    *(("dataset_from", "train_x", value) for value in (X * 1e300, X[:, :0], X[:0], X[0])),
    *(("dataset_from", "image_shape", value) for value in (6, "ab", (1, 2, -3), (1.5, 2, 2))),
    ("dataset_from", "classes", 3),
    *(("predict", "x", X * bad) for bad in (np.nan, np.inf)),
    *(("extract", "network", value) for value in NETWORKS),
    *(("extract", "images", value) for value in COUNTS if value is not None),
    *(("extract", "rng", value) for value in ("a", -1)),
    *(("softmax_net", name, value) for name in ("inputs", "classes") for value in (0, *COUNTS)),
    *(("one_hidden_net", name, value) for name in ("inputs", "hidden") for value in (0, *COUNTS)),
    *(("adam", name, value) for name in ("beta1", "beta2") for value in SHARES),
    *(("momentum", "beta", value) for value in SHARES),
    *(("pack", "seed", value) for value in ("a", -1)),
    *((call, "path", value) for call in ("save_network", "load_network") for value in (None, "\0")),
    *(("load", "name", value) for value in (None, 3, "", "\0", b"mnist")),
    *(
        (call, name, value)
        for call, name in (
            ("train", "x"),
            ("class_visualizations", "start"),
            ("retrain", "images"),
            ("retrain", "targets"),
            ("certificate", "images"),
            ("certificate", "targets"),
            ("predict", "x"),
            ("logits", "x"),
            ("accuracy", "y"),
            ("show", "images"),
            ("dataset_from", "train_x"),
            ("network_from", "arrays"),
        )
        for value in ARRAYS.values()
    ),
]


@pytest.mark.parametrize(
    "call, name, value", MISFITS, ids=lambda v: v if isinstance(v, str) else None
)
def test_an_argument_that_does_not_fit_is_named(call, name, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "invalid value", RuntimeWarning)  # infinity times zero
        with pytest.raises(ValueError, match=rf"\b{name}\b.*: |^{name}: "):
            CALLS[call](**{name: value})


@pytest.mark.parametrize("call", [c for c in CALLS if c not in ("save_network", "load_network")])
def test_the_good_calls_are_good(call):
    CALLS[call]()


def test_lists_of_numbers_mean_their_arrays():
    for call, name, value in (("train", "x", X), ("train", "y", Y), ("retrain", "images", TEN)):
        one, other = CALLS[call](**{name: value}), CALLS[call](**{name: value.tolist()})
        one, other = (r.network if hasattr(r, "network") else r[0] for r in (one, other))
        assert all(np.array_equal(p, q) for p, q in zip(one.parameters, other.parameters))


@pytest.mark.parametrize("bias", [-1e9, -1e30, -1e59, 1e30])
def test_a_network_whose_units_sleep_far_away_has_an_extraction(bias):
    """At the blank nothing is awake; the images lie far out, and are numbers."""
    w, b, *rest = NET.parameters
    e = ri.extract(NET.with_parameters([w, np.full_like(b, bias), *rest]))
    assert np.isfinite(e.images).all() and e.certificate.exact in ("parameters", "function", "no")


def test_closed_forms_do_not_hang_on_infinity():
    assert "w" in inspect.signature(theory.one_step_images).parameters
    with pytest.raises(ValueError, match="w: expected finite"):
        theory.one_step_images(np.full((6, 3), np.inf))


def test_long_calls_say_where_they_are():
    """train, extract and pack hand lines of text to a callable; it changes nothing else."""
    said = []
    loud, _ = CALLS["train"](steps=250, progress=said.append)
    quiet, _ = CALLS["train"](steps=250)
    assert said[-1] == "step 250 of 250" and 100 <= len(said) <= 125
    assert all(np.array_equal(p, q) for p, q in zip(loud.parameters, quiet.parameters))
    said.clear()
    ri.extract(NET, regime="hints", progress=said.append)
    ri.extract(NET, regime="black_box", progress=said.append)
    assert said[0].startswith("hints: ") and said[-1].startswith("black_box: asked ")
    said.clear()
    items = np.random.default_rng(0).integers(5, 40, (60, 2))
    found = ri.pack(items, (60, 60), iterations=60, progress=said.append)
    assert said and said[-1].startswith(f"{found.count} bins, at least {found.lower_bound}")
