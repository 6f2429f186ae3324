"""All claims together, the paper's and the companions', as data; and what is only measured."""

from refimpl.companions.cnn import recipes
from refimpl.companions.deconv import study as deconv
from refimpl.companions.descriptors import study as descriptors
from refimpl.companions.dissection import study as dissection
from refimpl.companions.extraction import study as extraction
from refimpl.companions.inversion import perturbation_study
from refimpl.companions.inversion import study as inversion
from refimpl.companions.maximization import study as maximization
from refimpl.data import NAMES
from refimpl.ledger.claim import Claim
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
ENTRIES = (
    *(entry for name in NAMES for room in ROOMS for entry in room.claims(name)),
    *dissection.claims(),
)
CLAIMS = tuple(entry for entry in ENTRIES if isinstance(entry, Claim))
