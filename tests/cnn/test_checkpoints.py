"""Checkpoints: what is written comes back to the bit, a kill at any moment costs little, damage is
seen and named.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from refimpl.companions.cnn import checkpoints
from refimpl.companions.cnn.checkpoints import Damaged, load, save
from refimpl.files.whole import temporary
from refimpl.layers import Affine, Flatten, ReLU, Unflatten
from refimpl.layers.conv import Conv2D, MaxPool2D
from refimpl.layers.regularization import BatchNorm, Dropout
from refimpl.network import Network, softmax_net

SETTINGS = {"network": "tiny", "seed": 0}


def network(rng, dtype=np.float32):
    w, k = rng.normal(size=(3, 1, 3, 3)).astype(dtype), rng.normal(size=(27, 4)).astype(dtype)
    norm = BatchNorm(*(rng.random((4, 3)).astype(dtype)))
    return Network(
        (
            Unflatten((1, 6, 6)),
            Conv2D(w, np.zeros(3, dtype), padding="same"),
            norm,
            ReLU(),
            MaxPool2D(),
            Flatten(),
            Dropout(0.25),
            Affine(k, np.zeros(4, dtype), 3.0),
        )
    )


def state(rng):
    net = network(rng)
    other = net.with_parameters([p + 1 for p in net.parameters])
    return {
        "network": net,
        "best": other,
        "moments": (None, (3, rng.normal(size=(2, 3)), np.zeros((0, 4), np.int32))),
        "running": (0.1 + 0.2, -7, 1e-320),
        "history": ({"epoch": 1, "loss": 1 / 3, "word": "ß"},),
        "none": None,
        "yes": True,
    }


def assert_same(a, b):
    """Equal to the bit: types, dtypes, shapes, hyper-parameters."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for k in a:
            assert_same(a[k], b[k])
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for v, w in zip(a, b):
            assert_same(v, w)
    elif isinstance(a, Network):
        assert_same(
            tuple(type(v).__name__ for v in a.layers), tuple(type(v).__name__ for v in b.layers)
        )
        assert_same(tuple(vars(v) for v in a.layers), tuple(vars(v) for v in b.layers))
    else:
        assert a == b


def test_a_state_comes_back_to_the_bit(tmp_path, rng):
    written = state(rng)
    save(tmp_path / "x.npz", written, SETTINGS)
    assert_same(load(tmp_path / "x.npz", SETTINGS), written)
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


def test_an_array_that_comes_twice_is_kept_once(tmp_path, rng):
    net = softmax_net(1000, 10, rng=rng, sigma=1.0)
    save(tmp_path / "x.npz", {"network": net, "best": net}, SETTINGS)
    assert (tmp_path / "x.npz").stat().st_size < 1.2 * 8 * 10_000


def test_none_yet_and_the_one_before(tmp_path):
    path = tmp_path / "x.npz"
    assert load(path, SETTINGS) is None
    for step in range(3):
        save(path, {"step": step}, SETTINGS)
    assert load(path, SETTINGS) == {"step": 2}
    assert checkpoints.read(checkpoints.previous(path)) == (SETTINGS, {"step": 1})
    path.unlink()  # as after a kill between the two renames
    assert load(path, SETTINGS) == {"step": 1}


@pytest.mark.parametrize(
    "other, words",
    [
        ({"network": "tiny", "seed": 1}, "seed 0, here 1"),
        ({"network": "other", "seed": 1}, "network 'tiny', here 'other'; seed 0, here 1"),
        ({"network": "tiny"}, "seed 0, here None"),
        ({**SETTINGS, "lr": 0.1}, "lr None, here 0.1"),
    ],
)
def test_another_run_is_refused_in_words(tmp_path, other, words):
    save(tmp_path / "x.npz", {}, SETTINGS)
    with pytest.raises(ValueError, match="x.npz belongs to another run") as caught:
        load(tmp_path / "x.npz", other)
    assert f"({words}): delete it or choose another folder" in str(caught.value)
    assert (tmp_path / "x.npz").exists()


