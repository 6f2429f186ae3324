"""The command train as a user runs it: what it leaves, how it goes on, what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest

from refimpl import weights
from refimpl.companions.cnn import checkpoints, epochs
from refimpl.companions.cnn import command as train_command
from refimpl.companions.cnn import recipes as cnn_training
from refimpl.companions.cnn.epochs import Recipe, evaluate
from refimpl.data import Dataset
from refimpl.report.options import UsageError
from refimpl.report.room_table import read_runs, record_of

CURVES = train_command.curves


@pytest.fixture
def small(digits, monkeypatch):
    """digits of 260 + 100 training and 90 test images; 3 epochs of 4 steps."""
    data = replace(
        digits,
        train_x=digits.train_x[:360],
        train_y=digits.train_y[:360],
        test_x=digits.test_x[:90],
        test_y=digits.test_y[:90],
    )
    monkeypatch.setattr(train_command, "load_data", lambda name, folder: data)
    monkeypatch.setattr(train_command, "curves", lambda *args: None)
    monkeypatch.setitem(cnn_training.VALIDATION, "digits", 100)
    monkeypatch.setitem(cnn_training.RECIPES, "small", Recipe(3, 3e-3, batch=64, schedule="linear"))
    return data


def run(out, *argv):
    assert train_command.run(["small", "--out", str(out), *argv]) == 0


def test_what_a_run_leaves(small, tmp_path, capsys, monkeypatch, checkout_of):
    readme = checkout_of(train_command)
    monkeypatch.setattr(train_command, "curves", CURVES)
    out = tmp_path / "deep" / "out"
    run(out, "--write")
    now = read_runs(record_of(readme))[-1]
    best = now.values["scores"]["best"]
    assert now.command == "python -m refimpl train small"
    assert f"| {best['validation_accuracy']:.3f} |" in readme.read_text()
    assert {p.name for p in out.iterdir()} == {
        "small.npz",
        "small.checkpoint.npz",
        "small.checkpoint.npz.previous",
        "train-small.html",
        "train-small.json",
        "train-small.png",
    }
    assert (out / "train-small.png").read_bytes()[:4] == b"\x89PNG"
    found, printed = json.loads((out / "train-small.json").read_text()), capsys.readouterr().out
    assert printed.startswith("\n".join(found["lines"]) + "\n\n") and "small.npz" in printed
    assert found["command"] == "train" and found["recipe"]["epochs"] == 3 and found["claims"] == []
    assert [set(f) for f in found["figures"]] == [{"file", "title", "paper", "alt"}]
    assert [row["epoch"] for row in found["history"]] == [1, 2, 3]
    network, split = weights.load(out / "small.npz"), cnn_training.split(small)
    best = found["scores"]["best"]
    assert evaluate(network, split.test_x, split.test_y) == (
        best["validation_loss"],
        best["validation_accuracy"],
    )
    assert (
        best["validation_accuracy"]
        == max(row["validation_accuracy"] for row in found["history"])
        > 0.5
    )
    assert evaluate(network, small.test_x, small.test_y)[1] == best["test_accuracy"]
    assert evaluate(network, split.train_x, split.train_y) == (
        best["evaluated_loss"],
        best["evaluated_accuracy"],
    )
    assert len(split.train_x) == 260 and np.array_equal(split.test_x, small.train_x[260:])


def test_run_again_it_says_the_same_and_trains_no_more(small, tmp_path, capsys, monkeypatch):
    run(tmp_path)
    before, kept = capsys.readouterr().out, (tmp_path / "train-small.json").read_bytes()
    (tmp_path / "small.npz").unlink()
    monkeypatch.setattr(epochs, "train_step", None)
    run(tmp_path)
    assert (
        capsys.readouterr().out == before and (tmp_path / "train-small.json").read_bytes() == kept
    )
    assert (tmp_path / "small.npz").exists()


def stop_at(monkeypatch, call, error):
    """train_step raises at its nth call."""
    calls, step = iter(range(call)), epochs.train_step

    def stopping(*args, **options):
        if next(calls, None) is None:
            raise error
        return step(*args, **options)

    monkeypatch.setattr(epochs, "train_step", stopping)


@pytest.mark.parametrize("call", [0, 4, 6, 11])
def test_ctrl_c_leaves_a_state_to_go_on_from(small, tmp_path, capsys, call):
    run(tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_at(patch, call, KeyboardInterrupt())
        run(tmp_path / "stopped")
    assert (
        f"stopped after step {call}; the same command goes on from there" in capsys.readouterr().err
    )
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 12 - call, AssertionError("a step was done twice"))
        run(tmp_path / "stopped")
    assert (tmp_path / "whole" / "small.npz").read_bytes() == (
        tmp_path / "stopped" / "small.npz"
    ).read_bytes()
    ends = [
        json.loads((tmp_path / which / "train-small.json").read_text())
        for which in ("whole", "stopped")
    ]
    assert {**ends[0], "seconds": 0} == {**ends[1], "seconds": 0}


@pytest.mark.parametrize("every, steps", [(60, 8), (0, 10)])
def test_a_kill_costs_what_came_after_the_last_checkpoint(
    small, tmp_path, monkeypatch, every, steps
):
    """A checkpoint after each epoch of four steps, and every EVERY seconds."""
    monkeypatch.setattr(train_command, "EVERY", every)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        stop_at(patch, 10, SystemExit())  # nothing catches it, as nothing catches kill -9
        run(tmp_path)
    file = tmp_path / "small.checkpoint.npz"
    assert checkpoints.read(file)[1]["state"]["step"] == steps
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 12 - steps, AssertionError("more steps than were left"))
        run(tmp_path)
    assert checkpoints.read(file)[1]["state"]["step"] == 12


@pytest.mark.parametrize(
    "argv, words", [(("--seed", "1"), "seed 0, here 1"), (("--epochs", "4"), "epochs 3, here 4")]
)
def test_another_run_is_refused_and_nothing_is_changed(small, tmp_path, argv, words):
    run(tmp_path, "--quiet")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(
        UsageError,
        match=rf"small.checkpoint.npz belongs to another run \({words}\): delete it or choose",
    ):
        run(tmp_path, *argv)
    assert before == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_other_images_and_other_layers_are_refused(small, tmp_path, monkeypatch):
    run(tmp_path, "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            train_command,
            "load_data",
            lambda name, folder: replace(small, train_x=small.train_x[::-1].copy()),
        )
        with pytest.raises(UsageError, match="belongs to another run .images '"):
            run(tmp_path)
    monkeypatch.setattr(
        cnn_training,
        "ARCHITECTURES",
        {"small": lambda *a, **k: weights.load(tmp_path / "other.npz")},
    )
    net = weights.load(tmp_path / "small.npz")
    weights.save(replace(net, layers=net.layers[:-1]), tmp_path / "other.npz")
    with pytest.raises(
        UsageError, match="holds a network of other layers than small has now: delete it"
    ):
        run(tmp_path)


def test_a_damaged_checkpoint_is_named(small, tmp_path, capsys):
    run(tmp_path, "--quiet")
    whole, file = (tmp_path / "small.npz").read_bytes(), tmp_path / "small.checkpoint.npz"
    file.write_bytes(file.read_bytes()[:5000])
    run(tmp_path, "--quiet")
    said = capsys.readouterr().err
    assert (
        "small.checkpoint.npz: expected a checkpoint, found a damaged file" in said
        and "the one before" in said
    )
    assert (tmp_path / "small.npz").read_bytes() == whole
    for path in (file, checkpoints.previous(file)):
        path.write_bytes(b"")
    with pytest.raises(UsageError, match="small.checkpoint.npz: .* delete it to start afresh"):
        run(tmp_path)


def test_test_images_decide_nothing(small, tmp_path, monkeypatch):
    run(tmp_path / "a", "--quiet")
    other = replace(small, test_x=small.test_x[::-1] * 0, test_y=small.test_y[::-1])
    monkeypatch.setattr(train_command, "load_data", lambda name, folder: other)
    run(tmp_path / "b", "--quiet")
    assert (tmp_path / "a" / "small.npz").read_bytes() == (
        tmp_path / "b" / "small.npz"
    ).read_bytes()
    a, b = (
        json.loads((tmp_path / which / "train-small.json").read_text())["scores"]["best"]
        for which in "ab"
    )
    assert a.pop("test_accuracy") != b.pop("test_accuracy") and a == b


def test_snapshots_and_quiet(small, tmp_path, capsys):
    run(tmp_path, "--quiet", "--snapshots", "--epochs", "2", "--seed", "5")
    assert capsys.readouterr() == ("", "")
    networks = [weights.load(tmp_path / f"small-epoch-{epoch:02}.npz") for epoch in range(3)]
    split, fresh = cnn_training.split(small), cnn_training.untrained("small", small, 5)
    history = json.loads((tmp_path / "train-small.json").read_text())["history"]
    assert all(np.array_equal(a, b) for a, b in zip(networks[0].parameters, fresh.parameters))
    for network, row in zip(networks[1:], history):
        assert evaluate(network, split.test_x, split.test_y)[0] == row["validation_loss"]


@pytest.mark.parametrize(
    "argv, message",
    [
        (["vonc"], "vonc does not take the images of digits, \\(1, 28, 28\\): x: "),
        (["conv"], "conv does not take the images of digits"),
        (["--out", "FILE"], ""),
    ],
)
def test_bad_usage(small, tmp_path, argv, message):
    (tmp_path / "file").write_text("")
    argv = [str(tmp_path / "file") if a == "FILE" else a for a in argv]
    with pytest.raises(UsageError, match=message or "file"):
        train_command.run([*(["--out", str(tmp_path)] if "--out" not in argv else []), *argv])
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "argv",
    [["--epochs", "0"], ["--seed", "-1"], ["--seed", "x"], ["deep"], ["--epochs", "1.5"]],
)
def test_bad_options(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        train_command.run(argv)
    assert caught.value.code == 2 and argv[-1] in capsys.readouterr().err


def test_a_data_set_that_is_none():
    with pytest.raises(UsageError, match="or a folder of idx files, got 'imagenet'"):
        train_command.run(["--dataset", "imagenet"])


def test_divergence_is_one_line(small, tmp_path, monkeypatch):
    monkeypatch.setitem(cnn_training.RECIPES, "small", Recipe(1, 1e30, batch=64))
    with (
        np.errstate(all="ignore"),
        pytest.raises(UsageError, match="the loss is not finite at step 1: a smaller lr"),
    ):
        run(tmp_path)


def test_progress_tells_how_much_is_left(small, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(train_command, "Progress", lambda quiet: said.append)
    run(tmp_path)
    assert any(
        line.startswith("small, epoch 1 of 3 done, step 6 of 12, ") and line.endswith(" s left")
        for line in said
    )


def test_the_slides_recipe_split_and_numbers():
    conv, vonc = (cnn_training.RECIPES[net] for net in ("conv", "vonc"))
    assert conv == Recipe(10, 1e-4, batch=128, schedule="constant", mirror=False, patience=None)
    assert vonc.batch == 128 and vonc.patience
    x, y = np.zeros((50_000, 1), np.float32), np.arange(50_000)
    split = cnn_training.split(Dataset("cifar10", "", x, y, x[:9], y[:9], (1, 1, 1), ("a", "b")))
    assert len(split.train_x) == 35_000 and np.array_equal(split.test_y, np.arange(35_000, 50_000))
    assert list(cnn_training.PUBLISHED["conv"].values()) == [1.213, 0.566, 1.344, 0.515]
    assert list(cnn_training.PUBLISHED["vonc"].values()) == [0.517, 0.818, 0.707, 0.758]


def test_the_table_has_the_slides_beside(small, tmp_path):
    run(tmp_path, "--quiet")
    scores = json.loads((tmp_path / "train-small.json").read_text())["scores"]
    lines = train_command.score_lines(scores, cnn_training.PUBLISHED["conv"])
    assert (
        lines[0].split()[0] == "slides"
        and len({len(line) for line in lines}) == 1
        and len(lines[0]) <= 80
    )
    assert [line.split("  ")[0] for line in lines[1:]] == list(train_command.MEASURED.values())
    row = next(line for line in lines if line.startswith("validation accuracy"))
    assert row.split()[2:] == [
        "0.515",
        *(f"{scores[which]['validation_accuracy']:.3f}" for which in ("last", "best")),
    ]
    assert lines[-1].split()[-3] == "-"


@pytest.mark.parametrize(
    "seconds, words",
    [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (3599, "1 h 0 min"), (4000, "1 h 7 min")],
)
def test_left(seconds, words):
    assert train_command.left(seconds) == words


def test_a_class_can_be_left_out(tmp_path, digits):
    """--without: files of their own, and an output that is never called for."""
    out = tmp_path / "out"
    assert (
        train_command.run(
            ["small", "--epochs", "1", "--without", "3", "--quiet", "--out", str(out)]
        )
        == 0
    )
    network = weights.load(out / "small-without-3.npz")
    assert (network.predict(digits.test_x[:500]) != 3).mean() > 0.95
    assert json.loads((out / "train-small-without-3.json").read_text())["title"].endswith(
        "without 3"
    )
    with pytest.raises(UsageError, match="--without"):
        train_command.run(["small", "--without", "10", "--quiet", "--out", str(out)])


def test_a_batch_is_no_larger_than_what_a_class_left_out_leaves(small, tmp_path, monkeypatch):
    few = replace(small, train_x=small.train_x[:70], train_y=small.train_y[:70])
    monkeypatch.setattr(train_command, "load_data", lambda name, folder: few)
    monkeypatch.setitem(cnn_training.VALIDATION, "digits", 7)
    run(tmp_path, "--without", "3", "--epochs", "1", "--quiet")
    left = (few.train_y[:63] != 3).sum()
    found = json.loads((tmp_path / "train-small-without-3.json").read_text())
    assert found["recipe"]["batch"] == left < 63
    alone = replace(few, train_y=np.full(70, 3))
    monkeypatch.setattr(train_command, "load_data", lambda name, folder: alone)
    with pytest.raises(UsageError, match="--without: there is no training image but of class 3"):
        run(tmp_path, "--without", "3", "--quiet")


def test_threads_are_part_of_a_run(small, tmp_path):
    run(tmp_path, "--threads", "2", "--epochs", "1")
    run(tmp_path, "--threads", "2", "--epochs", "1")
    with pytest.raises(UsageError, match="threads"):
        run(tmp_path, "--epochs", "1")
