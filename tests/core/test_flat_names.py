"""`import refimpl as ri`: every flat name is there, loaded on use, and never hidden by a module."""

import subprocess
import sys

import numpy as np
import pytest

import refimpl as ri

FLAT = [name for name in ri.__all__ if name != "__version__"]


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", FLAT)
def test_a_flat_name_is_a_function_or_a_class(name):
    assert callable(getattr(ri, name)) and name in dir(ri)


def test_no_module_lies_over_a_flat_name():
    code = """
import pkgutil, importlib, refimpl
for module in pkgutil.walk_packages(refimpl.__path__, "refimpl."):
    try:
        module.name.endswith("__main__") or importlib.import_module(module.name)
    except ImportError:
        pass  # an extra that is not installed
print([n for n in refimpl.__all__ if n != "__version__" and not callable(getattr(refimpl, n))])
"""
    assert python(code) == "[]"


def test_nothing_is_loaded_before_it_is_used():
    loaded = (
        "sorted(m for m in sys.modules if m.startswith(('refimpl', 'numpy.linalg', 'matplotlib')))"
    )
    assert python(f"import sys, refimpl; print({loaded})") == "['refimpl']"


def test_what_a_type_checker_reads_is_what_is_loaded():
    import ast
    from pathlib import Path

    (block,) = [n for n in ast.parse(Path(ri.__file__).read_text()).body if isinstance(n, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    said = {(a.asname, node.module, a.name) for node in imports for a in node.names if a.asname}
    for node in block.body:  # load_network, save_network = weights.load, weights.save
        if isinstance(node, ast.Assign):
            for flat, value in zip(node.targets[0].elts, node.value.elts, strict=True):
                said.add((flat.id, f"refimpl.{value.value.id}", value.attr))
    assert said == {(flat, module, name) for flat, (module, name) in ri._PLACES.items()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        ri.trian  # noqa: B018


def test_a_network_from_arrays(rng):
    w1, b1, w2, b2 = (rng.normal(size=s) for s in ((5, 4), (4,), (4, 3), (3,)))
    x = rng.normal(size=(6, 5))
    expected = np.tanh(x @ w1 + b1) @ w2 + b2
    for arrays in ((w1, b1, w2, b2), (w1.T, b1, w2.T, b2)):
        assert np.allclose(ri.network_from(*arrays, activation="tanh").logits(x), expected)
    single = ri.network_from(*(a.astype(np.float32) for a in (w1, b1)))
    assert single.parameters[0].dtype == np.float32
    w1[:] = 0
    assert np.abs(single.parameters[0]).max() > 0  # a copy


@pytest.mark.parametrize(
    "arrays, options, words",
    [
        ((), {}, "expected w1, b1"),
        ((np.ones((2, 3)),), {}, "got 1 arrays"),
        ((np.ones((2, 3)), np.ones(4)), {}, r"got \(2, 3\) and \(4,\)"),
        ((np.ones((2, 3)), np.ones(3), np.ones((4, 2)), np.ones(2)), {}, "the 3 outputs of w1"),
        ((np.ones((2, 3)), np.ones(3)), {"activation": "gelu"}, "activation: expected one of relu"),
    ],
)
def test_arrays_that_do_not_fit(arrays, options, words):
    with pytest.raises(ValueError, match=words):
        ri.network_from(*arrays, **options)


def test_a_data_set_from_arrays(rng):
    images = rng.integers(0, 256, (9, 4, 5)).astype(np.uint8)
    own = ri.dataset_from(images[:6], [0, 1, 2] * 2, images[6:], [0, 1, 2], classes="abc")
    assert own.image_shape == (1, 4, 5) and own.classes == ("a", "b", "c")
    assert np.allclose(own.train_x, images[:6].reshape(6, 20) / 255, atol=1e-7)
    net, _ = ri.train(
        ri.softmax_net(20, 3), own.train_x, own.train_y, steps=3, lr=0.1, batch=3, rng=rng
    )
    assert net.classes == 3


@pytest.mark.parametrize(
    "change, words",
    [
        ({"train_x": np.ones(4)}, "train_x: expected numbers"),
        ({"train_x": np.full((4, 2), np.nan)}, "train_x: expected finite"),
        ({"train_y": [0, 1, 1]}, "train_y: expected a label for each of 4 images"),
        ({"test_y": [0, 5, 1]}, r"test_y: expected labels in \[0, 2\)"),
        ({"test_x": np.ones((3, 5))}, "test_x: expected images of 2 numbers, as train_x has"),
        ({"image_shape": (1, 2, 2)}, r"image_shape: expected \(C, H, W\) of 2 numbers"),
        ({"train_y": [0.5] * 4}, "train_y: expected integer labels"),
    ],
)
def test_arrays_that_are_no_data_set(change, words):
    good = {
        "train_x": np.ones((4, 2)),
        "train_y": [0, 1, 0, 1],
        "test_x": np.ones((3, 2)),
        "test_y": [0, 1, 1],
        "classes": "ab",
    }
    with pytest.raises(ValueError, match=words):
        ri.dataset_from(**good | change)


@pytest.mark.parametrize("images", [True, 2.5, "2", -1, 0, 4])
def test_no_number_of_images_to_hold_out(images):
    x, y = np.ones((4, 2)), [0, 1, 0, 1]
    with pytest.raises(ValueError, match="^images: expected"):
        ri.dataset_from(x, y, x, y).validation(images)


def test_objects_say_what_they_are_in_one_line(digits):
    teacher, _ = ri.train(
        ri.softmax_net(784, 10), digits.train_x, digits.train_y, steps=20, lr=0.5, rng=0
    )
    images, _ = ri.class_visualizations(teacher, steps=10, lr=0.1)
    found = ri.retrain(images, teacher.logits(images))
    hidden = ri.one_hidden_net(784, 30, 10, rng=0, dtype=np.float32)
    assert repr(hidden) == "Network(784 -> 30 ReLU -> 10, 23,860 parameters, float32)"
    assert repr(teacher) == "Network(784 -> 10, 7,850 parameters, float64)"
    assert repr(digits).startswith("Dataset(digits (drawn): 10,000 training and 2,000 test images")
    assert repr(found).startswith("Descent(converged, ") and "7,850 parameters" in repr(found)
    sure = repr(ri.certificate(images, teacher.logits(images), teacher))
    assert sure.startswith("Certificate(parameters: rank 10 of 785, bound ")


def test_a_seed_is_a_generator(rng):
    x, y = rng.normal(size=(30, 5)), rng.integers(0, 3, 30)
    how = {"steps": 5, "lr": 0.1, "batch": 10}
    a, _ = ri.train(ri.one_hidden_net(5, 4, 3, rng=1), x, y, rng=2, **how)
    b, _ = ri.train(
        ri.one_hidden_net(5, 4, 3, rng=np.random.default_rng(1)),
        x,
        y,
        rng=np.random.default_rng(2),
        **how,
    )
    assert all(np.array_equal(p, q) for p, q in zip(a.parameters, b.parameters))
    ri.train(ri.one_hidden_net(5, 4, 3), x, y, **how)


def test_swapped_arguments_of_save(tmp_path):
    with pytest.raises(ValueError, match="expected a Network and then a path, got str and Network"):
        ri.save_network(str(tmp_path / "net.npz"), ri.softmax_net(2, 2))
