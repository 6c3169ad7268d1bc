"""e+e- -> gamma A', A' -> chi1 chi2, chi2 -> chi1 e+e- away from the collision point.

Production is that of :mod:`darkstats.simulation.photon_vector`; the pair has the exact spectrum of
masses (:mod:`darkstats.signals.inelastic_dark_matter`). All decays are isotropic: spins of A', chi2
and of the pair are left out. Where chi2 decays is no part of the events: its momentum is, as that
of a particle of its own, and serves every lifetime (:mod:`darkstats.simulation.decay_length`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.signals.inelastic_dark_matter import InelasticDarkMatter
from darkstats.simulation.kinematics import (
    CM_ENERGY_GEV,
    M_E,
    boost_to,
    isotropic,
    moving,
    two_body_momentum,
)
from darkstats.simulation.photon_vector import PhotonVector

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.simulation.events import EventBlock

__all__ = ["LONG_LIVED_ID", "InelasticPairs"]

#: Number of the long-lived particle in the events: a dark fermion, as the PDG numbers them.
LONG_LIVED_ID = 52
_CELLS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class InelasticPairs:
    """Signal for a Born cross section times branching fractions of 1 pb.

    The cross section is that of e+e- -> gamma A' within the cosine, times BR(A' -> chi1 chi2) and
    BR(chi2 -> chi1 e+e-).

    Parameters
    ----------
    mass_gev
        Of chi1.
    splitting_ratio, mediator_ratio
        Mass of chi2 less that of chi1, and mass of A', over that of chi1.
    max_cosine
        Largest abs(cos) of the photon in the frame of the hard collision.
    isr
        Whether the beams radiate.

    Raises
    ------
    OptionError
        A decay is closed, or the dark photon cannot be made.
    """

    mass_gev: float
    splitting_ratio: float = 0.4
    mediator_ratio: float = 3.0
    max_cosine: float = 0.95
    isr: bool = True

    def __post_init__(self) -> None:
        """See :class:`InelasticPairs`."""
        model = self._model()
        self._production()
        if model.mediator_gev >= CM_ENERGY_GEV:
            raise OptionError(
                f"inelastic_dark_matter: a dark photon of {model.mediator_gev:g} GeV cannot be "
                f"made at sqrt(s) = {CM_ENERGY_GEV:.3f} GeV"
            )

    def _model(self) -> InelasticDarkMatter:
        """Masses; the coupling changes no spectrum."""
        return InelasticDarkMatter(
            mass_gev=self.mass_gev, splitting_gev=self.splitting_ratio * self.mass_gev,
            mediator_gev=self.mediator_ratio * self.mass_gev, alpha_dark=0.1,
        )  # fmt: skip

    def _production(self) -> PhotonVector:
        return PhotonVector(
            mass_gev=self.mediator_ratio * self.mass_gev, decay="invisible",
            max_cosine=self.max_cosine, isr=self.isr,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "inelastic_dark_matter"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            "version": 1,
            "mass_gev": self.mass_gev,
            "splitting_ratio": self.splitting_ratio,
            "mediator_ratio": self.mediator_ratio,
            "max_cosine": self.max_cosine,
            "isr": self.isr,
        }

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw photon and A', then each decay in the rest frame of what decays."""
        hard = self._production().draw(n_events, rng)
        model, n = self._model(), len(hard.kept)
        excited = boost_to(moving(model.excited_gev, model.momentum_gev, hard.axis), hard.vector)
        pair_gev = self._pair_masses(model, rng.random(n))
        momentum = two_body_momentum(model.excited_gev, self.mass_gev, pair_gev)
        pair = boost_to(moving(pair_gev, momentum, isotropic(n, rng)), excited)
        half = np.sqrt(np.maximum(0.25 * pair_gev**2 - M_E**2, 0.0))
        electron = boost_to(moving(M_E, half, isotropic(n, rng)), pair)
        particles = [hard.photon, electron, pair - electron, excited]
        return hard.block(particles, [22, 11, -11, LONG_LIVED_ID], hard.weight_pb, n_events)

    def _pair_masses(self, model: InelasticDarkMatter, uniform: FloatArray) -> FloatArray:
        """Masses of the pairs by the inverse of their distribution, GeV. Shape of ``uniform``."""
        # q^2 over logarithmic cells, in which the spectrum is smooth down to the threshold
        edges = np.geomspace(4.0 * M_E**2, model.splitting_gev**2, _CELLS + 1)
        middle = np.sqrt(edges[1:] * edges[:-1])
        shares = model.spectrum(middle, M_E) * np.diff(edges)
        cumulative = np.concatenate([[0.0], np.cumsum(shares)])
        q2 = np.interp(uniform * cumulative[-1], cumulative, edges)
        return np.asarray(np.sqrt(q2))
