"""Benchmark models by name: from a limit on a cross section to one on a coupling, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from darkstats.errors import UnknownNameError
from darkstats.signals import (
    axion_like_particle,
    dark_higgsstrahlung,
    dark_photon,
    leptophilic,
    lmu_ltau,
    muonphilic,
)
from darkstats.signals.constants import CM_ENERGY_GEV, M_MUON_GEV, M_TAU_GEV
from darkstats.signals.vacuum_polarisation import dressing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from darkstats.signals.searched import Searched

__all__ = ["BENCHMARKS", "Benchmark", "benchmark", "efficiency_benchmark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One model.

    Parameters
    ----------
    name
        As in cards.
    coupling
        Symbol and unit of the coupling, for tables.
    label
        The same for figures, in LaTeX.
    masses
        What the masses of a hypothesis are.
    assumption
        What the conversion rests on.
    to_coupling, to_cross_section_pb
        Functions of the masses in GeV and of cross section in pb, or coupling.
    per_parent
        Whether they are of the cross section over that of the particles that decay, which the
        search says: the coupling is a product of branching fractions.
    range_gev
        Masses, of the first of them, outside of which there is no coupling; None for no such ends.
    final_state
        Decay whose branching fraction the cross section includes, in LaTeX; empty for none.
    width_gev
        Width at a coupling, GeV, of the decays that the coupling itself makes: the least that it
        can be. None where it is not known.
    productions
        Of ``PRODUCTIONS``: what the cross section is of, and relative ones that make it, too. Empty
        where none of them is.
    final_states
        Of ``FINAL_STATES``, as the search sees it; None where only the card says it.
    made_in
        Productions of searches that may name it, of ``SEARCHED_PRODUCTIONS``; empty for any.
    parameters
        What the signal of such a search fixes, by name.
    is_efficiency
        Whether it is a limit on efficiency times cross section: the search fixes no efficiency, so
        its record limits no cross section.
    """

    name: str
    coupling: str
    label: str
    masses: tuple[str, ...]
    assumption: str
    to_coupling: Callable[[tuple[float, ...], float], float] = field(repr=False)
    to_cross_section_pb: Callable[[tuple[float, ...], float], float] = field(repr=False)
    per_parent: bool = False
    range_gev: tuple[float, float] | None = None
    final_state: str = ""
    width_gev: Callable[[tuple[float, ...], float], float] | None = field(default=None, repr=False)
    productions: tuple[str, ...] = ()
    final_states: tuple[str, ...] | None = ()
    made_in: tuple[str, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict, repr=False)
    is_efficiency: bool = False

    def is_made(self, production: str, final_state: str) -> bool:
        """Whether it is a limit on this production and final state, as far as is known."""
        seen = self.final_states is None or final_state in self.final_states
        return production in self.productions and seen

    def converts(self, searched: Searched) -> bool:
        """Whether it is of what a search looked for: production, final state, parameters."""
        if not self.made_in:
            return True
        seen = self.final_states is None or searched.final_state in self.final_states
        return searched.production in self.made_in and seen and searched.fixes(self.parameters)

    @property
    def search_words(self) -> str:
        """What it converts, in words."""
        made = " or ".join(self.made_in)
        state = "" if self.final_states is None else f" seen as {' or '.join(self.final_states)}"
        fixed = ", ".join(f"{name} = {value:g}" for name, value in self.parameters.items())
        return f"{made}{state}{f' with {fixed}' if fixed else ''}"

    def covers(self, masses_gev: tuple[float, ...]) -> bool:
        """Whether there is a coupling at these masses."""
        return self.range_gev is None or self.range_gev[0] < masses_gev[0] <= self.range_gev[1]


