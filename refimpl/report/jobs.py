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
import signal
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from refimpl.files.rooms import room_of
from refimpl.files.whole import sweep, write_whole

BLAS_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)


class NoCluster(Exception):
    """There is no Dask, or no scheduler at the address."""


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
    makes them. check(task, result) raises where a result is none of the task's, whatever its
    checksum says.
    """

    folder: Path
    mark: str
    check: Callable[[Any, Any], Any] = lambda task, result: None

    def path(self, task):
        return Path(self.folder) / f"{task}-{self.mark}.json"

    def read(self, task):
        """The result of a task, None where there is no file or a damaged one."""
        return self.read_file(self.path(task), task)

    def read_file(self, path, task):
        """The result of a task in a file of any name, None where there is none or a damaged one."""
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            if entry["sha256"] != checksum(entry["result"]):
                return None
            self.check(task, entry["result"])
            return entry["result"]
        except Exception:  # noqa: BLE001 - whatever a file that holds something else makes of it
            return None

    def write(self, task, result):
        """Keep the result of a task, all or nothing; return it as JSON gives it back. NumPy's
        numbers and arrays become Python's numbers and lists.
        """
        result = json.loads(json.dumps(result, default=lambda value: value.tolist()))
        write_whole(self.path(task), json.dumps({"sha256": checksum(result), "result": result}))
        return result


def checksum(result):
    return hashlib.sha256(json.dumps(result).encode()).hexdigest()


class InThisProcess(Executor):
    """The executor of one job: submit() runs the call at once."""

    def submit(self, call, /, *args, **kwargs):
        future: Future = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asks for the result
            future.set_exception(error)
        return future


class Workers(ProcessPoolExecutor):
    """Processes with one BLAS thread each that end with this one, however it ends, and to which an
    interrupt from the keyboard does not speak: it goes to every process of a terminal, and this one
    alone decides what becomes of the work.
    """

    def __init__(self, jobs):
        os.environ |= dict.fromkeys(BLAS_THREADS, "1")  # the children read it when they start
        super().__init__(jobs, mp_context=get_context("spawn"), initializer=end_with_parent)

    def submit(self, call, /, *args, **kwargs):
        with interrupts_held():  # a process started here inherits that they are held
            return super().submit(call, *args, **kwargs)

    def give_up(self):
        """End the processes in the middle of their work, which may take minutes; what waits fails.

        Nothing is cancelled: a future that is would make the pool's own thread stumble over it.
        """
        with interrupts_held():
            for child in active_children():
                child.kill()
            self.shutdown(wait=False)


@contextmanager
def interrupts_held():
    """Interrupts from the keyboard wait until the block has ended (not on Windows)."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent():
    """A pool's process does not notice its parent's death: it would wait for work for ever."""

    def wait(parent):
        parent.join()
        os._exit(1)

    Thread(target=wait, args=(parent_process(),), daemon=True).start()


@contextmanager
def executor(jobs, cluster=None):
    """An Executor: this process, `jobs` processes with one BLAS thread each, or a Dask cluster's at
    an address.

    Start its workers with MALLOC_TRIM_THRESHOLD_=1073741824 and MALLOC_MMAP_THRESHOLD_=33554432 in
    their environment. Dask's own setting, 65536 for the first, makes the C library give memory back
    after every step, and training takes twice as long; the first alone changes nothing.
    """
    if cluster:
        try:
            client = import_module("distributed").Client(cluster, timeout=10)
        except ImportError:
            raise NoCluster(
                "Dask is not here; install it with: python -m pip install 'refimpl[cluster]'"
            ) from None
        except (OSError, ValueError) as error:
            raise NoCluster(f"no Dask scheduler answers at {cluster}: {error}") from None
        with client:
            yield client.get_executor(pure=False)
    elif jobs > 1:
        pool = Workers(jobs)
        try:
            yield pool
        except Exception:
            pool.shutdown()
            raise
        except BaseException:  # an interrupt
            pool.give_up()
            raise
        pool.shutdown()
    else:
        yield InThisProcess()


def run(tasks, call, store, pool, progress=lambda text: None, on_result=lambda task, result: None):
    """{task: result}. Results that the store has are read; call(task) makes the others in `pool`,
    stored as they come. on_result(task, result) is told of each, in any order.

    A task names its file by str(task). One that raises stops the run after the others that had
    started; an interrupt stops it at once. What had finished is in the store then, and nothing that
    was waiting is begun.
    """
    Path(store.folder).mkdir(parents=True, exist_ok=True)
    sweep(store.folder)
    results = {}
    for task in tasks:
        result = store.read(task)
        if result is not None:
            results[task] = result
            on_result(task, result)
    missing = [task for task in dict.fromkeys(tasks) if task not in results]
    of = len(results) + len(missing)

    def keep(task, result):
        results[task] = store.write(task, result)
        on_result(task, results[task])

    if isinstance(pool, InThisProcess):
        for task in missing:
            progress(f"{len(results)} of {of} done; {task}")
            keep(task, pool.submit(call, task).result())
    else:
        _run_in(pool, missing, call, keep, lambda: progress(f"{len(results)} of {of} done"))
    return {task: results[task] for task in tasks}


def _run_in(pool, tasks, call, keep, tell):
    """Run the tasks in a pool of several; keep(task, result) is called as they end."""
    futures: dict[Future, Any] = {}
    try:
        for task in tasks:
            futures[pool.submit(call, task)] = task
        tell()
        for future in as_completed(list(futures)):
            task = futures[future]
            keep(task, future.result())
            del futures[future]
            tell()
    except BrokenExecutor:  # a process was killed: the pool itself tells every future
        wait(futures)
        raise
    except Exception:  # of one task: the others that had started may end
        for future in futures:
            future.cancel()
        wait(futures)
        raise
    except BaseException:
        if isinstance(pool, Workers):
            pool.give_up()
        else:
            for future in futures:
                future.cancel()
        raise
    finally:
        for future, task in futures.items():  # those that ended while another one failed
            if future.done() and not future.cancelled() and not future.exception():
                keep(task, future.result())
