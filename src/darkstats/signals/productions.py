"""Ways to make light mediators, by name: absolute rates, or what rates are proportional to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from darkstats.errors import OptionError, UnknownNameError
from darkstats.signals import axion_like_particle, dark_photon
from darkstats.signals.b_to_k import (
    M_B_GEV,
    M_KAON_GEV,
    M_KSTAR_GEV,
    axion_branching,
    scalar_branching,
    scalar_branching_kstar,
)
from darkstats.signals.constants import ALPHA, CM_ENERGY_GEV, S_GEV2
from darkstats.signals.lmu_ltau import tree_cross_section_pb
from darkstats.signals.mediators import Charges, Mediator
from darkstats.signals.vacuum_polarisation import dressing

__all__ = ["PRODUCTIONS", "Production", "production"]

_CHARGE = math.sqrt(4.0 * math.pi * ALPHA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """One way to make mediators.

    Parameters
    ----------
    name, words
        Key, and what it is.
    unit
        Of the absolute rate; None where only ratios between mediators are known.
    rate
        Of a mediator and a mass in GeV: the rate at coupling 1, in the unit, or what it is
        proportional to. Raises OptionError where it has none.
    momentum_gev
        Of a mediator of a mass in GeV; None where a search has to say it.
    note
        What the absolute rate leaves out; empty where there is nothing to say.
    parameters
        What the rate is for, by name, as signals of searches fix it.
    """

    name: str
    words: str
    unit: str | None = None
    rate: Callable[[Mediator, float], float] = field(repr=False)
    momentum_gev: Callable[[float], float] | None = field(default=None, repr=False)
    note: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict, repr=False)


def _of_charges(pick: Callable[[Charges], float]) -> Callable[[Mediator, float], float]:
    def rate(model: Mediator, mass_gev: float) -> float:
        if model.charges is None:
            raise OptionError(f"{model.name}: this production is known for vector mediators alone")
        return pick(model.charges(mass_gev)) ** 2

    return rate


def _radiative(model: Mediator, mass_gev: float) -> float:
    """e+e- -> gamma V at Belle II, |cos theta*| < 0.95, pb; of what V is made of, its V."""
    if model.parent_ratio is not None:
        return dark_photon.cross_section_pb(model.parent_ratio * mass_gev, 1.0)
    relative = _of_charges(lambda x: x.electron / _CHARGE)(model, mass_gev)
    return relative * dark_photon.cross_section_pb(mass_gev, 1.0)


def _beside_muons(model: Mediator, mass_gev: float) -> float:
    """e+e- -> mu+mu- V at Belle II, V radiated off a muon, pb."""
    if model.charges is not None:
        charges = model.charges(mass_gev)
        if abs(charges.electron) > 0.1 * abs(charges.muon):
            raise OptionError(
                f"{model.name}: in e+e- -> mu+mu- V it is radiated off the beams, too, which is "
                "not computed"
            )
    return _of_charges(lambda x: x.muon)(model, mass_gev) * tree_cross_section_pb(mass_gev)


def _strahlung(model: Mediator, mass_gev: float) -> float:
    """e+e- -> gamma a at Belle II, pb."""
    if model.photon_factor is None:
        raise OptionError(f"{model.name}: has no tree-level coupling to two photons")
    return axion_like_particle.cross_section_pb(mass_gev, model.photon_factor)


def _b_to_k(model: Mediator, mass_gev: float) -> float:
    """BR(B+ -> K+ X) at coupling 1."""
    if model.name == "dark_higgs_mixing":
        return scalar_branching(mass_gev)
    if model.name == "alp_w":
        return axion_branching(mass_gev)
    raise OptionError(f"{model.name}: B -> K X is known for dark_higgs_mixing and alp_w alone")


#: BR(K*(892)0 -> K+ pi-), by isospin.
_KSTAR_CHARGED = 2.0 / 3.0


def _b_to_kstar(model: Mediator, mass_gev: float) -> float:
    """BR(B0 -> K*(892)0 X) BR(K*0 -> K+ pi-) at coupling 1."""
    if model.name != "dark_higgs_mixing":
        raise OptionError(f"{model.name}: B -> K* X is known for dark_higgs_mixing alone")
    return _KSTAR_CHARGED * scalar_branching_kstar(mass_gev)


def _beside_photon(mass_gev: float) -> float:
    if mass_gev >= CM_ENERGY_GEV:
        raise OptionError(f"{mass_gev:g} GeV cannot be made at sqrt(s) = {CM_ENERGY_GEV:.2f} GeV")
    return (S_GEV2 - mass_gev**2) / (2.0 * CM_ENERGY_GEV)


def _beside_kaon(mass_gev: float, kaon_gev: float = M_KAON_GEV) -> float:
    if mass_gev >= M_B_GEV - kaon_gev:
        raise OptionError(f"{mass_gev:g} GeV cannot be made beside a kaon of {kaon_gev:.3g} GeV")
    sum_, difference = kaon_gev + mass_gev, kaon_gev - mass_gev
    return math.sqrt((M_B_GEV**2 - sum_**2) * (M_B_GEV**2 - difference**2)) / (2.0 * M_B_GEV)


def _beside_kstar(mass_gev: float) -> float:
    return _beside_kaon(mass_gev, M_KSTAR_GEV)


#: Of cross sections through one virtual photon. Limits of a coupling that is recast (``--from``)
#: keep what they were made with: the same factor is in both rates.
_BORN = (
    f"the rate is at Born level: vacuum polarisation would make it {dressing():.3f} times as "
    f"large, and couplings {100.0 * (1.0 - dressing() ** -0.5):.1f} % smaller"
)

#: Ways to make mediators, by name.
PRODUCTIONS: Mapping[str, Production] = MappingProxyType(
    {
        one.name: one
        for one in (
            Production(
                name="radiative", words="e+e- -> γ V at Belle II, |cos θ*| < 0.95",
                unit="pb", rate=_radiative, momentum_gev=_beside_photon,
                parameters={"max_cosine": 0.95},
            ),
            Production(
                name="mumu", words="e+e- -> mu+mu- V at Belle II, V radiated off a muon",
                unit="pb", rate=_beside_muons, note=_BORN,
            ),
            Production(
                name="electron", words="radiated off electrons", rate=_of_charges(
                    lambda x: x.electron),
            ),
            Production(
                name="muon", words="radiated off muons", rate=_of_charges(lambda x: x.muon)
            ),
            Production(
                name="proton", words="radiated off protons",
                rate=_of_charges(lambda x: 2.0 * x.up + x.down),
            ),
            Production(
                name="pi0", words="π0 -> γ V",
                rate=_of_charges(lambda x: 2.0 * x.up + x.down),
            ),
            Production(
                name="photon", words="e+e- -> γ a at Belle II", unit="pb", rate=_strahlung,
                momentum_gev=_beside_photon, note=_BORN,
            ),
            Production(
                name="b_to_k", words="B+ -> K+ X", unit="1", rate=_b_to_k,
                momentum_gev=_beside_kaon,
            ),
            Production(
                name="b_to_kstar", words="B0 -> K*(892)0 X, K*0 -> K+ pi-", unit="1",
                rate=_b_to_kstar, momentum_gev=_beside_kstar,
            ),
        )
    }
)  # fmt: skip


def production(name: str) -> Production:
    """Return the production of a name.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    if name not in PRODUCTIONS:
        raise UnknownNameError("production", name, tuple(PRODUCTIONS))
    return PRODUCTIONS[name]
