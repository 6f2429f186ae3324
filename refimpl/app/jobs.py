"""Work in units: each a pure function of its description, its result one file written all or nothing.

A unit is (data set, section, seed). A run skips the units whose files are there, so that it can be killed at any moment
and goes on where it was; the rest runs in any concurrent.futures.Executor (this process, a pool of processes, Dask's).
A file belongs to the code that made it: its name holds a fingerprint of the package's source and of NumPy's version.
"""

import hashlib
import json
import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import import_module
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np

from refimpl.data import load
from refimpl.paper.protocol import PROTOCOLS
from refimpl.paper.protocol import teacher as train_teacher
from refimpl.paper.section5 import score
from refimpl.paper.theorems import Theorem

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")


class NoCluster(Exception):
    """There is no Dask, or no scheduler at the address."""


@dataclass(frozen=True)
class Unit:
    """One piece of work. section: the name of a module of refimpl.paper with run(data, teacher, seed)."""

    dataset: str
    section: str
    seed: int


@lru_cache(maxsize=1)
def dataset(name, data_dir):
    """A data set, read once a process."""
    return load(name, data_dir)


@lru_cache(maxsize=2)
def teacher(name, data_dir, seed):
    """The ledger's teacher of a seed, trained once a process."""
    return train_teacher(dataset(name, data_dir), seed, PROTOCOLS[name].paper)


def one_thread():
    """One BLAS thread for what runs inside, where threadpoolctl is installed; else the environment decides."""
    try:
        return import_module("threadpoolctl").threadpool_limits(1)
    except ImportError:
        return nullcontext()


def measure(unit, data_dir):
    """Run a unit: {id: value} of plain numbers and nested lists, {"theorems": [...]} for the section that proves."""
    with one_thread():
        data, network = dataset(unit.dataset, data_dir), teacher(unit.dataset, data_dir, unit.seed)
        values = import_module(f"refimpl.paper.{unit.section}").run(data, network, unit.seed)
        if isinstance(values, list):
            return {"theorems": [asdict(theorem) for theorem in values]}
        values |= {f"table5/{unit.dataset}/train_set": score(data, network)[0]}
        return {id: v.tolist() if isinstance(v, np.ndarray) else v for id, v in values.items()}


def decode(result):
    """What measure() returned, after JSON: lists are confusion matrices again, theorems Theorem records."""
    if "theorems" in result:
        return [Theorem(**theorem) for theorem in result["theorems"]]
    return {id: np.array(v) if isinstance(v, list) else v for id, v in result.items()}


@lru_cache(maxsize=1)
def fingerprint():
    """Ten hex digits of the package's own source and of NumPy's version."""
    digest = hashlib.sha256(np.__version__.encode())
    root = Path(__file__).parent.parent
    for path in sorted(p for room in (".", "data", "methods", "paper") for p in (root / room).glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:10]


def file_of(unit, folder):
    return Path(folder) / f"{unit.dataset}-{unit.section}-{unit.seed}-{fingerprint()}.json"


def read(path):
    """The result in a unit's file, None where there is none or a damaged one."""
    try:
        entry = json.loads(path.read_text())
        return entry["result"] if entry["sha256"] == checksum(entry["result"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def checksum(result):
    return hashlib.sha256(json.dumps(result).encode()).hexdigest()


def write(path, text):
    """Write a text file, all or nothing."""
    part = Path(path).with_name(f"{Path(path).name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


class InThisProcess(Executor):
    """The executor of one job: submit() runs the call at once."""

    def submit(self, call, /, *args, **kwargs):
        future: Future = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asks for the result
            future.set_exception(error)
        return future


def workers(jobs):
    """A pool of processes with one BLAS thread each that end with this one, however it ends."""
    os.environ |= dict.fromkeys(BLAS_THREADS, "1")  # the children's; they start afresh and read it
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=end_with_parent)


def end_with_parent():
    """A pool's process does not notice that its parent was killed and would wait for work for ever."""
    def wait(parent):
        parent.join()
        os._exit(1)

    Thread(target=wait, args=(parent_process(),), daemon=True).start()


@contextmanager
def executor(jobs, cluster=None):
    """An Executor: this process, `jobs` processes with one BLAS thread each, or a Dask cluster's at an address."""
    if cluster:
        try:
            client = import_module("distributed").Client(cluster, timeout=10)
        except ImportError:
            raise NoCluster("Dask is not here; install it with: pip install 'refimpl[cluster]'") from None
        except (OSError, ValueError) as error:
            raise NoCluster(f"no Dask scheduler answers at {cluster}: {error}") from None
        with client:
            yield client.get_executor(pure=False)
    elif jobs > 1:
        with workers(jobs) as pool:
            yield pool
    else:
        yield InThisProcess()


def run(units, folder, pool, data_dir, progress=lambda text: None):
    """Results by unit. Those in `folder` are read, the others run in `pool` and are written there as they come.

    A unit that raises stops the run after the others that had started; what had finished stays on disk.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    results = {unit: read(file_of(unit, folder)) for unit in units}
    missing = [unit for unit in units if results[unit] is None]
    done = len(units) - len(missing)

    def finish(unit, result):
        nonlocal done
        result = json.loads(json.dumps(result))
        write(file_of(unit, folder), json.dumps({"sha256": checksum(result), "result": result}))
        results[unit], done = result, done + 1

    if isinstance(pool, InThisProcess):
        for unit in missing:
            progress(f"{done} of {len(units)} done; {unit.dataset}, {unit.section}, seed {unit.seed}")
            finish(unit, pool.submit(measure, unit, data_dir).result())
    else:
        futures = {pool.submit(measure, unit, data_dir): unit for unit in missing}
        try:
            progress(f"{done} of {len(units)} done")
            for future in as_completed(futures):
                finish(futures[future], future.result())
                progress(f"{done} of {len(units)} done")
        finally:
            for future in futures:
                future.cancel()
    return {unit: decode(result) for unit, result in results.items()}
