"""maximize and deconv as a user runs them, on an untrained network's file so that it is quick; the
experiments, reduced.
"""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from refimpl import weights
from refimpl.companions.cnn import options as cnn
from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.deconv import command as deconv_command
from refimpl.companions.deconv import study as review
from refimpl.companions.maximization import command as maximize_command
from refimpl.network import softmax_net
from refimpl.report.options import UsageError
from refimpl.report.room_table import read_runs, record_of


@pytest.fixture
def file(tmp_path):
    weights.save(small_net(rng=np.random.default_rng(0)), tmp_path / "net.npz")
    return str(tmp_path / "net.npz")


def results(out, command):
    found = json.loads((out / f"{command}.json").read_text())
    assert found["command"] == command and found["title"] and found["lines"]
    for figure in found["figures"]:
        assert figure["alt"] and (out / figure["file"]).stat().st_size > 1000
    assert not list(out.glob("*.part"))
    return found


def test_maximize(digits, file, tmp_path, capsys, checkout_of):
    out = tmp_path / "out"
    readme = checkout_of(maximize_command)
    assert (
        maximize_command.run(
            ["--weights", file, "--steps", "4", "--starts", "2", "--count", "2", "--out", str(out)]
            + ["--write"]
        )
        == 0
    )
    found, printed = results(out, "maximize"), capsys.readouterr().out
    assert len(found["figures"]) == 6 and set(found["probabilities"]) >= {"slides", "plain"}
    assert all(line in printed for line in found["lines"])
    values = read_runs(record_of(readme))[-1].values
    assert f"| {min(values['probabilities']['plain']):.3f} |" in readme.read_text()


