"""Files of networks with hyper-parameters and buffers; files of before there were any; files that
are something else.
"""

import hashlib
import json
from dataclasses import fields

import numpy as np
import pytest

from refimpl.companions.cnn.architectures import small_net
from refimpl.gradcheck.mutants.cases import make_layer
from refimpl.layers import LAYERS, Affine, Flatten, ReLU, Sigmoid, Tanh, Unflatten
from refimpl.layers.conv import Conv2D, MaxPool2D, Upsample
from refimpl.layers.regularization import BatchNorm, Dropout
from refimpl.network import Network, softmax_net
from refimpl.weights import build, describe, load, save


def every_layer(rng):
    """All layers, every hyper-parameter away from its default."""
    f = np.float32
    return (
        Unflatten((2, 4, 4)),
        Conv2D(rng.normal(size=(3, 2, 3, 3)).astype(f), np.zeros(3, f), 2, "same"),
        BatchNorm(*rng.random((4, 3)).astype(f), 0.25, 1e-2),
        ReLU(),
        Upsample(3),
        MaxPool2D(3, 1),
        Flatten(),
        Dropout(0.125),
        Affine(rng.normal(size=(48, 5)).astype(f), np.full(5, np.inf, f), 2.5),
        Sigmoid(),
        Affine(rng.normal(size=(5, 2)), np.zeros(2), 0.5),
        Tanh(),
    )


@pytest.mark.parametrize("name", LAYERS)
def test_an_example_of_every_layer_comes_back(name, tmp_path, rng):
    layer, x = make_layer(name, rng)
    save(Network((layer,)), tmp_path / "x.npz")
    (again,) = load(tmp_path / "x.npz").layers
    assert type(again) is LAYERS[name]
    assert np.array_equal(again.forward(x)[0], layer.forward(x)[0])


def test_every_layer_comes_back_with_all_that_it_has(tmp_path, rng):
    layers = every_layer(rng)
    for layer in layers:  # so that a forgotten hyper-parameter is seen
        for f in fields(layer):
            value = getattr(layer, f.name)
            assert isinstance(value, np.ndarray) or value != f.default, (layer, f.name)
    save(Network(layers), tmp_path / "x.npz")
    again = load(tmp_path / "x.npz").layers
    for a, b in zip(layers, again, strict=True):
        assert type(a) is type(b)
        for name, value in vars(a).items():
            other = getattr(b, name)
            assert type(value) is type(other)
            if isinstance(value, np.ndarray):
                assert (
                    value.dtype == other.dtype
                    and value.shape == other.shape
                    and value.tobytes() == other.tobytes()
                )
            else:
                assert value == other


def test_a_network_computes_the_same_afterwards(tmp_path, rng):
    net, x = small_net((1, 8, 8), 3, rng=rng), rng.random((5, 64), dtype=np.float32)
    save(net, tmp_path / "x.npz")
    assert np.array_equal(load(tmp_path / "x.npz").logits(x), net.logits(x))


def write(path, description, *arrays):
    """A file as the first version of weights.py wrote it, but for the description."""
    text = json.dumps(description)
    checksum = hashlib.sha256(text.encode() + b"".join(a.tobytes() for a in arrays)).hexdigest()
    np.savez(
        path,
        format_version=1,
        architecture=text,
        checksum=checksum,
        **{f"p{i}": a for i, a in enumerate(arrays)},
    )


def test_a_file_of_before_there_were_hyper_parameters(tmp_path, rng):
    w, b = rng.normal(size=(4, 3)), rng.normal(size=3)
    write(
        tmp_path / "x.npz",
        [
            {"layer": "Affine", "parameters": {"w": [[4, 3], "float64"], "b": [[3], "float64"]}},
            {"layer": "ReLU", "parameters": {}},
        ],
        w,
        b,
    )
    affine, relu = load(tmp_path / "x.npz").layers
    assert (
        np.array_equal(affine.w, w)
        and np.array_equal(affine.b, b)
        and affine.max_norm is None
        and type(relu) is ReLU
    )


AFFINE = {"layer": "Affine", "parameters": {"w": [[4, 3], "float64"], "b": [[3], "float64"]}}


@pytest.mark.parametrize(
    "entry, message",
    [
        (
            {**AFFINE, "settings": {"colour": 1}},
            "expected a layer of this version of refimpl, found Affine {'colour': 1}",
        ),
        ({**AFFINE, "settings": {"w": 1}}, "found Affine {'w': 1}"),
        ({**AFFINE, "layer": "Pickle"}, "expected layers of .*, found 'Pickle'"),
        ({**AFFINE, "layer": "ReLU"}, "expected a layer of this version"),
        ({**AFFINE, "layer": "Conv2D"}, "w, b: expected shapes"),
        (
            {**AFFINE, "parameters": {"w": [[3, 4], "float64"], "b": [[3], "float64"]}},
            "expected parameters as in its arch",
        ),
        (
            {**AFFINE, "parameters": {"w": [[4, 3], "float32"], "b": [[3], "float64"]}},
            "expected parameters as in its arch",
        ),
        ({**AFFINE, "parameters": {"w": [[4, 3], "float64"]}}, "expected"),
        (
            {**AFFINE, "parameters": AFFINE["parameters"] | {"c": [[3], "float64"]}},
            "expected parameters as in its architecture",
        ),
        ({"layer": "Dropout", "parameters": {}}, "expected a layer of this version .* Dropout"),
        ({"layer": "ReLU", "parameters": {}}, "found 2 more"),
        ({"parameters": {}}, "expected an architecture .* KeyError"),
        ("ReLU", "expected an architecture as refimpl writes it"),
        (7, "expected an architecture as refimpl writes it"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, rng, entry, message):
    write(tmp_path / "x.npz", [entry], rng.normal(size=(4, 3)), rng.normal(size=3))
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path / "x.npz")
    assert str(tmp_path / "x.npz") in str(caught.value)


def test_every_flipped_bit_is_seen_or_harmless(tmp_path, rng):
    net, path = Network(every_layer(rng)[:4]), tmp_path / "x.npz"
    save(net, path)
    whole, (description, arrays), seen = path.read_bytes(), describe(net), 0
    for at in {
        *range(80),
        *rng.integers(0, len(whole), 300).tolist(),
        *range(len(whole) - 100, len(whole)),
    }:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.integers(8)]) + whole[at + 1 :])
        try:
            found, own = describe(load(path))
        except ValueError as error:
            assert "x.npz" in str(error)
            seen += 1
        else:
            assert found == description and all(
                a.tobytes() == b.tobytes() for a, b in zip(own, arrays)
            )
    assert seen > 300


def test_describe_and_build_are_inverse_and_plain(rng):
    net = Network(every_layer(rng))
    description, arrays = describe(net)
    again, same = describe(build(json.loads(json.dumps(description)), arrays))
    assert again == description and all(a is b for a, b in zip(arrays, same)) and len(arrays) == 10


def test_objects_are_not_pickled(tmp_path):
    net = softmax_net(2, 2).with_parameters(
        [np.array([[{}, 1], [1, 1]], dtype=object), np.zeros(2)]
    )
    with pytest.raises((ValueError, TypeError)):
        save(net, tmp_path / "x.npz")
    assert not list(tmp_path.iterdir())
