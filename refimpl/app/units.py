"""The units of the main job: a data set, a section and a seed; what measures one, and reads it
back.
"""

import time
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from importlib import import_module

import numpy as np

from refimpl.files.rooms import ROOMS, room_of
from refimpl.paper.protocol import PROTOCOLS, train_teacher
from refimpl.paper.section5 import score
from refimpl.paper.theorem import Theorem
from refimpl.report import jobs
from refimpl.report.work import dataset, mark_of
from refimpl.threads import one_thread


@dataclass(frozen=True)
class Unit:
    """One piece of work. section: the name of a module with run(data, teacher, seed)."""

    dataset: str
    section: str
    seed: int

    def __str__(self):
        return f"{self.dataset}-{self.section.removeprefix('refimpl.')}-{self.seed}"


@lru_cache(maxsize=2)
def teacher(name, data_dir, seed):
    """The ledger's teacher of a seed, trained once a process."""
    return train_teacher(dataset(name, data_dir), seed, PROTOCOLS[name].paper)


def measure(unit, data_dir):
    """Run a unit: {id: value} of plain numbers and nested lists, {"theorems": [...]} for the
    section that proves; and {"seconds": how long it took}, the teacher's training apart.
    """
    with one_thread():
        data, network = dataset(unit.dataset, data_dir), teacher(unit.dataset, data_dir, unit.seed)
        start = time.perf_counter()
        values = import_module(unit.section).run(data, network, unit.seed)
        took = {"seconds": time.perf_counter() - start}
        if isinstance(values, list):
            return took | {"theorems": [asdict(theorem) for theorem in values]}
        values |= {f"table5/{unit.dataset}/train_set": score(data, network)[0]}
        values = {id: v.tolist() if isinstance(v, np.ndarray) else v for id, v in values.items()}
        return took | values


def decode(result):
    """What measure() returned, after JSON and without its seconds: lists are confusion matrices
    again, theorems Theorem records.
    """
    if "theorems" in result:
        return [Theorem(**theorem) for theorem in result["theorems"]]
    return {
        id: np.array(v) if isinstance(v, list) else v for id, v in result.items() if id != "seconds"
    }


def store_of(folder, sections, data=None):
    """The store of the units of some sections on a data set, marked by the source of their rooms
    and of all that these lean on, and by what is in the data set: there are several CIFAR-10s.
    """
    own = {room_of(name.removeprefix("refimpl.").replace(".", "/")).name for name in sections}
    below = {below for room in ROOMS if room.name in own for below in room.leans_on}
    return jobs.Store(
        folder,
        mark_of(jobs.fingerprint(tuple(sorted(own | below | {"paper"}))), data),
        check=lambda task, result: decode(result),
    )


def run(units, folder, pool, data_dir, progress=lambda text: None, data=None):
    """{unit: values or theorems}, those in `folder` read, the others measured in `pool` and kept
    there. data: the Dataset that they are of, whose checksum is a part of their files' names.
    """
    store = store_of(folder, {unit.section for unit in units}, data)
    found = jobs.run(units, partial(measure, data_dir=data_dir), store, pool, progress)
    return {unit: decode(result) for unit, result in found.items()}


def seconds(units, folder, data=None):
    """{section: seconds of one seed, the mean} of units that `run` has left in `folder`."""
    store = store_of(folder, {unit.section for unit in units}, data)
    took: dict[str, list] = {}
    for unit in units:
        found = (store.read(unit) or {}).get("seconds")
        if found is not None:
            took.setdefault(unit.section, []).append(found)
    return {section: float(np.mean(some)) for section, some in took.items()}
