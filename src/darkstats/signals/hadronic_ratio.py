"""R(s) = sigma(e+e- -> hadrons) / sigma(e+e- -> mu+mu-, massless), by the flavour of the quarks.

A parametrisation, for widths of vector mediators to hadrons; a table of measured values may stand
in its place. Each part is the response to one combination of quark currents, so that a mediator
with other charges than the photon's has other weights (vector-meson dominance; the method of Ilten,
Soreq, Williams, Xue, arXiv:1801.04847, written anew).

* isovector: pi pi by the form factor of Gounaris and Sakurai, PRL 21 (1968) 244, rho(770) and
  rho(1450) with relative amplitude -0.086 (CMD-2, hep-ex/0308008; from memory, certainty B);
* isoscalar, strange: Breit-Wigner shapes of omega(782) and phi(1020), masses and widths of the
  Particle Data Group (2025 tables of the package ``particle``, certainty A), BR(ee) of 7.38e-5 and
  2.98e-4, BR(omega -> pi0 gamma) of 8.35 % (Particle Data Group, from memory, certainty B). Below
  the omega, pi0 gamma has the phase space of arXiv:1404.4370, and three pions the fourth power of
  the energy that is left to them (certainty C: this matters to mediators without isovector part);
* from some 1 GeV on, perturbative QCD of three flavours to order alpha_s^2 times a smooth onset,
  two numbers that are fitted to R as implied by BR(A' -> mu mu) of FORESEE (DeLiVeR,
  arXiv:2201.01788) between 1.06 and 2 GeV;
* charm and bottom: the same with a step at the threshold of open charm and bottom.

The relative errors are the largest difference to that table below 2 GeV, rounded up, and a
judgement above (resonances of open charm are not resolved, certainty C). Mixing of rho and omega is
left out. Beside J/psi, psi(2S) and Upsilon(1S, 2S, 3S) there is no number: the mediator mixes with
them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA

__all__ = ["SOURCE", "HadronicRatio", "hadronic_ratio"]

#: In a line, for records.
SOURCE = (
    "parametrisation: vector-meson dominance (Gounaris-Sakurai, Breit-Wigner, PDG) below 1 GeV, "
    "perturbative QCD above, onset fitted to DeLiVeR (arXiv:2201.01788)"
)

M_PION_GEV = 0.13957039
M_PI0_GEV, _M_KAON_GEV = 0.1349768, 0.493677
_RHO, _RHO_PRIME = (0.77526, 0.1474), (1.465, 0.400)  # mass and width, GeV
_RHO_PRIME_AMPLITUDE = -0.0859
_OMEGA, _PHI = (0.78266, 8.68e-3, 7.38e-5), (1.01946, 4.249e-3, 2.979e-4)  # and BR(ee)
_OMEGA_PI0_GAMMA, _THREE_PIONS_POWER = 0.0835, 4
_ONSET_GEV, _ONSET_WIDTH_GEV = 1.296, 0.120
_FIRST_CONTINUUM_GEV = 0.918  # omega pi0
_CHARM_GEV, _BOTTOM_GEV = 2.0 * 1.86484, 2.0 * 5.27941
_ALPHA_S_Z, _M_Z_GEV, _M_B_GEV, _M_C_GEV = 0.118, 91.1880, 4.18, 1.27
#: Narrow resonances, GeV, and how far from them there is no number.
_NARROW_GEV = {
    "J/psi": 3.0969, "psi(2S)": 3.68610, "Upsilon(1S)": 9.4604, "Upsilon(2S)": 10.0234,
    "Upsilon(3S)": 10.3551,
}  # fmt: skip
_NARROW_HALF_GEV = 0.010
#: Up to a mass in GeV: relative error of R, and of its parts.
_ERRORS = (
    (0.42, 0.05, 0.20), (0.72, 0.05, 0.60), (0.76, 0.05, 0.20), (0.80, 0.15, 0.20),
    (0.95, 0.10, 0.15), (1.07, 0.35, 0.40), (1.75, 0.20, 0.60), (3.6, 0.10, 0.20),
    (4.6, 0.30, 0.30), (10.5, 0.07, 0.10), (math.inf, 0.10, 0.15),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HadronicRatio:
    """R at one energy, split by quark currents.

    Parameters
    ----------
    isovector, isoscalar, strange, charm, bottom
        What the currents uu - dd, uu + dd, ss, cc, bb contribute to R of the photon.
    relative_error
        Of the sum.
    part_error
        Of a sum with other weights, relative.
    unsplit
        The sum, where its parts are not known; they are zero then.
    """

    isovector: float
    isoscalar: float
    strange: float
    charm: float
    bottom: float
    relative_error: float
    part_error: float
    unsplit: float | None = None

    @classmethod
    def of_photon(cls, total: float, *, relative_error: float) -> HadronicRatio:
        """R of which only the sum is known: for charges in proportion to the photon's alone."""
        return cls(
            isovector=0.0, isoscalar=0.0, strange=0.0, charm=0.0, bottom=0.0, unsplit=total,
            relative_error=relative_error, part_error=relative_error,
        )  # fmt: skip

    @property
    def total(self) -> float:
        """R of the photon."""
        if self.unsplit is not None:
            return self.unsplit
        return self.isovector + self.isoscalar + self.strange + self.charm + self.bottom

    def weighted(self, up: float, down: float) -> float:
        """R for quark charges ``up`` and ``down`` instead of 2/3 and -1/3, alike in generations.

        Raises
        ------
        OptionError
            Only the sum is known, and the charges are not in proportion to the photon's.

        Examples
        --------
        >>> one = HadronicRatio(
        ...     isovector=1.5, isoscalar=1 / 6, strange=1 / 3, charm=4 / 3, bottom=1 / 3,
        ...     relative_error=0.1, part_error=0.1,
        ... )
        >>> round(one.weighted(2 / 3, -1 / 3), 6) == round(one.total, 6)
        True
        """
        below = 9.0 * down**2
        if self.unsplit is not None:
            if not math.isclose(up, -2.0 * down, rel_tol=1e-12):
                raise OptionError(
                    "R is known as a sum, which says nothing of these quark charges: give columns "
                    "isovector, isoscalar, strange"
                )
            return below * self.unsplit
        return (
            (up - down) ** 2 * self.isovector + 9.0 * (up + down) ** 2 * self.isoscalar
            + below * (self.strange + self.bottom) + 2.25 * up**2 * self.charm
        )  # fmt: skip


