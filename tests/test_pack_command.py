"""`python -m refimpl pack` as a user runs it: a file, a part of the benchmark, interruption, bad input."""

import json

import pytest

from refimpl.app import pack_benchmark, pack_command
from refimpl.app.usage import UsageError
from refimpl.packing.checker import Invalid, violations
from refimpl.packing.instances import benchmark

ITEMS = "30,40\n20,90\n55,10\n44,44\n70,20\n33,33\n"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_a_list_of_items(tmp_path, out, capsys):
    (tmp_path / "items.csv").write_text(ITEMS)
    assert pack_command.run([str(tmp_path / "items.csv"), "--bin", "100x100", "--out", str(out)]) == 0
    assert "1 bins, optimal" in capsys.readouterr().out
    found = json.loads((out / "items.csv.json").read_text())
    assert found["count"] == found["lower_bound"] == 1 and found["optimal"] and (out / "items.csv.png").stat().st_size > 1000
    rows = found["items"]
    assert [f"{row['w']},{row['h']}" for row in rows] == ITEMS.split()
    assert not violations([(r["w"], r["h"]) for r in rows], found["bin"], [r["bin"] for r in rows],
                          [(r["x"], r["y"]) for r in rows], [(r["placed_w"], r["placed_h"]) for r in rows])
    assert not list(out.glob("*.part"))


def test_rotation_is_asked_for(tmp_path, out):
    (tmp_path / "long.csv").write_text("10,4\n4,10\n")
    with pytest.raises(UsageError, match="item|line"):
        pack_command.run([str(tmp_path / "long.csv"), "--bin", "10x8", "--out", str(out), "--quiet"])
    assert pack_command.run([str(tmp_path / "long.csv"), "--bin", "10x8", "--rotate", "--out", str(out), "--quiet"]) == 0
    assert json.loads((out / "long.csv.json").read_text())["count"] == 1


def test_bad_files_leave_nothing(tmp_path, out):
    for name, text, word in (("zero.csv", "3,4\n0,5\n", "line 2"), ("nan.csv", "3,nan\n", "line 1"),
                             ("big.csv", "3,4\n300,4\n", "line 2"), ("words.csv", "a,b\nc,d\n", "line 2"),
                             ("half.csv", "1.5,2\n", "line 1")):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match=word):
            pack_command.run([str(tmp_path / name), "--bin", "100x100", "--out", str(out), "--quiet"])
    for argv in ([str(tmp_path / "missing.csv"), "--bin", "9x9"], [str(tmp_path / "zero.csv")]):
        with pytest.raises(UsageError):
            pack_command.run([*argv, "--out", str(out), "--quiet"])
    assert not list(out.glob("*.json"))
    for argv in ([], ["a.csv", "--benchmark"], ["a.csv", "--bin", "10"], ["a.csv", "--time", "0"],
                 ["a.csv", "--time", "nan"]):
        with pytest.raises(SystemExit):
            pack_command.parse(argv)


def test_no_items_no_bins(tmp_path, out, capsys):
    (tmp_path / "none.csv").write_text("")
    assert pack_command.run([str(tmp_path / "none.csv"), "--bin", "10x10", "--out", str(out)]) == 0
    assert "0 bins, optimal" in capsys.readouterr().out


def test_the_benchmark_resumes(out, capsys, monkeypatch):
    options = ["--benchmark", "--part", "125", "--time", "0.2", "--jobs", "1", "--out", str(out)]
    assert pack_command.run(options) == 0
    first = capsys.readouterr().out
    units = sorted((out / "units").glob("*.json"))
    assert len(units) == 4 and "best known" in first
    monkeypatch.setattr(pack_benchmark, "solve", lambda *a: pytest.fail("solved again"))
    assert pack_command.run(options) == 0
    assert capsys.readouterr().out == first
    units[0].unlink()
    with pytest.raises(BaseException, match="solved again"):
        pack_command.run(options)


def test_a_tampered_record_is_refused(out):
    options = ["--benchmark", "--part", "500", "--time", "0.2", "--jobs", "1", "--out", str(out), "--quiet"]
    assert pack_command.run(options) == 0
    (unit,) = (out / "units").glob("*.json")
    record = json.loads(unit.read_text())
    record["packing"][0] = record["packing"][1]
    unit.write_text(json.dumps(record))
    with pytest.raises(Invalid):
        pack_command.run(options)


def test_best_known_and_fresh_instances():
    known, rotated = pack_benchmark.best_known(), pack_benchmark.best_known(rotate=True)
    assert (sum(known.values()), sum(rotated.values())) == (7225, 6976)
    assert set(known) == {i.name for i in benchmark()}
    new = pack_benchmark.fresh_instances(200, first=pack_command.FRESH)
    assert len(new) == 200 and not {i.items.tobytes() for i in new} & {i.items.tobytes() for i in benchmark()}
