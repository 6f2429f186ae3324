"""What functions are handed: an argument that does not fit is named, whatever its kind of misfit,
and what means the right thing gives the right result; never silence, never another exception.
"""

import inspect
import warnings

import numpy as np
import pytest

import refimpl as ri
from refimpl import theory
from refimpl.optimize import adam, momentum

NET = ri.one_hidden_net(6, 4, 3, rng=0)
LINEAR = ri.softmax_net(6, 3)
X = np.random.default_rng(0).normal(size=(9, 6))
Y = np.arange(9) % 3
TEN, LOGITS = X[:3], X[3:6, :3]

CALLS = {  # good calls; each name below is replaced in turn
    "train": lambda **k: ri.train(
        **({"network": NET, "x": X, "y": Y, "steps": 2, "lr": 0.1, "batch": 3, "rng": 0} | k)
    ),
    "class_visualizations": lambda **k: ri.class_visualizations(
        k.pop("network", NET.with_parameters([np.ones_like(p) for p in NET.parameters])),
        **({"steps": 2, "lr": 0.1, "start": np.full((3, 6), 0.1), "classes": [0, 1, 2]} | k),
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
    "load_network": lambda **k: ri.load_network(**({"path": "\0"} | k)),
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
NETWORKS = (None, ri.Network, 3)
MISFITS = [
    *(("train", name, value) for name in ("steps", "batch") for value in COUNTS),
    *(("train", "lr", value) for value in STEPS),
    *(("train", "rng", value) for value in ("a", -1, 1.5)),
    *(("train", "network", value) for value in (*NETWORKS, COMPLEX)),
    *(("class_visualizations", "steps", value) for value in COUNTS),
    *(("class_visualizations", "lr", value) for value in STEPS),
    *(("class_visualizations", "classes", value) for value in (3, "ab", [1.5], [9], [-1], [True])),
    ("class_visualizations", "network", COMPLEX),
    ("class_visualizations", "network", NET.with_parameters([p * np.nan for p in NET.parameters])),
    *(("class_visualizations", "start", X[:3] * bad) for bad in (np.nan, np.inf)),
    *(("retrain", "steps", value) for value in COUNTS),
    *(("retrain", "lr", value) for value in STEPS),
    *(
        ("certificate", name, value * np.inf)
        for name, value in (("images", TEN), ("targets", LOGITS))
    ),
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
