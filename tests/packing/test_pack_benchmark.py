"""The benchmark's runner: resumes where it was, trusts no file, uses processes, and its table adds
up.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refimpl.companions.packing import benchmark as pack_benchmark
from refimpl.companions.packing.benchmark import (
    Task,
    best_known,
    fresh_instances,
    run_benchmark,
    store_of,
    table,
)
from refimpl.companions.packing.instances import benchmark

INSTANCES = benchmark([1])[:3]


def test_the_best_known_values():
    """The totals of the list: 7,225 oriented, 6,976 with rotation, a value for each of the 500."""
    known, rotated = best_known(), best_known(rotate=True)
    assert set(known) == set(rotated) == {instance.name for instance in benchmark()}
    assert (sum(known.values()), sum(rotated.values())) == (7225, 6976)


def test_a_run_resumes(tmp_path, monkeypatch):
    seen = []
    records = run_benchmark(INSTANCES[:2], tmp_path, time_limit=0.05)
    assert [r["name"] for r in records] == ["1-20-1", "1-20-2"] and len(
        list(tmp_path.iterdir())
    ) == 2
    assert all(
        best_known()[r["name"]] <= r["bins"] and r["bound"] <= best_known()[r["name"]]
        for r in records
    )
    solve, calls = pack_benchmark.solve, []
    monkeypatch.setattr(
        pack_benchmark, "solve", lambda task: calls.append(task.instance.name) or solve(task)
    )
    again = run_benchmark(
        INSTANCES, tmp_path, time_limit=0.05, on_result=lambda *args: seen.append(args[:2])
    )
    assert again[:2] == records and calls == ["1-20-3"] and seen == [(1, 3), (2, 3), (3, 3)]
    run_benchmark(INSTANCES[:1], tmp_path, rotate=True, time_limit=0.05)
    assert calls == ["1-20-3", "1-20-1"]  # another question, another file


def test_more_time_goes_to_what_is_not_proven(tmp_path, monkeypatch):
    """The bound met in less time than asked for is the answer; what is above it, or took longer, is
    packed again.
    """
    records = run_benchmark(INSTANCES, tmp_path, time_limit=0.05)
    calls, solve = [], pack_benchmark.solve
    monkeypatch.setattr(
        pack_benchmark, "solve", lambda task: calls.append(task.instance.name) or solve(task)
    )
    above = [record["name"] for record in records if record["bins"] > record["bound"]]
    run_benchmark(INSTANCES, tmp_path, time_limit=0.1)
    assert "1-20-1" not in above and calls == above
    run_benchmark(INSTANCES[:1], tmp_path, time_limit=0.1, seed=1)
    assert calls.pop() == "1-20-1"  # another seed
    store_of(tmp_path).write(Task(INSTANCES[0], False, 0.05, 0), records[0] | {"seconds": 9})
    run_benchmark(INSTANCES[:1], tmp_path, time_limit=0.1)
    assert calls.pop() == "1-20-1"  # met too late


def overlapping(record):
    bad = json.loads(json.dumps(record))
    bad["packing"][-1][:3] = bad["packing"][0][:3]
    return bad


@pytest.mark.parametrize(
    "damage",
    [
        overlapping,
        lambda record: record | {"bins": record["bins"] - 1},
        lambda record: record | {"bound": record["bins"] + 1},
        lambda record: record | {"packing": "none"},
        lambda record: [record],
        lambda record: {},
    ],
    ids=["overlap", "bins", "bound", "types", "list", "empty"],
)
def test_a_stored_packing_is_checked_again(tmp_path, damage):
    """What is none of the instance's packings counts as not there, whatever its checksum says."""
    (record,) = run_benchmark(INSTANCES[:1], tmp_path, time_limit=0.05)
    task, store = Task(INSTANCES[0], False, 0.05, 0), store_of(tmp_path)
    store.write(task, damage(record))
    assert store.read(task) is None
    (again,) = run_benchmark(INSTANCES[:1], tmp_path, time_limit=0.05)
    assert again["bins"] == record["bins"] and store.read(task) == again


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, "half", "[]", "null", "\x00"])
def test_a_damaged_file_is_packed_again(tmp_path, text):
    run_benchmark(INSTANCES[:1], tmp_path, time_limit=0.05)
    (path,) = tmp_path.glob("*.json")
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2] if text == "half" else text)
    assert len(run_benchmark(INSTANCES[:1], tmp_path, time_limit=0.05)) == 1
    assert path.read_text().startswith('{"sha256"')


def test_two_processes_give_what_one_gives(tmp_path):
    one = run_benchmark(INSTANCES, tmp_path / "one", time_limit=0.05)
    two = run_benchmark(INSTANCES, tmp_path / "two", time_limit=0.05, jobs=2)
    assert [r["name"] for r in two] == [r["name"] for r in one] and [r["bound"] for r in two] == [
        r["bound"] for r in one
    ]


def test_the_processes_end_with_their_parent():
    """Killed with no chance to tell them, a parent leaves none behind."""
    code = (
        "import os, time; from refimpl.report.jobs import Workers\n"
        "if __name__ == '__main__':\n"
        "    pool = Workers(1); print(pool.submit(os.getpid).result(), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("it outlived its parent")


def test_the_table_adds_up():
    records = [
        {"name": "2-20-1", "bins": 4, "bound": 3, "seconds": 1.0},
        {"name": "10-20-1", "bins": 5, "bound": 5, "seconds": 2},
        {"name": "2-20-2", "bins": 2, "bound": 2, "seconds": 0.0},
    ]
    lines = table(records, {"2-20-1": 3, "2-20-2": 2, "10-20-1": 5})
    assert [line.split() for line in lines[1:]] == [
        ["2", "2", "6", "5", "5", "20.00", "1", "0.50"],
        ["10", "1", "5", "5", "5", "0.00", "1", "2.00"],
        ["all", "3", "11", "10", "10", "10.00", "2", "1.00"],
    ]
    assert table(records)[1].split()[3] == "-" and max(map(len, lines)) <= 80


def test_fresh_gaps_stand_beside_the_published_ones():
    def records(*rows):
        return [
            {"name": name, "bins": bins, "bound": bound, "seconds": 1.0}
            for name, bins, bound in rows
        ]

    published, fresh = (
        records(("2-20-1", 5, 4), ("3-20-1", 4, 4)),
        records(("fresh-2-20-7", 3, 2), ("fresh-9-20-7", 2, 2)),
    )
    head, *rows = [line.split() for line in table(fresh, published=published)]
    assert head[3:6] == ["published", "gap", "%"]
    assert [(row[3], row[5]) for row in rows] == [
        ("25.00", "50.00"),
        ("-", "0.00"),
        ("12.50", "25.00"),
    ]


def test_fresh_instances_are_spread_over_the_benchmark():
    instances = fresh_instances(100, first=7)
    assert len({i.name for i in instances}) == 100 and instances[0].name == "fresh-1-20-7"
    assert instances[-1].name == "fresh-10-100-8"
    assert {tuple(i.name.split("-")[1:3]) for i in instances[:50]} == {
        (str(k), str(n)) for k in range(1, 11) for n in (20, 40, 60, 80, 100)
    }
