"""Light mediators by name: how each couples and decays, for recasts among each other.

All widths to particles of the Standard Model rise with the square of the coupling; a width to dark
matter does not depend on it. Vector mediators couple as ``g x_f V_mu fbar gamma^mu f``:

    Gamma(ff) = g^2 x^2 m / (12 pi) (1 + 2 r) sqrt(1 - 4 r),  r = m_f^2 / m^2,

half of that for each left-handed neutrino, and R(m^2) for quarks
(:mod:`darkstats.signals.hadronic_ratio`). The charges x are those of arXiv:1801.04847, table 1
(from memory, certainty B; those of B - L and B follow from the names). L_mu - L_tau couples to
electrons and quarks by mixing with the photon in a loop of muons and taus (arXiv:2006.11225); the
baryonic one to leptons with e^2 / (4 pi)^2 (arXiv:1404.4370, certainty B, depends on physics at
high scales).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from darkstats.errors import OptionError, UnknownNameError
from darkstats.signals import axion_like_particle
from darkstats.signals.constants import (
    ALPHA,
    HBAR_C_GEV_MM,
    M_ELECTRON_GEV,
    M_MUON_GEV,
    M_TAU_GEV,
)
from darkstats.signals.hadronic_ratio import (
    M_PI0_GEV,
    M_PION_GEV,
    HadronicRatio,
    hadronic_ratio,
)
from darkstats.signals.inelastic_dark_matter import InelasticDarkMatter
from darkstats.signals.lmu_ltau import (
    lepton_width_gev,
    neutrino_width_gev,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = [
    "FINAL_STATES",
    "MEDIATORS",
    "Charges",
    "DarkMatter",
    "Decays",
    "Mediator",
    "mediator",
    "photon_mixing",
]

LEPTONS_GEV: Mapping[str, float] = MappingProxyType(
    {"ee": M_ELECTRON_GEV, "mumu": M_MUON_GEV, "tautau": M_TAU_GEV}
)
#: Final states of a search, and the decays that make them.
FINAL_STATES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{name: (name,) for name in ("ee", "mumu", "tautau", "hadrons", "gammagamma")},
        "leptons": ("ee", "mumu"),
        "visible": ("ee", "mumu", "tautau", "hadrons", "gammagamma"),
        "invisible": ("neutrinos", "dark"),
    }
)
_SIN2_WEAK = 0.2312  # of the weak angle, MSbar at m_Z, Particle Data Group
_VACUUM_GEV = 246.22
_CHARGE = math.sqrt(4.0 * math.pi * ALPHA)
_LOOP = ALPHA / (4.0 * math.pi)  # e^2 / (4 pi)^2


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """Couplings of a vector mediator to fermions, in units of its coupling.

    Parameters
    ----------
    electron, muon, tau
        To charged leptons.
    neutrinos
        To each of the three left-handed neutrinos.
    up, down
        To quarks of charge 2/3 and -1/3, alike in all generations.
    """

    electron: float
    muon: float
    tau: float
    neutrinos: tuple[float, float, float]
    up: float
    down: float

    @property
    def is_photon_like(self) -> bool:
        """Whether quarks couple in proportion to their electric charge."""
        return math.isclose(self.up, -2.0 * self.down, rel_tol=1e-12)

    def couples_alike(self, other: Charges) -> bool:
        """Whether quarks couple in proportion to another's couplings."""
        return math.isclose(self.up * other.down, other.up * self.down, rel_tol=1e-12)


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkMatter:
    """A Dirac fermion that a vector mediator decays to.

    Parameters
    ----------
    mass_gev
        Of the fermion.
    alpha_dark
        g_D^2 / (4 pi): ``Gamma = alpha_D m / 3 (1 + 2 r) sqrt(1 - 4 r)``.
    """

    mass_gev: float
    alpha_dark: float

    def __post_init__(self) -> None:
        """Check both.

        Raises
        ------
        OptionError
            One is not above zero.
        """
        if not (0.0 < self.mass_gev < math.inf and 0.0 < self.alpha_dark < math.inf):
            raise OptionError("dark matter has a mass and a coupling alpha_D above zero")

    def width_gev(self, mass_gev: float) -> float:
        """Width of a mediator to a pair, GeV; zero below threshold."""
        coupling = math.sqrt(4.0 * math.pi * self.alpha_dark)
        return lepton_width_gev(mass_gev, coupling, self.mass_gev)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decays:
    """How a mediator of one mass decays.

    Parameters
    ----------
    mass_gev
        Of the mediator.
    widths_gev
        By channel, at coupling 1.
    dark_gev
        To dark matter, at any coupling.
    hadron_error
        Relative error of the width to hadrons; zero where there is none.
    """

    mass_gev: float
    widths_gev: Mapping[str, float]
    dark_gev: float = 0.0
    hadron_error: float = 0.0

    @property
    def unit_gev(self) -> float:
        """Width to the Standard Model at coupling 1, GeV."""
        return sum(self.widths_gev.values())

    def width_gev(self, coupling: float) -> float:
        """Total width, GeV."""
        return coupling**2 * self.unit_gev + self.dark_gev

    def branching(self, final_state: str, coupling: float) -> float:
        """Branching fraction to a final state; zero where the mediator is stable."""
        channels = FINAL_STATES.get(final_state, (final_state,))
        total = self.width_gev(coupling)
        if total == 0.0:
            return 0.0
        chosen = coupling**2 * sum(self.widths_gev.get(name, 0.0) for name in channels)
        return (chosen + (self.dark_gev if "dark" in channels else 0.0)) / total

    def ctau_mm(self, coupling: float) -> float:
        """Proper decay length, mm; infinite where the mediator is stable."""
        return float(self.ctau(np.array(coupling)))

    def ctau(self, couplings: FloatArray) -> FloatArray:
        """Proper decay lengths in mm, of couplings of any shape."""
        total = couplings**2 * self.unit_gev + self.dark_gev
        with np.errstate(divide="ignore"):
            return np.asarray(HBAR_C_GEV_MM / total)

    def with_hadrons(self, factor: float) -> Decays:
        """The same with another width to hadrons."""
        widths = {k: w * (factor if k == "hadrons" else 1.0) for k, w in self.widths_gev.items()}
        return Decays(
            mass_gev=self.mass_gev, widths_gev=widths, dark_gev=self.dark_gev,
            hadron_error=self.hadron_error,
        )  # fmt: skip


