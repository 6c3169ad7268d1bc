"""Pairs from PYTHIA 8: e+e- -> mu+mu-(gamma), tau+tau-(gamma) with real tau decays, and quarks.

C. Bierlich et al., SciPost Phys. Codebases 8 (2022). PYTHIA is GPL: this module is the only one
that imports it, and only when events are made.

Two defaults of PYTHIA are wrong here. ``23:mMin`` = 10 GeV cuts off the radiative return (the muon
cross section comes out as 0.74 nb instead of 1.08 nb); photons that split into fermion pairs make
muon pairs with nothing but a soft pair beside them, and double the background below 1 GeV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import MissingExtraError, NotCertifiedError, OptionError
from darkstats.simulation.events import EventBlock
from darkstats.simulation.kinematics import CM_ENERGY_GEV
from darkstats.simulation.muon_rich_quarks import (
    CHARMED,
    ONE_MUON_SHARE,
    RAISED,
    Fractions,
    charm_switches,
    count,
    daughters_of,
    joined,
    muon_fraction,
    of_charm,
    raise_muons,
    stratum_weights,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkstats.arrays import FloatArray

__all__ = ["PythiaError", "PythiaLeptonPairs", "PythiaQuarkPairs"]

_MB_TO_PB = 1e9
_NEUTRINOS = (12, 14, 16)
#: Leptonic branching fractions of the tau, Particle Data Group.
TAU_TO_MUON, TAU_TO_ELECTRON = 0.1739, 0.1782
_LEAST_MASS_GEV = {"mu": 0.25, "tau": 3.56}
_SWITCHES = (
    "Print:quiet = on",
    "Beams:idA = 11",
    "Beams:idB = -11",
    "WeakSingleBoson:ffbar2gmZ = on",
    "WeakZ0:gmZmode = 1",
    "23:onMode = off",
    "TimeShower:QEDshowerByGamma = off",
    "Random:setSeed = on",
)


def _pairs_of(codes: str, least_gev: float) -> list[str]:
    """Settings of pairs of some particles, by number, above a mass after radiation."""
    return [
        *_SWITCHES,
        f"Beams:eCM = {CM_ENERGY_GEV:.10f}",
        f"23:onIfAny = {codes}",
        f"23:mMin = {least_gev}",
        f"PhaseSpace:mHatMin = {least_gev}",
    ]


class PythiaError(NotCertifiedError):
    """PYTHIA did not start, or did not deliver events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythiaLeptonPairs:
    """Muon or tau pairs with radiation from initial and final state.

    Parameters
    ----------
    lepton
        ``"mu"`` or ``"tau"``.
    tau_decays
        ``"mumu"``: both taus decay to muons; ``"leptons"``: to electrons or muons; ``"all"``. The
        weights hold the branching fractions.
    """

    lepton: str
    tau_decays: str = "mumu"

    def __post_init__(self) -> None:
        """Check names.

        Raises
        ------
        OptionError
            An unknown lepton or decay.
        """
        if self.lepton not in _LEAST_MASS_GEV:
            raise OptionError(f"lepton {self.lepton!r}: choose one of mu, tau")
        if self.tau_decays not in ("mumu", "leptons", "all"):
            raise OptionError(f"tau_decays {self.tau_decays!r}: choose one of mumu, leptons, all")

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return f"pythia_{self.lepton}_pairs"

    @property
    def branching_fraction(self) -> float:
        """Fraction of the pairs that the forced decays stand for."""
        if self.lepton == "mu" or self.tau_decays == "all":
            return 1.0
        single = TAU_TO_MUON + (TAU_TO_ELECTRON if self.tau_decays == "leptons" else 0.0)
        return single**2

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            "version": 1,
            "pythia": "8.317",
            "lepton": self.lepton,
            "tau_decays": self.tau_decays,
            "switches": self._switches(),
        }

    def _switches(self) -> list[str]:
        code = 13 if self.lepton == "mu" else 15
        least = _LEAST_MASS_GEV[self.lepton]
        lines = _pairs_of(str(code), least)
        if self.lepton == "tau" and self.tau_decays != "all":
            lines += ["15:onMode = off", "15:onIfMatch = 16 13 14"]
            if self.tau_decays == "leptons":
                lines.append("15:onIfMatch = 16 11 12")
        return lines

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`.

        Raises
        ------
        MissingExtraError
            PYTHIA is not installed.
        PythiaError
            It refused a setting, or gave up.
        """
        _, batch, cross_section_pb = _batch(_started(self._switches(), rng), n_events)
        return _block(batch, np.full(len(batch), cross_section_pb * self.branching_fraction))


@dataclass(frozen=True, slots=True, kw_only=True)
class PythiaQuarkPairs:
    """Light and charmed quarks with radiation, showers, fragmentation and decays.

    Parameters
    ----------
    least_mass_gev
        Of the quark pair, after radiation.
    muons
        ``"any"``; ``"two_of_charm"``: charm alone, all charmed hadrons that decay weakly to muons,
        with their branching fractions in the weight; or ``"others"``: all but events of charm in
        which two charmed hadrons decay to muons. The last two together are the first.
    muon_rich
        With ``"others"``: real muons are made often, in half of the events by one of both charmed
        hadrons, and weights take it back, see :mod:`~darkstats.simulation.muon_rich_quarks`.

    Raises
    ------
    OptionError
        The mass is too low for fragmentation, or above that of the beams; no such muons; or
        ``muon_rich`` of other events.
    """

    least_mass_gev: float = 4.0
    muons: str = "any"
    muon_rich: bool = False

    def __post_init__(self) -> None:
        """See :class:`PythiaQuarkPairs`."""
        if not 3.0 <= self.least_mass_gev < CM_ENERGY_GEV:
            raise OptionError(
                f"pythia_quark_pairs: least_mass_gev = {self.least_mass_gev:g} lies outside 3 to "
                f"{CM_ENERGY_GEV:.2f}"
            )
        if self.muons not in _MUONS:
            raise OptionError(
                f"pythia_quark_pairs: muons {self.muons!r}: choose one of {', '.join(_MUONS)}"
            )
        if self.muon_rich and self.muons != "others":
            raise OptionError(
                f"pythia_quark_pairs: muon_rich is for muons: others, not for {self.muons}"
            )

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "pythia_quark_pairs"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            # Version 1 left out of plain others all events of charm with two muons, of any origin.
            "version": 2 if self.muons == "others" and not self.muon_rich else 1,
            "pythia": "8.317",
            "muons": self.muons,
            "switches": self._switches(),
            # Not named where it is not used: blocks of a cache from before it was there stay good.
            **({"muon_rich": [ONE_MUON_SHARE, *RAISED]} if self.muon_rich else {}),
        }

    def _switches(self) -> list[str]:
        codes = "4" if self.muons == "two_of_charm" else "1 2 3 4"
        lines = _pairs_of(codes, self.least_mass_gev)
        if self.muons == "two_of_charm":
            for code in CHARMED:
                lines += [f"{code}:onMode = off", f"{code}:onIfAny = 13"]
        return lines

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`.

        Raises
        ------
        MissingExtraError
            PYTHIA is not installed.
        PythiaError
            It refused a setting, or gave up.
        """
        if self.muon_rich:
            one = max(1, round(0.5 * ONE_MUON_SHARE * n_events))
            parts = [(1, one), (-1, one), (0, n_events - 2 * one)]
            return joined([self._stratum(sign, n, n_events, rng) for sign, n in parts])
        generator, batch, weight = _batch(_started(self._switches(), rng), n_events)
        weights = np.full(len(batch), weight)
        if self.muons == "others":
            direct = np.sum([daughters_of(batch, code, 13) for code in CHARMED], axis=0)
            weights[of_charm(batch) & (direct >= 2)] = 0.0
        elif self.muons == "two_of_charm":
            for code in CHARMED:
                share = muon_fraction(generator, code)
                weights *= share ** count(batch, code, final=False)
        return _block(batch, weights)

    def _stratum(self, sign: int, n: int, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Events with one muon of charmed hadrons of a sign; of sign 0: with no muon of charm."""
        quarks = self._switches() if sign == 0 else _pairs_of("4", self.least_mass_gev)
        found: list[Fractions] = []
        generator = _started(
            [*quarks, *charm_switches(sign)], rng, lambda pythia: found.append(raise_muons(pythia))
        )
        _, batch, weight = _batch(generator, n)
        return _block(batch, weight * n_events / n * stratum_weights(batch, found[0], sign))


