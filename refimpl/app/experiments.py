"""The experiments of the main job: ONE list. --only names them, the ledger gathers their claims and
reproduce draws their figures.

An experiment is a module with run(data, teacher, seed) -> {id: value} of one data set and seed, as
refimpl.app.units measures it. It may have claims of its own, claims(name) -> entries of the ledger,
and pictures, another module with make(data, teacher, rows, out).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType

from refimpl.app import theorems
from refimpl.companions.inversion import hog_figures, hog_study
from refimpl.companions.inversion import study as inversion
from refimpl.companions.maximization import autoencoder_figures, autoencoder_study
from refimpl.companions.maximization import figures as priors_figures
from refimpl.companions.maximization import study as maximization
from refimpl.ledger.claim import Entry
from refimpl.paper import (
    controls,
    memorized,
    memorized_figures,
    missing_digit,
    section5,
    section6,
    section6_figures,
    section7,
    section8,
    section8_claims,
    section8_figures,
    section9,
    section10,
    section10_figures,
    settings_map,
    settings_map_figures,
)


@dataclass(frozen=True)
class Experiment:
    """study: what runs. claims: its claims, None for sections 5, 7 and 9 (paper/claims.py), the
    controls and the theorems. figures: what draws it, None where nothing does (section 5's figures
    are the main job's own). core: whether it runs unless everything is asked for.
    """

    study: ModuleType
    claims: Callable[[str], Iterable[Entry]] | None = None
    figures: ModuleType | None = None
    core: bool = False


EXPERIMENTS = {  # by their name in --only
    "5": Experiment(section5, core=True),
    "7": Experiment(section7, core=True),
    "9": Experiment(section9, core=True),
    "controls": Experiment(controls, core=True),
    "theorems": Experiment(theorems, core=True),
    "6": Experiment(section6, section6.claims, section6_figures),
    "8": Experiment(section8, section8_claims.claims, section8_figures),
    "10": Experiment(section10, section10.claims, section10_figures),
    "missing_digit": Experiment(missing_digit, missing_digit.claims),
    "memorized": Experiment(memorized, memorized.claims, memorized_figures),
    "priors": Experiment(maximization, maximization.claims, priors_figures),
    "autoencoder": Experiment(autoencoder_study, autoencoder_study.claims, autoencoder_figures),
    "hog": Experiment(hog_study, hog_study.claims, hog_figures),
    "map": Experiment(settings_map, settings_map.claims, settings_map_figures),
    "outlook": Experiment(inversion, inversion.claims),
}
