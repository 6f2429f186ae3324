"""Confusion matrices cell by cell: the printed ones as claims, measured ones spread into the ids of
their cells.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from refimpl.ledger.claim import Claim, Entry
from refimpl.metrics import precision_recall_f1
from refimpl.paper.printed import PAPER

PER_CLASS = (
    "table1",
    "table3",
    "table6",
    "table8",
    "table12",
)  # the next number's table is made from it


def flatten(measured: Mapping) -> dict:
    """One seed's {id: value}, with every confusion matrix (K, K) spread into the ids of its cells
    and per-class scores.

    >>> list(flatten({"table3/mnist": np.array([[3, 1], [0, 4]])}).items())[3:6]
    [('table3/mnist/1/1', 4), ('table4/mnist/precision/0', 1.0), ('table4/mnist/precision/1', 0.8)]
    """
    flat = {}
    for id, value in measured.items():
        if not isinstance(value, np.ndarray):
            flat[id] = value
            continue
        table, name = id.split("/")
        flat |= {f"{id}/{i}/{j}": int(count) for (i, j), count in np.ndenumerate(value)}
        for key, scores in zip(
            ("precision", "recall", "f1"), precision_recall_f1(value) if table in PER_CLASS else ()
        ):
            number = int(table.removeprefix("table")) + 1
            flat |= {
                f"table{number}/{name}/{key}/{c}": round(float(v), 3) for c, v in enumerate(scores)
            }
    return flat


def by_id(seeds: Sequence[Mapping]) -> dict[str, list]:
    """{id: [one number a seed]} of one {id: number or confusion matrix} a seed, as `flatten`
    spreads them.

    >>> by_id([{"table5/mnist/train_set": 91.7}, {"table5/mnist/train_set": 91.8}])
    {'table5/mnist/train_set': [91.7, 91.8]}
    """
    flat = [flatten(measured) for measured in seeds]
    return {id: [f[id] for f in flat] for id in flat[0]}


def printed_cells(number: int, section: str) -> Iterator[Entry]:
    """Every cell that can be read of a printed confusion matrix (MNIST), and of the per-class table
    after it, if any.

    Tables 6, 10 and 11 came to us with the counts of a row written together. Where a row can be cut
    in more than one way, its sum (the images of that class), the printed accuracy and, for table 6,
    the printed recalls determine some of its cells all the same: they count as printed.

    >>> [(c.id, c.paper) for c in printed_cells(10, "8")][:2], len(list(printed_cells(1, "5")))
    ([('table10/mnist/0/0', 811), ('table10/mnist/0/1', 0)], 130)
    """
    support = PAPER["support_mnist_test"]
    matrix = PAPER["confusion_matrices"][f"table_{number}"]
    cells = [tuple(cell) for cell in matrix.get("cells_that_sums_determine", ())]
    for i, row in enumerate(matrix["rows_actual_columns_predicted"]):
        cells += [(i, j, count) for j, count in enumerate(row or ())]
    for i, j, count in sorted(cells):
        yield Claim(
            f"table{number}/mnist/{i}/{j}",
            section,
            f"images of {i} called {j}",
            count,
            unit=support[i] / 100,
            better="higher" if i == j else "lower",
            cell_of=f"confusion matrix, table {number}",
        )
    for key, values in PAPER["per_class_metrics"].get(f"table_{number + 1}", {}).items():
        if key != "of":
            for c, value in enumerate(values):
                yield Claim(
                    f"table{number + 1}/mnist/{key}/{c}",
                    section,
                    f"{key} of {c}",
                    value,
                    unit=0.01,
                    cell_of=f"precision, recall, F1, table {number + 1}",
                )
