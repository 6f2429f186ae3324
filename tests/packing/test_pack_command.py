"""`python -m refimpl pack` as a user runs it: a file, a part of the benchmark, interruption, bad
input.
"""

import csv
import json
from xml.etree import ElementTree

import pytest

from refimpl.companions.packing import benchmark as pack_benchmark
from refimpl.companions.packing import command as pack_command
from refimpl.companions.packing import pack
from refimpl.companions.packing import pictures as packing_pictures
from refimpl.companions.packing.checker import violations
from refimpl.companions.packing.instances import benchmark, fresh
from refimpl.companions.packing.thesis import proposals as pack_proposals
from refimpl.report.jobs import checksum
from refimpl.report.options import UsageError

SVG = "{http://www.w3.org/2000/svg}"
ITEMS = "30,40\n20,90\n55,10\n44,44\n70,20\n33,33\n"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_a_list_of_items(tmp_path, out, capsys):
    (tmp_path / "items.csv").write_text(ITEMS)
    assert (
        pack_command.run([str(tmp_path / "items.csv"), "--bin", "100x100", "--out", str(out)]) == 0
    )
    assert "1 bin, optimal" in capsys.readouterr().out
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


def test_names_kerf_and_decimals_travel(tmp_path, out, capsys):
    """One list with everything: what is in JSON, CSV and SVG is the same packing, judged as it
    came.
    """
    (tmp_path / "cut list.csv").write_text(
        "id;height;width;qty;rotate\nshelf <oak>;30,5;60;2;no\nlid;90;20;1;yes\n"
    )
    options = ["--bin", "100x100,5", "--kerf", "3.2", "--trim", "1.5", "--time", "1"]
    assert pack_command.run([str(tmp_path / "cut list.csv"), *options, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "kerf 3.2, trim 1.5" in said and "scaled exactly to whole units of 0.1" in said
    assert "used area 5,460, waste 4,590" in said and "1 of them may turn" in said
    found = json.loads((out / "cut-list.csv.json").read_text())
    page = (out / "cut-list.csv.html").read_text()
    again = "--bin 100x100,5 --kerf 3.2 --trim 1.5 --time 1</code>"
    assert again in page and "cut list.csv" in page  # the whole command: it can be given again
    rows = found["items"]
    assert [row["name"] for row in rows] == ["shelf <oak>", "shelf <oak>", "lid"]
    assert (found["unit"], found["used"], found["bin"]) == (0.1, 5460, [100, 100.5])
    made = (
        [r["bin"] for r in rows],
        [(r["x"], r["y"]) for r in rows],
        [(r["placed_w"], r["placed_h"]) for r in rows],
    )
    items = [(r["w"], r["h"]) for r in rows]
    rule = {"rotate": [False, False, True], "kerf": 3.2, "trim": 1.5}
    assert items == [(60, 30.5)] * 2 + [(20, 90)]
    assert violations(items, (100, 100.5), *made, **rule) == []
    table = list(csv.DictReader((out / "cut-list.csv.csv").read_text().splitlines()))
    assert [row["name"] for row in table] == [row["name"] for row in rows]
    assert [float(row["x"]) for row in table] == [row["x"] for row in rows]
    pages = sorted(out.glob("*.svg"))
    assert len(pages) == found["count"] == 1
    groups = [
        group
        for group in ElementTree.parse(pages[0]).getroot().iter(f"{SVG}g")
        if group.get("class") == "piece"
    ]
    assert [group.findtext(f"{SVG}text") for group in groups] == [row["name"] for row in rows]
    box = groups[0].find(f"{SVG}rect")
    assert float(box.get("x")) == rows[0]["x"]
    assert float(box.get("y")) == pytest.approx(100.5 - rows[0]["y"] - 30.5)
    assert float(box.get("width")) == 60 and float(box.get("height")) == 30.5


def test_fewer_bins_than_before_leave_no_old_page(tmp_path, out):
    for text, pages in (("9,9\n9,9\n9,9\n", 3), ("9,9\n", 1)):
        (tmp_path / "items.csv").write_text(text)
        argv = [str(tmp_path / "items.csv"), "--bin", "10x10", "--out", str(out), "--quiet"]
        assert pack_command.run(argv) == 0
        assert len(list(out.glob("items.csv-bin*.svg"))) == pages


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
        ("words.csv", "a,b\nc,d\n", "line 1"),
        ("half.csv", "1.5.2,2\n", "line 1"),
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
        ["--benchmark", "--thesis"],
    ):
        with pytest.raises((SystemExit, UsageError)):
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


def test_proposals_are_reported_in_columns(out, capsys, monkeypatch):
    monkeypatch.setattr(
        pack_proposals,
        "open_instances",
        lambda count: [fresh(10, 20, seed) for seed in range(count)],
    )
    monkeypatch.setattr(pack_proposals.compare, "__defaults__", (2, 1, None))  # two steps
    monkeypatch.setattr(pack_proposals, "SECONDS", 0.1)
    assert (
        pack_command.run(["--benchmark", "--proposals", "2", "--jobs", "1", "--out", str(out)]) == 0
    )
    printed, found = (
        capsys.readouterr().out,
        json.loads((out / "packing-proposals.json").read_text()),
    )
    assert tuple(found["values"])[:3] == pack_proposals.COLUMNS and all(
        line in printed for line in found["lines"]
    )
    assert len(found["values"]) == 5
    assert [r["name"] for r in found["values"]["ascended"]] == ["fresh-10-20-0", "fresh-10-20-1"]


def test_a_tampered_record_is_no_result_and_is_packed_again(out):
    """Even under a checksum of its own: the independent checker looks at what is read."""
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
    entry = json.loads(unit.read_text())
    packed = entry["result"]["packing"]
    forged = [packed[1], *packed[1:]]
    assert forged != packed
    entry["result"]["packing"] = forged
    entry["sha256"] = checksum(entry["result"])
    unit.write_text(json.dumps(entry))
    assert pack_command.run(options) == 0
    again = json.loads(unit.read_text())["result"]
    assert again["packing"] != forged and again["bins"] == entry["result"]["bins"]


def test_fresh_instances_are_none_of_the_published():
    new = pack_benchmark.fresh_instances(200, first=pack_command.FRESH)
    assert len(new) == 200 and not {i.items.tobytes() for i in new} & {
        i.items.tobytes() for i in benchmark()
    }


def test_names_of_any_signs_travel_to_every_output(out, tmp_path):
    names = ["$x^{$", "5 $ & <b>", "a\x00b", "\u677f", "#1", "T\u00fcr"]
    path = tmp_path / "list.csv"
    rows = "".join(f'"{name}",60,40\n' for name in names)
    path.write_text(f"name,w,h\n{rows}", encoding="utf-8")
    options = [str(path), "--bin", "130x130", "--time", "1", "--quiet", "--out", str(out)]
    assert pack_command.run(options) == 0
    (sheet,) = out.glob("*.svg")
    titles = [t.text for t in ElementTree.parse(sheet).findall(".//{*}title")][1:]
    assert titles == [f"{name}: 60 x 40".replace("\0", "\ufffd") for name in names]
    items = json.loads((out / "list.csv.json").read_text())["items"]
    assert [item["name"] for item in items] == names and (out / "list.csv.png").exists()
