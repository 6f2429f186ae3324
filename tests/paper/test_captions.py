"""Our figures carry the paper's numbers and captions, each where the paper has it."""

import pytest

from refimpl.data import NAMES
from refimpl.paper.captions import file_of, heading, number_for
from refimpl.paper.printed import PAPER


def test_every_figure_of_the_paper_has_its_data_set():
    """By number: those that the sections draw of each data set."""
    drawn = {name: {1, 3, 7, 12, 13, 14, 17, 18} for name in NAMES}
    for name in NAMES:
        f1 = number_for(name, 4, 6)
        drawn[name] |= {number_for(name, 2, 5), f1, number_for(name, 9, 11)}
        drawn[name] |= {number_for(name, 15, 16), 8} | ({10} if f1 == 4 else set())
    own = {
        name: {n for n in numbers if "not in the paper" not in heading(n, name, name)}
        for name, numbers in drawn.items()
    }
    assert set.union(*own.values()) == set(range(1, 19))
    assert own["digits"] == own["mnist"] == set(range(1, 19)) - {5, 6, 11, 16}
    assert own["fashion-mnist"] == {1, 5, 6, 9, 16} and own["cifar10"] == {1, 5, 6, 11, 16}


@pytest.mark.parametrize("number", range(1, 19))
def test_the_title_is_the_caption(number):
    for name in ("digits", "mnist", "cifar10"):
        title = heading(number, name, "X")
        assert PAPER["figures"][number - 1] in title and f"igure {number}" in title
        assert ("not in the paper" in title) != title.startswith(f"Figure {number}: ")
    assert file_of(number) == f"figure_{number:02}.png"
