"""What the signal of a search is, as recasts name it: the only place where the two meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.signals.searched import Searched
from darkstats.simulation.axion_strahlung import AxionStrahlung
from darkstats.simulation.b_to_kaon import BToKaon
from darkstats.simulation.dark_higgsstrahlung import DarkHiggsstrahlung
from darkstats.simulation.inelastic_dark_matter import InelasticPairs
from darkstats.simulation.muon_pair_vector import MuonPairVector
from darkstats.simulation.photon_vector import PhotonVector

if TYPE_CHECKING:
    from darkstats.simulation.events import Process

__all__ = ["searched_by"]

_KAONS = {"K": "b_to_k", "Kstar": "b_to_kstar"}
_BOSONS = {"vector": "mumu", "scalar": "mumu_scalar"}


def searched_by(process: Process) -> Searched | None:
    """Return what a search with this signal looks for; None where the process does not say.

    Examples
    --------
    >>> searched_by(BToKaon(mass_gev=0.5, kaon="Kstar", decay="ee")).words
    '--production b_to_kstar --final-state ee'
    """
    found: Searched | None = None
    match process:
        case BToKaon(kaon=kaon, decay=decay):
            found = Searched(production=_KAONS[kaon], final_state=decay)
        case MuonPairVector(boson=boson, decay=decay):
            found = Searched(production=_BOSONS[boson], final_state=decay)
        case PhotonVector(decay=decay, max_cosine=cosine):
            fixed = {"max_cosine": cosine}
            found = Searched(production="radiative", final_state=decay, parameters=fixed)
        case InelasticPairs():
            names = ("max_cosine", "splitting_ratio", "mediator_ratio")
            fixed = {name: getattr(process, name) for name in names}
            found = Searched(production="radiative", final_state="ee", parameters=fixed)
        case AxionStrahlung():
            found = Searched(production="photon", final_state="gammagamma")
        case DarkHiggsstrahlung():
            found = Searched(production="dark_higgsstrahlung", final_state="mumu")
        case _:
            pass  # events of another generator: the card says what they are
    return found
