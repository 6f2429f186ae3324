"""Shared fixtures. One BLAS thread, set before NumPy loads: on matrices this small more threads
only contend.
"""

import os
import shutil
from importlib.util import find_spec

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import browser  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from refimpl.data import load  # noqa: E402
from refimpl.paper.protocol import (
    PROTOCOLS,  # noqa: E402
    train_teacher,
)
from refimpl.report.room_table import record_of  # noqa: E402

NO_BROWSER = "no browser"
FULL = bool(os.environ.get("REFIMPL_FULL"))
EXAMPLES = 100 if FULL else 50
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=EXAMPLES)
settings.register_profile("intense", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


EXTRAS = {"scikit-image": "skimage", "torch": "torch", "jax": "jax", "autograd": "autograd"}


def pytest_collection_modifyitems(items):
    """Without an optional package the examples of what "Raises ImportError without" it are
    skipped.
    """
    for item in items:
        if not isinstance(item, pytest.DoctestItem):
            continue
        said = " ".join(item.dtest.docstring.split())
        for name, module in EXTRAS.items():
            if f"Raises ImportError without {name}" in said and find_spec(module) is None:
                item.add_marker(pytest.mark.skip(reason=f"{name} is not installed"))


@pytest.fixture(scope="session")
def chrome(tmp_path_factory):
    """One browser for all tests of pages; where none starts they are skipped, and the last lines of
    the run say so.
    """
    started = browser.Browser(tmp_path_factory.mktemp("browser"))
    if reason := browser.why_not(started):
        pytest.skip(f"{NO_BROWSER}: {reason}")
    yield started
    started.close()


def pytest_terminal_summary(terminalreporter):
    """What was skipped for want of a browser is no small matter: it is said in a line of its own."""
    skipped = [
        r for r in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(r.longrepr)
    ]
    if skipped:
        reason = str(skipped[0].longrepr[2]).partition(f"{NO_BROWSER}: ")[2]
        terminalreporter.section("SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(skipped)} tests of the pages in a browser were SKIPPED: {reason}", red=True
        )


@pytest.fixture
def rng():
    return np.random.default_rng(20211009)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    return load("digits", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def teacher(digits):
    """The digits' teacher of the ledger, seed 0."""
    return train_teacher(digits, 0, PROTOCOLS["digits"].paper)


@pytest.fixture(scope="session")
def real():
    """Load a published data set by name, once, or skip and say why."""
    loaded = {}

    def get(name):
        if name not in loaded:
            try:
                loaded[name] = load(name)
            except FileNotFoundError as error:
                pytest.skip(f"{name} is not here: {error}")
        return loaded[name]

    return get


@pytest.fixture
def checkout_of(tmp_path, monkeypatch):
    """Give a room's command a checkout of its own to --write to: copies of its README and record.
    Returns the copied README.
    """

    def copy(command):
        source = command.README
        readme = tmp_path / "refimpl" / "companions" / source.parent.name / "README.md"
        readme.parent.mkdir(parents=True)
        record_of(readme).parent.mkdir(parents=True)
        shutil.copy(source, readme)
        shutil.copy(record_of(source), record_of(readme))
        monkeypatch.setattr(command, "README", readme)
        return readme

    return copy
