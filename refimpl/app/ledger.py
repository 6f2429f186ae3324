"""All claims together, the paper's and the companions', as data; and what is only measured."""

from refimpl.app.experiments import EXPERIMENTS
from refimpl.companions.cnn import recipes
from refimpl.companions.deconv import study as deconv
from refimpl.companions.descriptors import study as descriptors
from refimpl.companions.dissection import study as dissection
from refimpl.companions.distillation import study as distillation
from refimpl.companions.extraction import study as extraction
from refimpl.companions.inversion import perturbation_study
from refimpl.companions.maximization import autoencoder_study
from refimpl.data import NAMES
from refimpl.ledger.claim import Claim
from refimpl.paper import claims as paper

CLAIMED = (  # each: the entries of a data set
    paper.claims,
    *(experiment.claims for experiment in EXPERIMENTS.values() if experiment.claims),
    recipes.claims,
    descriptors.claims,
    deconv.claims,
    extraction.claims,
    distillation.claims,
    perturbation_study.claims,
)
ENTRIES = (
    *(entry for name in NAMES for claims in CLAIMED for entry in claims(name)),
    *dissection.claims(),
)
NOT_JUDGED = (  # (what, why)
    *descriptors.NOT_JUDGED,
    *autoencoder_study.NOT_JUDGED,
)
CLAIMS = tuple(entry for entry in ENTRIES if isinstance(entry, Claim))
