"""Units of work: the same bits in one process and in two, nothing repeated, nothing lost to a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from refimpl.app import units
from refimpl.app.units import Unit
from refimpl.data import load
from refimpl.paper.theorem import Theorem
from refimpl.report import jobs
from refimpl.report.jobs import InThisProcess, executor

UNITS = [
    Unit("digits", section, seed)
    for seed in (0, 1)
    for section in ("refimpl.paper.section9", "refimpl.app.theorems")
]


def store(folder, data=None):
    return units.store_of(folder, {unit.section for unit in UNITS}, data)


def file_of(unit, folder, data=None):
    return store(folder, data).path(unit)


def bits(path):
    """The text of a unit's result, but for the seconds that it took."""
    result = json.loads(path.read_text())["result"]
    assert result.pop("seconds") > 0
    return json.dumps(result)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    load("digits", folder)
    return folder


@pytest.fixture(scope="module")
def serial(tmp_path_factory, data_dir):
    """All units in this process: (folder, results)."""
    folder = tmp_path_factory.mktemp("units")
    return folder, units.run(UNITS, folder, InThisProcess(), data_dir)


def same(a, b):
    if isinstance(a, list):
        return a == b
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_results_have_their_types(serial):
    _, results = serial
    values = results[UNITS[0]]
    assert isinstance(values["table12/digits"], np.ndarray) and isinstance(
        values["table5/digits/train_set"], float
    )
    assert all(isinstance(t, Theorem) and t.holds for t in results[UNITS[1]])


def test_the_seconds_of_each_section_are_kept(serial):
    took = units.seconds(UNITS, serial[0])
    assert set(took) == {unit.section for unit in UNITS} and min(took.values()) > 0
    assert "seconds" not in serial[1][UNITS[0]]


def test_two_processes_give_the_same_bits(serial, tmp_path, data_dir):
    with executor(2) as pool:
        parallel = units.run(UNITS, tmp_path, pool, data_dir)
    assert all(same(serial[1][unit], parallel[unit]) for unit in UNITS)
    for unit in UNITS:
        assert bits(file_of(unit, tmp_path)) == bits(file_of(unit, serial[0]))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_a_process_of_jobs_has_one_blas_thread(monkeypatch):
    """Two processes on two cores, whatever the environment says: else each would start a thread a
    core.
    """
    for name in jobs.BLAS_THREADS:
        monkeypatch.setenv(name, "2")
    a = np.ones((300, 300))
    with executor(2) as pool:
        assert pool.submit(np.dot, a, a).result()[0, 0] == 300
        threads = pool.submit(os.listdir, "/proc/self/task").result()
    assert len(threads) == 2  # the one that works, and the one that waits for the parent's end


def test_finished_units_are_read_not_repeated(serial, monkeypatch, data_dir):
    monkeypatch.setattr(
        units, "measure", lambda *a, **k: pytest.fail("a finished unit was run again")
    )
    assert all(
        same(a, serial[1][unit])
        for unit, a in units.run(UNITS, serial[0], InThisProcess(), data_dir).items()
    )


@pytest.mark.parametrize("damage", ["", "{}", "half", "other"])
def test_a_damaged_file_is_no_result(serial, tmp_path, monkeypatch, damage):
    unit = UNITS[0]
    whole = file_of(unit, serial[0]).read_text()
    text = {"half": whole[: len(whole) // 2], "other": whole.replace("100.0", "99.0")}.get(
        damage, damage
    )
    file_of(unit, tmp_path).write_text(text)
    calls = []
    monkeypatch.setattr(units, "measure", lambda *a, **k: calls.append(a) or {"id": 1.5})
    assert (
        units.run([unit], tmp_path, InThisProcess(), None) == {unit: {"id": 1.5}}
        and len(calls) == 1
    )


def test_other_code_has_other_files(serial, monkeypatch):
    before = file_of(UNITS[0], serial[0])
    monkeypatch.setattr(jobs, "fingerprint", lambda rooms: "0123456789")
    assert before.exists() and not file_of(UNITS[0], serial[0]).exists()


def test_an_error_keeps_what_had_finished(tmp_path, monkeypatch):
    def measure(unit, data_dir):
        if unit.seed == 1:
            raise ValueError("planted")
        return {"id": float(unit.seed)}

    monkeypatch.setattr(units, "measure", measure)
    wanted = [Unit("digits", "refimpl.paper.section9", seed) for seed in range(3)]
    with pytest.raises(ValueError, match="planted"):
        units.run(wanted, tmp_path, InThisProcess(), None)
    kept = units.store_of(tmp_path, {wanted[0].section})
    assert [kept.path(u).exists() for u in wanted] == [True, False, False]


def test_nan_survives_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(units, "measure", lambda *a, **k: {"id": float("nan")})
    unit = Unit("digits", "refimpl.paper.section9", 0)
    assert np.isnan(units.run([unit], tmp_path, InThisProcess(), None)[unit]["id"])
    monkeypatch.setattr(units, "measure", lambda *a, **k: pytest.fail("run again"))
    assert np.isnan(units.run([unit], tmp_path, InThisProcess(), None)[unit]["id"])


def test_a_killed_run_goes_on(serial, tmp_path, data_dir):
    """SIGKILL after the first unit: no half file, the next run repeats only what is missing, same
    results.
    """
    out, data = tmp_path / "out", load("digits", data_dir)
    command = [
        sys.executable,
        "-m",
        "refimpl",
        "--only",
        "9,theorems",
        "--seeds",
        "2",
        "--out",
        str(out),
        "--quiet",
    ]
    environment = os.environ | {"REFIMPL_DATA": str(data_dir), "PYTHONPATH": str(Path.cwd())}
    child = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 60
    while not list(out.glob("units/*.json")) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (out / "results.json").exists()
    finished = {path: path.stat().st_mtime_ns for path in out.glob("units/*.json")}
    assert 1 <= len(finished) < 4 and all(
        store(out / "units", data).read(unit)
        for unit in UNITS
        if file_of(unit, out / "units", data).exists()
    )
    assert subprocess.run(command, env=environment).returncode == 0
    assert all(path.stat().st_mtime_ns == then for path, then in finished.items())
    for unit in UNITS:
        assert bits(file_of(unit, out / "units", data)) == bits(file_of(unit, serial[0]))
    assert len(json.loads((out / "results.json").read_text())["theorems"]) > 10


def test_a_cluster_without_dask_says_how_to_install(monkeypatch):
    monkeypatch.setattr(
        jobs, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name))
    )
    with (
        pytest.raises(jobs.NoCluster, match=r"pip install 'refimpl\[cluster\]'"),
        executor(1, "tcp://nowhere"),
    ):
        pass
