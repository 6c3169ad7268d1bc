"""The unbinned search in a window of the squared recoil mass, backgrounds from simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from darkstats.searches.unbinned.parts import (
    FLOOR_EVENTS,
    LEAST_EVENTS,
    double_sided_peak,
    fine_contents,
    finish,
    fitted_peak,
    inside_of,
    lognormal,
    new_builder,
    short,
    window_of_build,
)
from darkstats.searches.windows import place_between_simulated
from darkstats.templates.histfactory import significant

if TYPE_CHECKING:
    from darkstats.searches.output import BuildFolder
    from darkstats.searches.recoil_hunt import RecoilHunt
    from darkstats.simulation.candidates import Candidates
    from darkstats.templates.crystal_ball import CrystalBall
    from darkstats.workspace.hs3 import Hs3Document

__all__ = ["recoil_hunt_document"]


def recoil_hunt_document(
    hunt: RecoilHunt,
    folder: BuildFolder,
    signals: Mapping[float, Candidates],
    names: Sequence[str],
    *,
    title: str,
) -> Hs3Document:
    """The unbinned search in a window of the squared recoil mass, backgrounds from simulation.

    The window is that of the counting experiment; each process has its simulated shape, and the
    relative errors of the card. Where simulation leaves part of a window empty, 1e-4 events spread
    over the window, ``simulation_floor``, keep an event there possible. Parameters as in
    :func:`bump_hunt_document`.

    Raises
    ------
    OptionError
        The build lacks a hypothesis.
    """
    hunt = hunt.with_widths({(mass,): sample for mass, sample in signals.items()})
    builder = new_builder(title, hunt.reference_pb, (hunt.mass_label,), folder, names)
    masses = sorted(signals)
    shapes: dict[int, CrystalBall] = {}
    for name in names:
        facts, edges = window_of_build(folder.sidecar, name)
        mass = float(facts["mass_gev"])
        axis = (hunt.variable, float(edges[0]), float(edges[-1]))
        below, fraction = place_between_simulated(np.array(masses), mass)
        above = below + 1
        for k in (below, above):
            if k not in shapes:
                sample = signals[masses[k]]
                width = hunt.widths.at_squared(masses[k] ** 2)
                reduced = (sample[hunt.variable] - masses[k] ** 2) / width
                shapes[k] = fitted_peak(reduced, sample.weight_pb)
        signal = float(facts["signal_events_per_pb"]) * hunt.reference_pb
        errors = {**hunt.systematics.get("signal", {})}
        statistical = [
            math.sqrt(float((signals[masses[k]].weight_pb ** 2).sum()))
            / float(signals[masses[k]].weight_pb.sum())
            for k in (below, above)
        ]
        errors["signal_simulation"] = max(*statistical, 1e-6)
        constrained = list(errors)
        yields = {
            double_sided_peak(
                builder,
                f"{name}_signal",
                hunt.variable,
                shapes[below].between(shapes[above], fraction),
                centre=mass**2,
                sigma=hunt.widths.at_squared(mass**2),
                resolution_error=0.0,
            ): builder.function(
                f"{name}_signal_yield", f"mu * {short(signal)!r} * {lognormal(errors)}"
            )
        }
        fine, contents = fine_contents(folder, str(facts["spectrum"]))
        part = inside_of(fine, axis[1], axis[2])
        own = fine[part.start : part.stop + 1]
        common = {**hunt.systematics.get("background", {})}
        total = sum(float(c[part].sum()) for c in contents.values())
        common["background_simulation"] = max(
            float(facts["background_statistical_error"]) / max(total, 1e-12), 1e-6
        )
        kept = {n: np.maximum(spectrum[part], 0.0) for n, spectrum in contents.items()}
        kept = {n: inside for n, inside in kept.items() if inside.sum() > LEAST_EVENTS}
        if (sum(kept.values(), np.zeros(len(own) - 1)) == 0.0).any():
            # An event where simulation happens to be empty is rare, not impossible.
            kept["simulation_floor"] = np.diff(own) / (own[-1] - own[0]) * FLOOR_EVENTS
        for process, inside in kept.items():
            process_errors = {**common, **hunt.systematics.get(process, {})}
            constrained += list(process_errors)
            yields[builder.histogram(f"{name}_{process}", hunt.variable, own, inside)] = (
                builder.function(
                    f"{name}_{process}_yield",
                    f"{short(float(inside.sum()))!r} * {lognormal(process_errors)}",
                )
            )
        reach = significant(20.0 * (2.0 * math.sqrt(total) + 5.0) / signal)
        finish(
            builder,
            name,
            axes=(axis,),
            yields=yields,
            parameters={"mu": (significant(0.05 * reach), 0.0, reach)},
            constrained=constrained,
            values={hunt.mass_label: mass},
        )
    return builder.finished()