Ratio = Callable[[float], HadronicRatio]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mediator:
    """One model.

    Parameters
    ----------
    name, words
        Key, and what it is.
    symbol, unit, label
        Of the coupling: in plain characters, its unit (None for none), and for figures.
    mass_label
        Symbol of the mass that its couplings are limited against, for figures.
    spin
        Mediators of different spin are never recast into each other.
    charges
        Of a vector mediator, at a mass in GeV; None for others.
    photon_factor
        g_agg per coupling, of a pseudoscalar; None for others.
    widths
        At coupling 1, of a mass in GeV by channel; of what is no mediator itself, see the next.
    parent_ratio
        Mass of the mediator that is made over that of the particle by which a model is named.
    parameters
        What else a model fixes, by name, as signals of searches fix it.
    largest
        Coupling above which there is none: that of a mixing angle.
    note
        What its couplings rest on.
    """

    name: str
    words: str
    symbol: str
    unit: str | None = None
    label: str
    mass_label: str
    spin: str
    charges: Callable[[float], Charges] | None = field(default=None, repr=False)
    photon_factor: float | None = None
    widths: Callable[[float], Mapping[str, float]] | None = field(default=None, repr=False)
    parent_ratio: float | None = None
    parameters: Mapping[str, float] = field(default_factory=dict, repr=False)
    largest: float = math.inf
    note: str

    def decays(
        self,
        mass_gev: float,
        *,
        dark: DarkMatter | None = None,
        ratio: Ratio = hadronic_ratio,
        electrons_gev: float = 0.0,
    ) -> Decays:
        """How it decays at a mass.

        Parameters
        ----------
        mass_gev
            Mass of the mediator.
        dark
            Dark matter that it decays to; None for none.
        ratio
            R at an energy in GeV.
        electrons_gev
            Of a pseudoscalar: its coupling to electrons over that to photons, g_ae / g_agg in GeV
            with ``-i g_ae a ebar gamma_5 e``, Gamma(ee) = g_ae^2 m / (8 pi) sqrt(1 - 4 r).

        Raises
        ------
        OptionError
            The mass is not above zero, or its widths are not known there.
        """
        if not 0.0 < mass_gev < math.inf:
            raise OptionError(f"{self.name}: a mass of {mass_gev} GeV is not above zero")
        if electrons_gev and self.photon_factor is None:
            raise OptionError(
                f"{self.name}: a coupling to electrons beside that to photons is that of an "
                "axion-like particle"
            )
        if self.charges is not None:
            return self._vector(self.charges(mass_gev), mass_gev, dark, ratio)
        if dark is not None:
            raise OptionError(f"{self.name}: widths to dark matter are those of vector mediators")
        if self.widths is not None:
            return Decays(mass_gev=mass_gev, widths_gev=self.widths(mass_gev),
                          hadron_error=_INELASTIC_HADRON_ERROR)  # fmt: skip
        if self.photon_factor is not None:
            width = axion_like_particle.width_gev(mass_gev, self.photon_factor)
            velocity = math.sqrt(max(1.0 - (2.0 * M_ELECTRON_GEV / mass_gev) ** 2, 0.0))
            coupling = electrons_gev * self.photon_factor
            electrons = coupling**2 * mass_gev / (8.0 * math.pi) * velocity
            return Decays(mass_gev=mass_gev, widths_gev={"gammagamma": width, "ee": electrons})
        if mass_gev >= 2.0 * M_PION_GEV:
            raise OptionError(
                f"{self.name}: widths to charged pions and other hadrons, from "
                f"{2.0 * M_PION_GEV:.4g} GeV on, are not built in; give lifetime and branching "
                "fractions with --decays"
            )
        widths = {name: _scalar_width(mass_gev, lepton) for name, lepton in LEPTONS_GEV.items()}
        widths["hadrons"] = pions = _neutral_pions_width(mass_gev)
        return Decays(mass_gev=mass_gev, widths_gev=widths,
                      hadron_error=_PION_ERROR if pions > 0.0 else 0.0)  # fmt: skip

    def _vector(
        self, charges: Charges, mass_gev: float, dark: DarkMatter | None, ratio: Ratio
    ) -> Decays:
        leptons = dict(zip(LEPTONS_GEV, (charges.electron, charges.muon, charges.tau), strict=True))
        widths = {
            name: lepton_width_gev(mass_gev, x, LEPTONS_GEV[name]) for name, x in leptons.items()
        }
        widths["neutrinos"] = sum(neutrino_width_gev(mass_gev, x) for x in charges.neutrinos)
        widths["hadrons"] = error = 0.0
        if charges.up or charges.down:
            found = ratio(mass_gev)
            r = found.weighted(charges.up, charges.down)
            widths["hadrons"] = r * mass_gev / (12.0 * math.pi)
            if r > 0.0:
                error = found.relative_error if charges.is_photon_like else found.part_error
        return Decays(
            mass_gev=mass_gev, widths_gev=widths, hadron_error=error,
            dark_gev=0.0 if dark is None else dark.width_gev(mass_gev),
        )  # fmt: skip


