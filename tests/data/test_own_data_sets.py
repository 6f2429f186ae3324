"""Data sets of the user's own on the command line: two of one name share no result, nothing is
judged by the paper's numbers, and what a command cannot do with is said in a line.
"""

import json
import sys

import numpy as np
import pytest
from test_idx_folders import put

from refimpl.app import cli
from refimpl.companions.cnn import options as cnn
from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.descriptors import study as look
from refimpl.companions.descriptors import tasks as look_tasks
from refimpl.companions.distillation import command as compress
from refimpl.companions.distillation import compressed_models, sets, students, teaching
from refimpl.companions.extraction import study as extraction
from refimpl.data import NAMES, load
from refimpl.paper import protocol
from refimpl.paper.protocol import Schedule

COMMANDS = {
    "extract": ["extract", "--regimes", "hints,filters"],
    "look": ["look", "--runs", "2", "--steps", "2", "--images", "4"],
    "compress": ["compress", "--parts", "kernel,frontier", "--seeds", "2"],
}


def learnable(seed=0, shape=(28, 28), classes=4, counts=(160, 60)):
    """Four arrays: every class an image of noise, and less noise on it."""
    rng = np.random.default_rng(seed)
    base = rng.integers(40, 216, (classes, *shape))
    arrays = []
    for n in counts:
        y = np.arange(n) % classes
        noise = rng.integers(-40, 41, (n, *shape))
        arrays += [(base[y] + noise).astype(np.uint8), y.astype(np.uint8)]
    return arrays


@pytest.fixture
def quick(monkeypatch):
    """Every training short; of look what its pictures are scored by, too."""

    def make(data, seed, progress, *, without=None):
        return small_net(data.image_shape, len(data.classes), rng=np.random.default_rng(seed))

    monkeypatch.setattr(cnn, "train_small", make)
    monkeypatch.setattr(extraction, "OWN", (60, 0.1))
    monkeypatch.setattr(protocol, "OWN", protocol.Protocol(*[Schedule(0.1, 60)] * 3))
    few = {30: 3, 1_000: 2, 0: 2}
    short = sets.Protocol(1, {10: 5}, 0.1, 20, few, (0.01, 50))
    monkeypatch.setattr(sets, "OWN", short)
    monkeypatch.setattr(compressed_models, "RETRAINING", 20)
    monkeypatch.setitem(students.STUDENTS, "width 1,000", 30)
    monkeypatch.setattr(students, "STEPS", 20)
    monkeypatch.setattr(teaching, "STARTS", 1)

    def look_again(network, own, others, image_shape, c, **how):
        scores = dict.fromkeys(look.SCORES, float(own.mean() + others.mean()))
        moved = dict.fromkeys(("before", "after"), 0.1)
        pictures = dict.fromkeys(("before", "after"), own[: look.IMAGES])
        found = dict.fromkeys(("before", "after", "chance"), scores)
        return found | {"moved": moved, "pictures": pictures}

    monkeypatch.setattr(look, "look_again", look_again)
    monkeypatch.setitem(sys.modules, "skimage.feature", np)  # whether it is installed or not
    ten = dict.fromkeys(("network", "linear", "same", "png", "agreement"), 90.0)
    monkeypatch.setattr(look, "ten_images", lambda net, data, *_: (ten, data.test_x[:4]))
    look_tasks.unseen_network.cache_clear()
    yield
    look_tasks.unseen_network.cache_clear()


def without_clocks(value):
    """Results without what depends on the hour or on the folder's name."""
    if isinstance(value, dict):
        gone = ("seconds", "argv", "claims", "tables", "lines")
        return {k: without_clocks(v) for k, v in value.items() if k not in gone}
    return [without_clocks(v) for v in value] if isinstance(value, list) else value


def results_of(command, folder, out):
    look_tasks.unseen_network.cache_clear()
    assert cli.main([*COMMANDS[command], "--dataset", str(folder), "--out", str(out)]) == 0
    (path,) = (p for p in out.glob("*.json") if p.name != "front.json")
    return json.loads(path.read_text())


@pytest.mark.parametrize("command", COMMANDS)
def test_two_data_sets_of_one_name_share_no_result(command, quick, tmp_path, capsys):
    first = put(tmp_path / "a" / "letters", learnable(0))
    second = put(tmp_path / "b" / "letters", learnable(1))
    out = tmp_path / "out"
    one = results_of(command, first, out)
    kept = {p: p.stat().st_mtime_ns for p in out.glob("*/*.json")}
    assert kept
    other = results_of(command, second, out)
    assert len(list(out.glob("*/*.json"))) == 2 * len(kept)
    alone = results_of(command, second, tmp_path / "alone")
    assert without_clocks(other) == without_clocks(alone) != without_clocks(one)
    again = results_of(command, first, out)
    assert without_clocks(again) == without_clocks(one)
    assert kept.items() <= {p: p.stat().st_mtime_ns for p in out.glob("*/*.json")}.items()
    printed = capsys.readouterr().out
    assert "letters is none of the paper's data sets: nothing is judged." in printed
    assert one["claims"] == [] and one["environment"]["dataset"] not in NAMES
    assert {row["id"].split("/")[1] for row in one["measurements"]} == {"letters"}
    if command == "compress":
        assert "784-30-4, 4 bits" in printed and "4 distilled" in printed
        assert "784-30-10" not in json.dumps(one)


