"""`python -m refimpl pack` as a user runs it: a file, a part of the benchmark, interruption, bad
input.
"""

import json

import pytest

from refimpl.companions.packing import benchmark as pack_benchmark
from refimpl.companions.packing import command as pack_command
from refimpl.companions.packing import pack
from refimpl.companions.packing import pictures as packing_pictures
from refimpl.companions.packing.checker import Invalid, violations
from refimpl.companions.packing.instances import benchmark, fresh
from refimpl.companions.packing.thesis import proposals as pack_proposals
from refimpl.report.options import UsageError

ITEMS = "30,40\n20,90\n55,10\n44,44\n70,20\n33,33\n"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_a_list_of_items(tmp_path, out, capsys):
    (tmp_path / "items.csv").write_text(ITEMS)
    assert (
        pack_command.run([str(tmp_path / "items.csv"), "--bin", "100x100", "--out", str(out)]) == 0
    )
    assert "1 bins, optimal" in capsys.readouterr().out
    found = json.loads((out / "items.csv.json").read_text())
    assert (
        found["count"] == found["lower_bound"] == 1
        and found["optimal"]
        and (out / "items.csv.png").stat().st_size > 1000
    )
    rows = found["items"]
    assert [f"{row['w']},{row['h']}" for row in rows] == ITEMS.split()
    assert not violations(
        [(r["w"], r["h"]) for r in rows],
        found["bin"],
        [r["bin"] for r in rows],
        [(r["x"], r["y"]) for r in rows],
        [(r["placed_w"], r["placed_h"]) for r in rows],
    )
    assert not list(out.glob("*.part"))


def test_rotation_is_asked_for(tmp_path, out):
    (tmp_path / "long.csv").write_text("10,4\n4,10\n")
    with pytest.raises(UsageError, match="item|line"):
        pack_command.run(
            [str(tmp_path / "long.csv"), "--bin", "10x8", "--out", str(out), "--quiet"]
        )
    assert (
        pack_command.run(
            [str(tmp_path / "long.csv"), "--bin", "10x8", "--rotate", "--out", str(out), "--quiet"]
        )
        == 0
    )
    assert json.loads((out / "long.csv.json").read_text())["count"] == 1


