"""The command compress on a small data set: what it prints and leaves; its table; bad usage."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from refimpl.app import cli
from refimpl.companions.distillation import (
    choices,
    command,
    compressed_models,
    frontier,
    privacy,
    sets,
    students,
    study,
    table,
    teaching,
)
from refimpl.companions.distillation.baselines import herding, k_means
from refimpl.companions.distillation.preparation import preparation_of
from refimpl.companions.extraction import study as extraction
from refimpl.data import dataset_from
from refimpl.ledger.claim import Claim
from refimpl.network import one_hidden_net
from refimpl.paper import protocol
from refimpl.paper.protocol import Schedule
from refimpl.paper.tiny import tiny
from refimpl.report.room_table import Run


@pytest.fixture
def small(monkeypatch):
    """tiny() in place of digits, and every training short."""
    monkeypatch.setattr(command, "load_data", lambda *args: tiny(400, 8))
    short = protocol.Protocol(*[Schedule(0.5, 100)] * 3)
    monkeypatch.setitem(protocol.PROTOCOLS, "digits", short)
    monkeypatch.setitem(extraction.RECIPES, "digits", (300, 0.2))
    few = {30: 30, 1_000: 3, 0: 3}
    quick = replace(sets.PROTOCOL["digits"], steps={10: 40}, iterations=few, teacher=(0.02, 300))
    monkeypatch.setitem(sets.PROTOCOL, "digits", quick)
    monkeypatch.setattr(compressed_models, "RETRAINING", 50)
    monkeypatch.setitem(students.STUDENTS, "width 1,000", 60)
    monkeypatch.setattr(students, "STEPS", 60)
    monkeypatch.setattr(students, "HALVINGS", 2)
    monkeypatch.setattr(teaching, "STARTS", 2)
    monkeypatch.setattr(privacy, "MEMBERS", 60)


def test_what_it_prints_and_leaves(small, tmp_path, capsys):
    assert cli.main(["compress", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for words in ("class visualizations", "10 distilled, 8-bit pixels", "linear, 4 bits", "AUC"):
        assert words in printed
    entry = json.loads((tmp_path / "compress.json").read_text())
    assert {figure["file"] for figure in entry["figures"]} == {
        p.name for p in tmp_path.glob("*.png")
    }
    rows = {e.id for e in study.claims("digits") if isinstance(e, Claim)}
    assert {row["id"] for row in entry["claims"]} == rows
    found = entry["summary"]
    said = command.sentences(found)
    assert len(said) == 5 and "\n".join(said) in printed and "10 distilled" in said[3]
    assert found["table"]["visualizations"]["teacher"]["linear"][0] > 90
    assert table.table([Run("compress", "", "", found)]).count("\n|---") == 7


def test_full_keeps_what_is_finished(small, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "SEEDS", 2)
    monkeypatch.setattr(command, "COUNTS", (10, 20))
    made = []
    measure = study.measure

    def stopped(data, task, *rest):
        if task == "kernel-10-1" and not made:
            made.append(task)
            raise KeyboardInterrupt
        return measure(data, task, *rest)

    monkeypatch.setattr(study, "measure", stopped)
    argv = ["compress", "--full", "--parts", "kernel", "--quiet", "--out", str(tmp_path)]
    assert cli.main(argv) == 130
    assert not (tmp_path / "compress.json").exists()
    assert len(list((tmp_path / "compress-store").iterdir())) == 1
    assert cli.main(argv) == 0
    assert len(list((tmp_path / "compress-store").iterdir())) == 4
    found = json.loads((tmp_path / "compress.json").read_text())["summary"]
    assert found["seeds"] == 2 and list(found["seconds"]) == ["10", "20"]
    assert "table" not in found and "privacy" in found


def test_more_images_than_there_are_is_said_before_anything_is_made(small, tmp_path, capsys):
    with pytest.raises(ValueError, match="expected 50 images of class 0"):
        study.check_counts(tiny(), (10, 500))
    for images, words in (("15", "positive multiple of the 10 classes"), ("900", "90 images of")):
        argv = ["compress", "--images", images, "--out", str(tmp_path / images)]
        assert cli.main(argv) == 2
        assert words in capsys.readouterr().err
        assert not (tmp_path / images).exists()


def test_a_part_alone(small, tmp_path, capsys):
    assert cli.main(["compress", "--parts", "kernel", "--out", str(tmp_path)]) == 0
    entry = json.loads((tmp_path / "compress.json").read_text())
    assert [row["id"] for row in entry["claims"]] == ["compress/digits/resemblance"]
    printed = capsys.readouterr().out
    assert "linear, 4 bits" not in printed and "Compression of the model" not in printed


def test_what_was_tried(small, tmp_path, monkeypatch, capsys):
    """Both tables, and no option beside it that would mean another run."""
    monkeypatch.setattr(choices, "TRIED_STEPS", 3)
    monkeypatch.setattr(choices, "STARTS", 1)
    assert cli.main(["compress", "--tried", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "as chosen" in printed and "the start is kept" in printed
    found = json.loads((tmp_path / "compress-tried.json").read_text())["summary"]
    assert table.table([Run("compress", "", "", found)]).count("\n|---") == 2
    assert cli.main(["compress", "--tried", "--seeds", "2"]) == 2
    assert "--tried goes without --seeds" in capsys.readouterr().err


def test_what_was_tried_on_an_own_data_set_is_said_with_its_numbers(tmp_path, monkeypatch, capsys):
    x, y = np.random.default_rng(0).random((300, 6)), np.arange(300) % 2
    monkeypatch.setattr(command, "load_data", lambda *args: dataset_from(x, y, x, y))
    monkeypatch.setattr(choices, "kernel_rows", lambda *args: [("as chosen", 90.0)])
    monkeypatch.setattr(
        choices, "finite_rows", lambda *args: [("class visualizations", 80.0, 81.0)]
    )
    assert cli.main(["compress", "--tried", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "2 images for the kernel" in printed and "6-30-2" in printed
    for text in (printed, (tmp_path / "compress-tried.json").read_text()):
        assert "784-30-10" not in text and "Ten images" not in text


def test_whitening_is_undone_by_its_inverse():
    """C^-1/2 gives images whose second moments are those of noise, to the ridge; C^0 changes none."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 6)) * np.array([3, 2, 1, 1, 1, 1])).astype(np.float32)
    plain = choices.whitened(x, 0.0, rng)
    assert np.allclose(plain(x), preparation_of(x)(x), atol=1e-5)
    spread = [
        np.linalg.eigvalsh(np.cov(prepare(x).T))
        for prepare in (plain, choices.whitened(x, 0.5, rng))
    ]
    assert spread[1][-1] / spread[1][0] < 0.4 * spread[0][-1] / spread[0][0]


