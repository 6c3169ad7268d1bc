"""e+e- -> gamma a, a -> gamma gamma: a two-body process with 1 + cos^2, and an isotropic decay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    CM_ENERGY_GEV,
    boost_to,
    isotropic,
    massless,
    unit_vectors,
)

__all__ = ["AxionStrahlung", "MesonPhoton"]


def _pseudoscalar_and_photon(
    n_events: int, rng: np.random.Generator, *, mass_gev: float, isr: bool, power: int
) -> EventBlock:
    """Recoil photon first, then the two photons of the pseudoscalar; mean weight 1 without ISR.

    ``power`` is that of ``1 - m^2/s`` in the cross section.
    """
    radiation = radiate(n_events, rng, enabled=isr)
    s, born = radiation.s_gev2, CM_ENERGY_GEV**2
    u = 4.0 * rng.random(n_events) - 2.0
    root = np.sqrt(1.0 + u**2)
    cosine = np.cbrt(u + root) + np.cbrt(u - root)  # inverts (4 + 3c + c^3) / 8
    open_ = s > mass_gev**2
    energy = np.where(open_, (s - mass_gev**2) / (2.0 * np.sqrt(s)), 0.0)
    direction = unit_vectors(np.clip(cosine, -1.0, 1.0), rng.uniform(0.0, 2.0 * np.pi, n_events))
    recoil = massless(energy, direction)
    axion = -recoil
    axion[:, 0] = np.sqrt(mass_gev**2 + energy**2)
    first = massless(np.full(n_events, 0.5 * mass_gev), isotropic(n_events, rng))
    second = first * np.array([1.0, -1.0, -1.0, -1.0])
    photons = np.stack([recoil, boost_to(first, axion), boost_to(second, axion)], axis=1)
    ratio = np.where(open_, (1.0 - mass_gev**2 / s) / (1.0 - mass_gev**2 / born), 0.0)
    weight = radiation.weight * ratio**power
    kept = np.flatnonzero(weight > 0.0)
    return radiation.block(kept, photons[kept], [22, 22, 22], weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxionStrahlung:
    """Signal of the ALP search for a Born cross section of 1 pb at the nominal energy.

    The weight of an event is ``((1 - m^2/s') / (1 - m^2/s))^3`` at the reduced energy s', so the
    mean weight times an efficiency refers to the Born cross section.
    """

    mass_gev: float
    isr: bool = True

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "axion_strahlung"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {"version": 1, "mass_gev": self.mass_gev, "isr": self.isr}

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`."""
        return _pseudoscalar_and_photon(
            n_events, rng, mass_gev=self.mass_gev, isr=self.isr, power=3
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MesonPhoton:
    """e+e- -> P gamma, P -> gamma gamma, for P a pi0, eta or eta'.

    The angular distribution is that of any pseudoscalar; ``cross_section_fb`` includes the
    branching fraction into two photons. The fall of the form factor with the energy is left out.
    """

    meson: str
    mass_gev: float
    cross_section_fb: float
    isr: bool = True

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return f"{self.meson}_gamma"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            "version": 1,
            "meson": self.meson,
            "mass_gev": self.mass_gev,
            "cross_section_fb": self.cross_section_fb,
            "isr": self.isr,
        }

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`."""
        block = _pseudoscalar_and_photon(
            n_events, rng, mass_gev=self.mass_gev, isr=self.isr, power=3
        )
        return EventBlock(
            event=block.event,
            pdg_id=block.pdg_id,
            momentum=block.momentum,
            weight_pb=block.weight_pb * (1e-3 * self.cross_section_fb),
        )