def test_a_known_data_set_of_two_copies_has_two_stores(tmp_path):
    """CIFAR-10 is to be had as it is and through JPEG, under one name."""
    from refimpl.report.work import store_of

    marks = set()
    for seed in (0, 1):
        data = load(put(tmp_path / str(seed), learnable(seed)))
        assert data.checksum == load(tmp_path / str(seed)).checksum
        marks.add(store_of(tmp_path, "companions/extraction/tasks.py", data).mark)
    assert len(marks) == 2


@pytest.mark.parametrize("where", ["train", "test", "labels", "split"])
def test_the_checksum_tells_every_image_and_label(where, tmp_path):
    arrays = learnable()
    before = load(put(tmp_path / "a", arrays))
    if where == "split":
        arrays = [arrays[0][:-1], arrays[1][:-1], *arrays[2:]]
    else:
        at = {"train": 0, "test": 2, "labels": 3}[where]
        arrays[at] = arrays[at].copy()
        arrays[at].reshape(-1)[-1] ^= 1
    assert load(put(tmp_path / "b", arrays)).checksum != before.checksum


def test_a_network_of_other_images_is_not_taken(tmp_path, capsys):
    """train left it in the folder that both data sets of this name have."""
    folders = [put(tmp_path / str(i) / "letters", learnable(i)) for i in (0, 1)]
    out = ["--quiet", "--out", str(tmp_path / "out")]
    assert cli.main(["train", "--epochs", "1", "--dataset", str(folders[0]), *out]) == 0
    look_at = ["deconv", "--diagnosis", "0", "--images", "10"]
    assert cli.main([*look_at, "--dataset", str(folders[0]), *out]) == 0
    capsys.readouterr()
    assert cli.main([*look_at, "--dataset", str(folders[1]), *out]) == 2
    said = capsys.readouterr().err
    assert "small.npz was trained on other images than those of letters here: delete it" in said


def change(arrays, where, label):
    arrays[1] = np.where(where(np.arange(len(arrays[1]))), label, arrays[1]).astype(np.uint8)
    return arrays


ODD = {  # what is odd: (arrays, what commands that cannot do with it say, these commands)
    "one class": (
        lambda: learnable(classes=1),
        "--dataset: expected at least 2 classes, own has one",
        ("train", "maximize", "deconv", "invert", "extract", "look", "compress", "play"),
    ),
    "few images": (
        lambda: learnable(counts=(50, 20)),
        "--dataset: expected at least 100 training images, own has 50",
        ("invert", "extract", "compress", "play"),
    ),
    "a class without images": (
        lambda: change(learnable(), lambda i: i % 4 == 1, 2),
        "training images of each class, own has 0 of class 1",
        ("invert", "extract", "look", "compress", "play"),
    ),
    "sides that two poolings do not halve": (
        lambda: learnable(shape=(30, 28)),
        "both sides multiples of 4, got (1, 30, 28)",
        ("train", "maximize", "look"),
    ),
    "small images": (
        lambda: learnable(shape=(3, 5)),
        "expected images of 4 x 4 pixels or more",
        ("train", "maximize", "deconv", "invert", "look"),
    ),
}


@pytest.mark.parametrize(
    "what, command", [(what, command) for what, odd in ODD.items() for command in odd[2]]
)
def test_what_a_command_cannot_do_with_is_said_in_a_line(
    what, command, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "skimage.feature", np)  # there or not
    make, words, _ = ODD[what]
    folder = put(tmp_path / "own", make())
    argv = [command, "--dataset", str(folder), "--out", str(tmp_path / "out"), "--quiet"]
    assert cli.main(argv) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_class_that_the_held_out_part_alone_has(quick, tmp_path, capfd):
    """extract holds training images out, and the last of them may be all of a rare class."""
    arrays = change(learnable(classes=2), lambda i: i == 159, 2)
    folder = put(tmp_path / "rare", arrays)
    out = str(tmp_path / "out")
    for command in ("extract", "compress"):
        assert cli.main([*COMMANDS[command], "--dataset", str(folder), "--out", out]) == 0
    assert "Warning" not in capfd.readouterr().err


def test_a_training_that_diverges_is_said(quick, tmp_path, capsys, monkeypatch):
    def diverges(*args):
        raise FloatingPointError("ten losses in a row are not finite")

    monkeypatch.setattr(compress, "results", diverges)
    folder = put(tmp_path / "own", learnable())
    assert cli.main(["compress", "--dataset", str(folder), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "on own a training diverges (ten losses" in said and "--parts" in said
