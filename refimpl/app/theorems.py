"""All theorems together: the paper's and the students', and those that companions prove."""

from refimpl.companions.deconv import theorems as deconv
from refimpl.companions.extraction import theorems as extraction
from refimpl.paper import student_theorems, theorems


def run(data, teacher, seed):
    """The records of T0 to T19 on one trained zero-sum teacher; T18 is a count."""
    rooms = (theorems, extraction, deconv, student_theorems)
    return [record for room in rooms for record in room.run(data, teacher, seed)]