def _neutral_pions_width(mass_gev: float) -> float:
    """Width of such a scalar to two neutral pions at leading order, at sin(theta) = 1, GeV.

    ``|2/9 (m^2 + 11/2 m_pi^2) / v|^2`` and the factor 1/2 of identical particles (Phys. Lett. B 198
    (1987) 449, Nucl. Phys. B 343 (1990) 341).
    """
    velocity = math.sqrt(max(1.0 - (2.0 * M_PI0_GEV / mass_gev) ** 2, 0.0))
    amplitude = 2.0 / 9.0 * (mass_gev**2 + 5.5 * M_PI0_GEV**2)
    return amplitude**2 * velocity / (32.0 * math.pi * mass_gev * _VACUUM_GEV**2)


def _scalar_width(mass_gev: float, lepton_gev: float) -> float:
    """Width of a scalar that mixes with the Higgs boson, at sin(theta) = 1, GeV."""
    ratio = (lepton_gev / mass_gev) ** 2
    if ratio >= 0.25:
        return 0.0
    size = lepton_gev**2 * mass_gev / (8.0 * math.pi * _VACUUM_GEV**2)
    return float(size * (1.0 - 4.0 * ratio) ** 1.5)


@lru_cache(maxsize=4096)
def photon_mixing(mass_gev: float) -> float:
    """Size of the kinetic mixing of L_mu - L_tau with the photon at q^2 = m^2, for g' = 1.

    ``e / (2 pi^2) |int_0^1 dx x (1-x) ln((m_tau^2 - x (1-x) q^2) / (m_mu^2 - x (1-x) q^2))|``
    (arXiv:2006.11225); about 1/70 at small masses.

    Examples
    --------
    >>> round(1.0 / photon_mixing(0.01))
    69
    """
    nodes, weights = np.polynomial.legendre.leggauss(400)
    x = 0.5 * (nodes + 1.0)
    product = (x * (1.0 - x)).astype(complex)
    logarithm = np.log(M_TAU_GEV**2 - product * mass_gev**2) - np.log(
        M_MUON_GEV**2 - product * mass_gev**2
    )
    total = complex((0.5 * weights * product * logarithm).sum())
    return float(_CHARGE / (2.0 * math.pi**2) * abs(total))


