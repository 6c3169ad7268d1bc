"""Inelastic dark matter: A' -> chi1 chi2, and chi2 -> chi1 f fbar through an off-shell A'.

The dark photon couples off-diagonally, ``g_D chi2bar gamma^mu chi1 A'_mu`` with Majorana states
whose mass terms have one sign, and to charged fermions by kinetic mixing. Per squared mass q^2 of
the pair, exactly in the masses::

    dGamma/dq^2 = (1/2) H rho sqrt(lam(m2^2, m1^2, q^2)) / (16 pi^2 m2^3)
                  * 4 pi alpha_D / (q^2 - mA^2)^2
    H   = 2 ((m2 - m1)^2 - q^2) (2 q^2 + (m1 + m2)^2) / q^2
    rho = (alpha eps^2 / 3) q^2 (1 + 2 r) sqrt(1 - 4 r),   r = m_f^2 / q^2

For Delta = m2 - m1 much smaller than m1 and much larger than m_f this is the formula that is often
quoted, ``4 eps^2 alpha alpha_D Delta^5 / (15 pi mA^4)`` (arXiv:1508.03050, arXiv:1911.03176); at
Delta = 0.4 m1, the usual benchmark, it is 0.64 of that, and the lifetime 1.56 times longer.
Hadrons are R(q^2) times massless muons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA, HBAR_C_GEV_MM, M_ELECTRON_GEV, M_MUON_GEV
from darkstats.signals.hadronic_ratio import M_PION_GEV, hadronic_ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkstats.arrays import FloatArray

__all__ = ["InelasticDarkMatter"]

_LEPTONS_GEV = {"ee": M_ELECTRON_GEV, "mumu": M_MUON_GEV}
_POINTS = 96  # Gauss-Legendre: widths to 1e-6, thresholds included


@dataclass(frozen=True, slots=True, kw_only=True)
class InelasticDarkMatter:
    """One point of the model.

    Parameters
    ----------
    mass_gev
        Of chi1, the stable one.
    splitting_gev
        Mass of chi2 less that of chi1.
    mediator_gev
        Of the dark photon; it must be able to decay to chi1 chi2, and chi2 not to a real one.
    alpha_dark
        g_D^2 / (4 pi).

    Raises
    ------
    OptionError
        A mass or the coupling is not above zero, or a decay is closed that must be open.

    Examples
    --------
    >>> model = InelasticDarkMatter(
    ...     mass_gev=1.0, splitting_gev=0.4, mediator_gev=3.0, alpha_dark=0.1
    ... )
    >>> round(model.ctau_mm(1e-3), 1)
    29.1
    """

    mass_gev: float
    splitting_gev: float
    mediator_gev: float
    alpha_dark: float

    def __post_init__(self) -> None:
        for name in ("mass_gev", "splitting_gev", "mediator_gev", "alpha_dark"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise OptionError(f"{name} of inelastic dark matter is {value}: give a number > 0")
        if 2.0 * self.mass_gev + self.splitting_gev >= self.mediator_gev:
            raise OptionError(
                f"a dark photon of {self.mediator_gev:g} GeV does not decay to chi1 chi2 of "
                f"{self.mass_gev:g} and {self.excited_gev:g} GeV: raise mediator_gev"
            )

    @classmethod
    def benchmark(cls, mass_gev: float, alpha_dark: float = 0.1) -> InelasticDarkMatter:
        """The usual line: splitting 0.4 m1, mediator 3 m1 (arXiv:1911.03176).

        Examples
        --------
        >>> InelasticDarkMatter.benchmark(0.5).mediator_gev
        1.5
        """
        return cls(
            mass_gev=mass_gev, splitting_gev=0.4 * mass_gev, mediator_gev=3.0 * mass_gev,
            alpha_dark=alpha_dark,
        )  # fmt: skip

    @property
    def excited_gev(self) -> float:
        """Mass of chi2."""
        return self.mass_gev + self.splitting_gev

    @property
    def momentum_gev(self) -> float:
        """Momentum of chi1 and chi2 in the rest frame of the dark photon."""
        m, total = self.mediator_gev, self.mass_gev + self.excited_gev
        return math.sqrt((m**2 - total**2) * (m**2 - self.splitting_gev**2)) / (2.0 * m)

    def spectrum(self, q2_gev2: FloatArray, fermion_gev: float) -> FloatArray:
        """dGamma/dq^2 for eps = 1 to a pair of fermions of charge 1, 1/GeV; zero outside.

        Parameters
        ----------
        q2_gev2
            Squared mass of the pair. Any shape.
        fermion_gev
            Mass of the fermion.
        """
        q2 = np.asarray(q2_gev2, dtype=np.float64)
        inside = (q2 >= 4.0 * fermion_gev**2) & (q2 <= self.splitting_gev**2) & (q2 > 0.0)
        safe = np.where(inside, q2, self.splitting_gev**2)
        total = self.mass_gev + self.excited_gev
        room = np.maximum(self.splitting_gev**2 - safe, 0.0)
        root = np.sqrt(room * (total**2 - safe))
        ratio = np.minimum(fermion_gev**2 / safe, 0.25)
        # H times rho: the 1/q^2 of one and the q^2 of the other are gone
        tensor = 2.0 * room * (2.0 * safe + total**2)
        tensor = tensor * ALPHA / 3.0 * (1.0 + 2.0 * ratio) * np.sqrt(1.0 - 4.0 * ratio)
        propagator = 4.0 * math.pi * self.alpha_dark / (safe - self.mediator_gev**2) ** 2
        size = 0.5 * tensor * root / (16.0 * math.pi**2 * self.excited_gev**3) * propagator
        return np.asarray(np.where(inside, size, 0.0))

    def _integral(self, least_gev: float, weight: Callable[[FloatArray], FloatArray]) -> float:
        """Integral over q^2 from a threshold on, in a variable that is smooth at both ends."""
        low, high = least_gev**2, self.splitting_gev**2
        if low >= high:
            return 0.0
        node, width = np.polynomial.legendre.leggauss(_POINTS)
        angle = 0.25 * math.pi * (node + 1.0)
        q2 = low + (high - low) * np.sin(angle) ** 2
        step = (high - low) * np.sin(2.0 * angle) * 0.25 * math.pi * width
        return float((weight(q2) * step).sum())

    def widths_gev(self) -> dict[str, float]:
        """Partial widths of chi2 by channel, for eps = 1: ``ee``, ``mumu``, ``hadrons``.

        Raises
        ------
        OptionError
            The splitting reaches a narrow resonance, beside which R is not known.
        """
        found = {
            name: self._integral(2.0 * lepton, partial(self.spectrum, fermion_gev=lepton))
            for name, lepton in _LEPTONS_GEV.items()
        }

        def hadrons(q2: FloatArray) -> FloatArray:
            ratio = np.array([hadronic_ratio(math.sqrt(one)).weighted(2.0 / 3.0, -1.0 / 3.0)
                              for one in q2])  # fmt: skip
            return np.asarray(self.spectrum(q2, 0.0) * ratio)

        found["hadrons"] = self._integral(2.0 * M_PION_GEV, hadrons)
        return found

    def width_gev(self, mixing: float) -> float:
        """Total width of chi2, GeV."""
        return mixing**2 * sum(self.widths_gev().values())

    def ctau_mm(self, mixing: float) -> float:
        """Proper decay length of chi2, mm; infinite below the mass of two electrons."""
        width = self.width_gev(mixing)
        return HBAR_C_GEV_MM / width if width > 0.0 else math.inf

    def small_splitting_width_gev(self, mixing: float) -> float:
        """The limit that is often quoted, to electrons alone: for comparison only."""
        size = 4.0 * mixing**2 * ALPHA * self.alpha_dark / (15.0 * math.pi)
        return size * self.splitting_gev**5 / self.mediator_gev**4
