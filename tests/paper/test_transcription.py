"""The printed tables once more from the paper's own text, where that lies beside the project.

REFIMPL_SOURCES names the folder of paper.txt; by default shared/sources beside the checkout. In
that text a row of a confusion matrix is its label and its counts, written without a space.
"""

import os
import re
from pathlib import Path

import pytest

from refimpl.paper.printed import PAPER

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("REFIMPL_SOURCES", ROOT.parent / "shared" / "sources"))
MATRICES = {n: PAPER["confusion_matrices"][f"table_{n}"] for n in (1, 3, 6, 8, 10, 11, 12)}
METRICS = {"precision": "Precision", "recall": "Recall", "f1": "F1-Score"}
COLUMNS = ("mnist", "fashion_mnist", "cifar10")


@pytest.fixture(scope="module")
def printed():
    """{table number: its lines after the caption}."""
    path = FOLDER / "paper.txt"
    if not path.is_file():
        pytest.skip(f"the paper's text is not here: {path}; REFIMPL_SOURCES names its folder")
    tables, lines = {}, path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        caption = re.match(r"Table (\d+)\. ", line)
        if caption:  # printed twice in a row: the second one is followed by the rows
            tables[int(caption[1])] = lines[number + 1 : number + 13]
    return tables


@pytest.mark.parametrize("number", sorted(MATRICES))
def test_confusion_matrices(printed, number):
    stored = MATRICES[number]["rows_actual_columns_predicted"]
    lines = [line for line in printed[number] if line.isdigit() and line != "0123456789"][:10]
    assert len(lines) == len(stored) == 10
    read = 0
    for label, (line, row) in enumerate(zip(lines, stored)):
        if row is not None:
            read += 1
            assert line == str(label) + "".join(map(str, row))
            assert sum(row) == PAPER["support_mnist_test"][label]
    assert read == 10 if number in (1, 3, 8, 12) else read > 0


@pytest.mark.parametrize("number", [2, 4, 7, 9, 13])
def test_per_class_metrics(printed, number):
    stored = PAPER["per_class_metrics"][f"table_{number}"]
    for key, title in METRICS.items():
        (line,) = [line for line in printed[number] if line.startswith(title)]
        assert line == title + "".join(f"{v:.3f}" for v in stored[key])
    (support,) = [line for line in printed[number] if line.startswith("Support")]
    assert support == "Support" + "".join(map(str, PAPER["support_mnist_test"]))


def test_table_5(printed):
    for title, name in zip(("MNIST", "FMNIST", "CIFAR10"), COLUMNS):
        (line,) = [line for line in printed[5] if line.startswith(title)]
        numbers = [float(v) for v in re.findall(r"([\d.]+)%", line.removeprefix(title))]
        assert numbers == PAPER["table_5"][name]


def cuts(text, parts, total):
    """All ways to cut a string of digits into so many numbers, none with a leading 0, of this sum."""
    if not parts:
        return [()] if not text and not total else []
    found = []
    for length in range(1, 2 if text[:1] == "0" else min(4, len(text) - parts + 1) + 1):
        number = int(text[:length] or -1)
        if 0 <= number <= total:
            found += [(number, *rest) for rest in cuts(text[length:], parts - 1, total - number)]
    return found


@pytest.mark.parametrize("number", [6, 10, 11])
def test_the_cells_that_sums_determine(printed, number):
    """Of every row that can be cut in several ways: what all cuts share that fit the images of its
    class, the accuracy and the recalls.
    """
    support, matrix = PAPER["support_mnist_test"], MATRICES[number]
    recall = PAPER["per_class_metrics"].get(f"table_{number + 1}", {}).get("recall")
    lines = [line for line in printed[number] if line.isdigit() and line != "0123456789"][:10]
    ways = [cuts(line[1:], 10, support[i]) for i, line in enumerate(lines)]
    if recall:
        for i, rows in enumerate(ways):
            ways[i] = [row for row in rows if round(row[i] / support[i], 3) == recall[i]]
    for i, row in enumerate(matrix["rows_actual_columns_predicted"]):
        ways[i] = [tuple(row)] if row else ways[i]
    determined = []
    for i, rows in enumerate(ways):
        if matrix["rows_actual_columns_predicted"][i]:
            continue
        others = {0}
        for k, alternatives in enumerate(ways):
            if k != i:
                others = {a + row[k] for a in others for row in alternatives}
        fit = [row for row in rows if round(100 * matrix["accuracy"]) - row[i] in others]
        determined += [[i, j, fit[0][j]] for j in range(10) if len({row[j] for row in fit}) == 1]
    assert determined == matrix["cells_that_sums_determine"]


def test_captions_and_numbers_of_the_text():
    """The eighteen captions, the error rates beside the accuracies, and the points of section 7."""
    path = FOLDER / "paper.txt"
    if not path.is_file():
        pytest.skip(f"the paper's text is not here: {path}; REFIMPL_SOURCES names its folder")
    text = path.read_text(encoding="utf-8")
    for number, caption in enumerate(PAPER["figures"], 1):
        assert f"Figure {number}. {caption}.\n" in text
    assert len(PAPER["figures"]) == 18
    columns = dict(zip(PAPER["table_5"]["columns"], PAPER["table_5"]["mnist"]))
    for column, error in PAPER["errors"].items():
        assert re.search(rf"{columns[column]:.2f}% (accuracy )?\({error:.2f}% error\)", text)
        assert round(100 - columns[column], 2) == error
    assert f"{PAPER['class_averages_below']}% lower than the accuracy" in text
    assert f"around {PAPER['untrained']:.0f}%" in text


def test_how_many_they_are():
    tables = (MATRICES[number]["cells_that_sums_determine"] for number in (6, 10, 11))
    assert sum(map(len, tables)) == 69
