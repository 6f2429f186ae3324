"""What the slides of Reda and Xu (2019) print, as data: table 3, similarity before and after
retraining on one class.

The numbers are those of our design notes on the slides and their public code: means of 9 to 10
runs; a standard deviation of .068; in the last stored runs the sign is reversed (after < before);
10 words; the vocabulary is standardized, the descriptors looked up in it are not
(bag_of_words.Vocabulary). Not known to us: the single runs, so that no paired test of theirs can be
repeated; whether .068 is of the scores or of the differences; what tells the two numbers after
retraining apart; the images of VGG-16 and of the Siamese net. That the score is the bag of words is
our reading: the notes name the table beside it.
"""

import math
from typing import Any

from refimpl.ledger.paired import two_sided_p

TABLE3: dict[str, Any] = {
    "source": "Reda and Xu 2019, slides, table 3",
    "score": "bag_of_words",
    "before": 0.050,
    "after": (0.095, 0.090),
    "sd": 0.068,
    "runs": (9, 10),
}


def table3_p(after: float, runs: int) -> float:
    """Two-sided p of table 3's change if .068 were the standard deviation of the differences, over
    `runs` runs.

    >>> [
    ...     round(table3_p(after, runs), 3)
    ...     for after, runs in [(0.095, 10), (0.095, 9), (0.090, 10), (0.090, 9)]
    ... ]
    [0.066, 0.082, 0.096, 0.116]
    """
    return two_sided_p((after - TABLE3["before"]) / (TABLE3["sd"] / math.sqrt(runs)), runs - 1)
