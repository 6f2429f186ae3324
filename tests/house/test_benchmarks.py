"""The benchmarks run and check that what they compare agrees. They time nothing here."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.__main__ import SUMMARY, summary, table  # noqa: E402
from benchmarks.bench_jobs import model  # noqa: E402
from benchmarks.timing import compare, faster, judge, slope, within  # noqa: E402


def test_a_quick_run(tmp_path):
    path = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--json", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": "."},
    )
    assert done.returncode == 0, done.stderr
    for text in (
        "ours, train_step",
        "floor: gathering and products",
        "naive: class by class",
        "closed form in t",
        "zlib alone",
        "the matrix products alone",
        "growth with batch N",
        "--jobs 2",
        "scikit-learn" if find_spec("sklearn") else "",
        "" if find_spec("torch") else "not installed: torch",
        " x\n",
    ):
        assert text in done.stdout
    results = json.loads(path.read_text())
    assert {"cpu", "blas", "numpy", "peers"} <= results["environment"].keys() and len(
        results["results"]
    ) > 20
    for entry in results["results"]:
        for row in entry["rows"]:
            assert 0 < row["low_ms"] <= row["median_ms"] <= row["high_ms"], entry["title"]
    text = table(results["environment"], results["results"])
    assert "| floor: gathering and products |" in text and "GFLOP/s" in text
    titles = [entry["title"] for entry in results["results"]]
    assert sum(any(title.startswith(begins) for title in titles) for begins in SUMMARY) >= 7


def test_the_summary_names_the_best_peer_and_our_share_of_the_limit():
    row = lambda name, ms, **share: {"name": name, "median_ms": ms, **share}  # noqa: E731
    entry = {
        "title": "training 784-10 on MNIST, 300 steps",
        "rows": [
            row("ours", 2.0, share=0.25),
            row("jax, scan", 5.0),
            row("torch", 4.0),
            row("floor", 1.0),
        ],
    }
    assert summary([entry])[2:] == [
        "| training 784-10 on MNIST, 300 steps | 2.00 | torch | 4.00 | 2.00 | 25% |"
    ]


def test_medians_ratios_and_goals():
    seconds = {"ours": np.array([1.0, 9.0, 1.0]), "peer": np.array([4.0, 4.0, 9.0])}
    goals = judge(
        seconds,
        [
            faster("ours", "peer", 4),
            faster("ours", "peer", 4.1),
            within("peer", "ours", 4),
            within("peer", "ours", 3.9),
            faster("ours", "not installed", 2),
        ],
    )
    assert [(g["ratio"], g["met"]) for g in goals] == [(4, True), (4, False), (4, True), (4, False)]
    assert slope([1, 2, 4], [3, 12, 48]) == pytest.approx(2)


def test_repeats_are_interleaved_after_one_call_that_does_not_count():
    order = []
    seconds = compare({name: lambda name=name: order.append(name) for name in "ab"}, repeats=2)
    assert order == list("ababab") and all(len(v) == 2 for v in seconds.values())


def test_a_part_is_not_written_as_the_whole_table():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "load", "--write"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "--write" in done.stderr


def test_the_model_of_many_workers():
    """Eight units of 2 s on three workers: three rounds; more workers than units help no more."""
    assert model(1.0, 2.0, 8, 3) == 7.0 and model(1.0, 2.0, 8, 8) == model(1.0, 2.0, 8, 100) == 3.0
