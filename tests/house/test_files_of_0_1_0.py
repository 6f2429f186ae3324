"""What version 0.1.0 wrote is read today: networks, and a folder of results. The files of
tests/recorded/version_0.1.0 were written by it.
"""

import json
import shutil
from html import escape
from pathlib import Path

import numpy as np
import pytest

from refimpl import load_network
from refimpl.app import cli

FILES = Path(__file__).parents[1] / "recorded" / "version_0.1.0"


@pytest.mark.parametrize("name", ["conv", "hidden"])
def test_networks(name):
    """The same logits: a CNN in float32, with what is random in training, and a tanh network."""
    z = load_network(FILES / f"{name}.npz").logits(np.linspace(0, 1, 32).reshape(2, 16))
    expected = json.loads((FILES / "logits.json").read_text())[name]
    assert np.allclose(z, expected, rtol=1e-5 if name == "conv" else 1e-13, atol=0)


def test_a_folder_of_results(tmp_path, capsys):
    """The report is made anew from it, and the ledger printed, each number with its verdict."""
    out = tmp_path / "digits"
    out.mkdir()
    shutil.copy(FILES / "results.json", out)
    assert cli.main(["report", str(out)]) == 0
    page = (out / "report.html").read_text()
    found = json.loads((FILES / "results.json").read_text())
    for row in found["claims"]:
        assert row["verdict"] in page and escape(row["what"]) in page
    for theorem in found["theorems"]:
        assert theorem["id"] in page
    capsys.readouterr()
    assert cli.main(["claims", "--summary", "--out", str(out)]) == 0
    assert "| trained on the training set | 91.46 ± 0.46 |" in capsys.readouterr().out