def _momentum(s: float) -> float:
    return math.sqrt(max(0.25 * s - M_PION_GEV**2, 0.0))


def _loop(s: float) -> float:
    k, root = _momentum(s), math.sqrt(s)
    return 2.0 / math.pi * k / root * math.log((root + 2.0 * k) / (2.0 * M_PION_GEV))


def _gounaris_sakurai(s: float, mass: float, width: float) -> complex:
    """Form factor of one resonance, 1 at s = 0."""
    square, k = mass**2, _momentum(mass**2)
    slope = _loop(square) * (0.125 / k**2 - 0.5 / square) + 0.5 / (math.pi * square)
    d = (
        3.0 / math.pi * (M_PION_GEV / k) ** 2 * math.log((mass + 2.0 * k) / (2.0 * M_PION_GEV))
        + mass / (2.0 * math.pi * k) - M_PION_GEV**2 * mass / (math.pi * k**3)
    )  # fmt: skip
    shift = _momentum(s) ** 2 * (_loop(s) - _loop(square)) + (square - s) * k**2 * slope
    running = (_momentum(s) / k) ** 3 * mass / math.sqrt(s)
    below = square - s + width * square / k**3 * shift - 1j * mass * width * running
    return (square + d * mass * width) / below


def _pions(mass_gev: float) -> float:
    if mass_gev <= 2.0 * M_PION_GEV:
        return 0.0
    s = mass_gev**2
    first, second = (_gounaris_sakurai(s, *one) for one in (_RHO, _RHO_PRIME))
    factor = (first + _RHO_PRIME_AMPLITUDE * second) / (1.0 + _RHO_PRIME_AMPLITUDE)
    return float(0.25 * (1.0 - 4.0 * M_PION_GEV**2 / s) ** 1.5 * abs(factor) ** 2)


