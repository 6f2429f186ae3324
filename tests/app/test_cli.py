"""The command line as a user runs it, and the report it leaves."""

import base64
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from refimpl.app import cli
from refimpl.app import reproduce as job
from refimpl.gradcheck import mutants
from refimpl.paper import theorems
from refimpl.paper.theorem import Theorem
from refimpl.report import report

FULL = bool(os.environ.get("REFIMPL_FULL"))


def run(*argv, cwd, data, **environment):
    return subprocess.run(
        [sys.executable, "-m", "refimpl", *argv],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"REFIMPL_DATA": str(data), "PYTHONPATH": str(Path.cwd())} | environment,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory, digits):
    """One run of everything with two seeds from an empty folder, default options otherwise."""
    cwd, data = tmp_path_factory.mktemp("cwd"), tmp_path_factory.mktemp("data")
    done = run("--seeds", "2", "--json", "copy.json", cwd=cwd, data=data)
    return cwd, data, done


class Page(HTMLParser):
    """Counts what a test wants to know of a page."""

    def __init__(self, text):
        super().__init__()
        self.images, self.links, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "img":
            self.images.append(values)
        self.links += [
            v for k, v in attributes if k in ("href", "src") and not v.startswith(("data:", "#"))
        ]
        if tag not in ("img", "meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_default_run(folders):
    cwd, _, done = folders
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no terminal, no progress
    lines = done.stdout.splitlines()
    assert lines[0] == "The student is the teacher on 2,000 of 2,000 test images, two seeds."
    assert len(lines) <= 16 and "table5/" not in done.stdout
    for text in (
        "a student of its ten class visualizations",
        "theorems hold to round-off on every seed",
        "refimpl-out/digits/report.html",
        "--dataset mnist",
        "--verbose",
    ):
        assert text in done.stdout
    assert "FAILS" not in done.stdout and "nan" not in done.stdout


def test_verbose_prints_every_row(folders, tmp_path):
    argv = ("--seeds", "2", "--only", "5,theorems", "--verbose")
    done = run(*argv, cwd=tmp_path, data=folders[1])  # in a folder of its own: others read theirs
    for text in (
        "table5/digits/class_visualizations",
        "reproduced (equal to the teacher)",
        "+-",
        "T11",
        "holds",
        "Report: refimpl-out/digits/report.html",
    ):
        assert text in done.stdout


@pytest.mark.parametrize(
    "argv, words",
    [
        (["reprodcue"], "did you mean reproduce?"),
        (["extract", "--hiden", "3"], "did you mean --hidden?"),
        (["deconv", "--dataset", "fashon-mnist"], "did you mean fashion-mnist?"),
    ],
)
def test_a_slip_is_answered_by_what_was_meant(argv, words, capsys):
    try:
        status = cli.main(argv)
    except SystemExit as stop:
        status = stop.code
    assert status == 2 and words in capsys.readouterr().err


def test_results_have_the_promised_form(folders):
    cwd, _, _ = folders
    out = cwd / "refimpl-out" / "digits"
    results = json.loads((out / "results.json").read_text())
    assert results == json.loads((cwd / "copy.json").read_text())
    claims = {row["id"]: row for row in results["claims"]}
    assert all(row["verdict"] != "measured" for row in claims.values())
    beside = {row["id"]: row for row in results["measurements"]}
    assert beside["table5/digits/train_set"]["n"] == 2 and not set(beside) & set(claims)
    for column in ("class_visualizations", "class_averages", "output_weights"):
        row = claims[f"table5/digits/{column}"]
        assert (
            row["paper"] is None
            and set(row["ours"]) == {"mean", "sd", "n"}
            and row["ours"]["n"] == 2
        )
        assert row["verdict"] and "protocol" in row
    assert claims["section5/digits/logit/agreement"]["ours"] == {"mean": 100.0, "sd": 0.0, "n": 2}
    assert claims["section5/digits/logit/parameters"]["ours"]["mean"] < 1e-10
    assert claims["section5/digits/any_init/log_probability/agreement"]["ours"]["mean"] == 100
    ids = {t["id"].split("/")[0] for t in results["theorems"]}
    assert ids == {f"T{i}" for i in range(20)} - {"T18"}  # a count: nothing to measure
    for t in results["theorems"]:
        assert t["holds"] and t["residual"] <= t["bound"] and {"predicted", "measured"} <= set(t)
    assert {"python", "numpy", "blas", "machine"} <= set(results["environment"])
    assert all(bool(f["verdict"]) == bool(f["paper"]) for f in results["figures"])
    drawn = [re.match(r"Figure (\d+): ", f["title"]) for f in results["figures"] if f["verdict"]]
    assert sorted(int(match[1]) for match in drawn) == [1, 2, 3, 4, 9, 10, 14, 15]
    assert not [p.name for p in out.iterdir() if p.suffix == ".part"]


def test_the_report_is_whole_and_self_contained(folders):
    out = folders[0] / "refimpl-out" / "digits"
    text, results = (
        (out / "report.html").read_text(),
        json.loads((out / "results.json").read_text()),
    )
    page = Page(text)
    assert page.open == [] and page.links == [] and "http" not in text.replace("http-equiv", "")
    assert len(results["figures"]) == len(list(out.glob("*.png"))) >= 12
    assert len(page.images) == sum(
        not (f["file"].startswith("confusion") or "frames" in f) for f in results["figures"]
    )
    assert (
        text.count('<table class="confusion">') == len(results["confusions"]) == 4
    )  # tables instead of pictures
    assert (
        text.count("<figure data-frames=") == 1
        and text.count("data:image/png") == len(page.images) + 1
    )
    for image in page.images:
        assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")).startswith(
            b"\x89PNG"
        )
        assert len(image["alt"]) > 20
    for row in [*results["claims"], *results["measurements"]]:
        assert row.get("cell_of") or row["id"] in text
    assert (
        'name="viewport"' in text
        and "@media print" in text
        and "python -m refimpl --dataset digits" in text
    )


