"""What the slides of Reda and Xu (2019) print, as data: table 3, similarity before and after
retraining on one class.

Table 3 belongs to the network of Plotka (our `conv`), n = 10 tries: the mean of the maximum score
rises from .050 to .095, its median from .050 to .090. Nothing is printed for the other network (our
`vonc`). From our design notes on the public code: a standard deviation of .068; in the last stored
runs the sign is reversed (after < before); 10 words; the vocabulary is standardized, the
descriptors looked up in it are not (bag_of_words.Vocabulary). Not known to us: the single runs, so
that no paired test of theirs can be repeated, and whether .068 is of the scores or of the
differences. That the score is the bag of words is our reading. The slides' "Siamese" is a cat,
class 284 of ImageNet.
"""

from typing import Any

TABLE3: dict[str, Any] = {
    "source": "Reda and Xu 2019, slides, table 3",
    "score": "bag_of_words",
    "network": "conv",
    "before": 0.050,  # the mean over tries
    "after": 0.095,
    "median": (0.050, 0.090),  # before, after
    "sd": 0.068,
    "runs": 10,
}
