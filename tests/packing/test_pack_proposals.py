"""Three sources of proposals beside each other: the same start, steps and decodes; levels and tests
from the definition.
"""

import numpy as np
import pytest

from refimpl.companions.packing.bounds import lower_bound
from refimpl.companions.packing.checker import Invalid
from refimpl.companions.packing.instances import Instance, fresh
from refimpl.companions.packing.passes import single_passes
from refimpl.companions.packing.search import Search
from refimpl.companions.packing.thesis import proposals as pack_proposals
from refimpl.companions.packing.thesis.proposals import (
    COLUMNS,
    compare,
    lines,
    open_instances,
    solve,
    source,
)
from refimpl.companions.packing.thesis.wishes import closed_form


@pytest.fixture
def asked(monkeypatch):
    """The thesis' decoder replaced by chance; what it was asked for."""
    calls = []

    def proposer(bin_size, **ascent):
        def proposals(items, k, rng, count):
            calls.append((bin_size, len(items), k, count, ascent))
            return rng.integers(-1, k, (count, len(items)))

        return proposals

    monkeypatch.setattr(pack_proposals, "proposer", proposer)
    return calls


def test_the_sources(asked, rng):
    items = np.array([[3, 4], [5, 6]])
    assert source("plain heuristic", (9, 9)) is None
    for column, ascent in (("un-ascended", {"steps": 0}), ("ascended", {"wish": closed_form})):
        assert source(column, (9, 9))(items, 3, rng, 5).shape == (5, 2)
        assert asked[-1] == ((9, 9), 2, 3, 5, ascent)


def test_the_real_proposals_are_bins(rng):
    items = rng.integers(10, 60, (12, 2))
    ascended, twin = (
        source(column, (100, 100))(items, 3, np.random.default_rng(0), 4)
        for column in ("ascended", "un-ascended")
    )
    for bins in (ascended, twin):
        assert (
            bins.shape == (4, 12)
            and bins.dtype.kind == "i"
            and bins.min() >= -1
            and bins.max() <= 2
        )
    assert not np.array_equal(ascended, twin)


def test_every_column_runs_the_same_decodes_from_the_same_start(asked, monkeypatch):
    shapes, real = [], Search.noisy_orders
    monkeypatch.setattr(
        Search, "noisy_orders", lambda self, index: shapes.append(len(index)) or real(self, index)
    )
    monkeypatch.setattr(pack_proposals, "SECONDS", 0.0)  # no step at equal time
    instances = [fresh(3, 20, 500), fresh(3, 40, 500)]  # neither comes to its bound so soon
    rows = compare(instances, steps=3)
    assert tuple(rows) == (*COLUMNS, "ascended, 0 s", "plain heuristic, 0 s") and all(
        [r["name"] for r in records] == [i.name for i in instances] for records in rows.values()
    )
    assert all(record["column"] == column for column, own in rows.items() for record in own)
    assert set(shapes) == {Search.chains * Search.candidates} and len(shapes) == 2 * 3 * 3
    assert len(asked) == 2 * 2 * 3 * Search.chains and {call[3] for call in asked} == {
        round(0.25 * Search.candidates)
    }
    assert sum(call[4] == {"steps": 0} for call in asked) == len(asked) / 2
    again = compare(instances, steps=3)
    assert [[r["level"] for r in rows[c]] for c in COLUMNS] == [
        [r["level"] for r in again[c]] for c in COLUMNS
    ]


def test_the_level_is_the_bins_aimed_at_and_what_is_over():
    instance = fresh(5, 20, 500)  # 7 bins, the bound is 6
    record = solve(instance, "plain heuristic", 0)
    start = single_passes(instance.items, instance.bin)
    loads = np.bincount(start.bins, instance.items.prod(axis=1)) / 10_000
    assert record["bins"] == 7 > record["bound"] and record["level"] == pytest.approx(
        6 + loads.min()
    )
    later = solve(instance, "plain heuristic", 5)
    assert 6 < later["level"] <= record["level"] + 0.05 or later["level"] == later["bins"] == 6
    solved = solve(Instance("easy", np.array([[4, 4]] * 4), (8, 8)), "plain heuristic", 5)
    assert solved["level"] == solved["bins"] == solved["bound"] == 1


def test_a_wrong_packing_is_not_counted(monkeypatch):
    real = pack_proposals.single_passes

    def shifted(*args):
        state = real(*args)
        state.positions[0] += 1
        return state

    monkeypatch.setattr(pack_proposals, "single_passes", shifted)
    with pytest.raises(Invalid):
        solve(Instance("full", np.array([[8, 8]] * 2), (8, 8)), "plain heuristic", 0)


def test_open_instances_are_open_and_few_repeat():
    found = open_instances(4, 600)
    assert len({i.name for i in found}) == 4
    for instance in found:
        count = int(single_passes(instance.items, instance.bin).bins.max()) + 1
        assert count > lower_bound(instance.items, instance.bin)


def test_at_equal_time_steps_are_made_while_there_is_some(monkeypatch):
    now, steps, real = [0.0], [], Search.step
    monkeypatch.setattr(pack_proposals.time, "process_time", lambda: now[0])

    def step(self):
        now[0] += 0.5
        steps.append(self)
        return real(self)

    monkeypatch.setattr(Search, "step", step)
    record = solve(fresh(5, 20, 500), "plain heuristic", None)
    assert len(steps) == pack_proposals.SECONDS / 0.5 and record["seconds"] == 2
    assert record["column"] == "plain heuristic, 2 s"


def test_the_lines_add_up():
    def records(*levels):
        return [
            {"bins": int(np.ceil(level)), "bound": 4, "level": level, "seconds": 2.0}
            for level in levels
        ]

    rows = {
        "un-ascended": records(4.5, 4.25, 4.75),
        "ascended": records(4.25, 4, 4.5),
        "plain heuristic": records(4, 4, 4),
        "ascended, 2 s": records(4.25, 4, 4.25),
        "plain heuristic, 2 s": records(4, 4, 4.25),
    }
    text = lines(rows)
    assert [line.split()[-4:] for line in text[1:4]] == [
        ["15", "0.5000", "0", "2.00"],
        ["14", "0.2500", "1", "2.00"],
        ["12", "0.0000", "3", "2.00"],
    ]
    assert "ascended - un-ascended: level -0.2500 ± 0.0000, t -inf, p 0" in text[6]
    assert "ascended - plain heuristic: level +0.2500" in text[7]
    assert "ascended, 2 s - plain heuristic, 2 s: level +0.0833" in text[8]
