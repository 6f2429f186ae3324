"""What others install: the wheel holds every file of the package, runs without the repository, and
says what it is.
"""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

import refimpl

ROOT = Path(__file__).parents[2]
SOURCES = (
    "refimpl",
    "tests",
    "benchmarks",
    "data_fetch.py",
    "setup.cfg",
    "pyproject.toml",
    ".ci",
    "README.md",
    "LICENSE",
)
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".[!c]*")
DATA = {
    "refimpl/py.typed",
    "refimpl/paper/printed.json",
    "refimpl/companions/packing/best_known.csv",
    "refimpl/companions/deconv/README.md",
    "refimpl/report/page.css",
    "refimpl/report/page.js",
    "refimpl/lessons/01_softmax.md",
}


def files_below(tree, *folders):
    return {
        str(p.relative_to(tree))
        for name in folders
        for p in (tree / name).rglob("*")
        if p.is_file() and p.suffix != ".pyc"
    }


def call(*command, cwd, **environment):
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env=os.environ | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(tree, wheel, source archive), built from a copy of the tree with what is installed here,
    without a network.
    """
    for name in ("pip", "setuptools"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    if (
        tuple(map(int, version("setuptools").split(".")[:2])) < (70, 1)
        and find_spec("wheel") is None
    ):
        pytest.skip(
            f"setuptools {version('setuptools')} is older than 70.1 and wheel is not installed"
        )
    folder = tmp_path_factory.mktemp("package")
    tree, dist = folder / "tree", folder / "dist"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=IGNORED)
        else:
            shutil.copy(ROOT / name, tree)
    (tree / "tests" / "__pycache__").mkdir()
    (tree / "tests" / "__pycache__" / "stale.pyc").write_text("a cache")
    call(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-build-isolation",
        "--no-deps",
        "-w",
        dist,
        ".",
        cwd=tree,
    )
    shutil.rmtree(tree / "build")
    call(
        sys.executable,
        "-c",
        f"import backend; backend.build_sdist({str(dist)!r})",
        cwd=tree,
        PYTHONPATH=".ci",
    )
    (wheel,), (archive,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    return tree, wheel, archive


def test_the_wheel_holds_the_package_and_nothing_else(built):
    tree, path, _ = built
    with zipfile.ZipFile(path) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
        expected = files_below(tree, "refimpl") | {"data_fetch.py"}
        assert packed == expected and expected >= DATA
        assert all(wheel.read(name) == (tree / name).read_bytes() for name in packed)


def test_the_metadata(built):
    tree, path, _ = built
    assert path.name == f"refimpl-{refimpl.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        info = f"refimpl-{refimpl.__version__}.dist-info/"
        metadata = email.message_from_bytes(wheel.read(info + "METADATA"))
        licence = next(name for name in wheel.namelist() if name.endswith("LICENSE"))
        assert wheel.read(licence) == (tree / "LICENSE").read_bytes()
    body = metadata.get_payload(decode=True).decode()
    assert body.strip() == (tree / "README.md").read_text().strip()
    assert metadata["Name"] == "refimpl" and metadata["Version"] == refimpl.__version__
    assert (
        metadata["Requires-Python"] == ">=3.11"
        and metadata["Summary"]
        and metadata["Keywords"]
        and metadata["Author"]
    )
    assert "MIT" in (metadata["License"], metadata["License-Expression"])
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    needed = {
        line.partition(";")[0].replace(" ", "")
        for line in metadata.get_all("Requires-Dist")
        if "extra" not in line
    }
    assert needed == {"numpy>=1.26", "matplotlib>=3.8", "pillow>=9.2", "threadpoolctl>=3.2"}
    assert {"test", "lint", "cluster", "descriptors", "hypothesis", "peers", "teach"} == set(
        metadata.get_all("Provides-Extra")
    )


def test_the_source_archive_can_be_tested(built):
    with tarfile.open(built[2]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= files_below(built[0], "refimpl", "tests", "benchmarks") | {*SOURCES}
    assert not {name for name in names if "__pycache__" in name or name.endswith(".pyc")}


def test_the_wheel_runs_without_the_repository(built, tmp_path):
    """Installed into an empty folder: the commands that need package data, and the public names'
    types.
    """
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    elsewhere.mkdir()
    call(
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-compile",
        "--target",
        place,
        built[1],
        cwd=elsewhere,
    )

    def run(*argv):
        return call(
            sys.executable,
            *argv,
            cwd=elsewhere,
            PYTHONPATH=str(place),
            REFIMPL_DATA=str(tmp_path / "data"),
        )

    assert run(
        "-c", "import refimpl, data_fetch; print(refimpl.__file__, data_fetch.__file__)"
    ).split() == [str(place / "refimpl" / "__init__.py"), str(place / "data_fetch.py")]
    assert run("-m", "refimpl", "--version") == f"refimpl {refimpl.__version__}\n"
    assert "every result is what the text says" in run("-m", "refimpl", "lesson", "1")
    run("-m", "refimpl", "--seeds", "1", "--only", "9", "--quiet")
    page = (elsewhere / "refimpl-out" / "digits" / "report.html").read_text()
    assert (built[0] / "refimpl" / "report" / "page.css").read_text() in page
