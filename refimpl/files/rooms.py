"""The rooms of the house, from the ground up: ONE list, read by whoever needs to know them.

The house test holds every import against it, the fingerprint of stored results covers its folders,
the reference page and README's map are drawn in its order. A file belongs to the room with the
longest matching folder; what stands at the top of the package, and refimpl/layers/, is the core.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """One room: its folder below refimpl/ ("" is the top), what it is, and the rooms that its files
    may import.

    >>> ROOMS[0].name, ROOMS[0].folder, ROOMS[0].leans_on
    ('files', 'files', ())
    """

    name: str
    title: str
    about: str
    leans_on: tuple[str, ...]

    @property
    def folder(self) -> str:
        return "" if self.name == "core" else self.name


GROUND = ("files", "core", "data", "ledger", "report", "paper")  # what every companion may lean on
CNN = (*GROUND, "companions/cnn")

ROOMS: tuple[Room, ...] = (
    Room("files", "Files", "paths, locks, data sets' folders: the standard library alone", ()),
    Room(
        "core",
        "The core",
        "networks by hand, descent and ascent, class visualization, retraining, theory",
        ("files",),
    ),
    Room(
        "gradcheck",
        "The gradient checker",
        "any function, any layer; strategies; planted errors",
        ("files", "core"),
    ),
    Room("data", "Data", "data sets by name, and their readers", ("files", "core")),
    Room("ledger", "The ledger", "a claim, the rule of its verdict, the paired test", ()),
    Room(
        "report",
        "Reports",
        "options, units of work, plots, results, the page",
        ("files", "core", "data", "ledger"),
    ),
    Room(
        "paper",
        "The paper",
        "sections 5 to 10, theorems, controls and protocol",
        ("files", "core", "data", "ledger", "report"),
    ),
    Room(
        "companions/cnn",
        "Small CNNs",
        "architectures, recipes, training that goes on where it was",
        GROUND,
    ),
    Room(
        "companions/maximization",
        "Activation maximization",
        "what units, layers and classes respond to",
        CNN,
    ),
    Room("companions/deconv", "DeconvNet", "what an image makes a unit see", CNN),
    Room(
        "companions/inversion",
        "Inversion",
        "what each layer keeps of an image",
        (*CNN, "companions/maximization"),
    ),
    Room("companions/dissection", "Dissection", "which units detect which concepts", CNN),
    Room(
        "companions/descriptors",
        "Descriptors",
        "scores of images by words, SIFT and corners",
        (*CNN, "companions/maximization"),
    ),
    Room(
        "companions/extraction",
        "Extraction",
        "networks with a hidden layer come back from images",
        CNN,
    ),
    Room(
        "companions/distillation",
        "Distillation",
        "few images that teach a network, beside class visualizations",
        (*CNN, "companions/extraction"),
    ),
    Room("companions/packing", "Packing", "rectangles into bins, and the thesis", GROUND),
)
EVERY = tuple(room.name for room in ROOMS)
ROOMS += (
    Room("lessons", "Lessons", "the course and its pages", EVERY),
    Room(
        "app",
        "The command line",
        "the table of commands, all claims together, reproduce, reference",
        (*EVERY, "lessons"),
    ),
)


def room_of(path: str) -> Room:
    """The room of a file, given below refimpl/ with slashes.

    >>> (
    ...     room_of("companions/packing/thesis/scorer.py").name,
    ...     room_of("layers/conv.py").name,
    ...     room_of("theory.py").name,
    ... )
    ('companions/packing', 'core', 'core')
    """
    found = [room for room in ROOMS if room.folder and path.startswith(room.folder + "/")]
    return max(
        found,
        key=lambda room: len(room.folder),
        default=next(room for room in ROOMS if room.name == "core"),
    )
