"""The runs of look as tasks, which any process can do: each retrains a network on a class that it
has never seen, and looks again.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from refimpl import weights
from refimpl.companions.cnn import options
from refimpl.companions.descriptors import study
from refimpl.network import Network
from refimpl.report.options import file_name
from refimpl.report.work import dataset
from refimpl.threads import one_thread

SHOWN = 2  # runs whose pictures are kept with their scores


@dataclass(frozen=True)
class Look:
    """One run; its name says everything that the result depends on but the code and the images.

    network: "small", trained on the spot, or what network_name makes of a file. c: the class.

    >>> print(Look("digits", "small", c=3, images=16, steps=200, run=13))
    look-digits-small-3-16-200-13
    """

    dataset: str
    network: str
    c: int
    images: int
    steps: int
    run: int

    def __str__(self) -> str:
        name = f"{file_name(self.dataset)}-{self.network}"
        return f"look-{name}-{self.c}-{self.images}-{self.steps}-{self.run}"


def network_name(net: str, file: Path) -> str:
    """A network's name with a digest of its file: other weights, other results.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "net.npz").write_bytes(b"weights")
    ...     network_name("conv", Path(folder, "net.npz"))
    'conv_9a129038'
    """
    return f"{net}_{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}"


@lru_cache(maxsize=10)
def unseen_network(name: str, c: int, data_dir: Path | None) -> Network:
    """The small network that has never seen class c, trained once a process (for seconds):

    >>> from unittest.mock import patch
    >>> with patch("refimpl.companions.cnn.options.STEPS", 1):
    ...     unseen_network.__wrapped__("digits", 3, None).classes
    10
    """
    data = dataset(name, data_dir)
    return options.train_small(data, c + 1, lambda text: None, without=c)


def measure(task: Look, data_dir: Path | None, file: Path | None = None) -> dict[str, Any]:
    """{objective: study.look_again, "slip": the scores of the slides' own lookup}; the pictures of
    the first SHOWN runs alone. file: of the network that has never seen the class; without one, the
    small network. Raises ImportError without scikit-image, which finds the descriptors, and
    ValueError where the class has too few images:

    >>> from unittest.mock import patch
    >>> task = Look("digits", "small", c=3, images=10_000, steps=1, run=0)
    >>> with patch("refimpl.companions.descriptors.tasks.unseen_network", lambda *given: None):
    ...     measure(task, None)
    Traceback (most recent call last):
        ...
    ValueError: own: expected at least 10006 images (n + 6), got 1014
    """
    data = dataset(task.dataset, data_dir)
    with one_thread():
        network = weights.load(file) if file else unseen_network(task.dataset, task.c, data_dir)
        x, _, own = study.held_out(data, task.c)
        given = (network, own, x, data.image_shape, task.c)
        how: dict[str, Any] = {"n": task.images, "seed": task.run, "steps": task.steps}
        found: dict[str, Any] = {
            objective: study.look_again(*given, objective=objective, **how)
            for objective in study.OBJECTIVES
        }
        slip = study.look_again(*given, objective="probability", standardize="vocabulary", **how)
    for run in found.values():
        if task.run >= SHOWN:
            del run["pictures"]
    found["slip"] = {when: slip[when] for when in ("before", "after", "chance")}
    return found
