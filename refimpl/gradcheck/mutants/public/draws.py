"""Where the inputs of public functions are drawn from, each away from every kink: draw(rng)."""

import numpy as np


def real(rng: np.random.Generator) -> np.ndarray:
    """Three numbers of size .1 to 2, either sign."""
    return rng.choice((-1.0, 1.0), 3) * rng.uniform(0.1, 2.0, 3)


def positive(rng: np.random.Generator) -> np.ndarray:
    """Three numbers from .1 to 3."""
    return rng.uniform(0.1, 3.0, 3)


def unit(rng: np.random.Generator) -> np.ndarray:
    """Three numbers of size .05 to .95, either sign."""
    return rng.choice((-1.0, 1.0), 3) * rng.uniform(0.05, 0.95, 3)


def share(rng: np.random.Generator) -> np.ndarray:
    """Three numbers from .05 to .95."""
    return rng.uniform(0.05, 0.95, 3)


def above(rng: np.random.Generator) -> np.ndarray:
    """Three numbers from 1.1 to 4."""
    return rng.uniform(1.1, 4.0, 3)


def number(rng: np.random.Generator) -> np.ndarray:
    """One positive number, from .5 to 3."""
    return np.array(rng.uniform(0.5, 3.0))


def row(rng: np.random.Generator) -> np.ndarray:
    """(4,), normal."""
    return rng.normal(size=4)


def matrix(rng: np.random.Generator) -> np.ndarray:
    """(3, 4), normal."""
    return rng.normal(size=(3, 4))


def column(rng: np.random.Generator) -> np.ndarray:
    """(4, 2), normal."""
    return rng.normal(size=(4, 2))


def matrices(rng: np.random.Generator) -> np.ndarray:
    """(3, 3), normal, its diagonal raised by 3: no inverse is far."""
    return rng.normal(size=(3, 3)) + 3 * np.eye(3)


def definite(rng: np.random.Generator) -> np.ndarray:
    """(3, 3), symmetric and positive definite, its eigenvalues apart."""
    a = rng.normal(size=(3, 3))
    return a @ a.T + np.diag([0.5, 1.0, 2.0])


def cube(rng: np.random.Generator) -> np.ndarray:
    """(2, 3, 4), normal."""
    return rng.normal(size=(2, 3, 4))


def even(rng: np.random.Generator) -> np.ndarray:
    """(4, 6), normal: both axes can be split in two."""
    return rng.normal(size=(4, 6))


def threes(rng: np.random.Generator) -> np.ndarray:
    """(2, 3), normal."""
    return rng.normal(size=(2, 3))