#: Benchmarks that end within the reach of the beams.
_RANGES = {
    "lmu_ltau_mumu": (2.0 * M_MUON_GEV, CM_ENERGY_GEV),
    "lmu_ltau_tautau": (2.0 * M_TAU_GEV, CM_ENERGY_GEV),
    "muonphilic_scalar_mumu": (2.0 * M_MUON_GEV, CM_ENERGY_GEV),
    "leptophilic_scalar_tautau": leptophilic.MASS_RANGE_GEV,
    "leptophilic_alp_tautau": leptophilic.MASS_RANGE_GEV,
}
#: Decays of the boson beside two muons.
_FINAL_STATES = {
    "lmu_ltau_mumu": r"\mu^+\mu^-",
    "muonphilic_scalar_mumu": r"\mu^+\mu^-",
    "lmu_ltau_tautau": r"\tau^+\tau^-",
    "leptophilic_scalar_tautau": r"\tau^+\tau^-",
    "leptophilic_alp_tautau": r"\tau^+\tau^-",
}
#: Widths of the decays that a coupling makes.
_WIDTHS = {
    "alp_photon": lambda m, g: axion_like_particle.width_gev(m[0], g),
    **{
        name: lambda m, g: lmu_ltau.width_gev(m[0], g)
        for name in (
            "lmu_ltau",
            "lmu_ltau_invisible",
            "lmu_ltau_mumu",
            "lmu_ltau_tautau",
            "lmu_ltau_dressed",
            "lmu_ltau_invisible_dressed",
        )
    },
    "muonphilic_scalar_mumu": lambda m, g: muonphilic.width_gev(m[0], g),
    "leptophilic_scalar_tautau": lambda m, g: leptophilic.width_gev(m[0], g, "scalar"),
    "leptophilic_alp_tautau": lambda m, g: leptophilic.width_gev(m[0], g, "alp"),
}
#: Productions and final states that cross sections are of. Scalars beside two leptons and dark
#: Higgsstrahlung have none: no production of PRODUCTIONS makes them.
_MUONS = ("mumu", "muon")
_SEARCHES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "alp_photon": (("photon",), ("gammagamma",)),
    "lmu_ltau": (_MUONS, ("invisible",)),
    "lmu_ltau_invisible": (_MUONS, ("invisible",)),
    "lmu_ltau_dressed": (_MUONS, ("invisible",)),
    "lmu_ltau_invisible_dressed": (_MUONS, ("invisible",)),
    "lmu_ltau_mumu": (_MUONS, ("mumu",)),
    "lmu_ltau_tautau": (_MUONS, ("tautau",)),
    "dark_photon": (("radiative", "electron"), ("invisible",)),
    "muonphilic_scalar_mumu": ((), ("mumu",)),
    "leptophilic_scalar_tautau": ((), ("tautau",)),
    "leptophilic_alp_tautau": ((), ("tautau",)),
    "dark_higgsstrahlung": ((), ("mumu",)),
    "dark_higgsstrahlung_total": ((), ("mumu",)),
    "dark_higgsstrahlung_dressed": ((), ("mumu",)),
}
#: Productions of searches that may name a benchmark; scalars that decay to taus take the
#: efficiency of a vector.
_MADE_IN: Mapping[str, tuple[str, ...]] = {
    "muonphilic_scalar_mumu": ("mumu_scalar",),
    "leptophilic_scalar_tautau": ("mumu", "mumu_scalar"),
    "leptophilic_alp_tautau": ("mumu", "mumu_scalar"),
    "dark_higgsstrahlung": ("dark_higgsstrahlung",),
    "dark_higgsstrahlung_total": ("dark_higgsstrahlung",),
    "dark_higgsstrahlung_dressed": ("dark_higgsstrahlung",),
}
_DRESSED = "vacuum polarisation at 10.58 GeV, a factor of 1.078 +- 0.005 on the Born cross section"


def _lmu(
    branching: str, *, factor: float = 1.0
) -> tuple[Callable[..., float], Callable[..., float]]:
    """Both conversions; ``factor`` stands on the Born cross section."""

    def there(masses: tuple[float, ...], cross_section_pb: float) -> float:
        return lmu_ltau.coupling(masses[0], cross_section_pb / factor, branching=branching)

    def back(masses: tuple[float, ...], coupling: float) -> float:
        return factor * lmu_ltau.cross_section_pb(masses[0], coupling, branching=branching)

    return there, back


