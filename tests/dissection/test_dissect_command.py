"""dissect as a user runs it, on few images and hardly trained so that it is quick."""

import json

import numpy as np
import pytest

from refimpl.companions.dissection import command as dissect_command
from refimpl.companions.dissection import lines as printed
from refimpl.companions.dissection import study
from refimpl.companions.dissection.concepts import CONCEPTS, NAMES
from refimpl.companions.dissection.dissection import dissect
from refimpl.report.options import UsageError
from refimpl.report.room_table import read_runs, record_of


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in (("TRAINING", 70), ("STEPS", 3), ("TIMES", (0, 1, 2))):
        monkeypatch.setattr(study, name, value)
    defaults = study.conditions.__kwdefaults__ | {"times": (0, 1)}
    monkeypatch.setattr(study.conditions, "__kwdefaults__", defaults)


def results(out):
    """The JSON file, strictly read: NaN is no JSON."""
    found = json.loads(
        (out / "dissect.json").read_text(), parse_constant=lambda word: pytest.fail(word)
    )
    assert (
        found["command"] == "dissect"
        and found["title"]
        and found["environment"]["dataset"] == "concepts"
    )
    for figure in found["figures"]:
        assert figure["alt"] and (out / figure["file"]).stat().st_size > 1000
    assert len(list(out.glob("*.png"))) == len(found["figures"]) and not list(out.glob("*.part"))
    return found


def test_dissect(tmp_path, capsys, checkout_of):
    readme = checkout_of(dissect_command)
    out = tmp_path / "new" / "out"
    assert (
        dissect_command.run(
            [
                "--images",
                "60",
                "--shuffles",
                "19",
                "--seed",
                "5",
                "--conditions",
                "1",
                "--write",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    before, now = read_runs(record_of(readme))
    assert now.command in readme.read_text() and set(now.values) == set(before.values)
    assert now.values["conditions"]["batch norm"].keys() == (
        before.values["conditions"]["batch norm"].keys()
    )
    assert set(now.values["layers"]["convolution 1"]) == set(
        before.values["layers"]["convolution 1"]
    )
    found, printed = results(out), capsys.readouterr().out
    assert all(line in printed for line in found["lines"]) and len(found["figures"]) == 8
    assert any("no verdicts" in line for line in found["lines"]) and found["claims"] == []
    assert list(found["layers"]) == ["convolution 1", "convolution 2", "convolution 3"]
    assert found["planted"]["0.25"]["found"] == 38
    layer = found["layers"]["convolution 3"]
    assert len(layer["units"]) == 32 and set(layer["net2vec"]["0.005"]) == set(NAMES)
    above = [u for u in layer["units"] if u["iou"] is not None and u["iou"] > 0.04]
    assert layer["by_kind"][".04"]["all"] == [len(above), len({u["concept"] for u in above})]
    assert (
        layer["by_threshold"]["0.04"]
        == layer["by_kind"][".04"]["all"]
        == layer["by_quantile"]["0.005"]
    )
    assert set(layer["by_kind"]["chance"]) == {*CONCEPTS, "all"}
    _, held = study.draw(60, 5)
    assert found["conditions"][0]["steps_0"]["accuracy"] == 100 * np.mean(
        study.concept_net(6, rng=np.random.default_rng([0, 0])).predict(held.images) == held.objects
    )


def test_scenes_quiet(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dissect_command, "draw_figures", lambda *what: [])
    assert (
        dissect_command.run(
            [
                "--images",
                "50",
                "--shuffles",
                "19",
                "--task",
                "scene",
                "--quiet",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert capsys.readouterr().out == "" and results(tmp_path)["task"] == "scene"


def test_dead_layers_are_named_not_silent(tmp_path, monkeypatch):
    """A second convolution that never wakes: all its units, and what follows, are named; the
    figures are still drawn.
    """

    def deadly(network, *args, **how):
        second = [p for p in network.parameters if p.shape == (24,)][0]
        return network.with_parameters([p - 100 if p is second else p for p in network.parameters])

    monkeypatch.setattr(study, "fit", deadly)
    assert (
        dissect_command.run(
            ["--images", "50", "--shuffles", "19", "--quiet", "--out", str(tmp_path)]
        )
        == 0
    )
    found = results(tmp_path)
    for layer, units in (("convolution 2", 24), ("convolution 3", 32)):
        assert (
            sum(line.startswith(f"{layer}: unit") and "dead" in line for line in found["problems"])
            == units
        )
        assert all(
            u["concept"] is None and u["iou"] is None for u in found["layers"][layer]["units"]
        )
        assert found["layers"][layer]["by_kind"]["chance"]["all"] == [0, 0]
    assert all(line in found["lines"] for line in found["problems"])


def test_lines_of_five_seeds_hold_the_verdicts():
    keys = (*study.MEASURES, *CONCEPTS, "object_and_part", "accuracy")
    levels = {
        "steps_0": 1,
        "steps_1": 2,
        "base": 20,
        "rotated": 3,
        "no_dropout": 9,
        "batch_norm": 30,
    }
    runs = [
        {name: dict.fromkeys(keys, level + seed % 2) for name, level in levels.items()}
        for seed in range(5)
    ]
    lines = printed.condition_lines(runs, study.values_of(runs))
    judged = [line for line in lines if line.startswith(("reproduced", "not reproduced"))]
    assert len(judged) == sum(claim.relation is not None for claim in study.claims())
    assert any(
        line.startswith("not reproduced") and "batch normalization before" in line
        for line in judged
    )
    assert any(line.startswith("reproduced") and "rotation" in line for line in judged)
    assert "no verdicts" in printed.condition_lines(runs, {})[-1]


def test_the_curve_at_004_is_what_dissect_says(tmp_path):
    _, held = study.draw(60, 0)
    network = study.concept_net(6, rng=np.random.default_rng(0))
    active = {"one": study.widest(network, 3, held)}
    found = {
        "one": dissect(
            study.maps(network, 3), held.images, held.masks, names=held.names, kinds=held.kinds
        )
    }
    lines, by_threshold, by_quantile = printed.curve_lines(found, active, held)
    assert by_quantile["one"][0.005] == tuple(by_threshold["one"][printed.THRESHOLDS.index(0.04)])
    assert (np.diff(by_threshold["one"], axis=0) <= 0).all()


def test_bad_usage_is_named(tmp_path, capsys):
    for argv, words in (
        (["--images", "20"], "--images: expected a whole number of at least 50, got '20'"),
        (["--shuffles", "5"], "--shuffles: expected a whole number of at least 19"),
        (["--seed", "-1"], "--seed: expected a whole number of at least 0, got '-1'"),
        (["--conditions", "-1"], "--conditions"),
        (["--task", "texture"], "--task"),
    ):
        with pytest.raises(SystemExit) as caught:
            dissect_command.run(argv)
        assert caught.value.code == 2 and words in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--out: expected a folder, .*file is a file"):
        dissect_command.run(["--out", str(tmp_path / "file")])
