"""Work in tasks: each a pure function of its description, its result one file written all or
nothing.

A run skips the tasks whose files are in its store, so that it can be killed at any moment and goes
on where it was; the rest runs in any concurrent.futures.Executor (this process, a pool of
processes, Dask's). A file belongs to the code that made it: its name holds a fingerprint of the
rooms that the result depends on and of NumPy's version.
"""

import hashlib
import json
import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np

from refimpl.files.rooms import room_of

BLAS_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)


class NoCluster(Exception):
    """There is no Dask, or no scheduler at the address."""


def one_thread():
    """One BLAS thread for what runs inside, where threadpoolctl is installed; else the environment
    decides.
    """
    try:
        return import_module("threadpoolctl").threadpool_limits(1)
    except ImportError:
        return nullcontext()


@cache
def fingerprint(rooms):
    """Ten hex digits of the source of some rooms, a tuple of their names, and of NumPy's version.

    Raises FileNotFoundError where a room has no source: results of other code would pass for
    today's.
    """
    digest = hashlib.sha256(np.__version__.encode())
    root = Path(__file__).parent.parent
    sources = {
        path: room_of(path.relative_to(root).as_posix()).name for path in sorted(root.rglob("*.py"))
    }
    missing = sorted(set(rooms) - set(sources.values()))
    if missing:
        raise FileNotFoundError(f"no source of the rooms {', '.join(missing)} in {root}")
    for path, room in sources.items():
        if room in rooms:
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:10]


@dataclass(frozen=True)
class Store:
    """Results as files of one folder, <task>-<mark>.json; mark: the fingerprint of the code that
    makes them.
    """

    folder: Path
    mark: str

    def path(self, task):
        return Path(self.folder) / f"{task}-{self.mark}.json"

    def read(self, task):
        """The result of a task, None where there is no file or a damaged one."""
        try:
            entry = json.loads(self.path(task).read_text())
            return entry["result"] if entry["sha256"] == checksum(entry["result"]) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, task, result):
        """Keep the result of a task, all or nothing; return it as JSON gives it back."""
        result = json.loads(json.dumps(result))
        write(self.path(task), json.dumps({"sha256": checksum(result), "result": result}))
        return result


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
    """An Executor: this process, `jobs` processes with one BLAS thread each, or a Dask cluster's at
    an address.
    """
    if cluster:
        try:
            client = import_module("distributed").Client(cluster, timeout=10)
        except ImportError:
            raise NoCluster(
                "Dask is not here; install it with: pip install 'refimpl[cluster]'"
            ) from None
        except (OSError, ValueError) as error:
            raise NoCluster(f"no Dask scheduler answers at {cluster}: {error}") from None
        with client:
            yield client.get_executor(pure=False)
    elif jobs > 1:
        with workers(jobs) as pool:
            yield pool
    else:
        yield InThisProcess()


def run(tasks, call, store, pool, progress=lambda text: None):
    """{task: result}. Results that the store has are read; call(task) makes the others in `pool`,
    stored as they come.

    A task names its file by str(task). One that raises stops the run after the others that had
    started; what had finished stays in the store.
    """
    Path(store.folder).mkdir(parents=True, exist_ok=True)
    results = {task: store.read(task) for task in tasks}
    missing = [task for task in tasks if results[task] is None]
    done = len(tasks) - len(missing)
    if isinstance(pool, InThisProcess):
        for task in missing:
            progress(f"{done} of {len(tasks)} done; {task}")
            results[task] = store.write(task, pool.submit(call, task).result())
            done += 1
        return results
    futures = {pool.submit(call, task): task for task in missing}
    try:
        progress(f"{done} of {len(tasks)} done")
        for future in as_completed(futures):
            task = futures[future]
            results[task] = store.write(task, future.result())
            done += 1
            progress(f"{done} of {len(tasks)} done")
    finally:
        for future in futures:
            future.cancel()
    return results
