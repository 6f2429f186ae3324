"""Section 9: the output weights themselves as ten images (T1 with n lr = 1). Table 5 column 5,
tables 12 and 13.
"""

from typing import Any

from refimpl.data import Dataset
from refimpl.network import Network
from refimpl.paper.section5 import compare, score
from refimpl.retraining import retrain


def run(data: Dataset, teacher: Network, seed: int) -> dict:
    """Section 9 for one seed's teacher: {id of the ledger: percent, count or confusion matrix (K,
    K)}.

    >>> from refimpl.paper.tiny import tiny, tiny_teacher
    >>> found = run(tiny(), tiny_teacher(), 0)
    >>> (
    ...     found["section9/digits/agreement"],
    ...     found["section9/digits/parameters"] < 1e-10,
    ...     found["table12/digits"].shape,
    ... )
    (100.0, True, (10, 10))
    """
    images = teacher.parameters[0].T
    student = retrain(images, teacher.logits(images)).network
    out: dict[str, Any] = {
        f"section9/{data.name}/{key}": v for key, v in compare(data, teacher, student).items()
    }
    out[f"table5/{data.name}/output_weights"], out[f"table12/{data.name}"] = score(data, student)
    return out
