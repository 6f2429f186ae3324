"""Every row of the ledger says how it came about; all rows together have one verdict."""

import pytest

from refimpl.app.reproduce import with_ways
from refimpl.report.provenance import numbered_ways, overall, stamped
from refimpl.report.report import claim_table
from refimpl.report.tables import claims_text

ROW = {
    "id": "table5/mnist/train_set",
    "section": "5",
    "what": "trained",
    "paper": 91.76,
    "ours": {"mean": 92.3, "sd": 0.1, "n": 10},
    "distance_sd": -5.0,
    "verdict": "exceeded",
    "expects": "",
    "protocol": "",
}
OVERLAP = ROW | {"id": "overlap/mnist/class_averages", "section": "7"}


def test_a_row_names_command_time_and_machine():
    command = "python -m refimpl --dataset mnist --seeds 10"
    seconds = {"refimpl.paper.section5": 2.0, "refimpl.paper.section7": 3.0}
    rows = list(with_ways([ROW, OVERLAP], {ROW["id"]: "5"}, seconds, command))
    assert rows[0]["by"]["command"] == f"{command} --only 5" and rows[0]["by"]["seconds"] == 2.0
    assert rows[1]["by"]["command"] == f"{command} --only 5,7" and rows[1]["by"]["seconds"] == 5.0
    text = claims_text(rows)
    for n, way in enumerate(numbered_ways(rows), 1):
        assert f"[{n}] {way}" in text and rows[n - 1]["by"]["machine"] in way
    assert "exceeded (-5.0 sd)  [1]" in text
    page = "".join(claim_table("T", rows))
    assert f"{command} --only 5; a seed took 2 s on " in page


def test_rows_of_older_versions_have_no_way():
    assert numbered_ways([ROW]) == [] and "[" not in claims_text([ROW])
    assert claim_table("T", [ROW])
    assert stamped([], "a", 1.0, "the run") == []


@pytest.mark.parametrize(
    "verdicts, words",
    [
        (["reproduced", "exceeded", "undecided"], "reproduced"),
        (["reproduced", "not reproduced"], "reproduced in part"),
        (["contradicted", "too few seeds"], "not reproduced"),
        (["undecided", "as predicted"], "nothing decided"),
    ],
)
def test_overall(verdicts, words):
    rows = [ROW | {"verdict": verdict} for verdict in verdicts]
    line = overall(rows, "MNIST")
    assert line.startswith(f"MNIST, overall: {words}. ") and "\n" not in line
    assert all(f"1 {verdict}" in line for verdict in verdicts)
    cells = [ROW | {"cell_of": "table 1", "verdict": "not reproduced"}] * 100
    assert overall(rows + cells, "MNIST").startswith(f"MNIST, overall: {words}. ")
    assert "cells of tables: 100 not reproduced" in overall(rows + cells, "MNIST").lower()
    assert overall([], "MNIST") == ""
