"""The pictures of the READMEs: what is drawn is what the code computes today, and they are small."""

import numpy as np
import pytest

from refimpl.lessons import pictures


@pytest.fixture(scope="module")
def found():
    return pictures.drawn()


def test_the_arrays_are_those_that_were_drawn(found):
    """Where this fails after a change of the mathematics: python -m refimpl lesson --pictures."""
    stored = (pictures.FOLDER / "digest.txt").read_text().strip()
    assert pictures.digest(found) == stored
    moved = found | {"teacher": found["teacher"] + 1e-3}
    assert pictures.digest(moved) != stored


def test_the_main_picture_says_what_is_true(found):
    assert found["equal"].tolist() == [2000, 2000]
    assert np.abs(found["teacher"] - found["student"]).max() < 1e-10
    assert not found["frames"][0].any() and np.abs(found["frames"][-1]).max() > 0.1


def test_the_files_are_there_and_under_a_megabyte():
    names = {"main.png", *(f"{name}.png" for name in pictures.THUMBNAILS)}
    files = {path.name: path for path in pictures.FOLDER.glob("*.png")}
    assert set(files) == names
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in files.values())
    assert sum(path.stat().st_size for path in pictures.FOLDER.iterdir()) < 1_000_000