def damage(path, rng):
    """All kinds of damage, one after the other: yields after each."""
    whole = path.read_bytes()
    for size in [0, 1, *rng.integers(2, len(whole), 20), len(whole) - 1]:
        path.write_bytes(whole[:size])
        yield "cut"
    for at in [
        *range(0, 64),
        *rng.integers(0, len(whole), 200),
        *range(len(whole) - 120, len(whole)),
    ]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.integers(8)]) + whole[at + 1 :])
        yield "flip"
    path.write_bytes(rng.bytes(len(whole)))
    yield "noise"
    path.unlink()
    path.mkdir()
    yield "folder"


def test_damage_is_seen_or_harmless(tmp_path, rng):
    written, path, seen = state(rng), tmp_path / "x.npz", []
    save(path, written, SETTINGS)
    for kind in damage(path, rng):
        try:
            settings, found = checkpoints.read(path)
        except Damaged as error:
            assert "x.npz: expected a checkpoint, found a damaged file" in str(error)
            seen.append(kind)
        else:  # a bit that nobody reads, such as a date in the archive
            assert kind == "flip" and settings == SETTINGS
            assert_same(found, written)
    assert seen.count("cut") == 23 and seen.count("flip") > 250 and seen[-2:] == ["noise", "folder"]


@pytest.mark.parametrize(
    "name, value", [("a0", np.ones(3)), ("text", "{}"), ("a0", None), ("a1", np.zeros(3))]
)
def test_a_file_that_was_changed_is_refused(tmp_path, name, value):
    """A whole archive with other contents: only the checksum tells."""
    save(tmp_path / "x.npz", {"w": np.zeros(3)}, SETTINGS)
    with np.load(tmp_path / "x.npz") as file:
        entries = {**file, name: value}
    np.savez(tmp_path / "x.npz", **{k: v for k, v in entries.items() if v is not None})
    with pytest.raises(
        Damaged,
        match="x.npz: expected a checkpoint, found a damaged file: the checksum does not fit",
    ):
        checkpoints.read(tmp_path / "x.npz")


def test_a_damaged_file_is_named_and_the_one_before_is_used(tmp_path):
    path, said = tmp_path / "x.npz", []
    save(path, {"step": 1}, SETTINGS)
    save(path, {"step": 2}, SETTINGS)
    path.write_bytes(path.read_bytes()[:-30])
    assert load(path, SETTINGS, report=said.append) == {"step": 1}
    assert (
        len(said) == 1
        and "x.npz: expected a checkpoint, found a damaged file" in said[0]
        and "the one before" in said[0]
    )
    assert (tmp_path / "x.npz.damaged").exists() and not path.exists()
    save(path, {"step": 2}, SETTINGS)  # the good one is not pushed out by the damaged one
    assert checkpoints.read(checkpoints.previous(path))[1] == {"step": 1}
    assert load(path, SETTINGS, report=said.append) == {"step": 2} and len(said) == 1


def test_no_good_file_is_an_error_that_says_what_to_do(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(
        Damaged, match=r"x\.npz: expected .* no good one before it: delete it to start afresh"
    ):
        load(path, SETTINGS)
    checkpoints.previous(path).write_bytes(b"nothing either")
    with pytest.raises(Damaged, match=r"x\.npz: expected"):
        load(path, SETTINGS)
    path.unlink()
    with pytest.raises(Damaged, match=r"x\.npz\.previous: expected"):
        load(path, SETTINGS)


@pytest.mark.parametrize(
    "value", [np.array([{}], dtype=object), [1], np.float64(1), {1}, {1: 2}, 1j]
)
def test_what_is_no_state_is_refused_and_nothing_is_written(tmp_path, value):
    with pytest.raises((TypeError, ValueError)):
        save(tmp_path / "x.npz", {"state": value}, SETTINGS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, float("nan"), {1}])
