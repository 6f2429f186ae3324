"""The command look as a user runs it, on untrained networks so that it is quick."""

import json
import sys

import numpy as np
import pytest

from refimpl import weights
from refimpl.companions.cnn import options as cnn
from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.descriptors import command as look_command
from refimpl.companions.descriptors import tasks
from refimpl.report.options import UsageError
from refimpl.report.room_table import read_runs, record_of
from refimpl.report.tables import numbers_of


@pytest.fixture
def untrained(monkeypatch):
    def make(data, seed, progress, *, without=None):
        return small_net(data.image_shape, len(data.classes), rng=np.random.default_rng(seed))

    monkeypatch.setattr(cnn, "train_small", make)
    yield tasks.unseen_network.cache_clear()
    tasks.unseen_network.cache_clear()


@pytest.mark.slow
def test_what_a_run_leaves(untrained, tmp_path, capsys, checkout_of):
    pytest.importorskip(
        "skimage", reason="scikit-image is not installed: pip install 'refimpl[descriptors]'"
    )
    readme = checkout_of(look_command)
    argv = ["--runs", "2", "--steps", "3", "--write", "--out", str(tmp_path)]
    assert look_command.run(argv) == 0
    before, *_, now = read_runs(record_of(readme))
    assert now.command in readme.read_text() and set(now.values) == set(before.values)
    assert set(now.values["scores"][0]) == set(before.values["scores"][0])
    found, printed = json.loads((tmp_path / "look-small.json").read_text()), capsys.readouterr().out
    assert (
        found["command"] == "look"
        and found["runs"] == 2
        and all(line in printed for line in found["lines"])
    )
    for figure in found["figures"]:
        assert figure["file"].startswith("look-small-") and figure["alt"]
        assert (tmp_path / figure["file"]).stat().st_size > 1000
    rows = numbers_of(found)
    assert rows["slides/digits/small/logit/chance/harris_repeatability"]["ours"]["n"] == 2
    assert {"network", "linear", "same", "png", "agreement"} == {
        id.split("/")[-1] for id in rows if "/ten/" in id
    }
    assert any("lookup slip" in line for line in found["lines"])
    assert sum("not judged" in line for line in found["lines"]) == 2


def test_without_scikit_image_it_says_how_to_install_it(tmp_path, monkeypatch):
    """Before any network is trained and before the folder is made."""
    monkeypatch.setattr(cnn, "train_small", lambda *args, **options: pytest.fail("trained"))
    monkeypatch.setitem(sys.modules, "skimage", None)
    for name in [name for name in sys.modules if name.startswith("skimage.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install 'refimpl\[descriptors\]'"):
        look_command.run(["--runs", "1", "--steps", "1", "--out", str(tmp_path / "out"), "--quiet"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--net", "conv"], "--without: expected a class, 0 to 9, got None"),
        (["--net", "conv", "--without", "10"], "got 10"),
        (["--net", "vonc", "--without", "3"], "there is no .*vonc.npz.*train vonc"),
        (["--images", "9000"], r"--images: expected 1 to \d+, got 9000"),
        (["--out", "FILE"], "--out: expected a folder, .*file is a file"),
    ],
)
def test_bad_usage(argv, message, tmp_path, monkeypatch):
    monkeypatch.setitem(
        sys.modules, "skimage.feature", sys
    )  # there, whether it is installed or not
    (tmp_path / "file").write_text("")
    argv = [str(tmp_path / "file") if a == "FILE" else a for a in argv]
    with pytest.raises(UsageError, match=message):
        look_command.run(["--out", str(tmp_path / "out"), *argv])
    assert not (tmp_path / "out").exists()


def test_the_small_net_leaves_every_class_out_in_turn(capsys):
    with pytest.raises(SystemExit):
        look_command.parse(["--without", "12"])
    assert "--without goes with --net conv and --net vonc" in capsys.readouterr().err


def test_networks_load_networks(digits, tmp_path):
    net = small_net(rng=np.random.default_rng(0))
    for name in ("conv.npz", "conv-without-3.npz"):
        weights.save(net, tmp_path / name)
    args = look_command.parse(["--net", "conv", "--without", "3"])
    whole, file = look_command.load_networks(args, digits, tmp_path)
    unseen = weights.load(file)
    assert file.name == "conv-without-3.npz"
    assert np.array_equal(whole.parameters[0], unseen.parameters[0])
