"""The processes that a card can name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError, UnknownNameError
from darkstats.simulation.axion_strahlung import AxionStrahlung, MesonPhoton
from darkstats.simulation.b_to_kaon import BToKaon
from darkstats.simulation.dark_higgsstrahlung import DarkHiggsstrahlung
from darkstats.simulation.external import LheEvents
from darkstats.simulation.forward_bhabha import ForwardBhabha
from darkstats.simulation.forward_photons import ForwardPhotons
from darkstats.simulation.four_muons import FourMuons
from darkstats.simulation.inelastic_dark_matter import InelasticPairs
from darkstats.simulation.muon_pair_vector import MuonPairVector
from darkstats.simulation.muon_tau_pairs import MuonTauPairs
from darkstats.simulation.photon_vector import PhotonVector
from darkstats.simulation.pythia import PythiaLeptonPairs, PythiaQuarkPairs
from darkstats.simulation.radiative_bhabha import RadiativeBhabha
from darkstats.simulation.radiative_muons import RadiativeMuons
from darkstats.simulation.tau_pairs import TauPairs
from darkstats.simulation.tau_three_prongs import TauThreeProngs
from darkstats.simulation.three_photons import ThreePhotons
from darkstats.simulation.two_photon_muons import TwoPhotonMuons
from darkstats.simulation.two_photons import TwoPhotons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.simulation.events import Process

__all__ = ["PROCESSES", "make_process"]

#: Generators by the name that cards use.
PROCESSES: Mapping[str, type[Any]] = MappingProxyType(
    {
        "axion_strahlung": AxionStrahlung,
        "b_to_kaon": BToKaon,
        "dark_higgsstrahlung": DarkHiggsstrahlung,
        "forward_bhabha": ForwardBhabha,
        "forward_photons": ForwardPhotons,
        "four_muons": FourMuons,
        "inelastic_dark_matter": InelasticPairs,
        "lhe": LheEvents,
        "meson_photon": MesonPhoton,
        "muon_pair_vector": MuonPairVector,
        "muon_tau_pairs": MuonTauPairs,
        "photon_vector": PhotonVector,
        "pythia_lepton_pairs": PythiaLeptonPairs,
        "pythia_quark_pairs": PythiaQuarkPairs,
        "radiative_bhabha": RadiativeBhabha,
        "radiative_muons": RadiativeMuons,
        "tau_pairs": TauPairs,
        "tau_three_prongs": TauThreeProngs,
        "three_photons": ThreePhotons,
        "two_photon_muons": TwoPhotonMuons,
        "two_photons": TwoPhotons,
    }
)


def make_process(name: str, settings: Mapping[str, object]) -> Process:
    """Return the process of a name with its settings.

    Raises
    ------
    UnknownNameError
        There is no such process.
    OptionError
        It has no such setting, or one is missing.
    """
    if name not in PROCESSES:
        raise UnknownNameError("process", name, tuple(PROCESSES))
    try:
        process: Process = PROCESSES[name](**{n: _frozen(v) for n, v in settings.items()})
    except TypeError as error:
        raise OptionError(f"process {name}: {error}") from None
    return process


def _frozen(value: object) -> object:
    """Lists of a card as tuples: processes are values."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