def test_bad_files_leave_nothing(tmp_path, out):
    for name, text, word in (
        ("zero.csv", "3,4\n0,5\n", "line 2"),
        ("nan.csv", "3,nan\n", "line 1"),
        ("big.csv", "3,4\n300,4\n", "line 2"),
        ("words.csv", "a,b\nc,d\n", "line 2"),
        ("half.csv", "1.5,2\n", "line 1"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match=word):
            pack_command.run(
                [str(tmp_path / name), "--bin", "100x100", "--out", str(out), "--quiet"]
            )
    missing = "missing.csv: cannot be read"
    for argv, word in (
        (["missing.csv", "--bin", "9x9"], missing),
        (["missing.csv"], missing),
        (["zero.csv"], "--bin WxH"),
    ):
        with pytest.raises(UsageError, match=word):
            pack_command.run([str(tmp_path / argv[0]), *argv[1:], "--out", str(out), "--quiet"])
    assert not out.exists()
    for argv in (
        [],
        ["a.csv", "--benchmark"],
        ["a.csv", "--bin", "10"],
        ["a.csv", "--time", "0"],
        ["a.csv", "--time", "nan"],
        ["a.csv", "--bin", "9x9", "--fresh"],
        ["--thesis", "--part", "3"],
        ["--benchmark", "--proposals", "3", "--rotate"],
        ["--benchmark", "--proposals", "0"],
        ["--benchmark", "--proposals", "1"],
        ["--thesis", "--sets", "1"],  # no paired test of one
        ["a.csv", "--bin", "9x9", "--sets", "3"],
        ["--benchmark", "--sets", "3"],
        ["--growth", "--thesis"],
    ):
        with pytest.raises(SystemExit):
            pack_command.parse(argv)


def test_no_items_no_bins(tmp_path, out, capsys):
    (tmp_path / "none.csv").write_text("")
    assert pack_command.run([str(tmp_path / "none.csv"), "--bin", "10x10", "--out", str(out)]) == 0
    assert "0 bins, optimal" in capsys.readouterr().out


@pytest.mark.parametrize("bin_size", [(10, 10), (30, 10), (10, 30)])
def test_every_bin_and_item_is_drawn_in_its_place(bin_size, monkeypatch, tmp_path):
    """Read back from the figure: no two bins touch, every item lies in its own bin as the packing
    says.
    """
    figures = []
    monkeypatch.setattr(packing_pictures, "save", lambda figure, path: figures.append(figure))
    packing = pack([[6, 7], [3, 4], [5, 9], [2, 2], [9, 9]] * 30, bin_size, iterations=0)
    for labelled, drawn in ((10**6, 10**6), (0, 10**6), (0, 7)):
        monkeypatch.setattr(packing_pictures, "LABELLED", labelled)
        monkeypatch.setattr(packing_pictures, "DRAWN", drawn)
        packing_pictures.bins_picture(tmp_path / "x.png", packing, bin_size)
        (axis,) = figures[-1].axes
        frames, boxes = (
            [path.get_extents() for path in collection.get_paths()]
            for collection in axis.collections
        )
        shown = min(drawn, packing.count)
        assert len(frames) == shown and len(boxes) == (packing.bins < shown).sum()
        assert sum(a.overlaps(b) for a in frames for b in frames) == shown
        for i, box in zip((packing.bins < shown).nonzero()[0], boxes):
            frame = frames[packing.bins[i]]
            assert (box.p0 - frame.p0).round(6).tolist() == packing.positions[i].tolist()
            assert box.size.round(6).tolist() == packing.sizes[i].tolist() and frame.size.round(
                6
            ).tolist() == list(bin_size)
        heads = [text.get_text() for text in axis.texts if text.get_text().startswith("bin ")]
        assert len(heads) == (shown if labelled else 0)
        assert [t.get_text() for t in figures[-1].texts] == [
            f"the first 7 of {packing.count} bins"
        ] * (drawn == 7)
        inside = (
            axis.get_xlim()[0] <= min(f.x0 for f in frames)
            and max(f.x1 for f in frames) <= axis.get_xlim()[1]
        )
        assert (
            inside
            and axis.get_ylim()[0] <= min(f.y0 for f in frames)
            and max(f.y1 for f in frames) <= axis.get_ylim()[1]
        )


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


def test_proposals_are_reported_in_three_columns(out, capsys, monkeypatch):
    monkeypatch.setattr(
        pack_proposals,
        "open_instances",
        lambda count: [fresh(10, 20, seed) for seed in range(count)],
    )
    monkeypatch.setattr(pack_proposals.compare, "__defaults__", (2, 1, None))  # two steps
    assert (
        pack_command.run(["--benchmark", "--proposals", "2", "--jobs", "1", "--out", str(out)]) == 0
    )
    printed, found = (
        capsys.readouterr().out,
        json.loads((out / "packing-proposals.json").read_text()),
    )
    assert tuple(found["values"]) == pack_proposals.COLUMNS and all(
        line in printed for line in found["lines"]
    )
    assert [r["name"] for r in found["values"]["ascended"]] == ["fresh-10-20-0", "fresh-10-20-1"]


def test_a_tampered_record_is_refused(out):
    options = [
        "--benchmark",
        "--part",
        "500",
        "--time",
        "0.2",
        "--jobs",
        "1",
        "--out",
        str(out),
        "--quiet",
    ]
    assert pack_command.run(options) == 0
    (unit,) = (out / "units").glob("*.json")
    record = json.loads(unit.read_text())
    record["packing"][0] = record["packing"][1]
    unit.write_text(json.dumps(record))
    with pytest.raises(Invalid):
        pack_command.run(options)


def test_fresh_instances_are_none_of_the_published():
    new = pack_benchmark.fresh_instances(200, first=pack_command.FRESH)
    assert len(new) == 200 and not {i.items.tobytes() for i in new} & {
        i.items.tobytes() for i in benchmark()
    }