def _photon(_: float) -> Charges:
    e = _CHARGE
    return Charges(
        electron=-e, muon=-e, tau=-e, neutrinos=(0.0, 0.0, 0.0), up=2.0 * e / 3.0, down=-e / 3.0
    )


def _lmu_ltau(mass_gev: float) -> Charges:
    mixed = _CHARGE * photon_mixing(mass_gev)
    return Charges(
        electron=-mixed, muon=1.0, tau=-1.0, neutrinos=(0.0, 1.0, -1.0), up=2.0 * mixed / 3.0,
        down=-mixed / 3.0,
    )  # fmt: skip


def _b_minus_l(_: float) -> Charges:
    third = 1.0 / 3.0
    return Charges(
        electron=-1.0, muon=-1.0, tau=-1.0, neutrinos=(-1.0, -1.0, -1.0), up=third, down=third
    )


def _baryon(_: float) -> Charges:
    third = 1.0 / 3.0
    return Charges(
        electron=-_LOOP, muon=-_LOOP, tau=-_LOOP, neutrinos=(0.0, 0.0, 0.0), up=third, down=third
    )


def _protophobic(_: float) -> Charges:
    return Charges(
        electron=1.0, muon=1.0, tau=1.0, neutrinos=(0.0, 0.0, 0.0), up=-1.0 / 3.0, down=2.0 / 3.0
    )


#: Relative error of the width of a scalar to neutral pions near its threshold: pions attract each
#: other, which raises the leading order by 1.4 there (a scalar radius squared of 0.61 fm^2).
_PION_ERROR = 0.5
#: Relative error of the width of chi2 to hadrons: the largest of R below 1 GeV but for the phi.
_INELASTIC_HADRON_ERROR = 0.15


@lru_cache(maxsize=4096)
def _inelastic(mass_gev: float) -> Mapping[str, float]:
    """Widths of chi2 at eps = 1, on the benchmark line with alpha_D = 0.1."""
    return MappingProxyType(InelasticDarkMatter.benchmark(mass_gev, alpha_dark=0.1).widths_gev())