def test_settings_that_would_not_come_back_are_refused_and_nothing_is_written(tmp_path, value):
    """They would never be equal again: no run could go on from the file."""
    with pytest.raises((TypeError, ValueError)):
        save(tmp_path / "x.npz", {"step": 1}, {"value": value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("calls", range(4))
def test_death_at_each_system_call(tmp_path, monkeypatch, calls):
    """save() dies at its first, second, ... fsync or rename: one of the two files is whole, at
    every point.
    """
    path, left = tmp_path / "x.npz", calls
    save(path, {"step": 1}, SETTINGS)
    save(path, {"step": 2}, SETTINGS)

    def dying(call):
        def f(*args):
            nonlocal left
            if not left:
                raise KeyboardInterrupt
            left -= 1
            return call(*args)

        return f

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    if calls < 3:
        with pytest.raises(KeyboardInterrupt):
            save(path, {"step": 3}, SETTINGS)
    else:
        save(path, {"step": 3}, SETTINGS)
    monkeypatch.undo()
    assert load(path, SETTINGS, report=pytest.fail) == {"step": 3 if calls == 3 else 2}


def test_the_rest_of_a_killed_write_is_cleared_away(tmp_path):
    save(tmp_path / "x.npz", {"step": 1}, SETTINGS)
    (tmp_path / "x.npz.999999999.part").write_bytes(b"half")  # no process has such a number
    living = temporary(tmp_path / "x.npz")
    living.write_bytes(b"of a run that goes on")
    assert load(tmp_path / "x.npz", SETTINGS) == {"step": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.npz", living.name]


RUN = """
import sys
import numpy as np
from refimpl.companions.cnn import checkpoints
from refimpl import weights
from refimpl.companions.cnn.epochs import Recipe, State, fit, start
sys.path.insert(0, sys.argv[2])
from test_checkpoints import SETTINGS, network
rng = np.random.default_rng(5)
x, y = rng.random((230, 36), dtype=np.float32), rng.integers(0, 4, 230)
file = sys.argv[1] + "/x.checkpoint.npz"
found = checkpoints.load(file, SETTINGS)
state = State(**found) if found else start(network(rng))
print(state.step, flush=True)
recipe = Recipe(7, 1e-2, batch=20, schedule="cosine", mirror=True)
for state in fit(state, x[:200], y[:200], x[200:], y[200:], recipe, seed=3):
    checkpoints.save(file, vars(state), SETTINGS)
weights.save(state.network, sys.argv[1] + "/last.npz")
weights.save(state.best, sys.argv[1] + "/best.npz")
"""


def test_killed_at_random_moments_the_bits_are_those_of_a_run_that_was_not(tmp_path):
    """70 steps, a checkpoint after each; kill -9 again and again, mostly within a write."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "PYTHONDONTWRITEBYTECODE": "1"}
    folders, chance, kills, steps = (
        [tmp_path / "whole", tmp_path / "killed"],
        random.Random(1),
        0,
        [],
    )
    for folder in folders:
        folder.mkdir()
    command = [
        [sys.executable, "-c", RUN, str(folder), str(Path(__file__).parent)] for folder in folders
    ]
    subprocess.run(command[0], check=True, env=environment, capture_output=True)
    while not (folders[1] / "best.npz").exists():
        with subprocess.Popen(
            command[1], env=environment, stdout=subprocess.PIPE, text=True
        ) as child:
            steps.append(int(child.stdout.readline()))
            if kills < 8:
                time.sleep(chance.uniform(0, 0.1))
                child.send_signal(signal.SIGKILL)
                kills += 1
            assert child.wait(60) in (0, -signal.SIGKILL)
    assert steps == sorted(steps) and 0 < steps[-1] and kills >= 3
    for name in ("last.npz", "best.npz"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    ends = [checkpoints.read(folder / "x.checkpoint.npz")[1] for folder in folders]
    assert_same(*ends)
    assert ends[0]["step"] == 70 and not list(folders[1].glob("*.part"))
