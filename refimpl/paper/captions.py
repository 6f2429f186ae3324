"""The paper's figures by their numbers: the caption, and the data sets that it shows.

Ours draw what the caption says; where the paper has no such figure of a data set, the title says
so.
"""

from refimpl.paper.printed import PAPER

MNIST, FASHION, CIFAR = "mnist", "fashion-mnist", "cifar10"
SHOWN = {  # number: the data sets of the paper's figure; every other one is of MNIST
    1: (MNIST, FASHION, CIFAR),
    5: (FASHION, CIFAR),
    6: (FASHION, CIFAR),
    9: (MNIST, FASHION),
    11: (CIFAR,),
    16: (FASHION, CIFAR),
}
STAND_IN = {"digits": MNIST}  # the drawn digits stand where the paper has MNIST


def number_for(name: str, *numbers: int) -> int:
    """The first of some figures' numbers that the paper has of this data set, else the first.

    >>> number_for("mnist", 2, 5), number_for("cifar10", 2, 5), number_for("digits", 9, 11)
    (2, 5, 9)
    """
    name = STAND_IN.get(name, name)
    return next((n for n in numbers if name in SHOWN.get(n, (MNIST,))), numbers[0])


def heading(number: int, name: str, title: str) -> str:
    """The title of our figure of a data set, title: how it is called.

    >>> heading(2, "mnist", "MNIST")[:60]
    'Figure 2: Class visualizations obtained from a shallow netwo'
    >>> heading(5, "cifar10", "CIFAR-10 (JPEG)")[-35:]
    'datasets (here: of CIFAR-10 (JPEG))'
    >>> heading(14, "cifar10", "CIFAR-10 (JPEG)")[:51]
    'Like figure 14, of CIFAR-10 (JPEG) (not in the pape'
    """
    shown = SHOWN.get(number, (MNIST,))
    caption = PAPER["figures"][number - 1]
    if STAND_IN.get(name, name) not in shown:
        return f"Like figure {number}, of {title} (not in the paper): {caption}"
    here = f" (here: of {title})" if len(shown) > 1 or name in STAND_IN else ""
    return f"Figure {number}: {caption}{here}"


def file_of(number: int) -> str:
    """The file name of one of the paper's figures.

    >>> file_of(4)
    'figure_04.png'
    """
    return f"figure_{number:02}.png"
