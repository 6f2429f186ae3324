"""What a notebook shows of objects: one line in words, and a picture that report draws."""

import subprocess
import sys

import numpy as np
import pytest

import refimpl as ri
from refimpl.gradcheck import Argument, Report
from refimpl.paper.tiny import tiny
from refimpl.report import notebook_pictures

CHECK = ri.check_gradients(lambda x: np.sin(x), lambda d, x: -d * np.cos(x), np.ones(3))
OBJECTS = {
    "data set": tiny(),
    "own data set": ri.dataset_from(np.ones((4, 6)), [0, 1] * 2, np.ones((2, 6)), [0, 1]),
    "report": CHECK,
    "packing": ri.pack([[1, 1]], (3, 3), iterations=1),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_one_line_in_words_and_a_picture(name):
    found = OBJECTS[name]
    assert "\n" not in repr(found) and repr(found).startswith(type(found).__name__ + "(")
    assert "array(" not in repr(found)
    drawn = found._repr_html_()
    assert "<img " in drawn or "<svg" in drawn


def test_error_and_bound_are_drawn_in_the_same_units(monkeypatch):
    """A gradient of 2e6 with an absolute bound of 2e-5: 1e-11 of it."""
    drawn = []
    monkeypatch.setattr(notebook_pictures, "img", lambda figure, alt: drawn.append(figure))
    shown = Argument("x", "pass", "2 entries", "complex step", 2e6, 1e-16, 2e-5)
    unknown = Argument("w", "no verdict", "2 entries", "differences", 0.0, 0.0, np.inf)
    notebook_pictures.errors_html(Report("pass", "complex step", arguments=(shown, unknown)))
    places = [float(line.get_xdata()[0]) for line in drawn[0].axes[0].lines]
    assert places == pytest.approx([1e-16, 1e-11, notebook_pictures.FLOOR])


def test_what_is_shown_is_escaped():
    x, y = np.ones((2, 4)), [0, 1]
    data = ri.dataset_from(x, y, x, y, name="<script>")
    assert "<script>" not in data._repr_html_() and "&lt;script&gt;" in data._repr_html_()


def test_a_report_says_what_it_checked():
    assert repr(CHECK) == "Report(fail: x by complex step, full Jacobian; 1 wrong)"


def test_nothing_is_drawn_before_it_is_asked_for():
    code = "import sys, refimpl.data, refimpl.gradcheck; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"