def test_the_report_is_a_function_of_the_folder(folders, monkeypatch):
    out = folders[0] / "refimpl-out" / "digits"
    assert report.render(out) == (out / "report.html").read_text()


def test_claims_prints_the_ledger_from_the_latest_results(folders):
    cwd, data, _ = folders
    done = run("claims", "--dataset", "digits", cwd=cwd, data=data)
    assert done.returncode == 0 and "section5/digits/logit/agreement" in done.stdout
    measured, known = map(int, re.search(r"(\d+) of (\d+) claims measured", done.stdout).groups())
    assert 15 < measured < known and re.search("not all of digits: .*section8", done.stdout)
    every = run("claims", cwd=cwd, data=data)
    assert "none of: cifar10, concepts, fashion-mnist, mnist\n" in every.stdout
    for argv, words in (
        (("--out", "nowhere"), "no results in nowhere"),
        (("--dataset", "imagenet"), "--dataset: expected one of cifar10, concepts, digits"),
    ):
        none = run("claims", *argv, cwd=cwd, data=data)
        assert none.returncode == 2 and words in none.stderr


def test_one_section_one_seed_quiet(folders, tmp_path):
    _, data, _ = folders
    done = run("--seeds", "1", "--only", "9", "--quiet", "--out", "here", cwd=tmp_path, data=data)
    assert done.returncode == 0 and done.stdout == done.stderr == ""
    results = json.loads((tmp_path / "here" / "results.json").read_text())
    assert {row["section"] for row in results["claims"]} == {"9"}
    ids = {row["id"] for row in results["measurements"]}
    assert "table5/digits/train_set" in ids  # section 5's teacher is everybody's reference
    assert not [name for name in ids if name.startswith(("section5/", "section6/", "section7/"))]
    assert all(row["ours"]["sd"] is None for row in results["claims"]) and results["theorems"] == []


def test_the_same_seed_gives_the_same_numbers(folders, tmp_path):
    _, data, _ = folders
    texts = []
    for _ in range(2):
        done = run("--seeds", "1", "--only", "9", "--json", "-", cwd=tmp_path, data=data)
        texts.append(json.loads(done.stdout)["claims"])
    assert texts[0] == texts[1]


