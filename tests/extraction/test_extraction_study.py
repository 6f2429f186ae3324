"""The extraction study and its command, reduced: small teachers on few images of `digits`."""

import json
import os
from dataclasses import replace

import pytest

from refimpl.app.ledger import CLAIMS
from refimpl.companions.extraction import command as extract_command
from refimpl.companions.extraction import study
from refimpl.companions.extraction.table import REGIMES
from refimpl.data import load
from refimpl.report.options import UsageError
from refimpl.report.room_table import read_runs, record_of

FULL = bool(os.environ.get("REFIMPL_FULL"))


@pytest.fixture(scope="module")
def short():
    """Recipes of 300 steps."""
    patch = pytest.MonkeyPatch()
    patch.setitem(study.RECIPES, "digits", (300, 0.2))
    yield load("digits")
    patch.undo()


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_hints_and_filters_are_exact(short, activation):
    network = study.teacher(short, 12, activation, 0)
    for regime, images in (("hints", 13), ("filters", 15 if activation == "relu" else 17)):
        found, e = {"hints": study.hints, "filters": study.filters}[regime](short, network)
        assert found["agreement"] == 100 and found["error"] < 1e-9 and len(e.images) == images
        assert e.certificate.exact == "parameters"
    rows = study.curve(short, network, "hints", (4, 13))
    assert [n for n, _ in rows] == [4, 13] and rows[0][1][0] < rows[1][1][0]
    with pytest.raises(ValueError, match="regime: expected 'hints' or 'filters', got 'scratch'"):
        study.curve(short, network, "scratch", (4,))


def test_several_hidden_layers(short):
    found, e = study.hints(short, study.deeper(short, (12, 8), 0))
    assert found["agreement"] == 100 and found["error"] < 1e-9 and len(e.hidden) == 2


def test_a_black_box_gives_its_network(short):
    found = study.black_box(short, study.teacher(short, 8, "relu", 0), 0)
    assert (
        found["exact"]
        and found["gates"] == 8
        and found["error"] < 1e-8
        and 785 < found["queries"] < 5_000
    )


def test_from_scratch(short):
    """Five units from 60 images; the full size, 30 from 200, is slow."""
    network = study.teacher(short, 30 if FULL else 5, "relu", 0)
    found = study.scratch(short, network, 200 if FULL else 60, 0)
    assert found["residual"] < 1e-6 and found["agreement"] > 99.9


def test_bytes_are_counted(short):
    network = study.teacher(short, 8, "relu", 0)
    (_, weights, exact), (_, images, same), (_, small, _), (_, png, close) = study.sizes(
        short, network
    )
    assert weights == 4 * (785 * 8 + 9 * 10) and small == 785 * 8 + 9 * 10 + 16
    assert (
        images == 4 * 9 * (784 + 10 + 8)
        and same == exact
        and abs(close - exact) < 2
        and png > small
    )


def test_a_student_leaks_what_its_teacher_leaks(short):
    """And a teacher that has learned few images by heart is seen by the membership test."""
    held = short.validation(2_000)
    few = replace(held, train_x=held.train_x[:200], train_y=held.train_y[:200])
    shown = study.privacy(few, study.teacher(few, 30, "relu", 0), 0, images=200)
    (area, error), (again, _) = (
        shown["membership"]["teacher"],
        shown["membership"]["student of its images"],
    )
    assert area == pytest.approx(again, abs=1e-9) and area - 3 * error > 0.5
    low, error = shown["membership"]["untrained"]
    assert abs(low - 0.5) < 4 * error
    assert shown["energy"]["training images"][0] > shown["energy"]["untrained"][0]


def test_the_command(short, tmp_path, capsys, checkout_of):
    readme = checkout_of(extract_command)
    out = tmp_path / "out"
    assert (
        extract_command.run(
            [
                "--hidden",
                "6",
                "--regimes",
                "hints,filters,scratch,black_box",
                "--curve",
                "60",
                "--write",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    before, *_, now = read_runs(record_of(readme))
    assert now.command in readme.read_text() and set(now.values) == set(before.values)
    assert [row["regime"] for row in now.values["regimes"]] == list(REGIMES)
    found, printed = json.loads((out / "extract-6-relu.json").read_text()), capsys.readouterr().out
    assert all(line in printed for line in found["lines"]) and len(found["figures"]) == 2
    assert all((out / f["file"]).stat().st_size > 1000 and f["alt"] for f in found["figures"])
    assert found["claims"] == []  # the ledger's rows are for 30 units
    assert extract_command.run(["--hidden", "6,5", "--quiet", "--out", str(out)]) == 0
    assert (
        json.loads((out / "extract-6-5-relu.json").read_text())["runs"][0]["hints"]["agreement"]
        == 100
    )
    runs = [{"teacher": 95.0, "hints": {"error": 1e-14}, "scratch": {200: {"accuracy": 94.9}}}]
    values = extract_command.values_of("digits", runs, extract_command.parse([]))
    assert values["extraction/digits/scratch/200/lost"] == pytest.approx([0.1])
    assert set(values) <= {claim.id for claim in CLAIMS}


def test_every_row_of_the_ledger_has_its_value():
    error = {"error": 1e-14}
    run = {"teacher": 95.0, "hints": error, "filters": error}
    run["black_box"] = error | {"queries": 5_000}
    run["scratch"] = {n: {"accuracy": 94.9} for n in study.COUNTS["scratch"]}
    areas = {"teacher": (0.5, 0.01), "student of its images": (0.5, 0.01), "untrained": (0.5, 0.01)}
    args = extract_command.parse([])
    values = extract_command.values_of("digits", [run], args, {"membership": areas})
    assert set(values) == {entry.id for entry in study.claims("digits")}


def test_bad_usage_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for argv, word in (
        (["--regimes", "magic"], "--regimes"),
        (["--hidden", "9,9", "--activation", "tanh"], "--hidden"),
        (["--out", str(tmp_path / "file")], "--out"),
    ):
        with pytest.raises(UsageError, match=word):
            extract_command.run(argv)
    for argv in (["--hidden", "0"], ["--curve", "1"], ["--curve", "x"], ["--activation", "step"]):
        with pytest.raises(SystemExit):
            extract_command.parse(argv)
