"""Options that would be ignored, or that contradict each other, are refused before any work, and
what cannot be done says what to type instead: as a user runs the commands.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from refimpl.app import cli
from refimpl.companions.packing import command as pack_command


def refused(argv, capsys):
    """What is said on standard error; the exit status is 2."""
    try:
        status = cli.main(list(argv))
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr()
    assert status == 2 and said.out == ""
    return said.err


def once(*argv, cwd):
    return subprocess.run(
        [sys.executable, "-m", "refimpl", *argv],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )


JOBS = {
    "FILE": ["list.csv"],
    "--benchmark": ["--benchmark"],
    "--benchmark --proposals": ["--benchmark", "--proposals", "3"],
    "--thesis": ["--thesis"],
    "--max-cut": ["--max-cut"],
}
VALUES = {"bin": "9x9", "kerf": "1", "trim": "1", "time": "3", "part": "3", "jobs": "2"}
VALUES |= {"sets": "3"}


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("option", sorted({*pack_command.GOES_WITH} - {"proposals"}))
def test_pack_takes_an_option_or_refuses_it(job, option, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = [*JOBS[job], f"--{option}", *([VALUES[option]] if option in VALUES else [])]
    if job in pack_command.GOES_WITH[option]:
        assert pack_command.parse(argv)
    else:
        said = refused(["pack", *argv], capsys)
        assert f"--{option} goes with " in said and f"not with {job}" in said
        assert not list(tmp_path.iterdir())


def test_every_option_of_pack_has_its_place(capsys):
    """An option that GOES_WITH does not know would be ignored somewhere."""
    with pytest.raises(SystemExit):
        cli.main(["pack", "--help"])
    known = {*pack_command.GOES_WITH, "benchmark", "thesis", "max-cut", "help", "out", "quiet"}
    words = capsys.readouterr().out.replace("[", " ").replace(",", " ").split()
    listed = {w[2:] for w in words if w.startswith("--") and w[2:].replace("-", "").isalpha()}
    assert listed | {"write"} == known  # --write is not for who reads the help


@pytest.mark.parametrize(
    "argv, words",
    [
        ("extract --regimes hints --curve 100", "--curve goes with the regime scratch"),
        ("extract --regimes hints,filters --unwhitened", "--unwhitened goes with the regime"),
        (
            "extract --hidden 9,9 --curve 100",
            "--curve goes with the regime scratch, here are hints",
        ),
        ("extract --activation tanh --regimes black_box", "got black_box"),
        ("extract --activation sigmoid --regimes hints,black_box", "sigmoid with --hidden 30 has"),
        ("extract --hidden 9,9 --regimes hints,scratch", "relu with --hidden 9,9 has hints, got"),
        ("extract --regimes hints,hints", "each once, got 'hints,hints'"),
        ("reproduce --only 5,5", "--only: expected each section once, got '5,5'"),
        ("reproduce --cluster here:1 --jobs 2", "--cluster, --jobs: expected one of them"),
        ("reproduce --quiet --verbose", "--quiet, --verbose: expected one of them"),
        ("reproduce --json - --verbose", "--json -, --verbose: expected one of them"),
        ("deconv --net conv --weights x.npz", "--net, --weights: expected one of them"),
        ("maximize --net small --weights x.npz", "--net, --weights: expected one of them"),
        ("invert --weights x.npz --net vonc", "--net, --weights: expected one of them"),
        ("claims --summary --cells", "leave out --cells and --dataset"),
        ("claims --summary --dataset mnist", "leave out --cells and --dataset"),
        ("lesson 3 --html --notebook", "--html, --notebook: expected one of them"),
        ("lesson 3 --pictures", "--pictures: of all READMEs"),
    ],
)
def test_contradictions_are_refused(argv, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in refused(argv.split(), capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("net", ["conv", "vonc"])
@pytest.mark.parametrize("command", ["deconv", "maximize", "invert"])
def test_a_network_for_other_data_says_what_to_type(
    digits, net, command, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    said = refused([command, "--net", net], capsys)
    assert (
        f"{net} is made for cifar10; type: python -m refimpl train {net} --dataset cifar10" in said
    )
    assert "then add --dataset cifar10 here" in said and not list(tmp_path.iterdir())


@pytest.mark.parametrize("net", ["conv", "vonc"])
def test_training_and_looking_say_so_too(digits, net, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hint = f"type: python -m refimpl train {net} --dataset cifar10"
    assert hint in refused(["train", net], capsys)
    assert hint in refused(["look", "--net", net, "--without", "3"], capsys)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_data_that_is_not_there_leads_on(name, tmp_path):
    done = once("extract", "--dataset", name, "--data-dir", str(tmp_path / "none"), cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(f"refimpl: data set {name}: ")
    assert f"get it with: python -m data_fetch {name}; " in done.stderr
    assert done.stderr.endswith(
        f"data_fetch {name} --from DIR, a copy of yours; digits needs none\n"
    )
    assert not list(tmp_path.iterdir())


def test_from_the_shell_there_is_one_line_and_no_trace(tmp_path):
    (tmp_path / "list.csv").write_text("3,4\n")
    done = once("pack", "list.csv", "--bin", "9x9", "--jobs", "2", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "refimpl: --jobs goes with --benchmark or --benchmark --proposals, not with FILE\n"
    )
    done = once("pack", "list.csv", "--bin", "9x9", "--time", "1", cwd=tmp_path)
    assert (
        done.returncode == 0 and ": 1 bin, optimal" in done.stdout and "1 bins" not in done.stdout
    )
