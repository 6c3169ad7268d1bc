"""e+e- -> mu+mu-gamma at leading order: radiation from both ends, interference, all masses.

The check on a parton shower where its photons matter: hard, at wide angles, lost in a gap. With
``isr`` a further collinear photon is lost along each beam, which no photon of the amplitude may
be (``max_cosine``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.signals.dirac import GAMMA, METRIC, adjoint, slash, spinors_u, spinors_v
from darkstats.simulation.events import EventBlock
from darkstats.simulation.filters import pass_muon_filter
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    ALPHA,
    BOOST_BETA,
    M_E,
    M_MU,
    PB_GEV2,
    boost_to,
    boost_z,
    dot,
    massless,
    unit_vectors,
)
from darkstats.simulation.photon_rapidities import PhotonRapidities

if TYPE_CHECKING:
    from darkstats.arrays import ComplexArray, FloatArray

__all__ = ["RadiativeMuons", "squared_amplitudes"]


def squared_amplitudes(
    minus: FloatArray, plus: FloatArray, photon: FloatArray, s_gev2: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Squared amplitudes, averaged over initial and summed over final spins, GeV^-2.

    Parameters
    ----------
    minus, plus, photon
        Momenta in the frame where the beams are back to back along z. Shapes [event, 4].
    s_gev2
        Squared energy. Shape [event].

    Returns
    -------
    tuple of FloatArray
        Initial-state radiation alone, final-state radiation alone, and all with interference.
    """
    half = 0.5 * np.sqrt(s_gev2)
    beam = np.sqrt(half**2 - M_E**2)
    zero = np.zeros_like(half)
    p1 = np.stack([half, zero, zero, beam], axis=1)
    p2 = np.stack([half, zero, zero, -beam], axis=1)
    electron, positron = spinors_u(p1, M_E), adjoint(spinors_v(p2, M_E))
    rows, columns = adjoint(spinors_u(minus, M_MU)), spinors_v(plus, M_MU)
    identity = np.eye(4)

    def over(momentum: FloatArray, mass: float, denominator: FloatArray) -> ComplexArray:
        return (slash(momentum) + mass * identity) / denominator[:, None, None]

    def line(
        left: ComplexArray, right: ComplexArray, *steps: tuple[ComplexArray, bool]
    ) -> ComplexArray:
        """Both orders of photon (v) and current (m) on a line. -> [event, v, m, left, right]."""
        total: ComplexArray | float = 0.0
        for propagator, photon_first in steps:
            row = np.einsum("nhi,aij->nahj", left, GAMMA)
            column = np.einsum("bij,nkj->nbki", GAMMA, right)
            passed = np.einsum("nahj,nji->nahi", row, propagator)
            total = total + np.einsum(
                "nvhi,nmki->nvmhk" if photon_first else "nmhi,nvki->nvmhk", passed, column
            )
        return np.asarray(total)

    initial = line(
        positron,
        electron,
        (over(p1 - photon, M_E, -2.0 * dot(p1, photon)), False),
        (over(photon - p2, M_E, -2.0 * dot(p2, photon)), True),
    )
    final = line(
        rows,
        columns,
        (over(minus + photon, M_MU, 2.0 * dot(minus, photon)), True),
        (over(-plus - photon, M_MU, 2.0 * dot(plus, photon)), False),
    )
    current_e = np.einsum("nhi,mij,nkj->nmhk", positron, GAMMA, electron, optimize=True)
    current_mu = np.einsum("nhi,mij,nkj->nmhk", rows, GAMMA, columns, optimize=True)
    reduced = dot(minus + plus, minus + plus)
    isr = np.einsum("m,nvmab,nmcd->nvabcd", METRIC, initial, current_mu, optimize=True)
    isr = isr / reduced[:, None, None, None, None, None]
    fsr = np.einsum("m,nmab,nvmcd->nvabcd", METRIC, current_e, final, optimize=True)
    fsr = fsr / s_gev2[:, None, None, None, None, None]
    charge = (4.0 * math.pi * ALPHA) ** 3 / 4.0

    def summed(amplitude: ComplexArray) -> FloatArray:
        return np.asarray(
            -charge * (METRIC * (np.abs(amplitude) ** 2).sum(axis=(2, 3, 4, 5))).sum(axis=1)
        )

    return summed(isr), summed(fsr), summed(isr + fsr)


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiativeMuons:
    """Generator of mu+mu-gamma, weighted.

    Parameters
    ----------
    min_energy_gev, max_cosine
        Cuts on the photon in the frame of the hard collision.
    isr
        Whether the beams radiate collinear photons, too.
    muon_theta_range_deg, min_muon_momentum_gev, min_recoil_pt_gev
        Filter on the generated event, lab: points that fail get no weight and no amplitude.
    enriched_ranges_deg
        Polar angles (lab) that half of the photons are thrown into, each range alike: the gaps
        through which they are lost. Weights undo the enrichment.
    """

    min_energy_gev: float = 0.5
    max_cosine: float = 0.99
    isr: bool = True
    muon_theta_range_deg: tuple[float, float] = (0.0, 180.0)
    min_muon_momentum_gev: float = 0.0
    min_recoil_pt_gev: float = 0.0
    enriched_ranges_deg: tuple[tuple[float, float], ...] = ()

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "radiative_muons"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            "version": 2,
            "min_energy_gev": self.min_energy_gev,
            "max_cosine": self.max_cosine,
            "isr": self.isr,
            "muon_theta_range_deg": list(self.muon_theta_range_deg),
            "min_muon_momentum_gev": self.min_muon_momentum_gev,
            "min_recoil_pt_gev": self.min_recoil_pt_gev,
            "enriched_ranges_deg": [list(pair) for pair in self.enriched_ranges_deg],
        }

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`."""
        radiation = radiate(n_events, rng, enabled=self.isr, least_fraction=0.1)
        uniform = rng.random((3, n_events))
        phi = rng.uniform(0.0, 2.0 * np.pi, (2, n_events))
        choice = rng.random(n_events)
        top = (radiation.s_gev2 - 4.0 * M_MU**2) / (2.0 * np.sqrt(radiation.s_gev2))
        kept = np.flatnonzero(top > self.min_energy_gev * 1.001)
        s, uniform, phi, top = radiation.s_gev2[kept], uniform[:, kept], phi[:, kept], top[kept]
        span = np.log(top / self.min_energy_gev)
        energy = self.min_energy_gev * np.exp(span * uniform[0])
        shift = np.arctanh(radiation.beta[kept]) + math.atanh(BOOST_BETA)
        thrown = PhotonRapidities(
            max_cosine=self.max_cosine, enriched_ranges_deg=self.enriched_ranges_deg
        )
        rapidity = thrown.draw(uniform[1], choice[kept], shift)
        inside = np.abs(rapidity) < thrown.reach
        spread = np.where(inside, 1.0 / thrown.density(rapidity, shift), 0.0)
        cosine = np.tanh(rapidity)
        axis = unit_vectors(cosine, phi[0])
        photon = massless(energy, axis)
        pair = -photon
        pair[:, 0] = np.sqrt(s) - energy
        mass = np.sqrt(np.maximum(s - 2.0 * np.sqrt(s) * energy, 4.0 * M_MU**2 * (1.0 + 1e-12)))
        beta = np.sqrt(1.0 - (2.0 * M_MU / mass) ** 2)
        reach = np.arctanh(np.maximum(beta, 1e-6))
        inner = np.tanh(reach * (2.0 * uniform[2] - 1.0)) / np.maximum(beta, 1e-6)
        helper = np.cross(axis, np.array([0.0, 0.0, 1.0]))
        helper /= np.maximum(np.linalg.norm(helper, axis=1), 1e-12)[:, None]
        other = np.cross(axis, helper)
        sine = np.sqrt(np.maximum(1.0 - inner**2, 0.0))
        direction = (
            inner[:, None] * axis
            + (sine * np.cos(phi[1]))[:, None] * helper
            + (sine * np.sin(phi[1]))[:, None] * other
        )
        rest = np.concatenate([np.ones((len(kept), 1)), beta[:, None] * direction], axis=1)
        minus = boost_to(rest * (0.5 * mass)[:, None], pair)
        plus = pair - minus
        phase_space = (
            energy**2
            * span
            * spread
            * (1.0 - cosine**2)
            / (8.0 * np.pi**2)
            * reach
            * (1.0 - (beta * inner) ** 2)
            / (8.0 * np.pi)
        )  # d3k / ((2 pi)^3 2E), and the pair's beta / (8 pi) dcos / 2
        momentum = np.stack([minus, plus, photon], axis=1)
        moved = boost_z(momentum, radiation.beta[kept, None])
        passed = pass_muon_filter(
            moved[:, 0],
            moved[:, 1],
            theta_range_deg=self.muon_theta_range_deg,
            min_momentum_gev=self.min_muon_momentum_gev,
            min_recoil_pt_gev=self.min_recoil_pt_gev,
        )
        passed &= spread > 0.0
        s, index = s[passed], kept[passed]
        amplitude = squared_amplitudes(
            momentum[passed, 0], momentum[passed, 1], momentum[passed, 2], s
        )[2]
        weight = np.zeros(n_events)
        weight[index] = PB_GEV2 / (2.0 * s) * amplitude * phase_space[passed]
        weight *= radiation.weight
        return EventBlock.of_rows(index, moved[passed], [13, -13, 22], weight)
