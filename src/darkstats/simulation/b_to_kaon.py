"""e+e- -> Y(4S) -> B Bbar, B -> K X or K*(892) X, X to two particles away from the collision point.

Two-body decays throughout. The B mesons move with sin^2 of the angle to the beams, as those of a
vector that decays to two pseudoscalars. X has no spin, so a K* has helicity zero and its pion
follows cos^2 of the angle to its flight; X decays isotropically. The other B is no part of the
events, the flight of the B (0.1 mm) and the spread of the beam energies are left out. As in
:mod:`darkstats.simulation.inelastic_dark_matter`, the momentum of X serves every lifetime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.signals.b_to_k import M_B_GEV, M_KAON_GEV, M_KSTAR_GEV
from darkstats.simulation.events import EventBlock
from darkstats.simulation.kinematics import (
    CM_ENERGY_GEV,
    M_E,
    M_MU,
    boost_to,
    isotropic,
    moving,
    two_body_momentum,
    unit_vectors,
)

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["DAUGHTERS", "KAONS", "LONG_LIVED_ID", "M_PION_GEV", "BToKaon"]

#: Number of X in the events: one of those that the PDG leaves to dark sectors.
LONG_LIVED_ID = 54
M_PION_GEV = 0.13957039
_KSTAR_WIDTH_GEV = 0.0473  # [PDG] of the K*(892)0
#: What a K* may weigh: its tails beyond are left out, as selections do.
_KSTAR_RANGE_GEV = (0.7, 1.1)
#: Prompt particles beside X, by the name of cards.
KAONS: Mapping[str, tuple[int, ...]] = MappingProxyType({"K": (321,), "Kstar": (321, -211)})
#: Decays of X: particles and their mass in GeV.
DAUGHTERS: Mapping[str, tuple[tuple[int, int], float]] = MappingProxyType(
    {
        "ee": ((11, -11), M_E),
        "mumu": ((13, -13), M_MU),
        "pipi": ((-211, 211), M_PION_GEV),
        "KK": ((-321, 321), M_KAON_GEV),
        "gammagamma": ((22, 22), 0.0),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BToKaon:
    """Signal for a cross section of 1 pb, that of B mesons times all branching fractions.

    Particles of an event: the kaon, the pion of a K*, both particles of X, and X itself.

    Parameters
    ----------
    mass_gev
        Of X.
    kaon
        ``"K"``: B+ -> K+ X; ``"Kstar"``: B0 -> K*(892)0 X, K*0 -> K+ pi-.
    decay
        Of X: ``"ee"``, ``"mumu"``, ``"pipi"``, ``"KK"`` or ``"gammagamma"``.

    Raises
    ------
    OptionError
        An unknown name, or a decay that is closed.
    """

    mass_gev: float
    kaon: str = "K"
    decay: str = "mumu"

    def __post_init__(self) -> None:
        """See :class:`BToKaon`."""
        for name, known in (("kaon", KAONS), ("decay", DAUGHTERS)):
            if getattr(self, name) not in known:
                raise OptionError(
                    f"b_to_kaon: {name} {getattr(self, name)!r}: choose one of {', '.join(known)}"
                )
        least = 2.0 * DAUGHTERS[self.decay][1]
        heaviest = M_KAON_GEV if self.kaon == "K" else _KSTAR_RANGE_GEV[1]
        if not least < self.mass_gev < M_B_GEV - heaviest:
            raise OptionError(
                f"b_to_kaon: {self.mass_gev:g} GeV is not between {least:.4g} and "
                f"{M_B_GEV - heaviest:.4g} GeV, where B -> {self.kaon} X, X -> {self.decay} is open"
            )

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "b_to_kaon"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {"version": 1, "mass_gev": self.mass_gev, "kaon": self.kaon, "decay": self.decay}

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw each decay in the rest frame of what decays, then boost."""
        n = n_events
        momentum = float(np.sqrt(0.25 * CM_ENERGY_GEV**2 - M_B_GEV**2))
        angle = np.arccos(1.0 - 2.0 * rng.random(n)) / 3.0  # the inverse of (2 + 3 c - c^3) / 4
        cosine = 2.0 * np.cos(2.0 * np.pi / 3.0 - angle)
        b_meson = moving(M_B_GEV, momentum, unit_vectors(cosine, rng.uniform(0, 2 * np.pi, n)))
        strange = np.full(n, M_KAON_GEV) if self.kaon == "K" else _kstar_masses(rng.random(n))
        axis = isotropic(n, rng)
        recoil = two_body_momentum(M_B_GEV, strange, self.mass_gev)
        prompt = moving(strange, recoil, axis)
        parent = moving(self.mass_gev, recoil, -axis)
        ids, mass = DAUGHTERS[self.decay]
        half = float(np.sqrt(max(0.25 * self.mass_gev**2 - mass**2, 0.0)))
        first = boost_to(moving(mass, half, isotropic(n, rng)), parent)
        particles = [first, parent - first, parent]
        if self.kaon == "Kstar":
            kaon = boost_to(_of_helicity_zero(strange, axis, rng), prompt)
            particles = [kaon, prompt - kaon, *particles]
        else:
            particles = [prompt, *particles]
        numbers = [*KAONS[self.kaon], *ids, LONG_LIVED_ID]
        inside = np.stack([boost_to(p, b_meson) for p in particles], axis=1)
        return EventBlock.of_rows(np.arange(n), inside, numbers, np.ones(n))


def _kstar_masses(uniform: FloatArray) -> FloatArray:
    """Masses of K*(892)0 by a Breit and Wigner between the ends, GeV. Shape of ``uniform``."""
    low, high = (
        np.arctan(2.0 * (end - M_KSTAR_GEV) / _KSTAR_WIDTH_GEV) for end in _KSTAR_RANGE_GEV
    )
    found = M_KSTAR_GEV + 0.5 * _KSTAR_WIDTH_GEV * np.tan(low + uniform * (high - low))
    return np.asarray(found)


def _of_helicity_zero(
    mass_gev: FloatArray, flight: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Momenta of the kaon in the rest frame of the K*. Shapes [n], [n, 3] -> [n, 4]."""
    n = len(mass_gev)
    cosine = np.cbrt(2.0 * rng.random(n) - 1.0)
    # any direction across the flight
    across = np.cross(flight, isotropic(n, rng))
    across /= np.maximum(np.linalg.norm(across, axis=1), 1e-12)[:, None]
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    direction = cosine[:, None] * flight + sine[:, None] * across
    return moving(M_KAON_GEV, two_body_momentum(mass_gev, M_KAON_GEV, M_PION_GEV), direction)
