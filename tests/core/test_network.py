"""Network: shapes, purity, and a file that is read back whole or refused by name."""

import numpy as np
import pytest

from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network, one_hidden_net, softmax_net
from refimpl.weights import load, save


def network(rng, activation=None):
    return one_hidden_net(6, 5, 3, rng=rng, activation=activation)


def test_forward_upto_and_input_gradient(rng):
    net, x, dout = network(rng), rng.normal(size=(4, 6)), rng.normal(size=(4, 3))
    z1, caches = net.forward(x, upto=1)
    assert np.array_equal(z1, x @ net.parameters[0] + net.parameters[1]) and len(caches) == 1
    z, caches = net.forward(x)
    dx, gradients = net.backward(dout, caches)
    assert np.array_equal(dx, net.input_gradient(x, dout))
    for full, partial in zip(gradients, net.parameter_gradients(dout, caches)):
        assert all(np.array_equal(a, b) for a, b in zip(full, partial))


def test_logits_in_blocks_and_dtype(rng):
    net, x = network(rng), rng.normal(size=(10, 6)).astype(np.float32)
    assert np.allclose(net.logits(x, block=3), net.forward(x.astype(float))[0], atol=1e-15)
    assert (
        net.logits(x).dtype == np.float64 and net.astype(np.float32).logits(x).dtype == np.float32
    )
    assert net.logits(x[:0]).shape == (0, 3)
    assert np.array_equal(net.predict(x), net.logits(x).argmax(axis=1))


def test_logits_names_a_wrong_shape(rng):
    with pytest.raises(ValueError, match=r"x: expected shape \(N, 6\), got \(2, 5\)"):
        network(rng).logits(np.zeros((2, 5)))


def test_affine_names_wrong_shapes():
    with pytest.raises(
        ValueError, match=r"w, b: expected shapes \(D, K\) and \(K,\), got \(2, 3\) and \(2,\)"
    ):
        Affine(np.zeros((2, 3)), np.zeros(2))


def test_initializations(rng):
    net = softmax_net(50, 4)
    assert not any(p.any() for p in net.parameters) and net.inputs == 50 and net.classes == 4
    w = one_hidden_net(400, 300, 10, rng=rng).parameters[0]
    assert abs(w.std() / np.sqrt(2 / 400) - 1) < 0.02
    assert abs(w.mean()) < 0.001 and not one_hidden_net(4, 3, 2, rng=rng).parameters[1].any()
    w = softmax_net(400, 300, rng=rng, sigma=0.5).parameters[0]
    assert abs(w.mean()) < 0.01 and abs(w.std() / 0.5 - 1) < 0.02
    w = one_hidden_net(400, 300, 10, rng=rng, activation=Tanh()).parameters[0]
    assert abs(w.std() / np.sqrt(2 / 700) - 1) < 0.02
    with pytest.raises(ValueError, match="rng: expected a generator for sigma 0.5, got None"):
        softmax_net(4, 3, sigma=0.5)


@pytest.mark.parametrize("activation", [ReLU(), Sigmoid(), Tanh()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_network_is_the_same_network(tmp_path, rng, activation, dtype):
    net = network(rng, activation).astype(dtype)
    save(net, tmp_path / "net.npz")
    again = load(tmp_path / "net.npz")
    assert [type(v) for v in again.layers] == [type(v) for v in net.layers]
    for a, b in zip(net.parameters, again.parameters):
        assert a.dtype == b.dtype and np.array_equal(a, b)
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]


def rewrite(path, **changes):
    with np.load(path) as file:
        entries = {k: file[k] for k in file.files}
    np.savez(path, **{k: v for k, v in (entries | changes).items() if v is not None})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"p0": np.zeros((6, 5))}, "checksum"),
        ({"format_version": np.array(9)}, "expected format version 1, found 9"),
        ({"architecture": np.array("[]")}, "checksum"),
        ({"checksum": None}, "expected a network saved by refimpl"),
        ({"p1": None}, "expected a network saved by refimpl"),
        ({"p0": np.array([{"an": "object"}], dtype=object)}, "expected a network saved by refimpl"),
    ],
)
def test_a_changed_file_is_refused(tmp_path, rng, changes, message):
    path = tmp_path / "net.npz"
    save(network(rng), path)
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert "net.npz" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no network", b"\x93NUMPY"])
def test_a_file_that_is_no_network_is_refused(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match="x.npz"):
        load(tmp_path / "x.npz")


def test_every_truncation_is_refused(tmp_path, rng):
    path = tmp_path / "net.npz"
    save(network(rng), path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="net.npz"):
            load(path)


def test_a_missing_file_and_a_failed_save(tmp_path, rng, monkeypatch):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
    save(network(rng), tmp_path / "net.npz")
    before = (tmp_path / "net.npz").read_bytes()
    monkeypatch.setattr(np, "savez", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save(network(rng), tmp_path / "net.npz")
    assert (tmp_path / "net.npz").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_with_parameters_leaves_the_network_alone(rng):
    net = network(rng)
    before = [p.copy() for p in net.parameters]
    other = net.with_parameters([p + 1 for p in net.parameters])
    assert all(np.array_equal(a, b) for a, b in zip(net.parameters, before))
    assert all(np.array_equal(a, b + 1) for a, b in zip(other.parameters, before))
    assert isinstance(other, Network)
