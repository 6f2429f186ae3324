"""`python -m refimpl deconv --image FILE` as a user runs it: the answer for that image, and the
maps that show what made it.
"""

import json

import numpy as np
import pytest
from PIL import Image

from refimpl import weights
from refimpl.app import cli
from refimpl.companions.cnn.architectures import small_net
from refimpl.companions.cnn.options import image_for
from refimpl.companions.deconv.command import answer_for
from refimpl.losses import softmax


@pytest.fixture
def network():
    return small_net(rng=np.random.default_rng(3))


def save(path, x):
    Image.fromarray((x.reshape(28, 28) * 255).round().astype(np.uint8)).save(path)
    return str(path)


def test_the_answer_for_a_file(digits, network, tmp_path, capsys):
    weights.save(network, tmp_path / "net.npz")
    said = {}
    for name, x in (("dark", digits.test_x[5]), ("bright", 1 - digits.test_x[5])):
        file, out = save(tmp_path / f"{name}.png", x), tmp_path / name
        argv = ["deconv", "--image", file, "--weights", str(tmp_path / "net.npz"), "--count", "1"]
        argv += ["--images", "20", "--diagnosis", "0", "--out", str(out)]
        assert cli.main(argv) == 0
        found = json.loads((out / "deconv.json").read_text())
        assert "deconv_image.png" in [figure["file"] for figure in found["figures"]]
        said[name] = capsys.readouterr().out, found["image"]
    p = softmax(network.logits(digits.test_x[5:6]).astype(np.float64))[0]
    for text, image in said.values():
        assert image["class"] == p.argmax() and abs(image["probability"] - p.max()) < 1e-6
        assert f"class {digits.classes[p.argmax()]}, probability {p.max():.3f}" in text
    assert "inverted" in said["bright"][0] and "inverted" not in said["dark"][0]


def test_a_bright_background_is_inverted_where_the_datas_is_dark(digits, tmp_path):
    for i in range(5):
        dark, words = image_for(save(tmp_path / "d.png", digits.test_x[i]), digits)
        turned, notice = image_for(save(tmp_path / "b.png", 1 - digits.test_x[i]), digits)
        assert np.abs(dark - turned).max() < 1e-6
        assert "inverted" in notice and "inverted" not in words


def test_the_three_maps_start_from_the_logit_of_the_answer(digits, network):
    image = digits.test_x[2]
    answer = answer_for(network, image)
    wanted = np.eye(10, dtype=image.dtype)[answer["class"]][None]
    assert list(answer["pictures"]) == ["DeconvNet", "guided", "gradient"]
    gradient = network.input_gradient(image[None], wanted)
    assert np.abs(answer["pictures"]["gradient"] - gradient).max() < 1e-6 < np.abs(gradient).max()
    for rule in ("DeconvNet", "guided"):
        assert not np.allclose(answer["pictures"][rule], gradient)
