"""invert as a user runs it, reduced, on an untrained network's file; the study behind it; the
outlook's rows.
"""

import json
from functools import partial

import numpy as np
import pytest

from refimpl import weights
from refimpl.companions.cnn import options as cnn
from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.inversion import command as invert_command
from refimpl.companions.inversion import perturbation_study, study
from refimpl.network import softmax_net
from refimpl.report.options import UsageError
from refimpl.report.room_table import read_runs, record_of


@pytest.fixture
def network():
    return small_net(rng=np.random.default_rng(0))


def test_invert(digits, network, tmp_path, capsys, monkeypatch, checkout_of):
    monkeypatch.setattr(cnn, "STEPS", 3)
    monkeypatch.setattr(study, "WEIGHTS", (0.01,))
    monkeypatch.setattr(study, "generated", partial(study.generated, steps=2))
    monkeypatch.setattr(
        perturbation_study, "perturbations", partial(perturbation_study.perturbations, images=40)
    )
    monkeypatch.setattr(
        perturbation_study, "retrained", partial(perturbation_study.retrained, images=40)
    )
    monkeypatch.setattr(
        perturbation_study, "RETRAINING", perturbation_study.RETRAINING | {"steps": 2}
    )
    weights.save(network, tmp_path / "net.npz")
    out = tmp_path / "out"
    argv = [
        "--weights",
        str(tmp_path / "net.npz"),
        "--images",
        "3",
        "--steps",
        "2",
        "--decoder-steps",
        "3",
    ]
    readme = checkout_of(invert_command)
    assert invert_command.run([*argv, "--write", "--out", str(out)]) == 0
    before, *_, now = read_runs(record_of(readme))
    assert now.command in readme.read_text() and set(now.values) == set(before.values)
    assert [row["name"] for row in now.values["layers"]] == [
        row["name"] for row in before.values["layers"]
    ]
    found, printed = json.loads((out / "invert.json").read_text()), capsys.readouterr().out
    assert (
        found["command"] == "invert"
        and found["title"]
        and all(line in printed for line in found["lines"])
    )
    for figure in found["figures"]:
        assert figure["alt"] and (out / figure["file"]).stat().st_size > 1000
    assert len(found["figures"]) == 4 and not list(out.glob("*.part"))
    names = [row["name"] for row in found["inversion"]["layers"]]
    assert len(names) == 9 and names[0] == "convolution 1" and names[-1] == "outputs"
    assert all(len(row["regularized"]["errors"]) == 3 for row in found["inversion"]["layers"])
    assert [row["id"] for row in found["claims"]] == [
        "inversion/digits/regularized/rises",
        "inversion/digits/decoded/rises",
    ]
    assert all(
        row["verdict"] in ("reproduced", "not reproduced") and row["ours"]["n"] == 3
        for row in found["claims"]
    )
    assert set(found["outlook"]) == {
        "class visualizations",
        "class averages",
        "decoded mean codes",
        "decoded codes after ascent",
    }
    assert found["outlook"]["class visualizations"]["agreement"] == 100
    assert [row["name"] for row in found["perturbations"]] == names
    assert [row["name"] for row in found["retrained"]] == ["pooling 2", "dense 1, ReLU"]


def test_bad_usage_is_named(digits, tmp_path):
    weights.save(softmax_net(3, 2), tmp_path / "other.npz")
    (tmp_path / "file").write_text("")
    for argv, word in (
        (["--weights", str(tmp_path / "other.npz")], "3 pixels"),
        (["--images", "1"], "--images"),
        (["--images", "2001"], "--images"),
        (["--net", "vonc"], "train vonc"),
        (["--out", str(tmp_path / "file")], "expected a folder"),
    ):
        with pytest.raises(UsageError, match=word):
            invert_command.run(
                [*argv, *([] if "--out" in argv else ["--out", str(tmp_path / "out")])]
            )
    assert not (tmp_path / "out").exists()


def test_places(network):
    assert [
        (name, layers, shape) for name, layers, shape in study.places(network) if "ReLU" not in name
    ] == [
        ("convolution 1", 2, (8, 28, 28)),
        ("pooling 1", 4, (8, 14, 14)),
        ("convolution 2", 5, (16, 14, 14)),
        ("pooling 2", 7, (16, 7, 7)),
        ("dense 1", 9, (64,)),
        ("outputs", 11, (10,)),
    ]
    assert [layers for name, layers, _ in study.places(network) if "ReLU" in name] == [3, 6, 10]


def test_some_takes_the_classes_in_turn(digits):
    rows = study.some(digits.test_y, 23)
    assert digits.test_y[rows].tolist() == [i % 10 for i in range(23)] and len(set(rows)) == 23
    assert rows[3] == np.argmax(digits.test_y == 3)


def test_a_layer_without_a_decoder_is_said():
    rows = [
        {
            "name": name,
            "weight": 0.0,
            "representation": 0.1,
            "starts": 0.0,
            "decoder": None,
            "why": "too wide",
            "regularized": {"error": e, "ssim": 0.5, "errors": e + np.array([0.0, 0.1, 0.2])},
        }
        for name, e in (("a", 0.3), ("b", 0.2), ("c", 0.4))
    ]
    quality = {"error": 1.0, "ssim": 0.0, "errors": np.ones(3)}
    lines = invert_command.inversion_lines({"layers": rows, "mean": quality})
    assert sum("none fits" in line for line in lines) == 3
    assert (
        "rises at 1 of 2 layers; falls at b" in lines[-3] and "no trained decoder fits" in lines[-2]
    )


def test_nearest_is_the_smallest_distance(rng):
    images, x = rng.random((3, 5)), rng.random((7, 5))
    wanted = [min(np.linalg.norm(a - b) for b in x) / 2 for a in images]
    assert np.allclose(study.nearest(images, x, 2.0), wanted)


def test_the_outlook_reduced(digits, teacher):
    """Every claim has its value, images of every class, students above chance; class images need no
    teacher.
    """
    found = study.run(digits, teacher, 0, steps=40)
    claims = list(study.claims("digits"))
    assert [claim.id for claim in claims if claim.id not in found] == [] and len(claims) == len(
        found
    )
    assert found["outlook/digits/mean_code"] > 30 and 0 < found["outlook/digits/error"] < 1
    assert all(claim.protocol and claim.paper is None for claim in claims)