def test_deconv(digits, file, tmp_path, capsys, checkout_of):
    out = tmp_path / "out"
    readme = checkout_of(deconv_command)
    assert (
        deconv_command.run(
            [
                "--weights",
                file,
                "--images",
                "30",
                "--count",
                "20",
                "--diagnosis",
                "0",
                "--quiet",
                "--write",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    found = results(out, "deconv")
    with Image.open(out / "deconv_maps.png") as picture:
        assert picture.width < 2000  # the widest layer has 16 maps, not 20, and a colour bar
    assert len(found["figures"]) == 5 and set(found["dead"]) == {
        "convolution 1",
        "convolution 2",
        "dense 1",
    }
    assert capsys.readouterr().out == ""
    before, now = read_runs(record_of(readme))
    assert now.values["dead"]["dense 1"][1] == 64 and set(now.values) == set(before.values)
    assert now.command in readme.read_text() and "--write" not in now.command


def test_bad_usage_is_named(digits, tmp_path):
    weights.save(softmax_net(3, 2), tmp_path / "other.npz")
    weights.save(softmax_net(784, 10), tmp_path / "dense.npz")
    left = tmp_path / "left"
    left.mkdir()
    (left / "small.npz").write_text("no network")
    weights.save(softmax_net(3, 2), left / "conv.npz")
    (tmp_path / "none.npz").write_text("no network")
    (tmp_path / "file").write_text("")
    for run in (maximize_command.run, deconv_command.run):
        for argv, word in (
            (["--weights", str(tmp_path / "other.npz")], "3 pixels"),
            (["--weights", str(tmp_path / "none.npz")], "expected a network"),
            (
                ["--weights", str(tmp_path / "dense.npz")],
                "^--weights: .* with a convolution, .* none$",
            ),
            (["--out", str(left)], "^--out: .*small.npz: expected a network"),
            (["--net", "conv", "--out", str(left)], "^--out: .*conv.npz takes 3 pixels"),
            (
                ["--weights", str(tmp_path / "missing.npz")],
                "^--weights: expected a network's .npz file, there is no .*missing.npz$",
            ),
            (["--weights", str(tmp_path)], "^--weights: .*: expected a network"),
            (["--net", "vonc"], "train vonc"),
            (["--out", str(tmp_path / "file")], "expected a folder"),
        ):
            with pytest.raises(UsageError, match=word):
                run([*argv, *([] if "--out" in argv else ["--out", str(tmp_path / "out")])])
    with pytest.raises(UsageError, match="--image"):
        deconv_command.run(["--image", "2000", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "argv", [["--seed", "-1"], ["--diagnosis", "-1"], ["--count", "0"], ["--images", "\u00b2"]]
)
def test_a_number_out_of_range_is_bad_usage(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        deconv_command.run(argv)
    least = 0 if argv[1] == "-1" else 1
    assert caught.value.code == 2
    assert (
        f"{argv[0]}: expected a whole number of at least {least}, got {argv[1]!r}"
        in capsys.readouterr().err
    )


def test_dreams_begin_with_images_of_their_classes(digits):
    """A class without a test image, as data sets of the user's own may have, lends its name to no
    other image.
    """
    data = replace(digits, test_y=np.where(digits.test_y == 1, 7, digits.test_y))
    args = SimpleNamespace(seed=0)
    rows = maximize_command.dreams(small_net(rng=np.random.default_rng(0)), data, args)
    assert maximize_command.dreamt_of(data) == [0, 2, 3, 4, 5]
    for image, c in zip(rows[0][1], [0, 2, 3, 4, 5]):
        assert data.test_y[(data.test_x == image).all(axis=1)].tolist() == [c]
    assert [images.shape for _, images in rows] == [(5, 784)] * 4


def test_places_stand_before_the_relu(digits):
    network = small_net(rng=np.random.default_rng(0))
    assert cnn.places(network) == [
        ("convolution 1", 2, 8),
        ("convolution 2", 5, 16),
        ("dense 1", 9, 64),
        ("outputs", 11, 10),
    ]
    assert [layers - 1 for layers in review.relu_layers(network)] == [
        layers for _, layers, _ in cnn.places(network)[:-1]
    ]


def test_evolution_and_cure_reduced(digits):
    evolved = review.evolution(digits, 0, times=(0, 1, 2), images=20)
    for row in evolved["layers"]:
        assert (
            row["pictures"].shape[0] == 3
            and set(row["fixed"]) <= {0, 1, 2}
            and 0 <= row["dead"] <= 1
        )
    cured = review.cure(digits, 0, steps=2, images=8)
    shares = [row["aliasing"] for row in cured.values()]
    assert shares[0] > shares[1] > shares[2] == 0  # stride 4, 2, 1


def test_every_geometry_gives_equal_maps(digits, rng):
    counts = set()
    for size, stride in review.GEOMETRIES.values():
        network = review.with_first(size, stride, digits, rng)
        assert (
            network.layers[1].w.shape == (16, 1, size, size) and network.layers[1].stride == stride
        )
        flat = next(i for i, v in enumerate(network.layers) if type(v).__name__ == "Flatten")
        counts.add(network.forward(digits.test_x[:1], upto=flat)[0].shape)
    assert counts == {(1, 16, 7, 7)}


def test_an_image_file(digits, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    x, words = cnn.image_for(str(tmp_path / "a.png"), digits)
    assert np.array_equal(x, pixels.ravel().astype(x.dtype) / 255) and words.endswith(
        "a.png, scaled to 28 x 28"
    )
    colours = np.random.default_rng(0).integers(0, 256, (40, 56, 4), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "b.png")
    assert cnn.image_for(str(tmp_path / "b.png"), digits)[0].shape == (784,)
    rgb = replace(digits, image_shape=(3, 16, 8))
    red = np.zeros((16, 8, 3), np.uint8)
    red[:4, :, 0] = 255
    Image.fromarray(red).save(tmp_path / "c.png")
    x, _ = cnn.image_for(str(tmp_path / "c.png"), rgb)
    assert (
        x.reshape(3, 16, 8).sum(axis=(1, 2)).tolist() == [32, 0, 0]
        and (x.reshape(3, 16, 8)[0, :4] == 1).all()
    )
    assert np.array_equal(cnn.image_for("3", digits)[0], digits.test_x[3])


def test_an_image_file_of_16_bits_or_with_transparency(digits, tmp_path):
    """Pillow clips 16 bits at 255 and takes what is transparent for the colour below it."""
    levels = np.random.default_rng(0).integers(0, 100, (28, 28), dtype=np.uint8)
    Image.fromarray(levels.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    x, _ = cnn.image_for(str(tmp_path / "deep.png"), digits)
    assert np.array_equal(x, levels.ravel().astype(x.dtype) / 255)
    ink = np.zeros((28, 28, 4), np.uint8)  # black strokes on nothing
    ink[5:20, 10:14, 3] = 255
    Image.fromarray(ink).save(tmp_path / "ink.png")
    x, words = cnn.image_for(str(tmp_path / "ink.png"), digits)
    assert "inverted" in words and np.array_equal(x.reshape(28, 28), ink[..., 3] / 255)


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n and no more"])
def test_an_image_file_that_is_none(digits, tmp_path, content):
    path = tmp_path / "x.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="--image: expected .*x.png"):
        cnn.image_for(str(path), digits)
    with pytest.raises(UsageError, match="--image"):
        deconv_command.run(["--image", str(path), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
