"""Counting displaced decays: one number of events, one hypothesis for each mass and lifetime.

The signals of one mass serve all lifetimes: each is weighted with the probability that it decays in
one of the volumes (:mod:`darkstats.simulation.decay_length`). Without a window every hypothesis
looks at the same count; with one, those of each mass look at the count of their window. The card
says the expected background.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.cuts import Cut, passing
from darkstats.searches.products import Patch, SearchProduct
from darkstats.searches.signal_masses import require_declared_mass
from darkstats.simulation.b_candidates import SLOPE
from darkstats.simulation.decay_length import DecayVolume, decay_efficiency, require_apart
from darkstats.simulation.displaced_pairs import BOOST_COLUMNS
from darkstats.templates.histfactory import (
    background_document,
    normfactor,
    normsys,
    parameter,
    replacement,
    significant,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray
    from darkstats.searches.products import SimulatedSamples
    from darkstats.simulation.candidates import Candidates

__all__ = ["CTAU_LABEL", "Counting", "Window", "build_counting"]

CTAU_LABEL = "ctau_mm"
_CHANNEL = "signal_region"
#: Signals that cuts leave, and their share of what was generated: with fewer there is no window, as
#: for a mass that is vetoed, of which tails are left.
_LEAST_SIGNALS, _LEAST_SHARE = 100, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Window in a measured mass, about the median of the simulated signals of each mass.

    Parameters
    ----------
    variable
        Column of the measured mass.
    sigma
        Half width in resolutions: half of the central 68 % of the signals.
    pointing
        Whether the mass falls with the flight as the column ``mass_slope_imm`` says: decays count
        between the lengths of flight at which the mass is in the window.
    """

    variable: str
    sigma: float = 2.0
    pointing: bool = False

    def edges_gev(self, rows: Candidates) -> tuple[float, float]:
        """Ends of the window of these signals, taken as prompt."""
        masses = rows[self.variable]
        order = np.argsort(masses)
        share = np.cumsum(rows.weight_pb[order])
        places = (0.158655, 0.5, 0.841345)
        low, middle, high = np.interp(places, share / share[-1], masses[order]).tolist()
        half = 0.5 * self.sigma * (high - low)
        return middle - half, middle + half

    def lengths_mm(
        self, rows: Candidates, edges_gev: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray]:
        """Proper lengths of decay between which each signal is in the window. Shapes [signal]."""
        masses = rows[self.variable]
        low, high = edges_gev
        if not self.pointing:
            inside = (masses >= low) & (masses <= high)
            return np.zeros(len(rows)), np.where(inside, np.inf, 0.0)
        boost = np.hypot(rows[BOOST_COLUMNS[0]], rows[BOOST_COLUMNS[1]])
        # the measured mass is m (1 - slope d), d = boost x proper length
        loss = np.maximum(rows[SLOPE] * boost, 1e-12) * np.maximum(masses, 1e-12)
        first, last = (np.maximum((masses - edge) / loss, 0.0) for edge in (high, low))
        return np.asarray(first), np.asarray(np.maximum(first, last))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Choices of a counting search for displaced decays.

    Parameters
    ----------
    luminosity_ipb
        Integrated luminosity, per pb.
    asimov
        Whether the data are the expectation, not drawn from it.
    volumes
        Where decays are seen.
    ctau_mm
        Lifetimes of the hypotheses.
    background_events
        Expected background, zero included; or rows of a mass in GeV and what is expected in its
        window, linear between them, constant beyond.
    background_error
        Its relative error.
    least_efficiency
        Hypotheses with less are left out, and counted.
    largest_simulation_error
        Relative statistical error of the efficiency above which a hypothesis is left out, too.
    cuts
        On the columns of the candidates.
    systematics
        Relative errors of the signal, by name.
    reference_pb
        Cross section times branching fractions of ``mu = 1``.
    mass_label
        Label of the mass, which ends with _gev.
    window
        In a measured mass.
    parent_pb
        Cross section of the particles whose decays are looked for: limits are on branching
        fractions, too.
    """

    luminosity_ipb: float
    asimov: bool
    volumes: tuple[DecayVolume, ...]
    ctau_mm: tuple[float, ...]
    background_events: float | tuple[tuple[float, float], ...] = 0.0
    background_error: float = 0.0
    least_efficiency: float = 1e-6
    largest_simulation_error: float = 0.2
    cuts: tuple[Cut, ...] = ()
    systematics: Mapping[str, float] = field(default_factory=dict)
    reference_pb: float = 1e-3
    mass_label: str = "m_x_gev"
    window: Window | None = None
    parent_pb: float | None = None

    def __post_init__(self) -> None:
        """Check what can be checked.

        Raises
        ------
        OptionError
            A background with an error and no size, one by mass without windows or masses that do
            not rise, or volumes that overlap.
        """
        if self.background_error > 0.0 and self.background_events == 0.0:
            raise OptionError("a background of zero has no relative error: leave it out")
        if isinstance(self.background_events, tuple):
            masses = [mass for mass, _ in self.background_events]
            if self.window is None:
                raise OptionError("a background by mass is that of windows: give window")
            if not masses or masses != sorted(set(masses)):
                raise OptionError("background_events: masses do not rise")
        require_apart(self.volumes)

    def expected(self, mass_gev: float) -> float:
        """Expected background at a mass."""
        if not isinstance(self.background_events, tuple):
            return self.background_events
        masses, events = zip(*self.background_events, strict=True)
        return float(np.interp(mass_gev, masses, events))

    def background(self, mass_gev: float) -> dict[str, Any]:
        """The sample of the background at a mass."""
        errors = [normsys("background_yield", self.background_error)]
        return {
            "name": "background",
            "data": [significant(self.expected(mass_gev))],
            "modifiers": errors if self.background_error > 0.0 else [],
        }

    def channel(self, mass_gev: float) -> str:
        """Name of the count that the hypotheses of a mass look at."""
        return _CHANNEL if self.window is None else f"{_CHANNEL}_{_number(mass_gev, '.4f')}"


def _number(value: float, form: str) -> str:
    return f"{value:{form}}".replace(".", "p").replace("+", "")


def _name(mass_gev: float, ctau_mm: float) -> str:
    return f"m_{_number(mass_gev, '.4f')}_ctau_{_number(ctau_mm, '.6g')}mm"


def _signals(
    search: Counting, mass_gev: float, sample: Candidates, data: float
) -> tuple[list[tuple[Patch, dict[str, Any]]], dict[str, tuple[float, float]]]:
    """Patches of one mass with what a sidecar says of them; values of hypotheses left out."""
    rows = sample.select(passing(sample, search.cuts))
    names = [_name(mass_gev, ctau) for ctau in search.ctau_mm]
    if search.window is not None and len(rows) < max(
        _LEAST_SIGNALS, _LEAST_SHARE * rows.n_generated
    ):
        return [], {
            name: (round(mass_gev, 6), ctau)
            for name, ctau in zip(names, search.ctau_mm, strict=True)
        }
    between, more = None, {}
    if search.window is not None:
        require_declared_mass(mass_gev, rows, search.window.variable)
        edges = search.window.edges_gev(rows)
        between = search.window.lengths_mm(rows, edges)
        more = {"window_gev": [significant(edge) for edge in edges]}
    # Relative to the Born cross section of 1 pb, as the weights are.
    shares = rows.weight_pb / rows.n_generated
    found = decay_efficiency(
        search.volumes, rows[BOOST_COLUMNS[0]], rows[BOOST_COLUMNS[1]], shares,
        np.array(search.ctau_mm), between_mm=between,
    )  # fmt: skip
    made: list[tuple[Patch, dict[str, Any]]] = []
    left_out: dict[str, tuple[float, float]] = {}
    channel, expected = search.channel(mass_gev), search.expected(mass_gev)
    for name, ctau, efficiency, error in zip(
        names, search.ctau_mm, found.efficiency.tolist(), found.error.tolist(), strict=True
    ):
        relative = error / efficiency if efficiency > 0.0 else np.inf
        weak = efficiency < search.least_efficiency
        if weak or relative > search.largest_simulation_error:
            left_out[name] = (round(mass_gev, 6), ctau)
            continue
        events = search.luminosity_ipb * search.reference_pb * efficiency
        errors = [normsys(key, size) for key, size in search.systematics.items()]
        signal = {
            "name": "signal",
            "data": [significant(events)],
            "modifiers": [
                normfactor("mu"),
                *errors,
                normsys("signal_simulation", max(relative, 1e-6)),
            ],
        }
        reach = 20.0 * (2.0 * np.sqrt(expected) + 5.0) / events
        patch = Patch(
            name=name,
            values=(round(mass_gev, 6), ctau),
            operations=replacement(
                {channel: [signal, search.background(mass_gev)]},
                {channel: np.array([data])},
                [parameter("mu", 0.0, significant(reach), significant(0.05 * reach))],
            ),
        )
        fact = {
            "mass_gev": significant(mass_gev),
            CTAU_LABEL: ctau,
            "efficiency": significant(efficiency),
            "efficiency_error": significant(error),
            "signal_events_per_pb": significant(search.luminosity_ipb * efficiency),
            "background_events": significant(expected),
            **more,
        }
        made.append((patch, fact))
    return made, left_out


def build_counting(
    search: Counting, samples: SimulatedSamples, *, rng: np.random.Generator
) -> SearchProduct:
    """Return the workspace and the patches of a counting search.

    Parameters
    ----------
    search
        All choices.
    samples
        Candidates of the signals by simulated mass; no background is simulated.
    rng
        Draws the pseudo-data.

    Raises
    ------
    OptionError
        There is no signal, no hypothesis has any efficiency, or the signals of a mass are of
        another one.
    """
    if not samples.signals:
        raise OptionError("a counting search needs the section signal")
    data: dict[str, float] = {}
    backgrounds: dict[str, dict[str, Any]] = {}
    found: list[tuple[Patch, dict[str, Any]]] = []
    left_out: dict[str, tuple[float, float]] = {}
    by_channel: dict[str, list[str]] = {}
    for masses, sample in sorted(samples.signals.items()):
        mass = masses[0]
        channel, expected = search.channel(mass), search.expected(mass)
        if channel not in data:
            data[channel] = expected if search.asimov else float(rng.poisson(expected))
        made, without = _signals(search, mass, sample, data[channel])
        if made:
            backgrounds[channel] = search.background(mass)
            by_channel.setdefault(channel, []).extend(patch.name for patch, _ in made)
        found += made
        left_out |= without
    if not found:
        raise OptionError(
            "no hypothesis has an efficiency above least_efficiency: loosen cuts, or let volumes "
            "and ctau_mm meet"
        )
    windows = {patch.name: fact for patch, fact in found}
    return SearchProduct(
        # free, as the continuum of other searches is there; each hypothesis has its own
        workspace=background_document(
            {
                channel: [sample | {"modifiers": [normfactor("background_scale")]}]
                for channel, sample in backgrounds.items()
            },
            {channel: np.array([data[channel]]) for channel in backgrounds},
        ),
        labels=(search.mass_label, CTAU_LABEL),
        patches=tuple(patch for patch, _ in found),
        sidecar=_sidecar(search, tuple(backgrounds), windows, list(left_out.values())),
        summary={
            "yields": {
                channel: {"background": sample["data"][0]}
                for channel, sample in backgrounds.items()
            },
            "equivalent_luminosity_ipb": {},
            "n_hypotheses": {"counted": len(found), "without_sensitivity": len(left_out)},
            "without_sensitivity": list(left_out),
            "signal_efficiency": {
                channel: {name: windows[name]["efficiency"] for name in names}
                for channel, names in by_channel.items()
            },
        },
        fill={
            "windows": {
                name: {channel: {"spectrum": channel, "edges": [0, 1], "row_length": 1}}
                for channel, names in by_channel.items()
                for name in names
            }
        },
    )


def _sidecar(
    search: Counting,
    channels: tuple[str, ...],
    windows: Mapping[str, Any],
    left_out: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """Axes, windows, and what ``mu = 1`` is."""
    facts: dict[str, Any] = {
        "label": "displaced decays",
        "axis": "events",
        "edges": [0.0, 1.0],
        "cuts": [cut.plain() for cut in search.cuts],
        "volumes_mm": [[volume.r_from_mm, volume.r_to_mm] for volume in search.volumes],
    }
    if search.window is not None:
        facts["window"] = {
            "variable": search.window.variable,
            "sigma": search.window.sigma,
            "pointing": search.window.pointing,
        }
    sidecar: dict[str, Any] = {
        "schema": "darkstats.meta/1",
        "simulated": True,
        "poi_label": f"cross section x BR / {1e3 * search.reference_pb:g} fb",
        "channels": dict.fromkeys(channels, facts),
        "reference_cross_section_pb": search.reference_pb,
        "data": "simulated: " + ("Asimov data" if search.asimov else "pseudo-data, fixed seed"),
        "spectra_share_events": False,
        "windows": dict(windows),
    }
    if left_out:
        sidecar["without_sensitivity"] = [list(values) for values in left_out]
    if search.parent_pb is not None:
        sidecar["parent_cross_section_pb"] = search.parent_pb
    return sidecar