def _higgs(
    *, muons: bool, factor: float = 1.0
) -> tuple[Callable[..., float], Callable[..., float]]:
    """Both conversions; ``factor`` stands on the Born cross section."""

    def there(masses: tuple[float, ...], cross_section_pb: float) -> float:
        pair = (masses[0], masses[1])
        return dark_higgsstrahlung.coupling_product(pair, cross_section_pb / factor, muons=muons)

    def back(masses: tuple[float, ...], product: float) -> float:
        pair = (masses[0], masses[1])
        return factor * dark_higgsstrahlung.cross_section_pb(pair, product, muons=muons)

    return there, back


def _all() -> dict[str, Benchmark]:
    entries = (
        (
            "alp_photon",
            "g_agg [1/GeV]",
            r"$g_{a\gamma\gamma}$ [GeV$^{-1}$]",
            ("m_a",),
            "only the photon coupling, BR(a -> gamma gamma) = 1, alpha = 1/137.036",
            lambda m, x: axion_like_particle.coupling_igev(m[0], x),
            lambda m, g: axion_like_particle.cross_section_pb(m[0], g),
        ),
        (
            "lmu_ltau",
            "g'",
            "$g'$",
            ("m_Z'",),
            "L_mu - L_tau, invisible decays to neutrinos only",
            *_lmu("lmu_ltau"),
        ),
        (
            "lmu_ltau_invisible",
            "g'",
            "$g'$",
            ("m_Z'",),
            "L_mu - L_tau production, BR(invisible) = 1",
            *_lmu("unity"),
        ),
        (
            "lmu_ltau_tautau",
            "g'",
            "$g'$",
            ("m_Z'",),
            "the cross section includes BR(Z' -> tau tau) of L_mu - L_tau",
            *_lmu("tautau"),
        ),
        (
            "lmu_ltau_mumu",
            "g'",
            "$g'$",
            ("m_Z'",),
            "the cross section includes BR(Z' -> mu mu) of L_mu - L_tau",
            *_lmu("mumu"),
        ),
        (
            "muonphilic_scalar_mumu",
            "g_S",
            "$g_S$",
            ("m_S",),
            "coupling g_S to muons alone, BR(S -> mu mu) = 1",
            lambda m, x: muonphilic.coupling(m[0], x),
            lambda m, g: muonphilic.cross_section_pb(m[0], g),
        ),
        (
            "leptophilic_scalar_tautau",
            "xi",
            r"$\xi$",
            ("m_S",),
            "the cross section includes BR(S -> tau tau); coupling xi m_l / v; up to 6.5 GeV",
            lambda m, x: leptophilic.size(m[0], x, "scalar"),
            lambda m, g: leptophilic.cross_section_pb(m[0], g, "scalar"),
        ),
        (
            "leptophilic_alp_tautau",
            "c_ll/Lambda [1/TeV]",
            r"$|c_{\ell\ell}|/\Lambda$ [TeV$^{-1}$]",
            ("m_a",),
            "the cross section includes BR(a -> tau tau), to leptons alone; up to 6.5 GeV",
            lambda m, x: leptophilic.size(m[0], x, "alp"),
            lambda m, g: leptophilic.cross_section_pb(m[0], g, "alp"),
        ),
        (
            "lmu_ltau_dressed",
            "g'",
            "$g'$",
            ("m_Z'",),
            f"L_mu - L_tau, invisible decays to neutrinos only; {_DRESSED}",
            *_lmu("lmu_ltau", factor=dressing()),
        ),
        (
            "lmu_ltau_invisible_dressed",
            "g'",
            "$g'$",
            ("m_Z'",),
            f"L_mu - L_tau production, BR(invisible) = 1; {_DRESSED}",
            *_lmu("unity", factor=dressing()),
        ),
        (
            "dark_photon",
            "epsilon",
            r"$\varepsilon$",
            ("m_A'",),
            "e+e- -> gamma A' with abs(cos theta*) < 0.95, BR(A' -> invisible) = 1",
            lambda m, x: dark_photon.mixing(m[0], x),
            lambda m, e: dark_photon.cross_section_pb(m[0], e),
        ),
        (
            "dark_higgsstrahlung",
            "eps^2 alpha_D",
            r"$\varepsilon^2 \alpha_D$",
            ("m_A'", "m_h'"),
            "the cross section includes BR(A' -> mu mu), with R = 3.6",
            *_higgs(muons=True),
        ),
        (
            "dark_higgsstrahlung_total",
            "eps^2 alpha_D",
            r"$\varepsilon^2 \alpha_D$",
            ("m_A'", "m_h'"),
            "the cross section does not include BR(A' -> mu mu)",
            *_higgs(muons=False),
        ),
        (
            "dark_higgsstrahlung_dressed",
            "eps^2 alpha_D",
            r"$\varepsilon^2 \alpha_D$",
            ("m_A'", "m_h'"),
            f"the cross section includes BR(A' -> mu mu), with R = 3.6; {_DRESSED}",
            *_higgs(muons=True, factor=dressing()),
        ),
        (
            "lfv_efficiency",
            "efficiency x cross section [fb]",
            r"$\epsilon \times \sigma$ [fb]",
            ("m_Z'",),
            "no signal model fixes the efficiency",
            lambda _, x: 1e3 * x,
            lambda _, x: 1e-3 * x,
        ),
    )
    return {
        name: Benchmark(
            name=name,
            coupling=coupling,
            label=label,
            masses=masses,
            assumption=assumption,
            to_coupling=there,
            to_cross_section_pb=back,
            range_gev=_RANGES.get(name),
            final_state=_FINAL_STATES.get(name, ""),
            width_gev=_WIDTHS.get(name),
            productions=_SEARCHES.get(name, ((), ()))[0],
            final_states=_SEARCHES.get(name, ((), ()))[1],
            made_in=_MADE_IN.get(name, _SEARCHES.get(name, ((), ()))[0][:1]),
            parameters={"max_cosine": 0.95} if name == "dark_photon" else {},
            is_efficiency=name == "lfv_efficiency",
        )
        for name, coupling, label, masses, assumption, there, back in entries
    }


