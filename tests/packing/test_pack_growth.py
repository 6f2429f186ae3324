"""Growth of one pass: rows of verified packings, slopes from the definition, a drawing."""

import json

import numpy as np
import pytest

from refimpl.companions.packing import command as pack_command
from refimpl.companions.packing import growth as pack_growth
from refimpl.companions.packing.checker import Invalid


def test_slopes_and_lines():
    rows = [
        {"class": kind, "n": n, "bins": 3, "bound": 2, "seconds": c * n**power / 1e6}
        for kind, power, c in ((7, 2, 1), (10, 1, 300))
        for n in (10, 100, 1000)
    ]
    assert pack_growth.slope(rows[:3])[0] is None and np.allclose(
        pack_growth.slope(rows[:3])[1:], 2, rtol=1e-12
    )
    table = [line.split() for line in pack_growth.lines(rows)[1:]]
    assert [row[:2] for row in table] == [
        [k, n] for k in ("7", "10") for n in ("10", "100", "1000")
    ]
    assert [row[6:] for row in table] == [[], ["2.00"], ["2.00"], [], ["1.00"], ["1.00"]]
    assert [row[5] for row in table] == ["10", "100", "1000", "300", "300", "300"]


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pack_growth, "LARGEST", (20, 60))
    assert pack_command.run(["--growth", "--out", str(tmp_path)]) == 0
    printed, found = (
        capsys.readouterr().out,
        json.loads((tmp_path / "packing-growth.json").read_text()),
    )
    assert (
        found["lines"][0] in printed
        and (tmp_path / found["figures"][0]["file"]).stat().st_size > 5000
    )
    assert [(row["class"], row["n"]) for row in found["values"]] == [
        (7, 20),
        (10, 20),
        (7, 60),
        (10, 60),
    ]
    assert all(row["bins"] >= row["bound"] > 0 for row in found["values"])
    assert 20e6 < pack_growth.peak() < 4e9


def test_a_wrong_packing_is_not_timed(monkeypatch):
    real = pack_growth.decode

    def shifted(*args, **kwargs):
        batch = real(*args, **kwargs)
        batch.positions[0, 3] += 1
        return batch

    monkeypatch.setattr(pack_growth, "decode", shifted)
    with pytest.raises(Invalid):
        pack_growth.one_pass(7, 20)