def test_help_fits_a_screen(folders):
    done = run("-h", cwd=folders[0], data=folders[1], COLUMNS="80")
    lines = done.stdout.splitlines()
    assert (
        done.returncode == 0
        and len(lines) <= 24
        and max(map(len, lines)) <= 80
        and "example:" in done.stdout
    )


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_of_every_command_fits_a_screen(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main([command, "-h"])
    lines = capsys.readouterr().out.splitlines()
    most = 36 if command == "pack" else 24  # lists, sheets, benchmark and thesis have options each
    assert len(lines) <= most and max(map(len, lines)) <= 80
    assert re.match(rf"usage: python -m refimpl \[?{command}\b", lines[0])


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--dataset", "imagenet"], "cifar10, all, got 'imagenet'"),
        (["--seeds", "0"], "at least 1, got '0'"),
        (["--seeds", "two"], "got 'two'"),
        (["--only", "5,77"], "expected all or some of 5, 7, 9, controls, theorems, 6, 8"),
        (["--surprise"], "unrecognized arguments"),
        (["--out", "file"], "expected a folder, file is a file"),
        (["--dataset", "mnist"], "python -m data_fetch mnist"),
        (["nonsense"], "expected a command (reproduce, claims,"),
        (["--quiet", "nonsense"], "unrecognized arguments: nonsense"),
        (["claims", "--out", "file"], "no results"),
        (["--json", "none/x.json"], "--json: expected a file in a folder that"),
        (
            ["--out", "file/deep"],
            "--out: expected a folder to write to, got file/deep: Not a directory",
        ),
    ],
)
def test_bad_usage_exits_2(folders, tmp_path, argv, message):
    (tmp_path / "file").write_text("")
    done = run(*argv, cwd=tmp_path, data=folders[1])
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_theorem_that_fails_exits_1(folders, tmp_path, monkeypatch, capsys):
    wrong = Theorem("T2", "planted", 1.0, 2.0, 1.0, 1e-10)
    monkeypatch.setattr(theorems, "run", lambda *a: [wrong])
    monkeypatch.setenv("REFIMPL_DATA", str(folders[1]))
    assert cli.main(["--seeds", "1", "--only", "theorems", "--out", str(tmp_path / "o")]) == 1
    printed = capsys.readouterr()
    assert "FAILS" in printed.out and "theorems that failed: T2" in printed.err


def test_a_residual_that_is_nan_fails():
    assert not Theorem("T", "", 0.0, 0.0, float("nan"), 1.0).holds
    rows = job.worst(
        [[Theorem("T", "", 0, 0, 0.1, 1.0)], [Theorem("T", "", 0, 0, float("nan"), 1.0)]]
    )
    assert not rows[0]["holds"]


def test_progress_on_a_terminal(folders, tmp_path):
    import pty

    main, side = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "refimpl", "--seeds", "1", "--only", "9", "--out", "o"],
        cwd=tmp_path,
        stderr=side,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"REFIMPL_DATA": str(folders[1]), "PYTHONPATH": str(Path.cwd())},
    )
    os.close(side)
    seen = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(main)
    assert (
        child.wait() == 0 and b"0 of 1 done; digits-paper.section9-0" in seen and b"report" in seen
    )


def test_the_readmes_table_has_the_rows_of_the_summary(folders):
    cwd, data, _ = folders
    printed = run("claims", "--summary", cwd=cwd, data=data).stdout.splitlines()
    readme = (Path(__file__).parents[2] / "refimpl" / "paper" / "README.md").read_text()
    assert (
        printed[0] == "| test accuracy, % (paper, verdict) | digits (drawn) |"
        and len(printed) >= 10
    )
    assert all(line.split("|")[1] in readme for line in printed[2:])


USER_CODE = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Square:
    factor: float = 2.0

    def forward(self, x, *, train=False, rng=None):
        return x * x, x

    def backward(self, dout, cache):
        return self.factor * dout * cache, ()

right, wrong = Square(), Square(2.0 + 2e-6)
"""


@pytest.mark.parametrize(
    "name, code, words",
    [
        ("right", 0, "pass (complex step"),
        ("wrong", 1, "constant factor 1.000001"),
        ("absent", 2, "no attribute 'absent'"),
    ],
)
def test_gradcheck_of_a_users_layer(tmp_path, name, code, words):
    (tmp_path / "mine.py").write_text(USER_CODE)
    done = run("gradcheck", f"mine:{name}", cwd=tmp_path, data=tmp_path)
    assert done.returncode == code and words in (done.stderr if code == 2 else done.stdout)


def test_the_score_of_the_checker(capsys, monkeypatch):
    """Every tenth planted error, without correct cases (tests/gradcheck has all of both); with
    REFIMPL_FULL the command as it is.
    """
    every = len(mutants.PLANTED)
    if not FULL:
        monkeypatch.setattr(mutants, "PLANTED", mutants.PLANTED[::10])
        monkeypatch.setattr(mutants, "correct_cases", lambda count, rng, **o: iter(()))
    assert cli.main(["mutants", "--quick"]) == 0
    n = len(mutants.PLANTED)
    assert capsys.readouterr().out.splitlines()[-1] == f"killed {n} / {n} planted" and n >= 37
    readme = Path(__file__).parents[2] / "refimpl" / "gradcheck" / "README.md"
    assert f"`killed {every} / {every} planted`" in readme.read_text()


def test_a_reader_that_has_gone():
    """What `| head -1` does to a long output: no trace."""
    run = subprocess.Popen(
        [sys.executable, "-m", "refimpl", "lesson"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run.stdout.close()
    assert (run.stderr.read(), run.wait()) == ("", 141)
    run.stderr.close()
