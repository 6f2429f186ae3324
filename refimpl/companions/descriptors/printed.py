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

from typing import Any

TABLE3: dict[str, Any] = {
    "source": "Reda and Xu 2019, slides, table 3",
    "score": "bag_of_words",
    "before": 0.050,
    "after": (0.095, 0.090),
    "sd": 0.068,
    "runs": (9, 10),
}
