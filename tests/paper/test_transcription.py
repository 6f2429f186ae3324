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