def test_the_pareto_set_by_brute_force():
    rng = np.random.default_rng(0)
    points = [
        frontier.Point("", str(i), int(size), float(right))
        for i, (size, right) in enumerate(rng.integers(0, 12, (40, 2)))
    ]
    better = {
        p.what
        for p in points
        for q in points
        if q.bytes <= p.bytes
        and q.accuracy >= p.accuracy
        and (q.bytes, q.accuracy) != (p.bytes, p.accuracy)
    }
    found = frontier.pareto(points)
    kept = {(p.bytes, p.accuracy) for p in points if p.what not in better}
    assert {(p.bytes, p.accuracy) for p in found} == kept


@pytest.mark.parametrize("rank", [1, 4, 9])
def test_the_fewest_images_return_the_teacher_in_one_step(rank):
    rng = np.random.default_rng(rank)
    theta = rng.normal(size=(31, rank)) @ rng.normal(size=(rank, 10))
    images, lr = frontier.fewest_images(theta)
    assert len(images) == rank
    rows = np.hstack([images, np.ones((rank, 1))])
    assert np.abs(lr / rank * rows.T @ (rows @ theta) - theta).max() < 1e-11 * np.abs(theta).max()
    with pytest.raises(ValueError, match="biases that are not all zero"):
        frontier.fewest_images(np.vstack([theta[:-1], np.zeros((1, 10))]))


def test_rounding_to_bits_comes_back_from_its_codes():
    w = np.random.default_rng(0).normal(size=(7, 5))
    for bits in (2, 3, 8):
        values, packed, step = compressed_models.rounded(w, bits)
        raw = np.unpackbits(packed)[: w.size * bits].reshape(-1, bits)
        codes = raw @ (1 << np.arange(bits)[::-1]) - (2 ** (bits - 1) - 1)
        assert np.allclose(codes.reshape(w.shape) * step, values)
        assert np.abs(values - w).max() <= step / 2 + 1e-12


def test_pruned_layers_of_one_shape_keep_their_own_weights(monkeypatch):
    monkeypatch.setattr(compressed_models, "RETRAINING", 5)
    rng = np.random.default_rng(0)
    net = one_hidden_net(16, 16, 16, rng=rng)
    data = tiny(200)
    small, _ = compressed_models.pruned(net, data, 0.25, lr=0.05, rng=rng)
    for before, after in zip(net.parameters[::2], small.parameters[::2]):
        largest = np.argsort(np.abs(before), axis=None)[-64:]
        assert sorted(np.flatnonzero(after)) == sorted(largest)


def test_herding_by_brute_force():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(12, 3)), np.zeros(12, int)
    chosen = herding(x, y, 4, 1).tolist()
    for n in range(4):
        others = [i for i in range(12) if i not in chosen[:n]]
        total = x[chosen[:n]].sum(axis=0)
        away = [np.linalg.norm(x.mean(axis=0) - (total + x[i]) / (n + 1)) for i in others]
        assert chosen[n] == others[int(np.argmin(away))]
    with pytest.raises(ValueError, match="expected 13 images of class 0, found 12"):
        herding(x, y, 13, 1)
    with pytest.raises(ValueError, match="expected 1 to 12 centroids"):
        k_means(x, 13, rng)


def test_bad_usage(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["compress", "--out", str(tmp_path / "file")]) == 2
    assert "--out: expected a folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["compress", "--parts", "kernel,all"])
    assert "expected some of kernel,students,frontier, got 'kernel,all'" in capsys.readouterr().err
    assert [p.name for p in Path(tmp_path).iterdir()] == ["file"]