_SPIN_1, _PSEUDOSCALAR, _SCALAR = "vector", "pseudoscalar", "scalar"
_NO_LOOPS = "tree level"

#: Models by name.
MEDIATORS: Mapping[str, Mediator] = MappingProxyType(
    {
        one.name: one
        for one in (
            Mediator(
                name="dark_photon", mass_label="$M_{A'}$",
                words="dark photon", symbol="epsilon", label=r"$\varepsilon$",
                spin=_SPIN_1, charges=_photon, note=f"charges e Q, {_NO_LOOPS}",
            ),
            Mediator(
                name="lmu_ltau", mass_label="$M_{Z'}$",
                words="L_mu - L_tau", symbol="g'", label="$g'$", spin=_SPIN_1,
                charges=_lmu_ltau,
                note="electrons and quarks by mixing with the photon in loops of muons and taus",
            ),
            Mediator(
                name="b_minus_l", mass_label="$M_{Z'}$",
                words="B - L", symbol="g_B-L", label="$g_{B-L}$", spin=_SPIN_1,
                charges=_b_minus_l, note=f"three left-handed neutrinos, {_NO_LOOPS}",
            ),
            Mediator(
                name="baryon", mass_label="$M_B$",
                words="B boson", symbol="g_B", label="$g_B$", spin=_SPIN_1,
                charges=_baryon,
                note="leptons with e^2/(4 pi)^2, which depends on physics at high scales",
            ),
            Mediator(
                name="protophobic", mass_label="$M_X$",
                words="protophobic, charge B - Q", symbol="g_p",
                label="$g_p$", spin=_SPIN_1, charges=_protophobic,
                note="charge B - Q, no neutrinos, tree level",
            ),
            Mediator(
                name="alp_photon", mass_label="$m_a$",
                words="ALP with photons", symbol="g_agg", unit="1/GeV",
                label=r"$g_{a\gamma\gamma}$ [GeV$^{-1}$]", spin=_PSEUDOSCALAR, photon_factor=1.0,
                note="only the coupling to photons",
            ),
            Mediator(
                name="alp_hypercharge", mass_label="$m_a$",
                words="ALP with the B boson", symbol="g_aB", unit="1/GeV",
                label="$g_{aB}$ [GeV$^{-1}$]", spin=_PSEUDOSCALAR, photon_factor=1.0 - _SIN2_WEAK,
                note="g_agg = g_aB cos^2(theta_W); exchange of the Z boson is left out",
            ),
            Mediator(
                name="alp_w", mass_label="$m_a$",
                words="ALP with W bosons", symbol="g_aW", unit="1/GeV",
                label="$g_{aW}$ [GeV$^{-1}$]", spin=_PSEUDOSCALAR, photon_factor=_SIN2_WEAK,
                note="g_agg = g_aW sin^2(theta_W); exchange of the Z boson is left out",
            ),
            Mediator(
                name="dark_higgs_mixing", mass_label="$M_S$",
                words="scalar by mixing", symbol="sin(theta)",
                label=r"$\sin\theta$", spin=_SCALAR, largest=1.0,
                note="couplings of the Higgs boson times sin(theta)",
            ),
            Mediator(
                name="inelastic_dark_matter", mass_label=r"$M_{\chi_1}$",
                words="inelastic dark matter",
                symbol="epsilon", label=r"$\varepsilon$", spin="inelastic pair",
                widths=_inelastic, parent_ratio=3.0, largest=1.0,
                parameters={"splitting_ratio": 0.4, "mediator_ratio": 3.0},
                note="mass of chi1; m_A' = 3 m_chi1, m_chi2 = 1.4 m_chi1, alpha_D = 0.1, "
                "BR(A' -> chi1 chi2) = 1",
            ),
        )
    }
)  # fmt: skip


def mediator(name: str) -> Mediator:
    """Return the mediator of a name.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    if name not in MEDIATORS:
        raise UnknownNameError("mediator", name, tuple(MEDIATORS))
    return MEDIATORS[name]