def _breit_wigner(mass_gev: float, mass: float, width: float, electrons: float) -> float:
    s = mass_gev**2
    below = (s - mass**2) ** 2 + (mass * width) ** 2
    return 9.0 / ALPHA**2 * electrons * s * width**2 / below


def _omega(mass_gev: float) -> float:
    """Three pions, and pi0 gamma, by the omega."""
    at = _OMEGA[0]

    def left(mass: float) -> float:
        return max(1.0 - (M_PI0_GEV / mass) ** 2, 0.0) ** 3

    share = max(mass_gev - 3.0 * M_PION_GEV, 0.0) / (at - 3.0 * M_PION_GEV)
    three = min(share, 1.0) ** _THREE_PIONS_POWER
    photon = left(mass_gev) / left(at)
    parts = (1.0 - _OMEGA_PI0_GAMMA) * three + _OMEGA_PI0_GAMMA * photon
    return _breit_wigner(mass_gev, *_OMEGA) * parts


def _alpha_s(q: float) -> float:
    """Strong coupling at one loop with thresholds."""
    found, at = _ALPHA_S_Z, _M_Z_GEV
    for flavours, end in ((5, _M_B_GEV), (4, _M_C_GEV), (3, 0.0)):
        to = max(q, end)
        found /= 1.0 + found * (33.0 - 2.0 * flavours) / (6.0 * math.pi) * math.log(to / at)
        at = to
        if to == q:
            break
    return found


def _correction(mass_gev: float) -> float:
    """QCD correction to the quark-parton value (Particle Data Group, review of QCD)."""
    flavours = 3 if mass_gev < _CHARM_GEV else 4 if mass_gev < _BOTTOM_GEV else 5
    a = _alpha_s(max(mass_gev, 1.5)) / math.pi
    return 1.0 + a + (1.9857 - 0.1152 * flavours) * a**2


def hadronic_ratio(mass_gev: float) -> HadronicRatio:
    """R at an energy, as parametrised.

    Parameters
    ----------
    mass_gev
        Energy in the centre of mass: the mass of a mediator. Zero below the mass of the pi0.

    Raises
    ------
    OptionError
        The mass is not positive, or lies beside a narrow resonance.

    Examples
    --------
    >>> round(hadronic_ratio(6.0).total, 1)
    3.6
    """
    if not 0.0 < mass_gev < math.inf:
        raise OptionError(f"a mass of {mass_gev} GeV has no hadronic width")
    for name, at in _NARROW_GEV.items():
        if abs(mass_gev - at) < _NARROW_HALF_GEV:
            raise OptionError(
                f"{mass_gev:g} GeV lies within {1e3 * _NARROW_HALF_GEV:g} MeV of {name}, with "
                "which the mediator mixes: no width to hadrons"
            )
    continuum = 0.0
    if mass_gev > _FIRST_CONTINUUM_GEV:
        onset = 1.0 / (1.0 + math.exp(-(mass_gev - _ONSET_GEV) / _ONSET_WIDTH_GEV))
        continuum = _correction(mass_gev) * onset
    error, part = next((e, p) for end, e, p in _ERRORS if mass_gev <= end)
    kaons = mass_gev > 2.0 * _M_KAON_GEV
    return HadronicRatio(
        isovector=_pions(mass_gev) + 1.5 * continuum,
        isoscalar=_omega(mass_gev) + continuum / 6.0,
        strange=(_breit_wigner(mass_gev, *_PHI) if kaons else 0.0) + continuum / 3.0,
        charm=4.0 / 3.0 * _correction(mass_gev) if mass_gev > _CHARM_GEV else 0.0,
        bottom=_correction(mass_gev) / 3.0 if mass_gev > _BOTTOM_GEV else 0.0,
        relative_error=error,
        part_error=part,
    )  # fmt: skip