def _branching(production: str, decay: str, label: str) -> Benchmark:
    """A product of branching fractions: what is seen over the B mesons that are made."""
    return Benchmark(
        name=f"{production}_branching",
        coupling=f"BR({decay}) x BR(X -> f)",
        label=label,
        masses=("m_X",),
        assumption="the number of B mesons and f, the decay of X, are those of the card",
        to_coupling=lambda _, x: x,
        to_cross_section_pb=lambda _, x: x,
        per_parent=True,
        productions=(production,),
        final_states=None,
        made_in=(production,),
    )


#: Branching fractions, which need the cross section of what decays.
_BRANCHINGS = (
    _branching("b_to_k", "B+ -> K+ X", r"$\mathcal{B}(B^+ \to K^+ X, X \to f)$"),
    _branching(
        "b_to_kstar",
        "B0 -> K*0 X) x BR(K*0 -> K+ pi-",
        r"$\mathcal{B}(B^0 \to K^{*0} X \to K^+\pi^- f)$",
    ),
)

#: Models by name.
BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    _all() | {one.name: one for one in _BRANCHINGS}
)


def benchmark(name: str) -> Benchmark:
    """Return the benchmark of a name.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    if name not in BENCHMARKS:
        raise UnknownNameError("benchmark", name, tuple(BENCHMARKS))
    return BENCHMARKS[name]


def efficiency_benchmark(names: Iterable[str]) -> Benchmark | None:
    """Return the first that limits efficiency times cross section; None where none does.

    Parameters
    ----------
    names
        Of the benchmarks of a search; unknown ones are passed over.
    """
    known = (BENCHMARKS[name] for name in names if name in BENCHMARKS)
    return next((one for one in known if one.is_efficiency), None)
