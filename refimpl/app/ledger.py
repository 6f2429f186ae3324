"""All claims together: the paper's and the companions', as data."""

from refimpl.companions.cnn import recipes
from refimpl.companions.deconv import study as deconv
from refimpl.companions.descriptors import study as descriptors
from refimpl.companions.dissection import study as dissection
from refimpl.companions.extraction import study as extraction
from refimpl.companions.inversion import perturbation_study
from refimpl.companions.inversion import study as inversion
from refimpl.companions.maximization import study as maximization
from refimpl.data import NAMES
from refimpl.paper import claims as paper

ROOMS = (
    paper,
    recipes,
    maximization,
    descriptors,
    deconv,
    extraction,
    inversion,
    perturbation_study,
)
CLAIMS = (
    *(claim for name in NAMES for room in ROOMS for claim in room.claims(name)),
    *dissection.claims(),
)
