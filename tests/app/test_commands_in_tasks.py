"""dissect, extract and look work in tasks: what was done before a stop is not done again, and every
task can go to another process.
"""

import pickle
from types import SimpleNamespace

import pytest

from refimpl.companions.descriptors import command as look
from refimpl.companions.descriptors import tasks as look_tasks
from refimpl.companions.dissection import command as dissect
from refimpl.companions.dissection import tasks as dissect_tasks
from refimpl.companions.extraction import command as extract
from refimpl.companions.extraction import tasks as extract_tasks
from refimpl.report.options import UsageError

PICTURES = {"before": [[0.0, 1.0]], "after": [[0.5, 0.5]]}
DATA = SimpleNamespace(name="digits", classes=tuple("0123456789"), checksum="0123456789ab")


def dissect_runs(argv, out):
    args = dissect.parse(["--conditions", "3", *argv])
    return dissect.condition_runs(args, out, lambda text: None)


def extract_runs(argv, out):
    args = extract.parse(["--seeds", "2", "--curve", "50,60", *argv])
    return extract.measure(args, DATA, ["hints", "scratch"], out, lambda text: None)


def look_runs(argv, out):
    args = look.parse(["--runs", "3", *argv])
    return look.look(args, DATA, out, None, lambda text: None)


CASES = {
    "dissect": (dissect_tasks, dissect_runs, {"base": {"detectors": 3}}, 3),
    "extract": (extract_tasks, extract_runs, {"accuracy": 90.0, "curve": [[3, [90.0]]]}, 8),
    "look": (
        look_tasks,
        look_runs,
        {"probability": {"pictures": PICTURES}, "logit": {"pictures": PICTURES}, "slip": {}},
        3,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_goes_on_where_it_was(name, tmp_path, monkeypatch):
    tasks, run, result, count = CASES[name]
    done = []

    def measure(task, **given):
        if len(done) == 2 and not list(tmp_path.glob("stopped")):
            (tmp_path / "stopped").touch()
            raise KeyboardInterrupt
        done.append(str(task))
        return result

    monkeypatch.setattr(tasks, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        run([], tmp_path)
    assert len(done) == 2 and len(list((tmp_path / "units").glob(f"{name}-*.json"))) == 2
    first = run([], tmp_path)
    assert len(done) == len(set(done)) == count  # nothing twice
    assert repr(run([], tmp_path)) == repr(first) and len(done) == count


@pytest.mark.parametrize("name", CASES)
def test_every_task_can_go_to_another_process(name, tmp_path, monkeypatch):
    tasks, run, result, _ = CASES[name]
    sent = []

    def run_tasks(args, out, path, units, call, progress, data=None):
        assert (data is None) == (name == "dissect")
        sent.extend((call, unit) for unit in units)
        return {unit: dict(result) for unit in units}

    monkeypatch.setattr("refimpl.report.work.run_tasks", run_tasks)
    run(["--jobs", "2"], tmp_path)
    for call, unit in sent:
        again, same = pickle.loads(pickle.dumps((call, unit)))
        assert same == unit and getattr(again, "func", again) is tasks.measure
    assert len({str(unit) for _, unit in sent}) == len(sent)


@pytest.mark.parametrize(
    "parse, argv",
    [(dissect.parse, ["--conditions", "1"]), (extract.parse, []), (look.parse, [])],
)
def test_one_of_jobs_and_cluster(parse, argv):
    with pytest.raises(UsageError, match="--cluster, --jobs: expected one of them, not both"):
        parse([*argv, "--jobs", "2", "--cluster", "here:1"])


def test_jobs_of_dissect_go_with_conditions():
    with pytest.raises(UsageError, match="they go with --conditions"):
        dissect.parse(["--jobs", "2"])
