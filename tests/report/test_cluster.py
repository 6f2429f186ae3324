"""--cluster against a real local Dask cluster with a worker killed in the middle: nothing lost, the
same numbers.
"""

import os
import signal
import threading
import time

import pytest

from refimpl.app import units
from refimpl.app.units import Unit
from refimpl.data import load
from refimpl.report import jobs
from refimpl.report.jobs import InThisProcess, executor

distributed = pytest.importorskip(
    "distributed", reason="Dask is an extra: pip install 'refimpl[cluster]'"
)
pytestmark = pytest.mark.filterwarnings("default")  # Dask's own warnings are its own

UNITS = [Unit("digits", "refimpl.paper.section9", seed) for seed in range(6)]


def kill_a_worker(client, folder):
    """SIGKILL one worker process as soon as the first unit is on disk."""
    pids = client.run(os.getpid)
    deadline = time.monotonic() + 60
    while not list(folder.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(next(iter(pids.values())), signal.SIGKILL)


def test_a_killed_worker_loses_nothing(tmp_path):
    data = tmp_path / "data"
    load("digits", data)
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        folder = tmp_path / "units"
        killer = threading.Thread(target=kill_a_worker, args=(client, folder))
        killer.start()
        with executor(1, cluster.scheduler_address) as pool:
            found = units.run(UNITS, folder, pool, data)
        killer.join()
    alone = units.run(UNITS, tmp_path / "alone", InThisProcess(), data)
    for unit in UNITS:
        assert {k: v for k, v in found[unit].items() if k != "table12/digits"} == {
            k: v for k, v in alone[unit].items() if k != "table12/digits"
        }
        assert (found[unit]["table12/digits"] == alone[unit]["table12/digits"]).all()


def test_an_address_without_a_scheduler():
    with (
        pytest.raises(jobs.NoCluster, match="no Dask scheduler answers at tcp://127.0.0.1:9"),
        executor(1, "tcp://127.0.0.1:9"),
    ):
        pass
