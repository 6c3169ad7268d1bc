"""Counting displaced decays: one number of events, one hypothesis for each mass and lifetime.

The signals of one mass serve all lifetimes: each is weighted with the probability that it decays in
one of the volumes (:mod:`darkstats.simulation.decay_length`). Every hypothesis looks at the same
count, of which the card says the expected background.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.cuts import Cut, passing
from darkstats.searches.products import Patch, SearchProduct
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
    from collections.abc import Mapping

    from darkstats.searches.products import SimulatedSamples
    from darkstats.simulation.candidates import Candidates

__all__ = ["CTAU_LABEL", "Counting", "build_counting"]

CTAU_LABEL = "ctau_mm"
_CHANNEL = "signal_region"


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
        Expected background, zero included.
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
    """

    luminosity_ipb: float
    asimov: bool
    volumes: tuple[DecayVolume, ...]
    ctau_mm: tuple[float, ...]
    background_events: float = 0.0
    background_error: float = 0.0
    least_efficiency: float = 1e-6
    largest_simulation_error: float = 0.2
    cuts: tuple[Cut, ...] = ()
    systematics: Mapping[str, float] = field(default_factory=dict)
    reference_pb: float = 1e-3
    mass_label: str = "m_x_gev"

    def __post_init__(self) -> None:
        """Check what can be checked.

        Raises
        ------
        OptionError
            A background with an error and no size, or volumes that overlap.
        """
        if self.background_error > 0.0 and self.background_events == 0.0:
            raise OptionError("a background of zero has no relative error: leave it out")
        require_apart(self.volumes)

    def background(self) -> dict[str, Any]:
        """The sample of the background."""
        errors = [normsys("background_yield", self.background_error)]
        return {
            "name": "background",
            "data": [significant(self.background_events)],
            "modifiers": errors if self.background_error > 0.0 else [],
        }


def _name(mass_gev: float, ctau_mm: float) -> str:
    return f"m_{mass_gev:.4f}_ctau_{ctau_mm:.6g}mm".replace(".", "p").replace("+", "")


def _signals(
    search: Counting, mass_gev: float, sample: Candidates, data: float
) -> tuple[list[tuple[Patch, dict[str, Any]]], list[str]]:
    """Patches of one mass with what a sidecar says of them, and hypotheses left out."""
    rows = sample.select(passing(sample, search.cuts))
    # Relative to the Born cross section of 1 pb, as the weights are.
    shares = rows.weight_pb / rows.n_generated
    found = decay_efficiency(
        search.volumes, rows[BOOST_COLUMNS[0]], rows[BOOST_COLUMNS[1]], shares,
        np.array(search.ctau_mm),
    )  # fmt: skip
    made: list[tuple[Patch, dict[str, Any]]] = []
    left_out: list[str] = []
    observed = {_CHANNEL: np.array([data])}
    for ctau, efficiency, error in zip(
        search.ctau_mm, found.efficiency.tolist(), found.error.tolist(), strict=True
    ):
        name = _name(mass_gev, ctau)
        relative = error / efficiency if efficiency > 0.0 else np.inf
        weak = efficiency < search.least_efficiency
        if weak or relative > search.largest_simulation_error:
            left_out.append(name)
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
        reach = 20.0 * (2.0 * np.sqrt(search.background_events) + 5.0) / events
        patch = Patch(
            name=name,
            values=(round(mass_gev, 6), ctau),
            operations=replacement(
                {_CHANNEL: [signal, search.background()]},
                observed,
                [parameter("mu", 0.0, significant(reach), significant(0.05 * reach))],
            ),
        )
        fact = {
            "mass_gev": significant(mass_gev),
            CTAU_LABEL: ctau,
            "efficiency": significant(efficiency),
            "efficiency_error": significant(error),
            "signal_events_per_pb": significant(search.luminosity_ipb * efficiency),
            "background_events": search.background_events,
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
        There is no signal, or no hypothesis has any efficiency.
    """
    if not samples.signals:
        raise OptionError("a counting search needs the section signal")
    expected = search.background_events
    data = expected if search.asimov else float(rng.poisson(expected))
    found: list[tuple[Patch, dict[str, Any]]] = []
    left_out: list[str] = []
    for masses, sample in sorted(samples.signals.items()):
        made, without = _signals(search, masses[0], sample, data)
        found += made
        left_out += without
    if not found:
        raise OptionError(
            "no hypothesis has an efficiency above least_efficiency: loosen cuts, or let volumes "
            "and ctau_mm meet"
        )
    patches = tuple(patch for patch, _ in found)
    windows = {patch.name: fact for patch, fact in found}
    place = {_CHANNEL: {"spectrum": _CHANNEL, "edges": [0, 1], "row_length": 1}}
    sidecar = {
        "schema": "darkstats.meta/1",
        "simulated": True,
        "poi_label": f"cross section x BR / {1e3 * search.reference_pb:g} fb",
        "channels": {
            _CHANNEL: {
                "label": "displaced decays",
                "axis": "events",
                "edges": [0.0, 1.0],
                "cuts": [cut.plain() for cut in search.cuts],
                "volumes_mm": [[volume.r_from_mm, volume.r_to_mm] for volume in search.volumes],
            }
        },
        "reference_cross_section_pb": search.reference_pb,
        "data": "simulated: " + ("Asimov data" if search.asimov else "pseudo-data, fixed seed"),
        "spectra_share_events": False,
        "windows": windows,
    }
    summary = {
        "yields": {_CHANNEL: {"background": significant(search.background_events)}},
        "equivalent_luminosity_ipb": {},
        "n_hypotheses": {"counted": len(found), "without_sensitivity": len(left_out)},
        "without_sensitivity": left_out,
        "signal_efficiency": {
            _CHANNEL: {name: fact["efficiency"] for name, fact in windows.items()}
        },
    }
    return SearchProduct(
        # free, as the continuum of other searches is there; each hypothesis has its own
        workspace=background_document(
            {_CHANNEL: [search.background() | {"modifiers": [normfactor("background_scale")]}]},
            {_CHANNEL: np.array([data])},
        ),
        labels=(search.mass_label, CTAU_LABEL),
        patches=patches,
        sidecar=sidecar,
        summary=summary,
        fill={"windows": dict.fromkeys(windows, place)},
    )
