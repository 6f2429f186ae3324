"""How a command does its work in tasks: where (--jobs, --cluster), and where the results are kept
(OUT/units), so that a run that was stopped goes on where it was.
"""

from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache

from refimpl.data import load
from refimpl.files.rooms import room_of
from refimpl.report import jobs
from refimpl.report.options import UsageError


@contextmanager
def pool_of(args):
    """The executor that --jobs or --cluster names. Raises UsageError where there is none, or where
    it is lost on the way.
    """
    try:
        with jobs.executor(args.jobs, args.cluster) as pool:
            yield pool
    except jobs.NoCluster as error:
        raise UsageError(f"--cluster: {error}") from None
    except BrokenProcessPool:
        raise UsageError(
            "a process of --jobs was killed; what had finished is kept: run it again to go on"
        ) from None


@lru_cache(maxsize=1)
def dataset(name, data_dir):
    """A data set, read once a process."""
    return load(name, data_dir)


def store_of(folder, path, data=None):
    """The store in a folder of what the code of a room makes, with all that the room leans on.
    path: a file of the room, below refimpl/. data: the Dataset that the results are of, whose
    checksum goes with the fingerprint of the code: two data sets of one name share no result.
    """
    room = room_of(path)
    return jobs.Store(folder, mark_of(jobs.fingerprint((room.name, *room.leans_on)), data))


def mark_of(code, data=None):
    """The mark of a store: the code's fingerprint, and the data's checksum where there is one.

    >>> mark_of("0123456789")
    '0123456789'
    """
    return code if data is None else f"{code}-{data.checksum}"


def run_tasks(args, out, path, tasks, call, progress, data=None):
    """{task: result} as JSON gives it back: results of OUT/units are read, call(task) makes the
    others where --jobs or --cluster says. path, data: see store_of. A task names its file by
    str(task); call and tasks must be picklable.
    """
    with pool_of(args) as pool:
        return jobs.run(tasks, call, store_of(out / "units", path, data), pool, progress)