_MUONS = ("any", "two_of_charm", "others")


def _batch(generator: Any, n_events: int) -> tuple[Any, Any, float]:  # noqa: ANN401
    """PYTHIA, events of it, and their cross section, pb."""
    batch = generator.nextBatch(n_events, "skip")
    if len(batch) < 0.99 * n_events:
        raise PythiaError(f"PYTHIA delivered {len(batch)} of {n_events} events")
    cross_section_pb = float(generator.infoPython().sigmaGen()) * _MB_TO_PB
    if not (math.isfinite(cross_section_pb) and cross_section_pb > 0.0):
        raise PythiaError(f"PYTHIA gave a cross section of {cross_section_pb} pb")
    return generator, batch, cross_section_pb


def _started(
    switches: list[str],
    rng: np.random.Generator,
    prepare: Callable[[Any], None] = lambda pythia: None,
) -> Any:  # noqa: ANN401  # PYTHIA has no types
    """PYTHIA with these settings, and what is left to be set up before it starts."""
    try:
        import pythia8mc
    except ImportError:
        raise MissingExtraError("pythia8mc", "simulation") from None
    generator = pythia8mc.Pythia("", False)
    for line in [*switches, f"Random:seed = {int(rng.integers(1, 900000000))}"]:
        if not generator.readString(line):
            raise PythiaError(f"PYTHIA refused the setting {line!r}")
    prepare(generator)
    if not generator.init():
        raise PythiaError("PYTHIA did not start with these settings")
    return generator


def _block(batch: Any, weight_pb: FloatArray) -> EventBlock:  # noqa: ANN401  # awkward
    """Final-state particles of an awkward batch, neutrinos left out."""
    import awkward

    particles = batch["prt"]
    visible = particles["status"] > 0
    for code in _NEUTRINOS:
        visible = visible & (abs(particles["id"]) != code)
    kept = particles[visible]
    counts = awkward.to_numpy(awkward.num(kept["id"]))
    momentum = kept["p"]
    columns = [awkward.to_numpy(awkward.flatten(momentum[c])) for c in ("e", "px", "py", "pz")]
    return EventBlock(
        event=np.repeat(np.arange(len(counts), dtype=np.int64), counts),
        pdg_id=awkward.to_numpy(awkward.flatten(kept["id"])).astype(np.int64),
        momentum=np.stack(columns, axis=-1).astype(np.float64),
        weight_pb=weight_pb,
    )
